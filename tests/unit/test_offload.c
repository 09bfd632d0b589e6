/* Checksums and segmentation left to us by local senders, against a plain reference: 16-bit words
 * added one by one, streams put together again.
 */
#include "drivers/offload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FRAME_MAX 66000

static uint8_t frame[FRAME_MAX], out[FRAME_MAX], stream[FRAME_MAX];

/* ---- reference -------------------------------------------------------------------- */

static uint16_t
reference_sum(const uint8_t *b, size_t n, uint32_t start)
{
	uint32_t sum = start;

	for (size_t i = 0; i < n; i++) {
		sum += i % 2 ? b[i] : (uint32_t)b[i] << 8;
		if (sum > 0xffff)
			sum = (sum & 0xffff) + 1;
	}
	return (uint16_t)sum;
}

static uint16_t
get16(const uint8_t *b)
{
	return (uint16_t)(b[0] << 8 | b[1]);
}

static uint32_t
get32(const uint8_t *b)
{
	return (uint32_t)get16(b) << 16 | get16(b + 2);
}

static void
put16(uint8_t *b, uint32_t v)
{
	b[0] = (uint8_t)(v >> 8);
	b[1] = (uint8_t)v;
}

static uint16_t
pseudo(const uint8_t *f, size_t l3, size_t l4, size_t end)
{
	bool v6 = f[l3] >> 4 == 6;
	uint8_t protocol = v6 ? f[l3 + 6] : f[l3 + 9];
	uint8_t tail[4] = {0, protocol, (uint8_t)((end - l4) >> 8), (uint8_t)(end - l4)};

	return reference_sum(tail, 4, reference_sum(f + l3 + (v6 ? 8 : 12), v6 ? 32 : 8, 0));
}

/* Is the checksum of layer 4 right, as a receiver sees it? */
static bool
l4_is_good(const uint8_t *f, size_t l3, size_t l4, size_t end)
{
	return reference_sum(f + l4, end - l4, pseudo(f, l3, l4, end)) == 0xffff;
}

/* ---- frames ----------------------------------------------------------------------- */

struct shape {
	bool v6, udp, vlan;
	uint8_t options; /* bytes of IPv4 options */
	uint32_t payload;
};

struct layout {
	size_t l3, l4, data, end;
};

/* A frame whose layer 4 checksum field holds the sum of the pseudo header, as Linux leaves it. */
static struct layout
frame_make(const struct shape *s)
{
	struct layout at = {.l3 = s->vlan ? 18 : 14};

	at.l4 = at.l3 + (s->v6 ? 40u : 20u + s->options);
	at.data = at.l4 + (s->udp ? 8 : 32);
	at.end = at.data + s->payload;
	for (size_t i = 0; i < at.end; i++)
		frame[i] = (uint8_t)rand();
	if (s->vlan)
		put16(frame + 12, 0x8100);
	put16(frame + at.l3 - 2, s->v6 ? 0x86dd : 0x0800);
	if (s->v6) {
		frame[at.l3] = 0x60;
		put16(frame + at.l3 + 4, (uint32_t)(at.end - at.l4));
		frame[at.l3 + 6] = s->udp ? 17 : 6;
	} else {
		frame[at.l3] = (uint8_t)(0x45 + s->options / 4);
		put16(frame + at.l3 + 2, (uint32_t)(at.end - at.l3));
		put16(frame + at.l3 + 6, 0x4000);
		frame[at.l3 + 9] = s->udp ? 17 : 6;
	}
	if (s->udp) {
		put16(frame + at.l4 + 4, (uint32_t)(at.end - at.l4));
	} else {
		frame[at.l4 + 12] = 0x80;
		frame[at.l4 + 13] = 0x80 | 0x10 | 0x08 | 0x01; /* CWR ACK PSH FIN */
	}
	put16(frame + at.l4 + (s->udp ? 6 : 16), pseudo(frame, at.l3, at.l4, at.end));
	return at;
}

static struct virtio_net_hdr
asks_for_checksum(const struct shape *s, const struct layout *at)
{
	return (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = (uint16_t)at->l4,
		.csum_offset = s->udp ? 6 : 16,
	};
}

/* ---- checksums -------------------------------------------------------------------- */

