/* What the files on IPsec-MB share; the only file that includes its header.
 *
 * crypto_key.c makes keys, crypto_imb.c runs bursts.
 */
#pragma once

#include "drivers/crypto.h"

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

/* CBC or NULL with HMAC. */
struct chain_key {
	_Alignas(64) uint32_t enc[60];
	_Alignas(64) uint32_t dec[60];
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
	union {
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
	uint8_t icv, key; /* bytes */
};

extern const struct crypto_hash crypto_hash[HASH_COUNT];
