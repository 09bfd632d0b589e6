/* Building a view: a description becomes arrays that workers index without a check.
 *
 * Builder thread (view_build, view_free), control (view_free). Compiled parts whose content did not
 * change are taken over from the previous view by reference; everything else is made anew. Arrays
 * are filled up to a power of two with objects that drop.
 */
#include "dataplane/nsg.h"
#include "dataplane/route.h"
#include "dataplane/sa.h"
#include "dataplane/view.h"

#include "drivers/port.h"

#include <rte_byteorder.h>
#include <rte_malloc.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct build {
	const struct view_spec *spec;
	const struct view *previous;
	struct view *view;
	char *error;
	size_t error_size;
};

static int fail(struct build *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int
fail(struct build *b, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(b->error, b->error_size, format, args);
	va_end(args);
	return -EINVAL;
}

static void *
array(struct build *b, size_t n, size_t size)
{
	void *p = rte_zmalloc("view", (n ? n : 1) * size, RTE_CACHE_LINE_SIZE);

	if (p == NULL)
		fail(b, "no memory for %zu objects of %zu bytes in the view", n, size);
	return p;
}

/* ---- shared parts ------------------------------------------------------------------ */

static int
gateway_tables(struct build *b)
{
	struct view *v = b->view;
	const struct view *old = b->previous;

	v->gateway_table = array(b, b->spec->n_gateway_tables, sizeof(*v->gateway_table));
	if (v->gateway_table == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < b->spec->n_gateway_tables; i++, v->n_gateway_tables++) {
		const struct gateway_table_spec *spec = &b->spec->gateway_table[i];

		for (uint32_t k = 0; old && k < old->n_gateway_tables && !v->gateway_table[i]; k++)
			if (gateway_table_same(old->gateway_table[k], spec))
				v->gateway_table[i] = gateway_table_ref(old->gateway_table[k]);
		if (v->gateway_table[i] == NULL)
			v->gateway_table[i] = gateway_table_build(spec, b->error, b->error_size);
		if (v->gateway_table[i] == NULL)
			return -EINVAL;
	}
	return 0;
}

static int
routes(struct build *b)
{
	struct view *v = b->view;
	const struct view *old = b->previous;

	v->routes = array(b, b->spec->n_routes, sizeof(*v->routes));
	if (v->routes == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < b->spec->n_routes; i++, v->n_routes++) {
		const struct routes_spec *spec = &b->spec->routes[i];
		struct gateway_table *gateway = spec->gateway >= 0 ? v->gateway_table[spec->gateway] : NULL;

		for (uint32_t k = 0; old && k < old->n_routes && !v->routes[i]; k++)
			if (routes_same(old->routes[k], spec, gateway))
				v->routes[i] = routes_ref(old->routes[k]);
		if (v->routes[i] == NULL)
			v->routes[i] = routes_build(spec, gateway, b->error, b->error_size);
		if (v->routes[i] == NULL)
			return -EINVAL;
	}
	return 0;
}

static int
acls(struct build *b)
{
	struct view *v = b->view;
	const struct view *old = b->previous;

	v->acl = array(b, b->spec->n_acls, sizeof(*v->acl));
	if (v->acl == NULL)
		return -ENOMEM;
	v->n_acls = b->spec->n_acls;
	for (uint32_t i = 1; i < b->spec->n_acls; i++) {
		const struct acl_spec *spec = &b->spec->acl[i];

		for (uint32_t k = 1; old && k < old->n_acls && !v->acl[i]; k++)
			if (acl_same(old->acl[k], spec))
				v->acl[i] = acl_ref(old->acl[k]);
		if (v->acl[i] == NULL)
			v->acl[i] = acl_build(spec, b->error, b->error_size);
		if (v->acl[i] == NULL)
			return -EINVAL;
	}
	return 0;
}

static int
tags(struct build *b)
{
	struct view *v = b->view;
	const struct view *old = b->previous;

	v->tags = array(b, b->spec->n_tags, sizeof(*v->tags));
	if (v->tags == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < b->spec->n_tags; i++, v->n_tags++) {
		const struct tags_spec *spec = &b->spec->tags[i];

		for (uint32_t k = 0; old && k < old->n_tags && !v->tags[i]; k++)
			if (tags_same(old->tags[k], spec))
				v->tags[i] = tags_ref(old->tags[k]);
		if (v->tags[i] == NULL)
			v->tags[i] = tags_build(spec, b->error, b->error_size);
		if (v->tags[i] == NULL)
			return -EINVAL;
	}
	return 0;
}

/* ---- interfaces --------------------------------------------------------------------- */

static int
nic_compare(const void *a, const void *b)
{
	return memcmp(&((const struct nic *)a)->address, &((const struct nic *)b)->address, sizeof(struct ip_addr));
}

const struct nic *
iface_nic(const struct iface *i, const struct ip_addr *a)
{
	uint32_t low = 0, high = i->n_nics;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		int c = memcmp(a, &i->nic[middle].address, sizeof(*a));

		if (c == 0)
			return &i->nic[middle];
		if (c < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
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
	i->routes = b->view->routes[s->routes];
	i->acl_in = b->view->acl[s->acl_in];
	i->acl_out = b->view->acl[s->acl_out];
	i->tags = b->view->n_tags ? b->view->tags[s->tags] : NULL;
	i->filter_in = i->acl_in != NULL;
	i->filter_out = i->acl_out != NULL;
	if (caps && s->kind != IFACE_GATEWAY)
		memcpy(&i->mac, &caps->mac, sizeof(i->mac));
	quick_prefix(i);
}

/* NICs lie together by interface, sorted by address: found by bisection when a flow is new. */
static int
nics(struct build *b, struct iface *iface)
{
	struct nic *store = array(b, b->spec->n_nics, sizeof(*store));
	uint32_t n = 0;

	b->view->nic_store = store;
	if (store == NULL)
		return -ENOMEM;
	for (uint32_t id = 0; id < b->spec->n_ifaces; id++) {
		uint32_t first = n;

		for (uint32_t k = 0; k < b->spec->n_nics; k++) {
			const struct nic_spec *s = &b->spec->nic[k];

			if (s->iface != id)
				continue;
			store[n++] = (struct nic){s->address, s->forwarding, s->has_mac, s->mac,
				b->view->acl[s->acl_in], b->view->acl[s->acl_out], s->name};
			iface[id].filter_in |= s->acl_in != ACL_NONE;
			iface[id].filter_out |= s->acl_out != ACL_NONE;
		}
		qsort(store + first, n - first, sizeof(*store), nic_compare);
		iface[id].nic = store + first;
		iface[id].n_nics = n - first;
	}
	return 0;
}

static int
attach(struct build *b)
{
	uint16_t n_ports = ports_count();
	uint16_t(*table)[4096];

	for (uint32_t i = 0; i < b->spec->n_ifaces; i++)
		if (b->spec->iface[i].kind != IFACE_INVALID && b->spec->iface[i].kind != IFACE_GATEWAY)
			n_ports = RTE_MAX(n_ports, b->spec->iface[i].port + 1);
	table = array(b, n_ports, sizeof(*table));
	if (table == NULL)
		return -ENOMEM;
	b->view->attach = (const uint16_t(*)[4096])table;
	b->view->n_ports = n_ports;
	for (uint32_t i = 1; i < b->spec->n_ifaces; i++) {
		const struct iface_spec *s = &b->spec->iface[i];

		if (s->kind != IFACE_SUBNET && s->kind != IFACE_UPLINK)
			continue;
		if (table[s->port][s->vlan] != IFACE_NONE)
			return fail(b, "port %u VLAN %u is attached twice", s->port, s->vlan);
		table[s->port][s->vlan] = (uint16_t)i;
	}
	return 0;
}

static int
ifaces(struct build *b)
{
	uint32_t n = rte_align32pow2(b->spec->n_ifaces ? b->spec->n_ifaces : 1);
	struct iface *iface = array(b, n, sizeof(*iface));

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

/* ---- hops, tunnels, SAs --------------------------------------------------------------- */

/* Behind the described hops: one for our own packets on every uplink and into every tunnel. */
static uint32_t
local_hops(struct build *b, struct hop *hop, uint32_t n)
{
	struct iface *iface = (struct iface *)(uintptr_t)b->view->iface;

	for (uint32_t i = 0; i < b->spec->n_ifaces; i++) {
		if (iface[i].kind != IFACE_UPLINK)
			continue;
		hop[n] = (struct hop){.kind = HOP_UPLINK, .iface = (uint16_t)i, .name = iface[i].name};
		iface[i].local_hop = n++;
	}
	for (uint32_t i = 0; i < b->spec->n_tunnels; i++)
		hop[n++] = (struct hop){.kind = HOP_TUNNEL, .tunnel = (uint16_t)i, .name = b->spec->tunnel[i].name};
	return n;
}

static int
hops(struct build *b)
{
	uint32_t n = rte_align32pow2(b->spec->n_hops + b->spec->n_ifaces + b->spec->n_tunnels + 1);
	struct hop *hop = array(b, n, sizeof(*hop));

	if (hop == NULL)
		return -ENOMEM;
	b->view->hop = hop;
	b->view->hop_mask = n - 1;
	for (uint32_t i = 0; i < n; i++) {
		const struct hop_spec *s = &b->spec->hop[i];

		hop[i] = i < b->spec->n_hops ? (struct hop){s->kind, s->reason, s->deny_forwarded, s->iface, s->tunnel,
						       s->name, s->deny_name, s->address}
					     : (struct hop){.kind = HOP_DROP, .reason = DROP_INVALID_OBJECT};
	}
	b->view->n_hops = local_hops(b, hop, b->spec->n_hops);
	return 0;
}

static struct ip_addr
tunnel_next_hop(const struct iface *uplink, const struct ip_addr *remote)
{
	for (uint8_t n = 0; n < uplink->n_prefixes; n++)
		if (prefix_has(&uplink->prefix[n], remote))
			return *remote;
	return remote->family == IP_V6 ? uplink->gateway6 : uplink->gateway4;
}

/* The newest outbound SA of the tunnel: the last one that the configuration lists. */
static struct sa *
outbound_sa(const struct view_spec *spec, uint16_t tunnel)
{
	struct sa *sa = NULL;

	for (uint32_t i = 0; i < spec->n_sas; i++)
		if (spec->sa[i].tunnel == tunnel && spec->sa[i].config.outbound && spec->sa[i].sa)
			sa = spec->sa[i].sa;
	return sa;
}

static void
tunnel_fill(struct build *b, struct tunnel *t, uint16_t id, struct selector_spec *selectors)
{
	const struct tunnel_spec *s = &b->spec->tunnel[id];
	const struct iface *uplink = &b->view->iface[s->uplink];

	*t = (struct tunnel){
		.id = id,
		.gateway = s->gateway,
		.uplink = s->uplink,
		.mtu = s->mtu ? RTE_MIN(s->mtu, uplink->mtu) : uplink->mtu,
		.copy_dscp = s->copy_dscp,
		.copy_df = s->copy_df,
		.n_selectors = (uint16_t)s->n_selectors,
		.name = s->name,
		.local_hop = b->view->n_hops - b->spec->n_tunnels + id,
		.local = s->local,
		.remote = s->remote,
		.selector = selectors,
		.out = outbound_sa(b->spec, id),
		.next_hop = tunnel_next_hop(uplink, &s->remote),
	};
	memcpy(selectors, s->selector, s->n_selectors * sizeof(*selectors));
	if (t->out) {
		t->inner_mtu = sa_inner_mtu(t->out, s->remote.family, t->mtu);
		esp_outer_build(&t->outer, &s->local, &s->remote, t->out);
	}
	t->tcp_mss = s->tcp_mss;
}

static int
tunnels(struct build *b)
{
	uint32_t n = rte_align32pow2(b->spec->n_tunnels ? b->spec->n_tunnels : 1);
	struct tunnel *tunnel = array(b, n, sizeof(*tunnel));
	uint32_t n_selectors = 0;
	struct selector_spec *s;

	b->view->tunnel = tunnel;
	if (tunnel == NULL)
		return -ENOMEM;
	b->view->tunnel_mask = n - 1;
	b->view->n_tunnels = b->spec->n_tunnels;
	for (uint32_t i = 0; i < b->spec->n_tunnels; i++)
		n_selectors += b->spec->tunnel[i].n_selectors;
	s = b->view->selector_store = array(b, n_selectors, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < b->spec->n_tunnels; i++) {
		tunnel_fill(b, &tunnel[i], (uint16_t)i, s);
		s += b->spec->tunnel[i].n_selectors;
	}
	return 0;
}

/* Our own SPIs carry their index in the low bits and hit at once; others probe. */
static int
spi_place(struct sa_slot *slot, uint32_t mask, const struct sa_spec *s)
{
	uint32_t at = s->config.spi & mask;

	for (int probe = 0; probe < SPI_PROBES_MAX; probe++, at = (at + 1) & mask) {
		if (slot[at].spi == s->config.spi)
			return -EEXIST;
		if (slot[at].spi == 0) {
			slot[at] = (struct sa_slot){s->config.spi, s->tunnel, s->sa};
			return 0;
		}
	}
	return -ENOSPC;
}

/* 0 on success, -ENOSPC: a larger table is needed, else the error is told. */
static int
spis_of_size(struct build *b, uint32_t size)
{
	struct sa_slot *slot = array(b, size, sizeof(*slot));
	int rc = slot ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < b->spec->n_sas && rc == 0; i++)
		if (!b->spec->sa[i].config.outbound && b->spec->sa[i].sa)
			rc = spi_place(slot, size - 1, &b->spec->sa[i]);
	if (rc == -EEXIST)
		fail(b, "two inbound SAs have the same SPI");
	if (rc) {
		rte_free(slot);
		return rc;
	}
	b->view->spi = slot;
	b->view->spi_mask = size - 1;
	b->view->n_sas = b->spec->n_sas;
	return 0;
}

static int
spis(struct build *b)
{
	uint32_t size = rte_align32pow2(b->spec->n_sas * 2 + 64);
	int rc = -ENOSPC;

	for (int doubling = 0; doubling < 6 && rc == -ENOSPC; doubling++, size *= 2)
		rc = spis_of_size(b, size);
	if (rc == -ENOSPC)
		fail(b, "the SPIs of the inbound SAs collide too often");
	return rc;
}

static int
encap_ports(struct build *b)
{
	if (esp_ports_build(b->view, b->spec) == 0)
		return 0;
	return fail(b, "more than %d UDP ports for ESP beside %d", ENCAP_PORTS_MAX, ESP_PORT);
}

/* ---- the whole ------------------------------------------------------------------------ */

struct view *
view_build(const struct view_spec *spec, const struct view *previous, char *error, size_t error_size)
{
	static int (*const steps[])(struct build *) = {
		gateway_tables, routes, acls, tags, ifaces, attach, hops, tunnels, spis, encap_ports};
	struct build b = {spec, previous, NULL, error, error_size};

	error[0] = '\0';
	b.view = array(&b, 1, sizeof(*b.view));
	if (b.view == NULL)
		return NULL;
	for (size_t i = 0; i < RTE_DIM(steps); i++) {
		if (steps[i](&b) != 0) {
			view_free(b.view);
			return NULL;
		}
	}
	return b.view;
}

void
view_free(struct view *v)
{
	if (v == NULL)
		return;
	for (uint32_t i = 0; v->routes && i < v->n_routes; i++)
		routes_free(v->routes[i]);
	for (uint32_t i = 0; v->gateway_table && i < v->n_gateway_tables; i++)
		gateway_table_free(v->gateway_table[i]);
	for (uint32_t i = 0; v->acl && i < v->n_acls; i++)
		acl_free(v->acl[i]);
	for (uint32_t i = 0; v->tags && i < v->n_tags; i++)
		tags_free(v->tags[i]);
	rte_free(v->routes);
	rte_free(v->gateway_table);
	rte_free(v->acl);
	rte_free(v->tags);
	rte_free((void *)(uintptr_t)v->iface);
	rte_free((void *)(uintptr_t)v->hop);
	rte_free((void *)(uintptr_t)v->tunnel);
	rte_free((void *)(uintptr_t)v->spi);
	rte_free((void *)(uintptr_t)v->attach);
	rte_free(v->nic_store);
	rte_free(v->selector_store);
	rte_free(v);
}
