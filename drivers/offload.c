/* The arithmetic of RFC 1071; segmentation as a NIC does it: headers repeated, IPv4 id counted
 * up, TCP sequence advanced, FIN and PSH on the last segment only, CWR on the first only.
 */
#include "drivers/offload.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>

#define TCP_FIN 0x01
#define TCP_PSH 0x08
#define TCP_CWR 0x80
#define UDP_LENGTH 8
#define GSO_UDP_L4 5 /* newer than Debian 12's kernel headers */
#define TCP_LENGTH 20
#define IPV4_LENGTH 20
#define IPV6_LENGTH 40
#define IPV4_FRAGMENT 0x3fff /* more fragments, or an offset */
#define VLAN_LENGTH 4

static uint32_t
sum_add(const uint8_t *b, size_t length, uint32_t sum)
{
	for (; length >= 2; b += 2, length -= 2)
		sum += (uint32_t)b[0] << 8 | b[1];
	return length ? sum + ((uint32_t)b[0] << 8) : sum;
}

static uint16_t
sum_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint16_t
be16_read(const uint8_t *b)
{
	return (uint16_t)(b[0] << 8 | b[1]);
}

static void
be16_write(uint8_t *b, uint32_t v)
{
	b[0] = (uint8_t)(v >> 8);
	b[1] = (uint8_t)v;
}

static void
be32_add(uint8_t *b, uint32_t v)
{
	v += (uint32_t)be16_read(b) << 16 | be16_read(b + 2);
	be16_write(b, v >> 16);
	be16_write(b + 2, v & 0xffff);
}

/* The checksum field holds the sum of the pseudo header, so summing what is there completes it. A
 * result of zero is written as 0xffff, which means the same, and to UDP the only legal way. */
bool
offload_checksum(const struct virtio_net_hdr *h, uint8_t *frame, size_t length)
{
	size_t at = (size_t)h->csum_start + h->csum_offset;
	uint16_t sum;

	if (h->csum_start >= length || at + 2 > length)
		return false;
	sum = sum_fold(sum_add(frame + h->csum_start, length - h->csum_start, 0));
	be16_write(frame + at, sum ? sum : 0xffff);
	return true;
}

/* A complete checksum equals the pseudo header's sum once in 65536 frames; completing it again
 * then gives the same value, since both say ~(pseudo + data). So the guess harms no good frame. */
void
offload_checksum_guess(uint8_t *frame, size_t length)
{
	uint16_t type = length >= ETH_HLEN + VLAN_LENGTH ? be16_read(frame + 12) : 0;
	size_t l3 = ETH_HLEN, l4, end;
	struct virtio_net_hdr h = {0};
	uint32_t pseudo;
	uint8_t protocol;

	if (type == ETHERTYPE_VLAN) {
		l3 += VLAN_LENGTH;
		type = be16_read(frame + l3 - 2);
	}
	if (type == ETHERTYPE_IP && length >= l3 + IPV4_LENGTH && !(be16_read(frame + l3 + 6) & IPV4_FRAGMENT)) {
		protocol = frame[l3 + 9];
		l4 = l3 + (frame[l3] & 0xf) * 4u;
		end = l3 + be16_read(frame + l3 + 2);
		pseudo = sum_add(frame + l3 + 12, 8, 0);
	} else if (type == ETHERTYPE_IPV6 && length >= l3 + IPV6_LENGTH) {
		protocol = frame[l3 + 6];
		l4 = l3 + IPV6_LENGTH;
		end = l4 + be16_read(frame + l3 + 4);
		pseudo = sum_add(frame + l3 + 8, 32, 0);
	} else {
		return;
	}
	if ((protocol != IPPROTO_TCP && protocol != IPPROTO_UDP) || end > length || l4 + UDP_LENGTH > end)
		return;

	h.csum_start = (uint16_t)l4;
	h.csum_offset = protocol == IPPROTO_TCP ? 16 : 6;
	if (l4 + h.csum_offset + 2u > end)
		return;
	pseudo = (uint16_t)~sum_fold(pseudo + protocol + (uint32_t)(end - l4));
	if (be16_read(frame + l4 + h.csum_offset) == pseudo)
		offload_checksum(&h, frame, end);
}

