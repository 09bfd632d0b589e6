/* Negotiated SAs: they come, move and go.
 *
 * Keys pass through: into the SA store, which expands them, and are wiped. Two places find an SA: charon's name of it
 * (SPI, address it is sent to), hashed by SPI; and its peer's list.
 */
#include "control/ike_store_state.h"
#include "control/ike_transform.h"
#include "control/sa_store.h"

#include "drivers/clock.h"
#include "drivers/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEEPALIVE_S 20            /* RFC 3948 section 4 */
#define NUMBERS_SOFT (3ull << 30) /* of 2^32 without ESN: time enough to rekey at any rate */
#define ORPHANS_NS (60 * 1000000000ull)

/* ---- finding ------------------------------------------------------------------------ */

static struct ike_sa **
bucket_of(struct ike_store *s, uint32_t spi)
{
	return &s->bucket[(spi ^ spi >> 15) % SA_BUCKETS];
}

/* An inbound SA's SPI is ours and unique; an outbound one's is the peer's, unique only with its address. */
static struct ike_sa *
sa_find(struct ike_store *s, const struct ike_sa_id *id)
{
	struct ip_addr to = ike_address_ip(&id->destination);

	for (struct ike_sa *sa = *bucket_of(s, id->spi); sa; sa = sa->hash_next)
		if (sa->id.spi == id->spi && !sa->deleted &&
			address_equal(sa->outbound ? &sa->remote : &sa->local, &to))
			return sa;
	return NULL;
}

struct ike_sa *
ike_sa_by_spi(const struct ike_store *s, uint32_t spi, bool outbound, uint32_t name)
{
	struct ike_sa *sa = *bucket_of((struct ike_store *)(uintptr_t)s, spi);

	while (sa && !(sa->id.spi == spi && sa->outbound == outbound && (name == NAME_NONE || sa->name == name)))
		sa = sa->hash_next;
	return sa;
}

/* ---- coming ------------------------------------------------------------------------- */

static bool
config_fill(const struct ike_sa_add *a, struct cfg_sa *c)
{
	bool out = !(a->flags & IKE_INBOUND);
	uint16_t local = out ? a->id.source.port : a->id.destination.port;
	uint16_t remote = out ? a->id.destination.port : a->id.source.port;

	memset(c, 0, sizeof(*c));
	if (ike_transform(a->encryption, a->integrity, a->encryption_key_length, a->integrity_key_length, c) != 0)
		return false;
	memcpy(c->enc_key, a->encryption_key, c->enc_key_len);
	memcpy(c->auth_key, a->integrity_key, c->auth_key_len);
	c->outbound = out;
	c->spi = a->id.spi;
	c->esn = (a->flags & IKE_ESN) != 0;
	c->replay_window = a->replay_window == 0     ? 0
			   : a->replay_window < 64   ? 64
			   : a->replay_window > 4096 ? 4096
						     : (uint16_t)a->replay_window;
	c->udp_encap = (a->flags & IKE_ENCAP) != 0;
	c->udp_local_port = c->udp_encap ? local : 0;
	c->udp_remote_port = c->udp_encap ? remote : 0;
	c->keepalive_s = c->udp_encap ? KEEPALIVE_S : 0;
	c->life_bytes_soft = a->soft_bytes;
	c->life_bytes_hard = a->hard_bytes;
	c->life_packets_soft = a->soft_packets;
	c->life_packets_hard = a->hard_packets;
	if (out && !c->esn && (c->life_packets_soft == 0 || c->life_packets_soft > NUMBERS_SOFT))
		c->life_packets_soft = NUMBERS_SOFT;
	return true;
}

static int
selectors_fill(struct ike_sa *sa, const struct ike_sa_add *a)
{
	const struct ike_selector *source = (const struct ike_selector *)(a + 1), *destination = source + a->n_source;

	if (sa->outbound)
		return ike_selectors(
			source, a->n_source, destination, a->n_destination, &sa->selector, &sa->n_selectors);
	return ike_selectors(destination, a->n_destination, source, a->n_source, &sa->selector, &sa->n_selectors);
}

