/* The SA store: no number twice under one key, whatever kills the daemon and whenever. */
#include "control/sa_store.h"
#include "control/sequence_file.h"
#include "dataplane/sa.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define BLOCK (1ull << 20)

static char folder[64];
static char error[400];

/* ---- worlds ------------------------------------------------------------------------- */

struct sas {
	struct world world;
	struct sa_spec sa[8];
};

static void
sas_clear(struct sas *s)
{
	memset(s, 0, sizeof(*s));
	s->world.spec.sa = s->sa;
}

static struct sa_spec *
sas_add(struct sas *s, bool outbound, uint8_t key)
{
	struct sa_spec *sa = &s->sa[s->world.spec.n_sas++];

	sa->name = 5;
	sa->config = (struct cfg_sa){.outbound = outbound,
		.spi = 0x1000 + key,
		.encryption = ENC_AES_GCM_128,
		.enc_key_len = 20,
		.replay_window = 64};
	memset(sa->config.enc_key, key, 20);
	return sa;
}

static struct sa_store *
store_open(void)
{
	struct sa_store *s;
	int rc = sa_store_open(folder, &s, error, sizeof(error));

	if (rc)
		print_message("%s\n", error);
	assert_int_equal(rc, 0);
	return s;
}

static void
fill(struct sa_store *store, struct sas *s)
{
	int rc = sa_store_fill(store, &s->world, error, sizeof(error));

	if (rc)
		print_message("%s\n", error);
	assert_int_equal(rc, 0);
}

/* As a worker does, within the reserve: returns how many were taken. */
static uint64_t
numbers_take(struct sa *sa, uint64_t n, uint64_t *first)
{
	uint64_t reserved = atomic_load(&sa->state->reserved);
	uint64_t next = atomic_fetch_add(&sa->state->next, n);

	*first = next;
	if (next >= reserved)
		return 0;
	return next + n <= reserved ? n : reserved - next;
}

static uint64_t
next_number(const struct sa *sa)
{
	return atomic_load(&sa->state->next);
}

static void
path_of(char *path, size_t size)
{
	snprintf(path, size, "%s/sequence", folder);
}

static void
forget(void)
{
	char path[128];

	path_of(path, sizeof(path));
	unlink(path);
	snprintf(path, sizeof(path), "%s/sequence.new", folder);
	unlink(path);
}

static int
fresh(void **unused)
{
	forget();
	return 0;
}

/* The child dies without a word in the middle of this. */
static void
crashing(void (*story)(void))
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		story();
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* ---- stories ------------------------------------------------------------------------ */

static void
numbers_go_on(void **unused)
{
	struct sa_store *store = store_open();
	struct sas s;
	uint64_t first;

	sas_clear(&s);
	sas_add(&s, true, 1);
	fill(store, &s);
	assert_int_equal(next_number(s.sa[0].sa), 1);
	assert_int_equal(atomic_load(&s.sa[0].sa->state->reserved), 1 + BLOCK);
	assert_int_equal(numbers_take(s.sa[0].sa, 10, &first), 10);
	sa_store_close(store);

	/* stopped in order: no gap */
	store = store_open();
	sas_clear(&s);
	sas_add(&s, true, 1);
	fill(store, &s);
	assert_int_equal(next_number(s.sa[0].sa), 11);
	sa_store_close(store);
}

static void
take_ten(void)
{
	struct sa_store *store = store_open();
	struct sas s;
	uint64_t first;

	sas_clear(&s);
	sas_add(&s, true, 1);
	fill(store, &s);
	numbers_take(s.sa[0].sa, 10, &first);
}

static void
crash_skips_the_block(void **unused)
{
	struct sa_store *store;
	struct sas s;

	for (uint64_t i = 1; i <= 3; i++) {
		crashing(take_ten);
		store = store_open();
		sas_clear(&s);
		sas_add(&s, true, 1);
		fill(store, &s);
		assert_int_equal(next_number(s.sa[0].sa), 1 + (2 * i - 1) * BLOCK);
		/* this one dies as well: nothing is closed, but its threads are left */
		sas_clear(&s);
		sas_add(&s, true, 1);
		fill(store, &s);
		numbers_take(s.sa[0].sa, BLOCK, &(uint64_t){0});
		sa_store_close(store);
	}
}

static struct sa_spec *
ctr_add(struct sas *s, uint8_t auth_key)
{
	struct sa_spec *sa = sas_add(s, true, 1);

	sa->config.encryption = ENC_AES_CTR_128;
	sa->config.integrity = INTEG_SHA1_96;
	sa->config.auth_key_len = 20;
	memset(sa->config.auth_key, auth_key, 20);
	return sa;
}

