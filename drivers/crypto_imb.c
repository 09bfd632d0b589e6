/* The ciphers of ESP on IPsec-MB, burst by burst.
 *
 * GCM and GMAC: one-shot calls through a function pointer chosen when the key is made. CBC and NULL
 * with HMAC: IPsec-MB's synchronous cipher and hash bursts, grouped by algorithm; keys differ from
 * packet to packet, so that one burst of many tunnels fills the lanes as well as one of a single
 * tunnel. They cost less than chained jobs and let opening verify before it decrypts.
 *
 * Nonces. GCM and GMAC: salt, then the 64-bit sequence number as explicit IV (RFC 4106 section 3.1:
 * any that never repeats): a number is never used twice with one key, so neither is a nonce.
 * CBC: the IV must be unpredictable. It is the encryption of (sequence number xor a secret random
 * mask of this key object), had for the price of one block: the masked number stands where the IV
 * goes and is enciphered as the first block, under a zero IV, so its cipher text is the IV of what
 * follows. The mask keeps the number apart from any block an adversary may choose.
 *
 * ESN (RFC 4303 section 2.2.1): the high half is authenticated, not sent. GCM: inside the AAD. GMAC:
 * between SPI and low half. HMAC: behind the trailer, where the ICV will stand; what is there is
 * saved before.
 */
#include "drivers/crypto_imb.h"

#include <stdlib.h>
#include <string.h>

/* What the library reads beside key and text. */
struct gcm_given {
	_Alignas(16) uint8_t nonce[16]; /* GCM_SALT + GCM_IV of them */
	uint32_t aad[3];                /* SPI, high half with ESN, low half */
};

/* One worker's. */
struct crypto_worker {
	IMB_MGR *manager;
	IMB_MGR *by_hash[HASH_COUNT]; /* manager or sha */
	IMB_MGR *sha;                 /* NULL or a second manager whose SHA-256 is faster */
	struct gcm_context_data gcm;
	struct gcm_given given[CRYPTO_BURST_MAX];
	IMB_JOB job[CRYPTO_BURST_MAX];
	struct crypto_op *chain[CRYPTO_BURST_MAX];
	struct crypto_op *group[CRYPTO_BURST_MAX];
	uint8_t *icv_out[CRYPTO_BURST_MAX];            /* where the ICV of chain[i] is written */
	uint8_t icv[CRYPTO_BURST_MAX][CRYPTO_ICV_MAX]; /* received ones */
	uint8_t tag[CRYPTO_BURST_MAX][CRYPTO_ICV_MAX]; /* computed ones */
};

static const uint8_t zero_iv[CBC_BLOCK];

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

/* ---- GCM and GMAC, packet by packet ------------------------------------------------- */

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
		k->esn ? sizeof(g->aad) : ESP_HEADER, tag, GCM_ICV);
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
	else
		gmac_packet(w, op, g, tag);
}

/* ---- CBC and NULL with HMAC, in bursts ---------------------------------------------- */

/* Move the packets of `op` that want this cipher to w->group. */
static uint32_t
group_by_cipher(struct crypto_worker *w, struct crypto_op *const *op, uint32_t n, enum cipher cipher)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < n; i++)
		if (op[i]->key->cipher == cipher)
			w->group[found++] = op[i];
	return found;
}

static void
cbc_burst(struct crypto_worker *w, uint32_t n, enum cipher cipher, IMB_CIPHER_DIRECTION direction)
{
	bool seal = direction == IMB_DIR_ENCRYPT;

	for (uint32_t i = 0; i < n; i++) {
		const struct crypto_op *op = w->group[i];
		uint8_t *iv = op->esp + ESP_HEADER;
		IMB_JOB *job = &w->job[i];

		/* Sealing enciphers the masked number into the IV on the way. */
		job->src = job->dst = seal ? iv : iv + CBC_BLOCK;
		job->iv = seal ? zero_iv : iv;
		job->iv_len_in_bytes = CBC_BLOCK;
		job->cipher_start_src_offset_in_bytes = 0;
		job->msg_len_to_cipher_in_bytes = op->length - ESP_HEADER - (seal ? 0 : CBC_BLOCK);
		job->enc_keys = op->key->chain.enc;
		job->dec_keys = op->key->chain.dec;
	}
	w->manager->submit_cipher_burst_nocheck(w->manager, w->job, n, IMB_CIPHER_CBC, direction,
		cipher == CIPHER_CBC_128 ? IMB_KEY_128_BYTES : IMB_KEY_256_BYTES);
}