static void
addresses_fill(struct ike_sa *sa, const struct ike_address *source, const struct ike_address *destination)
{
	sa->local = ike_address_ip(sa->outbound ? source : destination);
	sa->remote = ike_address_ip(sa->outbound ? destination : source);
}

/* A new SA stands in for the oldest one when all numbers are taken: that is most likely the one it replaces. */
static uint8_t
resource_for(const struct ike_peer *p)
{
	const struct ike_sa *oldest = NULL;

	for (const struct ike_sa *sa = p->sas; sa && p->wanted > 1; sa = sa->next)
		if (sa->outbound && !sa->superseded)
			oldest = sa;
	return oldest ? oldest->config.resource : 0;
}

static void
link_sa(struct ike_store *s, struct ike_sa *sa)
{
	struct ike_sa **head = bucket_of(s, sa->id.spi);

	sa->hash_next = *head;
	*head = sa;
	sa->next = sa->peer->sas;
	sa->peer->sas = sa;
	sa->peer->n_sas++;
	s->n_sas++;
}

static void
sa_free_one(struct ike_store *s, struct ike_sa *sa)
{
	if (sa->sa)
		sa_store_drop(s->tools.marks, sa->record, sa->sa);
	free(sa->selector);
	free(sa);
}

static struct ike_sa *
sa_new(struct ike_store *s, const struct ike_sa_add *a)
{
	struct ike_peer *p = ike_peer_get(s, a->id.if_id);
	struct ike_sa *sa = p ? calloc(1, sizeof(*sa)) : NULL;

	if (!sa)
		return NULL;
	*sa = (struct ike_sa){.peer = p,
		.id = a->id,
		.outbound = !(a->flags & IKE_INBOUND),
		.initiated = (a->flags & IKE_INITIATOR) != 0,
		.reqid = a->reqid,
		.added_ns = clock_boot_ns(),
		.soft_ns = a->soft_deadline_ns,
		.hard_ns = a->hard_deadline_ns,
		.ike_unique = a->ike_unique};
	memcpy(sa->identity, a->peer, sizeof(sa->identity));
	addresses_fill(sa, &a->id.source, &a->id.destination);
	return sa;
}

static bool
spi_by_hand(void *store, uint32_t spi)
{
	const struct ike_store *s = store;

	for (uint32_t i = 0; s->world && i < s->world->spec.n_sas; i++)
		if (s->world->spec.sa[i].config.spi == spi)
			return true;
	return false;
}

static bool
spi_ours(struct ike_store *s, const struct ike_sa_add *a)
{
	if (a->flags & IKE_REPLAYED)
		return !spi_by_hand(s, a->id.spi) && ike_spi_claim(s->spis, a->id.spi);
	return ike_spi_use(s->spis, a->id.spi);
}

/* 0 or an errno value. The keys of `c` are the caller's to wipe. */
static int
sa_take(struct ike_store *s, struct ike_sa *sa, const struct ike_sa_add *a, struct cfg_sa *c)
{
	int r;

	if (!config_fill(a, c))
		return EOPNOTSUPP;
	r = selectors_fill(sa, a);
	if (r != 0)
		return -r;
	if (!sa->outbound && !spi_ours(s, a))
		return EADDRNOTAVAIL;
	c->resource = sa->outbound ? resource_for(sa->peer) : 0;
	sa->name = sa->outbound ? sa->peer->name_out : sa->peer->name_in;
	r = sa_store_take(s->tools.marks, c, sa->name, (a->flags & IKE_REPLAYED) != 0, &sa->sa, &sa->record);
	if (r != 0 && !sa->outbound)
		ike_spi_give(s->spis, a->id.spi);
	return -r;
}

/* The orphans have their successor: those of the connection, or of the same client. */
static void
orphans_replace(struct ike_store *s, const struct ike_sa *by)
{
	bool clients = by->peer->kind == IKE_PEER_GATEWAY;

	for (struct ike_sa *sa = by->peer->sas, *next; sa; sa = next) {
		next = sa->next;
		if (sa->orphan && (!clients || strcmp(sa->identity, by->identity) == 0))
			ike_sa_remove(s, sa);
	}
}

