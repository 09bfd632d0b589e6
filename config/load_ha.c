/* The schema of the appliance's part in a pair: its node, the lease that says who is primary, the addresses that follow
 * it, and the routers that are told. */
#include "config/schemas.h"

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
	END_OF_FIELDS,
};

void
ha_init(struct cfg_ha *h)
{
	h->lease.kind = LEASE_KIND_UNSET;
	h->lease.duration_s = 15;
	h->prepends = 2;
}

const struct schema ha_schema = {.noun = "pair's part", .fields = ha_fields};
