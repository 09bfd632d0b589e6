/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The connection to isthmusd; see link.h.
 *
 * isthmusd may be late, restart, or hang: the thread tries again and again, first after 50 ms, then after up to 2 s,
 * and charon's threads wait in requests.c meanwhile. A refusal (another version on the other end) is tried again
 * slowly, as only an installation changes it. Whatever arrives that the protocol does not allow ends the connection,
 * not charon.
 */
#include "control/strongswan/link.h"

#include "control/strongswan/events.h"
#include "control/strongswan/version.h"
#include "control/strongswan/wire.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <threading/thread.h>
#include <unistd.h>

#define RETRY_FIRST_MS 50
#define RETRY_LAST_MS 2000
#define RETRY_REFUSED_MS 10000
#define FAREWELL_NS 1000000000ull

struct link {
	struct sockaddr_un address;
	struct requests *requests;
	thread_t *thread;
	int fd, wake_fd;
	bool welcomed, full, refused, stop;
	bool told; /* that isthmusd cannot be reached */
	uint32_t timeout_ms, retry_ms;
	uint64_t instance, epoch;
	uint64_t deadline; /* of the greeting, or of the farewell; 0 = none */
	uint64_t next_try, dead_next;
	_Alignas(8) uint8_t out[IKE_MESSAGE_MAX], in[IKE_MESSAGE_MAX];
};

static void
wake(void *arg)
{
	struct link *l = arg;

	eventfd_write(l->wake_fd, 1);
}

static void
disconnect(struct link *l)
{
	if (l->welcomed)
		DBG1(DBG_KNL, "isthmus: connection to isthmusd lost");
	else if (!l->told && !l->refused) {
		DBG1(DBG_KNL, "isthmus: isthmusd at %s does not answer the greeting; trying again",
			l->address.sun_path);
		l->told = true;
	}
	close(l->fd);
	l->fd = -1;
	l->welcomed = l->full = false;
	l->deadline = 0;
	l->next_try = wire_now() + (l->refused ? RETRY_REFUSED_MS : l->retry_ms) * 1000000ull;
	requests_lost(l->requests);
}

/* Only isthmusd, which is root or the same user, may have our keys. */
static int
check_peer(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		return -errno;
	return peer.uid == 0 || peer.uid == geteuid() ? 0 : -EPERM;
}

static int
hello(struct link *l)
{
	struct {
		struct ike_header header;
		struct ike_hello hello;
	} m = {.header = {.type = IKE_HELLO, .length = sizeof(m)},
		.hello = {.version = IKE_PROTOCOL_VERSION, .instance = l->instance, .epoch = l->epoch}};

	wire_text(m.hello.strongswan, sizeof(m.hello.strongswan), "%s", version_built());
	wire_text(m.hello.running, sizeof(m.hello.running), "%s", version_running());
	return send(l->fd, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(m) ? 0 : -errno;
}

static int
connect_once(struct link *l)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error;

	if (fd < 0)
		return -errno;
	error = connect(fd, (struct sockaddr *)&l->address, sizeof(l->address)) == 0 ? check_peer(fd) : -errno;
	if (error) {
		close(fd);
		return error;
	}
	l->fd = fd;
	l->deadline = wire_now() + l->timeout_ms * 1000000ull;
	return hello(l);
}

/* One attempt; the next one is due after retry_ms. */
static void
try(struct link *l)
{
	int error = connect_once(l);

	l->retry_ms = l->retry_ms ? l->retry_ms * 2 : RETRY_FIRST_MS;
	if (l->retry_ms > RETRY_LAST_MS)
		l->retry_ms = RETRY_LAST_MS;
	l->next_try = wire_now() + l->retry_ms * 1000000ull;
	if (!error)
		return;
	if (!l->told)
		DBG1(DBG_KNL, "isthmus: isthmusd cannot be reached at %s: %s; trying again", l->address.sun_path,
			strerror(-error));
	l->told = true;
	if (l->fd >= 0)
		disconnect(l);
}

static int
welcome(struct link *l, const struct ike_header *h)
{
	const struct ike_welcome *w = (const void *)(h + 1);
	bool same;

	if (l->welcomed || h->length != sizeof(*h) + sizeof(*w) || w->version != IKE_PROTOCOL_VERSION)
		return -EPROTO;
	same = l->epoch == w->epoch;
	DBG1(DBG_KNL, "isthmus: connected to isthmusd of appliance %.*s%s", IKE_TEXT_MAX, w->appliance,
		!l->epoch ? ""
		: same    ? " again"
			  : ", which was restarted");
	l->epoch = w->epoch;
	l->welcomed = true;
	l->refused = l->told = false;
	l->deadline = 0;
	l->retry_ms = 0;
	requests_connected(l->requests);
	return 0;
}

static int
refuse(struct link *l, const struct ike_header *h)
{
	const struct ike_refuse *r = (const void *)(h + 1);

	if (h->length != sizeof(*h) + sizeof(*r))
		return -EPROTO;
	DBG1(DBG_KNL, "isthmus: isthmusd refuses this charon: %.*s", (int)sizeof(r->why), r->why);
	l->refused = true;
	return -ECONNREFUSED;
}

