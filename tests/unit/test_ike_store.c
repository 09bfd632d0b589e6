/* The IKE store's SAs: what charon's plugin asks for is kept, published and answered, or refused and nothing changed.
 */
#include "dataplane/sa.h"
#include "tests/unit/ike_case.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* ---- SAs come --------------------------------------------------------------------------- */

static void
an_sa_is_answered_when_workers_see_it(void **unused)
{
	struct case_add in = case_inbound(case_spi()), out = case_outbound(0xcafe0001);
	uint64_t first, second, change;

	(void)unused;
	first = case_tell(IKE_SA_ADD, &in);
	change = ike_store_change(ike.store);
	assert_int_equal(case_publish(), 1);
	second = case_tell(IKE_SA_ADD, &out);
	assert_int_equal(case_result(first), -1);
	ike_store_seen(ike.store, change - 1);
	assert_int_equal(case_result(first), -1);
	ike_store_seen(ike.store, change);
	assert_int_equal(case_result(first), 0);
	assert_int_equal(case_result(second), -1);
	assert_int_equal(case_settle(), 2);
	assert_int_equal(case_result(second), 0);
}

static void
what_is_published_is_what_was_said(void **unused)
{
	static const uint8_t none[CFG_ENC_KEY_MAX] = {0};
	struct case_add in = case_inbound(case_spi()), out = case_outbound(0xcafe0001);
	const struct sa_spec *i, *o;

	(void)unused;
	in.a.flags |= IKE_ESN | IKE_ENCAP;
	in.a.id.source.port = 40500;
	in.a.id.destination.port = 4500;
	in.a.replay_window = 5000;
	out.a.soft_bytes = 1000;
	out.a.hard_bytes = 2000;
	out.a.hard_packets = 30;
	case_add_site(&in);
	case_add_site(&out);
	i = case_published(in.a.id.spi, false);
	o = case_published(0xcafe0001, true);

	assert_true(i && o);
	assert_int_equal(i->tunnel, ike.world->tunnel[CASE_SITE]);
	assert_string_equal(names_text(ike.names, i->name), "connection site/sa in");
	assert_string_equal(names_text(ike.names, o->name), "connection site/sa out");
	assert_true(i->config.esn && i->config.udp_encap && !o->config.esn && !o->config.udp_encap);
	assert_int_equal(i->config.udp_local_port, 4500);
	assert_int_equal(i->config.udp_remote_port, 40500);
	assert_int_equal(i->config.keepalive_s, 20);
	assert_int_equal(i->config.replay_window, 4096);
	assert_int_equal(o->config.keepalive_s, 0);
	assert_int_equal(o->config.life_bytes_soft, 1000);
	assert_int_equal(o->config.life_bytes_hard, 2000);
	assert_int_equal(o->config.life_packets_hard, 30);
	assert_int_equal(o->config.life_packets_soft, 3ull << 30); /* of 2^32 numbers */
	assert_int_equal(i->config.life_packets_soft, 0);
	assert_int_equal(i->local.b[3], 1);
	assert_int_equal(i->remote.b[0], 198);
	assert_int_equal(o->uplink, i->uplink);
	assert_string_equal(names_text(ike.names, ike.world->spec.iface[i->uplink].name), "uplink wan");
	assert_int_equal(i->n_selectors, 1);
	assert_memory_equal(i->selector, o->selector, sizeof(*i->selector)); /* ours first, whatever the direction */
	assert_int_equal(i->selector->local.addr.b[0], 10);
	assert_memory_equal(i->config.enc_key, none, sizeof(i->config.enc_key));
	assert_memory_equal(o->config.enc_key, none, sizeof(o->config.enc_key));
	assert_true(i->sa && i->sa->spi == in.a.id.spi);
}

static void
refusals_change_nothing(void **unused)
{
	struct case_add known = case_added(true), out = case_added(false), sound = case_inbound(case_spi()), m[9];
	static const int errors[] = {
		EOPNOTSUPP, EOPNOTSUPP, EADDRNOTAVAIL, EINVAL, EINVAL, EEXIST, EEXIST, ENOENT, EADDRNOTAVAIL};
	uint64_t change = ike_store_change(ike.store);

	(void)unused;
	for (size_t i = 0; i < COUNT(m); i++)
		m[i] = sound;
	m[0].a.encryption = 7;
	m[1].a.encryption_key_length = 16;
	m[2].a.id.spi++;
	m[3].a.n_source = m[3].a.n_destination = 0;
	m[4].selector[0] = case_selector("fd00::/8");
	m[5] = known;
	m[6] = case_outbound(0xcafe0002);
	memcpy(m[6].a.encryption_key, out.a.encryption_key, 20); /* its numbers would begin again */
	m[7].a.id.spi = 0x00500777;
	m[7].a.flags |= IKE_REPLAYED;
	m[8].a.id.spi = 0x2001; /* by hand */
	m[8].a.flags |= IKE_REPLAYED;
	for (size_t i = 0; i < COUNT(m); i++) {
		uint64_t serial = case_tell(IKE_SA_ADD, &m[i]);

		assert_int_equal(case_result(serial), errors[i]);
		assert_true(ike_store_change(ike.store) == change);
	}
	assert_int_equal(case_settle(), 2);
	case_add_site(&sound);
	assert_int_equal(case_settle(), 3);
}

