/* Completion of a command line: verbs and options from the table, names from the daemon when one runs. */
#pragma once

#include <stddef.h>

/* words[n - 1] is the word being typed, perhaps "". Calls each() for every candidate. */
void complete(int n, char *const *words, const char *socket, void (*each)(void *, const char *), void *context);
