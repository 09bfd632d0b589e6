/* The harness of whole-dataplane stories: see whole.h. */
#include "whole.h"

#include "dataplane/worker.h"
#include "drivers/eal.h"

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFERS 4096
#define MEMORY_MB 512
#define SETTLE_TURNS 8

static struct rte_mempool *pool;
static struct names *names;
static struct iface_ids *ids;

static struct {
	struct dataplane *dp;
	struct world *world;
	struct world *older[256];
	uint32_t n_older;
	uint32_t buffers; /* free before start */
} run;

/* ---- life ----------------------------------------------------------------------------------- */

/* "0@CPU,1@CPU...": an affinity mask is kept to. */
static void
lcores_text(char *text, size_t size, uint16_t lcores)
{
	struct eal_machine *machine = calloc(1, sizeof(*machine));
	size_t used = (size_t)snprintf(text, size, "--lcores=");

	assert_non_null(machine);
	eal_machine_read(machine);
	for (uint16_t i = 0; i < lcores; i++)
		used += (size_t)snprintf(
			text + used, size - used, "%s%u@%u", i ? "," : "", i, machine->cpus[i % machine->n_cpus]);
	free(machine);
}

int
whole_begin(const char *name, const struct whole_setup *setup)
{
	char prefix[64], memory[16], lcores[256];
	const char *const argument[] = {"whole", setup->huge ? "--in-memory" : "--no-huge", "-m", memory, "--no-pci",
		"--no-shconf", "--no-telemetry", "--log-level=error", lcores, prefix};
	char *argv[RTE_DIM(argument) + 1] = {NULL};

	snprintf(prefix, sizeof(prefix), "--file-prefix=whole-%s-%d", name, (int)getpid());
	snprintf(memory, sizeof(memory), "%u", setup->memory_mb ? setup->memory_mb : MEMORY_MB);
	lcores_text(lcores, sizeof(lcores), setup->lcores ? setup->lcores : 1);
	for (size_t i = 0; i < RTE_DIM(argument); i++)
		argv[i] = strdup(argument[i]);
	if (rte_eal_init(RTE_DIM(argument), argv) < 0) {
		fprintf(stderr, "EAL does not start\n");
		return -1;
	}
	pool = rte_pktmbuf_pool_create(
		"whole", setup->buffers ? setup->buffers : BUFFERS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE + 256, 0);
	names = names_create();
	return pool && names ? 0 : -1;
}

void
whole_end(void)
{
	whole_teardown(NULL);
	names_free(names);
	rte_eal_cleanup();
}

int
whole_main(const struct CMUnitTest *tests, size_t n, const char *name)
{
	int rc;

	if (whole_begin(name, &(struct whole_setup){0}) != 0)
		return 1;
	rc = _cmocka_run_group_tests(name, tests, n, NULL, NULL);
	whole_end();
	return rc;
}

static struct world *
build_world(const char *yaml)
{
	struct config_errors *errors = calloc(1, sizeof(*errors));
	struct config *config = NULL;
	struct world *w = NULL;

	if (config_parse("story.yaml", yaml, strlen(yaml), &config, errors) != 0 ||
		world_build(config, NULL, names, ids, &w, errors) != 0) {
		config_errors_print(errors, stderr);
		fail_msg("the story's configuration was refused");
	}
	free(errors);
	return w;
}

/* SAs live on from view to view: the same SPI and direction is the same SA here. */
static void
fill_sas(struct world *w)
{
	for (uint32_t i = 0; i < w->spec.n_sas; i++) {
		struct sa_spec *s = &w->spec.sa[i];

		for (uint32_t k = 0; run.world && k < run.world->spec.n_sas; k++)
			if (run.world->spec.sa[k].name == s->name)
				s->sa = run.world->spec.sa[k].sa;
		if (s->sa == NULL)
			s->sa = sa_create(&s->config, 1, UINT64_MAX);
		assert_non_null(s->sa);
	}
}

