/* The schema of the appliance's part in a pair: its node, the lease that says who is primary, the addresses that follow
 * it, the routers that
 * are told, and the link to the other node. */
#include "config/key.h"
#include "config/schemas.h"

#include <errno.h>
#include <string.h>

static const char *const lease_kind_words[] = {"file", "etcd", "static", NULL};

static const struct field lease_fields[] = {
	{.key = "kind",
		.type = FIELD_WORD,
		.required = true,
		.offset = offsetof(struct cfg_lease, kind),
		.size = MEMBER_SIZE(struct cfg_lease, kind),
		.words = lease_kind_words},
	TEXT("path", struct cfg_lease, path, LIMIT_LEASE_PATH),
	TEXTS("endpoints", struct cfg_lease, endpoints, LIMIT_ENDPOINTS),
	TEXT("key", struct cfg_lease, key, LIMIT_PATH),
	TEXT("caFile", struct cfg_lease, ca_file, LIMIT_PATH),
	TEXT("certificate", struct cfg_lease, certificate, LIMIT_PATH),
	TEXT("privateKeyFile", struct cfg_lease, key_file, LIMIT_PATH),
	NUMBER("durationSeconds", struct cfg_lease, duration_s, 2, 60),
	NUMBER("marginMilliseconds", struct cfg_lease, margin_ms, 10, 20000),
	END_OF_FIELDS,
};

static const struct schema lease_schema = {.noun = "lease", .fields = lease_fields};

/* ---- routers --------------------------------------------------------------------- */

static const struct field router_fields[] = {
	NAME(struct cfg_router),
	{.key = "address", .type = FIELD_ADDRESS, .required = true, .offset = offsetof(struct cfg_router, address)},
	{.key = "asn",
		.type = FIELD_NUMBER,
		.required = true,
		.offset = offsetof(struct cfg_router, asn),
		.size = MEMBER_SIZE(struct cfg_router, asn),
		.min = 1,
		.max = UINT32_MAX},
	PART_AT("bgp", struct cfg_router, bgp, &bgp_session_schema),
	END_OF_FIELDS,
};

static void
router_init(void *object)
{
	struct cfg_router *r = object;

	bgp_session_init(&r->bgp);
	r->bgp.bfd = true;
	r->bgp.bfd_interval_ms = 100;
}

static const struct schema router_schema = {
	.noun = "router", .fields = router_fields, .size = sizeof(struct cfg_router), .init = router_init};

/* ---- the other node -------------------------------------------------------------- */

static int
bind_key_file(struct binder *b, const struct field *f, const struct node *n, void *object)
{
	struct cfg_node_peer *p = object;
	const char *reason;
	int length;

	if (bind_text(b, n, LIMIT_PATH, &p->key_file) < 0)
		return -ENOMEM;
	if (p->key_file == NULL)
		return 0;
	length = shared_key_read(b->folder, p->key_file, p->key, &reason);
	if (length < 0)
		config_error(b->errors, n->mark, "InvalidKeyFile", "'%s' names a file that %s%s%s", f->key, reason,
			length == -EINVAL ? "" : ": ", length == -EINVAL ? "" : strerror(-length));
	else
		p->key_len = (uint16_t)length;
	return bind_mark(b, &p->key_file, n);
}

static void
print_key_file(struct json *j, const struct field *f, const void *object)
{
	const struct cfg_node_peer *p = object;

	if (p->key_file == NULL)
		return;
	json_key(j, f->key);
	json_text(j, p->key_file);
}

static const struct field node_peer_fields[] = {
	{.key = "localAddress",
		.type = FIELD_ADDRESS,
		.required = true,
		.offset = offsetof(struct cfg_node_peer, local)},
	{.key = "address", .type = FIELD_ADDRESS, .required = true, .offset = offsetof(struct cfg_node_peer, address)},
	NUMBER("port", struct cfg_node_peer, port, 1, 65535),
	{.key = "keyFile", .type = FIELD_CUSTOM, .required = true, .bind = bind_key_file, .print = print_key_file},
	END_OF_FIELDS,
};

static const struct schema node_peer_schema = {.noun = "link to the other node", .fields = node_peer_fields};

/* ---- the pair's part ------------------------------------------------------------- */

static const struct field ha_fields[] = {
	TEXT("node", struct cfg_ha, node, LIMIT_NAME),
	FLAG("preferred", struct cfg_ha, preferred),
	{.key = "lease",
		.type = FIELD_PART,
		.required = true,
		.offset = offsetof(struct cfg_ha, lease),
		.present = offsetof(struct cfg_ha, lease.given),
		.schema = &lease_schema},
	PREFIXES("virtualAddresses", struct cfg_ha, addresses, LIMIT_VIRTUAL_ADDRESSES),
	ZERO_OR("asn", struct cfg_ha, asn, 1, UINT32_MAX),
	NUMBER("standbyPrepends", struct cfg_ha, prepends, 1, 8),
	LIST("routers", struct cfg_ha, routers, LIMIT_ROUTERS, &router_schema),
	OPTIONAL_PART("peer", struct cfg_ha, peer, &node_peer_schema),
	END_OF_FIELDS,
};

void
ha_init(struct cfg_ha *h)
{
	h->lease.kind = LEASE_KIND_UNSET;
	h->lease.duration_s = 15;
	h->prepends = 2;
	h->peer.port = 4790;
}

const struct schema ha_schema = {.noun = "pair's part", .fields = ha_fields};
