/* The ciphers of ESP on IPsec-MB: the only file that knows this library.
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
#include "drivers/crypto.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <intel-ipsec-mb.h>

#define ESP_HEADER 8 /* SPI and sequence number, RFC 4303 section 2 */
#define GCM_IV 8
#define GCM_ICV 16
#define GCM_SALT 4
#define CBC_BLOCK 16
#define HMAC_BLOCK_MAX 128
#define HMAC_STATE_MAX 64

enum kind { KIND_GCM, KIND_GMAC, KIND_CHAIN };
enum cipher { CIPHER_NULL, CIPHER_CBC_128, CIPHER_CBC_256, CIPHER_COUNT };
enum hash { HASH_SHA1, HASH_SHA256, HASH_SHA384, HASH_SHA512, HASH_COUNT };

struct chain_key {
	_Alignas(64) uint32_t enc[60];
	_Alignas(64) uint32_t dec[60];
	_Alignas(64) uint8_t inner[HMAC_STATE_MAX]; /* hash state after key xor ipad */
	uint8_t outer[HMAC_STATE_MAX];              /* and opad */
	uint64_t mask[2];                           /* of the IV's number */
};

/* Constant once made. */
struct crypto_key {
	uint8_t kind, cipher, hash;
	bool esn;
	struct crypto_sizes sizes;
	uint32_t salt; /* as it stands in the key material */
	aes_gcm_enc_dec_t gcm;
	aes_gmac_init_t gmac_init;
	aes_gmac_update_t gmac_update;
	aes_gmac_finalize_t gmac_finalize;
	union {
		struct gcm_key_data gcm_key;
		struct chain_key chain;
	};
};

/* One worker's. */
struct crypto_worker {
	IMB_MGR *manager;
	IMB_MGR *by_hash[HASH_COUNT]; /* manager or sha */
	IMB_MGR *sha;                 /* NULL or a second manager whose SHA-256 is faster */
	struct gcm_context_data gcm;
	IMB_JOB job[CRYPTO_BURST_MAX];
	struct crypto_op *chain[CRYPTO_BURST_MAX];
	struct crypto_op *group[CRYPTO_BURST_MAX];
	uint8_t *icv_out[CRYPTO_BURST_MAX];            /* where the ICV of chain[i] is written */
	uint8_t icv[CRYPTO_BURST_MAX][CRYPTO_ICV_MAX]; /* received ones */
	uint8_t tag[CRYPTO_BURST_MAX][CRYPTO_ICV_MAX]; /* computed ones */
};

static const struct {
	IMB_HASH_ALG algorithm;
	uint8_t icv, key, block;
} hashes[HASH_COUNT] = {
	[HASH_SHA1] = {IMB_AUTH_HMAC_SHA_1, 12, 20, 64},
	[HASH_SHA256] = {IMB_AUTH_HMAC_SHA_256, 16, 32, 64},
	[HASH_SHA384] = {IMB_AUTH_HMAC_SHA_384, 24, 48, 128},
	[HASH_SHA512] = {IMB_AUTH_HMAC_SHA_512, 32, 64, 128},
};

static const uint8_t zero_iv[CBC_BLOCK];

/* ---- managers ----------------------------------------------------------------------- */

static IMB_MGR *
manager_create(bool sse)
{
	size_t size = (imb_get_mb_mgr_size() + 63) & ~(size_t)63;
	void *memory = aligned_alloc(64, size);
	IMB_MGR *m;

	if (!memory)
		return NULL;
	memset(memory, 0, size);
	m = imb_set_pointers_mb_mgr(memory, 0, 1);
	if (m && sse)
		init_mb_mgr_sse(m);
	else if (m)
		init_mb_mgr_auto(m, NULL);

	if (!m || imb_get_errno(m)) {
		free(memory);
		return NULL;
	}
	return m;
}

static void
manager_free(IMB_MGR *m)
{
	if (!m)
		return;
	explicit_bzero(m, imb_get_mb_mgr_size()); /* its lanes have held keys */
	free(m);
}

/* For what keeps no state in a manager: key expansion, single hashes, the one-shot functions. */
static IMB_MGR *shared_manager;

static void
shared_manager_create(void)
{
	shared_manager = manager_create(false);
}

static const IMB_MGR *
direct(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, shared_manager_create);
	return shared_manager;
}

