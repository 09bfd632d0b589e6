/* Which SA a packet takes, by a view of the dataplane against a list: SAs of a few tunnels come, change and go at
 * random, each with selectors, addresses and ports of its own.
 */
#include "tests/unit/esp_check.h"

#include "dataplane/client.h"

#include <rte_random.h>

#define UPLINK 1
#define UPLINK_TOO 2
#define GATEWAY 3
#define IFACES 4
#define TUNNELS 4 /* two of the configuration */
#define STATIC 2
#define SAS_MAX 24
#define SETS 7
#define ROUNDS 400
#define PACKETS 30
#define CLIENTS 3000

/* ---- the world -------------------------------------------------------------------------- */

static struct iface_spec iface[IFACES];
static struct hop_spec hops[2];
static struct routes_spec routes = {.gateway = -1};
static struct tags_spec tags;
static struct acl_spec acl;
static struct tunnel_spec tunnel[TUNNELS];
static struct selector_spec set[SETS][2]; /* set 0 is none */
static const uint32_t set_size[SETS] = {0, 1, 1, 2, 1, 1, 2};
static char error[400];

static struct ip_addr
address(const char *text)
{
	struct ip_addr a;

	assert_int_equal(address_parse(text, &a), 0);
	return a;
}

static struct selector_spec
pair(const char *local, const char *remote)
{
	struct selector_spec s = {0};

	assert_int_equal(prefix_parse(local, &s.local), 0);
	assert_int_equal(prefix_parse(remote, &s.remote), 0);
	return s;
}

static void
describe_uplink(uint16_t id, const char *own, const char *net, const char *gateway)
{
	iface[id] = (struct iface_spec){
		.kind = IFACE_UPLINK, .vlan = id, .mtu = 1500, .n_prefixes = 1, .gateway4 = address(gateway)};
	iface[id].address[0] = address(own);
	assert_int_equal(prefix_parse(net, &iface[id].prefix[0]), 0);
}

static void
describe(void)
{
	describe_uplink(UPLINK, "192.0.2.1", "192.0.2.0/24", "192.0.2.254");
	describe_uplink(UPLINK_TOO, "198.51.100.1", "198.51.100.0/24", "198.51.100.254");
	iface[GATEWAY] = (struct iface_spec){.kind = IFACE_GATEWAY, .mtu = 1500};
	for (uint32_t t = 0; t < TUNNELS; t++)
		tunnel[t] = (struct tunnel_spec){.name = 100 + t,
			.gateway = GATEWAY,
			.uplink = UPLINK,
			.local = address("192.0.2.1"),
			.remote = address("192.0.2.9")};
	set[1][0] = pair("10.1.0.0/24", "10.2.0.0/24");
	set[2][0] = pair("10.1.1.0/24", "10.2.0.0/16");
	set[3][0] = pair("10.1.0.0/16", "10.2.1.0/24");
	set[3][1] = pair("10.1.2.0/24", "10.2.2.0/24");
	set[4][0] = pair("10.1.0.0/16", "10.2.0.0/16");
	set[4][0].protocol = IPPROTO_UDP;
	set[4][0].remote_ports = (struct acl_port_range){1000, 1999};
	set[5][0] = pair("0.0.0.0/0", "0.0.0.0/0");
	set[6][0] = pair("0.0.0.0/0", "0.0.0.0/0");
	set[6][1] = pair("::/0", "::/0");
	tunnel[1].selector = set[3];
	tunnel[1].n_selectors = 2;
}

/* ---- SAs and what they should do ------------------------------------------------------------- */

/* Our SA outward, and of the same keys and SPI the one inward, as if the wire led back to us: its end is ours and the
 * other's exchanged. */
struct entry {
	uint32_t spi;
	uint16_t tunnel, set_out, set_in;
	uint8_t resource;
	bool udp;
	uint16_t uplink;
	struct ip_addr remote;
	struct sa *out, *in;
};

static struct entry list[SAS_MAX];
static uint32_t n_list;
static uint32_t next_spi = 0x1000;
static struct view *base, *running;
static struct sa_spec specs[2 * SAS_MAX];
static struct selector_spec mirrored[SETS][2];

