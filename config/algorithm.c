/* The tables of algorithms; see algorithm.h. */
#include "config/algorithm.h"

#include <stddef.h>

/* "null" counts in quotes only: a bare null is an absent value, and absence must never come to mean no encryption. */
const char *const algorithm_encryption_words[] = {
	[ENC_NULL] = "null",
	[ENC_AES_CBC_128] = "aes-cbc-128",
	[ENC_AES_CBC_256] = "aes-cbc-256",
	[ENC_AES_GCM_128] = "aes-gcm-128",
	[ENC_AES_GCM_192] = "aes-gcm-192",
	[ENC_AES_GCM_256] = "aes-gcm-256",
	[ENC_AES_GMAC_128] = "aes-gmac-128",
	[ENC_AES_GMAC_192] = "aes-gmac-192",
	[ENC_AES_GMAC_256] = "aes-gmac-256",
	[ENC_AES_CBC_192] = "aes-cbc-192",
	[ENC_DES_CBC] = "des-cbc",
	[ENC_3DES_CBC] = "3des-cbc",
	[ENC_AES_CTR_128] = "aes-ctr-128",
	[ENC_AES_CTR_192] = "aes-ctr-192",
	[ENC_AES_CTR_256] = "aes-ctr-256",
	[ENC_AES_GCM12_128] = "aes-gcm12-128",
	[ENC_AES_GCM12_192] = "aes-gcm12-192",
	[ENC_AES_GCM12_256] = "aes-gcm12-256",
	[ENC_AES_GCM8_128] = "aes-gcm8-128",
	[ENC_AES_GCM8_192] = "aes-gcm8-192",
	[ENC_AES_GCM8_256] = "aes-gcm8-256",
	[ENC_CHACHA20_POLY1305] = "chacha20-poly1305",
	[ENC_AES_CCM_128] = "aes-ccm-128",
	[ENC_AES_CCM_256] = "aes-ccm-256",
	[ENC_AES_CCM12_128] = "aes-ccm12-128",
	[ENC_AES_CCM12_256] = "aes-ccm12-256",
	[ENC_AES_CCM8_128] = "aes-ccm8-128",
	[ENC_AES_CCM8_256] = "aes-ccm8-256",
	[ENC_COUNT] = NULL,
};

const struct algorithm_encryption algorithm_encryption[] = {
	[ENC_NULL] = {.key = 0},
	[ENC_AES_CBC_128] = {.key = 16},
	[ENC_AES_CBC_256] = {.key = 32},
	[ENC_AES_GCM_128] = {.key = 16, .salt = 4, .combined = true},
	[ENC_AES_GCM_192] = {.key = 24, .salt = 4, .combined = true},
	[ENC_AES_GCM_256] = {.key = 32, .salt = 4, .combined = true},
	[ENC_AES_GMAC_128] = {.key = 16, .salt = 4, .combined = true},
	[ENC_AES_GMAC_192] = {.key = 24, .salt = 4, .combined = true},
	[ENC_AES_GMAC_256] = {.key = 32, .salt = 4, .combined = true},
	[ENC_AES_CBC_192] = {.key = 24},
	[ENC_DES_CBC] = {.key = 8, .weak = true},
	[ENC_3DES_CBC] = {.key = 24},
	[ENC_AES_CTR_128] = {.key = 16, .salt = 4, .like = ENC_AES_GCM_128},
	[ENC_AES_CTR_192] = {.key = 24, .salt = 4, .like = ENC_AES_GCM_192},
	[ENC_AES_CTR_256] = {.key = 32, .salt = 4, .like = ENC_AES_GCM_256},
	[ENC_AES_GCM12_128] = {.key = 16, .salt = 4, .combined = true, .like = ENC_AES_GCM_128},
	[ENC_AES_GCM12_192] = {.key = 24, .salt = 4, .combined = true, .like = ENC_AES_GCM_192},
	[ENC_AES_GCM12_256] = {.key = 32, .salt = 4, .combined = true, .like = ENC_AES_GCM_256},
	[ENC_AES_GCM8_128] = {.key = 16, .salt = 4, .combined = true, .like = ENC_AES_GCM_128},
	[ENC_AES_GCM8_192] = {.key = 24, .salt = 4, .combined = true, .like = ENC_AES_GCM_192},
	[ENC_AES_GCM8_256] = {.key = 32, .salt = 4, .combined = true, .like = ENC_AES_GCM_256},
	[ENC_CHACHA20_POLY1305] = {.key = 32, .salt = 4, .combined = true},
	[ENC_AES_CCM_128] = {.key = 16, .salt = 3, .combined = true, .like = ENC_AES_GCM_128},
	[ENC_AES_CCM_256] = {.key = 32, .salt = 3, .combined = true, .like = ENC_AES_GCM_256},
	[ENC_AES_CCM12_128] = {.key = 16, .salt = 3, .combined = true, .like = ENC_AES_GCM_128},
	[ENC_AES_CCM12_256] = {.key = 32, .salt = 3, .combined = true, .like = ENC_AES_GCM_256},
	[ENC_AES_CCM8_128] = {.key = 16, .salt = 3, .combined = true, .like = ENC_AES_GCM_128},
	[ENC_AES_CCM8_256] = {.key = 32, .salt = 3, .combined = true, .like = ENC_AES_GCM_256},
};

const char *const algorithm_integrity_words[] = {
	[INTEG_NONE] = "none",
	[INTEG_SHA1_96] = "sha1-96",
	[INTEG_SHA256_128] = "sha256-128",
	[INTEG_SHA384_192] = "sha384-192",
	[INTEG_SHA512_256] = "sha512-256",
	[INTEG_MD5_96] = "md5-96",
	[INTEG_COUNT] = NULL,
};

const struct algorithm_integrity algorithm_integrity[] = {
	[INTEG_NONE] = {.key = 0},
	[INTEG_SHA1_96] = {.key = 20},
	[INTEG_SHA256_128] = {.key = 32},
	[INTEG_SHA384_192] = {.key = 48},
	[INTEG_SHA512_256] = {.key = 64},
	[INTEG_MD5_96] = {.key = 16, .weak = true},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

_Static_assert(COUNT(algorithm_encryption) == ENC_COUNT, "a row for each");
_Static_assert(COUNT(algorithm_integrity) == INTEG_COUNT, "a row for each");
