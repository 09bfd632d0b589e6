/* Hops into the best tunnel that is up: of several connections to one prefix the best is used, and while it has no SA
 * the next one; or all that are up, side by side. Builder thread and control.
 *
 * Nothing of this is seen by workers. Each view has the answer in its hops, which are the base's unless that chose
 * otherwise.
 */
#include "dataplane/view_build.h"

#include <errno.h>
#include <string.h>

static bool
is_up(const struct view *v, const struct standby *s, uint16_t id)
{
	return s->circuit || v->tunnel[id].path != NULL;
}

static uint16_t
tunnel_of(const struct view *v, const struct standby *s)
{
	for (uint16_t i = 0; i < s->n; i++)
		if (is_up(v, s, s->tunnel[i]))
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

/* Into which one from now on, or which spread. */
static int
choose(struct build *b, const struct standby *s, uint16_t spread)
{
	const struct view *v = b->view;
	uint16_t from = v->hop[s->hop].tunnel, to = s->circuit ? from : tunnel_of(v, s);
	struct hop *hop;

	if (to == from && v->hop[s->hop].spread == spread)
		return 0;
	hop = hops_own(b);
	if (hop == NULL)
		return -ENOMEM;
	if (to != from && hop[s->hop].name == v->tunnel[from].name)
		hop[s->hop].name = v->tunnel[to].name;
	hop[s->hop].tunnel = to;
	hop[s->hop].spread = spread;
	return 0;
}

/* Every tunnel or circuit has its slots; those of one that is down go to the others in turn. */
static void
spread_fill(const struct view *v, const struct standby *s, struct spread *out)
{
	uint16_t up[SPREAD_MAX], n = 0;

	for (uint16_t i = 0; i < s->n; i++)
		if (is_up(v, s, s->tunnel[i]))
			up[n++] = s->tunnel[i];
	for (uint16_t i = 0; i < SPREAD_SLOTS; i++) {
		uint16_t own = s->tunnel[i % s->n];

		out->slot[i] = is_up(v, s, own) || n == 0 ? own : up[i / s->n % n];
	}
}

static bool
any_spread(const struct view *v)
{
	for (uint32_t i = 0; i < v->n_standby; i++)
		if (v->standby[i].all)
			return true;
	return false;
}

int
build_standby(struct build *b)
{
	struct view *v = b->view;

	if (any_spread(v)) {
		v->spread = build_array(b, v->n_standby, sizeof(*v->spread));
		if (v->spread == NULL)
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < v->n_standby; i++) {
		const struct standby *s = &v->standby[i];
		bool spread = s->all && i < UINT16_MAX;

		if (spread)
			spread_fill(v, s, &v->spread[i]);
		if (choose(b, s, spread ? (uint16_t)(i + 1) : 0) != 0)
			return -ENOMEM;
	}
	return 0;
}
