/* Every message is one record of 128 bytes; anything else ends the conversation. */
#include "drivers/memif_channel.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 2000

union passing {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

int
memif_send(int fd, const struct memif_message *m, int passed)
{
	struct iovec part = {.iov_base = (void *)m, .iov_len = sizeof *m};
	union passing control = {0};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (passed >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof control;
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof passed);
		memcpy(CMSG_DATA(&control.header), &passed, sizeof passed);
	}
	return sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)sizeof *m ? 0 : -ECONNRESET;
}

static int
passed_take(struct msghdr *message)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(message);
	int fd;

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof fd))
		return -1;
	memcpy(&fd, CMSG_DATA(c), sizeof fd);
	return fd;
}

int
memif_receive(int fd, int stop, int timeout_ms, struct memif_message *m, int *passed)
{
	struct pollfd wait[] = {{.fd = fd, .events = POLLIN}, {.fd = stop, .events = POLLIN}};
	struct iovec part = {.iov_base = m, .iov_len = sizeof *m};
	union passing control = {0};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control,
	};
	int ready;

	*passed = -1;
	do
		ready = poll(wait, 2, timeout_ms);
	while (ready < 0 && errno == EINTR);
	if (wait[1].revents)
		return -ECANCELED;
	if (ready == 0)
		return -ETIMEDOUT;
	if (recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) != (ssize_t)sizeof *m)
		return -ECONNRESET;

	*passed = passed_take(&message);
	if (m->type != MEMIF_DISCONNECT)
		return 0;
	if (*passed >= 0)
		close(*passed);
	*passed = -1;
	return -ESHUTDOWN;
}

int
memif_expect(int fd, int stop, enum memif_type type, struct memif_message *m)
{
	int passed, r = memif_receive(fd, stop, PATIENCE_MS, m, &passed);

	if (passed >= 0)
		close(passed);
	return r != 0 ? r : m->type == type ? 0 : -EPROTO;
}

void
memif_say_goodbye(int fd, const char *reason)
{
	struct memif_message m = {.type = MEMIF_DISCONNECT};

	snprintf(m.disconnect.reason, sizeof m.disconnect.reason, "%s", reason);
	memif_send(fd, &m, -1);
}
