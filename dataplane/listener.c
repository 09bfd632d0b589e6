/* Which daemon a packet to ourselves is for. The table is short, and only packets to our own addresses meet it.
 *
 * An ICMP error need not quote more than eight bytes behind the IP header: then ESP in UDP looks like IKE, and the
 * error is passed on. A packet too big that way tells the kernel the truth about the path.
 */
#include "dataplane/listener.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#define UDP_HEADER 8
#define MARKER 4 /* zeros where ESP has its SPI (RFC 3948, 2.2) */
#define ICMP_HEADER 8
#define IP4_HEADER 20
#define IP6_HEADER 40
#define FRAGMENT_HEADER 8

/* The first match decides. */
static const struct listener {
	uint8_t protocol, class;
	uint16_t port;
	bool marker; /* behind the UDP header */
	bool either; /* we may have opened the connection: the port may be the peer's */
} listeners[] = {
	{IPPROTO_UDP, PUNT_BFD, 3784, false, false}, /* RFC 5881: control, echo; RFC 5883: multihop */
	{IPPROTO_UDP, PUNT_BFD, 3785, false, false},
	{IPPROTO_UDP, PUNT_BFD, 4784, false, false},
	{IPPROTO_UDP, PUNT_IKE, 500, false, false},
	{IPPROTO_UDP, PUNT_IKE, 4500, true, false},
	{IPPROTO_TCP, PUNT_BGP, 179, false, true},
};

#define LISTENERS (sizeof(listeners) / sizeof(*listeners))

static bool
has_marker(const uint8_t *udp, uint32_t n)
{
	static const uint8_t zeros[MARKER];

	return n >= UDP_HEADER + MARKER && memcmp(udp + UDP_HEADER, zeros, MARKER) == 0;
}

enum punt_class
listener_class(const struct packet *p)
{
	for (unsigned k = 0; k < LISTENERS; k++) {
		const struct listener *l = &listeners[k];

		if (l->protocol != p->protocol ||
			(l->port != p->destination_port && !(l->either && l->port == p->source_port)))
			continue;
		if (!l->marker || has_marker(p->l3 + p->l4_off, p->l3_len - p->l4_off))
			return l->class;
	}
	return PUNT_LOCAL;
}

/* ---- ICMP errors ---------------------------------------------------------------------- */

static bool
is_error(const struct packet *p, uint8_t type)
{
	if (p->flags & PKT_V6)
		return p->protocol == IPPROTO_ICMPV6 && type >= ICMP6_DST_UNREACH && type <= ICMP6_PARAM_PROB;
	return p->protocol == IPPROTO_ICMP &&
	       (type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETERPROB);
}

/* Where the quoted packet's transport header is, 0: not there, or not from the address the error came to. */
static uint32_t
quoted_v4(const struct packet *p, const uint8_t *q, uint32_t n, uint8_t *protocol)
{
	uint32_t header = n >= IP4_HEADER ? (q[0] & 0xf) * 4u : 0;

	if (header < IP4_HEADER || q[0] >> 4 != 4 || memcmp(q + 12, &p->v4.dst, 4) != 0 || (q[6] & 0x1f) || q[7])
		return 0;
	*protocol = q[9];
	return header;
}

static uint32_t
quoted_v6(const struct packet *p, const uint8_t *q, uint32_t n, uint8_t *protocol)
{
	if (n < IP6_HEADER || q[0] >> 4 != 6 || memcmp(q + 8, p->v6.dst, 16) != 0)
		return 0;
	*protocol = q[6];
	if (*protocol != IPPROTO_FRAGMENT)
		return IP6_HEADER;
	if (n < IP6_HEADER + FRAGMENT_HEADER || q[IP6_HEADER + 2] || (q[IP6_HEADER + 3] & 0xf8))
		return 0;
	*protocol = q[IP6_HEADER];
	return IP6_HEADER + FRAGMENT_HEADER;
}

bool
listener_error(const struct packet *p)
{
	const uint8_t *icmp = p->l3 + p->l4_off, *quote = icmp + ICMP_HEADER;
	uint32_t n = p->l3_len - p->l4_off, at;
	uint8_t protocol = 0;
	uint16_t port;

	if (n < ICMP_HEADER || !is_error(p, icmp[0]))
		return false;
	n -= ICMP_HEADER;
	at = p->flags & PKT_V6 ? quoted_v6(p, quote, n, &protocol) : quoted_v4(p, quote, n, &protocol);
	if (at == 0 || protocol != IPPROTO_UDP || at + UDP_HEADER > n)
		return false;
	port = (uint16_t)(quote[at] << 8 | quote[at + 1]);
	for (unsigned k = 0; k < LISTENERS; k++)
		if (listeners[k].class == PUNT_IKE && listeners[k].port == port)
			return !listeners[k].marker || n < at + UDP_HEADER + MARKER || has_marker(quote + at, n - at);
	return false;
}
