/* The generator's accounts: frames that are lost, swapped, doubled or damaged on the way are told as such. */
#include "tests/bench/pktgen/traffic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define FRAMES 2000

static const struct traffic_plan plan = {
	.source_mac = {2, 0, 0, 0, 0, 1},
	.gateway_mac = {2, 0, 0, 0, 0, 2},
	.source = 0x0a000104,
	.destination = 0x0a000204,
	.destinations = 16,
	.flows = 40,
	.seed = 7,
};

static struct {
	uint8_t byte[TRAFFIC_FRAME_MAX];
	uint16_t length;
} frame[FRAMES];

static struct traffic *t;

/* A router on the way: TTL falls, the checksum follows (RFC 1624), addresses of the link change. */
static void
route(uint8_t *f)
{
	uint32_t sum = ((uint32_t)f[24] << 8 | f[25]) + 0x100;

	memcpy(f, "\2\0\0\0\1\1\2\0\0\0\1\2", 12);
	f[22]--;
	sum = (sum & 0xffff) + (sum >> 16);
	f[24] = (uint8_t)(sum >> 8);
	f[25] = (uint8_t)sum;
}

static void
frames_make(uint16_t size)
{
	traffic_begin(t, size);
	for (unsigned i = 0; i < FRAMES; i++) {
		frame[i].length = traffic_make(t, frame[i].byte, 1000 + i);
		route(frame[i].byte);
	}
}

static void
take(unsigned i)
{
	traffic_take(t, frame[i].byte, frame[i].length, 1500 + i);
}

static void
all_come(void **unused)
{
	static const uint16_t sizes[] = {64, 65, 128, 1024, 1518, TRAFFIC_IMIX};

	for (unsigned s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
		const struct traffic_count *c = traffic_counts(t);
		uint64_t bytes = 0;

		frames_make(sizes[s]);
		for (unsigned i = 0; i < FRAMES; i++) {
			take(i);
			bytes += frame[i].length + TRAFFIC_CRC;
		}
		assert_int_equal(c->made, FRAMES);
		assert_int_equal(c->intact, FRAMES);
		assert_int_equal(c->reordered + c->doubled + c->damaged + c->stale + c->foreign, 0);
		assert_true((double)bytes / FRAMES > traffic_mean_size(sizes[s]) * 0.95);
		assert_true((double)bytes / FRAMES < traffic_mean_size(sizes[s]) * 1.05);
		assert_true(traffic_latency(t, 0) > 484 && traffic_latency(t, 0.99) <= 500);
	}
}

static void
lost_ones_are_missing(void **unused)
{
	frames_make(128);
	for (unsigned i = 0; i < FRAMES; i++)
		if (i % 10 != 3)
			take(i);
	assert_int_equal(traffic_counts(t)->intact, FRAMES - FRAMES / 10);
	assert_int_equal(traffic_counts(t)->reordered, 0);
}

static uint32_t
flow_of(unsigned i)
{
	return (uint32_t)frame[i].byte[34] << 8 | frame[i].byte[35];
}

/* Order matters within a flow only. */
static void
swapped_ones_are_reordered(void **unused)
{
	uint64_t within = 0;

	frames_make(64);
	for (unsigned i = 0; i < FRAMES; i += 2) {
		take(i + 1);
		take(i);
		within += flow_of(i) == flow_of(i + 1);
	}
	assert_true(within > 0);
	assert_int_equal(traffic_counts(t)->intact, FRAMES);
	assert_int_equal(traffic_counts(t)->reordered, within);
	assert_int_equal(traffic_counts(t)->doubled, 0);
}

static void
doubled_ones_count_once(void **unused)
{
	frames_make(64);
	for (unsigned i = 0; i < FRAMES; i++) {
		take(i);
		if (i % 4 == 0)
			take(i);
	}
	assert_int_equal(traffic_counts(t)->intact, FRAMES);
	assert_int_equal(traffic_counts(t)->doubled, FRAMES / 4);
	assert_int_equal(traffic_counts(t)->reordered, 0);
}

/* Whichever byte behind the Ethernet header changes; TTL alone breaks the header's sum. */
static void
every_byte_is_watched(void **unused)
{
	uint64_t damaged, foreign;

	frames_make(256);
	for (unsigned at = 14; at < 256 - TRAFFIC_CRC; at++) {
		frame[at].byte[at] ^= 0x10;
		take(at);
	}
	damaged = traffic_counts(t)->damaged;
	foreign = traffic_counts(t)->foreign;
	/* Version, protocol and destination port say that it is not ours. */
	assert_int_equal(foreign, 4);
	assert_int_equal(damaged + foreign, 256 - TRAFFIC_CRC - 14);
	assert_int_equal(traffic_counts(t)->intact, 0);
}

static void
a_cut_frame_is_damaged(void **unused)
{
	frames_make(128);
	traffic_take(t, frame[0].byte, frame[0].length - 1, 2000);
	traffic_take(t, frame[1].byte, 40, 2000);
	assert_int_equal(traffic_counts(t)->damaged, 1);
	assert_int_equal(traffic_counts(t)->foreign, 1);
}

static void
the_trial_before_does_not_count(void **unused)
{
	frames_make(64);
	traffic_begin(t, 64);
	take(0);
	assert_int_equal(traffic_counts(t)->stale, 1);
	assert_int_equal(traffic_counts(t)->intact, 0);
}

static void
one_seed_one_traffic(void **unused)
{
	struct traffic *other = traffic_build(&plan);
	uint8_t again[TRAFFIC_FRAME_MAX];

	assert_non_null(other);
	traffic_begin(t, TRAFFIC_IMIX);
	for (uint8_t i = 0; i < 3; i++)
		traffic_begin(other, TRAFFIC_IMIX);
	for (unsigned i = 0; i < FRAMES; i++) {
		uint16_t length = traffic_make(t, frame[0].byte, 0);

		assert_int_equal(traffic_make(other, again, 0), length);
		assert_memory_equal(frame[0].byte, again, 42);
	}
	traffic_free(other);
}

static int
build(void **unused)
{
	t = traffic_build(&plan);
	return t ? 0 : -1;
}

static int
release(void **unused)
{
	traffic_free(t);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_come),
		cmocka_unit_test(lost_ones_are_missing),
		cmocka_unit_test(swapped_ones_are_reordered),
		cmocka_unit_test(doubled_ones_count_once),
		cmocka_unit_test(every_byte_is_watched),
		cmocka_unit_test(a_cut_frame_is_damaged),
		cmocka_unit_test(the_trial_before_does_not_count),
		cmocka_unit_test(one_seed_one_traffic),
	};

	return cmocka_run_group_tests(tests, build, release);
}
