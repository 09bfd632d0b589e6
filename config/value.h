/* What the resources of a configuration are made of, beside addresses: places in the file, lists. */
#pragma once

#include "config/address.h"

#include <stdint.h>

/* Where an object or value stood in the file; line 0 = not from the file (a default). */
struct cfg_mark {
	uint32_t line;
	uint32_t column;
};

struct cfg_prefixes {
	struct ip_prefix *p;
	uint32_t n;
};

struct cfg_strings {
	char **s;
	uint32_t n;
};
