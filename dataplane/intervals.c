/* Building the intervals: one sweep over sorted prefixes with a stack of those that are open.
 *
 * Tricky: keys are the *last* addresses of intervals, not the first. The padding of a half-filled
 * node is then the highest address, which is never below a wanted key, so a search can not run into it.
 */
#include "dataplane/intervals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct interval {
	unsigned __int128 last;
	uint64_t value;
};

struct open_prefix {
	unsigned __int128 last;
	uint64_t value;
};

/* The sweep's state: intervals up to `next` are written. */
struct sweep {
	struct interval *out;
	uint32_t n;
	unsigned __int128 next;           /* first address not yet written */
	struct open_prefix open[1 + 129]; /* nested prefixes that are not over yet; [0] is the fallback */
	uint32_t depth;
};

static unsigned __int128
address_number(const struct ip_addr *a)
{
	return a->family == IP_V4 ? address_v4(a) : intervals6_key(a->b);
}

static unsigned __int128
prefix_last(const struct ip_prefix *p)
{
	uint32_t host_bits = address_bits(&p->addr) - p->len;
	unsigned __int128 ones = host_bits == 128 ? ~(unsigned __int128)0 : ((unsigned __int128)1 << host_bits) - 1;

	return address_number(&p->addr) | ones;
}

/* Write the interval next..last; neighbours of one value become one interval. */
static void
emit(struct sweep *s, unsigned __int128 last, uint64_t value)
{
	if (s->n > 0 && s->out[s->n - 1].value == value)
		s->out[s->n - 1].last = last;
	else
		s->out[s->n++] = (struct interval){last, value};
	s->next = last + 1;
}

/* Close what ends before `first`. */
static void
close_until(struct sweep *s, unsigned __int128 first)
{
	while (s->depth > 1 && s->open[s->depth - 1].last < first) {
		const struct open_prefix *top = &s->open[--s->depth];

		if (s->next <= top->last)
			emit(s, top->last, top->value);
	}
}

static void
sweep_prefix(struct sweep *s, const struct prefix_value *e)
{
	unsigned __int128 first = address_number(&e->prefix.addr);

	close_until(s, first);
	if (s->next < first)
		emit(s, first - 1, s->open[s->depth - 1].value);
	s->open[s->depth++] = (struct open_prefix){prefix_last(&e->prefix), e->value};
}

/* Close everything. An interval that ends with the highest address wraps `next` to 0 and is the last. */
static void
sweep_end(struct sweep *s)
{
	unsigned __int128 end = s->open[0].last;

	while (s->depth > 0) {
		const struct open_prefix *top = &s->open[--s->depth];
		bool over = s->n > 0 && s->out[s->n - 1].last == end;

		if (!over && s->next <= top->last)
			emit(s, top->last, top->value);
	}
}

/* Flatten one family's entries. Returns the intervals (malloc), at least one, or NULL. */
static struct interval *
flatten(const struct prefix_value *entry, uint32_t n, uint8_t family, uint64_t fallback, uint32_t *count)
{
	struct sweep s = {.out = malloc((2 * (size_t)n + 1) * sizeof(*s.out)), .depth = 1};

	if (s.out == NULL)
		return NULL;
	s.open[0].last = family == IP_V4 ? UINT32_MAX : ~(unsigned __int128)0;
	s.open[0].value = fallback;

	for (uint32_t i = 0; i < n; i++) {
		if (entry[i].prefix.addr.family == family)
			sweep_prefix(&s, &entry[i]);
	}
	sweep_end(&s);

	*count = s.n;
	return s.out;
}

static uint32_t
round_up(uint32_t n)
{
	return (n + INTERVALS_NODE - 1) / INTERVALS_NODE * INTERVALS_NODE;
}

/* Sizes of the levels, leaves first, until one node is enough. Returns the number of keys in all. */
static uint32_t
plan_levels(struct intervals4 *t, uint32_t n)
{
	uint32_t total = 0, size = round_up(n);

	for (t->levels = 0; t->levels < INTERVALS_LEVELS;) {
		t->offset[t->levels++] = total;
		total += size;
		if (size == INTERVALS_NODE)
			break;
		/* one key for each node below but the last of 17 */
		size = (size / INTERVALS_NODE + INTERVALS_NODE) / (INTERVALS_NODE + 1) * INTERVALS_NODE;
	}
	return total;
}

/* Key j of an inner node is the largest key below its child j: the last key of the rightmost leaf there. */
static int32_t
inner_key(const struct intervals4 *t, uint32_t leaves, uint32_t level, uint32_t position)
{
	uint64_t child = (uint64_t)position / INTERVALS_NODE * (INTERVALS_NODE + 1) + position % INTERVALS_NODE;

	/* follow the last child down to the leaves */
	for (uint32_t l = level - 1; l > 0; l--)
		child = child * (INTERVALS_NODE + 1) + INTERVALS_NODE;
	uint64_t last = child * INTERVALS_NODE + INTERVALS_NODE - 1;

	return last < leaves ? t->key[last] : INT32_MAX;
}

int
intervals4_build(struct intervals4 *t, const struct prefix_value *entry, uint32_t n, uint64_t fallback)
{
	uint32_t count, total, leaves;
	struct interval *flat = flatten(entry, n, IP_V4, fallback, &count);

	*t = (struct intervals4){0};
	if (flat == NULL)
		return -ENOMEM;
	total = plan_levels(t, count);
	leaves = round_up(count);
	t->key = aligned_alloc(64, total * sizeof(*t->key));
	t->value = aligned_alloc(64, leaves * sizeof(*t->value));
	if (t->key == NULL || t->value == NULL) {
		free(flat);
		intervals4_clear(t);
		return -ENOMEM;
	}

	for (uint32_t i = 0; i < leaves; i++) {
		t->key[i] = i < count ? (int32_t)((uint32_t)flat[i].last ^ 0x80000000u) : INT32_MAX;
		t->value[i] = flat[i < count ? i : count - 1].value;
	}
	for (uint32_t level = 1; level < t->levels; level++) {
		uint32_t end = level + 1 < t->levels ? t->offset[level + 1] : total;

		for (uint32_t i = t->offset[level]; i < end; i++)
			t->key[i] = inner_key(t, leaves, level, i - t->offset[level]);
	}
	free(flat);
	return 0;
}

int
intervals6_build(struct intervals6 *t, const struct prefix_value *entry, uint32_t n, uint64_t fallback)
{
	uint32_t count;
	struct interval *flat = flatten(entry, n, IP_V6, fallback, &count);

	*t = (struct intervals6){0};
	if (flat == NULL)
		return -ENOMEM;
	t->n = count;
	t->last = malloc(count * sizeof(*t->last));
	t->value = malloc(count * sizeof(*t->value));
	if (t->last == NULL || t->value == NULL) {
		free(flat);
		intervals6_clear(t);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < count; i++) {
		t->last[i] = flat[i].last;
		t->value[i] = flat[i].value;
	}
	free(flat);
	return 0;
}

void
intervals4_clear(struct intervals4 *t)
{
	free(t->key);
	free(t->value);
	*t = (struct intervals4){0};
}

void
intervals6_clear(struct intervals6 *t)
{
	free(t->last);
	free(t->value);
	*t = (struct intervals6){0};
}
