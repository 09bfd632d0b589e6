/* The SA store: which SAs run, and the marks on disk that keep their numbers from repeating.
 *
 * A record is what must never be forgotten: a fingerprint of keys and algorithms, and a number. It stays in the
 * file when its SA goes, as the same keys may come back. An entry is one struct sa; several may share one
 * record (a changed configuration with the same keys, or two outbound SAs with one key), and then
 * they share its run-time state, so that one counter gives out the numbers of one key.
 *
 * An outbound SA gets its numbers in blocks. A block's end is on disk before the first number of the block
 * may be used; after a crash numbering goes on at that end. The SA asks for the next block when half
 * of one is used. Blocks grow with the rate, so that the disk is asked a few times a second at most.
 *
 * Threads: the builder fills (and waits for the disk), control ticks and sweeps (and never waits: the
 * writer's thread does). All but the writing is under one lock; a tick that finds it taken leaves it for the next time.
 */
#include "control/sa_store.h"

#include "control/mark_writer.h"
#include "control/sa_identity.h"
#include "control/sa_record.h"
#include "control/sequence_file.h"
#include "control/state_lock.h"
#include "drivers/clock.h"
#include "drivers/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SA_BLOCK_MAX (1ull << 26)
#define INBOUND_NS 2000000000ull /* how old the recorded number of an inbound SA may be */
#define COMPLAIN_NS 10000000000ull

/* A text for the disk, and what it says. */
struct job {
	char *text;
	size_t size;
	uint64_t *number; /* of each record in it */
	uint32_t n;
};

struct sa_store {
	char *folder;
	pthread_mutex_t lock;
	struct sa_records records;
	uint64_t inbound_due_ns, complain_due_ns;

	struct mark_writer *writer;
	struct job *job; /* with the writer */
};

/* ---- the disk ----------------------------------------------------------------------- */

static void
job_free(struct job *j)
{
	if (!j)
		return;
	free(j->text);
	free(j->number);
	free(j);
}

/* What is on disk and what is wanted there. Lock held. */
static struct job *
job_make(const struct sa_store *s)
{
	struct sequence_record *r = malloc((s->records.n + 1) * sizeof(*r));
	struct job *j = calloc(1, sizeof(*j));

	if (r && j)
		j->number = malloc((s->records.n + 1) * sizeof(*j->number));
	if (!r || !j || !j->number) {
		free(r);
		job_free(j);
		return NULL;
	}
	j->n = s->records.n;
	for (uint32_t i = 0; i < s->records.n; i++) {
		r[i] = s->records.record[i].mark;
		if (s->records.record[i].wanted)
			r[i].number = s->records.record[i].wanted;
		j->number[i] = r[i].number;
	}
	j->text = sequence_file_text(r, s->records.n, &j->size);
	free(r);
	if (!j->text) {
		job_free(j);
		return NULL;
	}
	return j;
}

/* What the job wrote is durable: outbound SAs may use it. Records never move, so the job's are the first n. Lock held.
 */
static void
job_apply(struct sa_store *s, const struct job *j)
{
	for (uint32_t i = 0; i < j->n; i++) {
		struct sa_record *r = &s->records.record[i];

		r->mark.number = j->number[i];
		if (r->wanted == j->number[i])
			r->wanted = 0;
		if (r->mark.outbound && r->entries)
			sa_reserve(r->entries->sa, r->mark.number);
	}
}

/* Takes back what the writer has done; `wait`: also what is under way. False: something still is. Lock held. */
static bool
job_finish(struct sa_store *s, bool wait)
{
	uint64_t now = clock_boot_ns();
	int result = 0;

	switch (mark_writer_ask(s->writer, wait, &result)) {
	case WRITER_IDLE:
		return true;
	case WRITER_BUSY:
		return false;
	case WRITER_DONE:
		break;
	}
	if (result == 0)
		job_apply(s, s->job);
	else if (now >= s->complain_due_ns) {
		log_error("sa", "cannot write sequence marks to %s: %s; tunnels stop when their numbers run out",
			s->folder, strerror(-result));
		s->complain_due_ns = now + COMPLAIN_NS;
	}
	job_free(s->job);
	s->job = NULL;
	return true;
}

/* Lock held, builder or the end. Writes what is wanted and waits for it. */
static int
write_now(struct sa_store *s)
{
	struct job *j;
	int rc;

	job_finish(s, true);
	j = job_make(s);
	if (!j)
		return -ENOMEM;
	rc = sequence_file_write(s->folder, j->text, j->size);
	if (rc == 0)
		job_apply(s, j);
	job_free(j);
	return rc;
}

/* ---- open and close ----------------------------------------------------------------- */

