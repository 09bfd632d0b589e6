/* An address that another appliance of a pair has, too: what control said in time and the worker meets late stays. */
#include "whole.h"

#include "dataplane/arp.h"
#include "dataplane/exception.h"
#include "drivers/clock.h"
#include "lab.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct rte_mbuf *
arp_question(void)
{
	static const struct mac_addr everybody = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	static const struct mac_addr host = {{2, 0, 0, 0, 0x0a, 0x10}};
	struct arp a = {.request = true, .sender_mac = host};
	struct rte_mbuf *m = rte_pktmbuf_alloc(whole_pool());
	uint8_t *d = (uint8_t *)rte_pktmbuf_append(m, 60);

	assert_int_equal(address_parse("10.0.1.16", &a.sender), 0);
	assert_int_equal(address_parse("10.0.1.1", &a.target), 0);
	if (!d) /* also for gcc, which follows NULL */
		abort();
	memset(d, 0, 60);
	memcpy(d, everybody.b, 6);
	memcpy(d + 6, host.b, 6);
	memcpy(d + 12, "\x08\x06", 2);
	arp_write(d + 14, &a);
	return m;
}

/* The question in control's hands, the answer in the worker's orders, time in between: 0 or 1 answers. */
static uint32_t
answers(bool late)
{
	struct worker *w = whole_dataplane()->worker[0];
	_Atomic uint64_t until = clock_boot_ns() + (late ? 20000000ull : 10000000000ull);
	struct rte_mbuf *m;
	uint32_t n = 0;

	dataplane_share_addresses(whole_dataplane(), &until);
	pkt_inject("pa", arp_question());
	worker_turn(w);
	dataplane_poll(whole_dataplane());
	while (late && clock_boot_ns() < until)
		usleep(1000);
	worker_turn(w);
	whole_settle();
	for (; (m = port_out("pa")) != NULL; n++)
		rte_pktmbuf_free(m);
	dataplane_share_addresses(whole_dataplane(), NULL);
	return n;
}

static void
an_answer_that_is_late_stays(void **state)
{
	whole_start(lab_everything);
	assert_int_equal(answers(false), 1);
	assert_int_equal(drops_of(DROP_NOT_PRIMARY), 0);
	assert_int_equal(answers(true), 0);
	assert_int_equal(drops_of(DROP_NOT_PRIMARY), 1);
	assert_int_equal(exception_stats(whole_dataplane()->exception)->arp_answers, 2); /* control was in time */
	whole_stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(an_answer_that_is_late_stays, whole_teardown),
	};

	return WHOLE_RUN("shared-address", tests);
}
