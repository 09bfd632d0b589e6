/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A listener on charon's bus; see listener.h.
 *
 * charon's threads, one at a time, as the bus holds its lock over all listeners: so nothing here waits, notices are
 * only queued.
 */
#include "control/strongswan/listener.h"

#include "control/strongswan/fault.h"
#include "control/strongswan/revoked.h"
#include "control/strongswan/wire.h"

#include <daemon.h>
#include <string.h>

static struct requests *requests;

/* "" before a configuration was chosen. */
static void
fill_name(char *to, ike_sa_t *ike_sa)
{
	if (ike_sa->get_peer_cfg(ike_sa))
		wire_text(to, IKE_TEXT_MAX, "%s", ike_sa->get_name(ike_sa));
}

static void
tell_ike(ike_sa_t *old, ike_sa_t *ike_sa, uint32_t up)
{
	proposal_t *proposal = ike_sa->get_proposal(ike_sa);
	struct ike_state s = {
		.up = up, .unique = ike_sa->get_unique_id(ike_sa), .version = ike_sa->get_version(ike_sa)};

	s.old_unique = old ? old->get_unique_id(old) : 0;
	wire_from_host(&s.local, ike_sa->get_my_host(ike_sa), true);
	wire_from_host(&s.remote, ike_sa->get_other_host(ike_sa), true);
	s.nat = (ike_sa->has_condition(ike_sa, COND_NAT_HERE) ? 1 : 0) |
		(ike_sa->has_condition(ike_sa, COND_NAT_THERE) ? 2 : 0);
	fill_name(s.ike_name, ike_sa);
	wire_text(s.local_id, sizeof(s.local_id), "%Y", ike_sa->get_my_id(ike_sa));
	wire_text(s.remote_id, sizeof(s.remote_id), "%Y", ike_sa->get_other_id(ike_sa));
	if (proposal)
		wire_text(s.proposal, sizeof(s.proposal), "%P", proposal);
	requests_notice(requests, IKE_SA_STATE, &s, sizeof(s));
}

static bool
ike_updown(listener_t *this, ike_sa_t *ike_sa, bool up)
{
	tell_ike(NULL, ike_sa, up ? 1 : 0);
	return true;
}

static bool
ike_rekey(listener_t *this, ike_sa_t *old, ike_sa_t *new)
{
	tell_ike(old, new, 2);
	return true;
}

static void
tell_child(ike_sa_t *ike_sa, child_sa_t *old, child_sa_t *new, uint32_t up)
{
	child_sa_t *child = new ? new : old;
	struct ike_child_state s = {.up = up, .reqid = child->get_reqid(child), .if_id = child->get_if_id(child, true)};

	if (ike_sa)
		s.ike_unique = ike_sa->get_unique_id(ike_sa);
	if (old) {
		s.old_in = ntohl(old->get_spi(old, true));
		s.old_out = ntohl(old->get_spi(old, false));
	}
	if (new) {
		s.new_in = ntohl(new->get_spi(new, true));
		s.new_out = ntohl(new->get_spi(new, false));
	}
	wire_text(s.child_name, sizeof(s.child_name), "%s", child->get_name(child));
	requests_notice(requests, IKE_CHILD_STATE, &s, sizeof(s));
}

static bool
child_updown(listener_t *this, ike_sa_t *ike_sa, child_sa_t *child, bool up)
{
	tell_child(ike_sa, up ? NULL : child, up ? child : NULL, up ? 1 : 0);
	return true;
}

static bool
child_rekey(listener_t *this, ike_sa_t *ike_sa, child_sa_t *old, child_sa_t *new)
{
	tell_child(ike_sa, old, new, 2);
	return true;
}

static void
tell_alert(ike_sa_t *ike_sa, struct ike_alert *a)
{
	if (ike_sa) {
		a->ike_unique = ike_sa->get_unique_id(ike_sa);
		wire_from_host(&a->local, ike_sa->get_my_host(ike_sa), true);
		wire_from_host(&a->remote, ike_sa->get_other_host(ike_sa), true);
		fill_name(a->ike_name, ike_sa);
		wire_text(a->remote_id, sizeof(a->remote_id), "%Y", ike_sa->get_other_id(ike_sa));
	}
	requests_notice(requests, IKE_ALERT, a, sizeof(*a));
}

static bool
alert(listener_t *this, ike_sa_t *ike_sa, alert_t kind, va_list args)
{
	struct ike_alert a = {.alert = kind};

	if (!fault_of_alert(&a, kind, args))
		return true;
	if (a.fault == IKE_FAULT_TIMEOUT && ike_sa && ike_sa->get_state(ike_sa) != IKE_CONNECTING)
		a.fault = IKE_FAULT_DEAD_PEER;
	tell_alert(ike_sa, &a);
	return true;
}

/* An initiator learns from a notification what the responder did not like: charon raises no alert for it. */
static bool
message(listener_t *this, ike_sa_t *ike_sa, message_t *m, bool incoming, bool plain)
{
	struct ike_alert a = {0};

	if (incoming && plain && ike_sa && fault_of_message(&a, ike_sa, m))
		tell_alert(ike_sa, &a);
	return true;
}

/* The list is short and in memory. */
static bool
authorize(listener_t *this, ike_sa_t *ike_sa, bool final, bool *success)
{
	struct ike_alert a = {.alert = ALERT_AUTHORIZATION_FAILED, .fault = IKE_FAULT_CERTIFICATE};

	if (final && revoked_is(ike_sa, a.text, sizeof(a.text))) {
		DBG1(DBG_IKE, "isthmus: '%Y' is refused: %s", ike_sa->get_other_id(ike_sa), a.text);
		tell_alert(ike_sa, &a);
		*success = false;
	}
	return true;
}

static listener_t listener = {
	.alert = alert,
	.authorize = authorize,
	.message = message,
	.ike_updown = ike_updown,
	.ike_rekey = ike_rekey,
	.child_updown = child_updown,
	.child_rekey = child_rekey,
};

void
listener_start(struct requests *r)
{
	requests = r;
	charon->bus->add_listener(charon->bus, &listener);
}

void
listener_stop(void)
{
	charon->bus->remove_listener(charon->bus, &listener);
}
