/* What is measured: worlds as configuration texts, packets, and the raw IPsec-MB call beside ESP. */
#include "bench.h"

#include "drivers/clock.h"
#include "drivers/crypto.h"

#include <rte_tcp.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RULES 1000
#define FLOWS 4096
#define RAW_BURSTS 4000

static char text[1 << 20];

/* ---- worlds ------------------------------------------------------------------------------------ */

#define LAN_HEAD                                                                                                       \
	"appliance:\n"                                                                                                 \
	"  name: bench\n"                                                                                              \
	"  flows: 262144\n"                                                                                            \
	"  ports: [{name: pa, driver: ring}, {name: pb, driver: ring}]\n"                                              \
	"  attachments: [{subnet: v/a, port: pa}, {subnet: v/b, port: pb}]\n"                                          \
	"networkInterfaces:\n"                                                                                         \
	"  - {name: hb, macAddress: 02-00-00-00-0b-10, ipConfigurations: [{name: c, privateIPAddress: 10.0.2.10, "     \
	"subnet: v/b}]}\n"

#define LAN_VNET                                                                                                       \
	"virtualNetworks:\n"                                                                                           \
	"  - name: v\n"                                                                                                \
	"    addressSpace: {addressPrefixes: [10.0.0.0/16]}\n"                                                         \
	"    subnets:\n"                                                                                               \
	"      - {name: a, addressPrefix: 10.0.1.0/24}\n"

static const char *
plain(void)
{
	return LAN_HEAD LAN_VNET "      - {name: b, addressPrefix: 10.0.2.0/24}\n";
}

/* Rules that do not match, of the kind people write: a source network, a port, a protocol. */
static const char *
filtered(void)
{
	size_t n = (size_t)snprintf(text, sizeof(text), "%s",
		LAN_HEAD LAN_VNET "      - {name: b, addressPrefix: 10.0.2.0/24, networkSecurityGroup: {id: web}}\n"
				  "networkSecurityGroups:\n"
				  "  - name: web\n"
				  "    securityRules:\n");

	for (int i = 0; i < RULES; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
			"      - {name: r%d, priority: %d, direction: Inbound, access: %s, protocol: %s, "
			"sourceAddressPrefix: 172.%d.%d.0/24, sourcePortRange: '*', destinationAddressPrefix: '*', "
			"destinationPortRange: '%d'}\n",
			i, 100 + i, i & 1 ? "Allow" : "Deny", i % 3 ? "Tcp" : "Udp", 16 + i % 16, i / 16,
			1 + i * 7 % 60000);
	return text;
}

