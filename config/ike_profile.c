/* Two profiles: a strong one, and what the cloud's gateways do by default.
 *
 * The main mode of the cloud's policy-based gateways is a part of that of its route-based ones, so
 * one list does for both. `azure-default` is the only place of DES, MD5 and the 768-bit group. The cloud's gateway
 * offers six proposals when it starts and takes 26 when it answers; one list serves charon for both, so only a
 * connection that never answers keeps to the six.
 *
 * IKEv1 has one group for all proposals of a quick mode, and charon would leave out those that
 * have none: no proposal for IKEv1 has a group (no PFS), as the cloud's offers have none.
 */
#include "config/ike_profile.h"

#include <stdio.h>

/* ---- default --------------------------------------------------------------------- */

static const char *const default_ike[] = {
	"aes256gcm16-aes128gcm16-prfsha384-prfsha256-ecp384-x25519-ecp256-modp3072-modp2048",
	"aes256-aes128-sha384-sha256-ecp384-x25519-ecp256-modp3072-modp2048",
	NULL,
};

/* IKEv1 has no AEAD for its own messages, and one word of each kind in a proposal. */
static const char *const default_ike_v1[] = {
	"aes256-sha384-ecp384",
	"aes256-sha256-ecp256",
	"aes256-sha256-modp2048",
	"aes128-sha256-modp2048",
	NULL,
};

/* With a new exchange when a child is replaced (PFS) where the peer does that, without otherwise. */
static const char *const default_esp[] = {
	"aes256gcm16-aes128gcm16-ecp384-x25519-ecp256-modp3072-modp2048",
	"aes256gcm16-aes128gcm16",
	"aes256-aes128-sha384-sha256-ecp384-x25519-ecp256-modp3072-modp2048",
	"aes256-aes128-sha384-sha256",
	NULL,
};

static const char *const default_esp_v1[] = {"aes256gcm16", "aes128gcm16", "aes256-sha256", "aes128-sha256", NULL};

/* ---- azure-default --------------------------------------------------------------- */

static const char *const azure_ike[] = {
	"aes256-sha1-modp1024",
	"aes256-sha256-modp1024",
	"aes128-sha1-modp1024",
	"aes128-sha256-modp1024",
	"3des-sha1-modp1024",
	"3des-sha256-modp1024",
	NULL,
};

/* The numbers of the rows are the cloud's. */
static const char *const azure_esp[] = {
	"aes256gcm16",                /* 1 */
	"aes256-sha1",                /* 2 */
	"3des-sha1",                  /* 3 */
	"aes256-sha256",              /* 4 */
	"aes128-sha1",                /* 5 */
	"3des-sha256",                /* 6: the last that is offered */
	"des-sha1",                   /* 7 */
	"aes256-sha1-modp768",        /* 8 */
	"aes256-sha1-modp1024",       /* 9 */
	"aes256-sha1-modp2048",       /* 10 */
	"aes128-sha1-modp768",        /* 11 */
	"aes128-sha1-modp1024",       /* 12 */
	"aes128-sha1-modp2048",       /* 13 */
	"3des-sha1-modp768",          /* 14 */
	"3des-sha1-modp1024",         /* 15 */
	"3des-sha256-modp1024",       /* 16 */
	"aes256-sha256-modp768",      /* 17 */
	"aes256-sha256-modp1024",     /* 18 */
	"aes256-sha256-modp2048",     /* 19 */
	"aes256-sha1-modp2048s256",   /* 20 */
	"aes256-sha256-modp2048s256", /* 21 */
	"aes128-sha256",              /* 22 */
	"aes128-sha256-modp768",      /* 23 */
	"aes128-sha256-modp1024",     /* 24 */
	"aes128-sha256-modp2048",     /* 25 */
	"3des-sha1-modp2048",         /* 26 */
	NULL,
};

static const char *const azure_esp_offers[] = {
	"aes256gcm16", "aes256-sha1", "3des-sha1", "aes256-sha256", "aes128-sha1", "3des-sha256", NULL};

/* The rows without PFS. */
static const char *const azure_esp_v1[] = {"aes256gcm16", "aes256-sha1", "3des-sha1", "aes256-sha256", "aes128-sha1",
	"3des-sha256", "des-sha1", "aes128-sha256", NULL};

/* ---- choosing -------------------------------------------------------------------- */

