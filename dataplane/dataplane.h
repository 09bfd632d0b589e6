/* The dataplane as control sees it: the only dataplane header that control includes.
 *
 * Control describes the world in plain structs (struct view_spec), a builder thread compiles
 * them into one immutable view (view_build), and the control thread publishes it
 * (dataplane_publish). Workers swap views between bursts; a view is freed after its grace period (dataplane_poll).
 * Everything here is the control thread's unless told otherwise.
 *
 * Ids: an interface id, a hop id and so on index the arrays of one spec. Interface ids must stay
 * with their subnet or uplink from view to view (flows and neighbours are keyed by them).
 * `name` ids are indexes of an append-only table of texts that control keeps: the dataplane
 * counts by them and never reads the text. NAME_NONE = nothing to name.
 */
#pragma once

#include "config/address.h"
#include "config/config.h"
#include "dataplane/drop.h"
#include "dataplane/punt.h"
#include "dataplane/shared_address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IFACES_MAX 4096
#define IFACE_NONE 0 /* interface 0 of every view drops NO_INTERFACE */
#define WORKERS_MAX 64
#define NAME_NONE 0
#define HOP_NONE 0 /* hop 0 of every view drops NO_ROUTE */
#define ACL_NONE 0 /* no NSG: everything is allowed */
#define TUNNEL_NONE 0xffff
#define IFACE_PREFIXES_MAX 16

/* ---- what control describes ------------------------------------------------------- */

enum iface_kind {
	IFACE_INVALID,
	IFACE_SUBNET,  /* a subnet on a port and VLAN; we are its gateway */
	IFACE_UPLINK,  /* public addresses, tunnels' outer packets, Internet */
	IFACE_GATEWAY, /* no port: where packets opened from a VNet's tunnels enter; addresses: of its BGP */
	IFACE_CIRCUIT, /* a clear link to a provider's edge, whose address is gateway4 */
};

struct iface_spec {
	enum iface_kind kind;
	uint32_t name;
	uint16_t port;                               /* not for IFACE_GATEWAY */
	uint16_t vlan;                               /* 0 = untagged */
	uint16_t mtu;                                /* of the L3 packet */
	uint32_t vnet;                               /* any number, equal for interfaces of one VNet; 0 for an uplink */
	struct ip_addr address[IFACE_PREFIXES_MAX];  /* ours: answered by ARP/ND, echo */
	struct ip_prefix prefix[IFACE_PREFIXES_MAX]; /* on-link network of address[i] */
	uint16_t n_prefixes;
	struct ip_addr gateway4, gateway6; /* uplink, circuit: next hop off-link; family 0 = none */
	uint32_t routes;                   /* index of its route table in view_spec.routes */
	uint32_t acl_in, acl_out;          /* subnet stage: index in acls, ACL_NONE */
	uint32_t tags;                     /* index in tags: service tag bits of an address as seen from here */
	uint16_t flow_timeout_s;
	uint32_t rate_mbps; /* gateway: of its tunnels together, each direction; up to 100,000, 0 = no limit */
};

/* One address of a networkInterface. */
struct nic_spec {
	uint16_t iface;
	struct ip_addr address;
	bool forwarding; /* may send with foreign sources */
	bool has_mac;
	struct mac_addr mac; /* a static neighbour */
	uint32_t acl_in, acl_out;
	uint32_t name;
};

enum hop_kind {
	HOP_DROP,      /* reason, name */
	HOP_SUBNET,    /* deliver to the packet's destination on iface */
	HOP_NEIGHBOUR, /* deliver to `address` on iface (VirtualAppliance, uplink gateway) */
	HOP_UPLINK,    /* Internet: on-link destination or the uplink's gateway */
	HOP_CIRCUIT,   /* to the other end of iface, an IFACE_CIRCUIT */
	HOP_TUNNEL,    /* VirtualNetworkGateway: seal into tunnel */
	HOP_CLIENT,    /* seal into the tunnel of the client whose address is the destination; iface: its gateway */
	HOP_LOCAL,     /* an address of ours */
};