#define TUNNELS                                                                                                        \
	"appliance:\n"                                                                                                 \
	"  name: bench\n"                                                                                              \
	"  ports: [{name: pa, driver: ring}, {name: pb, driver: ring}, {name: w0, driver: ring}, {name: w1, driver: "  \
	"ring}]\n"                                                                                                     \
	"  attachments: [{subnet: a/s, port: pa}, {subnet: b/s, port: pb}]\n"                                          \
	"  uplinks:\n"                                                                                                 \
	"    - {name: u0, port: w0, addresses: [192.0.2.1/25], gateway: 192.0.2.126}\n"                                \
	"    - {name: u1, port: w1, addresses: [192.0.2.129/25], gateway: 192.0.2.254}\n"                              \
	"publicIPAddresses: [{name: ip-a, ipAddress: 192.0.2.1}, {name: ip-b, ipAddress: 192.0.2.129}]\n"              \
	"virtualNetworks:\n"                                                                                           \
	"  - name: a\n"                                                                                                \
	"    addressSpace: {addressPrefixes: [10.0.0.0/16]}\n"                                                         \
	"    subnets: [{name: s, addressPrefix: 10.0.0.0/24}, {name: GatewaySubnet, addressPrefix: 10.0.255.0/27}]\n"  \
	"  - name: b\n"                                                                                                \
	"    addressSpace: {addressPrefixes: [10.1.0.0/16]}\n"                                                         \
	"    subnets: [{name: s, addressPrefix: 10.1.0.0/24}, {name: GatewaySubnet, addressPrefix: 10.1.255.0/27}]\n"  \
	"networkInterfaces:\n"                                                                                         \
	"  - {name: hb, macAddress: 02-00-00-00-0b-10, ipConfigurations: [{name: c, privateIPAddress: 10.1.0.10, "     \
	"subnet: b/s}]}\n"                                                                                             \
	"virtualNetworkGateways:\n"                                                                                    \
	"  - {name: gw-a, gatewayType: Vpn, vpnType: RouteBased, ipConfigurations: [{name: c, subnet: "                \
	"a/GatewaySubnet, publicIPAddress: {id: ip-a}}]}\n"                                                            \
	"  - {name: gw-b, gatewayType: Vpn, vpnType: RouteBased, ipConfigurations: [{name: c, subnet: "                \
	"b/GatewaySubnet, publicIPAddress: {id: ip-b}}]}\n"                                                            \
	"connections:\n"                                                                                               \
	"  - name: a-to-b\n"                                                                                           \
	"    connectionType: Vnet2Vnet\n"                                                                              \
	"    virtualNetworkGateway1: {id: gw-a}\n"                                                                     \
	"    virtualNetworkGateway2: {id: gw-b}\n"                                                                     \
	"    appliance: {securityAssociations: [{direction: out, spi: 0x1001, %s}, {direction: in, spi: 0x1002, "      \
	"%s}]}\n"                                                                                                      \
	"  - name: b-to-a\n"                                                                                           \
	"    connectionType: Vnet2Vnet\n"                                                                              \
	"    virtualNetworkGateway1: {id: gw-b}\n"                                                                     \
	"    virtualNetworkGateway2: {id: gw-a}\n"                                                                     \
	"    appliance: {securityAssociations: [{direction: out, spi: 0x1002, %s}, {direction: in, spi: 0x1001, "      \
	"%s}]}\n"

static const char *
tunnels(const char *one, const char *two)
{
	snprintf(text, sizeof(text), TUNNELS, one, two, two, one);
	return text;
}

#define GCM "encryption: aes-gcm-128, "
#define CBC "encryption: aes-cbc-128, integrity: sha256-128, "

static const char *
gcm(void)
{
	return tunnels(GCM "key: '000102030405060708090a0b0c0d0e0f10111213'",
		GCM "key: '202122232425262728292a2b2c2d2e2f30313233'");
}

static const char *
cbc(void)
{
	return tunnels(CBC "key: '000102030405060708090a0b0c0d0e0f', authKey: "
			   "'000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f'",
		CBC "key: '202122232425262728292a2b2c2d2e2f', authKey: "
		    "'202122232425262728292a2b2c2d2e2f202122232425262728292a2b2c2d2e2f'");
}

/* ---- packets ------------------------------------------------------------------------------------- */

static void
same(const struct scenario *s, struct pkt *p, struct bench_addresses *a, uint32_t n)
{
}

/* Every packet a connection never seen before. */
static void
new_flows(const struct scenario *s, struct pkt *p, struct bench_addresses *a, uint32_t n)
{
	snprintf(a->src, sizeof(a->src), "10.0.1.%u", 10 + n / 60000 % 200);
	p->src = a->src;
	p->sport = (uint16_t)(1024 + n % 60000);
	p->tcp_flags = RTE_TCP_SYN_FLAG;
}

static void
known_flows(const struct scenario *s, struct pkt *p, struct bench_addresses *a, uint32_t n)
{
	p->sport = (uint16_t)(1024 + bench_random() % FLOWS);
}

/* ---- the floor ------------------------------------------------------------------------------------- */

