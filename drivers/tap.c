/* Frames pass without a header in front: with no offload announced the kernel completes
 * checksums and segments before it hands over.
 */
#include "drivers/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

_Static_assert(TAP_NAME_MAX == IFNAMSIZ, "interface names");

int
tap_open(char name[TAP_NAME_MAX], bool multi_queue, char *error, size_t n)
{
	struct ifreq q = {.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | (multi_queue ? IFF_MULTI_QUEUE : 0))};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), r;

	if (fd < 0) {
		r = -errno;
		snprintf(error, n, "/dev/net/tun: %s", strerror(-r));
		return r;
	}
	snprintf(q.ifr_name, sizeof q.ifr_name, "%s", name);
	if (ioctl(fd, TUNSETIFF, &q) != 0) {
		r = -errno;
		snprintf(error, n, "interface '%s' cannot be made: %s", name, strerror(-r));
		close(fd);
		return r;
	}
	snprintf(name, TAP_NAME_MAX, "%s", q.ifr_name);
	return fd;
}

int
tap_persist(int fd, bool persist)
{
	return ioctl(fd, TUNSETPERSIST, persist ? 1ul : 0ul) == 0 ? 0 : -errno;
}
