/* The replay window under every interleaving of its atomic steps.
 *
 * The real code runs, with its loads and exchanges replaced by steps: a worker of the model is the function that it
 * runs and the results of the steps it has made so far, so it is run again from the start to make its next one, and
 * left with longjmp. All orders of all workers' steps are walked, exchanges that fail for no reason included (they
 * may: they are weak). Wrong windows must be found wrong: that is the proof that the test can fail.
 *
 * Orders of whole steps are enough: a number is decided on one word, whose changes all workers see in one order, and
 * a worker that reads an old top is one that had read it early.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t step_load(const _Atomic uint64_t *p);
static bool step_exchange(_Atomic uint64_t *p, uint64_t *expected, uint64_t next);

static uint64_t
word_of(const _Atomic uint64_t *p)
{
	return atomic_load_explicit(p, memory_order_relaxed);
}

#undef atomic_load_explicit
#undef atomic_compare_exchange_weak_explicit
#define atomic_load_explicit(p, order) step_load(p)
#define atomic_compare_exchange_weak_explicit(p, expected, next, order, otherwise) step_exchange(p, expected, next)
#include "dataplane/replay.h"

#define WINDOW 64
#define WORDS 4 /* a ring of 128 numbers */
#define WORKERS_MAX 3
#define NUMBERS_MAX 2
#define STEPS_MAX 24
#define SPURIOUS 1 /* exchanges that fail for no reason, in all */

enum variant {
	RIGHT,
	STORES,        /* whatever the word has become */
	FORGETS_BITS,  /* of the numbers accepted before */
	FORGETS_BLOCK, /* a newer block in the word is overwritten by an older one */
};

struct step {
	uint64_t seen;
	bool done; /* of an exchange */
};

struct model_worker {
	uint64_t number[NUMBERS_MAX];
	uint32_t n_steps;
	struct step step[STEPS_MAX];
	bool over, accepted[NUMBERS_MAX];
};

/* Everything that a step changes: copied before each choice. */
struct state {
	_Alignas(64) uint8_t window[sizeof(struct replay) + WORDS * sizeof(uint64_t)];
	struct model_worker worker[WORKERS_MAX];
	uint32_t spurious;
};

struct story {
	uint64_t first, before; /* floor; a number accepted before, 0 = none */
	uint32_t workers, numbers;
	uint64_t number[WORKERS_MAX][NUMBERS_MAX];
};

static const struct story *story;
static enum variant variant;
static uint64_t walked, wrong;

/* ---- steps --------------------------------------------------------------------------- */

/* The worker that runs; NULL: nothing is a step. */
static struct model_worker *running;
static struct state *now;
static uint32_t at;
static bool fails; /* its exchange, if that is the next step */
static jmp_buf next_choice;

static void
step_end(uint64_t seen, bool done)
{
	assert_true(running->n_steps < STEPS_MAX);
	running->step[running->n_steps++] = (struct step){seen, done};
	longjmp(next_choice, 1);
}

static uint64_t
step_load(const _Atomic uint64_t *p)
{
	if (running == NULL)
		return word_of(p);
	if (at == running->n_steps)
		step_end(word_of(p), true);
	return running->step[at++].seen;
}

/* What the variants get wrong. */
static uint64_t
spoilt(uint64_t seen, uint64_t next)
{
	return variant == FORGETS_BITS && seen >> 32 == next >> 32 ? next & ~(seen & UINT32_MAX) : next;
}

static bool
step_exchange(_Atomic uint64_t *p, uint64_t *expected, uint64_t next)
{
	struct step s;

	if (running == NULL)
		return atomic_compare_exchange_strong(p, expected, next);
	if (at == running->n_steps) {
		uint64_t seen = word_of(p);
		bool done = !fails && (seen == *expected || variant == STORES ||
					      (variant == FORGETS_BLOCK && seen >> 32 > *expected >> 32));

		if (done)
			atomic_store(p, spoilt(seen, next));
		now->spurious += fails;
		step_end(seen, done);
	}
	s = running->step[at++];
	*expected = s.done ? *expected : s.seen;
	return s.done;
}

/* ---- a worker ------------------------------------------------------------------------ */

/* As esp_open() does with a burst: look, then take each number, then raise the top once. */
static void
burst(struct model_worker *w, struct replay *r)
{
	uint64_t top = replay_top(r), seen_top = top;
	bool candidate[NUMBERS_MAX];

	for (uint32_t i = 0; i < story->numbers; i++)
		candidate[i] = !replay_left(r, top, WINDOW, w->number[i]) && !replay_seen(r, w->number[i]);
	for (uint32_t i = 0; i < story->numbers; i++) {
		w->accepted[i] = false;
		if (!candidate[i] || replay_left(r, top, WINDOW, w->number[i]))
			continue;
		if (w->number[i] > top)
			top = w->number[i];
		w->accepted[i] = replay_take(r, w->number[i]);
	}
	if (top != seen_top)
		replay_raise(r, top);
}

static void
advance(struct state *s, uint32_t worker, bool spurious)
{
	now = s;
	running = &s->worker[worker];
	fails = spurious;
	at = 0;
	if (setjmp(next_choice) == 0) {
		burst(running, (struct replay *)s->window);
		running->over = true;
	}
	running = NULL;
}

/* ---- all orders ---------------------------------------------------------------------- */

