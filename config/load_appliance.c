/* The schema of the appliance's own part: resources, ports, attachments, uplinks. */
#include "config/schemas.h"

#include <errno.h>
#include <string.h>

/* by enum cfg_driver */
const char *const driver_words[] = {
	"pci", "af_xdp", "af_packet", "tap", "memif", "vhost_user", "virtio_user", "pcap", "ring", "null", NULL};

static const char *const hugepage_words[] = {"auto", "on", "off", NULL};

/* ---- ports ----------------------------------------------------------------------- */

/* The null driver may be written bare here: a port that drops all is no danger. */
static int
bind_driver(struct binder *b, const struct field *f, const struct node *n, void *object)
{
	int driver = bind_word(b, f->key, driver_words, n);

	if (driver >= 0)
		((struct cfg_port *)object)->driver = (enum cfg_driver)driver;
	return 0;
}

static void
print_driver(struct json *j, const struct field *f, const void *object)
{
	json_key(j, f->key);
	json_text(j, driver_words[((const struct cfg_port *)object)->driver]);
}

static const struct field port_fields[] = {
	NAME(struct cfg_port),
	{.key = "driver",
		.type = FIELD_CUSTOM,
		.required = true,
		.null_is_text = true,
		.bind = bind_driver,
		.print = print_driver},
	TEXT("interface", struct cfg_port, interface, 15),
	TEXT("address", struct cfg_port, address, 12),
	TEXT("path", struct cfg_port, path, LIMIT_SOCKET_PATH),
	TEXT("rxPath", struct cfg_port, rx_path, LIMIT_PATH),
	TEXT("txPath", struct cfg_port, tx_path, LIMIT_PATH),
	FLAG("server", struct cfg_port, server),
	NUMBER("queues", struct cfg_port, queues, 0, LIMIT_WORKERS),
	ZERO_OR("descriptors", struct cfg_port, descriptors, 64, 32768),
	NUMBER("mtu", struct cfg_port, mtu, 68, 9000),
	{.key = "macAddress",
		.type = FIELD_MAC,
		.or_empty = true,
		.offset = offsetof(struct cfg_port, mac),
		.present = offsetof(struct cfg_port, has_mac)},
	FLAG("forceCopy", struct cfg_port, force_copy),
	FLAG("skbMode", struct cfg_port, skb_mode),
	END_OF_FIELDS,
};

static void
port_init(void *object)
{
	((struct cfg_port *)object)->mtu = 1500;
}

static const struct schema port_schema = {
	.noun = "port", .fields = port_fields, .size = sizeof(struct cfg_port), .init = port_init};

/* ---- attachments ----------------------------------------------------------------- */

static const struct field attachment_fields[] = {
	{.key = "subnet", .type = FIELD_REF, .required = true, .offset = offsetof(struct cfg_attachment, subnet_ref)},
	{.key = "port",
		.type = FIELD_TEXT,
		.required = true,
		.offset = offsetof(struct cfg_attachment, port_ref),
		.max = LIMIT_NAME},
	NUMBER("vlan", struct cfg_attachment, vlan, 0, 4094),
	END_OF_FIELDS,
};

static void
attachment_init(void *object)
{
	struct cfg_attachment *a = object;

	a->vnet = a->subnet = a->port = CFG_NONE;
}

static const struct schema attachment_schema = {.noun = "attachment",
	.fields = attachment_fields,
	.size = sizeof(struct cfg_attachment),
	.init = attachment_init};

/* ---- uplinks --------------------------------------------------------------------- */

/* "192.0.2.1/24" is our address and the network it stands in, so host bits are the point here. */
static int
uplink_address_parse(const struct node *n, struct ip_addr *address, struct ip_prefix *network)
{
	char text[ADDRESS_TEXT_MAX];
	size_t length;
	int rc;

	if (n->kind != NODE_SCALAR)
		return -EINVAL;
	rc = prefix_parse(n->text, network);
	if (rc < 0 && rc != -ERANGE)
		return -EINVAL;
	length = strcspn(n->text, "/");
	if (length >= sizeof(text))
		return -EINVAL;
	memcpy(text, n->text, length);
	text[length] = '\0';
	return address_parse(text, address);
}

