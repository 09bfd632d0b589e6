#include "control/cli/client.h"

#include <errno.h>
#include <glob.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKETS "/run/isthmus"
#define ANSWER_MAX (80u << 20) /* more than the daemon sends */

struct client {
	int fd;
	char *in;
	size_t n, size;
};

/* ---- which socket ------------------------------------------------------------------- */

static int
socket_only(char *path, size_t size, char *error, size_t n)
{
	glob_t found;
	int r = glob(SOCKETS "/*.sock", 0, NULL, &found);

	if (r == GLOB_NOMATCH || (r == 0 && found.gl_pathc == 0)) {
		snprintf(error, n, "no daemon's socket in " SOCKETS "; give one with -s");
		r = -ENOENT;
	} else if (r != 0) {
		snprintf(error, n, "cannot look into " SOCKETS);
		r = -EIO;
	} else if (found.gl_pathc > 1) {
		snprintf(error, n, "%zu sockets in " SOCKETS "; say which with -s (the first is %s)", found.gl_pathc,
			found.gl_pathv[0]);
		r = -EEXIST;
	} else {
		snprintf(path, size, "%s", found.gl_pathv[0]);
	}
	globfree(&found);
	return r;
}

static int
socket_path(const char *given, char *path, size_t size, char *error, size_t n)
{
	if (!given)
		given = getenv("ISTHMUS_SOCKET");
	if (!given || given[0] == '\0')
		return socket_only(path, size, error, n);
	if (snprintf(path, size, strchr(given, '/') ? "%s" : SOCKETS "/%s.sock", given) >= (int)size) {
		snprintf(error, n, "the socket's path is too long: %s", given);
		return -ENAMETOOLONG;
	}
	return 0;
}

/* ---- talking ------------------------------------------------------------------------ */

int
client_open(const char *given, struct client **out, char *error, size_t n)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct client *c;
	int r = socket_path(given, to.sun_path, sizeof to.sun_path, error, n);

	if (r != 0)
		return r;
	c = calloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0) {
		r = -errno;
		snprintf(error, n, "%s: %s", to.sun_path, r == -ECONNREFUSED ? "no daemon listens" : strerror(-r));
		client_close(c);
		return r;
	}
	*out = c;
	return 0;
}

void
client_close(struct client *c)
{
	if (!c)
		return;
	if (c->fd >= 0)
		close(c->fd);
	free(c->in);
	free(c);
}

/* A daemon that refuses us at the door answers and closes: what it said is still to be read. */
int
client_send(struct client *c, const json_t *request, char *error, size_t n)
{
	char *text = json_dumps(request, JSON_COMPACT);
	size_t size = text ? strlen(text) : 0, sent = 0;

	if (!text)
		return -ENOMEM;
	text[size++] = '\n'; /* in place of its NUL */
	while (sent < size) {
		ssize_t k = send(c->fd, text + sent, size - sent, MSG_NOSIGNAL);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			break;
		sent += (size_t)k;
	}
	free(text);
	if (sent < size && errno != EPIPE && errno != ECONNRESET) {
		snprintf(error, n, "cannot send: %s", strerror(errno));
		return -errno;
	}
	return 0;
}

static int
buffer_fill(struct client *c, int timeout_ms, char *error, size_t n)
{
	struct pollfd p = {.fd = c->fd, .events = POLLIN};
	ssize_t k;
	int r;

	if (c->size - c->n < 65536) {
		size_t size = c->size ? 2 * c->size : 262144;
		char *in = size > ANSWER_MAX * 2 ? NULL : realloc(c->in, size);

		if (!in) {
			snprintf(error, n, "the answer is too large");
			return -EMSGSIZE;
		}
		c->in = in;
		c->size = size;
	}
	r = poll(&p, 1, timeout_ms);
	if (r == 0) {
		snprintf(error, n, "the daemon does not answer");
		return -ETIMEDOUT;
	}
	k = r < 0 ? -1 : recv(c->fd, c->in + c->n, c->size - c->n, 0);
	if (k < 0 && errno == EINTR)
		return 0;
	if (k <= 0) {
		snprintf(error, n, "the daemon closed the connection%s%s", k < 0 ? ": " : "",
			k < 0 ? strerror(errno) : "");
		return -ECONNRESET;
	}
	c->n += (size_t)k;
	return 0;
}

int
client_receive(struct client *c, int timeout_ms, json_t **answer, char *error, size_t n)
{
	size_t searched = 0, line;
	char *end;
	int r;

	while (!(end = c->n > searched ? memchr(c->in + searched, '\n', c->n - searched) : NULL)) {
		searched = c->n;
		r = buffer_fill(c, timeout_ms, error, n);
		if (r != 0)
			return r;
	}
	line = (size_t)(end - c->in);
	*answer = json_loadb(c->in, line, 0, NULL);
	memmove(c->in, end + 1, c->n - line - 1);
	c->n -= line + 1;
	if (!*answer) {
		snprintf(error, n, "the daemon's answer is not JSON");
		return -EBADMSG;
	}
	return 0;
}
