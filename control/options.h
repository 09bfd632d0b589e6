/* isthmusd's command line. */
#pragma once

#include "drivers/log.h"

/* Returns -1 to go on, else the exit status. */
int options_read(int argc, char **argv, const char **config, enum log_level *level);
