/* Sorting, checking and comparing the content of tables: builder thread. */
#include "dataplane/prefix_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
prefix_list_init(struct prefix_list *l, uint32_t n)
{
	l->entry = calloc(n ? n : 1, sizeof(*l->entry));
	l->n = n;
	return l->entry == NULL ? -ENOMEM : 0;
}

static int
compare(const void *a, const void *b)
{
	return prefix_compare(&((const struct prefix_value *)a)->prefix, &((const struct prefix_value *)b)->prefix);
}

static bool
has_host_bits(const struct ip_prefix *p)
{
	uint8_t whole = p->len / 8, last = (uint8_t)(0xff >> p->len % 8);

	for (uint32_t i = whole + 1u; i < sizeof(p->addr.b); i++)
		if (p->addr.b[i] != 0)
			return true;
	return whole < sizeof(p->addr.b) && (p->addr.b[whole] & last) != 0;
}

static const char *
fault(const struct ip_prefix *p, const struct ip_prefix *before)
{
	if (p->addr.family != IP_V4 && p->addr.family != IP_V6)
		return "has no address family";
	if (p->len > address_bits(&p->addr))
		return "is longer than an address";
	if (has_host_bits(p))
		return "has host bits set";
	if (before != NULL && prefix_equal(before, p))
		return "stands twice in one table";
	return NULL;
}

/* What control hands over mostly is. */
static bool
is_sorted(const struct prefix_list *l)
{
	for (uint32_t i = 1; i < l->n; i++)
		if (compare(&l->entry[i - 1], &l->entry[i]) > 0)
			return false;
	return true;
}

int
prefix_list_sort(struct prefix_list *l, char *error, size_t error_size)
{
	char text[ADDRESS_TEXT_MAX];

	if (!is_sorted(l))
		qsort(l->entry, l->n, sizeof(*l->entry), compare);
	for (uint32_t i = 0; i < l->n; i++) {
		const struct ip_prefix *p = &l->entry[i].prefix;
		const char *why = fault(p, i > 0 ? &l->entry[i - 1].prefix : NULL);

		if (why != NULL) {
			snprintf(error, error_size, "prefix %s %s", prefix_text(p, text, sizeof(text)), why);
			return -EINVAL;
		}
	}
	return 0;
}

bool
prefix_list_equal(const struct prefix_list *a, const struct prefix_list *b)
{
	if (a->n != b->n)
		return false;
	for (uint32_t i = 0; i < a->n; i++) {
		if (a->entry[i].value != b->entry[i].value || !prefix_equal(&a->entry[i].prefix, &b->entry[i].prefix))
			return false;
	}
	return true;
}

/* The finalizer of a 64-bit mixing function: every input bit reaches every output bit. */
static uint64_t
mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9;
	x ^= x >> 27;
	x *= 0x94d049bb133111eb;
	return x ^ x >> 31;
}

uint64_t
prefix_hash(uint64_t hash, const struct ip_prefix *p, uint64_t value)
{
	uint64_t half[2];

	memcpy(half, p->addr.b, sizeof(half));
	return hash + mix(mix(mix(half[0] + p->addr.family) ^ half[1]) + ((uint64_t)p->len << 56) + value);
}

void
prefix_list_clear(struct prefix_list *l)
{
	free(l->entry);
	*l = (struct prefix_list){0};
}
