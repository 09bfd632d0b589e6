/* Whose SAs they are: which of a connection's are used side by side, clients of a gateway, and what a reload takes away
 * and brings back. */
#include "dataplane/sa.h"
#include "tests/unit/ike_case.h"

#include <time.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define SITE ike.ids.connection[CASE_SITE]
#define WIDE ike.ids.connection[CASE_WIDE]
#define CLIENTS ike.ids.gateway[0]
#define WANTED 4 /* of WIDE */

static struct case_add
wide(uint32_t spi, const char *far)
{
	struct case_add m = case_add(WIDE, false, spi, "198.51.100.2", far);

	case_tell(IKE_SA_ADD, &m);
	return m;
}

/* charon has replaced one by the other. */
static void
rekeyed(uint32_t if_id, uint32_t old_out, uint32_t new_out)
{
	struct ike_child_state n = {.up = 2, .if_id = if_id, .old_out = old_out, .new_out = new_out};

	case_tell(IKE_CHILD_STATE, &n);
}

/* ---- side by side ------------------------------------------------------------------------- */

/* What `wanted` numbers the SAs of this class have, by a look at each. */
static uint32_t
numbers(const char *far, uint32_t *n)
{
	struct ike_selector s = case_selector(far);
	uint32_t seen = 0;

	*n = 0;
	for (const struct ike_sa *sa = ike_peer_get(ike.store, WIDE)->sas; sa; sa = sa->next) {
		if (sa->superseded || memcmp(sa->selector->remote.addr.b, s.first, 4) != 0)
			continue;
		assert_true(sa->config.resource < WANTED);
		seen |= 1u << sa->config.resource;
		(*n)++;
	}
	return seen;
}

/* As many numbers are in use as there are SAs, up to what is wanted. */
static void
spread_is_even(const char *far)
{
	uint32_t n, seen = numbers(far, &n);

	assert_int_equal(__builtin_popcount(seen), n < WANTED ? n : WANTED);
}

static void
each_has_its_number(void **unused)
{
	struct case_add m[6];

	(void)unused;
	for (uint32_t i = 0; i < 6; i++) {
		m[i] = wide(0x100 + i, "172.16.2.0/24");
		spread_is_even("172.16.2.0/24");
	}
	/* other selectors are another class with numbers of its own */
	for (uint32_t i = 0; i < 3; i++) {
		wide(0x200 + i, "172.16.3.0/24");
		spread_is_even("172.16.3.0/24");
	}
	assert_int_equal(case_settle(), 9);
	for (uint32_t i = 0; i < 6; i++) {
		case_tell(IKE_SA_DELETE, &m[5 - i].a.id);
		spread_is_even("172.16.2.0/24");
	}
}

/* The last of equals is used, so the newest stands last. */
static void
the_newest_is_published_last(void **unused)
{
	struct case_add m[3];
	uint32_t at = 0;

	(void)unused;
	for (uint32_t i = 0; i < 3; i++) {
		m[i] = case_add(SITE, false, 0x900 - i, "198.51.100.1", "172.16.1.0/24");
		case_tell(IKE_SA_ADD, &m[i]);
	}
	assert_int_equal(case_settle(), 3);
	for (uint32_t i = 0; i < ike.sas.n_sas; i++)
		if (ike.sas.sa[i].config.spi >= 0x8fe && ike.sas.sa[i].config.spi <= 0x900)
			assert_int_equal(ike.sas.sa[i].config.spi, 0x900 - at++);
	assert_int_equal(at, 3);
}

static void
a_successor_has_the_number_of_the_replaced(void **unused)
{
	const struct ike_status *t = ike_store_connection(ike.store, CASE_WIDE);
	uint32_t n;

	(void)unused;
	for (uint32_t i = 0; i < WANTED; i++)
		wide(0x100 + i, "172.16.2.0/24");
	wide(0x110, "172.16.2.0/24");
	rekeyed(SITE, 0x102, 0x110); /* of another connection: not this one */
	assert_int_equal(t->rekeyed, 0);
	rekeyed(WIDE, 0x102, 0x110);
	assert_int_equal(t->rekeyed, 1);
	assert_int_equal(numbers("172.16.2.0/24", &n), (1u << WANTED) - 1);
	assert_int_equal(n, WANTED);
	assert_int_equal(case_settle(), WANTED + 1); /* the old one is there until charon deletes it */
	assert_true(ike_sa_by_spi(ike.store, 0x102, true, NAME_NONE)->superseded);
	assert_false(ike_sa_by_spi(ike.store, 0x110, true, NAME_NONE)->superseded);
}

