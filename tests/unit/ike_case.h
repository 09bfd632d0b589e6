/* An IKE store with a world around it, for tests: records go in by hand, answers and events are kept.
 *
 * One gateway at 192.0.2.1 with three connections, to 198.51.100.1 (site: one SA side by side), .2 (wide: four) and .3
 * (hand: keys given by hand, SPIs 0x1001 out and 0x2001 in), and with point-to-site clients in 172.16.9.0/24. Every
 * publication is compiled into a view, as the daemon does it.
 */
#pragma once

#include "control/ike_id.h"
#include "control/ike_store_state.h"
#include "control/sa_store.h"
#include "drivers/clock.h"
#include "drivers/log.h"
#include "tests/unit/eal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define CASE_SENT_MAX 4096
#define CASE_SECOND 1000000000ull
#define CASE_SITE 0 /* connections */
#define CASE_WIDE 1
#define CASE_HAND(direction, number)                                                                                   \
	"{direction: " direction ", spi: 0x" number ", encryption: aes-gcm-128, key: '" number                         \
	"223344556677889900aabbccddeeff001122'}"
#define CASE_CONNECTION(name, to, more)                                                                                \
	"  - {name: " name ", connectionType: IPsec, virtualNetworkGateway1: {id: g}, localNetworkGateway2: {id: " to  \
	"}" more "}\n"

static const char case_text[] =
	"virtualNetworks:\n"
	"  - {name: v, addressSpace: {addressPrefixes: [10.1.0.0/16]}, subnets: [\n"
	"      {name: a, addressPrefix: 10.1.1.0/24}, {name: GatewaySubnet, addressPrefix: 10.1.255.0/27}]}\n"
	"publicIPAddresses: [{name: here, ipAddress: 192.0.2.1}]\n"
	"virtualNetworkGateways:\n"
	"  - {name: g, ipConfigurations: [{subnet: {id: v/GatewaySubnet}, publicIPAddress: {id: here}}],\n"
	"     vpnClientConfiguration: {vpnClientAddressPool: {addressPrefixes: [172.16.9.0/24]},\n"
	"       vpnClientRootCertificates: [{name: r, publicCertData: MIIBAA==}]},\n"
	"     appliance: {certificate: gw.pem, privateKeyFile: gw.key}}\n"
	"localNetworkGateways:\n"
	"  - {name: a, gatewayIpAddress: 198.51.100.1, localNetworkAddressSpace: {addressPrefixes: [172.16.1.0/24]}}\n"
	"  - {name: b, gatewayIpAddress: 198.51.100.2, localNetworkAddressSpace: {addressPrefixes: [172.16.2.0/24]}}\n"
	"  - {name: c, gatewayIpAddress: 198.51.100.3, localNetworkAddressSpace: {addressPrefixes: [172.16.3.0/24]}}\n"
	"connections:\n" CASE_CONNECTION("site", "a", ", sharedKey: k")
		CASE_CONNECTION("wide", "b", ", sharedKey: k, appliance: {tunnels: 4}") CASE_CONNECTION("hand", "c",
			", appliance: {securityAssociations: [" CASE_HAND("out", "1001") ", " CASE_HAND(
				"in", "2001") "]}") "appliance:\n"
						    "  name: test-appliance\n"
						    "  ports: [{name: p, driver: 'null'}]\n"
						    "  uplinks: [{name: wan, port: p, addresses: [192.0.2.1/24]}]\n";

struct case_sent {
	uint16_t type, result;
	uint64_t serial;
	size_t size;
	_Alignas(8) uint8_t body[512];
};

static struct {
	char folder[64];
	struct names *names;
	struct iface_ids *iface_ids;
	struct world *world;
	struct view *base;
	struct ike_ids ids;
	struct sa_store *marks;
	struct ike_store *store;
	struct sas_spec sas; /* of the last publication */
	struct case_sent sent[CASE_SENT_MAX];
	uint32_t n_sent;
	char refused[256];
	uint64_t serial;
} ike;

/* What only a program that is broken does: also where no test runs. */
static inline void
case_must(bool holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "%s\n", what);
		abort();
	}
}

/* ---- the daemon around it --------------------------------------------------------------- */

static void
case_send(void *context, enum ike_message_type type, uint16_t result, uint64_t serial, const void *body, size_t size)
{
	struct case_sent *m = &ike.sent[ike.n_sent++ % CASE_SENT_MAX];

	(void)context;
	case_must(size <= sizeof(m->body), "a message that ike_link would not send");
	*m = (struct case_sent){.type = (uint16_t)type, .result = result, .serial = serial, .size = size};
	if (size)
		memcpy(m->body, body, size);
}

static void
case_refuse(void *context, const char *why)
{
	(void)context;
	snprintf(ike.refused, sizeof(ike.refused), "%s", why);
	ike_store_gone(ike.store);
}

