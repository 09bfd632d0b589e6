/* The core's clock and ears: see lease.h. A change of the deadline is published before its hook runs. */
#include "control/lease.h"

#include "control/lease_backend.h"
#include "drivers/clock.h"
#include "drivers/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define MILLI 1000000ull
#define SECOND 1000000000ull
/* A node that is not preferred lets the other one be first when both start. */
#define HEAD_START_NS SECOND

struct leasing {
	struct cfg_ha ha; /* copied: a reload frees the one we were given */
	struct leasing_hooks hooks;
	struct lease_core core;
	const struct lease_kind *kind;
	struct lease_client client;
	void *backend;
	_Atomic uint64_t deadline_ns;
	enum lease_role told; /* what the hooks know */
	uint64_t told_epoch;
	char error[LEASE_ERROR_MAX]; /* logged last */
	char identity[LEASE_NAME_MAX];
	char holder[LEASE_NAME_MAX]; /* its node alone */
};

static const struct lease_kind *const kinds[] = {
	[LEASE_KIND_FILE] = &lease_files,
	[LEASE_KIND_ETCD] = &lease_etcd,
	[LEASE_KIND_STATIC] = &lease_static,
};

/* ---- what follows from a step of the core --------------------------------------------- */

static void
cease(struct leasing *l)
{
	l->told = LEASE_FOLLOWER;
	log_notice("lease", "%s is no longer primary (epoch %lu)%s%s", l->ha.node, (unsigned long)l->told_epoch,
		l->core.error[0] ? ": " : "", l->core.error);
	if (l->hooks.ceased)
		l->hooks.ceased(l->hooks.context);
}

static void
become(struct leasing *l)
{
	l->told = LEASE_PRIMARY;
	l->told_epoch = l->core.epoch;
	log_notice("lease", "%s is primary (epoch %lu)", l->ha.node, (unsigned long)l->core.epoch);
	if (l->hooks.became)
		l->hooks.became(l->hooks.context, l->core.epoch);
}

static void
tell(struct leasing *l)
{
	const struct lease_core *c = &l->core;

	atomic_store_explicit(&l->deadline_ns, c->deadline_ns, memory_order_release);
	snprintf(l->holder, sizeof(l->holder), "%.*s", (int)strcspn(c->holder, "/"), c->holder);
	if (strcmp(l->error, c->error) != 0 && c->error[0])
		log_warning("lease", "%s", c->error);
	snprintf(l->error, sizeof(l->error), "%s", c->error);
	if (l->told == LEASE_PRIMARY && (c->role != LEASE_PRIMARY || c->epoch != l->told_epoch))
		cease(l);
	if (l->told == LEASE_FOLLOWER && c->role == LEASE_PRIMARY)
		become(l);
}

static void
answered(void *context, const struct lease_answer *a)
{
	struct leasing *l = context;

	lease_core_answer(&l->core, a, clock_boot_ns());
	tell(l);
}

void
leasing_tick(struct leasing *l, uint64_t now_ns)
{
	bool ask = lease_core_tick(&l->core, now_ns);

	tell(l);
	if (ask)
		l->kind->attempt(l->backend, l->core.epoch_seen);
}

/* ---- start and stop ------------------------------------------------------------------- */

static struct lease_terms
terms_of(const struct cfg_ha *ha, const struct lease_kind *kind)
{
	struct lease_terms t = {.duration_ns = ha->lease.duration_s * SECOND};

	t.margin_ns = ha->lease.margin_ms * MILLI;
	t.poll_ns = kind->poll_ns < t.duration_ns / 6 ? kind->poll_ns : t.duration_ns / 6;
	t.wait_ns = ha->preferred ? 0 : HEAD_START_NS;
	if (ha->lease.kind == LEASE_KIND_STATIC)
		t = (struct lease_terms){.duration_ns = LEASE_INFINITE, .poll_ns = SECOND};
	return t;
}

static char *
text_copy(const char *text, bool *failed)
{
	char *copy = text ? strdup(text) : NULL;

	*failed |= text && !copy;
	return copy;
}