static void
random_steps_stay_even(void **unused)
{
	static const char *const far[] = {"172.16.2.0/24", "172.16.3.0/24"};
	struct case_add m[9];
	uint32_t n = 0, random = 5, spi = 0x1000;

	(void)unused;
	for (int step = 0; step < 4000; step++) {
		random = random * 1664525u + 1013904223u;
		if (n < COUNT(m) && random >> 31) {
			m[n++] = wide(spi++, far[random >> 30 & 1]);
		} else if (n > 0) {
			uint32_t at = (random >> 8) % n;

			if (random >> 29 & 1)
				rekeyed(WIDE, m[at].a.id.spi, 0);
			case_tell(IKE_SA_DELETE, &m[at].a.id);
			m[at] = m[--n];
		}
		spread_is_even(far[0]);
		spread_is_even(far[1]);
		if (step % 64 == 0)
			assert_int_equal(case_settle(), n);
	}
}

/* ---- clients -------------------------------------------------------------------------------- */

static struct case_add
client(bool in, const char *from, const char *address, const char *identity)
{
	struct case_add m = case_add(CLIENTS, in, in ? case_spi() : 0xc0de, from, address);

	m.a.id.spi += in ? 0 : (uint32_t)m.a.encryption_key[0] * 3;
	snprintf(m.a.peer, sizeof(m.a.peer), "%s", identity);
	case_tell(IKE_SA_ADD, &m);
	return m;
}

/* "ADDRESS>TUNNEL" of each client, where TUNNEL is the tunnel's far end. */
static const char *
clients(void)
{
	static char text[2000];
	char a[ADDRESS_TEXT_MAX], b[ADDRESS_TEXT_MAX];
	size_t used = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < ike.sas.n_clients; i++) {
		const struct client_spec *c = &ike.sas.client[i];
		const struct tunnel_spec *t = &ike.sas.tunnel[c->tunnel];

		assert_true(c->tunnel >= ike.world->spec.n_tunnels);
		assert_int_equal(c->gateway, ike.world->gateway_iface[0]);
		assert_int_equal(t->gateway, ike.world->gateway_iface[0]);
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s>%s", i ? " " : "",
			address_text(&c->address, a, sizeof(a)), address_text(&t->remote, b, sizeof(b)));
	}
	return text;
}

static void
clients_have_a_tunnel_each(void **unused)
{
	struct case_add m, far;

	(void)unused;
	client(true, "203.0.113.7", "172.16.9.5/32", "ann");
	client(false, "203.0.113.7", "172.16.9.5/32", "ann");
	client(true, "203.0.113.8", "172.16.9.4/32", "bob");
	m = client(false, "203.0.113.8", "172.16.9.4/32", "bob");
	assert_int_equal(case_settle(), 4);
	assert_string_equal(clients(), "172.16.9.4>203.0.113.8 172.16.9.5>203.0.113.7");
	assert_int_equal(ike.sas.n_tunnels, ike.world->spec.n_tunnels + 2);
	assert_string_equal(
		names_text(ike.names, ike.sas.tunnel[ike.sas.n_tunnels - 1].name), "gateway g/client 172.16.9.5");
	assert_int_equal(ike.sas.sa[ike.sas.n_sas - 1].tunnel, ike.sas.n_tunnels - 1);

	/* who comes from elsewhere: the newest SA says where to */
	client(true, "203.0.113.99", "172.16.9.5/32", "ann");
	assert_int_equal(case_settle(), 5);
	assert_string_equal(clients(), "172.16.9.4>203.0.113.8 172.16.9.5>203.0.113.99");

	/* whole networks are nobody's address, and what came to another address of ours leaves by no uplink */
	client(true, "203.0.113.9", "172.16.9.0/24", "eve");
	far = case_add(CLIENTS, true, case_spi(), "203.0.113.9", "172.16.9.6/32");
	far.a.id.destination = case_address("192.0.2.200", 0);
	case_tell(IKE_SA_ADD, &far);
	case_tell(IKE_SA_DELETE, &m.a.id);
	assert_int_equal(case_settle(), 4);
	assert_string_equal(clients(), "172.16.9.4>203.0.113.8 172.16.9.5>203.0.113.99");
}

/* charon was started anew: a client that comes back replaces its own SAs, the others' stay for their minute. */
static void
a_client_that_comes_back_replaces_its_own(void **unused)
{
	(void)unused;
	client(false, "203.0.113.7", "172.16.9.5/32", "ann");
	client(false, "203.0.113.8", "172.16.9.4/32", "bob");
	case_charon(2);
	client(false, "203.0.113.70", "172.16.9.9/32", "ann"); /* with an address that was free */
	assert_int_equal(case_settle(), 2);
	assert_string_equal(clients(), "172.16.9.4>203.0.113.8 172.16.9.9>203.0.113.70");
}

/* Each comes and goes in the time that a look at all of them takes, not at all pairs. */
static void
thousands_of_clients(void **unused)
{
	enum { MANY = 5000 };
	clock_t start = clock(), took; /* of this process: the machine may be busy */

	(void)unused;
	for (uint32_t i = 0; i < MANY; i++) {
		struct case_add m = case_add(CLIENTS, false, 0x10000 + i, "203.0.113.7", "172.16.9.5/32");

		m.selector[1].first[2] = m.selector[1].last[2] = (uint8_t)(i >> 8);
		m.selector[1].first[3] = m.selector[1].last[3] = (uint8_t)i;
		case_tell(IKE_SA_ADD, &m);
	}
	assert_int_equal(case_settle(), MANY);
	assert_int_equal(ike.sas.n_clients, MANY);
	case_tell(IKE_SA_FLUSH, NULL);
	assert_int_equal(case_settle(), 0);
	took = clock() - start;
	print_message("%u clients came and went in %.0f ms\n", MANY, (double)took * 1e3 / CLOCKS_PER_SEC);
	assert_true(took < 10 * CLOCKS_PER_SEC);
}

