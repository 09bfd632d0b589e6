/* Routes that a kernel tells of: by hand, against a dumb kernel whose changes and dumps come late and in pieces, and
 * from this machine's kernel in a namespace of its own. */
#include "control/learned.h"

#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define LIMIT 100000

static struct ip_prefix
prefix(const char *text)
{
	struct ip_prefix p;

	assert_int_equal(prefix_parse(text, &p), 0);
	return p;
}

/* vias: last bytes of addresses in 10.0.0.0/24 or fd00::, "1 2". */
static struct route_info
route(const char *text, uint32_t metric, const char *vias)
{
	struct route_info r = {.prefix = prefix(text), .metric = metric, .protocol = 12};

	for (const char *c = vias; *c; c++) {
		struct route_via *v = &r.via[r.n];

		if (*c == ' ')
			continue;
		*v = (struct route_via){.address = {.family = r.prefix.addr.family}, .link = 2, .weight = 1};
		v->address.b[0] = r.prefix.addr.family == IP_V6 ? 0xfd : 10;
		v->address.b[r.prefix.addr.family == IP_V6 ? 15 : 3] = (uint8_t)(*c - '0');
		r.n++;
	}
	return r;
}

/* What is kept as text: "PREFIX VIAS" with a semicolon behind each. */
static const char *
kept(const struct learned *l)
{
	static char text[4096];
	struct learned_routes all;
	size_t n = 0;

	assert_int_equal(learned_list(l, &all), 0);
	text[0] = '\0';
	for (uint32_t i = 0; i < all.n; i++) {
		char p[ADDRESS_TEXT_MAX];

		n += (size_t)snprintf(
			text + n, sizeof(text) - n, "%s ", prefix_text(&all.route[i].prefix, p, sizeof(p)));
		for (uint8_t k = 0; k < all.route[i].n; k++) {
			const struct ip_addr *a = &all.route[i].via[k].address;

			n += (size_t)snprintf(text + n, sizeof(text) - n, "%u", a->b[a->family == IP_V6 ? 15 : 3]);
		}
		n += (size_t)snprintf(text + n, sizeof(text) - n, ";");
	}
	learned_routes_free(&all);
	return text;
}

static void
tell(struct learned *l, const char *text, uint32_t metric, const char *vias, bool gone)
{
	struct route_info r = route(text, metric, vias);

	learned_events(l).changed(l, &r, gone);
}

static void
dump(struct learned *l, const char *text, uint32_t metric, const char *vias)
{
	struct route_info r = route(text, metric, vias);

	learned_events(l).dumped(l, &r);
}

/* ---- by hand -------------------------------------------------------------------------- */

static void
routes_come_change_and_go(void **unused)
{
	struct learned *l = learned_create(LIMIT);
	struct route_info nobody;
	uint64_t change;

	(void)unused;
	assert_false(learned_complete(l));
	learned_events(l).dump_begins(l);
	dump(l, "10.2.0.0/16", 32, "1");
	dump(l, "10.1.0.0/16", 32, "1");
	learned_events(l).dump_ends(l);
	assert_true(learned_complete(l));
	assert_string_equal(kept(l), "10.1.0.0/16 1;10.2.0.0/16 1;");
	change = learned_change(l);
	tell(l, "10.1.0.0/16", 32, "1", false); /* nothing new */
	tell(l, "10.3.0.0/16", 32, "1", true);
	assert_true(learned_change(l) == change);
	tell(l, "10.1.0.0/16", 32, "23", false);
	assert_string_equal(kept(l), "10.1.0.0/16 23;10.2.0.0/16 1;");
	tell(l, "10.1.0.0/16", 32, "3", true); /* not this one */
	assert_string_equal(kept(l), "10.1.0.0/16 23;10.2.0.0/16 1;");
	tell(l, "10.1.0.0/16", 32, "23", true);
	assert_string_equal(kept(l), "10.2.0.0/16 1;");
	nobody = route("10.4.0.0/16", 32, "");
	nobody.n = 1; /* on the link */
	learned_events(l).changed(l, &nobody, false);
	nobody.prefix = prefix("10.2.0.0/16");
	learned_events(l).changed(l, &nobody, false); /* what was there is replaced */
	assert_string_equal(kept(l), "");
	tell(l, "10.2.0.0/16", 32, "1", false);
	assert_true(learned_change(l) > change);
	assert_int_equal(learned_count(l), 1);
	learned_free(l);
}

static void
the_lowest_metric_counts(void **unused)
{
	struct learned *l = learned_create(LIMIT);

	(void)unused;
	tell(l, "10.1.0.0/16", 32, "1", false);
	tell(l, "10.1.0.0/16", 20, "2", false);
	tell(l, "10.1.0.0/16", 40, "3", false);
	assert_string_equal(kept(l), "10.1.0.0/16 2;");
	assert_int_equal(learned_count(l), 3);
	tell(l, "10.1.0.0/16", 20, "2", true);
	assert_string_equal(kept(l), "10.1.0.0/16 1;");
	learned_free(l);
}

