/* Schemas of network security groups, application security groups and network interfaces.
 *
 * A rule's side is spread over keys: addresses (one text or a list; a tag counts as one
 * address), groups, ports. They meet in struct cfg_rule_side; config_check() sees to it that
 * exactly one kind of address was given.
 */
#include "config/schemas.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* ---- rules ----------------------------------------------------------------------- */

static const char *const access_words[] = {"Deny", "Allow", NULL};
static const char *const direction_words[] = {"Inbound", "Outbound", NULL};
static const char *const protocol_words[] = {"*", "Tcp", "Udp", "Icmp", "Esp", "Ah", NULL};
static const int16_t protocol_numbers[] = {-1, 6, 17, 1, 50, 51};
/* by enum cfg_tag */
static const char *const tag_words[] = {"*", "VirtualNetwork", "Internet", "AzureLoadBalancer", NULL};

static struct cfg_rule_side *
side_of(const struct field *f, void *object)
{
	return (struct cfg_rule_side *)((char *)object + f->offset);
}

static const struct cfg_rule_side *
side_seen(const struct field *f, const void *object)
{
	return (const struct cfg_rule_side *)((const char *)object + f->offset);
}

/* TAG_ANY and on, -1 for an address, -2 for a tag this version does not know. */
static int
tag_find(const char *text)
{
	if (strcasecmp(text, "Any") == 0)
		return TAG_ANY;
	for (int i = 0; tag_words[i] != NULL; i++)
		if (strcasecmp(text, tag_words[i]) == 0)
			return i;
	if (strpbrk(text, ":/") == NULL && strspn(text, "0123456789.") < strlen(text))
		return -2;
	return -1;
}

static int
side_tag(struct binder *b, const struct node *n, struct cfg_rule_side *side, int tag, uint32_t count)
{
	if (tag == -2) {
		config_error(b->errors, n->mark, "ServiceTagNotSupported",
			"service tag '%.60s': supported are *, VirtualNetwork, Internet and AzureLoadBalancer",
			n->text);
		tag = TAG_ANY;
	}
	if (count > 1 || side->tag != TAG_UNSET)
		config_error(b->errors, n->mark, "SecurityRuleInvalidAddressPrefix",
			"'%.60s' stands alone: one tag, or a list of prefixes", n->text);
	side->tag = (enum cfg_tag)tag;
	return 0;
}

/* "" is what exports write beside a list; it counts as absent. */
static uint32_t
value_count(const struct node *n)
{
	return n->kind == NODE_SCALAR && n->text[0] == '\0' ? 0 : node_count(n);
}

static int
bind_side_prefixes(struct binder *b, const struct field *f, const struct node *n, void *object)
{
	struct cfg_rule_side *side = side_of(f, object);
	uint32_t count = value_count(n), room = side->prefixes.n + count;
	struct ip_prefix *p;

	if (count == 0)
		return 0;
	if (room > LIMIT_RULE_SIDE_VALUES) {
		config_error(b->errors, n->mark, "LimitExceeded",
			"%u prefixes in one side of a rule, at most %d are allowed", room, LIMIT_RULE_SIDE_VALUES);
		return 0;
	}
	p = arena_array(b->arena, room, sizeof(*p));
	if (p == NULL || bind_mark(b, &side->tag, n) < 0)
		return -ENOMEM;
	if (side->prefixes.n > 0)
		memcpy(p, side->prefixes.p, side->prefixes.n * sizeof(*p));
	side->prefixes.p = p;

	for (uint32_t i = 0; i < count; i++) {
		const struct node *item = node_item(n, i);
		int tag = item->kind == NODE_SCALAR ? tag_find(item->text) : -1;

		if (tag != -1) {
			side_tag(b, item, side, tag, room);
			continue;
		}
		if (bind_prefix(b, item, &p[side->prefixes.n]) == 0)
			side->prefixes.n++;
		if (side->tag == TAG_UNSET)
			side->tag = TAG_PREFIXES;
	}
	return 0;
}