struct crypto_worker *
crypto_worker_create(void)
{
	struct crypto_worker *w = aligned_alloc(64, (sizeof(*w) + 63) & ~(size_t)63);

	if (!w)
		return NULL;
	memset(w, 0, sizeof(*w));
	w->manager = manager_create(false);
	if (!w->manager) {
		free(w);
		return NULL;
	}
	for (uint32_t h = 0; h < HASH_COUNT; h++)
		w->by_hash[h] = w->manager;

	/* Two lanes of the CPU's own SHA instructions beat eight AVX2 lanes, not sixteen of AVX-512. */
	if ((w->manager->features & IMB_FEATURE_SHANI) && w->manager->used_arch < IMB_ARCH_AVX512)
		w->sha = manager_create(true);
	if (w->sha)
		w->by_hash[HASH_SHA256] = w->sha;
	return w;
}

void
crypto_worker_free(struct crypto_worker *w)
{
	if (!w)
		return;
	manager_free(w->manager);
	manager_free(w->sha);
	explicit_bzero(w, sizeof(*w));
	free(w);
}

/* ---- keys --------------------------------------------------------------------------- */

static void
gcm_expand(struct crypto_key *k, const IMB_MGR *m, const struct cfg_sa *c, uint32_t key_len)
{
	switch (key_len) {
	case 16:
		m->gcm128_pre(c->enc_key, &k->gcm_key);
		k->gcm = c->outbound ? m->gcm128_enc : m->gcm128_dec;
		k->gmac_init = m->gmac128_init;
		k->gmac_update = m->gmac128_update;
		k->gmac_finalize = m->gmac128_finalize;
		break;
	case 24:
		m->gcm192_pre(c->enc_key, &k->gcm_key);
		k->gcm = c->outbound ? m->gcm192_enc : m->gcm192_dec;
		k->gmac_init = m->gmac192_init;
		k->gmac_update = m->gmac192_update;
		k->gmac_finalize = m->gmac192_finalize;
		break;
	default:
		m->gcm256_pre(c->enc_key, &k->gcm_key);
		k->gcm = c->outbound ? m->gcm256_enc : m->gcm256_dec;
		k->gmac_init = m->gmac256_init;
		k->gmac_update = m->gmac256_update;
		k->gmac_finalize = m->gmac256_finalize;
		break;
	}
	memcpy(&k->salt, c->enc_key + key_len, GCM_SALT);
}

/* The hash states that HMAC starts from (RFC 2104). The key is as long as the digest, never longer than a block. */
static void
hmac_expand(struct crypto_key *k, const IMB_MGR *m, const struct cfg_sa *c)
{
	static const uint8_t pad[2] = {0x36, 0x5c};
	uint8_t *state[2] = {k->chain.inner, k->chain.outer};
	uint8_t block[HMAC_BLOCK_MAX];

	for (uint32_t side = 0; side < 2; side++) {
		memset(block, pad[side], sizeof(block));
		for (uint32_t i = 0; i < c->auth_key_len; i++)
			block[i] ^= c->auth_key[i];

		if (k->hash == HASH_SHA1)
			m->sha1_one_block(block, state[side]);
		else if (k->hash == HASH_SHA256)
			m->sha256_one_block(block, state[side]);
		else if (k->hash == HASH_SHA384)
			m->sha384_one_block(block, state[side]);
		else
			m->sha512_one_block(block, state[side]);
	}
	explicit_bzero(block, sizeof(block));
}

static int
combined_key(struct crypto_key *k, const IMB_MGR *m, const struct cfg_sa *c, enum kind kind, uint32_t key_len)
{
	if (c->enc_key_len != key_len + GCM_SALT || c->integrity != INTEG_NONE)
		return -EINVAL;

	k->kind = kind;
	k->sizes = (struct crypto_sizes){.iv = GCM_IV, .icv = GCM_ICV, .block = 4};
	gcm_expand(k, m, c, key_len);
	return 0;
}

