/* Sequence numbers, replays and lifetimes as the stages keep them. */
#include "tests/unit/esp_check.h"

#include <pthread.h>

/* ---- numbers ------------------------------------------------------------------------ */

static void
reserve_is_never_passed(void **unused)
{
	struct cfg_sa c = gcm();
	struct sa_counters counters;

	assert_int_equal(esp_world_open_at(&c, V4, 1000, 1050), 0);
	assert_int_equal(seal_many(20), 20);
	assert_int_equal(number_of(0), 1000);
	expect_no_event();
	esp_burst_free();
	assert_int_equal(seal_many(20), 20); /* more than half is gone */
	expect_event(SA_EVENT_RESERVE_LOW, ESP_NAME_OUT);
	esp_burst_free();
	assert_int_equal(seal_many(20), 10);
	assert_int_equal(number_of(9), 1049);
	assert_int_equal(esp.w->drops[DROP_SA_SEQUENCE_WAIT], 10);
	esp_burst_free();
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(seal_many(20), 0);
		esp_burst_free();
	}
	expect_no_event();

	/* Numbers go on behind what was taken; waiting took none. */
	sa_reserve(esp.out, 1090);
	assert_int_equal(seal_many(20), 20);
	assert_int_equal(number_of(0), 1060);
	assert_int_equal(number_of(19), 1079);
	esp_burst_free();
	sa_reserve(esp.out, 1000); /* never goes back */
	sa_counters_read(esp.out, &counters);
	assert_int_equal(counters.sequence, 1080);
	assert_int_equal(counters.reserved, 1090);
	assert_int_equal(counters.packets, 70);
	assert_int_equal(counters.bytes, 7000);
	assert_int_equal(counters.drops, 20010);
	end();
}

static void
numbers_end(void **unused)
{
	struct cfg_sa c = gcm();
	uint64_t last[2] = {UINT32_MAX, SA_SEQUENCE_END_ESN - 1};
	struct sa_counters counters;

	for (int esn = 0; esn < 2; esn++) {
		c.esn = esn;
		assert_int_equal(esp_world_open_at(&c, V4, last[esn] - 9, UINT64_MAX), 0);
		assert_int_equal(seal_many(32), 10);
		assert_int_equal(number_of(9), (uint32_t)last[esn]);
		assert_int_equal(esp.w->drops[DROP_SA_SEQUENCE], 22);
		expect_event(SA_EVENT_EXHAUSTED, ESP_NAME_OUT);
		esp_burst_free();
		for (int i = 0; i < 10000; i++) {
			assert_int_equal(seal_many(64), 0);
			esp_burst_free();
		}
		expect_no_event();
		sa_counters_read(esp.out, &counters);
		assert_true(counters.exhausted);
		assert_true(counters.sequence >= last[esn]);
		end();
	}
}

/* ESN: both ends go on across 2^32, and a packet from before it is still known. */
static void
esn_crosses(void **unused)
{
	enum cfg_encryption e;
	enum cfg_integrity g;
	uint8_t inner[100], late[300], sealed[300];

	for (uint32_t kind = 0; esp_kind(kind, &e, &g); kind++) {
		struct cfg_sa c = esp_config(e, g);
		uint16_t size = 0, late_size = 0;

		c.esn = true;
		assert_int_equal(esp_world_open_at(&c, V4, (7ull << 32) - 20, UINT64_MAX), 0);
		esp_inner(inner, 80, false, 0, false);
		for (int i = 0; i < 40; i++) {
			size = seal(inner, 80, sealed);
			if (i == 10) {
				memcpy(late, sealed, size);
				late_size = size;
			} else {
				expect_opened(sealed, size, inner, 80);
			}
		}
		assert_int_equal(esp_sequence(sealed + 20), 19);
		assert_int_equal(replay_top(&esp.in->state->replay), (7ull << 32) + 19);
		expect_opened(late, late_size, inner, 80);
		expect_refused(late, late_size, DROP_ESP_REPLAY);
		end();
	}
}