static void
cbc_all(struct crypto_worker *w, struct crypto_op *const *op, uint32_t n, IMB_CIPHER_DIRECTION direction)
{
	for (enum cipher c = CIPHER_CBC_128; c < CIPHER_COUNT; c++) {
		uint32_t found = group_by_cipher(w, op, n, c);

		if (found)
			cbc_burst(w, found, c, direction);
	}
}

/* HMAC of every packet in w->chain[0..n). */
static void
hmac_all(struct crypto_worker *w, uint32_t n)
{
	for (enum hash h = HASH_SHA1; h < HASH_COUNT; h++) {
		uint32_t found = 0;

		for (uint32_t i = 0; i < n; i++) {
			const struct crypto_op *op = w->chain[i];
			const struct crypto_key *k = op->key;
			IMB_JOB *job = &w->job[found];

			if (k->hash != h)
				continue;
			job->src = op->esp;
			job->hash_start_src_offset_in_bytes = 0;
			job->msg_len_to_hash_in_bytes = op->length + (k->esn ? 4u : 0u);
			job->auth_tag_output = w->icv_out[i];
			job->auth_tag_output_len_in_bytes = crypto_hash[h].icv;
			job->u.HMAC._hashed_auth_key_xor_ipad = k->chain.inner;
			job->u.HMAC._hashed_auth_key_xor_opad = k->chain.outer;
			found++;
		}
		if (found)
			w->by_hash[h]->submit_hash_burst_nocheck(
				w->by_hash[h], w->job, found, crypto_hash[h].algorithm);
	}
}

/* The longest first: short ones fill the lanes that come free while long ones end. In order, a long one that came last
 * would have the lanes for itself. n is one burst. */
static void
chain_sort(struct crypto_op **op, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++) {
		struct crypto_op *o = op[i];
		uint32_t at = i;

		for (; at > 0 && op[at - 1]->length < o->length; at--)
			op[at] = op[at - 1];
		op[at] = o;
	}
}

static inline void
esn_append(const struct crypto_op *op)
{
	uint32_t high = __builtin_bswap32(op->sequence >> 32);

	memcpy(op->esp + op->length, &high, 4);
}

static void
chain_seal(struct crypto_worker *w, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct crypto_op *op = w->chain[i];
		const struct crypto_key *k = op->key;
		uint64_t number[2] = {k->chain.mask[0], k->chain.mask[1] ^ op->sequence};

		if (k->cipher != CIPHER_NULL)
			memcpy(op->esp + ESP_HEADER, number, sizeof(number));
		if (k->esn)
			esn_append(op);
		w->icv_out[i] = op->esp + op->length; /* over the appended half: the hash has taken it by then */
	}
	cbc_all(w, w->chain, n, IMB_DIR_ENCRYPT);
	hmac_all(w, n);
}

static void
chain_open(struct crypto_worker *w, uint32_t n)
{
	uint32_t good = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct crypto_op *op = w->chain[i];

		memcpy(w->icv[i], op->esp + op->length, op->key->sizes.icv);
		if (op->key->esn)
			esn_append(op);
		w->icv_out[i] = w->tag[i];
	}
	hmac_all(w, n);

	for (uint32_t i = 0; i < n; i++) {
		struct crypto_op *op = w->chain[i];

		op->ok = crypto_equal(w->icv[i], w->tag[i], op->key->sizes.icv);
		if (op->ok)
			w->chain[good++] = op;
	}
	cbc_all(w, w->chain, good, IMB_DIR_DECRYPT);
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

	for (uint16_t i = 0; i < n; i++) {
		uint64_t iv = __builtin_bswap64(op[i].sequence);

		if (op[i].key->kind == KIND_CHAIN) {
			w->chain[chained++] = &op[i];
			continue;
		}
		memcpy(op[i].esp + ESP_HEADER, &iv, GCM_IV);
		gcm_give(&w->given[i], &op[i], iv);
	}
	for (uint16_t i = 0; i < n; i++) {
		keys_ahead(op, i, n);
		if (op[i].key->kind != KIND_CHAIN)
			combined_packet(w, &op[i], &w->given[i], op[i].esp + op[i].length);
	}
	if (chained) {
		chain_sort(w->chain, chained);
		chain_seal(w, chained);
	}
}

