/* Interface ioctls. Each call opens its own socket: they are rare and the namespace is the
 * caller's.
 */
#include "drivers/netdev.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

_Static_assert(sizeof((struct netdev *)0)->name == IFNAMSIZ, "interface names");

static int
interface_ask(unsigned long request, struct ifreq *q)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return -errno;
	r = ioctl(fd, request, q) == 0 ? 0 : -errno;
	close(fd);
	return r;
}

static void
request_fill(struct ifreq *q, const char *name)
{
	memset(q, 0, sizeof *q);
	snprintf(q->ifr_name, sizeof q->ifr_name, "%s", name);
}

int
netdev_open(struct netdev *d, const char *name, char *error, size_t n)
{
	struct ifreq q;
	int r;

	memset(d, 0, sizeof *d);
	if (!name || !name[0] || strlen(name) >= sizeof d->name) {
		snprintf(error, n, "interface '%s' is not a name of 1 to %zu bytes", name ? name : "",
			sizeof d->name - 1);
		return -EINVAL;
	}
	snprintf(d->name, sizeof d->name, "%s", name);

	request_fill(&q, name);
	r = interface_ask(SIOCGIFINDEX, &q);
	if (r != 0) {
		snprintf(error, n, "interface '%s': %s", name, strerror(-r));
		return r;
	}
	d->index = q.ifr_ifindex;

	r = interface_ask(SIOCGIFHWADDR, &q);
	if (r == 0 && q.ifr_hwaddr.sa_family != ARPHRD_ETHER) {
		snprintf(error, n, "interface '%s' is not an Ethernet interface", name);
		return -EINVAL;
	}
	memcpy(d->mac.b, q.ifr_hwaddr.sa_data, sizeof d->mac.b);

	if (r == 0)
		r = interface_ask(SIOCGIFMTU, &q);
	d->mtu = (uint16_t)(q.ifr_mtu > UINT16_MAX ? UINT16_MAX : q.ifr_mtu);
	return r;
}

int
netdev_mtu_set(struct netdev *d, uint16_t mtu, char *error, size_t n)
{
	struct ifreq q;
	int r;

	if (d->mtu == mtu)
		return 0;
	request_fill(&q, d->name);
	q.ifr_mtu = mtu;
	r = interface_ask(SIOCSIFMTU, &q);
	if (r != 0) {
		snprintf(error, n, "interface '%s' has mtu %u and does not take %u: %s", d->name, d->mtu, mtu,
			strerror(-r));
		return r;
	}
	d->old_mtu = d->mtu;
	d->mtu = mtu;
	return 0;
}

static int
flags_change(const char *name, short set, short clear, short *before)
{
	struct ifreq q;
	int r;

	request_fill(&q, name);
	r = interface_ask(SIOCGIFFLAGS, &q);
	if (r != 0)
		return r;
	*before = q.ifr_flags;
	q.ifr_flags = (short)((q.ifr_flags | set) & ~clear);
	return q.ifr_flags == *before ? 0 : interface_ask(SIOCSIFFLAGS, &q);
}

int
netdev_up(struct netdev *d, char *error, size_t n)
{
	short before = 0;
	int r = flags_change(d->name, IFF_UP, 0, &before);

	if (r != 0) {
		snprintf(error, n, "interface '%s' does not go up: %s", d->name, strerror(-r));
		return r;
	}
	if (!(before & IFF_UP))
		d->was_down = true;
	return 0;
}

static int
offload_flags(const char *name, uint32_t command, uint32_t *flags)
{
	struct ethtool_value value = {.cmd = command, .data = *flags};
	struct ifreq q;
	int r;

	request_fill(&q, name);
	q.ifr_data = (char *)&value;
	r = interface_ask(SIOCETHTOOL, &q);
	*flags = value.data;
	return r;
}

int
netdev_rx_offloads_off(struct netdev *d)
{
	const uint32_t harmful = ETH_FLAG_RXVLAN | ETH_FLAG_LRO;
	uint32_t flags = 0, wanted;
	int r = offload_flags(d->name, ETHTOOL_GFLAGS, &flags);

	if (r != 0 || !(flags & harmful))
		return r;
	wanted = flags & ~harmful;
	r = offload_flags(d->name, ETHTOOL_SFLAGS, &wanted);
	if (r == 0)
		d->offloads_off = flags & harmful;
	return r;
}

int
netdev_listen(const struct netdev *d, bool promiscuous)
{
	const struct packet_mreq what = {
		.mr_ifindex = d->index,
		.mr_type = promiscuous ? PACKET_MR_PROMISC : PACKET_MR_ALLMULTI,
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &what, sizeof what) != 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

bool
netdev_is_veth(const char *name)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq q;

	request_fill(&q, name);
	q.ifr_data = (char *)&info;
	return interface_ask(SIOCETHTOOL, &q) == 0 && strcmp(info.driver, "veth") == 0;
}

void
netdev_restore(struct netdev *d)
{
	struct ifreq q;
	short before;

	if (d->offloads_off) {
		uint32_t flags = 0;

		if (offload_flags(d->name, ETHTOOL_GFLAGS, &flags) == 0) {
			flags |= d->offloads_off;
			offload_flags(d->name, ETHTOOL_SFLAGS, &flags);
		}
	}
	if (d->was_down)
		flags_change(d->name, 0, IFF_UP, &before);
	if (d->old_mtu) {
		request_fill(&q, d->name);
		q.ifr_mtu = d->old_mtu;
		interface_ask(SIOCSIFMTU, &q);
	}
	d->was_down = false;
	d->old_mtu = 0;
	d->offloads_off = 0;
}

static uint32_t
speed_read(const char *name)
{
	uint32_t room[(sizeof(struct ethtool_link_settings) + 3 * 127 * sizeof(uint32_t)) / sizeof(uint32_t)] = {0};
	struct ethtool_link_settings *link = (struct ethtool_link_settings *)room;
	struct ifreq q;

	/* The first call answers how many mask words the kernel has, as a negative number. */
	link->cmd = ETHTOOL_GLINKSETTINGS;
	request_fill(&q, name);
	q.ifr_data = (char *)link;
	if (interface_ask(SIOCETHTOOL, &q) != 0 || link->link_mode_masks_nwords >= 0)
		return 0;
	link->link_mode_masks_nwords = (int8_t)-link->link_mode_masks_nwords;
	if (interface_ask(SIOCETHTOOL, &q) != 0 || link->speed == (uint32_t)SPEED_UNKNOWN)
		return 0;
	return link->speed;
}

bool
netdev_link(const char *name, uint32_t *mbps)
{
	struct ifreq q;

	request_fill(&q, name);
	*mbps = 0;
	if (interface_ask(SIOCGIFFLAGS, &q) != 0 || !(q.ifr_flags & IFF_UP) || !(q.ifr_flags & IFF_RUNNING))
		return false;
	*mbps = speed_read(name);
	return true;
}

uint16_t
netdev_channels(const char *name)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq q;
	uint32_t rx, tx;

	request_fill(&q, name);
	q.ifr_data = (char *)&channels;
	if (interface_ask(SIOCETHTOOL, &q) != 0)
		return 1;
	rx = channels.rx_count + channels.combined_count;
	tx = channels.tx_count + channels.combined_count;
	if (tx < rx)
		rx = tx;
	return rx < 1 ? 1 : rx > UINT16_MAX ? UINT16_MAX : (uint16_t)rx;
}
