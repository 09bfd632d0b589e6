/* next-hop and ip-flow: verdict_route and verdict_nsg, which are the functions the workers use, on the
 * view the workers use; the world only lends names to what they answer.
 */
#include "control/show.h"

#include <stdio.h>
#include <string.h>

/* ---- what both need ----------------------------------------------------------------- */

static bool
view_check(const struct show *s, const struct effective_table *t, const char *subnet, struct failure *f)
{
	if (!s->view)
		failure_set(f, "NoView", "no compiled tables to ask");
	else if (t->iface == IFACE_NONE)
		failure_set(f, "SubnetNotAttached",
			"subnet \"%.200s\" is attached to no port here: this appliance has no compiled tables for it",
			subnet);
	else
		return true;
	return false;
}

static bool
families_check(const struct ip_addr *a, const struct ip_addr *b, struct failure *f)
{
	if (a->family == b->family)
		return true;
	failure_set(f, "InvalidArgument", "one address is IPv4 and the other is IPv6");
	return false;
}

struct search {
	const struct ip_addr *destination;
	struct effective_route best;
	bool found;
};

static void
search_one(void *context, const struct effective_route *r)
{
	struct search *s = context;

	if (r->active && prefix_has(&r->prefix, s->destination) && (!s->found || r->prefix.len > s->best.prefix.len)) {
		s->best = *r;
		s->found = true;
	}
}

/* The effective route that stands for a destination: the longest active one. The compiled table says what
 * happens, this only lends it the vendor's words. */
static const struct effective_route *
route_of(const struct effective_table *t, const struct ip_addr *destination, struct effective_route *best)
{
	struct search s = {.destination = destination};

	effective_each(t, search_one, &s);
	*best = s.best;
	return s.found ? best : NULL;
}

static const char *
table_id(const struct show *s, const struct effective_table *t, const struct effective_route *r)
{
	const struct config *c = s->world->config;
	int32_t table = c->vnets[t->vnet].subnets[t->subnet].route_table;

	if (!r || r->source != SOURCE_USER || table == CFG_NONE)
		return "System Route";
	return c->route_tables[table].id ? c->route_tables[table].id : c->route_tables[table].name;
}

static const char *
hop_kind_name(enum hop_kind kind)
{
	switch (kind) {
	case HOP_DROP:
		return "drop";
	case HOP_SUBNET:
		return "subnet";
	case HOP_NEIGHBOUR:
		return "neighbour";
	case HOP_UPLINK:
		return "uplink";
	case HOP_CIRCUIT:
		return "circuit";
	case HOP_TUNNEL:
		return "tunnel";
	case HOP_CLIENT:
		return "client";
	case HOP_LOCAL:
		return "local";
	}
	return "unknown";
}

/* ---- next-hop ----------------------------------------------------------------------- */

/* Is the source foreign to the sending VNet, and the hop closed to such packets? */
static bool
forwarded_denied(const struct show *s, const struct effective_table *t, const struct ip_addr *source,
	const struct route_verdict *v)
{
	const struct cfg_vnet *vnet = &s->world->config->vnets[t->vnet];

	if (!v->deny_forwarded)
		return false;
	for (uint32_t i = 0; i < vnet->space.n; i++)
		if (prefix_has(&vnet->space.p[i], source))
			return false;
	return true;
}

/* What becomes of a packet after the route: the hop, or why it is dropped. */
static void
hop_json(json_t *o, const struct show *s, const struct effective_table *t, const struct ip_addr *source,
	const struct route_verdict *v)
{
	bool denied = forwarded_denied(s, t, source, v);
	bool nobody = v->kind == HOP_CLIENT && v->tunnel == TUNNEL_NONE;
	enum drop_reason reason = denied ? DROP_PEER_FWD_DENIED : v->reason;

	json_object_set_new(o, "hop", json_string(denied ? "drop" : hop_kind_name(v->kind)));
	json_object_set_new(o, "interface", json_string(show_iface(s, v->iface)));
	json_object_set_new(o, "name", name_json(s->names, denied ? v->deny_name : v->name));
	if (v->tunnel != TUNNEL_NONE)
		json_object_set_new(o, "tunnel", name_json(s->names, v->tunnel_name));
	if (denied || nobody || v->kind == HOP_DROP) {
		json_object_set_new(o, "dropReason", json_string(drop_name(reason)));
		json_object_set_new(o, "dropText", json_string(drop_text(reason)));
	}
}

json_t *
show_next_hop(const struct show *s, const struct request *r, struct failure *f)
{
	const char *subnet = request_argument(r, "subnet")->text;
	const struct effective_table *t = show_subnet(s, subnet, f);
	const struct effective_route *route;
	struct effective_route best;
	struct verdict_packet p = {
		.source = request_argument(r, "source")->address,
		.destination = request_argument(r, "destination")->address,
	};
	struct route_verdict v;
	json_t *o;

	if (!t || !view_check(s, t, subnet, f) || !families_check(&p.source, &p.destination, f))
		return NULL;
	p.iface = t->iface;
	verdict_route(s->view, &p, &v);
	route = route_of(t, &p.destination, &best);

	o = json_object();
	json_object_set_new(o, "nextHopType", json_string(route ? effective_type_name(route->type) : "None"));
	json_object_set_new(o, "nextHopIpAddress",
		route && route->type == EFFECTIVE_VIRTUAL_APPLIANCE ? address_json(&route->next_hop) : json_string(""));
	json_object_set_new(o, "routeTableId", json_string(table_id(s, t, route)));
	/* Not the vendor's: what the compiled hop does. */
	json_object_set_new(o, "addressPrefix", route ? prefix_json(&route->prefix) : json_null());
	json_object_set_new(o, "routeName", route && route->name ? json_string(route->name) : json_null());
	hop_json(o, s, t, &p.source, &v);
	return o;
}

