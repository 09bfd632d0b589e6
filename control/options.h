/* isthmusd's command line. */
#pragma once

#include "drivers/log.h"

#include <stdbool.h>

/* Returns -1 to go on, else the exit status. */
int options_read(int argc, char **argv, const char **config, bool *takeover, enum log_level *level);
