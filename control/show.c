/* Which function answers which verb, and what several of them need. */
#include "control/show.h"

#include <stdio.h>
#include <string.h>

static show_function *const show_verbs[VERB_COUNT] = {
	[VERB_CONFIG_SHOW] = show_config,
	[VERB_VNET_LIST] = show_vnets,
	[VERB_VNET_SHOW] = show_vnet,
	[VERB_PEERING_LIST] = show_peerings,
	[VERB_PEERING_SHOW] = show_peering,
	[VERB_EFFECTIVE_ROUTES] = show_effective_routes,
	[VERB_HUB_ROUTES] = show_hub_routes,
	[VERB_NEXT_HOP] = show_next_hop,
	[VERB_IP_FLOW] = show_ip_flow,
};

show_function *
show_function_of(enum verb verb)
{
	return verb < VERB_COUNT ? show_verbs[verb] : NULL;
}

const struct effective_table *
show_subnet(const struct show *s, const char *text, struct failure *f)
{
	const struct effective_table *t = NULL;
	const char *slash = strchr(text, '/');
	char vnet[256];

	if (slash && (size_t)(slash - text) < sizeof vnet) {
		snprintf(vnet, sizeof vnet, "%.*s", (int)(slash - text), text);
		t = world_table(s->world, vnet, slash + 1);
	}
	if (!t)
		failure_set(f, "NotFound", "there is no subnet \"%.200s\"", text);
	return t;
}

const char *
show_iface(const struct show *s, uint16_t iface)
{
	const struct view_spec *spec = &s->world->spec;

	if (iface == IFACE_NONE || iface >= spec->n_ifaces || spec->iface[iface].kind == IFACE_INVALID)
		return "";
	return names_text(s->names, spec->iface[iface].name);
}

json_t *
address_json(const struct ip_addr *a)
{
	char text[ADDRESS_TEXT_MAX];

	return json_string(a->family == IP_NONE ? "" : address_text(a, text, sizeof text));
}

json_t *
prefix_json(const struct ip_prefix *p)
{
	char text[ADDRESS_TEXT_MAX];

	return json_string(p->addr.family == IP_NONE ? "" : prefix_text(p, text, sizeof text));
}

json_t *
time_json(time_t t)
{
	struct tm utc;
	char text[32];

	if (t == 0)
		return json_null();
	gmtime_r(&t, &utc);
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
	return json_string(text);
}

json_t *
mac_json(const struct mac_addr *m)
{
	char text[ADDRESS_TEXT_MAX];

	return json_string(mac_text(m, text, sizeof text));
}

json_t *
name_json(const struct names *names, uint32_t id)
{
	return id == NAME_NONE ? json_null() : json_string(names_text(names, id));
}

void
rule_json(json_t *o, const struct names *names, uint32_t id)
{
	const char *text = names_text(names, id), *slash = strchr(text, '/');

	if (id == NAME_NONE || !slash) {
		json_object_set_new(o, "ruleName", json_string(id == NAME_NONE ? "" : text));
		json_object_set_new(o, "networkSecurityGroup", json_null());
		return;
	}
	json_object_set_new(o, "ruleName", json_string(slash + 1));
	json_object_set_new(o, "networkSecurityGroup", json_stringn(text, (size_t)(slash - text)));
}

json_t *
warnings_json(const struct world *w)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < w->n_warnings; i++) {
		json_t *o = json_object();

		json_object_set_new(o, "line", json_integer(w->warning[i].mark.line));
		json_object_set_new(o, "column", json_integer(w->warning[i].mark.column));
		json_object_set_new(o, "message", json_string(w->warning[i].text));
		json_array_append_new(list, o);
	}
	return list;
}
