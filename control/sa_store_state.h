/* The inside of the SA store, for its own files. */
#pragma once

#include "control/mark_writer.h"
#include "control/sa_record.h"
#include "control/sa_store.h"

#include <pthread.h>

struct sa_store {
	char *folder;
	pthread_mutex_t lock; /* held for moments only: never while the disk works */
	struct sa_records records;
	uint64_t inbound_due_ns, complain_due_ns;
	bool writing; /* the builder's, without the lock */

	struct mark_writer *writer;
	struct sa_store_job *job; /* with the writer */
};

/* An SA of this record; frees it. Lock held. */
void sa_record_release(struct sa_record *r, struct sa_entry **at);
