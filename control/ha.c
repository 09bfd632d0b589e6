/* The role reaches the outside in three ways: workers ask the lease's deadline before they answer for shared addresses,
 * virtual addresses stand on an interface that tells routing daemons of it, and charon starts tunnels from them, or
 * waits to be asked.
 *
 * A node that is no longer primary keeps its tunnels: the role goes by the lease, traffic by BGP, and as long as
 * routers send it here it is carried. Once another node was primary in between they are renewed, as peers may have
 * others.
 */
#include "control/ha.h"

#include "control/charon.h"
#include "control/daemon.h"
#include "control/lease.h"
#include "control/show_running.h"
#include "control/state_link.h"
#include "drivers/clock.h"
#include "drivers/log.h"

#include <errno.h>
#include <string.h>

#define SECOND_NS 1000000000ull
#define NEIGHBOURS_NS (2 * SECOND_NS) /* between two tellings of them */
/* Routers have heard that virtual addresses are elsewhere, and send no more. */
#define MOVING_NS (SECOND_NS / 2)

/* ---- what follows from the role ------------------------------------------------------- */

static bool
is_primary(const struct daemon *d, bool *drained)
{
	struct leasing_status s;

	leasing_status(d->leasing, &s);
	*drained = s.drained;
	return s.role == LEASE_PRIMARY;
}

bool
ha_is_primary(const struct daemon *d)
{
	bool drained;

	if (!d->world->config->appliance.ha.given)
		return true;
	return d->leasing && is_primary(d, &drained);
}

enum vip_level
ha_level(const struct daemon *d)
{
	bool drained, primary = is_primary(d, &drained);

	return drained ? VIP_DRAINED : primary ? VIP_PRIMARY : VIP_STANDBY;
}

static void
vip_follow(struct daemon *d)
{
	const struct cfg_prefixes *addresses = &d->world->config->appliance.ha.addresses;
	char error[256] = "";
	int r = 0;

	if (addresses->n == 0) {
		vip_withdraw(d->vip);
	} else {
		if (!d->vip)
			d->vip = vip_create(&d->loop);
		r = d->vip ? vip_set(d->vip, local_net_fd(d->local), addresses, ha_level(d), error, sizeof(error))
			   : -ENOMEM;
	}
	if (r != 0 && d->vip_again_ns == 0)
		log_error("ha", "virtual addresses: %s; tried again every second", error[0] ? error : strerror(-r));
	d->vip_again_ns = r != 0 ? clock_boot_ns() + SECOND_NS : 0;
}

static void
became(void *daemon, uint64_t epoch)
{
	struct daemon *d = daemon;
	/* the first time, too: a charon that outlived its isthmusd may have tunnels from before another's time */
	bool anew = d->primary_epoch != epoch;

	d->primary_epoch = epoch;
	dataplane_announce_addresses(d->dp);
	vip_follow(d);
	if (d->charon)
		charon_role(d->charon, true, anew);
}

static void
ceased(void *daemon)
{
	struct daemon *d = daemon;

	vip_follow(d);
	if (d->charon)
		charon_role(d->charon, false, false);
}

void
ha_fence(struct daemon *d)
{
	static const _Atomic uint64_t never;

	if (d->world->config->appliance.ha.given)
		dataplane_share_addresses(d->dp, &never);
}

/* ---- a node that is not fit ----------------------------------------------------------- */

#define TRUSTED_NS (5 * SECOND_NS) /* so long fit before it is again */

static void
unfit(struct daemon *d, const char *why)
{
	if (!d->unfit) {
		log_error("ha", "%s: this node is drained until that is over", why);
		leasing_drain(d->leasing);
	}
	d->unfit = why;
	vip_follow(d);
}

