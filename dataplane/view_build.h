/* What the steps of building a view share. Builder thread. */
#pragma once

#include "dataplane/view.h"

struct build {
	const struct view_spec *spec; /* NULL: only SAs are new */
	struct sas_spec sas;
	const struct view *previous; /* NULL: the first view */
	struct view *view;
	struct selector_spec *selector; /* the next free place */
	char *error;
	size_t error_size;
};

/* Tell why; returns -EINVAL. */
int build_fail(struct build *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* n zeroed objects on EAL's heap, at least one. NULL: told. */
void *build_array(struct build *b, size_t n, size_t size);
/* A copy in the view, for which build_selectors has made room; NULL for any to any. Sets *count. */
const struct selector_spec *build_keep_selectors(
	struct build *b, const struct selector_spec *s, uint32_t n, uint16_t *count);
/* Where an SA's outer packets go: its own addresses, else its tunnel's. */
struct endpoint {
	uint16_t uplink;
	struct ip_addr local, remote;
};
struct endpoint build_endpoint(const struct build *b, const struct sa_spec *s);

/* view_parts.c: gateway tables, routes, ACLs and tags. */
int build_parts(struct build *b);
/* view_iface.c: routes, ACLs and tags are there. */
int build_ifaces(struct build *b);
int build_attachments(struct build *b);
/* In this order, after the interfaces; all but the first from `sas`. view_tunnel.c: */
int build_hops(struct build *b);
int build_selectors(struct build *b);
int build_tunnels(struct build *b);
/* view_path.c: what goes out, by which SA. */
int build_paths(struct build *b);
/* view_standby.c: paths are there. */
int build_standby(struct build *b);
/* view_inbound.c: what comes in, by which SA. */
int build_spis(struct build *b);
/* view_client.c */
int build_clients(struct build *b);
int build_encap_ports(struct build *b);
