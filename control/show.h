/* What the verbs answer, as JSON in the shapes of the vendor's `az ... show`.
 *
 * show_* read a checked configuration, its world and its compiled view; the daemon's control thread
 * and the offline command call the same functions. Verdicts come from the compiled view alone.
 */
#pragma once

#include "control/api_request.h"
#include "control/world.h"

#include <time.h>

/* The world to speak of. */
struct show {
	const struct world *world;
	const struct view *view; /* compiled from world; NULL: verdicts are refused */
	const struct names *names;
	json_t *config; /* as config_print wrote it */
};

typedef json_t *show_function(const struct show *s, const struct request *r, struct failure *f);

/* Answers verbs that need no running daemon; NULL for the others. */
show_function *show_function_of(enum verb verb);

show_function show_config, show_vnets, show_vnet, show_peerings, show_peering;
show_function show_effective_routes, show_hub_routes, show_next_hop, show_ip_flow;

/* ---- helpers of several files ------------------------------------------------------- */

/* "VNET/SUBNET" of a request's argument; NULL with f set when there is none of the name. */
const struct effective_table *show_subnet(const struct show *s, const char *text, struct failure *f);
/* "vnet/subnet", "uplink NAME", "gateway NAME"; "" for IFACE_NONE or one that is gone. */
const char *show_iface(const struct show *s, uint16_t iface);
json_t *address_json(const struct ip_addr *a); /* "" for family 0 */
json_t *prefix_json(const struct ip_prefix *p);
json_t *mac_json(const struct mac_addr *m);
json_t *time_json(time_t t); /* UTC by RFC 3339, null for 0 */
/* A name id as text, null for NAME_NONE. */
json_t *name_json(const struct names *names, uint32_t id);
/* "nsg/securityRules/rule" -> its NSG and the vendor's "securityRules/rule" beside it. */
void rule_json(json_t *o, const struct names *names, uint32_t id);
/* [{"line", "column", "message"}] */
json_t *warnings_json(const struct world *w);
