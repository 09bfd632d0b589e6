/* What the SA store remembers: records by fingerprint, and the SAs that live on them. Under the store's lock. */
#pragma once

#include "config/resource.h"
#include "control/sequence_file.h"

#define SA_BLOCK_MIN (1ull << 20)

struct sa;

struct sa_entry {
	struct sa_entry *next; /* of the same record */
	struct sa *sa;
	struct cfg_sa config; /* without keys */
	uint32_t name;
};

struct sa_record {
	struct sequence_record mark; /* number: on disk, or on its way there in a fill */
	uint64_t wanted;             /* to be on disk; 0 = nothing new */
	uint64_t block;
	struct sa_entry *entries; /* the newest first */
	uint32_t turn;            /* how often its place was given to another one */
	bool forgotten;           /* the place is free */
};

struct sa_records {
	struct sa_record *record;
	uint32_t n, room;
	uint32_t *spare; /* places of forgotten records, below n */
	uint32_t n_spare;
	uint32_t *index; /* hashed by fingerprint: record + 1; a power of two of places */
	uint32_t places;
};

/* NULL: there is none of this fingerprint and direction. Valid until the next sa_record_get. */
struct sa_record *sa_record_find(const struct sa_records *s, const struct sequence_record *wanted);
/* The record has no entries; its place may be given to another one. */
void sa_record_forget(struct sa_records *s, struct sa_record *r);
/* The record of this fingerprint and direction; made as given when there is none. NULL: no memory. Valid until the
 * next call. */
struct sa_record *sa_record_get(struct sa_records *s, const struct sequence_record *wanted);
/* Frees the SAs too. */
void sa_records_free(struct sa_records *s);
