/* What stands on stderr: for people, and for journald. */
#include "drivers/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int stderr_before, wire[2];

/* stderr becomes a pipe of ours until caught() reads it. */
static void
catch_stderr(void)
{
	assert_int_equal(pipe(wire), 0);
	stderr_before = dup(STDERR_FILENO);
	dup2(wire[1], STDERR_FILENO);
}

static const char *
caught(void)
{
	static char text[8192];
	ssize_t n;

	dup2(stderr_before, STDERR_FILENO);
	close(stderr_before);
	close(wire[1]);
	n = read(wire[0], text, sizeof text - 1);
	close(wire[0]);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void
journal_name(int fd, long shift)
{
	struct stat s;
	char name[64];

	assert_int_equal(fstat(fd, &s), 0);
	snprintf(name, sizeof name, "%llu:%llu", (unsigned long long)s.st_dev,
		(unsigned long long)s.st_ino + (unsigned long long)shift);
	setenv("JOURNAL_STREAM", name, 1);
}

static void
journald_gets_priorities(void **state)
{
	catch_stderr();
	journal_name(STDERR_FILENO, 0);
	log_open(LOG_LEVEL_INFO);
	log_warning("port", "%s is %d", "x", 7);
	log_error("eal", "bad");
	assert_string_equal(caught(), "<4>port: x is 7\n<3>eal: bad\n");
}

/* Set by the session that started us, but our stderr goes elsewhere. */
static void
people_get_time_and_level(void **state)
{
	const char *text;

	catch_stderr();
	journal_name(STDERR_FILENO, 1);
	log_open(LOG_LEVEL_INFO);
	log_notice("port", "up");
	text = caught();
	assert_int_equal(text[4], '-');
	assert_int_equal(text[10], 'T');
	assert_string_equal(text + 23, "Z notice  port: up\n");
}

static void
levels_beyond_the_chosen_are_silent(void **state)
{
	catch_stderr();
	setenv("JOURNAL_STREAM", "", 1);
	log_open(LOG_LEVEL_WARNING);
	log_info("a", "no");
	log_debug("a", "no");
	log_notice("a", "no");
	log_warning("a", "yes");
	assert_int_equal(log_most_level(), LOG_LEVEL_WARNING);
	assert_non_null(strstr(caught(), "yes"));
	catch_stderr();
	log_info("a", "no");
	log_warning("a", "end");
	assert_null(strstr(caught(), "no\n"));
}

static void
a_text_cannot_forge_a_line(void **state)
{
	const char *text;

	catch_stderr();
	log_open(LOG_LEVEL_INFO);
	log_info("a", "%s", "name\n<3>eal: forged\r\n");
	text = caught();
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	assert_null(strchr(text, '\r'));
}

static void
long_texts_are_cut_into_one_line(void **state)
{
	static char longest[6000];
	const char *text;

	memset(longest, 'x', sizeof longest - 1);
	catch_stderr();
	log_info("a", "%s", longest);
	text = caught();
	assert_true(strlen(text) > 1000 && strlen(text) <= 2048);
	assert_int_equal(text[strlen(text) - 1], '\n');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(journald_gets_priorities),
		cmocka_unit_test(people_get_time_and_level),
		cmocka_unit_test(levels_beyond_the_chosen_are_silent),
		cmocka_unit_test(a_text_cannot_forge_a_line),
		cmocka_unit_test(long_texts_are_cut_into_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
