/* Every kind of SA, in a row: each encryption that authenticates by itself, each other one with each integrity. */
#pragma once

#include "config/algorithm.h"

#include <stdbool.h>
#include <stdint.h>

/* false past the last one. */
static inline bool
esp_kind(uint32_t n, enum cfg_encryption *encryption, enum cfg_integrity *integrity)
{
	for (uint32_t e = 0; e < ENC_COUNT; e++) {
		uint32_t kinds = algorithm_encryption[e].combined ? 1 : INTEG_COUNT - 1;

		*encryption = (enum cfg_encryption)e;
		*integrity = kinds == 1 ? INTEG_NONE : (enum cfg_integrity)(1 + n);
		if (n < kinds)
			return true;
		n -= kinds;
	}
	return false;
}

static inline uint32_t
esp_kinds(void)
{
	enum cfg_encryption e;
	enum cfg_integrity g;
	uint32_t n = 0;

	while (esp_kind(n, &e, &g))
		n++;
	return n;
}
