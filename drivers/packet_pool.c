/* The pool of packet buffers. One for all ports and workers: packets cross ports untouched. */
#include "drivers/eal.h"
#include "drivers/port.h"

#include <rte_errno.h>
#include <rte_mbuf.h>

#include <stdio.h>

#define POOL_CACHE 256
#define BUFFERS_PER_WORKER 4096 /* bursts in flight, packets waiting for neighbours, reassembly */
#define BUFFERS_MIN 8191

/* Enough that full rings of every queue of every port starve nobody. Rounded up to 2^n - 1,
 * which the ring inside a mempool stores without waste. */
uint32_t
packet_buffers(const struct cfg_appliance *a)
{
	uint32_t wanted = BUFFERS_PER_WORKER * a->workers, size = BUFFERS_MIN;

	if (a->mbufs)
		return a->mbufs;

	for (uint32_t i = 0; i < a->n_ports; i++) {
		uint32_t queues = a->ports[i].queues ? a->ports[i].queues : a->workers;
		uint32_t descriptors = a->ports[i].descriptors ? a->ports[i].descriptors : PORT_DESCRIPTORS;

		wanted += 2 * queues * descriptors;
	}
	while (size < wanted)
		size = 2 * size + 1;
	return size;
}

uint16_t
packet_data_room(const struct cfg_appliance *a)
{
	uint32_t mtu = PORT_MTU_DEFAULT, room;

	for (uint32_t i = 0; i < a->n_ports; i++)
		if (a->ports[i].mtu > mtu)
			mtu = a->ports[i].mtu;

	room = RTE_PKTMBUF_HEADROOM + mtu + PACKET_FRAME_OVERHEAD + PACKET_TAILROOM;

	/* Drivers that fill 2048-byte units waste or split less with room for one. */
	if (room < RTE_MBUF_DEFAULT_BUF_SIZE)
		room = RTE_MBUF_DEFAULT_BUF_SIZE;
	return (uint16_t)RTE_ALIGN_CEIL(room, 64);
}

struct rte_mempool *
packet_pool_create(const struct cfg_appliance *a, uint16_t private_size, char *error, size_t error_size)
{
	uint32_t n = packet_buffers(a);
	uint16_t room = packet_data_room(a);
	struct rte_mempool *pool = rte_pktmbuf_pool_create(
		"packets", n, POOL_CACHE, RTE_ALIGN_CEIL(private_size, RTE_MBUF_PRIV_ALIGN), room, SOCKET_ID_ANY);

	if (!pool)
		snprintf(error, error_size, "no memory for %u packet buffers of %u bytes: %s", n, room,
			rte_strerror(rte_errno));
	return pool;
}