/* ---- ip-flow ------------------------------------------------------------------------ */

static void
access_json(json_t *o, const struct show *s, const struct acl_verdict *v)
{
	json_object_set_new(o, "access", json_string(v->allow ? "Allow" : "Deny"));
	if (v->had_nsg) {
		rule_json(o, s->names, v->rule_name);
	} else {
		/* No NSG: the vendor names no rule either. */
		json_object_set_new(o, "ruleName", json_string(""));
		json_object_set_new(o, "networkSecurityGroup", json_null());
	}
}

/* One step of the path; returns whether the packet goes on. */
static bool
step_nsg(json_t *path, const struct show *s, const struct verdict_packet *p, bool inbound)
{
	struct acl_verdict v;
	json_t *o = json_object();

	verdict_nsg(s->view, p, inbound, &v);
	json_object_set_new(o, "stage", json_string(stage_name(inbound ? STAGE_NSG_IN : STAGE_NSG_OUT)));
	json_object_set_new(o, "interface", json_string(show_iface(s, p->iface)));
	access_json(o, s, &v);
	json_array_append_new(path, o);
	return v.allow;
}

/* The table of the subnet that an interface is. */
static const struct effective_table *
table_of(const struct show *s, uint16_t iface)
{
	for (uint32_t i = 0; iface != IFACE_NONE && i < s->world->n_tables; i++)
		if (s->world->table[i].iface == iface)
			return &s->world->table[i];
	return NULL;
}

/* The sender's subnet among those we carry: of the receiver's VNet, else of a VNet peered with it. */
static uint16_t
sender_iface(const struct show *s, const struct effective_table *receiver, const struct ip_addr *sender)
{
	const struct cfg_vnet *vnet = &s->world->config->vnets[receiver->vnet];
	uint16_t iface = world_iface_of(s->world, receiver->vnet, sender);

	for (uint32_t i = 0; iface == IFACE_NONE && i < vnet->n_peerings; i++)
		if (vnet->peerings[i].remote != CFG_NONE && vnet->peerings[i].state == PEERING_CONNECTED)
			iface = world_iface_of(s->world, vnet->peerings[i].remote, sender);
	return iface;
}

static bool
step_route(json_t *path, const struct show *s, const struct effective_table *t, const struct verdict_packet *p,
	struct route_verdict *v)
{
	const struct effective_route *route;
	struct effective_route best;
	json_t *o = json_object();

	verdict_route(s->view, p, v);
	route = route_of(t, &p->destination, &best);
	json_object_set_new(o, "stage", json_string(stage_name(STAGE_ROUTE)));
	json_object_set_new(o, "addressPrefix", route ? prefix_json(&route->prefix) : json_null());
	json_object_set_new(o, "nextHopType", json_string(route ? effective_type_name(route->type) : "None"));
	json_object_set_new(o, "nextHopIpAddress", address_json(&v->next_hop));
	json_object_set_new(o, "routeTableId", json_string(table_id(s, t, route)));
	hop_json(o, s, t, &p->source, v);
	json_array_append_new(path, o);
	return v->kind != HOP_DROP && !forwarded_denied(s, t, &p->source, v);
}

/* Rules out, route, rules in: what a new packet meets on its way, in the order of the workers. A packet
 * from outside our subnets (a tunnel, the Internet) has only the last stage here. Returns delivery. */
static bool
path_walk(json_t *path, const struct show *s, const struct effective_table *t, struct verdict_packet p, bool inbound)
{
	uint16_t from = inbound ? sender_iface(s, t, &p.source) : t->iface;
	const struct effective_table *sender = table_of(s, from);
	struct route_verdict v = {.iface = t->iface, .kind = HOP_SUBNET};

	if (sender) {
		p.iface = from;
		if (!step_nsg(path, s, &p, false) || !step_route(path, s, sender, &p, &v))
			return false;
	}
	/* An NVA's subnet judges what is forwarded to the NVA as well: the workers ask the hop's interface. */
	if (v.kind == HOP_SUBNET || v.kind == HOP_NEIGHBOUR) {
		p.iface = v.iface;
		return step_nsg(path, s, &p, true);
	}
	return true;
}

json_t *
show_ip_flow(const struct show *s, const struct request *r, struct failure *f)
{
	const char *subnet = request_argument(r, "subnet")->text;
	const struct argument *local = request_argument(r, "local"), *remote = request_argument(r, "remote");
	bool inbound = strcmp(request_argument(r, "direction")->text, "in") == 0;
	const struct effective_table *t = show_subnet(s, subnet, f);
	const struct argument *source = inbound ? remote : local, *destination = inbound ? local : remote;
	struct verdict_packet p = {
		.source = source->address,
		.destination = destination->address,
		.source_port = source->port,
		.destination_port = destination->port,
		.protocol = (uint8_t)request_argument(r, "protocol")->number,
	};
	struct acl_verdict v;
	json_t *o, *path;

	if (!t || !view_check(s, t, subnet, f) || !families_check(&p.source, &p.destination, f))
		return NULL;
	/* ICMP is another protocol in IPv6, and the word means both. */
	if (p.protocol == 1 && p.source.family == IP_V6)
		p.protocol = 58;
	p.iface = t->iface;
	verdict_nsg(s->view, &p, inbound, &v);

	o = json_object();
	access_json(o, s, &v);
	if (request_argument(r, "path")->number) {
		path = json_array();
		json_object_set_new(o, "delivered", json_boolean(path_walk(path, s, t, p, inbound)));
		json_object_set_new(o, "path", path);
	}
	return o;
}
