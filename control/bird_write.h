/* What any configuration for bird begins with, and any session in one. Any thread. */
#pragma once

#include "config/resource.h"

#include <stdio.h>

/* A BGP session up to its channel. */
struct bird_peer {
	const char *name, *of; /* the protocol's name; its description */
	struct ip_addr local, peer;
	uint32_t local_asn, peer_asn;
	bool multihop;
	uint16_t retry_s, wait_max_s; /* to connect again; after errors, of which every one doubles it */
	const struct cfg_bgp_session *settings;
};

/* id: any address that differs from other speakers'. */
void bird_write_head(FILE *to, const struct ip_addr *id);
/* The channel follows, and "}". */
void bird_write_peer(FILE *to, const struct bird_peer *p);
