/* No lease at all: the preferred node is primary and the others are not, for ever. Nodes do not ask each other, so
 * nothing keeps two from being primary, as where both are preferred by mistake, and the role does not move when its
 * node dies: traffic does, by BGP.
 */
#include "control/lease_backend.h"

#include <stdio.h>

static void *
static_open(const struct lease_client *client, char *error, size_t n)
{
	(void)error;
	(void)n;
	return (void *)(uintptr_t)client;
}

static void
static_attempt(void *backend, uint64_t epoch_seen)
{
	const struct lease_client *c = backend;
	struct lease_answer a = {.verdict = c->ha->preferred ? LEASE_GRANTED : LEASE_DENIED};

	(void)epoch_seen;
	if (c->ha->preferred)
		snprintf(a.holder, sizeof(a.holder), "%s", c->identity);
	c->answered(c->context, &a);
}

static void
static_close(void *backend)
{
	(void)backend;
}

const struct lease_kind lease_static = {
	.name = "static",
	.exclusive = false,
	.poll_ns = LEASE_INFINITE,
	.open = static_open,
	.attempt = static_attempt,
	.close = static_close,
};
