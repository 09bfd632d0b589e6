/* Parse: from the wire to addresses, protocol and ports; whatever is malformed ends here.
 *
 * Worker only. Lengths come from the headers and are checked against what the buffer holds before
 * anything is read. Header chains are bounded. IPv4: RFC 791, RFC 1812 5.2.2; IPv6: RFC 8200.
 */
#include "dataplane/flow_hash.h"
#include "dataplane/worker.h"

#include <rte_ether.h>
#include <rte_icmp.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include <netinet/in.h>

#define IP6_HEADERS_MAX 8
#define IP6_HEADER_BYTES_MAX 512

static inline uint16_t
read16(const uint8_t *b)
{
	return (uint16_t)(b[0] << 8 | b[1]);
}

/* Source routing lets the sender steer past our rules (RFC 7126); lengths must add up. */
static bool
options_sound(const uint8_t *option, uint16_t size)
{
	for (uint16_t at = 0; at < size;) {
		uint8_t type = option[at];

		if (type == 0)
			return true;
		if (type == 1) {
			at++;
			continue;
		}
		if (type == 131 || type == 137)
			return false;
		if (at + 2 > size || option[at + 1] < 2 || at + option[at + 1] > size)
			return false;
		at += option[at + 1];
	}
	return true;
}

/* ICMP echo and its answer carry one identifier: it stands for both ports, so they are one flow. */
static void
icmp_ports(struct packet *p, const uint8_t *l4)
{
	bool v6 = p->flags & PKT_V6;
	bool echo = v6 ? l4[0] == 128 || l4[0] == 129
		       : l4[0] == RTE_IP_ICMP_ECHO_REQUEST || l4[0] == RTE_IP_ICMP_ECHO_REPLY;

	p->source_port = p->destination_port = echo ? read16(l4 + 4) : 0;
}

/* Ports and TCP flags of a whole packet or a first fragment. */
static __rte_always_inline bool
parse_l4(struct packet *p)
{
	const uint8_t *l4 = p->l3 + p->l4_off;
	uint16_t room = p->l3_len - p->l4_off;

	p->source_port = p->destination_port = 0;
	p->tcp_flags = 0;
	switch (p->protocol) {
	case IPPROTO_TCP:
		if (room < sizeof(struct rte_tcp_hdr) || (l4[12] >> 4) < 5)
			return false;
		if (!(p->flags & PKT_FRAGMENT) && room < (l4[12] >> 4) * 4)
			return false;
		p->tcp_flags = l4[13];
		break;
	case IPPROTO_UDP:
		if (room < 8 || read16(l4 + 4) < 8)
			return false;
		if (!(p->flags & PKT_FRAGMENT) && read16(l4 + 4) > room)
			return false;
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (room < 8)
			return false;
		icmp_ports(p, l4);
		return true;
	default:
		return true;
	}
	p->source_port = read16(l4);
	p->destination_port = read16(l4 + 2);
	return true;
}

static inline void
hash_set(struct packet *p, uint64_t addresses)
{
	uint32_t rest = 0;

	/* Fragments of one packet must meet at one worker, whether they carry ports and their protocol or not. */
	if (!(p->flags & PKT_FRAGMENT))
		rest = flow_hash_rest(p->protocol, p->source_port, p->destination_port);
	p->hash = flow_hash_mix(addresses, rest);
}

/* RFC 1071: the words of a sound header, its checksum among them, add up to all ones. */
static inline bool
header_sound(const uint8_t *l3, uint16_t header)
{
	uint32_t word[5];
	uint64_t sum;

	if (unlikely(header > sizeof(word)))
		return rte_raw_cksum(l3, header) == 0xffff;
	memcpy(word, l3, sizeof(word));
	sum = (uint64_t)word[0] + word[1] + word[2] + word[3] + word[4];
	return sum % 0xffff == 0;
}

