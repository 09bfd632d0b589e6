/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Between charon's objects and the structures of protocol.h; see wire.h.
 */
#include "control/strongswan/wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

uint64_t
wire_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void
wire_from_host(struct ike_address *to, host_t *host, bool with_port)
{
	chunk_t address;

	memset(to, 0, sizeof(*to));
	if (!host || (host->get_family(host) != AF_INET && host->get_family(host) != AF_INET6))
		return;
	address = host->get_address(host);
	to->family = host->get_family(host) == AF_INET ? 4 : 6;
	to->port = with_port ? host->get_port(host) : 0;
	memcpy(to->b, address.ptr, address.len < sizeof(to->b) ? address.len : sizeof(to->b));
}

static size_t
address_size(uint8_t family)
{
	return family == 4 ? 4 : family == 6 ? 16 : 0;
}

host_t *
wire_to_host(const struct ike_address *from)
{
	size_t size = address_size(from->family);

	if (!size)
		return NULL;
	return host_create_from_chunk(
		from->family == 4 ? AF_INET : AF_INET6, chunk_create((u_char *)from->b, size), from->port);
}

void
wire_from_selector(struct ike_selector *to, traffic_selector_t *from)
{
	chunk_t first = from->get_from_address(from), last = from->get_to_address(from);

	memset(to, 0, sizeof(*to));
	to->family = from->get_type(from) == TS_IPV4_ADDR_RANGE ? 4 : 6;
	to->protocol = from->get_protocol(from);
	to->port_first = from->get_from_port(from);
	to->port_last = from->get_to_port(from);
	memcpy(to->first, first.ptr, first.len < sizeof(to->first) ? first.len : sizeof(to->first));
	memcpy(to->last, last.ptr, last.len < sizeof(to->last) ? last.len : sizeof(to->last));
}

traffic_selector_t *
wire_to_selector(const struct ike_selector *from)
{
	size_t size = address_size(from->family);

	if (!size)
		return NULL;
	return traffic_selector_create_from_bytes(from->protocol,
		from->family == 4 ? TS_IPV4_ADDR_RANGE : TS_IPV6_ADDR_RANGE, chunk_create((u_char *)from->first, size),
		from->port_first, chunk_create((u_char *)from->last, size), from->port_last);
}

bool
wire_same_ip(const struct ike_address *a, const struct ike_address *b)
{
	return a->family == b->family && memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

void
wire_text(char *to, size_t room, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(to, room, format, args);
	va_end(args);
}
