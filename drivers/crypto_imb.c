/* The ciphers of ESP on IPsec-MB, burst by burst.
 *
 * GCM and GMAC: one-shot calls through a function pointer chosen when the key is made; ChaCha20-Poly1305 by steps. CCM:
 * crypto_ccm.c. All else: crypto_chain.c.
 *
 * Nonces. Of all these: salt, then the 64-bit sequence number as explicit IV (RFC 4106 section 3.1:
 * any that never repeats): a number is never used twice with one key, so neither is a nonce.
 *
 * ESN (RFC 4303 section 2.2.1): the high half is authenticated, not sent. GCM: inside the AAD. GMAC:
 * between SPI and low half.
 */
#include "drivers/crypto_imb.h"

#include <stdlib.h>
#include <string.h>

struct crypto_worker *
crypto_worker_create(void)
{
	struct crypto_worker *w = aligned_alloc(64, (sizeof(*w) + 63) & ~(size_t)63);

	if (!w)
		return NULL;
	memset(w, 0, sizeof(*w));
	w->manager = crypto_manager_create(false);
	if (!w->manager) {
		free(w);
		return NULL;
	}
	for (uint32_t h = 0; h < HASH_COUNT; h++)
		w->by_hash[h] = w->manager;

	/* Two lanes of the CPU's own SHA instructions beat eight AVX2 lanes, not sixteen of AVX-512. */
	if ((w->manager->features & IMB_FEATURE_SHANI) && w->manager->used_arch < IMB_ARCH_AVX512)
		w->sha = crypto_manager_create(true);
	if (w->sha)
		w->by_hash[HASH_SHA256] = w->sha;
	return w;
}

void
crypto_worker_free(struct crypto_worker *w)
{
	if (!w)
		return;
	crypto_manager_free(w->manager);
	crypto_manager_free(w->sha);
	explicit_bzero(w, sizeof(*w));
	free(w);
}

/* ---- combined modes, packet by packet ------------------------------------------------- */

/* Written for the whole burst before the first packet is enciphered: a wide load right behind the narrow stores that
 * it covers would wait for them to leave the core. */
static inline void
gcm_give(struct gcm_given *g, const struct crypto_op *op, uint64_t iv)
{
	const struct crypto_key *k = op->key;
	uint32_t header[2];

	memcpy(header, op->esp, sizeof(header));
	memcpy(g->nonce, &k->salt, GCM_SALT);
	memcpy(g->nonce + GCM_SALT, &iv, GCM_IV);
	g->aad[0] = header[0];
	g->aad[1] = k->esn ? __builtin_bswap32(op->sequence >> 32) : header[1];
	g->aad[2] = header[1];
}

static inline void
gcm_packet(struct crypto_worker *w, const struct crypto_op *op, const struct gcm_given *g, uint8_t *tag)
{
	const struct crypto_key *k = op->key;
	uint8_t *text = op->esp + ESP_HEADER + GCM_IV;

	k->gcm(&k->gcm_key, &w->gcm, text, text, op->length - ESP_HEADER - GCM_IV, g->nonce, (const uint8_t *)g->aad,
		k->esn ? sizeof(g->aad) : ESP_HEADER, tag, k->sizes.icv);
}

/* RFC 7634 section 2: header and nonce are GCM's. */
static void
chacha_packet(struct crypto_worker *w, const struct crypto_op *op, const struct gcm_given *g, uint8_t *tag)
{
	const struct crypto_key *k = op->key;
	uint8_t *text = op->esp + ESP_HEADER + GCM_IV;

	w->manager->chacha20_poly1305_init(
		k->chacha_key, &w->chacha, g->nonce, g->aad, k->esn ? sizeof(g->aad) : ESP_HEADER);
	k->chacha_update(k->chacha_key, &w->chacha, text, text, op->length - ESP_HEADER - GCM_IV);
	w->manager->chacha20_poly1305_finalize(&w->chacha, tag, GCM_ICV);
}

/* RFC 4543 section 3.3: everything from the SPI to the trailer is authenticated, the IV too. */
static void
gmac_packet(struct crypto_worker *w, const struct crypto_op *op, const struct gcm_given *g, uint8_t *tag)
{
	const struct crypto_key *k = op->key;

	k->gmac_init(&k->gcm_key, &w->gcm, g->nonce, GCM_SALT + GCM_IV);
	k->gmac_update(&k->gcm_key, &w->gcm, (const uint8_t *)g->aad, k->esn ? sizeof(g->aad) : ESP_HEADER);
	k->gmac_update(&k->gcm_key, &w->gcm, op->esp + ESP_HEADER, op->length - ESP_HEADER);
	k->gmac_finalize(&k->gcm_key, &w->gcm, tag, GCM_ICV);
}

