/* Ask what a command line asks, print the answer. Single-threaded. */
#pragma once

#include "control/cli/command_line.h"

/* c->verb is a verb. Returns an exit status. */
int ask(const struct command_line *c);