static void
replays(void **unused)
{
	struct cfg_sa c = gcm();
	uint8_t inner[100], first[300], sealed[300];
	uint16_t size;

	/* twice in one burst */
	begin(&c, false);
	esp_inner(inner, 80, false, 0, false);
	size = seal(inner, 80, first);
	esp_burst_clear();
	for (int i = 0; i < 5; i++)
		assert_true(esp_burst_add(first, size, ESP_UPLINK, TUNNEL_NONE));
	esp_open(esp.w, &esp.burst);
	assert_int_equal(esp.burst.n, 1);
	assert_int_equal(esp.w->drops[DROP_ESP_REPLAY], 4);
	esp_burst_free();

	/* left of the window, within one burst too */
	seal(inner, 80, first);
	for (int i = 0; i < 64; i++)
		size = seal(inner, 80, sealed);
	esp_burst_clear();
	assert_true(esp_burst_add(sealed, size, ESP_UPLINK, TUNNEL_NONE));
	assert_true(esp_burst_add(first, size, ESP_UPLINK, TUNNEL_NONE));
	esp_open(esp.w, &esp.burst);
	assert_int_equal(esp.burst.n, 1);
	assert_int_equal(esp.w->drops[DROP_ESP_REPLAY], 5);
	esp_burst_free();
	expect_refused(first, size, DROP_ESP_REPLAY);

	/* a forged number moves nothing */
	memcpy(first, sealed, size);
	first[20 + 4] = 0x7f;
	expect_refused(first, size, DROP_ESP_AUTHENTICATION);
	assert_int_equal(replay_top(&esp.in->state->replay), 66);
	end();

	/* protection off: everything goes */
	c.replay_window = 0;
	begin(&c, false);
	size = seal(inner, 80, first);
	for (int i = 0; i < 3; i++)
		expect_opened(first, size, inner, 80);
	end();
}

/* ---- lifetimes ---------------------------------------------------------------------- */

static void
lifetimes_out(void **unused)
{
	struct cfg_sa c = gcm();
	struct sa_counters counters;

	c.life_packets_soft = 30;
	c.life_packets_hard = 50;
	begin(&c, false);
	assert_int_equal(seal_many(20), 20);
	expect_no_event();
	esp_burst_free();
	assert_int_equal(seal_many(20), 20);
	expect_event(SA_EVENT_SOFT, ESP_NAME_OUT);
	esp_burst_free();
	assert_int_equal(seal_many(20), 10);
	expect_event(SA_EVENT_HARD, ESP_NAME_OUT);
	assert_int_equal(esp.w->drops[DROP_SA_LIFETIME], 10);
	esp_burst_free();
	assert_int_equal(seal_many(20), 0);
	expect_no_event();
	sa_counters_read(esp.out, &counters);
	assert_true(counters.soft_expired && counters.hard_expired);
	assert_int_equal(counters.packets, 50);
	end();

	/* bytes: what does not fit is refused, what does is not */
	c = gcm();
	c.life_bytes_soft = 1000;
	c.life_bytes_hard = 2050;
	begin(&c, false);
	assert_int_equal(seal_many(32), 20);
	expect_event(SA_EVENT_HARD, ESP_NAME_OUT);
	expect_event(SA_EVENT_SOFT, ESP_NAME_OUT);
	esp_burst_free();
	{
		uint8_t inner[30];

		esp_inner(inner, 30, false, 0, false);
		assert_true(esp_burst_add(inner, 30, ESP_GATEWAY, 0));
		assert_true(esp_burst_add(inner, 30, ESP_GATEWAY, 0));
		esp_world_seal();
		assert_int_equal(esp.burst.n, 1);
	}
	end();
}

static void
lifetimes_in(void **unused)
{
	struct cfg_sa c = gcm();

	c.life_packets_soft = 10;
	c.life_packets_hard = 15;
	begin(&c, false);
	esp.out->limited = false;
	assert_int_equal(seal_many(20), 20);
	esp_burst_turn_round();
	esp_open(esp.w, &esp.burst);
	assert_int_equal(esp.burst.n, 15);
	assert_int_equal(esp.w->drops[DROP_SA_LIFETIME], 5);
	expect_event(SA_EVENT_HARD, ESP_NAME_IN);
	expect_event(SA_EVENT_SOFT, ESP_NAME_IN);
	expect_no_event();
	end();
}

/* ---- renewal ------------------------------------------------------------------------ */

