/* A world from the text of a configuration, for tests: anything that goes wrong fails the test. */
#pragma once

#include "config/config.h"
#include "control/world.h"
#include "dataplane/route.h"

#include <rte_byteorder.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct world_text {
	struct names *names;
	struct iface_ids *ids;
	struct world *world;
};

static inline struct config *
config_from(const char *text)
{
	struct config_errors errors = {.path = "test"};
	struct config *c = NULL;

	if (config_parse("test", text, strlen(text), &c, &errors) != 0) {
		config_errors_print(&errors, stderr);
		fail_msg("the test's configuration is refused");
	}
	return c;
}

/* learned: NULL, nothing. */
static inline struct world_text
world_learned(struct config *c, const struct learned_all *learned)
{
	struct world_text t = {.names = names_create(), .ids = iface_ids_create()};
	struct config_errors errors = {.path = "test"};

	if (world_build(c, learned, t.names, t.ids, &t.world, &errors) != 0) {
		config_errors_print(&errors, stderr);
		fail_msg("no world");
	}
	return t;
}

static inline struct world_text
world_from_config(struct config *c)
{
	return world_learned(c, NULL);
}

static inline struct world_text
world_from(const char *text)
{
	return world_from_config(config_from(text));
}

static inline void
world_text_free(struct world_text *t)
{
	world_free(t->world);
	names_free(t->names);
	iface_ids_free(t->ids);
}

struct world_lines {
	char text[16384];
	size_t used;
};

static inline void
world_line(void *context, const struct effective_route *r)
{
	struct world_lines *l = context;
	char prefix[ADDRESS_TEXT_MAX], hop[ADDRESS_TEXT_MAX] = "-";

	if (l->used >= sizeof(l->text))
		return;
	if (r->next_hop.family != IP_NONE)
		address_text(&r->next_hop, hop, sizeof(hop));
	l->used += (size_t)snprintf(l->text + l->used, sizeof(l->text) - l->used, "%s %s %s %s %s %s\n",
		r->active ? "Active" : "Invalid", effective_source_name(r->source),
		prefix_text(&r->prefix, prefix, sizeof(prefix)), effective_type_name(r->type), hop,
		r->name ? r->name : "-");
}

/* One line per route: "STATE SOURCE PREFIX TYPE NEXTHOP NAME", "-" for what there is not. */
static inline const char *
world_print(const struct world_text *t, const char *vnet, const char *subnet)
{
	static struct world_lines lines;
	const struct effective_table *table = world_table(t->world, vnet, subnet);

	lines.text[0] = '\0';
	lines.used = 0;
	if (table == NULL)
		fail_msg("no table for %s/%s", vnet, subnet);
	effective_each(table, world_line, &lines);
	return lines.text;
}

/* ---- what a packet meets ------------------------------------------------------------- */

/* The compiled table of one interface; NULL gateway table where it has none. */
struct world_routes {
	struct routes *routes;
	struct gateway_table *gateway;
};

static inline struct world_routes
world_routes_of(const struct world *w, uint16_t iface)
{
	const struct routes_spec *spec = &w->spec.routes[w->spec.iface[iface].routes];
	struct world_routes r = {0};
	char error[200] = "";

	if (spec->gateway >= 0) {
		r.gateway = gateway_table_build(&w->spec.gateway_table[spec->gateway], error, sizeof(error));
		if (r.gateway == NULL)
			fail_msg("%s", error);
	}
	r.routes = routes_build(spec, r.gateway, error, sizeof(error));
	if (r.routes == NULL)
		fail_msg("%s", error);
	return r;
}

/* The compiled tag table with this index. */
static inline struct tags *
world_tags(const struct world *w, uint32_t tags)
{
	const struct tags_spec *spec = &w->spec.tags[tags];
	struct gateway_table *gateway = NULL;
	char error[200] = "";
	struct tags *t;

	if (spec->gateway > 0)
		gateway = gateway_table_build(&w->spec.gateway_table[spec->gateway - 1], error, sizeof(error));
	t = tags_build(spec, gateway, error, sizeof(error));
	gateway_table_free(gateway);
	if (t == NULL)
		fail_msg("%s", error);
	return t;
}

static inline const struct hop_spec *
world_lookup(const struct world *w, const struct world_routes *r, const struct ip_addr *a)
{
	return &w->spec.hop[a->family == IP_V4 ? routes_lookup_v4(r->routes, rte_cpu_to_be_32(address_v4(a)))
					       : routes_lookup_v6(r->routes, a->b)];
}

static inline void
world_routes_free(struct world_routes *r)
{
	routes_free(r->routes);
	gateway_table_free(r->gateway);
}

/* Interface by its name ("vnet/subnet", "uplink NAME", "gateway NAME"). */
static inline uint16_t
world_iface(const struct world_text *t, const char *name)
{
	for (uint16_t i = 1; i < t->world->spec.n_ifaces; i++) {
		if (strcmp(names_text(t->names, t->world->spec.iface[i].name), name) == 0)
			return i;
	}
	fail_msg("no interface %s", name);
	return IFACE_NONE;
}

/* What happens to a packet, in words: "subnet IFACE", "neighbour IFACE ADDRESS", "uplink IFACE", "tunnel NAME"
 * (and "with NAME" for each beside it), "local", "drop REASON NAME"; then " unless forwarded PEERING". */
static inline const char *
world_hop(const struct world_text *t, const char *iface, const char *destination)
{
	static char text[400];
	struct world_routes r = world_routes_of(t->world, world_iface(t, iface));
	const struct hop_spec *h;
	struct ip_addr a;
	char address[ADDRESS_TEXT_MAX];
	size_t used = 0;

	assert_int_equal(address_parse(destination, &a), 0);
	h = world_lookup(t->world, &r, &a);
#define SAY(...) used += (size_t)snprintf(text + used, sizeof(text) - used, __VA_ARGS__)
#define IFACE(id) names_text(t->names, t->world->spec.iface[id].name)
	switch (h->kind) {
	case HOP_DROP:
		SAY("drop %s %s", drop_name(h->reason), names_text(t->names, h->name));
		break;
	case HOP_SUBNET:
		SAY("subnet %s", IFACE(h->iface));
		break;
	case HOP_CIRCUIT:
		SAY("circuit %s", IFACE(h->iface));
		for (uint16_t i = 0; i < h->n_standby; i++)
			SAY(", %s", IFACE(h->standby[i]));
		break;
	case HOP_NEIGHBOUR:
		SAY("neighbour %s %s", IFACE(h->iface), address_text(&h->address, address, sizeof(address)));
		break;
	case HOP_UPLINK:
		SAY("uplink %s", IFACE(h->iface));
		break;
	case HOP_TUNNEL:
		SAY("tunnel %s", names_text(t->names, t->world->spec.tunnel[h->tunnel].name));
		for (uint16_t n = 0; h->spread && n < h->n_standby; n++)
			SAY(" with %s", names_text(t->names, t->world->spec.tunnel[h->standby[n]].name));
		break;
	case HOP_CLIENT:
		SAY("client of %s", IFACE(h->iface));
		break;
	case HOP_LOCAL:
		SAY("local");
		break;
	}
	if (h->deny_forwarded)
		SAY(" unless forwarded %s", names_text(t->names, h->deny_name));
#undef SAY
#undef IFACE
	world_routes_free(&r);
	return text;
}