static int
records_load(struct sa_store *s, char *error, size_t error_size)
{
	struct sequence_record *r;
	uint32_t n;
	int rc = sequence_file_read(s->folder, &r, &n, error, error_size);

	for (uint32_t i = 0; i < n && rc == 0; i++) {
		struct sa_record *known = sa_record_get(&s->records, &r[i]);

		if (!known)
			rc = -ENOMEM;
		else if (known->mark.number < r[i].number)
			known->mark.number = r[i].number;
	}
	free(r);
	return rc;
}

static void
store_free(struct sa_store *s)
{
	mark_writer_stop(s->writer);
	pthread_mutex_destroy(&s->lock);
	sa_records_free(&s->records);
	free(s->folder);
	free(s);
}

int
sa_store_open(const char *state_dir, struct sa_store **out, char *error, size_t error_size)
{
	struct sa_store *s = calloc(1, sizeof(*s));
	int rc;

	*out = NULL;
	snprintf(error, error_size, "no memory");
	if (!s)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	s->folder = strdup(state_dir);
	rc = s->folder ? 0 : -ENOMEM;
	if (rc == 0) {
		rc = folder_make(s->folder, 0700, NULL);
		if (rc)
			snprintf(error, error_size, "%s: %s", s->folder, strerror(-rc));
	}
	if (rc == 0)
		rc = records_load(s, error, error_size);
	if (rc == 0)
		rc = mark_writer_start(s->folder, &s->writer);
	if (rc) {
		store_free(s);
		return rc;
	}
	*out = s;
	return 0;
}

/* Workers have stopped: the numbers are what was really used. */
static void
marks_exact(struct sa_store *s)
{
	for (uint32_t i = 0; i < s->records.n; i++) {
		struct sa_record *r = &s->records.record[i];
		struct sa_counters c;

		if (!r->entries)
			continue;
		sa_counters_read(r->entries->sa, &c);
		r->wanted = c.sequence < r->mark.number || !r->mark.outbound ? c.sequence : r->mark.number;
	}
}

void
sa_store_close(struct sa_store *s)
{
	int rc;

	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	job_finish(s, true);
	marks_exact(s);
	rc = s->records.n ? write_now(s) : 0;
	if (rc)
		log_error("sa", "cannot write the last sequence marks to %s: %s; numbering will skip ahead", s->folder,
			strerror(-rc));
	pthread_mutex_unlock(&s->lock);
	store_free(s);
}

/* ---- fill --------------------------------------------------------------------------- */

static struct sa_entry *
entry_find(const struct sa_record *r, const struct cfg_sa *config, uint32_t name)
{
	for (struct sa_entry *e = r->entries; e; e = e->next)
		if (e->name == name && memcmp(&e->config, config, sizeof(*config)) == 0)
			return e;
	return NULL;
}

/* A new SA on the state of its record. It may not send before its first block is durable. */
static struct sa_entry *
entry_make(struct sa_record *r, const struct sa_spec *spec)
{
	uint64_t first = r->mark.outbound ? r->mark.number : r->mark.number + 1;
	struct sa_entry *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->config = sa_without_keys(&spec->config);
	e->name = spec->name;
	if (r->entries)
		e->sa = sa_renew(&spec->config, r->entries->sa);
	else
		e->sa = sa_create(&spec->config, first, first);
	if (!e->sa) {
		free(e);
		return NULL;
	}
	sa_set_name(e->sa, spec->name);
	if (r->mark.outbound && !r->entries)
		r->wanted = first > UINT64_MAX - r->block ? UINT64_MAX : first + r->block;
	e->next = r->entries;
	r->entries = e;
	return e;
}

static int
fill_one(struct sa_store *s, struct sa_spec *spec, bool *new_marks, char *error, size_t error_size)
{
	struct cfg_sa scrubbed = sa_without_keys(&spec->config);
	struct sequence_record wanted;
	struct sa_record *r;
	struct sa_entry *e;

	sa_fingerprint(&spec->config, &wanted);
	r = sa_record_get(&s->records, &wanted);
	if (!r) {
		snprintf(error, error_size, "no memory for SAs");
		return -ENOMEM;
	}
	e = entry_find(r, &scrubbed, spec->name);
	if (!e) {
		bool running = r->entries != NULL;

		e = entry_make(r, spec);
		if (!e) {
			snprintf(error, error_size,
				running ? "SA with SPI 0x%x: the replay window of a running SA can grow only with new "
					  "keys"
					: "SA with SPI 0x%x: no memory, or its keys do not fit its algorithms",
				spec->config.spi);
			return -EINVAL;
		}
		*new_marks |= r->wanted != 0;
	}
	spec->sa = e->sa;
	return 0;
}

