/* One direction of the wire.
 *
 * A frame is judged when it comes: cut, dropped, lost, corrupted, doubled; then it gets the time when it is due: now,
 * plus what the rate lets it wait, plus delay and jitter. Frames of a class keep their order, as in a queue, but those
 * picked for reordering: they are held longer and don't hold up what comes behind them. What is due at once and
 * overtakes nothing is sent from where it lies. Each class draws from a generator of its own, so the fate of its n-th
 * frame does not depend on other traffic or on time.
 */
#include "wire_line.h"

#include <errno.h>
#include <inttypes.h>
#include <net/ethernet.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define HELD_MAX 65536
#define HOLD_DEFAULT_US 2000
#define QUEUE_DEFAULT_US 50000

/* ---- the waiting frames ----------------------------------------------------------- */

static bool
before(const struct held *a, const struct held *b)
{
	return a->due_us < b->due_us || (a->due_us == b->due_us && a->number < b->number);
}

static void
heap_push(struct line *l, struct held entry)
{
	uint32_t i = l->n_heap++;

	for (; i > 0 && before(&entry, &l->heap[(i - 1) / 2]); i = (i - 1) / 2)
		l->heap[i] = l->heap[(i - 1) / 2];
	l->heap[i] = entry;
}

static struct held
heap_pop(struct line *l)
{
	struct held top = l->heap[0], last = l->heap[--l->n_heap];
	uint32_t i = 0, child;

	for (; (child = 2 * i + 1) < l->n_heap; i = child) {
		if (child + 1 < l->n_heap && before(&l->heap[child + 1], &l->heap[child]))
			child++;
		if (!before(&l->heap[child], &last))
			break;
		l->heap[i] = l->heap[child];
	}
	l->heap[i] = last;
	return top;
}

/* ---- fate ------------------------------------------------------------------------- */

/* xorshift64*, 0 to 1. */
static double
draw(struct line_class *c)
{
	c->random ^= c->random >> 12;
	c->random ^= c->random << 25;
	c->random ^= c->random >> 27;
	return (double)((c->random * 0x2545f4914f6cdd1d) >> 11) / (double)(1ull << 53);
}

static bool
chance(struct line_class *c, double percent)
{
	return percent > 0 && draw(c) * 100 < percent;
}

/* One bit behind the Ethernet header. */
static void
corrupt(struct line_class *c, uint8_t *frame, uint32_t length)
{
	uint32_t bits = (length - ETH_HLEN) * 8, bit;

	if (length <= ETH_HLEN)
		return;
	bit = (uint32_t)(draw(c) * bits);
	frame[ETH_HLEN + bit / 8] ^= (uint8_t)(1 << bit % 8);
	c->counters.corrupted++;
}

/* When the frame is due; false: the rate's queue is full. */
static bool
schedule(struct line_class *c, uint32_t length, uint64_t now_us, uint64_t *due_us)
{
	const struct faults *f = &c->faults;
	uint64_t due = now_us;

	if (f->rate_kbit) {
		uint64_t start = c->line_free_us > now_us ? c->line_free_us : now_us;

		if (start - now_us > f->queue_us)
			return false;
		due = c->line_free_us = start + length * 8000ull / f->rate_kbit;
	}
	due += f->delay_us;
	if (f->jitter_us)
		due += (uint64_t)(draw(c) * (double)f->jitter_us);
	if (due < c->last_us)
		due = c->last_us;
	c->last_us = due;
	if (chance(c, f->reorder)) {
		c->counters.reordered++;
		due += f->hold_us;
	}
	*due_us = due;
	return true;
}

static bool
lost(struct line_class *c)
{
	if (c->faults.drop) {
		c->faults.drop--;
		return true;
	}
	return chance(c, c->faults.loss);
}

/* ---- the way ---------------------------------------------------------------------- */

static void
frame_send(struct line *l, enum frame_class class, const uint8_t *frame, uint32_t length)
{
	struct class_counters *n = &l->classes[class].counters;

	if (send(l->to, frame, length, 0) == (ssize_t)length)
		n->sent++;
	else
		n->failed++;
}

static void
frame_hold(struct line *l, enum frame_class class, const uint8_t *frame, uint32_t length, uint64_t due_us)
{
	uint8_t *copy = l->n_heap < HELD_MAX ? malloc(length) : NULL;

	if (!copy) {
		l->classes[class].counters.overflow++;
		return;
	}
	memcpy(copy, frame, length);
	heap_push(l, (struct held){due_us, l->numbers++, copy, length, class});
}

