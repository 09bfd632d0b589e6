/* The NSG stages on a small world: which NSG is asked when, what a flow lets through, that nothing is lost.
 *
 * Two subnets with NSGs, hosts 10.0.1.x on interface 1 and 10.0.2.x on interface 2, an NVA 10.0.2.9, a subnet
 * without NSG on interface 4.
 */
#include "dataplane/flow.h"
#include "dataplane/neighbour_table.h"
#include "dataplane/nsg.h"
#include "dataplane/route.h"
#include "dataplane/verdict.h"
#include "tests/unit/eal.h"
#include "tests/unit/flow_packet.h"

#include <rte_ether.h>
#include <rte_mbuf.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define MBUFS 255
#define NVA 9

enum { IFACE_A = 1, IFACE_B, IFACE_UP, IFACE_OPEN, IFACES = 8 };
enum { TO_A = 1, TO_B, VIA_NVA, TO_UP, TO_OPEN, HOPS = 8 };

static struct iface iface[IFACES];
static struct hop hops[HOPS];
static struct nic nic_a[2], nic_b[2];
static struct view view = {.iface_mask = IFACES - 1, .hop_mask = HOPS - 1, .iface = iface, .hop = hops};
static struct worker *w;
static struct burst *b;
static struct rte_mempool *pool;
static struct acl *made[64];
static uint32_t n_made;

/* ---- the world --------------------------------------------------------------------------------------- */

static struct ip_addr
at(uint8_t subnet, uint8_t n)
{
	return (struct ip_addr){IP_V4, {10, 0, subnet, n}};
}

static struct ip_addr
at6(uint8_t subnet, uint8_t n)
{
	return (struct ip_addr){IP_V6, {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, subnet, [15] = n}};
}

/* `deny_port` is refused by rule `name`, everything else allowed by rule name + 1. 0: only the latter. */
static const struct acl *
refuse(uint16_t deny_port, uint32_t name)
{
	struct acl_port_range port = {deny_port, deny_port};
	struct acl_rule_spec r[2] = {{.protocol = -1, .name = name}, {.protocol = -1, .allow = true, .name = name + 1}};
	char error[128] = "";

	r[0].destination = (struct acl_side_spec){.port = &port, .n_ports = 1, .nothing = deny_port == 0};
	made[n_made] = acl_build(&(struct acl_spec){r, 2}, error, sizeof(error));
	if (made[n_made] == NULL)
		fail_msg("%s", error);
	return made[n_made++];
}

static const struct acl *
deny_all(void)
{
	char error[128];

	made[n_made] = acl_build(&(struct acl_spec){NULL, 0}, error, sizeof(error));
	return made[n_made++];
}

static void
subnet(uint16_t id, const struct nic *nic, uint32_t n_nics)
{
	iface[id] = (struct iface){.kind = IFACE_SUBNET,
		.id = id,
		.name = 900 + id,
		.flow_timeout_s = 240,
		.nic = nic,
		.n_nics = n_nics,
		.n_prefixes = 2,
		.prefix = {{at((uint8_t)id, 0), 24}, {at6((uint8_t)id, 0), 64}}};
}

/* No NSG anywhere, an empty flow table. */
static int
world(void **state)
{
	memset(iface, 0, sizeof(iface));
	memset(hops, 0, sizeof(hops));
	nic_a[0] = (struct nic){.address = at(1, 1)};
	nic_a[1] = (struct nic){.address = at6(1, 1)};
	nic_b[0] = (struct nic){.address = at(2, 1)};
	nic_b[1] = (struct nic){.address = at(2, NVA), .forwarding = true};
	subnet(IFACE_A, nic_a, 2);
	subnet(IFACE_B, nic_b, 2);
	subnet(IFACE_OPEN, NULL, 0);
	iface[IFACE_UP] = (struct iface){.kind = IFACE_UPLINK, .id = IFACE_UP};
	hops[TO_A] = (struct hop){.kind = HOP_SUBNET, .iface = IFACE_A};
	hops[TO_B] = (struct hop){.kind = HOP_SUBNET, .iface = IFACE_B};
	hops[VIA_NVA] = (struct hop){.kind = HOP_NEIGHBOUR, .iface = IFACE_B, .address = at(2, NVA)};
	hops[TO_UP] = (struct hop){.kind = HOP_UPLINK, .iface = IFACE_UP};
	hops[TO_OPEN] = (struct hop){.kind = HOP_SUBNET, .iface = IFACE_OPEN};
	for (int i = 0; i < IFACES; i++)
		iface[i].id = (uint16_t)i;

	memset(w, 0, sizeof(*w));
	w->view = &view;
	w->now_s = 1000;
	w->flows = flow_table_create(1024);
	w->neighbours = neighbour_table_create(64);
	b = &w->burst;
	return w->flows == NULL || w->neighbours == NULL;
}

