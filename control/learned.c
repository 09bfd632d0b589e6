#include "control/learned.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_FIRST 1024 /* a power of two; doubled when there are as many routes */

struct entry {
	struct entry *next;
	struct ip_prefix prefix;
	uint32_t metric;
	uint32_t told; /* number of the dump that has it, or during which a change told of it */
	bool gone;     /* kept while the dump is under way: it may still have it */
	uint8_t protocol, n;
	struct route_via via[];
};

struct learned {
	struct entry **bucket;
	uint32_t buckets, n, n_gone, limit;
	uint32_t dump; /* number of the last one */
	bool dumping, complete;
	uint64_t change, refused;
};

struct learned *
learned_create(uint32_t limit)
{
	struct learned *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->limit = limit;
	l->buckets = BUCKETS_FIRST;
	l->bucket = calloc(l->buckets, sizeof(struct entry *));
	if (!l->bucket) {
		free(l);
		return NULL;
	}
	return l;
}

static void
entries_free(struct learned *l)
{
	for (uint32_t i = 0; i < l->buckets; i++) {
		while (l->bucket[i]) {
			struct entry *e = l->bucket[i];

			l->bucket[i] = e->next;
			free(e);
		}
	}
	l->n = l->n_gone = 0;
}

void
learned_free(struct learned *l)
{
	if (!l)
		return;
	entries_free(l);
	free(l->bucket);
	free(l);
}

void
learned_clear(struct learned *l)
{
	entries_free(l);
	l->dumping = l->complete = false;
	l->change++;
}

/* ---- the table ---------------------------------------------------------------------- */

static uint32_t
hash_of(const struct ip_prefix *p)
{
	uint64_t half[2], h;

	memcpy(half, p->addr.b, sizeof(half));
	h = (half[0] ^ p->len) * 0x9e3779b97f4a7c15;
	h = (h ^ h >> 29 ^ half[1]) * 0xbf58476d1ce4e5b9;
	return (uint32_t)(h >> 32);
}

static struct entry **
find(const struct learned *l, const struct ip_prefix *p, uint32_t metric)
{
	struct entry **at = &l->bucket[hash_of(p) & (l->buckets - 1)];

	while (*at && !((*at)->metric == metric && prefix_equal(&(*at)->prefix, p)))
		at = &(*at)->next;
	return at;
}

/* Without memory the chains grow longer. */
static void
room_make(struct learned *l)
{
	uint32_t buckets = 2 * l->buckets;
	struct entry **grown;

	if (l->n < l->buckets)
		return;
	grown = calloc(buckets, sizeof(struct entry *));
	if (!grown)
		return;
	for (uint32_t i = 0; i < l->buckets; i++) {
		while (l->bucket[i]) {
			struct entry *e = l->bucket[i], **head = &grown[hash_of(&e->prefix) & (buckets - 1)];

			l->bucket[i] = e->next;
			e->next = *head;
			*head = e;
		}
	}
	free(l->bucket);
	l->bucket = grown;
	l->buckets = buckets;
}

static void
take_out(struct learned *l, struct entry **at)
{
	struct entry *e = *at;

	*at = e->next;
	l->n--;
	l->n_gone -= e->gone;
	free(e);
}

static bool
vias_equal(const struct entry *e, const struct route_via *via, uint8_t n)
{
	if (e->n != n)
		return false;
	for (uint8_t i = 0; i < n; i++)
		if (!address_equal(&e->via[i].address, &via[i].address) || e->via[i].link != via[i].link ||
			e->via[i].weight != via[i].weight)
			return false;
	return true;
}

static bool
same(const struct entry *e, const struct route_info *r)
{
	return !e->gone && e->protocol == r->protocol && vias_equal(e, r->via, r->n);
}

static struct entry *
entry_make(const struct learned *l, const struct route_info *r)
{
	struct entry *e = calloc(1, sizeof(*e) + r->n * sizeof(e->via[0]));

	if (!e)
		return NULL;
	e->prefix = r->prefix;
	e->metric = r->metric;
	e->told = l->dump;
	e->protocol = r->protocol;
	e->n = r->n;
	memcpy(e->via, r->via, r->n * sizeof(e->via[0]));
	return e;
}

static void
put(struct learned *l, const struct route_info *r)
{
	struct entry **at = find(l, &r->prefix, r->metric), *e;

	if (*at && same(*at, r)) {
		(*at)->told = l->dump;
		return;
	}
	e = *at || l->n - l->n_gone < l->limit ? entry_make(l, r) : NULL;
	if (!e) { /* what was there stays */
		l->refused++;
		return;
	}
	if (*at)
		take_out(l, at);
	e->next = *at;
	*at = e;
	l->n++;
	l->change++;
	room_make(l);
}

/* ---- changes -------------------------------------------------------------------------- */

/* IPv6 tells of a next hop that went alone. True: others are left, in r. */
static bool
via_remove(const struct entry *e, struct route_info *r)
{
	struct route_via gone = r->via[0];
	uint8_t n = 0;

	if (r->n != 1 || e->n < 2)
		return false;
	for (uint8_t i = 0; i < e->n; i++)
		if (!address_equal(&e->via[i].address, &gone.address) || e->via[i].link != gone.link)
			r->via[n++] = e->via[i];
	r->n = n;
	return n > 0;
}

