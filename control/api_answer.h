/* Answers of the control socket, and why one was refused.
 *
 * One JSON object per line: {"version": 1, "id": ..., "result": ...}, or "error": {"code",
 * "message", "details"} in place of "result". Any thread; no DPDK.
 */
#pragma once

#include <jansson.h>

#include <stddef.h>

struct config_errors;

#define API_VERSION 1

/* Why a request is refused. code: a stable word for programs, message: for people. */
struct failure {
	char code[48];
	char message[512];
	json_t *details; /* array, owned; NULL: none */
};

/* Returns NULL, so that a function that answers may end with it. */
json_t *failure_set(struct failure *f, const char *code, const char *format, ...) __attribute__((format(printf, 3, 4)));
void failure_clear(struct failure *f);

/* [{"file", "line", "column", "code", "message"}] */
json_t *errors_json(const struct config_errors *errors);
/* Refused by the configuration's errors: their code when they share one, else ConfigurationRefused. */
void failure_from_errors(struct failure *f, const struct config_errors *errors);

/* Envelopes. id is borrowed and may be NULL; result and f->details are consumed. NULL without memory. */
json_t *answer_result(json_t *id, json_t *result);
json_t *answer_record(json_t *id, json_t *record); /* one of several, before the result */
json_t *answer_failure(json_t *id, struct failure *f);
