/* Any frame on any port: through the whole path, from parsing to the exception path's answers.
 *
 * The first byte chooses the port (two low bits) and how many worker turns follow; the rest is the frame, but its
 * first six bytes become the port's MAC unless bit 7 of the first byte is set.
 */
#include "tests/whole/lab.h"
#include "tests/whole/whole.h"

#include "dataplane/worker.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const ports[] = {"pa", "pb", "w"};

/* A daemon that reads whatever it is given, and listens to even lengths only. */
static bool
daemon_reads(void *sum, enum punt_class class, uint16_t iface, const uint8_t *l3, uint16_t length)
{
	for (uint16_t i = 0; i < length; i++)
		*(volatile uint8_t *)sum += l3[i];
	return !(length & 1);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static uint8_t sum;

	if (whole_begin("fuzz", &(struct whole_setup){0}) != 0)
		abort();
	whole_start(lab_everything);
	whole_dataplane()->events = (struct dataplane_events){.context = &sum, .local_packet = daemon_reads};
	return 0;
}

static void
throw_away_output(void)
{
	struct rte_mbuf *m;

	for (size_t i = 0; i < 3; i++)
		while ((m = port_out(ports[i])) != NULL)
			rte_pktmbuf_free(m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rte_mbuf *m;
	uint8_t *frame;

	if (size < 2 || size > 1600)
		return 0;
	m = rte_pktmbuf_alloc(whole_pool());
	if (m == NULL)
		abort(); /* something keeps what it should not */
	frame = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(size - 1));
	memcpy(frame, data + 1, size - 1);
	if (!(data[0] & 0x80) && size > 6)
		memcpy(frame, port_caps((data[0] & 3) % 3)->mac.b, 6);
	pkt_inject(ports[(data[0] & 3) % 3], m);
	for (int turn = data[0] >> 2 & 1; turn >= 0; turn--) {
		worker_turn(whole_dataplane()->worker[0]);
		dataplane_poll(whole_dataplane());
	}
	throw_away_output();
	return 0;
}