static void
renewal_keeps_numbers(void **unused)
{
	struct cfg_sa c = gcm();
	uint8_t inner[100], first[300], sealed[300];
	struct sa *out, *in;
	uint16_t size;

	begin(&c, false);
	esp_inner(inner, 80, false, 0, false);
	size = seal(inner, 80, first);
	expect_opened(first, size, inner, 80);

	/* one new parameter, same keys */
	c.outbound = true;
	c.life_packets_hard = 1000;
	out = sa_renew(&c, esp.out);
	c.outbound = false;
	in = sa_renew(&c, esp.in);
	assert_non_null(out);
	assert_non_null(in);
	sa_free(esp.out);
	sa_free(esp.in);
	esp.out = out;
	esp.in = in;
	esp_view_set();
	seal(inner, 80, sealed);
	assert_int_equal(esp_sequence(sealed + 20), 2);
	expect_refused(first, size, DROP_ESP_REPLAY);
	expect_opened(sealed, size, inner, 80);

	/* the window may shrink but not outgrow its ring */
	c.replay_window = 4096;
	assert_null(sa_renew(&c, esp.in));
	end();
}

/* A full ring delays an event, it does not lose it. */
/* Behind a NAT that moved: other ports, the same keys, though nobody has them in clear any more. */
static void
rebinding_keeps_numbers(void **unused)
{
	struct cfg_sa c = gcm();
	uint8_t inner[100], first[300], sealed[300];
	struct sa *out, *in;
	uint16_t size;

	(void)unused;
	c.udp_encap = true;
	begin(&c, false);
	esp_inner(inner, 80, false, 0, false);
	seal(inner, 80, first);

	memset(c.enc_key, 0, sizeof(c.enc_key));
	c.outbound = true;
	c.udp_remote_port = 40500;
	out = sa_rebind(&c, esp.out);
	c.outbound = false;
	c.udp_local_port = 40500;
	c.udp_remote_port = 0;
	in = sa_rebind(&c, esp.in);
	assert_non_null(out);
	assert_non_null(in);
	sa_free(esp.out); /* the key lives on */
	sa_free(esp.in);
	esp.out = out;
	esp.in = in;
	esp_view_set();
	size = seal(inner, 80, sealed);
	assert_int_equal(sealed[22] << 8 | sealed[23], 40500);
	assert_int_equal(esp_sequence(sealed + 28), 2);
	expect_opened(sealed, size, inner, 80);
	end();
}

static void
events_are_told_later(void **unused)
{
	struct cfg_sa c = gcm();
	struct event other = {.type = EVENT_PUNT}, e;
	struct sa_counters counters;

	c.life_packets_hard = 5;
	begin(&c, false);
	while (worker_event(esp.w, &other))
		;
	assert_int_equal(seal_many(10), 5);
	sa_counters_read(esp.out, &counters);
	assert_true(counters.hard_expired);
	while (esp_event(&e))
		assert_int_equal(e.type, EVENT_PUNT);
	esp_burst_free();
	assert_int_equal(seal_many(1), 0);
	expect_event(SA_EVENT_HARD, ESP_NAME_OUT);
	esp_burst_free();
	assert_int_equal(seal_many(1), 0);
	expect_no_event();
	end();
}

/* ---- several workers, one SA --------------------------------------------------------- */

#define WORKERS 3
#define SHARED_BURST 16
#define SHARED_NUMBERS 5000 /* until so many were used */
#define SHARED_STEP 90      /* of the reserve */
#define SHARED_WAIT 300     /* packets before the next step */
#define SHARED_WAIT_MAX 200000

static struct shared {
	_Atomic uint8_t *used; /* how often each number left */
	uint64_t room;
	_Atomic uint32_t running;
	_Atomic uint64_t sealed, waited;
} shared;

/* A worker of its own: everything but the SA, the view and the pool. */
static struct worker *
worker_like_ours(void)
{
	struct worker *w = aligned_alloc(64, (sizeof(*w) + 63) & ~(size_t)63);

	assert_non_null(w);
	memset(w, 0, sizeof(*w));
	w->view = &esp.view;
	w->now = rte_rdtsc();
	w->n_workers = WORKERS;
	w->crypto = crypto_worker_create();
	assert_non_null(w->crypto);
	assert_int_equal(channel_init(&w->up, 1024), 0);
	return w;
}

static void
burst_make(struct burst *b, const uint8_t *inner, uint16_t n)
{
	b->n = b->used = 0;
	for (uint16_t i = 0; i < SHARED_BURST; i++) {
		struct packet *p = &b->slot[b->used++];
		uint8_t *l3;

		memset(p, 0, sizeof(*p));
		p->m = rte_pktmbuf_alloc(esp.pool);
		if (!p->m)
			continue;
		l3 = (uint8_t *)rte_pktmbuf_append(p->m, n);
		memcpy(l3, inner, n);
		parse_ip(p, l3, n);
		b->pkt[b->n++] = p;
	}
}