static int
bind_uplink_addresses(struct binder *b, const struct field *f, const struct node *n, void *object)
{
	struct cfg_uplink *u = object;
	uint32_t count = node_count(n);

	if (count > LIMIT_UPLINK_ADDRESSES) {
		config_error(b->errors, n->mark, "LimitExceeded", "%u addresses, at most %d are allowed", count,
			LIMIT_UPLINK_ADDRESSES);
		return 0;
	}
	u->address = arena_array(b->arena, count, sizeof(*u->address));
	u->addresses.p = arena_array(b->arena, count, sizeof(*u->addresses.p));
	if (u->address == NULL || u->addresses.p == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		const struct node *item = node_item(n, i);
		uint32_t at = u->addresses.n;

		if (uplink_address_parse(item, &u->address[at], &u->addresses.p[at]) < 0) {
			config_error(b->errors, item->mark, "InvalidAddress",
				"'%s': '%.60s' is not an address with its network's length like 192.0.2.1/24", f->key,
				bind_quote(b, item));
			continue;
		}
		if (bind_mark(b, &u->address[at], item) < 0)
			return -ENOMEM;
		u->addresses.n++;
	}
	return 0;
}

static void
print_uplink_addresses(struct json *j, const struct field *f, const void *object)
{
	const struct cfg_uplink *u = object;
	char addr[ADDRESS_TEXT_MAX], text[ADDRESS_TEXT_MAX + 8];

	json_key(j, f->key);
	json_open(j, '[');
	for (uint32_t i = 0; i < u->addresses.n; i++) {
		snprintf(text, sizeof(text), "%s/%u", address_text(&u->address[i], addr, sizeof(addr)),
			u->addresses.p[i].len);
		json_item(j);
		json_text(j, text);
	}
	json_close(j, ']');
}

static const struct field uplink_fields[] = {
	NAME(struct cfg_uplink),
	{.key = "port",
		.type = FIELD_TEXT,
		.required = true,
		.offset = offsetof(struct cfg_uplink, port_ref),
		.max = LIMIT_NAME},
	NUMBER("vlan", struct cfg_uplink, vlan, 0, 4094),
	{.key = "addresses",
		.type = FIELD_CUSTOM,
		.required = true,
		.bind = bind_uplink_addresses,
		.print = print_uplink_addresses},
	{.key = "gateway",
		.type = FIELD_ADDRESS,
		.offset = offsetof(struct cfg_uplink, gateway4),
		.present = offsetof(struct cfg_uplink, has_gateway4)},
	{.key = "gateway6",
		.type = FIELD_ADDRESS,
		.offset = offsetof(struct cfg_uplink, gateway6),
		.present = offsetof(struct cfg_uplink, has_gateway6)},
	FLAG("internet", struct cfg_uplink, internet),
	REFS("virtualNetworks", struct cfg_uplink, vnet_refs, LIMIT_VNETS),
	END_OF_FIELDS,
};

static void
uplink_init(void *object)
{
	((struct cfg_uplink *)object)->port = CFG_NONE;
}

static const struct schema uplink_schema = {
	.noun = "uplink", .fields = uplink_fields, .size = sizeof(struct cfg_uplink), .init = uplink_init};

/* ---- the appliance --------------------------------------------------------------- */

static const struct field core_field = {.key = "cores", .min = 0, .max = 1023};

static int
bind_cores(struct binder *b, const struct field *f, const struct node *n, void *object)
{
	struct cfg_appliance *a = object;

	if (n->kind != NODE_LIST || n->n < 2 || n->n > LIMIT_WORKERS + 1) {
		config_error(b->errors, n->mark, "InvalidValue",
			"'%s' is a list: the control thread's core, then one for each worker", f->key);
		return 0;
	}
	a->cores = arena_array(b->arena, n->n, sizeof(*a->cores));
	if (a->cores == NULL || bind_mark(b, &a->cores, n) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < n->n; i++) {
		uint64_t core;

		if (bind_number(b, &core_field, n->items[i], &core) != 0) {
			a->cores = NULL;
			return 0;
		}
		a->cores[i] = (int16_t)core;
	}
	a->n_cores = (uint16_t)n->n;
	return 0;
}

