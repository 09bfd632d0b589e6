/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Events of isthmusd, handed to charon; see events.h.
 */
#include "control/strongswan/events.h"

#include "control/strongswan/compat.h"
#include "control/strongswan/wire.h"

#include <daemon.h>
#include <errno.h>
#include <netinet/in.h>

void
events_expire(const struct ike_sa_id *sa, bool hard)
{
	host_t *destination = wire_to_host(&sa->destination);

	if (!destination)
		return;
	charon->kernel->expire(charon->kernel, IPPROTO_ESP, htonl(sa->spi), destination, hard);
	destination->destroy(destination);
}

static int
acquire(const struct ike_acquire *a)
{
	traffic_selector_t *source = wire_to_selector(&a->source), *destination = wire_to_selector(&a->destination);

	if (source && destination)
		compat_acquire(a->reqid, source, destination);
	DESTROY_IF(source);
	DESTROY_IF(destination);
	return source && destination ? 0 : -EPROTO;
}

static int
mapping(const struct ike_mapping *m)
{
	host_t *destination = wire_to_host(&m->id.destination), *remote = wire_to_host(&m->new_remote);

	if (destination && remote)
		charon->kernel->mapping(charon->kernel, IPPROTO_ESP, htonl(m->id.spi), destination, remote);
	DESTROY_IF(destination);
	DESTROY_IF(remote);
	return destination && remote ? 0 : -EPROTO;
}

int
events_dispatch(const struct ike_header *h)
{
	size_t size = h->length - sizeof(*h);
	const void *body = h + 1;

	if (h->type == IKE_EXPIRE && size == sizeof(struct ike_expire)) {
		const struct ike_expire *e = body;

		events_expire(&e->id, e->hard != 0);
		return 0;
	}
	if (h->type == IKE_ACQUIRE && size == sizeof(struct ike_acquire))
		return acquire(body);
	if (h->type == IKE_MAPPING && size == sizeof(struct ike_mapping))
		return mapping(body);
	return -EPROTO;
}
