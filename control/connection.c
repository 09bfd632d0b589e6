#include "control/connection.h"

#include "control/charon.h"
#include "control/daemon.h"
#include "control/ha.h"

/* ---- counting ------------------------------------------------------------------------- */

static void
sa_count(struct connection_state *s, const struct sa *sa, bool outbound)
{
	struct sa_counters c;

	sa_counters_read(sa, &c);
	*(outbound ? &s->bytes_out : &s->bytes_in) += c.bytes;
	*(outbound ? &s->packets_out : &s->packets_in) += c.packets;
	if (!c.exhausted && !c.hard_expired)
		*(outbound ? &s->outbound : &s->inbound) += 1;
}

static void
negotiated_count(void *state, const struct ike_sa_info *sa)
{
	sa_count(state, sa->sa, sa->outbound);
}

/* Given by hand. */
static void
configured_count(struct connection_state *s, const struct view_spec *spec, uint16_t tunnel)
{
	for (uint32_t i = 0; i < spec->n_sas; i++)
		if (spec->sa[i].tunnel == tunnel && spec->sa[i].sa)
			sa_count(s, spec->sa[i].sa, spec->sa[i].config.outbound);
}

/* ---- state ---------------------------------------------------------------------------- */

static enum connection_status
status_of(const struct connection_state *s)
{
	if (!s->here || !s->service)
		return CONNECTION_UNKNOWN;
	if (s->inbound && s->outbound)
		return CONNECTION_CONNECTED;
	return s->ike && s->ike->established_ns == 0 ? CONNECTION_CONNECTING : CONNECTION_NOT_CONNECTED;
}

static bool
is_standby(const struct daemon *d, uint32_t connection)
{
	const struct ike_item *item = d->charon ? ike_conf_find(charon_conf(d->charon), IKE_CONN,
							  d->world->config->connections[connection].name)
						: NULL;

	return item && item->shared && !ha_is_primary(d);
}

static void
negotiated(const struct daemon *d, uint32_t connection, struct connection_state *s)
{
	s->standby = is_standby(d, connection);
	s->service = ike_store_synced(d->ike);
	s->bytes_in = s->ike->bytes_in;
	s->bytes_out = s->ike->bytes_out;
	s->packets_in = s->ike->packets_in;
	s->packets_out = s->ike->packets_out;
	if (s->ike->ike_up) {
		s->local = s->ike->local;
		s->remote = s->ike->remote;
	}
	ike_store_connection_each(d->ike, connection, negotiated_count, s);
}

/* It is up while its peers tell of something. */
static void
circuit_state(const struct world *w, uint32_t connection, struct connection_state *out)
{
	int32_t circuit = w->config->connections[connection].circuit;
	const uint16_t *iface = circuit == CFG_NONE ? NULL : w->circuit_iface[circuit];

	*out = (struct connection_state){.service = true};
	for (uint8_t i = 0; iface && i < CFG_CIRCUIT_LINKS; i++) {
		if (iface[i] == IFACE_NONE || out->local.family)
			continue;
		out->uplink_port = w->spec.iface[iface[i]].port;
		out->local = w->spec.iface[iface[i]].address[0];
		out->remote = w->spec.iface[iface[i]].gateway4;
		out->circuit = true;
	}
	if (out->circuit)
		out->status = w->circuit_routes[connection] ? CONNECTION_CONNECTED : CONNECTION_NOT_CONNECTED;
}

void
connection_state(const struct daemon *d, uint32_t connection, struct connection_state *out)
{
	const struct cfg_connection *c = &d->world->config->connections[connection];
	const struct view_spec *spec = &d->world->spec;
	uint16_t tunnel = d->world->tunnel[connection];

	if (c->type == CONNECTION_EXPRESS_ROUTE) {
		circuit_state(d->world, connection, out);
		return;
	}
	*out = (struct connection_state){.here = tunnel != TUNNEL_NONE, .service = true};
	if (!out->here)
		return;
	out->uplink_port = spec->iface[spec->tunnel[tunnel].uplink].port;
	out->local = spec->tunnel[tunnel].local;
	out->remote = spec->tunnel[tunnel].remote;
	configured_count(out, spec, tunnel);
	out->ike = ike_store_connection(d->ike, connection);
	if (out->ike)
		negotiated(d, connection, out);
	out->status = status_of(out);
}

const char *
connection_status_name(enum connection_status s)
{
	switch (s) {
	case CONNECTION_UNKNOWN:
		break;
	case CONNECTION_CONNECTING:
		return "Connecting";
	case CONNECTION_CONNECTED:
		return "Connected";
	case CONNECTION_NOT_CONNECTED:
		return "NotConnected";
	}
	return "Unknown";
}
