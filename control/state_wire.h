/* One connection between two nodes: TLS, who is there, frames. The link's thread. 0 or -errno, which wire_reason() puts
 * into words.
 */
#pragma once

#include "control/state_flows.h"

#include <sys/socket.h>

#define NODE_MAX 63
#define WIRE_OUT_MAX 65536
#define WIRE_IN_MAX 32768

struct state_tls;
struct state_session;

struct wire {
	struct state_session *session; /* NULL: none */
	bool connecting;               /* the socket is, which asks for patience */
	bool shaken, greeted;          /* TLS is up; the other one has said who it is */
	uint64_t since_ns, heard_ns;
	size_t in_n, out_n, out_at;
	char node[NODE_MAX + 1]; /* the other one */
	bool reaches;            /* it has said that it has a session with a router */
	uint8_t in[WIRE_IN_MAX], out[WIRE_OUT_MAX];
};

_Static_assert(STATE_FILL_ROOM <= WIRE_OUT_MAX && STATE_HEADER + STATE_BODY_MAX < WIRE_IN_MAX, "buffers");

/* A TCP socket bound to our address, whether it is there yet or not; -errno. */
int wire_socket(const struct ip_addr *local, uint16_t port);
socklen_t wire_socket_address(const struct ip_addr *a, uint16_t port, struct sockaddr_storage *out);
bool wire_is_from(const struct ip_addr *peer, const struct sockaddr_storage *from);

/* Takes the socket. */
void wire_open(struct wire *w, struct state_tls *tls, int fd, bool client, bool connecting);
void wire_close(struct wire *w);
/* The socket or TLS has gone on. Once it is up our greeting waits in w->out. */
int wire_shake(struct wire *w, const char *own_node);
/* What has come. Greetings are read here, and end the call with *more: there may be frames behind. */
int wire_hear(struct wire *w, const char *own_node, struct state_flows *flows, bool *more);
/* What waits in w->out. */
int wire_say(struct wire *w);
/* For poll(). */
int wire_fd(const struct wire *w);
short wire_events(const struct wire *w);
const char *wire_reason(int error);