static int
chain_key(struct crypto_key *k, const IMB_MGR *m, const struct cfg_sa *c, enum cipher cipher, uint32_t key_len)
{
	if (c->integrity < INTEG_SHA1_96 || c->integrity > INTEG_SHA512_256 || c->enc_key_len != key_len)
		return -EINVAL;
	k->kind = KIND_CHAIN;
	k->cipher = cipher;
	k->hash = c->integrity - INTEG_SHA1_96;
	if (c->auth_key_len != hashes[k->hash].key)
		return -EINVAL;

	k->sizes.icv = hashes[k->hash].icv;
	k->sizes.iv = cipher == CIPHER_NULL ? 0 : CBC_BLOCK;
	k->sizes.block = cipher == CIPHER_NULL ? 4 : CBC_BLOCK;
	if (cipher == CIPHER_CBC_128)
		m->keyexp_128(c->enc_key, k->chain.enc, k->chain.dec);
	else if (cipher == CIPHER_CBC_256)
		m->keyexp_256(c->enc_key, k->chain.enc, k->chain.dec);
	hmac_expand(k, m, c);
	return crypto_random(k->chain.mask, sizeof(k->chain.mask));
}

static int
key_expand(struct crypto_key *k, const IMB_MGR *m, const struct cfg_sa *c)
{
	switch (c->encryption) {
	case ENC_NULL:
		return chain_key(k, m, c, CIPHER_NULL, 0);
	case ENC_AES_CBC_128:
		return chain_key(k, m, c, CIPHER_CBC_128, 16);
	case ENC_AES_CBC_256:
		return chain_key(k, m, c, CIPHER_CBC_256, 32);
	case ENC_AES_GCM_128:
		return combined_key(k, m, c, KIND_GCM, 16);
	case ENC_AES_GCM_192:
		return combined_key(k, m, c, KIND_GCM, 24);
	case ENC_AES_GCM_256:
		return combined_key(k, m, c, KIND_GCM, 32);
	case ENC_AES_GMAC_128:
		return combined_key(k, m, c, KIND_GMAC, 16);
	case ENC_AES_GMAC_192:
		return combined_key(k, m, c, KIND_GMAC, 24);
	case ENC_AES_GMAC_256:
		return combined_key(k, m, c, KIND_GMAC, 32);
	}
	return -EINVAL;
}

int
crypto_key_create(const struct cfg_sa *config, struct crypto_key **out)
{
	const IMB_MGR *m = direct();
	struct crypto_key *k;
	int error;

	*out = NULL;
	if (!m)
		return -ENOMEM;
	k = aligned_alloc(64, (sizeof(*k) + 63) & ~(size_t)63);
	if (!k)
		return -ENOMEM;
	memset(k, 0, sizeof(*k));
	k->esn = config->esn;

	error = key_expand(k, m, config);
	if (error) {
		crypto_key_free(k);
		return error;
	}
	*out = k;
	return 0;
}

void
crypto_key_free(struct crypto_key *k)
{
	if (!k)
		return;
	explicit_bzero(k, sizeof(*k));
	free(k);
}

struct crypto_sizes
crypto_key_sizes(const struct crypto_key *k)
{
	return k->sizes;
}

/* ---- GCM and GMAC, packet by packet ------------------------------------------------- */

struct nonce {
	uint8_t b[GCM_SALT + GCM_IV];
};

static inline struct nonce
nonce_of(const struct crypto_op *op)
{
	struct nonce n;

	memcpy(n.b, &op->key->salt, GCM_SALT);
	memcpy(n.b + GCM_SALT, op->esp + ESP_HEADER, GCM_IV);
	return n;
}

/* SPI and the 64-bit sequence number, as authenticated with ESN. */
static inline void
esn_header(const struct crypto_op *op, uint32_t header[3])
{
	memcpy(&header[0], op->esp, 4);
	header[1] = __builtin_bswap32(op->sequence >> 32);
	memcpy(&header[2], op->esp + 4, 4);
}

static inline void
gcm_packet(struct gcm_context_data *context, const struct crypto_op *op, uint8_t *tag)
{
	const struct crypto_key *k = op->key;
	struct nonce nonce = nonce_of(op);
	uint8_t *text = op->esp + ESP_HEADER + GCM_IV;
	uint32_t header[3];

	if (k->esn) {
		esn_header(op, header);
		k->gcm(&k->gcm_key, context, text, text, op->length - ESP_HEADER - GCM_IV, nonce.b,
			(const uint8_t *)header, sizeof(header), tag, GCM_ICV);
		return;
	}
	k->gcm(&k->gcm_key, context, text, text, op->length - ESP_HEADER - GCM_IV, nonce.b, op->esp, ESP_HEADER, tag,
		GCM_ICV);
}

