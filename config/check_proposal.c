/* What a connection may offer: words this appliance and its charon can do, and weak ones only where
 * the profile that has them is named.
 *
 * Weak is DES, MD5, the 768-bit group, and in a policy also what encrypts nothing. In espProposals
 * null and GMAC are written out by who wants them, and need no more.
 */
#include "config/check.h"
#include "config/schemas.h"

#include <string.h>

void
check_weak(struct check *k, struct cfg_mark mark, const char *key, const char *word)
{
	config_error(k->b->errors, mark, "WeakAlgorithm",
		"'%s': %s is weak and taken only with appliance.ikeProfile azure-default", key, word);
}

/* ---- strongSwan's keywords ------------------------------------------------------- */

enum transform {
	CIPHER = 1,
	COMBINED = 2, /* authenticates by itself */
	INTEGRITY = 4,
	PRF = 8,
	GROUP = 16,
	SEQUENCE = 32,
	FOR_IKE = 64,
	FOR_ESP = 128,
	WEAK = 256,
};

#define BOTH (FOR_IKE | FOR_ESP)
#define SIZES(middle, kind)                                                                                            \
	{"aes128" middle, kind}, {"aes192" middle, kind},                                                              \
	{                                                                                                              \
		"aes256" middle, kind                                                                                  \
	}

/* Workers have no CCM with 192 bits. */
#define CCM(icv)                                                                                                       \
	{"aes128ccm" icv, COMBINED | BOTH}, {"aes192ccm" icv, COMBINED | FOR_IKE},                                     \
	{                                                                                                              \
		"aes256ccm" icv, COMBINED | BOTH                                                                       \
	}

static const struct keyword {
	const char *word;
	unsigned int is;
} keywords[] = {
	SIZES("", CIPHER | BOTH),
	SIZES("ctr", CIPHER | BOTH),
	{"3des", CIPHER | BOTH},
	{"des", CIPHER | BOTH | WEAK},
	{"null", CIPHER | FOR_ESP},
	SIZES("gcm8", COMBINED | BOTH),
	SIZES("gcm12", COMBINED | BOTH),
	SIZES("gcm16", COMBINED | BOTH),
	CCM("8"),
	CCM("12"),
	CCM("16"),
	SIZES("gmac", COMBINED | FOR_ESP),
	{"chacha20poly1305", COMBINED | BOTH},
	{"md5", INTEGRITY | BOTH | WEAK},
	{"sha1", INTEGRITY | BOTH},
	{"sha256", INTEGRITY | BOTH},
	{"sha384", INTEGRITY | BOTH},
	{"sha512", INTEGRITY | BOTH},
	{"prfmd5", PRF | FOR_IKE | WEAK},
	{"prfsha1", PRF | FOR_IKE},
	{"prfsha256", PRF | FOR_IKE},
	{"prfsha384", PRF | FOR_IKE},
	{"prfsha512", PRF | FOR_IKE},
	{"modp768", GROUP | BOTH | WEAK},
	{"modp1024", GROUP | BOTH},
	{"modp1536", GROUP | BOTH},
	{"modp2048", GROUP | BOTH},
	{"modp2048s256", GROUP | BOTH},
	{"modp3072", GROUP | BOTH},
	{"modp4096", GROUP | BOTH},
	{"modp6144", GROUP | BOTH},
	{"modp8192", GROUP | BOTH},
	{"ecp256", GROUP | BOTH},
	{"ecp384", GROUP | BOTH},
	{"ecp521", GROUP | BOTH},
	{"curve25519", GROUP | BOTH},
	{"x25519", GROUP | BOTH},
	{"esn", SEQUENCE | FOR_ESP},
	{"noesn", SEQUENCE | FOR_ESP},
};

static const struct keyword *
keyword_find(const char *word, size_t length)
{
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		if (strlen(keywords[i].word) == length && memcmp(keywords[i].word, word, length) == 0)
			return &keywords[i];
	return NULL;
}

/* ---- proposals ------------------------------------------------------------------- */

/* One proposal, or one word of it, and where it stands. */
struct proposal {
	const struct cfg_connection *c;
	char *const *text;
	unsigned int use; /* FOR_IKE or FOR_ESP */
};

static const char *
proposal_key(const struct proposal *p)
{
	return p->use == FOR_IKE ? "ikeProposals" : "espProposals";
}

static void
unknown_word(struct check *k, const struct proposal *p, const char *word, size_t length)
{
	struct suggestion near;
	char wanted[128], text[160];

	snprintf(wanted, sizeof(wanted), "%.*s", (int)(length < 60 ? length : 60), word);
	suggestion_start(&near, wanted);
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		if (keywords[i].is & p->use)
			suggestion_offer(&near, keywords[i].word);
	config_error(k->b->errors, MARK(k, p->text, p->c), "InvalidAlgorithm",
		"'%s': '%s' is no algorithm of this appliance%s", proposal_key(p), wanted,
		suggestion_text(&near, text, sizeof(text)));
}

/* What the words are together; 0 if one of them was refused. */
static unsigned int
check_words(struct check *k, const struct proposal *p)
{
	unsigned int all = 0;
	bool fine = true;

	for (const char *word = *p->text, *next = word; next != NULL; word = next) {
		size_t length = strcspn(word, "-");
		const struct keyword *found = keyword_find(word, length);

		next = word[length] == '-' ? word + length + 1 : NULL;
		if (found == NULL || !(found->is & p->use)) {
			unknown_word(k, p, word, length);
			fine = false;
			continue;
		}
		all |= found->is;
		if ((found->is & WEAK) && p->c->ike.profile != IKE_PROFILE_AZURE) {
			check_weak(k, MARK(k, p->text, p->c), proposal_key(p), found->word);
			fine = false;
		}
	}
	return fine ? all : 0;
}

