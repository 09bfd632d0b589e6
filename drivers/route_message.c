/* One route as rtnetlink says it. Nexthop objects need no care: the kernel spells out what they stand for. */
#include "drivers/route_monitor.h"

#include <libmnl/libmnl.h>

#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

static bool
address_take(uint8_t family, const void *bytes, size_t n, struct ip_addr *out)
{
	size_t size = family == AF_INET6 ? 16 : 4;

	if (n != size)
		return false;
	*out = (struct ip_addr){.family = family == AF_INET6 ? IP_V6 : IP_V4};
	memcpy(out->b, bytes, size);
	return true;
}

/* An IPv4 route may have an IPv6 next hop (RFC 8950). */
static bool
via_take(const void *bytes, size_t n, struct ip_addr *out)
{
	const struct rtvia *v = bytes;
	size_t header = sizeof v->rtvia_family;

	return n > header && (v->rtvia_family == AF_INET || v->rtvia_family == AF_INET6) &&
	       address_take((uint8_t)v->rtvia_family, v->rtvia_addr, n - header, out);
}

static bool
gateway_take(uint8_t family, uint16_t type, const void *bytes, size_t n, struct ip_addr *out)
{
	if (type == RTA_GATEWAY)
		return address_take(family, bytes, n, out);
	return type != RTA_VIA || via_take(bytes, n, out);
}

/* Attributes from here on; the last one need not be filled up to its alignment. False: malformed. */
static bool
attributes_each(const uint8_t *at, size_t n,
	bool (*each)(void *context, uint16_t type, const uint8_t *bytes, size_t size), void *context)
{
	while (n >= sizeof(struct nlattr)) {
		struct nlattr a;
		size_t step;

		memcpy(&a, at, sizeof a);
		if (a.nla_len < sizeof a || a.nla_len > n ||
			!each(context, a.nla_type & NLA_TYPE_MASK, at + sizeof a, a.nla_len - sizeof a))
			return false;
		step = NLA_ALIGN(a.nla_len);
		if (step >= n)
			break;
		at += step;
		n -= step;
	}
	return true;
}

struct hop_reading {
	uint8_t family;
	struct route_via *via;
};

static bool
hop_attribute(void *reading, uint16_t type, const uint8_t *bytes, size_t n)
{
	const struct hop_reading *r = reading;

	return gateway_take(r->family, type, bytes, n, &r->via->address);
}

/* Several next hops side by side. */
static bool
multipath_take(uint8_t family, const uint8_t *at, size_t n, struct route_info *out)
{
	while (n >= sizeof(struct rtnexthop)) {
		struct route_via via = {0};
		struct hop_reading r = {family, &via};
		struct rtnexthop hop;

		memcpy(&hop, at, sizeof hop);
		if (hop.rtnh_len < sizeof hop || hop.rtnh_len > n ||
			!attributes_each(at + sizeof hop, hop.rtnh_len - sizeof hop, hop_attribute, &r))
			return false;
		via.link = hop.rtnh_ifindex;
		via.weight = (uint16_t)(hop.rtnh_hops + 1);
		if (out->n < ROUTE_VIAS_MAX)
			out->via[out->n++] = via;
		if (RTNH_ALIGN((size_t)hop.rtnh_len) >= n)
			break;
		at += RTNH_ALIGN((size_t)hop.rtnh_len);
		n -= RTNH_ALIGN((size_t)hop.rtnh_len);
	}
	return true;
}

struct reading {
	uint8_t family;
	uint32_t table;
	bool several;
	struct route_via one;
	struct route_info *out;
};

static uint32_t
number(const void *bytes, size_t n)
{
	uint32_t v = 0;

	if (n == sizeof v)
		memcpy(&v, bytes, sizeof v);
	return v;
}

static bool
attribute(void *reading, uint16_t type, const uint8_t *bytes, size_t n)
{
	struct reading *r = reading;

	switch (type) {
	case RTA_DST:
		return address_take(r->family, bytes, n, &r->out->prefix.addr);
	case RTA_TABLE:
		r->table = number(bytes, n);
		break;
	case RTA_PRIORITY:
		r->out->metric = number(bytes, n);
		break;
	case RTA_OIF:
		r->one.link = (int)number(bytes, n);
		break;
	case RTA_GATEWAY:
	case RTA_VIA:
		return gateway_take(r->family, type, bytes, n, &r->one.address);
	case RTA_MULTIPATH:
		r->several = true;
		return multipath_take(r->family, bytes, n, r->out);
	default:
		break;
	}
	return true;
}

bool
route_message_read(const void *message, size_t n, struct route_info *out)
{
	const struct nlmsghdr *h = message;
	const struct rtmsg *m;
	struct reading r = {.out = out, .one = {.weight = 1}};

	memset(out, 0, sizeof *out);
	/* not mnl_nlmsg_ok(): a length beyond INT_MAX is sound to it */
	if (n < MNL_NLMSG_HDRLEN + sizeof *m || h->nlmsg_len > n || h->nlmsg_len < MNL_NLMSG_HDRLEN + sizeof *m ||
		(h->nlmsg_type != RTM_NEWROUTE && h->nlmsg_type != RTM_DELROUTE))
		return false;
	m = mnl_nlmsg_get_payload(h);
	if ((m->rtm_family != AF_INET && m->rtm_family != AF_INET6) || m->rtm_type != RTN_UNICAST ||
		(m->rtm_flags & RTM_F_CLONED) || m->rtm_dst_len > (m->rtm_family == AF_INET6 ? 128 : 32))
		return false;
	r.family = m->rtm_family;
	r.table = m->rtm_table;
	out->prefix.addr.family = m->rtm_family == AF_INET6 ? IP_V6 : IP_V4;
	out->prefix.len = m->rtm_dst_len;
	out->protocol = m->rtm_protocol;
	out->append = (h->nlmsg_flags & NLM_F_APPEND) != 0;
	if (!attributes_each((const uint8_t *)m + MNL_ALIGN(sizeof *m),
		    h->nlmsg_len - MNL_NLMSG_HDRLEN - MNL_ALIGN(sizeof *m), attribute, &r) ||
		r.table != RT_TABLE_MAIN)
		return false;
	if (!r.several)
		out->via[out->n++] = r.one;
	return out->n > 0;
}
