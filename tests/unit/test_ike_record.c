/* Records of charon's plugin: sound ones arrive as they were sent, anything else ends the connection and no more. */
#include "tests/unit/ike_link_case.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define FOUR                                                                                                           \
	{                                                                                                              \
		.family = 4, .b = { 192, 0, 2, 1 }                                                                     \
	}
#define SIX                                                                                                            \
	{                                                                                                              \
		.family = 6, .b = { 0x20, 1 }                                                                          \
	}
#define SELECTOR                                                                                                       \
	{                                                                                                              \
		.family = 4, .port_last = 65535, .last = { 255, 255, 255, 255 }                                        \
	}

static const struct ike_selector selector = SELECTOR;

static const struct ike_hello hello = {.version = 99, .strongswan = "a", .running = "b"};
static const struct ike_spi_get spi_get = {FOUR, FOUR};
static const struct {
	struct ike_sa_add a;
	struct ike_selector s[3];
} add = {
	{.id = {.spi = 5, .source = FOUR, .destination = FOUR}, .n_source = 2, .n_destination = 1, .peer = "p"},
	{SELECTOR, SELECTOR, SELECTOR},
};
static const struct ike_sa_update update = {
	.id = {.source = FOUR, .destination = FOUR}, .new_source = SIX, .new_destination = SIX};
static const struct ike_sa_id id = {.spi = 1, .source = SIX, .destination = SIX};
static const struct ike_policy policy = {
	.dir = IKE_POLICY_FWD, .type = IKE_POLICY_DROP, .source = SELECTOR, .destination = SELECTOR};
static const struct ike_state state = {.up = 1, .proposal = "p"};
static const struct ike_child_state child = {.up = 2, .child_name = "c"};
static const struct ike_alert alert = {.fault = 99, .text = "t"};

static const struct {
	uint16_t type;
	const void *body;
	size_t size;
} sound[] = {
	{IKE_HELLO, &hello, sizeof(hello)},
	{IKE_SYNCED, NULL, 0},
	{IKE_SPI_GET, &spi_get, sizeof(spi_get)},
	{IKE_SA_ADD, &add, sizeof(add)},
	{IKE_SA_UPDATE, &update, sizeof(update)},
	{IKE_SA_QUERY, &id, sizeof(id)},
	{IKE_SA_DELETE, &id, sizeof(id)},
	{IKE_SA_FLUSH, NULL, 0},
	{IKE_POLICY_ADD, &policy, sizeof(policy)},
	{IKE_POLICY_DELETE, &policy, sizeof(policy)},
	{IKE_POLICY_FLUSH, NULL, 0},
	{IKE_SA_STATE, &state, sizeof(state)},
	{IKE_CHILD_STATE, &child, sizeof(child)},
	{IKE_ALERT, &alert, sizeof(alert)},
};

static void
each_type_arrives_as_it_was_sent(void **unused)
{
	(void)unused;
	for (uint32_t i = 0; i < COUNT(sound); i++) {
		tell(sound[i].type, sound[i].body, sound[i].size);
		assert_int_equal(l.records, i + 1);
		assert_int_equal(l.h.type, sound[i].type);
		assert_true(l.h.serial == 77);
		assert_int_equal(l.h.length, sizeof(struct ike_header) + sound[i].size);
		if (sound[i].size)
			assert_memory_equal(l.body, sound[i].body, sound[i].size);
	}
	assert_int_equal(l.gone, 0);
}

/* It may have held a key. */
static void
what_was_read_is_wiped(void **unused)
{
	static const uint8_t nothing[sizeof(add)];

	(void)unused;
	tell(IKE_SA_ADD, &add, sizeof(add));
	assert_int_equal(l.records, 1);
	assert_memory_equal(l.at, nothing, sizeof(add));
}

