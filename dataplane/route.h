/* Route lookup: longest prefix over a subnet's own overlay and its gateway's shared table.
 *
 * routes_build, tags_build: builder thread. Lookups: workers (bursts) and verdicts (one).
 */
#pragma once

#include "dataplane/packet.h"
#include "dataplane/view.h"

struct gateway_table;

struct gateway_table *gateway_table_build(const struct gateway_table_spec *spec, char *error, size_t error_size);
void gateway_table_free(struct gateway_table *t);

/* gateway may be NULL; a reference is taken. */
struct routes *routes_build(const struct routes_spec *spec, struct gateway_table *gateway, char *error, size_t error_size);
void routes_free(struct routes *r);
uint64_t routes_spec_hash(const struct routes_spec *spec);
uint64_t gateway_table_spec_hash(const struct gateway_table_spec *spec);

/* Hop ids for n packets, each with the table of its own ingress interface. HOP_NONE: no route. */
uint32_t routes_lookup_v4(const struct routes *r, rte_be32_t destination);
uint32_t routes_lookup_v6(const struct routes *r, const uint8_t destination[16]);
void routes_lookup_bulk_v4(const struct routes *r, const rte_be32_t *destination, uint32_t *hop, uint16_t n);

struct tags *tags_build(const struct tags_spec *spec, char *error, size_t error_size);
void tags_free(struct tags *t);
uint64_t tags_spec_hash(const struct tags_spec *spec);
/* TAG_BIT_*; an address no prefix covers is TAG_BIT_INTERNET. */
uint8_t tags_lookup(const struct tags *t, uint8_t family, const uint8_t address[16]);