/* "80", "1000-2000" or "*" */
static int
port_range_parse(const char *text, struct cfg_port_range *out)
{
	unsigned long v[2] = {0, 0};
	int i = 0;

	if (strcmp(text, "*") == 0) {
		*out = (struct cfg_port_range){0, UINT16_MAX};
		return 0;
	}
	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '-' && i == 0 && p[1] != '\0') {
			i = 1;
			continue;
		}
		if (*p < '0' || *p > '9')
			return -EINVAL;
		v[i] = v[i] * 10 + (unsigned long)(*p - '0');
		if (v[i] > UINT16_MAX)
			return -EINVAL;
	}
	if (i == 0)
		v[1] = v[0];
	*out = (struct cfg_port_range){(uint16_t)v[0], (uint16_t)v[1]};
	return v[0] <= v[1] ? 0 : -EINVAL;
}

static int
bind_side_ports(struct binder *b, const struct field *f, const struct node *n, void *object)
{
	struct cfg_rule_side *side = side_of(f, object);
	uint32_t count = value_count(n), room = side->n_ports + count;
	struct cfg_port_range *ports;
	bool any = side->ports != NULL && side->n_ports == 0;

	if (count == 0)
		return 0;
	if (room > LIMIT_RULE_SIDE_VALUES) {
		config_error(b->errors, n->mark, "LimitExceeded",
			"%u port ranges in one side of a rule, at most %d are allowed", room, LIMIT_RULE_SIDE_VALUES);
		return 0;
	}
	ports = arena_array(b->arena, room, sizeof(*ports));
	if (ports == NULL || bind_mark(b, &side->ports, n) < 0)
		return -ENOMEM;
	if (side->n_ports > 0)
		memcpy(ports, side->ports, side->n_ports * sizeof(*ports));

	for (uint32_t i = 0; i < count; i++) {
		const struct node *item = node_item(n, i);
		struct cfg_port_range *r = &ports[side->n_ports];

		if (item->kind != NODE_SCALAR || port_range_parse(item->text, r) < 0) {
			config_error(b->errors, item->mark, "SecurityRuleInvalidPortRange",
				"'%.60s' is not a port, a range like 1000-2000 or *", bind_quote(b, item));
			continue;
		}
		any |= r->first == 0 && r->last == UINT16_MAX;
		side->n_ports++;
	}
	side->ports = ports;
	if (any)
		side->n_ports = 0;
	return 0;
}

static int
bind_protocol(struct binder *b, const struct field *f, const struct node *n, void *object)
{
	int i = bind_word(b, f->key, protocol_words, n);

	if (i >= 0)
		((struct cfg_rule *)object)->protocol = protocol_numbers[i];
	return 0;
}

static void
print_protocol(struct json *j, const struct field *f, const void *object)
{
	const struct cfg_rule *r = object;

	for (int i = 0; protocol_words[i] != NULL; i++) {
		if (protocol_numbers[i] != r->protocol)
			continue;
		json_key(j, f->key);
		json_text(j, protocol_words[i]);
	}
}

static void
print_side_tag(struct json *j, const struct field *f, const void *object)
{
	const struct cfg_rule_side *side = side_seen(f, object);

	if (side->tag > TAG_AZURE_LOAD_BALANCER)
		return;
	json_key(j, f->key);
	json_text(j, tag_words[side->tag]);
}

static void
print_side_prefixes(struct json *j, const struct field *f, const void *object)
{
	const struct cfg_rule_side *side = side_seen(f, object);
	char text[ADDRESS_TEXT_MAX];

	if (side->tag != TAG_PREFIXES)
		return;
	json_key(j, f->key);
	json_open(j, '[');
	for (uint32_t i = 0; i < side->prefixes.n; i++) {
		json_item(j);
		json_text(j, prefix_text(&side->prefixes.p[i], text, sizeof(text)));
	}
	json_close(j, ']');
}

