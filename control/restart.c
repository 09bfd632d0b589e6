/* Workers, memory and ports are laid out once, when the daemon starts. Attachments and uplinks are
 * not among them: they change with the view.
 */
#include "control/restart.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void refuse(struct config_errors *errors, struct cfg_mark mark, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void
refuse(struct config_errors *errors, struct cfg_mark mark, const char *format, ...)
{
	struct config_error *e = &errors->e[errors->n];
	va_list arguments;
	size_t used;

	errors->total++;
	if (errors->n == CONFIG_ERRORS_MAX)
		return;
	errors->n++;
	e->mark = mark;
	snprintf(e->code, sizeof e->code, "NeedsRestart");
	va_start(arguments, format);
	vsnprintf(e->text, sizeof e->text, format, arguments);
	va_end(arguments);
	used = strlen(e->text);
	snprintf(e->text + used, sizeof e->text - used, " cannot change while the daemon runs: restart it");
}

static bool
text_same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool
strings_same(const struct cfg_strings *a, const struct cfg_strings *b)
{
	for (uint32_t i = 0; a->n == b->n && i < a->n; i++)
		if (!text_same(a->s[i], b->s[i]))
			return false;
	return a->n == b->n;
}

static bool
peer_same(const struct cfg_node_peer *a, const struct cfg_node_peer *b)
{
	return a->given == b->given && address_equal(&a->local, &b->local) && address_equal(&a->address, &b->address) &&
	       a->port == b->port && text_same(a->key_file, b->key_file);
}

/* The lease is asked for by one object that lives as long as the daemon. */
static bool
ha_same(const struct cfg_ha *a, const struct cfg_ha *b)
{
	const struct cfg_lease *l = &a->lease, *m = &b->lease;

	return a->given == b->given && text_same(a->node, b->node) && a->preferred == b->preferred &&
	       l->kind == m->kind && text_same(l->path, m->path) && strings_same(&l->endpoints, &m->endpoints) &&
	       text_same(l->key, m->key) && text_same(l->ca_file, m->ca_file) &&
	       text_same(l->certificate, m->certificate) && text_same(l->key_file, m->key_file) &&
	       l->duration_s == m->duration_s && l->margin_ms == m->margin_ms && peer_same(&a->peer, &b->peer);
}

static bool
cores_same(const struct cfg_appliance *a, const struct cfg_appliance *b)
{
	if (a->n_cores != b->n_cores || !a->cores != !b->cores)
		return false;
	return !a->cores || memcmp(a->cores, b->cores, a->n_cores * sizeof *a->cores) == 0;
}

static void
numbers_check(const struct cfg_appliance *running, const struct cfg_appliance *wanted, struct config_errors *errors)
{
	const struct {
		const char *key;
		uint64_t running, wanted;
	} number[] = {
		{"workers", running->workers, wanted->workers},
		{"memory", running->memory_mb, wanted->memory_mb},
		{"hugepages", running->hugepages, wanted->hugepages},
		{"mbufs", running->mbufs, wanted->mbufs},
		{"flows", running->flows, wanted->flows},
		{"neighbours", running->neighbours, wanted->neighbours},
		{"maxSimd", running->max_simd, wanted->max_simd},
		{"busyPoll", running->busy_poll, wanted->busy_poll},
		{"bgp.daemon", running->bgp.daemon, wanted->bgp.daemon},
	};

	for (size_t i = 0; i < sizeof number / sizeof *number; i++)
		if (number[i].running != number[i].wanted)
			refuse(errors, (struct cfg_mark){0, 0}, "appliance.%s", number[i].key);
}

static void
texts_check(const struct cfg_appliance *running, const struct cfg_appliance *wanted, struct config_errors *errors)
{
	const struct {
		const char *key, *running, *wanted;
	} text[] = {
		{"name", running->name, wanted->name},
		{"socket", running->socket, wanted->socket},
		{"stateDirectory", running->state_dir, wanted->state_dir},
		{"controlNamespace", running->control_namespace, wanted->control_namespace},
		{"bgp.bird", running->bgp.bird, wanted->bgp.bird},
		{"bgp.runDirectory", running->bgp.run_dir, wanted->bgp.run_dir},
	};

	for (size_t i = 0; i < sizeof text / sizeof *text; i++)
		if (!text_same(text[i].running, text[i].wanted))
			refuse(errors, (struct cfg_mark){0, 0}, "appliance.%s", text[i].key);
}

static bool
port_same(const struct cfg_port *a, const struct cfg_port *b)
{
	return text_same(a->name, b->name) && a->driver == b->driver && text_same(a->interface, b->interface) &&
	       text_same(a->address, b->address) && text_same(a->path, b->path) && text_same(a->rx_path, b->rx_path) &&
	       text_same(a->tx_path, b->tx_path) && a->server == b->server && a->queues == b->queues &&
	       a->descriptors == b->descriptors && a->mtu == b->mtu && a->has_mac == b->has_mac &&
	       (!a->has_mac || memcmp(&a->mac, &b->mac, sizeof a->mac) == 0) && a->force_copy == b->force_copy &&
	       a->skb_mode == b->skb_mode;
}

static void
ports_check(const struct cfg_appliance *running, const struct cfg_appliance *wanted, struct config_errors *errors)
{
	uint32_t both = running->n_ports < wanted->n_ports ? running->n_ports : wanted->n_ports;

	for (uint32_t i = 0; i < both; i++)
		if (!port_same(&running->ports[i], &wanted->ports[i]))
			refuse(errors, wanted->ports[i].mark, "appliance.ports[%u] (%s)", i, wanted->ports[i].name);
	for (uint32_t i = both; i < wanted->n_ports; i++)
		refuse(errors, wanted->ports[i].mark, "appliance.ports[%u] (%s, new)", i, wanted->ports[i].name);
	for (uint32_t i = both; i < running->n_ports; i++)
		refuse(errors, (struct cfg_mark){0, 0}, "appliance.ports (without %s)", running->ports[i].name);
}

int
restart_check(const struct cfg_appliance *running, const struct cfg_appliance *wanted, struct config_errors *errors)
{
	uint32_t before = errors->total;

	texts_check(running, wanted, errors);
	numbers_check(running, wanted, errors);
	if (!cores_same(running, wanted))
		refuse(errors, (struct cfg_mark){0, 0}, "appliance.cores");
	if (!ha_same(&running->ha, &wanted->ha))
		refuse(errors, wanted->ha.mark, "appliance.highAvailability");
	ports_check(running, wanted, errors);
	return errors->total == before ? 0 : -EINVAL;
}
