/* Links, addresses and default routes of one network namespace's kernel, by rtnetlink. Control thread; 0 or -errno.
 *
 * A socket speaks for the namespace it was opened in, wherever the thread stands later.
 */
#pragma once

#include "config/address.h"

#include <stdbool.h>
#include <stdint.h>

struct rtnetlink;

#define LINK_NAME_MAX 16   /* IFNAMSIZ */
#define LINK_ALIAS_MAX 256 /* IFALIASZ */

struct link_info {
	int index;
	char name[LINK_NAME_MAX], alias[LINK_ALIAS_MAX];
};

int rtnetlink_open(struct rtnetlink **out);
void rtnetlink_close(struct rtnetlink *r);

/* -ENODEV: no such link. */
int link_find(struct rtnetlink *r, const char *name, struct link_info *out);
/* Every link; each() must not speak to the kernel. */
int link_each(struct rtnetlink *r, void (*each)(void *context, const struct link_info *link), void *context);
int link_alias_set(struct rtnetlink *r, int index, const char *alias);
/* MAC address, MTU, how many packets may wait to leave, and that nobody is asked for neighbours' addresses. */
int link_ethernet_set(struct rtnetlink *r, int index, const struct mac_addr *mac, uint16_t mtu, uint32_t queue);
int link_up(struct rtnetlink *r, int index);
int link_delete(struct rtnetlink *r, int index);

/* An address with its network's length in bits; in use at once. It may be there already. */
int link_address_add(struct rtnetlink *r, int index, const struct ip_addr *a, uint8_t len);
int link_address_delete(struct rtnetlink *r, int index, const struct ip_addr *a, uint8_t len);
int link_address_each(struct rtnetlink *r, int index, void (*each)(void *context, const struct ip_addr *a, uint8_t len),
	void *context);

/* The default route of this metric by the link: added or replaced. An unspecified gateway: all is on the link. */
int link_default_route_set(struct rtnetlink *r, int index, const struct ip_addr *gateway, uint32_t metric);
/* 0, too, when there is none. */
int link_default_route_delete(struct rtnetlink *r, int index, uint8_t family, uint32_t metric);
/* One address that is on the link. 0, too, when the route is there, or is not. */
int link_host_route_set(struct rtnetlink *r, int index, const struct ip_addr *host);
int link_host_route_delete(struct rtnetlink *r, int index, const struct ip_addr *host);
