/* What a change costs control, and what it weighs: routes, many VNets, rules. A worker turns beside it.
 *
 * Descriptions are made here and not by way of a configuration; what is timed is all that lies between a description
 * and the worker that has the new view.
 */
#include "turning.h"

#include <rte_malloc.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MEMORY_MB 900
#define VNETS 1000
#define USER_ROUTES 400
#define SHARED_ROUTES 100000
#define RULES 1000
#define PREFIXES_PER_RULE 4

static const char site[] =
	TURNING_SITE "appliance:\n"
		     "  name: bench\n"
		     "  ports: [{name: p, driver: ring}, {name: q, driver: ring}]\n"
		     "  attachments: [{subnet: v/s, port: p, vlan: 1}]\n"
		     "  uplinks: [{name: wan, port: q, addresses: [203.0.113.1/24], gateway: 203.0.113.254}]\n";

/* The site's own description, to be varied. */
static struct view_spec
base_spec(void)
{
	struct view_spec spec = whole_world()->spec;

	whole_one_gateway_table(&spec);
	return spec;
}

static void *
array(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (p == NULL) {
		fprintf(stderr, "no memory for the description\n");
		exit(1);
	}
	return p;
}

struct times {
	double build, seen, freed; /* ms */
};

/* From control's call until the worker has the view, and until the old one is gone. */
static struct times
change(const struct view_spec *spec)
{
	double start = turning_ms();
	struct view *v = turning_build(spec);
	struct times t = {.build = turning_ms() - start};
	struct published p = turning_publish(v);

	t.seen = t.build + p.seen_ms;
	t.freed = p.freed_ms - p.seen_ms;
	return t;
}

static void
print(const char *what, struct times t)
{
	printf("  %-44s %9.1f ms (%.1f of it building; old view freed in %.1f ms)\n", what, t.seen, t.build, t.freed);
	fflush(stdout);
}

/* ---- routes ---------------------------------------------------------------------------------------- */

/* Distinct, sorted; one in twenty is longer than a /24. */
static struct gateway_table_spec
learned(uint32_t n, uint32_t hop)
{
	struct gateway_table_spec t = {array(n, sizeof(*t.route)), n};

	for (uint32_t i = 0; i < n; i++) {
		uint8_t len = i % 20 == 0 ? 28 : 24;

		t.route[i] = (struct route_spec){{address_from_v4(0x14000000 + (i << 8)), len}, hop, 0};
	}
	return t;
}

static void
routes(uint32_t n)
{
	struct view_spec without = base_spec(), with = without;
	struct gateway_table_spec table = learned(n, without.gateway_table[0].route[0].hop);
	char text[64];

	with.gateway_table = &table;
	snprintf(text, sizeof(text), "%u routes installed", n);
	print(text, change(&with));
	table.route[n / 2].prefix.len++;
	snprintf(text, sizeof(text), "%u routes, one of them changed", n);
	print(text, change(&with));
	snprintf(text, sizeof(text), "%u routes withdrawn", n);
	print(text, change(&without));
	free(table.route);
}

/* ---- many VNets ------------------------------------------------------------------------------------- */

static double
used_mb(void)
{
	struct rte_malloc_socket_stats heap = {0};
	unsigned long resident = 0;
	FILE *f;

	malloc_trim(0);
	f = fopen("/proc/self/statm", "r");
	if (f == NULL || fscanf(f, "%*u %lu", &resident) != 1)
		printf("  resident memory is not known\n");
	if (f != NULL)
		fclose(f);
	rte_malloc_get_socket_stats((int)rte_socket_id(), &heap);
	return ((double)resident * (double)sysconf(_SC_PAGESIZE) + (double)heap.heap_allocsz_bytes) / (1 << 20);
}

static struct routes_spec
user_routes(uint32_t vnet, uint32_t hop)
{
	struct routes_spec r = {array(USER_ROUTES, sizeof(*r.overlay)), USER_ROUTES, 0};

	for (uint32_t i = 0; i < USER_ROUTES; i++)
		r.overlay[i] = (struct route_spec){
			{address_from_v4(0x14000000 + ((vnet * 7 + i * 131) << 10)), 22}, hop, ROUTE_USER};
	return r;
}

