/* The kind `etcd` against scripted answers: which questions it asks in which order, and what it makes of silence,
 * answers that were lost, and keys that are gone. tests/system/test_lease_etcd.py has the real one. */
#include "control/etcd_client.h"
#include "control/lease_backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define IDENTITY "a/0123"
#define OTHER "b/4567"

/* ---- a client that answers what the test says ---------------------------------------- */

struct etcd_client {
	etcd_answered *answered;
	void *context;
	char path[64];
	char *body;
};

static struct etcd_client fake;
static char last[1024]; /* question */

struct etcd_client *
etcd_client_open(struct loop *loop, const struct cfg_lease *lease, long timeout_ms, etcd_answered *answered,
	void *context, char *error, size_t n)
{
	assert_int_equal(timeout_ms, 3000);
	fake = (struct etcd_client){.answered = answered, .context = context};
	return &fake;
}

void
etcd_client_close(struct etcd_client *c)
{
	free(c->body);
	c->body = NULL;
}

void
etcd_client_post(struct etcd_client *c, const char *path, json_t *body)
{
	assert_non_null(body);
	free(c->body);
	c->body = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	snprintf(c->path, sizeof(c->path), "%s", path);
	snprintf(last, sizeof(last), "%s", c->body);
}

void
etcd_client_finish(struct etcd_client *c, int timeout_ms)
{
	assert_true(timeout_ms <= 1000);
}

/* ---- a clock that the test sets --------------------------------------------------------- */

static time_t seconds;

int __wrap_clock_gettime(clockid_t clock, struct timespec *t);

int
__wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
	assert_int_equal(clock, CLOCK_BOOTTIME);
	*t = (struct timespec){.tv_sec = seconds};
	return 0;
}

/* ---- the stage ------------------------------------------------------------------------- */

static struct lease_answer got;
static bool answered;
static const struct cfg_ha ha = {.lease = {.key = (char *)(uintptr_t) "k", .duration_s = 15}};
static struct lease_client client;
static void *backend;

static void
take(void *context, const struct lease_answer *a)
{
	assert_false(answered);
	got = *a;
	answered = true;
}

static int
setup(void **state)
{
	char error[64];

	client = (struct lease_client){.ha = &ha, .identity = IDENTITY, .answered = take};
	backend = lease_etcd.open(&client, error, sizeof(error));
	answered = false;
	seconds = 1000;
	return backend ? 0 : -1;
}

static int
teardown(void **state)
{
	lease_etcd.close(backend);
	return 0;
}

static void
attempt(void)
{
	answered = false;
	lease_etcd.attempt(backend, 0);
}

/* The question under way has this in it, and this is the answer: NULL for none. */
static void
reply(const char *path, const char *asks, const char *text)
{
	json_t *json = text ? json_loads(text, 0, NULL) : NULL;
	const char *body = fake.body ? fake.body : "nothing";

	assert_false(answered);
	if (strcmp(fake.path, path) != 0 || !strstr(body, asks))
		fail_msg("asked %s %s instead of %s %s", fake.path, body, path, asks);
	assert_true(!text || json);
	fake.answered(fake.context, json, text ? NULL : "no answer");
	json_decref(json);
}

static void
granted(uint64_t epoch)
{
	assert_true(answered);
	assert_int_equal(got.verdict, LEASE_GRANTED);
	assert_int_equal(got.epoch, epoch);
	assert_string_equal(got.holder, IDENTITY);
}

static void
denied(uint64_t epoch, const char *holder)
{
	assert_true(answered);
	assert_int_equal(got.verdict, LEASE_DENIED);
	assert_int_equal(got.epoch, epoch);
	assert_string_equal(got.holder, holder);
}

static void
failed(const char *why)
{
	assert_true(answered);
	assert_int_equal(got.verdict, LEASE_FAILED);
	assert_non_null(strstr(got.error, why));
}

