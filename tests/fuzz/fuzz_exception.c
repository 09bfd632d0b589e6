/* Fuzz the exception path: whatever a worker may punt, byte for byte from the wire.
 *
 * Eight bytes choose class, interfaces, reason, offset; bit 0 of the last one asks for right ICMP
 * checksums, so that the fuzzer gets past them. Every buffer has to come back at once or after the
 * timers have run.
 */
#include "tests/unit/control_stub.h"

#include "dataplane/checksum.h"

#include <netinet/in.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A daemon that reads whatever it is given, and refuses odd lengths. */
static bool
daemon_reads(void *sum, enum punt_class class, uint16_t iface, const uint8_t *l3, uint16_t length)
{
	for (uint16_t i = 0; i < length; i++)
		*(volatile uint8_t *)sum += l3[i];
	return !(length & 1);
}

static void
begin(void)
{
	static uint8_t sum;

	stub_start(64);
	stub.dp.events = (struct dataplane_events){.context = &sum, .local_packet = daemon_reads};
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	if (test_eal_start("fuzz-exception") != 0)
		abort();
	begin();
	return 0;
}

static void
right_checksum(uint8_t *d, size_t n)
{
	uint16_t length, sum;

	if (n < 48 || d[0] >> 4 != 6 || d[6] != IPPROTO_ICMPV6)
		return;
	length = (uint16_t)(d[4] << 8 | d[5]);
	if (length < 8 || length > n - 40)
		return;
	memset(d + 42, 0, 2);
	sum = checksum_fold(checksum_add(checksum_pseudo_v6(d + 8, d + 24, length, IPPROTO_ICMPV6), d + 40, length));
	memcpy(d + 42, &sum, 2);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct event e = {.type = EVENT_PUNT};
	uint8_t packet[1500];
	size_t n = size > 8 ? RTE_MIN(size - 8, sizeof(packet)) : 0;

	if (size < 8)
		return 0;
	e.class = data[0] % (PUNT_CLASS_COUNT + 1);
	e.iface = data[1] % 9;
	e.out = data[2] % 9;
	e.reason = data[3] % DROP_REASON_COUNT;
	e.l3_off = data[4] % 64;
	e.mtu = data[5];
	e.flags = data[6] & 1 ? PKT_V6 : 0;
	e.address = data[6] & 2 ? (struct ip_addr){.family = IP_V4, .b = {10, 1, 0, data[7]}}
				: (struct ip_addr){.family = IP_V6, .b = {0x20, 1, 0x0d, 0xb8, 0, 1, [15] = data[7]}};
	memcpy(packet, data + 8, n);
	if (data[7] & 1)
		right_checksum(packet, n);

	/* l3_off may point behind the data: the head room of the event is real only as far as it goes. */
	e.m = stub_mbuf(data[6] & 4 ? 0 : e.l3_off, packet, (uint16_t)n);
	exception_take(&stub.dp, &e);
	if (data[6] & 8)
		stub_pass(1000);
	if (rte_mempool_in_use_count(stub.dp.pool) > 64 * 8)
		abort();
	if (data[6] & 16) {
		stub_stop(); /* nothing may be left */
		begin();
	}
	return 0;
}
