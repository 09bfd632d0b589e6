/* What the files on IPsec-MB share; the only file that includes its header.
 *
 * crypto_key.c makes keys, crypto_imb.c runs bursts, crypto_chain.c those packets of one whose cipher and hash are two,
 * crypto_ccm.c those of CCM.
 */
#pragma once

#include "drivers/crypto.h"

#include <intel-ipsec-mb.h>
#include <string.h>

#define ESP_HEADER 8 /* SPI and sequence number, RFC 4303 section 2 */
#define GCM_IV 8
#define GCM_ICV 16
#define GCM_SALT 4
#define CCM_SALT 3
#define CBC_BLOCK 16
#define DES_BLOCK 8
#define DES_KEY 8
#define HMAC_BLOCK_MAX 128
#define HMAC_STATE_MAX 64

/* From KIND_CHAIN on packets are not done one by one. */
enum kind { KIND_GCM, KIND_GMAC, KIND_CHACHA, KIND_CHAIN, KIND_CCM };
enum cipher {
	CIPHER_NULL,
	CIPHER_CBC_128,
	CIPHER_CBC_192,
	CIPHER_CBC_256,
	CIPHER_DES,
	CIPHER_3DES,
	CIPHER_CTR_128,
	CIPHER_CTR_192,
	CIPHER_CTR_256,
	CIPHER_CCM_128,
	CIPHER_CCM_256,
	CIPHER_COUNT
};
enum hash { HASH_SHA1, HASH_SHA256, HASH_SHA384, HASH_SHA512, HASH_MD5, HASH_COUNT };

/* CBC, CTR or NULL with HMAC; CCM, of which the round keys are all. */
struct chain_key {
	union {
		struct { /* AES */
			_Alignas(64) uint32_t enc[60];
			_Alignas(64) uint32_t dec[60];
		};
		struct {
			uint64_t des[3][IMB_DES_KEY_SCHED_SIZE / 8];
			const void *triple[3]; /* des[0..2], as the library wants it */
		};
	};
	_Alignas(64) uint8_t inner[HMAC_STATE_MAX]; /* hash state after key xor ipad */
	uint8_t outer[HMAC_STATE_MAX];              /* and opad */
	uint64_t mask[2];                           /* of the IV's number */
};

/* Constant once made, but for the count of those that hold it, which no worker reads. */
struct crypto_key {
	uint8_t kind, cipher, hash;
	bool esn;
	uint32_t users;
	struct crypto_sizes sizes;
	uint8_t head_lines;              /* cache lines of the key object that every packet needs */
	uint16_t powers_end, powers_max; /* GCM: where the hash key's powers end, the first one last; how many */
	uint32_t salt;                   /* as it stands in the key material */
	aes_gcm_enc_dec_t gcm;
	aes_gmac_init_t gmac_init;
	aes_gmac_update_t gmac_update;
	aes_gmac_finalize_t gmac_finalize;
	chacha_poly_enc_dec_update_t chacha_update;
	union {
		uint8_t chacha_key[32];
		struct gcm_key_data gcm_key;
		struct chain_key chain;
	};
};

/* Key expansion, single hashes, the one-shot functions: they keep no state in the manager. NULL: no memory. */
const IMB_MGR *crypto_direct(void);
/* sse: for the CPU's SHA instructions. NULL: no memory or no usable CPU. */
IMB_MGR *crypto_manager_create(bool sse);
void crypto_manager_free(IMB_MGR *m);

struct crypto_hash {
	IMB_HASH_ALG algorithm;
	uint8_t icv; /* bytes */
	bool burst;  /* the library has one of it */
};

extern const struct crypto_hash crypto_hash[HASH_COUNT];

/* What the library reads beside key and text. */
struct gcm_given {
	_Alignas(16) uint8_t nonce[16]; /* GCM_SALT or CCM_SALT, and GCM_IV of them */
	uint32_t aad[3];                /* SPI, high half with ESN, low half */
};

/* 8, 12 or 16 bytes, as two words that may lie over each other. */
static inline bool
crypto_icv_equal(const uint8_t *a, const uint8_t *b, uint32_t size)
{
	uint64_t x[2], y[2];

	memcpy(&x[0], a, 8);
	memcpy(&y[0], b, 8);
	memcpy(&x[1], a + size - 8, 8);
	memcpy(&y[1], b + size - 8, 8);
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

/* One worker's. */
struct crypto_worker {
	IMB_MGR *manager;
	IMB_MGR *by_hash[HASH_COUNT]; /* manager or sha */
	IMB_MGR *sha;                 /* NULL or a second manager whose SHA-256 is faster */
	struct gcm_context_data gcm;
	struct chacha20_poly1305_context_data chacha;
	struct gcm_given given[CRYPTO_BURST_MAX];
	IMB_JOB job[CRYPTO_BURST_MAX];
	struct crypto_op *chain[CRYPTO_BURST_MAX];
	struct crypto_op *group[CRYPTO_BURST_MAX];
	_Alignas(16) uint8_t nonce[CRYPTO_BURST_MAX][16]; /* CTR: salt and IV of group[i] */
	uint8_t *icv_out[CRYPTO_BURST_MAX];               /* where the ICV of chain[i] is written */
	uint8_t icv[CRYPTO_BURST_MAX][CRYPTO_ICV_MAX];    /* received ones */
	uint8_t tag[CRYPTO_BURST_MAX][CRYPTO_ICV_MAX];    /* computed ones */
};

/* Worker. Seal or open w->chain[0..n), in place; the array is put in another order. */
void crypto_chain_seal(struct crypto_worker *w, uint32_t n);
void crypto_chain_open(struct crypto_worker *w, uint32_t n);
/* Worker. Those of n packets that are of CCM, in place; w->given is theirs. Opening sets their op.ok. */
void crypto_ccm_seal(struct crypto_worker *w, struct crypto_op *op, uint32_t n);
void crypto_ccm_open(struct crypto_worker *w, struct crypto_op *op, uint32_t n);
/* Worker. Run jobs to their end, in the library's lanes; for what it has no bursts of. n is one burst. */
void crypto_jobs(IMB_MGR *m, const IMB_JOB *job, uint32_t n);
/* Its part of crypto_raw(). */
void crypto_chain_raw(struct crypto_worker *w, const struct crypto_key *k, bool open, uint8_t *const *text,
	uint16_t length, uint16_t n);
