/* Admit: may this packet enter at all? Source check, martians, and what only we can answer (ND).
 *
 * Worker only. A subnet's hosts send from its own prefixes; a foreign source is accepted from the
 * MAC address of a networkInterface with enableIPForwarding alone (an NVA). Packets opened from a
 * tunnel were checked against the SA's selectors already.
 */
#include "dataplane/neighbour.h"
#include "dataplane/route.h"
#include "dataplane/selector.h"
#include "dataplane/worker.h"

#include <rte_ether.h>
#include <rte_ip.h>

#include <netinet/in.h>

#define FORWARDERS_MAX 64 /* NVAs of one subnet that are looked at for a foreign source */

enum admission { ADMIT_OK, ADMIT_ND, ADMIT_BAD_ADDRESS, ADMIT_FOREIGN };

/* Never a host's address: this network, loopback, multicast, reserved, broadcast (RFC 6890). */
static bool
v4_martian(rte_be32_t be)
{
	uint32_t a = rte_be_to_cpu_32(be);

	return a >> 24 == 0 || a >> 24 == 127 || a >> 24 >= 224;
}

static enum admission
admit_v4(const struct iface *i, const struct packet *p)
{
	struct ip_addr source = {.family = IP_V4};

	if (v4_martian(p->v4.dst))
		return ADMIT_BAD_ADDRESS;
	/* Network and broadcast address of the first prefix are nobody's source; a /31 or /32 has none. */
	if (likely((p->v4.src & i->mask4) == i->net4)) {
		rte_be32_t host = p->v4.src & ~i->mask4;

		if (i->edges && (host == 0 || host == ~i->mask4))
			return ADMIT_BAD_ADDRESS;
		return ADMIT_OK;
	}
	if (v4_martian(p->v4.src))
		return ADMIT_BAD_ADDRESS;
	memcpy(source.b, &p->v4.src, 4);
	for (uint8_t n = 0; n < i->n_prefixes; n++)
		if (prefix_has(&i->prefix[n], &source))
			return ADMIT_OK;
	return ADMIT_FOREIGN;
}

static bool
v6_link_local(const uint8_t *a)
{
	return a[0] == 0xfe && (a[1] & 0xc0) == 0x80;
}

static bool
v6_unspecified_or_loopback(const uint8_t *a)
{
	uint64_t half[2];

	memcpy(half, a, sizeof(half));
	return half[0] == 0 && rte_be_to_cpu_64(half[1]) <= 1;
}

static bool
is_nd(const struct packet *p)
{
	return p->protocol == IPPROTO_ICMPV6 && !(p->flags & PKT_FRAGMENT) && p->l3[p->l4_off] >= 133 &&
	       p->l3[p->l4_off] <= 137;
}

/* Neighbour discovery is link-local by nature and goes to control whole; other multicast ends here. */
static enum admission
admit_v6(const struct iface *i, const struct packet *p)
{
	if (is_nd(p))
		return ADMIT_ND;
	if (p->v6.dst[0] == 0xff || p->v6.src[0] == 0xff || v6_unspecified_or_loopback(p->v6.src) ||
		v6_unspecified_or_loopback(p->v6.dst))
		return ADMIT_BAD_ADDRESS;
	if (v6_link_local(p->v6.src) || v6_link_local(p->v6.dst))
		return ADMIT_BAD_ADDRESS;
	for (uint8_t n = 0; n < i->n_prefixes; n++)
		if (selector_covers_v6(&i->prefix[n], p->v6.src))
			return ADMIT_OK;
	return ADMIT_FOREIGN;
}

const struct nic *
forwarder_of(const struct worker *w, const struct iface *i, const struct packet *p)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(p->m, const struct rte_ether_hdr *);
	uint64_t sender = 0, word;
	uint32_t looked = 0;

	memcpy(&sender, &eth->src_addr, sizeof(eth->src_addr));
	for (uint32_t n = 0; n < i->n_nics && looked < FORWARDERS_MAX; n++) {
		if (!i->nic[n].forwarding)
			continue;
		looked++;
		word = neighbour_lookup(w->neighbours, i->id, &i->nic[n].address);
		if ((word & NEIGHBOUR_USABLE) && (word & NEIGHBOUR_MAC) == sender)
			return &i->nic[n];
	}
	return NULL;
}

/* Foreign to the VNet, not only to the subnet: what allowForwardedTraffic is about. */
static bool
foreign_to_vnet(const struct iface *i, const struct packet *p)
{
	if (i->tags == NULL)
		return true;
	return !(tags_lookup(i->tags, packet_family(p), packet_source(p)) & TAG_BIT_OWN_VNET);
}

/* True: stays in the burst. */
static bool
admit_wire(struct worker *w, const struct iface *i, struct packet *p)
{
	switch (p->flags & PKT_V6 ? admit_v6(i, p) : admit_v4(i, p)) {
	case ADMIT_OK:
		break;
	case ADMIT_ND:
		punt(w, p, PUNT_ARP_ND, DROP_HANDLED, IFACE_NONE, NULL, 0);
		return false;
	case ADMIT_FOREIGN:
		/* nobody's network has its own addresses beyond a circuit */
		if (i->kind == IFACE_UPLINK || (i->kind == IFACE_CIRCUIT && foreign_to_vnet(i, p)))
			break;
		if (forwarder_of(w, i, p)) {
			p->flags |= PKT_FORWARDED;
			if (foreign_to_vnet(i, p))
				p->flags |= PKT_FOREIGN;
			break;
		}
		drop_named(w, p, DROP_SOURCE_CHECK, i->name);
		return false;
	case ADMIT_BAD_ADDRESS:
		drop(w, p, DROP_BAD_ADDRESS);
		return false;
	}
	TRACE(p, STAGE_ADMIT, TRACE_ADMITTED, p->iface, i->name, 0);
	return true;
}

/* Opened packets: nothing link-local or multicast comes out of a tunnel. */
static bool
admit_opened(struct worker *w, struct packet *p)
{
	bool bad;

	p->from = p->tunnel;
	if (p->flags & PKT_V6)
		bad = p->v6.dst[0] == 0xff || p->v6.src[0] == 0xff || v6_link_local(p->v6.src) ||
		      v6_link_local(p->v6.dst) || v6_unspecified_or_loopback(p->v6.src) ||
		      v6_unspecified_or_loopback(p->v6.dst);
	else
		bad = v4_martian(p->v4.src) || v4_martian(p->v4.dst);
	if (bad) {
		drop(w, p, DROP_BAD_ADDRESS);
		return false;
	}
	TRACE(p, STAGE_ADMIT, TRACE_ADMITTED, p->iface, w->view->iface[p->iface].name, 0);
	return true;
}

void
admit(struct worker *w, struct burst *b)
{
	uint16_t kept = 0;

	for (uint16_t n = 0; n < b->n; n++) {
		struct packet *p = b->pkt[n];
		bool stays = p->flags & PKT_OPENED ? admit_opened(w, p) : admit_wire(w, &w->view->iface[p->iface], p);

		if (likely(stays))
			b->pkt[kept++] = p;
	}
	b->n = kept;
}
