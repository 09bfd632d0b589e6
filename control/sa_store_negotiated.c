/* SAs that IKE negotiated, and their marks.
 *
 * Such keys are used once: when the SA goes its record goes too. A crash of this process leaves charon and its SAs
 * alive; their records tell where numbering may go on. An SA without a record cannot go on at all, and that is what
 * makes its first block free: its numbers are in nobody's way if the record never reached the disk.
 */
#include "control/sa_identity.h"
#include "control/sa_store_state.h"

#include <errno.h>
#include <stdlib.h>

static struct sa *
sa_of(struct sa_record *r, const struct cfg_sa *c, bool replayed)
{
	uint64_t first = r->mark.number;

	if (!r->mark.outbound)
		return sa_create(c, first + 1, first + 1);
	r->wanted = first > UINT64_MAX - r->block ? UINT64_MAX : first + r->block;
	return sa_create(c, first, replayed ? first : r->wanted);
}

static struct sa_entry *
entry_add(struct sa_record *r, struct sa *sa, const struct cfg_sa *c, uint32_t name)
{
	struct sa_entry *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	*e = (struct sa_entry){.next = r->entries, .sa = sa, .config = sa_without_keys(c), .name = name};
	r->entries = e;
	sa_set_name(sa, name);
	return e;
}

/* The record by the rules of sa_store_take. Lock held. */
static int
record_for(struct sa_store *s, const struct sequence_record *wanted, bool replayed, struct sa_record **out)
{
	*out = sa_record_find(&s->records, wanted);
	if (replayed && (!*out || (*out)->entries))
		return -ENOENT;
	if (!replayed && *out)
		return -EEXIST;
	if (!*out)
		*out = sa_record_get(&s->records, wanted);
	return *out ? 0 : -ENOMEM;
}

int
sa_store_take(
	struct sa_store *s, const struct cfg_sa *c, uint32_t name, bool replayed, struct sa **out, uint32_t *record)
{
	struct sequence_record wanted;
	struct sa_record *r;
	struct sa *sa;
	int rc;

	sa_fingerprint(c, &wanted);
	wanted.negotiated = true;
	pthread_mutex_lock(&s->lock);
	rc = record_for(s, &wanted, replayed, &r);
	if (rc == 0) {
		sa = sa_of(r, c, replayed);
		if (!sa || !entry_add(r, sa, c, name)) {
			sa_free(sa);
			sa_record_forget(&s->records, r);
			rc = -EINVAL;
		}
	}
	if (rc == 0) {
		*out = sa;
		*record = (uint32_t)(r - s->records.record);
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

struct sa *
sa_store_rebind(struct sa_store *s, uint32_t record, struct sa *running, const struct cfg_sa *c)
{
	struct sa_record *r;
	struct sa *sa;

	pthread_mutex_lock(&s->lock);
	r = &s->records.record[record];
	sa = sa_rebind(c, running);
	if (sa && !entry_add(r, sa, c, r->entries->name)) {
		sa_free(sa);
		sa = NULL;
	}
	pthread_mutex_unlock(&s->lock);
	return sa;
}

void
sa_store_drop(struct sa_store *s, uint32_t record, struct sa *sa)
{
	struct sa_record *r;
	struct sa_entry **at;

	pthread_mutex_lock(&s->lock);
	r = &s->records.record[record];
	for (at = &r->entries; *at && (*at)->sa != sa;)
		at = &(*at)->next;
	if (*at)
		sa_record_release(r, at);
	if (!r->entries && !r->forgotten)
		sa_record_forget(&s->records, r);
	pthread_mutex_unlock(&s->lock);
}

void
sa_store_forget_unclaimed(struct sa_store *s)
{
	pthread_mutex_lock(&s->lock);
	for (uint32_t i = 0; i < s->records.n; i++) {
		struct sa_record *r = &s->records.record[i];

		if (!r->forgotten && r->mark.negotiated && !r->entries)
			sa_record_forget(&s->records, r);
	}
	pthread_mutex_unlock(&s->lock);
}
