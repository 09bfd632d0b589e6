/* What the IKE store tells charon of its own accord: lifetimes that end, peers that moved, packets that want an SA. */
#include "dataplane/sa.h"
#include "tests/unit/ike_case.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define SITE ike.ids.connection[CASE_SITE]
#define PEER "198.51.100.1"
#define FAR "172.16.1.0/24"

static uint64_t now;

static struct case_add
add(bool in, uint64_t soft_ns, uint64_t hard_ns)
{
	struct case_add m = case_add(SITE, in, in ? case_spi() : 0xcafe0001, PEER, FAR);

	now = clock_boot_ns();
	m.a.soft_deadline_ns = soft_ns ? now + soft_ns : 0;
	m.a.hard_deadline_ns = hard_ns ? now + hard_ns : 0;
	case_tell(IKE_SA_ADD, &m);
	assert_int_equal(case_settle() > 0, true);
	case_forget();
	return m;
}

static void
pass(uint64_t ns)
{
	now += ns;
	ike_store_tick(ike.store, now);
}

/* EXPIRE was told just this once since the last time, of this SA. */
static void
expired(const struct case_add *m, bool hard)
{
	const struct ike_expire *e;

	assert_int_equal(ike.n_sent, 1);
	assert_int_equal(ike.sent[0].type, IKE_EXPIRE);
	assert_int_equal(ike.sent[0].serial, 0);
	e = (const void *)ike.sent[0].body;
	assert_memory_equal(&e->id, &m->a.id, sizeof(e->id));
	assert_int_equal(e->hard, hard);
	case_forget();
}

static void
event(const struct case_add *m, enum sa_event_kind kind)
{
	struct sa_event e = {.kind = kind, .spi = m->a.id.spi, .outbound = !(m->a.flags & IKE_INBOUND)};

	e.name = case_published(e.spi, e.outbound)->name;
	ike_store_sa_event(ike.store, &e);
}

/* ---- lifetimes -------------------------------------------------------------------------- */

static void
deadlines_end_softly_and_hard(void **unused)
{
	struct case_add m = add(true, 10 * CASE_SECOND, 20 * CASE_SECOND);

	(void)unused;
	pass(9 * CASE_SECOND);
	assert_int_equal(ike.n_sent, 0);
	pass(CASE_SECOND);
	expired(&m, false);
	pass(9 * CASE_SECOND);
	assert_int_equal(ike.n_sent, 0); /* told once */
	assert_int_equal(case_settle(), 1);
	pass(CASE_SECOND);
	expired(&m, true);
	assert_int_equal(case_settle(), 0); /* nobody uses it any more */
	case_tell(IKE_SA_DELETE, &m.a.id);
	assert_int_equal(case_result(ike.serial), 0);
}

static void
a_deadline_passes_without_charon(void **unused)
{
	struct case_add soft = add(true, 10 * CASE_SECOND, 0);
	struct ike_hello h = case_hello(1);

	(void)unused;
	add(false, 0, 20 * CASE_SECOND);
	ike_store_gone(ike.store);
	pass(30 * CASE_SECOND);
	assert_int_equal(ike.n_sent, 0);
	assert_int_equal(case_settle(), 1); /* past its hard deadline a key is not used */

	case_tell(IKE_HELLO, &h);
	soft.a.flags |= IKE_REPLAYED;
	case_tell(IKE_SA_ADD, &soft);
	pass(1);
	assert_int_equal(case_count(IKE_EXPIRE), 0); /* it has not told of all yet */
	case_tell(IKE_SYNCED, NULL);
	case_forget();
	pass(1);
	soft.a.flags &= ~(uint32_t)IKE_REPLAYED;
	expired(&soft, false);
}