static void
sizes_are_exact(void **unused)
{
	static const uint8_t zero[IKE_MESSAGE_MAX];
	size_t head = sizeof(struct ike_header);

	(void)unused;
	for (uint32_t i = 0; i < COUNT(sound); i++) {
		uint8_t body[4096] = {0};

		memcpy(body, sound[i].body ? sound[i].body : zero, sound[i].size);
		tell(sound[i].type, body, sound[i].size + 1);
		is_refused();
		tell(sound[i].type, body, sound[i].size + sizeof(struct ike_selector));
		is_refused();
		if (sound[i].size) {
			tell(sound[i].type, body, sound[i].size - 1);
			is_refused();
			tell(sound[i].type, body, 0);
			is_refused();
		}
		put(sound[i].type, body, head + sound[i].size, (uint32_t)(head + sound[i].size + 1));
		is_refused();
		put(sound[i].type, body, head + sound[i].size, 0);
		is_refused();
	}
	for (size_t size = 1; size < head; size++) {
		put(IKE_SYNCED, zero, size, (uint32_t)size);
		is_refused();
	}
	put(IKE_SYNCED, zero, IKE_MESSAGE_MAX, IKE_MESSAGE_MAX);
	is_refused();
	put(IKE_SYNCED, zero, IKE_MESSAGE_MAX + 1, IKE_MESSAGE_MAX + 1);
	is_refused();
	assert_int_equal(send(l.fd, zero, 0, MSG_NOSIGNAL), 0);
	serve();
	is_refused();
}

static void
types_are_known_and_of_the_plugin(void **unused)
{
	static const struct ike_welcome welcome = {.version = IKE_PROTOCOL_VERSION};
	static const uint16_t types[] = {0, 12, 31, 35, 63, IKE_RESULT, 95, 99, 256 + IKE_SYNCED, 65535};

	(void)unused;
	for (size_t i = 0; i < COUNT(types); i++) {
		tell(types[i], NULL, 0);
		is_refused();
	}
	tell(IKE_WELCOME, &welcome, sizeof(welcome));
	is_refused();
}

/* A sound record to change. */
static union {
	struct ike_hello hello;
	struct ike_spi_get spi_get;
	struct {
		struct ike_sa_add a;
		struct ike_selector s[3];
	} add;
	struct ike_sa_update update;
	struct ike_sa_id id;
	struct ike_policy policy;
	struct ike_state state;
	struct ike_child_state child;
	struct ike_alert alert;
} u;

static size_t
copy(uint16_t type)
{
	for (size_t i = 0; i < COUNT(sound); i++) {
		if (sound[i].type == type && sound[i].size) {
			memcpy(&u, sound[i].body, sound[i].size);
			return sound[i].size;
		}
	}
	fail_msg("no record of type %u", type);
	return 0;
}

/* Each change alone makes it unsound. */
#define BROKEN(type, change)                                                                                           \
	do {                                                                                                           \
		size_t size = copy(type);                                                                              \
                                                                                                                       \
		change;                                                                                                \
		tell(type, &u, size);                                                                                  \
		is_refused();                                                                                          \
	} while (0)
#define ENDLESS(type, text) BROKEN(type, memset(text, 'x', sizeof(text)))

static void
texts_end(void **unused)
{
	(void)unused;
	ENDLESS(IKE_HELLO, u.hello.strongswan);
	ENDLESS(IKE_HELLO, u.hello.running);
	ENDLESS(IKE_SA_ADD, u.add.a.ike_name);
	ENDLESS(IKE_SA_ADD, u.add.a.peer);
	ENDLESS(IKE_SA_STATE, u.state.ike_name);
	ENDLESS(IKE_SA_STATE, u.state.local_id);
	ENDLESS(IKE_SA_STATE, u.state.remote_id);
	ENDLESS(IKE_SA_STATE, u.state.proposal);
	ENDLESS(IKE_CHILD_STATE, u.child.child_name);
	ENDLESS(IKE_ALERT, u.alert.ike_name);
	ENDLESS(IKE_ALERT, u.alert.remote_id);
	ENDLESS(IKE_ALERT, u.alert.text);
}

