/* The file of sequence marks: what must outlive a crash so that no number is used twice with one key.
 *
 * Text, one line a record; the last line is a SHA-256 over the others, so that damage is noticed: a file that
 * cannot be trusted is an error, never an empty one. Keys are not in it, only fingerprints.
 * Any thread, one at a time per file.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FINGERPRINT_SIZE 32

struct sequence_record {
	uint8_t fingerprint[FINGERPRINT_SIZE];
	bool outbound;
	bool negotiated; /* by IKE: of no use once charon has forgotten the SA */
	uint64_t number; /* outbound: no number from here on was used; inbound: the highest accepted */
};

/* Every record of the file, in *out (free it); none when there is no file. -EBADMSG: damaged. */
int sequence_file_read(const char *folder, struct sequence_record **out, uint32_t *n, char *error, size_t error_size);
/* The text of a file. NULL: no memory. */
char *sequence_file_text(const struct sequence_record *r, uint32_t n, size_t *size);
/* Durable when it returns 0: written beside, synced, renamed, folder synced. -errno. */
int sequence_file_write(const char *folder, const char *text, size_t size);