static void
forget(struct learned *l, struct entry **at)
{
	if ((*at)->gone)
		return;
	l->change++;
	if (!l->dumping) {
		take_out(l, at);
		return;
	}
	(*at)->gone = true;
	(*at)->told = l->dump;
	l->n_gone++;
}

/* The dump may have the route all the same: it is remembered that it is gone. */
static void
bury(struct learned *l, const struct route_info *r)
{
	struct entry *e = entry_make(l, r), **at = find(l, &r->prefix, r->metric);

	if (!e)
		return;
	e->gone = true;
	e->next = *at;
	*at = e;
	l->n++;
	l->n_gone++;
}

/* Not what an address brings along, nor our own way to all that is behind the link. */
static bool
leads_to_somebody(const struct route_info *r)
{
	for (uint8_t i = 0; i < r->n; i++)
		if (r->via[i].address.family != IP_NONE)
			return true;
	return false;
}

static void
changed(void *learned, const struct route_info *info, bool gone)
{
	struct learned *l = learned;
	struct entry **at = find(l, &info->prefix, info->metric);
	bool v6 = info->prefix.addr.family == IP_V6, here = *at && !(*at)->gone;
	struct route_info r = *info;

	if (!leads_to_somebody(info)) {
		if (here && !gone) /* it replaces one that did */
			forget(l, at);
		return;
	}
	if (!gone) {
		/* one more IPv4 route to the same prefix and metric: the first is used; IPv6 tells of all together */
		if (!here || !info->append || v6)
			put(l, &r);
	} else if (here && v6 && via_remove(*at, &r)) {
		r.protocol = (*at)->protocol;
		put(l, &r);
	} else if (here && (v6 || vias_equal(*at, info->via, info->n))) {
		forget(l, at);
	} else if (!*at && l->dumping) {
		bury(l, info);
	}
}

/* ---- dumps ---------------------------------------------------------------------------- */

static void
dump_begins(void *learned)
{
	struct learned *l = learned;

	l->dump++;
	l->dumping = true;
}

static void
dumped(void *learned, const struct route_info *info)
{
	struct learned *l = learned;
	struct entry **at = find(l, &info->prefix, info->metric);

	if (leads_to_somebody(info) && (!*at || (*at)->told != l->dump))
		put(l, info);
}

static void
dump_ends(void *learned)
{
	struct learned *l = learned;

	l->dumping = false;
	for (uint32_t i = 0; i < l->buckets; i++) {
		for (struct entry **at = &l->bucket[i]; *at;) {
			if ((*at)->told == l->dump && !(*at)->gone) {
				at = &(*at)->next;
				continue;
			}
			l->change += !(*at)->gone;
			take_out(l, at);
		}
	}
	if (!l->complete)
		l->change++;
	l->complete = true;
}

struct route_monitor_events
learned_events(struct learned *l)
{
	return (struct route_monitor_events){l, changed, dump_begins, dumped, dump_ends};
}

/* ---- telling -------------------------------------------------------------------------- */

uint64_t
learned_change(const struct learned *l)
{
	return l->change;
}

bool
learned_complete(const struct learned *l)
{
	return l->complete;
}

uint32_t
learned_count(const struct learned *l)
{
	return l->n - l->n_gone;
}

uint64_t
learned_refused(const struct learned *l)
{
	return l->refused;
}

/* None of its prefix has a lower metric. */
static bool
counts(const struct entry *head, const struct entry *e)
{
	for (const struct entry *o = head; o; o = o->next)
		if (!o->gone && o->metric < e->metric && prefix_equal(&o->prefix, &e->prefix))
			return false;
	return !e->gone;
}

static int
route_order(const void *a, const void *b)
{
	const struct learned_route *x = a, *y = b;

	return prefix_compare(&x->prefix, &y->prefix);
}

int
learned_list(const struct learned *l, struct learned_routes *out)
{
	uint32_t vias = 0, v = 0;

	for (uint32_t i = 0; i < l->buckets; i++)
		for (const struct entry *e = l->bucket[i]; e; e = e->next)
			vias += e->n;
	*out = (struct learned_routes){
		.route = calloc(l->n + 1, sizeof(*out->route)), .via = calloc(vias + 1, sizeof(*out->via))};
	if (!out->route || !out->via) {
		learned_routes_free(out);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < l->buckets; i++) {
		for (const struct entry *e = l->bucket[i]; e; e = e->next) {
			if (!counts(l->bucket[i], e))
				continue;
			memcpy(&out->via[v], e->via, e->n * sizeof(e->via[0]));
			out->route[out->n++] = (struct learned_route){
				.prefix = e->prefix, .protocol = e->protocol, .n = e->n, .via = &out->via[v]};
			v += e->n;
		}
	}
	if (out->n > 0)
		qsort(out->route, out->n, sizeof(*out->route), route_order);
	return 0;
}

void
learned_routes_free(struct learned_routes *r)
{
	free(r->route);
	free(r->via);
	*r = (struct learned_routes){0};
}

void
learned_all_free(struct learned_all *all)
{
	if (!all)
		return;
	for (uint32_t i = 0; i < all->n; i++) {
		free(all->of[i].gateway);
		learned_routes_free(&all->of[i].routes);
	}
	free(all->of);
	free(all);
}