static void
next_hops_of_ipv6_go_one_by_one(void **unused)
{
	struct learned *l = learned_create(LIMIT);

	(void)unused;
	tell(l, "fd01::/64", 1024, "123", false);
	tell(l, "fd01::/64", 1024, "4", true);
	assert_string_equal(kept(l), "fd01::/64 123;");
	tell(l, "fd01::/64", 1024, "2", true);
	assert_string_equal(kept(l), "fd01::/64 13;");
	tell(l, "fd01::/64", 1024, "13", true);
	assert_string_equal(kept(l), "");
	learned_free(l);
}

static void
one_more_of_ipv4_waits(void **unused)
{
	struct learned *l = learned_create(LIMIT);
	struct route_info r = route("10.1.0.0/16", 32, "2");

	(void)unused;
	r.append = true;
	tell(l, "10.1.0.0/16", 32, "1", false);
	learned_events(l).changed(l, &r, false);
	assert_string_equal(kept(l), "10.1.0.0/16 1;");
	learned_free(l);
}

static void
what_a_dump_does_not_have_is_gone(void **unused)
{
	struct learned *l = learned_create(LIMIT);

	(void)unused;
	tell(l, "10.1.0.0/16", 32, "1", false);
	tell(l, "10.2.0.0/16", 32, "1", false);
	learned_events(l).dump_begins(l);
	dump(l, "10.2.0.0/16", 32, "1");
	tell(l, "10.3.0.0/16", 32, "1", false); /* behind the place where the dump is */
	assert_string_equal(kept(l), "10.1.0.0/16 1;10.2.0.0/16 1;10.3.0.0/16 1;");
	learned_events(l).dump_ends(l);
	assert_string_equal(kept(l), "10.2.0.0/16 1;10.3.0.0/16 1;");
	learned_free(l);
}

static void
a_dump_does_not_bring_back_what_went(void **unused)
{
	struct learned *l = learned_create(LIMIT);

	(void)unused;
	tell(l, "10.1.0.0/16", 32, "1", false);
	learned_events(l).dump_begins(l);
	tell(l, "10.1.0.0/16", 32, "1", true);
	tell(l, "10.2.0.0/16", 32, "1", true); /* never seen: the dump may have it yet */
	dump(l, "10.1.0.0/16", 32, "1");
	dump(l, "10.2.0.0/16", 32, "1");
	assert_string_equal(kept(l), "");
	tell(l, "10.2.0.0/16", 32, "2", false);
	learned_events(l).dump_ends(l);
	assert_string_equal(kept(l), "10.2.0.0/16 2;");
	assert_int_equal(learned_count(l), 1);
	learned_free(l);
}

static void
there_is_a_limit(void **unused)
{
	struct learned *l = learned_create(2);

	(void)unused;
	tell(l, "10.1.0.0/16", 32, "1", false);
	tell(l, "10.2.0.0/16", 32, "1", false);
	tell(l, "10.3.0.0/16", 32, "1", false);
	assert_string_equal(kept(l), "10.1.0.0/16 1;10.2.0.0/16 1;");
	assert_int_equal(learned_refused(l), 1);
	tell(l, "10.1.0.0/16", 32, "2", false); /* a change is none more */
	tell(l, "10.2.0.0/16", 32, "1", true);
	tell(l, "10.3.0.0/16", 32, "1", false);
	assert_string_equal(kept(l), "10.1.0.0/16 2;10.3.0.0/16 1;");
	learned_free(l);
}

/* ---- a dumb kernel ---------------------------------------------------------------------- */

#define NETS 24
#define QUEUE 64

static uint32_t seed = 1;