void
whole_start_extended(const char *yaml, void (*extend)(struct view_spec *spec, void *context), void *context)
{
	char error[400] = "";
	struct world *world;
	struct view *v;

	whole_teardown(NULL);
	run.buffers = rte_mempool_avail_count(pool);
	ids = iface_ids_create();
	world = build_world(yaml);
	if (extend)
		extend(&world->spec, context);
	fill_sas(world);
	run.world = world;
	if (ports_open(&run.world->config->appliance, pool, error, sizeof(error)) != 0 ||
		ports_start(error, sizeof(error)) != 0)
		fail_msg("ports: %s", error);
	v = view_build(&run.world->spec, NULL, error, sizeof(error));
	if (v == NULL)
		fail_msg("view: %s", error);
	run.dp = dataplane_create(&run.world->config->appliance, pool, error, sizeof(error));
	if (run.dp == NULL)
		fail_msg("dataplane: %s", error);
	dataplane_prime(run.dp, v, NULL);
}

/* No view names them any more. */
static void
free_gone_sas(const struct world *old, const struct world *now)
{
	for (uint32_t i = 0; i < old->spec.n_sas; i++) {
		bool kept = false;

		for (uint32_t k = 0; k < now->spec.n_sas; k++)
			kept |= now->spec.sa[k].sa == old->spec.sa[i].sa;
		if (!kept)
			sa_free(old->spec.sa[i].sa);
	}
}

void
whole_start(const char *yaml)
{
	whole_start_extended(yaml, NULL, NULL);
}

void
whole_one_gateway_table(struct view_spec *spec)
{
	for (uint32_t i = 0; i < spec->n_ifaces; i++)
		if (spec->iface[i].kind == IFACE_GATEWAY)
			spec->routes[spec->iface[i].routes].gateway = -1;
	for (uint32_t i = 0; i < spec->n_routes; i++) {
		struct routes_spec *r = &spec->routes[i];

		if (r->gateway < 0)
			continue;
		spec->gateway_table[0] = spec->gateway_table[r->gateway];
		r->gateway = 0;
	}
	for (uint32_t i = 0; i < spec->n_tags; i++)
		spec->tags[i].gateway = spec->tags[i].gateway > 0;
	spec->n_gateway_tables = 1;
}

void
whole_apply(const char *yaml)
{
	struct world *w = build_world(yaml);
	char error[400] = "";
	struct view *v;

	fill_sas(w);
	v = view_build(&w->spec, dataplane_view(run.dp), error, sizeof(error));
	if (v == NULL)
		fail_msg("view: %s", error);
	assert_int_equal(dataplane_publish(run.dp, v), 0);
	run.older[run.n_older++] = run.world;
	run.world = w;
	whole_settle();
	assert_int_equal(dataplane_retired(run.dp), 0);
	free_gone_sas(run.older[run.n_older - 1], w);
}

static void
free_sas(void)
{
	for (uint32_t i = 0; i < run.world->spec.n_sas; i++)
		sa_free(run.world->spec.sa[i].sa);
}

int
whole_teardown(void **state)
{
	if (run.dp == NULL)
		return 0;
	ports_stop();
	dataplane_free(run.dp);
	ports_close();
	free_sas();
	world_free(run.world);
	while (run.n_older)
		world_free(run.older[--run.n_older]);
	iface_ids_free(ids);
	run.dp = NULL;
	run.world = NULL;
	return 0;
}

void
whole_stop(void)
{
	uint32_t before = run.buffers;
	struct rte_mbuf *m;

	for (uint16_t port = 0; port < ports_count(); port++)
		while ((m = port_out(port_name(port))) != NULL)
			rte_pktmbuf_free(m);
	whole_teardown(NULL);
	assert_int_equal(rte_mempool_avail_count(pool), before);
}

struct dataplane *
whole_dataplane(void)
{
	return run.dp;
}

const struct world *
whole_world(void)
{
	return run.world;
}

struct rte_mempool *
whole_pool(void)
{
	return pool;
}

const char *
whole_name(uint32_t name)
{
	return names_text(names, name);
}

void
whole_settle(void)
{
	for (int turn = 0; turn < SETTLE_TURNS; turn++) {
		for (uint16_t i = 0; i < run.dp->n_workers; i++)
			worker_turn(run.dp->worker[i]);
		dataplane_poll(run.dp);
	}
}

