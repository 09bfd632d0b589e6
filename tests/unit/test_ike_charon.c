/* charon comes, goes and comes back, or another one in its place; and what it tells of its peers. */
#include "dataplane/sa.h"
#include "tests/unit/ike_case.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define WIDE ike.ids.connection[CASE_WIDE]
#define CLIENTS ike.ids.gateway[0]

/* ---- greetings -------------------------------------------------------------------------- */

static void
hello_comes_first(void **unused)
{
	static const enum ike_message_type types[] = {IKE_SYNCED, IKE_SPI_GET, IKE_SA_ADD, IKE_SA_FLUSH, IKE_ALERT};
	struct case_add m = case_outbound(1000);
	struct ike_alert alert = {.text = "x"};
	uint32_t n;

	(void)unused;
	ike_store_gone(ike.store);
	for (size_t i = 0; i < COUNT(types); i++) {
		ike.refused[0] = '\0';
		case_tell(types[i], types[i] == IKE_ALERT ? (void *)&alert : (void *)&m);
		assert_string_equal(ike.refused, "HELLO comes first");
	}
	assert_int_equal(ike.n_sent, 0);
	assert_true(ike_store_empty(ike.store));
	ike_store_strangers(ike.store, &n);
	assert_int_equal(n, 0);
}

static void
welcome_tells_who_we_are(void **unused)
{
	struct ike_hello h = case_hello(1);
	const struct ike_welcome *first, *again;

	(void)unused;
	ike_store_gone(ike.store);
	assert_false(ike_store_synced(ike.store));
	case_tell(IKE_HELLO, &h);
	assert_false(ike_store_synced(ike.store));
	case_tell(IKE_SYNCED, NULL);
	assert_true(ike_store_synced(ike.store));
	assert_int_equal(case_result(ike.serial), 0);
	case_tell(IKE_HELLO, &h);
	assert_false(ike_store_synced(ike.store));
	first = (const void *)case_nth(IKE_WELCOME, 0)->body;
	again = (const void *)case_nth(IKE_WELCOME, 1)->body;
	assert_int_equal(first->version, IKE_PROTOCOL_VERSION);
	assert_string_equal(first->appliance, "test-appliance");
	assert_int_not_equal(first->epoch, 0);
	assert_true(first->epoch == again->epoch);
}

static void
others_are_turned_away(void **unused)
{
	struct ike_hello version = case_hello(2), running = case_hello(2);

	(void)unused;
	ike_store_gone(ike.store);
	version.version = 2;
	case_tell(IKE_HELLO, &version);
	assert_string_equal(ike.refused, "isthmusd speaks version 1 of the protocol, the plugin version 2");
	strcpy(running.running, "5.9.9");
	case_tell(IKE_HELLO, &running);
	assert_string_equal(ike.refused, "the plugin was built for strongSwan 5.9.8 and runs in 5.9.9");
	case_tell(IKE_SYNCED, NULL);
	assert_string_equal(ike.refused, "HELLO comes first");
	assert_int_equal(ike.n_sent, 0);
}

/* ---- charon and we come and go ------------------------------------------------------------ */

static void
nobody_is_answered_who_is_gone(void **unused)
{
	struct case_add m = case_outbound(0xcafe0001);
	uint64_t serial = case_tell(IKE_SA_ADD, &m);

	(void)unused;
	ike_store_gone(ike.store);
	assert_int_equal(case_settle(), 1); /* SAs stay */
	assert_int_equal(case_result(serial), -1);
}

static void
the_same_charon_tells_of_all_it_has(void **unused)
{
	struct case_add in = case_added(true), out = case_added(false);
	struct sa *sa = case_published(in.a.id.spi, false)->sa;
	struct ike_hello h = case_hello(1);

	(void)unused;
	ike_store_gone(ike.store);
	case_tell(IKE_HELLO, &h);
	in.a.flags |= IKE_REPLAYED;
	assert_int_equal(case_result(case_tell(IKE_SA_ADD, &in)), 0); /* at once: it never went */
	assert_int_equal(case_publish(), 2);
	case_tell(IKE_SYNCED, NULL);
	assert_int_equal(case_settle(), 1);
	assert_ptr_equal(case_published(in.a.id.spi, false)->sa, sa);
	assert_null(case_published(out.a.id.spi, true));
}

