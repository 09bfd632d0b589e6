/* Schemas of BGP: settings of gateways and of their peers, a connection's session, who speaks it. */
#include "config/key.h"
#include "config/schemas.h"

#include <errno.h>
#include <string.h>

/* ---- a gateway's settings -------------------------------------------------------- */

/* Of an active-active gateway the cloud writes two in one text. */
static int
bind_peering_address(struct binder *b, const struct field *f, const struct node *n, void *object)
{
	struct cfg_bgp *bgp = object;

	if (n->kind == NODE_SCALAR && strchr(n->text, ',') != NULL)
		config_error(b->errors, n->mark, "NotSupported",
			"'%s' names two addresses, as of an active-active gateway, which this version does not "
			"support: one of them",
			f->key);
	else if (n->kind != NODE_SCALAR || address_parse(n->text, &bgp->address) < 0)
		config_error(b->errors, n->mark, "InvalidAddress", "'%s' is an IPv4 or IPv6 address, not '%.60s'",
			f->key, bind_quote(b, n));
	return bind_mark(b, &bgp->address, n);
}

static void
print_peering_address(struct json *j, const struct field *f, const void *object)
{
	const struct cfg_bgp *bgp = object;
	char text[ADDRESS_TEXT_MAX];

	if (bgp->address.family == IP_NONE)
		return;
	json_key(j, f->key);
	json_text(j, address_text(&bgp->address, text, sizeof(text)));
}

/* One after the other, whichever entry of bgpPeeringAddresses they stand in: marks need them to stay. */
static int
bind_custom_addresses(struct binder *b, const struct field *f, const struct node *n, void *object)
{
	struct cfg_prefixes *custom = &((struct cfg_bgp *)object)->custom;

	if (custom->p == NULL)
		custom->p = arena_array(b->arena, LIMIT_BGP_CUSTOM, sizeof(*custom->p));
	if (custom->p == NULL)
		return -ENOMEM;
	if (node_count(n) > LIMIT_BGP_CUSTOM - custom->n) {
		config_error(b->errors, n->mark, "LimitExceeded", "at most %d addresses in all '%s' are allowed",
			LIMIT_BGP_CUSTOM, f->key);
		return 0;
	}
	for (uint32_t i = 0; i < node_count(n); i++) {
		struct ip_prefix *p = &custom->p[custom->n];
		const struct node *item = node_item(n, i);

		if (item->kind != NODE_SCALAR || address_parse(item->text, &p->addr) < 0) {
			config_error(b->errors, item->mark, "InvalidAddress",
				"'%s' is a list of addresses like 169.254.21.2, not '%.60s'", f->key,
				bind_quote(b, item));
			continue;
		}
		p->len = address_bits(&p->addr);
		custom->n++;
		if (bind_mark(b, p, item) < 0)
			return -ENOMEM;
	}
	return 0;
}

static const struct field peering_addresses_fields[] = {
	CUSTOM("customBgpIpAddresses", bind_custom_addresses, NULL),
	IGNORED("defaultBgpIpAddresses"),
	IGNORED("ipconfigurationId"),
	IGNORED("tunnelIpAddresses"),
	END_OF_FIELDS,
};

static const struct schema peering_addresses_schema = {
	.noun = "set of BGP addresses", .fields = peering_addresses_fields};

static int
bind_peering_addresses(struct binder *b, const struct field *f, const struct node *n, void *object)
{
	if (n->kind != NODE_LIST || n->n > LIMIT_GATEWAY_IP_CONFIGS) {
		config_error(b->errors, n->mark, "InvalidValue", "'%s' is a list of an entry for each IP configuration",
			f->key);
		return 0;
	}
	for (uint32_t i = 0; i < n->n; i++)
		if (bind_object(b, f->schema, n->items[i], object) < 0)
			return -ENOMEM;
	return 0;
}

static void
print_peering_addresses(struct json *j, const struct field *f, const void *object)
{
	const struct cfg_prefixes *custom = &((const struct cfg_bgp *)object)->custom;
	char text[ADDRESS_TEXT_MAX];

	if (custom->n == 0)
		return;
	json_key(j, f->key);
	json_open(j, '[');
	json_item(j);
	json_open(j, '{');
	json_key(j, "customBgpIpAddresses");
	json_open(j, '[');
	for (uint32_t i = 0; i < custom->n; i++) {
		json_item(j);
		json_text(j, address_text(&custom->p[i].addr, text, sizeof(text)));
	}
	json_close(j, ']');
	json_close(j, '}');
	json_close(j, ']');
}

