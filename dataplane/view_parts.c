/* The parts of a view that several views may share: gateway tables, route tables, rules, tags. Builder thread.
 *
 * A part is taken over from the previous view when it was built from equal content. Thousands of parts may stand on
 * both sides, so the former ones are indexed by the hash of what they were built from; those with the wanted hash
 * are compared with the description itself.
 */
#include "dataplane/nsg.h"
#include "dataplane/route.h"
#include "dataplane/view_build.h"

#include <errno.h>
#include <stdlib.h>

/* i: index in the description; k: index in the previous view. */
struct part_kind {
	uint32_t first; /* index; those before stand for nothing */
	uint64_t (*wanted)(const struct build *b, uint32_t i);
	uint64_t (*had)(const struct view *v, uint32_t k);
	bool (*share)(struct build *b, uint32_t i, uint32_t k); /* when k was built from equal content */
	bool (*make)(struct build *b, uint32_t i);
};

/* ---- the former parts by hash ------------------------------------------------------------ */

struct former {
	uint64_t hash;
	uint32_t part; /* index in the previous view + 1, 0 = free */
};

struct index {
	struct former *slot;
	uint32_t mask;
};

static int
index_build(struct index *x, const struct view *v, const struct part_kind *kind, uint32_t n)
{
	x->mask = rte_align32pow2(2 * n + 1) - 1;
	x->slot = calloc((size_t)x->mask + 1, sizeof(*x->slot));
	if (x->slot == NULL)
		return -ENOMEM;
	for (uint32_t k = kind->first; k < n; k++) {
		uint64_t hash = kind->had(v, k);
		uint32_t at = (uint32_t)hash & x->mask;

		while (x->slot[at].part != 0)
			at = (at + 1) & x->mask;
		x->slot[at] = (struct former){hash, k + 1};
	}
	return 0;
}

static bool
take_over(struct build *b, const struct index *x, const struct part_kind *kind, uint32_t i)
{
	uint64_t hash = kind->wanted(b, i);

	for (uint32_t at = (uint32_t)hash & x->mask; x->slot[at].part != 0; at = (at + 1) & x->mask)
		if (x->slot[at].hash == hash && kind->share(b, i, x->slot[at].part - 1))
			return true;
	return false;
}

static int
parts(struct build *b, const struct part_kind *kind, uint32_t n, uint32_t n_former)
{
	struct index former;
	int rc = index_build(&former, b->previous, kind, n_former);

	if (rc != 0)
		return build_fail(b, "no memory to compare with %u parts of the last view", n_former);
	for (uint32_t i = kind->first; i < n && rc == 0; i++)
		if (!take_over(b, &former, kind, i) && !kind->make(b, i))
			rc = -EINVAL;
	free(former.slot);
	return rc;
}

/* ---- gateway tables ------------------------------------------------------------------------ */

static uint64_t
gateway_wanted(const struct build *b, uint32_t i)
{
	return gateway_table_spec_hash(&b->spec->gateway_table[i]);
}

static uint64_t
gateway_had(const struct view *v, uint32_t k)
{
	return gateway_table_hash(v->gateway_table[k]);
}

static bool
gateway_share(struct build *b, uint32_t i, uint32_t k)
{
	struct gateway_table *former = b->previous->gateway_table[k];

	if (!gateway_table_same(former, &b->spec->gateway_table[i]))
		return false;
	b->view->gateway_table[i] = gateway_table_ref(former);
	return true;
}

static bool
gateway_make(struct build *b, uint32_t i)
{
	b->view->gateway_table[i] = gateway_table_build(&b->spec->gateway_table[i], b->error, b->error_size);
	return b->view->gateway_table[i] != NULL;
}

/* ---- route tables -------------------------------------------------------------------------- */

/* The view's gateway tables are there. */
static struct gateway_table *
gateway_of(const struct build *b, uint32_t i)
{
	int32_t gateway = b->spec->routes[i].gateway;

	return gateway >= 0 ? b->view->gateway_table[gateway] : NULL;
}

static uint64_t
routes_wanted(const struct build *b, uint32_t i)
{
	return routes_spec_hash(&b->spec->routes[i]);
}

static uint64_t
routes_had(const struct view *v, uint32_t k)
{
	return routes_hash(v->routes[k]);
}

