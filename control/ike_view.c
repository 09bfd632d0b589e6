#include "control/ike_view.h"

#include "control/daemon.h"
#include "drivers/clock.h"
#include "drivers/log.h"

#include <errno.h>

#define FAILED_NS 1000000000ull
#define SPACING 4 /* of the control thread's time at most a fifth goes to publishing */

static void
noted(struct daemon *d, uint64_t start_ns)
{
	struct ike_view *v = &d->ike_view;
	uint32_t at = (v->first + v->n++) % IKE_VIEWS_MAX;
	uint64_t now = clock_boot_ns(), took = now - start_ns;

	v->change = ike_store_change(d->ike);
	v->under_way[at].change = v->change;
	v->under_way[at].generation = dataplane_generation(d->dp);
	v->due_ns = now + SPACING * took;
	v->published++;
	if (took > v->longest_ns)
		v->longest_ns = took;
}

/* The base with the SAs of now. */
static int
publish_over(struct daemon *d, const struct view *base)
{
	struct sas_spec spec;
	char error[256] = "no memory";
	struct view *v;
	int r = ike_store_sas(d->ike, &spec);

	if (r != 0)
		return r;
	v = view_with_sas(base, &spec, error, sizeof error);
	if (!v) {
		log_error("ike", "negotiated SAs cannot be published: %s", error);
		return -EINVAL;
	}
	r = dataplane_publish(d->dp, v);
	if (r != 0)
		view_free(v);
	return r;
}

int
ike_view_publish(struct daemon *d, const struct world *w, struct view **view)
{
	uint64_t start = clock_boot_ns();
	int r;

	if (d->ike_view.n == IKE_VIEWS_MAX)
		return -EAGAIN;
	r = ike_store_bind(d->ike, w);
	if (r == 0 && ike_store_empty(d->ike)) {
		r = dataplane_publish(d->dp, *view);
		if (r == 0)
			*view = NULL;
	} else if (r == 0) {
		r = publish_over(d, *view);
	}
	if (r == 0)
		noted(d, start);
	else
		ike_store_bind(d->ike, d->world);
	return r;
}

static void
settled(struct daemon *d)
{
	struct ike_view *v = &d->ike_view;
	uint64_t generation = dataplane_settled(d->dp), change = 0;

	while (v->n > 0 && v->under_way[v->first].generation <= generation) {
		change = v->under_way[v->first].change;
		v->first = (v->first + 1) % IKE_VIEWS_MAX;
		v->n--;
	}
	if (change)
		ike_store_seen(d->ike, change);
}

void
ike_view_poll(struct daemon *d)
{
	struct ike_view *v = &d->ike_view;
	uint64_t now;
	int r;

	settled(d);
	if (ike_store_change(d->ike) == v->change || d->reload.state == RELOAD_PUBLISHING || v->n == IKE_VIEWS_MAX)
		return;
	now = clock_boot_ns();
	if (now < v->due_ns)
		return;
	r = publish_over(d, dataplane_view(d->dp));
	if (r == 0)
		noted(d, now);
	else if (r != -EAGAIN)
		v->due_ns = now + FAILED_NS;
}