#define ASN NUMBER("asn", struct cfg_bgp, asn, 0, UINT32_MAX)
#define PEERING_ADDRESS                                                                                                \
	{                                                                                                              \
		.key = "bgpPeeringAddress", .type = FIELD_CUSTOM, .or_empty = true, .bind = bind_peering_address,      \
		.print = print_peering_address                                                                         \
	}

static const struct field bgp_settings_fields[] = {
	ASN,
	PEERING_ADDRESS,
	NUMBER("peerWeight", struct cfg_bgp, peer_weight, 0, UINT32_MAX),
	{.key = "bgpPeeringAddresses",
		.type = FIELD_CUSTOM,
		.schema = &peering_addresses_schema,
		.bind = bind_peering_addresses,
		.print = print_peering_addresses},
	END_OF_FIELDS,
};

const struct schema bgp_settings_schema = {.noun = "gateway's BGP settings", .fields = bgp_settings_fields};

/* A hub's gateway has two instances in the cloud, of which the first is here. */
static int
bind_first_address(struct binder *b, const struct field *f, const struct node *n, void *object)
{
	struct cfg_bgp *bgp = object;
	const struct node *item = n->kind == NODE_LIST && n->n > 0 ? n->items[0] : n;
	char first[ADDRESS_TEXT_MAX] = "";

	if (n->kind == NODE_LIST && (n->n == 0 || bgp->address.family != IP_NONE))
		return 0;
	if (item->kind == NODE_SCALAR)
		snprintf(first, sizeof(first), "%.*s", (int)strcspn(item->text, ","), item->text);
	if (address_parse(first, &bgp->address) < 0)
		config_error(b->errors, item->mark, "InvalidAddress", "'%s' is an IPv4 or IPv6 address, not '%.60s'",
			f->key, bind_quote(b, item));
	return bind_mark(b, &bgp->address, item);
}

static const struct field hub_peering_addresses_fields[] = {
	CUSTOM("customBgpIpAddresses", bind_custom_addresses, NULL),
	CUSTOM("defaultBgpIpAddresses", bind_first_address, NULL),
	IGNORED("ipconfigurationId"),
	IGNORED("tunnelIpAddresses"),
	END_OF_FIELDS,
};

static const struct schema hub_peering_addresses_schema = {
	.noun = "set of BGP addresses", .fields = hub_peering_addresses_fields};

static const struct field hub_bgp_settings_fields[] = {
	ASN,
	{.key = "bgpPeeringAddress",
		.type = FIELD_CUSTOM,
		.or_empty = true,
		.bind = bind_first_address,
		.print = print_peering_address},
	NUMBER("peerWeight", struct cfg_bgp, peer_weight, 0, UINT32_MAX),
	{.key = "bgpPeeringAddresses",
		.type = FIELD_CUSTOM,
		.schema = &hub_peering_addresses_schema,
		.bind = bind_peering_addresses,
		.print = print_peering_addresses},
	END_OF_FIELDS,
};

const struct schema hub_bgp_settings_schema = {.noun = "hub gateway's BGP settings", .fields = hub_bgp_settings_fields};

static const struct field bgp_peer_fields[] = {
	ASN,
	PEERING_ADDRESS,
	NUMBER("peerWeight", struct cfg_bgp, peer_weight, 0, UINT32_MAX),
	REFUSED("bgpPeeringAddresses"),
	END_OF_FIELDS,
};

const struct schema bgp_peer_schema = {.noun = "local network gateway's BGP settings", .fields = bgp_peer_fields};

/* ---- a connection's own end ------------------------------------------------------ */

static const struct field custom_address_fields[] = {
	{.key = "customBgpIpAddress",
		.type = FIELD_ADDRESS,
		.required = true,
		.offset = offsetof(struct cfg_connection, custom_bgp_address)},
	IGNORED("ipConfigurationId"),
	END_OF_FIELDS,
};

const struct schema custom_bgp_address_schema = {
	.noun = "choice of the gateway's custom BGP address", .fields = custom_address_fields};

/* One for each instance of the gateway. */
int
bind_custom_bgp_address(struct binder *b, const struct field *f, const struct node *n, void *object)
{
	if (n->kind != NODE_LIST)
		config_error(b->errors, n->mark, "InvalidValue", "'%s' is a list of one entry", f->key);
	else if (n->n > 1)
		config_error(b->errors, n->items[1]->mark, "NotSupported",
			"'%s' has %u entries, as of an active-active gateway, which this version does not support: one "
			"of them",
			f->key, n->n);
	else if (n->n == 1)
		return bind_object(b, f->schema, n->items[0], object);
	return 0;
}