static void
move(struct entry *e)
{
	static const char *const peers[] = {"192.0.2.7", "192.0.2.8", "203.0.113.7"};

	e->uplink = rte_rand_max(2) ? UPLINK : UPLINK_TOO;
	e->remote = address(peers[rte_rand_max(3)]);
}

static void
add(void)
{
	struct entry *e = &list[n_list];
	struct cfg_sa c = gcm();

	if (n_list == SAS_MAX)
		return;
	n_list++;
	*e = (struct entry){.spi = next_spi++,
		.tunnel = (uint16_t)rte_rand_max(TUNNELS),
		.resource = (uint8_t)rte_rand_max(3),
		.set_out = (uint16_t)rte_rand_max(SETS),
		.udp = rte_rand_max(3) == 0};
	e->set_in = rte_rand_max(4) ? e->set_out : (uint16_t)rte_rand_max(SETS);
	move(e);
	c.spi = e->spi;
	c.udp_encap = e->udp;
	c.udp_remote_port = ESP_PORT;
	c.outbound = true;
	e->out = sa_create(&c, 1, 1u << 20);
	c.outbound = false;
	e->in = sa_create(&c, 1, 0);
	assert_true(e->out && e->in);
	sa_set_name(e->in, e->spi);
}

static struct ip_addr
own_address(const struct entry *e)
{
	return iface[e->uplink].address[0];
}

/* The view in which all of the list is. What was removed goes with the last view that named it. */
static void
publish(void)
{
	struct sas_spec spec = {.tunnel = tunnel, .n_tunnels = TUNNELS, .sa = specs, .n_sas = 2 * n_list};
	struct view *old = running;

	for (uint32_t i = 0; i < n_list; i++) {
		const struct entry *e = &list[i];

		specs[2 * i] = (struct sa_spec){.tunnel = e->tunnel,
			.config = {.outbound = true, .spi = e->spi, .resource = e->resource},
			.sa = e->out,
			.uplink = e->uplink,
			.local = own_address(e),
			.remote = e->remote,
			.selector = set[e->set_out],
			.n_selectors = set_size[e->set_out]};
		specs[2 * i + 1] = (struct sa_spec){.tunnel = e->tunnel,
			.config = {.spi = e->spi},
			.sa = e->in,
			.uplink = e->uplink,
			.local = e->remote,
			.remote = own_address(e),
			.selector = mirrored[e->set_in],
			.n_selectors = set_size[e->set_in]};
	}
	running = view_with_sas(old ? old : base, &spec, error, sizeof(error));
	if (running == NULL)
		fail_msg("%s", error);
	view_free(old);
	esp.w->view = running;
}

static void
drop_entry(uint32_t i)
{
	struct entry gone = list[i];

	memmove(&list[i], &list[i + 1], (n_list - i - 1) * sizeof(*list));
	n_list--;
	publish();
	sa_free(gone.out);
	sa_free(gone.in);
}

/* ---- the reference ----------------------------------------------------------------------------- */

struct sample {
	uint8_t bytes[100];
	uint32_t source, destination;
	uint8_t protocol;
	uint16_t ports[2];
};

static struct sample
sample_make(void)
{
	struct sample s = {.source = 0x0a010001 + ((uint32_t)rte_rand_max(4) << 8),
		.destination = 0x0a020001 + ((uint32_t)rte_rand_max(4) << 8),
		.protocol = rte_rand_max(2) ? IPPROTO_UDP : IPPROTO_TCP,
		.ports = {(uint16_t)rte_rand_max(3000), (uint16_t)rte_rand_max(3000)}};
	rte_be32_t ends[2] = {rte_cpu_to_be_32(s.source), rte_cpu_to_be_32(s.destination)};
	rte_be16_t ports[2] = {rte_cpu_to_be_16(s.ports[0]), rte_cpu_to_be_16(s.ports[1])};
	uint16_t sum = 0;

	esp_inner(s.bytes, sizeof(s.bytes), false, 0, false);
	s.bytes[9] = s.protocol;
	memcpy(s.bytes + 10, &sum, 2);
	memcpy(s.bytes + 12, ends, 8);
	memcpy(s.bytes + 20, ports, 4);
	s.bytes[32] = 0x50;
	if (s.protocol == IPPROTO_UDP)
		memcpy(s.bytes + 24, "\0\x50", 2);
	sum = rte_ipv4_cksum((const struct rte_ipv4_hdr *)s.bytes);
	memcpy(s.bytes + 10, &sum, 2);
	return s;
}

