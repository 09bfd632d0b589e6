/* The lease as files on a real file system: two nodes of this process, one that is killed and one that is stopped, the
 * whole back end with its thread, and files that nobody should have touched. The order of its steps under every fault
 * is test_lease_sim.c's story. */
#include "control/lease.h"
#include "control/lease_file_storage.h"
#include "drivers/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define S 1000000000ull

static char folder[64], path[80];

struct node {
	char identity[32];
	struct lease_file_storage storage;
	struct lease_file file;
	struct lease_answer answer;
};

static uint64_t now_ns;

static uint64_t
given_now(void *context)
{
	(void)context;
	return now_ns;
}

static void
node_open(struct node *n, const char *identity)
{
	*n = (struct node){0};
	snprintf(n->identity, sizeof(n->identity), "%s", identity);
	lease_file_storage_init(&n->storage, path, n->identity);
	assert_int_equal(lease_file_storage_open(&n->storage), 0);
	n->storage.operations.now_ns = given_now;
	n->file =
		(struct lease_file){.storage = &n->storage.operations, .identity = n->identity, .duration_ns = 10 * S};
}

/* "GRANTED 1", "DENIED 1 a/1", "FAILED" */
static const char *
attempt(struct node *n, uint64_t epoch_seen)
{
	static char text[128];
	static const char *const verdict[] = {"GRANTED", "DENIED", "FAILED"};

	lease_file_attempt(&n->file, epoch_seen, &n->answer);
	if (n->answer.verdict == LEASE_FAILED)
		return "FAILED";
	snprintf(text, sizeof(text), "%s %lu %s", verdict[n->answer.verdict], (unsigned long)n->answer.epoch,
		n->answer.holder);
	return text;
}

static int
setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/isthmus-lease-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/lease", folder);
	now_ns = 1000 * S;
	return 0;
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static bool
exists(const char *suffix)
{
	char name[128];

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	return access(name, F_OK) == 0;
}

static void
one_has_it(void **state)
{
	struct node a, b;

	(void)state;
	node_open(&a, "a/1");
	node_open(&b, "b/1");
	assert_string_equal(attempt(&a, 0), "GRANTED 1 a/1");
	assert_string_equal(attempt(&b, 0), "DENIED 1 a/1");
	now_ns += 9 * S;
	assert_string_equal(attempt(&a, 1), "GRANTED 1 a/1");
	assert_string_equal(attempt(&b, 1), "DENIED 1 a/1");

	/* silent for the duration since the challenger has seen its beat */
	now_ns += 10 * S - 1;
	assert_string_equal(attempt(&b, 1), "DENIED 1 a/1");
	now_ns += 1;
	assert_string_equal(attempt(&b, 1), "GRANTED 2 b/1");
	assert_string_equal(attempt(&a, 1), "DENIED 2 b/1");
	assert_false(exists(".1"));
	assert_true(exists(".2"));
	lease_file_storage_close(&a.storage);
	lease_file_storage_close(&b.storage);
}

static void
released_or_dead(void **state)
{
	struct node a, b;

	(void)state;
	node_open(&a, "a/1");
	node_open(&b, "b/1");
	assert_string_equal(attempt(&a, 0), "GRANTED 1 a/1");
	lease_file_release(&a.file);
	assert_string_equal(attempt(&b, 1), "GRANTED 2 b/1");
	/* its descriptors are closed: it is dead */
	lease_file_storage_close(&b.storage);
	assert_string_equal(attempt(&a, 2), "GRANTED 3 a/1");
	lease_file_storage_close(&a.storage);
}

/* A dead node that was waiting for an older one leaves the waiting to its successor. */
static void
waiting_is_inherited(void **state)
{
	struct node a, b, c;

	(void)state;
	node_open(&a, "a/1");
	node_open(&b, "b/1");
	node_open(&c, "c/1");
	assert_string_equal(attempt(&a, 0), "GRANTED 1 a/1");
	assert_string_equal(attempt(&b, 1), "DENIED 1 a/1");
	/* b saw a's last beat and claimed, but has not looked again when it dies */
	assert_int_equal(
		b.storage.operations.claim(&b.storage,
			&(struct lease_file_record){
				.state = LEASE_FILE_CLAIMED, .epoch = 2, .duration_ns = 10 * S, .holder = "b/1"}),
		0);
	lease_file_storage_close(&b.storage);
	assert_string_equal(attempt(&c, 2), "DENIED 3 c/1");
	now_ns += 10 * S - 1;
	assert_string_equal(attempt(&c, 3), "DENIED 3 c/1");
	now_ns += 1;
	assert_string_equal(attempt(&c, 3), "GRANTED 3 c/1");
	lease_file_storage_close(&a.storage);
	lease_file_storage_close(&c.storage);
}

