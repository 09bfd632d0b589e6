/* The world's other parts: interfaces and their ids, NSGs as access lists, tags, tunnels and SAs, uplinks. */
#include "control/iface_ids.h"

#include "tests/unit/world_text.h"

#include <errno.h>
#include <stdlib.h>

static const char site[] =
	"virtualNetworks:\n"
	"  - name: v\n"
	"    flowTimeoutInMinutes: 10\n"
	"    addressSpace: {addressPrefixes: [10.1.0.0/16, 'fd00:1::/48']}\n"
	"    subnets:\n"
	"      - {name: web, addressPrefixes: [10.1.1.0/24, 'fd00:1:0:1::/64'], networkSecurityGroup: {id: guard}}\n"
	"      - {name: app, addressPrefix: 10.1.2.0/24, networkSecurityGroup: {id: guard}}\n"
	"      - {name: away, addressPrefix: 10.1.3.0/24, networkSecurityGroup: {id: unused}}\n"
	"      - {name: GatewaySubnet, addressPrefix: 10.1.255.0/27}\n"
	"    virtualNetworkPeerings: [{name: to-w, remoteVirtualNetwork: {id: w}, allowGatewayTransit: true}]\n"
	"  - name: w\n"
	"    addressSpace: {addressPrefixes: [10.2.0.0/16]}\n"
	"    subnets: [{name: s, addressPrefix: 10.2.1.0/24}]\n"
	"    virtualNetworkPeerings: [{name: to-v, remoteVirtualNetwork: {id: v}, useRemoteGateways: true}]\n"
	"networkSecurityGroups:\n"
	"  - name: guard\n"
	"    securityRules:\n"
	"      - {name: asg, priority: 200, direction: Inbound, access: Allow, protocol: Tcp,\n"
	"         sourceApplicationSecurityGroups: [{id: clients}], destinationApplicationSecurityGroups: [{id: "
	"empty}],\n"
	"         sourcePortRange: '*', destinationPortRanges: ['443', 8000-8099]}\n"
	"      - {name: tag, priority: 100, direction: Inbound, access: Deny, protocol: '*', sourceAddressPrefix: "
	"Internet,\n"
	"         sourcePortRange: '*', destinationAddressPrefix: VirtualNetwork, destinationPortRange: '*'}\n"
	"      - {name: out, priority: 100, direction: Outbound, access: Deny, protocol: Icmp, sourceAddressPrefix: "
	"'*',\n"
	"         sourcePortRange: '*', destinationAddressPrefixes: [192.0.2.0/24, 198.51.100.7], "
	"destinationPortRange: '*'}\n"
	"  - {name: unused}\n"
	"  - {name: card}\n"
	"applicationSecurityGroups: [{name: clients}, {name: empty}]\n"
	"networkInterfaces:\n"
	"  - name: n1\n"
	"    enableIPForwarding: true\n"
	"    networkSecurityGroup: {id: card}\n"
	"    ipConfigurations:\n"
	"      - {name: i, subnet: {id: v/web}, privateIPAddress: 10.1.1.4, applicationSecurityGroups: [{id: "
	"clients}]}\n"
	"      - {name: j, subnet: {id: v/web}, privateIPAddress: 10.1.1.5}\n"
	"  - name: n2\n"
	"    ipConfigurations:\n"
	"      - {name: i, subnet: {id: v/away}, privateIPAddress: 10.1.3.4, applicationSecurityGroups: [{id: "
	"clients}]}\n"
	"publicIPAddresses: [{name: ip, ipAddress: 203.0.113.1}]\n"
	"virtualNetworkGateways:\n"
	"  - name: gw\n"
	"    ipConfigurations: [{subnet: {id: v/GatewaySubnet}, publicIPAddress: {id: ip}}]\n"
	"localNetworkGateways:\n"
	"  - {name: site, gatewayIpAddress: 198.51.100.1, localNetworkAddressSpace: {addressPrefixes: [192.168.0.0/16, "
	"172.16.0.0/16]}}\n"
	"connections:\n"
	"  - name: c\n"
	"    connectionType: IPsec\n"
	"    virtualNetworkGateway1: {id: gw}\n"
	"    localNetworkGateway2: {id: site}\n"
	"%s"
	"    appliance:\n"
	"      mtu: 1400\n"
	"      tcpMss: 1200\n"
	"      securityAssociations:\n"
	"        - {direction: out, spi: 0x1000, encryption: aes-gcm-128, key: "
	"00112233445566778899aabbccddeeff01020304}\n"
	"        - {direction: in, spi: 0x2000, encryption: aes-gcm-128, key: "
	"5a112233445566778899aabbccddeeff01020305}\n"
	"appliance:\n"
	"  name: test\n"
	"  ports: [{name: p, driver: 'null', mtu: 1400}, {name: q, driver: 'null'}]\n"
	"  attachments:\n"
	"    - {subnet: v/web, port: p, vlan: 7}\n"
	"    - {subnet: v/app, port: q}\n"
	"    - {subnet: w/s, port: p, vlan: 8}\n"
	"  uplinks:\n"
	"    - {name: wan, port: q, vlan: 9, addresses: [203.0.113.1/24, '2001:db8::5/64'], gateway: 203.0.113.254,\n"
	"       internet: true, virtualNetworks: [{id: v}]}\n"
	"    - {name: quiet, port: p, vlan: 10, addresses: [198.18.0.1/24]}\n";