static bool
covers(const struct ip_prefix *p, uint32_t a)
{
	struct ip_addr host = address_from_v4(a);

	return p->addr.family == IP_V4 && prefix_has(p, &host);
}

static bool
in_range(const struct acl_port_range *r, uint16_t port)
{
	return r->last == 0 || (r->first <= port && port <= r->last);
}

/* Outward. */
static bool
selects(const struct selector_spec *s, uint32_t n, const struct sample *p)
{
	bool any = n == 0;

	for (uint32_t i = 0; i < n; i++)
		any |= covers(&s[i].local, p->source) && covers(&s[i].remote, p->destination) &&
		       (s[i].protocol == 0 || s[i].protocol == p->protocol) &&
		       in_range(&s[i].local_ports, p->ports[0]) && in_range(&s[i].remote_ports, p->ports[1]);
	return any;
}

/* An SA without selectors of its own has its tunnel's. */
static bool
entry_selects(uint16_t of_set, uint16_t t, const struct sample *p)
{
	return set_size[of_set] ? selects(set[of_set], set_size[of_set], p)
				: selects(tunnel[t].selector, tunnel[t].n_selectors, p);
}

/* The same for what comes back: it has our source still, so the ends of its SA are exchanged. */
static bool
entry_accepts(uint16_t of_set, uint16_t t, const struct sample *p)
{
	return set_size[of_set] ? selects(set[of_set], set_size[of_set], p)
				: tunnel[t].n_selectors == 0 || selects(mirrored[3], 2, p);
}

/* The set of the first listed SA of the tunnel that selects the packet, SETS: none does. */
static uint16_t
wanted_set(uint16_t t, const struct sample *p)
{
	for (uint32_t i = 0; i < n_list; i++)
		if (list[i].tunnel == t && entry_selects(list[i].set_out, t, p))
			return list[i].set_out;
	return SETS;
}

/* Of this SA's tunnel and set, none of its resource is listed later. */
static bool
newest(uint32_t i)
{
	for (uint32_t k = i + 1; k < n_list; k++)
		if (list[k].tunnel == list[i].tunnel && list[k].set_out == list[i].set_out &&
			list[k].resource == list[i].resource)
			return false;
	return true;
}

static bool
has_sas(uint16_t t)
{
	for (uint32_t i = 0; i < n_list; i++)
		if (list[i].tunnel == t)
			return true;
	return false;
}

/* ---- packets against it ---------------------------------------------------------------------------- */

static const struct entry *
taken_by(const struct packet *p)
{
	uint32_t spi = esp_spi(p->l3 + (p->protocol == IPPROTO_UDP ? 28 : 20));

	for (uint32_t i = 0; i < n_list; i++)
		if (list[i].spi == spi && newest(i))
			return &list[i];
	fail_msg("SPI 0x%x is of no SA that may be used", spi);
	return NULL;
}

static void
expect_outer(const struct packet *p, const struct entry *e)
{
	struct ip_addr own = own_address(e);
	const struct ip_addr *next =
		prefix_has(&iface[e->uplink].prefix[0], &e->remote) ? &e->remote : &iface[e->uplink].gateway4;

	assert_int_equal(p->protocol, e->udp ? IPPROTO_UDP : IPPROTO_ESP);
	assert_memory_equal(p->l3 + 12, own.b, 4);
	assert_memory_equal(p->l3 + 16, e->remote.b, 4);
	assert_int_equal(p->out, e->uplink);
	assert_memory_equal(&p->next4, next->b, 4);
}

