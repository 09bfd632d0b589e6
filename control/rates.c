#include "control/rates.h"

#include "drivers/port.h"

#define LOOK_NS 1000000000ull

static void
look_take(struct rates_look *l, const struct dataplane *dp, uint64_t now_ns)
{
	uint16_t workers = dataplane_workers(dp), ports = ports_count();

	l->ns = now_ns;
	l->n_drops = dataplane_drops(dp, l->drop, RATE_DROPS_MAX);
	if (l->n_drops > RATE_DROPS_MAX)
		l->n_drops = RATE_DROPS_MAX;

	for (uint16_t i = 0; i < workers && i < WORKERS_MAX; i++) {
		struct worker_stats s;

		dataplane_worker_stats(dp, i, &s);
		l->worker[i] =
			(struct rate_worker){s.rx_packets, s.tx_packets, s.dropped, s.punted, s.loops, s.busy_loops};
	}
	for (uint16_t i = 0; i < ports && i < RATE_PORTS_MAX; i++) {
		struct port_stats s = {0};

		port_stats(i, &s);
		l->port[i] = (struct rate_port){s.rx_packets, s.tx_packets, s.rx_bytes, s.tx_bytes};
	}
}

void
rates_tick(struct rates *r, const struct dataplane *dp, uint64_t now_ns)
{
	if (now_ns - r->look[r->newest].ns < LOOK_NS)
		return;
	r->newest ^= 1;
	look_take(&r->look[r->newest], dp, now_ns);
}

double
rates_seconds(const struct rates *r)
{
	const struct rates_look *a = &r->look[r->newest ^ 1], *b = &r->look[r->newest];

	return a->ns == 0 || b->ns == 0 ? 0 : (double)(b->ns - a->ns) / 1e9;
}

static uint64_t
drop_packets(const struct rates_look *l, enum drop_reason reason, uint32_t name)
{
	for (uint32_t i = 0; i < l->n_drops; i++)
		if (l->drop[i].reason == reason && l->drop[i].name == name)
			return l->drop[i].packets;
	return 0;
}

double
rates_drop(const struct rates *r, enum drop_reason reason, uint32_t name)
{
	double seconds = rates_seconds(r);
	uint64_t before = drop_packets(&r->look[r->newest ^ 1], reason, name);
	uint64_t after = drop_packets(&r->look[r->newest], reason, name);

	return seconds > 0 && after > before ? (double)(after - before) / seconds : 0;
}

struct rate_port
rates_port(const struct rates *r, uint16_t port)
{
	const struct rate_port *a = &r->look[r->newest ^ 1].port[port], *b = &r->look[r->newest].port[port];

	return (struct rate_port){b->rx_packets - a->rx_packets, b->tx_packets - a->tx_packets,
		b->rx_bytes - a->rx_bytes, b->tx_bytes - a->tx_bytes};
}

struct rate_worker
rates_worker(const struct rates *r, uint16_t worker)
{
	const struct rate_worker *a = &r->look[r->newest ^ 1].worker[worker], *b = &r->look[r->newest].worker[worker];

	return (struct rate_worker){b->rx_packets - a->rx_packets, b->tx_packets - a->tx_packets,
		b->dropped - a->dropped, b->punted - a->punted, b->loops - a->loops, b->busy_loops - a->busy_loops};
}
