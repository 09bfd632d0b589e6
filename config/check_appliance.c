/* The appliance's own part: names and paths, cores, ports by driver, who sits on which port and VLAN. */
#include "config/check.h"
#include "config/schemas.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- itself ---------------------------------------------------------------------- */

static char *
path_from(struct check *k, const char *format, const char *name)
{
	char path[LIMIT_PATH + 1];

	snprintf(path, sizeof(path), format, name);
	return arena_text(k->b->arena, path, strlen(path));
}

static int
complete_paths(struct check *k, struct cfg_appliance *a)
{
	if (a->socket == NULL)
		a->socket = path_from(k, "/run/isthmus/%.80s.sock", a->name);
	if (a->state_dir == NULL)
		a->state_dir = path_from(k, "/var/lib/isthmus/%.80s", a->name);
	if (a->control_namespace == NULL)
		a->control_namespace = path_from(k, "isthmus-%.80s", a->name);
	if (a->ike.vici_socket == NULL)
		a->ike.vici_socket = path_from(k, "/run/isthmus/%.80s-vici.sock", a->name);
	if (a->ike.plugin_socket == NULL)
		a->ike.plugin_socket = path_from(k, "/run/isthmus/%.80s-ike.sock", a->name);
	return k->b->arena->failed ? -ENOMEM : 0;
}

static void
check_absolute(struct check *k, const char *key, char *const *path)
{
	if (*path != NULL && (*path)[0] != '/')
		config_error(k->b->errors, binder_mark(k->b, path, (struct cfg_mark){0}), "InvalidValue",
			"'%s' is a path from the root, not '%.80s'", key, *path);
}