static void
ha_free(struct cfg_ha *h)
{
	for (uint32_t i = 0; h->lease.endpoints.s && i < h->lease.endpoints.n; i++)
		free(h->lease.endpoints.s[i]);
	free(h->lease.endpoints.s);
	free(h->node);
	free(h->lease.path);
	free(h->lease.key);
	free(h->lease.ca_file);
	free(h->lease.certificate);
	free(h->lease.key_file);
}

static int
ha_copy(const struct cfg_ha *from, struct cfg_ha *to)
{
	const struct cfg_strings *e = &from->lease.endpoints;
	bool failed = false;

	*to = *from;
	to->node = text_copy(from->node, &failed);
	to->lease.path = text_copy(from->lease.path, &failed);
	to->lease.key = text_copy(from->lease.key, &failed);
	to->lease.ca_file = text_copy(from->lease.ca_file, &failed);
	to->lease.certificate = text_copy(from->lease.certificate, &failed);
	to->lease.key_file = text_copy(from->lease.key_file, &failed);
	to->lease.endpoints.s = calloc(e->n + 1, sizeof(char *));
	for (uint32_t i = 0; to->lease.endpoints.s && i < e->n; i++)
		to->lease.endpoints.s[i] = text_copy(e->s[i], &failed);
	return failed || !to->lease.endpoints.s ? -ENOMEM : 0;
}

/* Two runs of one node are two holders: the second cannot know what the first was about to do. */
static void
identity_make(struct leasing *l)
{
	uint64_t run;

	if (getrandom(&run, sizeof(run), 0) != (ssize_t)sizeof(run))
		run = clock_boot_ns();
	snprintf(l->identity, sizeof(l->identity), "%.40s/%016lx", l->ha.node, (unsigned long)run);
}

static void
leasing_free(struct leasing *l)
{
	if (l)
		ha_free(&l->ha);
	free(l);
}

int
leasing_start(const struct cfg_ha *ha, struct loop *loop, const struct leasing_hooks *hooks, struct leasing **out,
	char *error, size_t n)
{
	struct leasing *l = calloc(1, sizeof(*l));
	struct lease_terms terms;
	int r = l ? ha_copy(ha, &l->ha) : -ENOMEM;

	if (r == 0) {
		l->hooks = *hooks;
		l->kind = kinds[ha->lease.kind];
		identity_make(l);
		terms = terms_of(&l->ha, l->kind);
		lease_core_init(&l->core, &terms, clock_boot_ns());
		l->client = (struct lease_client){loop, &l->ha, l->identity, l, answered};
		l->backend = l->kind->open(&l->client, error, n);
		r = l->backend ? 0 : -EINVAL;
	}
	if (r == 0)
		*out = l;
	else
		leasing_free(l);
	return r;
}

void
leasing_drain(struct leasing *l)
{
	lease_core_leave(&l->core);
	tell(l);
	if (l->backend)
		l->kind->close(l->backend);
	l->backend = NULL;
}

int
leasing_resume(struct leasing *l, char *error, size_t n)
{
	if (l->backend)
		return 0;
	l->backend = l->kind->open(&l->client, error, n);
	if (!l->backend)
		return -EINVAL;
	lease_core_resume(&l->core, clock_boot_ns());
	return 0;
}

void
leasing_stop(struct leasing *l)
{
	if (!l)
		return;
	leasing_drain(l);
	leasing_free(l);
}

/* ---- what it is now ------------------------------------------------------------------- */

void
leasing_status(const struct leasing *l, struct leasing_status *s)
{
	*s = (struct leasing_status){
		.node = l->ha.node,
		.kind = l->kind->name,
		.holder = l->holder,
		.error = l->error,
		.exclusive = l->kind->exclusive,
		.drained = l->core.leaving,
		.role = l->core.role,
		.epoch = l->core.role == LEASE_PRIMARY ? l->core.epoch : l->core.epoch_seen,
		.deadline_ns = l->core.deadline_ns,
		.transitions = l->core.transitions,
	};
}

const _Atomic uint64_t *
leasing_deadline(const struct leasing *l)
{
	return &l->deadline_ns;
}
