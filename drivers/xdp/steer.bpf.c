/* Sorts the frames of an interface that the appliance shares with the kernel.
 *
 * What the appliance serves goes to the AF_XDP socket of the receive queue; the rest, and
 * everything on a queue without a socket, goes on to the kernel untouched. The maps say what is
 * served (steer.h); they may change at any time.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "steer.h"

#define PORT_IKE 500
#define PORT_IKE_NAT 4500
#define ND_SOLICIT 135
#define ND_ADVERT 136
#define IPV6_EXTENSIONS_MAX 6

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, STEER_SOCKETS_MAX);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct steer_options);
} options SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, STEER_ADDRESSES_MAX);
	__type(key, struct steer_address);
	__type(value, __u8);
} addresses SEC(".maps");

struct vlan_header {
	__be16 tci;
	__be16 protocol;
};

struct arp_ipv4 {
	__be16 hardware, protocol;
	__u8 hardware_length, protocol_length;
	__be16 operation;
	__u8 sender_mac[6], sender[4], target_mac[6], target[4];
};

struct fragment_header {
	__u8 next, reserved;
	__be16 offset; /* and flags: more fragments = 1 */
	__be32 id;
};

struct nd_message {
	__u8 type, code;
	__be16 checksum;
	__be32 flags;
	__u8 target[16];
};

static __always_inline bool
is_ours(__u16 vlan, __u8 family, const void *address)
{
	struct steer_address key = {.vlan = vlan, .family = family};

	__builtin_memcpy(key.address, address, family == 4 ? 4 : 16);
	return bpf_map_lookup_elem(&addresses, &key) != NULL;
}

/* To one of our addresses: is this a protocol we serve? */
static __always_inline bool
is_served(const struct steer_options *o, __u8 protocol, bool fragment, const void *l4, const void *end)
{
	const struct udphdr *udp = l4;

	if (o->all_to_addresses || protocol == IPPROTO_ESP)
		return true;
	if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6)
		return o->icmp;
	if (protocol != IPPROTO_UDP)
		return false;
	/* Later fragments carry no port, and all of a packet must go one way. */
	if (fragment)
		return true;
	if ((const void *)(udp + 1) > end)
		return false;
	return udp->dest == bpf_htons(PORT_IKE_NAT) || (o->ike && udp->dest == bpf_htons(PORT_IKE));
}

static __always_inline bool
ipv4_served(const struct steer_options *o, __u16 vlan, const void *l3, const void *end)
{
	const struct iphdr *ip = l3;

	if ((const void *)(ip + 1) > end || !is_ours(vlan, 4, &ip->daddr))
		return false;
	return is_served(o, ip->protocol, ip->frag_off & bpf_htons(0x3fff), l3 + ip->ihl * 4, end);
}

static __always_inline bool
nd_served(const struct steer_options *o, __u16 vlan, bool to_us, const void *l4, const void *end)
{
	const struct nd_message *nd = l4;

	if (!o->neighbours || (const void *)(nd + 1) > end)
		return false;
	if (nd->type == ND_ADVERT)
		return to_us;
	return nd->type == ND_SOLICIT && (to_us || is_ours(vlan, 6, nd->target));
}

static __always_inline bool
ipv6_served(const struct steer_options *o, __u16 vlan, const void *l3, const void *end)
{
	const struct ipv6hdr *ip = l3;
	const void *at = l3 + sizeof *ip;
	bool fragment = false, to_us;
	__u8 next;

	if ((const void *)(ip + 1) > end)
		return false;
	next = ip->nexthdr;
	to_us = is_ours(vlan, 6, &ip->daddr);
	if (next == IPPROTO_ICMPV6 && nd_served(o, vlan, to_us, at, end))
		return true;
	if (!to_us)
		return false;

	for (int i = 0; i < IPV6_EXTENSIONS_MAX; i++) {
		const struct ipv6_opt_hdr *extension = at;
		const struct fragment_header *f = at;

		if (next == IPPROTO_FRAGMENT) {
			if ((const void *)(f + 1) > end)
				return false;
			fragment = f->offset & bpf_htons(0xfff9);
			next = f->next;
			at += sizeof *f;
			continue;
		}
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS)
			break;
		if (fragment || (const void *)(extension + 1) > end)
			break;
		next = extension->nexthdr;
		at += (extension->hdrlen + 1) * 8;
	}
	return is_served(o, next, fragment, at, end);
}

static __always_inline bool
arp_served(const struct steer_options *o, __u16 vlan, const void *l3, const void *end)
{
	const struct arp_ipv4 *arp = l3;

	return o->neighbours && (const void *)(arp + 1) <= end && is_ours(vlan, 4, arp->target);
}

static __always_inline bool
frame_served(const struct steer_options *o, const void *frame, const void *end)
{
	const struct ethhdr *ethernet = frame;
	const struct vlan_header *tag = frame + sizeof *ethernet;
	const void *l3 = tag;
	__be16 protocol;
	__u16 vlan = 0;

	if (o->everything)
		return true;
	if (l3 > end)
		return false;
	protocol = ethernet->h_proto;
	if (protocol == bpf_htons(ETH_P_8021Q) || protocol == bpf_htons(ETH_P_8021AD)) {
		if ((const void *)(tag + 1) > end)
			return false;
		vlan = bpf_ntohs(tag->tci) & 0xfff;
		protocol = tag->protocol;
		l3 = tag + 1;
	}

	if (o->vlans[vlan / 64 % (STEER_VLANS / 64)] & 1ull << vlan % 64)
		return true;
	if (protocol == bpf_htons(ETH_P_IP))
		return ipv4_served(o, vlan, l3, end);
	if (protocol == bpf_htons(ETH_P_IPV6))
		return ipv6_served(o, vlan, l3, end);
	if (protocol == bpf_htons(ETH_P_ARP))
		return arp_served(o, vlan, l3, end);
	return false;
}

SEC("xdp")
int
steer(struct xdp_md *context)
{
	const struct steer_options *o = bpf_map_lookup_elem(&options, &(__u32){0});
	const void *frame = (const void *)(long)context->data, *end = (const void *)(long)context->data_end;

	if (!o || !frame_served(o, frame, end))
		return XDP_PASS;
	return (int)bpf_redirect_map(&sockets, context->rx_queue_index, XDP_PASS);
}

/* The kernel asks for a licence it knows before it lends its helpers; these need none. */
char steer_license[] SEC("license") = "Dual BSD/GPL";
