/* IKE in the daemon: the plugin's socket, and what charon shall do. Control thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct daemon;
struct ike_conf;

/* Modules of main.c: the store before the workers start, the socket and charon once the loop runs. */
int ike_store_module_start(struct daemon *d, char *error, size_t n);
void ike_store_module_stop(struct daemon *d);
int ike_module_start(struct daemon *d, char *error, size_t n);
void ike_module_stop(struct daemon *d);
/* Another world was published; takes what charon shall know, NULL: nothing. */
void ike_apply(struct daemon *d, struct ike_conf *conf);
/* At the end, the loop still open: peers are told. Not when a successor takes over. */
void ike_farewell(struct daemon *d);
/* It has connections, or point-to-site gateways, that negotiate their keys. */
bool ike_wanted(const struct config *c);
void ike_tick(struct daemon *d, uint64_t now_ns);