static struct world_text
the_site(const char *connection)
{
	char text[16384];

	snprintf(text, sizeof(text), site, connection);
	return world_from(text);
}

static const struct iface_spec *
iface(const struct world_text *t, const char *name)
{
	return &t->world->spec.iface[world_iface(t, name)];
}

static void
expect_address(const struct ip_addr *a, const char *wanted)
{
	char text[ADDRESS_TEXT_MAX];

	assert_string_equal(address_text(a, text, sizeof(text)), wanted);
}

static void
expect_prefix(const struct ip_prefix *p, const char *wanted)
{
	char text[ADDRESS_TEXT_MAX];

	assert_string_equal(prefix_text(p, text, sizeof(text)), wanted);
}

/* ---- interfaces ---- */

static void
interfaces(void **state)
{
	struct world_text t = the_site("");
	const struct iface_spec *web = iface(&t, "v/web"), *app = iface(&t, "v/app"), *wan = iface(&t, "uplink wan");
	const struct iface_spec *gateway = iface(&t, "gateway gw"), *other = iface(&t, "w/s");

	assert_int_equal(t.world->spec.iface[0].kind, IFACE_INVALID);
	assert_int_equal(web->kind, IFACE_SUBNET);
	assert_int_equal(web->port, 0);
	assert_int_equal(web->vlan, 7);
	assert_int_equal(web->mtu, 1400);
	assert_int_equal(web->flow_timeout_s, 600);
	assert_int_equal(web->n_prefixes, 2);
	expect_address(&web->address[0], "10.1.1.1");
	expect_prefix(&web->prefix[0], "10.1.1.0/24");
	expect_address(&web->address[1], "fd00:1:0:1::1");
	assert_int_equal(app->port, 1);
	assert_int_equal(app->vlan, 0);
	assert_int_equal(app->mtu, 1500);

	assert_true(web->vnet != 0 && web->vnet == app->vnet && web->vnet == gateway->vnet && web->vnet != other->vnet);
	assert_int_equal(gateway->kind, IFACE_GATEWAY);
	assert_int_equal(wan->kind, IFACE_UPLINK);
	assert_int_equal(wan->vnet, 0);
	expect_address(&wan->address[0], "203.0.113.1");
	expect_prefix(&wan->prefix[0], "203.0.113.0/24");
	expect_address(&wan->gateway4, "203.0.113.254");
	assert_int_equal(wan->gateway6.family, IP_NONE);

	assert_int_equal(world_iface_of(t.world, 0, &web->address[0]), world_iface(&t, "v/web"));
	assert_int_equal(world_iface_of(t.world, 1, &web->address[0]), IFACE_NONE);
	world_text_free(&t);
}

