/* Marks of negotiated SAs: a planned restart goes on, a crash jumps, what the store does not know never goes on. */
#include "control/sa_record.h"
#include "control/sa_store.h"
#include "control/sequence_file.h"
#include "dataplane/sa.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define BLOCK (1ull << 20)

static char folder[64];
static char error[400];

static struct cfg_sa
keys(bool outbound, uint16_t number)
{
	struct cfg_sa c = {.outbound = outbound,
		.spi = 0x1000u + number,
		.encryption = ENC_AES_GCM_128,
		.enc_key_len = 20,
		.replay_window = 64};

	memcpy(c.enc_key, &number, sizeof(number));
	return c;
}

static struct sa_store *
store_open(void)
{
	struct sa_store *s = NULL;

	assert_int_equal(sa_store_open(folder, &s, error, sizeof(error)), 0);
	return s;
}

static void
forget(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/sequence", folder);
	unlink(path);
	snprintf(path, sizeof(path), "%s/sequence.new", folder);
	unlink(path);
}

static int
fresh(void **unused)
{
	(void)unused;
	forget();
	return 0;
}

/* Until what is wanted is on disk: the last tick has nothing left to do. */
static void
settle(struct sa_store *s, const struct sa *out, uint64_t reserved)
{
	const struct timespec moment = {0, 2000000};

	for (int i = 0; i < 2000; i++) {
		sa_store_tick(s);
		if (atomic_load(&out->state->reserved) >= reserved)
			return;
		nanosleep(&moment, NULL);
	}
	fail_msg("no reserve up to %llu", (unsigned long long)reserved);
}

static uint32_t
records_on_disk(struct sequence_record *first)
{
	struct sequence_record *r;
	uint32_t n;

	assert_int_equal(sequence_file_read(folder, &r, &n, error, sizeof(error)), 0);
	if (n > 0)
		*first = r[0];
	free(r);
	return n;
}

/* ---- stories ------------------------------------------------------------------------ */

static void
new_keys_go_at_once(void **unused)
{
	struct sa_store *s = store_open();
	struct cfg_sa c = keys(true, 1);
	struct sa *sa, *again;
	uint32_t record;

	(void)unused;
	assert_int_equal(sa_store_take(s, &c, 5, false, &sa, &record), 0);
	assert_int_equal(atomic_load(&sa->state->next), 1);
	assert_int_equal(atomic_load(&sa->state->reserved), 1 + BLOCK);
	assert_int_equal(sa->name, 5);
	assert_int_equal(sa_store_take(s, &c, 5, false, &again, &record), -EEXIST);
	sa_store_drop(s, record, sa);
	assert_int_equal(sa_store_take(s, &c, 5, true, &again, &record), -ENOENT);
	sa_store_close(s);
}

static void
planned_restart_goes_on(void **unused)
{
	struct sa_store *s = store_open();
	struct cfg_sa out = keys(true, 1), in = keys(false, 2);
	struct sa *o, *i;
	uint32_t ro, ri;

	(void)unused;
	assert_int_equal(sa_store_take(s, &out, 5, false, &o, &ro), 0);
	assert_int_equal(sa_store_take(s, &in, 6, false, &i, &ri), 0);
	atomic_store(&o->state->next, 500);
	atomic_store(&i->state->replay.top, 70);
	sa_store_close(s);

	s = store_open();
	assert_int_equal(sa_store_take(s, &out, 5, true, &o, &ro), 0);
	assert_int_equal(sa_store_take(s, &in, 6, true, &i, &ri), 0);
	assert_int_equal(atomic_load(&o->state->next), 500);
	assert_int_equal(atomic_load(&o->state->reserved), 500); /* not before the next block is durable */
	assert_true(replay_top(&i->state->replay) == 70);
	settle(s, o, 500 + BLOCK);
	sa_store_close(s);
}

static void
crash(bool written)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct sa_store *s = store_open();
		struct cfg_sa out = keys(true, 1);
		struct sequence_record r;
		struct sa *o;
		uint32_t record;

		sa_store_take(s, &out, 5, false, &o, &record);
		while (written && records_on_disk(&r) == 0)
			sa_store_tick(s);
		atomic_store(&o->state->next, 1000);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
}

static void
crash_jumps(void **unused)
{
	struct cfg_sa out = keys(true, 1);
	struct sa_store *s;
	uint32_t record;
	struct sa *o;

	(void)unused;
	crash(true);
	s = store_open();
	assert_int_equal(sa_store_take(s, &out, 5, true, &o, &record), 0);
	assert_int_equal(atomic_load(&o->state->next), 1 + BLOCK);
	sa_store_close(s);
}

