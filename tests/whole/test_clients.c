/* Negotiated SAs in the whole dataplane: a point-to-site client by its address, peers that move, answers into tunnels
 * whose SAs have changed meanwhile, and views of other SAs under running traffic.
 *
 * Both ends live in this one appliance. VNet a's gateway has clients; one of them is host hb in VNet b, whose gateway
 * holds the client's end of the tunnel as a connection with SAs by hand.
 */
#include "whole.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define GCM "encryption: aes-gcm-128"
#define KEY1 "key: '000102030405060708090a0b0c0d0e0f10111213'"
#define KEY2 "key: '202122232425262728292a2b2c2d2e2f30313233'"
#define KEY3 "key: '404142434445464748494a4b4c4d4e4f50515253'"
#define KEY4 "key: '606162636465666768696a6b6c6d6e6f70717273'"

static const char lab[] =
	"appliance:\n"
	"  name: lab\n"
	"  workers: %d\n"
	"  ports: [{name: pa, driver: ring, queues: 1}, {name: pb, driver: ring, queues: 1}, "
	"{name: w0, driver: ring, queues: 1}, {name: w1, driver: ring, queues: 1}]\n"
	"  attachments: [{subnet: a/s, port: pa}, {subnet: b/s, port: pb}]\n"
	"  uplinks:\n"
	"    - {name: u0, port: w0, addresses: [192.0.2.1/25], gateway: 192.0.2.126}\n"
	"    - {name: u1, port: w1, addresses: [192.0.2.129/25, 192.0.2.130/25], gateway: 192.0.2.254}\n"
	"publicIPAddresses:\n"
	"  - {name: ip-a, ipAddress: 192.0.2.1}\n"
	"  - {name: ip-b, ipAddress: 192.0.2.129}\n"
	"virtualNetworks:\n"
	"  - name: a\n"
	"    addressSpace: {addressPrefixes: [10.0.0.0/16]}\n"
	"    subnets:\n"
	"      - {name: s, addressPrefix: 10.0.0.0/24}\n"
	"      - {name: GatewaySubnet, addressPrefix: 10.0.255.0/27}\n"
	"  - name: b\n"
	"    addressSpace: {addressPrefixes: [172.16.0.0/16]}\n"
	"    subnets:\n"
	"      - {name: s, addressPrefix: 172.16.0.0/24}\n"
	"      - {name: GatewaySubnet, addressPrefix: 172.16.255.0/27}\n"
	"networkInterfaces:\n"
	"  - {name: ha, macAddress: 02-00-00-00-0a-10, "
	"ipConfigurations: [{name: c, privateIPAddress: 10.0.0.10, subnet: a/s}]}\n"
	"  - name: hb\n"
	"    macAddress: 02-00-00-00-0b-10\n"
	"    ipConfigurations: [{name: c, privateIPAddress: 172.16.0.10, subnet: b/s}, "
	"{name: d, privateIPAddress: 172.16.0.11, subnet: b/s}]\n"
	"virtualNetworkGateways:\n"
	"  - {name: gw-a, gatewayType: Vpn, vpnType: RouteBased, ipConfigurations: [{name: c, subnet: a/GatewaySubnet, "
	"publicIPAddress: {id: ip-a}}]}\n"
	"  - {name: gw-b, gatewayType: Vpn, vpnType: RouteBased, ipConfigurations: [{name: c, subnet: b/GatewaySubnet, "
	"publicIPAddress: {id: ip-b}}]}\n"
	"connections:\n"
	"  - name: a-to-b\n"
	"    connectionType: Vnet2Vnet\n"
	"    virtualNetworkGateway1: {id: gw-a}\n"
	"    virtualNetworkGateway2: {id: gw-b}\n"
	"    appliance: {securityAssociations: [{direction: out, spi: 0x2001, " GCM ", " KEY3 "}, "
	"{direction: in, spi: 0x2002, " GCM ", " KEY4 "}]}\n"
	"  - name: b-to-a\n"
	"    connectionType: Vnet2Vnet\n"
	"    virtualNetworkGateway1: {id: gw-b}\n"
	"    virtualNetworkGateway2: {id: gw-a}\n"
	"    appliance: {securityAssociations: [{direction: out, spi: 0x1001, " GCM ", " KEY1 "%s}, "
	"{direction: in, spi: 0x1002, " GCM ", " KEY2 "%s}]}\n";

#define CLIENT "172.16.0.10"
#define SAS_MAX 32
#define EACH 8
#define REKEYS 40

static const struct pkt from_client = {.port = "pb", .src = CLIENT, .dst = "10.0.0.10", .sport = 5, .dport = 6};
static const struct pkt to_client = {.port = "pa", .src = "10.0.0.10", .dst = CLIENT, .sport = 6, .dport = 5};

/* ---- views of other SAs ------------------------------------------------------------------- */

