/* Bytes from the wire may be anything: no crash, no lost buffer, every frame accounted for.
 *
 * Half the frames are random bytes behind a link header that is ours, half are sound packets with a
 * few bytes changed. GARBAGE_FRAMES sets how many (2,000,000 by default).
 */
#include "garbage.h"
#include "lab.h"
#include "whole.h"

#include "dataplane/worker.h"

#include <rte_cycles.h>

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static const char *const ports[] = {"pa", "pb", "w"};

static void
throw_away_output(void)
{
	struct rte_mbuf *m;

	for (size_t i = 0; i < 3; i++)
		while ((m = port_out(ports[i])) != NULL)
			rte_pktmbuf_free(m);
}

static void
garbage_is_survived_and_counted(void **state)
{
	const char *said = getenv("GARBAGE_FRAMES");
	uint64_t frames = said ? strtoull(said, NULL, 10) : 2000000;
	struct worker_stats s;

	whole_start(lab_everything);
	for (uint64_t i = 0; i < frames; i++) {
		const char *port = ports[garbage_random() % 3];

		pkt_inject(port, garbage_frame(port));
		if (i % 16 == 15) {
			worker_turn(whole_dataplane()->worker[0]);
			dataplane_poll(whole_dataplane());
			throw_away_output();
		}
	}
	whole_account(&s);
	assert_int_equal(s.rx_packets, frames);
	assert_int_equal(s.rx_packets + s.made, s.tx_packets + s.dropped + s.punted);
	assert_true(s.dropped > frames / 3);
	whole_stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(garbage_is_survived_and_counted, whole_teardown),
	};

	return WHOLE_RUN("garbage", tests);
}
