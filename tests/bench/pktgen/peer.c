#include "tests/bench/pktgen/peer.h"

#include "drivers/clock.h"
#include "drivers/port.h"

#include <rte_arp.h>
#include <rte_ether.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct arp_frame {
	struct rte_ether_hdr ether;
	struct rte_arp_hdr arp;
};

_Static_assert(sizeof(struct arp_frame) == 42, "no holes");

static void
send_one(struct peers *p, uint16_t port, struct rte_mbuf *m)
{
	if (port_tx(port, 0, &m, 1) == 0) {
		rte_pktmbuf_free(m);
		p->refused++;
	}
}

static void
mac_put(struct rte_ether_addr *to, const struct mac_addr *mac)
{
	memcpy(to, mac->b, sizeof *to);
}

static void
request_send(struct peers *p, uint16_t port)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(p->pool);
	struct arp_frame *f;

	if (!m)
		return;
	m->data_len = m->pkt_len = RTE_ETHER_MIN_LEN - RTE_ETHER_CRC_LEN;
	f = rte_pktmbuf_mtod(m, struct arp_frame *);
	memset(f, 0, RTE_ETHER_MIN_LEN - RTE_ETHER_CRC_LEN);
	memset(&f->ether.dst_addr, 0xff, sizeof f->ether.dst_addr);
	mac_put(&f->ether.src_addr, &port_caps(port)->mac);
	f->ether.ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP);
	f->arp.arp_hardware = rte_cpu_to_be_16(RTE_ARP_HRD_ETHER);
	f->arp.arp_protocol = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	f->arp.arp_hlen = RTE_ETHER_ADDR_LEN;
	f->arp.arp_plen = 4;
	f->arp.arp_opcode = rte_cpu_to_be_16(RTE_ARP_OP_REQUEST);
	f->arp.arp_data.arp_sha = f->ether.src_addr;
	f->arp.arp_data.arp_sip = rte_cpu_to_be_32(p->port[port].own);
	f->arp.arp_data.arp_tip = rte_cpu_to_be_32(p->port[port].appliance);
	send_one(p, port, m);
}

/* A request becomes its answer in place; an answer tells the appliance's MAC. Takes the packet. */
static void
arp_take(struct peers *p, uint16_t port, struct rte_mbuf *m)
{
	struct arp_frame *f = rte_pktmbuf_mtod(m, struct arp_frame *);
	struct rte_arp_ipv4 *d = &f->arp.arp_data;
	uint32_t asked = d->arp_tip;

	if (f->arp.arp_opcode == rte_cpu_to_be_16(RTE_ARP_OP_REQUEST) && asked != d->arp_sip) {
		f->ether.dst_addr = f->ether.src_addr;
		mac_put(&f->ether.src_addr, &port_caps(port)->mac);
		f->arp.arp_opcode = rte_cpu_to_be_16(RTE_ARP_OP_REPLY);
		d->arp_tha = d->arp_sha;
		d->arp_tip = d->arp_sip;
		d->arp_sha = f->ether.src_addr;
		d->arp_sip = asked;
		send_one(p, port, m);
		return;
	}
	if (d->arp_sip == rte_cpu_to_be_32(p->port[port].appliance)) {
		memcpy(p->port[port].appliance_mac.b, &d->arp_sha, sizeof d->arp_sha);
		p->port[port].resolved = true;
	}
	rte_pktmbuf_free(m);
}

/* To the appliance's other uplink: nothing changes but the addresses of the link. */
static void
route(struct peers *p, uint16_t port, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t to = port == PEER_WIRE_A ? PEER_WIRE_B : PEER_WIRE_A, sent;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_ether_hdr *ether = rte_pktmbuf_mtod(pkts[i], struct rte_ether_hdr *);

		mac_put(&ether->dst_addr, &p->port[to].appliance_mac);
		mac_put(&ether->src_addr, &port_caps(to)->mac);
	}
	sent = port_tx(to, 0, pkts, n);
	p->refused += n - sent;
	if (sent < n)
		rte_pktmbuf_free_bulk(pkts + sent, n - sent);
}

static void
account(struct traffic *t, struct rte_mbuf **pkts, uint16_t n)
{
	uint64_t now = clock_tsc();

	for (uint16_t i = 0; i < n; i++)
		traffic_take(t, rte_pktmbuf_mtod(pkts[i], uint8_t *), pkts[i]->data_len, now);
	rte_pktmbuf_free_bulk(pkts, n);
}

static unsigned
port_poll(struct peers *p, uint16_t port, struct traffic *t)
{
	struct rte_mbuf *pkts[PEER_BURST];
	uint16_t got = port_rx(port, 0, pkts, PEER_BURST), kept = 0;

	for (uint16_t i = 0; i < got; i++) {
		const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(pkts[i], const struct rte_ether_hdr *);

		if (pkts[i]->data_len >= sizeof(struct arp_frame) &&
			ether->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP))
			arp_take(p, port, pkts[i]);
		else
			pkts[kept++] = pkts[i];
	}
	if (kept == 0)
		return got;
	if (port >= PEER_WIRE_A)
		route(p, port, pkts, kept);
	else if (port == PEER_RIGHT && t)
		account(t, pkts, kept);
	else
		rte_pktmbuf_free_bulk(pkts, kept);
	return got;
}

unsigned
peers_poll(struct peers *p, struct traffic *t)
{
	unsigned got = 0;

	for (uint16_t port = 0; port < p->n; port++)
		got += port_poll(p, port, t);
	return got;
}

int
peers_resolve(struct peers *p, unsigned seconds)
{
	for (unsigned turn = 0; turn < seconds * 100; turn++) {
		unsigned missing = 0;

		for (uint16_t port = 0; port < p->n; port++) {
			if (p->port[port].resolved)
				continue;
			missing++;
			if (turn % 10 == 0)
				request_send(p, port);
		}
		if (missing == 0)
			return 0;
		usleep(10000);
		while (peers_poll(p, NULL) > 0)
			;
	}
	return -ETIMEDOUT;
}