static void
print_cores(struct json *j, const struct field *f, const void *object)
{
	const struct cfg_appliance *a = object;

	if (a->cores == NULL)
		return;
	json_key(j, f->key);
	json_open(j, '[');
	for (uint16_t i = 0; i < a->n_cores; i++) {
		json_item(j);
		json_number(j, (uint64_t)a->cores[i]);
	}
	json_close(j, ']');
}

const char *const daemon_words[] = {"managed", "external", NULL};

static const struct field ike_daemon_fields[] = {
	WORD("daemon", struct cfg_ike_daemon_config, daemon, daemon_words),
	TEXT("viciSocket", struct cfg_ike_daemon_config, vici_socket, LIMIT_SOCKET_PATH),
	TEXT("pluginSocket", struct cfg_ike_daemon_config, plugin_socket, LIMIT_SOCKET_PATH),
	TEXT("charon", struct cfg_ike_daemon_config, charon, LIMIT_PATH),
	TEXT("plugin", struct cfg_ike_daemon_config, plugin, LIMIT_PATH),
	NUMBER("logLevel", struct cfg_ike_daemon_config, log_level, 0, 2),
	NUMBER("retransmitTries", struct cfg_ike_daemon_config, retransmit_tries, 0, 20),
	NUMBER("halfOpenTimeoutSeconds", struct cfg_ike_daemon_config, half_open_timeout_s, 0, 3600),
	END_OF_FIELDS,
};

static const struct schema ike_daemon_schema = {.noun = "IKE daemon's part", .fields = ike_daemon_fields};

static const struct field appliance_fields[] = {
	TEXT("name", struct cfg_appliance, name, LIMIT_NAME),
	NUMBER("workers", struct cfg_appliance, workers, 1, LIMIT_WORKERS),
	CUSTOM("cores", bind_cores, print_cores),
	ZERO_OR("memory", struct cfg_appliance, memory_mb, 64, 1048576),
	WORD("hugepages", struct cfg_appliance, hugepages, hugepage_words),
	ZERO_OR("mbufs", struct cfg_appliance, mbufs, 1024, 16777216),
	NUMBER("flows", struct cfg_appliance, flows, 1024, 16777216),
	NUMBER("neighbours", struct cfg_appliance, neighbours, 64, 1048576),
	ZERO_OR("maxSimd", struct cfg_appliance, max_simd, 256, 512),
	TEXT("socket", struct cfg_appliance, socket, LIMIT_SOCKET_PATH),
	TEXT("stateDirectory", struct cfg_appliance, state_dir, LIMIT_PATH),
	TEXT("controlNamespace", struct cfg_appliance, control_namespace, LIMIT_PATH),
	PART_AT("ike", struct cfg_appliance, ike, &ike_daemon_schema),
	PART_AT("bgp", struct cfg_appliance, bgp, &bgp_daemon_schema),
	OPTIONAL_PART("highAvailability", struct cfg_appliance, ha, &ha_schema),
	FLAG("busyPoll", struct cfg_appliance, busy_poll),
	LIST("ports", struct cfg_appliance, ports, LIMIT_PORTS, &port_schema),
	LIST("attachments", struct cfg_appliance, attachments, LIMIT_ATTACHMENTS, &attachment_schema),
	LIST("uplinks", struct cfg_appliance, uplinks, LIMIT_UPLINKS, &uplink_schema),
	END_OF_FIELDS,
};

/* Paths and the control namespace follow from the name: config_check() sets them. */
void
appliance_init(struct cfg_appliance *a)
{
	a->name = "isthmus";
	a->workers = 1;
	a->flows = 262144;
	a->neighbours = 16384;
	a->busy_poll = true;
	a->ike.charon = "/usr/sbin/charon-systemd";
	a->ike.log_level = 1;
	bgp_daemon_init(&a->bgp);
	ha_init(&a->ha);
}

const struct schema appliance_schema = {.noun = "appliance", .fields = appliance_fields};