static void
nics(void **state)
{
	struct world_text t = the_site("");
	const struct view_spec *s = &t.world->spec;

	assert_int_equal(s->n_nics, 2); /* n2's subnet is attached to no port */
	expect_address(&s->nic[0].address, "10.1.1.4");
	assert_int_equal(s->nic[0].iface, world_iface(&t, "v/web"));
	assert_true(s->nic[0].forwarding);
	assert_string_equal(names_text(t.names, s->nic[0].name), "n1");
	assert_true(s->nic[0].acl_in != ACL_NONE && s->nic[0].acl_out != ACL_NONE);
	assert_int_equal(s->nic[0].acl_in, s->nic[1].acl_in);
	world_text_free(&t);
}

/* ---- ids and names ---- */

/* A reload keeps the ids of what stays, whatever comes before it in the file. */
static void
ids_stay_with_their_names(void **state)
{
	struct world_text t = the_site("");
	uint16_t web = world_iface(&t, "v/web"), wan = world_iface(&t, "uplink wan");
	uint32_t vnet = t.world->spec.iface[web].vnet;
	struct config_errors errors = {.path = "test"};
	struct config *c =
		config_from("virtualNetworks:\n"
			    "  - {name: new, addressSpace: {addressPrefixes: [10.9.0.0/16]}, subnets: [{name: s, "
			    "addressPrefix: 10.9.1.0/24}]}\n"
			    "  - {name: v, addressSpace: {addressPrefixes: [10.1.0.0/16]}, subnets: [{name: web, "
			    "addressPrefix: 10.1.1.0/24}]}\n"
			    "appliance:\n"
			    "  name: test\n"
			    "  ports: [{name: p, driver: 'null'}]\n"
			    "  attachments: [{subnet: new/s, port: p, vlan: 3}, {subnet: v/web, port: p, vlan: 4}]\n"
			    "  uplinks: [{name: wan, port: p, addresses: [203.0.113.1/24]}]\n");

	world_free(t.world);
	assert_int_equal(world_build(c, NULL, t.names, t.ids, &t.world, &errors), 0);
	assert_int_equal(world_iface(&t, "v/web"), web);
	assert_int_equal(world_iface(&t, "uplink wan"), wan);
	assert_int_equal(t.world->spec.iface[web].vnet, vnet);
	assert_true(world_iface(&t, "new/s") > wan); /* a fresh one, not that of v/app */
	world_text_free(&t);
}

static void
freed_ids_come_back_late(void **state)
{
	struct iface_ids *ids = iface_ids_create();
	char name[32];

	iface_ids_begin(ids);
	assert_int_equal(iface_ids_take(ids, "a"), 1);
	assert_int_equal(iface_ids_take(ids, "b"), 2);
	assert_int_equal(iface_ids_take(ids, "a"), 1);
	iface_ids_begin(ids); /* a is out of use, then b too */
	assert_int_equal(iface_ids_take(ids, "b"), 2);
	iface_ids_begin(ids);
	for (int i = 3; i < IFACES_MAX; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		assert_int_equal(iface_ids_take(ids, name), i);
	}
	assert_int_equal(iface_ids_take(ids, "more"), 1); /* the one longest out of use */
	assert_int_equal(iface_ids_take(ids, "b"), 2);    /* came back in time */
	assert_int_equal(iface_ids_take(ids, "too many"), IFACE_NONE);
	iface_ids_free(ids);
}

static void
names_are_for_good(void **state)
{
	struct names *n = names_create();
	const char *first;
	char text[32];

	assert_int_equal(names_id(n, ""), NAME_NONE);
	assert_int_equal(names_id(n, NULL), NAME_NONE);
	assert_string_equal(names_text(n, NAME_NONE), "");
	assert_string_equal(names_text(n, 12345), "");
	for (uint32_t i = 1; i <= 5000; i++) {
		snprintf(text, sizeof(text), "name %u", i);
		assert_int_equal(names_id(n, text), i);
		if (i == 1)
			first = names_text(n, 1);
	}
	for (uint32_t i = 1; i <= 5000; i++) {
		snprintf(text, sizeof(text), "name %u", i);
		assert_int_equal(names_id(n, text), i);
		assert_string_equal(names_text(n, i), text);
	}
	assert_ptr_equal(names_text(n, 1), first);
	names_free(n);
}

