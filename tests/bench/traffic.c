/* Packets are copies of a template with addresses and ports of their conversation, which all follow from its number:
 * nothing is stored of 4,000,000 conversations. Transport checksums are the template's; nobody on the path looks.
 */
#include "traffic.h"
#include "world.h"

#include <rte_ip.h>
#include <rte_tcp.h>

#include <netinet/in.h>
#include <string.h>

#define ETHERNET 14

/* 7 : 4 : 1 */
static const uint8_t imix[IMIX_CYCLE] = {0, 0, 1, 0, 0, 1, 0, 1, 0, 2, 0, 1};
static const uint16_t imix_size[IMIX_SIZES] = {64, 576, 1400};

static uint32_t
template_of(const struct scenario *s, uint32_t n)
{
	return s->size == SIZE_IMIX ? imix[n % IMIX_CYCLE] : 0;
}

uint16_t
traffic_size(const struct scenario *s, uint32_t n)
{
	return s->size == SIZE_IMIX ? imix_size[template_of(s, n)] : s->size;
}

/* Worlds with rules speak TCP, which costs the flow table its states; others UDP. */
static void
template_make(struct traffic *t, int i, uint16_t size)
{
	const struct scenario *s = t->scenario;
	bool tcp = s->world.rules != 0;
	uint16_t headers = (s->world.v6 ? 40 : 20) + (tcp ? 20 : 8);
	struct pkt p = {
		.port = "pa",
		.src = s->world.v6 ? "fd00:a:0:1::1000" : "10.0.0.16",
		.dst = s->world.v6 ? HOST_B6 : HOST_B4,
		.protocol = tcp ? IPPROTO_TCP : IPPROTO_UDP,
		.tcp_flags = s->fresh ? RTE_TCP_SYN_FLAG : RTE_TCP_ACK_FLAG,
		.dport = 80,
		.payload = size - headers,
	};
	struct rte_mbuf *m = pkt_build(&p);

	t->template[i].length = m->data_len;
	memcpy(t->template[i].frame, rte_pktmbuf_mtod(m, uint8_t *), m->data_len);
	rte_pktmbuf_free(m);
}

void
traffic_init(struct traffic *t, const struct scenario *s)
{
	*t = (struct traffic){.scenario = s, .flows = s->flows ? s->flows : 1, .step = 1};
	t->random = s->size * 31u + t->flows;
	for (int i = 0; i < (s->size == SIZE_IMIX ? IMIX_SIZES : 1); i++)
		template_make(t, i, s->size == SIZE_IMIX ? imix_size[i] : s->size);
}

void
traffic_share(struct traffic *t, uint32_t first, uint32_t n)
{
	t->first = first;
	t->step = n;
	t->random += first;
}

uint32_t
traffic_random(struct traffic *t)
{
	return bench_random(&t->random);
}

static void
addresses_v4(uint8_t *ip, uint32_t source, const struct ip_addr *destination)
{
	struct rte_ipv4_hdr *h = (struct rte_ipv4_hdr *)ip;

	h->src_addr = rte_cpu_to_be_32(0x0a000010 + source);
	memcpy(&h->dst_addr, destination->b, 4);
	h->hdr_checksum = 0;
	h->hdr_checksum = rte_ipv4_cksum(h);
}

static void
addresses_v6(uint8_t *ip, uint32_t source, const struct ip_addr *destination)
{
	struct rte_ipv6_hdr *h = (struct rte_ipv6_hdr *)ip;
	uint32_t low = rte_cpu_to_be_32(0x1000 + source);

	memcpy(h->src_addr + 12, &low, 4);
	memcpy(h->dst_addr, destination->b, 16);
}

/* Conversations differ in source address (21 bits) and port (15 bits), scattered by an odd factor: no two are alike. */
static void
converse(const struct traffic *t, uint8_t *ip, uint32_t flow)
{
	uint64_t scattered = flow * 0x9e3779b97f4a7c15 & 0xfffffffff;
	struct ip_addr destination = extension_destination(&t->scenario->world, flow);
	uint32_t source = (uint32_t)(scattered >> 15);
	uint16_t port = rte_cpu_to_be_16((uint16_t)(0x4000 + (scattered & 0x7fff)));

	if (t->scenario->world.v6)
		addresses_v6(ip, source, &destination);
	else
		addresses_v4(ip, source, &destination);
	memcpy(ip + (t->scenario->world.v6 ? 40 : 20), &port, 2);
}

/* The conversation that the next packet is of. */
static uint32_t
next_flow(struct traffic *t)
{
	uint32_t own = t->flows / t->step;

	if (t->in_turn || t->scenario->fresh)
		return t->first + t->step * t->serial;
	return t->first + t->step * (own > 1 ? (uint32_t)((uint64_t)traffic_random(t) * own >> 32) : 0);
}

void
traffic_fill(struct traffic *t, struct rte_mbuf *m)
{
	uint32_t i = template_of(t->scenario, t->serial);
	uint8_t *frame;

	rte_pktmbuf_reset(m);
	m->port = PORT_A;
	frame = (uint8_t *)rte_pktmbuf_append(m, t->template[i].length);
	memcpy(frame, t->template[i].frame, t->template[i].length);
	converse(t, frame + ETHERNET, next_flow(t));
	t->serial++;
}