static bool
routes_share(struct build *b, uint32_t i, uint32_t k)
{
	struct routes *former = b->previous->routes[k];

	if (!routes_same(former, &b->spec->routes[i], gateway_of(b, i)))
		return false;
	b->view->routes[i] = routes_ref(former);
	return true;
}

static bool
routes_make(struct build *b, uint32_t i)
{
	b->view->routes[i] = routes_build(&b->spec->routes[i], gateway_of(b, i), b->error, b->error_size);
	return b->view->routes[i] != NULL;
}

/* ---- rules --------------------------------------------------------------------------------- */

static uint64_t
acl_wanted(const struct build *b, uint32_t i)
{
	return acl_spec_hash(&b->spec->acl[i]);
}

static uint64_t
acl_had(const struct view *v, uint32_t k)
{
	return acl_hash(v->acl[k]);
}

static bool
acl_share(struct build *b, uint32_t i, uint32_t k)
{
	struct acl *former = b->previous->acl[k];

	if (!acl_same(former, &b->spec->acl[i]))
		return false;
	b->view->acl[i] = acl_ref(former);
	return true;
}

static bool
acl_make(struct build *b, uint32_t i)
{
	b->view->acl[i] = acl_build(&b->spec->acl[i], b->error, b->error_size);
	return b->view->acl[i] != NULL;
}

/* ---- tags ---------------------------------------------------------------------------------- */

static struct gateway_table *
tags_gateway(const struct build *b, uint32_t i)
{
	uint32_t gateway = b->spec->tags[i].gateway;

	return gateway > 0 ? b->view->gateway_table[gateway - 1] : NULL;
}

static uint64_t
tags_wanted(const struct build *b, uint32_t i)
{
	return tags_spec_hash(&b->spec->tags[i]);
}

static uint64_t
tags_had(const struct view *v, uint32_t k)
{
	return tags_hash(v->tags[k]);
}

static bool
tags_share(struct build *b, uint32_t i, uint32_t k)
{
	struct tags *former = b->previous->tags[k];

	if (!tags_same(former, &b->spec->tags[i], tags_gateway(b, i)))
		return false;
	b->view->tags[i] = tags_ref(former);
	return true;
}

static bool
tags_make(struct build *b, uint32_t i)
{
	b->view->tags[i] = tags_build(&b->spec->tags[i], tags_gateway(b, i), b->error, b->error_size);
	return b->view->tags[i] != NULL;
}

/* ---- all of them --------------------------------------------------------------------------- */

static int
arrays(struct build *b)
{
	struct view *v = b->view;
	const struct view_spec *s = b->spec;

	v->gateway_table = build_array(b, s->n_gateway_tables, sizeof(*v->gateway_table));
	v->routes = build_array(b, s->n_routes, sizeof(*v->routes));
	v->acl = build_array(b, s->n_acls, sizeof(*v->acl));
	v->tags = build_array(b, s->n_tags, sizeof(*v->tags));
	v->n_gateway_tables = s->n_gateway_tables;
	v->n_routes = s->n_routes;
	v->n_acls = s->n_acls;
	v->n_tags = s->n_tags;
	return v->gateway_table && v->routes && v->acl && v->tags ? 0 : -ENOMEM;
}

int
build_parts(struct build *b)
{
	static const struct part_kind gateway = {0, gateway_wanted, gateway_had, gateway_share, gateway_make};
	static const struct part_kind routes = {0, routes_wanted, routes_had, routes_share, routes_make};
	static const struct part_kind acl = {1, acl_wanted, acl_had, acl_share, acl_make};
	static const struct part_kind tags = {0, tags_wanted, tags_had, tags_share, tags_make};
	const struct view_spec *s = b->spec;
	const struct view *former = b->previous;
	int rc = arrays(b);

	if (rc == 0)
		rc = parts(b, &gateway, s->n_gateway_tables, former ? former->n_gateway_tables : 0);
	if (rc == 0)
		rc = parts(b, &routes, s->n_routes, former ? former->n_routes : 0);
	if (rc == 0)
		rc = parts(b, &acl, s->n_acls, former ? former->n_acls : 0);
	if (rc == 0)
		rc = parts(b, &tags, s->n_tags, former ? former->n_tags : 0);
	return rc;
}
