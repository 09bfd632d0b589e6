/* Proposals: the vendor's words and the two profiles as strongSwan's keywords.
 *
 * azure-default is the vendor's list for route-based gateways in the order a responder knows it; as an initiator the
 * vendor offers its first six alone, but a peer chooses from what it is offered, so the whole list does for both. DES
 * and the 1024 bit groups are in it and nowhere else, unless a policy names them.
 */
#include "control/ike_proposal.h"

#include <string.h>

#define PROPOSAL_MAX 128

static const char *const default_ike[] = {
	"aes256gcm16-aes128gcm16-prfsha384-prfsha256-ecp384-x25519-ecp256-modp3072-modp2048",
	"aes256-aes128-sha384-sha256-ecp384-x25519-ecp256-modp3072-modp2048",
};
static const char *const default_ikev1[] = {
	"aes256-sha384-ecp384",
	"aes256-sha256-ecp256",
	"aes256-sha256-modp2048",
	"aes128-sha256-modp2048",
};
/* PFS first; a peer that wants none gets none */
static const char *const default_esp[] = {
	"aes256gcm16-aes128gcm16-ecp384-x25519-ecp256-modp3072-modp2048",
	"aes256gcm16-aes128gcm16",
	"aes256-aes128-sha384-sha256-ecp384-x25519-ecp256-modp3072-modp2048",
	"aes256-aes128-sha384-sha256",
};
static const char *const azure_ike[] = {
	"aes256-sha1-modp1024",
	"aes256-sha256-modp1024",
	"aes128-sha1-modp1024",
	"aes128-sha256-modp1024",
	"3des-sha1-modp1024",
	"3des-sha256-modp1024",
};
static const char *const azure_esp[] = {
	"aes256gcm16",
	"aes256-sha1",
	"3des-sha1",
	"aes256-sha256",
	"aes128-sha1",
	"3des-sha256",
	"des-sha1",
	"aes256-sha1-modp768",
	"aes256-sha1-modp1024",
	"aes256-sha1-modp2048",
	"aes128-sha1-modp768",
	"aes128-sha1-modp1024",
	"aes128-sha1-modp2048",
	"3des-sha1-modp768",
	"3des-sha1-modp1024",
	"3des-sha256-modp1024",
	"aes256-sha256-modp768",
	"aes256-sha256-modp1024",
	"aes256-sha256-modp2048",
	"aes256-sha1-modp2048s256",
	"aes256-sha256-modp2048s256",
	"aes128-sha256",
	"aes128-sha256-modp768",
	"aes128-sha256-modp1024",
	"aes128-sha256-modp2048",
	"3des-sha1-modp2048",
};