/* Whatever else changes: a key of a counter mode meets no number twice. */
static void
counter_modes_share_numbers(void **unused)
{
	struct sa_store *store = store_open();
	struct sa_spec *other_salt, *ccm;
	struct sas a, b;
	uint64_t first;

	sas_clear(&a);
	sas_add(&a, true, 1);
	fill(store, &a);
	numbers_take(a.sa[0].sa, 10, &first);

	sas_clear(&b);
	ctr_add(&b, 2);
	ctr_add(&b, 3);
	sas_add(&b, true, 1)->config.encryption = ENC_AES_GCM8_128;
	other_salt = sas_add(&b, true, 1);
	other_salt->config.enc_key[other_salt->config.enc_key_len - 1] ^= 1;
	ccm = sas_add(&b, true, 1);
	ccm->config.encryption = ENC_AES_CCM12_128;
	ccm->config.enc_key_len = 19;
	fill(store, &b);
	for (int i = 0; i < 5; i++)
		assert_ptr_equal(b.sa[i].sa->state, a.sa[0].sa->state);
	/* but another hash key or salt is another SA */
	assert_ptr_not_equal(b.sa[0].sa, b.sa[1].sa);
	assert_ptr_not_equal(other_salt->sa, a.sa[0].sa);
	sa_store_close(store);

	store = store_open();
	sas_clear(&a);
	ctr_add(&a, 4);
	fill(store, &a);
	assert_int_equal(next_number(a.sa[0].sa), 11);
	sa_store_close(store);
}

/* The same keys under another name, SPI or lifetime are the same numbers. */
static void
keys_own_the_numbers(void **unused)
{
	struct sa_store *store = store_open();
	struct sas a, b;
	struct sa *before;
	uint64_t first;

	sas_clear(&a);
	sas_add(&a, true, 1);
	fill(store, &a);
	before = a.sa[0].sa;
	numbers_take(before, 10, &first);

	/* nothing changed: the very SA */
	sas_clear(&b);
	sas_add(&b, true, 1);
	fill(store, &b);
	assert_ptr_equal(b.sa[0].sa, before);

	/* another SPI, lifetime, name: one counter */
	sas_clear(&b);
	sas_add(&b, true, 1)->config.spi = 0x9999;
	sas_add(&b, true, 1)->config.life_packets_hard = 7;
	sas_add(&b, true, 1)->name = 6;
	fill(store, &b);
	for (int i = 0; i < 3; i++) {
		assert_ptr_not_equal(b.sa[i].sa, before);
		assert_ptr_equal(b.sa[i].sa->state, before->state);
	}
	assert_int_equal(b.sa[2].sa->name, 6);

	/* the first one's world goes, the others stay */
	sa_store_sweep(store, (struct world *const[]){&b.world}, 1);
	assert_int_equal(next_number(b.sa[0].sa), 11);
	numbers_take(b.sa[1].sa, 5, &first);
	assert_int_equal(first, 11);

	/* all go, and the key comes back */
	sa_store_sweep(store, NULL, 0);
	sas_clear(&a);
	sas_add(&a, true, 1);
	fill(store, &a);
	assert_true(next_number(a.sa[0].sa) >= 16);
	sa_store_close(store);

	store = store_open();
	sas_clear(&a);
	sas_add(&a, true, 1);
	fill(store, &a);
	assert_true(next_number(a.sa[0].sa) >= 16);
	sa_store_close(store);
}

static void
windows_go_on(void **unused)
{
	struct sa_store *store = store_open();
	struct sas s;
	struct replay *r;

	sas_clear(&s);
	sas_add(&s, false, 1);
	fill(store, &s);
	r = &s.sa[0].sa->state->replay;
	assert_true(replay_take(r, 500));
	replay_raise(r, 500);

	/* other lifetime: the same window */
	sas_clear(&s);
	sas_add(&s, false, 1)->config.life_packets_soft = 9;
	fill(store, &s);
	assert_false(replay_take(&s.sa[0].sa->state->replay, 500));
	assert_true(replay_take(&s.sa[0].sa->state->replay, 499));

	/* a larger ring would forget what the running one knows */
	sas_clear(&s);
	sas_add(&s, false, 1)->config.replay_window = 4096;
	assert_int_equal(sa_store_fill(store, &s.world, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "window"));
	sa_store_close(store);

	/* after a restart all up to the highest is old */
	store = store_open();
	sas_clear(&s);
	sas_add(&s, false, 1)->config.replay_window = 4096;
	fill(store, &s);
	r = &s.sa[0].sa->state->replay;
	assert_true(replay_left(r, replay_top(r), 4096, 500));
	assert_false(replay_left(r, replay_top(r), 4096, 501));
	sa_store_close(store);
}

