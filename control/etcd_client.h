/* One question at a time to etcd's JSON gateway, by libcurl within the loop: nothing here waits, but the last call.
 *
 * Members are asked in turn: one that does not answer in time, or answers an error, is left for the next. Control
 * thread.
 */
#pragma once

#include "config/resource.h"
#include "control/loop.h"

#include <jansson.h>

struct etcd_client;

/* reply: as parsed, NULL with a text. It may post the next question. */
typedef void etcd_answered(void *context, const json_t *reply, const char *error);

/* lease outlives it. timeout_ms: of one question. NULL with a text. */
struct etcd_client *etcd_client_open(struct loop *loop, const struct cfg_lease *lease, long timeout_ms,
	etcd_answered *answered, void *context, char *error, size_t n);
void etcd_client_close(struct etcd_client *c);
/* path: "/v3/kv/range". Takes the reference to body. Whatever was under way is forgotten. */
void etcd_client_post(struct etcd_client *c, const char *path, json_t *body);
/* Waits for the answer that is under way, without the loop. For the way out. */
void etcd_client_finish(struct etcd_client *c, int timeout_ms);

/* ---- what etcd's JSON is like -------------------------------------------------------------- */

/* 64-bit numbers are text there, and absent when zero. */
uint64_t etcd_number(const json_t *object, const char *key);
/* Keys and values are base64: new objects. */
json_t *etcd_text(const char *text);
/* false: absent, no base64 or longer. */
bool etcd_text_read(const json_t *object, const char *key, char *out, size_t size);
