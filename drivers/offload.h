/* What a local sender left to hardware, done in software: checksums and segmentation.
 *
 * A kernel that is a veth away hands over frames whose checksum is not written yet and TCP frames
 * of up to 64 KB. The virtio header that comes along tells what is missing.
 */
#pragma once

#include <linux/virtio_net.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Completes the checksum that `h` asks for. False: the offsets do not lie within the frame. */
bool offload_checksum(const struct virtio_net_hdr *h, uint8_t *frame, size_t length);

/* Completes a checksum where nothing tells whether it is missing, on frames of local senders. A
 * TCP or UDP checksum field that holds the sum of the pseudo header was left to hardware. */
void offload_checksum_guess(uint8_t *frame, size_t length);

/* A large frame on its way through segmentation. */
struct offload_segments {
	const uint8_t *frame; /* untagged: Ethernet, IP, TCP or UDP */
	uint32_t length;
	uint16_t header; /* bytes repeated before each segment */
	uint16_t size;   /* payload bytes per segment */
	uint16_t l4;     /* offset of the TCP or UDP header */
	bool ipv6, udp;
	uint32_t done;   /* payload bytes emitted */
	uint16_t number; /* segments emitted */
};

/* False: a kind of segmentation that is not known, or headers that do not fit. */
bool offload_segments_begin(
	struct offload_segments *s, const struct virtio_net_hdr *h, const uint8_t *frame, uint32_t length);
/* Writes the next segment, checksums included, to `out` of at most `room` bytes. Its length; 0:
 * none is left, or the room is too small. */
uint32_t offload_segments_next(struct offload_segments *s, uint8_t *out, uint32_t room);
