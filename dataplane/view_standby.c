/* Hops into the best tunnel that is up: of several connections to one prefix the best is used, and while it has no SA
 * the next one. Builder thread and control.
 *
 * Nothing of this is seen by workers. Each view has the answer in its hops, which are the base's unless that chose
 * otherwise.
 */
#include "dataplane/view_build.h"

#include <errno.h>
#include <string.h>

static uint16_t
tunnel_of(const struct view *v, const struct standby *s)
{
	for (uint16_t i = 0; i < s->n; i++)
		if (v->tunnel[s->tunnel[i]].path != NULL)
			return s->tunnel[i];
	return s->tunnel[0];
}

/* Of one's own from here on. */
static struct hop *
hops_own(struct build *b)
{
	struct view *v = b->view;
	size_t n = (size_t)v->hop_mask + 1;

	if (v->hop_store == NULL) {
		v->hop_store = build_array(b, n, sizeof(*v->hop));
		if (v->hop_store == NULL)
			return NULL;
		memcpy(v->hop_store, v->hop, n * sizeof(*v->hop));
		v->hop = v->hop_store;
	}
	return v->hop_store;
}

int
build_standby(struct build *b)
{
	const struct view *v = b->view;

	for (uint32_t i = 0; i < v->n_standby; i++) {
		const struct standby *s = &v->standby[i];
		uint16_t to = tunnel_of(v, s), from = v->hop[s->hop].tunnel;
		struct hop *hop;

		if (to == from)
			continue;
		hop = hops_own(b);
		if (hop == NULL)
			return -ENOMEM;
		if (hop[s->hop].name == v->tunnel[from].name)
			hop[s->hop].name = v->tunnel[to].name;
		hop[s->hop].tunnel = to;
	}
	return 0;
}