static inline struct world *
case_world(const char *text)
{
	static struct config_errors errors;
	struct config *c = NULL;
	struct world *w = NULL;

	if (config_parse("test", text, strlen(text), &c, &errors) != 0 ||
		world_build(c, NULL, ike.names, ike.iface_ids, &w, &errors) != 0) {
		config_errors_print(&errors, stderr);
		abort();
	}
	return w;
}

static inline void
case_marks_open(void)
{
	char error[400];

	case_must(sa_store_open(ike.folder, &ike.marks, error, sizeof(error)) == 0, "no SA store");
	case_must(sa_store_fill(ike.marks, ike.world, error, sizeof(error)) == 0, "no SAs by hand");
}

static inline void
case_store_create(void)
{
	struct ike_store_tools tools = {.send = case_send,
		.refuse = case_refuse,
		.marks = ike.marks,
		.names = ike.names,
		.appliance = "test-appliance"};

	ike.n_sent = 0;
	ike.refused[0] = '\0';
	ike.store = ike_store_create(&tools);
	case_must(ike.store && ike_store_bind(ike.store, ike.world) == 0, "no store");
}

/* EAL is up. */
static inline int
case_start(const char *name)
{
	char error[400];

	log_open(LOG_LEVEL_ERROR);
	snprintf(ike.folder, sizeof(ike.folder), "/tmp/isthmus-%s-%d", name, (int)getpid());
	ike.names = names_create();
	ike.iface_ids = iface_ids_create();
	ike.world = case_world(case_text);
	if (ike_ids_make(ike.world->config, &ike.ids) != 0)
		return -1;
	case_marks_open();
	ike.base = view_build(&ike.world->spec, NULL, error, sizeof(error));
	return ike.base ? 0 : -1;
}

static inline void
case_stop(void)
{
	char path[128];

	view_free(ike.base);
	sa_store_close(ike.marks);
	world_free(ike.world);
	ike_ids_free(&ike.ids);
	iface_ids_free(ike.iface_ids);
	names_free(ike.names);
	snprintf(path, sizeof(path), "%s/sequence", ike.folder);
	unlink(path);
	rmdir(ike.folder);
}

/* ---- records ---------------------------------------------------------------------------- */

/* The answer has to have this serial. */
static inline uint64_t
case_tell(enum ike_message_type type, const void *body)
{
	struct ike_header h = {.type = (uint16_t)type};

	if (type < IKE_SA_STATE && type != IKE_HELLO)
		h.serial = ++ike.serial;
	ike_store_message(ike.store, &h, body);
	return h.serial;
}

static inline struct ike_hello
case_hello(uint64_t instance)
{
	return (struct ike_hello){
		.version = IKE_PROTOCOL_VERSION, .strongswan = "5.9.8", .running = "5.9.8", .instance = instance};
}

/* A charon says hello, and has nothing more to tell. */
static inline void
case_charon(uint64_t instance)
{
	struct ike_hello h = case_hello(instance);

	case_tell(IKE_HELLO, &h);
	case_tell(IKE_SYNCED, NULL);
}

static inline struct ike_address
case_address(const char *text, uint16_t port)
{
	struct ike_address a = {.port = port};
	struct ip_addr ip;

	case_must(address_parse(text, &ip) == 0, text);
	a.family = ip.family;
	memcpy(a.b, ip.b, sizeof(a.b));
	return a;
}

/* All that a prefix covers, any protocol. */
static inline struct ike_selector
case_selector(const char *prefix)
{
	struct ike_selector s = {.port_last = UINT16_MAX};
	struct ip_prefix p;

	case_must(prefix_parse(prefix, &p) == 0, prefix);
	s.family = p.addr.family;
	memcpy(s.first, p.addr.b, sizeof(s.first));
	memcpy(s.last, p.addr.b, sizeof(s.last));
	for (unsigned bit = p.len; bit < address_bits(&p.addr); bit++)
		s.last[bit / 8] |= 0x80 >> bit % 8;
	return s;
}

struct case_add {
	struct ike_sa_add a;
	struct ike_selector selector[2]; /* source, destination */
};

/* AES-GCM with a key of its own, between here and there; the inside 10.1.0.0/16 and `far`. */
static inline struct case_add
case_add(uint32_t if_id, bool inbound, uint32_t spi, const char *peer, const char *far)
{
	static uint32_t key;
	struct case_add m = {.a = {.id = {.spi = spi, .if_id = if_id},
				     .reqid = 7,
				     .flags = inbound ? IKE_INBOUND : 0,
				     .encryption = 20,
				     .encryption_key_length = 20,
				     .replay_window = 64,
				     .n_source = 1,
				     .n_destination = 1,
				     .ike_name = "site",
				     .peer = "peer.example"}};

	m.a.id.source = case_address(inbound ? peer : "192.0.2.1", 0);
	m.a.id.destination = case_address(inbound ? "192.0.2.1" : peer, 0);
	m.selector[0] = case_selector(inbound ? far : "10.1.0.0/16");
	m.selector[1] = case_selector(inbound ? "10.1.0.0/16" : far);
	memset(m.a.encryption_key, 0x11, 20);
	memcpy(m.a.encryption_key, &(uint32_t){++key}, sizeof(key));
	return m;
}

