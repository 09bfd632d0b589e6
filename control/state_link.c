#include "control/state_link.h"

#include "control/state_tls.h"
#include "control/state_wire.h"
#include "drivers/clock.h"
#include "drivers/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define MILLI_NS 1000000ull
#define SECOND_NS 1000000000ull
#define GREETING_NS (3 * SECOND_NS) /* from the connection to the other one's greeting */
#define RETRY_NS (SECOND_NS / 2)
#define ALIVE_NS SECOND_NS
#define SILENT_NS (5 * SECOND_NS)
#define LOOK_NS (50 * MILLI_NS) /* at the table of flows, */
#define NEIGHBOURS_MAX 4096     /* told at once; in a mailbox */
#define NEIGHBOUR_AGE_S 60      /* seen by us within */
#define LOOK_SHARE 10           /* for a tenth of the time at most */

/* Neighbours on their way between the threads. */
struct mailbox {
	struct state_neighbour *of; /* NEIGHBOURS_MAX */
	uint32_t n;
};

struct state_link {
	/* constant */
	char node[NODE_MAX + 1];
	struct ip_addr local, peer;
	uint16_t port;
	bool client;
	struct state_tls *tls;
	struct names *names;
	struct dataplane *dp;
	int wake;
	pthread_t thread;
	atomic_bool stop, reaches;

	/* the thread's */
	int listener;
	uint64_t retry_ns, look_ns, alive_ns; /* what is due then */
	struct state_flows *flows;
	struct mailbox sending;
	struct wire *now, *next; /* in use; not greeted yet */

	pthread_mutex_t lock;
	struct interface_names *interfaces; /* given, not taken yet */
	struct mailbox out, in;             /* from control, to control */
	struct state_link_status status;
};

/* ---- words ------------------------------------------------------------------------------ */

