/* The whole dataplane in one process without a NIC: configuration in, packet in, expected packet or
 * drop reason out.
 *
 * Ports are rings; workers are turned by the test itself, so every story is deterministic. Each check
 * also counts packet buffers: none may be lost. Configurations are YAML texts; a port's driver is
 * `ring`, hosts are networkInterfaces with a macAddress (static neighbours) unless a story is about
 * resolution.
 */
#pragma once

#include "control/world.h"
#include "dataplane/state.h"
#include "drivers/port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Starts EAL once per process (argv of main); ends with whole_main's return. */
int whole_main(const struct CMUnitTest *tests, size_t n, const char *name);
#define WHOLE_RUN(name, tests) whole_main(tests, sizeof(tests) / sizeof((tests)[0]), name)

/* What EAL gets; zeros stand for what tests need. */
struct whole_setup {
	bool huge; /* on huge pages, which may grow beyond memory_mb */
	uint32_t memory_mb, buffers;
	uint16_t lcores; /* one for each of the first CPUs that this process may use */
};

/* The parts of whole_main, for programs that are no tests (benches, soaks). */
int whole_begin(const char *name, const struct whole_setup *setup);
void whole_end(void);

/* One appliance per process at a time. Fails the test with the error texts when refused. */
void whole_start(const char *yaml);
/* The same; `extend` adds to the description what would be long as a text. What it adds must live until the stop. */
void whole_start_extended(const char *yaml, void (*extend)(struct view_spec *spec, void *context), void *context);
/* For descriptions that bring a gateway table of their own: the subnets' is the first and only one, and tunnels lead to
 * none. */
void whole_one_gateway_table(struct view_spec *spec);
void whole_apply(const char *yaml);
/* Checks that every packet buffer came back. */
void whole_stop(void);
/* cmocka teardown: stops what a failed story left. */
int whole_teardown(void **state);

struct dataplane *whole_dataplane(void);
const struct world *whole_world(void);
struct rte_mempool *whole_pool(void);
const char *whole_name(uint32_t name); /* text of a name id */

/* A port's id by its name in the configuration. */
uint16_t whole_port(const char *name);

/* Turn every worker and poll, until nothing moves. */
void whole_settle(void);

/* Worker 0's counters once nothing is under way: waits for fragments to time out, at most ten seconds. */
void whole_account(struct worker_stats *s);

/* ---- packets --------------------------------------------------------------------------- */

/* A packet to build, or one that came out, taken apart. Unset fields have sound defaults. */
struct pkt {
	const char *port; /* by name in the configuration */
	uint16_t vlan;
	const char *smac, *dmac; /* text; dmac NULL: the port's own */
	const char *src, *dst;   /* address text, either family */
	uint8_t protocol;        /* 17 by default */
	uint16_t sport, dport;
	uint8_t tcp_flags, ttl, tos;
	uint16_t payload; /* bytes after the transport header */
	bool df, more;
	uint16_t fragment_offset; /* bytes */
	uint16_t id;
	uint8_t icmp_type, icmp_code;
	uint16_t mss; /* TCP SYN option */
	bool bad_checksum;
};

struct rte_mbuf *pkt_build(const struct pkt *p);
void pkt_inject(const char *port, struct rte_mbuf *m);
void pkt_send(const struct pkt *p); /* build, inject, settle */

/* The next frame that came out of the port, NULL if none; the caller frees it. */
struct rte_mbuf *port_out(const char *port);
uint8_t *frame_l3(struct rte_mbuf *m, uint16_t *size);

/* A router between two uplink ports: answers ARP for everything and passes frames on, until both are silent.
 * look() sees every IP frame on the wire first (NULL: nobody). Returns how many passed. */
uint32_t whole_wire(const char *one, const char *other, void (*look)(struct rte_mbuf *));
/* Turn an ARP request into its answer, from the router's one MAC. */
void whole_arp_answer(uint8_t *frame);
/* What the router does to one frame that came out of port `from`: the frame to inject into *to. */
struct rte_mbuf *whole_route(struct rte_mbuf *m, const char *from, const char *other, const char **to);

/* ---- expectations ------------------------------------------------------------------------ */

/* Send; exactly one frame must leave through `out` with these addresses in its IP header; it is
 * returned for further looks (free it), all others must be silent. */
struct rte_mbuf *expect_forward(const struct pkt *p, const char *out);
void expect_forwarded(const struct pkt *p, const char *out); /* and free it */
/* Send; nothing may leave, and exactly this reason counts one more. `name`: who decided, or NULL. */
void expect_drop(const struct pkt *p, enum drop_reason reason, const char *name);
uint64_t drops_of(enum drop_reason reason);
uint64_t named_drops_of(enum drop_reason reason, const char *name);