/* Epochs go on, and whoever had the lost files has its time. */
static void
lost_files(void **state)
{
	struct node a, b;
	char name[128];

	(void)state;
	node_open(&a, "a/1");
	node_open(&b, "b/1");
	assert_string_equal(attempt(&a, 0), "GRANTED 1 a/1");
	assert_string_equal(attempt(&b, 0), "DENIED 1 a/1");
	snprintf(name, sizeof(name), "%s.1", path);
	assert_int_equal(unlink(name), 0);
	assert_string_equal(attempt(&b, 1), "DENIED 2 b/1");
	now_ns += 10 * S;
	assert_string_equal(attempt(&b, 2), "GRANTED 2 b/1");
	assert_string_equal(attempt(&a, 1), "DENIED 2 b/1");
	lease_file_storage_close(&a.storage);
	lease_file_storage_close(&b.storage);
}

static void
foreign_files(void **state)
{
	struct node a;
	char name[128];
	int fd;

	(void)state;
	node_open(&a, "a/1");
	snprintf(name, sizeof(name), "%s.7x", path);
	close(open(name, O_CREAT | O_WRONLY, 0600));
	snprintf(name, sizeof(name), "%s.3", path);
	fd = open(name, O_CREAT | O_WRONLY, 0600);
	assert_int_equal(write(fd, "nonsense", 8), 8);
	assert_string_equal(attempt(&a, 0), "FAILED");
	assert_non_null(strstr(a.answer.error, "message"));
	close(fd);
	unlink(name);
	assert_string_equal(attempt(&a, 0), "GRANTED 1 a/1");
	lease_file_storage_close(&a.storage);
}

/* ---- the whole back end ------------------------------------------------------------------ */

static uint32_t
no_poll(void *context)
{
	(void)context;
	return 0;
}

static void
nothing(void *context)
{
	(void)context;
}

static void
tick_leasing(void *context)
{
	leasing_tick(*(struct leasing **)context, clock_boot_ns());
}

static bool
is_primary(void *context)
{
	struct leasing_status s;

	leasing_status(*(struct leasing **)context, &s);
	return s.role == LEASE_PRIMARY;
}

struct story {
	struct leasing *leasing;
	struct loop loop;
	struct cfg_ha ha;
};

static void
story_open(struct story *s, const char *node)
{
	const struct loop_hooks hooks = {&s->leasing, no_poll, tick_leasing, nothing};
	const struct leasing_hooks none = {0};
	char error[128] = "";

	*s = (struct story){0};
	s->ha = (struct cfg_ha){.given = true,
		.node = (char *)(uintptr_t)node,
		.preferred = true,
		.lease = {.kind = LEASE_KIND_FILE, .path = path, .duration_s = 2, .margin_ms = 200}};
	assert_int_equal(loop_block_signals(), 0);
	assert_int_equal(loop_open(&s->loop, &hooks), 0);
	assert_int_equal(leasing_start(&s->ha, &s->loop, &none, &s->leasing, error, sizeof(error)), 0);
}

static void
story_close(struct story *s)
{
	leasing_stop(s->leasing);
	loop_close(&s->loop);
}

static bool
never(void *context)
{
	(void)context;
	return false;
}

