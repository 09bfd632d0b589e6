/* The anti-replay window of one SA: no lock, any number of workers (RFC 4303 section 3.4.3, appendix A2).
 *
 * A ring of 64-bit words. Block k stands for the 32 sequence numbers 32k..32k+31 and lives in word
 * k mod N; a word holds a tag (high half, k / N) and a bit for each number of that block that was
 * accepted. `top` is the highest accepted number: it bounds the window and gives the high half of
 * extended numbers, but does not decide about duplicates.
 *
 * Each number is accepted at most once, whatever the interleaving:
 *   - accepting s is one successful compare-and-swap of s's word from "same tag, bit clear" or "older
 *     tag" to "tag of s, bit of s set" (replay_take_block, which may accept several of one block at once);
 *   - so a word's tag never goes back, and under one tag bits are only ever added;
 *   - after s was accepted its word has the tag of s with the bit set, or a newer tag, and both refuse s.
 * None of this needs `top` to be current; a stale one only lets numbers be judged by the window as it was. A worker
 * judges by the higher of the top that it read and the numbers it is about to accept, which it publishes after its
 * burst: that refuses what the window would leave behind a moment later anyway.
 *
 * Relaxed order is enough. What decides about s is one word, and all threads see the changes of one word in one order;
 * an exchange reads the latest. Nothing is published by these words that another location would have to show, and
 * `top`, the only other one that is read, may be old.
 *
 * Nothing inside the window is refused for want of room: the word of s could only be lost to block
 * k + N, whose acceptance puts top at 32(k + N) or beyond. With N >= window/32 + 2 that leaves s more
 * than a window behind.
 *
 * Tags are compared modulo 2^32. They would be mistaken if a word stayed untouched while the numbers
 * went on by N * 32 * 2^31 (2^38 with the smallest ring): such a number is refused by the window check
 * long before, and a word is touched in every round of the ring that loses less than 32 packets in a row.
 *
 * Workers, but for replay_init.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define REPLAY_WINDOW_MAX 4096
#define REPLAY_INFER_MIN 64 /* window for guessing the high half when replay protection is off */

struct replay {
	/* workers write */
	_Atomic uint64_t top;
	/* constant */
	uint64_t floor; /* numbers below are refused: they belong to an earlier life */
	uint32_t mask;  /* words - 1 */
	uint8_t shift;  /* log2(words) */
	/* workers write */
	_Alignas(64) _Atomic uint64_t word[];
};

/* Words needed for a window; a power of two. */
static inline uint32_t
replay_words(uint32_t window)
{
	uint32_t words = 4;

	while (words < window / 32 + 2)
		words *= 2;
	return words;
}

/* Before any worker sees it. */
static inline void
replay_init(struct replay *r, uint32_t words, uint64_t first)
{
	r->mask = words - 1;
	r->shift = (uint8_t)__builtin_ctz(words);
	r->floor = first ? first : 1; /* RFC 4303 section 2.2: numbers start at 1 */
	atomic_init(&r->top, r->floor - 1);
	for (uint32_t i = 0; i < words; i++)
		atomic_init(&r->word[i], ((r->floor >> 5 >> r->shift) - 1) << 32);
}

/* The 64-bit number that a packet with this low half has, by the window's top (RFC 4303 appendix A2.2).
 * UINT64_MAX: before the first number. */
static inline uint64_t
replay_infer(uint64_t top, uint32_t window, uint32_t low)
{
	uint32_t top_low = (uint32_t)top, bottom = top_low - window + 1;
	uint64_t high = top >> 32;

	if (top_low >= window - 1)
		high += low < bottom;
	else if (low >= bottom)
		high -= 1;
	return high >> 32 ? UINT64_MAX : high << 32 | low;
}

/* Too old for the window, whatever was received. */
static inline bool
replay_left(const struct replay *r, uint64_t top, uint32_t window, uint64_t s)
{
	return s < r->floor || (s <= top && top - s >= window);
}

/* Already accepted, or its place is gone. A cheap look before the ICV is known to be right; only replay_take
 * decides. */
static inline bool
replay_seen(const struct replay *r, uint64_t s)
{
	uint64_t block = s >> 5;
	uint64_t word = atomic_load_explicit(&r->word[block & r->mask], memory_order_relaxed);
	int32_t age = (int32_t)((uint32_t)(block >> r->shift) - (uint32_t)(word >> 32));

	return age < 0 || (age == 0 && (word >> (s & 31) & 1));
}

/* Accept authenticated numbers of one block, a bit each. Returns those that were new; the others are replays. A failed
 * exchange means that another worker got on, so somebody always does. */
static inline uint32_t
replay_take_block(struct replay *r, uint64_t block, uint32_t bits)
{
	uint32_t tag = (uint32_t)(block >> r->shift), fresh;
	_Atomic uint64_t *place = &r->word[block & r->mask];
	uint64_t word = atomic_load_explicit(place, memory_order_relaxed), next;

	do {
		int32_t age = (int32_t)(tag - (uint32_t)(word >> 32));

		fresh = age < 0 ? 0 : age == 0 ? bits & ~(uint32_t)word : bits;
		if (fresh == 0)
			return 0;
		next = age == 0 ? word | fresh : (uint64_t)tag << 32 | fresh;
	} while (
		!atomic_compare_exchange_weak_explicit(place, &word, next, memory_order_relaxed, memory_order_relaxed));
	return fresh;
}

/* The same for one number. */
static inline bool
replay_take(struct replay *r, uint64_t s)
{
	return replay_take_block(r, s >> 5, 1u << (s & 31)) != 0;
}

static inline uint64_t
replay_top(const struct replay *r)
{
	return atomic_load_explicit(&r->top, memory_order_relaxed);
}

static inline void
replay_raise(struct replay *r, uint64_t s)
{
	uint64_t top = atomic_load_explicit(&r->top, memory_order_relaxed);

	while (top < s &&
		!atomic_compare_exchange_weak_explicit(&r->top, &top, s, memory_order_relaxed, memory_order_relaxed))
		;
}