/* Control ticks; the disk is somebody else's wait. */
static void
reserve_follows(void **unused)
{
	struct sa_store *store = store_open();
	uint64_t first, reserved = 0, taken = 0;
	struct sas s;

	sas_clear(&s);
	sas_add(&s, true, 1);
	fill(store, &s);
	for (int i = 0; i < 4000 && taken < 20 * BLOCK; i++) {
		uint64_t now = atomic_load(&s.sa[0].sa->state->reserved);

		assert_true(now >= reserved);
		reserved = now;
		if (next_number(s.sa[0].sa) + BLOCK / 8 < reserved)
			taken += numbers_take(s.sa[0].sa, BLOCK / 8, &first);
		sa_store_tick(store);
		usleep(500);
	}
	assert_true(taken >= 20 * BLOCK);
	sa_store_close(store);
}

/* ---- damage ------------------------------------------------------------------------- */

static size_t
file_read(uint8_t *to, size_t room)
{
	char path[128];
	ssize_t n;
	int fd;

	path_of(path, sizeof(path));
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	n = read(fd, to, room);
	close(fd);
	assert_true(n > 0);
	return (size_t)n;
}

static void
file_write(const uint8_t *from, size_t n)
{
	char path[128];
	int fd;

	path_of(path, sizeof(path));
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, from, n), n);
	close(fd);
}

static void
expect_damaged(void)
{
	struct sa_store *s;

	error[0] = '\0';
	assert_int_equal(sa_store_open(folder, &s, error, sizeof(error)), -EBADMSG);
	assert_null(s);
	assert_non_null(strstr(error, "damaged"));
	assert_non_null(strstr(error, folder));
}

static void
damage_is_refused(void **unused)
{
	struct sa_store *store = store_open();
	uint8_t whole[4096], bad[4096];
	struct sas s;
	size_t n;

	sas_clear(&s);
	sas_add(&s, true, 1);
	sas_add(&s, false, 2);
	fill(store, &s);
	sa_store_close(store);

	n = file_read(whole, sizeof(whole));
	for (size_t i = 0; i < n; i++) {
		memcpy(bad, whole, n);
		bad[i] ^= 1;
		file_write(bad, n);
		expect_damaged();
		file_write(whole, i);
		expect_damaged();
	}
	memcpy(bad, whole, n);
	bad[n] = '\n';
	file_write(bad, n + 1);
	expect_damaged();
	file_write(whole, n);
	sa_store_close(store_open());
}

static void
file_roundtrip(void **unused)
{
	struct sequence_record r = {.outbound = true, .number = 7}, *out;
	size_t size;
	uint32_t n;
	char *text = sequence_file_text(&r, 1, &size);

	assert_non_null(text);
	assert_int_equal(sequence_file_write(folder, text, size), 0);
	assert_int_equal(sequence_file_read(folder, &out, &n, error, sizeof(error)), 0);
	assert_int_equal(n, 1);
	assert_int_equal(out[0].number, 7);
	assert_true(out[0].outbound);
	free(out);
	free(text);
}

