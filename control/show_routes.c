/* effective-routes: every route of a subnet, the losers as well (show-effective-route-table). hub routes: what a table
 * of a hub holds (get-effective-routes).
 */
#include "control/show.h"

#include <strings.h>

static json_t *
one(json_t *value)
{
	json_t *list = json_array();

	json_array_append_new(list, value);
	return list;
}

static bool
propagation_disabled(const struct show *s, const struct effective_table *t)
{
	const struct config *c = s->world->config;
	int32_t table = c->vnets[t->vnet].subnets[t->subnet].route_table;

	return table != CFG_NONE && c->route_tables[table].disable_bgp_route_propagation;
}

static json_t *
route_json(const struct effective_route *r, bool disable_propagation)
{
	json_t *o = json_object();

	json_object_set_new(o, "addressPrefix", one(prefix_json(&r->prefix)));
	json_object_set_new(o, "destinationServiceTags", json_array());
	json_object_set_new(o, "disableBgpRoutePropagation", json_boolean(disable_propagation));
	json_object_set_new(o, "hasBgpOverride", json_false());
	json_object_set_new(o, "name", r->name ? json_string(r->name) : json_null());
	json_object_set_new(
		o, "nextHopIpAddress", r->next_hop.family == IP_NONE ? json_array() : one(address_json(&r->next_hop)));
	json_object_set_new(o, "nextHopType", json_string(effective_type_name(r->type)));
	json_object_set_new(o, "source", json_string(effective_source_name(r->source)));
	json_object_set_new(o, "state", json_string(r->active ? "Active" : "Invalid"));
	json_object_set_new(o, "tagMap", json_object());
	/* Not the vendor's: why it lost, or why packets that take it are dropped. */
	if (r->why)
		json_object_set_new(o, "reason", json_string(r->why));
	return o;
}

struct list {
	json_t *value;
	bool disable_propagation;
};

static void
route_append(void *context, const struct effective_route *r)
{
	struct list *l = context;

	json_array_append_new(l->value, route_json(r, l->disable_propagation));
}

json_t *
show_effective_routes(const struct show *s, const struct request *r, struct failure *f)
{
	const struct effective_table *t = show_subnet(s, request_argument(r, "subnet")->text, f);
	struct list list;
	json_t *o;

	if (!t)
		return NULL;
	list = (struct list){json_array(), propagation_disabled(s, t)};
	effective_each(t, route_append, &list);
	o = json_object();
	json_object_set_new(o, "nextLink", json_null());
	json_object_set_new(o, "value", list.value);
	return o;
}

/* ---- hubs -------------------------------------------------------------------------- */

static json_t *
hub_row_json(const struct hub_row *r)
{
	json_t *o = json_object();

	json_object_set_new(o, "addressPrefixes", one(prefix_json(&r->prefix)));
	/* `routes learned` has the paths */
	json_object_set_new(o, "asPath", r->learned ? json_null() : json_string(""));
	json_object_set_new(o, "nextHopType", json_string(r->type));
	json_object_set_new(o, "nextHops", one(json_string(r->next_hop)));
	json_object_set_new(o, "routeOrigin", json_string(r->origin));
	return o;
}

static const struct hub_table *
hub_table_find(const struct world *w, const char *hub, const char *table)
{
	for (uint32_t i = 0; i < w->n_hub_tables; i++) {
		const struct hub_table *t = &w->hub_table[i];

		if (strcasecmp(w->config->wan.hubs[t->hub].name, hub) == 0 &&
			strcasecmp(w->config->wan.hubs[t->hub].tables[t->table].name, table) == 0)
			return t;
	}
	return NULL;
}

json_t *
show_hub_routes(const struct show *s, const struct request *r, struct failure *f)
{
	const struct argument *hub = request_argument(r, "hub"), *table = request_argument(r, "table");
	const char *name = table->given ? table->text : "defaultRouteTable";
	const struct hub_table *t = hub_table_find(s->world, hub->text, name);
	json_t *o, *value;

	if (!t)
		return failure_set(
			f, "NotFound", "there is no virtual hub \"%.100s\" with a table \"%.100s\"", hub->text, name);
	value = json_array();
	for (uint32_t i = 0; i < t->n; i++)
		json_array_append_new(value, hub_row_json(&t->row[i]));
	o = json_object();
	json_object_set_new(o, "value", value);
	return o;
}