#define RANGE "/v3/kv/range"
#define TXN "/v3/kv/txn"
#define IF(revision) "\"target\":\"MOD\",\"key\":\"aw==\",\"mod_revision\":\"" revision "\""
#define DONE(revision) "{\"header\":{\"revision\":\"" revision "\"},\"succeeded\":true}"
#define KV(value, revision) "{\"kvs\":[{\"key\":\"aw==\",\"value\":\"" value "\",\"mod_revision\":\"" revision "\"}]}"
#define ELSE(range) "{\"header\":{\"revision\":\"99\"},\"responses\":[{\"response_range\":" range "}]}"
#define ABSENT "{\"header\":{\"revision\":\"39\"}}"
#define OURS "YS8wMTIzIDAgMTUwMDA="        /* a/0123 0 15000 */
#define OURS_40 "YS8wMTIzIDQwIDE1MDAw"     /* a/0123 40 15000 */
#define THEIRS "Yi80NTY3IDAgMTUwMDA="      /* b/4567 0 15000 */
#define THEIRS_50 "Yi80NTY3IDUwIDE1MDAw"   /* b/4567 50 15000 */
#define THEIRS_LONG "Yi80NTY3IDAgNjAwMDA=" /* b/4567 0 60000 */
#define RELEASED "LSA1MCAxNTAwMA=="        /* - 50 15000 */

/* Epoch 40. */
static void
acquire(void)
{
	attempt();
	reply(RANGE, "\"key\":\"aw==\"", ABSENT);
	assert_non_null(strstr(fake.body, OURS));
	reply(TXN, IF("0"), DONE("40"));
	granted(40);
}

static void
acquires_and_renews(void **state)
{
	acquire();
	attempt();
	assert_non_null(strstr(fake.body, OURS_40));
	reply(TXN, IF("40"), DONE("45"));
	granted(40);
	attempt();
	reply(TXN, IF("45"), DONE("46"));
	granted(40);
}

/* Silent for the whole duration since this node saw its last word. */
static void
another_has_it(void **state)
{
	attempt();
	reply(RANGE, "", KV(THEIRS, "50"));
	denied(50, OTHER);
	seconds += 14;
	attempt();
	reply(RANGE, "", KV(THEIRS_50, "57"));
	denied(50, OTHER);
	seconds += 14;
	attempt();
	reply(RANGE, "", KV(THEIRS_50, "57"));
	denied(50, OTHER);
	seconds += 1;
	attempt();
	reply(RANGE, "", KV(THEIRS_50, "57"));
	reply(TXN, IF("57"), DONE("70"));
	granted(70);
}

static void
a_longer_lease_is_waited_for(void **state)
{
	attempt();
	reply(RANGE, "", KV(THEIRS_LONG, "50"));
	seconds += 59;
	attempt();
	reply(RANGE, "", KV(THEIRS_LONG, "50"));
	denied(50, OTHER);
	seconds += 1;
	attempt();
	reply(RANGE, "", KV(THEIRS_LONG, "50"));
	reply(TXN, IF("50"), DONE("51"));
	granted(51);
}

static void
one_that_released_is_not(void **state)
{
	attempt();
	reply(RANGE, "", KV(RELEASED, "60"));
	reply(TXN, IF("60"), DONE("61"));
	granted(61);
}

static void
another_was_faster(void **state)
{
	attempt();
	reply(RANGE, "", ABSENT);
	reply(TXN, IF("0"), ELSE(KV(THEIRS, "50")));
	denied(50, OTHER);
	seconds += 14;
	attempt();
	reply(RANGE, "", KV(THEIRS, "50"));
	denied(50, OTHER);
}

static void
another_took_it(void **state)
{
	acquire();
	attempt();
	reply(TXN, IF("40"), ELSE(KV(THEIRS, "50")));
	denied(50, OTHER);
	attempt();
	reply(RANGE, "", KV(THEIRS, "50"));
	denied(50, OTHER);
}

/* By hand: its holder may not know. */
static void
a_deleted_key(void **state)
{
	attempt();
	reply(RANGE, "", KV(THEIRS, "50"));
	seconds += 14;
	for (int i = 0; i < 15; i++, seconds++) {
		attempt();
		reply(RANGE, "", ABSENT);
		denied(0, "");
	}
	attempt();
	reply(RANGE, "", ABSENT);
	reply(TXN, IF("0"), DONE("60"));
	granted(60);

	/* ours */
	seconds += 100;
	attempt();
	reply(TXN, IF("60"), ELSE("{}"));
	denied(0, "");
	seconds += 14;
	attempt();
	reply(RANGE, "", ABSENT);
	denied(0, "");
}