static const char *const ike_encryption[] = {
	[IKE_DES] = "des",
	[IKE_DES3] = "3des",
	[IKE_AES128] = "aes128",
	[IKE_AES192] = "aes192",
	[IKE_AES256] = "aes256",
	[IKE_GCMAES128] = "aes128gcm16",
	[IKE_GCMAES256] = "aes256gcm16",
};
/* an AEAD needs a PRF in its place */
static const char *const ike_integrity[][2] = {
	[IKE_MD5] = {"md5", "prfmd5"},
	[IKE_SHA1] = {"sha1", "prfsha1"},
	[IKE_SHA256] = {"sha256", "prfsha256"},
	[IKE_SHA384] = {"sha384", "prfsha384"},
	[IKE_INT_GCMAES128] = {"sha256", "prfsha256"},
	[IKE_INT_GCMAES256] = {"sha384", "prfsha384"},
};
static const char *const dh_group[] = {
	[DH_NONE] = "modp1024", /* there is no IKE without one: the vendor's default */
	[DH_GROUP1] = "modp768",
	[DH_GROUP2] = "modp1024",
	[DH_GROUP14] = "modp2048",
	[DH_GROUP2048] = "modp2048",
	[DH_ECP256] = "ecp256",
	[DH_ECP384] = "ecp384",
	[DH_GROUP24] = "modp2048s256",
};
static const char *const ipsec_encryption[] = {
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
/* with encryption None the GCM words mean GMAC */
static const char *const ipsec_integrity[] = {
	[IPSEC_MD5] = "md5",
	[IPSEC_SHA1] = "sha1",
	[IPSEC_SHA256] = "sha256",
	[IPSEC_INT_GCMAES128] = "aes128gmac",
	[IPSEC_INT_GCMAES192] = "aes192gmac",
	[IPSEC_INT_GCMAES256] = "aes256gmac",
};

static const char *
pfs_group(const struct cfg_ipsec_policy *p)
{
	static const char *const group[] = {
		[PFS_1] = "modp768",
		[PFS_2] = "modp1024",
		[PFS_2048] = "modp2048",
		[PFS_ECP256] = "ecp256",
		[PFS_ECP384] = "ecp384",
		[PFS_24] = "modp2048s256",
		[PFS_14] = "modp2048",
	};

	if (p->pfs_group == PFS_NONE)
		return NULL;
	return p->pfs_group == PFS_MM ? dh_group[p->dh_group] : group[p->pfs_group];
}

static void
add_list(struct vici_message *m, const char *const *proposal, size_t n, const char *end)
{
	for (size_t i = 0; i < n; i++)
		vici_item(m, "%s%s", proposal[i], end);
}

#define ADD_LIST(m, list, end) add_list(m, list, sizeof(list) / sizeof(*(list)), end)

static void
ike_policy_add(struct vici_message *m, const struct cfg_ipsec_policy *p)
{
	bool aead = p->ike_encryption == IKE_GCMAES128 || p->ike_encryption == IKE_GCMAES256;

	vici_item(m, "%s-%s-%s", ike_encryption[p->ike_encryption], ike_integrity[p->ike_integrity][aead],
		dh_group[p->dh_group]);
}

void
ike_proposals_add(struct vici_message *m, const struct ike_offer *o)
{
	if (o->ike && o->ike->n > 0)
		add_list(m, (const char *const *)o->ike->s, o->ike->n, "");
	else if (o->policy)
		ike_policy_add(m, o->policy);
	else if (o->profile == IKE_PROFILE_AZURE)
		ADD_LIST(m, azure_ike, "");
	else if (o->ikev1)
		ADD_LIST(m, default_ikev1, "");
	else
		ADD_LIST(m, default_ike, "");
}

static void
esp_policy_add(struct vici_message *m, const struct cfg_ipsec_policy *p, const char *end)
{
	bool aead = p->ipsec_encryption >= IPSEC_GCMAES128;
	bool gmac = p->ipsec_encryption == IPSEC_ENC_NONE && p->ipsec_integrity >= IPSEC_INT_GCMAES128;
	const char *group = pfs_group(p);
	char algorithms[PROPOSAL_MAX];

	if (aead)
		snprintf(algorithms, sizeof(algorithms), "%s", ipsec_encryption[p->ipsec_encryption]);
	else if (gmac)
		snprintf(algorithms, sizeof(algorithms), "%s", ipsec_integrity[p->ipsec_integrity]);
	else
		snprintf(algorithms, sizeof(algorithms), "%s-%s", ipsec_encryption[p->ipsec_encryption],
			ipsec_integrity[p->ipsec_integrity]);
	vici_item(m, "%s%s%s%s", algorithms, group ? "-" : "", group ? group : "", end);
}

void
esp_proposals_add(struct vici_message *m, const struct ike_offer *o)
{
	/* both, ours first: a peer that knows no ESN takes the other. IKEv1 negotiates it by an attribute charon
	 * does not speak. */
	const char *end = o->esn && !o->ikev1 ? "-esn-noesn" : "";

	if (o->esp && o->esp->n > 0)
		add_list(m, (const char *const *)o->esp->s, o->esp->n, "");
	else if (o->policy)
		esp_policy_add(m, o->policy, end);
	else if (o->profile == IKE_PROFILE_AZURE)
		ADD_LIST(m, azure_esp, end);
	else
		ADD_LIST(m, default_esp, end);
}
