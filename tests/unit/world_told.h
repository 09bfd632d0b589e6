/* What gateways' routing daemons have learned, from lines as their kernels have them: "PREFIX VIA ...". */
#pragma once

#include "control/learned.h"
#include "world_text.h"

#include <stdlib.h>

/* One more gateway's. */
static inline void
told_add(struct learned_all *all, const char *gateway, const char *const *lines, size_t n)
{
	struct learned *l = learned_create(1000);
	struct route_monitor_events e = learned_events(l);

	for (size_t i = 0; i < n; i++) {
		struct route_info r = {.metric = 32, .protocol = 12};
		char line[200], *word, *rest = line;

		snprintf(line, sizeof(line), "%s", lines[i]);
		assert_int_equal(prefix_parse(strtok_r(line, " ", &rest), &r.prefix), 0);
		while ((word = strtok_r(NULL, " ", &rest)) != NULL) {
			r.via[r.n].weight = 1;
			assert_int_equal(address_parse(word, &r.via[r.n++].address), 0);
		}
		e.changed(e.context, &r, false);
	}
	all->of = realloc(all->of, (all->n + 1) * sizeof(*all->of));
	assert_non_null(all->of);
	all->of[all->n] = (struct learned_gateway){.gateway = strdup(gateway)};
	assert_int_equal(learned_list(l, &all->of[all->n++].routes), 0);
	learned_free(l);
}