const char *const *
ike_profile_ike(enum cfg_ike_profile profile, enum cfg_connection_protocol protocol)
{
	if (profile == IKE_PROFILE_AZURE)
		return azure_ike;
	return protocol == PROTOCOL_IKEV1 ? default_ike_v1 : default_ike;
}

const char *const *
ike_profile_esp(enum cfg_ike_profile profile, enum cfg_connection_protocol protocol, bool initiator_only)
{
	if (profile == IKE_PROFILE_DEFAULT)
		return protocol == PROTOCOL_IKEV1 ? default_esp_v1 : default_esp;
	if (initiator_only)
		return azure_esp_offers;
	return protocol == PROTOCOL_IKEV1 ? azure_esp_v1 : azure_esp;
}

uint32_t
ike_profile_child_life(enum cfg_ike_profile profile)
{
	return profile == IKE_PROFILE_AZURE ? 27000 : 3600;
}

/* ---- policies -------------------------------------------------------------------- */

/* A main mode without a group does not exist: the cloud's default stands in for None. */
static const char *const dh_keywords[] = {
	[DH_NONE] = "modp1024",
	[DH_GROUP1] = "modp768",
	[DH_GROUP2] = "modp1024",
	[DH_GROUP14] = "modp2048",
	[DH_GROUP2048] = "modp2048",
	[DH_ECP256] = "ecp256",
	[DH_ECP384] = "ecp384",
	[DH_GROUP24] = "modp2048s256",
};

static const char *const ike_encryptions[] = {
	[IKE_DES] = "des",
	[IKE_DES3] = "3des",
	[IKE_AES128] = "aes128",
	[IKE_AES192] = "aes192",
	[IKE_AES256] = "aes256",
	[IKE_GCMAES128] = "aes128gcm16",
	[IKE_GCMAES256] = "aes256gcm16",
};

/* Beside GCM this is the pseudo-random function only. */
static const char *const ike_integrities[] = {
	[IKE_MD5] = "md5",
	[IKE_SHA1] = "sha1",
	[IKE_SHA256] = "sha256",
	[IKE_SHA384] = "sha384",
	[IKE_INT_GCMAES128] = "sha256",
	[IKE_INT_GCMAES256] = "sha384",
};

static const char *const esp_encryptions[] = {
	[IPSEC_ENC_NONE] = "null",
	[IPSEC_DES] = "des",
	[IPSEC_DES3] = "3des",
	[IPSEC_AES128] = "aes128",
	[IPSEC_AES192] = "aes192",
	[IPSEC_AES256] = "aes256",
	[IPSEC_GCMAES128] = "aes128gcm16",
	[IPSEC_GCMAES192] = "aes192gcm16",
	[IPSEC_GCMAES256] = "aes256gcm16",
};

static const char *const esp_integrities[] = {
	[IPSEC_MD5] = "-md5",
	[IPSEC_SHA1] = "-sha1",
	[IPSEC_SHA256] = "-sha256",
	[IPSEC_INT_GCMAES128] = "",
	[IPSEC_INT_GCMAES192] = "",
	[IPSEC_INT_GCMAES256] = "",
};

static const char *
pfs_keyword(const struct cfg_ipsec_policy *p)
{
	static const char *const words[] = {
		[PFS_NONE] = "",
		[PFS_1] = "modp768",
		[PFS_2] = "modp1024",
		[PFS_2048] = "modp2048",
		[PFS_ECP256] = "ecp256",
		[PFS_ECP384] = "ecp384",
		[PFS_24] = "modp2048s256",
		[PFS_14] = "modp2048",
	};

	return p->pfs_group == PFS_MM ? dh_keywords[p->dh_group] : words[p->pfs_group];
}

void
ike_policy_ike(const struct cfg_ipsec_policy *p, char *text, size_t size)
{
	bool gcm = p->ike_encryption == IKE_GCMAES128 || p->ike_encryption == IKE_GCMAES256;

	snprintf(text, size, "%s-%s%s-%s", ike_encryptions[p->ike_encryption], gcm ? "prf" : "",
		ike_integrities[p->ike_integrity], dh_keywords[p->dh_group]);
}

void
ike_policy_esp(const struct cfg_ipsec_policy *p, char *text, size_t size)
{
	const char *group = pfs_keyword(p);

	snprintf(text, size, "%s%s%s%s", esp_encryptions[p->ipsec_encryption], esp_integrities[p->ipsec_integrity],
		group[0] ? "-" : "", group);
}