static void
fitness_follow(struct daemon *d, uint64_t now_ns)
{
	const char *why = fitness_look(d, now_ns);
	char error[256] = "";

	if (why)
		d->fit_ns = now_ns;
	if (why && why != d->unfit)
		unfit(d, why);
	if (!d->unfit || now_ns - d->fit_ns < TRUSTED_NS)
		return;
	if (!d->drained && leasing_resume(d->leasing, error, sizeof(error)) != 0) {
		log_error("ha", "drained, and the lease cannot be asked: %s", error);
		d->fit_ns = now_ns;
		return;
	}
	d->unfit = NULL;
	vip_follow(d);
	log_notice("ha", "fit again");
}

/* ---- the module ----------------------------------------------------------------------- */

int
ha_module_start(struct daemon *d, char *error, size_t n)
{
	const struct cfg_ha *ha = &d->world->config->appliance.ha;
	const struct leasing_hooks hooks = {.context = d, .became = became, .ceased = ceased};
	int r;

	if (!ha->given)
		return 0;
	if (ha->lease.kind == LEASE_KIND_STATIC)
		log_warning("lease", "static: a preference only, two nodes may be primary at once");
	r = leasing_start(ha, &d->loop, &hooks, &d->leasing, error, n);
	if (r != 0)
		return r;
	dataplane_share_addresses(d->dp, leasing_deadline(d->leasing));
	vip_follow(d);
	ha_tick(d, clock_boot_ns());
	if (ha->peer.given)
		r = state_link_start(ha, d->dp, d->names, &d->state, error, n);
	config_wipe_node_key(d->world->config);
	if (d->state)
		state_link_world(d->state, d->world);
	if (r != 0)
		ha_module_stop(d);
	return r;
}

void
ha_module_stop(struct daemon *d)
{
	ha_fence(d);
	state_link_stop(d->state);
	d->state = NULL;
	vip_free(d->vip);
	d->vip = NULL;
	leasing_stop(d->leasing);
	d->leasing = NULL;
}

void
ha_tick(struct daemon *d, uint64_t now_ns)
{
	if (!d->leasing)
		return;
	leasing_tick(d->leasing, now_ns);
	fitness_follow(d, now_ns);
	if (d->state && now_ns >= d->neighbours_ns) {
		state_link_neighbours(d->state);
		d->neighbours_ns = now_ns + NEIGHBOURS_NS;
	}
	if (d->vip_again_ns != 0 && now_ns >= d->vip_again_ns)
		vip_follow(d);
}

void
ha_apply(struct daemon *d)
{
	config_wipe_node_key(d->world->config);
	if (d->leasing)
		vip_follow(d);
	if (d->state)
		state_link_world(d->state, d->world);
}

static bool
never(void *daemon)
{
	(void)daemon;
	return false;
}

void
ha_farewell(struct daemon *d)
{
	if (!d->leasing)
		return;
	leasing_drain(d->leasing);
	vip_withdraw(d->vip);
	if (d->routers)
		loop_serve(&d->loop, never, d, MOVING_NS);
}

/* ---- ha drain, ha resume -------------------------------------------------------------- */

static json_t *
not_configured(struct failure *f)
{
	return failure_set(f, "NotConfigured", "the configuration has no appliance.highAvailability");
}

json_t *
drain_ha(struct daemon *d, const struct request *r, struct failure *f)
{
	if (!d->leasing)
		return not_configured(f);
	d->drained = true;
	leasing_drain(d->leasing);
	vip_follow(d);
	log_notice("ha", "drained: this node is not primary until it resumes");
	return show_ha(d, r, f);
}

json_t *
resume_ha(struct daemon *d, const struct request *r, struct failure *f)
{
	char error[256] = "";

	if (!d->leasing)
		return not_configured(f);
	if (!d->unfit && leasing_resume(d->leasing, error, sizeof(error)) != 0)
		return failure_set(f, "LeaseUnavailable", "it stays drained: %.200s", error);
	d->drained = false;
	vip_follow(d);
	log_notice("ha", "resumed");
	return show_ha(d, r, f);
}