static uint32_t
pick(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

struct kernel {
	uint8_t via[NETS]; /* 0: no such route */
	struct {
		uint8_t net, via;
		bool gone;
	} queue[QUEUE];
	uint32_t n;
	bool lost;
	/* the dump: what the kernel has put into the socket, and what was read of it */
	struct {
		uint8_t net, via;
	} part[NETS];
	uint32_t parts, read, walked;
	bool dumping;
};

static struct route_info
net_route(uint8_t net, uint8_t via)
{
	char text[32], vias[2] = {(char)('0' + via), 0};

	snprintf(text, sizeof(text), "10.%u.0.0/16", net);
	return route(text, 32, vias);
}

static void
kernel_changes(struct kernel *k)
{
	uint8_t net = (uint8_t)pick(NETS), via = (uint8_t)pick(4), was = k->via[net];

	if (via == was)
		return;
	k->via[net] = via;
	if (k->n == QUEUE || pick(200) == 0) {
		k->lost = true;
		return;
	}
	k->queue[k->n].net = net;
	k->queue[k->n].via = via ? via : was;
	k->queue[k->n++].gone = via == 0;
}

static void
change_is_read(struct kernel *k, struct learned *l)
{
	struct route_info r;

	if (k->n == 0)
		return;
	r = net_route(k->queue[0].net, k->queue[0].via);
	learned_events(l).changed(l, &r, k->queue[0].gone);
	memmove(k->queue, k->queue + 1, --k->n * sizeof(k->queue[0]));
}

static void
dump_goes_on(struct kernel *k, struct learned *l)
{
	if (!k->dumping) {
		k->dumping = true;
		k->lost = false;
		k->parts = k->read = k->walked = 0;
		learned_events(l).dump_begins(l);
	} else if (k->walked < NETS && pick(2)) {
		if (k->via[k->walked]) {
			k->part[k->parts].net = (uint8_t)k->walked;
			k->part[k->parts++].via = k->via[k->walked];
		}
		k->walked++;
	} else if (k->read < k->parts) {
		struct route_info r = net_route(k->part[k->read].net, k->part[k->read].via);

		k->read++;
		learned_events(l).dumped(l, &r);
	} else if (k->walked == NETS) {
		k->dumping = false;
		learned_events(l).dump_ends(l);
	}
}

static void
it_agrees_with_a_dumb_kernel(void **unused)
{
	(void)unused;
	for (uint32_t run = 0; run < 300; run++) {
		struct learned *l = learned_create(LIMIT);
		struct kernel k = {.lost = true};
		struct learned_routes all;
		uint32_t have = 0;

		for (uint32_t step = 0; step < 2000; step++) {
			switch (pick(4)) {
			case 0:
				kernel_changes(&k);
				break;
			case 1:
			case 2:
				change_is_read(&k, l);
				break;
			default:
				if (k.dumping || k.lost || pick(50) == 0)
					dump_goes_on(&k, l);
			}
		}
		while (k.n || k.dumping || k.lost) {
			change_is_read(&k, l);
			if (k.dumping || k.lost)
				dump_goes_on(&k, l);
		}
		assert_int_equal(learned_list(l, &all), 0);
		for (uint8_t net = 0; net < NETS; net++) {
			struct route_info r = net_route(net, k.via[net] ? k.via[net] : 1);

			if (k.via[net] == 0)
				continue;
			assert_true(have < all.n);
			assert_true(prefix_equal(&all.route[have].prefix, &r.prefix));
			assert_int_equal(all.route[have].via[0].address.b[3], k.via[net]);
			have++;
		}
		assert_int_equal(all.n, have);
		learned_routes_free(&all);
		learned_free(l);
	}
}

/* ---- this machine's kernel ---------------------------------------------------------------- */

static void
ip(const char *arguments)
{
	char command[512];

	snprintf(command, sizeof(command), "ip %s", arguments);
	assert_int_equal(system(command), 0);
}

/* Until it is quiet for a moment. */
static void
follow(struct route_monitor *m)
{
	struct pollfd p[2] = {{route_monitor_changes_fd(m), POLLIN, 0}, {route_monitor_dump_fd(m), POLLIN, 0}};

	while (poll(p, 2, 100) > 0)
		assert_int_equal(route_monitor_read(m), 0);
}

static void
kernel_in_a_namespace(struct learned **l, struct route_monitor **m)
{
	struct route_monitor_events e;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	ip("link set lo up");
	ip("link add d0 type veth peer name d1");
	ip("link set d1 up");
	ip("addr add 10.0.0.100/24 dev d0");
	ip("link set d0 up");
	ip("-6 addr add fd00::100/64 dev d0 nodad");
	ip("route add 10.9.0.0/16 via 10.0.0.9 proto bird");
	*l = learned_create(LIMIT);
	e = learned_events(*l);
	assert_int_equal(route_monitor_open(&e, m), 0);
	follow(*m);
	assert_true(learned_complete(*l));
}

static void
no_kernel(struct learned *l, struct route_monitor *m)
{
	route_monitor_close(m);
	learned_free(l);
}

static void
routes_of_the_kernel(void **unused)
{
	struct route_monitor *m;
	struct learned *l;

	(void)unused;
	kernel_in_a_namespace(&l, &m);
	assert_string_equal(kept(l), "10.9.0.0/16 9;");
	ip("route add 10.8.0.0/16 metric 50 nexthop via 10.0.0.1 weight 2 nexthop via 10.0.0.2");
	ip("route add blackhole 10.7.0.0/16");
	ip("route add 10.6.0.0/16 via 10.0.0.1 table 100");
	follow(m);
	assert_string_equal(kept(l), "10.8.0.0/16 12;10.9.0.0/16 9;");
	ip("route replace 10.8.0.0/16 metric 50 via 10.0.0.3");
	ip("route del 10.9.0.0/16");
	follow(m);
	assert_string_equal(kept(l), "10.8.0.0/16 3;");
	no_kernel(l, m);
}

static void
ipv6_of_the_kernel(void **unused)
{
	struct route_monitor *m;
	struct learned *l;
	const char *text;

	(void)unused;
	kernel_in_a_namespace(&l, &m);
	ip("-6 route add fd01::/64 via fd00::1");
	ip("-6 route append fd01::/64 via fd00::2");
	ip("-6 route add fd02::/64 nexthop via fd00::3 nexthop via fd00::4");
	follow(m);
	text = kept(l);
	assert_non_null(strstr(text, "fd01::/64 21;"));
	assert_non_null(strstr(text, "fd02::/64 34;"));
	ip("-6 route del fd01::/64 via fd00::1");
	ip("-6 route del fd02::/64");
	follow(m);
	text = kept(l);
	assert_non_null(strstr(text, "fd01::/64 2;"));
	assert_null(strstr(text, "fd02::/64"));
	no_kernel(l, m);
}

/* Which the kernel does not tell of. */
static void
routes_go_with_their_link(void **unused)
{
	struct route_monitor *m;
	struct learned *l;

	(void)unused;
	kernel_in_a_namespace(&l, &m);
	ip("link set d0 down");
	follow(m);
	assert_null(strstr(kept(l), "10.9.0.0/16"));
	no_kernel(l, m);
}

static void
a_queue_that_runs_over(void **unused)
{
	struct route_monitor *m;
	struct learned *l;
	int small = 1, n = 3000;
	uint32_t before;
	FILE *batch;

	(void)unused;
	kernel_in_a_namespace(&l, &m);
	before = learned_count(l);
	assert_int_equal(setsockopt(route_monitor_changes_fd(m), SOL_SOCKET, SO_RCVBUFFORCE, &small, sizeof(small)), 0);
	batch = popen("ip -batch -", "w");
	assert_non_null(batch);
	for (int i = 0; i < n; i++)
		fprintf(batch, "route add 20.%d.%d.0/24 via 10.0.0.1\n", i / 256, i % 256);
	assert_int_equal(pclose(batch), 0);
	follow(m);
	assert_true(route_monitor_overruns(m) > 0);
	assert_int_equal(learned_count(l), before + (uint32_t)n);
	no_kernel(l, m);
}

/* ---- messages ------------------------------------------------------------------------------ */

/* Cut anywhere and with any byte changed: never read beyond its end (the sanitizers watch). */
static void
broken_messages(void **unused)
{
	static const uint8_t whole[] = {0x44, 0, 0, 0, 24, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, /* nlmsghdr */
		2, 16, 0, 0, 254, 12, 0, 1, 0, 0, 0, 0,                                     /* rtmsg */
		8, 0, 1, 0, 10, 1, 0, 0,                                                    /* RTA_DST */
		32, 0, 9, 0, 16, 0, 0, 0, 2, 0, 0, 0, 8, 0, 5, 0, 10, 0, 0, 1,              /* RTA_MULTIPATH: two */
		12, 0, 0, 0, 2, 0, 0, 0, 4, 0, 5, 0};
	struct route_info r;

	(void)unused;
	for (size_t n = 0; n <= sizeof(whole); n++) {
		for (size_t at = 0; at <= n; at++) {
			uint8_t *copy = malloc(n + 1);

			memcpy(copy, whole, n);
			if (at < n)
				copy[at] ^= (uint8_t)(1u << pick(8));
			route_message_read(copy, n, &r);
			assert_true(r.n <= ROUTE_VIAS_MAX);
			free(copy);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(routes_come_change_and_go),
		cmocka_unit_test(the_lowest_metric_counts),
		cmocka_unit_test(next_hops_of_ipv6_go_one_by_one),
		cmocka_unit_test(one_more_of_ipv4_waits),
		cmocka_unit_test(what_a_dump_does_not_have_is_gone),
		cmocka_unit_test(a_dump_does_not_bring_back_what_went),
		cmocka_unit_test(there_is_a_limit),
		cmocka_unit_test(it_agrees_with_a_dumb_kernel),
		cmocka_unit_test(routes_of_the_kernel),
		cmocka_unit_test(ipv6_of_the_kernel),
		cmocka_unit_test(routes_go_with_their_link),
		cmocka_unit_test(a_queue_that_runs_over),
		cmocka_unit_test(broken_messages),
	};

	return cmocka_run_group_tests_name("learned", tests, NULL, NULL);
}
