/* Keys of SAs, expanded; managers; random bytes and single hashes. Any thread. */
#include "drivers/crypto_imb.h"

#include "config/algorithm.h"
#include "drivers/slab.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

const struct crypto_hash crypto_hash[HASH_COUNT] = {
	[HASH_SHA1] = {IMB_AUTH_HMAC_SHA_1, 12, true},
	[HASH_SHA256] = {IMB_AUTH_HMAC_SHA_256, 16, true},
	[HASH_SHA384] = {IMB_AUTH_HMAC_SHA_384, 24, true},
	[HASH_SHA512] = {IMB_AUTH_HMAC_SHA_512, 32, true},
	[HASH_MD5] = {IMB_AUTH_MD5, 12, false},
};

/* ---- managers ----------------------------------------------------------------------- */

IMB_MGR *
crypto_manager_create(bool sse)
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

void
crypto_manager_free(IMB_MGR *m)
{
	if (!m)
		return;
	explicit_bzero(m, imb_get_mb_mgr_size()); /* its lanes have held keys */
	free(m);
}

static IMB_MGR *shared_manager;

static void
shared_manager_create(void)
{
	shared_manager = crypto_manager_create(false);
}

const IMB_MGR *
crypto_direct(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, shared_manager_create);
	return shared_manager;
}

/* ---- keys --------------------------------------------------------------------------- */

/* Which parts of its expanded key the library will read, so that they can be fetched ahead: round keys, and as many
 * powers of the hash key as a packet has blocks. They stand in descending order; how many there are depends on
 * the code it chose for this CPU. */
static void
gcm_extent(struct crypto_key *k, const IMB_MGR *m, uint32_t key_len)
{
	const uint32_t rounds = key_len / 4 + 7, block = 16;
	bool wide = m->used_arch == IMB_ARCH_AVX512 && (m->features & IMB_FEATURE_VAES);
	size_t powers = wide ? sizeof(k->gcm_key.ghash_keys.vaes_avx512.shifted_hkey)
			     : sizeof(k->gcm_key.ghash_keys.avx2_avx512.shifted_hkey);

	k->head_lines = (uint8_t)((offsetof(struct crypto_key, gcm_key) + rounds * block + 63) / 64);
	k->powers_max = (uint16_t)(powers / block);
	k->powers_end = (uint16_t)(offsetof(struct crypto_key, gcm_key.ghash_keys) + powers);
}

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
	gcm_extent(k, m, key_len);
}

/* The key is used as it is. */
static void
chacha_expand(struct crypto_key *k, const IMB_MGR *m, const struct cfg_sa *c)
{
	memcpy(k->chacha_key, c->enc_key, sizeof(k->chacha_key));
	k->chacha_update = c->outbound ? m->chacha20_poly1305_enc_update : m->chacha20_poly1305_dec_update;
	k->head_lines = (offsetof(struct crypto_key, chacha_key) + sizeof(k->chacha_key) + 63) / 64;
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
		else if (k->hash == HASH_SHA512)
			m->sha512_one_block(block, state[side]);
		else
			m->md5_one_block(block, state[side]);
	}
	explicit_bzero(block, sizeof(block));
}

/* What an encryption is made of, and what it puts on the wire; the ICV of a chain is its hash's. */
static const struct {
	uint8_t kind, cipher;
	struct crypto_sizes sizes;
} encryptions[ENC_COUNT] = {
	[ENC_NULL] = {KIND_CHAIN, CIPHER_NULL, {0, 0, 4}},
	[ENC_AES_CBC_128] = {KIND_CHAIN, CIPHER_CBC_128, {16, 0, 16}},
	[ENC_AES_CBC_256] = {KIND_CHAIN, CIPHER_CBC_256, {16, 0, 16}},
	[ENC_AES_GCM_128] = {KIND_GCM, 0, {8, 16, 4}},
	[ENC_AES_GCM_192] = {KIND_GCM, 0, {8, 16, 4}},
	[ENC_AES_GCM_256] = {KIND_GCM, 0, {8, 16, 4}},
	[ENC_AES_GMAC_128] = {KIND_GMAC, 0, {8, 16, 4}},
	[ENC_AES_GMAC_192] = {KIND_GMAC, 0, {8, 16, 4}},
	[ENC_AES_GMAC_256] = {KIND_GMAC, 0, {8, 16, 4}},
	[ENC_AES_CBC_192] = {KIND_CHAIN, CIPHER_CBC_192, {16, 0, 16}},
	[ENC_DES_CBC] = {KIND_CHAIN, CIPHER_DES, {8, 0, 8}},
	[ENC_3DES_CBC] = {KIND_CHAIN, CIPHER_3DES, {8, 0, 8}},
	[ENC_AES_CTR_128] = {KIND_CHAIN, CIPHER_CTR_128, {8, 0, 4}},
	[ENC_AES_CTR_192] = {KIND_CHAIN, CIPHER_CTR_192, {8, 0, 4}},
	[ENC_AES_CTR_256] = {KIND_CHAIN, CIPHER_CTR_256, {8, 0, 4}},
	[ENC_AES_GCM12_128] = {KIND_GCM, 0, {8, 12, 4}},
	[ENC_AES_GCM12_192] = {KIND_GCM, 0, {8, 12, 4}},
	[ENC_AES_GCM12_256] = {KIND_GCM, 0, {8, 12, 4}},
	[ENC_AES_GCM8_128] = {KIND_GCM, 0, {8, 8, 4}},
	[ENC_AES_GCM8_192] = {KIND_GCM, 0, {8, 8, 4}},
	[ENC_AES_GCM8_256] = {KIND_GCM, 0, {8, 8, 4}},
	[ENC_CHACHA20_POLY1305] = {KIND_CHACHA, 0, {8, 16, 4}},
	[ENC_AES_CCM_128] = {KIND_CCM, CIPHER_CCM_128, {8, 16, 4}},
	[ENC_AES_CCM_256] = {KIND_CCM, CIPHER_CCM_256, {8, 16, 4}},
	[ENC_AES_CCM12_128] = {KIND_CCM, CIPHER_CCM_128, {8, 12, 4}},
	[ENC_AES_CCM12_256] = {KIND_CCM, CIPHER_CCM_256, {8, 12, 4}},
	[ENC_AES_CCM8_128] = {KIND_CCM, CIPHER_CCM_128, {8, 8, 4}},
	[ENC_AES_CCM8_256] = {KIND_CCM, CIPHER_CCM_256, {8, 8, 4}},
};

