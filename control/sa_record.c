/* Records by fingerprint: an array that only grows, and an open-addressing index. */
#include "control/sa_record.h"

#include "dataplane/dataplane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RECORDS_MAX (1u << 22)

static uint32_t
place_of(const struct sa_records *s, const struct sequence_record *r)
{
	uint32_t h;

	memcpy(&h, r->fingerprint, sizeof(h));
	h = (h ^ r->outbound) & (s->places - 1);
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
	uint32_t *index;

	if (!record)
		return -ENOMEM;
	s->record = record;
	index = calloc(room * 2, sizeof(*index));
	if (!index)
		return -ENOMEM;
	free(s->index);
	s->index = index;
	s->room = room;
	s->places = room * 2;
	for (uint32_t i = 0; i < s->n; i++)
		s->index[place_of(s, &s->record[i].mark)] = i + 1;
	return 0;
}

struct sa_record *
sa_record_get(struct sa_records *s, const struct sequence_record *wanted)
{
	uint32_t place;

	if (s->n == s->room && records_grow(s) != 0)
		return NULL;
	place = place_of(s, wanted);
	if (s->index[place] == 0) {
		s->record[s->n] = (struct sa_record){.mark = *wanted, .block = SA_BLOCK_MIN};
		s->index[place] = ++s->n;
	}
	return &s->record[s->index[place] - 1];
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
	free(s->index);
}
