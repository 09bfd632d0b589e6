/* soak FRAMES NEAR FAR: garbage over real ports. NEAR is the port under test, FAR the port at the other end of its
 * wire, both as the body of a port in the configuration ("driver: af_packet, interface: v0"); "-" for FAR when the
 * driver makes its own packets (null, pcap).
 *
 * Frames go out through FAR and come in through NEAR, the path runs, what it answers comes back through FAR and is
 * dropped there. Ends when FRAMES were taken by NEAR's worker or nothing moved for ten seconds. Prints one line of
 * counters; exit 1 when packet buffers are missing or a frame is not accounted for.
 */
#include "garbage.h"
#include "lab.h"

#include "dataplane/worker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BURST 32
#define BEHIND_MAX 512 /* frames under way: more would only overflow the wire */
#define QUIET_S 10

static const char *
world(const char *near, const char *far)
{
	static char yaml[16384];
	const char *rest = strstr(lab_everything, "  attachments:");

	snprintf(yaml, sizeof(yaml),
		"appliance:\n"
		"  name: soak\n"
		"  flows: 4096\n"
		"  ports: [{name: w, %s}, {name: pa, driver: ring}, {name: pb, driver: ring}%s%s%s]\n"
		"%s",
		near, far ? ", {name: far, " : "", far ? far : "", far ? "}" : "", rest);
	return yaml;
}

/* True: sent, or refused by a full wire (freed). */
static uint64_t throw(uint16_t far)
{
	struct rte_mbuf *m[BURST];
	uint16_t sent;

	for (int i = 0; i < BURST; i++)
		m[i] = garbage_frame("w");
	sent = port_tx(far, 0, m, BURST);
	rte_pktmbuf_free_bulk(m + sent, BURST - sent);
	return sent;
}

static void
turn(void)
{
	struct rte_mbuf *m;

	worker_turn(whole_dataplane()->worker[0]);
	dataplane_poll(whole_dataplane());
	for (int i = 0; i < 2; i++)
		while ((m = port_out(i ? "pa" : "pb")) != NULL)
			rte_pktmbuf_free(m);
}

static uint64_t
taken(void)
{
	return whole_dataplane()->worker[0]->stats.rx_packets;
}

int
main(int argc, char **argv)
{
	const char *far = argc > 3 && strcmp(argv[3], "-") != 0 ? argv[3] : NULL;
	uint64_t frames, thrown = 0, before = 0;
	time_t moved = time(NULL);
	struct worker_stats s;

	if (argc != 4 || (frames = strtoull(argv[1], NULL, 10)) == 0) {
		fprintf(stderr, "usage: soak FRAMES NEAR FAR\n");
		return 2;
	}
	if (whole_begin("soak", &(struct whole_setup){0}) != 0)
		return 2;
	whole_start(world(argv[2], far));
	while (taken() < frames && time(NULL) - moved < QUIET_S) {
		if (far && thrown - taken() < BEHIND_MAX)
			thrown += throw(whole_port("far"));
		turn();
		if (taken() != before) {
			before = taken();
			moved = time(NULL);
		} else if (far) {
			thrown = taken(); /* what the wire lost will not come */
		}
	}
	whole_account(&s);
	printf("taken %" PRIu64 " made %" PRIu64 " sent %" PRIu64 " dropped %" PRIu64 " punted %" PRIu64 "\n",
		s.rx_packets, s.made, s.tx_packets, s.dropped, s.punted);
	whole_stop(); /* fails when a buffer is missing */
	whole_end();
	return s.rx_packets >= frames && s.rx_packets + s.made == s.tx_packets + s.dropped + s.punted ? 0 : 1;
}