/* What the SA let out comes back in by it, if its selectors say so and it comes from its own end. */
static void
expect_inward(const struct entry *e, const struct sample *s, uint8_t *sealed, uint16_t size)
{
	bool moved = rte_rand_max(4) == 0;
	uint64_t before = esp.w->drops[DROP_SELECTOR_IN];
	struct event event;
	uint16_t sum = 0;

	if (moved) {
		sealed[15] ^= 0x40;
		memcpy(sealed + 10, &sum, 2);
		sum = rte_ipv4_cksum((const struct rte_ipv4_hdr *)sealed);
		memcpy(sealed + 10, &sum, 2);
	}
	esp_burst_clear();
	assert_true(esp_burst_add(sealed, size, e->uplink, TUNNEL_NONE));
	esp_open(esp.w, &esp.burst);
	if (moved && !e->udp) { /* not even ours to judge: another's traffic, or an unknown SA */
		assert_int_equal(esp.w->drops[DROP_SELECTOR_IN], before);
		esp_burst_free();
		return;
	}
	if (moved && esp_event(&event))
		assert_int_equal(event.class, SA_EVENT_REMOTE_PORT);
	assert_int_equal(esp.burst.n, entry_accepts(e->set_in, e->tunnel, s));
	assert_int_equal(esp.w->drops[DROP_SELECTOR_IN], before + (esp.burst.n == 0));
	if (esp.burst.n) {
		assert_int_equal(packet(0)->tunnel, e->tunnel);
		assert_int_equal(packet(0)->iface, GATEWAY);
		assert_memory_equal(packet(0)->l3, s->bytes, sizeof(s->bytes));
	}
	esp_burst_free();
}

static void
one_packet(void)
{
	struct sample s = sample_make();
	uint16_t t = (uint16_t)rte_rand_max(TUNNELS), wanted = wanted_set(t, &s), size;
	bool missing = !has_sas(t) || (tunnel[t].n_selectors && selects(tunnel[t].selector, tunnel[t].n_selectors, &s));
	enum drop_reason why = missing ? DROP_SA_MISSING : DROP_SELECTOR_OUT;
	uint64_t before = esp.w->drops[why];
	const struct entry *e;
	uint8_t sealed[300];

	esp_burst_clear();
	assert_true(esp_burst_add(s.bytes, sizeof(s.bytes), GATEWAY, t));
	esp_world_seal();
	if (wanted == SETS) {
		assert_int_equal(esp.burst.n, 0);
		assert_int_equal(esp.w->drops[why], before + 1);
		return;
	}
	assert_int_equal(esp.burst.n, 1);
	e = taken_by(packet(0));
	assert_int_equal(e->tunnel, t);
	assert_int_equal(e->set_out, wanted);
	expect_outer(packet(0), e);
	size = take(sealed);
	expect_inward(e, &s, sealed, size);
}

static void
every_packet_takes_the_SA_that_a_list_finds(void **unused)
{
	for (int round = 0; round < ROUNDS; round++) {
		switch (n_list ? rte_rand_max(4) : 0) {
		case 0:
		case 1:
			add();
			break;
		case 2:
			drop_entry((uint32_t)rte_rand_max(n_list));
			break;
		default: /* MOBIKE: the SAs stay, their ends move */
			move(&list[rte_rand_max(n_list)]);
			break;
		}
		publish();
		for (int i = 0; i < PACKETS; i++)
			one_packet();
	}
	while (n_list)
		drop_entry(0);
	assert_int_equal(rte_mempool_avail_count(esp.pool), ESP_BUFFERS);
}

/* ---- a class has an end ------------------------------------------------------------------------------ */

/* More classes than a tunnel may have: those listed first have packets. */
static void
classes_are_bounded(void **unused)
{
	static struct selector_spec one[CLASSES_MAX + 2];
	static struct sa_spec many[CLASSES_MAX + 2];
	struct sas_spec spec = {.tunnel = tunnel, .n_tunnels = TUNNELS, .sa = many, .n_sas = CLASSES_MAX + 2};
	struct cfg_sa c = gcm();
	struct view *v;

	c.outbound = true;
	for (uint32_t i = 0; i < spec.n_sas; i++) {
		one[i] = pair("10.1.0.0/16", "0.0.0.0/0");
		one[i].remote = (struct ip_prefix){address_from_v4(0x0a020000 + i), 32};
		c.spi = 0x1000 + i;
		many[i] = (struct sa_spec){
			.config = c, .sa = sa_create(&c, 1, 100), .selector = &one[i], .n_selectors = 1};
		assert_non_null(many[i].sa);
	}
	v = view_with_sas(base, &spec, error, sizeof(error));
	assert_non_null(v);
	assert_int_equal(v->tunnel[0].n_classes, CLASSES_MAX);
	assert_int_equal(v->n_paths, CLASSES_MAX);
	view_free(v);
	for (uint32_t i = 0; i < spec.n_sas; i++)
		sa_free(many[i].sa);
}

