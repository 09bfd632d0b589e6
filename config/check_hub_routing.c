/* Route tables of hubs and how connections use them: which one they look into (associated), which ones know them
 * (propagated). Every hub has defaultRouteTable and noneRouteTable, written or not; they come first.
 *
 * Branches (sites, circuits, clients) all look into the default table of their hub, as the cloud has it.
 */
#include "config/check_wan.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static const char *const built_in_name[] = {"defaultRouteTable", "noneRouteTable"};
static const char *const built_in_label[] = {"default", "none"};

/* ---- tables ---------------------------------------------------------------------- */

static int32_t
built_in(const char *name)
{
	for (int32_t i = 0; name != NULL && i < 2; i++)
		if (strcasecmp(name, built_in_name[i]) == 0)
			return i;
	return CFG_NONE;
}

/* Those that every hub has in front, made where the file has none. */
static int
tables_arrange(struct check *k, struct cfg_hub *h)
{
	struct cfg_hub_table *all = arena_array(k->b->arena, h->n_tables + 2, sizeof(*all));
	uint32_t n = 2;

	if (all == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < 2; i++)
		all[i] = (struct cfg_hub_table){
			.mark = h->mark, .name = (char *)(uintptr_t)built_in_name[i], .implied = true};
	for (uint32_t i = 0; i < h->n_tables; i++) {
		int32_t at = built_in(h->tables[i].name);

		if (at == CFG_NONE || !all[at].implied)
			at = (int32_t)n++;
		all[at] = h->tables[i];
		binder_moved(k->b, &h->tables[i], sizeof(all[0]), &all[at]);
	}
	h->tables = all;
	h->n_tables = n;
	return 0;
}

static bool
has_label(const struct cfg_hub *h, uint32_t table, const char *label)
{
	const struct cfg_hub_table *t = &h->tables[table];

	if (table <= CFG_HUB_NONE_TABLE && strcasecmp(label, built_in_label[table]) == 0)
		return true;
	for (uint32_t i = 0; i < t->labels.n; i++)
		if (strcasecmp(t->labels.s[i], label) == 0)
			return true;
	return false;
}

/* A hub's own by name, or one of another hub of the virtual WAN's. */
static struct cfg_hub_table_id
table_find(struct check *k, int32_t hub, char *const *ref, struct cfg_mark mark)
{
	struct cfg_hub_table_id id = {hub, CFG_NONE};
	struct child_ref r;

	if (!reference_child(*ref, "virtualHubs", "hubRouteTables", &r)) {
		config_error(k->b->errors, binder_mark(k->b, ref, mark), "InvalidReference",
			"'%.160s' does not name a hub's route table: NAME, HUB/NAME or "
			".../virtualHubs/HUB/hubRouteTables/NAME",
			*ref);
		return id;
	}
	if (r.owner != NULL)
		id.hub = names_find(&k->names[KIND_HUB], r.owner, r.owner_length);
	for (uint32_t i = 0; id.hub != CFG_NONE && i < k->c->wan.hubs[id.hub].n_tables; i++) {
		const char *name = k->c->wan.hubs[id.hub].tables[i].name;

		if (strlen(name) == r.name_length && strncasecmp(name, r.name, r.name_length) == 0)
			id.table = (int32_t)i;
	}
	if (id.table == CFG_NONE)
		config_error(k->b->errors, binder_mark(k->b, ref, mark), "InvalidResourceReference",
			"no route table '%.160s' of a virtual hub in this file", *ref);
	return id;
}

/* ---- propagation ----------------------------------------------------------------- */

static bool
goes_to(const struct cfg_hub_routing *r, int32_t hub, int32_t table)
{
	for (uint32_t i = 0; i < r->n_to; i++)
		if (r->to[i].hub == hub && (table == CFG_NONE || r->to[i].table == table))
			return true;
	return false;
}

bool
hub_routing_reaches(const struct cfg_hub_routing *r, int32_t hub)
{
	return goes_to(r, hub, CFG_HUB_DEFAULT_TABLE);
}

/* Room was made for all tables there are. What goes to the table of nothing goes nowhere. */
static void
to_add(struct cfg_hub_routing *r, int32_t hub, int32_t table)
{
	if (table != CFG_HUB_NONE_TABLE && table != CFG_NONE && !goes_to(r, hub, table))
		r->to[r->n_to++] = (struct cfg_hub_table_id){hub, table};
}

