/* A line of bird's begins with four digits and '-' (more follows) or ' ' (the last one), or with a space: as the one
 * before. Codes from 8000 on are errors; the greeting has 0001.
 */
#include "control/bird_client.h"

#include "drivers/clock.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MAX (256u << 20) /* a full table with attributes */
#define READ_MAX 65536          /* at a time: others wait for control, too */
#define CODE 5                  /* digits and '-' */
#define SILENT_MAX_NS 10000000000ull

struct question {
	struct question *next;
	bird_answer *done;
	void *context;
	char command[];
};

struct bird_client {
	struct loop *loop;
	char *path;
	struct loop_source source;
	struct question *first, **last;
	bool asked;        /* the first one has been sent; or: bird has not greeted yet */
	uint64_t heard_ns; /* when bird was last heard, or asked */
	char *text;        /* of its answer, so far */
	size_t n, room;
	char in[READ_MAX]; /* lines that have not ended */
	size_t n_in;
};

int
bird_client_create(struct loop *loop, const char *path, struct bird_client **out)
{
	struct bird_client *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->loop = loop;
	c->source.fd = -1;
	c->last = &c->first;
	c->path = strdup(path);
	if (!c->path) {
		free(c);
		return -ENOMEM;
	}
	*out = c;
	return 0;
}

/* ---- answering ------------------------------------------------------------------------ */

static void
answer(struct bird_client *c, const char *text, const char *error)
{
	struct question *q = c->first;

	c->first = q->next;
	if (!c->first)
		c->last = &c->first;
	c->asked = false;
	q->done(q->context, text, error);
	free(q);
}

static void
hang_up(struct bird_client *c, const char *why)
{
	struct question *q = c->first;

	loop_remove(c->loop, &c->source);
	free(c->text);
	c->text = NULL;
	c->n = c->room = c->n_in = 0;
	c->asked = false;
	c->first = NULL; /* who asks again in his answer asks anew */
	c->last = &c->first;
	while (q) {
		struct question *next = q->next;

		q->done(q->context, NULL, why);
		free(q);
		q = next;
	}
}

void
bird_client_free(struct bird_client *c)
{
	if (!c)
		return;
	hang_up(c, "bird is not asked any more");
	free(c->path);
	free(c);
}

static void
send_next(struct bird_client *c)
{
	const struct question *q = c->first;
	size_t n;

	if (!q || c->asked || c->source.fd < 0)
		return;
	n = strlen(q->command);
	c->asked = true;
	c->heard_ns = clock_boot_ns();
	if (send(c->source.fd, q->command, n, MSG_NOSIGNAL) != (ssize_t)n) /* a line always has room */
		hang_up(c, "bird does not read");
}

/* ---- reading -------------------------------------------------------------------------- */

static bool
has_code(const char *line, size_t n)
{
	for (size_t i = 0; i < CODE - 1; i++)
		if (i >= n || !isdigit((unsigned char)line[i]))
			return false;
	return n >= CODE && (line[CODE - 1] == '-' || line[CODE - 1] == ' ');
}

static bool
text_add(struct bird_client *c, const char *line, size_t n)
{
	if (c->n + n + 2 > c->room) {
		size_t room = 2 * (c->n + n + 2);
		char *grown = room <= ANSWER_MAX ? realloc(c->text, room) : NULL;

		if (!grown)
			return false;
		c->text = grown;
		c->room = room;
	}
	memcpy(c->text + c->n, line, n);
	c->n += n;
	c->text[c->n++] = '\n';
	c->text[c->n] = '\0';
	return true;
}

/* Who is told may ask again: the text is his until then, and not the client's. */
static void
answer_ends(struct bird_client *c, int code)
{
	char *text = c->text;

	c->text = NULL;
	c->n = c->room = 0;
	if (!text || !c->first)
		hang_up(c, "bird says what nobody has asked");
	else if (code < 8000)
		answer(c, text, NULL);
	else
		answer(c, NULL, text);
	free(text);
	send_next(c);
}

/* One line without its end. */
static void
line_take(struct bird_client *c, const char *line, size_t n)
{
	bool coded = has_code(line, n);
	size_t skip = coded ? CODE : n > 0 && line[0] == ' ';

	if (coded && strncmp(line, "0001", 4) == 0) { /* the greeting */
		c->asked = false;
		send_next(c);
		return;
	}
	if (!text_add(c, line + skip, n - skip))
		hang_up(c, "bird's answer is too long");
	else if (coded && line[CODE - 1] == ' ')
		answer_ends(c, atoi(line));
}

static void
lines_take(struct bird_client *c)
{
	size_t at = 0;
	char *end;

	while (c->source.fd >= 0 && (end = memchr(c->in + at, '\n', c->n_in - at)) != NULL) {
		size_t from = at;

		at = (size_t)(end - c->in) + 1;
		line_take(c, c->in + from, at - 1 - from);
	}
	if (c->source.fd < 0)
		return;
	memmove(c->in, c->in + at, c->n_in - at);
	c->n_in -= at;
	if (c->n_in == sizeof(c->in))
		hang_up(c, "bird's line is too long");
}

static void
ready(void *context, uint32_t events)
{
	struct bird_client *c = context;
	ssize_t n = read(c->source.fd, c->in + c->n_in, sizeof(c->in) - c->n_in);

	(void)events;
	if (n > 0) {
		c->heard_ns = clock_boot_ns();
		c->n_in += (size_t)n;
		lines_take(c);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		hang_up(c, "bird has ended");
	}
}

/* ---- asking --------------------------------------------------------------------------- */

static int
reach(struct bird_client *c)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int r;

	if (c->source.fd >= 0)
		return 0;
	if (strlen(c->path) >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	strcpy(a.sun_path, c->path);
	c->source = (struct loop_source){socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), ready, c};
	if (c->source.fd < 0)
		return -errno;
	r = connect(c->source.fd, (const struct sockaddr *)&a, sizeof(a)) == 0 ? 0 : -errno;
	if (r == 0)
		r = loop_add(c->loop, &c->source, EPOLLIN);
	if (r != 0) {
		close(c->source.fd);
		c->source.fd = -1;
	}
	c->asked = true; /* until it has greeted */
	c->heard_ns = clock_boot_ns();
	return r;
}

int
bird_ask(struct bird_client *c, const char *command, bird_answer *done, void *context)
{
	struct question *q = malloc(sizeof(*q) + strlen(command) + 2);
	int r = q ? reach(c) : -ENOMEM;

	if (r != 0) {
		free(q);
		return r;
	}
	*q = (struct question){.done = done, .context = context};
	sprintf(q->command, "%s\n", command);
	*c->last = q;
	c->last = &q->next;
	send_next(c);
	return 0;
}

pid_t
bird_client_pid(struct bird_client *c)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (reach(c) != 0 || getsockopt(c->source.fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		return 0;
	return peer.uid == 0 || peer.uid == geteuid() ? peer.pid : 0;
}

void
bird_client_tick(struct bird_client *c, uint64_t now_ns)
{
	if (c->first && now_ns > c->heard_ns + SILENT_MAX_NS)
		hang_up(c, "bird does not answer");
}
