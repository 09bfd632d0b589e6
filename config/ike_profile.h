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

/* What a profile makes of a connection, by protocol and type of its gateway. */
const char *const *ike_profile_ike(
	enum cfg_ike_profile profile, enum cfg_connection_protocol protocol, bool route_based);
/* initiator_only: without those that are only accepted. */
const char *const *ike_profile_esp(
	enum cfg_ike_profile profile, enum cfg_connection_protocol protocol, bool route_based, bool initiator_only);

/* Lifetimes of a profile in seconds. */
uint32_t ike_profile_ike_life(enum cfg_ike_profile profile, bool route_based);
uint32_t ike_profile_child_life(enum cfg_ike_profile profile, bool route_based);

/* The one proposal of a policy of the cloud's words, to be given IKE_PROPOSAL_MAX bytes each. */
void ike_policy_ike(const struct cfg_ipsec_policy *p, char *text, size_t size);
void ike_policy_esp(const struct cfg_ipsec_policy *p, char *text, size_t size);
