/* Checks of a whole configuration, one file per subject. Internal to config/.
 *
 * config_check() runs them in the order of need: names, then references, then what looks
 * through references. Each check reports all it finds and leaves CFG_NONE where a reference
 * leads nowhere, which later checks skip.
 */
#pragma once

#include "config/bind.h"
#include "config/limit.h"
#include "config/reference.h"

struct check {
	struct config *c;
	struct binder *b; /* marks, errors, the configuration's arena */
	struct names names[KINDS];
	struct names *subnets; /* of each VNet */
};

/* Resolve, complete and check. 0 (errors may have been added) or -ENOMEM. */
int config_check(struct config *c, struct binder *b);

/* In order. 0 or -ENOMEM. */
int check_wan(struct check *k);      /* resolves virtual WANs and adds what their hubs imply */
int check_network(struct check *k);  /* address spaces, subnets */
int check_routes(struct check *k);   /* route tables and what they ask of their subnets */
int check_filter(struct check *k);   /* NSG rules, default rules */
int check_nics(struct check *k);     /* interfaces, addresses, groups' members */
int check_gateways(struct check *k); /* public addresses, gateways, GatewaySubnet */
int check_peerings(struct check *k); /* after gateways: flags look at them */
int check_connections(struct check *k);
int check_bgp(struct check *k);      /* after connections: looks at their ends */
int check_circuits(struct check *k); /* after BGP: gateways beside each other have their addresses */
int check_sas(struct check *k);
int check_ike(struct check *k);
int check_p2s(struct check *k);       /* after connections and peerings: looks at their address spaces */
int check_appliance(struct check *k); /* last: looks at all the rest */
int check_ha(struct check *k);        /* who is primary */
int check_routers(struct check *k);   /* and who hears of it: after uplinks */
int check_uplinks(struct check *k);   /* within check_appliance */

/* A tunnel's outer addresses: ours on an uplink, the peer's of the same family (check_outer.c). */
enum outer { OUTER_OURS, OUTER_AWAY, OUTER_OTHER_FAMILY, OUTER_UNKNOWN };
enum outer outer_find(const struct check *k, const struct cfg_connection *c, const struct ip_addr **ours);
/* Reports what is wrong with them; `why` the connection needs them. */
void check_outer(struct check *k, const struct cfg_connection *c, const char *why);
bool address_is_ours(const struct check *k, const struct ip_addr *a);
/* The subnet's own: its network address, the gateway (the appliance), the IPv4 broadcast. */
bool address_is_reserved(const struct ip_prefix *p, const struct ip_addr *a);
bool gateway_is_route_based(const struct cfg_gateway *g);
/* By the cloud, but for its gateways' own 65515, or by IANA (check_bgp.c). */
bool asn_is_reserved(uint32_t asn);
void check_bgp_timers(
	struct check *k, const struct cfg_bgp_session *s, const char *noun, const char *name, struct cfg_mark mark);

/* Algorithms a connection or gateway may use (check_proposal.c). */
void check_proposals(struct check *k, const struct cfg_connection *c);
void check_policy(struct check *k, const struct cfg_ipsec_policy *p, enum cfg_ike_profile profile);
/* The error that `key` says the weak `word`. */
void check_weak(struct check *k, struct cfg_mark mark, const char *key, const char *word);

/* The mark of a member, or of the object it belongs to. */
#define MARK(k, at, object) binder_mark((k)->b, at, (object)->mark)
