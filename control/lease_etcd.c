/* The kind `etcd`: one key, changed only by transactions that compare its last revision. The revision that a claim
 * makes is the epoch: etcd's revisions only grow.
 *
 * A holder renews by writing the key again. A challenger that has seen no new revision for the whole duration, by its
 * own clock, claims by comparing that very revision: had the holder renewed meanwhile, the claim fails. Quorum decides
 * each of them, and no clock of etcd's plays a part. Leases of etcd's own would be shorter to write, but a leader that
 * hung may revoke them when it goes on, although its successor has renewed them (3.4.23, as Debian has it): the holder
 * would not know.
 *
 * The key stays. One that is absent was never there or was deleted by hand: then its holder may not know yet.
 */
#include "control/etcd_client.h"
#include "control/lease_backend.h"
#include "drivers/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_NS 300000000ull
#define QUESTION_MAX_MS 3000
#define STOP_MS 1000
#define MILLI UINT64_C(1000000)
#define SECOND 1000000000ull
#define RELEASED "-" /* in place of a holder */

enum step { STEP_NONE, STEP_LOOK, STEP_CLAIM, STEP_RENEW, STEP_RELEASE };

/* The key, as somebody wrote it: "HOLDER EPOCH MILLISECONDS". Epoch 0: of this very revision. */
struct holding {
	uint64_t revision; /* 0: the key is absent */
	uint64_t epoch, duration_ns;
	char holder[LEASE_NAME_MAX];
};

struct lease_etcd {
	const struct lease_client *client;
	struct etcd_client *etcd;
	enum step step;
	struct holding own;  /* revision 0: not ours */
	struct holding seen; /* another's, unchanged since seen_ns */
	uint64_t seen_ns;    /* 0: nothing seen yet */
	bool again;          /* the renewal is repeated */
	uint64_t (*now_ns)(void);
};

/* ---- questions ------------------------------------------------------------------------- */

static json_t *
key(const struct lease_etcd *e)
{
	return etcd_text(e->client->ha->lease.key);
}

static json_t *
range(const struct lease_etcd *e)
{
	return json_pack("{s:o}", "key", key(e));
}

static uint64_t
duration_ns(const struct lease_etcd *e)
{
	return e->client->ha->lease.duration_s * SECOND;
}

/* If the key is as of this revision (0: absent) it becomes ours, or whoever's; else tell what it is. */
static void
ask_put(struct lease_etcd *e, enum step step, uint64_t revision, const char *holder, uint64_t epoch)
{
	char value[LEASE_NAME_MAX + 64];
	json_t *body;

	snprintf(value, sizeof(value), "%s %" PRIu64 " %" PRIu64, holder, epoch, duration_ns(e) / MILLI);
	body = json_pack("{s:[{s:s,s:s,s:o,s:o}],s:[{s:{s:o,s:o}}],s:[{s:o}]}", "compare", "result", "EQUAL", "target",
		"MOD", "key", key(e), "mod_revision", json_sprintf("%" PRIu64, revision), "success", "request_put",
		"key", key(e), "value", etcd_text(value), "failure", "request_range", range(e));
	e->step = step;
	etcd_client_post(e->etcd, "/v3/kv/txn", body);
}

static void
ask_look(struct lease_etcd *e)
{
	e->step = STEP_LOOK;
	etcd_client_post(e->etcd, "/v3/kv/range", range(e));
}

static void
ask_renew(struct lease_etcd *e)
{
	ask_put(e, STEP_RENEW, e->own.revision, e->client->identity, e->own.epoch);
}

/* ---- what becomes of the request -------------------------------------------------------- */

static void
answer(struct lease_etcd *e, enum lease_verdict verdict, const struct holding *h, const char *error)
{
	struct lease_answer a = {.verdict = verdict};

	e->step = STEP_NONE;
	if (h && strcmp(h->holder, RELEASED) != 0) {
		a.epoch = h->epoch;
		snprintf(a.holder, sizeof(a.holder), "%s", h->holder);
	}
	if (error)
		snprintf(a.error, sizeof(a.error), "%s", error);
	e->client->answered(e->client->context, &a);
}

/* ---- answers --------------------------------------------------------------------------- */

/* false: somebody else wrote something else there. */
static bool
holding_read(const json_t *found, struct holding *h)
{
	const json_t *kv = json_array_get(json_object_get(found, "kvs"), 0);
	char value[LEASE_NAME_MAX + 64];
	uint64_t ms;

	*h = (struct holding){0};
	if (!kv)
		return true;
	h->revision = etcd_number(kv, "mod_revision");
	if (h->revision == 0 || !etcd_text_read(kv, "value", value, sizeof(value)) ||
		sscanf(value, "%63s %" SCNu64 " %" SCNu64, h->holder, &h->epoch, &ms) != 3)
		return false;
	h->duration_ns = ms * MILLI;
	if (h->epoch == 0)
		h->epoch = h->revision;
	return true;
}