static void
check_proposal(struct check *k, const struct proposal *p)
{
	unsigned int has = check_words(k, p);
	const char *wrong = NULL;

	if (has == 0)
		return;
	if (!(has & (CIPHER | COMBINED)))
		wrong = "has no encryption algorithm";
	else if ((has & CIPHER) && (has & COMBINED))
		wrong = "mixes encryption that authenticates by itself with other: make two of it";
	else if ((has & CIPHER) && !(has & INTEGRITY))
		wrong = "has no integrity algorithm";
	else if ((has & COMBINED) && (has & INTEGRITY))
		wrong = "has an integrity algorithm beside encryption that authenticates by itself";
	else if (p->use == FOR_IKE && (has & COMBINED) && !(has & PRF))
		wrong = "needs a pseudo-random function (prfsha256, prfsha384, ...)";
	else if (p->use == FOR_IKE && !(has & GROUP))
		wrong = "has no Diffie-Hellman group";
	else if (p->use == FOR_IKE && (has & COMBINED) && p->c->ike.protocol == PROTOCOL_IKEV1)
		wrong = "encrypts IKE itself by an algorithm that IKEv1 does not have";
	if (wrong != NULL)
		config_error(k->b->errors, MARK(k, p->text, p->c), "InvalidAlgorithm", "'%s': '%.80s' %s",
			proposal_key(p), *p->text, wrong);
}

static void
check_list(struct check *k, const struct cfg_connection *c, const struct cfg_strings *list, unsigned int use)
{
	for (uint32_t i = 0; i < list->n; i++) {
		const struct proposal p = {.c = c, .text = &list->s[i], .use = use};

		check_proposal(k, &p);
	}
}

/* ---- policies -------------------------------------------------------------------- */

static void
check_weakness(struct check *k, const struct cfg_ipsec_policy *p)
{
	const char *weak[] = {
		p->ipsec_encryption <= IPSEC_DES ? ipsec_encryption_words[p->ipsec_encryption] : NULL,
		p->ipsec_integrity == IPSEC_MD5 ? "MD5" : NULL,
		p->ike_encryption == IKE_DES ? "DES" : NULL,
		p->ike_integrity == IKE_MD5 ? "MD5" : NULL,
		p->dh_group <= DH_GROUP1 ? dh_group_words[p->dh_group] : NULL,
		p->pfs_group == PFS_1 ? "PFS1" : NULL,
	};
	static const char *const keys[] = {
		"ipsecEncryption", "ipsecIntegrity", "ikeEncryption", "ikeIntegrity", "dhGroup", "pfsGroup"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (weak[i] != NULL)
			check_weak(k, p->mark, keys[i], weak[i]);
}

static bool
is_gcm(const char *word)
{
	return strncmp(word, "GCM", 3) == 0;
}

/* GCM names itself as integrity, or, for IKE, the hash of the pseudo-random function. */
static void
check_combination(struct check *k, const struct cfg_ipsec_policy *p)
{
	const char *esp = ipsec_encryption_words[p->ipsec_encryption];
	const char *esp_integrity = ipsec_integrity_words[p->ipsec_integrity];
	const char *ike = ike_encryption_words[p->ike_encryption];
	const char *ike_integrity = ike_integrity_words[p->ike_integrity];

	if ((is_gcm(esp) || is_gcm(esp_integrity)) && strcmp(esp, esp_integrity) != 0)
		config_error(k->b->errors, MARK(k, &p->ipsec_integrity, p), "InvalidAlgorithm",
			"ipsecIntegrity %s does not go with ipsecEncryption %s: with GCM both are the same",
			esp_integrity, esp);
	if (is_gcm(ike_integrity) && strcmp(ike, ike_integrity) != 0)
		config_error(k->b->errors, MARK(k, &p->ike_integrity, p), "InvalidAlgorithm",
			"ikeIntegrity %s does not go with ikeEncryption %s: with GCM both are the same, or it is a "
			"hash",
			ike_integrity, ike);
}

void
check_policy(struct check *k, const struct cfg_ipsec_policy *p, enum cfg_ike_profile profile)
{
	check_combination(k, p);
	if (profile != IKE_PROFILE_AZURE)
		check_weakness(k, p);
}

void
check_proposals(struct check *k, const struct cfg_connection *c)
{
	const struct cfg_ike *i = &c->ike;

	if (i->n_policies > 0 && (i->ike_proposals.n > 0 || i->esp_proposals.n > 0))
		config_error(k->b->errors, i->policies[0].mark, "InvalidValue",
			"connection '%.80s' has ipsecPolicies beside ikeProposals or espProposals: one of them",
			c->name);
	if (i->n_policies > 0)
		check_policy(k, &i->policies[0], i->profile);
	if (i->n_policies > 0 && i->protocol == PROTOCOL_IKEV1 &&
		is_gcm(ike_encryption_words[i->policies[0].ike_encryption]))
		config_error(k->b->errors, MARK(k, &i->policies[0].ike_encryption, &i->policies[0]), "InvalidAlgorithm",
			"ikeEncryption %s: IKEv1 does not encrypt itself by GCM",
			ike_encryption_words[i->policies[0].ike_encryption]);
	check_list(k, c, &i->ike_proposals, FOR_IKE);
	check_list(k, c, &i->esp_proposals, FOR_ESP);
}
