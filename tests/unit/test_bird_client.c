/* bird's control socket, with a bird that says what a test wants, whole or in pieces. */
#include "control/bird_client.h"
#include "drivers/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static struct {
	struct loop loop;
	struct bird_client *client;
	char path[64];
	int listener, bird;
	char told[4][512]; /* answers, "error: ..." */
	int n;
} t;

static int
begin(void **state)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	(void)state;
	memset(&t, 0, sizeof(t));
	t.bird = -1;
	t.loop.epoll = epoll_create1(0);
	snprintf(t.path, sizeof(t.path), "/tmp/isthmus-bird-%d", getpid());
	strcpy(a.sun_path, t.path);
	unlink(t.path);
	t.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (t.listener < 0 || bind(t.listener, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(t.listener, 4) != 0)
		return -1;
	return bird_client_create(&t.loop, t.path, &t.client);
}

static int
end(void **state)
{
	(void)state;
	bird_client_free(t.client);
	close(t.loop.epoll);
	close(t.listener);
	if (t.bird >= 0)
		close(t.bird);
	unlink(t.path);
	return 0;
}

static void
heard(void *context, const char *text, const char *error)
{
	assert_true(t.n < 4);
	snprintf(t.told[t.n++], sizeof(t.told[0]), "%s%s", text ? "" : "error: ", text ? text : error);
	if (context)
		assert_int_equal(bird_ask(t.client, context, heard, NULL), 0); /* who is told asks again */
}

/* All that waits in the loop. */
static void
turn(void)
{
	struct epoll_event e[4];
	int n;

	while ((n = epoll_wait(t.loop.epoll, e, 4, 0)) > 0)
		for (int i = 0; i < n; i++)
			((struct loop_source *)e[i].data.ptr)
				->ready(((struct loop_source *)e[i].data.ptr)->context, e[i].events);
}

static void
bird_comes(void)
{
	t.bird = accept(t.listener, NULL, NULL);
	assert_true(t.bird >= 0);
}

static void
bird_says(const char *text)
{
	assert_int_equal(write(t.bird, text, strlen(text)), (ssize_t)strlen(text));
	turn();
}

