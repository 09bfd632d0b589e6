/* Building a view: a description becomes arrays that workers index without a check.
 *
 * Builder thread (view_build), control (view_ref, view_free). Compiled parts whose content did not
 * change are taken over from the previous view by reference; everything else is made anew. Arrays
 * are filled up to a power of two with objects that drop.
 */
#include "dataplane/view_build.h"
#include "dataplane/nsg.h"
#include "dataplane/route.h"
#include "dataplane/sa.h"
#include "dataplane/view.h"

#include "drivers/port.h"

#include <rte_byteorder.h>
#include <rte_malloc.h>

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

int
build_fail(struct build *b, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(b->error, b->error_size, format, args);
	va_end(args);
	return -EINVAL;
}

void *
build_array(struct build *b, size_t n, size_t size)
{
	void *p = rte_zmalloc("view", (n ? n : 1) * size, RTE_CACHE_LINE_SIZE);

	if (p == NULL)
		build_fail(b, "no memory for %zu objects of %zu bytes in the view", n, size);
	return p;
}

/* ---- the whole ------------------------------------------------------------------------ */

struct view *
view_build(const struct view_spec *spec, const struct view *previous, char *error, size_t error_size)
{
	static int (*const steps[])(struct build *) = {build_parts, build_ifaces, build_attachments, build_hops,
		build_selectors, build_tunnels, build_paths, build_standby, build_spis, build_clients,
		build_encap_ports};
	static _Atomic uint32_t number;
	struct build b = {.spec = spec,
		.sas = {.tunnel = spec->tunnel, .n_tunnels = spec->n_tunnels, .sa = spec->sa, .n_sas = spec->n_sas},
		.previous = previous,
		.error = error,
		.error_size = error_size};

	error[0] = '\0';
	b.view = build_array(&b, 1, sizeof(*b.view));
	if (b.view == NULL)
		return NULL;
	atomic_init(&b.view->references, 1);
	b.view->number = atomic_fetch_add(&number, 1) + 1;
	b.view->n_static = spec->n_tunnels;
	for (size_t i = 0; i < RTE_DIM(steps); i++) {
		if (steps[i](&b) != 0) {
			view_free(b.view);
			return NULL;
		}
	}
	return b.view;
}

struct view *
view_ref(const struct view *v)
{
	struct view *own = (struct view *)(uintptr_t)v;

	atomic_fetch_add(&own->references, 1);
	return own;
}

/* What views that differ in SAs alone share. */
static void
base_free(struct view *v)
{
	for (uint32_t i = 0; v->routes && i < v->n_routes; i++)
		routes_free(v->routes[i]);
	for (uint32_t i = 0; v->gateway_table && i < v->n_gateway_tables; i++)
		gateway_table_free(v->gateway_table[i]);
	for (uint32_t i = 0; v->acl && i < v->n_acls; i++)
		acl_free(v->acl[i]);
	for (uint32_t i = 0; v->tags && i < v->n_tags; i++)
		tags_free(v->tags[i]);
	rte_free(v->routes);
	rte_free(v->gateway_table);
	rte_free(v->acl);
	rte_free(v->tags);
	rte_free((void *)(uintptr_t)v->iface);
	rte_free((void *)(uintptr_t)v->standby);
	rte_free((void *)(uintptr_t)v->attach);
	rte_free(v->nic_store);
}

void
view_free(struct view *v)
{
	if (v == NULL || atomic_fetch_sub(&v->references, 1) > 1)
		return;
	if (v->base)
		view_free(v->base);
	else
		base_free(v);
	rte_free((void *)(uintptr_t)v->tunnel);
	rte_free((void *)(uintptr_t)v->spi);
	rte_free((void *)(uintptr_t)v->inbound);
	rte_free((void *)(uintptr_t)v->client);
	rte_free(v->hop_store);
	rte_free(v->spread);
	rte_free(v->selector_store);
	rte_free(v->path_store);
	rte_free(v->class_store);
	rte_free(v);
}
