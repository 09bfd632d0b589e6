/* The classes of the exception path: what workers hand to control. */
#pragma once

#include <stdint.h>

enum punt_class {
	PUNT_NEIGHBOUR,
	PUNT_ARP_ND,
	PUNT_ECHO,
	PUNT_ICMP_ERROR,
	PUNT_LOCAL, /* to ourselves, and ICMP errors about what daemons sent */
	/* to daemons in the control namespace */
	PUNT_BFD,
	PUNT_IKE,
	PUNT_BGP,
	PUNT_CLASS_COUNT
};

struct dataplane;

/* Handed over, and lost to the class's rate or a full ring. */
struct punt_count {
	uint64_t packets, dropped;
};

/* Sums over workers. Control thread. */
void dataplane_punts(const struct dataplane *dp, enum punt_class class, struct punt_count *out);
