/* Keys of flows, from packets and from what ICMP errors quote (RFC 792, RFC 4443 section 3). */
#include "dataplane/flow_key.h"

#include "dataplane/flow.h"

#include <netinet/in.h>
#include <string.h>

#define QUOTE_HEADERS_MAX 8
#define ICMP_HEADER 8

static uint16_t
read16(const uint8_t *b)
{
	return (uint16_t)(b[0] << 8 | b[1]);
}

bool
icmp_is_error(const struct packet *p)
{
	uint8_t type;

	if ((p->flags & PKT_LATER_FRAGMENT) || p->l4_off + ICMP_HEADER > p->l3_len)
		return false;
	type = p->l3[p->l4_off];
	if (p->flags & PKT_V6)
		return p->protocol == IPPROTO_ICMPV6 && type >= 1 && type <= 4;
	return p->protocol == IPPROTO_ICMP && (type == 3 || type == 11 || type == 12);
}

/* ---- the quoted packet: often cut short, never trusted ------------------------------------------- */

/* Ports of the quoted transport header; false when they were cut off. The quote runs the other way. */
static bool
quoted_ports(struct flow_ends *e, const uint8_t *l4, const uint8_t *end)
{
	bool echo;

	switch (e->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		if (end - l4 < 4)
			return false;
		e->source_port = read16(l4 + 2);
		e->destination_port = read16(l4);
		return true;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (end - l4 < ICMP_HEADER)
			return false;
		echo = e->protocol == IPPROTO_ICMP ? l4[0] == 8 || l4[0] == 0 : l4[0] == 128 || l4[0] == 129;
		e->source_port = e->destination_port = echo ? read16(l4 + 4) : 0;
		return echo;
	default:
		e->source_port = e->destination_port = 0;
		return true;
	}
}

static bool
quote_v4(struct flow_ends *e, const uint8_t *ip, const uint8_t *end)
{
	uint32_t header;

	if (end - ip < 20 || ip[0] >> 4 != 4)
		return false;
	header = (ip[0] & 0xfu) * 4;
	if (header < 20 || end - ip < (ptrdiff_t)header)
		return false;
	if (read16(ip + 6) & 0x1fff) /* a later fragment has no ports */
		return false;
	*e = (struct flow_ends){.source = ip + 16, .destination = ip + 12, .protocol = ip[9]};
	return quoted_ports(e, ip + header, end);
}

static bool
quote_v6(struct flow_ends *e, const uint8_t *ip, const uint8_t *end)
{
	const uint8_t *at = ip + 40;
	uint8_t next;

	if (end - ip < 40 || ip[0] >> 4 != 6)
		return false;
	next = ip[6];
	for (int n = 0; n < QUOTE_HEADERS_MAX; n++) {
		bool fragment = next == IPPROTO_FRAGMENT;

		if (!fragment && next != IPPROTO_HOPOPTS && next != IPPROTO_DSTOPTS && next != IPPROTO_ROUTING) {
			*e = (struct flow_ends){.source = ip + 24, .destination = ip + 8, .protocol = next};
			return at <= end && quoted_ports(e, at, end);
		}
		if (end - at < 8 || (fragment && (read16(at + 2) & 0xfff8)))
			return false;
		next = at[0];
		at += fragment ? 8 : (at[1] + 1u) * 8;
		if (at > end)
			return false;
	}
	return false;
}

/* The quote must have been sent by the one who is told of it. */
static bool
quoted_ends(struct flow_ends *e, const struct packet *p)
{
	const uint8_t *ip = p->l3 + p->l4_off + ICMP_HEADER, *end = p->l3 + p->l3_len;

	if (p->flags & PKT_V6)
		return quote_v6(e, ip, end) && memcmp(e->destination, p->v6.dst, 16) == 0;
	return quote_v4(e, ip, end) && memcmp(e->destination, &p->v4.dst, 4) == 0;
}

void
flow_key_icmp(struct flow_key *k, const struct packet *p, uint16_t end, bool inbound)
{
	struct flow_ends own = flow_ends_of(p), quoted;

	k->related = icmp_is_error(p) && quoted_ends(&quoted, p);
	flow_key_fill(k, k->related ? &quoted : &own, end, inbound);
}

/* ---- telling ----------------------------------------------------------------------------------------- */

static struct ip_addr
address_of(const uint64_t *word, bool v6, bool low)
{
	struct ip_addr a = {.family = v6 ? IP_V6 : IP_V4};

	if (!v6)
		return address_from_v4((uint32_t)(low ? word[0] >> 32 : word[0]));
	for (int i = 0; i < 16; i++)
		a.b[i] = (uint8_t)(word[(low ? 0 : 2) + i / 8] >> (56 - 8 * (i % 8)));
	return a;
}

void
flow_key_explain(const uint64_t *word, bool v6, bool from_low, struct flow_info *out)
{
	uint64_t tail = word[v6 ? FLOW_WORDS_6 - 1 : FLOW_WORDS_4 - 1];
	uint16_t low_port = (uint16_t)(tail >> 48), high_port = (uint16_t)(tail >> 32);

	out->iface = (uint16_t)(tail >> 16) & (uint16_t)~FLOW_THROUGH;
	out->protocol = (uint8_t)(tail >> 8);
	out->source = address_of(word, v6, from_low);
	out->destination = address_of(word, v6, !from_low);
	out->source_port = from_low ? low_port : high_port;
	out->destination_port = from_low ? high_port : low_port;
}
