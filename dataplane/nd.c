/* Neighbour discovery for IPv6: reading and writing. */
#include "dataplane/nd.h"
#include "dataplane/checksum.h"
#include "dataplane/frame.h"

#include <netinet/in.h>
#include <string.h>

#define IP6_HEADER 40
#define ND_HOP_LIMIT 255 /* proves that no router forwarded it */

enum option { OPTION_SOURCE_MAC = 1, OPTION_TARGET_MAC = 2, OPTION_PREFIX = 3, OPTION_MTU = 5 };

enum { ADVERT_ROUTER = 0x80, ADVERT_SOLICITED = 0x40, ADVERT_OVERRIDE = 0x20 };

/* ---- reading -------------------------------------------------------------------------- */

static struct ip_addr
read_v6(const uint8_t *d)
{
	struct ip_addr a = {.family = IP_V6};

	memcpy(a.b, d, 16);
	return a;
}

/* Bytes before the options, 0 = a type we don't take. */
static size_t
fixed_length(uint8_t type)
{
	switch (type) {
	case ND_ROUTER_SOLICIT:
		return 8;
	case ND_NEIGHBOUR_SOLICIT:
	case ND_NEIGHBOUR_ADVERT:
		return 24;
	default:
		return 0;
	}
}

/* An option of no length would loop for ever (RFC 4861, 4.6); those of no interest are skipped. */
static bool
read_options(const uint8_t *d, size_t n, struct nd *out)
{
	uint8_t wanted = out->type == ND_NEIGHBOUR_ADVERT ? OPTION_TARGET_MAC : OPTION_SOURCE_MAC;

	while (n > 0) {
		size_t size;

		if (n < 8)
			return false;
		size = (size_t)d[1] * 8;
		if (size == 0 || size > n)
			return false;
		if (d[0] == wanted) {
			if (size != 8)
				return false;
			memcpy(out->mac.b, d + 2, 6);
			if (!mac_unicast(&out->mac))
				return false;
			out->has_mac = true;
		}
		d += size;
		n -= size;
	}
	return true;
}

/* Addresses and flags that fit together: RFC 4861 6.1.1, 7.1.1, 7.1.2. */
static bool
sound(const struct nd *p)
{
	bool unspecified = address_unspecified(&p->source);
	struct ip_addr group;

	if (address_multicast(&p->source))
		return false;
	if (p->type == ND_ROUTER_SOLICIT)
		return !unspecified || !p->has_mac;
	if (address_multicast(&p->target) || address_unspecified(&p->target))
		return false;
	if (p->type == ND_NEIGHBOUR_ADVERT)
		return !unspecified && !(p->solicited && address_multicast(&p->destination));
	if (!unspecified)
		return true;
	group = nd_solicited_node(&p->target);
	return !p->has_mac && address_equal(&p->destination, &group);
}

bool
nd_read(const uint8_t *d, size_t n, struct nd *out)
{
	const uint8_t *icmp = d + IP6_HEADER;
	size_t length, fixed;

	memset(out, 0, sizeof(*out));
	if (n < IP6_HEADER + 8 || d[0] >> 4 != 6 || d[6] != IPPROTO_ICMPV6 || d[7] != ND_HOP_LIMIT)
		return false;
	length = (size_t)(d[4] << 8 | d[5]);
	fixed = fixed_length(icmp[0]);
	if (fixed == 0 || length < fixed || length > n - IP6_HEADER || icmp[1] != 0)
		return false;
	if (checksum_fold(checksum_add(
		    checksum_pseudo_v6(d + 8, d + 24, (uint16_t)length, IPPROTO_ICMPV6), icmp, length)) != 0)
		return false;

	out->type = icmp[0];
	out->source = read_v6(d + 8);
	out->destination = read_v6(d + 24);
	if (fixed == 24)
		out->target = read_v6(icmp + 8);
	if (out->type == ND_NEIGHBOUR_ADVERT) {
		out->solicited = icmp[4] & ADVERT_SOLICITED;
		out->override = icmp[4] & ADVERT_OVERRIDE;
	}
	return read_options(icmp + fixed, length - fixed, out) && sound(out);
}

/* ---- writing -------------------------------------------------------------------------- */

static uint8_t *
write_option_mac(uint8_t *d, enum option type, const struct mac_addr *mac)
{
	d[0] = type;
	d[1] = 1;
	memcpy(d + 2, mac->b, 6);
	return d + 8;
}