static const char *
bird_hears(void)
{
	static char text[256];
	ssize_t n = recv(t.bird, text, sizeof(text) - 1, MSG_DONTWAIT);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* ---- stories -------------------------------------------------------------------------- */

static void
one_question_after_another(void **state)
{
	(void)state;
	assert_int_equal(bird_ask(t.client, "show one", heard, NULL), 0);
	assert_int_equal(bird_ask(t.client, "show two", heard, NULL), 0);
	bird_comes();
	turn();
	assert_string_equal(bird_hears(), ""); /* it has not greeted */
	bird_says("0001 BIRD 2.0.12 ready.\n");
	assert_string_equal(bird_hears(), "show one\n");
	bird_says("2002-Name Proto\n1002-device1 Device\n1006-  more\n still\n 	tab\n0000 \n");
	assert_int_equal(t.n, 1);
	assert_string_equal(t.told[0], "Name Proto\ndevice1 Device\n  more\nstill\n\ttab\n\n");
	assert_string_equal(bird_hears(), "show two\n");
	bird_says("0013 Daemon is up\n");
	assert_string_equal(t.told[1], "Daemon is up\n");
}

static void
in_pieces(void **state)
{
	static const char answer[] = "0001 BIRD ready.\n1007-10.0.0.0/8 x\n \tvia\n0000 \n";

	(void)state;
	assert_int_equal(bird_ask(t.client, "show", heard, NULL), 0);
	bird_comes();
	for (size_t i = 0; i < sizeof(answer) - 1; i++)
		bird_says((char[]){answer[i], 0});
	assert_int_equal(t.n, 1);
	assert_string_equal(t.told[0], "10.0.0.0/8 x\n\tvia\n\n");
}

static void
an_error_is_told(void **state)
{
	(void)state;
	assert_int_equal(bird_ask(t.client, "show nonsense", heard, (void *)(uintptr_t) "show again"), 0);
	bird_comes();
	bird_says("0001 BIRD ready.\n");
	bird_hears();
	bird_says("9001 syntax error, unexpected CF_SYM\n");
	assert_string_equal(t.told[0], "error: syntax error, unexpected CF_SYM\n");
	assert_string_equal(bird_hears(), "show again\n");
}

static void
all_hear_of_its_end(void **state)
{
	(void)state;
	assert_int_equal(bird_ask(t.client, "show one", heard, NULL), 0);
	assert_int_equal(bird_ask(t.client, "show two", heard, NULL), 0);
	bird_comes();
	bird_says("0001 BIRD ready.\n");
	close(t.bird);
	t.bird = -1;
	turn();
	assert_int_equal(t.n, 2);
	assert_string_equal(t.told[0], "error: bird has ended");
	assert_string_equal(t.told[1], "error: bird has ended");
	/* another one is asked anew */
	assert_int_equal(bird_ask(t.client, "show three", heard, NULL), 0);
	bird_comes();
	bird_says("0001 BIRD ready.\n");
	assert_string_equal(bird_hears(), "show three\n");
}

static void
nobody_is_there(void **state)
{
	(void)state;
	close(t.listener);
	unlink(t.path);
	assert_int_equal(bird_ask(t.client, "show", heard, NULL), -ENOENT);
	assert_int_equal(bird_client_pid(t.client), 0);
	assert_int_equal(t.n, 0);
	t.listener = -1;
}

static void
what_nobody_asked_ends_it(void **state)
{
	(void)state;
	assert_int_equal(bird_client_pid(t.client), getpid());
	bird_comes();
	bird_says("0001 BIRD ready.\n");
	bird_says("0000 \n");
	assert_string_equal(bird_hears(), "");
	assert_int_equal(bird_ask(t.client, "show", heard, NULL), 0); /* over another connection */
	close(t.bird);
	bird_comes();
	bird_says("0001 BIRD ready.\n");
	assert_string_equal(bird_hears(), "show\n");
}

static void
a_silent_bird_is_given_up(void **state)
{
	uint64_t now = clock_boot_ns();

	(void)state;
	assert_int_equal(bird_ask(t.client, "show", heard, NULL), 0);
	bird_client_tick(t.client, now + 9000000000);
	assert_int_equal(t.n, 0);
	bird_client_tick(t.client, now + 11000000000);
	assert_string_equal(t.told[0], "error: bird does not answer");
	bird_client_tick(t.client, UINT64_MAX);
	assert_int_equal(t.n, 1);
}

static void
a_line_without_end(void **state)
{
	static char line[70000];

	(void)state;
	memset(line, 'x', sizeof(line) - 1);
	assert_int_equal(bird_ask(t.client, "show", heard, NULL), 0);
	bird_comes();
	bird_says("0001 BIRD ready.\n");
	bird_says(line);
	assert_int_equal(t.n, 1);
	assert_string_equal(t.told[0], "error: bird's line is too long");
}

/* As a full table is. */
static void
a_long_answer(void **state)
{
	static char part[60000];
	size_t n = 0;

	(void)state;
	while (n + 20 < sizeof(part))
		n += (size_t)sprintf(part + n, "1007-10.0.0.0/8 x\n");
	assert_int_equal(bird_ask(t.client, "show", heard, NULL), 0);
	bird_comes();
	bird_says("0001 BIRD ready.\n");
	for (int i = 0; i < 200; i++)
		bird_says(part);
	assert_int_equal(t.n, 0);
	bird_says("0000 \n");
	assert_int_equal(t.n, 1);
}

int
main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		STORY(one_question_after_another),
		STORY(in_pieces),
		STORY(an_error_is_told),
		STORY(all_hear_of_its_end),
		STORY(nobody_is_there),
		STORY(what_nobody_asked_ends_it),
		STORY(a_silent_bird_is_given_up),
		STORY(a_line_without_end),
		STORY(a_long_answer),
	};

	return cmocka_run_group_tests_name("bird_client", tests, NULL, NULL);
}