static void
des_expand(struct crypto_key *k, const IMB_MGR *m, const struct cfg_sa *c, uint32_t keys)
{
	for (uint32_t i = 0; i < keys; i++) {
		m->des_key_sched(k->chain.des[i], c->enc_key + i * DES_KEY);
		k->chain.triple[i] = k->chain.des[i];
	}
}

static void
cipher_expand(struct crypto_key *k, const IMB_MGR *m, const struct cfg_sa *c)
{
	switch ((enum cipher)k->cipher) {
	case CIPHER_CBC_128:
	case CIPHER_CTR_128:
	case CIPHER_CCM_128:
		m->keyexp_128(c->enc_key, k->chain.enc, k->chain.dec);
		break;
	case CIPHER_CBC_192:
	case CIPHER_CTR_192:
		m->keyexp_192(c->enc_key, k->chain.enc, k->chain.dec);
		break;
	case CIPHER_CBC_256:
	case CIPHER_CTR_256:
	case CIPHER_CCM_256:
		m->keyexp_256(c->enc_key, k->chain.enc, k->chain.dec);
		break;
	case CIPHER_DES:
		des_expand(k, m, c, 1);
		break;
	case CIPHER_3DES:
		des_expand(k, m, c, 3);
		break;
	case CIPHER_NULL:
	case CIPHER_COUNT:
		break;
	}
}

static int
chain_expand(struct crypto_key *k, const IMB_MGR *m, const struct cfg_sa *c)
{
	k->hash = c->integrity - INTEG_SHA1_96;
	k->sizes.icv = crypto_hash[k->hash].icv;
	cipher_expand(k, m, c);
	hmac_expand(k, m, c);
	return crypto_random(k->chain.mask, sizeof(k->chain.mask));
}

static bool
is_sound(const struct cfg_sa *c)
{
	return c->encryption < ENC_COUNT && c->integrity < INTEG_COUNT &&
	       algorithm_encryption[c->encryption].combined == (c->integrity == INTEG_NONE) &&
	       c->enc_key_len == algorithm_key_length(c->encryption) &&
	       c->auth_key_len == algorithm_integrity[c->integrity].key;
}

static int
key_expand(struct crypto_key *k, const IMB_MGR *m, const struct cfg_sa *c)
{
	if (!is_sound(c))
		return -EINVAL;
	k->kind = encryptions[c->encryption].kind;
	k->cipher = encryptions[c->encryption].cipher;
	k->sizes = encryptions[c->encryption].sizes;
	memcpy(&k->salt, c->enc_key + algorithm_encryption[c->encryption].key,
		algorithm_encryption[c->encryption].salt);
	if (k->kind == KIND_CHAIN)
		return chain_expand(k, m, c);
	if (k->kind == KIND_CCM)
		cipher_expand(k, m, c);
	else if (k->kind == KIND_CHACHA)
		chacha_expand(k, m, c);
	else
		gcm_expand(k, m, c, algorithm_encryption[c->encryption].key);
	return 0;
}

int
crypto_key_create(const struct cfg_sa *config, struct crypto_key **out)
{
	const IMB_MGR *m = crypto_direct();
	struct crypto_key *k;
	int error;

	*out = NULL;
	if (!m)
		return -ENOMEM;
	k = slab_alloc(sizeof(*k));
	if (!k)
		return -ENOMEM;
	k->users = 1;
	k->esn = config->esn;

	error = key_expand(k, m, config);
	if (error) {
		crypto_key_free(k);
		return error;
	}
	*out = k;
	return 0;
}

struct crypto_key *
crypto_key_ref(const struct crypto_key *k)
{
	struct crypto_key *held = (struct crypto_key *)(uintptr_t)k;

	held->users++;
	return held;
}

void
crypto_key_free(struct crypto_key *k)
{
	if (!k || --k->users != 0)
		return;
	explicit_bzero(k, sizeof(*k));
	slab_free(k, sizeof(*k));
}

struct crypto_sizes
crypto_key_sizes(const struct crypto_key *k)
{
	return k->sizes;
}

/* ---- small things ------------------------------------------------------------------- */

void
crypto_sha256(const void *data, size_t size, uint8_t digest[CRYPTO_SHA256])
{
	const IMB_MGR *m = crypto_direct();

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
