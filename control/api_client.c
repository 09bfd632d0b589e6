/* A client is in one of four states:
 *
 *   READ    takes bytes until a line is whole, then runs it
 *   WAIT    its request is under way elsewhere (apply, trace); no bytes are taken
 *   WRITE   its answer is not wholly in the socket yet; no bytes are taken
 *   LINGER  it sent what is no request: the answer is out, bytes are thrown away until it hangs up,
 *           since closing over unread bytes would take the answer with it
 */
#include "control/api_client.h"

#include "drivers/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define SECOND_NS 1000000000ull
#define REQUEST_NS (10 * SECOND_NS) /* from its first byte to its last */
#define IDLE_NS (300 * SECOND_NS)
#define WRITE_NS (10 * SECOND_NS) /* without a byte being read */
#define LINGER_NS (2 * SECOND_NS)
#define ANSWER_MAX (64u << 20)
#define RECORDS_MAX (1u << 20) /* records of a trace that nobody reads */

void
client_close(struct client *c)
{
	struct api_ticket ticket = {c->slot, c->serial};
	bool waited = c->state == CLIENT_WAIT;

	loop_remove(c->loop, &c->source);
	json_decref(c->id);
	free(c->in);
	free(c->out);
	c->id = NULL;
	c->in = c->out = NULL;
	c->n_in = c->n_out = c->sent = c->out_size = 0;
	c->state = CLIENT_FREE;
	c->serial = 0;
	if (waited)
		c->gone(c->context, ticket);
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
	loop_change(c->loop, &c->source, events);
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

void
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
	struct failure f = {0};
	struct request r;
	json_t *result = NULL;
	int parsed = request_parse(line, size, &r, &f);

	c->id = json_incref(r.id);
	c->hang_up = parsed == -EBADMSG;
	c->state = CLIENT_WAIT;
	c->deadline_ns = 0;
	if (parsed == 0)
		result = c->handler(c->context, &r, (struct api_ticket){c->slot, c->serial}, &f);

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

void
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

void
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

void
client_late(struct client *c)
{
	if (c->state == CLIENT_READ && c->n_in > 0) {
		client_refuse(c, "Timeout", "the request was not finished in time");
		client_advance(c);
	} else {
		client_close(c);
	}
}

bool
client_record(struct client *c, json_t *record)
{
	json_t *line;
	bool kept;

	if (c->n_out - c->sent > RECORDS_MAX) {
		json_decref(record);
		return false;
	}
	line = answer_record(c->id, record);
	kept = client_queue(c, line);
	json_decref(line);
	client_advance(c);
	return kept;
}

int
client_open(struct client *c, int fd, uint64_t serial)
{
	int r;

	c->in = malloc(REQUEST_MAX + 1);
	if (!c->in)
		return -ENOMEM;
	c->source.fd = fd;
	c->events = EPOLLIN;
	r = loop_add(c->loop, &c->source, c->events);
	if (r != 0) {
		c->source.fd = -1;
		free(c->in);
		c->in = NULL;
		return r;
	}
	c->state = CLIENT_READ;
	c->serial = serial;
	c->ended = c->hang_up = false;
	c->deadline_ns = clock_boot_ns() + IDLE_NS;
	return 0;
}
