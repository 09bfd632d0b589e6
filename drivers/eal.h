/* DPDK's environment, derived from the configuration; the operator never writes EAL arguments.
 *
 * lcore 0 is the control thread, lcore 1 + n is worker n. Several lcores share a core where the
 * machine has fewer cores than threads. Control thread only; once per process, as EAL cannot be
 * started twice.
 */
#pragma once

#include "config/config.h"

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rte_mempool;

#define EAL_ARGUMENTS_MAX 160 /* two for each of 64 PCI ports, and the rest */
#define EAL_CPUS_MAX 1024

/* What eal_arguments needs to know about the machine. */
struct eal_machine {
	uint16_t cpus[EAL_CPUS_MAX]; /* this process may run there, ascending */
	uint16_t n_cpus;
	uint64_t huge_free_mb; /* free huge pages of the default size */
	uint64_t huge_page_kb;
};

struct eal_arguments {
	int n;
	char *v[EAL_ARGUMENTS_MAX + 1]; /* NULL-terminated */
	uint32_t memory_mb;
	bool huge;
};

/* Read the machine; build the arguments. Pure but for malloc; split from eal_start for tests.
 * Returns 0, -ENOMEM, or -EINVAL with the reason in `error`. eal_arguments_free is always legal. */
void eal_machine_read(struct eal_machine *m);
int eal_arguments(const struct cfg_appliance *a, const char *prefix, const struct eal_machine *m,
	struct eal_arguments *out, char *error, size_t n);
void eal_arguments_free(struct eal_arguments *arguments);

/* prefix: names the run-time directory together with the process id. 0 or -errno. */
int eal_start(const struct cfg_appliance *a, const char *prefix, char *error, size_t n);
/* For tools that compile views without packets: one lcore, little memory, no device. */
int eal_offline_start(char *error, size_t n);
/* Leaves nothing behind. */
void eal_stop(void);

/* For a program that we start: the cores that the arguments leave to others than workers, and that of the control
 * thread when there are none. Pure. */
void eal_cores_beside(const struct cfg_appliance *a, const struct eal_machine *m, cpu_set_t *out);
/* The same of the EAL that runs; the core of the caller before it was started. */
void eal_cores_beside_workers(cpu_set_t *out);

/* The lcore of a worker. */
static inline unsigned
eal_worker_lcore(uint16_t worker)
{
	return 1u + worker;
}

/* Packet buffers for every port: the data room takes the longest frame of any port, with the
 * headroom before it and PACKET_TAILROOM behind it (ESP padding and ICV, in place).
 * private_size: bytes between struct rte_mbuf and the headroom. */
#define PACKET_FRAME_OVERHEAD 22 /* Ethernet header and two VLAN tags */
#define PACKET_TAILROOM 128

uint32_t packet_buffers(const struct cfg_appliance *a);
uint16_t packet_data_room(const struct cfg_appliance *a);
/* NULL on failure, `error` says why. Freed by eal_stop or rte_mempool_free. */
struct rte_mempool *packet_pool_create(
	const struct cfg_appliance *a, uint16_t private_size, char *error, size_t error_size);
