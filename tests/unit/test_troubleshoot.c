/* Diagnoses: which of several faults counts, and which are history or somebody else's. */
#include "control/troubleshoot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct ike_status status;
static struct connection_state state;
static struct ike_fault_record stranger[2];
static const struct ike_fault_record *evidence[4];

static struct ip_addr
ip(const char *text)
{
	struct ip_addr a;

	assert_int_equal(address_parse(text, &a), 0);
	return a;
}

/* A connection that is negotiated here and has never been up. */
static int
begin(void **unused)
{
	(void)unused;
	memset(&status, 0, sizeof(status));
	memset(stranger, 0, sizeof(stranger));
	state = (struct connection_state){.status = CONNECTION_CONNECTING,
		.here = true,
		.service = true,
		.ike = &status,
		.remote = ip("192.0.2.2")};
	return 0;
}

static void
happened(enum ike_fault fault, uint64_t when)
{
	status.fault[fault] = (struct ike_fault_record){
		.count = 1, .last = (time_t)when, .last_ns = when, .fault = fault, .remote = ip("192.0.2.2")};
}

static const struct diagnosis *
diagnosis(bool v1)
{
	return troubleshoot_connection(&state, v1, evidence, troubleshoot_evidence(&state, stranger, 2, evidence, 4));
}

#define SAYS(id_, reason_)                                                                                             \
	do {                                                                                                           \
		assert_string_equal(diagnosis(false)->id, id_);                                                        \
		assert_string_equal(diagnosis(false)->reason ? diagnosis(false)->reason : "", reason_);                \
	} while (0)

static void
state_comes_first(void **unused)
{
	(void)unused;
	happened(IKE_FAULT_PEER_AUTH, 5);
	state.service = false;
	SAYS("ServiceNotRunning", "");
	state.here = false;
	SAYS("ConnectionNotConfiguredOnGateway", "");
}

/* What it heard of peers in its time as primary is history. */
static void
a_standby_is_not_connected(void **unused)
{
	(void)unused;
	happened(IKE_FAULT_DEAD_PEER, 5);
	state.standby = true;
	SAYS("ConnectionsNotConnected", "Standby");
	state.service = false;
	SAYS("ServiceNotRunning", "");
}

static void
every_fault_has_its_id(void **unused)
{
	static const struct {
		enum ike_fault fault;
		const char *id, *reason;
	} expected[] = {
		{IKE_FAULT_LOCAL_AUTH, "Authentication", "RefusedByPeer"},
		{IKE_FAULT_PEER_AUTH, "Authentication", "PeerNotAuthenticated"},
		{IKE_FAULT_CERTIFICATE, "Authentication", "Certificate"},
		{IKE_FAULT_ADDRESS, "PeerReachability", "NameWithoutAddress"},
		{IKE_FAULT_UNREACHABLE, "PeerReachability", "NoAnswer"},
		{IKE_FAULT_TIMEOUT, "PeerReachability", "NoAnswer"},
		{IKE_FAULT_DEAD_PEER, "PeerReachability", "DeadPeer"},
		{IKE_FAULT_HALF_OPEN, "PeerReachability", "HalfOpen"},
		{IKE_FAULT_PROPOSAL_IKE, "IkePolicyMismatch", "IkeProposal"},
		{IKE_FAULT_PROPOSAL_CHILD, "IkePolicyMismatch", "EspProposal"},
		{IKE_FAULT_SELECTORS, "IkePolicyMismatch", "TrafficSelectors"},
		{IKE_FAULT_VIRTUAL_IP, "IkePolicyMismatch", "VirtualAddress"},
		{IKE_FAULT_MALFORMED, "IkePolicyMismatch", "MalformedMessages"},
		{IKE_FAULT_INSTALL, "ServiceNotRunning", "Installation"},
		{IKE_FAULT_REPLACED, "ConnectionsNotConnected", ""},
		{IKE_FAULT_OTHER, "ConnectionsNotConnected", ""},
	};

	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
		begin(unused);
		happened(expected[i].fault, 5);
		SAYS(expected[i].id, expected[i].reason);
	}
}

static void
the_newest_cause_counts(void **unused)
{
	(void)unused;
	happened(IKE_FAULT_UNREACHABLE, 5);
	happened(IKE_FAULT_PEER_AUTH, 6);
	happened(IKE_FAULT_HALF_OPEN, 7); /* a sign */
	SAYS("Authentication", "PeerNotAuthenticated");
	assert_ptr_equal(evidence[0], &status.fault[IKE_FAULT_HALF_OPEN]);
	assert_ptr_equal(evidence[2], &status.fault[IKE_FAULT_UNREACHABLE]);
	happened(IKE_FAULT_UNREACHABLE, 8);
	SAYS("PeerReachability", "NoAnswer");
}

