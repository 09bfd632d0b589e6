/* What is wrong with a gateway's BGP where its tunnels may be well. Control thread. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

struct daemon;

/* text: bird's "show protocols all", NULL: bird does not answer; external: it is the operator's to ask. */
json_t *gateway_health_json(const struct daemon *d, const char *gateway, const char *text, bool external);
