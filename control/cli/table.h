/* Answers for people: columns where there is a list, "key: value" lines elsewhere. Single-threaded. */
#pragma once

#include "control/verb.h"

#include <jansson.h>
#include <stdio.h>

/* Widest value that a column shows; longer texts are not cut, they push. */
void table_print(enum verb verb, const json_t *result, FILE *to);
/* One record of a trace, a line per step. */
void table_print_record(const json_t *record, FILE *to);
/* Text from outside with control characters replaced: a name must not drive the terminal. */
void table_print_text(const char *text, FILE *to);
