/* Ports on DPDK's virtual devices: vhost_user, virtio_user, pcap.
 *
 * A virtio_user port needs its vhost_user server when it opens, and does not come back to one that
 * was restarted; a vhost_user server takes a restarted peer.
 */
#include "drivers/port_vdev.h"
#include "drivers/log.h"
#include "drivers/socket_path.h"

#include <rte_dev.h>
#include <rte_errno.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define PATH_TEXT_MAX 200

/* ---- arguments -------------------------------------------------------------------- */

/* Device arguments have no way to quote. */
static int
path_check(const char *path, char *error, size_t n)
{
	if (!path || !path[0] || strlen(path) > PATH_TEXT_MAX)
		snprintf(error, n, "path '%s' is not one of 1 to %d bytes", path ? path : "", PATH_TEXT_MAX);
	else if (strpbrk(path, ",[]=\""))
		snprintf(error, n, "path '%s': the driver cannot take one with , [ ] = or \"", path);
	else
		return 0;
	return -EINVAL;
}

/* A vhost link agrees on queues by itself; a file has one end. */
static uint16_t
vdev_queues(const struct port *p, const struct cfg_port *c)
{
	if (c->driver == DRIVER_PCAP)
		return 1;
	return c->queues && c->queues < p->workers ? c->queues : p->workers;
}

static int
vhost_arguments(const struct port *p, const struct cfg_port *c, char *out, char *error, size_t n)
{
	snprintf(out, VDEV_ARGUMENTS_MAX, "iface=%s,queues=%u,client=%d", c->path, vdev_queues(p, c), !c->server);
	return path_check(c->path, error, n);
}

static int
virtio_arguments(const struct port *p, const struct cfg_port *c, char *out, char *error, size_t n)
{
	const uint8_t *m = p->caps.mac.b;

	if (c->server) {
		snprintf(error, n,
			"it cannot serve: its driver would wait for the peer and we with it; let vhost_user serve");
		return -ENOTSUP;
	}
	snprintf(out, VDEV_ARGUMENTS_MAX, "path=%s,queues=%u,queue_size=%u,mac=%02x:%02x:%02x:%02x:%02x:%02x", c->path,
		vdev_queues(p, c), p->descriptors, m[0], m[1], m[2], m[3], m[4], m[5]);
	return path_check(c->path, error, n);
}

/* Either file may be missing: no packets then, or packets dropped. */
static int
pcap_arguments(const struct port *p, const struct cfg_port *c, char *out, char *error, size_t n)
{
	const char *rx = c->rx_path, *tx = c->tx_path;
	int r = 0;

	if (!rx && !tx) {
		snprintf(error, n, "neither a file to read nor one to write is named");
		return -EINVAL;
	}
	if (rx)
		r = path_check(rx, error, n);
	if (r == 0 && tx)
		r = path_check(tx, error, n);
	snprintf(out, VDEV_ARGUMENTS_MAX, "%s%s%s%s%s", rx ? "rx_pcap=" : "", rx ? rx : "", rx && tx ? "," : "",
		tx ? "tx_pcap=" : "", tx ? tx : "");
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

/* ---- the kinds -------------------------------------------------------------------- */

/* The drivers say "failed"; say why. A file to write is opened anew, so it may be tried. */
static int
files_check(const struct cfg_port *c, char *error, size_t n)
{
	FILE *out;
	int r = 0;

	if (c->rx_path && access(c->rx_path, R_OK) != 0) {
		r = -errno;
		snprintf(error, n, "'%s' cannot be read: %s", c->rx_path, strerror(-r));
		return r;
	}
	if (!c->tx_path)
		return 0;
	out = fopen(c->tx_path, "we");
	if (out) {
		fclose(out);
		return 0;
	}
	r = -errno;
	snprintf(error, n, "'%s' cannot be written: %s", c->tx_path, strerror(-r));
	return r;
}

static int
device_probe(struct port *p, const char *name, const char *arguments, char *error, size_t n)
{
	int r = rte_eal_hotplug_add("vdev", name, arguments);

	if (r != 0) {
		snprintf(error, n, "the driver refuses '%s': %s", arguments, r == -1 ? "see the log" : strerror(-r));
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
		r = c->driver == DRIVER_PCAP ? files_check(c, error, n)
					     : socket_path_check(c->path, c->server, error, n);
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

const struct port_kind port_vhost_user = VDEV_KIND("vhost_user");
const struct port_kind port_virtio_user = VDEV_KIND("virtio_user");
const struct port_kind port_pcap = VDEV_KIND("pcap");
