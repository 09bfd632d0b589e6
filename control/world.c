/* From a checked configuration to a world, in the order the parts need each other:
 *
 *   interfaces, tunnels, the gateways' routes, what each gateway forwards, then every subnet's table and tags.
 */
#include "control/world.h"

#include "config/errors.h"
#include "control/express_route.h"
#include "control/gateway.h"
#include "control/hops.h"
#include "control/hub.h"
#include "control/iface_ids.h"
#include "control/subnet_tables.h"
#include "control/uplink.h"
#include "control/vnet.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROW_FIRST 8

/* Capacities are powers of two, so the count alone tells when an array is full. */
void *
world_grow(struct world_build *b, void *array, uint32_t n, size_t size)
{
	void *grown;

	if (n == 0)
		return arena_array(b->arena, GROW_FIRST, size);
	if (n < GROW_FIRST || (n & (n - 1)) != 0)
		return array;
	grown = arena_array(b->arena, 2 * (size_t)n, size);
	if (grown != NULL)
		memcpy(grown, array, n * size);
	return grown;
}

static const char *
format_text(struct world_build *b, const char *format, va_list args)
{
	char text[512];
	const char *kept;
	int n = vsnprintf(text, sizeof(text), format, args);

	kept = arena_text(b->arena, text, n < (int)sizeof(text) ? (size_t)n : sizeof(text) - 1);
	return kept == NULL ? "" : kept;
}

const char *
world_text(struct world_build *b, const char *format, ...)
{
	const char *text;
	va_list args;

	va_start(args, format);
	text = format_text(b, format, args);
	va_end(args);
	return text;
}

uint32_t
world_name(struct world_build *b, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return names_id(b->names, text);
}

void
world_warn(struct world_build *b, struct cfg_mark mark, const char *format, ...)
{
	struct world *w = b->world;
	struct warning warning = {.mark = mark}, *grown;
	va_list args;

	va_start(args, format);
	vsnprintf(warning.text, sizeof(warning.text), format, args);
	va_end(args);
	for (uint32_t i = 0; i < w->n_warnings; i++) {
		if (strcmp(w->warning[i].text, warning.text) == 0)
			return; /* one route table on many subnets */
	}
	grown = world_grow(b, w->warning, w->n_warnings, sizeof(*grown));
	if (grown == NULL)
		return;
	w->warning = grown;
	grown[w->n_warnings++] = warning;
}

/* ---- memory ------------------------------------------------------------------------------ */

static struct world *
create(void)
{
	struct world *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->arena = calloc(1, sizeof(*w->arena));
	if (w->arena == NULL) {
		free(w);
		return NULL;
	}
	return w;
}

void
world_free(struct world *w)
{
	if (w == NULL)
		return;
	arena_free(w->arena);
	free(w->arena);
	config_free(w->config);
	free(w);
}

static void
collect_asg_members(struct world_build *b)
{
	for (uint32_t n = 0; n < b->config->n_nics; n++) {
		const struct cfg_nic *nic = &b->config->nics[n];

		for (uint32_t k = 0; k < nic->n_ip_configs; k++) {
			const struct cfg_ip_config *ip = &nic->ip_configs[k];

			for (uint32_t i = 0; i < ip->asg_refs.n; i++) {
				struct cfg_prefixes *m = &b->asg_members[ip->asgs[i]];
				struct ip_prefix *grown = world_grow(b, m->p, m->n, sizeof(*grown));

				if (grown == NULL)
					return;
				m->p = grown;
				grown[m->n++] = (struct ip_prefix){ip->address, address_bits(&ip->address)};
			}
		}
	}
}

/* Tables by index of the configuration; and what the ids NONE stand for in a view. */
static int
prepare(struct world_build *b)
{
	const struct config *c = b->config;
	struct hop_spec none = hop_drop(DROP_NO_ROUTE, NAME_NONE);

	b->subnet_iface = arena_array(b->arena, c->n_vnets, sizeof(*b->subnet_iface));
	b->uplink_iface = arena_array(b->arena, c->appliance.n_uplinks, sizeof(*b->uplink_iface));
	b->tunnel = arena_array(b->arena, c->n_connections, sizeof(*b->tunnel));
	b->circuit_iface = arena_array(b->arena, c->n_circuits, sizeof(*b->circuit_iface));
	b->circuit_routes = arena_array(b->arena, c->n_connections, sizeof(*b->circuit_routes));
	b->gateway = arena_array(b->arena, c->n_gateways, sizeof(*b->gateway));
	b->asg_members = arena_array(b->arena, c->n_asgs, sizeof(*b->asg_members));
	b->nsg_acl = arena_array(b->arena, c->n_nsgs, sizeof(*b->nsg_acl));
	b->tags_use = arena_array(b->arena, GROW_FIRST, sizeof(*b->tags_use));
	b->spec->iface = arena_array(b->arena, IFACES_MAX, sizeof(*b->spec->iface));
	b->spec->routes = arena_array(b->arena, GROW_FIRST, sizeof(*b->spec->routes));
	b->spec->acl = arena_array(b->arena, GROW_FIRST, sizeof(*b->spec->acl));
	b->spec->tags = arena_array(b->arena, GROW_FIRST, sizeof(*b->spec->tags));
	for (uint32_t v = 0; b->subnet_iface != NULL && v < c->n_vnets; v++)
		b->subnet_iface[v] = arena_array(b->arena, c->vnets[v].n_subnets, sizeof(*b->subnet_iface[v]));
	if (b->arena->failed)
		return -ENOMEM;

	for (uint32_t i = 0; i < c->n_connections; i++)
		b->tunnel[i] = TUNNEL_NONE;
	b->spec->n_ifaces = b->spec->n_routes = b->spec->n_acls = b->spec->n_tags = 1;
	b->spec->routes[0].gateway = -1;
	hops_add(b, &none);
	return 0;
}