static inline void
combined_packet(struct crypto_worker *w, const struct crypto_op *op, const struct gcm_given *g, uint8_t *tag)
{
	if (op->key->kind == KIND_GCM)
		gcm_packet(w, op, g, tag);
	else if (op->key->kind == KIND_GMAC)
		gmac_packet(w, op, g, tag);
	else
		chacha_packet(w, op, g, tag);
}

/* Thousands of SAs do not fit the caches: keys of the packets ahead come while this one is enciphered. */
#define KEYS_AHEAD 4

static inline void
key_prefetch(const struct crypto_op *op)
{
	const struct crypto_key *k = op->key;
	const uint8_t *at = (const uint8_t *)k;
	uint32_t powers = op->length / 16u + 1;

	for (uint32_t line = 0; line < k->head_lines; line++)
		__builtin_prefetch(at + 64 * line);
	if (powers > k->powers_max)
		powers = k->powers_max;
	for (uint32_t from = k->powers_end - 16 * powers; from < k->powers_end; from += 64)
		__builtin_prefetch(at + from);
}

static inline void
keys_ahead(const struct crypto_op *op, uint16_t i, uint16_t n)
{
	if (i + KEYS_AHEAD < n && op[i + KEYS_AHEAD].key != op[i].key)
		key_prefetch(&op[i + KEYS_AHEAD]);
}

/* ---- bursts of anything ------------------------------------------------------------- */

void
crypto_seal(struct crypto_worker *w, struct crypto_op *op, uint16_t n)
{
	uint32_t chained = 0;
	bool ccm = false;

	for (uint16_t i = 0; i < n; i++) {
		uint64_t iv = __builtin_bswap64(op[i].sequence);

		if (op[i].key->kind == KIND_CHAIN) {
			w->chain[chained++] = &op[i];
			continue;
		}
		ccm |= op[i].key->kind == KIND_CCM;
		memcpy(op[i].esp + ESP_HEADER, &iv, GCM_IV);
		gcm_give(&w->given[i], &op[i], iv);
	}
	for (uint16_t i = 0; i < n; i++) {
		keys_ahead(op, i, n);
		if (op[i].key->kind < KIND_CHAIN)
			combined_packet(w, &op[i], &w->given[i], op[i].esp + op[i].length);
	}
	if (ccm)
		crypto_ccm_seal(w, op, n);
	if (chained)
		crypto_chain_seal(w, chained);
}

void
crypto_open(struct crypto_worker *w, struct crypto_op *op, uint16_t n)
{
	uint32_t chained = 0;
	bool ccm = false;

	for (uint16_t i = 0; i < n; i++) {
		uint64_t iv;

		if (op[i].key->kind == KIND_CHAIN) {
			w->chain[chained++] = &op[i];
			continue;
		}
		ccm |= op[i].key->kind == KIND_CCM;
		memcpy(&iv, op[i].esp + ESP_HEADER, GCM_IV);
		gcm_give(&w->given[i], &op[i], iv);
	}
	for (uint16_t i = 0; i < n; i++) {
		keys_ahead(op, i, n);
		if (op[i].key->kind < KIND_CHAIN)
			combined_packet(w, &op[i], &w->given[i], w->tag[i]);
	}
	for (uint16_t i = 0; i < n; i++)
		if (op[i].key->kind < KIND_CHAIN)
			op[i].ok = crypto_icv_equal(w->tag[i], op[i].esp + op[i].length, op[i].key->sizes.icv);
	if (ccm)
		crypto_ccm_open(w, op, n);
	if (chained)
		crypto_chain_open(w, chained);
}

/* ---- the floor ---------------------------------------------------------------------- */

void
crypto_raw(struct crypto_worker *w, const struct crypto_key *k, bool open, uint8_t *const *text, uint16_t length,
	uint16_t n)
{
	static const uint8_t nonce[GCM_SALT + GCM_IV];
	uint8_t tag[CRYPTO_ICV_MAX];

	if (k->kind == KIND_GCM || k->kind == KIND_GMAC) {
		for (uint16_t i = 0; i < n; i++)
			k->gcm(&k->gcm_key, &w->gcm, text[i], text[i], length, nonce, text[i], ESP_HEADER, tag,
				GCM_ICV);
		return;
	}
	if (k->kind == KIND_CHAIN)
		crypto_chain_raw(w, k, open, text, length, n);
}