static void
many_vnets(void)
{
	struct view_spec before = base_spec(), spec = before;
	uint32_t first_iface = before.n_ifaces, first_routes = before.n_routes, hop = before.gateway_table->route->hop;
	struct gateway_table_spec table = learned(SHARED_ROUTES, hop);
	double empty, full, changed;

	spec.gateway_table = &table;
	spec.iface = array(first_iface + VNETS, sizeof(*spec.iface));
	memcpy(spec.iface, before.iface, first_iface * sizeof(*spec.iface));
	spec.routes = array(first_routes + VNETS, sizeof(*spec.routes));
	memcpy(spec.routes, before.routes, first_routes * sizeof(*spec.routes));
	for (uint32_t i = 0; i < VNETS; i++) {
		spec.routes[spec.n_routes++] = user_routes(i, hop);
		spec.iface[spec.n_ifaces++] = (struct iface_spec){.kind = IFACE_SUBNET,
			.vlan = (uint16_t)(100 + i),
			.mtu = 1500,
			.vnet = 100 + i,
			.routes = first_routes + i,
			.flow_timeout_s = 240};
	}

	printf("%u VNets of %u user routes, a gateway table of %u:\n", VNETS, USER_ROUTES, SHARED_ROUTES);
	empty = used_mb();
	print("all of them new", change(&spec));
	full = used_mb();
	spec.routes[first_routes + VNETS / 2].overlay[0].hop = HOP_NONE;
	print("one user route changed", change(&spec));
	changed = used_mb();
	print("all of them gone", change(&before));
	printf("  memory: %.1f MB, after a change %.1f MB, when gone %.1f MB\n", full - empty, changed - empty,
		used_mb() - empty);
	for (uint32_t i = first_routes; i < spec.n_routes; i++)
		free(spec.routes[i].overlay);
	free(spec.routes);
	free(spec.iface);
	free(table.route);
}

/* ---- rules ------------------------------------------------------------------------------------------- */

/* Networks and a port for each rule; seed changes every one. */
static struct acl_spec
group(uint32_t seed)
{
	struct acl_spec a = {array(RULES, sizeof(*a.rule)), RULES};
	struct ip_prefix *prefix = array((size_t)RULES * PREFIXES_PER_RULE, sizeof(*prefix));
	struct acl_port_range *port = array(RULES, sizeof(*port));

	for (uint32_t i = 0; i < RULES * PREFIXES_PER_RULE; i++)
		prefix[i] = (struct ip_prefix){address_from_v4(0x14000000 + ((i * 37 + seed) << 8)), 24};
	for (uint32_t i = 0; i < RULES; i++) {
		port[i] = (struct acl_port_range){(uint16_t)(1 + i * 7), (uint16_t)(4 + i * 7)};
		a.rule[i] = (struct acl_rule_spec){.protocol = 6,
			.allow = i & 1,
			.source = {.prefix = prefix + (size_t)i * PREFIXES_PER_RULE, .n_prefixes = PREFIXES_PER_RULE},
			.destination = {.port = port + i, .n_ports = 1}};
	}
	return a;
}

static void
group_free(struct acl_spec *a)
{
	free((void *)(uintptr_t)a->rule[0].source.prefix);
	free((void *)(uintptr_t)a->rule[0].destination.port);
	free(a->rule);
}

static void
rules(void)
{
	struct view_spec before = base_spec(), spec = before;
	struct acl_spec list[2] = {{0}};

	spec.acl = list;
	spec.n_acls = 2;
	printf("%u rules of %u prefixes:\n", RULES, PREFIXES_PER_RULE);
	for (uint32_t seed = 0; seed < 2; seed++) {
		list[1] = group(seed);
		print(seed == 0 ? "all of them new" : "all of them replaced", change(&spec));
		group_free(&list[1]);
	}
	change(&before);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (turning_begin("control", MEMORY_MB, turning_huge_pages(MEMORY_MB)) != 0)
		return 1;
	whole_start(site);
	turning_start();
	printf("routes of a gateway:\n");
	routes(100000);
	routes(1000000);
	many_vnets();
	rules();
	turning_stop();
	whole_end();
	return 0;
}
