/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A directory before each backend of configurations.
 */
#pragma once

/* Of those that are added to charon from now on, until directories_stop. Thread that loads plugins. */
void directories_start(void);
void directories_stop(void);
