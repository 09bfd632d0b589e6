/* ICMP and ICMPv6: errors and echo. */
#include "dataplane/icmp.h"
#include "dataplane/checksum.h"
#include "dataplane/frame.h"
#include "dataplane/nd.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#define IP4_HEADER 20
#define IP6_HEADER 40
#define ICMP_HEADER 8
#define EXTENSIONS_MAX 8
#define TTL 64
#define TOS_CONTROL 0xc0 /* internetwork control, RFC 1812 4.3.2.5 */

static uint16_t
read16(const uint8_t *d)
{
	return (uint16_t)(d[0] << 8 | d[1]);
}

static void
write16(uint8_t *d, uint16_t value)
{
	d[0] = (uint8_t)(value >> 8);
	d[1] = (uint8_t)value;
}

static struct ip_addr
read_address(const uint8_t *d, bool v6)
{
	struct ip_addr a = {.family = v6 ? IP_V6 : IP_V4};

	memcpy(a.b, d, v6 ? 16 : 4);
	return a;
}

/* ---- reading ---------------------------------------------------------------------------- */

static bool
read_v4(const uint8_t *d, size_t n, struct ip_summary *out)
{
	uint16_t header, fragment;

	if (n < IP4_HEADER)
		return false;
	header = (d[0] & 0xf) * 4;
	out->length = read16(d + 2);
	if (header < IP4_HEADER || out->length < header || out->length > n)
		return false;
	fragment = read16(d + 6);
	out->fragment = fragment & 0x3fff;
	out->later_fragment = fragment & 0x1fff;
	out->l4_off = header;
	out->protocol = d[9];
	out->source = read_address(d + 12, false);
	out->destination = read_address(d + 16, false);
	return true;
}

/* To the transport header, or to what cannot be looked into. */
static bool
read_extensions(const uint8_t *d, struct ip_summary *out)
{
	uint32_t at = IP6_HEADER;
	uint8_t next = d[6];

	for (int depth = 0; depth < EXTENSIONS_MAX; depth++) {
		bool fragment = next == IPPROTO_FRAGMENT;

		if ((next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS && !fragment) ||
			out->later_fragment)
			break;
		if (at + 8 > out->length)
			return false;
		if (fragment) {
			out->fragment |= read16(d + at + 2) & 0xfff9;
			out->later_fragment = read16(d + at + 2) & 0xfff8;
		}
		next = d[at];
		at += fragment ? 8 : (d[at + 1] + 1u) * 8;
		if (at > out->length)
			return false;
	}
	out->protocol = next;
	out->l4_off = (uint16_t)at;
	return true;
}

static bool
read_v6(const uint8_t *d, size_t n, struct ip_summary *out)
{
	uint32_t length;

	if (n < IP6_HEADER)
		return false;
	length = IP6_HEADER + (uint32_t)read16(d + 4);
	if (length > n || length > UINT16_MAX)
		return false;
	out->v6 = true;
	out->length = (uint16_t)length;
	out->source = read_address(d + 8, true);
	out->destination = read_address(d + 24, true);
	return read_extensions(d, out);
}

bool
ip_read(const uint8_t *d, size_t n, struct ip_summary *out)
{
	memset(out, 0, sizeof(*out));
	if (n == 0)
		return false;
	switch (d[0] >> 4) {
	case 4:
		return read_v4(d, n, out);
	case 6:
		return read_v6(d, n, out);
	default:
		return false;
	}
}

/* ---- which error, and whether --------------------------------------------------------------- */

static bool
port_unreachable(const struct ip_summary *offender, struct icmp_error *out)
{
	if (offender->protocol != IPPROTO_UDP)
		return false;
	*out = offender->v6 ? (struct icmp_error){ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOPORT, 0}
			    : (struct icmp_error){ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0};
	return true;
}

bool
icmp_error_for(enum drop_reason reason, const struct ip_summary *offender, uint16_t mtu, struct icmp_error *out)
{
	bool v6 = offender->v6;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wswitch-enum" /* silence is the rule: an NSG that denies says nothing */
	switch (reason) {
	case DROP_TTL_EXPIRED:
		*out = v6 ? (struct icmp_error){ICMP6_TIME_EXCEEDED, ICMP6_TIME_EXCEED_TRANSIT, 0}
			  : (struct icmp_error){ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, 0};
		return true;
	case DROP_MTU_EXCEEDED:
		*out = v6 ? (struct icmp_error){ICMP6_PACKET_TOO_BIG, 0, mtu}
			  : (struct icmp_error){ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu};
		return true;
	case DROP_NO_ROUTE:
	case DROP_ROUTE_INVALID:
	case DROP_NO_INTERNET:
	case DROP_NO_GATEWAY:
	case DROP_SUBNET_NOT_ATTACHED:
		*out = v6 ? (struct icmp_error){ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOROUTE, 0}
			  : (struct icmp_error){ICMP_DEST_UNREACH, ICMP_NET_UNREACH, 0};
		return true;
	case DROP_NEIGHBOUR_UNRESOLVED:
	case DROP_CLIENT_UNKNOWN:
		*out = v6 ? (struct icmp_error){ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_ADDR, 0}
			  : (struct icmp_error){ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0};
		return true;
	case DROP_NOT_FOR_US:
		return port_unreachable(offender, out);
	default:
		return false;
	}
#pragma GCC diagnostic pop
}