/* IPsec-MB alone at the length ESP gives it, same bursts, warm keys. */
static void
raw_cipher(const struct scenario *s, struct figure *out, enum cfg_encryption enc, enum cfg_integrity integ)
{
	struct cfg_sa config = {.outbound = !s->opens,
		.spi = 0x1000,
		.encryption = enc,
		.integrity = integ,
		.enc_key_len = enc == ENC_AES_GCM_128 ? 20 : 16,
		.auth_key_len = integ == INTEG_NONE ? 0 : 32};
	static double sample[RAW_BURSTS];
	static uint8_t buffer[32][2048];
	uint16_t inner = 28 + s->packet.payload;
	struct crypto_worker *w = crypto_worker_create();
	struct crypto_key *key = NULL;
	struct crypto_sizes size;

	if (w == NULL || crypto_key_create(&config, &key) != 0)
		exit(1);
	size = crypto_key_sizes(key);
	for (uint32_t b = 0; b < RAW_BURSTS; b++) {
		uint16_t padded = (uint16_t)((inner + 2 + size.block - 1) / size.block * size.block);
		uint8_t *p[32];
		uint64_t start;

		for (int i = 0; i < 32; i++)
			p[i] = buffer[i];
		start = clock_tsc();
		crypto_raw(w, key, p, padded, 32);
		sample[b] = (double)(clock_tsc() - start) / 32;
	}
	*out = bench_figure(sample, RAW_BURSTS);
	crypto_key_free(key);
	crypto_worker_free(w);
}

static void
raw_gcm(const struct scenario *s, struct figure *out)
{
	raw_cipher(s, out, ENC_AES_GCM_128, INTEG_NONE);
}

static void
raw_cbc(const struct scenario *s, struct figure *out)
{
	raw_cipher(s, out, ENC_AES_CBC_128, INTEG_SHA256_128);
}

/* ---- the table ---------------------------------------------------------------------------------------- */

#define LAN                                                                                                            \
	{                                                                                                              \
		.port = "pa", .src = "10.0.1.10", .dst = "10.0.2.10", .protocol = IPPROTO_TCP, .sport = 9,             \
		.dport = 80, .payload = 24                                                                             \
	}
/* inner packet of `size` bytes, IPv4 and UDP headers included */
#define INNER(size)                                                                                                    \
	{                                                                                                              \
		.port = "pa", .src = "10.0.0.10", .dst = "10.1.0.10", .sport = 9, .dport = 80, .payload = (size)-28    \
	}
#define SEAL(size, algorithm)                                                                                          \
	{                                                                                                              \
		"ESP seal " #algorithm " " #size " B", algorithm, INNER(size), same, "w0", false, NULL, NULL,          \
			raw_##algorithm                                                                                \
	}
#define OPEN(size, algorithm)                                                                                          \
	{                                                                                                              \
		"ESP open " #algorithm " " #size " B", algorithm, INNER(size), same, "pb", true, "w0", "w1",           \
			raw_##algorithm                                                                                \
	}

const struct scenario bench_scenarios[] = {
	{"forward 64 B", plain, LAN, same, "pb", false, NULL, NULL, NULL},
	{"forward, NSG 1,000 rules, new", filtered, LAN, new_flows, "pb", false, NULL, NULL, NULL},
	{"forward, NSG 1,000 rules, known", filtered, LAN, known_flows, "pb", false, NULL, NULL, NULL},
	SEAL(64, gcm),
	SEAL(512, gcm),
	SEAL(1400, gcm),
	OPEN(64, gcm),
	OPEN(512, gcm),
	OPEN(1400, gcm),
	SEAL(64, cbc),
	SEAL(512, cbc),
	SEAL(1400, cbc),
	OPEN(64, cbc),
	OPEN(512, cbc),
	OPEN(1400, cbc),
};

const uint32_t bench_scenarios_n = sizeof(bench_scenarios) / sizeof(bench_scenarios[0]);

/* ---- help ------------------------------------------------------------------------------------------------ */

uint16_t
bench_port(const char *name)
{
	for (uint16_t i = 0; i < ports_count(); i++)
		if (strcmp(port_name(i), name) == 0)
			return i;
	return 0;
}

/* One packet starts ARP on the wire; the gateways learn their way. */
void
bench_resolve(const struct scenario *s)
{
	if (bench_port("w0") == bench_port("w1"))
		return;
	pkt_send(&s->packet);
	whole_wire("w0", "w1", NULL);
	for (struct rte_mbuf *m; (m = port_out("pb")) != NULL;)
		rte_pktmbuf_free(m);
}

bool
bench_huge_pages(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	unsigned long free_pages = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "HugePages_Free: %lu", &free_pages) == 1)
			break;
	if (f)
		fclose(f);
	if (free_pages < 512)
		printf("no huge pages (512 free ones wanted, %lu there): TLB misses are in the figures\n", free_pages);
	return free_pages >= 512;
}