void
whole_account(struct worker_stats *s)
{
	for (int i = 0; i < 1000; i++) {
		struct rte_mbuf *m;

		whole_settle();
		for (uint16_t port = 0; port < ports_count(); port++)
			while ((m = port_out(port_name(port))) != NULL)
				rte_pktmbuf_free(m);
		dataplane_worker_stats(run.dp, 0, s);
		if (s->rx_packets + s->made == s->tx_packets + s->dropped + s->punted)
			return;
		usleep(10000);
	}
}

/* ---- building packets -------------------------------------------------------------------------- */

uint16_t
whole_port(const char *name)
{
	for (uint16_t i = 0; i < ports_count(); i++)
		if (strcmp(port_name(i), name) == 0)
			return i;
	fail_msg("no port %s", name);
	return 0;
}

static void
mac_of(const char *text, const struct mac_addr *otherwise, uint8_t *out)
{
	struct mac_addr m = *otherwise;

	if (text)
		assert_int_equal(mac_parse(text, &m), 0);
	memcpy(out, m.b, 6);
}

static uint16_t
l4_size(const struct pkt *p)
{
	switch (p->protocol) {
	case IPPROTO_TCP:
		return p->mss ? 24 : 20;
	case IPPROTO_ESP:
	case IPPROTO_GRE:
		return 8;
	default:
		return 8;
	}
}

static void
l4_build(const struct pkt *p, uint8_t *l4)
{
	switch (p->protocol) {
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		l4[0] = p->icmp_type;
		l4[1] = p->icmp_code;
		l4[4] = (uint8_t)(p->sport >> 8);
		l4[5] = (uint8_t)p->sport;
		return;
	default:
		l4[0] = (uint8_t)(p->sport >> 8);
		l4[1] = (uint8_t)p->sport;
		l4[2] = (uint8_t)(p->dport >> 8);
		l4[3] = (uint8_t)p->dport;
	}
	if (p->protocol == IPPROTO_UDP) {
		uint16_t size = 8 + p->payload;

		l4[4] = (uint8_t)(size >> 8);
		l4[5] = (uint8_t)size;
	}
	if (p->protocol == IPPROTO_TCP) {
		l4[12] = (uint8_t)(l4_size(p) / 4 << 4);
		l4[13] = p->tcp_flags ? p->tcp_flags : RTE_TCP_ACK_FLAG;
		if (p->mss) {
			l4[20] = 2;
			l4[21] = 4;
			l4[22] = (uint8_t)(p->mss >> 8);
			l4[23] = (uint8_t)p->mss;
		}
	}
}

static void
l4_checksum(const struct pkt *p, uint8_t *l3, uint8_t *l4, bool v6)
{
	uint16_t *sum = (uint16_t *)(p->protocol == IPPROTO_TCP   ? l4 + 16
				     : p->protocol == IPPROTO_UDP ? l4 + 6
								  : l4 + 2);

	if (p->more || p->fragment_offset)
		return;
	if (p->protocol == IPPROTO_ICMP)
		*sum = (uint16_t)~rte_raw_cksum(l4, 8u + p->payload);
	else if (p->protocol == IPPROTO_TCP || p->protocol == IPPROTO_UDP || p->protocol == IPPROTO_ICMPV6)
		*sum = v6 ? rte_ipv6_udptcp_cksum((struct rte_ipv6_hdr *)l3, l4)
			  : rte_ipv4_udptcp_cksum((struct rte_ipv4_hdr *)l3, l4);
}

static void
v4_build(const struct pkt *p, uint8_t *l3, const struct ip_addr *src, const struct ip_addr *dst, uint16_t payload)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)l3;

	ip->version_ihl = 0x45;
	ip->type_of_service = p->tos;
	ip->total_length = rte_cpu_to_be_16(20 + payload);
	ip->packet_id = rte_cpu_to_be_16(p->id);
	ip->fragment_offset = rte_cpu_to_be_16(
		(p->df ? RTE_IPV4_HDR_DF_FLAG : 0) | (p->more ? RTE_IPV4_HDR_MF_FLAG : 0) | p->fragment_offset / 8);
	ip->time_to_live = p->ttl ? p->ttl : 64;
	ip->next_proto_id = p->protocol;
	memcpy(&ip->src_addr, src->b, 4);
	memcpy(&ip->dst_addr, dst->b, 4);
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	if (p->bad_checksum)
		ip->hdr_checksum ^= 0x5555;
}

