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

static uint64_t
spec_hash(const struct routes_spec *spec)
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
	r->hash = spec_hash(spec);
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

bool
routes_same(const struct routes *r, const struct routes_spec *spec, const struct gateway_table *gateway)
{
	struct routes other = {0};
	char error[128];
	bool same;

	if (r->gateway != gateway || r->content.n != spec->n_overlay || r->hash != spec_hash(spec))
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

/* Packets of a burst whose gateway table must be asked, by position. */
struct asked {
	uint16_t packet[BURST_MAX];
	uint16_t n;
};

/* Take the stronger of the overlay's and the gateway table's answers; runs of one table are asked in bulk. */
static void
ask_gateways_v4(const struct routes *const *r, const rte_be32_t *destination, const struct asked *a, uint64_t *best)
{
	uint32_t address[BURST_MAX];
	uint64_t found[BURST_MAX];

	for (uint16_t i = 0, run; i < a->n; i += run) {
		const struct gateway_table *t = r[a->packet[i]]->gateway;

		for (run = 0; i + run < a->n && r[a->packet[i + run]]->gateway == t; run++)
			address[run] = rte_be_to_cpu_32(destination[a->packet[i + run]]);
		gateway_table_lookup_v4(t, address, found, run);
		for (uint16_t k = 0; k < run; k++)
			best[a->packet[i + k]] = RTE_MAX(best[a->packet[i + k]], found[k]);
	}
}

static void
ask_gateways_v6(const struct routes *const *r, const uint8_t (*destination)[16], const struct asked *a, uint64_t *best)
{
	uint8_t address[BURST_MAX][16];
	uint64_t found[BURST_MAX];

	for (uint16_t i = 0, run; i < a->n; i += run) {
		const struct gateway_table *t = r[a->packet[i]]->gateway;

		for (run = 0; i + run < a->n && r[a->packet[i + run]]->gateway == t; run++)
			memcpy(address[run], destination[a->packet[i + run]], sizeof(address[run]));
		gateway_table_lookup_v6(t, address, found, run);
		for (uint16_t k = 0; k < run; k++)
			best[a->packet[i + k]] = RTE_MAX(best[a->packet[i + k]], found[k]);
	}
}

void
routes_lookup_burst_v4(const struct routes *const *r, const rte_be32_t *destination, uint32_t *hop, uint16_t n)
{
	uint64_t best[BURST_MAX];
	struct asked asked;

	asked.n = 0;
	for (uint16_t i = 0; i < n; i++) {
		best[i] = intervals4_find(&r[i]->overlay4, rte_be_to_cpu_32(destination[i]));
		asked.packet[asked.n] = i;
		asked.n += r[i]->gateway != NULL && !is_strong(best[i]);
	}
	if (asked.n > 0)
		ask_gateways_v4(r, destination, &asked, best);
	for (uint16_t i = 0; i < n; i++)
		hop[i] = (uint32_t)best[i];
}

void
routes_lookup_burst_v6(const struct routes *const *r, const uint8_t (*destination)[16], uint32_t *hop, uint16_t n)
{
	uint64_t best[BURST_MAX];
	struct asked asked;

	asked.n = 0;
	for (uint16_t i = 0; i < n; i++) {
		best[i] = intervals6_find(&r[i]->overlay6, intervals6_key(destination[i]));
		asked.packet[asked.n] = i;
		asked.n += r[i]->gateway != NULL && !is_strong(best[i]);
	}
	if (asked.n > 0)
		ask_gateways_v6(r, destination, &asked, best);
	for (uint16_t i = 0; i < n; i++)
		hop[i] = (uint32_t)best[i];
}
