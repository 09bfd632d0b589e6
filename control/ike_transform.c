/* The two tables of transforms; see ike_transform.h. */
#include "control/ike_transform.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#define SALT 4

/* One id has a row for each length of its key. */
static const struct {
	uint16_t id, length;
	bool combined; /* authenticates by itself */
	enum cfg_encryption encryption;
} encryptions[] = {
	{11, 0, false, ENC_NULL},
	{12, 16, false, ENC_AES_CBC_128},
	{12, 32, false, ENC_AES_CBC_256},
	{20, 16 + SALT, true, ENC_AES_GCM_128},
	{20, 24 + SALT, true, ENC_AES_GCM_192},
	{20, 32 + SALT, true, ENC_AES_GCM_256},
	{21, 16 + SALT, true, ENC_AES_GMAC_128},
	{21, 24 + SALT, true, ENC_AES_GMAC_192},
	{21, 32 + SALT, true, ENC_AES_GMAC_256},
};

static const struct {
	uint16_t id, length;
	enum cfg_integrity integrity;
} integrities[] = {
	{IKE_INTEGRITY_NONE, 0, INTEG_NONE},
	{IKE_INTEGRITY_UNDEFINED, 0, INTEG_NONE},
	{2, 20, INTEG_SHA1_96},
	{12, 32, INTEG_SHA256_128},
	{13, 48, INTEG_SHA384_192},
	{14, 64, INTEG_SHA512_256},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static int
find_encryption(uint16_t id, uint16_t length, size_t *row)
{
	int error = -ENOTSUP;

	for (size_t i = 0; i < COUNT(encryptions); i++) {
		if (encryptions[i].id != id)
			continue;
		if (encryptions[i].length == length) {
			*row = i;
			return 0;
		}
		error = -EINVAL;
	}
	return error;
}

static int
find_integrity(uint16_t id, uint16_t length, size_t *row)
{
	for (size_t i = 0; i < COUNT(integrities); i++) {
		if (integrities[i].id != id)
			continue;
		*row = i;
		return integrities[i].length == length ? 0 : -EINVAL;
	}
	return -ENOTSUP;
}

int
ike_transform(uint16_t encryption_id, uint16_t integrity_id, uint16_t encryption_key_length,
	uint16_t integrity_key_length, struct cfg_sa *out)
{
	size_t e = 0, i = 0;
	int error = find_encryption(encryption_id, encryption_key_length, &e);

	if (!error)
		error = find_integrity(integrity_id, integrity_key_length, &i);
	if (error)
		return error;
	if (encryptions[e].combined != (integrities[i].integrity == INTEG_NONE))
		return -EINVAL;

	out->encryption = encryptions[e].encryption;
	out->integrity = integrities[i].integrity;
	out->enc_key_len = (uint8_t)encryption_key_length;
	out->auth_key_len = (uint8_t)integrity_key_length;
	return 0;
}
