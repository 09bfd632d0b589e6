/* Collecting errors, and the "did you mean" that goes with them. Internal to config/. */
#pragma once

#include "config/config.h"

/* Keep the error (up to CONFIG_ERRORS_MAX) and count it. The text is made printable ASCII. */
__attribute__((format(printf, 4, 5))) void config_error(
	struct config_errors *e, struct cfg_mark mark, const char *code, const char *format, ...);
/* What looks like key material (16 hexadecimal digits and more) must not end in a message. */
bool text_may_be_key(const char *text);
/* Forget the kept errors from the given one on that stand inside the range. */
void config_errors_forget(struct config_errors *e, uint32_t from, struct cfg_mark start, struct cfg_mark end);
/* No room for another: costly explanations may be spared. */
bool config_errors_full(const struct config_errors *e);

/* The nearest word so far; offer candidates one by one. */
struct suggestion {
	const char *wanted;
	const char *best;
	unsigned int distance;
};

void suggestion_start(struct suggestion *s, const char *wanted);
void suggestion_offer(struct suggestion *s, const char *candidate);
/* " (did you mean 'x'?)" or "", in the given buffer. */
const char *suggestion_text(const struct suggestion *s, char *text, size_t size);
