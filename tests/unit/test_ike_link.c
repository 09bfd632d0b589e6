/* The plugin's socket: one plugin at a time, answers in their order however slowly they are read, and its end noticed
 * whenever it comes.
 */
#include "tests/unit/ike_link_case.h"

#include <sys/stat.h>
#include <sys/wait.h>

#define NOBODY 65534

/* ---- who is there ------------------------------------------------------------------------- */

static void
a_second_plugin_is_turned_away(void **unused)
{
	uint8_t byte;
	int second = client();

	(void)unused;
	assert_true(second >= 0);
	serve();
	assert_int_equal(recv(second, &byte, 1, MSG_DONTWAIT), 0);
	close(second);
	tell(IKE_SYNCED, NULL, 0);
	assert_int_equal(l.records, 1);
	assert_int_equal(l.gone, 0);

	/* one that died is noticed first */
	close(l.fd);
	l.fd = client();
	serve();
	assert_int_equal(l.gone, 1);
	if (!ike_link_up(l.link)) /* both in one round: it tries again */
		again();
	tell(IKE_SYNCED, NULL, 0);
	assert_true(l.records > 0);
}

/* The file's mode keeps others out; where it does not, we look at who they are. */
static void
strangers_are_turned_away(void **unused)
{
	struct stat s;
	int status;
	pid_t child_pid;

	(void)unused;
	assert_int_equal(stat(l.path, &s), 0);
	assert_int_equal(s.st_mode & 0777, 0600);
	if (geteuid() != 0)
		skip();
	close(l.fd);
	l.fd = -1;
	serve();
	assert_int_equal(chmod(l.path, 0666), 0);
	assert_int_equal(chmod(l.folder, 0755), 0);
	child_pid = fork();
	if (child_pid == 0) {
		const struct timeval patience = {.tv_sec = 2};
		uint8_t byte;
		int fd = setuid(NOBODY) == 0 ? client() : -1;

		/* closed without a word */
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		_exit(fd < 0 ? 2 : recv(fd, &byte, 1, 0) == 0 ? 0 : 1);
	}
	do
		serve();
	while (waitpid(child_pid, &status, WNOHANG) == 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_false(ike_link_up(l.link));
	again();
}

static void
who_goes_is_noticed_once(void **unused)
{
	(void)unused;
	close(l.fd); /* before a word */
	l.fd = -1;
	serve();
	assert_int_equal(l.gone, 1);
	again();

	tell(IKE_SYNCED, NULL, 0); /* with records behind it that nobody has read yet */
	for (int i = 0; i < 3; i++)
		assert_int_equal(send(l.fd, &(struct ike_header){IKE_SYNCED, 0, 16, 1}, 16, 0), 16);
	close(l.fd);
	l.fd = -1;
	serve();
	assert_int_equal(l.records, 4);
	assert_int_equal(l.gone, 1);
	again();

	ike_link_send(l.link, IKE_RESULT, 0, 1, NULL, 0); /* with an answer that it never reads */
	close(l.fd);
	l.fd = -1;
	ike_link_send(l.link, IKE_RESULT, 0, 2, NULL, 0);
	serve();
	assert_int_equal(l.gone, 1);
	ike_link_send(l.link, IKE_RESULT, 0, 3, NULL, 0); /* to nobody */
	again();
}

static void
a_refusal_says_why_and_closes(void **unused)
{
	struct {
		struct ike_header h;
		struct ike_refuse r;
	} m;
	char text[400];

	(void)unused;
	memset(text, 'y', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	l.refuse = text; /* out of the record's own call */
	tell(IKE_SYNCED, NULL, 0);
	assert_int_equal(recv(l.fd, &m, sizeof(m), MSG_DONTWAIT), sizeof(m));
	assert_int_equal(m.h.type, IKE_REFUSE);
	assert_int_equal(m.h.length, sizeof(m));
	assert_int_equal(strlen(m.r.why), sizeof(m.r.why) - 1);
	is_over();
	l.refuse = NULL;
	again();
	ike_link_refuse(l.link, "no");
	assert_int_equal(recv(l.fd, &m, sizeof(m), MSG_DONTWAIT), sizeof(m));
	assert_string_equal(m.r.why, "no");
	is_over();
	ike_link_refuse(l.link, "nobody is there");
	assert_int_equal(l.gone, 1);
	again();
}

/* ---- answers ------------------------------------------------------------------------------ */

static void
an_answer_is_a_record(void **unused)
{
	static const struct ike_spi_answer spi = {.spi = 4711};
	struct {
		struct ike_header h;
		struct ike_spi_answer a;
		uint8_t more[600];
	} m;

	(void)unused;
	ike_link_send(l.link, IKE_SPI_ANSWER, ENOSPC, 1ull << 40, &spi, sizeof(spi));
	assert_int_equal(recv(l.fd, &m, sizeof(m), MSG_DONTWAIT), 24);
	assert_int_equal(m.h.type, IKE_SPI_ANSWER);
	assert_int_equal(m.h.result, ENOSPC);
	assert_int_equal(m.h.length, 24);
	assert_true(m.h.serial == 1ull << 40);
	assert_int_equal(m.a.spi, 4711);
	ike_link_send(l.link, IKE_SPI_ANSWER, 0, 1, m.more, 513); /* longer than anything that we say */
	assert_int_equal(recv(l.fd, &m, sizeof(m), MSG_DONTWAIT), -1);
	assert_int_equal(l.gone, 0);
}

/* More than the socket takes wait their turn, and what is said meanwhile does not overtake them. */
static void
answers_wait_in_order(void **unused)
{
	enum { MANY = 20000 };
	struct ike_header h;

	(void)unused;
	for (uint64_t i = 0; i < MANY; i++)
		ike_link_send(l.link, IKE_RESULT, 0, i, NULL, 0);
	for (uint64_t i = 0; i < 2 * MANY; i++) {
		if (i < MANY)
			ike_link_send(l.link, IKE_RESULT, 0, MANY + i, NULL, 0);
		if (i % 50 == 0) {
			serve();
			tell(IKE_SYNCED, NULL, 0); /* it is heard all the same */
		}
		if (recv(l.fd, &h, sizeof(h), MSG_DONTWAIT) != sizeof(h)) {
			serve();
			assert_int_equal(recv(l.fd, &h, sizeof(h), MSG_DONTWAIT), sizeof(h));
		}
		assert_true(h.serial == i);
	}
	serve();
	assert_int_equal(recv(l.fd, &h, sizeof(h), MSG_DONTWAIT), -1);
	assert_int_equal(l.records, 2 * MANY / 50);
	assert_int_equal(l.gone, 0);
	ike_link_send(l.link, IKE_RESULT, 0, 5, NULL, 0); /* nothing waits: at once */
	assert_int_equal(recv(l.fd, &h, sizeof(h), MSG_DONTWAIT), sizeof(h));
}

static void
who_does_not_read_is_given_up(void **unused)
{
	struct ike_header h;
	uint32_t n = 0;

	(void)unused;
	while (l.gone == 0 && n < 200000) {
		ike_link_send(l.link, IKE_RESULT, 0, ++n, NULL, 0);
		if (n % 5000 == 0)
			serve();
	}
	assert_in_range(n, 65536, 80000);
	assert_false(ike_link_up(l.link));
	again();
	for (uint64_t i = 0; i < 5000; i++) /* what waited went with it */
		ike_link_send(l.link, IKE_RESULT, 0, i, NULL, 0);
	assert_int_equal(recv(l.fd, &h, sizeof(h), MSG_DONTWAIT), sizeof(h));
	assert_true(h.serial == 0);
	assert_int_equal(l.gone, 0);
}

/* Whoever has thousands to say does not keep others waiting. */
static void
records_take_turns(void **unused)
{
	struct epoll_event e;
	uint32_t before = 0;

	(void)unused;
	for (int i = 0; i < 200; i++)
		assert_int_equal(send(l.fd, &(struct ike_header){IKE_SYNCED, 0, 16, 1}, 16, MSG_DONTWAIT), 16);
	while (l.records < 200) {
		struct loop_source *s;

		assert_int_equal(epoll_wait(l.loop.epoll, &e, 1, 0), 1);
		s = e.data.ptr;
		s->ready(s->context, e.events);
		assert_in_range(l.records - before, 1, 64);
		before = l.records;
	}
}

/* ---- the place ---------------------------------------------------------------------------- */

static void
the_place_is_ours_alone(void **unused)
{
	struct ike_link *first = l.link;
	char path[128];
	FILE *file;

	(void)unused;
	assert_int_equal(start(l.path), -EADDRINUSE);
	snprintf(path, sizeof(path), "%s/file", l.folder);
	file = fopen(path, "w");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(start(path), -EEXIST);
	unlink(path);
	snprintf(path, sizeof(path), "%s/missing/socket", l.folder);
	assert_int_equal(start(path), -ENOENT);
	l.link = first;
	tell(IKE_SYNCED, NULL, 0);
	assert_int_equal(l.records, 1);
}

static void
a_socket_that_nobody_serves_is_replaced(void **unused)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	(void)unused;
	close(l.fd);
	ike_link_stop(l.link);
	assert_int_equal(access(l.path, F_OK), -1); /* it was taken back */
	strcpy(a.sun_path, l.path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	close(fd);
	assert_int_equal(access(l.path, F_OK), 0);
	assert_int_equal(start(l.path), 0);
	l.fd = -1;
	again();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_second_plugin_is_turned_away),
		STORY(strangers_are_turned_away),
		STORY(who_goes_is_noticed_once),
		STORY(a_refusal_says_why_and_closes),
		STORY(an_answer_is_a_record),
		STORY(answers_wait_in_order),
		STORY(who_does_not_read_is_given_up),
		STORY(records_take_turns),
		STORY(the_place_is_ours_alone),
		STORY(a_socket_that_nobody_serves_is_replaced),
	};

	return cmocka_run_group_tests_name("ike_link", tests, folder_make, folder_remove);
}