static void
print_side_any_port(struct json *j, const struct field *f, const void *object)
{
	if (side_seen(f, object)->n_ports > 0)
		return;
	json_key(j, f->key);
	json_text(j, "*");
}

static void
print_side_ports(struct json *j, const struct field *f, const void *object)
{
	const struct cfg_rule_side *side = side_seen(f, object);
	char text[16];

	if (side->n_ports == 0)
		return;
	json_key(j, f->key);
	json_open(j, '[');
	for (uint32_t i = 0; i < side->n_ports; i++) {
		const struct cfg_port_range *r = &side->ports[i];

		if (r->first == r->last)
			snprintf(text, sizeof(text), "%u", r->first);
		else
			snprintf(text, sizeof(text), "%u-%u", r->first, r->last);
		json_item(j);
		json_text(j, text);
	}
	json_close(j, ']');
}

#define SIDE(k, m, b, p)                                                                                               \
	{                                                                                                              \
		.key = k, .type = FIELD_CUSTOM, .offset = offsetof(struct cfg_rule, m), .bind = b, .print = p          \
	}

static const struct field rule_fields[] = {
	NAME(struct cfg_rule),
	{.key = "priority",
		.type = FIELD_NUMBER,
		.required = true,
		.offset = offsetof(struct cfg_rule, priority),
		.size = MEMBER_SIZE(struct cfg_rule, priority),
		.min = 100,
		.max = 4096},
	{.key = "access",
		.type = FIELD_WORD,
		.required = true,
		.offset = offsetof(struct cfg_rule, allow),
		.size = MEMBER_SIZE(struct cfg_rule, allow),
		.words = access_words},
	{.key = "direction",
		.type = FIELD_WORD,
		.required = true,
		.offset = offsetof(struct cfg_rule, direction),
		.size = MEMBER_SIZE(struct cfg_rule, direction),
		.words = direction_words},
	{.key = "protocol", .type = FIELD_CUSTOM, .required = true, .bind = bind_protocol, .print = print_protocol},
	SIDE("sourceAddressPrefix", source, bind_side_prefixes, print_side_tag),
	SIDE("sourceAddressPrefixes", source, bind_side_prefixes, print_side_prefixes),
	SIDE("sourcePortRange", source, bind_side_ports, print_side_any_port),
	SIDE("sourcePortRanges", source, bind_side_ports, print_side_ports),
	REFS("sourceApplicationSecurityGroups", struct cfg_rule, source.asg_refs, LIMIT_RULE_ASGS),
	SIDE("destinationAddressPrefix", destination, bind_side_prefixes, print_side_tag),
	SIDE("destinationAddressPrefixes", destination, bind_side_prefixes, print_side_prefixes),
	SIDE("destinationPortRange", destination, bind_side_ports, print_side_any_port),
	SIDE("destinationPortRanges", destination, bind_side_ports, print_side_ports),
	REFS("destinationApplicationSecurityGroups", struct cfg_rule, destination.asg_refs, LIMIT_RULE_ASGS),
	IGNORED("description"),
	END_OF_FIELDS,
};

static void
rule_init(void *object)
{
	struct cfg_rule *r = object;

	r->protocol = -1;
	r->source.tag = r->destination.tag = TAG_UNSET;
}

static const struct schema rule_schema = {.noun = "security rule",
	.fields = rule_fields,
	.size = sizeof(struct cfg_rule),
	.init = rule_init,
	.resource = true};

/* ---- groups ---------------------------------------------------------------------- */

static const struct field nsg_fields[] = {
	NAME(struct cfg_nsg),
	ID(struct cfg_nsg),
	{.key = "securityRules",
		.type = FIELD_LIST,
		.offset = offsetof(struct cfg_nsg, rules),
		.count = offsetof(struct cfg_nsg, n_rules),
		.max = LIMIT_RULES,
		.schema = &rule_schema},
	IGNORED("defaultSecurityRules"),
	IGNORED("flowLogs"),
	IGNORED("networkInterfaces"),
	IGNORED("subnets"),
	REFUSED("flushConnection"),
	END_OF_FIELDS,
};

