/* CBC, CTR and NULL with HMAC: IPsec-MB's synchronous cipher and hash bursts, grouped by algorithm; jobs for DES and
 * MD5.
 *
 * Keys differ from packet to packet, so that one burst of many tunnels fills the lanes as well as one of a single
 * tunnel. They cost less than chained jobs and let opening verify before it decrypts.
 *
 * The IV of CBC must be unpredictable. It is the encryption of (sequence number xor a secret random
 * mask of this key object), had for the price of one block: the masked number stands where the IV
 * goes and is enciphered as the first block, under a zero IV, so its cipher text is the IV of what
 * follows. The mask keeps the number apart from any block an adversary may choose. That of CTR must not repeat: the
 * sequence number, as in GCM.
 *
 * ESN (RFC 4303 section 2.2.1): the high half is authenticated, not sent: behind the trailer, where the ICV will
 * stand; what is there is saved before.
 */
#include "drivers/crypto_imb.h"

#include <string.h>

static const uint8_t zero_iv[CBC_BLOCK];
static const uint8_t aes_key[CIPHER_COUNT] = {[CIPHER_CBC_128] = IMB_KEY_128_BYTES,
	[CIPHER_CBC_192] = IMB_KEY_192_BYTES,
	[CIPHER_CBC_256] = IMB_KEY_256_BYTES,
	[CIPHER_CTR_128] = IMB_KEY_128_BYTES,
	[CIPHER_CTR_192] = IMB_KEY_192_BYTES,
	[CIPHER_CTR_256] = IMB_KEY_256_BYTES};

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

/* The library has no bursts of DES. */
static void
des_jobs(struct crypto_worker *w, uint32_t n, enum cipher cipher, IMB_CIPHER_DIRECTION direction)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct chain_key *k = &w->group[i]->key->chain;
		IMB_JOB *job = &w->job[i];

		job->enc_keys = job->dec_keys = cipher == CIPHER_DES ? (const void *)k->des[0] : k->triple;
		job->key_len_in_bytes = cipher == CIPHER_DES ? DES_KEY : 3 * DES_KEY;
		job->cipher_mode = cipher == CIPHER_DES ? IMB_CIPHER_DES : IMB_CIPHER_DES3;
		job->cipher_direction = direction;
		job->hash_alg = IMB_AUTH_NULL;
		job->chain_order = direction == IMB_DIR_ENCRYPT ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
	}
	crypto_jobs(w->manager, w->job, n);
}

static void
cbc_burst(struct crypto_worker *w, uint32_t n, enum cipher cipher, IMB_CIPHER_DIRECTION direction)
{
	bool seal = direction == IMB_DIR_ENCRYPT, des = cipher == CIPHER_DES || cipher == CIPHER_3DES;
	uint32_t block = des ? DES_BLOCK : CBC_BLOCK;

	for (uint32_t i = 0; i < n; i++) {
		const struct crypto_op *op = w->group[i];
		uint8_t *iv = op->esp + ESP_HEADER;
		IMB_JOB *job = &w->job[i];

		/* Sealing enciphers the masked number into the IV on the way. */
		job->src = job->dst = seal ? iv : iv + block;
		job->iv = seal ? zero_iv : iv;
		job->iv_len_in_bytes = block;
		job->cipher_start_src_offset_in_bytes = 0;
		job->msg_len_to_cipher_in_bytes = op->length - ESP_HEADER - (seal ? 0 : block);
		job->enc_keys = op->key->chain.enc;
		job->dec_keys = op->key->chain.dec;
	}
	if (des)
		des_jobs(w, n, cipher, direction);
	else
		w->manager->submit_cipher_burst_nocheck(
			w->manager, w->job, n, IMB_CIPHER_CBC, direction, (IMB_KEY_SIZE_BYTES)aes_key[cipher]);
}

/* RFC 3686: what the library counts from is nonce, IV and a block number of 1. Both ways are one. */
static void
ctr_burst(struct crypto_worker *w, uint32_t n, enum cipher cipher)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct crypto_op *op = w->group[i];
		uint8_t *iv = op->esp + ESP_HEADER;
		IMB_JOB *job = &w->job[i];

		memcpy(w->nonce[i], &op->key->salt, GCM_SALT);
		memcpy(w->nonce[i] + GCM_SALT, iv, GCM_IV);
		job->src = job->dst = iv + GCM_IV;
		job->iv = w->nonce[i];
		job->iv_len_in_bytes = GCM_SALT + GCM_IV;
		job->cipher_start_src_offset_in_bytes = 0;
		job->msg_len_to_cipher_in_bytes = op->length - ESP_HEADER - GCM_IV;
		job->enc_keys = op->key->chain.enc;
	}
	w->manager->submit_cipher_burst_nocheck(
		w->manager, w->job, n, IMB_CIPHER_CNTR, IMB_DIR_ENCRYPT, (IMB_KEY_SIZE_BYTES)aes_key[cipher]);
}