/* Every buffer must be back. */
static int
world_end(void **state)
{
	flow_table_free(w->flows);
	neighbour_table_free(w->neighbours);
	while (n_made > 0)
		acl_free(made[--n_made]);
	assert_int_equal(rte_mempool_avail_count(pool), MBUFS);
	return 0;
}

/* What view_build does: is any NSG concerned? */
static void
apply(void)
{
	for (int i = 0; i < IFACES; i++) {
		iface[i].filter_in = iface[i].acl_in != NULL;
		iface[i].filter_out = iface[i].acl_out != NULL;
		for (uint32_t n = 0; n < iface[i].n_nics; n++) {
			iface[i].filter_in |= iface[i].nic[n].acl_in != NULL;
			iface[i].filter_out |= iface[i].nic[n].acl_out != NULL;
		}
	}
}

/* ---- packets ----------------------------------------------------------------------------------------- */

static struct packet *
add(struct ip_addr source, struct ip_addr destination, uint8_t protocol, uint16_t source_port,
	uint16_t destination_port)
{
	struct packet *p = &b->slot[b->n];

	*p = (struct packet){.m = rte_pktmbuf_alloc(pool),
		.protocol = protocol,
		.tunnel = TUNNEL_NONE,
		.source_port = source_port,
		.destination_port = destination_port};
	assert_non_null(p->m);
	assert_non_null(rte_pktmbuf_append(p->m, 128));
	memset(rte_pktmbuf_mtod(p->m, void *), 0, 128);
	p->l3 = rte_pktmbuf_mtod_offset(p->m, uint8_t *, sizeof(struct rte_ether_hdr));
	set_ends(p, &source, &destination);
	b->pkt[b->n++] = p;
	return p;
}

static struct packet *
from(uint16_t in, struct packet *p)
{
	p->iface = in;
	return p;
}

static struct packet *
towards(uint32_t id, struct packet *p)
{
	p->hop = id;
	p->out = hops[id].iface;
	return p;
}

static void
clear(void)
{
	for (uint16_t i = 0; i < b->n; i++)
		rte_pktmbuf_free(b->pkt[i]->m);
	b->n = 0;
}

/* One packet through one stage: true if it passed. */
static bool
passes_out(uint16_t in, struct ip_addr s, struct ip_addr d, uint16_t sp, uint16_t dp)
{
	bool passed;

	from(in, add(s, d, IPPROTO_UDP, sp, dp));
	nsg_out(w, b);
	passed = b->n == 1;
	clear();
	return passed;
}

static bool
passes_in(uint32_t id, struct ip_addr s, struct ip_addr d, uint16_t sp, uint16_t dp)
{
	bool passed;

	towards(id, add(s, d, IPPROTO_UDP, sp, dp));
	nsg_in(w, b);
	passed = b->n == 1;
	clear();
	return passed;
}

static uint64_t
denied_by(uint32_t name)
{
	for (uint32_t i = 0; i < NAMED_DROPS; i++) {
		if (w->named[i].name == name && w->named[i].reason == DROP_NSG_DENY && w->named[i].packets)
			return w->named[i].packets;
	}
	return 0;
}

static void
ignore(void *context, const struct flow_info *info)
{
	*(struct flow_info *)context = *info;
}

static uint32_t
flows(struct flow_info *last)
{
	struct flow_info unused;

	return flow_table_walk(w->flows, w->now_s, 100, ignore, last ? last : &unused);
}

/* ---- who is asked, in which order ------------------------------------------------------------------------ */

static void
without_an_nsg_everything_passes_and_nothing_is_kept(void **state)
{
	apply();
	assert_true(passes_out(IFACE_A, at(1, 1), at(2, 1), 1000, 80));
	assert_true(passes_in(TO_B, at(1, 1), at(2, 1), 1000, 80));
	assert_int_equal(flows(NULL), 0);
}