/* The socket was cut, neither end died: charon has it still. */
static bool
confirmed(struct ike_sa *sa, const struct ike_sa_add *a)
{
	if (!sa || !(a->flags & IKE_REPLAYED))
		return false;
	sa->orphan = false;
	sa->soft_told = sa->hard_told = false;
	return true;
}

void
ike_sa_add(struct ike_store *s, const struct ike_header *h, const struct ike_sa_add *a)
{
	struct ike_sa *known = sa_find(s, &a->id), *sa;
	struct cfg_sa c;
	int r;

	if (confirmed(known, a)) {
		ike_answer(s, h, 0);
		return;
	}
	sa = known ? NULL : sa_new(s, a);
	r = sa ? sa_take(s, sa, a, &c) : known ? EEXIST : ENOMEM;
	if (sa && r == 0) {
		memcpy(&sa->config, &c, sizeof(c));
		explicit_bzero(sa->config.enc_key, sizeof(c.enc_key));
		explicit_bzero(sa->config.auth_key, sizeof(c.auth_key));
		ike_client_join(sa);
		link_sa(s, sa);
		sa->waits = h->serial;
		if (sa->outbound)
			orphans_replace(s, sa);
		ike_peer_settle(s, sa->peer);
		sa->change = s->change;
	} else {
		if (sa)
			sa_free_one(s, sa);
		if (r != ENOENT)
			log_warning("ike", "SA 0x%08x of %s is refused: %s", a->id.spi, a->ike_name, strerror(r));
		ike_answer(s, h, (uint16_t)r);
	}
	explicit_bzero(&c, sizeof(c));
}

void
ike_spi_get(struct ike_store *s, const struct ike_header *h)
{
	struct ike_spi_answer answer = {.spi = ike_spi_take(s->spis, clock_boot_ns(), spi_by_hand, s)};

	s->tools.send(s->tools.context, IKE_SPI_ANSWER, answer.spi ? 0 : ENOSPC, h->serial, &answer, sizeof(answer));
}

void
ike_sa_query(struct ike_store *s, const struct ike_header *h, const struct ike_sa_id *id)
{
	const struct ike_sa *sa = sa_find(s, id);
	struct ike_sa_answer answer = {0};
	struct sa_counters c;

	if (sa) {
		sa_counters_read(sa->sa, &c);
		answer = (struct ike_sa_answer){.bytes = c.bytes, .packets = c.packets, .last_used_ns = c.last_used_ns};
	}
	s->tools.send(s->tools.context, IKE_SA_ANSWER, sa ? 0 : ENOENT, h->serial, &answer, sizeof(answer));
}

/* ---- moving ------------------------------------------------------------------------- */

/* The SA that the worker saw until now, on its way out. */
static bool
retire_copy(struct ike_store *s, struct ike_sa *sa)
{
	struct ike_sa *old = calloc(1, sizeof(*old));

	if (!old)
		return false;
	*old = (struct ike_sa){.next = s->dying, .sa = sa->sa, .record = sa->record, .change = s->change + 1};
	s->dying = old;
	return true;
}

static void
ports_fill(struct ike_sa *sa, const struct ike_sa_update *u)
{
	sa->config.udp_encap = u->encap != 0;
	sa->config.keepalive_s = u->encap ? KEEPALIVE_S : 0;
	sa->config.udp_local_port = sa->outbound ? u->new_source.port : u->new_destination.port;
	sa->config.udp_remote_port = sa->outbound ? u->new_destination.port : u->new_source.port;
}

void
ike_sa_update(struct ike_store *s, const struct ike_header *h, const struct ike_sa_update *u)
{
	struct ike_sa *sa = sa_find(s, &u->id);
	struct cfg_sa former;
	struct sa *moved;

	if (!sa) {
		ike_answer(s, h, ENOENT);
		return;
	}
	former = sa->config;
	ports_fill(sa, u);
	moved = sa_store_rebind(s->tools.marks, sa->record, sa->sa, &sa->config);
	if (!moved || !retire_copy(s, sa)) {
		if (moved)
			sa_store_drop(s->tools.marks, sa->record, moved);
		sa->config = former;
		ike_answer(s, h, ENOMEM);
		return;
	}
	sa->sa = moved;
	sa->id.source = u->new_source;
	sa->id.destination = u->new_destination;
	if (u->new_reqid)
		sa->reqid = u->new_reqid;
	addresses_fill(sa, &u->new_source, &u->new_destination);
	if (sa->waits) /* who asked before: workers see both at once */
		ike_answer(s, &(struct ike_header){.serial = sa->waits}, 0);
	sa->waits = h->serial;
	ike_peer_settle(s, sa->peer);
	sa->change = s->change;
}

