/* The ciphers of ESP, whole bursts at a time; IPsec-MB stays behind this page.
 *
 * A crypto_key is one SA's algorithms, keys expanded and functions chosen, for one direction. A
 * crypto_op is one packet. Sealing and opening work in place: the packet's authenticated part
 * starts at `esp` (the ESP header), `length` bytes later comes the ICV.
 *
 * crypto_key_create may be called by any thread; a key is read-only afterwards and shared by all
 * workers. A crypto_worker belongs to one worker. Nothing here logs, and keys are wiped when freed.
 */
#pragma once

#include "config/resource.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRYPTO_BURST_MAX 64
#define CRYPTO_ICV_MAX 32
#define CRYPTO_SHA256 32

struct crypto_key;
struct crypto_worker;

struct crypto_op {
	const struct crypto_key *key;
	uint8_t *esp;      /* SPI, sequence number, IV, payload, trailer; then the ICV */
	uint64_t sequence; /* all 64 bits, also without ESN */
	uint16_t length;   /* from esp to the ICV */
	bool ok;           /* crypto_open: the ICV was right */
};

/* Sizes that the wire format needs; constant. */
struct crypto_sizes {
	uint8_t iv; /* bytes of IV between the ESP header and the payload */
	uint8_t icv;
	uint8_t block; /* payload and trailer are a multiple of it: 4, 8 or 16 */
};

/* config->outbound decides the direction. -EINVAL: the algorithms or key lengths don't go together. */
int crypto_key_create(const struct cfg_sa *config, struct crypto_key **out);
/* One more holder, who frees it, too. Builder or control, one at a time. */
struct crypto_key *crypto_key_ref(const struct crypto_key *k);
void crypto_key_free(struct crypto_key *k);
struct crypto_sizes crypto_key_sizes(const struct crypto_key *k);

/* Control, before the worker starts. NULL: no memory or no usable CPU. */
struct crypto_worker *crypto_worker_create(void);
void crypto_worker_free(struct crypto_worker *w);

/* Worker. n <= CRYPTO_BURST_MAX packets of any mix of SAs.
 * Seal: SPI, sequence number, payload and trailer are in place; writes IV, cipher text and ICV.
 * Behind op.esp + op.length there is room for the ICV. */
void crypto_seal(struct crypto_worker *w, struct crypto_op *op, uint16_t n);
/* Open: sets op.ok; the payload is clear text where ok. Compared in constant time. */
void crypto_open(struct crypto_worker *w, struct crypto_op *op, uint16_t n);

/* Any thread. */
void crypto_sha256(const void *data, size_t size, uint8_t digest[CRYPTO_SHA256]);
/* Random bytes of the kernel. 0 or -errno. */
int crypto_random(void *out, size_t size);
/* In constant time. */
bool crypto_equal(const void *a, const void *b, size_t size);

/* The bench's floor: the library's calls alone on n <= CRYPTO_BURST_MAX buffers of `length` bytes, GCM or CBC with HMAC
 * in the key's direction (open: that of an inbound one), nothing prepared and nothing checked. text[i] has 24 bytes
 * behind its length. */
void crypto_raw(struct crypto_worker *w, const struct crypto_key *k, bool open, uint8_t *const *text, uint16_t length,
	uint16_t n);
