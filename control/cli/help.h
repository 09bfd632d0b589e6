/* --help: written from the table of verbs. */
#pragma once

#include "control/verb.h"

#include <stdio.h>

void help_print(FILE *to);
void help_print_verb(enum verb verb, FILE *to);
