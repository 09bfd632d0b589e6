/* The control socket, served by the product's loop in a thread of its own: order, bounds, garbage, late
 * answers, and who may ask. The verbs are the test's.
 */
#include "control/api.h"
#include "drivers/clock.h"
#include "drivers/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define FLOOD 5000
#define BIG_ANSWER (8u << 20)
#define HOUR_NS (3600ull * 1000000000)
#define NOBODY 65534

static struct {
	struct loop loop;
	struct api *api;
	pthread_t thread;
	char folder[64], path[96];
	struct api_ticket waiting, before; /* loop's thread */
	_Atomic int gone, answer_now, answer_before, flood_now, kept;
	_Atomic uint64_t later_ns; /* how far the clock is ahead for deadlines */
} server;

/* ---- the daemon's side ---------------------------------------------------------------- */

/* status: at once. stats: a large answer. drops: refused. apply: later. */
static json_t *
handler(void *context, const struct request *r, struct api_ticket from, struct failure *f)
{
	static char big[BIG_ANSWER + 1];

	switch ((int)r->verb) {
	case VERB_STATUS:
		return json_pack("{s:s}", "name", "test");
	case VERB_STATS:
		memset(big, 'x', BIG_ANSWER);
		return json_string(big);
	case VERB_APPLY:
		server.before = server.waiting;
		server.waiting = from;
		return NULL;
	default:
		return failure_set(f, "Refused", "no");
	}
}

static void
gone(void *context, struct api_ticket from)
{
	if (from.slot == server.waiting.slot && from.serial == server.waiting.serial)
		atomic_fetch_add(&server.gone, 1);
}

/* More than may wait for a reader. */
static void
flood(void)
{
	char text[1024];

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	for (int i = 0; i < FLOOD; i++)
		if (api_record(server.api, server.waiting, json_pack("{s:i, s:s}", "n", i, "text", text)))
			atomic_fetch_add(&server.kept, 1);
	api_answer(server.api, server.waiting, json_string("done"));
}

static uint32_t
poll_hook(void *context)
{
	if (atomic_exchange(&server.flood_now, 0))
		flood();
	if (atomic_exchange(&server.answer_before, 0))
		api_answer(server.api, server.before, json_string("to another"));
	if (atomic_exchange(&server.answer_now, 0)) {
		api_record(server.api, server.waiting, json_integer(1));
		api_answer(server.api, server.waiting, json_string("done"));
	}
	return 0;
}

static void
tick_hook(void *context)
{
	api_tick(server.api, clock_boot_ns() + atomic_load(&server.later_ns));
}

static void *
serve(void *context)
{
	loop_run(&server.loop);
	return NULL;
}

static int
setup(void **state)
{
	const struct loop_hooks hooks = {NULL, poll_hook, tick_hook, NULL};
	char error[256];

	memset(&server, 0, sizeof server);
	strcpy(server.folder, "/tmp/isthmus-api-XXXXXX");
	assert_non_null(mkdtemp(server.folder));
	assert_int_equal(chmod(server.folder, 0755), 0);
	snprintf(server.path, sizeof server.path, "%s/socket", server.folder);
	assert_int_equal(loop_block_signals(), 0);
	assert_int_equal(loop_open(&server.loop, &hooks), 0);
	assert_int_equal(
		api_start(server.path, &server.loop, handler, gone, NULL, &server.api, error, sizeof error), 0);
	return pthread_create(&server.thread, NULL, serve, NULL);
}

static int
teardown(void **state)
{
	pthread_kill(server.thread, SIGTERM);
	pthread_join(server.thread, NULL);
	api_stop(server.api);
	loop_close(&server.loop);
	assert_int_equal(access(server.path, F_OK), -1);
	return rmdir(server.folder);
}

/* ---- the client's side ---------------------------------------------------------------- */

