/* What a connection offers and accepts: proposals in strongSwan's keywords. Pure, any thread.
 *
 * The generator of charon's configuration takes them from here, and the manual lists them from
 * here. Lists end with NULL; the earlier the better. An ESP proposal says nothing of ESN: that
 * is the connection's (struct cfg_ike, esn).
 */
#pragma once

#include "config/resource.h"

#include <stddef.h>

#define IKE_PROPOSAL_MAX 64 /* longest text of a policy and its NUL */

#define IKE_LIFE_S 28800 /* of an IKE SA, in either profile */

/* What a profile makes of a connection. */
const char *const *ike_profile_ike(enum cfg_ike_profile profile, enum cfg_connection_protocol protocol);
/* initiator_only: without those that are only accepted. */
const char *const *ike_profile_esp(
	enum cfg_ike_profile profile, enum cfg_connection_protocol protocol, bool initiator_only);
/* Seconds. */
uint32_t ike_profile_child_life(enum cfg_ike_profile profile);

/* The one proposal of a policy of the cloud's words, to be given IKE_PROPOSAL_MAX bytes each. */
void ike_policy_ike(const struct cfg_ipsec_policy *p, char *text, size_t size);
void ike_policy_esp(const struct cfg_ipsec_policy *p, char *text, size_t size);
