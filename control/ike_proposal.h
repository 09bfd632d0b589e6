/* What a connection offers and accepts, in strongSwan's keywords. Any thread. */
#pragma once

#include "config/config.h"
#include "control/vici_message.h"

/* What decides: the connection's own proposals, else its policy, else its profile. */
struct ike_offer {
	enum cfg_ike_profile profile;
	const struct cfg_ipsec_policy *policy; /* NULL: the profile */
	const struct cfg_strings *ike, *esp;   /* NULL or empty: policy or profile */
	bool esn, ikev1, initiator_only;
};

/* The items of lists `proposals` and `esp_proposals`: open them before, close them behind. */
void ike_proposals_add(struct vici_message *m, const struct ike_offer *o);
void esp_proposals_add(struct vici_message *m, const struct ike_offer *o);
