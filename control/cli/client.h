/* The command's end of the control socket. Single-threaded, blocking. */
#pragma once

#include <jansson.h>

#include <stddef.h>

struct client;

/* given: a path, the bare name of an appliance, or NULL: $ISTHMUS_SOCKET, else the one socket there is in
 * /run/isthmus. 0 or -errno with a text. */
int client_open(const char *given, struct client **out, char *error, size_t n);
void client_close(struct client *c);
/* timeout_ms: how long to wait for each line, -1 = for ever. 0 or -errno with a text. */
int client_send(struct client *c, const json_t *request, char *error, size_t n);
int client_receive(struct client *c, int timeout_ms, json_t **answer, char *error, size_t n);
