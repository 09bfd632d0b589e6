/* The view: everything workers read, compiled from a view_spec, never changed once published.
 *
 * Inside the dataplane only. Parts (route tables, ACLs, tags) are objects of their own with a
 * reference count that only the builder and control touch: a new view shares what did not change.
 * A view of other SAs (view_sas.c) has tunnels and what hangs on them of its own, and all else from its base, which it
 * keeps alive.
 * Any id is valid: arrays are filled up to a power of two with objects that drop, and ids are
 * masked where they come from outside the burst.
 */
#pragma once

#include "dataplane/flow_hash.h"
#include "dataplane/dataplane.h"
#include "dataplane/esp.h"

#include <rte_common.h>
#include <rte_ether.h>

#include <stddef.h>

struct acl;           /* nsg.h */
struct routes;        /* route.h */
struct tags;          /* route.h */
struct gateway_table; /* route.h */

struct nic {
	struct ip_addr address;
	bool forwarding, has_mac;
	struct mac_addr mac;
	const struct acl *acl_in, *acl_out; /* NULL: no NSG */
	uint32_t name;
};

/* Read by every worker for every packet: what the fast path needs stands first. */
struct iface {
	uint8_t kind;               /* enum iface_kind */
	bool filter_in, filter_out; /* some NSG applies (subnet or one of its NICs) */
	uint8_t n_prefixes;
	uint16_t id, port, vlan, mtu;
	uint32_t vnet;
	bool edges;             /* the first IPv4 prefix has a network and a broadcast address */
	rte_be32_t net4, mask4; /* first IPv4 prefix: quick source check; mask 0 and net 1: none */
	struct rte_ether_addr mac;
	const struct routes *routes;
	const struct acl *acl_in, *acl_out; /* subnet stage, NULL: no NSG */
	const struct tags *tags;
	uint16_t flow_timeout_s;
	uint32_t meter_cost; /* gateway: see meter.h; 0 = no limit */
	uint32_t local_hop;  /* uplink: hop of our own packets; HOP_NONE: they are routed */
	uint32_t name;
	const struct nic *nic; /* sorted by address */
	uint32_t n_nics;
	struct ip_addr address[IFACE_PREFIXES_MAX];
	struct ip_prefix prefix[IFACE_PREFIXES_MAX];
	struct ip_addr gateway4, gateway6;
	rte_be32_t next4; /* circuit: gateway4 */
} __rte_cache_aligned;

struct hop {
	uint8_t kind; /* enum hop_kind */
	uint8_t reason;
	bool deny_forwarded;
	bool filtered; /* to a subnet with security groups */
	uint16_t iface, tunnel;
	uint16_t spread; /* HOP_TUNNEL, HOP_CIRCUIT: to those of view.spread[spread - 1], by flow; 0: `tunnel`, `iface`
			  */
	uint32_t name, deny_name;
	rte_be32_t next4; /* IPv4 neighbour to send to; 0: it depends on the packet, or is none of IPv4 */
	struct ip_addr address;
};

/* One of the outbound SAs that a tunnel uses side by side, and the headers before its payload. */
struct path {
	struct sa *sa;
	struct esp_outer outer;
} __rte_cache_aligned;

_Static_assert(sizeof(struct path) == RTE_CACHE_LINE_SIZE, "a path is one line");

/* Outbound SAs of a tunnel with equal selectors: the paths of what these select. */
struct traffic_class {
	const struct path *path;
	uint32_t path_mask;
	uint16_t n_selectors;
	const struct selector_spec *selector;
};

#define CLASSES_MAX 256 /* in a tunnel */

/* A connection as this view uses it: what changes lives in struct sa (sa.h). Sealing reads the first line alone. */
struct tunnel {
	uint16_t id, gateway, uplink, mtu;
	uint16_t tcp_mss;
	bool copy_dscp, copy_df;
	uint16_t n_selectors;
	uint16_t inner_mtu; /* largest inner packet whose sealed form fits mtu, whatever its path */
	/* The only class; of several, which stand in `class`: all paths, and no selectors. Flows are hashed over the
	 * paths of a class, see tunnel_path; NULL: no outbound SA. */
	uint32_t path_mask;
	uint32_t n_classes; /* 0: one or none */
	const struct path *path;
	const struct selector_spec *selector;
	const struct traffic_class *class;
	uint32_t name, local_hop; /* hop that leads into this tunnel */
	uint32_t meter_cost;      /* of its gateway */

