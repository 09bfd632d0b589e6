/* A subnet's routes: its overlay as intervals of strengths, and a reference to its gateway's table.
 *
 * Both tables answer a strength with the hop below it (gateway_table.h); the greater wins. The gateway's
 * table is asked only where the overlay's answer can lose, so traffic inside VNets and peerings never
 * touches the large table.
 */
#include "dataplane/gateway_table.h"

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct routes {
	/* workers read */
	struct intervals4 overlay4;
	struct intervals6 overlay6;
	struct gateway_table *gateway; /* a reference, or NULL */
	/* builder and control only */
	struct prefix_list content; /* value = strength and hop */
	uint64_t hash;              /* of the spec */
	uint32_t references;
};

uint64_t
routes_spec_hash(const struct routes_spec *spec)
{
	uint64_t hash = spec->n_overlay;

	for (uint32_t i = 0; i < spec->n_overlay; i++) {
		const struct route_spec *s = &spec->overlay[i];

		hash = prefix_hash(hash, &s->prefix, route_strength(s->prefix.len, s->rank, s->hop));
	}
	return hash;
}

static int
take_content(struct routes *r, const struct routes_spec *spec, char *error, size_t error_size)
{
	if (prefix_list_init(&r->content, spec->n_overlay) != 0) {
		snprintf(error, error_size, "no memory for %u routes", spec->n_overlay);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < spec->n_overlay; i++) {
		const struct route_spec *s = &spec->overlay[i];

		if (s->hop >= ROUTE_HOPS_MAX || s->rank > ROUTE_STRONG) {
			snprintf(error, error_size, "route with hop id %u, rank %u", s->hop, s->rank);
			return -EINVAL;
		}
		r->content.entry[i] = (struct prefix_value){s->prefix, route_strength(s->prefix.len, s->rank, s->hop)};
	}
	return prefix_list_sort(&r->content, error, error_size);
}

struct routes *
routes_build(const struct routes_spec *spec, struct gateway_table *gateway, char *error, size_t error_size)
{
	struct routes *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		snprintf(error, error_size, "no memory for a route table");
		return NULL;
	}
	r->references = 1;
	r->hash = routes_spec_hash(spec);
	r->gateway = gateway == NULL ? NULL : gateway_table_ref(gateway);
	if (take_content(r, spec, error, error_size) != 0)
		goto fail;
	if (intervals4_build(&r->overlay4, r->content.entry, r->content.n, 0) != 0 ||
		intervals6_build(&r->overlay6, r->content.entry, r->content.n, 0) != 0) {
		snprintf(error, error_size, "no memory for a route table of %u routes", spec->n_overlay);
		goto fail;
	}
	return r;
fail:
	routes_free(r);
	return NULL;
}

struct routes *
routes_ref(struct routes *r)
{
	__atomic_add_fetch(&r->references, 1, __ATOMIC_RELAXED);
	return r;
}

