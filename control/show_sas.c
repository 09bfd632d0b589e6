/* sa list: every security association of the running world, its use and its age. Never its keys. */
#include "control/show_running.h"

#include "config/algorithm.h"
#include "control/daemon.h"
#include "drivers/clock.h"

static const char *
state_name(const struct sa_counters *c)
{
	if (c->exhausted)
		return "exhausted";
	if (c->hard_expired)
		return "expired";
	return c->soft_expired ? "expiring" : "usable";
}

static json_t *
counters_json(const struct sa_counters *c)
{
	json_t *o = json_object();

	json_object_set_new(o, "packets", json_integer((json_int_t)c->packets));
	json_object_set_new(o, "bytes", json_integer((json_int_t)c->bytes));
	json_object_set_new(o, "drops", json_integer((json_int_t)c->drops));
	json_object_set_new(o, "sequence", json_integer((json_int_t)c->sequence));
	json_object_set_new(o, "reservedBelow", json_integer((json_int_t)c->reserved));
	json_object_set_new(o, "idleSeconds",
		c->last_used_ns ? json_integer((json_int_t)((clock_boot_ns() - c->last_used_ns) / 1000000000))
				: json_null());
	return o;
}

/* ---- where an SA comes from ------------------------------------------------------------- */

/* What is said of an SA, whoever gave its keys. */
struct sa_row {
	uint32_t name, tunnel; /* name ids */
	const struct cfg_sa *config;
	struct ip_addr local, remote;
	const struct sa *sa;              /* NULL: it could not be made */
	const struct ike_sa_info *by_ike; /* NULL: given by hand */
};

static void
deadline_set(json_t *o, const char *key, uint64_t deadline_ns)
{
	int64_t left = (int64_t)(deadline_ns - clock_boot_ns()) / 1000000000;

	json_object_set_new(o, key, deadline_ns ? json_integer(left < 0 ? 0 : left) : json_null());
}

static json_t *
selectors_json(const struct ike_sa_info *i)
{
	json_t *list = json_array();
	char local[ADDRESS_TEXT_MAX], remote[ADDRESS_TEXT_MAX];

	for (uint32_t k = 0; k < i->n_selectors; k++)
		json_array_append_new(
			list, json_sprintf("%s === %s", prefix_text(&i->selector[k].local, local, sizeof local),
				      prefix_text(&i->selector[k].remote, remote, sizeof remote)));
	return list;
}

static void
negotiated_set(json_t *o, const struct ike_sa_info *i)
{
	json_object_set_new(o, "peer", json_string(i->identity));
	json_object_set_new(o, "requestId", json_integer(i->reqid));
	json_object_set_new(o, "superseded", json_boolean(i->superseded));
	json_object_set_new(o, "ageSeconds", json_integer((json_int_t)((clock_boot_ns() - i->added_ns) / 1000000000)));
	deadline_set(o, "rekeyInSeconds", i->soft_deadline_ns);
	deadline_set(o, "expiresInSeconds", i->hard_deadline_ns);
	json_object_set_new(o, "trafficSelectors", selectors_json(i));
}

static json_t *
sa_json(const struct daemon *d, const struct sa_row *s)
{
	struct sa_counters c = {0};
	json_t *o = json_object();

	if (s->sa)
		sa_counters_read(s->sa, &c);
	json_object_set_new(o, "name", name_json(d->names, s->name));
	json_object_set_new(o, "tunnel", name_json(d->names, s->tunnel));
	json_object_set_new(o, "keys", json_string(s->by_ike ? "ike" : "manual"));
	json_object_set_new(o, "direction", json_string(s->config->outbound ? "out" : "in"));
	json_object_set_new(o, "resource", json_integer(s->config->resource));
	json_object_set_new(o, "spi", json_sprintf("0x%08x", s->config->spi));
	json_object_set_new(o, "local", address_json(&s->local));
	json_object_set_new(o, "remote", address_json(&s->remote));
	json_object_set_new(o, "encryption", json_string(algorithm_encryption_words[s->config->encryption]));
	json_object_set_new(o, "integrity", json_string(algorithm_integrity_words[s->config->integrity]));
	json_object_set_new(o, "esn", json_boolean(s->config->esn));
	json_object_set_new(o, "replayWindow", json_integer(s->config->replay_window));
	json_object_set_new(o, "udpEncapsulation", json_boolean(s->config->udp_encap));
	if (s->config->udp_encap) {
		json_object_set_new(o, "localPort", json_integer(s->config->udp_local_port));
		json_object_set_new(o, "remotePort", json_integer(s->config->udp_remote_port));
	}
	json_object_set_new(o, "state", json_string(s->sa ? state_name(&c) : "missing"));
	json_object_set_new(o, "counters", counters_json(&c));
	if (s->by_ike)
		negotiated_set(o, s->by_ike);
	return o;
}

struct sa_list {
	const struct daemon *d;
	json_t *list;
};

static void
negotiated_append(void *context, const struct ike_sa_info *i)
{
	const struct sa_list *l = context;
	const struct sa_row row = {i->name, i->tunnel, i->config, i->local, i->remote, i->sa, i};

	json_array_append_new(l->list, sa_json(l->d, &row));
}

/* Of one tunnel, or of all (TUNNEL_NONE). */
static void
configured_append(const struct sa_list *l, uint16_t tunnel)
{
	const struct view_spec *spec = &l->d->world->spec;

	for (uint32_t i = 0; i < spec->n_sas; i++) {
		const struct sa_spec *s = &spec->sa[i];
		const struct tunnel_spec *t = &spec->tunnel[s->tunnel];
		const struct sa_row row = {s->name, t->name, &s->config, t->local, t->remote, s->sa, NULL};

		if (tunnel == TUNNEL_NONE || tunnel == s->tunnel)
			json_array_append_new(l->list, sa_json(l->d, &row));
	}
}

/* ---- verbs ---------------------------------------------------------------------------- */

json_t *
connection_sas_json(const struct daemon *d, uint32_t connection)
{
	struct sa_list l = {d, json_array()};
	uint16_t tunnel = d->world->tunnel[connection];

	if (tunnel != TUNNEL_NONE)
		configured_append(&l, tunnel);
	ike_store_connection_each(d->ike, connection, negotiated_append, &l);
	return l.list;
}

json_t *
show_sas(struct daemon *d, const struct request *r, struct failure *f)
{
	struct sa_list l = {d, json_array()};

	(void)r;
	(void)f;
	configured_append(&l, TUNNEL_NONE);
	ike_store_each(d->ike, negotiated_append, &l);
	return l.list;
}
