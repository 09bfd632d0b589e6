/* Both ends of the plugin's socket in one test: isthmusd's by its own code, the plugin's by hand. */
#pragma once

#include "control/ike_link.h"
#include "control/loop.h"
#include "drivers/log.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static struct {
	char folder[64], path[96];
	struct loop loop;
	struct ike_link *link;
	int fd; /* the plugin's end */
	/* what arrived */
	uint32_t records, gone;
	struct ike_header h;
	const void *at;
	_Alignas(8) uint8_t body[IKE_MESSAGE_MAX];
	const char *refuse; /* the next record is answered so */
} l;

/* ---- both ends ---------------------------------------------------------------------------- */

static void
arrived(void *context, const struct ike_header *h, const void *body)
{
	(void)context;
	l.records++;
	l.h = *h;
	l.at = body;
	memcpy(l.body, body, h->length - sizeof(*h));
	if (l.refuse)
		ike_link_refuse(l.link, l.refuse);
}

static void
gone(void *context)
{
	(void)context;
	l.gone++;
}

/* Until there is nothing to do; as the daemon's loop does. */
static inline void
serve(void)
{
	struct epoll_event e[4];
	int n;

	while ((n = epoll_wait(l.loop.epoll, e, 4, 0)) > 0) {
		for (int i = 0; i < n; i++) {
			struct loop_source *s = e[i].data.ptr;

			if (s->fd >= 0)
				s->ready(s->context, e[i].events);
		}
	}
}

static inline int
start(const char *path)
{
	const struct ike_link_handlers handlers = {.message = arrived, .gone = gone};
	char error[256] = "";
	int r = ike_link_start(path, &l.loop, &handlers, &l.link, error, sizeof(error));

	if (r != 0)
		assert_true(strlen(error) > 0);
	return r;
}

static inline int
client(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(a.sun_path, l.path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		return -errno;
	return fd;
}

static inline int
begin(void **unused)
{
	(void)unused;
	l.records = l.gone = 0;
	l.refuse = NULL;
	l.link = NULL;
	l.loop.epoll = epoll_create1(EPOLL_CLOEXEC);
	assert_int_equal(start(l.path), 0);
	l.fd = client();
	assert_true(l.fd >= 0);
	serve();
	assert_true(ike_link_up(l.link));
	return 0;
}

static inline int
end(void **unused)
{
	(void)unused;
	if (l.fd >= 0)
		close(l.fd);
	ike_link_stop(l.link);
	close(l.loop.epoll);
	return 0;
}

static inline void
again(void)
{
	if (l.fd >= 0)
		close(l.fd);
	serve();
	l.fd = client();
	serve();
	assert_true(ike_link_up(l.link));
	l.records = l.gone = 0;
}

/* A record of so many bytes, whose header says `length`. */
static inline void
put(uint16_t type, const void *body, size_t size, uint32_t length)
{
	static struct {
		struct ike_header h;
		uint8_t body[2 * IKE_MESSAGE_MAX];
	} r;

	r.h = (struct ike_header){.type = type, .length = length, .serial = 77};
	if (size > sizeof(r.h))
		memcpy(r.body, body, size - sizeof(r.h));
	assert_int_equal(send(l.fd, &r, size, MSG_NOSIGNAL), size);
	serve();
}

static inline void
tell(uint16_t type, const void *body, size_t size)
{
	put(type, body, sizeof(struct ike_header) + size, (uint32_t)(sizeof(struct ike_header) + size));
}

/* The plugin's end sees the end, too. */
static inline void
is_over(void)
{
	uint8_t byte;

	assert_int_equal(l.gone, 1);
	assert_false(ike_link_up(l.link));
	assert_int_equal(recv(l.fd, &byte, 1, MSG_DONTWAIT), 0);
}

static inline void
is_refused(void)
{
	assert_int_equal(l.records, 0);
	is_over();
	again();
}

static inline int
folder_make(void **unused)
{
	(void)unused;
	log_open((enum log_level)0); /* hundreds of records are refused aloud */
	signal(SIGPIPE, SIG_IGN);
	snprintf(l.folder, sizeof(l.folder), "/tmp/isthmus-%s-%d", program_invocation_short_name, (int)getpid());
	snprintf(l.path, sizeof(l.path), "%s/ike", l.folder);
	return mkdir(l.folder, 0700);
}

static inline int
folder_remove(void **unused)
{
	(void)unused;
	unlink(l.path);
	return rmdir(l.folder);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