static __rte_always_inline enum drop_reason
parse_v4(struct packet *p, uint8_t *l3, uint32_t available)
{
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)l3;
	uint16_t header, total, fragment, flags;
	rte_be32_t source, destination;

	if (available < sizeof(*ip))
		return DROP_TRUNCATED;
	header = (ip->version_ihl & 0xf) * 4;
	total = rte_be_to_cpu_16(ip->total_length);
	if (header < sizeof(*ip))
		return DROP_IP_VERSION;
	if (total < header || total > available)
		return DROP_TRUNCATED;
	if (!header_sound(l3, header))
		return DROP_IP_CHECKSUM;
	if (header > sizeof(*ip)) {
		if (!options_sound(l3 + sizeof(*ip), header - sizeof(*ip)))
			return DROP_IP_OPTIONS;
		p->flags |= PKT_OPTIONS;
	}

	fragment = rte_be_to_cpu_16(ip->fragment_offset);
	flags = p->flags | (fragment & RTE_IPV4_HDR_DF_FLAG ? PKT_DF : 0);
	if (unlikely(fragment & (RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)))
		flags |= PKT_FRAGMENT | (fragment & RTE_IPV4_HDR_OFFSET_MASK ? PKT_LATER_FRAGMENT : 0);

	source = ip->src_addr;
	destination = ip->dst_addr;
	p->flags = flags;
	p->l3 = l3;
	p->l3_len = total;
	p->l4_off = header;
	p->protocol = ip->next_proto_id;
	p->ttl = ip->time_to_live;
	p->tos = ip->type_of_service;
	p->v4.src = source;
	p->v4.dst = destination;
	p->source_port = p->destination_port = 0;
	p->tcp_flags = 0;
	if (likely(!(flags & PKT_LATER_FRAGMENT)) && !parse_l4(p))
		return DROP_L4_TRUNCATED;
	hash_set(p, flow_hash_v4(source, destination));
	return PARSE_OK;
}

/* Walk the extension headers; p->protocol and l4_off end at the transport header. */
static bool
extensions(struct packet *p, uint8_t next)
{
	uint32_t at = sizeof(struct rte_ipv6_hdr);

	for (int depth = 0; depth <= IP6_HEADERS_MAX; depth++) {
		const uint8_t *h = p->l3 + at;
		uint32_t size;

		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
			next != IPPROTO_FRAGMENT) {
			p->protocol = next;
			p->l4_off = (uint16_t)at;
			return true;
		}
		if (at + 8 > p->l3_len || at > IP6_HEADER_BYTES_MAX || (next == IPPROTO_HOPOPTS && depth > 0))
			return false;
		p->flags |= PKT_OPTIONS;
		if (next == IPPROTO_ROUTING && h[2] == 0) /* RFC 5095 */
			return false;
		if (next == IPPROTO_FRAGMENT) {
			uint16_t fragment = read16(h + 2);

			size = 8;
			if (fragment & 0xfff9)
				p->flags |= PKT_FRAGMENT;
			if (fragment & 0xfff8)
				p->flags |= PKT_LATER_FRAGMENT;
		} else {
			size = (h[1] + 1u) * 8;
		}
		if (at + size > p->l3_len)
			return false;
		next = h[0];
		at += size;
		if (p->flags & PKT_LATER_FRAGMENT) { /* what follows is payload */
			p->protocol = next;
			p->l4_off = (uint16_t)at;
			return true;
		}
	}
	return false;
}

static enum drop_reason
parse_v6(struct packet *p, uint8_t *l3, uint32_t available)
{
	const struct rte_ipv6_hdr *ip = (const struct rte_ipv6_hdr *)l3;
	uint32_t total, word;

	if (available < sizeof(*ip))
		return DROP_TRUNCATED;
	total = sizeof(*ip) + rte_be_to_cpu_16(ip->payload_len);
	if (total > available)
		return DROP_TRUNCATED;

	word = rte_be_to_cpu_32(ip->vtc_flow);
	p->flags |= PKT_V6 | PKT_DF;
	p->l3 = l3;
	p->l3_len = (uint16_t)total;
	p->ttl = ip->hop_limits;
	p->tos = (uint8_t)(word >> 20);
	p->source_port = p->destination_port = 0;
	p->tcp_flags = 0;
	memcpy(p->v6.src, ip->src_addr, 16);
	memcpy(p->v6.dst, ip->dst_addr, 16);
	if (!extensions(p, ip->proto))
		return DROP_IP6_EXTENSION;
	if (!(p->flags & PKT_LATER_FRAGMENT) && !parse_l4(p))
		return DROP_L4_TRUNCATED;
	hash_set(p, flow_hash_v6(ip->src_addr, ip->dst_addr));
	return PARSE_OK;
}

