/* Tricky: the next hop in a large table is one word of 31 bits and the lookup does not tell the length of the prefix
 * that matched, which the combination with the overlay needs. So the word is length << 23 | hop, and 0, which no route
 * has (hop 0 is refused), is "no match".
 *
 * rte_fib6 names are process-wide: a counter makes them unique. Tables are built whole and never edited.
 */
#include "dataplane/gateway_table.h"

#include <rte_errno.h>
#include <rte_lcore.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIB_NAME_SIZE 64 /* of rte_fib6, which does not publish it */
#define WORD_HOP_BITS 23
#define WORD_HOP_MASK (ROUTE_HOPS_MAX - 1)

static _Atomic uint32_t names_given;

static uint64_t
word_strength(uint64_t word)
{
	uint64_t strength = gateway_strength((uint32_t)(word >> WORD_HOP_BITS), word & WORD_HOP_MASK);

	return word == 0 ? 0 : strength;
}

static uint64_t
word_of(const struct prefix_value *e)
{
	return (uint64_t)e->prefix.len << WORD_HOP_BITS | e->value;
}

/* The trie sets aside one block for each byte that a route goes below its nearest shorter route (below /24 at
 * least), shared or not; this bound leaves the shorter route out. */
static uint32_t
count_blocks_v6(const struct prefix_list *l)
{
	uint32_t blocks = 0;

	for (uint32_t i = 0; i < l->n; i++) {
		const struct ip_prefix *p = &l->entry[i].prefix;

		if (p->addr.family == IP_V6 && p->len > 24)
			blocks += (p->len - 24u + 7) / 8;
	}
	return blocks + 1;
}

/* The content with each hop turned into the word of it. */
static int
build_dir4(struct gateway_table *t)
{
	struct prefix_list words = {malloc((t->content.n + 1) * sizeof(*words.entry)), t->content.n};
	int error;

	if (words.entry == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < words.n; i++)
		words.entry[i] = (struct prefix_value){t->content.entry[i].prefix, word_of(&t->content.entry[i])};
	error = dir24_build(&t->dir4, &words);
	free(words.entry);
	return error;
}

static int
build_fib6(struct gateway_table *t, uint32_t n)
{
	struct rte_fib6_conf conf = {.type = RTE_FIB6_TRIE, .default_nh = 0, .max_routes = (int)n + 1};
	char name[FIB_NAME_SIZE];
	int error;

	conf.trie.nh_sz = RTE_FIB6_TRIE_4B;
	conf.trie.num_tbl8 = count_blocks_v6(&t->content);
	snprintf(name, sizeof(name), "gateway6-%u", atomic_fetch_add(&names_given, 1));
	t->fib6 = rte_fib6_create(name, SOCKET_ID_ANY, &conf);
	if (t->fib6 == NULL)
		return -rte_errno;

	for (uint32_t i = 0; i < t->content.n; i++) {
		const struct prefix_value *e = &t->content.entry[i];

		if (e->prefix.addr.family != IP_V6)
			continue;
		error = rte_fib6_add(t->fib6, e->prefix.addr.b, e->prefix.len, word_of(e));
		if (error != 0)
			return error;
	}
	return 0;
}

/* The content with each hop turned into its strength, as intervals store it. */
static struct prefix_value *
strengths_of(const struct prefix_list *l)
{
	struct prefix_value *e = malloc((l->n ? l->n : 1) * sizeof(*e));

	for (uint32_t i = 0; e != NULL && i < l->n; i++) {
		e[i].prefix = l->entry[i].prefix;
		e[i].value = gateway_strength(e[i].prefix.len, (uint32_t)l->entry[i].value);
	}
	return e;
}

static int
build_families(struct gateway_table *t)
{
	struct prefix_value *strength = strengths_of(&t->content);
	uint32_t n4 = 0, n6;
	int error = strength == NULL ? -ENOMEM : 0;

	for (uint32_t i = 0; i < t->content.n; i++)
		n4 += t->content.entry[i].prefix.addr.family == IP_V4;
	n6 = t->content.n - n4;

	if (error == 0)
		error = n4 < GATEWAY_LARGE_MIN ? intervals4_build(&t->intervals4, strength, t->content.n, 0)
					       : build_dir4(t);
	if (error == 0)
		error = n6 < GATEWAY_LARGE_MIN ? intervals6_build(&t->intervals6, strength, t->content.n, 0)
					       : build_fib6(t, n6);
	free(strength);
	return error;
}

