/* What would become of a packet: the very functions of workers, on a compiled view. Any thread that keeps the view
 * alive.
 */
#pragma once

#include "dataplane/dataplane.h"

struct verdict_packet {
	uint16_t iface;
	struct ip_addr source, destination;
	uint8_t protocol;
	uint16_t source_port, destination_port;
};

struct acl_verdict {
	bool allow;
	uint32_t rule_name; /* the rule that decided last */
	bool had_nsg;
};

struct route_verdict {
	uint32_t hop;
	enum hop_kind kind;
	enum drop_reason reason;
	uint32_t name, deny_name, tunnel_name;
	bool deny_forwarded;
	uint16_t iface, tunnel; /* HOP_CLIENT: the client's; TUNNEL_NONE: no client has the address */
	struct ip_addr next_hop;
};

/* NSG stage of the interface's subnet and the NIC of the local end (source when outbound,
 * destination when inbound). Flow state is not looked at: this is the verdict of a first packet. */
void verdict_nsg(const struct view *v, const struct verdict_packet *p, bool inbound, struct acl_verdict *out);
void verdict_route(const struct view *v, const struct verdict_packet *p, struct route_verdict *out);
