/* A worker's rig: its packets, and all that happens to them untimed.
 *
 * Packets are filled in batches. Hot ones: a few hundred buffers, used again and again, so that packets lie in L2 as
 * they would behind a NIC that writes into the cache. Cold ones: thousands in random order, pushed out of L2 before
 * the first is taken. Nothing touches a packet between its filling and the worker but the ring's count of bytes.
 */
#include "rig.h"
#include "world.h"

#include "dataplane/pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PUSH_OUT (8u << 20) /* bytes, some times the largest L2 */
#define AT_ONCE 512
#define ETHERNET 14
#define IPV4 20

void
rig_give_up(const struct rig *r, const char *what, uint32_t n, uint32_t of)
{
	fprintf(stderr, "%s: %u of %u packets were %s\n", r->scenario->name, n, of, what);
	for (int reason = 0; reason < DROP_REASON_COUNT; reason++)
		if (drops_of(reason))
			fprintf(stderr, "  drop %s: %lu\n", drop_name(reason), (unsigned long)drops_of(reason));
	exit(1);
}

void
rig_inject(struct rig *r, uint16_t port, uint32_t first, uint32_t n)
{
	for (uint32_t done = 0; done < n;) {
		uint16_t some = (uint16_t)RTE_MIN(n - done, 1024u);

		if (port_ring_inject(port, r->worker->id, r->packet + first + done, some) != some)
			rig_give_up(r, "taken by the port", done, n);
		done += some;
	}
}

void
rig_collect(struct rig *r, uint16_t port, uint32_t first, uint32_t n, const char *what)
{
	uint32_t got = 0;

	while (got < n) {
		uint16_t some = port_ring_collect(
			port, r->worker->id, r->packet + first + got, (uint16_t)RTE_MIN(n - got, 1024u));

		if (some == 0)
			rig_give_up(r, what, got, n);
		got += some;
	}
}

/* Turn the worker until the packets from `first` to before `end` have gone in at one port and come out at another. */
static void
pass_through(struct rig *r, uint16_t in, uint16_t out, uint32_t first, uint32_t end, const char *what)
{
	for (uint32_t done = first; done < end; done += AT_ONCE) {
		uint32_t some = RTE_MIN(end - done, (uint32_t)AT_ONCE);

		rig_inject(r, in, done, some);
		for (uint32_t turned = 0; turned < some; turned += RX_BURST)
			worker_turn(r->worker);
		rig_collect(r, out, done, some, what);
	}
}

/* What the wire between the gateways does: frames that left w0 are for w1. */
static void
cross_wire(struct rig *r, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		memcpy(rte_pktmbuf_mtod(r->packet[i], uint8_t *), port_caps(WIRE_B)->mac.b, 6);
		r->packet[i]->port = WIRE_B;
	}
}

/* Of SAs side by side each is opened by one worker, as NICs tell them apart by SPI; a single SA is opened by all. */
static bool
is_own(const struct rig *r, struct rte_mbuf *sealed)
{
	uint32_t spi;

	if (r->scenario->world.resources < whole_dataplane()->n_workers)
		return true;
	memcpy(&spi, rte_pktmbuf_mtod_offset(sealed, uint8_t *, ETHERNET + IPV4), sizeof(spi));
	return rte_be_to_cpu_32(spi) % whole_dataplane()->n_workers == r->worker->id;
}

/* Sealed packets from `first` on: the worker's own go to the front. Returns where the others begin. */
static uint32_t
own_first(struct rig *r, uint32_t first)
{
	for (uint32_t i = first; i < r->n; i++) {
		struct rte_mbuf *m = r->packet[i];

		if (is_own(r, m)) {
			r->packet[i] = r->packet[first];
			r->packet[first++] = m;
		}
	}
	return first;
}

/* What another worker would open is made anew, until it is one's own. */
void
rig_fill(struct rig *r)
{
	uint32_t done = 0;

	do {
		for (uint32_t i = done; i < r->n; i++)
			traffic_fill(&r->traffic, r->packet[i]);
		if (!r->scenario->open)
			return;
		pass_through(r, PORT_A, WIRE_A, done, r->n, "sealed");
		done = own_first(r, done);
	} while (done < r->n);
	cross_wire(r, r->n);
}

/* What lies in this core's own caches gives way to this; L3 takes what it was. */
void
rig_push_out(void)
{
	static volatile uint8_t other[PUSH_OUT];

	for (size_t i = 0; i < sizeof(other); i += RTE_CACHE_LINE_SIZE)
		other[i]++;
}

/* ---- making ---- */

static void
shuffle(struct rig *r)
{
	struct rte_mbuf **m = r->packet;

	for (uint32_t i = r->n - 1; i > 0; i--) {
		uint32_t k = (uint32_t)((uint64_t)traffic_random(&r->traffic) * (i + 1) >> 32);
		struct rte_mbuf *swapped = m[i];

		m[i] = m[k];
		m[k] = swapped;
	}
}

/* Gateways find their neighbours on the wire: one packet makes them ask. */
static void
resolve(struct rig *r)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(whole_pool());

	traffic_fill(&r->traffic, m);
	pkt_inject("pa", m);
	whole_settle();
	whole_wire("w0", "w1", NULL);
	while ((m = port_out("pb")) != NULL)
		rte_pktmbuf_free(m);
}

/* Every conversation is known before the first is timed. */
static void
prime(struct rig *r)
{
	uint32_t at_once = RTE_MIN(r->n, (uint32_t)AT_ONCE);

	r->traffic.in_turn = true;
	r->traffic.serial = 0;
	while (r->traffic.serial < r->traffic.flows) {
		uint32_t n = RTE_MIN(r->traffic.flows - r->traffic.serial, at_once);

		for (uint32_t i = 0; i < n; i++)
			traffic_fill(&r->traffic, r->packet[i]);
		pass_through(r, r->in, r->out, 0, n, "forwarded when they opened a flow");
	}
	r->traffic.in_turn = false;
}

void
rig_make(struct rig *r, const struct scenario *s, uint16_t worker, uint32_t n)
{
	*r = (struct rig){
		.scenario = s,
		.worker = whole_dataplane()->worker[worker],
		.n = n,
		.in = s->open ? WIRE_B : PORT_A,
		.out = s->world.shape == SHAPE_TUNNEL && !s->open ? WIRE_A : PORT_B,
	};
	r->worker->sample_mask = NEVER;
	traffic_init(&r->traffic, s);
	r->packet = bench_array(r->n, sizeof(*r->packet));
	if (rte_pktmbuf_alloc_bulk(whole_pool(), r->packet, r->n) != 0)
		rig_give_up(r, "there", 0, r->n);
	if (s->cold)
		shuffle(r);
}

void
rig_free(struct rig *r)
{
	rte_pktmbuf_free_bulk(r->packet, r->n);
	free(r->packet);
}

void
rig_ready(struct rig *r)
{
	if (r->scenario->world.shape == SHAPE_TUNNEL)
		resolve(r);
	if (r->scenario->world.rules && !r->scenario->fresh)
		prime(r);
}