struct hop_spec {
	enum hop_kind kind;
	enum drop_reason reason; /* HOP_DROP */
	uint16_t iface;
	struct ip_addr address;
	/* standby: tunnels, each in turn while those before have no SA; or with spread, and always for circuits, which
	 * have interfaces here, all of them side by side, by flow */
	uint16_t tunnel, standby[7], n_standby;
	bool spread;
	uint32_t name;       /* route, flag or peering that decided */
	bool deny_forwarded; /* packets whose source is foreign to the sending VNet: PEER_FWD_DENIED, named by... */
	uint32_t deny_name;  /* ... this peering */
};

/* A route of a compiled table; which of two routes with one prefix wins was decided by control. */
struct route_spec {
	struct ip_prefix prefix;
	uint32_t hop;
	uint8_t rank; /* enum route_rank */
};

/* How an overlay route stands against the shared gateway table's routes (longest prefix wins;
 * at equal length USER beats the gateway table, SYSTEM loses; STRONG always wins: system routes
 * for the VNet and peerings, and user routes inside them). */
enum route_rank { ROUTE_SYSTEM, ROUTE_USER, ROUTE_STRONG };

/* A subnet's effective table: its own overlay and, shared by index, a gateway table. */
struct routes_spec {
	struct route_spec *overlay;
	uint32_t n_overlay;
	int32_t gateway; /* index in gateway_tables, -1 = none */
};

struct gateway_table_spec {
	struct route_spec *route; /* rank unused */
	uint32_t n;
};

/* Service tag bits of an address, by longest prefix; no match = TAG_BIT_INTERNET. */
#define TAG_BIT_VNET 0x01
#define TAG_BIT_INTERNET 0x02
#define TAG_BIT_LOAD_BALANCER 0x04
#define TAG_BIT_OWN_VNET 0x08 /* inside the address space of this very VNet (beside TAG_BIT_VNET) */

struct tag_spec {
	struct ip_prefix prefix;
	uint8_t bits;
};

struct tags_spec {
	struct tag_spec *tag;
	uint32_t n;
	uint32_t gateway; /* 1 + index in gateway_tables: all its prefixes are TAG_BIT_VNET too; 0 = none */
};

struct acl_port_range {
	uint16_t first, last;
};

/* One NSG rule, expanded: ASGs are prefixes here, tags are bits. A packet matches when each side
 * matches: (no prefixes or one covers it) and (tag == 0 or tag & bits) and (no ports or one covers). */
struct acl_side_spec {
	const struct ip_prefix *prefix;
	uint32_t n_prefixes;
	bool nothing; /* an ASG without members: matches no packet */
	uint8_t tag;
	const struct acl_port_range *port;
	uint32_t n_ports;
};

struct acl_rule_spec {
	int16_t protocol; /* IP protocol, -1 any; 1 (Icmp) matches ICMP and ICMPv6 */
	bool allow;
	struct acl_side_spec source, destination;
	uint32_t name;
};

/* Rules in order of evaluation; the first match decides; no match: deny, NAME_NONE. */
struct acl_spec {
	struct acl_rule_spec *rule;
	uint32_t n;
};

struct selector_spec {
	struct ip_prefix local, remote;
	uint8_t protocol;                                /* 0 = any */
	struct acl_port_range local_ports, remote_ports; /* last 0 = any */
};

struct tunnel_spec {
	uint32_t name;
	uint16_t gateway; /* IFACE_GATEWAY interface: where opened packets enter */
	uint16_t uplink;  /* IFACE_UPLINK */
	struct ip_addr local, remote;
	struct selector_spec *selector; /* none = any to any */
	uint32_t n_selectors;
	uint16_t mtu;     /* outer path MTU; 0 = uplink's */
	uint16_t tcp_mss; /* 0 = derived */
	bool copy_dscp, copy_df;
};

/* Run-time SA: made once, shared by every view that names it, so counters and windows live on. */
struct sa;

struct sa_spec {
	uint16_t tunnel; /* index in view_spec.tunnels */
	struct cfg_sa config;
	struct sa *sa; /* from sa_create(), kept by control across views */
	uint32_t name;
	/* negotiated SAs; zero: as the tunnel has it */
	uint16_t uplink;
	struct ip_addr local, remote;   /* of its outer packets */
	struct selector_spec *selector; /* outbound SAs with equal lists share a traffic class of the tunnel */
	uint32_t n_selectors;
};

