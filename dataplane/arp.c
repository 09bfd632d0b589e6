/* ARP for IPv4 over Ethernet: reading and writing. */
#include "dataplane/arp.h"
#include "dataplane/frame.h"

#include <string.h>

enum { ARP_REQUEST = 1, ARP_REPLY = 2 };

static const uint8_t ethernet_ipv4[6] = {0, 1, 0x08, 0x00, 6, 4};

static struct ip_addr
read_v4(const uint8_t *d)
{
	struct ip_addr a = {.family = IP_V4};

	memcpy(a.b, d, 4);
	return a;
}

bool
arp_read(const uint8_t *d, size_t n, struct arp *out)
{
	if (n < ARP_LENGTH || memcmp(d, ethernet_ipv4, sizeof(ethernet_ipv4)) != 0 || d[6] != 0)
		return false;
	if (d[7] != ARP_REQUEST && d[7] != ARP_REPLY)
		return false;
	out->request = d[7] == ARP_REQUEST;
	memcpy(out->sender_mac.b, d + 8, 6);
	out->sender = read_v4(d + 14);
	memcpy(out->target_mac.b, d + 18, 6);
	out->target = read_v4(d + 24);
	return mac_unicast(&out->sender_mac) && !address_multicast(&out->sender) && !address_multicast(&out->target);
}

void
arp_write(uint8_t d[ARP_LENGTH], const struct arp *a)
{
	memcpy(d, ethernet_ipv4, sizeof(ethernet_ipv4));
	d[6] = 0;
	d[7] = a->request ? ARP_REQUEST : ARP_REPLY;
	memcpy(d + 8, a->sender_mac.b, 6);
	memcpy(d + 14, a->sender.b, 4);
	memcpy(d + 18, a->target_mac.b, 6);
	memcpy(d + 24, a->target.b, 4);
}
