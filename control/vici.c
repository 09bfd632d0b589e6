/* The connection to charon; see vici.h. A packet is four bytes of length, a type, for some a name, and a message.
 *
 * A broken connection is only marked while it is being served (fail); whoever serves it then lets go of it
 * (settle), so that no callback runs on a half-closed one and none frees what its caller still reads.
 */
#include "control/vici.h"

#include "drivers/clock.h"
#include "drivers/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PACKET_MAX (512 * 1024)
#define SECOND_NS 1000000000ull
#define ANSWER_NS (30 * SECOND_NS)
#define RETRY_FIRST_NS (SECOND_NS / 5)
#define RETRY_MAX_NS (5 * SECOND_NS)
#define READS_PER_ROUND 16 /* the loop has others to serve */

enum packet {
	CMD_REQUEST = 0,
	CMD_RESPONSE = 1,
	CMD_UNKNOWN = 2,
	EVENT_REGISTER = 3,
	EVENT_CONFIRM = 5,
	EVENT_UNKNOWN = 6,
	EVENT = 7,
};

/* A packet to send, and who waits for its answer. */
struct request {
	struct request *next;
	vici_answer *done;
	void *context;
	uint8_t *packet; /* NULL once sent */
	size_t len, sent;
	bool registers;
};

struct vici {
	struct loop *loop;
	struct loop_source source;
	struct sockaddr_un address;
	const char *const *events;
	struct vici_hooks hooks;
	bool up;     /* registered for events */
	int failure; /* the connection is to be let go of, for this reason */
	uint32_t wanted;
	int pid;

	struct request *first, **last;
	uint32_t n;
	uint64_t deadline_ns; /* of the first request's answer */
	uint64_t retry_ns, retry_at_ns;

	uint8_t *in; /* PACKET_MAX + 4 bytes, while connected */
	size_t in_len;
};

static void
fail(struct vici *v, int reason)
{
	if (v->failure == 0)
		v->failure = reason;
}

/* ---- the queue ----------------------------------------------------------------------- */

static void
packet_wipe(struct request *q)
{
	if (q->packet) {
		explicit_bzero(q->packet, q->len);
		free(q->packet);
	}
	q->packet = NULL;
}

static struct request *
request_make(enum packet type, const char *name, const struct vici_message *m)
{
	size_t name_len = strlen(name), body = m ? m->len : 0, len = 2 + name_len + body;
	struct request *q = calloc(1, sizeof(*q));

	if (q)
		q->packet = malloc(4 + len);
	if (!q || !q->packet) {
		free(q);
		return NULL;
	}
	for (int i = 0; i < 4; i++)
		q->packet[i] = (uint8_t)(len >> (24 - 8 * i));
	q->packet[4] = (uint8_t)type;
	q->packet[5] = (uint8_t)name_len;
	memcpy(q->packet + 6, name, name_len);
	if (body)
		memcpy(q->packet + 6 + name_len, m->data, body);
	q->len = 4 + len;
	return q;
}

static void
queue_put(struct vici *v, struct request *q)
{
	*v->last = q;
	v->last = &q->next;
	v->n++;
}

static struct request *
queue_take(struct vici *v)
{
	struct request *q = v->first;

	v->first = q->next;
	if (!v->first)
		v->last = &v->first;
	v->n--;
	return q;
}

static void
request_end(struct request *q, int result, const struct vici_body *answer)
{
	packet_wipe(q);
	if (q->done)
		q->done(q->context, result, answer);
	free(q);
}

/* ---- sending ------------------------------------------------------------------------- */

static void
send_first(struct vici *v)
{
	struct request *q = v->first;
	ssize_t n;

	if (!q || !q->packet || v->source.fd < 0 || v->failure)
		return;
	if (q->sent == 0)
		v->deadline_ns = clock_boot_ns() + ANSWER_NS;
	n = send(v->source.fd, q->packet + q->sent, q->len - q->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		fail(v, -errno);
		return;
	}
	if (n > 0)
		q->sent += (size_t)n;
	if (q->sent == q->len)
		packet_wipe(q);
	if (loop_change(v->loop, &v->source, q->packet ? EPOLLIN | EPOLLOUT : EPOLLIN) != 0)
		fail(v, -EIO);
}

