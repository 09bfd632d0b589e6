/* The control socket: a UNIX stream, mode 0600, for root and the daemon's own user.
 *
 * Control thread. A client has one request under way at a time; answers come in order. Everything a
 * client can make grow is bounded: clients, a request's bytes, an answer waiting to be read, time.
 */
#pragma once

#include "control/api_answer.h"
#include "control/api_request.h"
#include "control/loop.h"

#define API_CLIENTS_MAX 32

struct api;

/* Whom an answer goes to; survives the client, whose place may have gone to another one since. */
struct api_ticket {
	uint16_t slot;
	uint64_t serial; /* 0: nobody */
};

/* Answers a request: a new reference; NULL with failure->code set: refused; NULL without: the answer
 * comes later by api_answer or api_refuse. */
typedef json_t *api_handler(void *context, const struct request *r, struct api_ticket from, struct failure *failure);
/* The client of a request that is not answered yet has gone. */
typedef void api_gone(void *context, struct api_ticket from);

int api_start(const char *path, struct loop *loop, api_handler *handler, api_gone *gone, void *context,
	struct api **out, char *error, size_t error_size);
void api_stop(struct api *a);
/* Ten times a second: deadlines. */
void api_tick(struct api *a, uint64_t now_ns);

/* Late answers. Consume result, record and failure; nothing happens when the client is gone. */
void api_answer(struct api *a, struct api_ticket to, json_t *result);
void api_refuse(struct api *a, struct api_ticket to, struct failure *failure);
/* One of several before the answer; false: the client reads too slowly, the record is lost. */
bool api_record(struct api *a, struct api_ticket to, json_t *record);