void
routes_free(struct routes *r)
{
	if (r == NULL || __atomic_sub_fetch(&r->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	gateway_table_free(r->gateway);
	intervals4_clear(&r->overlay4);
	intervals6_clear(&r->overlay6);
	prefix_list_clear(&r->content);
	free(r);
}

uint64_t
routes_hash(const struct routes *r)
{
	return r->hash;
}

bool
routes_same(const struct routes *r, const struct routes_spec *spec, const struct gateway_table *gateway)
{
	struct routes other = {0};
	char error[128];
	bool same;

	if (r->gateway != gateway || r->content.n != spec->n_overlay)
		return false;
	same = take_content(&other, spec, error, sizeof(error)) == 0 && prefix_list_equal(&other.content, &r->content);
	prefix_list_clear(&other.content);
	return same;
}

static inline bool
is_strong(uint64_t strength)
{
	return strength >= (uint64_t)STRENGTH_STRONG << STRENGTH_SHIFT;
}

uint32_t
routes_lookup_v4(const struct routes *r, rte_be32_t destination)
{
	uint32_t address = rte_be_to_cpu_32(destination);
	uint64_t own = intervals4_find(&r->overlay4, address), gateway = 0;

	if (r->gateway != NULL && !is_strong(own))
		gateway_table_lookup_v4(r->gateway, &address, &gateway, 1);
	return (uint32_t)RTE_MAX(own, gateway);
}

uint32_t
routes_lookup_v6(const struct routes *r, const uint8_t destination[16])
{
	uint64_t own = intervals6_find(&r->overlay6, intervals6_key(destination)), gateway = 0;
	uint8_t address[1][16];

	if (r->gateway != NULL && !is_strong(own)) {
		memcpy(address[0], destination, sizeof(address[0]));
		gateway_table_lookup_v6(r->gateway, address, &gateway, 1);
	}
	return (uint32_t)RTE_MAX(own, gateway);
}

/* Packets of one family whose gateway table must be asked. */
struct asked {
	uint16_t n;
	struct packet *p[BURST_MAX];
	const struct gateway_table *table[BURST_MAX];
	uint64_t own[BURST_MAX]; /* what the overlay says */
};

static inline void
ask(struct asked *a, struct packet *p, const struct gateway_table *table, uint64_t own)
{
	a->p[a->n] = p;
	a->table[a->n] = table;
	a->own[a->n++] = own;
}

static inline uint64_t
find_near(const struct intervals4 *four, const struct intervals6 *six, const struct packet *p)
{
	return p->flags & PKT_V6 ? intervals6_find(six, intervals6_key(p->v6.dst))
				 : intervals4_find(four, rte_be_to_cpu_32(p->v4.dst));
}

/* How many packets from `first` on are for the same table. */
static inline uint16_t
run_of(const struct asked *a, uint16_t first)
{
	uint16_t n = 1;

	while (first + n < a->n && a->table[first + n] == a->table[first])
		n++;
	return n;
}

/* The stronger of the overlay's and the gateway table's answers. */
static inline void
decide(const struct asked *a, uint16_t first, const uint64_t *found, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		a->p[first + i]->hop = (uint32_t)RTE_MAX(a->own[first + i], found[i]);
}

static void
ask_v4(const struct asked *a)
{
	uint32_t address[BURST_MAX];
	uint64_t found[BURST_MAX];

	for (uint16_t first = 0, n; first < a->n; first += n) {
		n = run_of(a, first);
		for (uint16_t i = 0; i < n; i++)
			address[i] = rte_be_to_cpu_32(a->p[first + i]->v4.dst);
		gateway_table_lookup_v4(a->table[first], address, found, n);
		decide(a, first, found, n);
	}
}

static void
ask_v6(const struct asked *a)
{
	uint8_t address[BURST_MAX][16];
	uint64_t found[BURST_MAX];

	for (uint16_t first = 0, n; first < a->n; first += n) {
		n = run_of(a, first);
		for (uint16_t i = 0; i < n; i++)
			memcpy(address[i], a->p[first + i]->v6.dst, sizeof(address[i]));
		gateway_table_lookup_v6(a->table[first], address, found, n);
		decide(a, first, found, n);
	}
}

/* A small table answers at once; what a large one says is far away, and is asked for together. */
static inline bool
is_near(const struct gateway_table *t, bool v6)
{
	return v6 ? t->fib6 == NULL : t->dir4.word == NULL;
}

void
routes_lookup_burst(const struct iface *iface, struct packet *const *pkt, uint16_t n)
{
	struct asked four, six;

	four.n = six.n = 0;
	for (uint16_t i = 0; i < n; i++) {
		struct packet *p = pkt[i];
		const struct routes *r = iface[p->iface].routes;
		bool v6 = p->flags & PKT_V6;
		uint64_t own;

		if (unlikely(p->hop != HOP_NONE))
			continue;
		own = find_near(&r->overlay4, &r->overlay6, p);
		if (r->gateway != NULL && !is_strong(own)) {
			if (is_near(r->gateway, v6))
				own = RTE_MAX(own, find_near(&r->gateway->intervals4, &r->gateway->intervals6, p));
			else
				ask(v6 ? &six : &four, p, r->gateway, own);
		}
		p->hop = (uint32_t)own;
	}
	ask_v4(&four);
	ask_v6(&six);
}