void
line_take(struct line *l, uint8_t *frame, uint32_t length, uint64_t now_us)
{
	enum frame_class class = frame_classify(frame, length);
	struct line_class *c = &l->classes[class];
	unsigned copies = 1;

	c->counters.frames++;
	c->counters.bytes += length;
	if (l->cut) {
		c->counters.cut++;
		return;
	}
	if (lost(c)) {
		c->counters.lost++;
		return;
	}
	if (chance(c, c->faults.corrupt))
		corrupt(c, frame, length);
	if (chance(c, c->faults.duplicate)) {
		c->counters.duplicated++;
		copies++;
	}

	while (copies--) {
		uint64_t due;

		if (!schedule(c, length, now_us, &due))
			c->counters.overflow++;
		else if (due <= now_us && l->n_heap == 0)
			frame_send(l, class, frame, length);
		else
			frame_hold(l, class, frame, length, due);
	}
}

uint64_t
line_flush(struct line *l, uint64_t now_us)
{
	while (l->n_heap && l->heap[0].due_us <= now_us) {
		struct held h = heap_pop(l);

		frame_send(l, h.class, h.frame, h.length);
		free(h.frame);
	}
	return l->n_heap ? l->heap[0].due_us : UINT64_MAX;
}

void
line_cut(struct line *l, bool cut)
{
	l->cut = cut;
	while (cut && l->n_heap) {
		struct held *h = &l->heap[--l->n_heap];

		l->classes[h->class].counters.cut++;
		free(h->frame);
	}
	/* Nobody is ahead of what comes next. */
	for (enum frame_class i = 0; cut && i < CLASSES; i++)
		l->classes[i].last_us = l->classes[i].line_free_us = 0;
}

/* ---- setting and counting --------------------------------------------------------- */

static bool
percentage_set(double *to, const char *value)
{
	char *end;

	*to = strtod(value, &end);
	return *value && *end == '\0' && *to >= 0 && *to <= 100;
}

static bool
number_set(uint64_t *to, const char *value, double unit)
{
	char *end;
	double number = strtod(value, &end);

	*to = (uint64_t)(number * unit);
	return *value && *end == '\0' && number >= 0;
}

bool
faults_set(struct faults *f, const char *pair)
{
	static const struct {
		const char *key;
		size_t at;
		double unit; /* 0: a percentage */
	} keys[] = {
		{"loss", offsetof(struct faults, loss), 0},
		{"duplicate", offsetof(struct faults, duplicate), 0},
		{"reorder", offsetof(struct faults, reorder), 0},
		{"corrupt", offsetof(struct faults, corrupt), 0},
		{"delay", offsetof(struct faults, delay_us), 1000},
		{"jitter", offsetof(struct faults, jitter_us), 1000},
		{"hold", offsetof(struct faults, hold_us), 1000},
		{"rate", offsetof(struct faults, rate_kbit), 1},
		{"queue", offsetof(struct faults, queue_us), 1000},
		{"drop", offsetof(struct faults, drop), 1},
	};
	const char *equal = strchr(pair, '=');

	for (size_t i = 0; equal && i < sizeof keys / sizeof keys[0]; i++) {
		char *field = (char *)f + keys[i].at;

		if (strlen(keys[i].key) != (size_t)(equal - pair) || strncmp(keys[i].key, pair, (size_t)(equal - pair)))
			continue;
		return keys[i].unit > 0 ? number_set((uint64_t *)field, equal + 1, keys[i].unit)
					: percentage_set((double *)field, equal + 1);
	}
	return false;
}

void
faults_clear(struct faults *f)
{
	*f = (struct faults){.hold_us = HOLD_DEFAULT_US, .queue_us = QUEUE_DEFAULT_US};
}

void
line_print(const struct line *l, FILE *out)
{
	fprintf(out, "{\"waiting\": %u, \"isCut\": %s, \"missed\": %" PRIu64, l->n_heap, l->cut ? "true" : "false",
		l->missed);
	for (enum frame_class i = 0; i < CLASSES; i++) {
		const struct class_counters *n = &l->classes[i].counters;

		fprintf(out,
			", \"%s\": {\"frames\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"lost\": %" PRIu64
			", \"cut\": %" PRIu64 ", \"overflow\": %" PRIu64 ", \"duplicated\": %" PRIu64
			", \"reordered\": %" PRIu64 ", \"corrupted\": %" PRIu64 ", \"sent\": %" PRIu64
			", \"failed\": %" PRIu64 "}",
			frame_class_name(i), n->frames, n->bytes, n->lost, n->cut, n->overflow, n->duplicated,
			n->reordered, n->corrupted, n->sent, n->failed);
	}
	fprintf(out, "}");
}

int
line_init(struct line *l, int to, uint64_t seed)
{
	*l = (struct line){.to = to, .heap = malloc(HELD_MAX * sizeof *l->heap)};
	if (!l->heap)
		return -ENOMEM;
	for (enum frame_class i = 0; i < CLASSES; i++) {
		faults_clear(&l->classes[i].faults);
		/* Splitmix64's constant; the generator's state must not be 0. */
		l->classes[i].random = (seed * CLASSES + i + 1) * 0x9e3779b97f4a7c15;
	}
	return 0;
}

void
line_free(struct line *l)
{
	line_cut(l, true);
	free(l->heap);
}
