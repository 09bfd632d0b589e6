/* bird's control socket: one question after another, answers whole. Control thread.
 *
 * An answer is bird's text without the codes in front of its lines. It is asked over a connection that is made for it
 * and stays; where it breaks, all that wait are told.
 */
#pragma once

#include "control/loop.h"

#include <stddef.h>
#include <sys/types.h>

struct bird_client;

/* text: valid during the call, NULL: no answer, error says why. It is ours to ask more of the client here. */
typedef void bird_answer(void *context, const char *text, const char *error);

int bird_client_create(struct loop *loop, const char *path, struct bird_client **out);
/* All that wait hear of it. NULL is fine. */
void bird_client_free(struct bird_client *c);

/* Ten times a second: a bird that is silent for long is not waited for. */
void bird_client_tick(struct bird_client *c, uint64_t now_ns);

/* 0, -ENOMEM, or -errno: bird is not there. command: one line without its end. */
int bird_ask(struct bird_client *c, const char *command, bird_answer *done, void *context);
/* The process at the other end, connected to if need be; 0: nobody. */
pid_t bird_client_pid(struct bird_client *c);
