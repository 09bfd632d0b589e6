/* Traffic selectors as IKE has them, ranges of addresses and ports, in the prefixes of a tunnel. */
#include "control/ike_store_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAIRS_MAX 256 /* a worker looks at them one by one */

typedef unsigned __int128 address_number;

struct prefixes {
	struct ip_prefix p[PAIRS_MAX];
	uint8_t protocol[PAIRS_MAX];
	struct acl_port_range ports[PAIRS_MAX];
	uint32_t n;
};

static address_number
number_of(const uint8_t *b, uint32_t size)
{
	address_number n = 0;

	for (uint32_t i = 0; i < size; i++)
		n = n << 8 | b[i];
	return n;
}

static void
bytes_of(address_number n, uint8_t *b, uint32_t size)
{
	for (uint32_t i = size; i-- > 0; n >>= 8)
		b[i] = (uint8_t)n;
}

static struct acl_port_range
ports_of(const struct ike_selector *s)
{
	if (s->port_first == 0 && s->port_last == UINT16_MAX)
		return (struct acl_port_range){0, 0};
	return (struct acl_port_range){s->port_first, s->port_last};
}

/* The largest block that begins at `first` and does not pass `last`. All of IPv6 is the caller's: a number cannot be
 * shifted by all its bits. */
static uint32_t
block_bits(address_number first, address_number last, uint32_t bits)
{
	uint32_t free = 0, most = bits < 128 ? bits : 127;

	while (free < most && (first & ((address_number)1 << free)) == 0 &&
		(first | (((address_number)1 << (free + 1)) - 1)) <= last)
		free++;
	return free;
}

static int
range_add(struct prefixes *out, const struct ike_selector *s)
{
	uint32_t size = s->family == 4 ? 4 : 16, bits = size * 8;
	address_number first = number_of(s->first, size), last = number_of(s->last, size);

	/* OPAQUE: nothing that we can see; port 0 alone: a list that ends at 0 is any port's */
	if (s->port_first > s->port_last || s->port_last == 0)
		return 0;
	for (;;) {
		bool all = bits == 128 && first == 0 && last == ~(address_number)0;
		uint32_t free = all ? bits : block_bits(first, last, bits);
		struct ip_prefix *p = &out->p[out->n];

		if (out->n == PAIRS_MAX)
			return -E2BIG;
		*p = (struct ip_prefix){.len = (uint8_t)(bits - free)};
		p->addr.family = s->family == 4 ? IP_V4 : IP_V6;
		bytes_of(first, p->addr.b, size);
		out->protocol[out->n] = s->protocol;
		out->ports[out->n++] = ports_of(s);
		if (all)
			return 0;
		first += (address_number)1 << free;
		if (first == 0 || first > last || (bits == 32 && first > UINT32_MAX))
			return 0;
	}
}

static int
ranges_add(struct prefixes *out, const struct ike_selector *s, uint32_t n)
{
	int r = 0;

	out->n = 0;
	for (uint32_t i = 0; i < n && r == 0; i++)
		r = range_add(out, &s[i]);
	return r;
}

/* Both sides name a protocol, or one of them and the other any: what is left is the narrower. Lists are compared byte
 * by byte: padding is zero. */
static bool
pair(const struct prefixes *l, uint32_t i, const struct prefixes *r, uint32_t k, struct selector_spec *out)
{
	if (l->p[i].addr.family != r->p[k].addr.family)
		return false;
	if (l->protocol[i] && r->protocol[k] && l->protocol[i] != r->protocol[k])
		return false;
	memset(out, 0, sizeof(*out));
	out->local = l->p[i];
	out->remote = r->p[k];
	out->protocol = l->protocol[i] ? l->protocol[i] : r->protocol[k];
	out->local_ports = l->ports[i];
	out->remote_ports = r->ports[k];
	return true;
}

static bool
any_to_any(const struct selector_spec *s)
{
	return s->local.len == 0 && s->remote.len == 0 && s->protocol == 0 && s->local_ports.last == 0 &&
	       s->remote_ports.last == 0;
}

/* Any to any of both families is no selector at all. */
static bool
unbounded(const struct selector_spec *s, uint32_t n)
{
	bool v4 = false, v6 = false;

	for (uint32_t i = 0; i < n; i++) {
		v4 |= any_to_any(&s[i]) && s[i].local.addr.family == IP_V4;
		v6 |= any_to_any(&s[i]) && s[i].local.addr.family == IP_V6;
	}
	return v4 && v6;
}

static int
pairs(const struct prefixes *l, const struct prefixes *r, struct selector_spec *out, uint32_t *n)
{
	*n = 0;
	for (uint32_t i = 0; i < l->n; i++) {
		for (uint32_t k = 0; k < r->n; k++) {
			if (*n == PAIRS_MAX)
				return -E2BIG;
			if (pair(l, i, r, k, &out[*n]))
				(*n)++;
		}
	}
	return *n ? 0 : -EINVAL;
}

int
ike_selectors(const struct ike_selector *local, uint32_t n_local, const struct ike_selector *remote, uint32_t n_remote,
	struct selector_spec **out, uint32_t *n)
{
	struct prefixes *side = malloc(2 * sizeof(*side));
	struct selector_spec *s = calloc(PAIRS_MAX, sizeof(*s));
	int r = side && s ? 0 : -ENOMEM;

	*out = NULL;
	*n = 0;
	if (r == 0)
		r = ranges_add(&side[0], local, n_local);
	if (r == 0)
		r = ranges_add(&side[1], remote, n_remote);
	if (r == 0)
		r = pairs(&side[0], &side[1], s, n);
	free(side);
	if (r != 0 || unbounded(s, *n)) {
		free(s);
		*n = 0;
		return r;
	}
	*out = realloc(s, *n * sizeof(*s));
	if (!*out)
		*out = s;
	return 0;
}

bool
ike_selector_has(const struct ike_selector *s, const struct ip_addr *a, uint8_t protocol, uint16_t port)
{
	uint32_t size = s->family == 4 ? 4 : 16;

	return (a->family == IP_V4) == (s->family == 4) && memcmp(a->b, s->first, size) >= 0 &&
	       memcmp(a->b, s->last, size) <= 0 && (s->protocol == 0 || s->protocol == protocol) &&
	       port >= s->port_first && port <= s->port_last;
}
