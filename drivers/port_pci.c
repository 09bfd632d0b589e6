/* NICs over vfio (or another driver DPDK can use). EAL was told the address with `-a`. */
#include "drivers/log.h"
#include "drivers/port_kind.h"

#include <rte_dev.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Drivers that leave the device usable: the vfio family, and NICs that stay with the kernel. */
static const char *const usable[] = {"vfio-pci", "igb_uio", "uio_pci_generic", "mlx4_core", "mlx5_core"};

/* "01:00.0" is short for "0000:01:00.0". */
static int
address_complete(const char *text, char out[32], char *error, size_t n)
{
	unsigned domain = 0, bus, device, function;
	int end = 0;

	if (text && sscanf(text, "%4x:%2x:%2x.%1x%n", &domain, &bus, &device, &function, &end) == 4 && !text[end]) {
		snprintf(out, 32, "%04x:%02x:%02x.%x", domain, bus, device, function);
		return 0;
	}
	if (text && sscanf(text, "%2x:%2x.%1x%n", &bus, &device, &function, &end) == 3 && !text[end]) {
		snprintf(out, 32, "0000:%02x:%02x.%x", bus, device, function);
		return 0;
	}
	snprintf(error, n, "address '%s' is not a PCI address like 0000:01:00.0", text ? text : "");
	return -EINVAL;
}

/* The kernel driver a device is bound to; empty: none. */
static void
driver_read(const char *address, char out[64])
{
	char link[128], target[256];
	ssize_t length;
	const char *slash;

	snprintf(link, sizeof link, "/sys/bus/pci/devices/%s/driver", address);
	length = readlink(link, target, sizeof target - 1);
	target[length > 0 ? length : 0] = '\0';
	slash = strrchr(target, '/');
	snprintf(out, 64, "%.63s", slash ? slash + 1 : "");
}

static int
binding_check(const char *address, char *error, size_t n)
{
	char path[128], driver[64];

	snprintf(path, sizeof path, "/sys/bus/pci/devices/%s", address);
	if (access(path, F_OK) != 0) {
		snprintf(error, n, "there is no PCI device %s", address);
		return -ENODEV;
	}
	driver_read(address, driver);
	for (size_t i = 0; i < RTE_DIM(usable); i++)
		if (strcmp(driver, usable[i]) == 0)
			return 0;
	snprintf(error, n, "PCI device %s is %s%s; bind it first: driverctl set-override %s vfio-pci", address,
		driver[0] ? "bound to the kernel driver " : "bound to no driver", driver, address);
	return -EBUSY;
}

static void
pci_close(struct port *p)
{
	rte_eth_dev_close(p->ethdev);
}

static int
pci_open(struct port *p, const struct cfg_port *c, char *error, size_t n)
{
	uint16_t queues = c->queues && c->queues < p->workers ? c->queues : p->workers;
	struct port_ethdev_wish wish = {.rx_queues = queues, .tx_queues = p->workers, .nic = true};
	char address[32];
	int r = address_complete(c->address, address, error, n);

	if (r == 0)
		r = binding_check(address, error, n);
	if (r != 0)
		return r;
	if (rte_eth_dev_get_port_by_name(address, &p->ethdev) != 0) {
		snprintf(error, n,
			"no DPDK driver took PCI device %s (unknown NIC, or vfio without IOMMU; see the log at level "
			"debug)",
			address);
		return -ENODEV;
	}
	r = port_ethdev_open(p, c, &wish, error, n);
	if (r != 0)
		pci_close(p);
	return r;
}

/* ND and the like come by multicast; a NIC that cannot pass it all is opened wide. */
static int
pci_start(struct port *p, char *error, size_t n)
{
	int r = port_ethdev_start(p, error, n);

	if (r == 0 && rte_eth_allmulticast_enable(p->ethdev) != 0 && rte_eth_promiscuous_enable(p->ethdev) != 0)
		log_warning("port", "%s: the NIC passes neither all multicast nor everything; IPv6 may fail", p->name);
	return r;
}

const struct port_kind port_pci = {
	.name = "pci",
	.open = pci_open,
	.start = pci_start,
	.stop = port_ethdev_stop,
	.close = pci_close,
	.link = port_ethdev_link,
	.stats = port_ethdev_stats,
	.receive = port_ethdev_receive,
	.send = port_ethdev_send,
};
