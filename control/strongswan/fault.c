/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Meanings of charon's alerts; see fault.h.
 */
#include "control/strongswan/fault.h"

#include "control/strongswan/wire.h"

#define SAY(a, ...) wire_text((a)->text, sizeof((a)->text), __VA_ARGS__)

static const struct {
	alert_t alert;
	enum ike_fault fault;
	const char *text; /* NULL: made from the alert's arguments */
} meanings[] = {
	{ALERT_RADIUS_NOT_RESPONDING, IKE_FAULT_OTHER, "the RADIUS server does not answer"},
	{ALERT_LOCAL_AUTH_FAILED, IKE_FAULT_LOCAL_AUTH, "the peer refused our authentication"},
	{ALERT_PEER_AUTH_FAILED, IKE_FAULT_PEER_AUTH, "the peer could not be authenticated"},
	{ALERT_PEER_ADDR_FAILED, IKE_FAULT_ADDRESS, "the peer's name has no address"},
	{ALERT_PEER_INIT_UNREACHABLE, IKE_FAULT_UNREACHABLE, NULL},
	{ALERT_INVALID_IKE_SPI, IKE_FAULT_MALFORMED, NULL},
	{ALERT_PARSE_ERROR_HEADER, IKE_FAULT_MALFORMED, NULL},
	{ALERT_PARSE_ERROR_BODY, IKE_FAULT_MALFORMED, NULL},
	{ALERT_RETRANSMIT_SEND_TIMEOUT, IKE_FAULT_TIMEOUT, "the peer does not answer any more"},
	{ALERT_HALF_OPEN_TIMEOUT, IKE_FAULT_HALF_OPEN, "the peer began an exchange and did not end it"},
	{ALERT_PROPOSAL_MISMATCH_IKE, IKE_FAULT_PROPOSAL_IKE, NULL},
	{ALERT_PROPOSAL_MISMATCH_CHILD, IKE_FAULT_PROPOSAL_CHILD, NULL},
	{ALERT_TS_MISMATCH, IKE_FAULT_SELECTORS, NULL},
	{ALERT_TS_NARROWED, IKE_FAULT_NARROWED, NULL},
	{ALERT_INSTALL_CHILD_SA_FAILED, IKE_FAULT_INSTALL, "an SA could not be installed"},
	{ALERT_INSTALL_CHILD_POLICY_FAILED, IKE_FAULT_INSTALL, "a policy could not be installed"},
	{ALERT_UNIQUE_REPLACE, IKE_FAULT_REPLACED, "replaced by a newer IKE_SA of the same peer"},
	{ALERT_UNIQUE_KEEP, IKE_FAULT_REPLACED, "refused, as an IKE_SA of the same peer exists"},
	{ALERT_KEEP_ON_CHILD_SA_FAILURE, IKE_FAULT_OTHER, "the IKE_SA is up and its CHILD_SA is not"},
	{ALERT_VIP_FAILURE, IKE_FAULT_VIRTUAL_IP, NULL},
	{ALERT_AUTHORIZATION_FAILED, IKE_FAULT_PEER_AUTH, "the peer was authenticated, but is not allowed"},
	{ALERT_IKE_SA_EXPIRED, IKE_FAULT_OTHER, "the IKE_SA expired before it was replaced"},
	{ALERT_CERT_EXPIRED, IKE_FAULT_CERTIFICATE, "certificate expired or not yet valid"},
	{ALERT_CERT_REVOKED, IKE_FAULT_CERTIFICATE, "certificate revoked"},
	{ALERT_CERT_VALIDATION_FAILED, IKE_FAULT_CERTIFICATE, "certificate's revocation could not be checked"},
	{ALERT_CERT_NO_ISSUER, IKE_FAULT_CERTIFICATE, "certificate of an unknown issuer"},
	{ALERT_CERT_UNTRUSTED_ROOT, IKE_FAULT_CERTIFICATE, "certificate of a root that is not trusted"},
	{ALERT_CERT_EXCEEDED_PATH_LEN, IKE_FAULT_CERTIFICATE, "certificate chain too long"},
	{ALERT_CERT_POLICY_VIOLATION, IKE_FAULT_CERTIFICATE, "certificate against a policy"},
};