/* isthmusd knows nothing of these SAs any more. */
static void
expire_dead(struct link *l)
{
	struct ike_sa_id sa;

	while (requests_dead(l->requests, &sa, &l->dead_next)) {
		DBG1(DBG_KNL, "isthmus: isthmusd cannot go on with SA %08x, it is replaced", sa.spi);
		events_expire(&sa, true);
	}
}

static int
dispatch(struct link *l, const struct ike_header *h, size_t size)
{
	if (size < sizeof(*h) || h->length != size)
		return -EPROTO;
	if (h->type == IKE_WELCOME)
		return welcome(l, h);
	if (h->type == IKE_REFUSE)
		return refuse(l, h);
	if (!l->welcomed)
		return -EPROTO;
	return h->type >= IKE_EXPIRE ? events_dispatch(h) : requests_answer(l->requests, h);
}

/* One record. -EAGAIN: none is there; -ECONNRESET: the end. */
static int
receive(struct link *l)
{
	ssize_t n = recv(l->fd, l->in, sizeof(l->in), MSG_DONTWAIT | MSG_TRUNC);
	int error;

	if (n < 0)
		return errno == EWOULDBLOCK || errno == EINTR ? -EAGAIN : -errno;
	if (n == 0)
		return -ECONNRESET;
	error = (size_t)n > sizeof(l->in) ? -EPROTO : dispatch(l, (const struct ike_header *)l->in, (size_t)n);
	if (error == -EPROTO)
		DBG1(DBG_KNL, "isthmus: a record of isthmusd that the protocol does not know (%zd bytes)", n);
	return error;
}

static void
receive_all(struct link *l)
{
	int error = 0;

	for (int i = 0; i < 256 && !error; i++)
		error = receive(l);
	if (error && error != -EAGAIN)
		disconnect(l);
}

static void
send_all(struct link *l)
{
	bool idle = false;
	int error = 0;

	while (!idle && !error)
		error = requests_send(l->requests, l->fd, l->out, &idle);
	l->full = error == -EAGAIN;
	if (error && !l->full)
		disconnect(l);
}

static int
wait_ms(const struct link *l)
{
	uint64_t now = wire_now(), until = l->fd < 0 ? l->next_try : l->deadline;

	if (l->dead_next && (!until || l->dead_next < until))
		until = l->dead_next;
	if (!until)
		return -1;
	return until > now ? (int)((until - now) / 1000000 + 1) : 0;
}

static void
sleep_until_work(struct link *l)
{
	struct pollfd p[2] = {{.fd = l->wake_fd, .events = POLLIN},
		{.fd = l->fd, .events = (short)(l->full ? POLLIN | POLLOUT : POLLIN)}};
	eventfd_t n;

	poll(p, 2, wait_ms(l));
	eventfd_read(l->wake_fd, &n);
}

/* charon has deleted its SAs: isthmusd is to know before the connection ends. Its answers are waited for, as an
 * isthmusd that cannot send one might not read what is behind it. */
static void
farewell(struct link *l)
{
	l->deadline = wire_now() + FAREWELL_NS;
	while (l->fd >= 0 && l->welcomed && wire_now() < l->deadline) {
		send_all(l);
		if (l->fd < 0 || requests_settled(l->requests))
			return;
		sleep_until_work(l);
		receive_all(l);
	}
}

static void *
run(void *arg)
{
	struct link *l = arg;

	thread_cancelability(FALSE);
	while (!__atomic_load_n(&l->stop, __ATOMIC_ACQUIRE)) {
		if (l->fd < 0 && wire_now() >= l->next_try)
			try(l);
		sleep_until_work(l);
		if (l->fd >= 0)
			receive_all(l);
		expire_dead(l);
		if (l->fd >= 0 && l->welcomed)
			send_all(l);
		if (l->fd >= 0 && l->deadline && wire_now() > l->deadline)
			disconnect(l);
	}

	farewell(l);
	return NULL;
}

struct link *
link_open(const char *path, uint32_t timeout_ms)
{
	struct link *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->fd = -1;
	l->timeout_ms = timeout_ms;
	l->address.sun_family = AF_UNIX;
	wire_text(l->address.sun_path, sizeof(l->address.sun_path), "%s", path);
	l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	l->requests = requests_new(timeout_ms, wake, l);
	mlock(l->out, sizeof(l->out));
	if (getrandom(&l->instance, sizeof(l->instance), 0) == sizeof(l->instance) && l->requests && l->wake_fd >= 0)
		l->thread = thread_create(run, l);
	if (!l->thread) {
		link_close(l);
		return NULL;
	}
	return l;
}

void
link_close(struct link *l)
{
	if (!l)
		return;
	if (l->thread) {
		__atomic_store_n(&l->stop, true, __ATOMIC_RELEASE);
		requests_shut(l->requests);
		wake(l);
		l->thread->join(l->thread);
	}
	if (l->fd >= 0)
		close(l->fd);
	if (l->wake_fd >= 0)
		close(l->wake_fd);
	requests_free(l->requests);
	munlock(l->out, sizeof(l->out));
	free(l);
}

struct requests *
link_requests(struct link *l)
{
	return l->requests;
}
