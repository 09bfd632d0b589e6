/* The exception path, the control namespace and those of gateways, as counters. */
#include "control/bird.h"
#include "control/daemon.h"
#include "control/show_running.h"

static json_t *
count_json(uint64_t packets, uint64_t dropped)
{
	json_t *o = json_object();

	json_object_set_new(o, "packets", json_integer((json_int_t)packets));
	json_object_set_new(o, "dropped", json_integer((json_int_t)dropped));
	return o;
}

json_t *
exception_path_json(const struct daemon *d)
{
	static const char *const name[PUNT_CLASS_COUNT] = {
		[PUNT_NEIGHBOUR] = "neighbour",
		[PUNT_ARP_ND] = "arp",
		[PUNT_ECHO] = "echo",
		[PUNT_ICMP_ERROR] = "icmpErrors",
		[PUNT_LOCAL] = "local",
		[PUNT_BFD] = "bfd",
		[PUNT_IKE] = "ike",
		[PUNT_BGP] = "bgp",
	};
	json_t *o = json_object();

	for (int i = 0; i < PUNT_CLASS_COUNT; i++) {
		struct punt_count n;

		dataplane_punts(d->dp, (enum punt_class)i, &n);
		json_object_set_new(o, name[i], count_json(n.packets, n.dropped));
	}
	return o;
}

static json_t *
interface_json(const struct local_tap *t)
{
	const struct local_count *ike = &t->to_daemons[PUNT_IKE], *errors = &t->to_daemons[PUNT_LOCAL];
	json_t *o = json_object();

	json_object_set_new(o, "interface", json_string(t->interface));
	json_object_set_new(o, "ikeToDaemons", count_json(ike->packets, ike->dropped));
	json_object_set_new(o, "icmpErrorsToDaemons", count_json(errors->packets, errors->dropped));
	json_object_set_new(o, "fromDaemons", count_json(t->from_daemons.packets, t->from_daemons.dropped));
	json_object_set_new(o, "refused", json_integer((json_int_t)t->refused));
	return o;
}

json_t *
control_namespace_json(const struct daemon *d)
{
	const char *name = local_net_name(d->local);
	json_t *o, *uplinks;
	const struct local_tap *t;

	if (!name)
		return json_null();
	o = json_object();
	uplinks = json_object();
	json_object_set_new(o, "name", json_string(name));
	for (uint32_t i = 0; (t = local_net_tap(d->local, i)) != NULL; i++)
		json_object_set_new(uplinks, t->name, interface_json(t));
	json_object_set_new(o, "uplinks", uplinks);
	return o;
}

static json_t *
gateway_link_json(const struct local_tap *t)
{
	const struct local_count *bgp = &t->to_daemons[PUNT_BGP], *bfd = &t->to_daemons[PUNT_BFD];
	json_t *o = json_object();

	json_object_set_new(o, "interface", json_string(t->interface));
	json_object_set_new(o, "bgpToDaemon", count_json(bgp->packets, bgp->dropped));
	json_object_set_new(o, "bfdToDaemon", count_json(bfd->packets, bfd->dropped));
	json_object_set_new(o, "fromDaemon", count_json(t->from_daemons.packets, t->from_daemons.dropped));
	json_object_set_new(o, "refused", json_integer((json_int_t)t->refused));
	return o;
}

/* Its links: the gateway's own, by its name, and those of its circuits. */
static json_t *
gateway_json(const struct gateway_net *n)
{
	json_t *o = json_object(), *links = json_object();
	const struct local_tap *t;

	json_object_set_new(o, "virtualNetworkGateway", json_string(n->gateway));
	json_object_set_new(o, "name", local_net_name(n->net) ? json_string(local_net_name(n->net)) : json_null());
	json_object_set_new(o, "daemon", json_string(n->bird ? "managed" : "external"));
	json_object_set_new(
		o, "processId", n->bird && bird_pid(n->bird) ? json_integer(bird_pid(n->bird)) : json_null());
	json_object_set_new(o, "learnedRoutes", json_integer(learned_count(n->learned)));
	json_object_set_new(o, "refusedRoutes", json_integer((json_int_t)learned_refused(n->learned)));
	json_object_set_new(
		o, "overruns", json_integer(n->monitor ? (json_int_t)route_monitor_overruns(n->monitor) : 0));
	for (uint32_t i = 0; (t = local_net_tap(n->net, i)) != NULL; i++)
		json_object_set_new(links, t->name, gateway_link_json(t));
	json_object_set_new(o, "links", links);
	return o;
}

json_t *
gateway_namespaces_json(const struct daemon *d)
{
	json_t *list = json_array();
	const struct gateway_net *n;

	for (uint32_t i = 0; (n = gateway_nets_at(d->gateways, i)) != NULL; i++)
		json_array_append_new(list, gateway_json(n));
	return list;
}
