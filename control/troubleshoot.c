#include "control/troubleshoot.h"

const struct diagnosis diagnosis_none = {"NoFault", NULL, "no fault is seen", NULL};
const struct diagnosis diagnosis_not_here = {"ConnectionNotConfiguredOnGateway", NULL,
	"no public address of the gateway is on an uplink of this appliance and of the peer's family",
	"give an uplink one of the gateway's publicIPAddresses"};
const struct diagnosis diagnosis_link = {"VipUnResponsive", "LinkDown", "the port of the gateway's uplink has no link",
	"look at the cable and at: isthmus port list"};
const struct diagnosis diagnosis_service = {"ServiceNotRunning", NULL,
	"charon, which negotiates the keys, does not answer", "look at the daemon's log for the lines of charon"};
const struct diagnosis diagnosis_overlap = {"AddressOverlap", NULL,
	"addresses of the remote network are also those of networks here, which are preferred",
	"give the two networks different addresses, or announce only those that differ"};
const struct diagnosis diagnosis_empty = {"NoConnectionsFoundForGateway", NULL, "the gateway has no connection", NULL};
const struct diagnosis diagnosis_down = {
	"ConnectionsNotConnected", NULL, "connections are not connected", "look at the results of these connections"};
const struct diagnosis diagnosis_cpu = {"GatewayCPUUsageExceeded", NULL,
	"a worker has been busy for over 95 % of its turns", "give the appliance more workers"};

static const struct diagnosis waiting = {"ConnectionsNotConnected", NULL,
	"nothing was heard of the peer yet, and nothing went wrong",
	"if it lasts: does the peer begin, and with this address?"};
static const struct diagnosis standby = {"ConnectionsNotConnected", "Standby",
	"this node of a pair is not primary, and the primary starts the connection",
	"look there; who it is says: isthmus ha show"};
static const struct diagnosis by_hand = {"ConnectionsNotConnected", "KeysGivenByHand",
	"the security associations given by hand are missing or used up",
	"give new ones: isthmus sa list says their state"};
static const struct diagnosis rekey = {"IkePolicyMismatch", "RekeyRefused",
	"the connection works, but renewing its keys fails: it ends when the present ones expire",
	"compare the ipsecPolicies of both ends, pfsGroup above all"};
static const struct diagnosis garbled = {"Authentication", "UndecipherableMessages",
	"messages of the peer make no sense: with IKEv1 the sign of different shared keys",
	"compare the shared keys of both ends"};

#define KEYS "compare the shared keys and the ids of both ends"
#define POLICY "compare the ipsecPolicies of both ends"

static const struct diagnosis by_fault[IKE_FAULT_COUNT] = {
	[IKE_FAULT_LOCAL_AUTH] = {"Authentication", "RefusedByPeer", "the peer refuses our key, certificate or id",
		KEYS},
	[IKE_FAULT_PEER_AUTH] = {"Authentication", "PeerNotAuthenticated",
		"the peer's key, certificate or id is not what was agreed", KEYS},
	[IKE_FAULT_CERTIFICATE] = {"Authentication", "Certificate", "the peer's certificate is not accepted",
		"look at its issuer, its dates and its revocation"},
	[IKE_FAULT_ADDRESS] = {"PeerReachability", "NameWithoutAddress", "the peer's name has no address",
		"ask the name server, or give gatewayIpAddress"},
	[IKE_FAULT_UNREACHABLE] = {"PeerReachability", "NoAnswer", "the peer does not answer",
		"is the address right, the peer running, and does the way there pass UDP 500 and 4500?"},
	[IKE_FAULT_TIMEOUT] = {"PeerReachability", "NoAnswer",
		"the peer stopped answering before the connection was up",
		"does the way there pass UDP 4500 and large packets?"},
	[IKE_FAULT_PROPOSAL_IKE] = {"IkePolicyMismatch", "IkeProposal", "the ends agree on no IKE proposal", POLICY},
	[IKE_FAULT_PROPOSAL_CHILD] = {"IkePolicyMismatch", "EspProposal", "the ends agree on no ESP proposal", POLICY},
	[IKE_FAULT_SELECTORS] = {"IkePolicyMismatch", "TrafficSelectors", "the ends agree on no traffic selectors",
		"compare address spaces, trafficSelectorPolicies and usePolicyBasedTrafficSelectors of both ends"},
	[IKE_FAULT_INSTALL] = {"ServiceNotRunning", "Installation",
		"a negotiated security association was refused here", "look at the daemon's log"},
	[IKE_FAULT_VIRTUAL_IP] = {"IkePolicyMismatch", "VirtualAddress", "the client got no address",
		"is the address pool large enough, and does the client ask for an address?"},
	[IKE_FAULT_DEAD_PEER] = {"PeerReachability", "DeadPeer",
		"the peer was there and does not answer any more (dead peer detection)",
		"is the peer running, and does the way there pass UDP 500 and 4500 and ESP?"},
	/* Signs, not causes. */
	[IKE_FAULT_HALF_OPEN] = {"PeerReachability", "HalfOpen", "the peer began and did not end",
		"does the way there pass large packets, and did the peer refuse our key?"},
	[IKE_FAULT_MALFORMED] = {"IkePolicyMismatch", "MalformedMessages", "messages of the peer make no sense",
		"does the peer speak this version of IKE?"},
};