static bool
same_text(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static void
check_cores(struct check *k, const struct cfg_appliance *a)
{
	struct cfg_mark mark = binder_mark(k->b, &a->cores, (struct cfg_mark){0});

	if (a->cores == NULL)
		return;
	if (a->n_cores != a->workers + 1)
		config_error(k->b->errors, mark, "InvalidValue",
			"'cores' has %u entries: %u workers need %u, the control thread's first", a->n_cores,
			a->workers, a->workers + 1);
	for (uint16_t i = 0; i < a->n_cores; i++)
		for (uint16_t j = 0; j < i; j++)
			if (a->cores[i] == a->cores[j])
				config_error(k->b->errors, mark, "InvalidValue", "core %d stands twice in 'cores'",
					a->cores[i]);
}

/* Names become file names and EAL arguments. */
static bool
short_name(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n <= LIMIT_SHORT_NAME && name[0] != '.' && name[0] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}

/* A file in /run/netns. */
static bool
is_file_name(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || name[0] == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (name[i] <= ' ' || name[i] > '~' || name[i] == '/')
			return false;
	return true;
}

/* Where charon is, and how to talk to it. */
static void
check_ike_daemon(struct check *k, const struct cfg_appliance *a)
{
	const struct cfg_ike_daemon_config *i = &a->ike;

	check_absolute(k, "viciSocket", &i->vici_socket);
	check_absolute(k, "pluginSocket", &i->plugin_socket);
	check_absolute(k, "charon", &i->charon);
	check_absolute(k, "plugin", &i->plugin);
	if (same_text(i->vici_socket, i->plugin_socket) || same_text(i->vici_socket, a->socket) ||
		same_text(i->plugin_socket, a->socket))
		config_error(k->b->errors, binder_mark(k->b, &i->vici_socket, i->mark), "InvalidValue",
			"'socket', 'viciSocket' and 'pluginSocket' are three files");
	if (a->control_namespace != NULL && !is_file_name(a->control_namespace))
		config_error(k->b->errors, binder_mark(k->b, &a->control_namespace, i->mark), "InvalidName",
			"'%.80s': the control namespace's name is a file name without blanks", a->control_namespace);
}

static int
check_self(struct check *k, struct cfg_appliance *a)
{
	if (!short_name(a->name))
		config_error(k->b->errors, binder_mark(k->b, &a->name, (struct cfg_mark){0}), "InvalidName",
			"'%.80s': the appliance's name has 1 to %d letters, digits, '.', '_', '-'", a->name,
			LIMIT_SHORT_NAME);
	check_absolute(k, "socket", &a->socket);
	check_absolute(k, "stateDirectory", &a->state_dir);
	check_absolute(k, "bird", &a->bgp.bird);
	check_absolute(k, "runDirectory", &a->bgp.run_dir);
	check_cores(k, a);
	check_ike_daemon(k, a);
	if (a->max_simd != 0 && a->max_simd != 256 && a->max_simd != 512)
		config_error(k->b->errors, binder_mark(k->b, &a->max_simd, (struct cfg_mark){0}), "InvalidValue",
			"'maxSimd' is 0, 256 or 512, not %u", a->max_simd);
	return complete_paths(k, a);
}

/* ---- ports ----------------------------------------------------------------------- */

enum port_key { PORT_INTERFACE = 1, PORT_ADDRESS = 2, PORT_PATH = 4, PORT_FILES = 8, PORT_SERVER = 16, PORT_XDP = 32 };

static const struct {
	enum port_key key;
	const char *name;
} port_keys[] = {{PORT_INTERFACE, "interface"}, {PORT_ADDRESS, "address"}, {PORT_PATH, "path"},
	{PORT_FILES, "rxPath or txPath"}, {PORT_SERVER, "server"}, {PORT_XDP, "forceCopy or skbMode"}};

/* Which keys a driver must have, and which it may have beside them. */
static const struct {
	unsigned int must, may;
} driver_keys[] = {
	[DRIVER_PCI] = {PORT_ADDRESS, 0},
	[DRIVER_AF_XDP] = {PORT_INTERFACE, PORT_XDP},
	[DRIVER_AF_PACKET] = {PORT_INTERFACE, 0},
	[DRIVER_TAP] = {0, PORT_INTERFACE},
	[DRIVER_MEMIF] = {PORT_PATH, PORT_SERVER},
	[DRIVER_VHOST_USER] = {PORT_PATH, PORT_SERVER},
	[DRIVER_VIRTIO_USER] = {PORT_PATH, PORT_SERVER},
	[DRIVER_PCAP] = {PORT_FILES, 0},
	[DRIVER_RING] = {0, 0},
	[DRIVER_NULL] = {0, 0},
};

static unsigned int
port_has(const struct cfg_port *p)
{
	return (p->interface ? PORT_INTERFACE : 0) | (p->address ? PORT_ADDRESS : 0) | (p->path ? PORT_PATH : 0) |
	       (p->rx_path || p->tx_path ? PORT_FILES : 0) | (p->server ? PORT_SERVER : 0) |
	       (p->force_copy || p->skb_mode ? PORT_XDP : 0);
}

static void
check_driver_keys(struct check *k, const struct cfg_port *p)
{
	unsigned int has = port_has(p), must = driver_keys[p->driver].must, may = must | driver_keys[p->driver].may;

	for (size_t i = 0; i < sizeof(port_keys) / sizeof(port_keys[0]); i++) {
		if (must & ~has & port_keys[i].key)
			config_error(k->b->errors, p->mark, "MissingKey", "port '%.40s': driver %s needs %s", p->name,
				driver_words[p->driver], port_keys[i].name);
		if (has & ~may & port_keys[i].key)
			config_error(k->b->errors, p->mark, "KeyNotForDriver", "port '%.40s': driver %s has no %s",
				p->name, driver_words[p->driver], port_keys[i].name);
	}
}

static bool
is_interface_name(const char *name)
{
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || name[0] == '\0')
		return false;
	for (const char *p = name; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~' || strchr("/:%,=", *p) != NULL)
			return false;
	return true;
}

/* 0000:01:00.0 */
static bool
is_pci_address(const char *text)
{
	static const char form[] = "xxxx:xx:xx.x";

	if (strlen(text) != sizeof(form) - 1)
		return false;
	for (size_t i = 0; i < sizeof(form) - 1; i++) {
		if (form[i] == 'x' && strchr("0123456789abcdefABCDEF", text[i]) == NULL)
			return false;
		if (form[i] != 'x' && text[i] != form[i])
			return false;
	}
	return text[11] <= '7';
}

/* A path becomes part of an EAL argument, where a comma ends it. */
static void
check_path(struct check *k, const struct cfg_port *p, char *const *path)
{
	if (*path != NULL && ((*path)[0] == '\0' || strpbrk(*path, ",\n") != NULL))
		config_error(k->b->errors, MARK(k, path, p), "InvalidValue",
			"port '%.40s': a path is not empty and has no comma", p->name);
}

static int
check_port(struct check *k, struct cfg_port *p)
{
	check_driver_keys(k, p);
	if (p->interface != NULL && !is_interface_name(p->interface))
		config_error(k->b->errors, MARK(k, &p->interface, p), "InvalidValue",
			"port '%.40s': '%.40s' is no interface name", p->name, p->interface);
	if (p->address != NULL && !is_pci_address(p->address))
		config_error(k->b->errors, MARK(k, &p->address, p), "InvalidValue",
			"port '%.40s': '%.40s' is no PCI address like 0000:01:00.0", p->name, p->address);
	check_path(k, p, &p->path);
	check_path(k, p, &p->rx_path);
	check_path(k, p, &p->tx_path);
	if (p->driver != DRIVER_TAP || p->interface != NULL)
		return 0;
	/* a TAP is named like its port */
	if (strlen(p->name) > 15 || !is_interface_name(p->name))
		config_error(k->b->errors, p->mark, "MissingKey",
			"port '%.40s' needs 'interface': its own name is no interface name", p->name);
	p->interface = p->name;
	return 0;
}

/* Two names for one thing: packets would be taken from each other. Reading one capture twice is fine. */
static void
check_port_apart(struct check *k, const struct cfg_port *p, const struct cfg_port *other)
{
	const char *what = NULL;

	if (same_text(p->interface, other->interface))
		what = p->interface;
	else if (same_text(p->address, other->address))
		what = p->address;
	else if (same_text(p->path, other->path))
		what = p->path;
	else if (same_text(p->tx_path, other->tx_path))
		what = p->tx_path;
	if (what != NULL)
		config_error(k->b->errors, p->mark, "PortInUse", "port '%.40s': %.100s is in use by port '%.40s'",
			p->name, what, other->name);
}

static int
check_ports(struct check *k, const struct cfg_appliance *a)
{
	for (uint32_t i = 0; i < a->n_ports; i++) {
		if (check_port(k, &a->ports[i]) < 0)
			return -ENOMEM;
		for (uint32_t j = 0; j < i; j++)
			check_port_apart(k, &a->ports[i], &a->ports[j]);
	}
	return 0;
}

/* ---- attachments ----------------------------------------------------------------- */

static void
check_mtu(struct check *k, int32_t port, const struct ip_prefix *p, struct cfg_mark mark, const char *what)
{
	if (port == CFG_NONE || p->addr.family != IP_V6 || k->c->appliance.ports[port].mtu >= 1280)
		return;
	config_error(k->b->errors, mark, "MtuTooSmall", "port '%.40s' has an MTU of %u, but IPv6 on %.80s needs 1280",
		k->c->appliance.ports[port].name, k->c->appliance.ports[port].mtu, what);
}

static void
check_attachment(struct check *k, struct cfg_attachment *t)
{
	const struct cfg_subnet *s;

	t->port = reference_resolve(k, KIND_PORT, &t->port_ref, t->mark);
	reference_resolve_subnet(k, &t->subnet_ref, t->mark, &t->vnet, &t->subnet);
	if (t->subnet == CFG_NONE)
		return;
	s = &k->c->vnets[t->vnet].subnets[t->subnet];
	if (s->is_gateway)
		config_error(k->b->errors, MARK(k, &t->subnet_ref, t), "GatewaySubnetHost",
			"GatewaySubnet holds no hosts: it has no attachment");
	for (uint32_t i = 0; i < s->prefixes.n; i++)
		check_mtu(k, t->port, &s->prefixes.p[i], t->mark, s->name);
}

static int
subnet_order(const void *a, const void *b)
{
	const struct cfg_attachment *x = *(const struct cfg_attachment *const *)a;
	const struct cfg_attachment *y = *(const struct cfg_attachment *const *)b;

	if (x->vnet != y->vnet)
		return x->vnet < y->vnet ? -1 : 1;
	if (x->subnet != y->subnet)
		return x->subnet < y->subnet ? -1 : 1;
	return x < y ? -1 : x > y;
}

static int
check_attachments(struct check *k, const struct cfg_appliance *a)
{
	const struct cfg_attachment **sorted = arena_array(k->b->arena, a->n_attachments, sizeof(*sorted));

	if (sorted == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < a->n_attachments; i++) {
		check_attachment(k, &a->attachments[i]);
		sorted[i] = &a->attachments[i];
	}
	if (a->n_attachments > 1)
		qsort(sorted, a->n_attachments, sizeof(*sorted), subnet_order);
	for (uint32_t i = 1; i < a->n_attachments; i++)
		if (sorted[i]->subnet != CFG_NONE && sorted[i]->vnet == sorted[i - 1]->vnet &&
			sorted[i]->subnet == sorted[i - 1]->subnet)
			config_error(k->b->errors, sorted[i]->mark, "SubnetAttachedTwice",
				"subnet '%.160s' is attached in line %u already: a subnet is one port and VLAN",
				sorted[i]->subnet_ref, sorted[i - 1]->mark.line);
	return 0;
}

/* ---- one owner per port and VLAN ------------------------------------------------- */

struct place {
	int32_t port;
	uint16_t vlan;
	struct cfg_mark mark;
};

static int
place_order(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	if (x->vlan != y->vlan)
		return x->vlan < y->vlan ? -1 : 1;
	return x->mark.line < y->mark.line ? -1 : x->mark.line > y->mark.line;
}

static int
check_places(struct check *k, const struct cfg_appliance *a)
{
	uint32_t n = 0;
	struct place *all = arena_array(
		k->b->arena, a->n_attachments + a->n_uplinks + CFG_CIRCUIT_LINKS * k->c->n_circuits, sizeof(*all));

	if (all == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < a->n_attachments; i++)
		all[n++] = (struct place){a->attachments[i].port, a->attachments[i].vlan, a->attachments[i].mark};
	for (uint32_t i = 0; i < a->n_uplinks; i++)
		all[n++] = (struct place){a->uplinks[i].port, a->uplinks[i].vlan, a->uplinks[i].mark};
	for (uint32_t i = 0; i < CFG_CIRCUIT_LINKS * k->c->n_circuits; i++) {
		const struct cfg_circuit *c = &k->c->circuits[i / CFG_CIRCUIT_LINKS];

		if (c->private_peering != NULL)
			all[n++] = (struct place){c->port[i % CFG_CIRCUIT_LINKS], c->private_peering->vlan, c->mark};
	}
	if (n > 1)
		qsort(all, n, sizeof(*all), place_order);
	for (uint32_t i = 1; i < n; i++)
		if (all[i].port != CFG_NONE && all[i].port == all[i - 1].port && all[i].vlan == all[i - 1].vlan)
			config_error(k->b->errors, all[i].mark, "VlanInUse",
				"port '%.40s' VLAN %u is in use by the entry in line %u (0 is untagged)",
				a->ports[all[i].port].name, all[i].vlan, all[i - 1].mark.line);
	return 0;
}

int
check_appliance(struct check *k)
{
	struct cfg_appliance *a = &k->c->appliance;

	if (check_self(k, a) < 0 || check_ports(k, a) < 0 || check_attachments(k, a) < 0 || check_uplinks(k) < 0)
		return -ENOMEM;
	return check_places(k, a);
}
