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
 * SAs that IKE negotiated: sa_store_negotiated.c.
 */
#include "control/sa_store.h"

#include "control/sa_identity.h"
#include "control/sa_store_state.h"
#include "control/sequence_file.h"
#include "control/state_lock.h"
#include "drivers/clock.h"
#include "drivers/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SA_BLOCK_MAX (1ull << 26)
#define INBOUND_NS 2000000000ull /* how old the recorded number of an inbound SA may be */
#define COMPLAIN_NS 10000000000ull

/* A text for the disk, and what it says. */
struct sa_store_job {
	char *text;
	size_t size;
	struct written *written; /* of each record */
	uint32_t n;
};

struct written {
	uint64_t number;
	uint32_t turn;
	bool forgotten;
};

/* ---- the disk ----------------------------------------------------------------------- */

static void
job_free(struct sa_store_job *j)
{
	if (!j)
		return;
	free(j->text);
	free(j->written);
	free(j);
}

/* What is on disk and what is wanted there, by record and as the text's records. Returns how many the text has. */
static uint32_t
job_fill(const struct sa_records *s, struct written *w, struct sequence_record *text)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		const struct sa_record *r = &s->record[i];
		uint64_t number = r->wanted ? r->wanted : r->mark.number;

		w[i] = (struct written){number, r->turn, r->forgotten};
		if (r->forgotten)
			continue;
		text[n] = r->mark;
		text[n++].number = number;
	}
	return n;
}

/* Lock held. */
static struct sa_store_job *
job_make(const struct sa_store *s)
{
	struct sequence_record *r = malloc((s->records.n + 1) * sizeof(*r));
	struct sa_store_job *j = calloc(1, sizeof(*j));

	if (r && j)
		j->written = malloc((s->records.n + 1) * sizeof(*j->written));
	if (!r || !j || !j->written) {
		free(r);
		job_free(j);
		return NULL;
	}
	j->n = s->records.n;
	j->text = sequence_file_text(r, job_fill(&s->records, j->written, r), &j->size);
	free(r);
	if (!j->text) {
		job_free(j);
		return NULL;
	}
	return j;
}

/* What the job wrote is durable: outbound SAs may use it. Places never move, so the job's are the first n; a place that
 * was given to another record meanwhile is none of its. Lock held.
 */
static void
job_apply(struct sa_store *s, const struct sa_store_job *j)
{
	for (uint32_t i = 0; i < j->n; i++) {
		struct sa_record *r = &s->records.record[i];
		const struct written *w = &j->written[i];

		if (w->forgotten || w->turn != r->turn)
			continue;
		r->mark.number = w->number;
		if (r->wanted == w->number)
			r->wanted = 0;
		if (r->mark.outbound && r->entries)
			sa_reserve(r->entries->sa, r->mark.number);
	}
}

/* Takes back what the writer has done. False: something is under way. Lock held. */
static bool
job_finish(struct sa_store *s)
{
	uint64_t now = clock_boot_ns();
	int result = 0;

	switch (mark_writer_ask(s->writer, &result)) {
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

/* Builder or the end. Writes what is wanted and waits for it; the lock, held before and after, is given up meanwhile,
 * as control must not wait for the disk. */
static int
write_now(struct sa_store *s)
{
	struct sa_store_job *j;
	int rc;

	while (!job_finish(s)) {
		pthread_mutex_unlock(&s->lock);
		mark_writer_settle(s->writer);
		pthread_mutex_lock(&s->lock);
	}
	j = job_make(s);
	if (!j)
		return -ENOMEM;
	s->writing = true;
	pthread_mutex_unlock(&s->lock);
	rc = sequence_file_write(s->folder, j->text, j->size);
	pthread_mutex_lock(&s->lock);
	s->writing = false;
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
		r->wanted = c.sequence < c.reserved || !r->mark.outbound ? c.sequence : c.reserved;
	}
}

void
sa_store_close(struct sa_store *s)
{
	int rc;

	if (!s)
		return;
	mark_writer_settle(s->writer);
	pthread_mutex_lock(&s->lock);
	job_finish(s);
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

/* ---- tick --------------------------------------------------------------------------- */

/* More than half of the block is used: the next one, twice as large if this one went within a few ticks. */
static bool
outbound_want(struct sa_record *r)
{
	struct sa_counters c;
	uint64_t left;

	if (r->wanted)
		return true;
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
	if (!s->writing && job_finish(s) && marks_wanted(s)) {
		s->job = job_make(s);
		if (s->job) {
			mark_writer_give(s->writer, s->job->text, s->job->size);
			s->job->text = NULL;
		}
	}
	pthread_mutex_unlock(&s->lock);
}
