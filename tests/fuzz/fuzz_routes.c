/* What routing daemons say: rtnetlink's messages (the first byte is even) and bird's answers (odd), in any bytes. */
#include "control/bird_status.h"
#include "control/learned.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
sound_session(void *context, const struct bird_session *s)
{
	(void)context;
	if (s->name[0] == '\0' || memchr(s->error, 0, sizeof(s->error)) == NULL)
		abort();
}

static void
sound_route(void *context, const struct bird_route *r)
{
	(void)context;
	if (r->network[0] == '\0' || memchr(r->as_path, 0, sizeof(r->as_path)) == NULL)
		abort();
}

static void
answers(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	bird_sessions_read(text, sound_session, NULL);
	bird_routes_read(text, sound_route, NULL);
	free(text);
}

/* Pieces of a length each, as changes, with a dump begun or ended in between. */
static void
messages(const uint8_t *data, size_t size)
{
	struct learned *l = learned_create(64);
	struct route_monitor_events e = learned_events(l);
	struct learned_routes all;
	struct route_info r;

	while (size >= 2) {
		size_t n = data[0] < size - 2 ? data[0] : size - 2;
		uint8_t what = data[1];
		uint8_t *copy = malloc(n + 1);

		memcpy(copy, data + 2, n);
		if (route_message_read(copy, n, &r)) {
			if (r.n == 0 || r.n > ROUTE_VIAS_MAX)
				abort();
			if (what & 4)
				e.dumped(e.context, &r);
			else
				e.changed(e.context, &r, what & 1);
		}
		if ((what & 24) == 8)
			e.dump_begins(e.context);
		if ((what & 24) == 16)
			e.dump_ends(e.context);
		free(copy);
		data += n + 2;
		size -= n + 2;
	}
	if (learned_list(l, &all) == 0) {
		if (all.n > 64 || all.n > learned_count(l))
			abort();
		learned_routes_free(&all);
	}
	learned_free(l);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] & 1)
		answers(data + 1, size - 1);
	else
		messages(data + 1, size - 1);
	return 0;
}