static void
another_charon_leaves_the_former_ones_a_minute(void **unused)
{
	uint64_t now = clock_boot_ns();

	(void)unused;
	case_added(true);
	case_added(false);
	case_charon(2);
	assert_int_equal(case_settle(), 2);
	ike_store_tick(ike.store, now + 59 * CASE_SECOND);
	assert_int_equal(case_settle(), 2);
	ike_store_tick(ike.store, now + 62 * CASE_SECOND);
	assert_int_equal(case_settle(), 0);
}

/* An inbound one is not yet the end of the old: nothing would leave. Another connection's are not touched. */
static void
or_until_their_successors_come(void **unused)
{
	struct case_add other = case_add(WIDE, false, 0xbeef, "198.51.100.2", CASE_FAR), in, out;

	(void)unused;
	case_added(true);
	case_added(false);
	case_add_site(&other);
	case_charon(2);
	in = case_inbound(case_spi());
	case_add_site(&in);
	assert_int_equal(case_settle(), 4);
	out = case_outbound(0xcafe0002);
	case_add_site(&out);
	assert_int_equal(case_settle(), 3);
	assert_true(
		case_published(in.a.id.spi, false) && case_published(0xcafe0002, true) && case_published(0xbeef, true));
}

/* isthmusd was restarted as planned, charon lives: what the state folder knows goes on, all else must not. */
static void
a_restart_of_ours(void **unused)
{
	struct case_add in = case_added(true), out = case_added(false), unknown = case_outbound(0xcafe0009);
	struct ike_hello h = case_hello(1);
	uint64_t change;

	(void)unused;
	atomic_store(&case_published(0xcafe0001, true)->sa->state->next, 500);
	ike_store_free(ike.store);
	sa_store_close(ike.marks);
	case_marks_open();
	case_store_create();
	case_tell(IKE_HELLO, &h);
	in.a.flags |= IKE_REPLAYED;
	out.a.flags |= IKE_REPLAYED;
	unknown.a.flags |= IKE_REPLAYED;
	case_add_site(&in);
	case_add_site(&out);
	change = ike_store_change(ike.store);
	assert_int_equal(case_result(case_tell(IKE_SA_ADD, &unknown)), ENOENT);
	assert_true(ike_store_change(ike.store) == change);
	case_tell(IKE_SYNCED, NULL);
	assert_int_equal(case_settle(), 2);
	assert_int_equal(atomic_load(&case_published(0xcafe0001, true)->sa->state->next), 500);
	assert_false(ike_spi_claim(ike.store->spis, in.a.id.spi));
}

/* ---- how they do ------------------------------------------------------------------------------ */

static void
names_find_peers(void **unused)
{
	(void)unused;
	assert_int_equal(ike_peer_named(ike.store, "wide")->if_id, WIDE);
	assert_int_equal(ike_peer_named(ike.store, "p2s-g")->if_id, CLIENTS);
	assert_null(ike_peer_named(ike.store, "g"));
	assert_null(ike_peer_named(ike.store, "p2s-"));
	assert_null(ike_peer_named(ike.store, "hand")); /* keys by hand: IKE knows nothing of it */
	assert_null(ike_peer_named(ike.store, ""));
	assert_null(ike_store_connection(ike.store, 2));
	assert_null(ike_store_connection(ike.store, 3));
	assert_non_null(ike_store_gateway(ike.store, 0));
	assert_null(ike_store_gateway(ike.store, 1));
}

static void
tell_state(uint32_t up, uint64_t unique, uint64_t old)
{
	struct ike_state n = {.up = up,
		.unique = unique,
		.old_unique = old,
		.local = case_address("192.0.2.1", 500),
		.remote = case_address("198.51.100.1", 4500),
		.version = 2,
		.nat = 1,
		.ike_name = "site",
		.local_id = "here",
		.remote_id = "there",
		.proposal = "AES"};

	case_tell(IKE_SA_STATE, &n);
}

