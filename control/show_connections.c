/* connection list, show and reset: a connection as it is configured, with what the vendor's `az network vpn-connection
 * show` adds to it, and under appliance.state what only we know. */
#include "control/show_running.h"

#include "control/charon.h"
#include "control/connection.h"
#include "control/daemon.h"

#include <errno.h>
#include <string.h>

static json_t *
text_json(const char *text)
{
	return *text ? json_string(text) : json_null();
}

/* ---- what IKE knows -------------------------------------------------------------------- */

static const struct ike_fault_record *
fault_last(const struct ike_status *t)
{
	const struct ike_fault_record *last = NULL;

	for (int i = 0; i < IKE_FAULT_COUNT; i++)
		if (t->fault[i].last_ns && (!last || t->fault[i].last_ns > last->last_ns))
			last = &t->fault[i];
	return last;
}

static json_t *
fault_json(const struct ike_fault_record *f)
{
	json_t *o;

	if (!f)
		return json_null();
	o = json_object();
	json_object_set_new(o, "time", time_json(f->last));
	json_object_set_new(o, "fault", json_string(ike_fault_name(f->fault)));
	json_object_set_new(o, "detail", json_string(f->text));
	json_object_set_new(o, "count", json_integer((json_int_t)f->count));
	return o;
}

static const char *
nat_name(uint32_t nat)
{
	static const char *const name[] = {"none", "local", "remote", "both"};

	return name[nat & 3];
}

static void
ike_set(json_t *o, const struct ike_status *t)
{
	json_object_set_new(o, "ikeState", json_string(t->ike_up ? "Established" : "Down"));
	json_object_set_new(o, "ikeVersion", t->version ? json_integer(t->version) : json_null());
	json_object_set_new(o, "ikeEstablishedUtcTime", time_json(t->ike_since));
	json_object_set_new(o, "ikeProposal", text_json(t->proposal));
	json_object_set_new(o, "localId", text_json(t->local_id));
	json_object_set_new(o, "remoteId", text_json(t->remote_id));
	json_object_set_new(o, "nat", json_string(nat_name(t->nat)));
	json_object_set_new(o, "reconnects", json_integer((json_int_t)t->reconnected));
	json_object_set_new(o, "rekeys", json_integer((json_int_t)t->rekeyed));
	json_object_set_new(o, "lastRekeyUtcTime", time_json(t->rekeyed_last));
	json_object_set_new(o, "lastFault", fault_json(fault_last(t)));
}

/* ---- a connection ---------------------------------------------------------------------- */

static json_t *
state_json(const struct connection_state *s)
{
	json_t *o = json_object();

	json_object_set_new(o, "keys", json_string(s->ike ? "ike" : s->here ? "manual" : "none"));
	json_object_set_new(o, "localAddress", address_json(&s->local));
	json_object_set_new(o, "remoteAddress", address_json(&s->remote));
	json_object_set_new(o, "inboundSecurityAssociations", json_integer(s->inbound));
	json_object_set_new(o, "outboundSecurityAssociations", json_integer(s->outbound));
	json_object_set_new(o, "ingressPackets", json_integer((json_int_t)s->packets_in));
	json_object_set_new(o, "egressPackets", json_integer((json_int_t)s->packets_out));
	if (s->ike)
		ike_set(o, s->ike);
	return o;
}

static void
transferred_set(json_t *o, const struct connection_state *s)
{
	json_object_set_new(o, "connectionStatus", json_string(connection_status_name(s->status)));
	json_object_set_new(o, "ingressBytesTransferred", json_integer((json_int_t)s->bytes_in));
	json_object_set_new(o, "egressBytesTransferred", json_integer((json_int_t)s->bytes_out));
}

