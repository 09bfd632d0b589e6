/* The group's classic BPF program, which the kernel runs on every frame. */
#include "drivers/fanout.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define NET(offset) ((uint32_t)(SKF_NET_OFF + (offset)))
#define MIX(offset)                                                                                                    \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NET(offset)), BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),                       \
		BPF_STMT(BPF_MISC | BPF_TAX, 0)
#define IF(from, test, value, yes, no) BPF_JUMP(BPF_JMP | (test) | BPF_K, value, (yes) - (from)-1, (no) - (from)-1)
#define NEITHER 4
#define IPV4 (NEITHER + 1)
#define IPV6 (IPV4 + 14)
#define SPI (IPV6 + 30)
#define PORTS (SPI + 2)
#define JOIN (PORTS + 5)
#define FOLD (JOIN + 4)
#define PROGRAM_LENGTH (FOLD + 4)

/* X carries source xor destination of the addresses, M[0] takes it over; then source xor destination port, where
 * TCP or UDP is whole and follows the IP header at once, or the SPI of ESP, which alone tells a tunnel's SAs apart.
 * Multiplied, so that neighbours in the low bits spread. What is too short goes to queue 0, as does no IP. */
static struct sock_filter fanout_program[] = {
	BPF_STMT(BPF_LDX | BPF_IMM, 0),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL)),
	IF(2, BPF_JEQ, ETH_P_IP, IPV4, 3),
	IF(3, BPF_JEQ, ETH_P_IPV6, IPV6, NEITHER),
	BPF_STMT(BPF_RET | BPF_K, 0),

	[IPV4] = MIX(12),
	MIX(16),
	BPF_STMT(BPF_STX, 0),
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, NET(6)),
	IF(IPV4 + 8, BPF_JSET, 0x3fff, FOLD, IPV4 + 9),
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NET(9)),
	BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, NET(0)),
	IF(IPV4 + 11, BPF_JEQ, IPPROTO_TCP, PORTS, IPV4 + 12),
	IF(IPV4 + 12, BPF_JEQ, IPPROTO_UDP, PORTS, IPV4 + 13),
	IF(IPV4 + 13, BPF_JEQ, IPPROTO_ESP, SPI, FOLD),

	[IPV6] = MIX(8),
	MIX(12),
	MIX(16),
	MIX(20),
	MIX(24),
	MIX(28),
	MIX(32),
	MIX(36),
	BPF_STMT(BPF_STX, 0),
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NET(6)),
	BPF_STMT(BPF_LDX | BPF_IMM, 40),
	IF(IPV6 + 27, BPF_JEQ, IPPROTO_TCP, PORTS, IPV6 + 28),
	IF(IPV6 + 28, BPF_JEQ, IPPROTO_UDP, PORTS, IPV6 + 29),
	IF(IPV6 + 29, BPF_JEQ, IPPROTO_ESP, SPI, FOLD),

	[SPI] = BPF_STMT(BPF_LD | BPF_W | BPF_IND, NET(0)),
	BPF_STMT(BPF_JMP | BPF_JA, JOIN - SPI - 2),

	[PORTS] = BPF_STMT(BPF_LD | BPF_H | BPF_IND, NET(0)),
	BPF_STMT(BPF_ST, 1),
	BPF_STMT(BPF_LD | BPF_H | BPF_IND, NET(2)),
	BPF_STMT(BPF_LDX | BPF_MEM, 1),
	BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
	[JOIN] = BPF_STMT(BPF_LDX | BPF_MEM, 0),
	BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
	BPF_STMT(BPF_MISC | BPF_TAX, 0),
	BPF_STMT(BPF_STX, 0),

	[FOLD] = BPF_STMT(BPF_LD | BPF_MEM, 0),
	BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 0x9e3779b1u),
	BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 16),
	BPF_STMT(BPF_RET | BPF_A, 0),
};

_Static_assert(
	sizeof fanout_program / sizeof fanout_program[0] == PROGRAM_LENGTH, "jump targets of the fanout program");

static int
fanout_set(int fd, int option, const void *value, socklen_t size)
{
	return setsockopt(fd, SOL_PACKET, option, value, size) == 0 ? 0 : -errno;
}

int
fanout_join(int fd, int *group, bool first)
{
	const struct sock_fprog program = {
		.len = sizeof fanout_program / sizeof fanout_program[0],
		.filter = fanout_program,
	};
	int wish = PACKET_FANOUT_CBPF << 16 | (first ? PACKET_FANOUT_FLAG_UNIQUEID << 16 : *group), r;
	socklen_t size = sizeof *group;

	r = fanout_set(fd, PACKET_FANOUT, &wish, sizeof wish);
	if (r != 0 || !first)
		return r;
	r = fanout_set(fd, PACKET_FANOUT_DATA, &program, sizeof program);
	if (r == 0 && getsockopt(fd, SOL_PACKET, PACKET_FANOUT, group, &size) != 0)
		r = -errno;
	*group &= 0xffff;
	return r;
}