static void
no_key_on_disk(void **unused)
{
	struct sa_store *store = store_open();
	uint8_t text[4096];
	struct sas s;
	struct stat st;
	char path[128];
	size_t n;

	sas_clear(&s);
	sas_add(&s, true, 0xa7);
	fill(store, &s);
	for (int i = 0; i < CFG_ENC_KEY_MAX; i++)
		assert_int_equal(s.sa[0].config.enc_key[i], 0); /* nor in the world */
	sa_store_close(store);
	n = file_read(text, sizeof(text));
	assert_null(memmem(text, n, "\xa7\xa7", 2));
	assert_null(memmem(text, n, "a7a7", 4));
	path_of(path, sizeof(path));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void
full_disk(void **unused)
{
	struct sa_store *store = store_open();
	struct sas s;

	sas_clear(&s);
	sas_add(&s, true, 1);
	assert_int_equal(rmdir(folder), 0);
	assert_int_not_equal(sa_store_fill(store, &s.world, error, sizeof(error)), 0);
	assert_non_null(strstr(error, folder));
	/* what was made may not send */
	assert_int_equal(mkdir(folder, 0700), 0);
	if (s.sa[0].sa)
		assert_int_equal(next_number(s.sa[0].sa), atomic_load(&s.sa[0].sa->state->reserved));
	sa_store_close(store);
}

/* ---- any moment --------------------------------------------------------------------- */

#define ROUNDS 40
#define RUNS_MAX 20000

/* What a life used, in memory that outlives it. */
static struct used {
	_Atomic uint32_t n;
	uint64_t from[RUNS_MAX], to[RUNS_MAX];
} * used;

/* Take numbers in bursts until killed; tick, reload with other parameters, sometimes stop and start in order. */
static void
live(unsigned seed)
{
	struct sa_store *store = store_open();
	struct sas s[2];
	int turn = 0;

	srand(seed);
	sas_clear(&s[0]);
	sas_add(&s[0], true, 1);
	fill(store, &s[0]);
	for (uint32_t i = 1;; i++) {
		uint64_t first, n = numbers_take(s[turn].sa[0].sa, 1 + (uint64_t)rand() % 60000, &first);
		uint32_t at = atomic_load(&used->n);

		if (n && at < RUNS_MAX) {
			used->from[at] = first;
			used->to[at] = first + n;
			atomic_store(&used->n, at + 1);
		}
		if (rand() % 4 == 0)
			sa_store_tick(store);
		if (rand() % 50 == 0) {
			turn ^= 1;
			sas_clear(&s[turn]);
			sas_add(&s[turn], true, 1)->config.life_bytes_soft = 1 + (uint64_t)rand();
			fill(store, &s[turn]);
			sa_store_sweep(store, (struct world *const[]){&s[turn].world}, 1);
		}
		if (rand() % 500 == 0) {
			sa_store_close(store);
			store = store_open();
			sas_clear(&s[turn]);
			sas_add(&s[turn], true, 1);
			fill(store, &s[turn]);
		}
	}
}

static int
run_compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (x[0] > y[0]) - (x[0] < y[0]);
}

static void
killed_at_any_moment(void **unused)
{
	static uint64_t run[RUNS_MAX][2];
	uint64_t before = 0;
	uint32_t n;

	used = mmap(NULL, sizeof(*used), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(used != MAP_FAILED);
	srand((unsigned)time(NULL));
	for (int i = 0; i < ROUNDS; i++) {
		struct sequence_record *r;
		unsigned seed = (unsigned)rand();
		pid_t child = fork();
		uint32_t records;

		if (child == 0)
			live(seed);
		usleep(500 + (unsigned)rand() % 40000);
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, NULL, 0), child);

		/* the mark only rises, and is past everything used */
		assert_int_equal(sequence_file_read(folder, &r, &records, error, sizeof(error)), 0);
		if (records) {
			assert_true(r[0].number >= before);
			before = r[0].number;
		}
		for (uint32_t k = 0; k < used->n; k++)
			assert_true(used->to[k] <= before);
		free(r);
	}

	n = used->n;
	assert_true(n > 100);
	for (uint32_t i = 0; i < n; i++) {
		run[i][0] = used->from[i];
		run[i][1] = used->to[i];
	}
	qsort(run, n, sizeof(run[0]), run_compare);
	for (uint32_t i = 1; i < n; i++)
		assert_true(run[i - 1][1] <= run[i][0]);
	print_message("%u bursts in %d lives, numbers up to %llu\n", n, ROUNDS, (unsigned long long)run[n - 1][1]);
	munmap(used, sizeof(*used));
}

static int
start(void **unused)
{
	snprintf(folder, sizeof(folder), "/tmp/isthmus-sa-store-%d", (int)getpid());
	return mkdir(folder, 0700);
}

static int
stop(void **unused)
{
	forget();
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(numbers_go_on, fresh),
		cmocka_unit_test_setup(crash_skips_the_block, fresh),
		cmocka_unit_test_setup(keys_own_the_numbers, fresh),
		cmocka_unit_test_setup(counter_modes_share_numbers, fresh),
		cmocka_unit_test_setup(windows_go_on, fresh),
		cmocka_unit_test_setup(reserve_follows, fresh),
		cmocka_unit_test_setup(damage_is_refused, fresh),
		cmocka_unit_test_setup(file_roundtrip, fresh),
		cmocka_unit_test_setup(no_key_on_disk, fresh),
		cmocka_unit_test_setup(full_disk, fresh),
		cmocka_unit_test_setup(killed_at_any_moment, fresh),
	};

	return cmocka_run_group_tests_name("sa_store", tests, start, stop);
}