static void
v6_build(const struct pkt *p, uint8_t *l3, const struct ip_addr *src, const struct ip_addr *dst, uint16_t payload)
{
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)l3;

	ip->vtc_flow = rte_cpu_to_be_32(6u << 28 | (uint32_t)p->tos << 20);
	ip->payload_len = rte_cpu_to_be_16(payload);
	ip->proto = p->protocol;
	ip->hop_limits = p->ttl ? p->ttl : 64;
	memcpy(ip->src_addr, src->b, 16);
	memcpy(ip->dst_addr, dst->b, 16);
}

struct rte_mbuf *
pkt_build(const struct pkt *given)
{
	static const struct mac_addr stranger = {{2, 0, 0, 0, 0, 99}};
	struct pkt p = *given;
	struct ip_addr src, dst;
	uint16_t l2 = p.vlan ? 18 : 14, l4_len, l3_len;
	bool v6, later = p.fragment_offset != 0;
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	uint8_t *frame, *l3, *l4;

	assert_non_null(m);
	if (p.protocol == 0)
		p.protocol = IPPROTO_UDP;
	assert_int_equal(address_parse(p.src, &src), 0);
	assert_int_equal(address_parse(p.dst, &dst), 0);
	v6 = src.family == IP_V6;
	l4_len = (later ? 0 : l4_size(&p)) + p.payload;
	l3_len = (v6 ? 40 : 20) + l4_len;
	frame = (uint8_t *)rte_pktmbuf_append(m, l2 + l3_len);
	assert_non_null(frame);
	memset(frame, 0, l2 + l3_len);

	mac_of(p.dmac, &port_caps(whole_port(p.port))->mac, frame);
	mac_of(p.smac, &stranger, frame + 6);
	if (p.vlan) {
		frame[12] = 0x81;
		frame[14] = (uint8_t)(p.vlan >> 8);
		frame[15] = (uint8_t)p.vlan;
	}
	frame[l2 - 2] = v6 ? 0x86 : 0x08;
	frame[l2 - 1] = v6 ? 0xdd : 0x00;
	l3 = frame + l2;
	l4 = l3 + (v6 ? 40 : 20);
	if (v6)
		v6_build(&p, l3, &src, &dst, l4_len);
	else
		v4_build(&p, l3, &src, &dst, l4_len);
	for (uint16_t i = 0; i < p.payload; i++)
		l4[l4_len - p.payload + i] = (uint8_t)(i + p.fragment_offset);
	if (!later)
		l4_build(&p, l4);
	if (!later)
		l4_checksum(&p, l3, l4, v6);
	return m;
}

void
pkt_inject(const char *port, struct rte_mbuf *m)
{
	if (port_ring_inject(whole_port(port), 0, &m, 1) != 1)
		fail_msg("port %s does not take the packet", port);
}

void
pkt_send(const struct pkt *p)
{
	pkt_inject(p->port, pkt_build(p));
	whole_settle();
}

/* ---- looking at what came out --------------------------------------------------------------------- */

struct rte_mbuf *
port_out(const char *port)
{
	uint16_t id = whole_port(port), queues = port_caps(id)->tx_queues;
	struct rte_mbuf *m;

	for (uint16_t q = 0; q < (queues ? queues : 1); q++)
		if (port_ring_collect(id, q, &m, 1) == 1)
			return m;
	return NULL;
}

uint8_t *
frame_l3(struct rte_mbuf *m, uint16_t *size)
{
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	uint16_t l2 = frame[12] == 0x81 && frame[13] == 0 ? 18 : 14;

	*size = m->data_len - l2;
	return frame + l2;
}