/* ---- shared tables ---- */

static uint32_t
table_of(const struct world_text *t, const char *name)
{
	return iface(t, name)->routes;
}

/* Subnets with one route table share what is compiled; not where a route treats one of them apart. */
static void
subnets_share_tables(void **state)
{
	struct world_text t = world_from("virtualNetworks:\n"
					 "  - name: v\n"
					 "    addressSpace: {addressPrefixes: [10.1.0.0/16]}\n"
					 "    subnets:\n"
					 "      - {name: a, addressPrefix: 10.1.1.0/24}\n"
					 "      - {name: b, addressPrefix: 10.1.2.0/24}\n"
					 "      - {name: c, addressPrefix: 10.1.3.0/24, routeTable: {id: t}}\n"
					 "      - {name: d, addressPrefix: 10.1.4.0/24, routeTable: {id: t}}\n"
					 "      - {name: nva, addressPrefix: 10.1.5.0/24, routeTable: {id: t}}\n"
					 "      - {name: under, addressPrefix: 10.1.6.0/24, routeTable: {id: t}}\n"
					 "routeTables:\n"
					 "  - name: t\n"
					 "    routes:\n"
					 "      - {name: all, addressPrefix: 0.0.0.0/0, nextHopType: VirtualAppliance, "
					 "nextHopIpAddress: 10.1.5.4}\n"
					 "      - {name: six, addressPrefix: 10.1.6.0/24, nextHopType: None}\n"
					 "appliance:\n"
					 "  name: test\n"
					 "  ports: [{name: p, driver: 'null'}]\n"
					 "  attachments: [{subnet: v/a, port: p, vlan: 1}, {subnet: v/b, port: p, "
					 "vlan: 2}, {subnet: v/c, port: p, vlan: 3},\n"
					 "    {subnet: v/d, port: p, vlan: 4}, {subnet: v/nva, port: p, vlan: 5}, "
					 "{subnet: v/under, port: p, vlan: 6}]\n");

	assert_int_equal(table_of(&t, "v/a"), table_of(&t, "v/b"));
	assert_int_equal(table_of(&t, "v/c"), table_of(&t, "v/d"));
	assert_true(table_of(&t, "v/a") != table_of(&t, "v/c"));
	assert_true(table_of(&t, "v/nva") != table_of(&t, "v/c"));
	assert_true(table_of(&t, "v/under") != table_of(&t, "v/c"));
	assert_string_equal(world_hop(&t, "v/d", "8.8.8.8"), "neighbour v/nva 10.1.5.4");
	assert_string_equal(world_hop(&t, "v/nva", "8.8.8.8"), "drop route-invalid t/routes/all");
	assert_string_equal(world_hop(&t, "v/d", "10.1.6.1"), "drop route-none t/routes/six");
	assert_string_equal(world_hop(&t, "v/under", "10.1.6.1"), "local");
	assert_string_equal(world_hop(&t, "v/b", "10.1.2.1"), "local");
	assert_int_equal(world_table(t.world, "v", "d")->n, world_table(t.world, "v", "c")->n);
	world_text_free(&t);
}

/* ---- NSGs ---- */

static const struct acl_rule_spec *
rule(const struct world_text *t, uint32_t acl, const char *name)
{
	const struct acl_spec *a = &t->world->spec.acl[acl];

	for (uint32_t i = 0; i < a->n; i++) {
		if (strcmp(names_text(t->names, a->rule[i].name), name) == 0)
			return &a->rule[i];
	}
	fail_msg("no rule %s", name);
	return NULL;
}

