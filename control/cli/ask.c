/* One command line: the request is checked, sent or answered from a file, and the answer printed. */
#include "control/cli/ask.h"

#include "control/cli/client.h"
#include "control/cli/help.h"
#include "control/cli/offline.h"
#include "control/cli/table.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_MS 30000 /* of verbs that do not wait for anything themselves */

/* ---- printing ----------------------------------------------------------------------- */

static void
result_print(const struct command_line *c, const json_t *result)
{
	bool lines = c->verb == VERB_WATCH; /* one object a line, so that a program may follow */

	if (c->output == OUTPUT_TABLE) {
		table_print(c->verb, result, stdout);
		return;
	}
	json_dumpf(result, stdout, JSON_ENCODE_ANY | (lines ? JSON_COMPACT : JSON_INDENT(2)));
	fputc('\n', stdout);
}

static void
record_print(const struct command_line *c, const json_t *record)
{
	if (c->output == OUTPUT_TABLE) {
		table_print_record(record, stdout);
	} else {
		json_dumpf(record, stdout, JSON_COMPACT);
		fputc('\n', stdout);
	}
	fflush(stdout);
}

/* A verdict decides the exit status, so that scripts need not read. */
static int
verdict_status(const struct command_line *c, const json_t *result)
{
	const char *access = json_string_value(json_object_get(result, "access"));
	const json_t *delivered = json_object_get(result, "delivered");

	if (c->verb == VERB_NEXT_HOP && json_object_get(result, "dropReason"))
		return EXIT_DENIED;
	if (c->verb == VERB_IP_FLOW && ((access && strcmp(access, "Deny") == 0) || json_is_false(delivered)))
		return EXIT_DENIED;
	return EXIT_OK;
}

static void
detail_print(const json_t *d)
{
	table_print_text(json_string_value(json_object_get(d, "file")), stderr);
	fprintf(stderr, ":%" JSON_INTEGER_FORMAT ":%" JSON_INTEGER_FORMAT ": ",
		json_integer_value(json_object_get(d, "line")), json_integer_value(json_object_get(d, "column")));
	table_print_text(json_string_value(json_object_get(d, "code")), stderr);
	fputs(": ", stderr);
	table_print_text(json_string_value(json_object_get(d, "message")), stderr);
	fputc('\n', stderr);
}

/* error: {"code", "message", "details"} */
static int
error_print(const struct command_line *c, const json_t *error)
{
	const char *code = json_string_value(json_object_get(error, "code"));
	const char *message = json_string_value(json_object_get(error, "message"));
	const json_t *details = json_object_get(error, "details");
	json_t *d;
	size_t i;

	if (c->output == OUTPUT_JSON) {
		json_dumpf(error, stdout, JSON_INDENT(2));
		fputc('\n', stdout);
		return EXIT_REFUSED;
	}
	json_array_foreach(details, i, d) detail_print(d);
	if (json_array_size(details) != 1) {
		fputs("isthmus: ", stderr);
		table_print_text(message ? message : "refused", stderr);
		fprintf(stderr, " (%s)\n", code ? code : "?");
	}
	return EXIT_REFUSED;
}

/* ---- asking ------------------------------------------------------------------------- */

static int
daemon_lost(const char *error)
{
	fprintf(stderr, "isthmus: %s\n", error);
	return EXIT_DAEMON;
}

static int
answer_wait(const struct command_line *c)
{
	bool waits = c->verb == VERB_APPLY || c->verb == VERB_VERIFY || c->verb == VERB_TRACE;

	return waits ? -1 : ANSWER_MS;
}

/* Records as they come, then the answer. */
static int
ask_once(const struct command_line *c, struct client *client, const json_t *request)
{
	char error[256];
	json_t *answer = NULL, *record;
	int status;

	if (client_send(client, request, error, sizeof error) != 0)
		return daemon_lost(error);
	for (;;) {
		if (client_receive(client, answer_wait(c), &answer, error, sizeof error) != 0)
			return daemon_lost(error);
		record = json_object_get(answer, "record");
		if (!record)
			break;
		record_print(c, record);
		json_decref(answer);
	}

	if (json_object_get(answer, "error")) {
		status = error_print(c, json_object_get(answer, "error"));
	} else {
		result_print(c, json_object_get(answer, "result"));
		status = verdict_status(c, json_object_get(answer, "result"));
	}
	json_decref(answer);
	return status;
}

static int
watch(const struct command_line *c, struct client *client, const json_t *request)
{
	uint32_t count = command_line_number(c, "count", 0), interval = command_line_number(c, "interval", 1);
	bool screen = c->output == OUTPUT_TABLE && isatty(STDOUT_FILENO);
	int status = EXIT_OK;

	for (uint32_t n = 0; status == EXIT_OK && (count == 0 || n < count); n++) {
		if (n > 0)
			sleep(interval);
		if (screen)
			fputs("\033[H\033[2J", stdout);
		else if (n > 0 && c->output == OUTPUT_TABLE)
			fputc('\n', stdout);
		status = ask_once(c, client, request);
		if (fflush(stdout) != 0)
			break;
	}
	return status;
}

static int
ask_daemon(const struct command_line *c, const json_t *request)
{
	struct client *client;
	char error[256];
	int status;

	if (client_open(c->socket, &client, error, sizeof error) != 0)
		return daemon_lost(error);
	status = c->verb == VERB_WATCH ? watch(c, client, request) : ask_once(c, client, request);
	client_close(client);
	return status;
}

static int
ask_file(const struct command_line *c, const struct request *r)
{
	struct failure f = {0};
	json_t *result = c->verb == VERB_VERIFY ? offline_verify(request_argument(r, "file")->text, &f)
						: offline_answer(c->offline, r, &f);
	json_t *answer;
	int status;

	if (result) {
		result_print(c, result);
		status = verdict_status(c, result);
		json_decref(result);
	} else {
		answer = answer_failure(NULL, &f);
		status = error_print(c, json_object_get(answer, "error"));
		json_decref(answer);
	}
	failure_clear(&f);
	return status;
}

/* The request is checked here by the daemon's own function: a mistake is told without a daemon. */
int
ask(const struct command_line *c)
{
	json_t *request = command_line_request(c);
	struct failure f = {0};
	struct request r;
	int status;

	if (request_take(json_incref(request), &r, &f) != 0) {
		fprintf(stderr, "isthmus: %s\n", f.message);
		help_print_verb(c->verb, stderr);
		status = EXIT_USAGE;
	} else if (c->offline || (c->verb == VERB_VERIFY && !command_line_number(c, "daemon", 0))) {
		status = ask_file(c, &r);
	} else {
		status = ask_daemon(c, request);
	}
	failure_clear(&f);
	request_free(&r);
	json_decref(request);
	return status;
}