/* What the running daemon asks by the configuration's indexes. */
static void
world_maps(struct world_build *b)
{
	uint16_t *iface = arena_array(b->arena, b->config->n_gateways, sizeof(*iface));

	struct cfg_prefixes *networks = arena_array(b->arena, b->config->n_gateways, sizeof(*networks));

	struct told_prefixes *told = arena_array(b->arena, b->config->n_gateways, sizeof(*told));

	for (uint32_t i = 0; iface && networks && told && i < b->config->n_gateways; i++) {
		iface[i] = b->gateway[i].iface;
		networks[i] = gateway_networks(b, i);
		if (b->config->gateways[i].hub != CFG_NONE)
			told[i] = hub_told(b, b->config->gateways[i].hub);
	}
	b->world->hub_told = told;
	b->world->gateway_iface = iface;
	b->world->gateway_networks = networks;
	b->world->tunnel = b->tunnel;
	b->world->circuit_iface = (const uint16_t(*)[CFG_CIRCUIT_LINKS])b->circuit_iface;
	b->world->circuit_routes = b->circuit_routes;
}

static int
build(struct world_build *b)
{
	int error = prepare(b);

	if (error != 0)
		return error;
	collect_asg_members(b);
	iface_ids_begin(b->ids);
	error = vnet_interfaces(b);
	if (error == 0)
		error = uplink_interfaces(b);
	if (error == 0)
		error = gateway_interfaces(b);
	if (error == 0)
		error = express_route_interfaces(b);
	if (error != 0)
		return error;

	vnet_nics(b);
	gateway_tunnels(b);
	gateway_routes(b);
	hub_views(b);
	hub_tables(b);
	subnet_tables_gateways(b);
	express_route_tables(b);
	subnet_tables_subnets(b);
	uplink_routes(b);
	world_maps(b);
	return b->arena->failed ? -ENOMEM : 0;
}

int
world_build(struct config *config, const struct learned_all *learned, struct names *names, struct iface_ids *ids,
	struct world **out, struct config_errors *errors)
{
	struct world *w = create();
	struct world_build b = {
		.config = config, .learned = learned, .names = names, .ids = ids, .errors = errors, .world = w};
	int error;

	*out = NULL;
	if (w == NULL)
		return -ENOMEM;
	b.arena = w->arena;
	b.spec = &w->spec;
	error = build(&b);
	if (error == -ENOMEM)
		config_error(
			errors, (struct cfg_mark){0}, "OutOfMemory", "no memory for the tables of this configuration");
	if (error != 0) {
		world_free(w); /* the configuration stays the caller's */
		return error;
	}
	w->config = config;
	*out = w;
	return 0;
}

/* ---- looking things up --------------------------------------------------------------------- */

const char *
effective_type_name(enum effective_type t)
{
	static const char *const name[] = {
		[EFFECTIVE_VNET_LOCAL] = "VnetLocal",
		[EFFECTIVE_VNET_PEERING] = "VNetPeering",
		[EFFECTIVE_VNET_GLOBAL_PEERING] = "VNetGlobalPeering",
		[EFFECTIVE_INTERNET] = "Internet",
		[EFFECTIVE_NONE] = "None",
		[EFFECTIVE_VIRTUAL_APPLIANCE] = "VirtualAppliance",
		[EFFECTIVE_VIRTUAL_NETWORK_GATEWAY] = "VirtualNetworkGateway",
	};

	return name[t];
}

const char *
effective_source_name(enum effective_source s)
{
	static const char *const name[] = {
		[SOURCE_DEFAULT] = "Default",
		[SOURCE_USER] = "User",
		[SOURCE_VIRTUAL_NETWORK_GATEWAY] = "VirtualNetworkGateway",
	};

	return name[s];
}

const struct effective_table *
world_table(const struct world *w, const char *vnet, const char *subnet)
{
	for (uint32_t i = 0; i < w->n_tables; i++) {
		const struct cfg_vnet *v = &w->config->vnets[w->table[i].vnet];

		if (strcasecmp(v->name, vnet) == 0 && strcasecmp(v->subnets[w->table[i].subnet].name, subnet) == 0)
			return &w->table[i];
	}
	return NULL;
}

uint16_t
world_iface_of(const struct world *w, int32_t vnet, const struct ip_addr *a)
{
	int32_t subnet = vnet_subnet_of(w->config, vnet, a, NULL);

	for (uint32_t i = 0; subnet != SUBNET_NONE && i < w->n_tables; i++) {
		if (w->table[i].vnet == vnet && w->table[i].subnet == subnet)
			return w->table[i].iface;
	}
	return IFACE_NONE;
}
