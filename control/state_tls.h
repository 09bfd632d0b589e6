/* A TLS connection between two nodes that hold the same key: version 1.3, authenticated and encrypted by that key alone
 * (RFC 8446, external PSK, with a Diffie-Hellman exchange: who learns the key later reads nothing). Sockets do not
 * block. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct state_tls;     /* the key */
struct state_session; /* a connection */

/* The key is copied, and wiped by free. NULL: no memory. */
struct state_tls *state_tls_create(const void *key, size_t n);
void state_tls_free(struct state_tls *t);

/* Takes the connected socket. NULL: no memory, and it is closed. */
struct state_session *state_session_open(struct state_tls *t, int fd, bool client);
void state_session_close(struct state_session *s);
int state_session_fd(const struct state_session *s);

/* 1: done; 0: later, when poll() says so; -EACCES: the other end does not hold the key or is no TLS; -ECONNRESET. */
int state_session_handshake(struct state_session *s);
/* Bytes; 0: later; -ECONNRESET: it is over. */
ssize_t state_session_read(struct state_session *s, void *buffer, size_t n);
ssize_t state_session_write(struct state_session *s, const void *buffer, size_t n);
/* What to poll for. */
short state_session_events(const struct state_session *s, bool writing);
