/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which strongSwan the plugin was built against, and which one runs it. Nothing in strongSwan compares them: its
 * structures differ from version to version, and a plugin of another one would crash it at some later time.
 */
#pragma once

const char *version_built(void);

/* Of the daemon's program; "unknown" when it does not say. Constant after the first call, which must be in the thread
 * that loads plugins. */
const char *version_running(void);