/* ---- what came in -------------------------------------------------------------------- */

static void
registered(struct vici *v)
{
	if (--v->wanted > 0)
		return;
	v->up = true;
	v->retry_ns = RETRY_FIRST_NS;
	v->hooks.up(v->hooks.context);
}

/* The answer to the first request, which must have been sent whole. */
static void
answered(struct vici *v, enum packet type, const struct vici_body *b)
{
	bool unknown = type == CMD_UNKNOWN || type == EVENT_UNKNOWN;
	struct request *q = v->first;
	bool registers;

	if (!q || q->packet || q->registers != (type == EVENT_CONFIRM || type == EVENT_UNKNOWN) ||
		!vici_well_formed(b)) {
		fail(v, -EBADMSG);
		return;
	}
	registers = q->registers;
	queue_take(v);
	request_end(q, unknown ? -ENOENT : 0, b);
	if (registers && v->wanted > 0)
		registered(v);
	send_first(v);
}

static void
event_take(struct vici *v, const uint8_t *at, size_t n)
{
	struct vici_body b;
	char name[256];
	size_t len = n > 0 ? at[0] : 0;

	if (len == 0 || n < 1 + len) {
		fail(v, -EBADMSG);
		return;
	}
	memcpy(name, at + 1, len);
	name[len] = '\0';
	b = (struct vici_body){at + 1 + len, n - 1 - len};
	if (!vici_well_formed(&b)) {
		fail(v, -EBADMSG);
		return;
	}
	/* a long stream of events is no silence */
	v->deadline_ns = clock_boot_ns() + ANSWER_NS;
	v->hooks.event(v->hooks.context, name, &b);
}

static void
packet_take(struct vici *v, const uint8_t *at, size_t n)
{
	const struct vici_body body = {at + 1, n - 1};

	switch (at[0]) {
	case CMD_RESPONSE:
	case CMD_UNKNOWN:
	case EVENT_CONFIRM:
	case EVENT_UNKNOWN:
		answered(v, (enum packet)at[0], &body);
		break;
	case EVENT:
		event_take(v, at + 1, n - 1);
		break;
	default:
		fail(v, -EBADMSG);
	}
}

/* Every whole packet of the buffer; the rest moves to its front. */
static void
packets_take(struct vici *v)
{
	size_t at = 0;

	while (!v->failure && v->in_len - at >= 4) {
		const uint8_t *p = v->in + at;
		size_t n = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];

		if (n == 0 || n > PACKET_MAX) {
			fail(v, -EBADMSG);
			return;
		}
		if (v->in_len - at < 4 + n)
			break;
		packet_take(v, p + 4, n);
		at += 4 + n;
	}
	memmove(v->in, v->in + at, v->in_len - at);
	v->in_len -= at;
}

static void
receive(struct vici *v)
{
	for (int i = 0; i < READS_PER_ROUND && !v->failure; i++) {
		ssize_t n = recv(v->source.fd, v->in + v->in_len, PACKET_MAX + 4 - v->in_len, MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			fail(v, n == 0 ? -ECONNRESET : -errno);
			return;
		}
		v->in_len += (size_t)n;
		packets_take(v);
	}
}

/* ---- the connection ------------------------------------------------------------------ */

/* Lets go of a failed connection. Requests made by the callbacks on the way are refused: fd is closed already. */
static void
settle(struct vici *v)
{
	int reason = v->failure;
	bool was_up = v->up;

	if (!reason)
		return;
	loop_remove(v->loop, &v->source);
	v->up = false;
	v->wanted = 0;
	v->in_len = 0;
	v->failure = 0;
	v->pid = 0;
	v->retry_at_ns = clock_boot_ns() + v->retry_ns;
	v->retry_ns = v->retry_ns * 2 < RETRY_MAX_NS ? v->retry_ns * 2 : RETRY_MAX_NS;
	explicit_bzero(v->in, PACKET_MAX + 4);
	free(v->in);
	v->in = NULL;
	while (v->first)
		request_end(queue_take(v), reason, NULL);
	if (was_up)
		v->hooks.down(v->hooks.context);
}

