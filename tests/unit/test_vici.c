/* The connection to charon: a peer on a socketpair answers, lies, stays silent and goes away. */
#include "control/vici.h"

#include "drivers/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct heard {
	unsigned ups, downs, events, answers;
	int result;
	char event[64], body[64], error[128];
	bool success, again;
	struct vici *v;
};

struct scene {
	struct loop loop;
	struct vici *v;
	int peer;
	struct heard heard;
};

static const char *const EVENTS[] = {"ike-updown", "child-updown", NULL};

static void
on_up(void *context)
{
	((struct heard *)context)->ups++;
}

static void
on_down(void *context)
{
	((struct heard *)context)->downs++;
}

static void
on_event(void *context, const char *name, const struct vici_body *b)
{
	struct heard *h = context;

	h->events++;
	snprintf(h->event, sizeof h->event, "%s", name);
	vici_get(b, "key", h->body, sizeof h->body);
}

static void
on_answer(void *context, int result, const struct vici_body *b)
{
	struct heard *h = context;

	h->answers++;
	h->result = result;
	h->success = vici_succeeded(result, b, h->error, sizeof h->error);
	/* a caller may ask on from its answer */
	if (h->again) {
		h->again = false;
		vici_request(h->v, "stats", NULL, on_answer, h);
	}
}

static uint32_t
no_poll(void *context)
{
	(void)context;
	return 0;
}

static void
nothing(void *context)
{
	(void)context;
}

/* What is ready now is served. */
static void
turn(struct scene *s)
{
	struct epoll_event e[4];

	for (int round = 0; round < 50; round++) {
		int n = epoll_wait(s->loop.epoll, e, 4, 0);

		for (int i = 0; i < n; i++) {
			struct loop_source *source = e[i].data.ptr;

			if (source->fd >= 0 && source != &s->loop.timer_source)
				source->ready(source->context, e[i].events);
		}
	}
}

static void
peer_send(struct scene *s, const void *data, size_t n)
{
	assert_int_equal(send(s->peer, data, n, MSG_NOSIGNAL), n);
}

static void
peer_packet(struct scene *s, uint8_t type, const void *rest, size_t n)
{
	uint8_t head[5] = {0, 0, (uint8_t)((n + 1) >> 8), (uint8_t)(n + 1), type};

	peer_send(s, head, 5);
	if (n)
		peer_send(s, rest, n);
}

static size_t
peer_receive(struct scene *s, uint8_t *to, size_t n)
{
	ssize_t got = recv(s->peer, to, n, MSG_DONTWAIT);

	return got < 0 ? 0 : (size_t)got;
}

/* As charon does: one confirmation after the other. */
static void
confirm_events(struct scene *s)
{
	uint8_t packet[256];

	for (int i = 0; EVENTS[i]; i++) {
		size_t n = peer_receive(s, packet, sizeof packet), len = strlen(EVENTS[i]);

		assert_int_equal(n, 6 + len);
		assert_int_equal(packet[4], 3);
		assert_memory_equal(packet + 6, EVENTS[i], len);
		assert_false(vici_connected(s->v));
		peer_packet(s, 5, NULL, 0);
		turn(s);
	}
}

static void
connect_to(struct scene *s)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	s->peer = pair[1];
	assert_int_equal(vici_adopt(s->v, pair[0]), 0);
}

static int
setup(void **state)
{
	struct scene *s = calloc(1, sizeof *s);
	const struct vici_hooks hooks = {&s->heard, on_up, on_down, on_event};
	const struct loop_hooks loop = {NULL, no_poll, nothing, nothing};

	assert_int_equal(loop_open(&s->loop, &loop), 0);
	assert_int_equal(vici_open(&s->loop, "/nowhere", EVENTS, &hooks, &s->v), 0);
	s->heard.v = s->v;
	connect_to(s);
	confirm_events(s);
	assert_int_equal(s->heard.ups, 1);
	assert_true(vici_connected(s->v));
	*state = s;
	return 0;
}

static int
teardown(void **state)
{
	struct scene *s = *state;

	vici_close(s->v);
	loop_close(&s->loop);
	if (s->peer >= 0)
		close(s->peer);
	free(s);
	return 0;
}

static void
asks_one_after_the_other(void **state)
{
	struct scene *s = *state;
	struct vici_message m = {0};
	uint8_t packet[256];

	vici_text(&m, "name", "one");
	assert_int_equal(vici_request(s->v, "unload-conn", &m, on_answer, &s->heard), 0);
	assert_null(m.data);
	assert_int_equal(vici_request(s->v, "version", NULL, on_answer, &s->heard), 0);
	assert_int_equal(vici_pending(s->v), 2);

	turn(s);
	assert_int_equal(peer_receive(s, packet, sizeof packet), 4 + 2 + 11 + 11);
	assert_memory_equal(packet, "\0\0\0\x18\0\x0bunload-conn\x03\x04name\0\x03one", 28);
	assert_int_equal(s->heard.answers, 0);

	s->heard.again = true;
	peer_packet(s, 1, "\x03\x07success\0\x03yes", 14);
	turn(s);
	assert_int_equal(s->heard.answers, 1);
	assert_true(s->heard.success);
	assert_int_equal(peer_receive(s, packet, sizeof packet), 4 + 2 + 7);

	peer_packet(s, 1,
		"\x03\x07success\0\x02no\x03\x06"
		"errmsg\0\x04gone",
		13 + 14);
	turn(s);
	assert_int_equal(s->heard.answers, 2);
	assert_false(s->heard.success);
	assert_string_equal(s->heard.error, "gone");

	peer_packet(s, 2, NULL, 0);
	turn(s);
	assert_int_equal(s->heard.answers, 3);
	assert_int_equal(s->heard.result, -ENOENT);
	assert_int_equal(vici_pending(s->v), 0);
	assert_int_equal(s->heard.downs, 0);
}