/* ---- going -------------------------------------------------------------------------- */

static void
unlink_sa(struct ike_store *s, struct ike_sa *sa)
{
	struct ike_sa **at = bucket_of(s, sa->id.spi);

	while (*at != sa)
		at = &(*at)->hash_next;
	*at = sa->hash_next;
	for (at = &sa->peer->sas; *at != sa;)
		at = &(*at)->next;
	*at = sa->next;
	sa->peer->n_sas--;
	s->n_sas--;
}

static void
counted(struct ike_sa *sa)
{
	struct ike_status *t = &sa->peer->status;
	struct sa_counters c;

	sa_counters_read(sa->sa, &c);
	*(sa->outbound ? &t->bytes_out : &t->bytes_in) += c.bytes;
	*(sa->outbound ? &t->packets_out : &t->packets_in) += c.packets;
}

void
ike_sa_remove(struct ike_store *s, struct ike_sa *sa)
{
	counted(sa);
	ike_client_leave(sa);
	unlink_sa(s, sa);
	if (!sa->outbound)
		ike_spi_give(s->spis, sa->id.spi);
	ike_peer_settle(s, sa->peer);
	if (sa->waits)
		ike_answer(s, &(struct ike_header){.serial = sa->waits}, ECANCELED);
	sa->change = s->change;
	sa->next = s->dying;
	s->dying = sa;
}

void
ike_sa_delete(struct ike_store *s, const struct ike_header *h, const struct ike_sa_id *id)
{
	struct ike_sa *sa = sa_find(s, id);

	if (!sa) {
		ike_spi_cancel(s->spis, id->spi);
	} else if (ike_sa_drain(sa)) {
		ike_peer_settle(s, sa->peer);
	} else {
		struct ike_peer *p = sa->peer;
		uint32_t reqid = sa->reqid;

		ike_sa_remove(s, sa);
		ike_sas_drained(s, p, reqid);
	}
	ike_answer(s, h, 0);
}

void
ike_sas_remove(struct ike_store *s, bool orphans_only)
{
	for (uint32_t i = 0; i < SA_BUCKETS; i++) {
		for (struct ike_sa *sa = s->bucket[i], *next; sa; sa = next) {
			next = sa->hash_next;
			if (sa->orphan || !orphans_only)
				ike_sa_remove(s, sa);
		}
	}
}

void
ike_sas_leave(struct ike_store *s)
{
	for (uint32_t i = 0; i < SA_BUCKETS; i++) {
		while (s->bucket[i]) {
			struct ike_sa *sa = s->bucket[i];

			s->bucket[i] = sa->hash_next;
			free(sa->selector); /* the run-time SA ends with the SA store, its record stays */
			free(sa);
		}
	}
}

/* charon is another one, or has not told of them yet. */
void
ike_sas_orphan(struct ike_store *s)
{
	for (uint32_t i = 0; i < SA_BUCKETS; i++)
		for (struct ike_sa *sa = s->bucket[i]; sa; sa = sa->hash_next)
			sa->orphan = true;
	s->orphans_ns = clock_boot_ns() + ORPHANS_NS;
}

void
ike_sas_seen(struct ike_store *s, uint64_t change)
{
	struct ike_sa **at = &s->dying;

	while (*at) {
		struct ike_sa *sa = *at;

		if (sa->change > change) {
			at = &sa->next;
			continue;
		}
		*at = sa->next;
		sa_free_one(s, sa);
	}
	for (uint32_t i = 0; i < SA_BUCKETS; i++) {
		for (struct ike_sa *sa = s->bucket[i]; sa; sa = sa->hash_next) {
			if (sa->waits == 0 || sa->change > change)
				continue;
			ike_answer(s, &(struct ike_header){.serial = sa->waits}, 0);
			sa->waits = 0;
		}
	}
}
