/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The one place that knows of differences between versions of strongSwan. 5.9.8 is what is tested.
 *
 * ISTHMUS_STRONGSWAN is the version as a number, 50908 (meson.build).
 */
#pragma once

#include <daemon.h>

#if ISTHMUS_STRONGSWAN < 50908
#error strongSwan is too old: 5.9.8 is the first whose kernel interface the plugin knows
#endif

/* The selectors are charon's to copy. Per-CPU SAs (6.0.2) are not asked for. */
static inline void
compat_acquire(uint32_t reqid, traffic_selector_t *source, traffic_selector_t *destination)
{
	kernel_acquire_data_t data = {.src = source, .dst = destination};

#if ISTHMUS_STRONGSWAN >= 60002
	data.cpu = CPU_ID_MAX;
#endif
	charon->kernel->acquire(charon->kernel, reqid, &data);
}

/* What isthmusd cannot do and newer versions may ask for; NULL when there is nothing. */
static inline const char *
compat_sa_beyond(const kernel_ipsec_add_sa_t *data)
{
#if ISTHMUS_STRONGSWAN >= 60002
	if (data->cpu != CPU_ID_MAX)
		return "per-CPU SAs (per_cpu_sas)";
	if (data->mode == MODE_IPTFS)
		return "mode = iptfs";
#endif
	return NULL;
}
