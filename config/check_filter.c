/* Network security groups: each rule whole, priorities unique, limits kept, default rules appended. */
#include "config/check.h"
#include "config/schemas.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct cfg_rule default_rules[] = {
	{.name = "AllowVnetInBound",
		.priority = 65000,
		.direction = DIRECTION_INBOUND,
		.allow = true,
		.source.tag = TAG_VIRTUAL_NETWORK,
		.destination.tag = TAG_VIRTUAL_NETWORK},
	{.name = "AllowAzureLoadBalancerInBound",
		.priority = 65001,
		.direction = DIRECTION_INBOUND,
		.allow = true,
		.source.tag = TAG_AZURE_LOAD_BALANCER,
		.destination.tag = TAG_ANY},
	{.name = "DenyAllInBound", .priority = 65500, .direction = DIRECTION_INBOUND, .allow = false},
	{.name = "AllowVnetOutBound",
		.priority = 65000,
		.direction = DIRECTION_OUTBOUND,
		.allow = true,
		.source.tag = TAG_VIRTUAL_NETWORK,
		.destination.tag = TAG_VIRTUAL_NETWORK},
	{.name = "AllowInternetOutBound",
		.priority = 65001,
		.direction = DIRECTION_OUTBOUND,
		.allow = true,
		.source.tag = TAG_ANY,
		.destination.tag = TAG_INTERNET},
	{.name = "DenyAllOutBound", .priority = 65500, .direction = DIRECTION_OUTBOUND, .allow = false},
};

#define DEFAULT_RULES (sizeof(default_rules) / sizeof(default_rules[0]))

/* Exactly one kind of address, and ports only where the protocol has them. */
static int
check_side(struct check *k, const struct cfg_rule *r, struct cfg_rule_side *side, const char *word)
{
	if (side->asg_refs.n > 0) {
		if (side->tag != TAG_UNSET)
			config_error(k->b->errors, MARK(k, &side->asg_refs, r), "SecurityRuleInvalidAddressPrefix",
				"rule '%.80s': %s is either addresses or application security groups", r->name, word);
		side->tag = TAG_ASGS;
	}
	if (side->tag == TAG_UNSET) {
		config_error(k->b->errors, r->mark, "MissingKey",
			"rule '%.80s' needs %sAddressPrefix, %sAddressPrefixes or %sApplicationSecurityGroups", r->name,
			word, word, word);
		side->tag = TAG_ANY;
	}
	if (side->ports == NULL)
		config_error(k->b->errors, r->mark, "MissingKey", "rule '%.80s' needs %sPortRange or %sPortRanges",
			r->name, word, word);
	if (side->n_ports > 0 && r->protocol != -1 && r->protocol != 6 && r->protocol != 17)
		config_error(k->b->errors, MARK(k, &side->ports, r), "SecurityRuleInvalidPortRange",
			"rule '%.80s': its protocol has no ports, so %s ports can only be *", r->name, word);
	return reference_resolve_all(k, KIND_ASG, &side->asg_refs, r->mark, &side->asgs);
}

static int
rule_order(const void *a, const void *b)
{
	const struct cfg_rule *x = a, *y = b;

	if (x->direction != y->direction)
		return x->direction < y->direction ? -1 : 1;
	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	return x->mark.line < y->mark.line ? -1 : x->mark.line > y->mark.line;
}

static void
check_priorities(struct check *k, const struct cfg_nsg *g)
{
	for (uint32_t i = 1; i < g->n_rules; i++) {
		const struct cfg_rule *a = &g->rules[i - 1], *b = &g->rules[i];

		if (a->direction == b->direction && a->priority == b->priority && a->priority != 0)
			config_error(k->b->errors, b->mark, "SecurityRuleConflict",
				"rules '%.80s' and '%.80s' of '%.80s' have the same priority %u and direction", a->name,
				b->name, g->name, a->priority);
	}
}

static void
check_amount(struct check *k, const struct cfg_nsg *g)
{
	uint64_t prefixes[2] = {0}, ports[2] = {0};

	for (uint32_t i = 0; i < g->n_rules; i++) {
		prefixes[0] += g->rules[i].source.prefixes.n;
		prefixes[1] += g->rules[i].destination.prefixes.n;
		ports[0] += g->rules[i].source.n_ports;
		ports[1] += g->rules[i].destination.n_ports;
	}
	for (int side = 0; side < 2; side++)
		if (prefixes[side] > LIMIT_RULE_SIDE_VALUES || ports[side] > LIMIT_RULE_SIDE_VALUES)
			config_error(k->b->errors, g->mark, "LimitExceeded",
				"network security group '%.80s' has %llu %s prefixes and %llu port ranges, at most %d "
				"of each are allowed",
				g->name, (unsigned long long)prefixes[side], side ? "destination" : "source",
				(unsigned long long)ports[side], LIMIT_RULE_SIDE_VALUES);
}

/* User rules were checked where the loader put them; now the final order, with the defaults in. */
static int
complete_rules(struct check *k, struct cfg_nsg *g)
{
	struct cfg_rule *rules = arena_array(k->b->arena, g->n_rules + DEFAULT_RULES, sizeof(*rules));
	static struct cfg_port_range any_port[1];

	if (rules == NULL)
		return -ENOMEM;
	if (g->n_rules > 0)
		memcpy(rules, g->rules, g->n_rules * sizeof(*rules));
	memcpy(rules + g->n_rules, default_rules, sizeof(default_rules));
	for (size_t i = 0; i < DEFAULT_RULES; i++) {
		struct cfg_rule *r = &rules[g->n_rules + i];

		r->protocol = -1;
		r->is_default = true;
		r->source.ports = r->destination.ports = any_port;
	}
	g->rules = rules;
	g->n_rules += DEFAULT_RULES;
	qsort(g->rules, g->n_rules, sizeof(*g->rules), rule_order);
	return 0;
}

static int
check_nsg(struct check *k, struct cfg_nsg *g)
{
	struct names names;

	if (names_build(k->b->arena, &names, g->rules, g->n_rules, sizeof(*g->rules)) < 0)
		return -ENOMEM;
	names_check(k->b, &names, "security rule", true);
	for (uint32_t i = 0; i < g->n_rules; i++) {
		struct cfg_rule *r = &g->rules[i];

		if (check_side(k, r, &r->source, "source") < 0 || check_side(k, r, &r->destination, "destination") < 0)
			return -ENOMEM;
	}
	check_amount(k, g);
	if (complete_rules(k, g) < 0)
		return -ENOMEM;
	check_priorities(k, g);
	return 0;
}

int
check_filter(struct check *k)
{
	for (uint32_t i = 0; i < k->c->n_nsgs; i++)
		if (check_nsg(k, &k->c->nsgs[i]) < 0)
			return -ENOMEM;
	return 0;
}
