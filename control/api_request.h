/* Requests of the control socket: one JSON object per line,
 *   {"version": 1, "id": 7, "verb": "next-hop", "arguments": {"subnet": "hub/web", ...}}
 * checked against the table of verbs. Everything here comes from outside: sizes are bounded, kinds
 * and ranges checked, unknown keys refused. Any thread; no DPDK.
 */
#pragma once

#include "config/address.h"
#include "control/api_answer.h"
#include "control/verb.h"

#define REQUEST_MAX 65536 /* bytes of a request with its newline */
#define REQUEST_TEXT_MAX 4096

struct argument {
	bool given;
	const char *text;        /* as written: TEXT, FILE, VNET, PORT, SUBNET, CHOICE */
	struct ip_prefix prefix; /* PREFIX */
	struct ip_addr address;  /* ADDRESS, ENDPOINT */
	uint16_t port;           /* ENDPOINT, 0 = not said */
	uint32_t number;         /* NUMBER, PROTOCOL, FLAG */
};

struct request {
	json_t *root; /* owned; texts point into it */
	json_t *id;   /* borrowed, NULL: none */
	enum verb verb;
	struct argument argument[VERB_PARAMETERS_MAX];
};

/* 0; -EBADMSG: no request at all, nothing more can be read from this client; -EINVAL: a refused
 * request, the next one may be better. `failure` says why. request_free is always legal after it. */
int request_parse(const char *line, size_t size, struct request *out, struct failure *failure);
/* The same from an object; takes the reference. */
int request_take(json_t *root, struct request *out, struct failure *failure);
void request_free(struct request *r);

/* The argument of this name; the table must have it. Numbers that were not given have their fallback. */
const struct argument *request_argument(const struct request *r, const char *name);

/* "10.0.0.4:80", "10.0.0.4", "[fd00::4]:80", "fd00::4". 0 or -EINVAL. */
int endpoint_parse(const char *text, struct ip_addr *address, uint16_t *port);
/* "tcp" or a number. 0 or -EINVAL. */
int protocol_parse(const char *text, uint8_t *out);
/* "TCP", or the number as text in `buffer`. */
const char *protocol_text(uint8_t protocol, char buffer[4]);