static void
ike_sas_come_go_and_are_replaced(void **unused)
{
	const struct ike_status *t = ike_store_connection(ike.store, CASE_SITE);

	(void)unused;
	tell_state(1, 5, 0);
	assert_true(t->ike_up && t->ike_unique == 5 && t->version == 2 && t->nat == 1 && t->ike_since);
	assert_string_equal(t->remote_id, "there");
	assert_string_equal(t->local_id, "here");
	assert_string_equal(t->proposal, "AES");
	assert_int_equal(t->remote.b[0], 198);
	assert_int_equal(t->reconnected, 0);
	tell_state(2, 6, 5);
	tell_state(0, 5, 0); /* the end of the replaced one */
	assert_true(t->ike_up && t->ike_unique == 6 && t->reconnected == 0);
	tell_state(0, 6, 0);
	assert_false(t->ike_up);
	tell_state(1, 7, 0);
	assert_true(t->ike_up && t->reconnected == 1);
	assert_int_equal(case_count(IKE_RESULT), 0);
}

static void
tell_alert(const char *name, uint32_t fault, const char *text)
{
	struct ike_alert a = {.fault = fault, .remote = case_address("198.51.100.1", 500)};

	snprintf(a.ike_name, sizeof(a.ike_name), "%s", name);
	snprintf(a.text, sizeof(a.text), "%s", text);
	case_tell(IKE_ALERT, &a);
}

static void
faults_are_kept_by_kind(void **unused)
{
	const struct ike_status *t = ike_store_connection(ike.store, CASE_SITE);
	uint32_t n;

	(void)unused;
	memset(ike_peer_named(ike.store, "site")->status.fault, 0, sizeof(t->fault));
	tell_alert("site", IKE_FAULT_PEER_AUTH, "one");
	tell_alert("site", IKE_FAULT_PEER_AUTH, "two");
	tell_alert("site", 4711, "later than us");
	tell_alert("p2s-g", IKE_FAULT_SELECTORS, "a client");
	assert_int_equal(t->fault[IKE_FAULT_PEER_AUTH].count, 2);
	assert_string_equal(t->fault[IKE_FAULT_PEER_AUTH].text, "two");
	assert_true(t->fault[IKE_FAULT_PEER_AUTH].last_ns && t->fault[IKE_FAULT_PEER_AUTH].last);
	assert_int_equal(t->fault[IKE_FAULT_PEER_AUTH].remote.b[0], 198);
	assert_string_equal(t->fault[IKE_FAULT_OTHER].text, "later than us");
	assert_int_equal(ike_store_gateway(ike.store, 0)->fault[IKE_FAULT_SELECTORS].count, 1);
	ike_store_strangers(ike.store, &n);
	assert_int_equal(n, 0);
}

/* The last ones, however many come, each with its own count. */
static void
strangers_push_each_other_out(void **unused)
{
	const struct ike_fault_record *s;
	bool seen[100] = {false};
	uint32_t n;

	(void)unused;
	for (uint32_t i = 0; i < 100; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%u", i);
		tell_alert(i % 2 ? "" : "nobody", IKE_FAULT_PROPOSAL_IKE, text);
		s = ike_store_strangers(ike.store, &n);
		assert_int_equal(n, i < STRANGERS_MAX ? i + 1 : STRANGERS_MAX);
	}
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(s[i].count, 1);
		assert_int_equal(s[i].fault, IKE_FAULT_PROPOSAL_IKE);
		seen[atoi(s[i].text)] = true;
	}
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(seen[i], i >= 100 - STRANGERS_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE_STORY(hello_comes_first),
		CASE_STORY(welcome_tells_who_we_are),
		CASE_STORY(others_are_turned_away),
		CASE_STORY(nobody_is_answered_who_is_gone),
		CASE_STORY(the_same_charon_tells_of_all_it_has),
		CASE_STORY(another_charon_leaves_the_former_ones_a_minute),
		CASE_STORY(or_until_their_successors_come),
		CASE_STORY(a_restart_of_ours),
		CASE_STORY(names_find_peers),
		CASE_STORY(ike_sas_come_go_and_are_replaced),
		CASE_STORY(faults_are_kept_by_kind),
		CASE_STORY(strangers_push_each_other_out),
	};

	case_name = "ike-charon";
	return cmocka_run_group_tests_name("ike_charon", tests, case_group_start, case_group_stop);
}
