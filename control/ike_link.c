/* The plugin's socket. What is not understood ends the connection: both sides are of one version, or HELLO told.
 *
 * Answers that the socket does not take at once wait in a bounded queue. They carry no keys; what comes in may, so the
 * buffer is wiped after each record.
 */
#include "control/ike_link.h"

#include "control/unix_listen.h"
#include "drivers/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECORDS_PER_TURN 64
#define QUEUE_MAX 65536 /* records; ten thousand SAs that expire at once are one each */

struct queued {
	struct queued *next;
	size_t size;
	uint8_t bytes[];
};

struct ike_link {
	struct loop *loop;
	struct ike_link_handlers handlers;
	struct unix_listen place;
	struct loop_source listen, peer;
	struct queued *first, **last;
	uint32_t queued;
	_Alignas(8) uint8_t record[IKE_MESSAGE_MAX];
};

/* ---- shapes ------------------------------------------------------------------------- */

#define TEXT_ENDS(a) (memchr((a), '\0', sizeof(a)) != NULL)

static bool
family_known(uint8_t family)
{
	return family == 4 || family == 6;
}

static bool
id_sound(const struct ike_sa_id *id)
{
	return family_known(id->source.family) && id->source.family == id->destination.family;
}

static bool
selector_sound(const struct ike_selector *s)
{
	return family_known(s->family) && memcmp(s->first, s->last, s->family == 4 ? 4 : 16) <= 0;
}

static bool
selectors_sound(const struct ike_selector *s, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (!selector_sound(&s[i]))
			return false;
	return true;
}

static bool
add_sound(const void *body, size_t size)
{
	const struct ike_sa_add *a = body;
	uint32_t selectors;

	if (size < sizeof(*a) || a->n_source > IKE_SELECTORS_MAX || a->n_destination > IKE_SELECTORS_MAX)
		return false;
	selectors = (uint32_t)a->n_source + a->n_destination;
	return size == sizeof(*a) + selectors * sizeof(struct ike_selector) && id_sound(&a->id) &&
	       a->encryption_key_length <= IKE_KEY_MAX && a->integrity_key_length <= IKE_KEY_MAX &&
	       TEXT_ENDS(a->ike_name) && TEXT_ENDS(a->peer) &&
	       selectors_sound((const struct ike_selector *)(a + 1), selectors);
}

static bool
policy_sound(const void *body, size_t size)
{
	const struct ike_policy *p = body;

	return size == sizeof(*p) && p->dir <= IKE_POLICY_FWD && p->type <= IKE_POLICY_DROP &&
	       selector_sound(&p->source) && selector_sound(&p->destination);
}

static bool
texts_sound(enum ike_message_type type, const void *body)
{
	const struct ike_hello *hello = body;
	const struct ike_state *state = body;
	const struct ike_child_state *child = body;
	const struct ike_alert *alert = body;

	if (type == IKE_HELLO)
		return TEXT_ENDS(hello->strongswan) && TEXT_ENDS(hello->running);
	if (type == IKE_SA_STATE)
		return TEXT_ENDS(state->ike_name) && TEXT_ENDS(state->local_id) && TEXT_ENDS(state->remote_id) &&
		       TEXT_ENDS(state->proposal);
	if (type == IKE_CHILD_STATE)
		return TEXT_ENDS(child->child_name);
	return TEXT_ENDS(alert->ike_name) && TEXT_ENDS(alert->remote_id) && TEXT_ENDS(alert->text);
}

static bool
body_sound(enum ike_message_type type, const void *body, size_t size)
{
	const struct ike_sa_update *update = body;
	const struct ike_spi_get *spi = body;

	switch (type) {
	case IKE_HELLO:
		return size == sizeof(struct ike_hello) && texts_sound(type, body);
	case IKE_SYNCED:
	case IKE_SA_FLUSH:
	case IKE_POLICY_FLUSH:
		return size == 0;
	case IKE_SPI_GET:
		return size == sizeof(*spi) && family_known(spi->destination.family);
	case IKE_SA_ADD:
		return add_sound(body, size);
	case IKE_SA_UPDATE:
		return size == sizeof(*update) && id_sound(&update->id) && family_known(update->new_source.family) &&
		       update->new_source.family == update->new_destination.family;
	case IKE_SA_QUERY:
	case IKE_SA_DELETE:
		return size == sizeof(struct ike_sa_id) && id_sound(body);
	case IKE_POLICY_ADD:
	case IKE_POLICY_DELETE:
		return policy_sound(body, size);
	case IKE_SA_STATE:
		return size == sizeof(struct ike_state) && texts_sound(type, body);
	case IKE_CHILD_STATE:
		return size == sizeof(struct ike_child_state) && texts_sound(type, body);
	case IKE_ALERT:
		return size == sizeof(struct ike_alert) && texts_sound(type, body);
	case IKE_WELCOME:
	case IKE_REFUSE:
	case IKE_RESULT:
	case IKE_SPI_ANSWER:
	case IKE_SA_ANSWER:
	case IKE_EXPIRE:
	case IKE_ACQUIRE:
	case IKE_MAPPING:
		return false;
	}
	return false;
}

/* ---- the peer ----------------------------------------------------------------------- */

static void
peer_close(struct ike_link *l)
{
	if (l->peer.fd < 0)
		return;
	loop_remove(l->loop, &l->peer);
	while (l->first) {
		struct queued *q = l->first;

		l->first = q->next;
		free(q);
	}
	l->last = &l->first;
	l->queued = 0;
	l->handlers.gone(l->handlers.context);
}