static void
outbound_the_nic_is_asked_first(void **state)
{
	nic_a[0].acl_out = refuse(80, 100);
	iface[IFACE_A].acl_out = refuse(80, 200);
	apply();
	assert_false(passes_out(IFACE_A, at(1, 1), at(2, 1), 1000, 80));
	assert_int_equal(denied_by(100), 1);
	/* a host without a NIC: the subnet's alone */
	assert_false(passes_out(IFACE_A, at(1, 2), at(2, 1), 1000, 80));
	assert_int_equal(denied_by(200), 1);
}

static void
inbound_the_subnet_is_asked_first(void **state)
{
	nic_b[0].acl_in = refuse(80, 100);
	iface[IFACE_B].acl_in = refuse(80, 200);
	apply();
	assert_false(passes_in(TO_B, at(1, 1), at(2, 1), 1000, 80));
	assert_int_equal(denied_by(200), 1);
	assert_int_equal(w->drops[DROP_NSG_DENY], 1);
}

static void
both_must_allow_and_the_last_is_named(void **state)
{
	struct flow_info f;

	nic_a[0].acl_out = refuse(80, 100);
	iface[IFACE_A].acl_out = refuse(81, 200);
	apply();
	assert_false(passes_out(IFACE_A, at(1, 1), at(2, 1), 1000, 80));
	assert_false(passes_out(IFACE_A, at(1, 1), at(2, 1), 1000, 81));
	assert_int_equal(denied_by(100), 1);
	assert_int_equal(denied_by(200), 1);
	assert_int_equal(flows(NULL), 0);
	assert_true(passes_out(IFACE_A, at(1, 1), at(2, 1), 1000, 82));
	assert_int_equal(flows(&f), 1);
	assert_int_equal(f.rule_name, 201);
	assert_int_equal(f.timeout_s, 240);
	assert_int_equal(f.iface, IFACE_A);
	assert_false(f.inbound);
}

static void
only_hosts_of_the_subnet_are_endpoints(void **state)
{
	iface[IFACE_B].acl_in = iface[IFACE_B].acl_out = deny_all();
	iface[IFACE_UP].filter_in = iface[IFACE_UP].filter_out = true;
	apply();
	assert_true(passes_in(TO_UP, at(1, 1), at(2, 1), 1000, 80));
	assert_true(passes_in(TO_OPEN, at(1, 1), at(4, 1), 1000, 80));
	assert_true(passes_out(IFACE_A, at(1, 1), at(2, 1), 1000, 80));
	assert_false(passes_in(TO_B, at(1, 1), at(2, 1), 1000, 80));

	/* what we make ourselves is not judged */
	towards(TO_B, add(at(2, 254), at(2, 1), IPPROTO_ICMP, 0, 0))->flags |= PKT_LOCAL;
	nsg_in(w, b);
	assert_int_equal(b->n, 1);
	clear();
}

static void
ipv6_hosts_have_their_own_nics(void **state)
{
	nic_a[1].acl_out = refuse(80, 100);
	apply();
	assert_false(passes_out(IFACE_A, at6(1, 1), at6(2, 1), 1000, 80));
	assert_int_equal(denied_by(100), 1);
	assert_true(passes_out(IFACE_A, at6(1, 2), at6(2, 1), 1000, 80));
	assert_true(passes_out(IFACE_A, at(1, 1), at(2, 1), 1000, 80));
}

/* ---- flows ------------------------------------------------------------------------------------------------- */

/* Nothing may come in by itself, but answers do. */
static void
replies_pass_the_other_directions_rules(void **state)
{
	iface[IFACE_A].acl_in = deny_all();
	iface[IFACE_A].acl_out = refuse(0, 200);
	apply();
	assert_false(passes_in(TO_A, at(2, 1), at(1, 1), 80, 1000));
	assert_true(passes_out(IFACE_A, at(1, 1), at(2, 1), 1000, 80));
	assert_true(passes_in(TO_A, at(2, 1), at(1, 1), 80, 1000));
	assert_false(passes_in(TO_A, at(2, 1), at(1, 1), 80, 1001));
	assert_false(passes_in(TO_A, at(2, 2), at(1, 1), 80, 1000));
}

