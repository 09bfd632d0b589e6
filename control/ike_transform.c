/* The two tables of transforms; see ike_transform.h. */
#include "control/ike_transform.h"

#include "config/algorithm.h"

#include <errno.h>
#include <stddef.h>

/* One id has a row for each length of its key. */
static const struct {
	uint16_t id;
	enum cfg_encryption encryption;
} encryptions[] = {
	{2, ENC_DES_CBC},
	{3, ENC_3DES_CBC},
	{11, ENC_NULL},
	{12, ENC_AES_CBC_128},
	{12, ENC_AES_CBC_192},
	{12, ENC_AES_CBC_256},
	{13, ENC_AES_CTR_128},
	{13, ENC_AES_CTR_192},
	{13, ENC_AES_CTR_256},
	{14, ENC_AES_CCM8_128},
	{14, ENC_AES_CCM8_256},
	{15, ENC_AES_CCM12_128},
	{15, ENC_AES_CCM12_256},
	{16, ENC_AES_CCM_128},
	{16, ENC_AES_CCM_256},
	{18, ENC_AES_GCM8_128},
	{18, ENC_AES_GCM8_192},
	{18, ENC_AES_GCM8_256},
	{19, ENC_AES_GCM12_128},
	{19, ENC_AES_GCM12_192},
	{19, ENC_AES_GCM12_256},
	{20, ENC_AES_GCM_128},
	{20, ENC_AES_GCM_192},
	{20, ENC_AES_GCM_256},
	{28, ENC_CHACHA20_POLY1305},
	{21, ENC_AES_GMAC_128},
	{21, ENC_AES_GMAC_192},
	{21, ENC_AES_GMAC_256},
};

static const struct {
	uint16_t id;
	enum cfg_integrity integrity;
} integrities[] = {
	{IKE_INTEGRITY_NONE, INTEG_NONE},
	{IKE_INTEGRITY_UNDEFINED, INTEG_NONE},
	{1, INTEG_MD5_96},
	{2, INTEG_SHA1_96},
	{12, INTEG_SHA256_128},
	{13, INTEG_SHA384_192},
	{14, INTEG_SHA512_256},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static int
find_encryption(uint16_t id, uint16_t length, enum cfg_encryption *out)
{
	int error = -ENOTSUP;

	for (size_t i = 0; i < COUNT(encryptions); i++) {
		if (encryptions[i].id != id)
			continue;
		if (algorithm_key_length(encryptions[i].encryption) == length) {
			*out = encryptions[i].encryption;
			return 0;
		}
		error = -EINVAL;
	}
	return error;
}

static int
find_integrity(uint16_t id, uint16_t length, enum cfg_integrity *out)
{
	for (size_t i = 0; i < COUNT(integrities); i++) {
		if (integrities[i].id != id)
			continue;
		*out = integrities[i].integrity;
		return algorithm_integrity[*out].key == length ? 0 : -EINVAL;
	}
	return -ENOTSUP;
}

int
ike_transform(uint16_t encryption_id, uint16_t integrity_id, uint16_t encryption_key_length,
	uint16_t integrity_key_length, struct cfg_sa *out)
{
	enum cfg_encryption encryption = ENC_NULL;
	enum cfg_integrity integrity = INTEG_NONE;
	int error = find_encryption(encryption_id, encryption_key_length, &encryption);

	if (!error)
		error = find_integrity(integrity_id, integrity_key_length, &integrity);
	if (error)
		return error;
	if (algorithm_encryption[encryption].combined != (integrity == INTEG_NONE))
		return -EINVAL;

	out->encryption = encryption;
	out->integrity = integrity;
	out->enc_key_len = (uint8_t)encryption_key_length;
	out->auth_key_len = (uint8_t)integrity_key_length;
	return 0;
}
