/* What the files of the neighbour state machine share. Control thread. */
#pragma once

#include "dataplane/neighbour.h"
#include "dataplane/state.h"

#include <sys/queue.h>

#define SECOND 1000000000ull
#define RETRANSMIT_NS SECOND
#define SOLICITS_MAX 3
#define REACHABLE_NS (30 * SECOND) /* times 0.5 to 1.5 */
#define STALE_NS (600 * SECOND)    /* unused for so long: forgotten */
#define FAILED_NS (3 * SECOND)
#define WAITING_MAX 1024   /* packets, of all neighbours */
#define WAITING_EACH_MAX 8 /* packets for one neighbour; the oldest goes */
#define INCOMPLETE_MAX 1024
#define TICK_SWEEP 256  /* entries looked at per tick */
#define TICK_EXPIRE 128 /* entries of each list acted upon per tick */
#define EVICT_LOOK 64   /* entries looked at to find a STALE one to give up */

struct waiting {
	STAILQ_ENTRY(waiting) link;
	struct event e;
};

STAILQ_HEAD(waiting_list, waiting);

struct neighbour {
	TAILQ_ENTRY(neighbour) link; /* free, solicited or failed */
	LIST_ENTRY(neighbour) chain;
	struct ip_addr address;
	struct mac_addr mac;
	uint8_t state; /* enum neighbour_state */
	uint8_t solicits;
	uint16_t iface;
	uint16_t n_waiting;
	uint32_t place; /* in the workers' table */
	uint32_t mark;  /* neighbour_view: seen in this view */
	uint64_t deadline_ns, confirmed_ns;
	struct waiting_list waiting;
};

TAILQ_HEAD(neighbour_list, neighbour);
LIST_HEAD(neighbour_chain, neighbour);

/* Places whose word was set to 0: first gathered, then in their grace period together. */
struct places {
	uint32_t *place;
	uint32_t n;
};

struct neighbours {
	uint64_t now_ns;
	uint32_t capacity, live, incomplete, incomplete_max;
	uint32_t hash_mask, hand, mark;
	struct neighbour *entry;
	struct neighbour_chain *bucket;
	struct neighbour_list free, solicited, failed;
	struct waiting *waiting;
	struct waiting_list waiting_free;
	struct places gathered, in_grace;
	uint64_t grace_token;
	uint32_t attached[IFACES_MAX]; /* port and VLAN when its neighbours were learned */
};

/* ---- neighbour_entry.c ---- */

/* The entry, NULL if none. */
struct neighbour *neighbour_find(struct neighbours *s, uint16_t iface, const struct ip_addr *a);
/* In a state that workers may use. */
bool neighbour_has_mac(const struct neighbour *n);
/* Enter a state, due after `after` ns. */
void neighbour_enter(struct neighbours *s, struct neighbour *n, enum neighbour_state state, uint64_t after);
/* Tell the workers; false: no place. */
bool neighbour_publish(struct dataplane *dp, struct neighbour *n);
/* Take it from the workers. */
void neighbour_unpublish(struct dataplane *dp, struct neighbour *n);
/* The entry is free again; what waits is dropped. */
void neighbour_forget(struct dataplane *dp, struct neighbour *n);
/* Make room: the oldest entry without a MAC goes, or else some stale one. */
void neighbour_evict(struct dataplane *dp, bool incomplete_only);
/* A fresh entry, at the cost of another if need be; NULL: none may go. */
struct neighbour *neighbour_create(struct dataplane *dp, uint16_t iface, const struct ip_addr *a);

/* ---- neighbour_waiting.c ---- */

/* The oldest packet that waits. */
bool neighbour_waiting_take(struct neighbours *s, struct neighbour *n, struct event *e);
/* One more waits; the oldest goes when there are too many. */
void neighbour_waiting_put(struct dataplane *dp, struct neighbour *n, const struct event *e);
/* The MAC is known: all go. */
void neighbour_waiting_send(struct dataplane *dp, struct neighbour *n);
/* Nobody answered: all are refused, senders are told. */
void neighbour_waiting_refuse(struct dataplane *dp, struct neighbour *n);
/* One packet, waiting or not: on its way / refused, its sender told. */
void neighbour_send(struct dataplane *dp, const struct neighbour *n, const struct event *e);
void neighbour_refuse(struct dataplane *dp, const struct neighbour *n, const struct event *e);
/* All are dropped. */
void neighbour_waiting_drop(struct dataplane *dp, struct neighbour *n, enum drop_reason reason);
