/* The hops of a view, its tunnels and their paths, and the table that finds an inbound SA by its SPI. Builder thread.
 */
#include "dataplane/sa.h"
#include "dataplane/view_build.h"

#include <rte_malloc.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Behind the described hops: one for our own packets on every uplink, to a gateway's clients, and into every tunnel. */
static uint32_t
local_hops(struct build *b, struct hop *hop, uint32_t n)
{
	struct iface *iface = (struct iface *)(uintptr_t)b->view->iface;

	for (uint32_t i = 0; i < b->spec->n_ifaces; i++) {
		if (iface[i].kind != IFACE_UPLINK && iface[i].kind != IFACE_GATEWAY)
			continue;
		hop[n] = (struct hop){.kind = iface[i].kind == IFACE_UPLINK ? HOP_UPLINK : HOP_CLIENT,
			.iface = (uint16_t)i,
			.name = iface[i].name};
		iface[i].local_hop = n++;
	}
	for (uint32_t i = 0; i < b->spec->n_tunnels; i++)
		hop[n++] = (struct hop){.kind = HOP_TUNNEL, .tunnel = (uint16_t)i, .name = b->spec->tunnel[i].name};
	return n;
}

static struct hop
hop_make(const struct view *v, const struct hop_spec *s)
{
	const struct iface *out = &v->iface[s->iface & v->iface_mask];
	struct hop h = {
		.kind = s->kind,
		.reason = s->reason,
		.deny_forwarded = s->deny_forwarded,
		.iface = s->iface,
		.tunnel = s->tunnel,
		.name = s->name,
		.deny_name = s->deny_name,
		.address = s->address,
	};

	if (h.kind == HOP_SUBNET || h.kind == HOP_NEIGHBOUR)
		h.filtered = out->filter_in || out->filter_out;
	if (h.kind == HOP_NEIGHBOUR && h.address.family == IP_V4)
		memcpy(&h.next4, h.address.b, sizeof(h.next4));
	return h;
}

int
build_hops(struct build *b)
{
	uint32_t n = rte_align32pow2(b->spec->n_hops + b->spec->n_ifaces + b->spec->n_tunnels + 1);
	struct hop *hop = build_array(b, n, sizeof(*hop));

	if (hop == NULL)
		return -ENOMEM;
	b->view->hop = hop;
	b->view->hop_mask = n - 1;
	for (uint32_t i = 0; i < n; i++)
		hop[i] = i < b->spec->n_hops ? hop_make(b->view, &b->spec->hop[i])
					     : (struct hop){.kind = HOP_DROP, .reason = DROP_INVALID_OBJECT};
	b->view->n_hops = local_hops(b, hop, b->spec->n_hops);
	return 0;
}

static struct ip_addr
tunnel_next_hop(const struct iface *uplink, const struct ip_addr *remote)
{
	if (iface_on_link(uplink, remote))
		return *remote;
	return remote->family == IP_V6 ? uplink->gateway6 : uplink->gateway4;
}

/* ---- paths ---------------------------------------------------------------------------- */

/* An outbound SA and where it belongs. */
struct outbound {
	uint16_t tunnel;
	uint8_t resource;
	uint32_t listed;
	struct sa *sa;
};

static int
outbound_order(const void *a, const void *b)
{
	const struct outbound *x = a, *y = b;

	if (x->tunnel != y->tunnel)
		return x->tunnel < y->tunnel ? -1 : 1;
	if (x->resource != y->resource)
		return x->resource < y->resource ? -1 : 1;
	return x->listed < y->listed ? -1 : 1;
}

/* By tunnel and resource, the newest of each: the last one that the configuration lists. Returns how many. */
static uint32_t
outbound_list(const struct sas_spec *spec, struct outbound *o)
{
	uint32_t n = 0, kept = 0;

	for (uint32_t i = 0; i < spec->n_sas; i++) {
		const struct sa_spec *s = &spec->sa[i];

		if (s->config.outbound && s->sa)
			o[n++] = (struct outbound){s->tunnel, s->config.resource, i, s->sa};
	}
	if (n > 1)
		qsort(o, n, sizeof(*o), outbound_order);
	for (uint32_t i = 0; i < n; i++) {
		if (kept && o[kept - 1].tunnel == o[i].tunnel && o[kept - 1].resource == o[i].resource)
			kept--;
		o[kept++] = o[i];
	}
	return kept;
}

/* Places for n SAs, a power of two: where n is none, the shares differ by a quarter at most. */
static uint32_t
paths_needed(uint32_t n)
{
	return n & (n - 1) ? rte_align32pow2(n) * 4 : n;
}

static void
paths_fill(struct tunnel *t, struct path *path, const struct outbound *o, uint32_t n)
{
	uint32_t places = paths_needed(n);

	if (n == 0)
		return;
	t->inner_mtu = UINT16_MAX;
	for (uint32_t i = 0; i < places; i++) {
		path[i].sa = o[i % n].sa;
		esp_outer_build(&path[i].outer, &t->local, &t->remote, path[i].sa);
		t->inner_mtu = RTE_MIN(t->inner_mtu, sa_inner_mtu(path[i].sa, t->remote.family, t->mtu));
	}
	t->path = path;
	t->path_mask = places - 1;
}