static void fail(struct state_link *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Logged when it is another error than the last one. */
static void
fail(struct state_link *l, const char *format, ...)
{
	char text[sizeof(l->status.error)];
	va_list arguments;
	bool anew;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	pthread_mutex_lock(&l->lock);
	anew = strcmp(l->status.error, text) != 0;
	memcpy(l->status.error, text, sizeof(text));
	pthread_mutex_unlock(&l->lock);
	if (anew)
		log_warning("state", "%s", text);
}

static void
told(struct state_link *l)
{
	pthread_mutex_lock(&l->lock);
	l->status.connected = l->now->greeted;
	l->status.reaches = l->now->greeted && l->now->reaches;
	state_flows_count(l->flows, &l->status.flows);
	pthread_mutex_unlock(&l->lock);
}

/* ---- a connection ----------------------------------------------------------------------- */

/* Why it ended, if it matters. */
static void
lose(struct state_link *l, struct wire *w, const char *why)
{
	bool greeted = w->greeted;

	wire_close(w);
	l->retry_ns = clock_boot_ns() + RETRY_NS;
	fail(l, "%s: %s", greeted ? w->node : "the other node", why);
}

/* The newest one that was greeted is the link; what it knows is told anew. */
static void
promote(struct state_link *l)
{
	struct wire *w = l->next;

	wire_close(l->now);
	l->next = l->now;
	l->now = w;
	state_flows_restart(l->flows);
	l->look_ns = l->alive_ns = 0;
	pthread_mutex_lock(&l->lock);
	l->status.connected = true;
	l->status.connections++;
	l->status.since_ns = clock_boot_ns();
	l->status.error[0] = '\0';
	snprintf(l->status.node, sizeof(l->status.node), "%s", w->node);
	pthread_mutex_unlock(&l->lock);
	log_notice("state", "connected to node %s", w->node);
}

/* The last ones that control gave. */
static size_t
neighbours_fill(struct state_link *l, uint8_t *out)
{
	struct mailbox empty = l->sending;
	uint32_t n;

	if (l->sending.n == 0) {
		pthread_mutex_lock(&l->lock);
		l->sending = l->out;
		l->out = empty;
		pthread_mutex_unlock(&l->lock);
	}
	n = l->sending.n < STATE_NEIGHBOURS_MAX ? l->sending.n : STATE_NEIGHBOURS_MAX;
	l->sending.n -= n;
	return n > 0 ? state_neighbours_fill(l->flows, l->sending.of + l->sending.n, n, out) : 0;
}

/* More than control takes are lost: they come again. */
static void
neighbour_heard(void *link, const struct state_neighbour *n)
{
	struct state_link *l = link;

	pthread_mutex_lock(&l->lock);
	if (l->in.n < NEIGHBOURS_MAX)
		l->in.of[l->in.n++] = *n;
	pthread_mutex_unlock(&l->lock);
}

/* Also at once when what it says is new. */
static void
alive_fill(struct state_link *l, struct wire *w)
{
	*state_frame_begin(w->out, STATE_ALIVE, 1) = atomic_load_explicit(&l->reaches, memory_order_relaxed);
	w->out_n = STATE_HEADER + 1;
	l->alive_ns = clock_boot_ns() + ALIVE_NS;
}

/* Nothing waits to be sent: what is new goes out, or a sign of life. */
static void
collect(struct state_link *l, struct wire *w, uint64_t now_ns)
{
	bool round = false;

	if (w->out_at < w->out_n || !w->greeted)
		return;
	w->out_n = w->out_at = 0;
	if (now_ns >= l->alive_ns) {
		alive_fill(l, w);
		return;
	}
	if (now_ns >= l->look_ns) {
		w->out_n = state_flows_fill(l->flows, w->out, &round);
		if (round)
			l->look_ns = clock_boot_ns() + LOOK_NS + LOOK_SHARE * (clock_boot_ns() - now_ns);
	}
	if (w->out_n == 0)
		w->out_n = neighbours_fill(l, w->out);
}

/* What has come, and what there is to say. */
static int
talk(struct state_link *l, struct wire *w)
{
	bool more = true;
	int r = 0;

	while (r == 0 && more) {
		r = wire_hear(w, l->node, l->flows, &more);
		if (r == 0 && w->greeted && w == l->next)
			promote(l);
	}
	if (r == 0 && w == l->now)
		collect(l, w, clock_boot_ns());
	return r == 0 ? wire_say(w) : r;
}

static void
serve(struct state_link *l, struct wire *w)
{
	int r = w->shaken ? 0 : wire_shake(w, l->node);

	if (r == 0 && w->shaken)
		r = talk(l, w);
	if (r != 0)
		lose(l, w, wire_reason(r));
}

static void
patience(struct state_link *l, struct wire *w, uint64_t now_ns)
{
	if (w->session && !w->greeted && now_ns > w->since_ns + GREETING_NS)
		lose(l, w, w->connecting ? "it does not answer" : "no greeting within 3 s");
	else if (w->session && w->greeted && now_ns > w->heard_ns + SILENT_NS)
		lose(l, w, "silent for 5 s");
}

/* ---- coming to one ---------------------------------------------------------------------- */

static void
listen_begin(struct state_link *l)
{
	int fd = wire_socket(&l->local, l->port), r = fd < 0 ? fd : 0;

	if (r == 0 && listen(fd, 4) != 0)
		r = -errno;
	if (r == 0) {
		l->listener = fd;
		return;
	}
	if (fd >= 0)
		close(fd);
	fail(l, "its own address cannot be listened at: %s", strerror(-r));
	l->retry_ns = clock_boot_ns() + RETRY_NS;
}

static void
peer_accept(struct state_link *l)
{
	struct sockaddr_storage from;
	socklen_t n = sizeof(from);
	int fd = accept4(l->listener, (struct sockaddr *)&from, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
	const int one = 1;

	if (fd < 0)
		return;
	if (!wire_is_from(&l->peer, &from)) {
		close(fd);
		fail(l, "a connection from an address that is not the other node's");
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	wire_open(l->next, l->tls, fd, false, false);
}

static void
peer_connect(struct state_link *l)
{
	int fd = wire_socket(&l->local, 0), r = fd < 0 ? fd : 0;
	struct sockaddr_storage to;
	socklen_t n = wire_socket_address(&l->peer, l->port, &to);

	l->retry_ns = clock_boot_ns() + RETRY_NS;
	if (r == 0 && connect(fd, (struct sockaddr *)&to, n) != 0 && errno != EINPROGRESS)
		r = -errno;
	if (r == 0) {
		wire_open(l->next, l->tls, fd, true, true);
		return;
	}
	if (fd >= 0)
		close(fd);
	fail(l, "the other node is not reached: %s", strerror(-r));
}

/* ---- the thread ------------------------------------------------------------------------- */

static void
world_take(struct state_link *l)
{
	struct interface_names *given;

	pthread_mutex_lock(&l->lock);
	given = l->interfaces;
	l->interfaces = NULL;
	pthread_mutex_unlock(&l->lock);
	if (given)
		state_flows_interfaces(l->flows, given);
}

static void
wait(struct state_link *l)
{
	struct wire *wire[] = {l->now, l->next};
	struct pollfd p[4] = {{.fd = l->wake, .events = POLLIN}, {.fd = l->listener, .events = POLLIN}};
	uint64_t count;

	for (int i = 0; i < 2; i++) {
		p[2 + i].fd = wire_fd(wire[i]);
		p[2 + i].events = wire[i]->session ? wire_events(wire[i]) : 0;
	}
	poll(p, 4, LOOK_NS / MILLI_NS);
	if (p[0].revents && read(l->wake, &count, sizeof(count)) < 0)
		return;
	if (p[1].revents & POLLIN)
		peer_accept(l);
	for (int i = 0; i < 2; i++)
		if (wire[i]->session && (!wire[i]->connecting || p[2 + i].revents))
			serve(l, wire[i]);
}

static void *
link_main(void *link)
{
	struct state_link *l = link;

	while (!atomic_load_explicit(&l->stop, memory_order_acquire)) {
		uint64_t now_ns = clock_boot_ns();

		world_take(l);
		if (!l->client && l->listener < 0 && now_ns >= l->retry_ns)
			listen_begin(l);
		if (l->client && !l->now->session && !l->next->session && now_ns >= l->retry_ns)
			peer_connect(l);
		wait(l);
		patience(l, l->now, clock_boot_ns());
		patience(l, l->next, clock_boot_ns());
		told(l);
	}
	return NULL;
}

/* ---- control ---------------------------------------------------------------------------- */

void
state_link_world(struct state_link *l, const struct world *w)
{
	struct interface_names *made = interface_names_of(w, l->names), *old;
	const uint64_t one = 1;

	if (!made)
		return;
	pthread_mutex_lock(&l->lock);
	old = l->interfaces;
	l->interfaces = made;
	pthread_mutex_unlock(&l->lock);
	interface_names_free(old);
	if (write(l->wake, &one, sizeof(one)) < 0)
		log_debug("state", "the link hears of it a moment later");
}

/* Under the lock. */
static void
neighbour_put(void *link, const struct neighbour_info *i)
{
	struct state_link *l = link;

	if (i->state != NEIGHBOUR_REACHABLE || i->age_s > NEIGHBOUR_AGE_S)
		return;
	l->out.of[l->out.n++] = (struct state_neighbour){i->iface, i->address, i->mac};
}

void
state_link_neighbours(struct state_link *l)
{
	pthread_mutex_lock(&l->lock);
	l->out.n = 0;
	dataplane_neighbours(l->dp, NEIGHBOURS_MAX, neighbour_put, l);
	for (uint32_t i = 0; i < l->in.n; i++)
		dataplane_neighbour_heard(l->dp, l->in.of[i].iface, &l->in.of[i].address, &l->in.of[i].mac);
	l->in.n = 0;
	pthread_mutex_unlock(&l->lock);
}

void
state_link_reaches(struct state_link *l, bool reaches)
{
	atomic_store_explicit(&l->reaches, reaches, memory_order_relaxed);
}

void
state_link_status(struct state_link *l, struct state_link_status *s)
{
	pthread_mutex_lock(&l->lock);
	*s = l->status;
	pthread_mutex_unlock(&l->lock);
}

static void
link_free(struct state_link *l)
{
	for (int i = 0; i < 2; i++) {
		struct wire *w = i ? l->next : l->now;

		if (w)
			wire_close(w);
		free(w);
	}
	if (l->listener >= 0)
		close(l->listener);
	if (l->wake >= 0)
		close(l->wake);
	state_flows_free(l->flows);
	state_tls_free(l->tls);
	interface_names_free(l->interfaces);
	free(l->in.of);
	free(l->out.of);
	free(l->sending.of);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

void
state_link_stop(struct state_link *l)
{
	const uint64_t one = 1;

	if (!l)
		return;
	atomic_store_explicit(&l->stop, true, memory_order_release);
	if (write(l->wake, &one, sizeof(one)) < 0)
		log_debug("state", "the link ends a moment later");
	pthread_join(l->thread, NULL);
	link_free(l);
}

int
state_link_start(const struct cfg_ha *ha, struct dataplane *dp, struct names *names, struct state_link **out,
	char *error, size_t n)
{
	struct state_link *l = calloc(1, sizeof(*l));
	int r = -ENOMEM;

	if (!l)
		return r;
	pthread_mutex_init(&l->lock, NULL);
	snprintf(l->node, sizeof(l->node), "%s", ha->node);
	l->local = ha->peer.local;
	l->peer = ha->peer.address;
	l->port = ha->peer.port;
	l->client = memcmp(l->local.b, l->peer.b, sizeof(l->local.b)) < 0;
	l->names = names;
	l->dp = dp;
	l->listener = -1;
	l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	l->tls = state_tls_create(ha->peer.key, ha->peer.key_len);
	l->flows = state_flows_create(dp, names, neighbour_heard, l);
	l->in.of = calloc(NEIGHBOURS_MAX, sizeof(*l->in.of));
	l->out.of = calloc(NEIGHBOURS_MAX, sizeof(*l->out.of));
	l->sending.of = calloc(NEIGHBOURS_MAX, sizeof(*l->sending.of));
	l->now = calloc(1, sizeof(*l->now));
	l->next = calloc(1, sizeof(*l->next));
	if (l->wake >= 0 && l->tls && l->flows && l->now && l->next && l->in.of && l->out.of && l->sending.of)
		r = -pthread_create(&l->thread, NULL, link_main, l);
	if (r == 0) {
		*out = l;
		return 0;
	}
	snprintf(error, n, "the link between nodes: %s", strerror(-r));
	link_free(l);
	return r;
}
