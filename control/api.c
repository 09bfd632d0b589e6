/* A client is in one of four states:
 *
 *   READ    takes bytes until a line is whole, then runs it
 *   WAIT    its request is under way elsewhere (apply, trace); no bytes are taken
 *   WRITE   its answer is not wholly in the socket yet; no bytes are taken
 *   LINGER  it sent what is no request: the answer is out, bytes are thrown away until it hangs up,
 *           since closing over unread bytes would take the answer with it
 *
 * Places are a fixed array and never freed while the loop runs (see loop.h).
 */
#include "control/api.h"

#include "drivers/clock.h"
#include "drivers/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SECOND_NS 1000000000ull
#define REQUEST_NS (10 * SECOND_NS) /* from its first byte to its last */
#define IDLE_NS (300 * SECOND_NS)
#define WRITE_NS (10 * SECOND_NS) /* without a byte being read */
#define LINGER_NS (2 * SECOND_NS)
#define ANSWER_MAX (64u << 20)
#define RECORDS_MAX (1u << 20) /* records of a trace that nobody reads */

enum client_state { CLIENT_FREE, CLIENT_READ, CLIENT_WAIT, CLIENT_WRITE, CLIENT_LINGER };

struct client {
	struct loop_source source;
	struct api *api;
	enum client_state state;
	uint16_t slot;
	uint64_t serial;
	uint64_t deadline_ns; /* 0 = none */
	json_t *id;           /* of the request under way */
	bool ended;           /* it will send nothing more */
	bool hang_up;         /* linger once the answer is out */
	uint32_t events;      /* as epoll knows them */
	char *in;             /* REQUEST_MAX + 1 bytes */
	size_t n_in;
	char *out;
	size_t n_out, sent, out_size;
};

struct api {
	struct loop *loop;
	struct loop_source listen;
	api_handler *handler;
	api_gone *gone;
	void *context;
	char path[sizeof((struct sockaddr_un *)0)->sun_path];
	ino_t inode; /* of the socket we bound: another one in its place is not ours to remove */
	uint64_t serial;
	struct client client[API_CLIENTS_MAX];
};

/* ---- one client --------------------------------------------------------------------- */

static void
client_close(struct client *c)
{
	struct api_ticket ticket = {c->slot, c->serial};
	bool waited = c->state == CLIENT_WAIT;

	loop_remove(c->api->loop, &c->source);
	json_decref(c->id);
	free(c->in);
	free(c->out);
	c->id = NULL;
	c->in = c->out = NULL;
	c->n_in = c->n_out = c->sent = c->out_size = 0;
	c->state = CLIENT_FREE;
	c->serial = 0;
	if (waited)
		c->api->gone(c->api->context, ticket);
}

/* A line that is whole: the next request, or the last one without its newline. */
static bool
client_has_line(const struct client *c)
{
	return c->n_in > 0 && (c->ended || memchr(c->in, '\n', c->n_in));
}

/* With a line left in the buffer, being writable is the reason to come back: one request a round, so
 * that a client which sends a thousand at once does not hold up the loop. */
static void
client_watch(struct client *c)
{
	uint32_t events = 0;

	if ((c->state == CLIENT_READ || c->state == CLIENT_LINGER) && !c->ended)
		events |= EPOLLIN;
	if (c->n_out > c->sent || (c->state == CLIENT_READ && client_has_line(c)))
		events |= EPOLLOUT;
	if (events == c->events)
		return;
	c->events = events;
	loop_change(c->api->loop, &c->source, events);
}

/* false: the answer is too large, or no memory. */
static bool
client_queue(struct client *c, json_t *answer)
{
	size_t n = json_dumpb(answer, NULL, 0, JSON_COMPACT), size;
	char *out;

	if (n == 0 || n > ANSWER_MAX)
		return false;
	if (c->sent > 0) {
		memmove(c->out, c->out + c->sent, c->n_out - c->sent);
		c->n_out -= c->sent;
		c->sent = 0;
	}
	size = c->n_out + n + 1;
	if (size > c->out_size) {
		out = realloc(c->out, size);
		if (!out)
			return false;
		c->out = out;
		c->out_size = size;
	}
	json_dumpb(answer, c->out + c->n_out, n, JSON_COMPACT);
	c->n_out += n;
	c->out[c->n_out++] = '\n';
	return true;
}

/* Returns false when the client is closed. */
static bool
client_flush(struct client *c)
{
	while (c->n_out > c->sent) {
		ssize_t n = send(c->source.fd, c->out + c->sent, c->n_out - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0) {
			client_close(c);
			return false;
		}
		c->sent += (size_t)n;
		c->deadline_ns = c->state == CLIENT_WAIT ? 0 : clock_boot_ns() + WRITE_NS;
	}
	/* Large answers are rare: their memory goes back. */
	c->n_out = c->sent = 0;
	if (c->out_size > REQUEST_MAX) {
		free(c->out);
		c->out = NULL;
		c->out_size = 0;
	}
	return true;
}