static void
ready(void *context, uint32_t events)
{
	struct vici *v = context;

	if (events & EPOLLOUT)
		send_first(v);
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		receive(v);
	settle(v);
}

/* Only root, or who runs us, may be charon: it gets our secrets. */
static int
peer_check(struct vici *v, int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		return -errno;
	if (peer.uid != 0 && peer.uid != geteuid())
		return -EPERM;
	v->pid = peer.pid;
	return 0;
}

int
vici_adopt(struct vici *v, int fd)
{
	int r = peer_check(v, fd);

	v->in = r == 0 ? malloc(PACKET_MAX + 4) : NULL;
	if (r == 0 && !v->in)
		r = -ENOMEM;
	v->source.fd = fd;
	if (r == 0)
		r = loop_add(v->loop, &v->source, EPOLLIN);
	if (r != 0) {
		free(v->in);
		v->in = NULL;
		v->source.fd = -1;
		close(fd);
		return r;
	}
	for (; v->events[v->wanted]; v->wanted++) {
		struct request *q = request_make(EVENT_REGISTER, v->events[v->wanted], NULL);

		if (!q) {
			fail(v, -ENOMEM);
			break;
		}
		q->registers = true;
		queue_put(v, q);
	}
	send_first(v);
	settle(v);
	return 0;
}

static void
try_connect(struct vici *v)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), r;

	if (fd < 0) {
		r = -errno;
	} else if (connect(fd, (const struct sockaddr *)&v->address, sizeof(v->address)) != 0) {
		r = -errno;
		close(fd);
	} else {
		r = vici_adopt(v, fd);
	}
	if (r == 0)
		return;
	if (r == -EPERM)
		log_warning("charon", "%s belongs to another user: not used", v->address.sun_path);
	v->retry_at_ns = clock_boot_ns() + v->retry_ns;
	v->retry_ns = v->retry_ns * 2 < RETRY_MAX_NS ? v->retry_ns * 2 : RETRY_MAX_NS;
}

void
vici_tick(struct vici *v, uint64_t now_ns)
{
	if (v->source.fd < 0) {
		if (now_ns >= v->retry_at_ns)
			try_connect(v);
	} else if (v->first && now_ns >= v->deadline_ns) {
		fail(v, -ETIMEDOUT);
		settle(v);
	}
}

/* ---- what others call ---------------------------------------------------------------- */

int
vici_open(struct loop *loop, const char *path, const char *const *events, const struct vici_hooks *hooks,
	struct vici **out)
{
	struct vici *v;

	if (strlen(path) >= sizeof(v->address.sun_path))
		return -ENAMETOOLONG;
	v = calloc(1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	v->loop = loop;
	v->events = events;
	v->hooks = *hooks;
	v->source = (struct loop_source){-1, ready, v};
	v->address.sun_family = AF_UNIX;
	strcpy(v->address.sun_path, path);
	v->last = &v->first;
	v->retry_ns = RETRY_FIRST_NS;
	*out = v;
	return 0;
}

void
vici_close(struct vici *v)
{
	static const struct vici_hooks none;

	if (!v)
		return;
	v->hooks = none;
	v->up = false;
	if (v->source.fd >= 0) {
		fail(v, -ECONNRESET);
		settle(v);
	}
	free(v);
}

int
vici_request(struct vici *v, const char *command, struct vici_message *m, vici_answer *done, void *context)
{
	struct request *q = NULL;
	int r = 0;

	if (m && !vici_message_ok(m))
		r = -EINVAL;
	else if (!vici_connected(v))
		r = -ENOTCONN;
	else if (!(q = request_make(CMD_REQUEST, command, m)))
		r = -ENOMEM;
	if (m)
		vici_message_clear(m);
	if (r != 0)
		return r;
	q->done = done;
	q->context = context;
	queue_put(v, q);
	if (v->first == q)
		send_first(v);
	return 0;
}

bool
vici_connected(const struct vici *v)
{
	return v->up && v->source.fd >= 0 && !v->failure;
}

int
vici_peer_pid(const struct vici *v)
{
	return v->pid;
}

uint32_t
vici_pending(const struct vici *v)
{
	return v->n;
}
