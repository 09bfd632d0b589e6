/* The hops of a view, its tunnels, and the selectors of these and their SAs. Builder thread; all but hops: control. */
#include "dataplane/view_build.h"

#include <errno.h>
#include <string.h>

/* IFACE_SUBNET: our own packets are routed. */
static enum hop_kind
own_way(uint8_t iface)
{
	switch (iface) {
	case IFACE_UPLINK:
		return HOP_UPLINK;
	case IFACE_CIRCUIT:
		return HOP_CIRCUIT;
	case IFACE_GATEWAY:
		return HOP_CLIENT;
	default:
		return HOP_DROP;
	}
}

/* Behind the described hops: one for our own packets on every uplink and circuit, to a gateway's clients, and into
 * every tunnel. */
static uint32_t
local_hops(struct build *b, struct hop *hop, uint32_t n)
{
	struct iface *iface = (struct iface *)(uintptr_t)b->view->iface;

	for (uint32_t i = 0; i < b->spec->n_ifaces; i++) {
		enum hop_kind kind = own_way(iface[i].kind);

		if (kind == HOP_DROP)
			continue;
		hop[n] = (struct hop){.kind = kind, .iface = (uint16_t)i, .name = iface[i].name};
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

_Static_assert(sizeof(((struct standby *)0)->tunnel) == sizeof(uint16_t) + sizeof(((struct hop_spec *)0)->standby),
	"room for a hop's tunnel and those behind it");

static bool
has_standby(const struct hop_spec *h)
{
	return (h->kind == HOP_TUNNEL || h->kind == HOP_CIRCUIT) && h->n_standby > 0;
}

/* Which of the hops have more than one tunnel or circuit. */
static int
standby_list(struct build *b)
{
	const struct view_spec *spec = b->spec;
	struct standby *s;
	uint32_t n = 0;

	for (uint32_t i = 0; i < spec->n_hops; i++)
		n += has_standby(&spec->hop[i]);
	s = build_array(b, n, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	b->view->standby = s;
	for (uint32_t i = 0; i < spec->n_hops; i++) {
		const struct hop_spec *h = &spec->hop[i];

		if (!has_standby(h))
			continue;
		*s = (struct standby){.hop = i, .n = (uint16_t)(1 + h->n_standby)};
		s->circuit = h->kind == HOP_CIRCUIT;
		s->all = h->spread || s->circuit;
		s->tunnel[0] = s->circuit ? h->iface : h->tunnel;
		memcpy(&s->tunnel[1], h->standby, h->n_standby * sizeof(h->standby[0]));
		s++;
	}
	b->view->n_standby = n;
	return 0;
}

int
build_hops(struct build *b)
{
	uint32_t n = rte_align32pow2(b->spec->n_hops + b->spec->n_ifaces + b->spec->n_tunnels + 1);
	struct hop *hop = build_array(b, n, sizeof(*hop));

	if (hop == NULL)
		return -ENOMEM;
	b->view->hop = b->view->hop_store = hop;
	b->view->hop_mask = n - 1;
	for (uint32_t i = 0; i < n; i++)
		hop[i] = i < b->spec->n_hops ? hop_make(b->view, &b->spec->hop[i])
					     : (struct hop){.kind = HOP_DROP, .reason = DROP_INVALID_OBJECT};
	b->view->n_hops = local_hops(b, hop, b->spec->n_hops);
	return standby_list(b);
}

/* ---- selectors ------------------------------------------------------------------------ */

int
build_selectors(struct build *b)
{
	size_t n = 0;

	for (uint32_t i = 0; i < b->sas.n_tunnels; i++)
		n += b->sas.tunnel[i].n_selectors;
	for (uint32_t i = 0; i < b->sas.n_sas; i++)
		n += b->sas.sa[i].n_selectors;
	b->view->selector_store = b->selector = build_array(b, n, sizeof(*b->selector));
	return b->selector ? 0 : -ENOMEM;
}

static bool
any_to_any(const struct selector_spec *s, uint8_t family)
{
	return s->local.addr.family == family && s->remote.addr.family == family && s->local.len == 0 &&
	       s->remote.len == 0 && s->protocol == 0 && s->local_ports.last == 0 && s->remote_ports.last == 0;
}

/* Both families whole: as if there were none. */
static bool
everything(const struct selector_spec *s, uint32_t n)
{
	bool v4 = false, v6 = false;

	for (uint32_t i = 0; i < n; i++) {
		v4 |= any_to_any(&s[i], IP_V4);
		v6 |= any_to_any(&s[i], IP_V6);
	}
	return v4 && v6;
}

const struct selector_spec *
build_keep_selectors(struct build *b, const struct selector_spec *s, uint32_t n, uint16_t *count)
{
	struct selector_spec *kept = b->selector;

	*count = 0;
	if (n == 0 || everything(s, n))
		return NULL;
	memcpy(kept, s, n * sizeof(*s));
	b->selector += n;
	*count = (uint16_t)RTE_MIN(n, (uint32_t)UINT16_MAX);
	return kept;
}

/* ---- tunnels -------------------------------------------------------------------------- */

struct endpoint
build_endpoint(const struct build *b, const struct sa_spec *s)
{
	const struct tunnel_spec *t = &b->sas.tunnel[s->tunnel];

	return (struct endpoint){
		.uplink = s->uplink ? s->uplink : t->uplink,
		.local = s->local.family ? s->local : t->local,
		.remote = s->remote.family ? s->remote : t->remote,
	};
}

static void
tunnel_fill(struct build *b, struct tunnel *t, uint16_t id)
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
		.name = s->name,
		.meter_cost = b->view->iface[s->gateway].meter_cost,
		.local_hop = id < b->view->n_static ? b->view->n_hops - b->view->n_static + id
						    : b->view->iface[s->gateway].local_hop,
		.remote = s->remote,
	};
	t->policy = build_keep_selectors(b, s->selector, s->n_selectors, &t->n_policies);
}

int
build_tunnels(struct build *b)
{
	uint32_t n = rte_align32pow2(b->sas.n_tunnels ? b->sas.n_tunnels : 1);
	struct tunnel *tunnel = build_array(b, n, sizeof(*tunnel));

	b->view->tunnel = tunnel;
	if (tunnel == NULL)
		return -ENOMEM;
	b->view->tunnel_mask = n - 1;
	b->view->n_tunnels = b->sas.n_tunnels;
	for (uint32_t i = 0; i < b->sas.n_tunnels; i++)
		tunnel_fill(b, &tunnel[i], (uint16_t)i);
	return 0;
}
