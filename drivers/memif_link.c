/* The thread of a memif link: finds a peer, agrees with it, waits for the end, begins again. */
#include "drivers/memif_link.h"
#include "drivers/log.h"
#include "drivers/memif_agree.h"
#include "drivers/memif_channel.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define RETRY_MS 200

/* ---- rings ------------------------------------------------------------------------ */

void
memif_end_attach(struct memif_end *e, const struct memif_end *as)
{
	rte_spinlock_lock(&e->lock);
	e->event = as->event;
	e->size = as->size;
	e->at = 0;
	e->bias = as->bias;
	e->ours = as->ours;
	e->theirs = as->theirs;
	e->region = as->region;
	e->n_regions = as->n_regions;
	e->own_offset = as->own_offset;
	e->buffer_size = as->buffer_size;
	e->ring = as->ring;
	rte_spinlock_unlock(&e->lock);
}

static void
end_detach(struct memif_end *e)
{
	int event;

	rte_spinlock_lock(&e->lock);
	event = e->event;
	e->ring = NULL;
	e->event = -1;
	rte_spinlock_unlock(&e->lock);
	if (event >= 0)
		close(event);
}

/* No worker is inside a ring once it was detached under its lock. */
static void
link_drop(struct memif_link *l)
{
	__atomic_store_n(&l->n_send, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&l->n_receive, 0, __ATOMIC_RELEASE);
	for (uint16_t i = 0; i < MEMIF_RINGS_MAX; i++) {
		end_detach(&l->send[i]);
		end_detach(&l->receive[i]);
	}
	for (uint16_t i = 0; i < l->n_regions; i++)
		munmap(l->region[i].base, l->region[i].size);
	l->n_regions = 0;
}

/* ---- the thread ------------------------------------------------------------------- */

static const char *
end_text(int r)
{
	switch (r) {
	case -ECANCELED:
		return "we stop";
	case -ESHUTDOWN:
		return "goodbye";
	case -ECONNRESET:
		return "the peer is gone";
	case -EPROTO:
		return "the peer does not keep to the protocol";
	}
	return strerror(-r);
}

static void
end_report(const struct memif_link *l, int fd, int r, const struct memif_message *m)
{
	memif_say_goodbye(fd, end_text(r));
	if (r == -ESHUTDOWN)
		log_info("port", "%s: memif link ended: the peer says '%.*s'", l->name,
			(int)sizeof m->disconnect.reason, m->disconnect.reason);
	else
		log_info("port", "%s: memif link ended: %s", l->name, end_text(r));
}

/* From the first message to the last. A server may say that it can do more rings than it then
 * takes (DPDK's does): offer half the next time. */
static void
conversation(struct memif_link *l, int fd)
{
	struct memif_message m = {0};
	int passed, r = l->server ? memif_server_agree(l, fd, &m) : memif_client_agree(l, fd, &m);

	if (r == 0) {
		log_info("port", "%s: memif link is up, %u rings to send, %u to receive", l->name, l->n_send,
			l->n_receive);
		r = memif_receive(fd, l->stop, -1, &m, &passed);
		if (passed >= 0)
			close(passed);
		if (r == 0)
			r = -EPROTO;
		l->offered = l->queues;
	} else if (r == -ESHUTDOWN) {
		l->offered = l->offered > 1 ? l->offered / 2 : l->queues;
	}
	link_drop(l);
	end_report(l, fd, r, &m);
}

static bool
is_stopped(const struct memif_link *l, int timeout_ms)
{
	struct pollfd wait = {.fd = l->stop, .events = POLLIN};

	return poll(&wait, 1, timeout_ms) > 0;
}

static int
peer_connect(const struct memif_link *l)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	memcpy(to.sun_path, l->path, sizeof to.sun_path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* One peer at a time: the next waits in the backlog until this one is gone. */
static int
peer_accept(const struct memif_link *l)
{
	struct pollfd wait[] = {{.fd = l->listener, .events = POLLIN}, {.fd = l->stop, .events = POLLIN}};

	if (poll(wait, 2, -1) <= 0 || wait[1].revents)
		return -1;
	return accept4(l->listener, NULL, NULL, SOCK_CLOEXEC);
}

static void *
link_run(void *context)
{
	struct memif_link *l = context;

	while (!is_stopped(l, 0)) {
		int fd = l->server ? peer_accept(l) : peer_connect(l);

		if (fd >= 0) {
			conversation(l, fd);
			close(fd);
		}
		/* A peer that fails at once must not keep us busy. */
		is_stopped(l, RETRY_MS);
	}
	return NULL;
}

/* ---- life ------------------------------------------------------------------------- */

int
memif_link_open(struct memif_link *l, char *error, size_t n)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int r;

	if (!l->server && memif_client_memory(l, l->queues) > UINT32_MAX) {
		snprintf(error, n, "%u queues of %u buffers of %u bytes do not fit 4 GB", l->queues, 1u << l->log2_size,
			l->buffer_size);
		return -E2BIG;
	}
	l->listener = -1;
	l->offered = l->queues;
	l->stop = eventfd(0, EFD_CLOEXEC);
	if (l->stop < 0)
		return -errno;
	for (uint16_t i = 0; i < MEMIF_RINGS_MAX; i++) {
		rte_spinlock_init(&l->send[i].lock);
		rte_spinlock_init(&l->receive[i].lock);
		l->send[i].event = l->receive[i].event = -1;
	}
	if (!l->server)
		return 0;

	memcpy(at.sun_path, l->path, sizeof at.sun_path);
	l->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->listener >= 0 && bind(l->listener, (struct sockaddr *)&at, sizeof at) == 0 &&
		listen(l->listener, 4) == 0)
		return 0;
	r = -errno;
	snprintf(error, n, "socket '%s': %s", l->path, strerror(-r));
	close(l->listener);
	close(l->stop);
	return r;
}

int
memif_link_start(struct memif_link *l)
{
	sigset_t all, before;
	uint64_t count;
	int r;

	/* A stop before this start left its mark. */
	if (is_stopped(l, 0) && read(l->stop, &count, sizeof count) < 0)
		return -errno;
	/* Signals are the control thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = -pthread_create(&l->thread, NULL, link_run, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	l->running = r == 0;
	return r;
}

void
memif_link_stop(struct memif_link *l)
{
	if (!l->running)
		return;
	if (eventfd_write(l->stop, 1) == 0)
		pthread_join(l->thread, NULL);
	l->running = false;
}

void
memif_link_close(struct memif_link *l)
{
	memif_link_stop(l);
	if (l->server) {
		close(l->listener);
		unlink(l->path);
	}
	close(l->stop);
}

bool
memif_link_is_up(const struct memif_link *l)
{
	return __atomic_load_n(&l->n_send, __ATOMIC_ACQUIRE) > 0;
}
