/* strongswan.conf for a charon of ours, and the plugin it loads. Control thread. */
#pragma once

#include "config/config.h"

#include <stddef.h>

/* Writes it anew, mode 0600: nothing of the machine's own strongSwan configuration is read beside it.
 * revoked: thumbprints with blanks between. */
int charon_file_write(
	const char *path, const struct cfg_ike_daemon_config *c, const char *revoked, char *error, size_t n);
/* Where our plugin is, when charon would not find it itself: as configured, or beside this program where it was
 * built, or under our own prefix. "" otherwise. */
void charon_plugin_find(const struct cfg_ike_daemon_config *c, char *path, size_t n);
