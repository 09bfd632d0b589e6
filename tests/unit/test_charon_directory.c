/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the directory of charon's configurations finds, before a backend of fakes. */
#include "control/strongswan/directory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MANY 3000

/* A configuration; what is not set fits anybody. */
struct fake {
	peer_cfg_t peer;
	ike_cfg_t ike;
	auth_cfg_t round;
	identification_t id;
	char name[64], other[64];
	id_type_t type;
	int proposals, refs;
};

/* The one of before us: whatever it has, it tells. */
static struct fake fake[MANY], *held[MANY];
static uint32_t n_held;

/* ---- fakes ---------------------------------------------------------------------------- */

#define FAKE(pointer, member) ((struct fake *)((char *)(pointer)-offsetof(struct fake, member)))

struct list {
	enumerator_t public;
	uint32_t at, n;
	void *value[MANY];
};

static bool
list_venumerate(enumerator_t *this, va_list args)
{
	struct list *l = (struct list *)this;
	void **out = va_arg(args, void **);

	if (l->at == l->n)
		return false;
	*out = l->value[l->at++];
	return true;
}

static bool
list_enumerate(enumerator_t *this, ...)
{
	va_list args;
	bool more;

	va_start(args, this);
	more = list_venumerate(this, args);
	va_end(args);
	return more;
}

static void
list_destroy(enumerator_t *this)
{
	free(this);
}

static struct list *
list_make(void)
{
	struct list *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	l->public = (enumerator_t){list_enumerate, list_venumerate, list_destroy};
	return l;
}

static chunk_t
id_encoding(identification_t *this)
{
	struct fake *f = FAKE(this, id);

	return (chunk_t){(u_char *)f->name, strlen(f->name)};
}

static id_type_t
id_type(identification_t *this)
{
	return FAKE(this, id)->type;
}

static void *
round_get(auth_cfg_t *this, auth_rule_t rule)
{
	assert_int_equal(rule, AUTH_RULE_IDENTITY);
	return FAKE(this, round)->name[0] ? &FAKE(this, round)->id : NULL;
}

static enumerator_t *
peer_rounds(peer_cfg_t *this, bool local)
{
	struct list *l = list_make();

	assert_false(local);
	l->value[l->n++] = &FAKE(this, peer)->round;
	return &l->public;
}

static ike_cfg_t *
peer_ike(peer_cfg_t *this)
{
	return &FAKE(this, peer)->ike;
}

static peer_cfg_t *
peer_ref(peer_cfg_t *this)
{
	FAKE(this, peer)->refs++;
	return this;
}

static void
peer_destroy(peer_cfg_t *this)
{
	assert_true(FAKE(this, peer)->refs-- > 0);
}

static char *
ike_other(ike_cfg_t *this)
{
	return FAKE(this, ike)->other;
}

static uint8_t
ike_dscp(ike_cfg_t *this)
{
	return 0;
}

static bool
ike_equals(ike_cfg_t *this, ike_cfg_t *ike)
{
	struct fake *a = FAKE(this, ike), *b = FAKE(ike, ike);

	return strcmp(a->other, b->other) == 0 && a->proposals == b->proposals;
}

static enumerator_t *
tell_peers(backend_t *this, identification_t *me, identification_t *other)
{
	struct list *l = list_make();

	for (uint32_t i = 0; i < n_held; i++)
		l->value[l->n++] = &held[i]->peer;
	return &l->public;
}

static enumerator_t *
tell_ikes(backend_t *this, host_t *me, host_t *other)
{
	struct list *l = list_make();

	for (uint32_t i = 0; i < n_held; i++)
		l->value[l->n++] = &held[i]->ike;
	return &l->public;
}

static backend_t inner = {.create_peer_cfg_enumerator = tell_peers, .create_ike_cfg_enumerator = tell_ikes};

static struct fake *
hold(uint32_t i, const char *name, const char *other)
{
	struct fake *f = &fake[i];

	*f = (struct fake){.type = ID_FQDN, .refs = f->refs};
	f->peer.create_auth_cfg_enumerator = peer_rounds;
	f->peer.get_ike_cfg = peer_ike;
	f->peer.get_ref = peer_ref;
	f->peer.destroy = peer_destroy;
	f->ike.get_other_addr = ike_other;
	f->ike.get_dscp = ike_dscp;
	f->ike.equals = ike_equals;
	f->round.get = round_get;
	f->id.get_encoding = id_encoding;
	f->id.get_type = id_type;
	snprintf(f->name, sizeof(f->name), "%s", name);
	snprintf(f->other, sizeof(f->other), "%s", other);
	held[n_held++] = f;
	return f;
}

/* ---- questions ------------------------------------------------------------------------ */

static backend_t *directory;
static struct fake *found[MANY];

static uint32_t
ask_id(id_type_t type, const char *name)
{
	struct fake who = {.type = type, .id = {.get_encoding = id_encoding, .get_type = id_type}};
	enumerator_t *all;
	peer_cfg_t *cfg;
	uint32_t n = 0;

	snprintf(who.name, sizeof(who.name), "%s", name);
	all = directory->create_peer_cfg_enumerator(directory, NULL, &who.id);
	while (all->enumerate(all, &cfg))
		found[n++] = FAKE(cfg, peer);
	all->destroy(all);
	return n;
}

static uint8_t peer_address[4] = {192, 0, 2};

static chunk_t
host_address(host_t *this)
{
	return (chunk_t){peer_address, sizeof(peer_address)};
}

static bool
host_any(host_t *this)
{
	return false;
}

