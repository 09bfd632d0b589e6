/* Keys of SAs, expanded; managers; random bytes and single hashes. Any thread. */
#include "drivers/crypto_imb.h"
#include "drivers/slab.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

const struct crypto_hash crypto_hash[HASH_COUNT] = {
	[HASH_SHA1] = {IMB_AUTH_HMAC_SHA_1, 12, 20},
	[HASH_SHA256] = {IMB_AUTH_HMAC_SHA_256, 16, 32},
	[HASH_SHA384] = {IMB_AUTH_HMAC_SHA_384, 24, 48},
	[HASH_SHA512] = {IMB_AUTH_HMAC_SHA_512, 32, 64},
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
	memcpy(&k->salt, c->enc_key + key_len, GCM_SALT);
	gcm_extent(k, m, key_len);
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
	if (c->auth_key_len != crypto_hash[k->hash].key)
		return -EINVAL;

	k->sizes.icv = crypto_hash[k->hash].icv;
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
