#include "control/state_wire.h"

#include "control/state_tls.h"
#include "drivers/clock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define MAGIC "isthmus\n"
#define MAGIC_SIZE 8
#define VERSION 1
#define GREETING (MAGIC_SIZE + 2) /* and the node's name */

void
wire_close(struct wire *w)
{
	state_session_close(w->session);
	w->session = NULL;
	w->shaken = w->greeted = w->connecting = false;
}

void
wire_open(struct wire *w, struct state_tls *tls, int fd, bool client, bool connecting)
{
	wire_close(w);
	w->connecting = connecting;
	w->since_ns = w->heard_ns = clock_boot_ns();
	w->said_ns = 0;
	w->in_n = w->out_n = w->out_at = 0;
	w->node[0] = '\0';
	w->session = state_session_open(tls, fd, client);
}

int
wire_fd(const struct wire *w)
{
	return w->session ? state_session_fd(w->session) : -1;
}

short
wire_events(const struct wire *w)
{
	return w->connecting ? POLLOUT : state_session_events(w->session, w->shaken && w->out_at < w->out_n);
}

const char *
wire_reason(int error)
{
	switch (error) {
	case -EACCES:
		return "it does not hold our key";
	case -EPROTO:
		return "what it says makes no sense";
	case -EPROTONOSUPPORT:
		return "it speaks another version of the link";
	case -EEXIST:
		return "it bears our own node's name";
	case -ECONNRESET:
		return "the connection is over";
	default:
		return strerror(-error);
	}
}

/* ---- who is there ----------------------------------------------------------------------- */

static void
greeting_write(struct wire *w, const char *own_node)
{
	size_t n = strlen(own_node);
	uint8_t *body = state_frame_begin(w->out, STATE_HELLO, GREETING + n);

	memcpy(body, MAGIC, MAGIC_SIZE);
	body[MAGIC_SIZE] = 0;
	body[MAGIC_SIZE + 1] = VERSION;
	memcpy(body + GREETING, own_node, n);
	w->out_n = STATE_HEADER + GREETING + n;
	w->out_at = 0;
}

static int
greeting_read(struct wire *w, const char *own_node, const uint8_t *body, size_t n)
{
	if (w->greeted || n < GREETING || n - GREETING > NODE_MAX || memcmp(body, MAGIC, MAGIC_SIZE) != 0)
		return -EPROTO;
	if (body[MAGIC_SIZE] != 0 || body[MAGIC_SIZE + 1] != VERSION)
		return -EPROTONOSUPPORT;
	memcpy(w->node, body + GREETING, n - GREETING);
	w->node[n - GREETING] = '\0';
	if (strcmp(w->node, own_node) == 0)
		return -EEXIST;
	w->greeted = true;
	return 0;
}

int
wire_shake(struct wire *w, const char *own_node)
{
	socklen_t n = sizeof(int);
	int r, error = 0;

	if (w->connecting) {
		w->connecting = false;
		if (getsockopt(state_session_fd(w->session), SOL_SOCKET, SO_ERROR, &error, &n) != 0 || error != 0)
			return error ? -error : -ECONNRESET;
	}
	r = state_session_handshake(w->session);
	if (r != 1)
		return r;
	w->shaken = true;
	greeting_write(w, own_node);
	return 0;
}

/* ---- frames ----------------------------------------------------------------------------- */

static int
frame_take(struct wire *w, const char *own_node, struct state_flows *flows, const uint8_t *frame, size_t n)
{
	enum state_frame type = (enum state_frame)frame[2];

	if (type == STATE_HELLO)
		return greeting_read(w, own_node, frame + STATE_HEADER, n);
	if (!w->greeted)
		return -EPROTO;
	return type == STATE_ALIVE ? 0 : state_flows_take(flows, type, frame + STATE_HEADER, n);
}

/* Up to the greeting, or all that are whole. */
static int
frames_take(struct wire *w, const char *own_node, struct state_flows *flows, bool *more)
{
	size_t at = 0;
	int r = 0;

	*more = false;
	while (r == 0 && !*more && w->in_n - at >= STATE_HEADER) {
		size_t n = (size_t)(w->in[at] << 8 | w->in[at + 1]);

		if (n > STATE_BODY_MAX)
			return -EPROTO;
		if (w->in_n - at < STATE_HEADER + n)
			break;
		r = frame_take(w, own_node, flows, w->in + at, n);
		*more = w->in[at + 2] == STATE_HELLO;
		at += STATE_HEADER + n;
	}
	memmove(w->in, w->in + at, w->in_n - at);
	w->in_n -= at;
	return r;
}

int
wire_hear(struct wire *w, const char *own_node, struct state_flows *flows, bool *more)
{
	ssize_t got;
	int r = frames_take(w, own_node, flows, more);

	while (r == 0 && !*more) {
		got = state_session_read(w->session, w->in + w->in_n, WIRE_IN_MAX - w->in_n);
		if (got <= 0)
			return (int)got;
		w->in_n += (size_t)got;
		w->heard_ns = clock_boot_ns();
		r = frames_take(w, own_node, flows, more);
	}
	return r;
}

int
wire_say(struct wire *w)
{
	while (w->out_at < w->out_n) {
		ssize_t sent = state_session_write(w->session, w->out + w->out_at, w->out_n - w->out_at);

		if (sent <= 0)
			return (int)sent;
		w->out_at += (size_t)sent;
		w->said_ns = clock_boot_ns();
	}
	return 0;
}
