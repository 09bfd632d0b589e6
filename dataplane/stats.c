/* Reading what workers count. Control thread; counters are aligned 64-bit words that only their
 * worker writes, so a plain read is a whole one, at most a burst old.
 */
#include "dataplane/flow.h"
#include "dataplane/state.h"

#include "drivers/clock.h"

#define MINUTE_S 60

static const char *const stages[STAGE_COUNT] = {
#define X(symbol, name) [STAGE_##symbol] = name,
	STAGES(X)
#undef X
};

const char *
stage_name(enum stage s)
{
	return s < STAGE_COUNT ? stages[s] : "unknown";
}

uint16_t
dataplane_workers(const struct dataplane *dp)
{
	return dp->n_workers;
}

void
dataplane_worker_stats(const struct dataplane *dp, uint16_t worker, struct worker_stats *out)
{
	const struct worker *w = dp->worker[worker];
	uint64_t now_s = (clock_tsc() - dp->start_tsc) / dp->tsc_hz;

	*out = (struct worker_stats){
		.lcore = w->lcore,
		.loops = w->stats.loops,
		.busy_loops = w->stats.busy_loops,
		.bursts = w->stats.bursts,
		.rx_packets = w->stats.rx_packets,
		.tx_packets = w->stats.tx_packets,
		.punted = w->stats.punted,
		.made = w->stats.made,
		.view_generation = w->view ? w->view->generation : 0,
		.longest_turn_cycles = w->turns.longest,
		.longest_orders_cycles = w->orders.longest,
		.recent_turn_cycles = pause_recent(&w->turns, now_s, MINUTE_S),
		.recent_orders_cycles = pause_recent(&w->orders, now_s, MINUTE_S),
	};
	memcpy(out->stage_cycles, w->stats.stage_cycles, sizeof(out->stage_cycles));
	memcpy(out->stage_packets, w->stats.stage_packets, sizeof(out->stage_packets));
	for (int r = 0; r < DROP_REASON_COUNT; r++)
		out->dropped += w->drops[r];
}

void
dataplane_punts(const struct dataplane *dp, enum punt_class class, struct punt_count *out)
{
	*out = (struct punt_count){0};
	for (uint16_t i = 0; i < dp->n_workers; i++) {
		out->packets += dp->worker[i]->punts[class].packets;
		out->dropped += dp->worker[i]->punts[class].dropped;
	}
}

static uint64_t
dropped_by_reason(const struct dataplane *dp, enum drop_reason r)
{
	uint64_t n = dp->drops[r];

	for (uint16_t i = 0; i < dp->n_workers; i++)
		n += dp->worker[i]->drops[r];
	return n;
}

static void
row_add(struct drop_count *rows, uint32_t size, uint32_t *n, const struct named_drop *d)
{
	for (uint32_t i = 0; i < *n && i < size; i++) {
		if (rows[i].reason == d->reason && rows[i].name == d->name) {
			rows[i].packets += d->packets;
			return;
		}
	}
	if (*n < size)
		rows[*n] = (struct drop_count){d->reason, d->name, d->packets};
	++*n;
}

uint32_t
dataplane_drops(const struct dataplane *dp, struct drop_count *rows, uint32_t size)
{
	uint32_t n = 0;

	for (int r = 0; r < DROP_REASON_COUNT; r++) {
		uint64_t packets = dropped_by_reason(dp, r);

		if (packets == 0)
			continue;
		if (n < size)
			rows[n] = (struct drop_count){r, NAME_NONE, packets};
		n++;
	}
	for (uint16_t i = 0; i < dp->n_workers; i++)
		for (uint32_t k = 0; k < NAMED_DROPS; k++)
			if (dp->worker[i]->named[k].packets)
				row_add(rows, size, &n, &dp->worker[i]->named[k]);
	return n;
}

uint32_t
dataplane_flows(const struct dataplane *dp, uint32_t max, void (*each)(void *, const struct flow_info *), void *context)
{
	uint32_t now_s = (uint32_t)((clock_tsc() - dp->start_tsc) / dp->tsc_hz);

	return flow_table_walk(dp->flows, now_s, max, each, context);
}
