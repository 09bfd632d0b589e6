/* One client of the control socket. Inside the api_* files only; control thread. */
#pragma once

#include "control/api.h"

enum client_state { CLIENT_FREE, CLIENT_READ, CLIENT_WAIT, CLIENT_WRITE, CLIENT_LINGER };

struct client {
	struct loop_source source;
	enum client_state state;
	uint16_t slot;
	uint64_t serial;
	uint64_t deadline_ns; /* 0 = none */
	json_t *id;           /* of the request under way */
	bool ended;           /* it will send nothing more */
	bool hang_up;         /* linger once the answer is out */
	uint32_t events;      /* as epoll knows them */
	char *in;             /* REQUEST_MAX + 1 bytes */
	size_t n_in;
	char *out;
	size_t n_out, sent, out_size;

	/* constant */
	struct loop *loop;
	api_handler *handler;
	api_gone *gone;
	void *context;
};

/* Takes an accepted descriptor; 0 or -errno, then the descriptor is still the caller's. */
int client_open(struct client *c, int fd, uint64_t serial);
void client_close(struct client *c);
/* struct loop_source's callback; context is the client. */
void client_ready(void *context, uint32_t events);
/* Its deadline has passed. */
void client_late(struct client *c);
/* The answer to the request under way; consumes it. */
void client_answer(struct client *c, json_t *answer);
/* Something before the answer; consumes it. False: nobody reads, it is lost. */
bool client_record(struct client *c, json_t *record);
/* Go on as far as the socket and the input let us, by one request at most. */
void client_advance(struct client *c);