/* In which state the lease of whoever holds it is, as this node knows. */
static struct lease
judge(struct lease_etcd *e, const struct holding *h)
{
	struct lease l = {.state = LEASE_LEASED};
	bool first = e->seen_ns == 0;

	if (first || h->revision != e->seen.revision) {
		/* the longest of those that may have been deleted by hand */
		uint64_t longest = h->revision == 0 ? e->seen.duration_ns : h->duration_ns;

		e->seen = *h;
		e->seen.duration_ns = longest > duration_ns(e) ? longest : duration_ns(e);
		e->seen_ns = e->now_ns();
	}
	l.end_ns = e->seen_ns + e->seen.duration_ns;
	if (strcmp(h->holder, RELEASED) == 0 || (first && h->revision == 0))
		l.state = LEASE_AVAILABLE;
	return l;
}

static void
looked(struct lease_etcd *e, const struct holding *h)
{
	const struct lease_request acquire = {LEASE_ACQUIRE, e->client->identity, NULL, duration_ns(e)};
	struct lease l;

	/* a claim whose answer was lost */
	if (strcmp(h->holder, e->client->identity) == 0) {
		e->own = *h;
		ask_renew(e);
		return;
	}
	l = judge(e, h);
	if (lease_apply(&l, &acquire, e->now_ns()) == 0)
		ask_put(e, STEP_CLAIM, h->revision, e->client->identity, 0);
	else
		answer(e, LEASE_DENIED, h, NULL);
}

static void
put_done(struct lease_etcd *e, const json_t *reply)
{
	const json_t *response = json_array_get(json_object_get(reply, "responses"), 0);
	struct holding now;

	if (json_is_true(json_object_get(reply, "succeeded"))) {
		e->own.revision = etcd_number(json_object_get(reply, "header"), "revision");
		if (e->step == STEP_CLAIM)
			e->own.epoch = e->own.revision;
		snprintf(e->own.holder, sizeof(e->own.holder), "%s", e->client->identity);
		/* whatever comes after ours is new, also a key that is absent again */
		e->seen = e->own;
		e->seen_ns = e->now_ns();
		answer(e, LEASE_GRANTED, &e->own, NULL);
		return;
	}
	if (!holding_read(json_object_get(response, "response_range"), &now)) {
		answer(e, LEASE_FAILED, NULL, "the key has a value of somebody else's");
	} else if (e->step == STEP_RENEW && strcmp(now.holder, e->client->identity) == 0 && !e->again) {
		/* a renewal whose answer was lost */
		e->again = true;
		e->own = now;
		ask_renew(e);
	} else {
		e->own.revision = 0;
		judge(e, &now);
		answer(e, LEASE_DENIED, &now, NULL);
	}
}

static void
etcd_answer(void *context, const json_t *reply, const char *error)
{
	struct lease_etcd *e = context;
	struct holding h;

	switch (reply ? e->step : STEP_NONE) {
	case STEP_LOOK:
		if (holding_read(reply, &h))
			looked(e, &h);
		else
			answer(e, LEASE_FAILED, NULL, "the key has a value of somebody else's");
		break;
	case STEP_CLAIM:
	case STEP_RENEW:
		put_done(e, reply);
		break;
	case STEP_NONE:
	case STEP_RELEASE:
		if (e->step != STEP_RELEASE)
			answer(e, LEASE_FAILED, NULL, error ? error : "no answer");
		break;
	}
}

/* ---- the back end ---------------------------------------------------------------------- */

static void
etcd_attempt(void *backend, uint64_t epoch_seen)
{
	struct lease_etcd *e = backend;

	(void)epoch_seen; /* revisions grow by themselves */
	e->again = false;
	if (e->own.revision != 0)
		ask_renew(e);
	else
		ask_look(e);
}

static void *
etcd_open(const struct lease_client *client, char *error, size_t n)
{
	struct lease_etcd *e = calloc(1, sizeof(*e));
	long timeout_ms = client->ha->lease.duration_s * 200;

	if (!e)
		return NULL;
	e->client = client;
	e->now_ns = clock_boot_ns;
	if (timeout_ms > QUESTION_MAX_MS)
		timeout_ms = QUESTION_MAX_MS;
	e->etcd = etcd_client_open(client->loop, &client->ha->lease, timeout_ms, etcd_answer, e, error, n);
	if (!e->etcd) {
		free(e);
		return NULL;
	}
	return e;
}

static void
etcd_close(void *backend)
{
	struct lease_etcd *e = backend;

	if (e->own.revision != 0) {
		ask_put(e, STEP_RELEASE, e->own.revision, RELEASED, e->own.epoch);
		etcd_client_finish(e->etcd, STOP_MS);
	}
	etcd_client_close(e->etcd);
	free(e);
}

const struct lease_kind lease_etcd = {
	.name = "etcd",
	.exclusive = true,
	.poll_ns = POLL_NS,
	.open = etcd_open,
	.attempt = etcd_attempt,
	.close = etcd_close,
};