/* ---- protocol, ports, fragments ------------------------------------------------------------------------ */

static void
protocol_and_ports(void **unused)
{
	struct selector_spec s = pair("10.1.0.0/16", "10.2.0.0/16");
	uint8_t l3[28] = {[20] = 8, [21] = 0};
	struct packet p = {.l3 = l3,
		.l4_off = 20,
		.protocol = IPPROTO_UDP,
		.source_port = 53,
		.destination_port = 1000,
		.v4 = {rte_cpu_to_be_32(0x0a010001), rte_cpu_to_be_32(0x0a020001)}};

	s.protocol = IPPROTO_TCP;
	assert_false(selectors_match(&s, 1, &p, true));
	s.protocol = IPPROTO_UDP;
	assert_true(selectors_match(&s, 1, &p, true));
	s.local_ports = (struct acl_port_range){53, 53};
	s.remote_ports = (struct acl_port_range){1000, 2000};
	assert_true(selectors_match(&s, 1, &p, true));
	p.destination_port = 2001;
	assert_false(selectors_match(&s, 1, &p, true));
	p.destination_port = 1000;

	/* outward the first fragment's ports are known, inward not yet */
	p.flags = PKT_FRAGMENT | PKT_LATER_FRAGMENT;
	assert_true(selectors_match(&s, 1, &p, true));
	s = pair("10.2.0.0/16", "10.1.0.0/16");
	s.remote_ports = (struct acl_port_range){53, 53};
	assert_false(selectors_match(&s, 1, &p, false));
	p.flags = PKT_FRAGMENT;
	assert_true(selectors_match(&s, 1, &p, false));
	s.remote_ports = (struct acl_port_range){0, 0};
	p.flags = PKT_FRAGMENT | PKT_LATER_FRAGMENT;
	assert_true(selectors_match(&s, 1, &p, false));

	/* type and code */
	s = pair("10.1.0.0/16", "10.2.0.0/16");
	p.flags = 0;
	p.protocol = s.protocol = IPPROTO_ICMP;
	s.local_ports = s.remote_ports = (struct acl_port_range){8 << 8, 8 << 8 | 0xff};
	assert_true(selectors_match(&s, 1, &p, true));
	l3[20] = 11;
	assert_false(selectors_match(&s, 1, &p, true));

	/* no ports at all */
	p.protocol = s.protocol = IPPROTO_ESP;
	assert_false(selectors_match(&s, 1, &p, true));
}

/* ---- misses -------------------------------------------------------------------------------------------- */

static bool
missed(uint16_t t, const struct sample *s, struct event *e)
{
	esp_burst_clear();
	assert_true(esp_burst_add(s->bytes, sizeof(s->bytes), GATEWAY, t));
	packet(0)->hop = running->tunnel[t].local_hop;
	esp_world_seal();
	assert_int_equal(esp.burst.n, 0);
	return esp_event(e);
}

static void
a_miss_is_told_once_a_second(void **unused)
{
	struct sample s = sample_make(), other = s;
	struct event e;

	while (!selects(set[3], 2, &s))
		s = sample_make();
	while (selects(set[3], 2, &other))
		other = sample_make();
	publish();
	assert_true(missed(0, &s, &e));
	assert_int_equal(e.type, EVENT_MISS);
	assert_int_equal(e.name, 100);
	assert_int_equal(e.class, IP_V4);
	assert_int_equal(e.protocol, s.protocol);
	assert_int_equal(e.source_port, s.ports[0]);
	assert_int_equal(e.destination_port, s.ports[1]);
	assert_memory_equal(e.ends[0], s.bytes + 12, 4);
	assert_memory_equal(e.ends[1], s.bytes + 16, 4);

	assert_false(missed(0, &other, &e)); /* the same second */
	assert_false(missed(1, &other, &e)); /* outside the connection's selectors: no SA would help */
	assert_true(missed(1, &s, &e));
	assert_int_equal(e.name, 101);
	assert_false(missed(2, &s, &e)); /* a client's: HOP_CLIENT leads there */
	esp.w->now += esp.w->tsc_hz;
	assert_true(missed(0, &s, &e));
	assert_true(missed(1, &s, &e));
}

