/* Security associations at run time.
 *
 * struct sa is what was configured, decided and expanded once: constant while any view names it.
 * struct sa_state is what workers write: sequence numbers, replay window, counters. When the
 * configuration of a running SA changes but not its keys, a new struct sa takes over the same state
 * (sa_renew), so that numbers and window go on as if nothing had happened.
 */
#pragma once

#include "dataplane/dataplane.h"
#include "dataplane/replay.h"
#include "drivers/crypto.h"

#include <stdatomic.h>

/* With ESN the numbers end a little early: workers that race for the last ones cannot wrap the counter. */
#define SA_SEQUENCE_END_ESN (UINT64_MAX - 0xffff)
#define SA_SEQUENCE_END (1ull << 32)

/* What happened stays so; what could not be announced, as the ring was full, is announced by the next packet. */
#define SA_HAPPENED(kind) (1u << (kind))
#define SA_ANNOUNCED(kind) (0x10000u << (kind))

struct sa_state {
	/* workers write: one line for all that sealing touches, one addition a burst and word */
	/* outbound: the first number that nobody has taken. Workers take a burst's numbers with one addition, and look
	 * before: one whose addition went past the reserve sees that and adds no more until the reserve is raised. So
	 * at the end of a reserve each worker skips one burst of numbers at most, and none are skipped elsewhere but by
	 * packets that a hard lifetime refuses after their numbers were taken. */
	_Alignas(64) _Atomic uint64_t next;
	_Atomic uint64_t packets, bytes;
	_Atomic uint64_t used_tsc; /* last packet */
	_Atomic uint64_t low_told; /* the reserve whose end was announced */
	_Atomic uint32_t told;     /* SA_HAPPENED, SA_ANNOUNCED of each event */
	/* control writes, workers read */
	_Atomic uint64_t reserved; /* numbers below may be used */
	_Atomic uint64_t low;      /* ask for more from here on */

	/* workers write, seldom */
	_Alignas(64) _Atomic uint64_t drops;
	_Atomic uint64_t remote_told; /* NAT: port and address that were announced */
	/* builder and control, one at a time */
	uint32_t users;
	uint64_t keepalive_tsc;

	struct replay replay; /* ends in its ring */
};

struct sa {
	/* constant */
	struct sa_state *state;
	const struct crypto_key *key;
	uint32_t spi;
	uint32_t name;
	uint32_t window; /* 0 = replay protection off */
	uint8_t header;  /* ESP header and IV */
	uint8_t icv;
	uint8_t pad_mask; /* block - 1 */
	bool esn, outbound, udp_encap;
	bool limited; /* some lifetime is set */
	uint16_t udp_local_port, udp_remote_port, keepalive_s;
	uint64_t end; /* outbound: the first number there is not */
	uint64_t life_packets_soft, life_packets_hard, life_bytes_soft, life_bytes_hard; /* UINT64_MAX = none */
} __attribute__((aligned(64)));

/* Builder. Bytes that sealing adds at most around an inner packet of any length: outer IP, UDP, ESP, IV, padding, ICV.
 */
uint16_t sa_overhead(const struct sa *sa, uint8_t outer_family);
/* Builder. The largest inner packet whose sealed form is at most outer_mtu bytes. */
uint16_t sa_inner_mtu(const struct sa *sa, uint8_t outer_family, uint16_t outer_mtu);

/* Bytes of padding behind an inner packet of n bytes. Worker. */
static inline uint32_t
sa_padding(const struct sa *sa, uint32_t n)
{
	return -(n + 2) & sa->pad_mask;
}