static void
security_groups(void **state)
{
	struct world_text t = the_site("");
	const struct iface_spec *web = iface(&t, "v/web");
	const struct acl_spec *in = &t.world->spec.acl[web->acl_in], *out = &t.world->spec.acl[web->acl_out];
	const struct acl_rule_spec *r;

	/* shared by both subnets; what no attached subnet uses is not compiled: guard and card, two directions each */
	assert_int_equal(web->acl_in, iface(&t, "v/app")->acl_in);
	assert_int_equal(iface(&t, "w/s")->acl_in, ACL_NONE);
	assert_int_equal(t.world->spec.n_acls, 1 + 4);

	/* by priority, the vendor's defaults last */
	assert_int_equal(in->n, 5);
	assert_string_equal(names_text(t.names, in->rule[0].name), "guard/securityRules/tag");
	assert_string_equal(names_text(t.names, in->rule[1].name), "guard/securityRules/asg");
	assert_string_equal(names_text(t.names, in->rule[2].name), "guard/defaultSecurityRules/AllowVnetInBound");
	assert_string_equal(names_text(t.names, in->rule[4].name), "guard/defaultSecurityRules/DenyAllInBound");
	assert_int_equal(out->n, 4);

	r = rule(&t, web->acl_in, "guard/securityRules/tag");
	assert_false(r->allow);
	assert_int_equal(r->protocol, -1);
	assert_int_equal(r->source.tag, TAG_BIT_INTERNET);
	assert_int_equal(r->destination.tag, TAG_BIT_VNET);
	assert_int_equal(r->source.n_ports, 0);

	/* members on unattached subnets count: their packets may come through a tunnel or an NVA */
	r = rule(&t, web->acl_in, "guard/securityRules/asg");
	assert_true(r->allow);
	assert_int_equal(r->protocol, 6);
	assert_int_equal(r->source.n_prefixes, 2);
	expect_prefix(&r->source.prefix[0], "10.1.1.4/32");
	expect_prefix(&r->source.prefix[1], "10.1.3.4/32");
	assert_false(r->source.nothing);
	assert_true(r->destination.nothing);
	assert_int_equal(r->destination.n_ports, 2);
	assert_int_equal(r->destination.port[0].first, 443);
	assert_int_equal(r->destination.port[1].last, 8099);

	r = rule(&t, web->acl_out, "guard/securityRules/out");
	assert_int_equal(r->protocol, 1);
	assert_int_equal(r->destination.n_prefixes, 2);
	expect_prefix(&r->destination.prefix[1], "198.51.100.7/32");
	world_text_free(&t);
}

/* ---- tags ---- */

static uint8_t
bits(const struct world_text *t, const char *name, const char *address)
{
	struct tags *tags = world_tags(t->world, iface(t, name)->tags);
	struct ip_addr a;
	uint8_t b;

	assert_int_equal(address_parse(address, &a), 0);
	b = tags_lookup(tags, a.family, a.b);
	tags_free(tags);
	return b;
}

static void
service_tags(void **state)
{
	struct world_text t = the_site("");

	assert_int_equal(bits(&t, "v/web", "10.1.200.1"), TAG_BIT_VNET | TAG_BIT_OWN_VNET);
	assert_int_equal(bits(&t, "v/web", "fd00:1:0:77::1"), TAG_BIT_VNET | TAG_BIT_OWN_VNET);
	assert_int_equal(bits(&t, "v/web", "10.2.1.1"), TAG_BIT_VNET);
	assert_int_equal(bits(&t, "w/s", "10.1.1.1"), TAG_BIT_VNET);
	assert_int_equal(bits(&t, "w/s", "10.2.1.1"), TAG_BIT_VNET | TAG_BIT_OWN_VNET);
	assert_int_equal(bits(&t, "v/web", "192.168.9.9"), TAG_BIT_VNET);
	assert_int_equal(bits(&t, "w/s", "192.168.9.9"), TAG_BIT_VNET);
	assert_int_equal(bits(&t, "v/web", "168.63.129.16"), TAG_BIT_VNET | TAG_BIT_LOAD_BALANCER);
	assert_int_equal(bits(&t, "v/web", "8.8.8.8"), TAG_BIT_INTERNET);
	assert_int_equal(bits(&t, "v/web", "2001:db8::1"), TAG_BIT_INTERNET);
	assert_int_equal(bits(&t, "uplink wan", "10.1.1.1"), TAG_BIT_INTERNET);
	assert_int_equal(iface(&t, "v/web")->tags, iface(&t, "v/app")->tags);
	world_text_free(&t);
}

