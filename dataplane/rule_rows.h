/* For each thing a rule looks at, and each class of its values: the rules that are content with it, a bit each.
 *
 * A packet's rule is the lowest bit that is set in all of its seven rows. Nothing is multiplied with
 * anything: rows are as many as there are classes of values, and each is as long as there are rules. A row begins
 * with its summary, a bit for each of its words that is not 0: the AND of seven summaries leaves few words to look at.
 *
 * Build: builder thread (libc memory). The rest: any thread that keeps the object.
 */
#pragma once

#include "dataplane/dataplane.h"
#include "dataplane/prefix_sets.h"

/* The values of a port fall into intervals between which some rule changes its mind. */
struct port_intervals {
	uint16_t *start; /* ascending, the first is 0 */
	uint32_t n;
	uint16_t of_high[257]; /* interval of the first port with this high byte; the last interval */
};

enum row_kind {
	ROW_SOURCE,
	ROW_DESTINATION,
	ROW_SOURCE_PORT,
	ROW_DESTINATION_PORT,
	ROW_PROTOCOL,
	ROW_SOURCE_TAGS,
	ROW_DESTINATION_TAGS,
	ROW_KINDS
};

#define RULES_PER_WORD 64

struct rule_rows {
	uint32_t words; /* of a row: the summary and the rules */
	uint64_t *row[ROW_KINDS];
	struct prefix_sets source, destination;
	struct port_intervals source_port, destination_port;
	uint16_t protocol[2][256]; /* IPv4, IPv6 -> row */
	uint8_t source_tags[256], destination_tags[256];
};

/* 0, -ENOMEM, -EINVAL or -E2BIG with a text. rule_rows_clear is legal after each. */
int rule_rows_build(struct rule_rows *r, const struct acl_spec *spec, size_t bytes_max, char *error, size_t error_size);
void rule_rows_clear(struct rule_rows *r);

static inline uint32_t
port_interval(const struct port_intervals *p, uint16_t port)
{
	uint32_t low = p->of_high[port >> 8], high = p->of_high[(port >> 8) + 1];

	while (low < high) {
		uint32_t middle = (low + high + 1) / 2;

		if (p->start[middle] <= port)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}