static uint32_t
ask_address(uint8_t last)
{
	host_t host = {.get_address = host_address, .is_anyaddr = host_any};
	enumerator_t *all;
	ike_cfg_t *cfg;
	uint32_t n = 0;

	peer_address[3] = last;
	all = directory->create_ike_cfg_enumerator(directory, NULL, &host);
	while (all->enumerate(all, &cfg))
		found[n++] = FAKE(cfg, ike);
	all->destroy(all);
	return n;
}

static bool
is_among(uint32_t n, const struct fake *one)
{
	for (uint32_t i = 0; i < n; i++)
		if (found[i] == one)
			return true;
	return false;
}

static int
setup(void **state)
{
	n_held = 0;
	directory = directory_create(&inner);
	return directory ? 0 : -1;
}

/* Nothing is held on to. */
static int
teardown(void **state)
{
	directory_free(directory);
	for (uint32_t i = 0; i < MANY; i++)
		if (fake[i].refs != 0)
			return -1;
	return 0;
}

/* ---- stories -------------------------------------------------------------------------- */

static void
one_of_thousands_is_found_with_few_others(void **state)
{
	uint32_t others = 0;
	char name[64];

	for (uint32_t i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "gw%u.example", i);
		hold(i, name, "192.0.2.1");
	}
	for (uint32_t i = 0; i < MANY; i += 97) {
		uint32_t n;

		snprintf(name, sizeof(name), "GW%u.Example", i);
		n = ask_id(ID_FQDN, name);
		assert_true(is_among(n, &fake[i]));
		others += n - 1;
	}
	assert_true(others < MANY / 97 * 4);
}

static void
who_may_fit_is_there_in_the_order_of_the_backend(void **state)
{
	hold(0, "", "192.0.2.1");
	hold(1, "a.example", "192.0.2.1");
	hold(2, "*.example", "192.0.2.1");
	hold(3, "a.example", "192.0.2.1");
	hold(4, "CN=a", "192.0.2.1")->type = ID_DER_ASN1_DN;
	hold(5, "a.example", "192.0.2.1")->type = ID_RFC822_ADDR;
	assert_true(ask_id(ID_FQDN, "a.example") >= 5);
	for (uint32_t i = 0; i < 5; i++)
		assert_ptr_equal(found[i], &fake[i]);
	assert_true(ask_id(ID_RFC822_ADDR, "a.example") >= 4);

	/* one who may be several is for charon alone */
	assert_int_equal(ask_id(ID_FQDN, "*.example"), 6);
	assert_int_equal(ask_id(ID_ANY, ""), 6);
	assert_int_equal(ask_id(ID_DER_ASN1_DN, "CN=a"), 6);
}

static void
changes_are_seen_at_once(void **state)
{
	hold(0, "a.example", "192.0.2.1");
	hold(1, "b.example", "192.0.2.1");
	assert_true(is_among(ask_id(ID_FQDN, "a.example"), &fake[0]));
	hold(2, "a.example", "192.0.2.1");
	assert_true(is_among(ask_id(ID_FQDN, "a.example"), &fake[2]));
	held[0] = hold(3, "c.example", "192.0.2.1");
	n_held--;
	assert_false(is_among(ask_id(ID_FQDN, "a.example"), &fake[0]));
	assert_true(is_among(ask_id(ID_FQDN, "c.example"), &fake[3]));
	n_held = 1;
	assert_false(is_among(ask_id(ID_FQDN, "b.example"), &fake[1]));
	n_held = 0;
	assert_int_equal(ask_id(ID_FQDN, "c.example"), 0);
}

static void
what_was_found_stays_while_it_is_read(void **state)
{
	struct fake who = {
		.type = ID_FQDN, .name = "a.example", .id = {.get_encoding = id_encoding, .get_type = id_type}};
	enumerator_t *all;
	peer_cfg_t *cfg;

	hold(0, "a.example", "192.0.2.1");
	all = directory->create_peer_cfg_enumerator(directory, NULL, &who.id);
	n_held = 0;
	assert_int_equal(ask_id(ID_FQDN, "a.example"), 0);
	assert_int_equal(fake[0].refs, 1);
	assert_true(all->enumerate(all, &cfg));
	assert_false(all->enumerate(all, &cfg));
	all->destroy(all);
	assert_int_equal(fake[0].refs, 0);
}

static void
addresses_find_their_configurations(void **state)
{
	hold(0, "a.example", "192.0.2.1");
	hold(1, "b.example", "192.0.2.2");
	hold(2, "c.example", "gw.example, %any");
	hold(3, "d.example", "0.0.0.0");
	hold(4, "e.example", "192.0.2.0/24");
	hold(5, "f.example", "192.0.2.1");
	assert_int_equal(ask_address(1), 4);
	assert_ptr_equal(found[0], &fake[0]);
	for (uint32_t i = 1; i < 4; i++)
		assert_ptr_equal(found[i], &fake[i + 1]);
	assert_true(is_among(ask_address(2), &fake[1]));
	assert_true(is_among(ask_address(3), &fake[4]));
}

static void
of_equals_only_the_first_is_there(void **state)
{
	for (uint32_t i = 0; i < 100; i++)
		hold(i, "a.example", "192.0.2.1")->proposals = i % 3;
	assert_int_equal(ask_address(1), 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_ptr_equal(found[i], &fake[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_of_thousands_is_found_with_few_others, setup, teardown),
		cmocka_unit_test_setup_teardown(who_may_fit_is_there_in_the_order_of_the_backend, setup, teardown),
		cmocka_unit_test_setup_teardown(changes_are_seen_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_found_stays_while_it_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(addresses_find_their_configurations, setup, teardown),
		cmocka_unit_test_setup_teardown(of_equals_only_the_first_is_there, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
