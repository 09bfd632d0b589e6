/* What daemons in the control namespace wait for, of the packets to an uplink's own addresses: IKE, BGP, BFD, and
 * ICMP errors about what they sent. Worker.
 */
#pragma once

#include "dataplane/packet.h"
#include "dataplane/view.h"

/* Is the packet addressed to one of the interface's own addresses? */
static inline bool
packet_to_iface(const struct iface *i, const struct packet *p)
{
	uint8_t family = packet_family(p);
	const uint8_t *dst = packet_destination(p);

	for (uint8_t n = 0; n < i->n_prefixes; n++)
		if (i->address[n].family == family && memcmp(i->address[n].b, dst, family == IP_V6 ? 16 : 4) == 0)
			return true;
	return false;
}

/* The class of a whole packet, or of a first fragment, by its ports; PUNT_LOCAL: nobody waits for it. ESP in UDP and
 * keepalives on IKE's second port are of nobody here: esp_open has taken them. */
enum punt_class listener_class(const struct packet *p);
/* An ICMP error that quotes a packet which a daemon at our address may have sent. */
bool listener_error(const struct packet *p);