/* 0, or -errno: -EAGAIN, the socket is full. */
static int
record_send(int fd, const void *record, size_t size)
{
	return send(fd, record, size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size ? 0 : -errno;
}

static void
queue_flush(struct ike_link *l)
{
	int r = 0;

	while (l->first && r == 0) {
		struct queued *q = l->first;

		r = record_send(l->peer.fd, q->bytes, q->size);
		if (r != 0)
			break;
		l->first = q->next;
		if (!l->first)
			l->last = &l->first;
		l->queued--;
		free(q);
	}
	if (r != 0 && r != -EAGAIN)
		peer_close(l);
	else if (!l->first)
		loop_change(l->loop, &l->peer, EPOLLIN);
}

static void
queue_add(struct ike_link *l, const void *record, size_t size)
{
	struct queued *q = l->queued < QUEUE_MAX ? malloc(sizeof(*q) + size) : NULL;

	if (!q) {
		log_error("ike", "charon's plugin does not read its answers: the connection is closed");
		peer_close(l);
		return;
	}
	q->next = NULL;
	q->size = size;
	memcpy(q->bytes, record, size);
	*l->last = q;
	l->last = &q->next;
	if (l->queued++ == 0)
		loop_change(l->loop, &l->peer, EPOLLIN | EPOLLOUT);
}

/* False: the connection is over. */
static bool
record_take(struct ike_link *l, ssize_t size)
{
	const struct ike_header *h = (const struct ike_header *)l->record;
	const void *body = h + 1;
	bool sound;

	sound = size >= (ssize_t)sizeof(*h) && h->length == (size_t)size &&
		body_sound(h->type, body, (size_t)size - sizeof(*h));
	if (sound)
		l->handlers.message(l->handlers.context, h, body);
	else
		log_error("ike", "charon's plugin sent a record of %zd bytes that is not of the protocol (type %u)",
			size, size >= 2 ? h->type : 0);
	explicit_bzero(l->record, (size_t)size);
	if (!sound)
		peer_close(l);
	return l->peer.fd >= 0;
}

static void
peer_read(struct ike_link *l)
{
	for (int i = 0; i < RECORDS_PER_TURN; i++) {
		ssize_t size = recv(l->peer.fd, l->record, sizeof(l->record), MSG_DONTWAIT | MSG_TRUNC);

		if (size < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (size <= 0 || size > (ssize_t)sizeof(l->record)) {
			peer_close(l);
			return;
		}
		if (!record_take(l, size))
			return;
	}
}

static void
peer_ready(void *context, uint32_t events)
{
	struct ike_link *l = context;

	if (events & EPOLLOUT)
		queue_flush(l);
	if (l->peer.fd >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		peer_read(l);
}

/* A second charon would not know what the first one did; one that died is noticed before its successor comes. */
static void
listen_ready(void *context, uint32_t events)
{
	struct ike_link *l = context;
	int fd = accept4(l->listen.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return;
	if (!unix_peer_allowed(fd) || l->peer.fd >= 0) {
		log_warning("ike", "a second plugin, or one of a stranger, is turned away");
		close(fd);
		return;
	}
	l->peer.fd = fd;
	if (loop_add(l->loop, &l->peer, EPOLLIN) != 0) {
		close(fd);
		l->peer.fd = -1;
	}
}

/* ---- outside ------------------------------------------------------------------------ */

void
ike_link_send(
	struct ike_link *l, enum ike_message_type type, uint16_t result, uint64_t serial, const void *body, size_t size)
{
	struct {
		struct ike_header h;
		uint8_t body[512];
	} record;

	_Static_assert(sizeof(struct ike_welcome) <= 512 && sizeof(struct ike_refuse) <= 512, "what we say fits");
	if (l->peer.fd < 0 || size > sizeof(record.body))
		return;
	record.h = (struct ike_header){.type = (uint16_t)type,
		.result = result,
		.length = (uint32_t)(sizeof(record.h) + size),
		.serial = serial};
	if (size)
		memcpy(record.body, body, size);
	if (l->first || record_send(l->peer.fd, &record, record.h.length) != 0)
		queue_add(l, &record, record.h.length);
}

void
ike_link_refuse(struct ike_link *l, const char *why)
{
	struct ike_refuse r = {{0}};

	snprintf(r.why, sizeof(r.why), "%s", why);
	ike_link_send(l, IKE_REFUSE, 0, 0, &r, sizeof(r));
	peer_close(l);
}

bool
ike_link_up(const struct ike_link *l)
{
	return l->peer.fd >= 0;
}

int
ike_link_start(const char *path, struct loop *loop, const struct ike_link_handlers *handlers, struct ike_link **out,
	char *error, size_t n)
{
	struct ike_link *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->loop = loop;
	l->handlers = *handlers;
	l->last = &l->first;
	l->peer = (struct loop_source){-1, peer_ready, l};
	r = unix_listen_open(&l->place, path, SOCK_SEQPACKET, error, n);
	l->listen = (struct loop_source){l->place.fd, listen_ready, l};
	if (r == 0)
		r = loop_add(loop, &l->listen, EPOLLIN);
	if (r != 0) {
		ike_link_stop(l);
		return r;
	}
	*out = l;
	return 0;
}

void
ike_link_stop(struct ike_link *l)
{
	if (!l)
		return;
	peer_close(l);
	loop_remove(l->loop, &l->listen);
	unix_listen_remove(&l->place);
	free(l);
}
