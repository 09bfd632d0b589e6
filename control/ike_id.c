/* Ids of names; see ike_id.h. */
#include "control/ike_id.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct named {
	const char *kind, *name;
	uint32_t *id;
};

/* FNV-1a. */
static uint32_t
hash(uint32_t h, const char *text)
{
	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 16777619u;
	return h;
}

static uint32_t
wanted(const struct named *n)
{
	uint32_t h = hash(hash(2166136261u, n->kind), n->name);

	return h ? h : 1;
}

static int
order(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	uint32_t h = wanted(x), k = wanted(y);
	int kind;

	if (h != k)
		return h < k ? -1 : 1;
	kind = strcmp(x->kind, y->kind);
	return kind ? kind : strcmp(x->name, y->name);
}

/* In order of their hashes: whoever finds its number taken has the next one. The last numbers of all wrap to nobody:
 * billions of names would be needed. */
static void
assign(struct named *all, uint32_t n)
{
	uint32_t last = 0;

	qsort(all, n, sizeof(*all), order);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t h = wanted(&all[i]);

		last = *all[i].id = h > last ? h : last + 1;
	}
}

int
ike_ids_make(const struct config *c, struct ike_ids *ids)
{
	struct named *all = calloc(c->n_connections + c->n_gateways + 1, sizeof(*all));
	uint32_t n = 0;

	ids->connection = calloc(c->n_connections + 1, sizeof(*ids->connection));
	ids->gateway = calloc(c->n_gateways + 1, sizeof(*ids->gateway));
	if (!all || !ids->connection || !ids->gateway) {
		free(all);
		ike_ids_free(ids);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < c->n_connections; i++)
		all[n++] = (struct named){"connection ", c->connections[i].name, &ids->connection[i]};
	for (uint32_t i = 0; i < c->n_gateways; i++)
		all[n++] = (struct named){"gateway ", c->gateways[i].name, &ids->gateway[i]};
	assign(all, n);
	free(all);
	return 0;
}

void
ike_ids_free(struct ike_ids *ids)
{
	free(ids->connection);
	free(ids->gateway);
	ids->connection = ids->gateway = NULL;
}
