/* Writing JSON to a stream: indentation, commas and escapes. Internal to config/. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *to;
	unsigned int depth;
	bool first; /* nothing written yet in this object or list */
};

void json_open(struct json *j, char bracket); /* '{' or '[' */
void json_close(struct json *j, char bracket);
/* Before a value: the comma, the line and, in an object, the key. */
void json_key(struct json *j, const char *key);
void json_item(struct json *j);
void json_text(struct json *j, const char *text);
void json_number(struct json *j, uint64_t n);
void json_flag(struct json *j, bool flag);
