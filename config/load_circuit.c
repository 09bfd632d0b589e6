/* The schema of ExpressRoute circuits. */
#include "config/schemas.h"

#include <string.h>

const char *const circuit_link_name[CFG_CIRCUIT_LINKS] = {"primary", "secondary"};

static const char *const state_words[] = {"Enabled", "Disabled", NULL};

static const struct field peering_fields[] = {
	NAME(struct cfg_circuit_peering),
	TEXT("peeringType", struct cfg_circuit_peering, type, LIMIT_NAME),
	WORD("state", struct cfg_circuit_peering, disabled, state_words),
	NUMBER("azureASN", struct cfg_circuit_peering, asn, 1, UINT32_MAX),
	{.key = "peerASN",
		.type = FIELD_NUMBER,
		.required = true,
		.offset = offsetof(struct cfg_circuit_peering, peer_asn),
		.size = MEMBER_SIZE(struct cfg_circuit_peering, peer_asn),
		.min = 1,
		.max = UINT32_MAX},
	{.key = "primaryPeerAddressPrefix",
		.type = FIELD_PREFIX,
		.offset = offsetof(struct cfg_circuit_peering, prefix[0])},
	{.key = "secondaryPeerAddressPrefix",
		.type = FIELD_PREFIX,
		.offset = offsetof(struct cfg_circuit_peering, prefix[1])},
	NUMBER("vlanId", struct cfg_circuit_peering, vlan, 0, 4094),
	IGNORED("connections"),
	IGNORED("gatewayManagerEtag"),
	IGNORED("lastModifiedBy"),
	IGNORED("peeredConnections"),
	IGNORED("primaryAzurePort"),
	IGNORED("secondaryAzurePort"),
	IGNORED("stats"),
	REFUSED("expressRouteConnection"),
	REFUSED("ipv6PeeringConfig"),
	REFUSED("microsoftPeeringConfig"),
	REFUSED("routeFilter"),
	REFUSED_TO("sharedKey", "the sessions' password is the circuit's appliance.bgp.passwordFile or password"),
	END_OF_FIELDS,
};

static void
peering_init(void *object)
{
	((struct cfg_circuit_peering *)object)->asn = CFG_CIRCUIT_ASN;
}

static const struct schema peering_schema = {.noun = "circuit's peering",
	.fields = peering_fields,
	.size = sizeof(struct cfg_circuit_peering),
	.init = peering_init,
	.resource = true,
	.hide = true}; /* a key may stand in sharedKey */

static const struct field appliance_fields[] = {
	TEXT("primaryPort", struct cfg_circuit, port_ref[0], LIMIT_NAME),
	TEXT("secondaryPort", struct cfg_circuit, port_ref[1], LIMIT_NAME),
	PART_AT("bgp", struct cfg_circuit, bgp, &bgp_session_schema),
	END_OF_FIELDS,
};

static const struct schema appliance_part_schema = {.noun = "circuit's appliance part", .fields = appliance_fields};

static const struct field circuit_fields[] = {
	NAME(struct cfg_circuit),
	ID(struct cfg_circuit),
	LIST("peerings", struct cfg_circuit, peerings, LIMIT_CIRCUIT_PEERINGS, &peering_schema),
	PART("appliance", &appliance_part_schema),
	IGNORED("allowClassicOperations"),
	IGNORED("authorizationStatus"),
	IGNORED("authorizations"),
	IGNORED("bandwidthInGbps"),
	IGNORED("circuitProvisioningState"),
	IGNORED("enableDirectPortRateLimit"),
	IGNORED("expressRoutePort"),
	IGNORED("gatewayManagerEtag"),
	IGNORED("serviceKey"),
	IGNORED("serviceProviderNotes"),
	IGNORED("serviceProviderProperties"),
	IGNORED("serviceProviderProvisioningState"),
	IGNORED("sku"),
	IGNORED("stag"),
	REFUSED("authorizationKey"),
	REFUSED("globalReachEnabled"),
	END_OF_FIELDS,
};

static void
circuit_init(void *object)
{
	struct cfg_circuit *c = object;

	c->port[0] = c->port[1] = c->connection = CFG_NONE;
	bgp_session_init(&c->bgp);
	c->bgp.bfd = true; /* as the cloud's edge has it on every private peering */
}

const struct schema circuit_schema = {.noun = "ExpressRoute circuit",
	.fields = circuit_fields,
	.size = sizeof(struct cfg_circuit),
	.init = circuit_init,
	.resource = true};
