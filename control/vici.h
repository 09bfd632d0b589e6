/* Our end of charon's vici socket: one connection that comes back by itself, a queue of requests, events.
 *
 * The protocol knows one request at a time: the next leaves when the one before is answered, or streamed its events
 * and then was answered. A connection that breaks, stays silent for half a minute or says what we cannot read fails
 * every request in the queue with a negative errno and is opened again after a while. Whatever a request carried is
 * wiped once it is sent. Control thread only; callbacks run in it, from the loop or from vici_tick.
 */
#pragma once

#include "control/loop.h"
#include "control/vici_message.h"

struct vici;

/* result: 0, *answer is well-formed (its `success` may still say no, see vici_succeeded); -ENOENT: charon does not
 * know the command; -ECONNRESET, -ETIMEDOUT, -EBADMSG: the connection is gone, answer is NULL. */
typedef void vici_answer(void *context, int result, const struct vici_body *answer);

struct vici_hooks {
	void *context;
	void (*up)(void *context); /* connected and registered for events: the queue is empty */
	void (*down)(void *context);
	void (*event)(void *context, const char *name, const struct vici_body *body);
};

/* events: names to register for, one at least, NULL at the end; not copied. path is copied. The first attempt is the
 * first tick's. */
int vici_open(struct loop *loop, const char *path, const char *const *events, const struct vici_hooks *hooks,
	struct vici **out);
/* Requests still in the queue fail with -ECONNRESET first; no hook is called. Not from a callback. */
void vici_close(struct vici *v);
/* Connects, and gives up on a silent peer. now_ns of clock_boot_ns. */
void vici_tick(struct vici *v, uint64_t now_ns);
/* Takes the message's content, whatever it returns: NULL is an empty one. -ENOTCONN, -EINVAL (message not complete),
 * -ENOMEM: done is not called. done may be NULL. */
int vici_request(struct vici *v, const char *command, struct vici_message *m, vici_answer *done, void *context);
bool vici_connected(const struct vici *v);
/* Of the process that listens, 0 when not connected or in another PID namespace. */
int vici_peer_pid(const struct vici *v);
/* Requests not answered yet. */
uint32_t vici_pending(const struct vici *v);
/* A connection given as a descriptor, for tests: as if connected, at once. */
int vici_adopt(struct vici *v, int fd);