static void *
seal_on(void *worker)
{
	static _Thread_local struct burst b;
	struct worker *w = worker;
	uint8_t inner[60];

	esp_inner(inner, sizeof(inner), false, 0, false);
	while (atomic_load(&shared.sealed) < SHARED_NUMBERS && atomic_load(&shared.waited) < SHARED_WAIT_MAX) {
		uint16_t offered;

		burst_make(&b, inner, sizeof(inner));
		offered = b.n;
		esp_seal(w, &b);
		atomic_fetch_add(&shared.sealed, b.n);
		if (b.n < offered) {
			atomic_fetch_add(&shared.waited, offered - b.n);
			usleep(20);
		}
		for (uint16_t i = 0; i < b.n; i++) {
			uint32_t number = esp_sequence(b.pkt[i]->l3 + 20);

			if (number < shared.room)
				atomic_fetch_add(&shared.used[number], 1);
			rte_pktmbuf_free(b.pkt[i]->m);
		}
	}
	atomic_fetch_sub(&shared.running, 1);
	return NULL;
}

/* While control raises the reserve in small steps: no number twice, none past the reserve, none lost to the count, and
 * none skipped but at the ends of the reserve, at most a burst for each worker. */
static void
workers_share_an_sa(void **unused)
{
	struct cfg_sa c = gcm();
	struct worker *w[WORKERS];
	pthread_t thread[WORKERS];
	struct sa_counters counters;
	uint64_t reserve = 100, seen = 0, waited = 0, ends = 1, taken;

	assert_int_equal(esp_world_open_at(&c, V4, 1, reserve), 0);
	shared = (struct shared){.room = 4 * SHARED_NUMBERS};
	shared.used = calloc(shared.room, 1);
	assert_non_null(shared.used);
	shared.running = WORKERS;
	for (int i = 0; i < WORKERS; i++)
		w[i] = worker_like_ours();
	for (int i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, seal_on, w[i]), 0);
	while (atomic_load(&shared.running)) {
		/* The next step comes when this one is used up and all have waited for long: waiting skips none. */
		if (atomic_load(&shared.waited) - waited >= SHARED_WAIT && reserve + SHARED_STEP < shared.room) {
			waited = atomic_load(&shared.waited);
			sa_reserve(esp.out, reserve += SHARED_STEP);
			ends++;
		}
		usleep(20);
	}
	for (int i = 0; i < WORKERS; i++)
		pthread_join(thread[i], NULL);

	for (uint64_t n = 0; n < shared.room; n++) {
		assert_true(shared.used[n] <= 1);
		assert_true(n < reserve || shared.used[n] == 0);
		seen += shared.used[n];
	}
	assert_int_equal(seen, shared.sealed);
	assert_int_equal(shared.used[0], 0);
	sa_counters_read(esp.out, &counters);
	assert_int_equal(counters.packets, shared.sealed);
	assert_int_equal(counters.drops, shared.waited);
	taken = RTE_MIN(counters.sequence, reserve) - 1;
	assert_true(taken - seen <= ends * WORKERS * SHARED_BURST);
	assert_true(shared.sealed >= SHARED_NUMBERS && shared.waited > 0);

	for (int i = 0; i < WORKERS; i++) {
		crypto_worker_free(w[i]->crypto);
		channel_fini(&w[i]->up);
		free(w[i]);
	}
	free((void *)shared.used);
	end();
}

static int
start(void **unused)
{
	return test_eal_start("esp_numbers") || esp_world_start();
}

static int
stop(void **unused)
{
	esp_world_stop();
	test_eal_stop();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reserve_is_never_passed),
		cmocka_unit_test(numbers_end),
		cmocka_unit_test(esn_crosses),
		cmocka_unit_test(replays),
		cmocka_unit_test(lifetimes_out),
		cmocka_unit_test(lifetimes_in),
		cmocka_unit_test(renewal_keeps_numbers),
		cmocka_unit_test(rebinding_keeps_numbers),
		cmocka_unit_test(events_are_told_later),
		cmocka_unit_test(workers_share_an_sa),
	};

	return cmocka_run_group_tests_name("esp_numbers", tests, start, stop);
}