/* Prefixes of user routes widen VirtualNetwork; bits of prefixes around them stay. */
static void
user_routes_widen_the_tag(void **state)
{
	struct world_text t = world_from(
		"virtualNetworks:\n"
		"  - name: v\n"
		"    addressSpace: {addressPrefixes: [10.1.0.0/16]}\n"
		"    subnets: [{name: a, addressPrefix: 10.1.1.0/24, routeTable: {id: wide}}, {name: b, addressPrefix: "
		"10.1.2.0/24, routeTable: {id: narrow}}]\n"
		"routeTables:\n"
		"  - {name: wide, routes: [{name: all, addressPrefix: 0.0.0.0/0, nextHopType: None}, {name: in, "
		"addressPrefix: "
		"10.1.7.0/24, nextHopType: None}]}\n"
		"  - {name: narrow, routes: [{name: some, addressPrefix: 198.51.100.0/24, nextHopType: None}]}\n"
		"appliance:\n"
		"  name: test\n"
		"  ports: [{name: p, driver: 'null'}]\n"
		"  attachments: [{subnet: v/a, port: p, vlan: 3}, {subnet: v/b, port: p, vlan: 4}]\n");

	assert_int_equal(bits(&t, "v/a", "8.8.8.8"), TAG_BIT_VNET);
	assert_int_equal(bits(&t, "v/a", "10.1.7.7"), TAG_BIT_VNET | TAG_BIT_OWN_VNET);
	assert_int_equal(bits(&t, "v/b", "8.8.8.8"), TAG_BIT_INTERNET);
	assert_int_equal(bits(&t, "v/b", "198.51.100.1"), TAG_BIT_VNET);
	assert_int_equal(t.world->n_warnings, 1);
	assert_non_null(strstr(t.world->warning[0].text, "wide/all"));
	assert_true(t.world->warning[0].mark.line != 0);
	world_text_free(&t);
}

/* ---- tunnels ---- */

static void
tunnels_and_sas(void **state)
{
	struct world_text t = the_site("");
	const struct view_spec *s = &t.world->spec;
	const struct tunnel_spec *tunnel = s->tunnel;

	assert_int_equal(s->n_tunnels, 1);
	assert_string_equal(names_text(t.names, tunnel->name), "connection c");
	assert_int_equal(tunnel->gateway, world_iface(&t, "gateway gw"));
	assert_int_equal(tunnel->uplink, world_iface(&t, "uplink wan"));
	expect_address(&tunnel->local, "203.0.113.1");
	expect_address(&tunnel->remote, "198.51.100.1");
	assert_int_equal(tunnel->n_selectors, 0);
	assert_int_equal(tunnel->mtu, 1400);
	assert_int_equal(tunnel->tcp_mss, 1200);
	assert_int_equal(s->n_sas, 2);
	assert_string_equal(names_text(t.names, s->sa[0].name), "connection c/sa out 0x1000");
	assert_string_equal(names_text(t.names, s->sa[1].name), "connection c/sa in 0x2000");
	assert_int_equal(s->sa[1].tunnel, 0);
	assert_null(s->sa[0].sa);
	world_text_free(&t);
}

/* The full product of local and remote prefixes of one family; transit users' spaces are local too. */
static void
policy_based_selectors(void **state)
{
	static const char *const wanted[][2] = {{"10.1.0.0/16", "192.168.0.0/16"}, {"10.1.0.0/16", "172.16.0.0/16"},
		{"10.2.0.0/16", "192.168.0.0/16"}, {"10.2.0.0/16", "172.16.0.0/16"}};
	struct world_text t = the_site("    usePolicyBasedTrafficSelectors: true\n");
	const struct tunnel_spec *tunnel = t.world->spec.tunnel;

	assert_int_equal(tunnel->n_selectors, 4);
	for (int i = 0; i < 4; i++) {
		expect_prefix(&tunnel->selector[i].local, wanted[i][0]);
		expect_prefix(&tunnel->selector[i].remote, wanted[i][1]);
	}
	world_text_free(&t);
}

