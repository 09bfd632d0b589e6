/* Who speaks for addresses that several appliances have. Inside the dataplane; control thread. */
#pragma once

#include "config/address.h"
#include "dataplane/shared_address.h"

#include <stdbool.h>

struct iface;

struct shared_addresses {
	const _Atomic uint64_t *until; /* NULL: they are this appliance's alone */
	uint32_t rounds;               /* of announcements, that are left */
	uint32_t next;                 /* interface whose turn it is */
	uint64_t due_ns;               /* when the next round begins */
};

/* Until when, by CLOCK_BOOTTIME, this appliance may speak as a, an address of i. UINT64_MAX: always, as one that is its
 * own: of an uplink, link-local, or unspecified. */
uint64_t shared_address_until(const struct dataplane *dp, const struct iface *i, const struct ip_addr *a);
/* It may now. */
bool shared_address_ours(const struct dataplane *dp, const struct iface *i, const struct ip_addr *a);
/* At every poll: a few announcements. */
void shared_address_tick(struct dataplane *dp, uint64_t now_ns);