static uint8_t *
write_type(uint8_t *d, enum nd_type type, uint8_t flags)
{
	memset(d + IP6_HEADER, 0, 8);
	d[IP6_HEADER] = (uint8_t)type;
	d[IP6_HEADER + 4] = flags;
	return d + IP6_HEADER + 8;
}

/* The header around what was written up to `end`, and the checksum over both. */
static size_t
finish(uint8_t *d, const uint8_t *end, const struct ip_addr *source, const struct ip_addr *destination)
{
	uint16_t length = (uint16_t)(end - d - IP6_HEADER), sum;

	memset(d, 0, 8);
	d[0] = 0x60;
	d[4] = (uint8_t)(length >> 8);
	d[5] = (uint8_t)length;
	d[6] = IPPROTO_ICMPV6;
	d[7] = ND_HOP_LIMIT;
	memcpy(d + 8, source->b, 16);
	memcpy(d + 24, destination->b, 16);
	sum = checksum_fold(
		checksum_add(checksum_pseudo_v6(d + 8, d + 24, length, IPPROTO_ICMPV6), d + IP6_HEADER, length));
	memcpy(d + IP6_HEADER + 2, &sum, sizeof(sum));
	return (size_t)(end - d);
}

size_t
nd_write_solicit(uint8_t *d, const struct ip_addr *source, const struct ip_addr *destination,
	const struct ip_addr *target, const struct mac_addr *own)
{
	uint8_t *at = write_type(d, ND_NEIGHBOUR_SOLICIT, 0);

	memcpy(at, target->b, 16);
	return finish(d, write_option_mac(at + 16, OPTION_SOURCE_MAC, own), source, destination);
}

size_t
nd_write_advert(uint8_t *d, const struct ip_addr *destination, const struct ip_addr *target, const struct mac_addr *own,
	bool solicited)
{
	uint8_t flags = ADVERT_ROUTER | ADVERT_OVERRIDE | (solicited ? ADVERT_SOLICITED : 0);
	uint8_t *at = write_type(d, ND_NEIGHBOUR_ADVERT, flags);

	memcpy(at, target->b, 16);
	return finish(d, write_option_mac(at + 16, OPTION_TARGET_MAC, own), target, destination);
}

#define ROUTER_LIFETIME_S 1800
#define PREFIX_ON_LINK 0x80
#define PREFIX_LIFETIME 0xff /* each byte of both lifetimes: for ever */

static uint8_t *
write_option_prefix(uint8_t *d, const struct ip_prefix *p)
{
	memset(d, 0, 32);
	d[0] = OPTION_PREFIX;
	d[1] = 4;
	d[2] = p->len;
	d[3] = PREFIX_ON_LINK;
	memset(d + 4, PREFIX_LIFETIME, 8);
	memcpy(d + 16, p->addr.b, 16);
	return d + 32;
}

size_t
nd_write_router(uint8_t *d, const struct ip_addr *source, const struct ip_addr *destination, const struct mac_addr *own,
	uint16_t mtu, const struct ip_prefix *prefix, uint8_t n_prefixes)
{
	uint8_t *at = write_type(d, ND_ROUTER_ADVERT, 64); /* current hop limit */

	d[IP6_HEADER + 6] = ROUTER_LIFETIME_S >> 8;
	d[IP6_HEADER + 7] = ROUTER_LIFETIME_S & 0xff;
	memset(at, 0, 8); /* reachable time, retransmission time: the hosts' own */
	at = write_option_mac(at + 8, OPTION_SOURCE_MAC, own);

	memset(at, 0, 8);
	at[0] = OPTION_MTU;
	at[1] = 1;
	at[6] = (uint8_t)(mtu >> 8);
	at[7] = (uint8_t)mtu;
	at += 8;

	for (uint8_t i = 0; i < n_prefixes && at - d + 32 <= ND_LENGTH_MAX; i++)
		if (prefix[i].addr.family == IP_V6)
			at = write_option_prefix(at, &prefix[i]);
	return finish(d, at, source, destination);
}

struct ip_addr
nd_solicited_node(const struct ip_addr *a)
{
	return (struct ip_addr){
		.family = IP_V6, .b = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a->b[13], a->b[14], a->b[15]}};
}

struct ip_addr
nd_all_nodes(void)
{
	return (struct ip_addr){.family = IP_V6, .b = {0xff, 2, [15] = 1}};
}

struct mac_addr
nd_group_mac(const struct ip_addr *multicast)
{
	const uint8_t *b = multicast->b;

	return (struct mac_addr){{0x33, 0x33, b[12], b[13], b[14], b[15]}};
}