/* The answer to the request under way; consumes it. */
static void
client_answer(struct client *c, json_t *answer)
{
	struct failure f = {0};

	if (!client_queue(c, answer)) {
		failure_set(&f, "AnswerTooLarge", "the answer has more than %u bytes", ANSWER_MAX);
		json_decref(answer);
		answer = answer_failure(c->id, &f);
		client_queue(c, answer);
	}
	json_decref(answer);
	json_decref(c->id);
	c->id = NULL;
	c->state = CLIENT_WRITE;
	c->deadline_ns = clock_boot_ns() + WRITE_NS;
}

static void
client_run(struct client *c, const char *line, size_t size)
{
	struct api *a = c->api;
	struct failure f = {0};
	struct request r;
	json_t *result = NULL;
	int parsed = request_parse(line, size, &r, &f);

	c->id = json_incref(r.id);
	c->hang_up = parsed == -EBADMSG;
	c->state = CLIENT_WAIT;
	c->deadline_ns = 0;
	if (parsed == 0)
		result = a->handler(a->context, &r, (struct api_ticket){c->slot, c->serial}, &f);

	if (result)
		client_answer(c, answer_result(c->id, result));
	else if (f.code[0])
		client_answer(c, answer_failure(c->id, &f));
	failure_clear(&f);
	request_free(&r);
}

static void
client_refuse(struct client *c, const char *code, const char *text)
{
	struct failure f = {0};

	failure_set(&f, code, "%s", text);
	c->hang_up = true;
	c->n_in = 0;
	client_answer(c, answer_failure(NULL, &f));
}

static void
client_run_line(struct client *c)
{
	const char *end;
	size_t blank = 0, size, used;

	while (blank < c->n_in && (c->in[blank] == '\n' || c->in[blank] == '\r'))
		blank++;
	memmove(c->in, c->in + blank, c->n_in - blank);
	c->n_in -= blank;

	if (!client_has_line(c)) {
		if (c->n_in > REQUEST_MAX)
			client_refuse(c, "RequestTooLarge", "a request has at most 65536 bytes");
		return;
	}
	end = memchr(c->in, '\n', c->n_in);
	size = end ? (size_t)(end - c->in) : c->n_in;
	used = end ? size + 1 : size;

	client_run(c, c->in, size);
	memmove(c->in, c->in + used, c->n_in - used);
	c->n_in -= used;
}

/* The answer is out. */
static void
client_next(struct client *c)
{
	if (c->hang_up) {
		c->state = CLIENT_LINGER;
		c->n_in = 0;
		c->deadline_ns = clock_boot_ns() + LINGER_NS;
		shutdown(c->source.fd, SHUT_WR);
		return;
	}
	c->state = CLIENT_READ;
	c->deadline_ns = clock_boot_ns() + (c->n_in > 0 ? REQUEST_NS : IDLE_NS);
}

/* Go on as far as the socket and the input let us, by one request at most. */
static void
client_advance(struct client *c)
{
	if (!client_flush(c))
		return;
	if (c->n_out == 0 && c->state == CLIENT_WRITE)
		client_next(c);
	if (c->n_out == 0 && c->state == CLIENT_READ)
		client_run_line(c);
	if (c->n_out > 0 && !client_flush(c))
		return;
	if (c->n_out == 0 && c->state == CLIENT_WRITE)
		client_next(c);

	if (c->ended && c->n_in == 0 && c->n_out == 0 && (c->state == CLIENT_READ || c->state == CLIENT_LINGER))
		client_close(c);
	else
		client_watch(c);
}

static void
client_read(struct client *c)
{
	ssize_t n = recv(c->source.fd, c->in + c->n_in, REQUEST_MAX + 1 - c->n_in, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		client_close(c);
		return;
	}
	if (n == 0)
		c->ended = true;
	else if (c->n_in == 0)
		c->deadline_ns = clock_boot_ns() + REQUEST_NS;
	c->n_in += (size_t)n;
	client_advance(c);
}

