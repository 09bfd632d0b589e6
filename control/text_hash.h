/* Of a text, 32 bits: FNV-1a. Names that others know are made with it: it stays as it is. Any thread. */
#pragma once

#include <stdint.h>

static inline uint32_t
text_hash(const char *text)
{
	uint32_t hash = 2166136261u;

	for (; *text != '\0'; text++)
		hash = (hash ^ (uint8_t)*text) * 16777619u;
	return hash;
}