static bool
is_error(const uint8_t *d, const struct ip_summary *p)
{
	uint8_t type;

	if (p->protocol != (p->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return false;
	if (p->l4_off >= p->length)
		return true; /* cannot tell: say nothing */
	type = d[p->l4_off];
	if (p->v6)
		return type < 128 || type == ND_REDIRECT;
	return type == ICMP_DEST_UNREACH || type == ICMP_SOURCE_QUENCH || type == ICMP_REDIRECT ||
	       type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETERPROB;
}

static bool
loopback(const struct ip_addr *a)
{
	static const uint8_t one[16] = {[15] = 1};

	return a->family == IP_V6 ? memcmp(a->b, one, 16) == 0 : a->b[0] == 127;
}

bool
icmp_error_allowed(const uint8_t *d, const struct ip_summary *p)
{
	if (p->later_fragment || is_error(d, p))
		return false;
	if (address_multicast(&p->destination) || address_multicast(&p->source))
		return false;
	if (address_unspecified(&p->source) || loopback(&p->source))
		return false;
	return !(p->source.family == IP_V4 && p->source.b[0] == 0);
}

/* ---- writing -------------------------------------------------------------------------------- */

static void
finish_v4(uint8_t *d, uint16_t length, uint8_t tos, const uint8_t *source, const uint8_t *destination)
{
	uint16_t sum;

	memset(d, 0, IP4_HEADER);
	d[0] = 0x45;
	d[1] = tos;
	write16(d + 2, length);
	d[8] = TTL;
	d[9] = IPPROTO_ICMP;
	memcpy(d + 12, source, 4);
	memcpy(d + 16, destination, 4);
	sum = checksum(d, IP4_HEADER);
	memcpy(d + 10, &sum, 2);

	memset(d + IP4_HEADER + 2, 0, 2);
	sum = checksum(d + IP4_HEADER, length - IP4_HEADER);
	memcpy(d + IP4_HEADER + 2, &sum, 2);
}

static void
finish_v6(uint8_t *d, uint16_t length, const uint8_t *source, const uint8_t *destination)
{
	uint16_t payload = length - IP6_HEADER, sum;

	memset(d, 0, 8);
	d[0] = 0x60;
	write16(d + 4, payload);
	d[6] = IPPROTO_ICMPV6;
	d[7] = TTL;
	memcpy(d + 8, source, 16);
	memcpy(d + 24, destination, 16);

	memset(d + IP6_HEADER + 2, 0, 2);
	sum = checksum_fold(checksum_add(
		checksum_pseudo_v6(source, destination, payload, IPPROTO_ICMPV6), d + IP6_HEADER, payload));
	memcpy(d + IP6_HEADER + 2, &sum, 2);
}

size_t
icmp_error_write(uint8_t *out, const struct icmp_error *e, const struct ip_addr *source, const uint8_t *d,
	const struct ip_summary *p)
{
	size_t header = p->v6 ? IP6_HEADER : IP4_HEADER;
	size_t room = (p->v6 ? ICMP_V6_ERROR_MAX : ICMP_V4_ERROR_MAX) - header - ICMP_HEADER;
	size_t quoted = p->length < room ? p->length : room;
	uint8_t *icmp = out + header;
	size_t length = header + ICMP_HEADER + quoted;

	memset(icmp, 0, ICMP_HEADER);
	icmp[0] = e->type;
	icmp[1] = e->code;
	write16(icmp + 6, e->mtu); /* the low half of ICMPv6's, next-hop MTU of RFC 1191 */
	memcpy(icmp + ICMP_HEADER, d, quoted);
	if (p->v6)
		finish_v6(out, (uint16_t)length, source->b, p->source.b);
	else
		finish_v4(out, (uint16_t)length, TOS_CONTROL, source->b, p->source.b);
	return length;
}

static bool
icmp_checksum_right(const uint8_t *d, const struct ip_summary *p)
{
	uint16_t size = p->length - p->l4_off;
	uint32_t pseudo = p->v6 ? checksum_pseudo_v6(p->source.b, p->destination.b, size, IPPROTO_ICMPV6) : 0;

	return checksum_fold(checksum_add(pseudo, d + p->l4_off, size)) == 0;
}

enum drop_reason
icmp_echo_reply(uint8_t *d, const struct ip_summary *p, size_t *skip)
{
	size_t header = p->v6 ? IP6_HEADER : IP4_HEADER;
	uint8_t *icmp = d + p->l4_off;

	if (p->fragment || p->protocol != (p->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return DROP_NOT_FOR_US;
	if (p->length - p->l4_off < ICMP_HEADER)
		return DROP_L4_TRUNCATED;
	if (icmp[0] != (p->v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO) || icmp[1] != 0)
		return DROP_NOT_FOR_US;
	if (address_multicast(&p->destination) || address_unspecified(&p->source) || address_multicast(&p->source) ||
		loopback(&p->source))
		return DROP_BAD_ADDRESS;
	if (!icmp_checksum_right(d, p))
		return DROP_L4_CHECKSUM;

	icmp[0] = p->v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY;
	*skip = p->l4_off - header;
	if (p->v6)
		finish_v6(d + *skip, (uint16_t)(p->length - *skip), p->destination.b, p->source.b);
	else
		finish_v4(d + *skip, (uint16_t)(p->length - *skip), d[1], p->destination.b, p->source.b);
	return DROP_REASON_COUNT;
}