static struct tunnel_spec tunnel[8];
static struct sa_spec sa[SAS_MAX];
static struct sas_spec spec;
static struct client_spec client;
static struct selector_spec own; /* of the client: from its address to all */

/* Where a's connection leads, its clients are. */
static void
lead_to_clients(struct view_spec *v, void *context)
{
	for (uint32_t i = 0; i < v->n_hops; i++) {
		struct hop_spec *h = &v->hop[i];

		if (h->kind == HOP_TUNNEL && strcmp(whole_name(h->name), "connection a-to-b") == 0) {
			h->kind = HOP_CLIENT;
			h->iface = v->tunnel[h->tunnel].gateway;
		}
	}
}

/* What the configuration has. */
static void
sas_begin(void)
{
	const struct view_spec *v = &whole_world()->spec;

	memcpy(tunnel, v->tunnel, v->n_tunnels * sizeof(*tunnel));
	memcpy(sa, v->sa, v->n_sas * sizeof(*sa));
	spec = (struct sas_spec){.tunnel = tunnel, .n_tunnels = v->n_tunnels, .sa = sa, .n_sas = v->n_sas};
}

static struct sa_spec *
sa_add(uint16_t of_tunnel, bool outbound, uint32_t spi, uint8_t first_key_byte, bool udp)
{
	struct sa_spec *s = &sa[spec.n_sas++];
	struct cfg_sa c = {.outbound = outbound,
		.spi = spi,
		.encryption = ENC_AES_GCM_128,
		.enc_key_len = 20,
		.replay_window = 1024,
		.udp_encap = udp};

	assert_true(spec.n_sas <= SAS_MAX);
	for (uint8_t i = 0; i < 20; i++)
		c.enc_key[i] = first_key_byte + i;
	*s = (struct sa_spec){.tunnel = of_tunnel, .config = c, .sa = sa_create(&c, 1, UINT64_MAX)};
	assert_non_null(s->sa);
	return s;
}

static void
publish(void)
{
	char error[400];
	struct view *v = view_with_sas(dataplane_view(whole_dataplane()), &spec, error, sizeof(error));

	if (v == NULL)
		fail_msg("%s", error);
	while (dataplane_publish(whole_dataplane(), v) == -EAGAIN)
		dataplane_poll(whole_dataplane());
}

/* hb is a client now: its SAs and address, behind the configuration's tunnels. */
static void
client_comes(bool udp)
{
	const struct ip_addr *theirs = &tunnel[1].local;
	uint16_t t;

	sas_begin();
	t = (uint16_t)spec.n_tunnels;
	tunnel[t] = (struct tunnel_spec){
		.name = tunnel[0].name, .gateway = tunnel[0].gateway, .uplink = tunnel[0].uplink, .copy_df = true};
	spec.n_tunnels++;
	assert_int_equal(prefix_parse("0.0.0.0/0", &own.local), 0);
	assert_int_equal(prefix_parse(CLIENT "/32", &own.remote), 0);
	for (int out = 0; out < 2; out++) {
		struct sa_spec *s = sa_add(t, out, 0x1001u + (uint32_t)out, out ? 0x20 : 0, udp);

		s->uplink = tunnel[0].uplink;
		s->local = tunnel[0].local;
		s->remote = *theirs;
		s->selector = &own;
		s->n_selectors = 1;
	}
	client = (struct client_spec){.gateway = tunnel[0].gateway, .tunnel = t};
	assert_int_equal(address_parse(CLIENT, &client.address), 0);
	spec.client = &client;
	spec.n_clients = 1;
	publish();
	whole_settle();
}

static void
begin(int workers, const char *udp)
{
	static char yaml[8192];

	snprintf(yaml, sizeof(yaml), lab, workers, udp, udp);
	whole_start_extended(yaml, lead_to_clients, NULL);
}

/* The SAs that the test made go behind all views. */
static void
end(void)
{
	struct sa *gone[SAS_MAX];
	uint32_t n = 0;

	for (uint32_t i = whole_world()->spec.n_sas; i < spec.n_sas; i++)
		gone[n++] = sa[i].sa;
	whole_stop();
	while (n)
		sa_free(gone[--n]);
}

static struct rte_mbuf *
through(const struct pkt *p, const char *out)
{
	struct rte_mbuf *m;

	pkt_send(p);
	assert_true(whole_wire("w0", "w1", NULL) >= 1);
	m = port_out(out);
	assert_non_null(m);
	return m;
}

/* Nobody has the address: the sender hears of it. */
static void
expect_unknown(const struct pkt *p)
{
	uint64_t before = named_drops_of(DROP_CLIENT_UNKNOWN, "connection a-to-b");
	struct rte_mbuf *m;
	uint16_t size;

	pkt_send(p);
	assert_int_equal(named_drops_of(DROP_CLIENT_UNKNOWN, "connection a-to-b"), before + 1);
	m = port_out(p->port);
	assert_non_null(m);
	assert_memory_equal(frame_l3(m, &size) + 20, "\3\1", 2); /* host unreachable */
	rte_pktmbuf_free(m);
}

