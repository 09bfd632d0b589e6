/* Reading keys: hexadecimal, or a shared key's text, in place or in a file only its owner can read.
 * Internal to config/. Lengths or -EINVAL or -errno come back, and what is wrong in reason.
 */
#pragma once

#include "config/resource.h"

#include <stddef.h>
#include <stdint.h>

/* In place of a key in what is printed; never a key itself. */
#define SHARED_KEY_HIDDEN "<hidden>"

/* Hexadecimal digits to bytes. How many, or -EINVAL (odd, not hexadecimal, more than size). */
int key_parse(const char *text, size_t length, uint8_t *key, size_t size);
/* The key in a file, relative names from folder. Like key_parse, or -errno; reason says what is wrong. */
int key_read(const char *folder, const char *path, uint8_t *key, size_t size, const char **reason);

/* Printable text to key[CFG_SHARED_KEY_MAX], NUL at its end. Its length. */
int shared_key_parse(const char *text, size_t length, char *key, const char **reason);
int shared_key_read(const char *folder, const char *path, char *key, const char **reason);

/* To password[CFG_BGP_PASSWORD_MAX], alike. Without quotation marks: bird's configuration cannot say them. */
int bgp_password_parse(const char *text, size_t length, char *password, const char **reason);
int bgp_password_read(const char *folder, const char *path, char *password, const char **reason);

/* From folder unless absolute; credential:NAME from the service manager's folder. */
int key_path(const char *folder, const char *written, char *full, size_t size, const char **reason);
/* A file of mode 0600 or stricter, root's or ours, of at most size bytes. */
int secret_read(const char *path, void *buffer, size_t size, const char **reason);
