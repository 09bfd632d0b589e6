/* What a frame on the wire is: of IKE, of ESP, or something else.
 *
 * IKE is UDP 500, and UDP 4500 whose payload begins with four zero bytes (RFC 3948 section 2.2). A NAT may have changed
 * one of the ports, so either may be the known one. A NAT keepalive (one byte) is neither.
 */
#include "wire_line.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>

#define PORT_IKE 500
#define PORT_NAT_T 4500
#define FRAGMENT_OFFSET_V4 0x1fff
#define FRAGMENT_OFFSET_V6 0xfff8

static uint16_t
be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static bool
has_port(const uint8_t *udp, uint16_t port)
{
	return be16(udp) == port || be16(udp + 2) == port;
}

static enum frame_class
classify_upper(uint8_t protocol, const uint8_t *p, uint32_t left)
{
	if (protocol == IPPROTO_ESP)
		return CLASS_ESP;
	if (protocol != IPPROTO_UDP || left < 8 + 4)
		return CLASS_OTHER;
	if (has_port(p, PORT_NAT_T))
		return memcmp(p + 8, "\0\0\0\0", 4) == 0 ? CLASS_IKE : CLASS_ESP;
	return has_port(p, PORT_IKE) ? CLASS_IKE : CLASS_OTHER;
}

static enum frame_class
classify_v4(const uint8_t *p, uint32_t left)
{
	uint32_t header;

	if (left < 20 || be16(p + 6) & FRAGMENT_OFFSET_V4)
		return CLASS_OTHER;
	header = (p[0] & 15u) * 4;
	return header < 20 || header > left ? CLASS_OTHER : classify_upper(p[9], p + header, left - header);
}

static enum frame_class
classify_v6(const uint8_t *p, uint32_t left)
{
	if (left < 40)
		return CLASS_OTHER;
	if (p[6] != IPPROTO_FRAGMENT)
		return classify_upper(p[6], p + 40, left - 40);
	if (left < 48 || be16(p + 42) & FRAGMENT_OFFSET_V6)
		return CLASS_OTHER;
	return classify_upper(p[40], p + 48, left - 48);
}

enum frame_class
frame_classify(const uint8_t *frame, uint32_t length)
{
	if (length < ETH_HLEN)
		return CLASS_OTHER;
	switch (be16(frame + 12)) {
	case ETHERTYPE_IP:
		return classify_v4(frame + ETH_HLEN, length - ETH_HLEN);
	case ETHERTYPE_IPV6:
		return classify_v6(frame + ETH_HLEN, length - ETH_HLEN);
	default:
		return CLASS_OTHER;
	}
}

const char *frame_class_name(enum frame_class class)
{
	static const char *const names[CLASSES] = {"ike", "esp", "other"};

	return names[class];
}
