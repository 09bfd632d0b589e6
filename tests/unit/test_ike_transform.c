/* Transforms of IKE: every algorithm that a peer may negotiate becomes one that the workers take, all else is refused.
 */
#include "control/ike_transform.h"
#include "drivers/crypto.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct expected {
	uint16_t id, length;
	enum cfg_encryption encryption;
};

static const struct expected combined[] = {
	{14, 19, ENC_AES_CCM8_128},
	{14, 35, ENC_AES_CCM8_256},
	{15, 19, ENC_AES_CCM12_128},
	{15, 35, ENC_AES_CCM12_256},
	{16, 19, ENC_AES_CCM_128},
	{16, 35, ENC_AES_CCM_256},
	{18, 20, ENC_AES_GCM8_128},
	{18, 28, ENC_AES_GCM8_192},
	{18, 36, ENC_AES_GCM8_256},
	{19, 20, ENC_AES_GCM12_128},
	{19, 28, ENC_AES_GCM12_192},
	{19, 36, ENC_AES_GCM12_256},
	{20, 20, ENC_AES_GCM_128},
	{20, 28, ENC_AES_GCM_192},
	{20, 36, ENC_AES_GCM_256},
	{28, 36, ENC_CHACHA20_POLY1305},
	{21, 20, ENC_AES_GMAC_128},
	{21, 28, ENC_AES_GMAC_192},
	{21, 36, ENC_AES_GMAC_256},
};

static const struct expected chained[] = {
	{2, 8, ENC_DES_CBC},
	{3, 24, ENC_3DES_CBC},
	{11, 0, ENC_NULL},
	{12, 16, ENC_AES_CBC_128},
	{12, 24, ENC_AES_CBC_192},
	{12, 32, ENC_AES_CBC_256},
	{13, 20, ENC_AES_CTR_128},
	{13, 28, ENC_AES_CTR_192},
	{13, 36, ENC_AES_CTR_256},
};

static const struct {
	uint16_t id, length;
	enum cfg_integrity integrity;
} hashes[] = {
	{1, 16, INTEG_MD5_96},
	{2, 20, INTEG_SHA1_96},
	{12, 32, INTEG_SHA256_128},
	{13, 48, INTEG_SHA384_192},
	{14, 64, INTEG_SHA512_256},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* The keys are of the length that the workers' own code wants. */
static void
makes_a_key(struct cfg_sa sa)
{
	struct crypto_key *key;

	sa.outbound = true;
	assert_int_equal(crypto_key_create(&sa, &key), 0);
	crypto_key_free(key);
}

static void
is(const struct expected *e, uint16_t hash_id, uint16_t hash_length, enum cfg_integrity integrity)
{
	struct cfg_sa sa = {.spi = 4711};

	assert_int_equal(ike_transform(e->id, hash_id, e->length, hash_length, &sa), 0);
	assert_int_equal(sa.encryption, e->encryption);
	assert_int_equal(sa.integrity, integrity);
	assert_int_equal(sa.enc_key_len, e->length);
	assert_int_equal(sa.auth_key_len, hash_length);
	assert_int_equal(sa.spi, 4711);
	makes_a_key(sa);
}

static void
each_pair_is_an_sa(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(combined); i++) {
		is(&combined[i], IKE_INTEGRITY_NONE, 0, INTEG_NONE);
		is(&combined[i], IKE_INTEGRITY_UNDEFINED, 0, INTEG_NONE);
	}
	for (size_t i = 0; i < COUNT(chained); i++)
		for (size_t h = 0; h < COUNT(hashes); h++)
			is(&chained[i], hashes[h].id, hashes[h].length, hashes[h].integrity);
}

static void
refused(int error, uint16_t id, uint16_t hash_id, uint16_t length, uint16_t hash_length)
{
	struct cfg_sa sa, untouched;

	memset(&sa, 0x5a, sizeof(sa));
	untouched = sa;
	assert_int_equal(ike_transform(id, hash_id, length, hash_length, &sa), error);
	assert_memory_equal(&sa, &untouched, sizeof(sa));
}

/* A length is right for its own algorithm alone. */
static void
other_lengths_are_invalid(void **state)
{
	(void)state;
	for (uint16_t length = 0; length < 80; length++) {
		if (length != 20 && length != 28 && length != 36)
			refused(-EINVAL, 20, 0, length, 0);
		if (length != 32)
			refused(-EINVAL, 12, 12, 16, length);
		if (length != 0)
			refused(-EINVAL, 11, 12, length, 32);
	}
	refused(-EINVAL, 20, 0, 20, 1);
	refused(-EINVAL, 20, 0, 256 + 20, 0);
	refused(-EINVAL, 12, 2, 16, 256 + 20);
	refused(-EINVAL, 16, 0, 27, 0); /* CCM with 192 bits, which workers have not */
	refused(-EINVAL, 16, 0, 20, 0);
}

static void
integrity_stands_where_it_must(void **state)
{
	(void)state;
	refused(-EINVAL, 20, 12, 20, 32);
	refused(-EINVAL, 21, 2, 20, 20);
	refused(-EINVAL, 12, IKE_INTEGRITY_NONE, 16, 0);
	refused(-EINVAL, 11, IKE_INTEGRITY_UNDEFINED, 0, 0);
}

static void
unknown_algorithms_are_not_supported(void **state)
{
	(void)state;
	refused(-ENOTSUP, 0, 0, 0, 0);
	refused(-ENOTSUP, 7, 2, 16, 20);  /* Blowfish */
	refused(-ENOTSUP, 23, 2, 16, 20); /* Camellia */
	refused(-ENOTSUP, 12, 5, 16, 16); /* AES-XCBC */
	refused(-ENOTSUP, 12, 9, 16, 16); /* AES-128-GMAC, of AH */
	refused(-ENOTSUP, 65535, 65535, 65535, 65535);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_pair_is_an_sa),
		cmocka_unit_test(other_lengths_are_invalid),
		cmocka_unit_test(integrity_stands_where_it_must),
		cmocka_unit_test(unknown_algorithms_are_not_supported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