static void
custom_selectors(void **state)
{
	struct world_text t = the_site("    usePolicyBasedTrafficSelectors: true\n"
				       "    trafficSelectorPolicies: [{localAddressRanges: [10.1.1.0/24, 10.1.2.0/24], "
				       "remoteAddressRanges: [192.168.7.0/24]}]\n");
	const struct tunnel_spec *tunnel = t.world->spec.tunnel;

	assert_int_equal(tunnel->n_selectors, 2);
	expect_prefix(&tunnel->selector[1].local, "10.1.2.0/24");
	expect_prefix(&tunnel->selector[1].remote, "192.168.7.0/24");
	world_text_free(&t);
}

/* ---- uplinks ---- */

static void
what_comes_in_from_uplinks(void **state)
{
	struct world_text t = the_site("");

	assert_string_equal(world_hop(&t, "uplink wan", "203.0.113.1"), "local");
	assert_string_equal(world_hop(&t, "uplink wan", "2001:db8::5"), "local");
	assert_string_equal(world_hop(&t, "uplink wan", "198.18.0.1"), "local");
	assert_string_equal(world_hop(&t, "uplink wan", "203.0.113.2"), "drop not-for-us uplink wan");
	assert_string_equal(world_hop(&t, "uplink wan", "10.1.1.9"), "subnet v/web");
	assert_string_equal(world_hop(&t, "uplink wan", "fd00:1:0:1::9"), "subnet v/web");
	assert_string_equal(world_hop(&t, "uplink wan", "10.1.1.1"), "local");
	assert_string_equal(world_hop(&t, "uplink wan", "10.1.3.9"), "drop not-for-us uplink wan");
	assert_string_equal(world_hop(&t, "uplink wan", "10.2.1.9"), "drop not-for-us uplink wan");
	assert_string_equal(world_hop(&t, "uplink quiet", "10.1.1.9"), "drop not-for-us uplink quiet");
	assert_string_equal(world_hop(&t, "uplink quiet", "2001:db8::9"), "drop not-for-us uplink quiet");
	world_text_free(&t);
}

/* ---- refusals ---- */

/* The checks catch most; what they leave is refused here, and the configuration stays the caller's. */
static void
refused_worlds_leave_the_configuration(void **state)
{
	struct config *c =
		config_from("virtualNetworks:\n"
			    "  - {name: v, addressSpace: {addressPrefixes: [10.1.0.0/16]}, subnets: [{name: s, "
			    "addressPrefix: 10.1.1.0/24}]}\n"
			    "  - {name: w, addressSpace: {addressPrefixes: [10.2.0.0/16]}, subnets: [{name: s, "
			    "addressPrefix: 10.2.1.0/24}]}\n"
			    "appliance:\n"
			    "  name: test\n"
			    "  ports: [{name: p, driver: 'null'}]\n"
			    "  attachments: [{subnet: v/s, port: p, vlan: 3}, {subnet: w/s, port: p, vlan: 4}]\n");
	struct names *names = names_create();
	struct iface_ids *ids = iface_ids_create();
	struct config_errors errors = {.path = "test"};
	struct world *w = (struct world *)c;

	c->appliance.attachments[1].vnet = 0; /* twice the same subnet */
	assert_int_equal(world_build(c, NULL, names, ids, &w, &errors), -EINVAL);
	assert_null(w);
	assert_int_equal(errors.n, 1);
	assert_string_equal(errors.e[0].code, "SubnetAttachedTwice");
	c->appliance.attachments[1].vnet = 1;
	errors = (struct config_errors){.path = "test"};
	assert_int_equal(world_build(c, NULL, names, ids, &w, &errors), 0);
	world_free(w);
	world_free(NULL);
	names_free(names);
	iface_ids_free(ids);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interfaces),
		cmocka_unit_test(nics),
		cmocka_unit_test(ids_stay_with_their_names),
		cmocka_unit_test(freed_ids_come_back_late),
		cmocka_unit_test(names_are_for_good),
		cmocka_unit_test(subnets_share_tables),
		cmocka_unit_test(security_groups),
		cmocka_unit_test(service_tags),
		cmocka_unit_test(user_routes_widen_the_tag),
		cmocka_unit_test(tunnels_and_sas),
		cmocka_unit_test(policy_based_selectors),
		cmocka_unit_test(custom_selectors),
		cmocka_unit_test(what_comes_in_from_uplinks),
		cmocka_unit_test(refused_worlds_leave_the_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
