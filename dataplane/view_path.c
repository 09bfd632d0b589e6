/* Which SA a packet leaves a tunnel by: traffic classes and their paths. Builder thread and control.
 *
 * Outbound SAs of a tunnel with equal selectors are one class, listed where its first SA is. Within a class, SAs of
 * different resources are used side by side, each by its share of flows, and of each resource the newest one: the last
 * that is listed. A tunnel of one class, as nearly all are, holds it itself.
 */
#include "dataplane/sa.h"
#include "dataplane/view_build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An outbound SA and where it belongs. */
struct outbound {
	uint16_t tunnel, class;
	uint8_t resource;
	uint32_t listed;
	const struct sa_spec *spec;
};

static int
tunnel_order(const void *a, const void *b)
{
	const struct outbound *x = a, *y = b;

	if (x->tunnel != y->tunnel)
		return x->tunnel < y->tunnel ? -1 : 1;
	return (x->listed > y->listed) - (x->listed < y->listed);
}

/* Within a tunnel. */
static int
class_order(const void *a, const void *b)
{
	const struct outbound *x = a, *y = b;

	if (x->class != y->class)
		return x->class < y->class ? -1 : 1;
	if (x->resource != y->resource)
		return x->resource < y->resource ? -1 : 1;
	return (x->listed > y->listed) - (x->listed < y->listed);
}

/* Lists are in order already, as a rule. */
static void
sort_by_tunnel(struct outbound *o, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++) {
		if (o[i].tunnel < o[i - 1].tunnel) {
			qsort(o, n, sizeof(*o), tunnel_order);
			return;
		}
	}
}

/* ---- classes -------------------------------------------------------------------------- */

static bool
range_equal(const struct acl_port_range *a, const struct acl_port_range *b)
{
	return a->first == b->first && a->last == b->last;
}

static bool
selectors_equal(const struct sa_spec *a, const struct sa_spec *b)
{
	if (a->n_selectors != b->n_selectors)
		return false;
	for (uint32_t i = 0; i < a->n_selectors; i++) {
		const struct selector_spec *x = &a->selector[i], *y = &b->selector[i];

		if (!prefix_equal(&x->local, &y->local) || !prefix_equal(&x->remote, &y->remote) ||
			x->protocol != y->protocol || !range_equal(&x->local_ports, &y->local_ports) ||
			!range_equal(&x->remote_ports, &y->remote_ports))
			return false;
	}
	return true;
}

/* SAs of one tunnel, in the order of the list: by class now. Those of a class too many stay without packets. */
static void
classes_find(struct outbound *o, uint32_t n)
{
	const struct sa_spec *first[CLASSES_MAX];
	uint32_t classes = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = 0;

		while (k < classes && !selectors_equal(first[k], o[i].spec))
			k++;
		if (k == classes && classes < CLASSES_MAX)
			first[classes++] = o[i].spec;
		o[i].class = (uint16_t)k;
	}
	if (n > 1)
		qsort(o, n, sizeof(*o), class_order);
}

static uint32_t
tunnel_end(const struct outbound *o, uint32_t at, uint32_t n)
{
	uint32_t end = at;

	while (end < n && o[end].tunnel == o[at].tunnel)
		end++;
	return end;
}

static uint32_t
class_end(const struct outbound *o, uint32_t at, uint32_t n)
{
	uint32_t end = at;

	while (end < n && o[end].tunnel == o[at].tunnel && o[end].class == o[at].class)
		end++;
	return end;
}

/* By tunnel, class and resource, the newest of each. Returns how many. */
static uint32_t
outbound_list(const struct sas_spec *spec, struct outbound *o)
{
	uint32_t n = 0, kept = 0;

	for (uint32_t i = 0; i < spec->n_sas; i++) {
		const struct sa_spec *s = &spec->sa[i];

		if (s->config.outbound && s->sa && s->tunnel < spec->n_tunnels)
			o[n++] = (struct outbound){s->tunnel, 0, s->config.resource, i, s};
	}
	sort_by_tunnel(o, n);
	for (uint32_t i = 0; i < n; i = tunnel_end(o, i, n))
		classes_find(o + i, tunnel_end(o, i, n) - i);
	for (uint32_t i = 0; i < n; i++) {
		if (o[i].class == CLASSES_MAX)
			continue;
		if (kept && o[kept - 1].tunnel == o[i].tunnel && o[kept - 1].class == o[i].class &&
			o[kept - 1].resource == o[i].resource)
			kept--;
		o[kept++] = o[i];
	}
	return kept;
}

/* ---- paths ---------------------------------------------------------------------------- */

