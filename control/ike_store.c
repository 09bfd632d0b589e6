/* The store's life: greetings, dispatch, and the list of SAs to publish.
 *
 * A plugin that connects says HELLO and tells of every SA and policy it has; SYNCED ends that. What it does not tell
 * of is gone for the same charon. A charon that was started anew has none: SAs of the former one stay useful to the
 * peers, who do not know yet, so they are kept until their successors come, for a minute at most.
 */
#include "control/ike_store_state.h"
#include "control/sa_store.h"

#include "drivers/clock.h"
#include "drivers/crypto.h"
#include "drivers/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
ike_answer(struct ike_store *s, const struct ike_header *h, uint16_t result)
{
	s->tools.send(s->tools.context, IKE_RESULT, result, h->serial, NULL, 0);
}

/* ---- greetings ---------------------------------------------------------------------- */

static void
hello(struct ike_store *s, const struct ike_hello *h)
{
	struct ike_welcome w = {.version = IKE_PROTOCOL_VERSION, .epoch = s->epoch};
	char why[256];

	if (h->version != IKE_PROTOCOL_VERSION) {
		snprintf(why, sizeof(why), "isthmusd speaks version %d of the protocol, the plugin version %u",
			IKE_PROTOCOL_VERSION, h->version);
		s->tools.refuse(s->tools.context, why);
		return;
	}
	if (strcmp(h->strongswan, h->running) != 0) {
		snprintf(why, sizeof(why), "the plugin was built for strongSwan %.60s and runs in %.60s", h->strongswan,
			h->running);
		s->tools.refuse(s->tools.context, why);
		return;
	}
	ike_policies_flush(s);
	ike_sas_orphan(s);
	if (h->instance == s->instance)
		s->orphans_ns = 0; /* SYNCED decides */
	s->greeted = true;
	s->synced = false;
	snprintf(w.appliance, sizeof(w.appliance), "%s", s->tools.appliance);
	s->tools.send(s->tools.context, IKE_WELCOME, 0, 0, &w, sizeof(w));
	log_info("ike", "charon is here (strongSwan %s)", h->running);
	s->instance = h->instance;
}

static void
synced(struct ike_store *s, const struct ike_header *h)
{
	s->synced = true;
	if (s->orphans_ns == 0)
		ike_sas_remove(s, true);
	sa_store_forget_unclaimed(s->tools.marks);
	ike_sas_catch_up(s);
	log_info("ike", "charon has told of its %u SAs", s->n_sas);
	if (h->serial)
		ike_answer(s, h, 0);
}

/* ---- notices ------------------------------------------------------------------------ */

static void
child_state(struct ike_store *s, const struct ike_child_state *n)
{
	struct ike_peer *p = ike_peer_get(s, n->if_id);

	if (!p || n->up != 2)
		return;
	p->status.rekeyed++;
	p->status.rekeyed_last = time(NULL);
	for (struct ike_sa *sa = p->sas; sa; sa = sa->next)
		if (sa->outbound && sa->id.spi == n->old_out)
			sa->superseded = true;
	ike_peer_settle(s, p);
}

static void
alert(struct ike_store *s, const struct ike_alert *a)
{
	struct ike_peer *p = a->ike_name[0] ? ike_peer_named(s, a->ike_name) : NULL;
	uint32_t fault = a->fault < IKE_FAULT_COUNT ? a->fault : IKE_FAULT_OTHER;
	struct ike_fault_record *f = p ? &p->status.fault[fault] : &s->stranger[s->n_strangers++ % STRANGERS_MAX];

	if (!p)
		*f = (struct ike_fault_record){0};
	ike_fault_note(f, a, clock_boot_ns());
	log_debug("ike", "%s: %s: %s", a->ike_name[0] ? a->ike_name : "no connection", ike_fault_name(fault), a->text);
}

static void
ike_state(struct ike_store *s, const struct ike_state *n)
{
	struct ike_peer *p = ike_peer_named(s, n->ike_name);

	if (!p)
		return;
	if (n->up == 1)
		log_notice("ike", "%s: IKE_SA with %s is up", n->ike_name, n->remote_id);
	ike_status_state(&p->status, n);
}

/* ---- dispatch ----------------------------------------------------------------------- */

static void
sa_flush(struct ike_store *s, const struct ike_header *h)
{
	ike_sas_remove(s, false);
	ike_answer(s, h, 0);
}

static void
policy_flush(struct ike_store *s, const struct ike_header *h)
{
	ike_policies_flush(s);
	ike_answer(s, h, 0);
}

