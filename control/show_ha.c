/* A node's role as verbs tell it. Control thread. */
#include "control/daemon.h"
#include "control/ha.h"
#include "control/lease.h"
#include "control/show_running.h"
#include "control/state_link.h"
#include "drivers/clock.h"

#define MILLI 1000000
#define SECOND 1000000000

static const char *const level_word[VIP_LEVELS] = {"primary", "standby", "drained"};

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

static json_t *
addresses_json(const struct cfg_ha *ha)
{
	json_t *list = json_array();
	char text[ADDRESS_TEXT_MAX];

	for (uint32_t i = 0; i < ha->addresses.n; i++)
		json_array_append_new(list, json_string(prefix_text(&ha->addresses.p[i], text, sizeof(text))));
	return list;
}

/* What the two nodes have told each other. */
static json_t *
peer_json(struct state_link *l)
{
	struct state_link_status s;
	json_t *o = json_object();

	state_link_status(l, &s);
	json_object_set_new(o, "connected", json_boolean(s.connected));
	json_object_set_new(o, "node", text_or_null(s.node));
	json_object_set_new(o, "reachesRouters", s.connected ? json_boolean(s.reaches) : json_null());
	json_object_set_new(o, "connectedSeconds",
		s.connected ? json_integer((json_int_t)((clock_boot_ns() - s.since_ns) / SECOND)) : json_null());
	json_object_set_new(o, "connections", json_integer((json_int_t)s.connections));
	json_object_set_new(o, "flowsTold", json_integer((json_int_t)s.flows.told));
	json_object_set_new(o, "flowsTaken", json_integer((json_int_t)s.flows.taken));
	json_object_set_new(o, "flowsRefused", json_integer((json_int_t)s.flows.refused));
	json_object_set_new(o, "lastError", text_or_null(s.error));
	return o;
}

json_t *
show_ha(struct daemon *d, const struct request *r, struct failure *f)
{
	const struct cfg_ha *ha = &d->world->config->appliance.ha;
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
	json_object_set_new(o, "drained", json_boolean(s.drained));
	json_object_set_new(o, "unfit", d->unfit ? json_string(d->unfit) : json_null());
	json_object_set_new(o, "virtualAddresses", addresses_json(ha));
	json_object_set_new(o, "advertisedAs",
		ha->addresses.n > 0 && d->vip_again_ns == 0 ? json_string(level_word[ha_level(d)]) : json_null());
	json_object_set_new(o, "peer", d->state ? peer_json(d->state) : json_null());
	json_object_set_new(o, "lastError", text_or_null(s.error));
	json_object_set_new(o, "transitions", json_integer((json_int_t)s.transitions));
	return o;
}