static void
counts_agree_with_the_length(void **unused)
{
	(void)unused;
	BROKEN(IKE_SA_ADD, u.add.a.n_source = 1);
	BROKEN(IKE_SA_ADD, u.add.a.n_destination = 2);
	BROKEN(IKE_SA_ADD, u.add.a.n_source = 65535);
	BROKEN(IKE_SA_ADD, u.add.a.encryption_key_length = IKE_KEY_MAX + 1);
	BROKEN(IKE_SA_ADD, u.add.a.integrity_key_length = 65535);
	copy(IKE_SA_ADD);
	u.add.a.encryption_key_length = u.add.a.integrity_key_length = IKE_KEY_MAX;
	u.add.a.n_source = 0;
	u.add.a.n_destination = 3;
	tell(IKE_SA_ADD, &u, sizeof(u.add));
	assert_int_equal(l.records, 1);
}

/* 255 selectors a side, and not one more. */
static void
as_many_selectors_as_there_may_be(void **unused)
{
	static struct {
		struct ike_sa_add a;
		struct ike_selector s[2 * IKE_SELECTORS_MAX];
	} most;

	(void)unused;
	most.a = add.a;
	for (size_t i = 0; i < COUNT(most.s); i++)
		most.s[i] = selector;
	most.a.n_source = most.a.n_destination = IKE_SELECTORS_MAX;
	tell(IKE_SA_ADD, &most, sizeof(most));
	assert_int_equal(l.records, 1);
	l.records = 0;
	most.a.n_source++;
	most.a.n_destination--;
	tell(IKE_SA_ADD, &most, sizeof(most));
	is_refused();
}

static void
addresses_are_of_a_family(void **unused)
{
	(void)unused;
	BROKEN(IKE_SPI_GET, u.spi_get.destination.family = 0);
	BROKEN(IKE_SA_ADD, u.add.a.id.source.family = 5);
	BROKEN(IKE_SA_ADD, u.add.a.id.destination.family = 6);
	BROKEN(IKE_SA_QUERY, u.id.source.family = u.id.destination.family = 0);
	BROKEN(IKE_SA_DELETE, u.id.destination.family = 4);
	BROKEN(IKE_SA_UPDATE, u.update.id.source.family = 6);
	BROKEN(IKE_SA_UPDATE, u.update.new_source.family = 4);
	BROKEN(IKE_SA_UPDATE, u.update.new_source.family = u.update.new_destination.family = 7);
	BROKEN(IKE_SA_ADD, u.add.s[2].family = 0);
	BROKEN(IKE_POLICY_ADD, u.policy.destination.family = 255);
	BROKEN(IKE_POLICY_DELETE, u.policy.source.family = 0);
}

static void
ranges_and_kinds_are_sound(void **unused)
{
	(void)unused;
	BROKEN(IKE_SA_ADD, u.add.s[1].first[0] = 1; u.add.s[1].last[0] = 0);
	BROKEN(IKE_POLICY_ADD, u.policy.source.first[3] = 2; memset(u.policy.source.last, 0, 16));
	BROKEN(IKE_POLICY_ADD, u.policy.dir = IKE_POLICY_FWD + 1);
	BROKEN(IKE_POLICY_DELETE, u.policy.type = IKE_POLICY_DROP + 1);
	copy(IKE_POLICY_ADD);
	u.policy.source.first[4] = 1; /* behind the address: IPv4 has four bytes */
	tell(IKE_POLICY_ADD, &u, sizeof(u.policy));
	assert_int_equal(l.records, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(each_type_arrives_as_it_was_sent),
		STORY(what_was_read_is_wiped),
		STORY(sizes_are_exact),
		STORY(types_are_known_and_of_the_plugin),
		STORY(texts_end),
		STORY(counts_agree_with_the_length),
		STORY(as_many_selectors_as_there_may_be),
		STORY(addresses_are_of_a_family),
		STORY(ranges_and_kinds_are_sound),
	};

	return cmocka_run_group_tests_name("ike_record", tests, folder_make, folder_remove);
}
