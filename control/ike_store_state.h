/* The inside of the IKE store, for its own files: ike_store.c (messages), ike_sa.c, ike_lifetime.c,
 * ike_peer.c, ike_policy.c. */
#pragma once

#include "control/ike_spi.h"
#include "control/ike_store.h"

#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION /* a thousand inputs a second have few SAs each */
#define SA_BUCKETS (1u << 5)
#define PEER_BUCKETS (1u << 3)
#else
#define SA_BUCKETS (1u << 15)
#define PEER_BUCKETS (1u << 12)
#endif
#define STRANGERS_MAX 32

struct ike_sa {
	struct ike_sa *next;      /* of the same peer, the newest first; or of the dying */
	struct ike_sa *hash_next; /* of the same bucket */
	struct ike_peer *peer;
	struct ike_sa_id id; /* as charon calls it now */
	bool outbound, superseded, orphan;
	bool initiated;       /* by our charon */
	bool deleted;         /* by charon, which does not know it any more; it drains */
	struct cfg_sa config; /* without keys */
	struct ip_addr local, remote;
	struct selector_spec *selector; /* ours and theirs in pairs */
	uint32_t n_selectors;
	struct sa *sa;
	uint32_t name;   /* what events call it */
	uint32_t record; /* of the SA store */
	uint32_t reqid;
	uint64_t added_ns, soft_ns, hard_ns; /* 0 = no deadline */
	bool soft_told, hard_told;
	struct ike_past past; /* of a client of a gateway */
	uint64_t ike_unique;
	char identity[IKE_TEXT_MAX];
	uint64_t waits;  /* serial of the request to answer, 0 = none */
	uint64_t change; /* when it came to be as it is, or went */
};

/* An outbound policy without SAs: what matches it asks for them. */
struct ike_trap {
	struct ike_trap *next;
	uint32_t reqid, uses;
	struct ike_selector source, destination;
	uint64_t asked_ns;
};

enum ike_peer_kind { IKE_PEER_UNKNOWN, IKE_PEER_CONNECTION, IKE_PEER_GATEWAY };

struct ike_peer {
	struct ike_peer *hash_next;
	uint32_t if_id;
	struct ike_sa *sas;
	struct ike_trap *traps;
	uint32_t n_sas;
	/* of the bound world; kind UNKNOWN: not in it, its SAs wait */
	enum ike_peer_kind kind;
	uint32_t index;          /* connection or gateway */
	uint16_t tunnel;         /* TUNNEL_NONE: no end of it is here */
	uint16_t wanted;         /* SAs side by side */
	char name[IKE_TEXT_MAX]; /* of the connection or gateway */
	uint32_t name_in, name_out, name_tunnel;
	struct ike_status status;
};

struct ike_store {
	struct ike_store_tools tools;
	const struct world *world;
	uint64_t epoch, instance;
	bool greeted, synced;
	uint64_t change;     /* of the SAs as they should be published */
	uint64_t orphans_ns; /* when the leftovers of the former charon go */
	struct ike_spis *spis;
	struct ike_sa *bucket[SA_BUCKETS];
	struct ike_sa *dying, *waiting_head;
	struct ike_peer *peer[PEER_BUCKETS];
	struct ike_peer **connection, **gateway; /* by index in the bound world */
	uint32_t n_connections, n_gateways;
	uint32_t n_sas, sweep; /* next bucket whose deadlines are looked at */
	struct ike_fault_record stranger[STRANGERS_MAX];
	uint32_t n_strangers;
	/* what ike_store_sas made */
	struct tunnel_spec *tunnel;
	struct sa_spec *sa;
	struct client_spec *client;
	uint32_t tunnel_room, sa_room, client_room;
};

void ike_answer(struct ike_store *s, const struct ike_header *h, uint16_t result);

/* ---- ike_sa.c ---- */
void ike_sa_add(struct ike_store *s, const struct ike_header *h, const struct ike_sa_add *a);
void ike_sa_update(struct ike_store *s, const struct ike_header *h, const struct ike_sa_update *u);
void ike_sa_query(struct ike_store *s, const struct ike_header *h, const struct ike_sa_id *id);
void ike_sa_delete(struct ike_store *s, const struct ike_header *h, const struct ike_sa_id *id);
void ike_spi_get(struct ike_store *s, const struct ike_header *h);
void ike_sa_remove(struct ike_store *s, struct ike_sa *sa);
void ike_sas_remove(struct ike_store *s, bool orphans_only);
void ike_sas_orphan(struct ike_store *s);
/* name: of the SA, or NAME_NONE for any. */
struct ike_sa *ike_sa_by_spi(const struct ike_store *s, uint32_t spi, bool outbound, uint32_t name);
/* All, without a word: no worker runs any more. */
void ike_sas_leave(struct ike_store *s);
void ike_sas_seen(struct ike_store *s, uint64_t change);

/* ---- ike_client.c: SAs of a gateway ---- */
/* Who has an address goes on with what an SA of the same client and address began. */
void ike_client_join(struct ike_sa *sa);
/* What the SA carried goes to one that stays. It is linked still. */
void ike_client_leave(struct ike_sa *sa);

/* ---- ike_lifetime.c ---- */
/* A deleted inbound SA stays a second when another goes on in its place: the peer's workers may still send by it, since
 * redundant ends of simultaneous rekeyings (RFC 7296 section 2.8.1) go without a delay. false: it goes now. */
bool ike_sa_drain(struct ike_sa *sa);
/* Nothing goes on in their place any more. */
void ike_sas_drained(struct ike_store *s, struct ike_peer *p, uint32_t reqid);
/* Told once; not now when no charon is there, and not to one that does not know the SA. */
void ike_sa_expire(struct ike_store *s, struct ike_sa *sa, bool hard);
/* Some deadlines of all. */
void ike_sas_tick(struct ike_store *s, uint64_t now_ns);
/* charon is there again: what the workers told while it was not. */
void ike_sas_catch_up(struct ike_store *s);

/* ---- ike_selector.c ---- */
/* Every source with every destination of its family, ranges as prefixes. Free what *out says. -ENOMEM, -E2BIG. */
int ike_selectors(const struct ike_selector *local, uint32_t n_local, const struct ike_selector *remote,
	uint32_t n_remote, struct selector_spec **out, uint32_t *n);
bool ike_selector_has(const struct ike_selector *s, const struct ip_addr *a, uint8_t protocol, uint16_t port);

/* ---- ike_peer.c ---- */
struct ike_peer *ike_peer_get(struct ike_store *s, uint32_t if_id); /* made when missing; NULL: no memory */
struct ike_peer *ike_peer_named(struct ike_store *s, const char *ike_name);
void ike_peers_free(struct ike_store *s);
/* After an SA came or went: which of them are used side by side, and is the connection up? */
void ike_peer_settle(struct ike_store *s, struct ike_peer *p);

/* ---- ike_policy.c ---- */
void ike_policy_add(struct ike_store *s, const struct ike_header *h, const struct ike_policy *p);
void ike_policy_delete(struct ike_store *s, const struct ike_header *h, const struct ike_policy *p);
void ike_policies_flush(struct ike_store *s);
