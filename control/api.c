/* The socket: who may come in, where each client has its place, and late answers on their way back.
 *
 * Places are a fixed array and never freed while the loop runs (see loop.h).
 */
#include "control/api.h"

#include "control/api_client.h"
#include "control/unix_listen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct api {
	struct loop *loop;
	struct loop_source listen;
	struct unix_listen place;
	uint64_t serial;
	struct client client[API_CLIENTS_MAX];
};

/* ---- all of them -------------------------------------------------------------------- */

/* Refused before it has a place; whether it can read why does not matter to us. */
static void
stranger_refuse(int fd, const char *code, const char *text)
{
	struct failure f = {0};
	json_t *answer;
	char *line;

	failure_set(&f, code, "%s", text);
	answer = answer_failure(NULL, &f);
	line = json_dumps(answer, JSON_COMPACT);
	if (line) {
		send(fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);
		send(fd, "\n", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	free(line);
	json_decref(answer);
	close(fd);
}

static struct client *
client_place(struct api *a)
{
	for (int i = 0; i < API_CLIENTS_MAX; i++)
		if (a->client[i].state == CLIENT_FREE)
			return &a->client[i];
	return NULL;
}

static void
guest_open(struct api *a, int fd)
{
	struct client *c = client_place(a);

	if (!c)
		stranger_refuse(fd, "TooManyClients", "too many clients are connected");
	else if (client_open(c, fd, ++a->serial) != 0)
		stranger_refuse(fd, "NoMemory", "no memory for another client");
}

static void
listen_ready(void *context, uint32_t events)
{
	struct api *a = context;
	int fd = accept4(a->listen.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return;
	if (unix_peer_allowed(fd))
		guest_open(a, fd);
	else
		stranger_refuse(fd, "PermissionDenied", "only root and the daemon's own user may ask");
}

void
api_tick(struct api *a, uint64_t now_ns)
{
	for (int i = 0; i < API_CLIENTS_MAX; i++) {
		struct client *c = &a->client[i];

		if (c->state != CLIENT_FREE && c->deadline_ns != 0 && now_ns >= c->deadline_ns)
			client_late(c);
	}
}

/* ---- late answers ------------------------------------------------------------------- */

static struct client *
ticket_client(struct api *a, struct api_ticket t)
{
	struct client *c = &a->client[t.slot % API_CLIENTS_MAX];

	return t.serial != 0 && c->serial == t.serial && c->state == CLIENT_WAIT ? c : NULL;
}

void
api_answer(struct api *a, struct api_ticket to, json_t *result)
{
	struct client *c = a ? ticket_client(a, to) : NULL;

	if (!c) {
		json_decref(result);
		return;
	}
	client_answer(c, answer_result(c->id, result));
	client_advance(c);
}

void
api_refuse(struct api *a, struct api_ticket to, struct failure *failure)
{
	struct client *c = a ? ticket_client(a, to) : NULL;

	if (c) {
		client_answer(c, answer_failure(c->id, failure));
		client_advance(c);
	}
	failure_clear(failure);
}

bool
api_record(struct api *a, struct api_ticket to, json_t *record)
{
	struct client *c = a ? ticket_client(a, to) : NULL;

	if (c)
		return client_record(c, record);
	json_decref(record);
	return false;
}

/* ---- start and stop ----------------------------------------------------------------- */

int
api_start(const char *path, struct loop *loop, api_handler *handler, api_gone *gone, void *context, struct api **out,
	char *error, size_t error_size)
{
	struct api *a = calloc(1, sizeof *a);
	int r;

	if (!a)
		return -ENOMEM;
	a->loop = loop;
	a->listen = (struct loop_source){-1, listen_ready, a};
	for (uint16_t i = 0; i < API_CLIENTS_MAX; i++)
		a->client[i] = (struct client){
			.source = {-1, client_ready, &a->client[i]},
			.slot = i,
			.loop = loop,
			.handler = handler,
			.gone = gone,
			.context = context,
		};

	r = unix_listen_open(&a->place, path, SOCK_STREAM, error, error_size);
	a->listen.fd = a->place.fd;
	if (r == 0)
		r = loop_add(loop, &a->listen, EPOLLIN);
	if (r == 0) {
		*out = a;
		return 0;
	}

	if (error[0] == '\0')
		snprintf(error, error_size, "%s: %s", path, strerror(-r));
	api_stop(a);
	return r;
}

void
api_stop(struct api *a)
{
	if (!a)
		return;
	for (int i = 0; i < API_CLIENTS_MAX; i++)
		if (a->client[i].state != CLIENT_FREE)
			client_close(&a->client[i]);
	loop_remove(a->loop, &a->listen);
	unix_listen_remove(&a->place);
	free(a);
}