/* Places for n SAs, a power of two: where n is none, the shares differ by a quarter at most. */
static uint32_t
paths_needed(uint32_t n)
{
	return n & (n - 1) ? rte_align32pow2(n) * 4 : n;
}

/* Whom to send to: the peer when it is on-link, else the uplink's gateway. */
static void
path_lead(struct esp_outer *o, const struct iface *uplink, const struct ip_addr *remote)
{
	bool on_link = iface_on_link(uplink, remote);

	o->uplink = uplink->id;
	if (remote->family == IP_V6)
		o->on_link = on_link;
	else if (on_link)
		memcpy(&o->next4, remote->b, sizeof(o->next4));
	else if (uplink->gateway4.family == IP_V4)
		memcpy(&o->next4, uplink->gateway4.b, sizeof(o->next4));
}

static int
path_fill(struct build *b, struct path *path, struct tunnel *t, const struct sa_spec *s)
{
	struct endpoint e = build_endpoint(b, s);
	const struct iface *uplink = &b->view->iface[e.uplink];
	uint16_t mtu = RTE_MIN(t->mtu, uplink->mtu);

	if (e.local.family == IP_NONE || e.local.family != e.remote.family)
		return build_fail(b, "an outbound SA of tunnel %u has no two addresses of one family", t->id);
	path->sa = s->sa;
	esp_outer_build(&path->outer, &e.local, &e.remote, s->sa);
	path_lead(&path->outer, uplink, &e.remote);
	t->inner_mtu = RTE_MIN(t->inner_mtu, sa_inner_mtu(s->sa, e.remote.family, mtu));
	return 0;
}

static int
class_fill(struct build *b, struct traffic_class *c, struct path *path, struct tunnel *t, const struct outbound *o,
	uint32_t n)
{
	uint32_t places = paths_needed(n);

	for (uint32_t i = 0; i < n; i++) {
		int rc = path_fill(b, &path[i], t, o[i].spec);

		if (rc != 0)
			return rc;
	}
	for (uint32_t i = n; i < places; i++)
		path[i] = path[i - n];
	*c = (struct traffic_class){
		.path = path, .path_mask = places - 1, .selector = t->policy, .n_selectors = t->n_policies};
	if (o->spec->n_selectors)
		c->selector = build_keep_selectors(b, o->spec->selector, o->spec->n_selectors, &c->n_selectors);
	return 0;
}

/* The classes of one tunnel, whose SAs o has. */
static int
tunnel_classes(struct build *b, struct tunnel *t, struct traffic_class *class, struct path **path,
	const struct outbound *o, uint32_t n)
{
	uint32_t classes = 0;

	t->inner_mtu = UINT16_MAX;
	for (uint32_t i = 0, end; i < n; i = end) {
		int rc;

		end = class_end(o, i, n);
		rc = class_fill(b, &class[classes++], *path, t, &o[i], end - i);
		if (rc != 0)
			return rc;
		*path += paths_needed(end - i);
	}
	t->path = class->path;
	if (classes > 1) {
		t->class = class;
		t->n_classes = classes;
		return 0;
	}
	t->path_mask = class->path_mask;
	t->selector = class->selector;
	t->n_selectors = class->n_selectors;
	return 0;
}

static int
stores(struct build *b, const struct outbound *o, uint32_t n)
{
	uint32_t classes = 0, places = 0;

	for (uint32_t i = 0, end; i < n; i = end, classes++) {
		end = class_end(o, i, n);
		places += paths_needed(end - i);
	}
	b->view->class_store = build_array(b, classes, sizeof(*b->view->class_store));
	b->view->path_store = build_array(b, places, sizeof(*b->view->path_store));
	b->view->n_paths = places;
	return b->view->class_store && b->view->path_store ? 0 : -ENOMEM;
}

int
build_paths(struct build *b)
{
	struct outbound *o = calloc(b->sas.n_sas ? b->sas.n_sas : 1, sizeof(*o));
	uint32_t n = o ? outbound_list(&b->sas, o) : 0;
	int rc = o ? stores(b, o, n) : build_fail(b, "no memory to sort %u SAs", b->sas.n_sas);
	struct traffic_class *class = b->view->class_store;
	struct path *path = b->view->path_store;

	for (uint32_t i = 0, end; i < n && rc == 0; i = end) {
		struct tunnel *t = (struct tunnel *)(uintptr_t)&b->view->tunnel[o[i].tunnel];

		end = tunnel_end(o, i, n);
		rc = tunnel_classes(b, t, class, &path, &o[i], end - i);
		class += t->n_classes ? t->n_classes : 1;
	}
	free(o);
	return rc;
}
