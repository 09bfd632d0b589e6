/* A VLAN with a subnet on it is ours as a whole: we are its hosts' gateway. An uplink is shared: its tunnels,
 * and ARP, ND and ICMP for its addresses come to us, the kernel keeps the rest (IKE as well, which charon
 * answers there). An uplink that carries Internet traffic in clear is ours as a whole again: packets on it go to
 * addresses of the VNets.
 *
 * Steering follows the view: for a moment a new subnet's packets still go to the kernel.
 */
#include "control/steer.h"

#include "drivers/log.h"
#include "drivers/port.h"

#include <errno.h>
#include <stdlib.h>

struct steering {
	uint16_t *vlans;
	struct port_steer_address *addresses;
	uint16_t n_vlans, n_addresses;
	bool everything; /* more than fits */
};

static void
uplink_steer(const struct cfg_uplink *u, struct steering *s)
{
	if (u->internet || u->vnet_refs.n > 0) {
		s->vlans[s->n_vlans++] = u->vlan;
		return;
	}
	for (uint32_t i = 0; i < u->addresses.n; i++) {
		if (s->n_addresses == PORT_STEER_ADDRESSES) {
			s->everything = true;
			return;
		}
		s->addresses[s->n_addresses++] = (struct port_steer_address){u->address[i], u->vlan};
	}
}

static void
port_steer_fill(const struct cfg_appliance *a, uint32_t port, struct steering *s)
{
	for (uint32_t i = 0; i < a->n_attachments; i++)
		if (a->attachments[i].port == (int32_t)port)
			s->vlans[s->n_vlans++] = a->attachments[i].vlan;
	for (uint32_t i = 0; i < a->n_uplinks; i++)
		if (a->uplinks[i].port == (int32_t)port)
			uplink_steer(&a->uplinks[i], s);
}

static int
port_apply(const struct cfg_appliance *a, uint32_t port, char *error, size_t n)
{
	struct steering s = {
		.vlans = calloc(a->n_attachments + a->n_uplinks + 1, sizeof *s.vlans),
		.addresses = calloc(PORT_STEER_ADDRESSES, sizeof *s.addresses),
	};
	int r = -ENOMEM;

	if (s.vlans && s.addresses) {
		port_steer_fill(a, port, &s);
		r = port_steer((uint16_t)port,
			&(struct port_steer){
				.everything = s.everything,
				.vlans = s.vlans,
				.n_vlans = s.n_vlans,
				.addresses = s.addresses,
				.n_addresses = s.n_addresses,
				.icmp = true,
				.neighbours = true,
			},
			error, n);
	}
	free(s.vlans);
	free(s.addresses);
	return r;
}

void
steer_ports(const struct config *c)
{
	const struct cfg_appliance *a = &c->appliance;
	char error[256] = "no memory";

	for (uint32_t port = 0; port < a->n_ports; port++)
		if (a->ports[port].driver == DRIVER_AF_XDP && port_apply(a, port, error, sizeof error) != 0)
			log_error("steer", "%s keeps what it took before: %s", a->ports[port].name, error);
}