uint64_t
gateway_table_spec_hash(const struct gateway_table_spec *spec)
{
	uint64_t hash = spec->n;

	for (uint32_t i = 0; i < spec->n; i++)
		hash = prefix_hash(hash, &spec->route[i].prefix, spec->route[i].hop);
	return hash;
}

static int
take_content(struct gateway_table *t, const struct gateway_table_spec *spec, char *error, size_t error_size)
{
	if (prefix_list_init(&t->content, spec->n) != 0) {
		snprintf(error, error_size, "no memory for %u gateway routes", spec->n);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < spec->n; i++) {
		if (spec->route[i].hop == HOP_NONE || spec->route[i].hop >= ROUTE_HOPS_MAX) {
			snprintf(error, error_size, "gateway route with hop id %u", spec->route[i].hop);
			return -EINVAL;
		}
		t->content.entry[i] = (struct prefix_value){spec->route[i].prefix, spec->route[i].hop};
	}
	return prefix_list_sort(&t->content, error, error_size);
}

struct gateway_table *
gateway_table_build(const struct gateway_table_spec *spec, char *error, size_t error_size)
{
	struct gateway_table *t = calloc(1, sizeof(*t));
	int code;

	if (t == NULL) {
		snprintf(error, error_size, "no memory for a gateway table");
		return NULL;
	}
	t->references = 1;
	t->hash = gateway_table_spec_hash(spec);
	if (take_content(t, spec, error, error_size) != 0)
		goto fail;
	code = build_families(t);
	if (code != 0) {
		snprintf(error, error_size, "gateway table of %u routes: %s (raise appliance.memory)", spec->n,
			strerror(-code));
		goto fail;
	}
	return t;
fail:
	gateway_table_free(t);
	return NULL;
}

struct gateway_table *
gateway_table_ref(struct gateway_table *t)
{
	__atomic_add_fetch(&t->references, 1, __ATOMIC_RELAXED);
	return t;
}

void
gateway_table_free(struct gateway_table *t)
{
	if (t == NULL || __atomic_sub_fetch(&t->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	dir24_clear(&t->dir4);
	rte_fib6_free(t->fib6);
	intervals4_clear(&t->intervals4);
	intervals6_clear(&t->intervals6);
	prefix_list_clear(&t->content);
	free(t);
}

uint64_t
gateway_table_hash(const struct gateway_table *t)
{
	return t->hash;
}

bool
gateway_table_same(const struct gateway_table *t, const struct gateway_table_spec *spec)
{
	struct gateway_table other = {0};
	char error[128];
	bool same;

	if (t->content.n != spec->n)
		return false;
	same = take_content(&other, spec, error, sizeof(error)) == 0 && prefix_list_equal(&other.content, &t->content);
	prefix_list_clear(&other.content);
	return same;
}

void
gateway_table_lookup_v4(const struct gateway_table *t, uint32_t *address, uint64_t *strength, uint16_t n)
{
	if (t->dir4.word == NULL) {
		for (uint16_t i = 0; i < n; i++)
			strength[i] = intervals4_find(&t->intervals4, address[i]);
		return;
	}
	for (uint16_t i = 0; i < n; i++)
		strength[i] = word_strength(dir24_find(&t->dir4, address[i]));
}

void
gateway_table_lookup_v6(const struct gateway_table *t, uint8_t (*address)[16], uint64_t *strength, uint16_t n)
{
	if (t->fib6 == NULL) {
		for (uint16_t i = 0; i < n; i++)
			strength[i] = intervals6_find(&t->intervals6, intervals6_key(address[i]));
		return;
	}
	rte_fib6_lookup_bulk(t->fib6, address, strength, n);
	for (uint16_t i = 0; i < n; i++)
		strength[i] = word_strength(strength[i]);
}
