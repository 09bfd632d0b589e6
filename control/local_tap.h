/* One link of a namespace of daemons, a TAP. An uplink's has the uplink's MAC, MTU and addresses, and its gateways as
 * default routes; a VPN gateway's has its own addresses, and all else is behind it. Control thread; 0 or -errno with a
 * text.
 *
 * The kernel there answers no ARP and asks for nobody: neighbours are the dataplane's to find.
 */
#pragma once

#include "control/loop.h"
#include "dataplane/dataplane.h"
#include "drivers/namespace.h"
#include "drivers/rtnetlink.h"

/* What of an uplink or gateway the kernel has to know. Compared as it lies in memory: zero what is not set. */
struct local_settings {
	struct mac_addr mac;
	uint16_t mtu, n;
	struct {
		struct ip_addr address;
		uint8_t len;
	} address[IFACE_PREFIXES_MAX];
	struct ip_addr gateway[2]; /* IPv4, IPv6; family 0 = none; unspecified: all is on the link */
};

struct local_count {
	uint64_t packets, dropped;
};

struct local_tap {
	struct loop_source source; /* fd < 0: this place is free */
	struct local_net *net;
	char *name;                    /* of the uplink or gateway */
	const char *noun;              /* "uplink", "gateway" */
	char interface[LINK_NAME_MAX]; /* see local_tap_name */
	int index;
	uint16_t iface; /* its id in the view */
	struct local_settings is;
	struct local_count to_daemons[PUNT_CLASS_COUNT]; /* dropped: the kernel did not take it */
	struct local_count from_daemons;                 /* dropped: no buffer, or the worker is behind */
	uint64_t refused;                                /* from no address of ours, to a group, ESP, too long */
};

/* The interface's name for an uplink or gateway: its own where the kernel can have it, else its beginning and a hash;
 * turn > 0: other names, when that one is taken. Any thread. */
void local_tap_name(const char *name, uint32_t turn, char interface[LINK_NAME_MAX]);
/* Makes the interface t->interface of t->name, or takes over the one that a predecessor left. */
int local_tap_open(struct local_tap *t, const struct network_namespace *ns, struct rtnetlink *kernel,
	const struct local_settings *wanted, char *error, size_t n);
/* Other addresses, MTU or gateways, in place. */
int local_tap_change(
	struct local_tap *t, struct rtnetlink *kernel, const struct local_settings *wanted, char *error, size_t n);
/* keep: the interface stays for a successor. */
void local_tap_close(struct local_tap *t, struct loop *loop, bool keep);

/* Interfaces of this namespace that local_tap_open made once, and that nobody serves now, are removed, but for those
 * that `wanted` accepts by their uplink's or gateway's name. */
void local_tap_sweep(
	struct rtnetlink *kernel, const char *noun, bool (*wanted)(void *context, const char *name), void *context);