static uint32_t
times_accepted(const struct state *s, uint64_t number)
{
	uint32_t n = number == story->before;

	for (uint32_t i = 0; i < story->workers; i++)
		for (uint32_t k = 0; k < story->numbers; k++)
			n += s->worker[i].number[k] == number && s->worker[i].accepted[k];
	return n;
}

/* No number twice; one inside the window of all numbers presented is not refused; the top is what it should be. */
static bool
sound(const struct state *s)
{
	uint64_t highest = story->before > story->first - 1 ? story->before : story->first - 1;
	bool good = true;

	for (uint32_t i = 0; i < story->workers * story->numbers; i++)
		if (story->number[i / story->numbers][i % story->numbers] > highest)
			highest = story->number[i / story->numbers][i % story->numbers];
	for (uint32_t i = 0; i < story->workers * story->numbers; i++) {
		uint64_t number = story->number[i / story->numbers][i % story->numbers];
		uint32_t times = times_accepted(s, number);

		good &= times <= 1;
		good &= times == 1 || number < story->first || highest - number >= WINDOW;
	}
	return good && replay_top((const struct replay *)s->window) == highest;
}

/* Orders that differ in steps which do not touch each other lead to one state: it is walked on from once. A mark of
 * 64 bits stands for it. */
#define SEEN_SIZE (1u << 22)
static uint64_t *seen_states;

static bool
seen_before(const struct state *s)
{
	uint64_t part[sizeof(*s) / 8], h = 1;
	uint32_t place;

	memcpy(part, s, sizeof(*s));
	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++)
		h = (h ^ part[i] ^ h >> 29) * 0x9e3779b97f4a7c15ull;
	for (place = (uint32_t)(h >> 40) % SEEN_SIZE; seen_states[place]; place = (place + 1) % SEEN_SIZE)
		if (seen_states[place] == h)
			return true;
	seen_states[place] = h;
	assert_true(++walked < SEEN_SIZE / 2);
	return false;
}

static void
walk(const struct state *s, uint64_t top)
{
	bool over = true;

	if (seen_before(s))
		return;
	wrong += replay_top((const struct replay *)s->window) < top; /* it never goes back */
	top = replay_top((const struct replay *)s->window);
	for (uint32_t i = 0; i < story->workers; i++) {
		if (s->worker[i].over)
			continue;
		over = false;
		for (uint32_t spurious = 0; spurious <= (s->spurious < SPURIOUS); spurious++) {
			struct state next;

			memcpy(&next, s, sizeof(next));
			advance(&next, i, spurious);
			if (spurious == 0 || next.spurious != s->spurious)
				walk(&next, top);
		}
	}
	if (over)
		wrong += !sound(s);
}

/* Returns how many ends were wrong. */
static uint64_t
walk_all(const struct story *told, enum variant v)
{
	struct state s;
	struct replay *r = (struct replay *)s.window;

	memset(&s, 0, sizeof(s));
	story = told;
	variant = v;
	walked = wrong = 0;
	seen_states = calloc(SEEN_SIZE, sizeof(*seen_states));
	assert_non_null(seen_states);
	replay_init(r, WORDS, told->first);
	if (told->before) {
		assert_true(replay_take(r, told->before));
		replay_raise(r, told->before);
	}
	for (uint32_t i = 0; i < told->workers; i++)
		memcpy(s.worker[i].number, told->number[i], sizeof(s.worker[i].number));
	walk(&s, replay_top(r));
	free(seen_states);
	assert_true(walked > 1000);
	return wrong;
}

/* ---- stories ------------------------------------------------------------------------- */

static const struct story stories[] = {
	/* the same two, of one block and of two */
	{.first = 1, .workers = 2, .numbers = 2, .number = {{70, 71}, {71, 70}}},
	{.first = 1, .workers = 2, .numbers = 2, .number = {{63, 64}, {63, 64}}},
	/* different ones of one block */
	{.first = 1, .before = 65, .workers = 2, .numbers = 2, .number = {{66, 67}, {68, 65}}},
	/* one ring apart: one word */
	{.first = 1, .workers = 2, .numbers = 2, .number = {{5, 133}, {133, 5}}},
	{.first = 1, .before = 5, .workers = 2, .numbers = 2, .number = {{133, 6}, {5, 134}}},
	/* at the window's left edge while it moves on */
	{.first = 1, .before = 100, .workers = 2, .numbers = 2, .number = {{37, 101}, {38, 37}}},
	/* across 2^32, and from the first number of a later life */
	{.first = 1,
		.before = 0xfffffff0,
		.workers = 2,
		.numbers = 2,
		.number = {{0xffffffff, 0x100000000}, {0x100000000, 0xffffffff}}},
	{.first = 5000, .workers = 2, .numbers = 2, .number = {{4999, 5000}, {5001, 5000}}},
	/* three at one number */
	{.first = 1, .workers = 3, .numbers = 1, .number = {{9}, {9}, {9}}},
};

static void
every_order_is_sound(void **unused)
{
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++)
		assert_int_equal(walk_all(&stories[i], RIGHT), 0);
}

static void
wrong_windows_are_found(void **unused)
{
	assert_true(walk_all(&stories[0], STORES) > 0);
	assert_true(walk_all(&stories[0], FORGETS_BITS) > 0);
	assert_true(walk_all(&stories[3], FORGETS_BLOCK) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_order_is_sound),
		cmocka_unit_test(wrong_windows_are_found),
	};

	return cmocka_run_group_tests_name("replay_interleave", tests, NULL, NULL);
}
