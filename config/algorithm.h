/* The algorithms of a security association: what each is called, and what it wants of its keys.
 *
 * Constant; any thread. Whoever needs to know one of an SA's algorithms looks here: configuration, IKE, workers' keys,
 * output and tests.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Their numbers are in fingerprints on disk (control/sa_identity.c): new ones come last. */
enum cfg_encryption {
	ENC_NULL,
	ENC_AES_CBC_128,
	ENC_AES_CBC_256,
	ENC_AES_GCM_128,
	ENC_AES_GCM_192,
	ENC_AES_GCM_256,
	ENC_AES_GMAC_128,
	ENC_AES_GMAC_192,
	ENC_AES_GMAC_256,
	ENC_AES_CBC_192,
	ENC_DES_CBC,
	ENC_3DES_CBC,
	ENC_AES_CTR_128,
	ENC_AES_CTR_192,
	ENC_AES_CTR_256,
	/* 12 and 8 bytes of ICV; the others have 16 */
	ENC_AES_GCM12_128,
	ENC_AES_GCM12_192,
	ENC_AES_GCM12_256,
	ENC_AES_GCM8_128,
	ENC_AES_GCM8_192,
	ENC_AES_GCM8_256,
	ENC_CHACHA20_POLY1305,
	/* the same */
	ENC_AES_CCM_128,
	ENC_AES_CCM_256,
	ENC_AES_CCM12_128,
	ENC_AES_CCM12_256,
	ENC_AES_CCM8_128,
	ENC_AES_CCM8_256,
	ENC_COUNT, /* no algorithm */
};

/* Their numbers, too. */
enum cfg_integrity {
	INTEG_NONE,
	INTEG_SHA1_96,
	INTEG_SHA256_128,
	INTEG_SHA384_192,
	INTEG_SHA512_256,
	INTEG_MD5_96,
	INTEG_COUNT, /* no algorithm */
};

struct algorithm_encryption {
	uint8_t key;   /* bytes without salt */
	uint8_t salt;  /* bytes at the end of the key material, where the nonce comes from; 0 = no counter mode */
	bool combined; /* authenticates by itself */
	bool weak;     /* only where the profile that has it is named */
	/* Counter modes: the first that makes the same of a key, a nonce and a counter. One key's numbers go on from
	 * one to the other, or a configuration that changes no more than the algorithm would have nonces twice. 0:
	 * itself. */
	enum cfg_encryption like;
};

struct algorithm_integrity {
	uint8_t key; /* bytes */
	bool weak;
};

/* By enum cfg_encryption and cfg_integrity; words end with NULL. */
extern const struct algorithm_encryption algorithm_encryption[];
extern const struct algorithm_integrity algorithm_integrity[];
extern const char *const algorithm_encryption_words[];
extern const char *const algorithm_integrity_words[];

static inline uint8_t
algorithm_key_length(enum cfg_encryption e)
{
	return algorithm_encryption[e].key + algorithm_encryption[e].salt;
}
