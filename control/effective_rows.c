/* A subnet's table as tools print it: its own routes and its gateway's, which are stored once for all that use them.
 *
 * Tricky: what makes a gateway's route lose is decided here a second time, for print; effective_routes.c decides for
 * packets. Own rows know nothing of it but that a Default route loses to a gateway's of the same prefix.
 */
#include "control/effective_routes.h"

struct walk {
	const struct effective_table *table;
	const struct effective_route *strong; /* the outermost system route around, preferred to the gateway's */
	void (*each)(void *context, const struct effective_route *r);
	void *context;
};

/* Rows first..end-1 of one source, or of all others. */
static void
own(struct walk *w, uint32_t first, uint32_t end, bool user)
{
	for (uint32_t i = first; i < end; i++)
		if ((w->table->route[i].source == SOURCE_USER) == user)
			w->each(w->context, &w->table->route[i]);
}

static void
learned(struct walk *w, uint32_t first, uint32_t end, bool user)
{
	for (uint32_t i = first; i < end; i++) {
		struct effective_route r = w->table->learned[i];
		bool strong = w->strong != NULL && prefix_covers(&w->strong->prefix, &r.prefix);

		if (strong || user) {
			r.active = false;
			r.why = strong ? WHY_STRONG : WHY_USER;
		}
		w->each(w->context, &r);
	}
}

/* Winner first, then by source: User, the gateway's, Default. */
static void
one_prefix(struct walk *w, uint32_t own_first, uint32_t own_end, uint32_t first, uint32_t end)
{
	const struct effective_route *route = w->table->route;
	bool user = false;

	for (uint32_t i = own_first; i < own_end; i++) {
		user |= route[i].source == SOURCE_USER;
		if (effective_strong(&route[i]) && (!w->strong || !prefix_covers(&w->strong->prefix, &route[i].prefix)))
			w->strong = &route[i];
	}
	if (own_first < own_end && route[own_first].active)
		w->each(w->context, &route[own_first++]);
	own(w, own_first, own_end, true);
	learned(w, first, end, user);
	own(w, own_first, own_end, false);
}

static uint32_t
run_end(const struct effective_route *r, uint32_t first, uint32_t n, const struct ip_prefix *p)
{
	while (first < n && prefix_equal(&r[first].prefix, p))
		first++;
	return first;
}

void
effective_each(
	const struct effective_table *t, void (*each)(void *context, const struct effective_route *r), void *context)
{
	struct walk w = {.table = t, .each = each, .context = context};

	for (uint32_t i = 0, k = 0; i < t->n || k < t->n_learned;) {
		bool own_next = k == t->n_learned ||
				(i < t->n && prefix_compare(&t->route[i].prefix, &t->learned[k].prefix) <= 0);
		const struct ip_prefix *p = own_next ? &t->route[i].prefix : &t->learned[k].prefix;
		uint32_t own_end = run_end(t->route, i, t->n, p), end = run_end(t->learned, k, t->n_learned, p);

		one_prefix(&w, i, own_end, k, end);
		i = own_end;
		k = end;
	}
}
