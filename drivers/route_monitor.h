/* The routes of one network namespace's kernel, followed by rtnetlink. Control thread; 0 or -errno.
 *
 * Changes come as they happen. The kernel does not tell of all: routes go with a link or an address without a word,
 * and what does not fit into the socket's queue is lost (ENOBUFS). Then, and at the beginning, everything is told once
 * more between dump_begins and dump_ends, while changes go on. Neither ever waits for the kernel.
 */
#pragma once

#include "config/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROUTE_VIAS_MAX 16

struct route_via {
	struct ip_addr address; /* family 0: on the link */
	int link;
	uint16_t weight; /* 1.. */
};

/* A unicast route of the main table. */
struct route_info {
	struct ip_prefix prefix;
	uint32_t metric;
	uint8_t protocol; /* RTPROT_*: 12 BIRD, 186 FRR's bgpd, 4 static, 3 ip route */
	bool append;      /* beside a route of the same prefix and metric */
	uint8_t n;        /* of via; more are left out */
	struct route_via via[ROUTE_VIAS_MAX];
};

struct route_monitor_events {
	void *context;
	void (*changed)(void *context, const struct route_info *r, bool gone);
	void (*dump_begins)(void *context);
	void (*dumped)(void *context, const struct route_info *r);
	void (*dump_ends)(void *context);
};

struct route_monitor;

/* Of the namespace that the thread is in. */
int route_monitor_open(const struct route_monitor_events *events, struct route_monitor **out);
void route_monitor_close(struct route_monitor *m);
/* Readable: call route_monitor_read. Both, in any order. */
int route_monitor_changes_fd(const struct route_monitor *m);
int route_monitor_dump_fd(const struct route_monitor *m);
/* Takes what is there, a bounded part of it: the rest waits for the next call. */
int route_monitor_read(struct route_monitor *m);
/* How often the kernel's queue ran over. */
uint64_t route_monitor_overruns(const struct route_monitor *m);

/* One message of rtnetlink, RTM_NEWROUTE or RTM_DELROUTE, of n bytes. False: none of a unicast route of the main table,
 * or malformed. */
bool route_message_read(const void *message, size_t n, struct route_info *out);