static void
many_tunnels_may_miss(void **unused)
{
	struct miss_limiter l = {0};
	uint32_t told = 0, again = 0;

	for (uint32_t name = 0; name < 100; name++)
		told += miss_due(&l, name, 1000, 10);
	for (uint32_t name = 0; name < 100; name++)
		again += miss_due(&l, name, 1009, 10);
	assert_int_equal(told + again, told);
	assert_true(told > 90);
	for (uint32_t i = 0; i < 1u << 20; i++) /* any number of them */
		told += miss_due(&l, i, 1005, 10);
	assert_true(told <= MISS_SETS * MISS_WAYS);
	assert_true(miss_due(&l, 1, 2000, 10));
}

/* ---- clients --------------------------------------------------------------------------------------------- */

static void
clients_are_found_by_gateway_and_address(void **unused)
{
	static struct client_spec client[CLIENTS];
	struct sas_spec spec = {.tunnel = tunnel, .n_tunnels = TUNNELS, .client = client, .n_clients = CLIENTS};
	struct view *v;

	assert_int_equal(client_tunnel(base, GATEWAY, IP_V4, (const uint8_t *)"\x0a\x00\x00\x01"), TUNNEL_NONE);
	for (uint32_t i = 0; i < CLIENTS; i++) {
		client[i] =
			(struct client_spec){(uint16_t)(i % 3), address_from_v4(0xac100000 + i / 3), (uint16_t)(i % 4)};
		if (i % 2) {
			client[i].address = address("fd00::");
			memcpy(client[i].address.b + 12, &i, 4);
		}
	}
	v = view_with_sas(base, &spec, error, sizeof(error));
	if (v == NULL)
		fail_msg("%s", error);
	for (uint32_t i = 0; i < CLIENTS; i++) {
		const struct client_spec *c = &client[i];

		assert_int_equal(client_tunnel(v, c->gateway, c->address.family, c->address.b), c->tunnel);
		assert_int_equal(
			client_tunnel(v, (uint16_t)(c->gateway + 3), c->address.family, c->address.b), TUNNEL_NONE);
	}
	view_free(v);
	client[7] = client[8];
	assert_null(view_with_sas(base, &spec, error, sizeof(error)));
	assert_non_null(strstr(error, "same address"));
	client[7].tunnel = TUNNELS;
	assert_null(view_with_sas(base, &spec, error, sizeof(error)));
	assert_non_null(strstr(error, "client 7"));
}

static int
start(void **unused)
{
	const struct view_spec spec = {.iface = iface,
		.n_ifaces = IFACES,
		.hop = hops,
		.n_hops = 2,
		.routes = &routes,
		.n_routes = 1,
		.acl = &acl,
		.n_acls = 1,
		.tags = &tags,
		.n_tags = 1,
		.tunnel = tunnel,
		.n_tunnels = STATIC};

	if (test_eal_start("esp_view") || esp_world_start())
		return -1;
	describe();
	for (int i = 0; i < SETS; i++)
		for (int k = 0; k < 2; k++)
			mirrored[i][k] = (struct selector_spec){set[i][k].remote, set[i][k].local, set[i][k].protocol,
				set[i][k].remote_ports, set[i][k].local_ports};
	base = view_build(&spec, NULL, error, sizeof(error));
	return base ? 0 : -1;
}

static int
stop(void **unused)
{
	view_free(running);
	view_free(base);
	esp_world_stop();
	test_eal_stop();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_packet_takes_the_SA_that_a_list_finds),
		cmocka_unit_test(classes_are_bounded),
		cmocka_unit_test(protocol_and_ports),
		cmocka_unit_test(a_miss_is_told_once_a_second),
		cmocka_unit_test(many_tunnels_may_miss),
		cmocka_unit_test(clients_are_found_by_gateway_and_address),
	};

	return cmocka_run_group_tests_name("esp_view", tests, start, stop);
}
