/* Proposals for charon: the connection's own, or what config/ makes of its policy or profile. */
#include "control/ike_proposal.h"

#include "config/ike_profile.h"

#include <string.h>

/* One that says itself whether sequence numbers are extended is left alone. */
static void
add_own(struct vici_message *m, const struct cfg_strings *own, const char *end)
{
	for (uint32_t i = 0; i < own->n; i++)
		vici_item(m, "%s%s", own->s[i], strstr(own->s[i], "esn") ? "" : end);
}

static void
add_profile(struct vici_message *m, const char *const *proposal, const char *end)
{
	for (; *proposal != NULL; proposal++)
		vici_item(m, "%s%s", *proposal, end);
}

static enum cfg_connection_protocol
protocol_of(const struct ike_offer *o)
{
	return o->ikev1 ? PROTOCOL_IKEV1 : PROTOCOL_IKEV2;
}

void
ike_proposals_add(struct vici_message *m, const struct ike_offer *o)
{
	char text[IKE_PROPOSAL_MAX];

	if (o->ike && o->ike->n > 0) {
		add_own(m, o->ike, "");
	} else if (o->policy) {
		ike_policy_ike(o->policy, text, sizeof(text));
		vici_item(m, "%s", text);
	} else {
		add_profile(m, ike_profile_ike(o->profile, protocol_of(o)), "");
	}
}

void
esp_proposals_add(struct vici_message *m, const struct ike_offer *o)
{
	/* both, ours first: a peer that knows no ESN takes the other. IKEv1 negotiates it by an attribute charon
	 * does not speak. */
	const char *end = o->esn && !o->ikev1 ? "-esn-noesn" : "";
	char text[IKE_PROPOSAL_MAX];

	if (o->esp && o->esp->n > 0) {
		add_own(m, o->esp, end);
	} else if (o->policy) {
		ike_policy_esp(o->policy, text, sizeof(text));
		vici_item(m, "%s%s", text, end);
	} else {
		add_profile(m, ike_profile_esp(o->profile, protocol_of(o), o->initiator_only), end);
	}
}
