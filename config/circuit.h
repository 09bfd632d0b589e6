/* ExpressRoute circuits: clear links to a provider's edge, with BGP beside the packets. Part of resource.h. */
#pragma once

#include "config/bgp.h"
#include "config/value.h"

#define CFG_CIRCUIT_ASN 12076 /* ours on a circuit, as the cloud's edge says */
#define CFG_CIRCUIT_LINKS 2   /* primary and secondary */

extern const char *const circuit_link_name[CFG_CIRCUIT_LINKS];

/* One of a circuit's peerings; only AzurePrivatePeering carries packets here. */
struct cfg_circuit_peering {
	struct cfg_mark mark;
	char *name, *type; /* peeringType; the name where it is missing */
	bool disabled;     /* state */
	uint32_t asn;      /* azureASN, 12076 by default */
	uint32_t peer_asn; /* peerASN */
	/* primaryPeerAddressPrefix, secondaryPeerAddressPrefix: the first host is the peer's, the second ours. /30 or
	 * /126; family 0: the link is not used. */
	struct ip_prefix prefix[CFG_CIRCUIT_LINKS];
	uint16_t vlan; /* vlanId, 0 = untagged */
};

struct cfg_circuit {
	struct cfg_mark mark;
	char *name, *id;
	struct cfg_circuit_peering *peerings;
	uint32_t n_peerings;
	/* appliance part */
	char *port_ref[CFG_CIRCUIT_LINKS]; /* primaryPort, secondaryPort; NULL: the link does not end here */
	int32_t port[CFG_CIRCUIT_LINKS];
	struct cfg_bgp_session bgp; /* of both links */
	/* by config_check */
	const struct cfg_circuit_peering *private_peering; /* enabled, NULL: none */
	int32_t connection;                                /* that uses it, CFG_NONE */
};