/* The same where the outbound direction has no NSG at all. */
static void
a_direction_without_rules_opens_flows_too(void **state)
{
	struct flow_info f;

	iface[IFACE_A].acl_in = deny_all();
	apply();
	assert_true(passes_out(IFACE_A, at(1, 1), at(2, 1), 1000, 80));
	assert_int_equal(flows(&f), 1);
	assert_int_equal(f.rule_name, NAME_NONE);
	assert_true(passes_in(TO_A, at(2, 1), at(1, 1), 80, 1000));
}

static void
changed_rules_touch_new_flows_only(void **state)
{
	iface[IFACE_A].acl_out = refuse(0, 200);
	apply();
	assert_true(passes_out(IFACE_A, at(1, 1), at(2, 1), 1000, 80));
	iface[IFACE_A].acl_out = deny_all();
	iface[IFACE_A].acl_in = deny_all();
	apply();
	assert_true(passes_out(IFACE_A, at(1, 1), at(2, 1), 1000, 80));
	assert_true(passes_in(TO_A, at(2, 1), at(1, 1), 80, 1000));
	assert_false(passes_out(IFACE_A, at(1, 1), at(2, 1), 1001, 80));
	w->now_s += 241;
	assert_false(passes_out(IFACE_A, at(1, 1), at(2, 1), 1000, 80));
}

static void
hosts_of_one_subnet_are_judged_at_both_ends(void **state)
{
	iface[IFACE_A].acl_out = refuse(0, 200);
	iface[IFACE_A].acl_in = refuse(80, 300);
	apply();
	assert_true(passes_out(IFACE_A, at(1, 1), at(1, 2), 1000, 80));
	assert_false(passes_in(TO_A, at(1, 1), at(1, 2), 1000, 80));
	assert_true(passes_out(IFACE_A, at(1, 1), at(1, 2), 1000, 81));
	assert_true(passes_in(TO_A, at(1, 1), at(1, 2), 1000, 81));
	assert_true(passes_out(IFACE_A, at(1, 2), at(1, 1), 81, 1000));
}

/* ---- an NVA in the middle ------------------------------------------------------------------------------------- */

static void
the_nva_is_the_endpoint_of_what_passes_through_it(void **state)
{
	struct mac_addr mac = {{2, 0, 0, 0, 0, NVA}};
	uint32_t place = neighbour_place_take(w->neighbours, IFACE_B, &nic_b[1].address);
	struct packet *p;

	neighbour_place_set(w->neighbours, place, NEIGHBOUR_USABLE | neighbour_mac_word(&mac));
	nic_b[1].acl_in = refuse(80, 100);
	nic_b[1].acl_out = refuse(81, 110);
	nic_b[0].acl_in = nic_b[0].acl_out = deny_all();
	apply();

	/* towards it: its own rules, with the packet's addresses */
	assert_false(passes_in(VIA_NVA, at(1, 1), at(7, 1), 1000, 80));
	assert_int_equal(denied_by(100), 1);
	assert_true(passes_in(VIA_NVA, at(1, 1), at(7, 1), 1000, 81));
	/* from it, with a foreign source: known by its MAC, its outbound rules; a flow in is no flow out */
	for (int known = 0; known < 2; known++) {
		p = from(IFACE_B, add(at(1, 1), at(7, 1), IPPROTO_UDP, 1000, 81));
		p->flags |= PKT_FORWARDED;
		if (known)
			memcpy(rte_pktmbuf_mtod(p->m, struct rte_ether_hdr *)->src_addr.addr_bytes, mac.b, 6);
		nsg_out(w, b);
		assert_int_equal(b->n, !known);
		clear();
		flow_table_free(w->flows);
		w->flows = flow_table_create(1024);
	}
	assert_int_equal(denied_by(110), 1);
}

/* An NVA in the subnet of the host it forwards to: what its rules allowed does not open the host. */
static void
a_flow_through_an_nva_is_not_one_to_the_host(void **state)
{
	nic_b[1].acl_in = refuse(0, 100);
	nic_b[0].acl_in = deny_all();
	apply();
	assert_true(passes_in(VIA_NVA, at(1, 1), at(2, 1), 1000, 80));
	assert_false(passes_in(TO_B, at(1, 1), at(2, 1), 1000, 80));
}

/* ---- what rules and flows see of ICMP -------------------------------------------------------------------------- */