/* A point-to-site client: packets to its address, routed to HOP_CLIENT, leave by its tunnel. */
struct client_spec {
	uint16_t gateway; /* IFACE_GATEWAY */
	struct ip_addr address;
	uint16_t tunnel;
};

/* What changes with every SA. */
struct sas_spec {
	const struct tunnel_spec *tunnel; /* the base's own first, unchanged; those of clients behind them */
	uint32_t n_tunnels;
	const struct sa_spec *sa;
	uint32_t n_sas;
	const struct client_spec *client;
	uint32_t n_clients;
};

struct view_spec {
	struct iface_spec *iface; /* [0] is the invalid interface */
	uint32_t n_ifaces;
	struct nic_spec *nic;
	uint32_t n_nics;
	struct hop_spec *hop; /* [0] drops NO_ROUTE */
	uint32_t n_hops;
	struct routes_spec *routes;
	uint32_t n_routes;
	struct gateway_table_spec *gateway_table;
	uint32_t n_gateway_tables;
	struct acl_spec *acl; /* [0] unused: ACL_NONE */
	uint32_t n_acls;
	struct tags_spec *tags;
	uint32_t n_tags;
	struct tunnel_spec *tunnel;
	uint32_t n_tunnels;
	struct sa_spec *sa;
	uint32_t n_sas;
};

/* ---- views ------------------------------------------------------------------------ */

struct view;
struct dataplane;
struct rte_mempool;

/* Builder thread (any registered EAL thread). Compile spec; parts equal to those of `previous`
 * (may be NULL) are shared, not rebuilt. The spec may be freed afterwards.
 * Returns NULL and a text on error. */
struct view *view_build(const struct view_spec *spec, const struct view *previous, char *error, size_t error_size);
/* Builder and control. One more who keeps the view alive, until each has called view_free; not its SAs. */
struct view *view_ref(const struct view *v);
void view_free(struct view *v);
/* Control. A view like base with these tunnels, SAs and clients; all else is shared, base may be freed before or
 * after, and may be such a view itself. About a microsecond a tunnel. NULL and a text on error. */
struct view *view_with_sas(const struct view *base, const struct sas_spec *spec, char *error, size_t error_size);

/* ---- security associations --------------------------------------------------------- */

struct sa_counters {
	uint64_t packets, bytes;
	uint64_t sequence; /* outbound: next to be used; inbound: highest accepted */
	uint64_t reserved; /* outbound: numbers below this may be used */
	uint64_t drops;
	uint64_t last_used_ns; /* clock_boot_ns, 0 = never; accuracy of dataplane_poll */
	bool soft_expired, hard_expired, exhausted;
};

/* Builder or control. Keys are copied, expanded, and wiped by sa_free. The outbound side may use
 * sequence numbers first..reserved-1 only (first >= 1); sa_reserve raises the bound after the
 * high-water mark has been made durable: a number is never used twice with one key, not even
 * after a crash. Inbound: numbers <= first - 1 are refused as replays. */
struct sa *sa_create(const struct cfg_sa *config, uint64_t first, uint64_t reserved);
/* A changed configuration with the same keys: takes over the running SA's numbers, window and counters, while
 * workers may still use that one. NULL: no memory, or the replay window grows beyond what was made. */
struct sa *sa_renew(const struct cfg_sa *config, struct sa *running);
/* The same keys and algorithms with other UDP ports: config has no keys and else what the running SA was made from.
 * NULL: no memory. */
struct sa *sa_rebind(const struct cfg_sa *config, struct sa *running);
/* What events and drops call it; before a view names it. */
void sa_set_name(struct sa *sa, uint32_t name);
void sa_reserve(struct sa *sa, uint64_t reserved);
void sa_counters_read(const struct sa *sa, struct sa_counters *out);
/* Only when no view names it any more (after its grace period). */
void sa_free(struct sa *sa);

/* ---- the running dataplane ---------------------------------------------------------- */

struct trace_record;

enum sa_event_kind { SA_EVENT_SOFT, SA_EVENT_HARD, SA_EVENT_EXHAUSTED, SA_EVENT_RESERVE_LOW, SA_EVENT_REMOTE_PORT };

