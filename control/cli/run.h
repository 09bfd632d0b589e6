/* A command line from its words to its exit status: of the process, or of a line in the shell. */
#pragma once

#include "control/cli/command_line.h"

/* socket: what -s says when the words do not; NULL = nothing. */
int run(int argc, char *const *argv, const char *socket);
