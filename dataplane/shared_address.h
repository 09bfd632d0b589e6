/* Addresses that several appliances have in common: those of attached subnets' gateways. One of them, the primary,
 * answers for them; the others learn who their hosts are, and keep silent. Part of dataplane.h; control thread.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

struct dataplane;

/* They are answered for while CLOCK_BOOTTIME is less than *until, which must live as long as this holds; NULL: always.
 * It is compared before each answer, and by the worker before the frame leaves: whoever was stopped and comes back late
 * says nothing. */
void dataplane_share_addresses(struct dataplane *dp, const _Atomic uint64_t *until);
/* From now on they are here: hosts are told by dataplane_poll, three times within a second (gratuitous ARP, RFC 5227
 * section 3; unsolicited neighbour advertisements, RFC 4861 section 7.2.6). */
void dataplane_announce_addresses(struct dataplane *dp);