static json_t *
tunnels_json(const struct cfg_connection *c, const struct connection_state *s)
{
	json_t *list = json_array(), *o;
	char remote[ADDRESS_TEXT_MAX];

	if (!s->here)
		return list;
	o = json_object();
	json_object_set_new(o, "tunnel",
		s->remote.family == IP_NONE
			? json_string(c->name)
			: json_sprintf("%s_%s", c->name, address_text(&s->remote, remote, sizeof remote)));
	transferred_set(o, s);
	json_object_set_new(o, "lastConnectionEstablishedUtcTime", time_json(s->ike ? s->ike->established : 0));
	json_array_append_new(list, o);
	return list;
}

static json_t *
ref_json(const char *name)
{
	json_t *o = json_object();

	json_object_set_new(o, "id", json_string(name));
	return o;
}

/* A hub's, which the configuration has in another shape. */
static json_t *
implied_json(const struct cfg_connection *c)
{
	json_t *o = json_object();

	json_object_set_new(o, "name", json_string(c->name));
	json_object_set_new(
		o, "connectionType", json_string(c->type == CONNECTION_EXPRESS_ROUTE ? "ExpressRoute" : "IPsec"));
	json_object_set_new(o, "virtualNetworkGateway1", ref_json(c->gateway1_ref));
	if (c->local_gateway_ref)
		json_object_set_new(o, "localNetworkGateway2", ref_json(c->local_gateway_ref));
	if (c->circuit_ref)
		json_object_set_new(o, "peer", ref_json(c->circuit_ref));
	return o;
}

/* config_print keeps the order of the configuration, but for what is implied, which stands behind. */
static json_t *
connection_json(const struct daemon *d, uint32_t i)
{
	const struct cfg_connection *c = &d->world->config->connections[i];
	json_t *printed = json_array_get(json_object_get(d->text, "connections"), i);
	json_t *o = c->implied ? implied_json(c) : json_copy(printed),
	       *appliance = json_copy(json_object_get(printed, "appliance"));
	struct connection_state s;

	connection_state(d, i, &s);
	if (!appliance)
		appliance = json_object();
	json_object_set_new(appliance, "state", state_json(&s));
	json_object_set_new(o, "appliance", appliance);
	transferred_set(o, &s);
	json_object_set_new(o, "tunnelConnectionStatus", tunnels_json(c, &s));
	return o;
}

/* ---- verbs ---------------------------------------------------------------------------- */

static int64_t
connection_find(const struct daemon *d, const char *name, struct failure *f)
{
	const struct config *c = d->world->config;

	for (uint32_t i = 0; i < c->n_connections; i++)
		if (strcmp(c->connections[i].name, name) == 0)
			return i;
	failure_set(f, "NotFound", "there is no connection \"%.200s\"", name);
	return -1;
}

json_t *
show_connections(struct daemon *d, const struct request *r, struct failure *f)
{
	json_t *list = json_array();

	(void)r;
	(void)f;
	for (uint32_t i = 0; i < d->world->config->n_connections; i++)
		json_array_append_new(list, connection_json(d, i));
	return list;
}

json_t *
show_connection(struct daemon *d, const struct request *r, struct failure *f)
{
	int64_t i = connection_find(d, request_argument(r, "name")->text, f);
	json_t *o = i < 0 ? NULL : connection_json(d, (uint32_t)i);

	if (o)
		json_object_set_new(o, "securityAssociations", connection_sas_json(d, (uint32_t)i));
	return o;
}

json_t *
reset_connection(struct daemon *d, const struct request *r, struct failure *f)
{
	const char *name = request_argument(r, "name")->text;
	int64_t i = connection_find(d, name, f);
	int result;

	if (i < 0)
		return NULL;
	if (!ike_store_connection(d->ike, (uint32_t)i))
		return failure_set(f, "NotSupported", "IKE does not negotiate connection \"%.200s\" here", name);
	result = d->charon ? charon_reset(d->charon, name) : -ENOTCONN;
	if (result != 0)
		return failure_set(f, "ServiceNotRunning", "connection \"%.200s\": charon cannot be told: %s", name,
			strerror(-result));
	return connection_json(d, (uint32_t)i);
}