static void
workers_tell_of_bytes_and_packets(void **unused)
{
	struct case_add m = add(false, 0, 0), other = m;

	(void)unused;
	event(&m, SA_EVENT_SOFT);
	expired(&m, false);
	event(&m, SA_EVENT_SOFT);
	assert_int_equal(ike.n_sent, 0);
	event(&m, SA_EVENT_HARD);
	expired(&m, true);
	event(&m, SA_EVENT_EXHAUSTED);
	event(&m, SA_EVENT_RESERVE_LOW);
	assert_int_equal(ike.n_sent, 0);
	assert_int_equal(case_settle(), 1); /* charon deletes it, when it has another one */

	/* of an SA that is gone, and of one of another connection with this SPI */
	ike_store_sa_event(
		ike.store, &(struct sa_event){.kind = SA_EVENT_SOFT, .spi = 4711, .outbound = true, .name = NAME_NONE});
	other.a.id.spi++;
	memset(other.a.encryption_key, 0x77, 20);
	case_tell(IKE_SA_ADD, &other);
	case_settle();
	case_forget();
	ike_store_sa_event(ike.store,
		&(struct sa_event){.kind = SA_EVENT_SOFT, .spi = other.a.id.spi, .outbound = true, .name = 1});
	assert_int_equal(ike.n_sent, 0);
	ike_store_sa_event(
		ike.store, &(struct sa_event){.kind = SA_EVENT_EXHAUSTED, .spi = other.a.id.spi, .outbound = true});
	expired(&other, true);
}

/* A worker tells once. If no charon is there at that moment it hears of it when it comes. */
static void
what_was_told_to_nobody_is_told_later(void **unused)
{
	struct case_add in = add(true, 0, 0), out = add(false, 0, 0), *both[] = {&in, &out};
	static const enum sa_event_kind kinds[] = {SA_EVENT_SOFT, SA_EVENT_EXHAUSTED};
	struct ike_hello h = case_hello(1);

	(void)unused;
	ike_store_gone(ike.store);
	for (size_t i = 0; i < 2; i++) {
		const struct sa_spec *s = case_published(both[i]->a.id.spi, i == 1);

		atomic_fetch_or(&s->sa->state->told, SA_HAPPENED(kinds[i]) | SA_ANNOUNCED(kinds[i]));
		event(both[i], kinds[i]);
	}
	assert_int_equal(ike.n_sent, 0);
	case_tell(IKE_HELLO, &h);
	for (size_t i = 0; i < 2; i++) {
		both[i]->a.flags |= IKE_REPLAYED;
		case_tell(IKE_SA_ADD, both[i]);
	}
	assert_int_equal(case_count(IKE_EXPIRE), 0);
	case_tell(IKE_SYNCED, NULL);
	assert_int_equal(case_count(IKE_EXPIRE), 2);
	for (uint32_t i = 0; i < 2; i++) {
		const struct ike_expire *e = (const void *)case_nth(IKE_EXPIRE, i)->body;

		assert_int_equal(e->hard, e->id.spi == out.a.id.spi);
	}
}

static void
another_charon_does_not_know_them(void **unused)
{
	struct case_add m = add(true, 10 * CASE_SECOND, 0);
	const struct sa_spec *s = case_published(m.a.id.spi, false);

	(void)unused;
	ike_store_gone(ike.store);
	atomic_fetch_or(&s->sa->state->told, SA_HAPPENED(SA_EVENT_SOFT));
	case_charon(2);
	pass(20 * CASE_SECOND);
	assert_int_equal(case_count(IKE_EXPIRE), 0);
}

/* Thousands are looked at in turn, all within a second. */
static void
many_in_a_second(void **unused)
{
	enum { MANY = 2000 };

	(void)unused;
	now = clock_boot_ns();
	for (uint32_t i = 0; i < MANY; i++) {
		struct case_add m = case_add(ike.ids.gateway[0], false, 0xcafe0000 + i * 7, PEER, FAR);

		m.a.soft_deadline_ns = now + CASE_SECOND;
		case_tell(IKE_SA_ADD, &m);
	}
	case_settle();
	assert_int_equal(ike.store->n_sas, MANY);
	case_forget();
	now += 2 * CASE_SECOND;
	pass(0);
	assert_true(case_count(IKE_EXPIRE) > 0 && case_count(IKE_EXPIRE) < MANY);
	for (int i = 0; i < 9; i++)
		pass(CASE_SECOND / 10);
	assert_int_equal(case_count(IKE_EXPIRE), MANY);
}