static bool
is_sign(enum ike_fault f)
{
	return f == IKE_FAULT_HALF_OPEN || f == IKE_FAULT_MALFORMED || !by_fault[f].id;
}

/* ---- evidence ------------------------------------------------------------------------- */

struct collection {
	const struct ike_fault_record **out;
	size_t n, room;
};

/* Sorted; the oldest falls out. */
static void
collect(struct collection *c, const struct ike_fault_record *f)
{
	size_t at = c->n < c->room ? c->n++ : c->n;

	for (; at > 0 && c->out[at - 1]->last_ns < f->last_ns; at--)
		if (at < c->room)
			c->out[at] = c->out[at - 1];
	if (at < c->room)
		c->out[at] = f;
}

size_t
troubleshoot_evidence(const struct connection_state *s, const struct ike_fault_record *strangers, uint32_t n,
	const struct ike_fault_record **out, size_t room)
{
	struct collection c = {.out = out, .room = room};
	uint64_t since = s->ike ? s->ike->established_ns : 0;

	for (int i = 0; s->ike && i < IKE_FAULT_COUNT; i++)
		if (s->ike->fault[i].last_ns > since)
			collect(&c, &s->ike->fault[i]);
	for (uint32_t i = 0; s->ike && i < n; i++)
		if (strangers[i].last_ns > since && s->remote.family != IP_NONE &&
			address_equal(&strangers[i].remote, &s->remote))
			collect(&c, &strangers[i]);
	return c.n;
}

/* ---- diagnosis ------------------------------------------------------------------------ */

/* What the newest of the evidence means: a peer that was lost stays lost while it is tried in vain. */
static const struct diagnosis *
meaning(const struct ike_fault_record *newest, bool v1, const struct ike_fault_record *const *evidence, size_t n)
{
	bool silent = newest->fault == IKE_FAULT_TIMEOUT || newest->fault == IKE_FAULT_UNREACHABLE;

	for (size_t i = 0; silent && i < n; i++)
		if (evidence[i]->fault == IKE_FAULT_DEAD_PEER && address_equal(&evidence[i]->remote, &newest->remote))
			return &by_fault[IKE_FAULT_DEAD_PEER];
	return v1 && newest->fault == IKE_FAULT_MALFORMED ? &garbled : &by_fault[newest->fault];
}

/* It is up, but for how long? */
static bool
is_rekey_refused(const struct connection_state *s, const struct ike_fault_record *f)
{
	return f->fault == IKE_FAULT_PROPOSAL_CHILD && s->ike && f->last > s->ike->rekeyed_last;
}

static const struct diagnosis *
of_connected(const struct connection_state *s, const struct ike_fault_record *const *evidence, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_rekey_refused(s, evidence[i]))
			return &rekey;
	return &diagnosis_none;
}

const struct diagnosis *
troubleshoot_connection(
	const struct connection_state *s, bool v1, const struct ike_fault_record *const *evidence, size_t n)
{
	if (!s->here)
		return &diagnosis_not_here;
	if (!s->service)
		return &diagnosis_service;
	if (s->status == CONNECTION_CONNECTED)
		return of_connected(s, evidence, n);
	if (!s->ike)
		return &by_hand;
	if (s->standby)
		return &standby;
	for (size_t i = 0; i < n; i++)
		if (!is_sign(evidence[i]->fault))
			return meaning(evidence[i], v1, evidence, n);
	for (size_t i = 0; i < n; i++)
		if (by_fault[evidence[i]->fault].id)
			return meaning(evidence[i], v1, evidence, n);
	return &waiting;
}
