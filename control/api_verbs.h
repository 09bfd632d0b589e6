/* The daemon's side of the verbs: what api_start calls. Control thread. */
#pragma once

#include "control/api.h"

api_handler verbs_answer;
api_gone verbs_gone;