static void
crash_before_the_disk_ends_it(void **unused)
{
	struct cfg_sa out = keys(true, 1);
	struct sa_store *s;
	uint32_t record;
	struct sa *o;

	(void)unused;
	crash(false);
	s = store_open();
	assert_int_equal(sa_store_take(s, &out, 5, true, &o, &record), -ENOENT);
	sa_store_close(s);
}

static void
rebinding(void **unused)
{
	struct sa_store *s = store_open();
	struct cfg_sa out = keys(true, 1), moved = out;
	struct sa *o, *n;
	uint32_t record;

	(void)unused;
	assert_int_equal(sa_store_take(s, &out, 5, false, &o, &record), 0);
	atomic_store(&o->state->next, 9);
	memset(moved.enc_key, 0, sizeof(moved.enc_key));
	moved.udp_encap = true;
	moved.udp_remote_port = 40500;
	n = sa_store_rebind(s, record, o, &moved);
	assert_non_null(n);
	assert_int_equal(n->name, 5);
	sa_store_drop(s, record, o);
	assert_int_equal(atomic_load(&n->state->next), 9);
	assert_int_equal(n->udp_remote_port, 40500);
	sa_store_drop(s, record, n);
	sa_store_close(s);
}

static void
the_gone_are_forgotten(void **unused)
{
	struct sa_store *s = store_open();
	struct cfg_sa a = keys(true, 1), b = keys(true, 2);
	struct sequence_record r = {0};
	struct sa *x, *y;
	uint32_t rx, ry;

	(void)unused;
	assert_int_equal(sa_store_take(s, &a, 5, false, &x, &rx), 0);
	assert_int_equal(sa_store_take(s, &b, 6, false, &y, &ry), 0);
	sa_store_drop(s, rx, x);
	sa_store_close(s);
	assert_int_equal(records_on_disk(&r), 1);
	assert_true(r.negotiated && r.outbound);

	/* charon came up anew: nobody asks for b */
	s = store_open();
	sa_store_forget_unclaimed(s);
	assert_int_equal(sa_store_take(s, &a, 5, false, &x, &rx), 0);
	sa_store_close(s);
	assert_int_equal(records_on_disk(&r), 1);
}

/* ---- records against a dumb list ------------------------------------------------------- */

#define KEYS 400

static void
records_come_and_go(void **unused)
{
	struct sa_records s = {0};
	static bool there[KEYS];
	uint32_t random = 7, n = 0;

	(void)unused;
	for (int step = 0; step < 40000; step++) {
		struct sequence_record key = {.outbound = true};
		struct sa_record *r;
		uint32_t k;

		random = random * 1664525u + 1013904223u;
		k = random >> 16 & 0xffff;
		k %= KEYS;
		key.fingerprint[0] = (uint8_t)(k % 19); /* so that many want one place */
		memcpy(key.fingerprint + 4, &k, sizeof(k));
		r = sa_record_find(&s, &key);
		assert_int_equal(r != NULL, there[k]);
		if (r)
			assert_memory_equal(r->mark.fingerprint, key.fingerprint, FINGERPRINT_SIZE);
		if (r) {
			sa_record_forget(&s, r);
			n--;
		} else {
			assert_non_null(sa_record_get(&s, &key));
			n++;
		}
		there[k] = !there[k];
		assert_int_equal(s.n - s.n_spare, n);
	}
	assert_true(s.n <= KEYS);
	sa_records_free(&s);
}

static int
start(void **unused)
{
	(void)unused;
	snprintf(folder, sizeof(folder), "/tmp/isthmus-sa-negotiated-%d", (int)getpid());
	return mkdir(folder, 0700);
}

static int
stop(void **unused)
{
	(void)unused;
	forget();
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(new_keys_go_at_once, fresh),
		cmocka_unit_test_setup(planned_restart_goes_on, fresh),
		cmocka_unit_test_setup(crash_jumps, fresh),
		cmocka_unit_test_setup(crash_before_the_disk_ends_it, fresh),
		cmocka_unit_test_setup(rebinding, fresh),
		cmocka_unit_test_setup(the_gone_are_forgotten, fresh),
		cmocka_unit_test(records_come_and_go),
	};

	return cmocka_run_group_tests_name("sa_negotiated", tests, start, stop);
}