static void
cipher_all(struct crypto_worker *w, struct crypto_op *const *op, uint32_t n, IMB_CIPHER_DIRECTION direction)
{
	uint32_t ciphers = 0;

	for (uint32_t i = 0; i < n; i++)
		ciphers |= 1u << op[i]->key->cipher;
	for (ciphers &= ~(1u << CIPHER_NULL); ciphers; ciphers &= ciphers - 1) {
		enum cipher c = (enum cipher)__builtin_ctz(ciphers);
		uint32_t found = group_by_cipher(w, op, n, c);

		if (c >= CIPHER_CTR_128)
			ctr_burst(w, found, c);
		else
			cbc_burst(w, found, c, direction);
	}
}

static void
hmac_jobs(struct crypto_worker *w, uint32_t n, enum hash h)
{
	for (uint32_t i = 0; i < n; i++) {
		w->job[i].cipher_mode = IMB_CIPHER_NULL;
		w->job[i].key_len_in_bytes =
			IMB_KEY_128_BYTES; /* of no cipher, but it selects a row of the library's */
		w->job[i].cipher_direction = IMB_DIR_ENCRYPT;
		w->job[i].chain_order = IMB_ORDER_CIPHER_HASH;
		w->job[i].hash_alg = crypto_hash[h].algorithm;
	}
	crypto_jobs(w->manager, w->job, n);
}

static void
hmac_burst(struct crypto_worker *w, uint32_t n, enum hash h)
{
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
	if (crypto_hash[h].burst)
		w->by_hash[h]->submit_hash_burst_nocheck(w->by_hash[h], w->job, found, crypto_hash[h].algorithm);
	else
		hmac_jobs(w, found, h);
}

/* HMAC of every packet in w->chain[0..n). */
static void
hmac_all(struct crypto_worker *w, uint32_t n)
{
	uint32_t hashes = 0;

	for (uint32_t i = 0; i < n; i++)
		hashes |= 1u << w->chain[i]->key->hash;
	for (; hashes; hashes &= hashes - 1)
		hmac_burst(w, n, (enum hash)__builtin_ctz(hashes));
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

/* CBC: what its cipher makes the IV of. CTR: the IV. */
static inline void
iv_write(const struct crypto_op *op)
{
	const struct crypto_key *k = op->key;
	uint64_t number[2] = {k->chain.mask[0] ^ op->sequence, k->chain.mask[1]};
	uint8_t *iv = op->esp + ESP_HEADER;

	if (k->sizes.iv == CBC_BLOCK) {
		memcpy(iv, number, CBC_BLOCK);
	} else if (k->cipher >= CIPHER_CTR_128) {
		number[0] = __builtin_bswap64(op->sequence);
		memcpy(iv, number, GCM_IV);
	} else if (k->sizes.iv == DES_BLOCK) {
		memcpy(iv, number, DES_BLOCK);
	}
}

void
crypto_chain_seal(struct crypto_worker *w, uint32_t n)
{
	chain_sort(w->chain, n);
	for (uint32_t i = 0; i < n; i++) {
		const struct crypto_op *op = w->chain[i];

		iv_write(op);
		if (op->key->esn)
			esn_append(op);
		w->icv_out[i] = op->esp + op->length; /* over the appended half: the hash has taken it by then */
	}
	cipher_all(w, w->chain, n, IMB_DIR_ENCRYPT);
	hmac_all(w, n);
}

void
crypto_chain_open(struct crypto_worker *w, uint32_t n)
{
	uint32_t good = 0;

	chain_sort(w->chain, n);
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
	cipher_all(w, w->chain, good, IMB_DIR_DECRYPT);
}

/* ---- the floor ---------------------------------------------------------------------- */

void
crypto_chain_raw(struct crypto_worker *w, const struct crypto_key *k, bool open, uint8_t *const *text, uint16_t length,
	uint16_t n)
{
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
		open ? IMB_DIR_DECRYPT : IMB_DIR_ENCRYPT, (IMB_KEY_SIZE_BYTES)aes_key[k->cipher]);
	for (uint16_t i = 0; i < n; i++) {
		w->job[i].msg_len_to_hash_in_bytes = length + ESP_HEADER + CBC_BLOCK;
		w->job[i].auth_tag_output = w->icv[i];
		w->job[i].auth_tag_output_len_in_bytes = crypto_hash[k->hash].icv;
		w->job[i].u.HMAC._hashed_auth_key_xor_ipad = k->chain.inner;
		w->job[i].u.HMAC._hashed_auth_key_xor_opad = k->chain.outer;
	}
	w->by_hash[k->hash]->submit_hash_burst_nocheck(w->by_hash[k->hash], w->job, n, crypto_hash[k->hash].algorithm);
}