static void
a_missing_checksum_is_completed(void **state)
{
	for (uint32_t i = 0; i < 400; i++) {
		struct shape s = {.v6 = i & 1, .udp = i & 2, .payload = i * 3};
		struct layout at = frame_make(&s);
		struct virtio_net_hdr h = asks_for_checksum(&s, &at);

		assert_true(offload_checksum(&h, frame, at.end));
		assert_true(l4_is_good(frame, at.l3, at.l4, at.end));
		assert_int_not_equal(get16(frame + at.l4 + h.csum_offset), 0);
	}
}

static void
offsets_outside_the_frame_are_refused(void **state)
{
	struct virtio_net_hdr h = {.csum_start = 60, .csum_offset = 16};

	assert_true(offload_checksum(&h, frame, 78));
	assert_false(offload_checksum(&h, frame, 77));
	assert_false(offload_checksum(&h, frame, 60));
	h.csum_start = h.csum_offset = 0xffff;
	assert_false(offload_checksum(&h, frame, 1500));
}

static void
a_missing_checksum_is_recognised(void **state)
{
	for (uint32_t i = 0; i < 400; i++) {
		struct shape s = {.v6 = i & 1, .udp = i & 2, .vlan = i & 4, .payload = i * 3};
		struct layout at = frame_make(&s);
		size_t padding = i % 7;

		offload_checksum_guess(frame, at.end + padding);
		assert_true(l4_is_good(frame, at.l3, at.l4, at.end));
	}
}

/* A sum that is there stays, right or wrong, and nothing else is touched. */
static void
a_present_checksum_stays(void **state)
{
	for (uint32_t i = 0; i < 400; i++) {
		struct shape s = {.v6 = i & 1, .udp = i & 2, .vlan = i & 4, .payload = i * 3};
		struct layout at = frame_make(&s);
		struct virtio_net_hdr h = asks_for_checksum(&s, &at);

		offload_checksum(&h, frame, at.end);
		frame[at.l4 + h.csum_offset] ^= (uint8_t)(i % 3 ? 0 : 0x55);
		memcpy(out, frame, at.end);
		offload_checksum_guess(frame, at.end);
		assert_memory_equal(out, frame, at.end);
	}
}

/* The sum of the pseudo header may be the right checksum by chance; then completing keeps it. */
static void
a_checksum_that_looks_missing_but_is_right_stays(void **state)
{
	struct shape s = {.udp = true, .payload = 40};
	struct layout at = frame_make(&s);
	uint16_t field = get16(frame + at.l4 + 6), wanted;

	/* Choose the first payload word so that the sum over all is 0xffff with this field. */
	put16(frame + at.data, 0);
	wanted = (uint16_t)~reference_sum(frame + at.l4, at.end - at.l4, pseudo(frame, at.l3, at.l4, at.end));
	put16(frame + at.data, wanted);
	assert_true(l4_is_good(frame, at.l3, at.l4, at.end));

	offload_checksum_guess(frame, at.end);
	assert_int_equal(get16(frame + at.l4 + 6), field);
}

/* Under ASan: no byte outside is read or written, whatever the bytes say. */
static void
random_frames_do_no_harm(void **state)
{
	for (int i = 0; i < 200000; i++) {
		size_t length = (size_t)rand() % 120;
		uint8_t *f = malloc(length + 1);
		struct virtio_net_hdr h = {.flags = (uint8_t)(rand() & 1),
			.gso_type = (uint8_t)(rand() % 7),
			.gso_size = (uint16_t)(rand() % 20),
			.csum_start = (uint16_t)(rand() % 130),
			.csum_offset = (uint16_t)(rand() % 20)};
		struct offload_segments g;

		for (size_t k = 0; k < length; k++)
			f[k] = (uint8_t)rand();
		if (length > 14) {
			put16(f + 12, rand() & 1 ? 0x0800 : rand() & 1 ? 0x86dd : 0x8100);
			f[14] = rand() & 1 ? 0x45 : 0x60;
		}
		offload_checksum_guess(f, length);
		offload_checksum(&h, f, length);
		if (offload_segments_begin(&g, &h, f, (uint32_t)length))
			while (offload_segments_next(&g, out, 100) > 0)
				assert_true(g.done <= length);
		free(f);
	}
}