void
print_custom_bgp_address(struct json *j, const struct field *f, const void *object)
{
	const struct cfg_connection *c = object;
	char text[ADDRESS_TEXT_MAX];

	if (c->custom_bgp_address.family == IP_NONE)
		return;
	json_key(j, f->key);
	json_open(j, '[');
	json_item(j);
	json_open(j, '{');
	json_key(j, "customBgpIpAddress");
	json_text(j, address_text(&c->custom_bgp_address, text, sizeof(text)));
	json_close(j, '}');
	json_close(j, ']');
}

/* ---- the password of a session --------------------------------------------------- */

/* Nothing written here is ever quoted: any text may be the password. */
static int
bind_password(struct binder *b, const struct field *f, const struct node *n, void *object)
{
	struct cfg_bgp_session *s = object;
	const char *code = "InvalidKey", *reason = "is text";
	int length = -EINVAL;

	if (!b->private) {
		code = "SharedKeyExposed";
		reason = "stands in a file that others may read: its mode must be 0600 or stricter, or else use "
			 "passwordFile";
	} else if (s->password_len != 0) {
		reason = "stands beside passwordFile: one of them";
	} else if (n->kind == NODE_SCALAR) {
		length = bgp_password_parse(n->text, strlen(n->text), s->password, &reason);
	}
	if (length < 0)
		config_error(b->errors, n->mark, code, "'%s' %s", f->key, reason);
	else
		s->password_len = (uint16_t)length;
	return bind_mark(b, &s->password_len, n);
}

static int
bind_password_file(struct binder *b, const struct field *f, const struct node *n, void *object)
{
	struct cfg_bgp_session *s = object;
	const char *reason;
	int length;

	if (s->password_len != 0) {
		config_error(b->errors, n->mark, "InvalidKey", "'%s' stands beside password: one of them", f->key);
		return 0;
	}
	if (bind_text(b, n, LIMIT_PATH, &s->password_file) < 0)
		return -ENOMEM;
	if (s->password_file == NULL)
		return 0;
	length = bgp_password_read(b->folder, s->password_file, s->password, &reason);
	if (length < 0)
		config_error(b->errors, n->mark, "InvalidKeyFile", "'%s' names a file that %s%s%s", f->key, reason,
			length == -EINVAL ? "" : ": ", length == -EINVAL ? "" : strerror(-length));
	else
		s->password_len = (uint16_t)length;
	return bind_mark(b, &s->password_file, n);
}

static void
print_password(struct json *j, const struct field *f, const void *object)
{
	const struct cfg_bgp_session *s = object;

	if (s->password_len == 0 || s->password_file != NULL)
		return;
	json_key(j, f->key);
	json_text(j, SHARED_KEY_HIDDEN);
}

static void
print_password_file(struct json *j, const struct field *f, const void *object)
{
	const struct cfg_bgp_session *s = object;

	if (s->password_file == NULL)
		return;
	json_key(j, f->key);
	json_text(j, s->password_file);
}

/* ---- a session ------------------------------------------------------------------- */

static const struct field bgp_session_fields[] = {
	NUMBER("keepaliveSeconds", struct cfg_bgp_session, keepalive_s, 0, 21845),
	ZERO_OR("holdSeconds", struct cfg_bgp_session, hold_s, 3, 65535),
	NUMBER("maxPrefixes", struct cfg_bgp_session, max_prefixes, 1, 1000000),
	CUSTOM("password", bind_password, print_password),
	CUSTOM("passwordFile", bind_password_file, print_password_file),
	FLAG("bfd", struct cfg_bgp_session, bfd),
	NUMBER("bfdIntervalMilliseconds", struct cfg_bgp_session, bfd_interval_ms, 10, 60000),
	NUMBER("bfdMultiplier", struct cfg_bgp_session, bfd_multiplier, 2, 255),
	END_OF_FIELDS,
};

void
bgp_session_init(struct cfg_bgp_session *s)
{
	s->keepalive_s = 60;
	s->hold_s = 180;
	s->max_prefixes = 4000;
	s->bfd_interval_ms = 300;
	s->bfd_multiplier = 3;
}

const struct schema bgp_session_schema = {.noun = "BGP session", .fields = bgp_session_fields, .hide = true};

/* ---- the appliance --------------------------------------------------------------- */

static const struct field bgp_daemon_fields[] = {
	WORD("daemon", struct cfg_bgp_daemon_config, daemon, daemon_words),
	TEXT("bird", struct cfg_bgp_daemon_config, bird, LIMIT_PATH),
	TEXT("runDirectory", struct cfg_bgp_daemon_config, run_dir, LIMIT_RUN_DIRECTORY),
	END_OF_FIELDS,
};

void
bgp_daemon_init(struct cfg_bgp_daemon_config *d)
{
	d->bird = "/usr/sbin/bird";
	d->run_dir = "/run/isthmus";
}

const struct schema bgp_daemon_schema = {.noun = "BGP daemon's part", .fields = bgp_daemon_fields};