/* ---- what came of it -------------------------------------------------------------------- */

/* The n-th of this type, from the first on; NULL: there are not so many. */
static inline const struct case_sent *
case_nth(enum ike_message_type type, uint32_t n)
{
	for (uint32_t i = 0; i < ike.n_sent && i < CASE_SENT_MAX; i++)
		if (ike.sent[i].type == type && n-- == 0)
			return &ike.sent[i];
	return NULL;
}

static inline uint32_t
case_count(enum ike_message_type type)
{
	uint32_t n = 0;

	while (case_nth(type, n))
		n++;
	return n;
}

/* The answer to a request, once; -1: there is none. */
static inline int
case_result(uint64_t serial)
{
	int result = -1;

	for (uint32_t i = 0; i < ike.n_sent && i < CASE_SENT_MAX; i++) {
		if (ike.sent[i].serial != serial)
			continue;
		case_must(result == -1, "a request that is answered twice");
		result = ike.sent[i].result;
	}
	return result;
}

static inline void
case_forget(void)
{
	ike.n_sent = 0;
}

/* What the daemon does with a change; the workers have not seen it yet. Returns how many SAs IKE has in it. */
static inline uint32_t
case_publish(void)
{
	char error[256] = "no memory";
	struct view *v;

	case_must(ike_store_sas(ike.store, &ike.sas) == 0, "SAs that cannot be listed");
	v = view_with_sas(ike.base, &ike.sas, error, sizeof(error));
	case_must(v != NULL, error);
	view_free(v);
	return ike.sas.n_sas - ike.world->spec.n_sas;
}

/* And now they have. */
static inline uint32_t
case_settle(void)
{
	uint32_t n = case_publish();

	ike_store_seen(ike.store, ike_store_change(ike.store));
	return n;
}

/* NULL: it is not published. */
static inline const struct sa_spec *
case_published(uint32_t spi, bool outbound)
{
	for (uint32_t i = 0; i < ike.sas.n_sas; i++)
		if (ike.sas.sa[i].config.spi == spi && ike.sas.sa[i].config.outbound == outbound)
			return &ike.sas.sa[i];
	return NULL;
}

static inline uint32_t
case_spi(void)
{
	struct ike_spi_get g = {.source = case_address("198.51.100.1", 0), .destination = case_address("192.0.2.1", 0)};
	uint64_t serial = case_tell(IKE_SPI_GET, &g);
	const struct case_sent *m = &ike.sent[(ike.n_sent - 1) % CASE_SENT_MAX];

	case_must(m->serial == serial && m->type == IKE_SPI_ANSWER && m->result == 0, "no SPI");
	return ((const struct ike_spi_answer *)m->body)->spi;
}

/* What cmocka calls around each story. */
static inline int
case_begin(void **unused)
{
	(void)unused;
	case_store_create();
	case_charon(1);
	case_forget();
	return 0;
}

static inline int
case_end(void **unused)
{
	(void)unused;
	if (!ike.store)
		return 0;
	case_charon(0x7e57); /* whatever a story has left takes its marks along */
	case_tell(IKE_SA_FLUSH, NULL);
	case_settle();
	ike_store_free(ike.store);
	ike.store = NULL;
	return 0;
}

/* ---- the connection `site` -------------------------------------------------------------- */

#define CASE_SITE_ID ike.ids.connection[CASE_SITE]
#define CASE_PEER "198.51.100.1"
#define CASE_FAR "172.16.1.0/24"

static inline struct case_add
case_inbound(uint32_t spi)
{
	return case_add(CASE_SITE_ID, true, spi, CASE_PEER, CASE_FAR);
}

static inline struct case_add
case_outbound(uint32_t spi)
{
	return case_add(CASE_SITE_ID, false, spi, CASE_PEER, CASE_FAR);
}

/* Told, and seen by workers. */
static inline void
case_add_site(const struct case_add *m)
{
	uint64_t serial = case_tell(IKE_SA_ADD, m);

	case_settle();
	assert_int_equal(case_result(serial), 0);
}

static inline struct case_add
case_added(bool in)
{
	struct case_add m = in ? case_inbound(case_spi()) : case_outbound(0xcafe0001);

	case_add_site(&m);
	return m;
}

/* ---- a program of stories --------------------------------------------------------------- */

#define CASE_STORY(name) cmocka_unit_test_setup_teardown(name, case_begin, case_end)

static const char *case_name; /* set by main() */

static inline int
case_group_start(void **unused)
{
	(void)unused;
	return test_eal_start(case_name) || case_start(case_name) ? -1 : 0;
}

static inline int
case_group_stop(void **unused)
{
	(void)unused;
	case_stop();
	test_eal_stop();
	return 0;
}
