/* The configuration and its networks: picked from what config_print wrote, which is the one printer. */
#include "control/show.h"

#include <string.h>

json_t *
show_config(const struct show *s, const struct request *r, struct failure *f)
{
	(void)r;
	if (!s->config)
		return failure_set(f, "NotFound", "there is no configuration");
	return json_incref(s->config);
}

static json_t *
named(json_t *list, const char *name)
{
	json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		const char *text = json_string_value(json_object_get(o, "name"));

		if (text && strcmp(text, name) == 0)
			return o;
	}
	return NULL;
}

static json_t *
vnet_find(const struct show *s, const char *name, struct failure *f)
{
	json_t *vnet = named(json_object_get(s->config, "virtualNetworks"), name);

	if (!vnet)
		failure_set(f, "NotFound", "there is no virtual network \"%.200s\"", name);
	return vnet;
}

json_t *
show_vnets(const struct show *s, const struct request *r, struct failure *f)
{
	json_t *list = json_object_get(s->config, "virtualNetworks");

	(void)r;
	(void)f;
	return list ? json_incref(list) : json_array();
}

json_t *
show_vnet(const struct show *s, const struct request *r, struct failure *f)
{
	json_t *vnet = vnet_find(s, request_argument(r, "name")->text, f);

	return vnet ? json_incref(vnet) : NULL;
}

/* ---- peerings ----------------------------------------------------------------------- */

static bool
prefix_among(const struct cfg_prefixes *list, const struct ip_prefix *p)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (prefix_equal(&list->p[i], p))
			return true;
	return false;
}

/* Does this link still route what the remote VNet's space is? An empty remoteAddressSpace follows it. */
static bool
link_in_sync(const struct config *c, const struct cfg_peering *p)
{
	const struct cfg_prefixes *space;

	if (p->remote == CFG_NONE || p->remote_space.n == 0)
		return true;
	space = &c->vnets[p->remote].space;
	if (space->n != p->remote_space.n)
		return false;
	for (uint32_t i = 0; i < space->n; i++)
		if (!prefix_among(&p->remote_space, &space->p[i]))
			return false;
	return true;
}

static const char *
sync_level(const struct config *c, const struct cfg_peering *p)
{
	bool local = link_in_sync(c, p);
	bool remote = p->remote == CFG_NONE || p->partner == CFG_NONE ||
		      link_in_sync(c, &c->vnets[p->remote].peerings[p->partner]);

	if (local)
		return remote ? "FullyInSync" : "RemoteNotInSync";
	return remote ? "LocalNotInSync" : "LocalAndRemoteNotInSync";
}

static json_t *
space_json(const struct cfg_prefixes *space)
{
	json_t *o = json_object(), *list = json_array();

	for (uint32_t i = 0; i < space->n; i++)
		json_array_append_new(list, prefix_json(&space->p[i]));
	json_object_set_new(o, "addressPrefixes", list);
	return o;
}

/* What the file does not say: the state comes from both ends, the sync level from both spaces. */
static json_t *
peering_json(const struct show *s, uint32_t vnet, uint32_t peering, json_t *printed)
{
	const struct config *c = s->world->config;
	const struct cfg_peering *p = &c->vnets[vnet].peerings[peering];
	json_t *o = json_copy(printed);

	json_object_set_new(o, "virtualNetwork", json_string(c->vnets[vnet].name));
	json_object_set_new(o, "peeringSyncLevel", json_string(sync_level(c, p)));
	if (p->remote == CFG_NONE)
		return o;
	json_object_set_new(
		o, "remoteAddressSpace", space_json(p->remote_space.n ? &p->remote_space : &c->vnets[p->remote].space));
	json_object_set_new(o, "remoteVirtualNetworkAddressSpace", space_json(&c->vnets[p->remote].space));
	return o;
}

static int32_t
vnet_index(const struct config *c, const char *name)
{
	for (uint32_t v = 0; v < c->n_vnets; v++)
		if (strcmp(c->vnets[v].name, name) == 0)
			return (int32_t)v;
	return CFG_NONE;
}

static void
peerings_append(const struct show *s, json_t *list, uint32_t vnet)
{
	json_t *networks = json_object_get(s->config, "virtualNetworks");
	json_t *peerings = json_object_get(json_array_get(networks, vnet), "virtualNetworkPeerings"), *printed;
	size_t i;

	/* config_print keeps the order of the configuration. */
	json_array_foreach(peerings, i, printed)
		json_array_append_new(list, peering_json(s, vnet, (uint32_t)i, printed));
}

json_t *
show_peerings(const struct show *s, const struct request *r, struct failure *f)
{
	const struct argument *only = request_argument(r, "vnet");
	const struct config *c = s->world->config;
	int32_t vnet = only->given ? vnet_index(c, only->text) : CFG_NONE;
	json_t *list;

	if (only->given && vnet == CFG_NONE)
		return failure_set(f, "NotFound", "there is no virtual network \"%.200s\"", only->text);
	list = json_array();
	for (uint32_t v = 0; v < c->n_vnets; v++)
		if (vnet == CFG_NONE || (uint32_t)vnet == v)
			peerings_append(s, list, v);
	return list;
}

json_t *
show_peering(const struct show *s, const struct request *r, struct failure *f)
{
	const char *vnet = request_argument(r, "vnet")->text, *name = request_argument(r, "name")->text;
	int32_t v = vnet_index(s->world->config, vnet);
	json_t *list, *found;

	if (v == CFG_NONE)
		return failure_set(f, "NotFound", "there is no virtual network \"%.200s\"", vnet);
	list = json_array();
	peerings_append(s, list, (uint32_t)v);
	found = json_incref(named(list, name));
	json_decref(list);
	if (!found)
		failure_set(f, "NotFound", "virtual network \"%.100s\" has no peering \"%.200s\"", vnet, name);
	return found;
}
