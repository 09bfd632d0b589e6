/* The TCP state of a flow, kept in the one byte that also says who opened it.
 *
 * Pure functions on a byte; workers. Seen from the middle: SYN until the handshake is complete, ESTABLISHED,
 * CLOSING after the first FIN, CLOSED after both or a reset. A closed flow lingers for the last
 * retransmissions; a new SYN then is a new conversation, and the rules are asked again.
 *
 * Sequence numbers are not followed, so whoever can send from an end's address can forge a reset. It costs
 * the conversation nothing but a look at the rules: the next packet of the end that may open it opens the flow anew.
 */
#pragma once

#include "dataplane/dataplane.h"

#include <rte_tcp.h>

#define FLOW_STATE_MASK 0x07 /* enum flow_tcp_state */
#define FLOW_ANSWERED 0x08   /* SYN+ACK was seen */
#define FLOW_FIN_OPENER 0x10 /* the opener has sent FIN */
#define FLOW_FIN_OTHER 0x20
#define FLOW_OPENER_HIGH 0x40 /* of the two ends in key order, the second one opened */
#define FLOW_INBOUND 0x80     /* opened towards the endpoint */

#define FLOW_SYN_TIMEOUT_S 30 /* covers the longest usual pause between two SYNs (16 s) */
#define FLOW_LINGER_S 10      /* after the close */
#define FLOW_TIMEOUT_DEFAULT_S 240

/* No sender means these: scans. */
static inline bool
flow_tcp_impossible(uint8_t flags)
{
	uint8_t f = flags & (RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG | RTE_TCP_FIN_FLAG | RTE_TCP_RST_FLAG);

	return f == 0 || ((f & RTE_TCP_SYN_FLAG) && (f & (RTE_TCP_FIN_FLAG | RTE_TCP_RST_FLAG)));
}

static inline bool
flow_tcp_opens(uint8_t flags)
{
	return !(flags & (RTE_TCP_FIN_FLAG | RTE_TCP_RST_FLAG));
}

static inline bool
flow_tcp_pure_syn(uint8_t flags)
{
	return (flags & (RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG)) == RTE_TCP_SYN_FLAG;
}

/* The state of a flow whose first packet this is. */
static inline uint8_t
flow_tcp_first(uint8_t flags)
{
	if (!(flags & RTE_TCP_SYN_FLAG))
		return FLOW_TCP_ESTABLISHED;
	return flags & RTE_TCP_ACK_FLAG ? FLOW_TCP_SYN | FLOW_ANSWERED : FLOW_TCP_SYN;
}

/* The handshake is complete when the opener acknowledges, or anyone after the SYN+ACK. An opener that acknowledges
 * what was never seen here has got its answer by another way (asymmetric routing). */
static inline uint8_t
flow_tcp_handshake(uint8_t state, uint8_t flags, bool from_opener)
{
	if (flags & RTE_TCP_SYN_FLAG)
		return flags & RTE_TCP_ACK_FLAG ? state | FLOW_ANSWERED : state;
	if (!(flags & RTE_TCP_ACK_FLAG) || !(from_opener || (state & FLOW_ANSWERED)))
		return state;
	return (state & ~FLOW_STATE_MASK) | FLOW_TCP_ESTABLISHED;
}

static inline uint8_t
flow_tcp_next(uint8_t state, uint8_t flags, bool from_opener)
{
	const uint8_t both = FLOW_FIN_OPENER | FLOW_FIN_OTHER;

	if ((state & FLOW_STATE_MASK) == FLOW_TCP_CLOSED)
		return state;
	if (flags & RTE_TCP_RST_FLAG)
		return (state & ~FLOW_STATE_MASK) | FLOW_TCP_CLOSED;
	if ((state & FLOW_STATE_MASK) == FLOW_TCP_SYN)
		state = flow_tcp_handshake(state, flags, from_opener);
	if (flags & RTE_TCP_FIN_FLAG)
		state |= from_opener ? FLOW_FIN_OPENER : FLOW_FIN_OTHER;
	if ((state & both) == both)
		return (state & ~FLOW_STATE_MASK) | FLOW_TCP_CLOSED;
	if (state & both)
		return (state & ~FLOW_STATE_MASK) | FLOW_TCP_CLOSING;
	return state;
}

static inline uint16_t
flow_timeout(uint8_t state, uint16_t configured_s)
{
	switch ((enum flow_tcp_state)(state & FLOW_STATE_MASK)) {
	case FLOW_TCP_SYN:
		return configured_s < FLOW_SYN_TIMEOUT_S ? configured_s : FLOW_SYN_TIMEOUT_S;
	case FLOW_TCP_CLOSED:
		return FLOW_LINGER_S;
	case FLOW_NOT_TCP:
	case FLOW_TCP_ESTABLISHED:
	case FLOW_TCP_CLOSING:
	default:
		return configured_s;
	}
}
