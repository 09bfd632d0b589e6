/* A world from the text of a configuration, for tests: anything that goes wrong fails the test. */
#pragma once

#include "config/config.h"
#include "control/world.h"

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

static inline struct world_text
world_from_config(struct config *c)
{
	struct world_text t = {.names = names_create(), .ids = iface_ids_create()};
	struct config_errors errors = {.path = "test"};

	if (world_build(c, t.names, t.ids, &t.world, &errors) != 0) {
		config_errors_print(&errors, stderr);
		fail_msg("no world");
	}
	return t;
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

/* One line per route: "STATE SOURCE PREFIX TYPE NEXTHOP NAME", "-" for what there is not. */
static inline const char *
world_print(const struct world_text *t, const char *vnet, const char *subnet)
{
	static char text[16384];
	const struct effective_table *table = world_table(t->world, vnet, subnet);
	size_t used = 0;

	text[0] = '\0';
	if (table == NULL)
		fail_msg("no table for %s/%s", vnet, subnet);
	for (uint32_t i = 0; i < table->n && used < sizeof(text); i++) {
		const struct effective_route *r = &table->route[i];
		char prefix[ADDRESS_TEXT_MAX], hop[ADDRESS_TEXT_MAX] = "-";

		if (r->next_hop.family != IP_NONE)
			address_text(&r->next_hop, hop, sizeof(hop));
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s %s %s %s %s %s\n",
			r->active ? "Active" : "Invalid", effective_source_name(r->source),
			prefix_text(&r->prefix, prefix, sizeof(prefix)), effective_type_name(r->type), hop,
			r->name ? r->name : "-");
	}
	return text;
}
