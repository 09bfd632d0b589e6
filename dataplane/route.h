/* Route lookup: longest prefix over a subnet's own overlay and its gateway's shared table.
 *
 * Build, reference, compare and free: builder thread (and control for the last reference).
 * Lookups: workers (bursts) and verdicts (one), any thread that keeps the view.
 */
#pragma once

#include "dataplane/packet.h"
#include "dataplane/view.h"

/* Hop ids a table can carry: a large table stores one word of 31 bits, prefix length included. */
#define ROUTE_HOPS_MAX (1u << 23)

struct gateway_table;

/* All builders take their spec in any order, refuse a prefix that stands in it twice, and return an object with
 * one reference or NULL and a text. `x_same`: the object was built from equal content, so a new view may take a
 * reference instead of building again; it compares the content itself. `x_hash` is the `x_spec_hash` of what the
 * object was built from: it finds the few that are worth a comparison. */
struct gateway_table *gateway_table_build(const struct gateway_table_spec *spec, char *error, size_t error_size);
struct gateway_table *gateway_table_ref(struct gateway_table *t);
uint64_t gateway_table_spec_hash(const struct gateway_table_spec *spec);
uint64_t gateway_table_hash(const struct gateway_table *t);
bool gateway_table_same(const struct gateway_table *t, const struct gateway_table_spec *spec);
void gateway_table_free(struct gateway_table *t); /* drops a reference; NULL is fine */

/* gateway may be NULL; a reference is taken. */
struct routes *routes_build(
	const struct routes_spec *spec, struct gateway_table *gateway, char *error, size_t error_size);
struct routes *routes_ref(struct routes *r);
uint64_t routes_spec_hash(const struct routes_spec *spec);
uint64_t routes_hash(const struct routes *r);
bool routes_same(const struct routes *r, const struct routes_spec *spec, const struct gateway_table *gateway);
void routes_free(struct routes *r);

/* Hop id of one destination. HOP_NONE: no route. */
uint32_t routes_lookup_v4(const struct routes *r, rte_be32_t destination);
uint32_t routes_lookup_v6(const struct routes *r, const uint8_t destination[16]);

/* Worker. Set the hop of at most BURST_MAX packets that have none, each by the table of its own ingress interface. */
void routes_lookup_burst(const struct iface *iface, struct packet *const *pkt, uint16_t n);

/* gateway may be NULL; a reference is taken. */
struct tags *tags_build(const struct tags_spec *spec, struct gateway_table *gateway, char *error, size_t error_size);
struct tags *tags_ref(struct tags *t);
uint64_t tags_spec_hash(const struct tags_spec *spec);
uint64_t tags_hash(const struct tags *t);
bool tags_same(const struct tags *t, const struct tags_spec *spec, const struct gateway_table *gateway);
void tags_free(struct tags *t);
/* TAG_BIT_*; an address no prefix covers is TAG_BIT_INTERNET. */
uint8_t tags_lookup(const struct tags *t, uint8_t family, const uint8_t address[16]);
