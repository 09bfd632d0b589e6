/* SAs that nobody names any more leave the store; their last numbers are exact. */
#include "control/sa_store_state.h"

#include <stdlib.h>

static int
pointer_compare(const void *a, const void *b)
{
	const struct sa *const *x = a, *const *y = b;

	return (*x > *y) - (*x < *y);
}

/* SAs that some world names, sorted. NULL: no memory. */
static struct sa **
sas_named(struct world *const *live, uint32_t n, size_t *count)
{
	size_t room = 1;
	struct sa **sa;

	for (uint32_t i = 0; i < n; i++)
		room += live[i] ? live[i]->spec.n_sas : 0;
	sa = malloc(room * sizeof(*sa));
	*count = 0;
	for (uint32_t i = 0; sa && i < n; i++)
		for (uint32_t k = 0; live[i] && k < live[i]->spec.n_sas; k++)
			if (live[i]->spec.sa[k].sa)
				sa[(*count)++] = live[i]->spec.sa[k].sa;
	if (sa)
		qsort(sa, *count, sizeof(*sa), pointer_compare);
	return sa;
}

/* Nobody uses the SA any more: its last number is exact. */
static void
record_retire(struct sa_record *r, struct sa *last)
{
	struct sa_counters c;

	sa_counters_read(last, &c);
	if (!r->mark.outbound || c.sequence < r->mark.number)
		r->wanted = c.sequence;
}

void
sa_record_release(struct sa_record *r, struct sa_entry **at)
{
	struct sa_entry *e = *at;

	if (e == r->entries && !e->next)
		record_retire(r, e->sa);
	*at = e->next;
	sa_free(e->sa);
	free(e);
}

static void
record_sweep(struct sa_record *r, struct sa *const *named, size_t n)
{
	struct sa_entry **at = &r->entries;

	while (*at) {
		struct sa_entry *e = *at;

		if (bsearch(&e->sa, named, n, sizeof(*named), pointer_compare)) {
			at = &e->next;
			continue;
		}
		sa_record_release(r, at);
	}
}

void
sa_store_sweep(struct sa_store *s, struct world *const *live, uint32_t n)
{
	size_t count;
	struct sa **named;

	pthread_mutex_lock(&s->lock);
	named = sas_named(live, n, &count);
	for (uint32_t i = 0; named && i < s->records.n; i++)
		if (!s->records.record[i].mark.negotiated)
			record_sweep(&s->records.record[i], named, count);
	free(named);
	pthread_mutex_unlock(&s->lock);
}
