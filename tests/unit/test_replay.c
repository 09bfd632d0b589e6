/* The replay window: each number once, whoever asks and in whatever order. */
#include "dataplane/replay.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct replay *
window_make(uint32_t window, uint64_t first)
{
	uint32_t words = replay_words(window);
	struct replay *r = aligned_alloc(64, (sizeof(*r) + words * sizeof(r->word[0]) + 63) & ~(size_t)63);

	assert_non_null(r);
	replay_init(r, words, first);
	return r;
}

/* What a worker does with an authenticated number. */
static bool
accept(struct replay *r, uint32_t window, uint64_t s)
{
	uint64_t top = replay_top(r);

	if (replay_left(r, top, window, s))
		return false;
	if (replay_seen(r, s)) {
		assert_false(replay_take(r, s));
		return false;
	}
	assert_true(replay_take(r, s));
	replay_raise(r, s);
	return true;
}

static uint64_t
random64(void)
{
	static uint64_t x = 88172645463325252ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

/* ---- the high half (RFC 4303 appendix A2.2) ------------------------------------------ */

static void
infer_cases(void **unused)
{
	static const struct {
		uint64_t top;
		uint32_t window, low;
		uint64_t expected;
	} cases[] = {
		/* Case A, the window lies in one subspace: inside, right of it, left of it = the next subspace */
		{0x00000005000000ffull, 64, 0xc0, 0x00000005000000c0ull},
		{0x00000005000000ffull, 64, 0xff, 0x00000005000000ffull},
		{0x00000005000000ffull, 64, 0x100, 0x0000000500000100ull},
		{0x00000005000000ffull, 64, 0xffffffff, 0x00000005ffffffffull},
		{0x00000005000000ffull, 64, 0xbf, 0x00000006000000bfull},
		{0x00000005000000ffull, 64, 0x00, 0x0000000600000000ull},
		/* its edge: Tl = W - 1, the window starts at 0 */
		{0x000000050000003full, 64, 0x00, 0x0000000500000000ull},
		{0x000000050000003full, 64, 0xffffffff, 0x00000005ffffffffull},
		/* Case B, the window spans two: its left part, between, its right part */
		{0x000000050000003eull, 64, 0xffffffff, 0x00000004ffffffffull},
		{0x000000050000003eull, 64, 0xfffffffe, 0x00000005fffffffeull},
		{0x0000000500000000ull, 64, 0xffffffc1, 0x00000004ffffffc1ull},
		{0x0000000500000000ull, 64, 0xffffffc0, 0x00000005ffffffc0ull},
		{0x0000000500000000ull, 64, 0x00, 0x0000000500000000ull},
		{0x0000000500000000ull, 64, 0x7fffffff, 0x000000057fffffffull},
		{0x0000000500000fffull, 4096, 0x00, 0x0000000500000000ull},
		{0x0000000500000ffeull, 4096, 0xffffffff, 0x00000004ffffffffull},
		/* nothing received yet: there is no subspace before the first */
		{0, 64, 1, 1},
		{0, 64, 0xffffffc0, 0xffffffc0},
		{0, 64, 0xffffffc1, UINT64_MAX},
		{62, 64, 0xffffffff, UINT64_MAX},
		{63, 64, 0xffffffff, 0xffffffff},
		/* the end of all numbers */
		{UINT64_MAX - 1, 64, 0x00, UINT64_MAX},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(replay_infer(cases[i].top, cases[i].window, cases[i].low), cases[i].expected);
}

/* Any number from the window's left edge to 2^32 - window ahead is guessed right. */
static void
infer_random(void **unused)
{
	for (uint32_t i = 0; i < 1000000; i++) {
		uint32_t window = 64u << random64() % 7;
		uint64_t top = (random64() & 0xffffffffffffull) + window;
		int64_t step;
		uint64_t s;

		if (i & 1)
			top = (top & ~0xffffffffull) + random64() % (2 * window); /* near a crossing */
		if (top < window)
			continue;
		step = i & 2 ? -(int64_t)(random64() % window) : (int64_t)(random64() % (0x100000000ull - window));
		s = top + (uint64_t)step;
		assert_int_equal(replay_infer(top, window, (uint32_t)s), s);
	}
}

/* ---- the window --------------------------------------------------------------------- */

static void
rfc_cases(void **unused)
{
	struct replay *r = window_make(64, 1);

	assert_false(accept(r, 64, 0)); /* never sent */
	assert_true(accept(r, 64, 1));
	assert_false(accept(r, 64, 1));
	assert_true(accept(r, 64, 64)); /* window 1..64 */
	assert_false(accept(r, 64, 1));
	assert_true(accept(r, 64, 2));
	assert_true(accept(r, 64, 65)); /* window 2..65 */
	assert_false(accept(r, 64, 1));
	assert_false(accept(r, 64, 2));
	assert_true(accept(r, 64, 3));
	assert_true(accept(r, 64, 1000)); /* far ahead: 937..1000 */
	assert_false(accept(r, 64, 936));
	assert_true(accept(r, 64, 937));
	assert_false(accept(r, 64, 937));
	assert_true(accept(r, 64, 0xffffffff));
	assert_true(accept(r, 64, 0x100000000ull));
	assert_true(accept(r, 64, 0xffffffc1));
	assert_false(accept(r, 64, 0xffffffc0));
	free(r);
}

static void
ring_sizes(void **unused)
{
	for (uint32_t window = 64; window <= REPLAY_WINDOW_MAX; window += 32) {
		uint32_t words = replay_words(window);

		assert_int_equal(words & (words - 1), 0);
		assert_true(words >= window / 32 + 2);
		assert_true(words <= 256);
	}
}

/* The dumbest window: remembers every number it ever accepted. */
struct reference {
	uint64_t top, floor, base;
	uint32_t window;
	uint8_t *seen; /* from base on */
};

#define REFERENCE_SIZE (1u << 20)

static bool
reference_accept(struct reference *f, uint64_t s)
{
	uint64_t at = s - f->base;

	if (s < f->floor || (s <= f->top && f->top - s >= f->window))
		return false;
	assert_true(at < REFERENCE_SIZE);
	if (f->seen[at])
		return false;
	f->seen[at] = 1;
	if (s > f->top)
		f->top = s;
	return true;
}

static void
against_reference(uint32_t window, uint64_t first, uint32_t steps)
{
	struct reference f = {.top = first - 1, .floor = first, .window = window};
	struct replay *r = window_make(window, first);

	f.base = first > 2 * window ? first - 2 * window : 0;
	f.seen = calloc(1, REFERENCE_SIZE);
	assert_non_null(f.seen);
	for (uint32_t i = 0; i < steps; i++) {
		uint64_t s = f.top;

		switch (random64() % 8) {
		case 0: /* anywhere around the window */
			s += random64() % (3 * window);
			s -= s < 2 * window ? s : random64() % (2 * window);
			break;
		case 1: /* its left edge */
			s -= s < window + 3 ? s : window - 3 + random64() % 6;
			break;
		case 2: /* ahead: past the whole ring now and then */
			s += random64() % 16 ? random64() % 40 : random64() % (window * 3);
			break;
		default: /* in the window */
			s -= s < window ? s : random64() % window;
		}
		if (s < f.base || s - f.base >= REFERENCE_SIZE)
			continue;
		assert_int_equal(accept(r, window, s), reference_accept(&f, s));
		assert_int_equal(replay_top(r), f.top);
	}
	free(f.seen);
	free(r);
}

static void
random_against_reference(void **unused)
{
	static const uint32_t windows[] = {64, 96, 128, 1000, 1024, 2048, 4096};
	static const uint64_t firsts[] = {1, 2, 33, 0xfffffff0ull, 0xffffffffull, 0x100000000ull, (1ull << 38) - 5,
		(1ull << 40) + 77, (1ull << 63) - 100};

	for (size_t w = 0; w < sizeof(windows) / sizeof(windows[0]); w++)
		for (size_t f = 0; f < sizeof(firsts) / sizeof(firsts[0]); f++)
			against_reference(windows[w], firsts[f], 60000);
}

/* Low halves only, as they come in packets, across 2^32. */
static void
extended_numbers(void **unused)
{
	const uint64_t start = (9ull << 32) - 30000;
	struct reference f = {.top = start - 1, .floor = start, .base = start - 300, .window = 128};
	struct replay *r = window_make(128, start);
	uint32_t accepted = 0;

	f.seen = calloc(1, REFERENCE_SIZE);
	assert_non_null(f.seen);
	for (uint32_t i = 0; i < 200000; i++) {
		uint64_t sent = start + i / 3 + random64() % 100, guess;

		guess = replay_infer(replay_top(r), 128, (uint32_t)sent);
		if (sent + 128 > f.top)
			assert_int_equal(guess, sent);
		else
			continue; /* it would fail authentication */
		assert_int_equal(accept(r, 128, guess), reference_accept(&f, sent));
		accepted += f.top == sent;
	}
	assert_true(f.top > 9ull << 32);
	assert_true(accepted > 1000);
	free(f.seen);
	free(r);
}

static void
earlier_life_is_refused(void **unused)
{
	struct replay *r = window_make(1024, 5000);

	for (uint64_t s = 0; s < 5000; s++)
		assert_false(accept(r, 1024, s));
	for (uint64_t s = 5000; s < 9000; s++)
		assert_true(accept(r, 1024, s));
	free(r);
}

/* ---- several workers ---------------------------------------------------------------- */

#define THREADS 4
#define NUMBERS 400000u

static struct shared {
	struct replay *r;
	uint32_t window;
	_Atomic uint8_t *taken; /* how often each number was accepted */
	_Atomic uint64_t refused_inside;
	pthread_barrier_t start;
} shared;

/* Every thread presents every number, roughly in order, in the manner of the stage: the top it judges by may be
 * as old as a burst. */
static void *
present(void *seed)
{
	uint64_t x = (uintptr_t)seed * 0x9e3779b97f4a7c15ull, top = 0, best = 0;
	struct replay *r = shared.r;

	pthread_barrier_wait(&shared.start);
	for (uint64_t i = 1; i <= NUMBERS; i++) {
		uint64_t s;

		x = x * 6364136223846793005ull + 1442695040888963407ull;
		s = i + (x >> 33) % 48;
		s = s > 24 ? s - 24 : 1;
		if (i % 32 == 0) {
			replay_raise(r, best);
			top = replay_top(r);
		}
		if (s >= NUMBERS || replay_left(r, top > best ? top : best, shared.window, s) || replay_seen(r, s))
			continue;
		if (replay_take(r, s)) {
			atomic_fetch_add(&shared.taken[s], 1);
			if (s > best)
				best = s;
		}
	}
	return NULL;
}

static void
threads_accept_once(void **unused)
{
	static const uint32_t windows[] = {64, 1024};

	for (size_t w = 0; w < 2; w++) {
		pthread_t thread[THREADS];
		uint32_t once = 0;

		shared.window = windows[w];
		shared.r = window_make(shared.window, 1);
		shared.taken = calloc(NUMBERS, 1);
		assert_non_null(shared.taken);
		pthread_barrier_init(&shared.start, NULL, THREADS);
		for (uintptr_t i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&thread[i], NULL, present, (void *)(i + 1)), 0);
		for (int i = 0; i < THREADS; i++)
			pthread_join(thread[i], NULL);
		for (uint32_t s = 0; s < NUMBERS; s++) {
			assert_true(shared.taken[s] <= 1);
			once += shared.taken[s];
		}
		/* threads run apart by more than a window at times, so not every number finds its place */
		assert_true(once > NUMBERS / 10);
		pthread_barrier_destroy(&shared.start);
		free((void *)shared.taken);
		free(shared.r);
	}
}

/* All threads want the same few numbers at once. */
static void *
fight(void *won)
{
	_Atomic uint64_t *mine = won;

	pthread_barrier_wait(&shared.start);
	for (uint64_t s = 1; s <= NUMBERS; s++)
		if (replay_take(shared.r, s))
			atomic_fetch_add(mine, 1);
	return NULL;
}

static void
threads_fight(void **unused)
{
	pthread_t thread[THREADS];
	_Atomic uint64_t won[THREADS] = {0};
	uint64_t sum = 0;

	shared.r = window_make(4096, 1);
	pthread_barrier_init(&shared.start, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, fight, &won[i]), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		sum += won[i];
	}
	/* the one in front finds each place free: every number is won, once */
	assert_int_equal(sum, NUMBERS);
	pthread_barrier_destroy(&shared.start);
	free(shared.r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(infer_cases),
		cmocka_unit_test(infer_random),
		cmocka_unit_test(rfc_cases),
		cmocka_unit_test(ring_sizes),
		cmocka_unit_test(random_against_reference),
		cmocka_unit_test(extended_numbers),
		cmocka_unit_test(earlier_life_is_refused),
		cmocka_unit_test(threads_accept_once),
		cmocka_unit_test(threads_fight),
	};

	return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
