/* A worker: one lcore, its queues, its counters. Zone by zone, who writes it. */
#pragma once

#include "dataplane/command.h"
#include "dataplane/miss_limiter.h"
#include "dataplane/packet.h"
#include "dataplane/pause.h"
#include "dataplane/view.h"
#include "drivers/port.h"

#include <rte_rcu_qsbr.h>

#define WORKER_QUEUES_MAX 64
#define TX_QUEUE_MAX 256      /* frames gathered per port before they are sent */
#define WORKER_SAMPLE_MASK 63 /* one burst in 64 */
#define NAMED_DROPS 1024      /* places of the table of drops by name; a power of two */

struct crypto_worker; /* drivers/crypto.h: one multi-buffer manager */
struct flow_table;
struct neighbour_table;
struct fragment_table;
struct gateway_meter; /* meter.h */

struct tx_buffer {
	uint16_t n, port, queue;
	uint16_t owner; /* the worker that may send on this port and queue */
	struct rte_mbuf *m[TX_QUEUE_MAX];
};

struct named_drop {
	uint32_t name;
	uint32_t reason;
	uint64_t packets;
};

struct worker {
	/* constant after dataplane_create */
	uint16_t id, lcore, n_queues, n_workers;
	struct {
		uint16_t port, queue;
		bool spread; /* software RSS: hand packets to the worker their hash names */
	} rx[WORKER_QUEUES_MAX];
	struct dataplane *dp;
	struct worker **peer; /* all workers, by id */
	uint16_t n_ports;
	struct rte_rcu_qsbr *qsbr;
	struct rte_mempool *pool;
	struct flow_table *flows;           /* shared by all workers, see flow.c */
	struct neighbour_table *neighbours; /* control writes, workers read, see neighbour.c */
	struct gateway_meter *meters;       /* [iface], shared by all workers */
	uint64_t meter_burst;               /* cycles */
	struct crypto_worker *crypto;
	struct fragment_table *fragments;
	uint64_t tsc_hz;
	bool busy_poll;

	/* control writes: the newest publication, taken at the start of a turn */
	_Atomic(const struct view *) published __rte_cache_aligned;

	/* the worker writes; control reads counters without a lock (aligned 64-bit words) */
	const struct view *view __rte_cache_aligned;
	uint64_t now;   /* TSC at the start of this turn */
	uint32_t now_s; /* whole seconds since start, for flow ages */
	uint64_t start_tsc, next_second_tsc, stage_start;
	uint64_t sample_mask; /* the stages of every burst whose number has none of these bits are timed */
	bool sampled;         /* this burst's are */
	bool stopping;
	uint32_t idle; /* loops without work in a row */
	struct {
		/* made: control's packets and frames, and what splitting adds; rx + made = tx + drops + punted, but for
		 * fragments that wait */
		uint64_t loops, busy_loops, bursts, rx_packets, tx_packets, punted, made;
		uint64_t stage_cycles[STAGE_COUNT], stage_packets[STAGE_COUNT]; /* of sampled bursts */
	} stats;
	uint64_t turn_start;         /* TSC of the turn under way */
	struct pauses turns, orders; /* from turn to turn; draining orders alone */
	uint64_t drops[DROP_REASON_COUNT];
	struct named_drop named[NAMED_DROPS];
	uint64_t punt_tokens[PUNT_CLASS_COUNT], punt_refill[PUNT_CLASS_COUNT];
	struct punt_count punts[PUNT_CLASS_COUNT];
	struct miss_limiter misses;
	struct trace_state *trace; /* trace.c */
	struct tx_buffer tx[PORTS_MAX];
	struct burst burst;
	struct burst pieces;                /* what an oversize packet is split into */
	struct packet *oversize[BURST_MAX]; /* to be split before they go on: see pipeline.c */
	uint16_t n_oversize;

	/* channels: each side writes its own half */
	struct channel down __rte_cache_aligned;
	struct channel up;
	struct rte_ring *handoff; /* frames other workers give us; many producers, we consume */
	struct rte_ring *outbox;  /* finished frames others give us because only we may send on their port */
};

/* Count, note the trace, free the mbuf. The packet is gone afterwards. */
void drop(struct worker *w, struct packet *p, enum drop_reason reason);
/* The same where a rule, route, flag, SA or peering decided. */
void drop_named(struct worker *w, struct packet *p, enum drop_reason reason, uint32_t name);
/* The same, and its sender hears of it by ICMP as far as the rate allows. */
void drop_told(struct worker *w, struct packet *p, enum drop_reason reason, uint32_t name);

/* Hand the packet to control; out and address for PUNT_NEIGHBOUR, reason and mtu for
 * PUNT_ICMP_ERROR. Rate-limited by class: over the rate it is dropped (PUNT_RATE, PUNT_FULL; for
 * ICMP errors and unresolved neighbours also counted under `reason`). The packet is gone. */
void punt(struct worker *w, struct packet *p, enum punt_class class, enum drop_reason reason, uint16_t out,
	const struct ip_addr *address, uint16_t mtu);

/* An event without a packet; lost when the ring is full (false). */
bool worker_event(struct worker *w, const struct event *e);

/* Notes a step when the packet is traced; one predictable branch when not. */
void trace_note(
	struct packet *p, enum stage stage, enum trace_verdict verdict, uint16_t iface, uint32_t name, uint32_t value);
#define TRACE(p, ...)                                                                                                  \
	do {                                                                                                           \
		if (unlikely((p)->flags & PKT_TRACED))                                                                 \
			trace_note((p), __VA_ARGS__);                                                                  \
	} while (0)

/* One turn of the loop: report quiescence, drain orders, then packets. False: told to stop. */
bool worker_turn(struct worker *w);
/* The lcore's main function. */
int worker_main(void *worker);

/* ---- the stages, in the order of the path: each gathers, decides for all, compacts ---------- */

void parse(struct worker *w, struct burst *b);    /* L2, interface, IP header, L4, fragments noted */
void esp_open(struct worker *w, struct burst *b); /* tunnel packets to our uplink addresses */
void admit(struct worker *w, struct burst *b);    /* source check, TTL, to ourselves: punt */
void nsg_out(struct worker *w, struct burst *b);  /* rules of the sending NIC and subnet */
void route(struct worker *w, struct burst *b);    /* effective route -> hop */
void nsg_in(struct worker *w, struct burst *b);   /* rules of the receiving subnet and NIC */
void hop(struct worker *w, struct burst *b);      /* TTL, MTU, neighbour or tunnel */
void esp_seal(struct worker *w, struct burst *b); /* tunnel hops: encapsulate, encrypt, outer next hop */
void transmit(struct worker *w, struct burst *b); /* link header, tx buffer */

/* The NIC with IP forwarding (an NVA) of this interface whose MAC sent the frame, NULL if none; for packets whose
 * mbuf still starts with the link header. admit.c */
const struct nic *forwarder_of(const struct worker *w, const struct iface *i, const struct packet *p);

/* Parse the IP header at l3 (length available) into p: addresses, protocol, ports, flags, hash.
 * Returns 0 or the drop reason + 1... see parse.c. Used for inner packets too. */
enum drop_reason parse_ip(struct packet *p, uint8_t *l3, uint32_t available);
#define PARSE_OK DROP_REASON_COUNT