static inline bool
icv16_equal(const uint8_t *a, const uint8_t *b)
{
	uint64_t x[2], y[2];

	memcpy(x, a, GCM_ICV);
	memcpy(y, b, GCM_ICV);
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

void
crypto_open(struct crypto_worker *w, struct crypto_op *op, uint16_t n)
{
	uint32_t chained = 0;

	for (uint16_t i = 0; i < n; i++) {
		uint64_t iv;

		if (op[i].key->kind == KIND_CHAIN) {
			w->chain[chained++] = &op[i];
			continue;
		}
		memcpy(&iv, op[i].esp + ESP_HEADER, GCM_IV);
		gcm_give(&w->given[i], &op[i], iv);
	}
	for (uint16_t i = 0; i < n; i++) {
		keys_ahead(op, i, n);
		if (op[i].key->kind != KIND_CHAIN)
			combined_packet(w, &op[i], &w->given[i], w->tag[i]);
	}
	for (uint16_t i = 0; i < n; i++)
		if (op[i].key->kind != KIND_CHAIN)
			op[i].ok = icv16_equal(w->tag[i], op[i].esp + op[i].length);
	if (chained) {
		chain_sort(w->chain, chained);
		chain_open(w, chained);
	}
}

/* ---- the floor ---------------------------------------------------------------------- */

void
crypto_raw(struct crypto_worker *w, const struct crypto_key *k, bool open, uint8_t *const *text, uint16_t length,
	uint16_t n)
{
	static const uint8_t nonce[GCM_SALT + GCM_IV];
	uint8_t tag[CRYPTO_ICV_MAX];

	if (k->kind != KIND_CHAIN) {
		for (uint16_t i = 0; i < n; i++)
			k->gcm(&k->gcm_key, &w->gcm, text[i], text[i], length, nonce, text[i], ESP_HEADER, tag,
				GCM_ICV);
		return;
	}
	for (uint16_t i = 0; i < n; i++) {
		w->job[i].src = w->job[i].dst = text[i];
		w->job[i].iv = zero_iv;
		w->job[i].iv_len_in_bytes = CBC_BLOCK;
		w->job[i].cipher_start_src_offset_in_bytes = w->job[i].hash_start_src_offset_in_bytes = 0;
		w->job[i].msg_len_to_cipher_in_bytes = length;
		w->job[i].enc_keys = k->chain.enc;
		w->job[i].dec_keys = k->chain.dec;
	}
	w->manager->submit_cipher_burst_nocheck(w->manager, w->job, n, IMB_CIPHER_CBC,
		open ? IMB_DIR_DECRYPT : IMB_DIR_ENCRYPT,
		k->cipher == CIPHER_CBC_128 ? IMB_KEY_128_BYTES : IMB_KEY_256_BYTES);
	for (uint16_t i = 0; i < n; i++) {
		w->job[i].msg_len_to_hash_in_bytes = length + ESP_HEADER + CBC_BLOCK;
		w->job[i].auth_tag_output = w->icv[i];
		w->job[i].auth_tag_output_len_in_bytes = crypto_hash[k->hash].icv;
		w->job[i].u.HMAC._hashed_auth_key_xor_ipad = k->chain.inner;
		w->job[i].u.HMAC._hashed_auth_key_xor_opad = k->chain.outer;
	}
	w->by_hash[k->hash]->submit_hash_burst_nocheck(w->by_hash[k->hash], w->job, n, crypto_hash[k->hash].algorithm);
}
