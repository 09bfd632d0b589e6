/* Reading keys: hexadecimal text, in place or in a file only its owner can read. Internal to config/. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Hexadecimal digits to bytes. How many, or -EINVAL (odd, not hexadecimal, more than size). */
int key_parse(const char *text, size_t length, uint8_t *key, size_t size);
/* The key in a file, relative names from folder. Like key_parse, or -errno; reason says what is wrong. */
int key_read(const char *folder, const char *path, uint8_t *key, size_t size, const char **reason);