	struct ip_addr remote;
	/* of the connection: what may have an SA */
	uint16_t n_policies;
	const struct selector_spec *policy;
} __rte_cache_aligned;

_Static_assert(offsetof(struct tunnel, remote) <= RTE_CACHE_LINE_SIZE, "what sealing reads is one line");

/* The path of a flow, which keeps its order on it. Workers are chosen by the hash's high bits: each feeds all paths. */
static inline const struct path *
tunnel_path(const struct tunnel *t, uint32_t hash)
{
	return &t->path[hash & t->path_mask];
}

/* An inbound SA in this view: to whom and, not in UDP, from whom its packets are, and what they may carry. */
struct inbound {
	uint16_t gateway, tunnel;
	uint16_t n_selectors;
	uint32_t meter_cost; /* of the gateway */
	struct ip_addr local, remote;
	const struct selector_spec *selector;
} __rte_cache_aligned;

struct sa_slot {
	uint32_t spi; /* 0 = free */
	uint32_t inbound;
	struct sa *sa;
};

#define ENCAP_PORTS_MAX 16

#define SPREAD_MAX 8
#define SPREAD_SLOTS 64

/* A hop into the first of some tunnels that has an outbound SA, or into all that have; none has: the first. Or to all
 * of some circuits, whose interfaces stand in `tunnel`. Nothing for workers. */
struct standby {
	uint32_t hop;
	bool all, circuit;
	uint16_t n, tunnel[SPREAD_MAX];
};

/* Tunnels or circuits side by side, each by its share of flows. A tunnel that is down is replaced in its slots: other
 * flows stay where they are. */
struct spread {
	uint16_t slot[SPREAD_SLOTS];
};

struct view {
	uint64_t generation; /* set by dataplane_publish: one more with each */
	uint32_t number;     /* of its description: equal in all views that differ in SAs alone, in no others */
	uint32_t n_static;   /* tunnels of the description: they keep their ids in all of those, and have hops */
	uint32_t iface_mask, hop_mask, tunnel_mask, spi_mask;
	const struct iface *iface;
	const struct hop *hop;
	const struct tunnel *tunnel;
	const struct sa_slot *spi;     /* open addressing, start at spi & spi_mask, at most SPI_PROBES_MAX */
	const struct inbound *inbound; /* by sa_slot.inbound */
	const struct client *client;   /* client.h */
	uint32_t client_mask;
	const uint16_t (*attach)[4096]; /* [port][vlan] -> interface */
	uint16_t n_ports;
	/* owned references to compiled objects that several views may share; index as in the spec */
	struct routes **routes;
	struct gateway_table **gateway_table;
	struct acl **acl;
	struct tags **tags;
	uint16_t encap_port[ENCAP_PORTS_MAX]; /* beside 4500: UDP ports where ESP is expected */
	uint16_t n_encap_ports;
	uint32_t n_routes, n_gateway_tables, n_acls, n_tags, n_ifaces, n_hops, n_tunnels, n_sas;
	struct nic *nic_store;
	const struct standby *standby; /* of the description */
	uint32_t n_standby;
	struct spread *spread; /* by index of standby; NULL: no hop is spread */

	/* builder and control */
	_Atomic uint32_t references;
	struct view *base;     /* whose are all arrays but those of tunnels, SAs and clients; NULL: its own */
	struct hop *hop_store; /* NULL: the hops are the base's */
	struct selector_spec *selector_store;
	struct path *path_store;
	uint32_t n_paths;
	struct traffic_class *class_store;
};

#define SPI_PROBES_MAX 16

/* The tunnel, or the circuit's interface. */
static inline uint16_t
spread_to(const struct view *v, const struct hop *h, uint32_t hash)
{
	return v->spread[h->spread - 1].slot[flow_share(hash, SPREAD_SLOTS)];
}

/* The NIC that owns an address on an interface, NULL if none. Any thread. */
const struct nic *iface_nic(const struct iface *i, uint8_t family, const uint8_t *address);
/* Does the address lie in one of the interface's networks? Any thread. */
bool iface_on_link(const struct iface *i, const struct ip_addr *a);
