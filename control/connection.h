/* How the connections of the running world do. Control thread. */
#pragma once

#include "control/ike_status.h"

struct daemon;

/* The vendor's words; what makes each is ours. */
enum connection_status {
	CONNECTION_UNKNOWN,       /* no end of it is here, or charon, which would know, is not */
	CONNECTION_CONNECTING,    /* never up since isthmusd started */
	CONNECTION_CONNECTED,     /* usable SAs in both directions */
	CONNECTION_NOT_CONNECTED, /* was up, or its keys, given by hand, are used up or missing */
};

struct connection_state {
	enum connection_status status;
	bool here;                    /* an end of its tunnel is on an uplink of this appliance */
	bool circuit;                 /* it is of ExpressRoute, and a link of it ends here */
	bool service;                 /* nothing negotiates its keys, or who does is there */
	bool standby;                 /* the pair's primary starts it, which is not this node */
	uint16_t uplink_port;         /* when here */
	const struct ike_status *ike; /* NULL: not negotiated here */
	struct ip_addr local, remote; /* family 0: not known */
	uint32_t inbound, outbound;   /* usable SAs */
	uint64_t bytes_in, bytes_out, packets_in, packets_out;
};

/* By its index in the running world's configuration. */
void connection_state(const struct daemon *d, uint32_t connection, struct connection_state *out);
const char *connection_status_name(enum connection_status s);
