/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Directories in their places; see directories.h. charon's list of backends is its own, and vici's is known to vici
 * alone: so the way into the list is ours while the plugin is loaded, which comes before vici.
 */
#include "control/strongswan/directories.h"

#include "control/strongswan/directory.h"

#include <daemon.h>

#define PLACES 8

static struct place {
	backend_t *inner, *directory;
} place[PLACES];

static void (*add_to)(backend_manager_t *manager, backend_t *backend);
static void (*remove_from)(backend_manager_t *manager, backend_t *backend);

static struct place *
find(const backend_t *inner)
{
	for (uint32_t i = 0; i < PLACES; i++)
		if (place[i].inner == inner)
			return &place[i];
	return NULL;
}

static void
add(backend_manager_t *manager, backend_t *backend)
{
	struct place *p = find(NULL);
	backend_t *directory = p ? directory_create(backend) : NULL;

	if (directory)
		*p = (struct place){backend, directory};
	add_to(manager, directory ? directory : backend);
}

static void
take_out(backend_manager_t *manager, backend_t *backend)
{
	struct place *p = find(backend);

	remove_from(manager, p ? p->directory : backend);
	if (!p)
		return;
	directory_free(p->directory);
	*p = (struct place){0};
}

void
directories_start(void)
{
	backend_manager_t *manager = charon->backends;

	add_to = manager->add_backend;
	remove_from = manager->remove_backend;
	manager->add_backend = add;
	manager->remove_backend = take_out;
}

void
directories_stop(void)
{
	backend_manager_t *manager = charon->backends;

	for (uint32_t i = 0; i < PLACES; i++) {
		backend_t *inner = place[i].inner;

		if (!inner)
			continue;
		take_out(manager, inner);
		add_to(manager, inner);
	}
	manager->add_backend = add_to;
	manager->remove_backend = remove_from;
}