static int
connected(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = 20};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(to.sun_path, server.path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

static void
say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* The server has read all we said; it runs what it reads before it does anything else. */
static void
taken(int fd)
{
	int unread = 1;

	for (int i = 0; i < 4000 && unread > 0; i++) {
		assert_int_equal(ioctl(fd, SIOCOUTQ, &unread), 0);
		usleep(unread > 0 ? 5000 : 0);
	}
	assert_int_equal(unread, 0);
}

/* One line without its newline; false at the end. */
static bool
hear(int fd, char *line, size_t size)
{
	size_t n = 0;
	char c;

	while (n + 1 < size && recv(fd, &c, 1, 0) == 1 && c != '\n')
		line[n++] = c;
	line[n] = '\0';
	return n > 0;
}

static json_t *
answer(int fd)
{
	char line[65536];

	assert_true(hear(fd, line, sizeof line));
	return json_loads(line, 0, NULL);
}

static void
hears_error(int fd, const char *code)
{
	json_t *a = answer(fd);

	assert_string_equal(json_string_value(json_object_get(json_object_get(a, "error"), "code")), code);
	json_decref(a);
}

static void
hears_end(int fd)
{
	char c;

	assert_int_equal(recv(fd, &c, 1, 0), 0);
	close(fd);
}

#define STATUS(id) "{\"version\":1,\"id\":" id ",\"verb\":\"status\"}\n"

/* ---- stories -------------------------------------------------------------------------- */

static void
answers_in_order(void **state)
{
	int fd = connected();
	char text[64];

	for (int i = 0; i < 500; i++) {
		snprintf(text, sizeof text, "{\"version\":1,\"id\":%d,\"verb\":\"%s\"}\n", i,
			i % 2 ? "status" : "drops");
		say(fd, text);
	}
	for (int i = 0; i < 500; i++) {
		json_t *a = answer(fd);

		assert_int_equal(json_integer_value(json_object_get(a, "version")), 1);
		assert_int_equal(json_integer_value(json_object_get(a, "id")), i);
		assert_non_null(json_object_get(a, i % 2 ? "result" : "error"));
		json_decref(a);
	}
	close(fd);
}

static void
answers_who_says_no_more(void **state)
{
	int fd = connected();

	/* Without a newline, blank lines before it, a carriage return behind it. */
	say(fd, "\n\r\n{\"version\":1,\"verb\":\"status\"}\r");
	shutdown(fd, SHUT_WR);
	json_t *a = answer(fd);
	assert_non_null(json_object_get(a, "result"));
	json_decref(a);
	hears_end(fd);
}

static void
takes_pieces(void **state)
{
	const char *text = STATUS("1");
	int fd = connected();

	for (; *text; text++) {
		assert_int_equal(send(fd, text, 1, MSG_NOSIGNAL), 1);
		usleep(200);
	}
	json_decref(answer(fd));
	close(fd);
}

static void
hangs_up_on_garbage(void **state)
{
	char waste[70000];
	int fd = connected();

	say(fd, "GET / HTTP/1.0\r\n\r\n" STATUS("1"));
	hears_error(fd, "BadRequest");
	hears_end(fd);

	fd = connected();
	memset(waste, 'a', sizeof waste);
	send(fd, waste, sizeof waste, MSG_NOSIGNAL);
	hears_error(fd, "RequestTooLarge");
	hears_end(fd);

	/* Others are served meanwhile and after. */
	fd = connected();
	say(fd, STATUS("1"));
	json_decref(answer(fd));
	close(fd);
}

static void
answers_later(void **state)
{
	int fd = connected();
	json_t *a;

	say(fd, "{\"version\":1,\"id\":9,\"verb\":\"apply\"}\n" STATUS("10"));
	taken(fd);
	atomic_store(&server.answer_now, 1);
	a = answer(fd);
	assert_int_equal(json_integer_value(json_object_get(a, "record")), 1);
	json_decref(a);
	a = answer(fd);
	assert_string_equal(json_string_value(json_object_get(a, "result")), "done");
	assert_int_equal(json_integer_value(json_object_get(a, "id")), 9);
	json_decref(a);
	a = answer(fd); /* the request that waited behind it */
	assert_int_equal(json_integer_value(json_object_get(a, "id")), 10);
	json_decref(a);
	close(fd);
}

static void
forgets_who_left(void **state)
{
	int fd = connected();

	say(fd, "{\"version\":1,\"verb\":\"apply\"}\n");
	taken(fd);
	close(fd);
	for (int i = 0; i < 100 && atomic_load(&server.gone) == 0; i++)
		usleep(20000);
	assert_int_equal(atomic_load(&server.gone), 1);

	/* Its place goes to another, who waits as well; the late answer must not. */
	fd = connected();
	say(fd, "{\"version\":1,\"id\":2,\"verb\":\"apply\"}\n");
	taken(fd);
	atomic_store(&server.answer_before, 1);
	while (atomic_load(&server.answer_before))
		usleep(1000);
	atomic_store(&server.answer_now, 1);
	json_t *a = answer(fd);
	assert_non_null(json_object_get(a, "record"));
	json_decref(a);
	a = answer(fd);
	assert_string_equal(json_string_value(json_object_get(a, "result")), "done");
	json_decref(a);
	close(fd);
}

/* Records that nobody reads are lost and counted so; those that are kept arrive whole and in order. */
static void
bounds_records(void **state)
{
	int fd = connected(), heard = 0, last = -1;
	json_t *a, *record;

	say(fd, "{\"version\":1,\"verb\":\"apply\"}\n");
	taken(fd);
	atomic_store(&server.flood_now, 1);
	while (atomic_load(&server.kept) == 0)
		usleep(1000);
	usleep(20000);
	for (;;) {
		a = answer(fd);
		assert_non_null(a);
		record = json_object_get(a, "record");
		if (!record)
			break;
		assert_true(json_integer_value(json_object_get(record, "n")) > last);
		last = (int)json_integer_value(json_object_get(record, "n"));
		heard++;
		json_decref(a);
	}
	assert_non_null(json_object_get(a, "result"));
	json_decref(a);
	assert_int_equal(heard, atomic_load(&server.kept));
	assert_in_range(heard, 500, FLOOD - 500);
	close(fd);
}

static void
sends_large_answers(void **state)
{
	int fd = connected();
	char *text = malloc(BIG_ANSWER + 1024);
	size_t n = 0;

	say(fd, "{\"version\":1,\"verb\":\"stats\"}\n");
	while (n == 0 || text[n - 1] != '\n') {
		ssize_t k = recv(fd, text + n, BIG_ANSWER + 1024 - n, 0);

		assert_true(k > 0);
		n += (size_t)k;
	}
	assert_true(n > BIG_ANSWER);
	free(text);
	say(fd, STATUS("1"));
	json_decref(answer(fd));
	close(fd);
}

static bool
served(void)
{
	int fd = connected();
	json_t *a;
	bool ok;

	/* Refused at the door, it may be gone before it can be asked. */
	send(fd, STATUS("1"), strlen(STATUS("1")), MSG_NOSIGNAL);
	a = answer(fd);
	ok = json_object_get(a, "result") != NULL;
	json_decref(a);
	close(fd);
	return ok;
}

static void
bounds_clients(void **state)
{
	int fd[API_CLIENTS_MAX], one_more;

	for (int i = 0; i < API_CLIENTS_MAX; i++) {
		fd[i] = connected();
		say(fd[i], STATUS("1"));
		json_decref(answer(fd[i]));
	}
	one_more = connected();
	hears_error(one_more, "TooManyClients");
	hears_end(one_more);
	for (int i = 0; i < API_CLIENTS_MAX; i++)
		close(fd[i]);

	/* Places come back. */
	for (int i = 0; i < 400 && !served(); i++)
		usleep(20000);
	assert_true(served());
}

static void
bounds_time(void **state)
{
	int slow_reader = connected(), slow_writer = connected(), idle = connected(), waiting = connected();
	char waste[65536];
	ssize_t n;

	say(slow_reader, "{\"version\":1,\"verb\":\"stats\"}\n");
	say(slow_writer, "{\"version\":1,");
	say(waiting, "{\"version\":1,\"verb\":\"apply\"}\n");
	taken(slow_reader);
	taken(slow_writer);
	taken(waiting);
	atomic_store(&server.later_ns, HOUR_NS);

	hears_error(slow_writer, "Timeout");
	hears_end(slow_writer);
	hears_end(idle);
	while ((n = recv(slow_reader, waste, sizeof waste, 0)) > 0)
		assert_null(memchr(waste, '\n', (size_t)n)); /* the end of the answer never comes */
	close(slow_reader);

	/* Who waits for us is not hurried. */
	atomic_store(&server.later_ns, 0);
	atomic_store(&server.answer_now, 1);
	json_decref(answer(waiting));
	close(waiting);
}

static void
keeps_others_out(void **state)
{
	struct stat s;
	int status;
	pid_t child;

	assert_int_equal(stat(server.path, &s), 0);
	assert_int_equal(s.st_mode & 07777, 0600);
	if (geteuid() != 0)
		skip();

	/* Were the mode not in the way, the peer's uid would be. */
	assert_int_equal(chmod(server.path, 0666), 0);
	child = fork();
	if (child == 0) {
		char line[4096] = "";
		int fd;

		if (setuid(NOBODY) != 0)
			_exit(9);
		fd = connected();
		hear(fd, line, sizeof line);
		_exit(strstr(line, "PermissionDenied") ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static int
other_start(const char *path, char *error, size_t n)
{
	const struct loop_hooks hooks = {NULL, poll_hook, tick_hook, NULL};
	struct loop loop;
	struct api *other = NULL;
	int r;

	assert_int_equal(loop_open(&loop, &hooks), 0);
	r = api_start(path, &loop, handler, gone, NULL, &other, error, n);
	api_stop(other);
	loop_close(&loop);
	return r;
}

static void
takes_only_what_is_free(void **state)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char error[256], path[128];
	int fd;

	/* A socket somebody serves. */
	assert_int_equal(other_start(server.path, error, sizeof error), -EADDRINUSE);
	assert_non_null(strstr(error, "another daemon"));
	fd = connected();
	say(fd, STATUS("1"));
	json_decref(answer(fd));
	close(fd);

	/* A file that is none. */
	snprintf(path, sizeof path, "%s/file", server.folder);
	fclose(fopen(path, "w"));
	assert_int_equal(other_start(path, error, sizeof error), -EEXIST);
	assert_int_equal(unlink(path), 0);

	/* What a killed daemon left. */
	strcpy(at.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	close(fd);
	assert_int_equal(other_start(path, error, sizeof error), 0);
	assert_int_equal(access(path, F_OK), -1);

	memset(path, 'x', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	assert_int_equal(other_start(path, error, sizeof error), -ENAMETOOLONG);
}

#define STORY(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(answers_in_order),
		STORY(answers_who_says_no_more),
		STORY(takes_pieces),
		STORY(hangs_up_on_garbage),
		STORY(answers_later),
		STORY(forgets_who_left),
		STORY(bounds_records),
		STORY(sends_large_answers),
		STORY(bounds_clients),
		STORY(bounds_time),
		STORY(keeps_others_out),
		STORY(takes_only_what_is_free),
	};

	log_open(LOG_LEVEL_WARNING);
	return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
