/* What isthmusd does with its lease, and how the verb shows it. */
#include "control/ha.h"

#include "control/daemon.h"
#include "control/lease.h"
#include "control/show_running.h"
#include "drivers/clock.h"
#include "drivers/log.h"

#define MILLI 1000000

/* ---- what follows from the role ------------------------------------------------------------- */

static void
became(void *daemon, uint64_t epoch)
{
	struct daemon *d = daemon;

	(void)epoch;
	dataplane_announce_addresses(d->dp);
}

void
ha_fence(struct daemon *d)
{
	static const _Atomic uint64_t never;

	if (d->world->config->appliance.ha.given)
		dataplane_share_addresses(d->dp, &never);
}

/* ---- the module ------------------------------------------------------------------------------ */

int
ha_module_start(struct daemon *d, char *error, size_t n)
{
	const struct cfg_ha *ha = &d->world->config->appliance.ha;
	const struct leasing_hooks hooks = {.context = d, .became = became};
	int r;

	if (!ha->given)
		return 0;
	if (ha->lease.kind == LEASE_KIND_STATIC)
		log_warning("lease", "static: a preference only, two nodes may be primary at once");
	r = leasing_start(ha, &d->loop, &hooks, &d->leasing, error, n);
	if (r == 0)
		dataplane_share_addresses(d->dp, leasing_deadline(d->leasing));
	ha_tick(d, clock_boot_ns());
	return r;
}

void
ha_module_stop(struct daemon *d)
{
	ha_fence(d);
	leasing_stop(d->leasing);
	d->leasing = NULL;
}

void
ha_tick(struct daemon *d, uint64_t now_ns)
{
	if (d->leasing)
		leasing_tick(d->leasing, now_ns);
}

/* ---- ha show ---------------------------------------------------------------------------- */

static json_t *
text_or_null(const char *text)
{
	return text[0] ? json_string(text) : json_null();
}

/* null: it has none, or is not primary. */
static json_t *
remaining_json(const struct leasing_status *s, uint64_t now_ns)
{
	if (s->role != LEASE_PRIMARY || s->deadline_ns == LEASE_INFINITE)
		return json_null();
	return json_integer(s->deadline_ns > now_ns ? (json_int_t)((s->deadline_ns - now_ns) / MILLI) : 0);
}

json_t *
show_ha(struct daemon *d, const struct request *r, struct failure *f)
{
	struct leasing_status s;
	json_t *o;

	(void)r;
	if (!d->leasing)
		return failure_set(f, "NotConfigured", "the configuration has no appliance.highAvailability");
	leasing_status(d->leasing, &s);
	o = json_object();
	json_object_set_new(o, "node", json_string(s.node));
	json_object_set_new(o, "role", json_string(s.role == LEASE_PRIMARY ? "primary" : "follower"));
	json_object_set_new(o, "epoch", json_integer((json_int_t)s.epoch));
	json_object_set_new(o, "remainingMilliseconds", remaining_json(&s, clock_boot_ns()));
	json_object_set_new(o, "holder", text_or_null(s.holder));
	json_object_set_new(o, "kind", json_string(s.kind));
	json_object_set_new(o, "exclusive", json_boolean(s.exclusive));
	json_object_set_new(o, "lastError", text_or_null(s.error));
	json_object_set_new(o, "transitions", json_integer((json_int_t)s.transitions));
	return o;
}