/* A primary in a process of its own; returns once it is. */
static pid_t
child(void)
{
	int ends[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		struct story s;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		story_open(&s, "child");
		loop_serve(&s.loop, is_primary, &s.leasing, 5 * S);
		if (write(ends[1], "", is_primary(&s.leasing)) != 1)
			_exit(1);
		for (;;)
			loop_serve(&s.loop, never, NULL, 5 * S);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	return pid;
}

static void
takes_over(int signal, uint64_t at_least_ns, uint64_t at_most_ns)
{
	pid_t pid = child();
	struct story s;
	struct leasing_status status;
	uint64_t begin;

	story_open(&s, "parent");
	loop_serve(&s.loop, is_primary, &s.leasing, 3 * S);
	leasing_status(s.leasing, &status);
	assert_int_equal(status.role, LEASE_FOLLOWER);
	assert_string_equal(status.holder, "child");
	assert_int_equal(atomic_load(leasing_deadline(s.leasing)), 0);
	kill(pid, signal);
	begin = clock_boot_ns();
	loop_serve(&s.loop, is_primary, &s.leasing, 10 * S);
	leasing_status(s.leasing, &status);
	assert_int_equal(status.role, LEASE_PRIMARY);
	assert_int_equal(status.epoch, 2);
	assert_true(atomic_load(leasing_deadline(s.leasing)) > clock_boot_ns());
	assert_in_range(clock_boot_ns() - begin, at_least_ns, at_most_ns);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	story_close(&s);
}

static void
a_killed_primary_is_followed_at_once(void **state)
{
	(void)state;
	takes_over(SIGKILL, 0, S);
}

static void
a_stopped_one_when_its_time_is_over(void **state)
{
	(void)state;
	takes_over(SIGSTOP, S, 4 * S);
}

/* The time of day, for whatever asks: a day forth and back from one question to the next, once it jumps. */
static bool jumps;
static unsigned asked;

int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);

int
__wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
	int r = __real_clock_gettime(clock, t);

	if (jumps && clock == CLOCK_REALTIME)
		t->tv_sec += __atomic_fetch_add(&asked, 1, __ATOMIC_RELAXED) % 2 ? 86400 : -86400;
	return r;
}

static void
the_time_of_day_plays_no_part(void **state)
{
	struct leasing_status status;
	struct story a, b;
	uint64_t end;

	(void)state;
	jumps = true;
	story_open(&a, "a");
	loop_serve(&a.loop, is_primary, &a.leasing, 5 * S);
	story_open(&b, "b");
	for (end = clock_boot_ns() + 5 * S; clock_boot_ns() < end;) {
		loop_serve(&a.loop, never, NULL, S / 20);
		loop_serve(&b.loop, never, NULL, S / 20);
		assert_true(is_primary(&a.leasing));
		assert_false(is_primary(&b.leasing));
	}
	leasing_status(a.leasing, &status);
	assert_int_equal(status.epoch, 1);
	assert_int_equal(status.transitions, 1);
	story_close(&a);
	loop_serve(&b.loop, is_primary, &b.leasing, S);
	assert_true(is_primary(&b.leasing));
	story_close(&b);
	jumps = false;
}

/* The folder may come later, and go: a follower with an error meanwhile. */
static void
no_folder(void **state)
{
	struct leasing_status status;
	struct story s;
	char other[80];

	(void)state;
	snprintf(other, sizeof(other), "%s/later/lease", folder);
	snprintf(path, sizeof(path), "%s", other);
	story_open(&s, "a");
	loop_serve(&s.loop, is_primary, &s.leasing, S / 2);
	leasing_status(s.leasing, &status);
	assert_int_equal(status.role, LEASE_FOLLOWER);
	assert_non_null(strstr(status.error, "No such file"));
	*strrchr(other, '/') = '\0';
	assert_int_equal(mkdir(other, 0700), 0);
	loop_serve(&s.loop, is_primary, &s.leasing, 5 * S);
	leasing_status(s.leasing, &status);
	assert_int_equal(status.role, LEASE_PRIMARY);
	assert_string_equal(status.error, "");
	story_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_has_it, setup, teardown),
		cmocka_unit_test_setup_teardown(released_or_dead, setup, teardown),
		cmocka_unit_test_setup_teardown(waiting_is_inherited, setup, teardown),
		cmocka_unit_test_setup_teardown(lost_files, setup, teardown),
		cmocka_unit_test_setup_teardown(foreign_files, setup, teardown),
		cmocka_unit_test_setup_teardown(a_killed_primary_is_followed_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(a_stopped_one_when_its_time_is_over, setup, teardown),
		cmocka_unit_test_setup_teardown(the_time_of_day_plays_no_part, setup, teardown),
		cmocka_unit_test_setup_teardown(no_folder, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
