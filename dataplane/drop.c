/* Drop reasons as text, and the counting of drops: by reason, and by who decided.
 *
 * drop(), drop_named(): workers. drop_name(), drop_text(): any thread.
 */
#include "dataplane/worker.h"
#include "dataplane/trace.h"

static const char *const names[DROP_REASON_COUNT] = {
#define X(symbol, name, text) [DROP_##symbol] = name,
	DROP_REASONS(X)
#undef X
};

static const char *const texts[DROP_REASON_COUNT] = {
#define X(symbol, name, text) [DROP_##symbol] = text,
	DROP_REASONS(X)
#undef X
};

const char *
drop_name(enum drop_reason reason)
{
	return reason < DROP_REASON_COUNT ? names[reason] : "unknown";
}

const char *
drop_text(enum drop_reason reason)
{
	return reason < DROP_REASON_COUNT ? texts[reason] : "unknown reason";
}

/* The table never forgets a pair; when its neighbourhood is full, the sum by reason still counts. */
static void
count_named(struct worker *w, enum drop_reason reason, uint32_t name)
{
	uint32_t at = (name * 2654435761u ^ (uint32_t)reason * 40503u) & (NAMED_DROPS - 1);

	for (uint32_t probe = 0; probe < 16; probe++, at = (at + 1) & (NAMED_DROPS - 1)) {
		struct named_drop *d = &w->named[at];

		if (d->packets == 0) {
			d->reason = reason;
			d->name = name;
		}
		if (d->name == name && d->reason == (uint32_t)reason) {
			d->packets++;
			return;
		}
	}
}

/* Worker. The name is counted here, the reason where the error is made (or in punt, over its rate). */
void
drop_told(struct worker *w, struct packet *p, enum drop_reason reason, uint32_t name)
{
	if (name != NAME_NONE)
		count_named(w, reason, name);
	punt(w, p, PUNT_ICMP_ERROR, reason, IFACE_NONE, NULL, 0);
}

void
drop_named(struct worker *w, struct packet *p, enum drop_reason reason, uint32_t name)
{
	w->drops[reason]++;
	if (name != NAME_NONE)
		count_named(w, reason, name);
	if (unlikely(p->flags & PKT_TRACED)) {
		trace_note(p, trace_stage(p), TRACE_DROPPED, p->iface, name, reason);
		trace_end(w, p);
	}
	rte_pktmbuf_free(p->m);
}

void
drop(struct worker *w, struct packet *p, enum drop_reason reason)
{
	drop_named(w, p, reason, NAME_NONE);
}