struct sa_event {
	enum sa_event_kind kind;
	uint32_t name, spi;
	bool outbound;
	struct ip_addr address; /* REMOTE_PORT: where an authentic packet came from, and its UDP port */
	uint16_t port;
};

/* A packet found no SA to leave by. Told at most once a second and tunnel. */
struct tunnel_miss {
	uint32_t name; /* of the tunnel */
	struct ip_addr source, destination;
	uint8_t protocol;
	uint16_t source_port, destination_port;
};

struct dataplane_events {
	void *context;
	void (*sa_event)(void *context, const struct sa_event *e);
	void (*tunnel_miss)(void *context, const struct tunnel_miss *m);
	/* A packet to an address of the uplink or gateway iface that a daemon may wait for, or an ICMP error about what
	 * it sent (PUNT_LOCAL); l3 is valid during the call. False: nobody does, the sender hears of it. */
	bool (*local_packet)(void *context, enum punt_class class, uint16_t iface, const uint8_t *l3, uint16_t length);
	void (*trace)(void *context, const struct trace_record *record);
};

/* EAL must be up and ports open on this packet pool. Makes tables, rings, workers' memory. */
struct dataplane *dataplane_create(
	const struct cfg_appliance *a, struct rte_mempool *pool, char *error, size_t error_size);
/* Launch the workers on their lcores with this first view (ownership passes). */
int dataplane_start(struct dataplane *dp, struct view *first, const struct dataplane_events *events);
/* Show the view to every worker, then start the grace period that frees the old one. -EAGAIN: too many old ones are
 * still in use, nothing changed, keep the view and try again. On 0 ownership passes. */
int dataplane_publish(struct dataplane *dp, struct view *v);
/* The newest published view. Valid until the next dataplane_poll after another publish. */
const struct view *dataplane_view(const struct dataplane *dp);
/* Sends an IP packet that a daemon made, from an address of ours on iface: an uplink, never through a tunnel, or a
 * gateway, by its routes. Copied. -EINVAL: no IP packet, ESP, not from iface's addresses, or to a group; -EMSGSIZE:
 * larger than its MTU; -ENOBUFS: no buffer, or not ready: the worker is behind with control's orders, for a turn of its
 * own. */
int dataplane_send_local(struct dataplane *dp, uint16_t iface, const uint8_t *l3, uint16_t length);
bool dataplane_send_local_ready(struct dataplane *dp);
/* Every millisecond or so: drains events and punted packets (ARP, ND, echo, ICMP errors, waiting
 * packets), ages neighbours and flows, frees retired views. Bounded work. Returns packets handled. */
uint32_t dataplane_poll(struct dataplane *dp);
/* Views whose grace period is not over; the number of the newest publication, and of the oldest still in use. */
uint32_t dataplane_retired(const struct dataplane *dp);
uint64_t dataplane_generation(const struct dataplane *dp);
uint64_t dataplane_settled(const struct dataplane *dp);
/* Drain and stop the workers, free everything. */
void dataplane_stop(struct dataplane *dp);
void dataplane_free(struct dataplane *dp);

/* ---- reading the running state (control thread) ------------------------------------- */

#define STAGES(X)                                                                                                      \
	X(RX, "rx")                                                                                                    \
	X(PARSE, "parse")                                                                                              \
	X(ESP_OPEN, "esp-open")                                                                                        \
	X(ADMIT, "admit")                                                                                              \
	X(NSG_OUT, "nsg-out")                                                                                          \
	X(ROUTE, "route")                                                                                              \
	X(NSG_IN, "nsg-in")                                                                                            \
	X(HOP, "hop")                                                                                                  \
	X(ESP_SEAL, "esp-seal")                                                                                        \
	X(TX, "tx")

enum stage {
#define X(symbol, name) STAGE_##symbol,
	STAGES(X)
#undef X
		STAGE_COUNT
};

const char *stage_name(enum stage s);

struct worker_stats {
	uint16_t lcore;
	uint64_t loops, busy_loops, bursts;
	uint64_t rx_packets, tx_packets, dropped, punted;
	uint64_t made; /* by ourselves: rx + made = tx + dropped + punted over all workers, once nothing is under way */
	uint64_t stage_cycles[STAGE_COUNT], stage_packets[STAGE_COUNT]; /* of sampled bursts */
	uint64_t view_generation;
	/* from the start of a turn of the loop to the next one's, and what of it went to control's orders: since the
	 * start, and of the last minute */
	uint64_t longest_turn_cycles, longest_orders_cycles;
	uint64_t recent_turn_cycles, recent_orders_cycles;
};