void
whole_arp_answer(uint8_t *frame)
{
	static const uint8_t router[6] = {2, 0, 0, 0, 0, 254};
	uint8_t asked[4];

	memcpy(frame, frame + 6, 6);
	memcpy(frame + 6, router, 6);
	frame[21] = 2;
	memcpy(asked, frame + 38, 4);
	memcpy(frame + 32, frame + 22, 10);
	memcpy(frame + 22, router, 6);
	memcpy(frame + 28, asked, 4);
}

struct rte_mbuf *
whole_route(struct rte_mbuf *m, const char *from, const char *other, const char **to)
{
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);

	if (frame[12] == 0x08 && frame[13] == 0x06) {
		whole_arp_answer(frame);
		*to = from;
	} else {
		memcpy(frame, port_caps(whole_port(other))->mac.b, 6);
		*to = other;
	}
	return m;
}

uint32_t
whole_wire(const char *one, const char *other, void (*look)(struct rte_mbuf *))
{
	const char *const end[2] = {one, other};
	uint32_t passed = 0;
	bool moved = true;

	while (moved) {
		moved = false;
		for (int side = 0; side < 2; side++) {
			struct rte_mbuf *m = port_out(end[side]);
			const char *to;

			if (m == NULL)
				continue;
			m = whole_route(m, end[side], end[!side], &to);
			if (to != end[side]) {
				passed++;
				if (look)
					look(m);
			}
			pkt_inject(to, m);
			whole_settle();
			moved = true;
		}
	}
	return passed;
}

static void
check_addresses(struct rte_mbuf *m, const struct pkt *p)
{
	struct ip_addr src, dst;
	uint16_t size;
	uint8_t *l3 = frame_l3(m, &size);

	address_parse(p->src, &src);
	address_parse(p->dst, &dst);
	if (src.family == IP_V6) {
		assert_memory_equal(l3 + 8, src.b, 16);
		assert_memory_equal(l3 + 24, dst.b, 16);
	} else {
		assert_int_equal(rte_raw_cksum(l3, 20), 0xffff);
		assert_memory_equal(l3 + 12, src.b, 4);
		assert_memory_equal(l3 + 16, dst.b, 4);
	}
}

static void
tell_drops(void)
{
	for (int r = 0; r < DROP_REASON_COUNT; r++)
		if (drops_of(r))
			print_message("  drop %s: %lu\n", drop_name(r), (unsigned long)drops_of(r));
}

static void
expect_silence(void)
{
	for (uint16_t port = 0; port < ports_count(); port++) {
		if (port_out(port_name(port)) != NULL) {
			tell_drops();
			fail_msg("unexpected frame from port %s", port_name(port));
		}
	}
}

struct rte_mbuf *
expect_forward(const struct pkt *p, const char *out)
{
	struct rte_mbuf *m;

	pkt_send(p);
	m = port_out(out);
	if (m == NULL) {
		tell_drops();
		fail_msg("nothing left through port %s", out);
	}
	check_addresses(m, p);
	expect_silence();
	return m;
}

void
expect_forwarded(const struct pkt *p, const char *out)
{
	rte_pktmbuf_free(expect_forward(p, out));
}

uint64_t
drops_of(enum drop_reason reason)
{
	uint64_t n = run.dp->drops[reason];

	for (uint16_t i = 0; i < run.dp->n_workers; i++)
		n += run.dp->worker[i]->drops[reason];
	return n;
}

uint64_t
named_drops_of(enum drop_reason reason, const char *name)
{
	struct drop_count rows[256];
	uint32_t n = dataplane_drops(run.dp, rows, 256);

	for (uint32_t i = 0; i < n && i < 256; i++)
		if (rows[i].reason == reason && rows[i].name && strcmp(whole_name(rows[i].name), name) == 0)
			return rows[i].packets;
	return 0;
}

void
expect_drop(const struct pkt *p, enum drop_reason reason, const char *name)
{
	uint64_t before = drops_of(reason), named = name ? named_drops_of(reason, name) : 0;

	pkt_send(p);
	if (drops_of(reason) != before + 1) {
		tell_drops();
		fail_msg("expected one more drop %s", drop_name(reason));
	}
	if (name && named_drops_of(reason, name) != named + 1)
		fail_msg("the drop %s was not laid to %s", drop_name(reason), name);
	expect_silence();
}
