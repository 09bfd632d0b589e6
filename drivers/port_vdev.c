/* Ports on DPDK's virtual devices: memif, vhost_user, virtio_user, pcap.
 *
 * Sockets: whoever serves makes the file and removes it on close. A file left by a process that
 * was killed is recognised (nobody accepts) and removed before opening; one that is in use is an
 * error, never stolen.
 *
 * memif: the driver does not cope with a peer that has fewer rings than we have queues, so one
 * queue unless the configuration says how many; then it must say the same at both ends.
 */
#include "drivers/port_vdev.h"
#include "drivers/log.h"

#include <rte_dev.h>
#include <rte_errno.h>

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MEMIF_BUFFER_MIN 2048

/* ---- arguments -------------------------------------------------------------------- */

static int
path_check(const char *key, const char *path, size_t most, char *error, size_t n)
{
	if (!path || !path[0])
		snprintf(error, n, "%s is missing", key);
	else if (strpbrk(path, ",[]=\""))
		snprintf(error, n, "%s '%s': the driver cannot take a path with one of , [ ] = \"", key, path);
	else if (strlen(path) >= most)
		snprintf(error, n, "%s '%s' is longer than %zu bytes", key, path, most - 1);
	else
		return 0;
	return -EINVAL;
}

static int
socket_path_check(const struct cfg_port *c, char *error, size_t n)
{
	return path_check("path", c->path, sizeof((struct sockaddr_un *)0)->sun_path, error, n);
}

uint16_t
vdev_queues(const struct port *p, const struct cfg_port *c)
{
	switch (c->driver) {
	case DRIVER_MEMIF:
		return c->queues ? c->queues : 1;
	case DRIVER_VHOST_USER:
	case DRIVER_VIRTIO_USER:
		return c->queues ? c->queues : p->workers;
	case DRIVER_PCI:
	case DRIVER_AF_XDP:
	case DRIVER_AF_PACKET:
	case DRIVER_TAP:
	case DRIVER_PCAP:
	case DRIVER_RING:
	case DRIVER_NULL:
		break;
	}
	return 1;
}

static int
memif_arguments(const struct port *p, const struct cfg_port *c, char *out, char *error, size_t n)
{
	uint16_t buffer = RTE_MAX(MEMIF_BUFFER_MIN, RTE_ALIGN_CEIL(p->frame_max, 64));
	const uint8_t *m = p->caps.mac.b;

	snprintf(out, VDEV_ARGUMENTS_MAX,
		"role=%s,id=0,socket-abstract=no,socket=%s,rsize=%d,bsize=%u,mac=%02x:%02x:%02x:%02x:%02x:%02x",
		c->server ? "server" : "client", c->path, __builtin_ctz(RTE_MIN(p->descriptors, 16384)), buffer, m[0],
		m[1], m[2], m[3], m[4], m[5]);
	return socket_path_check(c, error, n);
}

static int
vhost_arguments(const struct port *p, const struct cfg_port *c, char *out, char *error, size_t n)
{
	snprintf(out, VDEV_ARGUMENTS_MAX, "iface=%s,queues=%u,client=%d", c->path, vdev_queues(p, c), !c->server);
	return socket_path_check(c, error, n);
}

static int
virtio_arguments(const struct port *p, const struct cfg_port *c, char *out, char *error, size_t n)
{
	const uint8_t *m = p->caps.mac.b;

	snprintf(out, VDEV_ARGUMENTS_MAX, "path=%s,queues=%u,queue_size=%u,server=%d,mac=%02x:%02x:%02x:%02x:%02x:%02x",
		c->path, vdev_queues(p, c), p->descriptors, c->server, m[0], m[1], m[2], m[3], m[4], m[5]);
	return socket_path_check(c, error, n);
}

/* Either file may be missing: no packets then, or packets dropped. */
static int
pcap_arguments(const struct port *p, const struct cfg_port *c, char *out, char *error, size_t n)
{
	int r = 0;

	if (!c->rx_path && !c->tx_path) {
		snprintf(error, n, "neither a file to read nor one to write is named");
		return -EINVAL;
	}
	if (c->rx_path)
		r = path_check("the file to read", c->rx_path, 160, error, n);
	if (r == 0 && c->tx_path)
		r = path_check("the file to write", c->tx_path, 160, error, n);
	snprintf(out, VDEV_ARGUMENTS_MAX, "%s%s%s%s%s", c->rx_path ? "rx_pcap=" : "", c->rx_path ? c->rx_path : "",
		c->rx_path && c->tx_path ? "," : "", c->tx_path ? "tx_pcap=" : "", c->tx_path ? c->tx_path : "");
	return r;
}