/* ---- what charon deleted drains ---------------------------------------------------------- */

static void delete (const struct case_add *m)
{
	assert_int_equal(case_result(case_tell(IKE_SA_DELETE, &m->a.id)), 0);
}

static void
a_redundant_sa_drains(void **unused)
{
	struct case_add old = add(true, 0, 0), successor = add(true, 0, 0), out = add(false, 0, 0);
	const struct ike_status *t = ike_store_connection(ike.store, CASE_SITE);

	(void)unused;
	delete (&old);
	case_forget();
	assert_int_equal(case_settle(), 3); /* the peer's workers may not know yet */
	assert_non_null(case_published(old.a.id.spi, false));
	assert_int_equal(t->inbound, 1);
	assert_int_equal(case_result(case_tell(IKE_SA_QUERY, &old.a.id)), ENOENT); /* charon's no more */
	assert_false(ike_spi_claim(ike.store->spis, old.a.id.spi));
	case_forget();
	event(&old, SA_EVENT_SOFT);
	event(&old, SA_EVENT_HARD);
	event(&old, SA_EVENT_REMOTE_PORT);
	now = clock_boot_ns();
	pass(CASE_SECOND / 2);
	assert_int_equal(case_settle(), 3);
	pass(CASE_SECOND);
	assert_int_equal(ike.n_sent, 0);
	assert_int_equal(case_settle(), 2);
	assert_null(case_published(old.a.id.spi, false));
	assert_true(ike_spi_claim(ike.store->spis, old.a.id.spi));
	delete (&out); /* nothing is sent by what charon deleted */
	assert_int_equal(case_settle(), 1);
	delete (&successor);
	assert_int_equal(case_settle(), 0);
}

static void
a_hard_deadline_is_kept_while_draining(void **unused)
{
	struct case_add old = add(true, 0, CASE_SECOND / 4);

	(void)unused;
	add(true, 0, 0);
	delete (&old);
	case_forget();
	now = clock_boot_ns();
	pass(CASE_SECOND / 2);
	assert_int_equal(case_settle(), 1);
	assert_int_equal(ike.n_sent, 0);
}

/* A connection that is closed lets nothing in any more. */
static void
the_last_takes_what_drains_along(void **unused)
{
	struct case_add first = add(true, 0, 0), second = add(true, 0, 0), last = add(true, 0, 0);

	(void)unused;
	delete (&first);
	delete (&second);
	assert_int_equal(case_settle(), 3);
	delete (&last);
	assert_int_equal(case_settle(), 0);
	assert_true(ike_spi_claim(ike.store->spis, first.a.id.spi));
}

static void
what_nothing_replaces_goes_at_once(void **unused)
{
	struct case_add m = add(true, 0, 0), other = case_inbound(case_spi()), early = case_inbound(case_spi());

	(void)unused;
	other.a.reqid = 8; /* of other selectors */
	case_add_site(&other);
	delete (&m);
	assert_int_equal(case_settle(), 1);
	early.a.reqid = 8;
	case_tell(IKE_SA_ADD, &early); /* which no worker has seen */
	delete (&early);
	assert_int_equal(case_settle(), 1);
}

static void
a_flush_takes_what_drains(void **unused)
{
	struct case_add old = add(true, 0, 0);

	(void)unused;
	add(true, 0, 0);
	delete (&old);
	case_tell(IKE_SA_FLUSH, NULL);
	assert_int_equal(case_settle(), 0);
	assert_true(ike_store_empty(ike.store));
}

/* ---- peers that move ------------------------------------------------------------------------ */

