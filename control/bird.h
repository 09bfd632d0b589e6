/* bird, one for each gateway with BGP and one for the routers of a pair: started in its namespace, told what the
 * configuration means, watched.
 * Control thread.
 *
 * One that outlived a killed isthmusd is taken over, when its control socket answers and is root's. What is told anew
 * touches no session that stays.
 */
#pragma once

#include "control/bird_client.h"
#include "control/bird_status.h"
#include "control/loop.h"

struct bird;

/* name: of its files in the run directory, at most 255 bytes; whose: for the log; netns is asked whenever it is
 * started. */
int bird_create(struct loop *loop, const struct cfg_bgp_daemon_config *config, const char *appliance, const char *name,
	const char *whose, int (*netns)(void *context), void *context, struct bird **out, char *error, size_t n);
/* Takes text, which is wiped; NULL: it is not wanted any more, and ends. */
void bird_apply(struct bird *b, char *text);
/* A link is a new one, and routes over it went with the old one: they are given to the kernel again. */
void bird_link_made(struct bird *b);
void bird_tick(struct bird *b, uint64_t now_ns);
/* It is told to end, which its peers hear of while the loop runs on. */
void bird_goodbye(struct bird *b);
bool bird_gone(const struct bird *b);
/* keep: it stays for our successor; else it is killed if it still runs. NULL is fine. */
void bird_free(struct bird *b, bool keep);

/* 0: no process is there. */
pid_t bird_pid(const struct bird *b);
struct bird_client *bird_client(struct bird *b);
