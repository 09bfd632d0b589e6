/* EAL for a unit test: no device, no huge page, a run-time directory of its own. */
#pragma once

#include <rte_eal.h>

#include <stdio.h>
#include <unistd.h>

/* memory_mb is text, for EAL. 0 on success. */
static inline int
test_eal_start_with(const char *name, const char *memory_mb)
{
	static char prefix[64];
	char *argv[] = {"test", "--no-huge", "-m", (char *)memory_mb, "--no-pci", "--no-shconf", "--no-telemetry",
		"--log-level", "lib.*:4", "--file-prefix", prefix, NULL};

	snprintf(prefix, sizeof(prefix), "isthmus-%s-%d", name, (int)getpid());
	return rte_eal_init(11, argv) < 0 ? -1 : 0;
}

static inline int
test_eal_start(const char *name)
{
	return test_eal_start_with(name, "128");
}

static inline void
test_eal_stop(void)
{
	rte_eal_cleanup();
}