static void
the_oldest_falls_out(void **unused)
{
	(void)unused;
	happened(IKE_FAULT_OTHER, 1);
	happened(IKE_FAULT_REPLACED, 6);
	happened(IKE_FAULT_LOCAL_AUTH, 3);
	happened(IKE_FAULT_NARROWED, 2);
	happened(IKE_FAULT_MALFORMED, 5);
	happened(IKE_FAULT_INSTALL, 4);
	assert_int_equal(troubleshoot_evidence(&state, stranger, 2, evidence, 4), 4);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(evidence[i]->last_ns, 6 - i);
}

static void
before_it_came_up_is_history(void **unused)
{
	(void)unused;
	happened(IKE_FAULT_PEER_AUTH, 5);
	status.established_ns = 5;
	assert_int_equal(troubleshoot_evidence(&state, stranger, 2, evidence, 4), 0);
	SAYS("ConnectionsNotConnected", "");
	status.established_ns = 4;
	SAYS("Authentication", "PeerNotAuthenticated");
}

static void
strangers_count_by_their_address(void **unused)
{
	(void)unused;
	stranger[0] =
		(struct ike_fault_record){.last_ns = 5, .fault = IKE_FAULT_PROPOSAL_IKE, .remote = ip("198.51.100.1")};
	SAYS("ConnectionsNotConnected", "");
	stranger[1] =
		(struct ike_fault_record){.last_ns = 5, .fault = IKE_FAULT_PROPOSAL_IKE, .remote = ip("192.0.2.2")};
	SAYS("IkePolicyMismatch", "IkeProposal");
	/* a connection without a known peer is not everybody's */
	state.remote = stranger[0].remote = (struct ip_addr){0};
	SAYS("ConnectionsNotConnected", "");
}

static void
a_lost_peer_stays_lost(void **unused)
{
	(void)unused;
	happened(IKE_FAULT_DEAD_PEER, 5);
	happened(IKE_FAULT_UNREACHABLE, 6);
	SAYS("PeerReachability", "DeadPeer");
	/* another peer is tried now */
	status.fault[IKE_FAULT_UNREACHABLE].remote = ip("192.0.2.77");
	SAYS("PeerReachability", "NoAnswer");
}

static void
different_keys_by_ikev1(void **unused)
{
	(void)unused;
	happened(IKE_FAULT_MALFORMED, 5);
	assert_string_equal(diagnosis(true)->id, "Authentication");
	assert_string_equal(diagnosis(false)->id, "IkePolicyMismatch");
}

static void
connected_but_not_renewed(void **unused)
{
	(void)unused;
	state.status = CONNECTION_CONNECTED;
	status.established_ns = 2;
	happened(IKE_FAULT_UNREACHABLE, 3);
	SAYS("NoFault", "");
	happened(IKE_FAULT_PROPOSAL_CHILD, 4);
	SAYS("IkePolicyMismatch", "RekeyRefused");
	status.rekeyed_last = 4;
	SAYS("NoFault", "");
}

static void
keys_by_hand(void **unused)
{
	(void)unused;
	state.ike = NULL;
	state.status = CONNECTION_NOT_CONNECTED;
	stranger[0] =
		(struct ike_fault_record){.last_ns = 5, .fault = IKE_FAULT_PROPOSAL_IKE, .remote = ip("192.0.2.2")};
	SAYS("ConnectionsNotConnected", "KeysGivenByHand");
	state.status = CONNECTION_CONNECTED;
	SAYS("NoFault", "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(state_comes_first, begin),
		cmocka_unit_test_setup(a_standby_is_not_connected, begin),
		cmocka_unit_test_setup(every_fault_has_its_id, begin),
		cmocka_unit_test_setup(the_newest_cause_counts, begin),
		cmocka_unit_test_setup(the_oldest_falls_out, begin),
		cmocka_unit_test_setup(before_it_came_up_is_history, begin),
		cmocka_unit_test_setup(strangers_count_by_their_address, begin),
		cmocka_unit_test_setup(a_lost_peer_stays_lost, begin),
		cmocka_unit_test_setup(different_keys_by_ikev1, begin),
		cmocka_unit_test_setup(connected_but_not_renewed, begin),
		cmocka_unit_test_setup(keys_by_hand, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