/* All tables with a label, in one hub of a Basic virtual WAN, or in all hubs of a Standard one; how many. */
static uint32_t
to_add_label(struct check *k, struct cfg_hub_routing *r, const char *label)
{
	const struct cfg_hub *own = &k->c->wan.hubs[r->hub];
	bool basic = k->c->wan.wans[own->wan].basic;
	uint32_t found = 0;

	for (uint32_t i = 0; i < k->c->wan.n_hubs; i++) {
		const struct cfg_hub *h = &k->c->wan.hubs[i];

		for (uint32_t t = 0; h->wan == own->wan && (!basic || h == own) && t < h->n_tables; t++) {
			if (!has_label(h, t, label))
				continue;
			to_add(r, (int32_t)i, (int32_t)t);
			found++;
		}
	}
	return found;
}

static void
to_add_ref(struct check *k, struct cfg_hub_routing *r, char *const *ref, struct cfg_mark mark)
{
	const struct cfg_hub *own = &k->c->wan.hubs[r->hub];
	struct cfg_hub_table_id id = table_find(k, r->hub, ref, mark);

	if (id.table == CFG_NONE)
		return;
	if (k->c->wan.hubs[id.hub].wan != own->wan || (id.hub != r->hub && k->c->wan.wans[own->wan].basic)) {
		config_error(k->b->errors, binder_mark(k->b, ref, mark), "InvalidReference",
			"'%.160s' is a table of hub '%.80s', which hub '%.80s' tells nothing", *ref,
			k->c->wan.hubs[id.hub].name, own->name);
		return;
	}
	to_add(r, id.hub, id.table);
}

int
hub_routing_resolve(struct check *k, struct cfg_hub_routing *r, int32_t hub, struct cfg_mark mark)
{
	struct cfg_hub_table_id own = {hub, CFG_HUB_DEFAULT_TABLE};
	uint32_t room = 0;

	if (r->given)
		mark = r->mark;
	for (uint32_t i = 0; i < k->c->wan.n_hubs; i++)
		room += k->c->wan.hubs[i].n_tables;
	r->to = arena_array(k->b->arena, room, sizeof(*r->to));
	if (r->to == NULL)
		return -ENOMEM;
	if (r->associated_ref != NULL)
		own = table_find(k, hub, &r->associated_ref, mark);
	if (own.hub != hub && own.table != CFG_NONE)
		config_error(k->b->errors, binder_mark(k->b, &r->associated_ref, mark), "InvalidReference",
			"'%.160s' is a table of another hub", r->associated_ref);
	r->hub = hub;
	r->associated = own.hub == hub ? own.table : CFG_NONE;
	if (r->labels.n == 0 && r->table_refs.n == 0)
		to_add_label(k, r, built_in_label[0]);
	for (uint32_t i = 0; i < r->labels.n; i++)
		if (to_add_label(k, r, r->labels.s[i]) == 0)
			config_error(k->b->errors, binder_mark(k->b, &r->labels.s[i], mark), "InvalidResourceReference",
				"no route table of a hub here has the label '%.80s'", r->labels.s[i]);
	for (uint32_t i = 0; i < r->table_refs.n; i++)
		to_add_ref(k, r, &r->table_refs.s[i], mark);
	return 0;
}

void
hub_routing_check_branch(struct check *k, const struct cfg_hub_routing *r, const char *name, struct cfg_mark mark)
{
	bool all = goes_to(r, r->hub, CFG_HUB_DEFAULT_TABLE);

	if (r->given)
		mark = r->mark;
	if (r->n_statics > 0)
		config_error(k->b->errors, r->statics[0].mark, "InvalidValue",
			"connection '%.80s' is no virtual network's and has no static routes", name);
	if (r->associated != CFG_HUB_DEFAULT_TABLE && r->associated != CFG_NONE)
		config_error(k->b->errors, binder_mark(k->b, &r->associated_ref, mark), "RouteTableNotAllowed",
			"connection '%.80s': sites, circuits and clients are associated to defaultRouteTable", name);
	for (uint32_t i = 0; i < r->n_to; i++)
		all &= goes_to(r, r->to[i].hub, CFG_HUB_DEFAULT_TABLE);
	if (!all)
		config_error(k->b->errors, mark, "RouteTableNotAllowed",
			"connection '%.80s': sites, circuits and clients propagate to the defaultRouteTable of their "
			"hub, and of each other hub that they propagate to",
			name);
}

/* ---- static routes --------------------------------------------------------------- */

static bool
space_has(const struct cfg_vnet *v, const struct ip_addr *a)
{
	for (uint32_t i = 0; i < v->space.n; i++)
		if (prefix_has(&v->space.p[i], a))
			return true;
	return false;
}

