/* Bisection between a rate that passed and one that did not.
 *
 * A generator that cannot keep up offers less than it was told. Such a trial says nothing about
 * the rate that was ordered: when it loses nothing the search ends with what was offered, and when
 * it loses, the upper end falls to what was offered, not to the order.
 */
#include "tests/bench/pktgen/search.h"

#define SHORTFALL 0.98 /* of the order; below, the generator is the limit */

static bool
passes(const struct search *s, const struct trial *t)
{
	return t->offered > 0 && (double)t->lost <= s->loss * (double)t->offered;
}

/* One trial. Narrows [*low, *high]; true when the search is over. */
static bool
step(const struct search *s, double pps, const struct trial *t, double *low, double *high, struct search_result *out)
{
	bool reached = t->pps >= pps * SHORTFALL;

	out->trials++;
	if (!t->sound) {
		*out = (struct search_result){.end = SEARCH_UNSOUND, .trials = out->trials, .best = *t};
		return true;
	}
	if (!passes(s, t)) {
		/* What was offered may lie below what passed before: then only the order says more. */
		*high = t->pps < pps && t->pps > *low ? t->pps : pps;
		return false;
	}

	if (t->pps > out->pps) {
		out->pps = t->pps;
		out->best = *t;
	}
	*low = pps;
	if (!reached)
		out->end = SEARCH_GENERATOR;
	else if (pps >= s->high)
		out->end = SEARCH_CEILING;
	return !reached;
}

int
search_no_drop(const struct search *s, search_trial *run, void *device, struct search_result *out)
{
	double low = s->low, high = s->high, pps = s->high;

	*out = (struct search_result){.end = SEARCH_FOUND};
	while (out->trials < s->trials) {
		struct trial t = {0};
		int r = run(device, pps, &t);

		if (r != 0)
			return r;
		if (step(s, pps, &t, &low, &high, out))
			return 0;
		if (high - low <= s->resolution * high)
			break;
		pps = (low + high) / 2;
	}
	if (out->pps == 0)
		out->end = SEARCH_NONE;
	return 0;
}

const char *
search_end_name(enum search_end end)
{
	static const char *const name[] = {
		[SEARCH_FOUND] = "found",
		[SEARCH_CEILING] = "ceiling",
		[SEARCH_GENERATOR] = "generator",
		[SEARCH_NONE] = "none",
		[SEARCH_UNSOUND] = "unsound",
	};

	return name[end];
}
