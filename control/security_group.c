/* One NSG on many subnets and NICs is one access list per direction: what differs from subnet to subnet (what
 * VirtualNetwork means there) is in the tag bits of the addresses, not in the list.
 */
#include "control/security_group.h"

/* Every address of the ASGs' members. */
static void
expand_asgs(struct world_build *b, const struct cfg_rule_side *side, struct acl_side_spec *out)
{
	struct ip_prefix *member = NULL;
	uint32_t n = 0;

	for (uint32_t i = 0; i < side->asg_refs.n; i++)
		n += b->asg_members[side->asgs[i]].n;
	member = arena_array(b->arena, n, sizeof(*member));
	out->nothing = n == 0;
	if (member == NULL)
		return;
	for (uint32_t i = 0; i < side->asg_refs.n; i++) {
		const struct cfg_prefixes *m = &b->asg_members[side->asgs[i]];

		for (uint32_t k = 0; k < m->n; k++)
			member[out->n_prefixes++] = m->p[k];
	}
	out->prefix = member;
}

static void
copy_ports(struct world_build *b, const struct cfg_rule_side *side, struct acl_side_spec *out)
{
	struct acl_port_range *port = arena_array(b->arena, side->n_ports, sizeof(*port));

	if (port == NULL)
		return;
	for (uint32_t i = 0; i < side->n_ports; i++)
		port[i] = (struct acl_port_range){side->ports[i].first, side->ports[i].last};
	out->port = port;
	out->n_ports = side->n_ports;
}

static struct acl_side_spec
convert_side(struct world_build *b, const struct cfg_rule_side *side)
{
	struct acl_side_spec out = {0};

	switch (side->tag) {
	case TAG_ANY:
		break;
	case TAG_VIRTUAL_NETWORK:
		out.tag = TAG_BIT_VNET;
		break;
	case TAG_INTERNET:
		out.tag = TAG_BIT_INTERNET;
		break;
	case TAG_AZURE_LOAD_BALANCER:
		out.tag = TAG_BIT_LOAD_BALANCER;
		break;
	case TAG_PREFIXES:
		out.prefix = side->prefixes.p;
		out.n_prefixes = side->prefixes.n;
		break;
	case TAG_ASGS:
		expand_asgs(b, side, &out);
		break;
	}
	copy_ports(b, side, &out);
	return out;
}

static struct acl_rule_spec
convert_rule(struct world_build *b, const struct cfg_nsg *nsg, const struct cfg_rule *r)
{
	const char *folder = r->is_default ? "defaultSecurityRules" : "securityRules";

	return (struct acl_rule_spec){.protocol = r->protocol,
		.allow = r->allow,
		.source = convert_side(b, &r->source),
		.destination = convert_side(b, &r->destination),
		.name = world_name(b, "%s/%s/%s", nsg->name, folder, r->name)};
}

/* config_check sorted the rules: by direction, then priority. */
static struct acl_spec
convert_rules(struct world_build *b, const struct cfg_nsg *nsg, enum cfg_direction direction)
{
	struct acl_spec acl = {.rule = arena_array(b->arena, nsg->n_rules, sizeof(*acl.rule))};

	for (uint32_t i = 0; acl.rule != NULL && i < nsg->n_rules; i++) {
		if (nsg->rules[i].direction == direction)
			acl.rule[acl.n++] = convert_rule(b, nsg, &nsg->rules[i]);
	}
	return acl;
}

uint32_t
security_group_acl(struct world_build *b, int32_t nsg, enum cfg_direction direction)
{
	uint32_t *made = &b->nsg_acl[nsg][direction];
	struct acl_spec *grown;

	if (*made != ACL_NONE)
		return *made;
	grown = world_grow(b, b->spec->acl, b->spec->n_acls, sizeof(*grown));
	if (grown == NULL)
		return ACL_NONE;
	b->spec->acl = grown;
	grown[b->spec->n_acls] = convert_rules(b, &b->config->nsgs[nsg], direction);
	return *made = b->spec->n_acls++;
}
