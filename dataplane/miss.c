/* A tunnel without an SA for a packet. Worker. */
#include "dataplane/miss.h"

#include "dataplane/selector.h"

#include <netinet/in.h>
#include <string.h>

/* Worker. */
void
miss_tell(struct worker *w, const struct packet *p, const struct tunnel *t)
{
	bool ports = p->protocol == IPPROTO_TCP || p->protocol == IPPROTO_UDP;
	struct event e = {.type = EVENT_MISS,
		.class = packet_family(p),
		.protocol = p->protocol,
		.source_port = ports ? p->source_port : 0,
		.destination_port = ports ? p->destination_port : 0,
		.name = t->name};
	size_t size = p->flags & PKT_V6 ? 16 : 4;
	const struct view *v = w->view;

	if (v->hop[p->hop & v->hop_mask].kind != HOP_TUNNEL || !selectors_match(t->policy, t->n_policies, p, true) ||
		!miss_due(&w->misses, t->name, w->now, w->tsc_hz))
		return;
	memcpy(e.ends[0], packet_source(p), size);
	memcpy(e.ends[1], packet_destination(p), size);
	worker_event(w, &e);
}