static void
rules_see_no_port_of_icmp(void **state)
{
	iface[IFACE_A].acl_out = refuse(0xbeef, 200);
	apply();
	from(IFACE_A, add(at(1, 1), at(2, 1), IPPROTO_ICMP, 0xbeef, 0xbeef));
	nsg_out(w, b);
	assert_int_equal(b->n, 1);
	clear();
}

static void
errors_pass_with_the_flow_they_are_about(void **state)
{
	struct packet sent = udp(false, 1, 2, 1000, 80), *p;

	iface[IFACE_A].acl_in = deny_all();
	apply();
	set_ends(&sent, &(struct ip_addr){IP_V4, {10, 0, 1, 1}}, &(struct ip_addr){IP_V4, {10, 0, 2, 1}});
	for (int known = 0; known < 2; known++) {
		p = towards(TO_A, add(at(2, 254), at(1, 1), IPPROTO_ICMP, 0, 0));
		p->l4_off = 20;
		p->l3[20] = 3;
		p->l3_len = 28 + quote_packet(p->l3 + 28, &sent);
		nsg_in(w, b);
		assert_int_equal(b->n, known);
		clear();
		if (!known)
			assert_true(passes_out(IFACE_A, at(1, 1), at(2, 1), 1000, 80));
	}
}

/* ---- bursts ------------------------------------------------------------------------------------------------------ */

static void
a_burst_keeps_its_order_and_loses_nothing(void **state)
{
	const struct acl *some[3];

	srand(3);
	some[0] = refuse(80, 100);
	some[1] = refuse(81, 200);
	some[2] = deny_all();
	iface[IFACE_B].acl_in = some[0];
	nic_b[0].acl_in = some[1];
	nic_b[1].acl_in = some[2];
	nic_a[0].acl_in = some[1];
	apply();
	for (int round = 0; round < 300; round++) {
		uint16_t expected[BURST_MAX], n_expected = 0, n = (uint16_t)(1 + rand() % BURST_MAX);
		uint64_t dropped = w->drops[DROP_NSG_DENY];

		for (uint16_t i = 0; i < n; i++) {
			uint32_t id = (uint32_t)(1 + rand() % 5);
			uint16_t port = (uint16_t)(80 + rand() % 3);
			uint8_t host_of = (uint8_t)(1 + rand() % 2);
			struct packet *p = towards(id, add(at(3, 1), at((uint8_t)hops[id].iface, host_of), IPPROTO_UDP,
							       (uint16_t)(rand() % 5000), port));
			bool deny = false;

			if (id == TO_A)
				deny = host_of == 1 && port == 81;
			if (id == TO_B)
				deny = port == 80 || (host_of == 1 && port == 81);
			if (id == VIA_NVA)
				deny = true;
			p->hash = i;
			if (!deny)
				expected[n_expected++] = i;
		}
		nsg_in(w, b);
		assert_int_equal(b->n, n_expected);
		for (uint16_t i = 0; i < b->n; i++)
			assert_int_equal(b->pkt[i]->hash, expected[i]);
		assert_int_equal(w->drops[DROP_NSG_DENY] - dropped, n - n_expected);
		clear();
		assert_int_equal(rte_mempool_avail_count(pool), MBUFS);
		w->now_s += 20; /* some flows of the last rounds are known, old ones go */
	}
}

static void
first_packets_of_one_flow_in_one_burst_make_one_flow(void **state)
{
	iface[IFACE_A].acl_out = refuse(80, 200);
	apply();
	for (int i = 0; i < BURST_MAX; i++)
		from(IFACE_A, add(at(1, 1), at(2, 1), IPPROTO_UDP, 1000, (uint16_t)(81 + i % 2)));
	nsg_out(w, b);
	assert_int_equal(b->n, BURST_MAX);
	assert_int_equal(flows(NULL), 2);
	clear();
}