const struct schema nsg_schema = {
	.noun = "network security group", .fields = nsg_fields, .size = sizeof(struct cfg_nsg), .resource = true};

static const struct field asg_fields[] = {NAME(struct cfg_asg), ID(struct cfg_asg), END_OF_FIELDS};

const struct schema asg_schema = {
	.noun = "application security group", .fields = asg_fields, .size = sizeof(struct cfg_asg), .resource = true};

/* ---- interfaces ------------------------------------------------------------------ */

static const struct field ip_config_fields[] = {
	TEXT("name", struct cfg_ip_config, name, LIMIT_PATH),
	{.key = "subnet", .type = FIELD_REF, .required = true, .offset = offsetof(struct cfg_ip_config, subnet_ref)},
	{.key = "privateIPAddress",
		.type = FIELD_ADDRESS,
		.required = true,
		.offset = offsetof(struct cfg_ip_config, address)},
	REFS("applicationSecurityGroups", struct cfg_ip_config, asg_refs, LIMIT_IP_CONFIG_ASGS),
	IGNORED("primary"),
	IGNORED("privateIPAddressVersion"),
	IGNORED("privateIPAllocationMethod"),
	IGNORED("privateLinkConnectionProperties"),
	REFUSED("applicationGatewayBackendAddressPools"),
	REFUSED("gatewayLoadBalancer"),
	REFUSED("loadBalancerBackendAddressPools"),
	REFUSED("loadBalancerInboundNatRules"),
	REFUSED("privateIPAddressPrefixLength"),
	REFUSED("publicIPAddress"),
	REFUSED("virtualNetworkTaps"),
	END_OF_FIELDS,
};

static void
ip_config_init(void *object)
{
	struct cfg_ip_config *ip = object;

	ip->vnet = ip->subnet = CFG_NONE;
}

static const struct schema ip_config_schema = {.noun = "IP configuration",
	.fields = ip_config_fields,
	.size = sizeof(struct cfg_ip_config),
	.init = ip_config_init,
	.resource = true};

static const struct field nic_fields[] = {
	NAME(struct cfg_nic),
	ID(struct cfg_nic),
	FLAG("enableIPForwarding", struct cfg_nic, enable_ip_forwarding),
	{.key = "macAddress",
		.type = FIELD_MAC,
		.or_empty = true,
		.offset = offsetof(struct cfg_nic, mac),
		.present = offsetof(struct cfg_nic, has_mac)},
	REF("networkSecurityGroup", struct cfg_nic, nsg_ref),
	{.key = "ipConfigurations",
		.type = FIELD_LIST,
		.required = true,
		.offset = offsetof(struct cfg_nic, ip_configs),
		.count = offsetof(struct cfg_nic, n_ip_configs),
		.max = LIMIT_IP_CONFIGS,
		.schema = &ip_config_schema},
	IGNORED("allowPort25Out"),
	IGNORED("auxiliaryMode"),
	IGNORED("auxiliarySku"),
	IGNORED("defaultOutboundConnectivityEnabled"),
	IGNORED("dnsSettings"),
	IGNORED("dscpConfiguration"),
	IGNORED("enableAcceleratedNetworking"),
	IGNORED("hostedWorkloads"),
	IGNORED("migrationPhase"),
	IGNORED("nicType"),
	IGNORED("primary"),
	IGNORED("privateEndpoint"),
	IGNORED("virtualMachine"),
	IGNORED("vnetEncryptionSupported"),
	IGNORED("workloadType"),
	REFUSED("disableTcpStateTracking"),
	REFUSED("privateLinkService"),
	REFUSED("tapConfigurations"),
	END_OF_FIELDS,
};

static void
nic_init(void *object)
{
	((struct cfg_nic *)object)->nsg = CFG_NONE;
}

const struct schema nic_schema = {.noun = "network interface",
	.fields = nic_fields,
	.size = sizeof(struct cfg_nic),
	.init = nic_init,
	.resource = true};