static void
a_peer_behind_nat_has_moved(void **unused)
{
	struct case_add m = add(true, 0, 0), out = add(false, 0, 0);
	struct sa_event e = {.kind = SA_EVENT_REMOTE_PORT, .spi = m.a.id.spi, .port = 40500};
	struct ike_address there = case_address("198.51.100.9", 40500);
	const struct ike_mapping *p;

	(void)unused;
	assert_int_equal(address_parse("198.51.100.9", &e.address), 0);
	ike_store_sa_event(ike.store, &e);
	assert_int_equal(ike.n_sent, 1);
	assert_int_equal(ike.sent[0].type, IKE_MAPPING);
	p = (const void *)ike.sent[0].body;
	assert_memory_equal(&p->id, &m.a.id, sizeof(p->id));
	assert_int_equal(p->reqid, 7);
	assert_memory_equal(&p->old_remote, &m.a.id.source, sizeof(p->old_remote));
	assert_memory_equal(&p->new_remote, &there, sizeof(there));

	case_forget();
	e.spi = out.a.id.spi;
	e.outbound = true;
	ike_store_sa_event(ike.store, &e);
	assert_int_equal(ike.n_sent, 0);
}

/* ---- packets that want an SA ---------------------------------------------------------------- */

static struct ike_policy
trap_of(const char *source, const char *destination)
{
	return (struct ike_policy){.dir = IKE_POLICY_OUT,
		.trap = 1,
		.reqid = 7,
		.if_id = SITE,
		.source = case_selector(source),
		.destination = case_selector(destination)};
}

/* How many ACQUIREs a packet raises. */
static uint32_t
miss(const char *name, const char *source, const char *destination)
{
	struct tunnel_miss m = {
		.name = names_id(ike.names, name), .protocol = 6, .source_port = 4000, .destination_port = 80};

	case_must(address_parse(source, &m.source) == 0 && address_parse(destination, &m.destination) == 0, source);
	case_forget();
	ike_store_miss(ike.store, &m);
	return case_count(IKE_ACQUIRE);
}

static uint32_t
miss_here(void)
{
	return miss("connection site", "10.1.1.4", "172.16.1.9");
}

static void
a_packet_asks_for_an_sa(void **unused)
{
	struct ike_policy p = trap_of("10.1.0.0/16", FAR);
	struct ike_selector from = {4, 6, 0, 4000, 4000, {10, 1, 1, 4}, {10, 1, 1, 4}};
	struct ike_selector to = {4, 6, 0, 80, 80, {172, 16, 1, 9}, {172, 16, 1, 9}};
	const struct ike_acquire *a;

	(void)unused;
	assert_int_equal(case_result(case_tell(IKE_POLICY_ADD, &p)), 0);
	assert_int_equal(miss("connection site", "10.2.1.4", "172.16.1.9"), 0);
	assert_int_equal(miss("connection site", "10.1.1.4", "172.16.2.9"), 0);
	assert_int_equal(miss("connection wide", "10.1.1.4", "172.16.1.9"), 0);
	assert_int_equal(miss("gateway g", "10.1.1.4", "172.16.1.9"), 0);
	assert_int_equal(miss_here(), 1);
	a = (const void *)case_nth(IKE_ACQUIRE, 0)->body;
	assert_int_equal(a->reqid, 7);
	assert_int_equal(a->if_id, SITE);
	assert_memory_equal(&a->source, &from, sizeof(from));
	assert_memory_equal(&a->destination, &to, sizeof(to));

	/* once a second is enough */
	assert_int_equal(miss_here(), 0);
	ike_peer_get(ike.store, SITE)->traps->asked_ns -= 999 * CASE_SECOND / 1000;
	assert_int_equal(miss_here(), 0);
	ike_peer_get(ike.store, SITE)->traps->asked_ns -= CASE_SECOND / 1000;
	assert_int_equal(miss_here(), 1);

	ike_store_gone(ike.store);
	ike_peer_get(ike.store, SITE)->traps->asked_ns = 0;
	assert_int_equal(miss_here(), 0);
}