uint16_t dataplane_workers(const struct dataplane *dp);
void dataplane_worker_stats(const struct dataplane *dp, uint16_t worker, struct worker_stats *out);

struct drop_count {
	enum drop_reason reason;
	uint32_t name; /* who decided, NAME_NONE: the sum of all without a name */
	uint64_t packets;
};

/* Sums over workers; fills at most n rows, returns how many there are. */
uint32_t dataplane_drops(const struct dataplane *dp, struct drop_count *rows, uint32_t n);

enum flow_tcp_state { FLOW_NOT_TCP, FLOW_TCP_SYN, FLOW_TCP_ESTABLISHED, FLOW_TCP_CLOSING, FLOW_TCP_CLOSED };

struct flow_info {
	uint16_t iface;
	uint8_t protocol;
	bool inbound;                       /* opened towards the subnet */
	struct ip_addr source, destination; /* of the packet that opened it */
	uint16_t source_port, destination_port;
	enum flow_tcp_state tcp;
	uint32_t idle_s, timeout_s;
	uint32_t rule_name;
};

/* Calls each() for up to max flows that match (family NONE = any). Returns the number of live flows. */
uint32_t dataplane_flows(
	const struct dataplane *dp, uint32_t max, void (*each)(void *, const struct flow_info *), void *context);

enum neighbour_state {
	NEIGHBOUR_FREE,
	NEIGHBOUR_INCOMPLETE,
	NEIGHBOUR_REACHABLE,
	NEIGHBOUR_STALE,
	NEIGHBOUR_PROBE,
	NEIGHBOUR_FAILED,
	NEIGHBOUR_STATIC
};

struct neighbour_info {
	uint16_t iface;
	struct ip_addr address;
	struct mac_addr mac;
	enum neighbour_state state;
	uint32_t age_s, waiting;
};

uint32_t dataplane_neighbours(
	const struct dataplane *dp, uint32_t max, void (*each)(void *, const struct neighbour_info *), void *context);

/* Another node has found this neighbour: known here, too, to be asked when it is used. Of a subnet only. */
void dataplane_neighbour_heard(
	struct dataplane *dp, uint16_t iface, const struct ip_addr *address, const struct mac_addr *mac);

/* ---- tracing -------------------------------------------------------------------------- */

struct flow_filter {
	uint16_t iface;                         /* IFACE_NONE = any */
	struct ip_prefix source, destination;   /* family 0 = any */
	int16_t protocol;                       /* -1 = any */
	uint16_t source_port, destination_port; /* 0 = any */
};

#define TRACE_STEPS_MAX 24

struct trace_step {
	uint8_t stage;   /* enum stage */
	uint8_t verdict; /* enum trace_verdict */
	uint16_t iface;
	uint32_t name;  /* rule, route, peering, SA, tunnel */
	uint32_t value; /* drop reason, hop id, sequence number (low), MTU: by verdict */
};

enum trace_verdict {
	TRACE_RECEIVED,
	TRACE_OPENED,
	TRACE_ADMITTED,
	TRACE_ALLOWED_BY_RULE,
	TRACE_ALLOWED_BY_FLOW,
	TRACE_NO_NSG,
	TRACE_ROUTED,
	TRACE_NEIGHBOUR,
	TRACE_SEALED,
	TRACE_FRAGMENTED,
	TRACE_SENT,
	TRACE_PUNTED,
	TRACE_DROPPED,
};

struct trace_record {
	uint64_t tsc;
	uint16_t worker, iface;
	uint8_t family, protocol;
	uint16_t source_port, destination_port, length, n_steps;
	struct ip_addr source, destination;
	struct trace_step step[TRACE_STEPS_MAX];
};

/* Record the next `count` packets that match, on every worker. -EAGAIN: a ring was full. */
int dataplane_trace(struct dataplane *dp, const struct flow_filter *filter, uint32_t count);

#include "dataplane/flow_share.h"
#include "dataplane/verdict.h"
