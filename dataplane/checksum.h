/* Internet checksums (RFC 1071), whole and incremental (RFC 1624).
 *
 * Sums are kept as the machine reads 16-bit words in network order; such a sum may be stored as
 * it is, whatever the byte order of the machine (RFC 1071, section 2B).
 */
#pragma once

#include <rte_byteorder.h>
#include <rte_ip.h>

#include <stddef.h>
#include <stdint.h>

/* Adds n bytes to a running sum. Only the last piece may have an odd length. */
static inline uint32_t
checksum_add(uint32_t sum, const void *data, size_t n)
{
	return sum + rte_raw_cksum(data, n);
}

static inline uint16_t
checksum_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* 0 when data that includes its own checksum field is right. */
static inline uint16_t
checksum(const void *data, size_t n)
{
	return checksum_fold(checksum_add(0, data, n));
}

/* The pseudo header of IPv6 (RFC 8200, section 8.1): addresses, upper-layer length, next header. */
static inline uint32_t
checksum_pseudo_v6(const uint8_t src[16], const uint8_t dst[16], uint16_t length, uint8_t protocol)
{
	uint32_t sum = checksum_add(checksum_add(0, src, 16), dst, 16);

	return sum + rte_cpu_to_be_16(length) + rte_cpu_to_be_16(protocol);
}

/* The checksum after one 16-bit word changed (RFC 1624, equation 3). A word at an odd offset: both
 * values with their bytes swapped. */
static inline uint16_t
checksum_update(uint16_t old_checksum, uint16_t old_word, uint16_t new_word)
{
	return checksum_fold((uint16_t)~old_checksum + (uint32_t)(uint16_t)~old_word + new_word);
}