static void
lost_answers(void **state)
{
	/* of a claim */
	attempt();
	reply(RANGE, "", ABSENT);
	reply(TXN, IF("0"), NULL);
	failed("no answer");
	attempt();
	reply(RANGE, "", KV(OURS, "40"));
	reply(TXN, IF("40"), DONE("41"));
	granted(40);

	/* of a renewal */
	attempt();
	reply(TXN, IF("41"), NULL);
	failed("no answer");
	attempt();
	reply(TXN, IF("41"), ELSE(KV(OURS_40, "42")));
	assert_non_null(strstr(fake.body, OURS_40));
	reply(TXN, IF("42"), DONE("43"));
	granted(40);
}

static void
a_foreign_value(void **state)
{
	attempt();
	reply(RANGE, "", KV("aGVsbG8=", "7"));
	failed("somebody else");
}

/* Whatever it is: no crash, no role. */
static void
nonsense(void **state)
{
	static const char *const texts[] = {"{\"kvs\":[7]}", "{\"kvs\":[{\"value\":\"*\"}]}",
		"{\"kvs\":[{\"value\":7,\"mod_revision\":\"x\"}]}", "{\"kvs\":[{\"mod_revision\":\"9\"}]}",
		"{\"responses\":[{\"response_range\":[]}],\"kvs\":[{}]}"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		attempt();
		reply(RANGE, "", texts[i]);
		assert_int_equal(got.verdict, LEASE_FAILED);
	}
	attempt();
	reply(RANGE, "", "{}");
	reply(TXN, "", "{\"header\":[],\"responses\":{}}");
	denied(0, "");
}

static void
gives_it_back(void **state)
{
	acquire();
	lease_etcd.close(backend);
	assert_string_equal(fake.path, TXN);
	assert_non_null(strstr(last, IF("40")));
	assert_non_null(strstr(last, "LSA0MCAxNTAwMA==")); /* - 40 15000 */
	assert_int_equal(setup(state), 0);
}

/* ---- texts and numbers ------------------------------------------------------------------ */

static void
texts(void **state)
{
	static const char *const pairs[][2] = {
		{"", ""}, {"k", "aw=="}, {"ab", "YWI="}, {"abc", "YWJj"}, {"\xff\xfe>?", "//4+Pw=="}};
	char out[16];

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		json_t *o = json_pack("{s:o}", "v", etcd_text(pairs[i][0]));

		assert_string_equal(json_string_value(json_object_get(o, "v")), pairs[i][1]);
		assert_true(etcd_text_read(o, "v", out, sizeof(out)));
		assert_string_equal(out, pairs[i][0]);
		assert_false(etcd_text_read(o, "w", out, sizeof(out)));
		assert_int_equal(etcd_text_read(o, "v", out, 3), strlen(pairs[i][0]) < 3);
		json_decref(o);
	}
}

static void
numbers(void **state)
{
	json_t *o = json_loads("{\"a\":\"18446744073709551615\",\"b\":7,\"c\":true}", 0, NULL);

	assert_int_equal(etcd_number(o, "a"), UINT64_MAX);
	assert_int_equal(etcd_number(o, "b"), 7);
	assert_int_equal(etcd_number(o, "c"), 0);
	assert_int_equal(etcd_number(o, "d"), 0);
	json_decref(o);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(acquires_and_renews),
		STORY(another_has_it),
		STORY(a_longer_lease_is_waited_for),
		STORY(one_that_released_is_not),
		STORY(another_was_faster),
		STORY(another_took_it),
		STORY(a_deleted_key),
		STORY(lost_answers),
		STORY(a_foreign_value),
		STORY(nonsense),
		STORY(gives_it_back),
		cmocka_unit_test(texts),
		cmocka_unit_test(numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
