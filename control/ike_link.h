/* The socket where charon's plugin speaks to us (control/strongswan/protocol.h): one plugin at a time, whole records,
 * their shape checked before anybody reads them. Control thread.
 */
#pragma once

#include "control/loop.h"
#include "control/strongswan/protocol.h"

#include <stddef.h>

struct ike_link_handlers {
	void *context;
	/* A sound record: its length fits its type, texts end, counts agree with the length. The body is wiped
	 * afterwards. */
	void (*message)(void *context, const struct ike_header *h, const void *body);
	void (*gone)(void *context);
};

struct ike_link;

/* Listens at `path`. -errno with a text. */
int ike_link_start(const char *path, struct loop *loop, const struct ike_link_handlers *handlers, struct ike_link **out,
	char *error, size_t n);
void ike_link_stop(struct ike_link *l);
bool ike_link_up(const struct ike_link *l);
/* To the plugin that is connected; dropped when none is. A plugin that does not read is given up. */
void ike_link_send(struct ike_link *l, enum ike_message_type type, uint16_t result, uint64_t serial, const void *body,
	size_t size);
/* REFUSE with this reason, then close. */
void ike_link_refuse(struct ike_link *l, const char *why);
