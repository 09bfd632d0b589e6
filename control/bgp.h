/* BGP in the daemon. Control thread. */
#pragma once

#include <stddef.h>

struct daemon;

/* A module of main.c: behind the control namespace. */
int bgp_module_start(struct daemon *d, char *error, size_t n);
void bgp_module_stop(struct daemon *d);
/* At the end, the loop still open: peers hear that sessions end while tunnels still carry it. Not when a successor
 * takes over. */
void bgp_farewell(struct daemon *d);
