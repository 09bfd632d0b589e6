/* Flows and neighbours are keyed by interface id, so a subnet keeps its id from view to view.
 *
 * A name that goes away keeps its id until no fresh id is left; then the id that has been out of use for
 * the longest time is given away. So an id never changes its meaning soon, and a world
 * that was built but refused does no harm.
 */
#include "control/iface_ids.h"

#include <stdlib.h>
#include <string.h>

struct iface_id {
	char *name;
	uint64_t used; /* the last begin that took it */
};

struct iface_ids {
	struct iface_id id[IFACES_MAX]; /* [0] stays free: IFACE_NONE */
	uint32_t n;
	uint64_t now;
};

struct iface_ids *
iface_ids_create(void)
{
	struct iface_ids *ids = calloc(1, sizeof(*ids));

	if (ids != NULL)
		ids->n = 1;
	return ids;
}

void
iface_ids_free(struct iface_ids *ids)
{
	if (ids == NULL)
		return;
	for (uint32_t i = 0; i < ids->n; i++)
		free(ids->id[i].name);
	free(ids);
}

void
iface_ids_begin(struct iface_ids *ids)
{
	ids->now++;
}

/* A fresh id, or the one longest out of use; IFACE_NONE: all are in use. */
static uint32_t
vacant(struct iface_ids *ids)
{
	uint32_t oldest = IFACE_NONE;

	if (ids->n < IFACES_MAX)
		return ids->n++;
	for (uint32_t i = 1; i < ids->n; i++) {
		if (ids->id[i].used < ids->now && (oldest == IFACE_NONE || ids->id[i].used < ids->id[oldest].used))
			oldest = i;
	}
	return oldest;
}

uint16_t
iface_ids_take(struct iface_ids *ids, const char *name)
{
	char *copy;
	uint32_t i;

	for (i = 1; i < ids->n; i++) {
		if (ids->id[i].name != NULL && strcmp(ids->id[i].name, name) == 0) {
			ids->id[i].used = ids->now;
			return (uint16_t)i;
		}
	}
	copy = strdup(name);
	i = copy == NULL ? IFACE_NONE : vacant(ids);
	if (i == IFACE_NONE) {
		free(copy);
		return IFACE_NONE;
	}
	free(ids->id[i].name);
	ids->id[i] = (struct iface_id){copy, ids->now};
	return (uint16_t)i;
}