int
vdev_arguments(const struct port *p, const struct cfg_port *c, char name[PORT_NAME_MAX],
	char arguments[VDEV_ARGUMENTS_MAX], char *error, size_t n)
{
	static const struct {
		const char *prefix;
		int (*arguments)(const struct port *p, const struct cfg_port *c, char *out, char *error, size_t n);
	} drivers[] = {
		[DRIVER_MEMIF] = {"net_memif", memif_arguments},
		[DRIVER_VHOST_USER] = {"net_vhost", vhost_arguments},
		[DRIVER_VIRTIO_USER] = {"net_virtio_user", virtio_arguments},
		[DRIVER_PCAP] = {"net_pcap", pcap_arguments},
	};

	if (c->driver >= RTE_DIM(drivers) || !drivers[c->driver].prefix) {
		snprintf(error, n, "not a virtual device");
		return -EINVAL;
	}
	snprintf(name, PORT_NAME_MAX, "%s%u", drivers[c->driver].prefix, p->id);
	return drivers[c->driver].arguments(p, c, arguments, error, n);
}

/* ---- sockets ---------------------------------------------------------------------- */

static int
socket_try(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return -errno;
	memcpy(address.sun_path, path, strlen(path) + 1);
	r = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : -errno;
	close(fd);
	return r;
}

/* The file that we are to make must not be there, unless dead. */
static int
server_socket_prepare(const char *path, char *error, size_t n)
{
	struct stat s;
	int r;

	if (lstat(path, &s) != 0)
		return 0;
	if (!S_ISSOCK(s.st_mode)) {
		snprintf(error, n, "'%s' exists and is not a socket", path);
		return -EEXIST;
	}
	r = socket_try(path);
	if (r != -ECONNREFUSED) {
		snprintf(error, n, "'%s' is served by another process", path);
		return -EADDRINUSE;
	}
	return unlink(path) == 0 ? 0 : -errno;
}

/* The drivers say "failed"; say why. */
static int
files_check(const struct cfg_port *c, char *error, size_t n)
{
	char folder[256];
	const char *path = c->tx_path ? c->tx_path : c->path;
	const char *slash = path ? strrchr(path, '/') : NULL;

	if (c->rx_path && access(c->rx_path, R_OK) != 0) {
		int r = -errno;

		snprintf(error, n, "'%s' cannot be read: %s", c->rx_path, strerror(-r));
		return r;
	}
	if (!slash)
		return 0;
	snprintf(folder, sizeof folder, "%.*s/", (int)(slash - path), path);
	if (access(folder, W_OK) != 0) {
		int r = -errno;

		snprintf(error, n, "folder '%s' cannot be written to: %s", folder, strerror(-r));
		return r;
	}
	return 0;
}

/* ---- the kinds -------------------------------------------------------------------- */

static int
device_probe(struct port *p, const char *name, const char *arguments, char *error, size_t n)
{
	int r = rte_eal_hotplug_add("vdev", name, arguments);

	if (r != 0) {
		snprintf(error, n, "the driver refuses '%s': %s", arguments, strerror(-r));
		return r;
	}
	r = rte_eth_dev_get_port_by_name(name, &p->ethdev);
	if (r != 0)
		snprintf(error, n, "the driver made no device");
	return r;
}

static void
vdev_close(struct port *p)
{
	struct rte_eth_dev_info info;
	char name[RTE_ETH_NAME_MAX_LEN];
	int r;

	/* Closing by the device, not by the port, or the arguments stay on the bus. */
	if (rte_eth_dev_info_get(p->ethdev, &info) != 0 || rte_eth_dev_get_name_by_port(p->ethdev, name) != 0)
		return;
	r = rte_dev_remove(info.device);
	if (r != 0)
		log_warning("port", "%s: %s does not go away: %s", p->name, name, strerror(-r));
}

static int
vdev_open(struct port *p, const struct cfg_port *c, char *error, size_t n)
{
	char name[PORT_NAME_MAX], arguments[VDEV_ARGUMENTS_MAX];
	uint16_t queues = vdev_queues(p, c);
	struct port_ethdev_wish wish = {.rx_queues = queues, .tx_queues = queues};
	int r = vdev_arguments(p, c, name, arguments, error, n);

	if (r == 0)
		r = files_check(c, error, n);
	if (r == 0 && c->path && c->server)
		r = server_socket_prepare(c->path, error, n);
	if (r == 0)
		r = device_probe(p, name, arguments, error, n);
	if (r != 0)
		return r;

	r = port_ethdev_open(p, c, &wish, error, n);
	if (r != 0)
		vdev_close(p);
	return r;
}

#define VDEV_KIND(text)                                                                                                \
	{                                                                                                              \
		.name = text, .open = vdev_open, .start = port_ethdev_start, .stop = port_ethdev_stop,                 \
		.close = vdev_close, .link = port_ethdev_link, .stats = port_ethdev_stats,                             \
		.receive = port_ethdev_receive, .send = port_ethdev_send,                                              \
	}

const struct port_kind port_memif = VDEV_KIND("memif");
const struct port_kind port_vhost_user = VDEV_KIND("vhost_user");
const struct port_kind port_virtio_user = VDEV_KIND("virtio_user");
const struct port_kind port_pcap = VDEV_KIND("pcap");
