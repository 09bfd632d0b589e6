/* Verbs typed one after the other: prompt, history, completion. Single-threaded. */
#pragma once

/* Until the end of input or "exit"; returns the exit status of the last line. */
int shell(const char *socket);