static void
say_message(struct ike_alert *a, const char *what, message_t *m)
{
	SAY(a, "%s from %#H", what, m->get_source(m));
	wire_from_host(&a->remote, m->get_source(m), true);
	wire_from_host(&a->local, m->get_destination(m), true);
}

static void
say_virtual_ip(struct ike_alert *a, linked_list_t *wanted)
{
	host_t *host;

	if (wanted->get_first(wanted, (void **)&host) == SUCCESS)
		SAY(a, "no address left for the client, which asked for %H", host);
	else
		SAY(a, "the client asked for no address");
}

/* Those whose arguments say more. */
static void
say(struct ike_alert *a, alert_t kind, va_list args)
{
	linked_list_t *list;
	int number;

	/* The rest has its text from the table. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wswitch-enum"
	switch (kind) {
	case ALERT_PEER_INIT_UNREACHABLE:
		SAY(a, "no answer to the first message, try %d", va_arg(args, int) + 1);
		break;
	case ALERT_INVALID_IKE_SPI:
		say_message(a, "message of an unknown IKE_SA", va_arg(args, message_t *));
		break;
	case ALERT_PARSE_ERROR_HEADER:
	case ALERT_PARSE_ERROR_BODY:
		say_message(a, "malformed message", va_arg(args, message_t *));
		break;
	case ALERT_PROPOSAL_MISMATCH_IKE:
	case ALERT_PROPOSAL_MISMATCH_CHILD:
		SAY(a, "the peer proposes %#P", va_arg(args, linked_list_t *));
		break;
	case ALERT_TS_MISMATCH:
		list = va_arg(args, linked_list_t *);
		SAY(a, "the initiator wants %#R === %#R", list, va_arg(args, linked_list_t *));
		break;
	case ALERT_TS_NARROWED:
		number = va_arg(args, int);
		SAY(a, "%s selectors narrowed to %#R", number ? "local" : "remote", va_arg(args, linked_list_t *));
		break;
	case ALERT_VIP_FAILURE:
		say_virtual_ip(a, va_arg(args, linked_list_t *));
		break;
	default:
		break;
	}
#pragma GCC diagnostic pop
}

bool
fault_of_alert(struct ike_alert *a, alert_t kind, va_list args)
{
	certificate_t *certificate;

	for (size_t i = 0; i < countof(meanings); i++) {
		if (meanings[i].alert != kind)
			continue;
		a->fault = meanings[i].fault;
		if (a->fault == IKE_FAULT_CERTIFICATE) {
			certificate = va_arg(args, certificate_t *);
			SAY(a, "%s: '%Y'", meanings[i].text, certificate->get_subject(certificate));
		} else if (meanings[i].text)
			SAY(a, "%s", meanings[i].text);
		else
			say(a, kind, args);
		return true;
	}
	return false;
}

/* The IKE_SA's own proposal, or a CHILD_SA's. */
static bool
of_ike(ike_sa_t *ike_sa, message_t *m)
{
	exchange_type_t type = m->get_exchange_type(m);

	return type == IKE_SA_INIT || (ike_sa->get_state(ike_sa) == IKE_CONNECTING && type != IKE_AUTH);
}

bool
fault_of_message(struct ike_alert *a, ike_sa_t *ike_sa, message_t *m)
{
	bool ike = of_ike(ike_sa, m);

	if (m->get_notify(m, NO_PROPOSAL_CHOSEN)) {
		a->alert = ike ? ALERT_PROPOSAL_MISMATCH_IKE : ALERT_PROPOSAL_MISMATCH_CHILD;
		a->fault = ike ? IKE_FAULT_PROPOSAL_IKE : IKE_FAULT_PROPOSAL_CHILD;
		SAY(a, "the peer accepts none of our proposals (NO_PROPOSAL_CHOSEN)");
		return true;
	}
	if (m->get_notify(m, TS_UNACCEPTABLE) || (!ike && m->get_notify(m, INVALID_ID_INFORMATION))) {
		a->alert = ALERT_TS_MISMATCH;
		a->fault = IKE_FAULT_SELECTORS;
		SAY(a, "the peer accepts none of our traffic selectors");
		return true;
	}
	return false;
}
