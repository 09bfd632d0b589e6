/* The running dataplane, whole. Inside the dataplane only; the control thread owns it. */
#pragma once

#include "dataplane/shared_address_state.h"
#include "dataplane/worker.h"

#define RETIRED_MAX 64

struct retired {
	const struct view *view;
	uint64_t token; /* of rte_rcu_qsbr_start */
};

struct neighbours; /* neighbour.c: control's side of the table */
struct exception;  /* exception.c: control's slow path (ARP, ND, ICMP) */

struct dataplane {
	/* constant after dataplane_create */
	struct cfg_appliance appliance; /* numbers only; its pointers are not owned */
	uint16_t n_workers;
	struct worker *worker[WORKERS_MAX];
	struct rte_rcu_qsbr *qsbr;
	struct rte_mempool *pool;
	struct flow_table *flows;
	struct neighbour_table *neighbours;
	struct gateway_meter *meters; /* [IFACES_MAX] */
	uint64_t tsc_hz, start_tsc;

	/* control thread */
	struct view *view;
	struct retired retired[RETIRED_MAX];
	uint32_t n_retired;
	uint64_t generation;
	struct dataplane_events events;
	uint64_t keepalives_due_ns; /* esp_keepalive.c */
	struct miss_limiter misses; /* over all workers, by nanoseconds */
	struct neighbours *neighbour_state;
	struct exception *exception;
	struct shared_addresses shared;
	uint64_t drops[DROP_REASON_COUNT]; /* control's own: packets it had to drop */
	struct flow_filter filter[2];      /* the traced filter; alternates so that workers never see one change */
	uint32_t filter_turn;
};

/* Control. Make `first` the view of all workers before they run; dataplane_start does this, and so do tests that
 * turn the workers themselves (worker_turn). */
void dataplane_prime(struct dataplane *dp, struct view *first, const struct dataplane_events *events);
/* Control. Send a finished L2 frame / route an L3 packet of our own (m->data at the IP header, data off
 * at l3_off) as if from iface. Ownership passes; a full ring frees it and counts NO_BUFFER. A frame that the worker
 * meets at until_ns of CLOCK_BOOTTIME or later is dropped as NOT_PRIMARY; UINT64_MAX: never. */
void dataplane_send_frame(struct dataplane *dp, uint16_t port, struct rte_mbuf *m, uint64_t until_ns);
void dataplane_send_packet(struct dataplane *dp, uint16_t iface, struct rte_mbuf *m, uint16_t l3_off);
/* By the interface's routes, as if it had come in there. */
void dataplane_send_routed(struct dataplane *dp, uint16_t iface, struct rte_mbuf *m);
/* Control. The same for an answer to the packet of event e: it goes back the way that packet came, into its tunnel
 * when it was opened from one. */
void dataplane_send_answer(struct dataplane *dp, const struct event *e, struct rte_mbuf *m, uint16_t l3_off);
/* Control. Count a packet that control dropped, and free it. */
void dataplane_drop(struct dataplane *dp, struct rte_mbuf *m, enum drop_reason reason);
/* Control. A token for rte_rcu_qsbr_check: true once no worker can hold what was unpublished before. */
uint64_t dataplane_grace_start(struct dataplane *dp);
bool dataplane_grace_over(struct dataplane *dp, uint64_t token);
