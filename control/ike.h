/* IKE in the daemon: the plugin's socket, and what charon shall do. Control thread. */
#pragma once

#include <stddef.h>

struct daemon;

/* Modules of main.c: the store before the workers start, the socket and charon once the loop runs. */
int ike_store_module_start(struct daemon *d, char *error, size_t n);
void ike_store_module_stop(struct daemon *d);
int ike_module_start(struct daemon *d, char *error, size_t n);
void ike_module_stop(struct daemon *d);
/* Another world was published. */
void ike_apply(struct daemon *d);
