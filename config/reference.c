/* See reference.h. Bisection over sorted names: 65,536 interfaces look up 3,000 subnets. */
#include "config/reference.h"
#include "config/check.h"
#include "config/hub_gateway.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct kind_info {
	const char *word; /* in a resource id */
	const char *noun;
	size_t array, count, size;
	bool has_id;
	size_t id;
	bool resource;
};

#define KIND(w, n, m, s)                                                                                               \
	{                                                                                                              \
		.word = w, .noun = n, .array = offsetof(struct config, m), .count = offsetof(struct config, n_##m),    \
		.size = sizeof(s), .has_id = true, .id = offsetof(s, id), .resource = true                             \
	}

#define WAN_KIND(w, n, m, s)                                                                                           \
	{                                                                                                              \
		.word = w, .noun = n, .array = offsetof(struct config, wan.m),                                         \
		.count = offsetof(struct config, wan.n_##m), .size = sizeof(s), .has_id = true, .id = offsetof(s, id), \
		.resource = true                                                                                       \
	}

static const struct kind_info kinds[KINDS] = {
	[KIND_VNET] = KIND("virtualNetworks", "virtual network", vnets, struct cfg_vnet),
	[KIND_ROUTE_TABLE] = KIND("routeTables", "route table", route_tables, struct cfg_route_table),
	[KIND_NSG] = KIND("networkSecurityGroups", "network security group", nsgs, struct cfg_nsg),
	[KIND_ASG] = KIND("applicationSecurityGroups", "application security group", asgs, struct cfg_asg),
	[KIND_NIC] = KIND("networkInterfaces", "network interface", nics, struct cfg_nic),
	[KIND_PUBLIC_IP] = KIND("publicIPAddresses", "public IP address", public_ips, struct cfg_public_ip),
	[KIND_GATEWAY] = KIND("virtualNetworkGateways", "virtual network gateway", gateways, struct cfg_gateway),
	[KIND_LOCAL_GATEWAY] =
		KIND("localNetworkGateways", "local network gateway", local_gateways, struct cfg_local_gateway),
	[KIND_CIRCUIT] = KIND("expressRouteCircuits", "ExpressRoute circuit", circuits, struct cfg_circuit),
	[KIND_CONNECTION] = KIND("connections", "connection", connections, struct cfg_connection),
	[KIND_WAN] = WAN_KIND("virtualWans", "virtual WAN", wans, struct cfg_wan),
	[KIND_HUB] = WAN_KIND("virtualHubs", "virtual hub", hubs, struct cfg_hub),
	[KIND_SITE] = WAN_KIND("vpnSites", "VPN site", sites, struct cfg_site),
	[KIND_SERVER_CONFIGURATION] = WAN_KIND("vpnServerConfigurations", "VPN server configuration",
		server_configurations, struct cfg_server_configuration),
	[KIND_HUB_VPN_GATEWAY] =
		WAN_KIND("vpnGateways", "VPN gateway of a hub", vpn_gateways, struct cfg_hub_vpn_gateway),
	[KIND_HUB_ER_GATEWAY] = WAN_KIND(
		"expressRouteGateways", "ExpressRoute gateway of a hub", er_gateways, struct cfg_hub_er_gateway),
	[KIND_HUB_P2S_GATEWAY] =
		WAN_KIND("p2sVpnGateways", "P2S VPN gateway", p2s_gateways, struct cfg_hub_p2s_gateway),
	[KIND_PORT] = {.word = "ports",
		.noun = "port",
		.array = offsetof(struct config, appliance.ports),
		.count = offsetof(struct config, appliance.n_ports),
		.size = sizeof(struct cfg_port)},
};

/* ---- names ----------------------------------------------------------------------- */

static const struct named *
named_at(const struct names *names, uint32_t i)
{
	return (const struct named *)(const void *)(names->base + i * names->size);
}

static int
name_order(const void *a, const void *b, void *names)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int order = strcasecmp(named_at(names, x)->name, named_at(names, y)->name);

	return order != 0 ? order : (x < y ? -1 : 1);
}

/* Objects the loader found no name for were reported; from here on they are called "". */
int
names_build(struct arena *a, struct names *names, void *base, uint32_t n, size_t size)
{
	static char unnamed[] = "";

	*names = (struct names){.base = base, .size = size};
	names->order = arena_array(a, n, sizeof(*names->order));
	if (names->order == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		struct named *o = (struct named *)(void *)((char *)base + i * size);

		if (o->name != NULL)
			names->order[names->n++] = i;
		else
			o->name = unnamed;
	}
	qsort_r(names->order, names->n, sizeof(*names->order), name_order, names);
	return 0;
}

int32_t
names_find(const struct names *names, const char *name, size_t length)
{
	uint32_t low = 0, high = names->n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const char *other = named_at(names, names->order[middle])->name;
		int order = strncasecmp(name, other, length);

		if (order == 0 && other[length] != '\0')
			order = -1;
		if (order == 0)
			return (int32_t)names->order[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return CFG_NONE;
}

static bool
is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Letters, digits, '_', and inside also '.' and '-'. */
static bool
name_allowed(const char *name, size_t longest)
{
	size_t n = strlen(name);

	if (n == 0 || n > longest || !is_word(name[0]) || !is_word(name[n - 1]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_word(name[i]) && name[i] != '.' && name[i] != '-')
			return false;
	return true;
}

void
names_check(struct binder *b, const struct names *names, const char *noun, bool resource)
{
	size_t longest = resource ? LIMIT_NAME : LIMIT_SHORT_NAME;

	for (uint32_t i = 0; i < names->n; i++) {
		const struct named *o = named_at(names, names->order[i]);

		if (!name_allowed(o->name, longest))
			config_error(b->errors, binder_mark(b, &o->name, o->mark), "InvalidName",
				"'%.100s': a name of a %s has 1 to %zu letters, digits, '.', '_', '-', and no '.' or "
				"'-' at its ends",
				o->name, noun, longest);
		if (i > 0 && strcasecmp(named_at(names, names->order[i - 1])->name, o->name) == 0)
			config_error(b->errors, binder_mark(b, &o->name, o->mark), "DuplicateName",
				"a %s named '%.80s' stands in line %u already", noun, o->name,
				named_at(names, names->order[i - 1])->mark.line);
	}
}

void
names_check_twice(struct binder *b, const struct names *names, const char *noun, uint32_t from)
{
	for (uint32_t i = 1; i < names->n; i++) {
		const struct named *o = named_at(names, names->order[i]),
				   *before = named_at(names, names->order[i - 1]);

		if (names->order[i] >= from && names->order[i - 1] >= from && strcasecmp(o->name, before->name) == 0)
			config_error(b->errors, o->mark, "DuplicateName",
				"a %s named '%.160s' is implied by this object and by the one in line %u", noun,
				o->name, before->mark.line);
	}
}

int
kind_rebuild(struct check *k, enum kind kind)
{
	const char *c = (const char *)k->c;
	void *base;
	uint32_t n;

	memcpy(&base, c + kinds[kind].array, sizeof(base));
	memcpy(&n, c + kinds[kind].count, sizeof(n));
	return names_build(k->b->arena, &k->names[kind], base, n, kinds[kind].size);
}

int
kinds_build(struct check *k)
{
	for (int i = 0; i < KINDS; i++) {
		if (kind_rebuild(k, (enum kind)i) < 0)
			return -ENOMEM;
		names_check(k->b, &k->names[i], kinds[i].noun, kinds[i].resource);
	}
	return 0;
}

/* ---- references ------------------------------------------------------------------ */

/* Parts of a reference: what names the object, and below it the child (subnets). */
struct parts {
	const char *name, *child;
	size_t name_length, child_length, id_length; /* id_length: up to the name's end, 0 = no id */
};

static bool
segment_is(const char *s, size_t n, const char *word)
{
	return strlen(word) == n && strncasecmp(s, word, n) == 0;
}

/* /word/value/word/value...: find kind/NAME, and child_word/NAME behind it. */
static bool
id_split(const char *ref, const char *kind_word, const char *child_word, struct parts *p)
{
	const char *s = ref;

	while (*s == '/') {
		const char *word = s + 1;
		size_t word_length = strcspn(word, "/");
		const char *value = word + word_length + 1;
		size_t value_length;

		if (word_length == 0 || word[word_length] != '/')
			return false;
		value_length = strcspn(value, "/");
		if (value_length == 0)
			return false;
		s = value + value_length;
		/* the provider's namespace is followed by kind/NAME in the same rhythm */
		if (p->name == NULL && segment_is(word, word_length, kind_word)) {
			p->name = value;
			p->name_length = value_length;
			p->id_length = (size_t)(s - ref);
		} else if (p->name != NULL && child_word != NULL && segment_is(word, word_length, child_word)) {
			p->child = value;
			p->child_length = value_length;
		} else if (p->name != NULL) {
			return false;
		}
	}
	return p->name != NULL && (p->child != NULL) == (child_word != NULL);
}

static bool
reference_split(const char *ref, const char *kind_word, const char *child_word, struct parts *p)
{
	const char *slash = strchr(ref, '/');

	memset(p, 0, sizeof(*p));
	if (ref[0] == '/')
		return id_split(ref, kind_word, child_word, p);
	p->name = ref;
	p->name_length = strcspn(ref, "/");
	if (child_word == NULL)
		return slash == NULL;
	if (slash == NULL)
		return false;
	p->child = slash + 1;
	p->child_length = strlen(p->child);
	return p->name_length > 0 && p->child_length > 0 && strchr(p->child, '/') == NULL;
}

/* An object of the same name but of another id is another object. */
static bool
id_contradicts(const struct check *k, enum kind kind, int32_t index, const char *ref, const struct parts *p)
{
	const char *id = NULL;

	if (p->id_length == 0 || !kinds[kind].has_id)
		return false;
	memcpy(&id, k->names[kind].base + (size_t)index * kinds[kind].size + kinds[kind].id, sizeof(id));
	return id != NULL && (strncasecmp(id, ref, p->id_length) != 0 || id[p->id_length] != '\0');
}

static int32_t
parts_find(struct check *k, enum kind kind, const char *ref, const struct parts *p)
{
	int32_t index = names_find(&k->names[kind], p->name, p->name_length);

	if (index != CFG_NONE && id_contradicts(k, kind, index, ref, p))
		return CFG_NONE;
	return index;
}

static void
reference_malformed(struct check *k, const char *ref, struct cfg_mark mark, const char *noun, const char *wanted)
{
	config_error(k->b->errors, mark, "InvalidReference", "'%.160s' does not name a %s: NAME or .../%s", ref, noun,
		wanted);
}

static void
reference_unknown(struct check *k, const struct names *names, const struct parts *p, const char *noun, const char *ref,
	struct cfg_mark mark)
{
	struct suggestion near;
	char wanted[128], text[160];

	if (config_errors_full(k->b->errors)) {
		k->b->errors->total++;
		return;
	}
	snprintf(wanted, sizeof(wanted), "%.*s", (int)(p->child ? p->child_length : p->name_length),
		p->child ? p->child : p->name);
	suggestion_start(&near, wanted);
	for (uint32_t i = 0; i < names->n; i++)
		suggestion_offer(&near, named_at(names, names->order[i])->name);
	if (near.best != NULL && strcasecmp(near.best, wanted) == 0)
		config_error(k->b->errors, mark, "InvalidResourceReference",
			"'%.160s' is not in this file: its %s '%.80s' has another id", ref, noun, near.best);
	else
		config_error(k->b->errors, mark, "InvalidResourceReference", "no %s '%.160s' in this file%s", noun, ref,
			suggestion_text(&near, text, sizeof(text)));
}

bool
reference_child(const char *ref, const char *owner_word, const char *word, struct child_ref *out)
{
	struct parts p;

	*out = (struct child_ref){.name = ref, .name_length = strlen(ref)};
	if (strchr(ref, '/') == NULL)
		return ref[0] != '\0';
	if (!reference_split(ref, owner_word, word, &p))
		return false;
	*out = (struct child_ref){p.name, p.child, p.name_length, p.child_length};
	return true;
}

bool
reference_is_id(enum kind kind, const char *ref)
{
	struct parts p;

	return ref[0] == '/' && reference_split(ref, kinds[kind].word, NULL, &p);
}

int32_t
reference_find(struct check *k, enum kind kind, const char *ref)
{
	struct parts p;

	if (ref == NULL || !reference_split(ref, kinds[kind].word, NULL, &p))
		return CFG_NONE;
	return parts_find(k, kind, ref, &p);
}

int32_t
reference_resolve(struct check *k, enum kind kind, char *const *ref, struct cfg_mark otherwise)
{
	struct cfg_mark mark;
	struct parts p;
	int32_t index;

	if (*ref == NULL)
		return CFG_NONE;
	if (!reference_split(*ref, kinds[kind].word, NULL, &p)) {
		char wanted[64];

		mark = binder_mark(k->b, ref, otherwise);
		snprintf(wanted, sizeof(wanted), "%s/NAME", kinds[kind].word);
		reference_malformed(k, *ref, mark, kinds[kind].noun, wanted);
		return CFG_NONE;
	}
	index = parts_find(k, kind, *ref, &p);
	if (index == CFG_NONE)
		reference_unknown(k, &k->names[kind], &p, kinds[kind].noun, *ref, binder_mark(k->b, ref, otherwise));
	return index;
}

void
reference_resolve_subnet(struct check *k, char *const *ref, struct cfg_mark otherwise, int32_t *vnet, int32_t *subnet)
{
	struct parts p;

	*vnet = *subnet = CFG_NONE;
	if (*ref == NULL)
		return;
	if (!reference_split(*ref, "virtualNetworks", "subnets", &p)) {
		reference_malformed(k, *ref, binder_mark(k->b, ref, otherwise), "subnet",
			"virtualNetworks/VNET/subnets/NAME, or VNET/NAME");
		return;
	}
	*vnet = parts_find(k, KIND_VNET, *ref, &p);
	if (*vnet == CFG_NONE) {
		const struct parts parent = {.name = p.name, .name_length = p.name_length};

		reference_unknown(k, &k->names[KIND_VNET], &parent, kinds[KIND_VNET].noun, *ref,
			binder_mark(k->b, ref, otherwise));
		return;
	}
	*subnet = names_find(&k->subnets[*vnet], p.child, p.child_length);
	if (*subnet == CFG_NONE)
		reference_unknown(k, &k->subnets[*vnet], &p, "subnet", *ref, binder_mark(k->b, ref, otherwise));
}

int
reference_resolve_all(
	struct check *k, enum kind kind, const struct cfg_strings *refs, struct cfg_mark otherwise, int32_t **out)
{
	*out = arena_array(k->b->arena, refs->n, sizeof(**out));
	if (*out == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < refs->n; i++)
		(*out)[i] = reference_resolve(k, kind, &refs->s[i], otherwise);
	return 0;
}