enum drop_reason
parse_ip(struct packet *p, uint8_t *l3, uint32_t available)
{
	p->flags &= ~(PKT_V6 | PKT_FRAGMENT | PKT_LATER_FRAGMENT | PKT_OPTIONS | PKT_DF);
	if (available == 0)
		return DROP_TRUNCATED;
	switch (l3[0] >> 4) {
	case 4:
		return parse_v4(p, l3, available);
	case 6:
		return parse_v6(p, l3, available);
	default:
		return DROP_IP_VERSION;
	}
}

/* Frames for everyone are let in for ARP and ND only; admit() judges what they carry. */
static inline bool
mac_is_ours(const struct rte_ether_addr *mac, const struct iface *i)
{
	return likely(rte_is_same_ether_addr(mac, &i->mac)) || rte_is_multicast_ether_addr(mac);
}

static inline uint16_t
link_flags(const struct iface *i)
{
	return (i->kind == IFACE_UPLINK ? PKT_UPLINK : 0) | (i->filter_in || i->filter_out ? PKT_FILTERED : 0);
}

/* Link header: which interface, which protocol. Returns PARSE_OK with *l3 and *type, or why not. */
static enum drop_reason
parse_link(const struct view *v, struct packet *p, uint16_t port, uint8_t **l3, uint16_t *type)
{
	struct rte_mbuf *m = p->m;
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	uint16_t vlan = 0, off = sizeof(*eth);

	if (unlikely(m->nb_segs != 1))
		return DROP_MULTI_SEGMENT;
	if (unlikely(m->data_len < sizeof(*eth)))
		return DROP_TRUNCATED;
	*type = rte_be_to_cpu_16(eth->ether_type);
	if (*type == RTE_ETHER_TYPE_VLAN) {
		const uint8_t *tag = (const uint8_t *)(eth + 1);

		if (m->data_len < sizeof(*eth) + 4)
			return DROP_TRUNCATED;
		vlan = read16(tag) & 0xfff;
		*type = read16(tag + 2);
		off += 4;
	}
	if (unlikely(port >= v->n_ports))
		return DROP_NO_INTERFACE;
	p->iface = v->attach[port][vlan];
	if (unlikely(p->iface == IFACE_NONE))
		return DROP_NO_INTERFACE;
	if (unlikely(!mac_is_ours(&eth->dst_addr, &v->iface[p->iface])))
		return DROP_NOT_OUR_MAC;
	p->flags |= link_flags(&v->iface[p->iface]);
	*l3 = rte_pktmbuf_mtod_offset(m, uint8_t *, off);
	return PARSE_OK;
}

/* The version must be what the link header announced; else the packet is not read as something else. */
static enum drop_reason
parse_typed(struct packet *p, uint8_t *l3, uint32_t available, uint16_t type)
{
	if (available == 0)
		return DROP_TRUNCATED;
	if (unlikely(l3[0] >> 4 != (type == RTE_ETHER_TYPE_IPV6 ? 6 : 4)))
		return DROP_IP_VERSION;
	return type == RTE_ETHER_TYPE_IPV6 ? parse_v6(p, l3, available) : parse_v4(p, l3, available);
}

/* Kept: an IP packet in good shape. True: the packet stays in the burst. */
static bool
parse_one(struct worker *w, struct packet *p)
{
	enum drop_reason r;
	uint16_t type = 0;
	uint8_t *l3 = NULL;

	r = parse_link(w->view, p, p->m->port, &l3, &type);
	if (r == PARSE_OK && type == RTE_ETHER_TYPE_ARP) {
		p->l3 = l3;
		punt(w, p, PUNT_ARP_ND, DROP_HANDLED, IFACE_NONE, NULL, 0);
		return false;
	}
	if (r == PARSE_OK && type != RTE_ETHER_TYPE_IPV4 && type != RTE_ETHER_TYPE_IPV6)
		r = DROP_ETHERTYPE;
	if (r == PARSE_OK)
		r = parse_typed(p, l3, rte_pktmbuf_mtod_offset(p->m, uint8_t *, p->m->data_len) - l3, type);
	if (unlikely(r != PARSE_OK)) {
		drop(w, p, r);
		return false;
	}
	return true;
}

void
parse(struct worker *w, struct burst *b)
{
	uint16_t kept = 0;

	b->seen = 0;
	for (uint16_t i = 0; i < b->n; i++) {
		struct packet *p = b->pkt[i];

		if (unlikely(!parse_one(w, p)))
			continue;
		b->seen |= p->flags;
		b->pkt[kept++] = p;
	}
	b->n = kept;
}
