/* Kernel network interfaces, as far as ports need them. Control thread; 0 or -errno. */
#pragma once

#include "config/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What was changed of an interface, for giving it back. Zero: nothing. */
struct netdev {
	char name[16]; /* IFNAMSIZ */
	int index;
	struct mac_addr mac;
	uint16_t mtu;
	bool was_down;
	uint16_t old_mtu;      /* 0: not changed */
	uint32_t offloads_off; /* ETH_FLAG_* that were on */
};

/* Finds an Ethernet interface in this network namespace. */
int netdev_open(struct netdev *d, const char *name, char *error, size_t n);
int netdev_mtu_set(struct netdev *d, uint16_t mtu, char *error, size_t n);
int netdev_up(struct netdev *d, char *error, size_t n);
/* Tags stripped into descriptors and merged frames (LRO) are lost on XDP: turn that off. */
int netdev_rx_offloads_off(struct netdev *d);
/* All multicast, or every frame, for as long as the returned socket is open: the kernel ends it
 * with the process. */
int netdev_listen(const struct netdev *d, bool promiscuous);
/* The frames come from a local sender, which leaves checksums to hardware that is not there. */
bool netdev_is_veth(const char *name);
/* MTU, offloads and state as they were. Silent if the interface is gone. */
void netdev_restore(struct netdev *d);

/* Up and running, with the speed if the driver knows one. */
bool netdev_link(const char *name, uint32_t *mbps);
/* Receive and transmit channels; at least 1. */
uint16_t netdev_channels(const char *name);