/* ---- segmentation ----------------------------------------------------------------- */

static void
segments_check(const struct shape *s, uint16_t size, bool known_offset)
{
	struct layout at = frame_make(s);
	struct virtio_net_hdr h = known_offset ? asks_for_checksum(s, &at) : (struct virtio_net_hdr){0};
	uint32_t sequence = get32(frame + at.l4 + 4), done = 0, length, number = 0;
	uint16_t id = get16(frame + at.l3 + 4);
	struct offload_segments g;

	h.gso_type = s->udp ? 5 : s->v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
	h.gso_size = size;
	assert_true(offload_segments_begin(&g, &h, frame, (uint32_t)at.end));

	while ((length = offload_segments_next(&g, out, 2000)) > 0) {
		uint32_t part = length - (uint32_t)at.data;
		bool last = done + part == s->payload;

		assert_true(part == size || last);
		assert_memory_equal(out, frame, 12);
		assert_true(l4_is_good(out, at.l3, at.l4, length));
		if (s->v6) {
			assert_int_equal(get16(out + at.l3 + 4), length - at.l4);
		} else {
			assert_int_equal(get16(out + at.l3 + 2), length - at.l3);
			assert_int_equal(get16(out + at.l3 + 4), (uint16_t)(id + number));
			assert_int_equal(reference_sum(out + at.l3, at.l4 - at.l3, 0), 0xffff);
		}
		if (s->udp) {
			assert_int_equal(get16(out + at.l4 + 4), length - at.l4);
		} else {
			assert_int_equal(get32(out + at.l4 + 4), sequence + done);
			assert_int_equal(out[at.l4 + 13], 0x10 | (last ? 0x09 : 0) | (number ? 0 : 0x80));
			assert_memory_equal(out + at.l4 + 20, frame + at.l4 + 20, 12);
		}
		memcpy(stream + done, out + at.data, part);
		done += part;
		number++;
	}
	assert_int_equal(done, s->payload);
	assert_memory_equal(stream, frame + at.data, done);
}

static void
large_frames_are_segmented(void **state)
{
	static const uint32_t payloads[] = {1, 1447, 1448, 1449, 2896, 14480, 65000};

	for (size_t i = 0; i < sizeof payloads / sizeof payloads[0]; i++) {
		for (int kind = 0; kind < 8; kind++) {
			struct shape s = {.v6 = kind & 1,
				.udp = kind & 2,
				.payload = payloads[i],
				.options = kind & 4 && !(kind & 1) ? 8 : 0};

			segments_check(&s, 1448, true);
			segments_check(&s, 1000, false);
		}
	}
}

static void
segmentation_of_an_unknown_kind_is_refused(void **state)
{
	struct shape s = {.payload = 4000}, tagged = {.vlan = true, .payload = 4000};
	struct layout at = frame_make(&s);
	struct virtio_net_hdr h = asks_for_checksum(&s, &at);
	struct offload_segments g;

	h.gso_size = 1400;
	h.gso_type = VIRTIO_NET_HDR_GSO_UDP; /* fragments, no longer made by Linux */
	assert_false(offload_segments_begin(&g, &h, frame, (uint32_t)at.end));
	h.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	assert_true(offload_segments_begin(&g, &h, frame, (uint32_t)at.end));
	h.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	assert_true(offload_segments_begin(&g, &h, frame, (uint32_t)at.end));
	h.gso_size = 0;
	assert_false(offload_segments_begin(&g, &h, frame, (uint32_t)at.end));
	h.gso_size = 1400;
	at = frame_make(&tagged);
	assert_false(offload_segments_begin(&g, &h, frame, (uint32_t)at.end));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_missing_checksum_is_completed),
		cmocka_unit_test(offsets_outside_the_frame_are_refused),
		cmocka_unit_test(a_missing_checksum_is_recognised),
		cmocka_unit_test(a_present_checksum_stays),
		cmocka_unit_test(a_checksum_that_looks_missing_but_is_right_stays),
		cmocka_unit_test(random_frames_do_no_harm),
		cmocka_unit_test(large_frames_are_segmented),
		cmocka_unit_test(segmentation_of_an_unknown_kind_is_refused),
	};

	srand(1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
