/* Time: the TSC for workers, CLOCK_BOOTTIME for control. */
#pragma once

#include <rte_cycles.h>

#include <stdint.h>
#include <time.h>

/* Any thread. TSC ticks. */
static inline uint64_t
clock_tsc(void)
{
	return rte_rdtsc();
}

/* Control. Nanoseconds that go on through suspend. */
static inline uint64_t
clock_boot_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
