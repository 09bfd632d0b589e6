/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The list of revoked certificates; see revoked.h.
 */
#include "control/strongswan/revoked.h"

#include "control/strongswan/wire.h"

#include <string.h>

#define OF_CLIENTS "p2s-"
#define THUMBPRINT (2 * HASH_SIZE_SHA1)

/* In hexadecimal. */
static bool
thumbprint_make(certificate_t *certificate, char text[THUMBPRINT + 1])
{
	hasher_t *hasher = lib->crypto->create_hasher(lib->crypto, HASH_SHA1);
	chunk_t der = chunk_empty;
	uint8_t digest[HASH_SIZE_SHA1];
	bool made = hasher && certificate->get_encoding(certificate, CERT_ASN1_DER, &der) &&
		    hasher->get_hash(hasher, der, digest);

	if (made)
		chunk_to_hex(chunk_create(digest, sizeof(digest)), text, true);
	chunk_free(&der);
	DESTROY_IF(hasher);
	return made;
}

static bool
is_listed(const char *list, const char *thumbprint)
{
	for (size_t n; *list; list += n) {
		list += strspn(list, " ");
		n = strcspn(list, " ");
		if (n == THUMBPRINT && strncasecmp(list, thumbprint, n) == 0)
			return true;
	}
	return false;
}

static bool
is_refused(certificate_t *certificate, const char *list, char *text, size_t n)
{
	char thumbprint[THUMBPRINT + 1];

	if (!thumbprint_make(certificate, thumbprint)) {
		wire_text(text, n, "its certificate's thumbprint cannot be made");
		return true;
	}
	if (!is_listed(list, thumbprint))
		return false;
	wire_text(text, n, "the certificate with thumbprint %s is revoked", thumbprint);
	return true;
}

bool
revoked_is(ike_sa_t *ike_sa, char *text, size_t n)
{
	const char *list = lib->settings->get_str(lib->settings, "%s.plugins.kernel-isthmus.revoked", "", lib->ns);
	certificate_t *certificate;
	enumerator_t *rounds;
	bool refused = false;
	auth_cfg_t *round;

	if (strncmp(ike_sa->get_name(ike_sa), OF_CLIENTS, strlen(OF_CLIENTS)) != 0)
		return false;
	rounds = ike_sa->create_auth_cfg_enumerator(ike_sa, false);
	while (!refused && rounds->enumerate(rounds, &round)) {
		certificate = round->get(round, AUTH_RULE_SUBJECT_CERT);
		refused = certificate && is_refused(certificate, list, text, n);
	}
	rounds->destroy(rounds);
	return refused;
}