static void
hears_events_in_pieces(void **state)
{
	struct scene *s = *state;
	static const char packet[] = "\0\0\0\x14\x07\x0aike-updown\x03\x03key\0\x01x";

	for (size_t i = 0; i < sizeof packet - 1; i++) {
		assert_int_equal(s->heard.events, 0);
		peer_send(s, packet + i, 1);
		turn(s);
	}
	assert_int_equal(s->heard.events, 1);
	assert_string_equal(s->heard.event, "ike-updown");
	assert_string_equal(s->heard.body, "x");
}

/* Whatever it is, the connection is given up, who waits hears of it once, and nothing else breaks. */
static void
lies_end_the_connection(void **state)
{
	struct scene *s = *state;
	static const struct {
		const char *what, *bytes;
		size_t n;
		bool ask;
	} lie[] = {
		{"empty packet", "\0\0\0\0", 4, true},
		{"a packet of 4 GB", "\xff\xff\xff\xff", 4, true},
		{"an unknown type", "\0\0\0\x01\x09", 5, true},
		{"an answer to nobody", "\0\0\0\x01\x01", 5, false},
		{"a confirmation of nothing", "\0\0\0\x01\x05", 5, true},
		{"a malformed answer", "\0\0\0\x02\x01\x02", 6, true},
		{"an event without a name", "\0\0\0\x01\x07", 5, true},
		{"an event's name beyond its end", "\0\0\0\x03\x07\x09x", 7, true},
		{"a malformed event", "\0\0\0\x04\x07\x01x\x02", 8, true},
	};

	for (size_t i = 0; i < sizeof lie / sizeof *lie; i++) {
		unsigned answers = s->heard.answers;

		if (lie[i].ask)
			assert_int_equal(vici_request(s->v, "version", NULL, on_answer, &s->heard), 0);
		peer_send(s, lie[i].bytes, lie[i].n);
		turn(s);
		if (vici_connected(s->v))
			fail_msg("%s was believed", lie[i].what);
		assert_int_equal(s->heard.downs, i + 1);
		assert_int_equal(s->heard.answers, answers + lie[i].ask);
		if (lie[i].ask)
			assert_int_equal(s->heard.result, -EBADMSG);
		close(s->peer);
		connect_to(s);
		confirm_events(s);
	}
}

static void
peer_that_goes_fails_what_waits(void **state)
{
	struct scene *s = *state;

	vici_request(s->v, "one", NULL, on_answer, &s->heard);
	vici_request(s->v, "two", NULL, on_answer, &s->heard);
	turn(s);
	/* its answer is cut short */
	peer_send(s, "\0\0\0\x0f\x01\x03", 6);
	close(s->peer);
	s->peer = -1;
	turn(s);
	assert_int_equal(s->heard.answers, 2);
	assert_int_equal(s->heard.result, -ECONNRESET);
	assert_int_equal(s->heard.downs, 1);
	assert_int_equal(vici_request(s->v, "three", NULL, on_answer, &s->heard), -ENOTCONN);
}

static void
silent_peer_is_given_up(void **state)
{
	struct scene *s = *state;
	uint64_t now_ns = clock_boot_ns();

	vici_tick(s->v, now_ns + 3600ull * 1000000000);
	assert_true(vici_connected(s->v));
	vici_request(s->v, "version", NULL, on_answer, &s->heard);
	vici_tick(s->v, now_ns + 20ull * 1000000000);
	assert_true(vici_connected(s->v));
	vici_tick(s->v, now_ns + 60ull * 1000000000);
	assert_false(vici_connected(s->v));
	assert_int_equal(s->heard.result, -ETIMEDOUT);
	assert_int_equal(s->heard.downs, 1);
}

/* A peer that does not read fills the socket: the rest leaves when it reads on. */
static void
large_requests_leave_in_pieces(void **state)
{
	struct scene *s = *state;
	static uint8_t value[60000], got[65536];
	size_t total = 0, n;

	for (int i = 0; i < 8; i++) {
		struct vici_message m = {0};

		for (int k = 0; k < 8; k++)
			vici_value(&m, "value", value, sizeof value);
		assert_int_equal(vici_request(s->v, "load", &m, on_answer, &s->heard), 0);
	}
	for (int i = 0; i < 8; i++) {
		size_t want = 4 + 2 + 4 + 8 * (1 + 6 + 2 + sizeof value);

		for (total = 0; total < want; total += n) {
			turn(s);
			n = peer_receive(s, got, sizeof got);
			assert_true(n > 0);
		}
		assert_int_equal(total, want);
		peer_packet(s, 1, "\x03\x07success\0\x03yes", 14);
		turn(s);
		assert_int_equal(s->heard.answers, i + 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(asks_one_after_the_other, setup, teardown),
		cmocka_unit_test_setup_teardown(hears_events_in_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(lies_end_the_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(peer_that_goes_fails_what_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(silent_peer_is_given_up, setup, teardown),
		cmocka_unit_test_setup_teardown(large_requests_leave_in_pieces, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