/* With `Contains` the cloud would send what is for the network itself to the appliance, too. */
static void
check_override(struct check *k, const struct cfg_hub_connection *c, const struct cfg_hub_static *s)
{
	const struct cfg_vnet *v = &k->c->vnets[c->vnet];

	for (uint32_t i = 0; c->routing.contains && i < s->prefixes.n; i++)
		for (uint32_t n = 0; n < v->space.n; n++)
			if (prefix_covers(&s->prefixes.p[i], &v->space.p[n]))
				config_error(k->b->errors, MARK(k, &c->routing.contains, s), "NotSupported",
					"connection '%.80s': vnetLocalRouteOverrideCriteria Contains has no effect "
					"here, but "
					"static route '%.80s' covers the virtual network itself: Equal is supported",
					c->name, s->name ? s->name : "");
}

void
hub_routing_check_statics(struct check *k, const struct cfg_hub_connection *c)
{
	char text[ADDRESS_TEXT_MAX];

	for (uint32_t i = 0; c->vnet != CFG_NONE && i < c->routing.n_statics; i++) {
		const struct cfg_hub_static *s = &c->routing.statics[i];

		check_override(k, c, s);
		if (s->next_hop.family != IP_NONE && !space_has(&k->c->vnets[c->vnet], &s->next_hop))
			config_error(k->b->errors, MARK(k, &s->next_hop, s), "NextHopNotInVnet",
				"connection '%.80s': next hop %s is not in virtual network '%.80s'", c->name,
				address_text(&s->next_hop, text, sizeof(text)), k->c->vnets[c->vnet].name);
		for (uint32_t n = 0; n < s->prefixes.n; n++)
			if (s->next_hop.family != IP_NONE && s->prefixes.p[n].addr.family != s->next_hop.family)
				config_error(k->b->errors, MARK(k, &s->prefixes.p[n], s), "InvalidAddressPrefix",
					"connection '%.80s': %s and its next hop are of different families", c->name,
					prefix_text(&s->prefixes.p[n], text, sizeof(text)));
	}
}

static void
resolve_route(struct check *k, const struct cfg_hub *h, struct cfg_hub_route *r)
{
	struct child_ref ref = {.name = NULL};

	if (r->next_hop_ref == NULL)
		return;
	if (reference_child(r->next_hop_ref, "virtualHubs", "hubVirtualNetworkConnections", &ref) &&
		(ref.owner == NULL || (strlen(h->name) == ref.owner_length &&
					      strncasecmp(h->name, ref.owner, ref.owner_length) == 0)))
		for (uint32_t i = 0; i < h->n_connections; i++)
			if (strlen(h->connections[i].name) == ref.name_length &&
				strncasecmp(h->connections[i].name, ref.name, ref.name_length) == 0)
				r->connection = (int32_t)i;
	if (r->connection == CFG_NONE)
		config_error(k->b->errors, MARK(k, &r->next_hop_ref, r), "InvalidResourceReference",
			"hub '%.80s': next hop '%.160s' is none of its hubVirtualNetworkConnections", h->name,
			r->next_hop_ref);
}

static void
check_routes_apart(struct check *k, const struct cfg_hub_table *t, uint32_t route)
{
	const struct cfg_prefixes *own = &t->routes[route].destinations;
	char text[ADDRESS_TEXT_MAX];

	for (uint32_t i = 0; i < own->n; i++)
		for (uint32_t r = 0; r < route; r++)
			for (uint32_t n = 0; n < t->routes[r].destinations.n; n++)
				if (prefix_equal(&own->p[i], &t->routes[r].destinations.p[n]))
					config_error(k->b->errors, MARK(k, &own->p[i], &t->routes[route]),
						"DuplicateRoute", "route table '%.80s' has %s twice", t->name,
						prefix_text(&own->p[i], text, sizeof(text)));
}

int
hub_tables_resolve(struct check *k, struct cfg_hub *h)
{
	struct names names;

	if (tables_arrange(k, h) < 0 ||
		names_build(k->b->arena, &names, h->tables, h->n_tables, sizeof(*h->tables)) < 0)
		return -ENOMEM;
	names_check(k->b, &names, "hub's route table", true);
	for (uint32_t i = 0; i < h->n_tables; i++) {
		for (uint32_t r = 0; r < h->tables[i].n_routes; r++) {
			resolve_route(k, h, &h->tables[i].routes[r]);
			check_routes_apart(k, &h->tables[i], r);
		}
		if (i == CFG_HUB_NONE_TABLE && h->tables[i].n_routes > 0)
			config_error(k->b->errors, h->tables[i].mark, "InvalidValue",
				"noneRouteTable of hub '%.80s' has no routes", h->name);
	}
	return 0;
}
