/* What the steps of building a view share. Builder thread. */
#pragma once

#include "dataplane/view.h"

struct build {
	const struct view_spec *spec; /* NULL: only SAs are new */
	struct sas_spec sas;
	const struct view *previous; /* NULL: the first view */
	struct view *view;
	char *error;
	size_t error_size;
};

/* Tell why; returns -EINVAL. */
int build_fail(struct build *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* n zeroed objects on EAL's heap, at least one. NULL: told. */
void *build_array(struct build *b, size_t n, size_t size);

/* view_parts.c: gateway tables, routes, ACLs and tags. */
int build_parts(struct build *b);
/* view_iface.c: routes, ACLs and tags are there. */
int build_ifaces(struct build *b);
int build_attachments(struct build *b);
/* view_tunnel.c, in this order, after the interfaces; all but the first from `sas`. */
int build_hops(struct build *b);
int build_tunnels(struct build *b);
int build_spis(struct build *b);
int build_encap_ports(struct build *b);
