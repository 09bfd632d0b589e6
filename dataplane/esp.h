/* ESP on the wire: RFC 4303 in tunnel mode, RFC 3948 in UDP. What sealing and opening share. */
#pragma once

#include "config/address.h"

#include <stdbool.h>
#include <stdint.h>

#include <rte_byteorder.h>

#define ESP_PROTOCOL 50
#define ESP_HEADER_SIZE 8 /* SPI, low half of the sequence number */
#define ESP_SEQUENCE_OFFSET 4
#define ESP_TRAILER_SIZE 2 /* pad length, next header */
#define ESP_NEXT_V4 4
#define ESP_NEXT_V6 41
#define ESP_NEXT_DUMMY 59
#define ESP_PORT 4500 /* RFC 3948 */
#define ESP_UDP_SIZE 8
#define ESP_KEEPALIVE 0xff /* RFC 3948 section 2.3 */

/* Outer headers of an outbound SA, complete but for what changes from packet to packet, and where they lead. */
#define ESP_OUTER_MAX (40 + ESP_UDP_SIZE + 4)
#define ESP_OUTER4_MAX (20 + ESP_UDP_SIZE + 4)

struct esp_outer {
	union {
		uint8_t bytes[ESP_OUTER_MAX]; /* IP, UDP, SPI */
		struct {
			uint8_t bytes4[ESP_OUTER4_MAX]; /* the same of IPv4 */
			rte_be32_t next4;               /* neighbour to send to, 0: none */
			uint16_t sum; /* of the header without TOS, length, identification, fragment word, checksum */
		};
	};
	uint8_t length; /* of IP and UDP: the ESP header starts here */
	bool on_link;   /* IPv6: the neighbour is the peer itself, not the uplink's gateway */
	uint16_t uplink;
};

static inline uint8_t
esp_outer_ip_length(const struct esp_outer *o)
{
	return o->length < 40 ? 20 : 40;
}

struct sa;
struct view;
struct sas_spec;
struct dataplane;

/* Builder and control. Addresses of one family. Where they lead, the caller says. */
void esp_outer_build(
	struct esp_outer *o, const struct ip_addr *local, const struct ip_addr *remote, const struct sa *sa);

/* Builder. Collect the local UDP ports of inbound SAs beside 4500. -ENOSPC: more than a view holds. */
int esp_ports_build(struct view *v, const struct sas_spec *spec);

/* Control, from dataplane_poll: NAT keepalives of tunnels that have been silent (RFC 3948 section 2.3). */
void esp_keepalives(struct dataplane *dp, uint64_t now_ns);

static inline uint32_t
esp_spi(const uint8_t *esp)
{
	return rte_be_to_cpu_32(*(const unaligned_uint32_t *)esp);
}

static inline uint32_t
esp_sequence(const uint8_t *esp)
{
	return rte_be_to_cpu_32(*(const unaligned_uint32_t *)(esp + ESP_SEQUENCE_OFFSET));
}