void
ike_store_message(struct ike_store *s, const struct ike_header *h, const void *body)
{
	if (h->type != IKE_HELLO && !s->greeted) {
		s->tools.refuse(s->tools.context, "HELLO comes first");
		return;
	}
	switch ((enum ike_message_type)h->type) {
	case IKE_HELLO:
		hello(s, body);
		break;
	case IKE_SYNCED:
		synced(s, h);
		break;
	case IKE_SPI_GET:
		ike_spi_get(s, h);
		break;
	case IKE_SA_ADD:
		ike_sa_add(s, h, body);
		break;
	case IKE_SA_UPDATE:
		ike_sa_update(s, h, body);
		break;
	case IKE_SA_QUERY:
		ike_sa_query(s, h, body);
		break;
	case IKE_SA_DELETE:
		ike_sa_delete(s, h, body);
		break;
	case IKE_SA_FLUSH:
		sa_flush(s, h);
		break;
	case IKE_POLICY_ADD:
		ike_policy_add(s, h, body);
		break;
	case IKE_POLICY_DELETE:
		ike_policy_delete(s, h, body);
		break;
	case IKE_POLICY_FLUSH:
		policy_flush(s, h);
		break;
	case IKE_SA_STATE:
		ike_state(s, body);
		break;
	case IKE_CHILD_STATE:
		child_state(s, body);
		break;
	case IKE_ALERT:
		alert(s, body);
		break;
	case IKE_WELCOME:
	case IKE_REFUSE:
	case IKE_RESULT:
	case IKE_SPI_ANSWER:
	case IKE_SA_ANSWER:
	case IKE_EXPIRE:
	case IKE_ACQUIRE:
	case IKE_MAPPING:
		break;
	}
}

void
ike_store_gone(struct ike_store *s)
{
	if (s->greeted)
		log_warning("ike", "charon is gone; %u SAs stay", s->n_sas);
	s->greeted = s->synced = false;
	for (uint32_t i = 0; i < SA_BUCKETS; i++)
		for (struct ike_sa *sa = s->bucket[i]; sa; sa = sa->hash_next)
			sa->waits = 0;
}

bool
ike_store_synced(const struct ike_store *s)
{
	return s->synced;
}

/* ---- events of the workers ------------------------------------------------------------ */

static void
moved(struct ike_store *s, const struct ike_sa *sa, const struct sa_event *e)
{
	struct ike_mapping m = {
		.id = sa->id, .reqid = sa->reqid, .old_remote = sa->id.source, .new_remote = sa->id.source};

	m.new_remote.port = e->port;
	memset(m.new_remote.b, 0, sizeof(m.new_remote.b));
	m.new_remote.family = e->address.family == IP_V4 ? 4 : 6;
	memcpy(m.new_remote.b, e->address.b, e->address.family == IP_V4 ? 4 : 16);
	s->tools.send(s->tools.context, IKE_MAPPING, 0, 0, &m, sizeof(m));
}

void
ike_store_sa_event(struct ike_store *s, const struct sa_event *e)
{
	struct ike_sa *sa = ike_sa_by_spi(s, e->spi, e->outbound, e->name);

	if (!sa)
		return;
	switch (e->kind) {
	case SA_EVENT_SOFT:
		ike_sa_expire(s, sa, false);
		break;
	case SA_EVENT_HARD:
	case SA_EVENT_EXHAUSTED:
		ike_sa_expire(s, sa, true);
		break;
	case SA_EVENT_REMOTE_PORT:
		if (!sa->outbound && !sa->deleted)
			moved(s, sa, e);
		break;
	case SA_EVENT_RESERVE_LOW:
		break;
	}
}

void
ike_store_tick(struct ike_store *s, uint64_t now_ns)
{
	ike_sas_tick(s, now_ns);
	ike_spis_expire(s->spis, now_ns);
}

/* ---- life ----------------------------------------------------------------------------- */

struct ike_store *
ike_store_create(const struct ike_store_tools *tools)
{
	struct ike_store *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->tools = *tools;
	s->spis = ike_spis_create();
	if (!s->spis || crypto_random(&s->epoch, sizeof(s->epoch)) != 0) {
		ike_store_free(s);
		return NULL;
	}
	s->epoch |= 1; /* 0 is nobody's */
	return s;
}

void
ike_store_free(struct ike_store *s)
{
	if (!s)
		return;
	s->greeted = s->synced = false;
	ike_sas_seen(s, UINT64_MAX);
	ike_sas_leave(s);
	ike_peers_free(s);
	ike_spis_free(s->spis);
	free(s->tunnel);
	free(s->sa);
	free(s->client);
	free(s);
}

bool
ike_store_empty(const struct ike_store *s)
{
	return s->n_sas == 0;
}

uint64_t
ike_store_change(const struct ike_store *s)
{
	return s->change;
}

void
ike_store_seen(struct ike_store *s, uint64_t change)
{
	ike_sas_seen(s, change);
}

const struct ike_fault_record *
ike_store_strangers(const struct ike_store *s, uint32_t *n)
{
	*n = s->n_strangers < STRANGERS_MAX ? s->n_strangers : STRANGERS_MAX;
	return s->stranger;
}