static void
a_full_table_and_impossible_flags_drop_by_name(void **state)
{
	iface[IFACE_A].acl_out = refuse(80, 200);
	apply();
	flow_table_free(w->flows);
	w->flows = flow_table_create(1);
	for (uint16_t i = 0; i < 40; i++)
		passes_out(IFACE_A, at(1, 1), at(2, 1), 1000 + i, 81);
	assert_int_equal(w->drops[DROP_FLOW_TABLE_FULL], 8);

	from(IFACE_A, add(at(1, 1), at(2, 1), IPPROTO_TCP, 1000, 81))->tcp_flags = SYN | FIN;
	nsg_out(w, b);
	assert_int_equal(b->n, 0);
	assert_int_equal(w->drops[DROP_FLOW_STATE], 1);

	/* beside a packet of a known flow */
	from(IFACE_A, add(at(1, 1), at(2, 1), IPPROTO_TCP, 1000, 81))->tcp_flags = SYN | FIN;
	from(IFACE_A, add(at(1, 1), at(2, 1), IPPROTO_UDP, 1000, 81));
	nsg_out(w, b);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->pkt[0]->protocol, IPPROTO_UDP);
	clear();
}

/* ---- the tools' verdict is the stage's ------------------------------------------------------------------------ */

static void
verdicts_equal_the_stage(void **state)
{
	struct tag_spec tag[] = {{{at(2, 0), 24}, TAG_BIT_VNET}, {{at(1, 0), 24}, TAG_BIT_VNET}};
	struct acl_rule_spec r = {.protocol = -1, .allow = true, .name = 300, .source.tag = TAG_BIT_VNET};
	char error[128] = "";
	struct tags *tags = tags_build(&(struct tags_spec){tag, 2, 0}, NULL, error, sizeof(error));
	uint32_t allowed = 0;

	assert_non_null(tags);
	iface[IFACE_B].tags = tags;
	made[n_made] = acl_build(&(struct acl_spec){&r, 1}, error, sizeof(error));
	iface[IFACE_B].acl_in = made[n_made++];
	nic_b[0].acl_in = refuse(80, 100);
	apply();
	srand(5);
	for (int i = 0; i < 2000; i++) {
		struct verdict_packet v = {.iface = IFACE_B,
			.source = at((uint8_t)(1 + rand() % 3), 7),
			.destination = at(2, (uint8_t)(1 + rand() % 3)),
			.protocol = IPPROTO_UDP,
			.source_port = (uint16_t)i,
			.destination_port = (uint16_t)(79 + rand() % 3)};
		struct acl_verdict verdict;
		struct flow_info f = {0};
		uint32_t before = flows(NULL);
		bool passed = passes_in(TO_B, v.source, v.destination, v.source_port, v.destination_port);

		verdict_nsg(&view, &v, true, &verdict);
		assert_true(verdict.had_nsg);
		assert_int_equal(verdict.allow, passed);
		assert_int_equal(flows(NULL), before + passed);
		allowed += passed;
		if (before == 0 && passed) {
			flows(&f);
			assert_int_equal(verdict.rule_name, f.rule_name);
		}
		w->now_s += 300;
	}
	assert_in_range(allowed, 500, 1800);
	tags_free(tags);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world, world_end)
	const struct CMUnitTest tests[] = {
		TEST(without_an_nsg_everything_passes_and_nothing_is_kept),
		TEST(outbound_the_nic_is_asked_first),
		TEST(inbound_the_subnet_is_asked_first),
		TEST(both_must_allow_and_the_last_is_named),
		TEST(only_hosts_of_the_subnet_are_endpoints),
		TEST(ipv6_hosts_have_their_own_nics),
		TEST(replies_pass_the_other_directions_rules),
		TEST(a_direction_without_rules_opens_flows_too),
		TEST(changed_rules_touch_new_flows_only),
		TEST(hosts_of_one_subnet_are_judged_at_both_ends),
		TEST(the_nva_is_the_endpoint_of_what_passes_through_it),
		TEST(a_flow_through_an_nva_is_not_one_to_the_host),
		TEST(rules_see_no_port_of_icmp),
		TEST(errors_pass_with_the_flow_they_are_about),
		TEST(a_burst_keeps_its_order_and_loses_nothing),
		TEST(first_packets_of_one_flow_in_one_burst_make_one_flow),
		TEST(a_full_table_and_impossible_flags_drop_by_name),
		TEST(verdicts_equal_the_stage),
	};
	int failed;

	if (test_eal_start_with("nsg-stage", "64") != 0)
		return 1;
	pool = rte_pktmbuf_pool_create("nsg stage", MBUFS, 0, 0, 512, SOCKET_ID_ANY);
	w = aligned_alloc(64, sizeof(*w));
	if (pool == NULL || w == NULL)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(w);
	rte_mempool_free(pool);
	test_eal_stop();
	return failed;
}