static void
who_began_is_remembered(void **unused)
{
	struct case_add ours = case_inbound(case_spi()), theirs = case_inbound(case_spi()),
			out = case_outbound(0xcafe0001);

	(void)unused;
	ours.a.flags |= IKE_INITIATOR;
	out.a.flags |= IKE_INITIATOR;
	case_add_site(&ours);
	case_add_site(&theirs);
	case_add_site(&out);
	assert_true(ike_store_initiated(ike.store, ours.a.id.spi));
	assert_false(ike_store_initiated(ike.store, theirs.a.id.spi));
	assert_false(ike_store_initiated(ike.store, 0xcafe0001));
	assert_false(ike_store_initiated(ike.store, 1));
}

/* ---- they are asked about, move and go -------------------------------------------------------- */

static void
counters_are_asked_for(void **unused)
{
	struct case_add m = case_added(false);
	const struct sa_spec *o = case_published(0xcafe0001, true);
	const struct ike_sa_answer *a;
	uint64_t serial;

	(void)unused;
	atomic_store(&o->sa->state->packets, 3);
	atomic_store(&o->sa->state->bytes, 400);
	serial = case_tell(IKE_SA_QUERY, &m.a.id);
	assert_int_equal(case_result(serial), 0);
	a = (const void *)case_nth(IKE_SA_ANSWER, 0)->body;
	assert_int_equal(a->packets, 3);
	assert_int_equal(a->bytes, 400);
	assert_int_equal(a->last_used_ns, 0);
	m.a.id.spi++;
	assert_int_equal(case_result(case_tell(IKE_SA_QUERY, &m.a.id)), ENOENT);
	m.a.id.spi--;
	m.a.id.destination = case_address("198.51.100.9", 0); /* the SPI of another peer */
	assert_int_equal(case_result(case_tell(IKE_SA_QUERY, &m.a.id)), ENOENT);
}

static void
an_sa_moves(void **unused)
{
	struct case_add m = case_added(false);
	struct ike_sa_update u = {.id = m.a.id,
		.new_source = case_address("192.0.2.1", 4500),
		.new_destination = case_address("198.51.100.77", 40500),
		.new_reqid = 9,
		.encap = 1};
	struct sa *before = case_published(0xcafe0001, true)->sa;
	const struct sa_spec *o;
	uint64_t serial;

	(void)unused;
	atomic_store(&before->state->packets, 5);
	serial = case_tell(IKE_SA_UPDATE, &u);
	assert_int_equal(case_publish(), 1);
	assert_int_equal(case_result(serial), -1);
	o = case_published(0xcafe0001, true);
	assert_ptr_not_equal(o->sa, before);
	assert_ptr_equal(o->sa->state, before->state);
	ike_store_seen(ike.store, ike_store_change(ike.store) - 1);
	assert_int_equal(o->sa->state->users, 2); /* the former one lives while a worker may use it */
	ike_store_seen(ike.store, ike_store_change(ike.store));
	assert_int_equal(o->sa->state->users, 1);
	assert_int_equal(case_result(serial), 0);

	assert_int_equal(o->remote.b[3], 77);
	assert_true(o->config.udp_encap && o->sa->udp_encap);
	assert_int_equal(o->sa->udp_remote_port, 40500);
	assert_int_equal(o->config.keepalive_s, 20);
	assert_int_equal(case_result(case_tell(IKE_SA_QUERY, &u.id)), ENOENT); /* what it was called */
	u.id.destination = u.new_destination;
	assert_int_equal(case_result(case_tell(IKE_SA_QUERY, &u.id)), 0);
	assert_int_equal(((const struct ike_sa_answer *)case_nth(IKE_SA_ANSWER, 1)->body)->packets, 5);
	u.id.spi = 1;
	assert_int_equal(case_result(case_tell(IKE_SA_UPDATE, &u)), ENOENT);
}

