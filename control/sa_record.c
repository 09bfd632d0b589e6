/* Records by fingerprint: an array that only grows, whose forgotten places are used again, and an open-addressing
 * index. */
#include "control/sa_record.h"

#include "dataplane/dataplane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RECORDS_MAX (1u << 22)

static uint32_t
home_of(const struct sa_records *s, const struct sequence_record *r)
{
	uint32_t h;

	memcpy(&h, r->fingerprint, sizeof(h));
	return (h ^ r->outbound) & (s->places - 1);
}

static uint32_t
place_of(const struct sa_records *s, const struct sequence_record *r)
{
	uint32_t h = home_of(s, r);

	while (s->index[h]) {
		const struct sequence_record *other = &s->record[s->index[h] - 1].mark;

		if (other->outbound == r->outbound && memcmp(other->fingerprint, r->fingerprint, FINGERPRINT_SIZE) == 0)
			break;
		h = (h + 1) & (s->places - 1);
	}
	return h;
}

static int
records_grow(struct sa_records *s)
{
	uint32_t room = s->room ? s->room * 2 : 64;
	struct sa_record *record = room <= RECORDS_MAX ? realloc(s->record, room * sizeof(*record)) : NULL;
	uint32_t *index, *spare;

	if (!record)
		return -ENOMEM;
	s->record = record;
	spare = realloc(s->spare, room * sizeof(*spare));
	if (!spare)
		return -ENOMEM;
	s->spare = spare;
	index = calloc(room * 2, sizeof(*index));
	if (!index)
		return -ENOMEM;
	free(s->index);
	s->index = index;
	s->room = room;
	s->places = room * 2;
	for (uint32_t i = 0; i < s->n; i++)
		if (!s->record[i].forgotten)
			s->index[place_of(s, &s->record[i].mark)] = i + 1;
	return 0;
}

/* A place for a new record: one that is free, or the next. */
static uint32_t
record_place(struct sa_records *s, const struct sequence_record *mark)
{
	bool again = s->n_spare > 0;
	uint32_t at = again ? s->spare[--s->n_spare] : s->n++;
	uint32_t turn = again ? s->record[at].turn : 0;

	s->record[at] = (struct sa_record){.mark = *mark, .block = SA_BLOCK_MIN, .turn = turn};
	return at;
}

struct sa_record *
sa_record_get(struct sa_records *s, const struct sequence_record *wanted)
{
	uint32_t place;

	if (s->n == s->room && s->n_spare == 0 && records_grow(s) != 0)
		return NULL;
	place = place_of(s, wanted);
	if (s->index[place] == 0)
		s->index[place] = record_place(s, wanted) + 1;
	return &s->record[s->index[place] - 1];
}

struct sa_record *
sa_record_find(const struct sa_records *s, const struct sequence_record *wanted)
{
	uint32_t place = s->places ? place_of(s, wanted) : 0;

	return s->places && s->index[place] ? &s->record[s->index[place] - 1] : NULL;
}

/* The gap moves on until nobody behind it would rather stand in it. */
static void
index_remove(struct sa_records *s, uint32_t gap)
{
	uint32_t mask = s->places - 1;

	for (uint32_t at = (gap + 1) & mask; s->index[at]; at = (at + 1) & mask) {
		uint32_t home = home_of(s, &s->record[s->index[at] - 1].mark);

		if (((at - home) & mask) < ((at - gap) & mask))
			continue;
		s->index[gap] = s->index[at];
		gap = at;
	}
	s->index[gap] = 0;
}

void
sa_record_forget(struct sa_records *s, struct sa_record *r)
{
	index_remove(s, place_of(s, &r->mark));
	*r = (struct sa_record){.turn = r->turn + 1, .forgotten = true};
	s->spare[s->n_spare++] = (uint32_t)(r - s->record);
}

void
sa_records_free(struct sa_records *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		while (s->record[i].entries) {
			struct sa_entry *e = s->record[i].entries;

			s->record[i].entries = e->next;
			sa_free(e->sa);
			free(e);
		}
	}
	free(s->record);
	free(s->spare);
	free(s->index);
}