/* ---- clients -------------------------------------------------------------------------------- */

static void
a_client_is_found_by_its_address(void **state)
{
	const struct pkt other = {.port = "pa", .src = "10.0.0.10", .dst = "172.16.0.77"};
	const struct pkt spoofed = {.port = "pb", .src = "172.16.0.11", .dst = "10.0.0.10"};

	begin(1, "");
	expect_unknown(&to_client);
	client_comes(false);
	rte_pktmbuf_free(through(&from_client, "pa"));
	rte_pktmbuf_free(through(&to_client, "pb"));
	expect_unknown(&other);

	/* with another's address its packets are refused */
	pkt_send(&spoofed);
	whole_wire("w0", "w1", NULL);
	assert_null(port_out("pa"));
	assert_int_equal(drops_of(DROP_SELECTOR_IN), 1);

	/* it leaves: its SAs are gone, then its address */
	spec.n_sas -= 2;
	publish();
	whole_settle();
	expect_drop(&to_client, DROP_SA_MISSING, NULL);
	spec.n_clients = 0;
	publish();
	whole_settle();
	expect_unknown(&to_client);
	spec.n_sas += 2;
	end();
}

static void
verdicts_name_the_client(void **state)
{
	struct verdict_packet p = {0};
	struct route_verdict v;

	begin(1, "");
	client_comes(false);
	assert_int_equal(address_parse("10.0.0.10", &p.source), 0);
	p.iface = world_iface_of(whole_world(), 0, &p.source);
	p.destination = client.address;
	verdict_route(dataplane_view(whole_dataplane()), &p, &v);
	assert_int_equal(v.kind, HOP_CLIENT);
	assert_int_equal(v.tunnel, client.tunnel);
	assert_int_equal(v.tunnel_name, tunnel[client.tunnel].name);
	p.destination.b[3]++;
	verdict_route(dataplane_view(whole_dataplane()), &p, &v);
	assert_int_equal(v.kind, HOP_CLIENT);
	assert_int_equal(v.tunnel, TUNNEL_NONE);
	assert_int_equal(v.reason, DROP_CLIENT_UNKNOWN);
	end();
}

/* Carries what is on one side of the wire to the other, as long as there is something; what control has to do waits. */
static void
carry_without_control(const char *from, const char *other)
{
	struct rte_mbuf *m;
	const char *to;

	worker_turn(whole_dataplane()->worker[0]);
	while ((m = port_out(from)) != NULL) {
		m = whole_route(m, from, other, &to);
		pkt_inject(to, m);
	}
	worker_turn(whole_dataplane()->worker[0]);
}

/* A ping out of a tunnel is at control when other SAs are published: its answer goes back all the same. */
static void
answers_survive_other_SAs(void **state)
{
	const struct pkt client_pings = {
		.port = "pb", .src = CLIENT, .dst = "10.0.0.1", .protocol = IPPROTO_ICMP, .icmp_type = 8};
	const struct pkt *const ping[] = {&client_pings};
	uint16_t size;

	begin(1, "");
	client_comes(false);
	rte_pktmbuf_free(through(&from_client, "pa")); /* neighbours are known */
	rte_pktmbuf_free(through(&to_client, "pb"));
	for (size_t i = 0; i < sizeof(ping) / sizeof(ping[0]); i++) {
		struct rte_mbuf *m;

		pkt_inject("pb", pkt_build(ping[i]));
		carry_without_control("w1", "w0");
		for (uint32_t k = 0; k < 3; k++) {
			/* before it, another client's tunnel takes the place of this one's */
			tunnel[spec.n_tunnels] = tunnel[spec.n_tunnels - 1];
			spec.n_tunnels++;
			client.tunnel++;
			sa[spec.n_sas - 1].tunnel = sa[spec.n_sas - 2].tunnel = client.tunnel;
			publish();
		}
		whole_settle();
		whole_wire("w0", "w1", NULL);
		m = port_out("pb");
		assert_non_null(m);
		assert_int_equal(frame_l3(m, &size)[20], 0);
		rte_pktmbuf_free(m);
	}
	end();
}

/* ---- peers that move -------------------------------------------------------------------------- */