/* Where the next tunnel's SAs begin. */
static uint32_t
run_end(const struct outbound *o, uint32_t at, uint32_t n)
{
	uint32_t end = at;

	while (end < n && o[end].tunnel == o[at].tunnel)
		end++;
	return end;
}

static int
build_paths(struct build *b, struct tunnel *tunnel)
{
	struct outbound *o = calloc(b->sas.n_sas ? b->sas.n_sas : 1, sizeof(*o));
	uint32_t n = o ? outbound_list(&b->sas, o) : 0, places = 0;
	struct path *path;
	int rc = 0;

	for (uint32_t i = 0; i < n; i = run_end(o, i, n))
		places += paths_needed(run_end(o, i, n) - i);
	path = b->view->path_store = o ? build_array(b, places, sizeof(*path)) : NULL;
	if (path == NULL)
		rc = -ENOMEM;
	for (uint32_t i = 0; i < n && rc == 0; i = run_end(o, i, n)) {
		uint32_t count = run_end(o, i, n) - i;

		if (o[i].tunnel < b->sas.n_tunnels)
			paths_fill(&tunnel[o[i].tunnel], path, &o[i], count);
		path += paths_needed(count);
	}
	free(o);
	return rc;
}

/* ---- tunnels -------------------------------------------------------------------------- */

static void
tunnel_fill(struct build *b, struct tunnel *t, uint16_t id, struct selector_spec *selectors)
{
	const struct tunnel_spec *s = &b->sas.tunnel[id];
	const struct iface *uplink = &b->view->iface[s->uplink];

	*t = (struct tunnel){
		.id = id,
		.gateway = s->gateway,
		.uplink = s->uplink,
		.mtu = s->mtu ? RTE_MIN(s->mtu, uplink->mtu) : uplink->mtu,
		.tcp_mss = s->tcp_mss,
		.copy_dscp = s->copy_dscp,
		.copy_df = s->copy_df,
		.n_selectors = (uint16_t)s->n_selectors,
		.name = s->name,
		.local_hop = id < b->view->n_static ? b->view->n_hops - b->view->n_static + id
						    : b->view->iface[s->gateway].local_hop,
		.local = s->local,
		.remote = s->remote,
		.selector = selectors,
		.next_hop = tunnel_next_hop(uplink, &s->remote),
	};
	if (t->next_hop.family == IP_V4)
		memcpy(&t->next4, t->next_hop.b, sizeof(t->next4));
	if (s->n_selectors)
		memcpy(selectors, s->selector, s->n_selectors * sizeof(*selectors));
}

int
build_tunnels(struct build *b)
{
	uint32_t n = rte_align32pow2(b->sas.n_tunnels ? b->sas.n_tunnels : 1);
	struct tunnel *tunnel = build_array(b, n, sizeof(*tunnel));
	uint32_t n_selectors = 0;
	struct selector_spec *s;

	b->view->tunnel = tunnel;
	if (tunnel == NULL)
		return -ENOMEM;
	b->view->tunnel_mask = n - 1;
	b->view->n_tunnels = b->sas.n_tunnels;
	for (uint32_t i = 0; i < b->sas.n_tunnels; i++)
		n_selectors += b->sas.tunnel[i].n_selectors;
	s = b->view->selector_store = build_array(b, n_selectors, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < b->sas.n_tunnels; i++) {
		tunnel_fill(b, &tunnel[i], (uint16_t)i, s);
		s += b->sas.tunnel[i].n_selectors;
	}
	return build_paths(b, tunnel);
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
	struct sa_slot *slot = build_array(b, size, sizeof(*slot));
	int rc = slot ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < b->sas.n_sas && rc == 0; i++)
		if (!b->sas.sa[i].config.outbound && b->sas.sa[i].sa)
			rc = spi_place(slot, size - 1, &b->sas.sa[i]);
	if (rc == -EEXIST)
		build_fail(b, "two inbound SAs have the same SPI");
	if (rc) {
		rte_free(slot);
		return rc;
	}
	b->view->spi = slot;
	b->view->spi_mask = size - 1;
	b->view->n_sas = b->sas.n_sas;
	return 0;
}

int
build_spis(struct build *b)
{
	uint32_t size = rte_align32pow2(b->sas.n_sas * 2 + 64);
	int rc = -ENOSPC;

	for (int doubling = 0; doubling < 6 && rc == -ENOSPC; doubling++, size *= 2)
		rc = spis_of_size(b, size);
	if (rc == -ENOSPC)
		build_fail(b, "the SPIs of the inbound SAs collide too often");
	return rc;
}

int
build_encap_ports(struct build *b)
{
	if (esp_ports_build(b->view, &b->sas) == 0)
		return 0;
	return build_fail(b, "more than %d UDP ports for ESP beside %d", ENCAP_PORTS_MAX, ESP_PORT);
}