/* ---- a reload ------------------------------------------------------------------------------- */

/* The configuration without the line of this connection. */
static struct world *
world_without(const char *connection)
{
	char text[sizeof(case_text)], *from, *to;

	strcpy(text, case_text);
	from = strstr(text, connection);
	assert_non_null(from);
	while (from[-1] != '\n')
		from--;
	to = strchr(from, '\n') + 1;
	memmove(from, to, strlen(to) + 1);
	return case_world(text);
}

static void
use(struct world *w, struct view **base)
{
	char error[400];

	assert_int_equal(sa_store_fill(ike.marks, w, error, sizeof(error)), 0);
	*base = view_build(&w->spec, NULL, error, sizeof(error));
	assert_non_null(*base);
	ike.world = w;
	ike.base = *base;
	assert_int_equal(ike_store_bind(ike.store, w), 0);
}

static void
a_reload_takes_a_connection_and_brings_it_back(void **unused)
{
	struct case_add m = case_add(SITE, false, 0x100, "198.51.100.1", "172.16.1.0/24");
	struct world *all = ike.world, *without = world_without("name: site"), *again = world_without("name: hand");
	struct view *base = ike.base, *other, *third;

	(void)unused;
	case_tell(IKE_SA_ADD, &m);
	wide(0x200, "172.16.2.0/24");
	assert_int_equal(case_settle(), 2);
	use(without, &other);
	assert_int_equal(case_settle(), 1); /* kept, not published: charon has not been told yet */
	assert_false(ike_store_empty(ike.store));
	assert_int_equal(case_published(0x200, true)->tunnel, without->tunnel[0]);
	assert_null(ike_store_tunnel(ike.store, names_id(ike.names, "connection site")));
	assert_int_equal(ike_store_connection(ike.store, 0)->outbound, 1); /* wide is the first one now */
	assert_null(ike_peer_named(ike.store, "site"));

	use(again, &third);
	assert_int_equal(case_settle(), 2);
	assert_non_null(case_published(0x100, true));
	assert_int_equal(ike_store_connection(ike.store, 0)->outbound, 1);
	assert_string_equal(ike_store_tunnel(ike.store, names_id(ike.names, "connection site")), "site");

	ike.world = all;
	ike.base = base;
	assert_int_equal(ike_store_bind(ike.store, all), 0);
	view_free(other);
	view_free(third);
	sa_store_sweep(ike.marks, &all, 1);
	world_free(without);
	world_free(again);
}

/* ---- looking ------------------------------------------------------------------------------ */

struct looked {
	uint32_t spi[8], n;
	bool visible[8];
};

static void
look(void *context, const struct ike_sa_info *sa)
{
	struct looked *l = context;

	l->visible[l->n % 8] = sa->visible;
	l->spi[l->n++ % 8] = sa->spi;
	assert_string_equal(sa->identity, "peer.example");
}

static void
looking_at_them(void **unused)
{
	struct looked one = {.n = 0}, all = {.n = 0}, none = {.n = 0};
	struct case_add m = case_add(SITE, false, 0x100, "198.51.100.1", "172.16.1.0/24");

	(void)unused;
	case_tell(IKE_SA_ADD, &m);
	wide(0x200, "172.16.2.0/24");
	case_settle();
	wide(0x201, "172.16.2.0/24");
	ike_store_each(ike.store, look, &all);
	assert_int_equal(all.n, 3);
	ike_store_connection_each(ike.store, CASE_WIDE, look, &one);
	assert_int_equal(one.n, 2);
	assert_true(one.spi[0] == 0x201 && one.spi[1] == 0x200); /* the newest first */
	assert_true(!one.visible[0] && one.visible[1]);          /* by workers */
	ike_store_connection_each(ike.store, 2, look, &none);
	ike_store_connection_each(ike.store, 99, look, &none);
	assert_int_equal(none.n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE_STORY(each_has_its_number),
		CASE_STORY(the_newest_is_published_last),
		CASE_STORY(a_successor_has_the_number_of_the_replaced),
		CASE_STORY(random_steps_stay_even),
		CASE_STORY(clients_have_a_tunnel_each),
		CASE_STORY(thousands_of_clients),
		CASE_STORY(a_client_that_comes_back_replaces_its_own),
		CASE_STORY(a_reload_takes_a_connection_and_brings_it_back),
		CASE_STORY(looking_at_them),
	};

	case_name = "ike-peer";
	return cmocka_run_group_tests_name("ike_peer", tests, case_group_start, case_group_stop);
}
