/* The interfaces of a view, their NICs, and which port and VLAN leads to which. Builder thread, but for iface_nic. */
#include "dataplane/view_build.h"

#include "dataplane/intervals.h"
#include "dataplane/meter.h"
#include "drivers/port.h"

#include <rte_byteorder.h>
#include <rte_cycles.h>
#include <rte_malloc.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Addresses in the order of NICs: both families' as numbers, IPv4 before IPv6. */
static inline int
address_order(uint8_t family, unsigned __int128 address, const struct ip_addr *other)
{
	unsigned __int128 number = intervals6_key(other->b);

	if (family != other->family)
		return family < other->family ? -1 : 1;
	return (address > number) - (address < number);
}

static int
nic_compare(const void *a, const void *b)
{
	const struct ip_addr *l = &((const struct nic *)a)->address;

	return address_order(l->family, intervals6_key(l->b), &((const struct nic *)b)->address);
}

const struct nic *
iface_nic(const struct iface *i, uint8_t family, const uint8_t *address)
{
	unsigned __int128 wanted =
		family == IP_V4 ? (unsigned __int128)intervals4_key(address) << 96 : intervals6_key(address);
	uint32_t low = 0, high = i->n_nics;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		int order = address_order(family, wanted, &i->nic[middle].address);

		if (order == 0)
			return &i->nic[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

bool
iface_on_link(const struct iface *i, const struct ip_addr *a)
{
	for (uint8_t n = 0; n < i->n_prefixes; n++)
		if (prefix_has(&i->prefix[n], a))
			return true;
	return false;
}

static void
quick_prefix(struct iface *i)
{
	i->net4 = 1; /* no address masked to nothing equals it */
	for (uint8_t n = 0; n < i->n_prefixes; n++) {
		if (i->prefix[n].addr.family != IP_V4)
			continue;
		i->mask4 = i->prefix[n].len ? rte_cpu_to_be_32(~0u << (32 - i->prefix[n].len)) : 0;
		i->net4 = rte_cpu_to_be_32(address_v4(&i->prefix[n].addr)) & i->mask4;
		i->edges = i->prefix[n].len < 31;
		return;
	}
}

static void
iface_fill(struct build *b, struct iface *i, uint16_t id)
{
	const struct iface_spec *s = &b->spec->iface[id];
	const struct port_caps *caps = s->port < ports_count() ? port_caps(s->port) : NULL;

	i->kind = s->kind;
	i->id = id;
	i->port = s->port;
	i->vlan = s->vlan;
	i->mtu = s->mtu;
	i->vnet = s->vnet;
	i->name = s->name;
	i->n_prefixes = (uint8_t)s->n_prefixes;
	memcpy(i->address, s->address, sizeof(i->address));
	memcpy(i->prefix, s->prefix, sizeof(i->prefix));
	i->gateway4 = s->gateway4;
	i->gateway6 = s->gateway6;
	i->flow_timeout_s = s->flow_timeout_s;
	i->meter_cost = s->rate_mbps ? meter_cost(s->rate_mbps, rte_get_tsc_hz()) : 0;
	i->routes = b->view->routes[s->routes];
	i->acl_in = b->view->acl[s->acl_in];
	i->acl_out = b->view->acl[s->acl_out];
	i->tags = b->view->n_tags ? b->view->tags[s->tags] : NULL;
	i->filter_in = i->acl_in != NULL;
	i->filter_out = i->acl_out != NULL;
	if (s->kind == IFACE_CIRCUIT)
		memcpy(&i->next4, s->gateway4.b, sizeof(i->next4));
	if (caps && s->kind != IFACE_GATEWAY)
		memcpy(&i->mac, &caps->mac, sizeof(i->mac));
	quick_prefix(i);
}

static void
nic_fill(const struct build *b, struct nic *n, const struct nic_spec *s)
{
	*n = (struct nic){s->address, s->forwarding, s->has_mac, s->mac, b->view->acl[s->acl_in],
		b->view->acl[s->acl_out], s->name};
}

/* NICs lie together by interface, sorted by address: found by bisection when a flow is new. */
static int
nics(struct build *b, struct iface *iface)
{
	struct nic *store = build_array(b, b->spec->n_nics, sizeof(*store)), *next = store;

	b->view->nic_store = store;
	if (store == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < b->spec->n_nics; i++)
		iface[b->spec->nic[i].iface].n_nics++;
	for (uint32_t id = 0; id < b->spec->n_ifaces; id++) {
		iface[id].nic = next;
		next += iface[id].n_nics;
		iface[id].n_nics = 0;
	}
	for (uint32_t i = 0; i < b->spec->n_nics; i++) {
		const struct nic_spec *s = &b->spec->nic[i];
		struct iface *f = &iface[s->iface];

		nic_fill(b, store + (f->nic - store) + f->n_nics++, s);
		f->filter_in |= s->acl_in != ACL_NONE;
		f->filter_out |= s->acl_out != ACL_NONE;
	}
	for (uint32_t id = 0; id < b->spec->n_ifaces; id++)
		qsort(store + (iface[id].nic - store), iface[id].n_nics, sizeof(*store), nic_compare);
	return 0;
}

int
build_attachments(struct build *b)
{
	uint16_t n_ports = ports_count();
	uint16_t(*table)[4096];

	for (uint32_t i = 0; i < b->spec->n_ifaces; i++)
		if (b->spec->iface[i].kind != IFACE_INVALID && b->spec->iface[i].kind != IFACE_GATEWAY)
			n_ports = RTE_MAX(n_ports, b->spec->iface[i].port + 1);
	table = build_array(b, n_ports, sizeof(*table));
	if (table == NULL)
		return -ENOMEM;
	b->view->attach = (const uint16_t(*)[4096])table;
	b->view->n_ports = n_ports;
	for (uint32_t i = 1; i < b->spec->n_ifaces; i++) {
		const struct iface_spec *s = &b->spec->iface[i];

		if (s->kind == IFACE_INVALID || s->kind == IFACE_GATEWAY)
			continue;
		if (table[s->port][s->vlan] != IFACE_NONE)
			return build_fail(b, "port %u VLAN %u is attached twice", s->port, s->vlan);
		table[s->port][s->vlan] = (uint16_t)i;
	}
	return 0;
}

int
build_ifaces(struct build *b)
{
	uint32_t n = rte_align32pow2(b->spec->n_ifaces ? b->spec->n_ifaces : 1);
	struct iface *iface = build_array(b, n, sizeof(*iface));

	if (iface == NULL)
		return -ENOMEM;
	b->view->iface = iface;
	b->view->iface_mask = n - 1;
	b->view->n_ifaces = b->spec->n_ifaces;
	for (uint32_t i = 0; i < b->spec->n_ifaces; i++)
		iface_fill(b, &iface[i], (uint16_t)i);
	for (uint32_t i = b->spec->n_ifaces; i < n; i++)
		iface[i].routes = b->view->routes[b->spec->iface[0].routes];
	return nics(b, iface);
}
