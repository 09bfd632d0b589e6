/* Loading, checking and printing a configuration. Pure C: libc and libyaml, no DPDK.
 *
 * Callable from any thread; nothing here is global. Errors are collected, not printed: each
 * names file, line, column, a stable code (the vendor's where it has one) and the rule.
 */
#pragma once

#include "config/resource.h"

#include <stdio.h>

#define CONFIG_ERRORS_MAX 64 /* further ones are counted, not kept */

struct config_error {
	struct cfg_mark mark;
	char code[48];  /* VnetAddressSpacesOverlap, UnknownKey, ... */
	char text[400]; /* the rule, the offending value, the suggestion */
};

struct config_errors {
	const char *path; /* as given to config_load, not owned */
	uint32_t n;       /* kept */
	uint32_t total;   /* seen */
	struct config_error e[CONFIG_ERRORS_MAX];
};

/* Load, resolve and check in one go. Returns 0 and *out, or -EINVAL (errors say why),
 * -ENOMEM, or -errno of open/read (also told in errors). On failure *out is NULL. */
int config_load(const char *path, struct config **out, struct config_errors *errors);
/* The same from memory; `path` is what errors name. Key files resolve against its folder. Shared keys may
 * stand in the text, as they may in a file that only its owner can read. */
int config_parse(const char *path, const char *text, size_t size, struct config **out, struct config_errors *errors);
/* One more who keeps it, until each has called config_free. */
struct config *config_ref(struct config *c);
/* Wipes keys. NULL is fine. */
void config_free(struct config *c);

/* Forget the keys of associations once these are built; the shared keys once charon has them, the passwords
 * of BGP once bird has them; or all. What else there is stays. The one exception to "never changed": nobody may look at
 * keys meanwhile. */
void config_wipe_sa_keys(struct config *c);
void config_wipe_shared_keys(struct config *c);
void config_wipe_bgp_passwords(struct config *c);
void config_wipe_node_key(struct config *c);
void config_wipe_secrets(struct config *c);
/* The path of a file that the configuration names: from its folder unless absolute, and credential:NAME is
 * the service manager's. 0 or -ENAMETOOLONG, -EINVAL (no such credential); reason says what is wrong. */
int config_file_path(const struct config *c, const char *written, char *full, size_t size, const char **reason);
/* All of a file that only its owner may read, at most size bytes: a private key, a password. The caller wipes
 * the buffer. Its length, -EINVAL for a file that is not safe, or -errno; reason says what is wrong. */
int config_secret_read(const struct config *c, const char *written, void *buffer, size_t size, const char **reason);

/* "FILE:LINE:COLUMN: CODE: text" per line. */
void config_errors_print(const struct config_errors *errors, FILE *to);

/* Normalised JSON of the whole configuration in the flat `az ... show` shape; keys are "<hidden>". */
void config_print(const struct config *c, FILE *to);
