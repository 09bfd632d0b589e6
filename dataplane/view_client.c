/* The table of point-to-site clients of a view (client.h). Control; an empty one: builder. */
#include "dataplane/client.h"
#include "dataplane/view_build.h"

#include <rte_malloc.h>

#include <errno.h>

static int
client_place(struct client *table, uint32_t mask, const struct client_spec *s)
{
	uint32_t at = client_hash(s->gateway, s->address.family, s->address.b) & mask;

	for (int probe = 0; probe < CLIENT_PROBES_MAX; probe++, at = (at + 1) & mask) {
		if (table[at].address.family == IP_NONE) {
			table[at] = (struct client){s->address, s->gateway, s->tunnel};
			return 0;
		}
		if (table[at].gateway == s->gateway && address_equal(&table[at].address, &s->address))
			return -EEXIST;
	}
	return -ENOSPC;
}

/* 0 on success, -ENOSPC: a larger table is needed, else the error is told. */
static int
clients_of_size(struct build *b, uint32_t size)
{
	struct client *table = build_array(b, size, sizeof(*table));
	int rc = table ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < b->sas.n_clients && rc == 0; i++)
		rc = client_place(table, size - 1, &b->sas.client[i]);
	if (rc == -EEXIST)
		build_fail(b, "two clients of a gateway have the same address");
	if (rc) {
		rte_free(table);
		return rc;
	}
	b->view->client = table;
	b->view->client_mask = size - 1;
	return 0;
}

int
build_clients(struct build *b)
{
	uint32_t size = rte_align32pow2(b->sas.n_clients * 2 + 1);
	int rc = -ENOSPC;

	for (int doubling = 0; doubling < 6 && rc == -ENOSPC; doubling++, size *= 2)
		rc = clients_of_size(b, size);
	if (rc == -ENOSPC)
		build_fail(b, "the addresses of clients collide too often");
	return rc;
}
