/* What a running appliance cannot change: compared before a configuration is applied.
 * Pure; any thread.
 */
#pragma once

#include "config/config.h"

/* One error NeedsRestart for each key that differs, naming it. 0 or -EINVAL. */
int restart_check(
	const struct cfg_appliance *running, const struct cfg_appliance *wanted, struct config_errors *errors);