static void
the_trap_that_fits_asks(void **unused)
{
	struct ike_policy first = trap_of("10.1.0.0/24", FAR), second = trap_of("10.1.0.0/16", FAR);

	(void)unused;
	second.reqid = 8;
	second.destination.protocol = 6;
	second.destination.port_first = second.destination.port_last = 80;
	case_tell(IKE_POLICY_ADD, &first);
	case_tell(IKE_POLICY_ADD, &second);
	assert_int_equal(miss_here(), 1);
	assert_int_equal(((const struct ike_acquire *)case_nth(IKE_ACQUIRE, 0)->body)->reqid, 8);
	assert_int_equal(miss("connection site", "10.1.0.4", "172.16.1.9"), 1);
	assert_int_equal(((const struct ike_acquire *)case_nth(IKE_ACQUIRE, 0)->body)->reqid, 7);
}

/* charon counts: the same policy of two children is one, until both have taken it back. */
static void
traps_are_counted(void **unused)
{
	struct ike_policy p = trap_of("10.1.0.0/16", FAR), other = p;

	(void)unused;
	other.reqid = 8;
	case_tell(IKE_POLICY_ADD, &p);
	case_tell(IKE_POLICY_ADD, &p);
	assert_int_equal(case_result(case_tell(IKE_POLICY_DELETE, &other)), 0); /* there is none, which was wanted */
	assert_int_equal(case_result(case_tell(IKE_POLICY_DELETE, &p)), 0);
	assert_int_equal(miss_here(), 1);
	case_tell(IKE_POLICY_DELETE, &p);
	ike_store_tick(ike.store, clock_boot_ns());
	assert_int_equal(miss_here(), 0);
	assert_null(ike_peer_get(ike.store, SITE)->traps);
}

static void
only_traps_are_kept(void **unused)
{
	struct ike_policy base = trap_of("10.1.0.0/16", FAR), p;

	(void)unused;
	p = base;
	p.trap = 0;
	assert_int_equal(case_result(case_tell(IKE_POLICY_ADD, &p)), 0); /* the SA's own selectors say it */
	p = base;
	p.dir = IKE_POLICY_FWD;
	assert_int_equal(case_result(case_tell(IKE_POLICY_ADD, &p)), 0);
	p = base;
	p.type = IKE_POLICY_PASS;
	assert_int_equal(case_result(case_tell(IKE_POLICY_ADD, &p)), EOPNOTSUPP);
	p.type = IKE_POLICY_DROP;
	assert_int_equal(case_result(case_tell(IKE_POLICY_ADD, &p)), EOPNOTSUPP);
	assert_int_equal(miss_here(), 0);
}

static void
flushing_and_hello_take_traps(void **unused)
{
	struct ike_policy p = trap_of("10.1.0.0/16", FAR);

	(void)unused;
	case_tell(IKE_POLICY_ADD, &p);
	assert_int_equal(case_result(case_tell(IKE_POLICY_FLUSH, NULL)), 0);
	assert_int_equal(miss_here(), 0);
	case_tell(IKE_POLICY_ADD, &p);
	case_charon(1);
	assert_int_equal(miss_here(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE_STORY(deadlines_end_softly_and_hard),
		CASE_STORY(a_deadline_passes_without_charon),
		CASE_STORY(workers_tell_of_bytes_and_packets),
		CASE_STORY(what_was_told_to_nobody_is_told_later),
		CASE_STORY(another_charon_does_not_know_them),
		CASE_STORY(many_in_a_second),
		CASE_STORY(a_redundant_sa_drains),
		CASE_STORY(a_hard_deadline_is_kept_while_draining),
		CASE_STORY(the_last_takes_what_drains_along),
		CASE_STORY(what_nothing_replaces_goes_at_once),
		CASE_STORY(a_flush_takes_what_drains),
		CASE_STORY(a_peer_behind_nat_has_moved),
		CASE_STORY(a_packet_asks_for_an_sa),
		CASE_STORY(the_trap_that_fits_asks),
		CASE_STORY(traps_are_counted),
		CASE_STORY(only_traps_are_kept),
		CASE_STORY(flushing_and_hello_take_traps),
	};

	case_name = "ike-lifetime";
	return cmocka_run_group_tests_name("ike_lifetime", tests, case_group_start, case_group_stop);
}