/* Each request has its answer. */
static void
a_move_before_workers_saw_it(void **unused)
{
	struct case_add m = case_outbound(0xcafe0001);
	struct ike_sa_update u = {.id = m.a.id, .new_source = m.a.id.source, .new_destination = m.a.id.destination};
	uint64_t serial = case_tell(IKE_SA_ADD, &m), moved;

	(void)unused;
	u.new_destination.port = 4500;
	moved = case_tell(IKE_SA_UPDATE, &u);
	assert_int_equal(case_result(serial), 0);
	assert_int_equal(case_result(moved), -1);
	assert_int_equal(case_settle(), 1);
	assert_int_equal(case_result(moved), 0);
	assert_int_equal(case_result(serial), 0);
}

static void
an_sa_goes(void **unused)
{
	struct case_add in = case_added(true), out = case_added(false);
	const struct ike_status *t = ike_store_connection(ike.store, CASE_SITE);
	struct sa *sa = case_published(out.a.id.spi, true)->sa;
	uint64_t serial;

	(void)unused;
	assert_true(t->inbound == 1 && t->outbound == 1 && t->established && !t->lost_ns);
	atomic_store(&sa->state->bytes, 700);
	atomic_store(&sa->state->packets, 7);
	serial = case_tell(IKE_SA_DELETE, &out.a.id);
	assert_int_equal(case_result(serial), 0);
	assert_int_equal(case_publish(), 1);
	assert_int_equal(sa->spi, out.a.id.spi); /* there until no worker has it */
	assert_true(t->inbound == 1 && t->outbound == 0 && t->lost_ns);
	assert_int_equal(t->bytes_out, 700);
	assert_int_equal(t->packets_out, 7);
	assert_int_equal(case_result(case_tell(IKE_SA_DELETE, &out.a.id)), 0); /* it is gone, which was wanted */
	assert_int_equal(case_result(case_tell(IKE_SA_DELETE, &in.a.id)), 0);
	assert_int_equal(case_settle(), 0);
	assert_true(ike_store_empty(ike.store));
	assert_int_equal(case_result(case_tell(IKE_SA_ADD, &in)), EADDRNOTAVAIL); /* its SPI is nobody's */
	case_add_site(&out);                                                      /* forgotten, keys and all */
}

static void
what_is_deleted_early_is_cancelled(void **unused)
{
	struct case_add m = case_outbound(0xcafe0001);
	uint64_t serial = case_tell(IKE_SA_ADD, &m);

	(void)unused;
	assert_int_equal(case_result(case_tell(IKE_SA_DELETE, &m.a.id)), 0);
	assert_int_equal(case_result(serial), ECANCELED);
	case_settle();
	assert_int_equal(case_result(serial), ECANCELED);
}

/* charon gives up a negotiation: the SPI that it had got is free. One that an SA has stays that one's, although a peer
 * may have chosen the same for an SA that we do not know. */
static void
an_spi_is_given_back(void **unused)
{
	struct case_add in = case_added(true), early = case_inbound(case_spi());
	struct case_add theirs = case_outbound(in.a.id.spi);

	(void)unused;
	assert_int_equal(case_result(case_tell(IKE_SA_DELETE, &early.a.id)), 0);
	assert_int_equal(case_result(case_tell(IKE_SA_ADD, &early)), EADDRNOTAVAIL);
	assert_int_equal(case_result(case_tell(IKE_SA_DELETE, &theirs.a.id)), 0);
	assert_false(ike_spi_claim(ike.store->spis, in.a.id.spi));
	assert_int_equal(case_settle(), 1);
}

static void
flushing_takes_all(void **unused)
{
	struct case_add in = case_added(true), out = case_outbound(0xcafe0002);
	uint64_t waiting = case_tell(IKE_SA_ADD, &out);

	(void)unused;
	assert_int_equal(case_result(case_tell(IKE_SA_FLUSH, NULL)), 0);
	assert_int_equal(case_result(waiting), ECANCELED);
	assert_true(ike_store_empty(ike.store));
	assert_int_equal(case_settle(), 0);
	assert_int_equal(case_result(case_tell(IKE_SA_QUERY, &in.a.id)), ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE_STORY(an_sa_is_answered_when_workers_see_it),
		CASE_STORY(what_is_published_is_what_was_said),
		CASE_STORY(refusals_change_nothing),
		CASE_STORY(who_began_is_remembered),
		CASE_STORY(counters_are_asked_for),
		CASE_STORY(an_sa_moves),
		CASE_STORY(a_move_before_workers_saw_it),
		CASE_STORY(an_sa_goes),
		CASE_STORY(what_is_deleted_early_is_cancelled),
		CASE_STORY(an_spi_is_given_back),
		CASE_STORY(flushing_takes_all),
	};

	case_name = "ike-store";
	return cmocka_run_group_tests_name("ike_store", tests, case_group_start, case_group_stop);
}
