/* A successor that takes an appliance over from the isthmusd that runs. Control thread, at the start. */
#pragma once

#include <stddef.h>

/* Whoever serves this control socket is told to leave, as by SIGUSR2, and is waited for. 0, also when nobody does;
 * -ETIMEDOUT, -EPERM or -errno with a text. */
int takeover(const char *socket_path, char *error, size_t n);
