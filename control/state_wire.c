#include "control/state_wire.h"

#include "control/state_tls.h"
#include "drivers/clock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

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
	w->reaches = false;
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

/* ---- sockets ---------------------------------------------------------------------------- */

socklen_t
wire_socket_address(const struct ip_addr *a, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (a->family == IP_V4) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		memcpy(&v4->sin_addr, a->b, 4);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	memcpy(&v6->sin6_addr, a->b, 16);
	return sizeof(*v6);
}

bool
wire_is_from(const struct ip_addr *peer_address, const struct sockaddr_storage *from)
{
	struct sockaddr_storage peer;

	wire_socket_address(peer_address, 0, &peer);
	if (from->ss_family != peer.ss_family)
		return false;
	if (from->ss_family == AF_INET)
		return memcmp(&((const struct sockaddr_in *)from)->sin_addr, &((struct sockaddr_in *)&peer)->sin_addr,
			       4) == 0;
	return memcmp(&((const struct sockaddr_in6 *)from)->sin6_addr, &((struct sockaddr_in6 *)&peer)->sin6_addr,
		       16) == 0;
}

int
wire_socket(const struct ip_addr *local, uint16_t port)
{
	int fd = socket(local->family == IP_V4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_storage at;
	socklen_t n = wire_socket_address(local, port, &at);
	const int one = 1, user_ms = 5000;
	int r;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_ms, sizeof(user_ms));
	if (bind(fd, (struct sockaddr *)&at, n) != 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
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
	if (type != STATE_ALIVE)
		return state_flows_take(flows, type, frame + STATE_HEADER, n);
	w->reaches = n > 0 && frame[STATE_HEADER] != 0;
	return 0;
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
	}
	return 0;
}