/* The outer packets of the client lead where its SA says, while the SA and its numbers stay. */
static void
a_moved_client_keeps_its_SAs(void **state)
{
	struct sa_counters before, after;
	struct ip_addr moved;
	struct rte_mbuf *m;
	uint16_t size;

	begin(1, ", encapsulation: {}");
	client_comes(true);
	rte_pktmbuf_free(through(&from_client, "pa"));
	rte_pktmbuf_free(through(&to_client, "pb"));
	sa_counters_read(sa[spec.n_sas - 1].sa, &before);

	assert_int_equal(address_parse("192.0.2.130", &moved), 0);
	sa[spec.n_sas - 1].remote = sa[spec.n_sas - 2].remote = moved;
	publish();
	whole_settle();
	pkt_send(&to_client);
	m = port_out("w0");
	assert_non_null(m);
	assert_memory_equal(frame_l3(m, &size) + 16, moved.b, 4);
	rte_pktmbuf_free(m);
	sa_counters_read(sa[spec.n_sas - 1].sa, &after);
	assert_int_equal(after.sequence, before.sequence + 1);
	/* the peer still speaks from its old address: in UDP it is heard, and control told */
	rte_pktmbuf_free(through(&from_client, "pa"));
	end();
}

/* ---- under traffic ------------------------------------------------------------------------------ */

static _Atomic bool running;

static void *
turn(void *worker)
{
	while (atomic_load(&running))
		worker_turn(worker);
	return NULL;
}

/* Frames that are on the wire go to the other side, what has arrived is counted. */
static uint32_t
carry(void)
{
	static const char *const uplinks[] = {"w0", "w1"};
	struct rte_mbuf *m;
	uint32_t arrived = 0;
	const char *to;

	dataplane_poll(whole_dataplane());
	for (int i = 0; i < 2; i++) {
		while ((m = port_out(uplinks[i])) != NULL) {
			m = whole_route(m, uplinks[i], uplinks[1 - i], &to);
			pkt_inject(to, m);
		}
	}
	while ((m = port_out("pa")) != NULL) {
		rte_pktmbuf_free(m);
		arrived++;
	}
	return arrived;
}

/* All workers have the newest view. Returns how many packets have arrived meanwhile. */
static uint32_t
seen_by_all(void)
{
	uint32_t arrived = 0;

	while (dataplane_retired(whole_dataplane()) > 0)
		arrived += carry();
	return arrived;
}

/* The next pair of SAs from b to a: first every worker can open by it, then it is used, and the pair before the last
 * goes. Returns how many packets have arrived meanwhile. */
static uint32_t
rekey(uint32_t round, struct sa **gone, uint32_t *n_gone)
{
	uint32_t first = whole_world()->spec.n_sas + 2; /* behind the configuration's and the client's */
	uint8_t key = (uint8_t)(round * 7);
	struct sa_spec *in = sa_add(client.tunnel, false, 0x10000 + round, key, false);
	uint32_t arrived;

	in->local = tunnel[0].local;
	in->remote = tunnel[1].local;
	in->selector = &own;
	in->n_selectors = 1;
	publish();
	arrived = seen_by_all();
	sa_add(1, true, 0x10000 + round, key, false);
	if (spec.n_sas > first + 4) {
		gone[(*n_gone)++] = sa[first].sa;
		gone[(*n_gone)++] = sa[first + 1].sa;
		memmove(&sa[first], &sa[first + 2], (spec.n_sas - first - 2) * sizeof(*sa));
		spec.n_sas -= 2;
	}
	publish();
	return arrived;
}

static void
no_packet_is_lost_while_SAs_change(void **state)
{
	static struct sa *gone[2 * REKEYS];
	uint32_t n_gone = 0, arrived = 0, sent = 0;
	pthread_t thread[2];

	begin(2, "");
	client_comes(false);
	rte_pktmbuf_free(through(&from_client, "pa")); /* neighbours are known */
	atomic_store(&running, true);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, turn, whole_dataplane()->worker[i]), 0);
	for (uint32_t round = 0; round < REKEYS; round++) {
		struct pkt p = from_client;

		for (uint16_t i = 0; i < EACH; i++, sent++) {
			p.sport = (uint16_t)(1000 + i);
			pkt_inject("pb", pkt_build(&p));
		}
		arrived += rekey(round, gone, &n_gone);
		/* or one drops it, which is what must not happen */
		while (arrived < sent && drops_of(DROP_ESP_SPI_UNKNOWN) + drops_of(DROP_SA_MISSING) == 0)
			arrived += carry();
	}
	atomic_store(&running, false);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(arrived, sent);
	end();
	while (n_gone)
		sa_free(gone[--n_gone]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_client_is_found_by_its_address, whole_teardown),
		cmocka_unit_test_teardown(verdicts_name_the_client, whole_teardown),
		cmocka_unit_test_teardown(answers_survive_other_SAs, whole_teardown),
		cmocka_unit_test_teardown(a_moved_client_keeps_its_SAs, whole_teardown),
		cmocka_unit_test_teardown(no_packet_is_lost_while_SAs_change, whole_teardown),
	};

	return WHOLE_RUN("clients", tests);
}
