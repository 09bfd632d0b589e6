/* The schema of the appliance's part in a pair: its node, and the lease that says who is primary. */
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

static const struct field ha_fields[] = {
	TEXT("node", struct cfg_ha, node, LIMIT_NAME),
	FLAG("preferred", struct cfg_ha, preferred),
	{.key = "lease",
		.type = FIELD_PART,
		.required = true,
		.offset = offsetof(struct cfg_ha, lease),
		.present = offsetof(struct cfg_ha, lease.given),
		.schema = &lease_schema},
	END_OF_FIELDS,
};

void
ha_init(struct cfg_ha *h)
{
	h->lease.kind = LEASE_KIND_UNSET;
	h->lease.duration_s = 15;
}

const struct schema ha_schema = {.noun = "pair's part", .fields = ha_fields};
