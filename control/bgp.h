/* BGP in the daemon: of gateways, and with the routers of a pair. Control thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct daemon;

/* A module of main.c: behind the control namespace. */
int bgp_module_start(struct daemon *d, char *error, size_t n);
void bgp_module_stop(struct daemon *d);
/* As the published world wants it. The world's passwords are wiped. 0, or -errno with a text of the first fault. */
int bgp_apply(struct daemon *d, char *error, size_t n);
void bgp_tick(struct daemon *d, uint64_t now_ns);
/* At the end, the loop still open: peers hear that sessions end while tunnels still carry it. Not when a successor
 * takes over. */
void bgp_farewell(struct daemon *d);
