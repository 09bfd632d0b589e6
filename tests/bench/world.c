/* Worlds as configuration texts; what would be long as a text is added to the description (extension.c). */
#include "world.h"

#include <rte_common.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CAPACITY_MIN 16384
#define CAPACITY_FRESH (1u << 20) /* more than a pass opens with one worker */
#define COLD_DESCRIPTORS 8192
#define HOT_DESCRIPTORS 1024

static char text[4 << 20];
static size_t used;

static void add(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void
add(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	used += (size_t)vsnprintf(text + used, sizeof(text) - used, format, args);
	va_end(args);
	if (used >= sizeof(text)) {
		fprintf(stderr, "the world's text is too long\n");
		exit(1);
	}
}

/* ---- rules -------------------------------------------------------------------------------------- */

/* More rules than one NSG takes are spread over a's subnet, b's subnet and b's host: a new flow meets all of them. Each
 * list is as long as the configuration allows and grows to its third of all in the description. Otherwise the one list
 * is the sender's where packets leave through a tunnel, else the receiver's. */
struct lists {
	uint32_t sender, receiver, host; /* rules; 0: no NSG there */
};

static struct lists
lists_of(const struct bench_world *plan)
{
	if (plan->rules > RULES_PER_GROUP)
		return (struct lists){RULES_PER_GROUP, RULES_PER_GROUP, RULES_PER_GROUP};
	return plan->shape == SHAPE_TUNNEL ? (struct lists){.sender = plan->rules}
					   : (struct lists){.receiver = plan->rules};
}

/* Rules of the kind people write (a network, a port, a protocol), none of which matches. */
static void
add_rules(const char *name, bool outbound, bool v6, uint32_t n)
{
	const char *far = outbound ? "destination" : "source", *near = outbound ? "source" : "destination";

	if (n == 0)
		return;
	add("  - name: %s\n    securityRules:\n", name);
	for (uint32_t i = 0; i < n; i++) {
		add("      - {name: r%u, priority: %u, direction: %s, access: %s, protocol: %s, ", i, 100 + i,
			outbound ? "Outbound" : "Inbound", i & 1 ? "Allow" : "Deny", i % 3 ? "Tcp" : "Udp");
		add(v6 ? "%sAddressPrefix: 'fd17:%u:%u::/48', " : "%sAddressPrefix: 172.%u.%u.0/24, ", far, 16 + i % 16,
			i / 16);
		add("%sAddressPrefix: '*', sourcePortRange: '*', destinationPortRange: '%u'}\n", near,
			1 + i * 7 % 60000);
	}
}

static void
add_groups(const struct bench_world *plan)
{
	struct lists n = lists_of(plan);

	if (plan->rules == 0)
		return;
	add("networkSecurityGroups:\n");
	add_rules("sender", true, plan->v6, n.sender);
	add_rules("receiver", false, plan->v6, n.receiver);
	add_rules("host", false, plan->v6, n.host);
}

/* ---- networks ------------------------------------------------------------------------------------- */

static void
add_subnet(const char *name, const char *prefixes, const char *group)
{
	add("      - {name: %s, addressPrefixes: [%s]", name, prefixes);
	if (group)
		add(", networkSecurityGroup: {id: %s}", group);
	add("}\n");
}

static void
add_vnet(const struct bench_world *plan, const char *name, const char *peer, const char *prefixes)
{
	add("  - name: %s\n    addressSpace: {addressPrefixes: [%s]}\n", name, prefixes);
	if (plan->shape == SHAPE_PEERED)
		add("    virtualNetworkPeerings: [{name: p, remoteVirtualNetwork: {id: %s}}]\n", peer);
	add("    subnets:\n");
}

static void
add_networks(const struct bench_world *plan)
{
	struct lists n = lists_of(plan);
	bool one = plan->shape == SHAPE_VNET, gateways = plan->shape == SHAPE_TUNNEL;

	add("virtualNetworks:\n");
	add_vnet(plan, "a", "b", one ? "10.0.0.0/8, 'fd00:a::/32', 'fd00:b::/32'" : "10.0.0.0/9, 'fd00:a::/32'");
	add_subnet("s", SUBNET_A, n.sender ? "sender" : NULL);
	if (gateways)
		add_subnet("GatewaySubnet", "10.127.0.0/27", NULL);
	if (!one)
		add_vnet(plan, "b", "a", "10.128.0.0/9, 'fd00:b::/32'");
	add_subnet(one ? "t" : "s", SUBNET_B, n.receiver ? "receiver" : NULL);
	if (gateways)
		add_subnet("GatewaySubnet", "10.255.0.0/27", NULL);

	add("networkInterfaces:\n  - name: hb\n    macAddress: 02-00-00-00-0b-10\n%s    ipConfigurations:\n",
		n.host ? "    networkSecurityGroup: {id: host}\n" : "");
	add("      - {name: four, privateIPAddress: %s, subnet: %s}\n", HOST_B4, one ? "a/t" : "b/s");
	add("      - {name: six, privateIPAddress: '%s', subnet: %s}\n", HOST_B6, one ? "a/t" : "b/s");
}

/* ---- tunnels ------------------------------------------------------------------------------------------ */

/* The key's first byte, of SAs in the one direction and in the other; what follows is alike in all keys. */
#define KEY_AB 0x00
#define KEY_BA 0x80

static const struct {
	const char *names;
	const char *key, *auth_key; /* but for their first byte; there may be no authKey */
} algorithm[] = {
	[GCM_128] = {"encryption: aes-gcm-128", "0102030405060708090a0b0c0d0e0f10111213", NULL},
	[GCM_256] = {"encryption: aes-gcm-256",
		"0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223", NULL},
	[CBC_SHA256] = {"encryption: aes-cbc-128, integrity: sha256-128", "0102030405060708090a0b0c0d0e0f",
		"0102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f"},
};

static void
add_sas(const struct bench_world *plan, const char *direction, uint32_t spi, uint32_t first_byte)
{
	const char *auth_key = algorithm[plan->algorithm].auth_key;

	for (uint32_t i = 0; i < RTE_MAX(plan->resources, 1u); i++) {
		add("        - {%s, resource: %u, spi: %u, %s, key: '%02x%s'", direction, i, spi + i,
			algorithm[plan->algorithm].names, first_byte + i, algorithm[plan->algorithm].key);
		if (auth_key)
			add(", authKey: '%02x%s'", first_byte + i, auth_key);
		add("}\n");
	}
}

static void
add_connection(const struct bench_world *plan, const char *one, const char *other)
{
	bool ab = *one == 'a';

	add("  - name: %s-to-%s\n    connectionType: Vnet2Vnet\n    virtualNetworkGateway1: {id: gw-%s}\n"
	    "    virtualNetworkGateway2: {id: gw-%s}\n    appliance:\n      securityAssociations:\n",
		one, other, one, other);
	add_sas(plan, "direction: out", ab ? SPI_AB : SPI_BA, ab ? KEY_AB : KEY_BA);
	add_sas(plan, "direction: in, replayWindow: 4096", ab ? SPI_BA : SPI_AB, ab ? KEY_BA : KEY_AB);
}

static void
add_gateways(const struct bench_world *plan)
{
	add("virtualNetworkGateways:\n");
	for (const char *g = "ab"; *g; g++)
		add("  - {name: gw-%c, gatewayType: Vpn, vpnType: RouteBased, ipConfigurations: [{name: c, subnet: "
		    "%c/GatewaySubnet, publicIPAddress: {id: ip-%c}}]}\n",
			*g, *g, *g);
	add("connections:\n");
	add_connection(plan, "a", "b");
	add_connection(plan, "b", "a");
}

static void
add_appliance(const struct bench_world *plan, uint32_t capacity, bool cold)
{
	static const char *const port[] = {"pa", "pb", "w0", "w1"};
	bool wires = plan->shape == SHAPE_TUNNEL;

	add("appliance:\n  name: bench\n  workers: %u\n  flows: %u\n  ports:\n", plan->workers ? plan->workers : 1,
		capacity);
	for (int i = 0; i < (wires ? 4 : 2); i++)
		add("    - {name: %s, driver: ring, descriptors: %d}\n", port[i],
			cold ? COLD_DESCRIPTORS : HOT_DESCRIPTORS);
	add("  attachments: [{subnet: a/s, port: pa}, {subnet: %s, port: pb}]\n",
		plan->shape == SHAPE_VNET ? "a/t" : "b/s");
	if (wires)
		add("  uplinks:\n"
		    "    - {name: u0, port: w0, addresses: [192.0.2.1/25], gateway: 192.0.2.126}\n"
		    "    - {name: u1, port: w1, addresses: [192.0.2.129/25], gateway: 192.0.2.254}\n"
		    "publicIPAddresses: [{name: ip-a, ipAddress: 192.0.2.1}, {name: ip-b, ipAddress: 192.0.2.129}]\n");
}

/* A conversation is a flow at each end that has rules; a little room beyond, so that the last one finds its place. */
static uint32_t
capacity_of(const struct scenario *s)
{
	struct lists n = lists_of(&s->world);
	uint32_t flows = s->fresh ? CAPACITY_FRESH : s->world.rules ? s->flows : 0;

	if (s->fresh && s->world.workers > 1)
		flows *= 4;
	flows *= n.sender && n.receiver ? 2 : 1;
	return RTE_MAX(flows + flows / 8, (uint32_t)CAPACITY_MIN);
}

/* ---- the whole -------------------------------------------------------------------------------------- */

void
world_start(const struct scenario *s)
{
	const struct bench_world *plan = &s->world;

	used = 0;
	add_appliance(plan, capacity_of(s), s->cold);
	add_networks(plan);
	add_groups(plan);
	if (plan->shape == SHAPE_TUNNEL)
		add_gateways(plan);
	whole_start_extended(text, extension_add, (void *)(uintptr_t)plan);
}

void
world_stop(void)
{
	whole_stop();
	extension_free();
}