int
sa_store_fill(struct sa_store *s, struct world *w, char *error, size_t error_size)
{
	bool new_marks = false;
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	for (uint32_t i = 0; i < w->spec.n_sas && rc == 0; i++)
		rc = fill_one(s, &w->spec.sa[i], &new_marks, error, error_size);
	if (rc == 0 && new_marks) {
		rc = write_now(s);
		if (rc)
			snprintf(error, error_size, "sequence marks in %s: %s", s->folder, strerror(-rc));
	}
	pthread_mutex_unlock(&s->lock);
	world_wipe_keys(w);
	return rc;
}

/* ---- sweep -------------------------------------------------------------------------- */

static int
pointer_compare(const void *a, const void *b)
{
	const struct sa *const *x = a, *const *y = b;

	return (*x > *y) - (*x < *y);
}

/* SAs that some world names, sorted. NULL: no memory. */
static struct sa **
sas_named(struct world *const *live, uint32_t n, size_t *count)
{
	size_t room = 1;
	struct sa **sa;

	for (uint32_t i = 0; i < n; i++)
		room += live[i] ? live[i]->spec.n_sas : 0;
	sa = malloc(room * sizeof(*sa));
	*count = 0;
	for (uint32_t i = 0; sa && i < n; i++)
		for (uint32_t k = 0; live[i] && k < live[i]->spec.n_sas; k++)
			if (live[i]->spec.sa[k].sa)
				sa[(*count)++] = live[i]->spec.sa[k].sa;
	if (sa)
		qsort(sa, *count, sizeof(*sa), pointer_compare);
	return sa;
}

/* Nobody uses the SA any more: its last number is exact. */
static void
record_retire(struct sa_record *r, struct sa *last)
{
	struct sa_counters c;

	sa_counters_read(last, &c);
	if (!r->mark.outbound || c.sequence < r->mark.number)
		r->wanted = c.sequence;
}

static void
record_sweep(struct sa_record *r, struct sa *const *named, size_t n)
{
	struct sa_entry **at = &r->entries;

	while (*at) {
		struct sa_entry *e = *at;

		if (bsearch(&e->sa, named, n, sizeof(*named), pointer_compare)) {
			at = &e->next;
			continue;
		}
		if (e == r->entries && !e->next)
			record_retire(r, e->sa);
		*at = e->next;
		sa_free(e->sa);
		free(e);
	}
}

void
sa_store_sweep(struct sa_store *s, struct world *const *live, uint32_t n)
{
	size_t count;
	struct sa **named;

	pthread_mutex_lock(&s->lock);
	named = sas_named(live, n, &count);
	for (uint32_t i = 0; named && i < s->records.n; i++)
		record_sweep(&s->records.record[i], named, count);
	free(named);
	pthread_mutex_unlock(&s->lock);
}

/* ---- tick --------------------------------------------------------------------------- */

/* More than half of the block is used: the next one, twice as large if this one went within a few ticks. */
static bool
outbound_want(struct sa_record *r)
{
	struct sa_counters c;
	uint64_t left;

	sa_counters_read(r->entries->sa, &c);
	left = c.reserved > c.sequence ? c.reserved - c.sequence : 0;
	if (left > r->block / 2)
		return false;
	if (left < r->block / 4 && r->block < SA_BLOCK_MAX)
		r->block *= 2;
	r->wanted = c.sequence > UINT64_MAX - r->block ? UINT64_MAX : c.sequence + r->block;
	if (r->wanted <= r->mark.number)
		r->wanted = 0;
	return r->wanted != 0;
}

static bool
inbound_want(struct sa_record *r)
{
	struct sa_counters c;

	sa_counters_read(r->entries->sa, &c);
	if (c.sequence == r->mark.number)
		return false;
	r->wanted = c.sequence;
	return true;
}

static bool
marks_wanted(struct sa_store *s)
{
	uint64_t now = clock_boot_ns();
	bool inbound = now >= s->inbound_due_ns, wanted = false;

	if (inbound)
		s->inbound_due_ns = now + INBOUND_NS;
	for (uint32_t i = 0; i < s->records.n; i++) {
		struct sa_record *r = &s->records.record[i];

		if (!r->entries)
			wanted |= r->wanted != 0 && inbound;
		else if (r->mark.outbound)
			wanted |= outbound_want(r);
		else if (inbound)
			wanted |= inbound_want(r);
	}
	return wanted;
}

void
sa_store_tick(struct sa_store *s)
{
	if (pthread_mutex_trylock(&s->lock) != 0)
		return;
	if (job_finish(s, false) && marks_wanted(s)) {
		s->job = job_make(s);
		if (s->job) {
			mark_writer_give(s->writer, s->job->text, s->job->size);
			s->job->text = NULL;
		}
	}
	pthread_mutex_unlock(&s->lock);
}