bool
offload_segments_begin(
	struct offload_segments *s, const struct virtio_net_hdr *h, const uint8_t *frame, uint32_t length)
{
	uint8_t type = h->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
	uint32_t l4_header;

	*s = (struct offload_segments){.frame = frame, .length = length, .size = h->gso_size, .l4 = h->csum_start};
	if (length < ETH_HLEN + IPV4_LENGTH || s->size == 0)
		return false;
	s->ipv6 = be16_read(frame + 12) == ETHERTYPE_IPV6;
	s->udp = type == GSO_UDP_L4;
	if (!s->ipv6 && be16_read(frame + 12) != ETHERTYPE_IP)
		return false;
	if (!s->udp && type != VIRTIO_NET_HDR_GSO_TCPV4 && type != VIRTIO_NET_HDR_GSO_TCPV6)
		return false;

	/* Without a checksum to write (a frame merged by GRO) the kernel tells no offset of layer 4. */
	if (!(h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		s->l4 = (uint16_t)(ETH_HLEN + (s->ipv6 ? IPV6_LENGTH : (frame[ETH_HLEN] & 0xf) * 4));
	if (s->l4 < ETH_HLEN + (s->ipv6 ? IPV6_LENGTH : IPV4_LENGTH) ||
		s->l4 + (s->udp ? UDP_LENGTH : TCP_LENGTH) > (long)length)
		return false;
	l4_header = s->udp ? UDP_LENGTH : (frame[s->l4 + 12] >> 4) * 4u;
	s->header = (uint16_t)(s->l4 + l4_header);
	return (s->udp || l4_header >= TCP_LENGTH) && s->header < length;
}

static void
ip_fix(const struct offload_segments *s, uint8_t *out, uint32_t length)
{
	uint8_t *ip = out + ETH_HLEN;

	if (s->ipv6) {
		be16_write(ip + 4, length - ETH_HLEN - IPV6_LENGTH);
		return;
	}
	be16_write(ip + 2, length - ETH_HLEN);
	be16_write(ip + 4, be16_read(ip + 4) + s->number);
	be16_write(ip + 10, 0);
	be16_write(ip + 10, sum_fold(sum_add(ip, (ip[0] & 0xf) * 4u, 0)));
}

static void
l4_fix(const struct offload_segments *s, uint8_t *out, uint32_t length, bool last)
{
	uint8_t *l4 = out + s->l4;
	uint32_t l4_length = length - s->l4, sum;
	uint8_t *field = l4 + (s->udp ? 6 : 16);

	if (s->udp) {
		be16_write(l4 + 4, l4_length);
	} else {
		be32_add(l4 + 4, s->done);
		if (!last)
			l4[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
		if (s->number > 0)
			l4[13] &= (uint8_t)~TCP_CWR;
	}

	be16_write(field, 0);
	sum = (s->udp ? IPPROTO_UDP : IPPROTO_TCP) + l4_length;
	sum = sum_add(out + ETH_HLEN + (s->ipv6 ? 8 : 12), s->ipv6 ? 32 : 8, sum);
	be16_write(field, sum_fold(sum_add(l4, l4_length, sum)));
	if (s->udp && be16_read(field) == 0)
		be16_write(field, 0xffff);
}

uint32_t
offload_segments_next(struct offload_segments *s, uint8_t *out, uint32_t room)
{
	uint32_t payload = s->length - s->header, part = payload - s->done;

	if (part > s->size)
		part = s->size;
	if (part == 0 || s->header + part > room)
		return 0;

	memcpy(out, s->frame, s->header);
	memcpy(out + s->header, s->frame + s->header + s->done, part);
	ip_fix(s, out, s->header + part);
	l4_fix(s, out, s->header + part, s->done + part == payload);
	s->done += part;
	s->number++;
	return s->header + part;
}
