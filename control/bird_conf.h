/* What bird is told of a gateway: its peers, what it advertises, which of what it learns counts. Control thread. */
#pragma once

#include "control/gateway_session.h"

#define BIRD_NAME_MAX 16

/* The name of a session in bird's configuration and answers: the same whatever else there is. */
void bird_session_name(const struct gateway_session *s, char name[BIRD_NAME_MAX]);

/* A configuration for bird, to free; passwords may stand in it. NULL: no memory. interface: of the gateway's link. */
char *bird_conf_make(const struct world *w, uint32_t gateway, const char *interface);