/* RFC 4543 section 3.3: everything from the SPI to the trailer is authenticated, the IV too. */
static void
gmac_packet(struct gcm_context_data *context, const struct crypto_op *op, uint8_t *tag)
{
	const struct crypto_key *k = op->key;
	struct nonce nonce = nonce_of(op);
	uint32_t header[3];

	k->gmac_init(&k->gcm_key, context, nonce.b, sizeof(nonce.b));
	if (k->esn) {
		esn_header(op, header);
		k->gmac_update(&k->gcm_key, context, (const uint8_t *)header, sizeof(header));
		k->gmac_update(&k->gcm_key, context, op->esp + ESP_HEADER, op->length - ESP_HEADER);
	} else {
		k->gmac_update(&k->gcm_key, context, op->esp, op->length);
	}
	k->gmac_finalize(&k->gcm_key, context, tag, GCM_ICV);
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
			job->auth_tag_output_len_in_bytes = hashes[h].icv;
			job->u.HMAC._hashed_auth_key_xor_ipad = k->chain.inner;
			job->u.HMAC._hashed_auth_key_xor_opad = k->chain.outer;
			found++;
		}
		if (found)
			w->by_hash[h]->submit_hash_burst_nocheck(w->by_hash[h], w->job, found, hashes[h].algorithm);
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
		if (op[i].key->kind == KIND_GCM)
			gcm_packet(&w->gcm, &op[i], op[i].esp + op[i].length);
		else
			gmac_packet(&w->gcm, &op[i], op[i].esp + op[i].length);
	}
	if (chained)
		chain_seal(w, chained);
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
	_Alignas(16) uint8_t tag[GCM_ICV];
	uint32_t chained = 0;

	for (uint16_t i = 0; i < n; i++) {
		if (op[i].key->kind == KIND_CHAIN) {
			w->chain[chained++] = &op[i];
			continue;
		}
		if (op[i].key->kind == KIND_GCM)
			gcm_packet(&w->gcm, &op[i], tag);
		else
			gmac_packet(&w->gcm, &op[i], tag);
		op[i].ok = icv16_equal(tag, op[i].esp + op[i].length);
	}
	if (chained)
		chain_open(w, chained);
}

/* ---- the floor ---------------------------------------------------------------------- */

void
crypto_raw(struct crypto_worker *w, const struct crypto_key *k, uint8_t *const *text, uint16_t length, uint16_t n)
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
	w->manager->submit_cipher_burst_nocheck(w->manager, w->job, n, IMB_CIPHER_CBC, IMB_DIR_ENCRYPT,
		k->cipher == CIPHER_CBC_128 ? IMB_KEY_128_BYTES : IMB_KEY_256_BYTES);
	for (uint16_t i = 0; i < n; i++) {
		w->job[i].msg_len_to_hash_in_bytes = length + ESP_HEADER + CBC_BLOCK;
		w->job[i].auth_tag_output = w->icv[i];
		w->job[i].auth_tag_output_len_in_bytes = hashes[k->hash].icv;
		w->job[i].u.HMAC._hashed_auth_key_xor_ipad = k->chain.inner;
		w->job[i].u.HMAC._hashed_auth_key_xor_opad = k->chain.outer;
	}
	w->by_hash[k->hash]->submit_hash_burst_nocheck(w->by_hash[k->hash], w->job, n, hashes[k->hash].algorithm);
}

/* ---- small things ------------------------------------------------------------------- */

void
crypto_sha256(const void *data, size_t size, uint8_t digest[CRYPTO_SHA256])
{
	const IMB_MGR *m = direct();

	if (m)
		m->sha256(data, size, digest);
	else
		abort(); /* no memory for 200 kB at start: nothing sensible is left to do */
}

int
crypto_random(void *out, size_t size)
{
	uint8_t *at = out;

	while (size) {
		ssize_t got = getrandom(at, size, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		at += got;
		size -= (size_t)got;
	}
	return 0;
}

bool
crypto_equal(const void *a, const void *b, size_t size)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t different = 0;

	for (size_t i = 0; i < size; i++)
		different |= x[i] ^ y[i];
	return different == 0;
}
