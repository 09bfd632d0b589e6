/* What bird is told of the routers that hear where virtual addresses are. Control thread. */
#pragma once

#include "config/resource.h"
#include "control/bird_conf.h"

/* The name of a router's session in bird's configuration and answers. */
void router_session_name(const struct cfg_router *r, char name[BIRD_NAME_MAX]);
/* A configuration for bird, to free; passwords may stand in it. NULL: no memory. */
char *router_conf_make(const struct cfg_appliance *a);