static void
client_discard(struct client *c)
{
	char waste[4096];

	ssize_t n = recv(c->source.fd, waste, sizeof waste, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		client_close(c);
}

static void
client_ready(void *context, uint32_t events)
{
	struct client *c = context;

	if ((events & (EPOLLHUP | EPOLLERR)) && !(events & EPOLLIN)) {
		client_close(c);
		return;
	}
	if (events & EPOLLOUT)
		client_advance(c);
	else if ((events & EPOLLIN) && c->state == CLIENT_READ)
		client_read(c);
	else if ((events & EPOLLIN) && c->state == CLIENT_LINGER)
		client_discard(c);
}

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

static bool
peer_allowed(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		return false;
	return peer.uid == 0 || peer.uid == geteuid();
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
client_open(struct api *a, int fd)
{
	struct client *c = client_place(a);

	if (!c) {
		stranger_refuse(fd, "TooManyClients", "too many clients are connected");
		return;
	}
	c->in = malloc(REQUEST_MAX + 1);
	if (!c->in) {
		stranger_refuse(fd, "NoMemory", "no memory for another client");
		return;
	}
	c->source.fd = fd;
	c->state = CLIENT_READ;
	c->serial = ++a->serial;
	c->ended = c->hang_up = false;
	c->events = EPOLLIN;
	c->deadline_ns = clock_boot_ns() + IDLE_NS;
	if (loop_add(a->loop, &c->source, c->events) != 0)
		client_close(c);
}

static void
listen_ready(void *context, uint32_t events)
{
	struct api *a = context;
	int fd = accept4(a->listen.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return;
	if (peer_allowed(fd))
		client_open(a, fd);
	else
		stranger_refuse(fd, "PermissionDenied", "only root and the daemon's own user may ask");
}

void
api_tick(struct api *a, uint64_t now_ns)
{
	for (int i = 0; i < API_CLIENTS_MAX; i++) {
		struct client *c = &a->client[i];

		if (c->state == CLIENT_FREE || c->deadline_ns == 0 || now_ns < c->deadline_ns)
			continue;
		if (c->state == CLIENT_READ && c->n_in > 0) {
			client_refuse(c, "Timeout", "the request was not finished in time");
			client_advance(c);
		} else {
			client_close(c);
		}
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
	json_t *line;
	bool kept;

	if (!c || c->n_out - c->sent > RECORDS_MAX) {
		json_decref(record);
		return false;
	}
	line = answer_record(c->id, record);
	kept = client_queue(c, line);
	json_decref(line);
	client_advance(c);
	return kept;
}

/* ---- start and stop ----------------------------------------------------------------- */

/* A socket nobody listens on was left by a daemon that was killed. */
static int
stale_remove(const struct sockaddr_un *address, char *error, size_t n)
{
	struct stat s;
	int fd, r;

	if (lstat(address->sun_path, &s) != 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(s.st_mode)) {
		snprintf(error, n, "%s exists and is no socket", address->sun_path);
		return -EEXIST;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ? 0 : -errno;
	close(fd);
	if (r != -ECONNREFUSED) {
		snprintf(error, n, "another daemon serves %s", address->sun_path);
		return -EADDRINUSE;
	}
	return unlink(address->sun_path) == 0 || errno == ENOENT ? 0 : -errno;
}

static int
listen_open(struct api *a, char *error, size_t n)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat s;
	mode_t mask;
	int r;

	memcpy(address.sun_path, a->path, sizeof address.sun_path);
	r = stale_remove(&address, error, n);
	if (r != 0)
		return r;

	a->listen.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (a->listen.fd < 0)
		return -errno;
	mask = umask(0177);
	r = bind(a->listen.fd, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : -errno;
	umask(mask);
	if (r == 0 && stat(a->path, &s) == 0)
		a->inode = s.st_ino;
	if (r == 0 && listen(a->listen.fd, 16) != 0)
		r = -errno;
	return r;
}

int
api_start(const char *path, struct loop *loop, api_handler *handler, api_gone *gone, void *context, struct api **out,
	char *error, size_t error_size)
{
	struct api *a = calloc(1, sizeof *a);
	int r;

	if (!a)
		return -ENOMEM;
	a->loop = loop;
	a->handler = handler;
	a->gone = gone;
	a->context = context;
	a->listen = (struct loop_source){-1, listen_ready, a};
	for (uint16_t i = 0; i < API_CLIENTS_MAX; i++) {
		a->client[i].source = (struct loop_source){-1, client_ready, &a->client[i]};
		a->client[i].api = a;
		a->client[i].slot = i;
	}

	error[0] = '\0';
	r = -ENAMETOOLONG;
	if (strlen(path) < sizeof a->path) {
		strcpy(a->path, path);
		r = listen_open(a, error, error_size);
	}
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
	struct stat s;

	if (!a)
		return;
	for (int i = 0; i < API_CLIENTS_MAX; i++)
		if (a->client[i].state != CLIENT_FREE)
			client_close(&a->client[i]);
	loop_remove(a->loop, &a->listen);
	if (a->inode != 0 && stat(a->path, &s) == 0 && s.st_ino == a->inode)
		unlink(a->path);
	free(a);
}
