/* Beating and claiming; lease_file.h says why in this order. Who may have it is the table's to say (lease_table.h):
 * here a challenger finds out in which state the holder's lease is.
 */
#include "control/lease_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void
fail(struct lease_answer *a, const char *what, int r)
{
	a->verdict = LEASE_FAILED;
	snprintf(a->error, sizeof(a->error), "%s: %s", what, strerror(-r));
}

static void
deny(struct lease_answer *a, uint64_t epoch, const char *holder)
{
	a->verdict = LEASE_DENIED;
	a->epoch = epoch;
	snprintf(a->holder, sizeof(a->holder), "%s", holder);
}

static void
lose(struct lease_file *f)
{
	f->storage->drop(f->storage->context);
	f->own.epoch = 0;
}

/* Ours, and nobody older acts: say so, then the caller may. */
static void
hold(struct lease_file *f, struct lease_answer *a)
{
	const struct lease_storage *s = f->storage;
	int r = 0;

	if (f->own.state != LEASE_FILE_HELD) {
		f->own.state = LEASE_FILE_HELD;
		r = s->write(s->context, &f->own);
		if (r == 0)
			s->sweep(s->context, f->own.epoch);
	}
	if (r != 0) {
		f->own.state = LEASE_FILE_CLAIMED;
		fail(a, "write", r);
		return;
	}
	a->verdict = LEASE_GRANTED;
	a->epoch = f->own.epoch;
	snprintf(a->holder, sizeof(a->holder), "%s", f->identity);
}

/* true: we have an answer. false: it is another's now. */
static bool
renew(struct lease_file *f, struct lease_answer *a)
{
	const struct lease_storage *s = f->storage;
	uint64_t top;
	int r;

	f->own.beat++;
	r = s->write(s->context, &f->own);
	if (r == 0)
		r = s->find(s->context, &top);
	if (r != 0) {
		fail(a, "renew", r);
		return true;
	}
	if (top != f->own.epoch) {
		lose(f);
		return false;
	}
	if (f->own.state == LEASE_FILE_CLAIMED && s->now_ns(s->context) < f->claimed_ns + f->own.duration_ns)
		deny(a, f->own.epoch, f->identity);
	else
		hold(f, a);
	return true;
}

/* The lease as this challenger knows it. */
static int
look(struct lease_file *f, uint64_t top, struct lease *l)
{
	const struct lease_storage *s = f->storage;
	struct lease_file_record now;
	bool alive = true;
	int r = s->read(s->context, top, &now);

	if (r == 0 && now.state != LEASE_FILE_RELEASED)
		r = s->alive(s->context, top, &alive);
	if (r != 0)
		return r;
	if (now.epoch != f->seen.epoch || now.beat != f->seen.beat || now.state != f->seen.state) {
		f->seen = now;
		f->seen_ns = s->now_ns(s->context);
	}
	*l = (struct lease){.state = LEASE_LEASED, .epoch = top};
	l->duration_ns = now.duration_ns > f->duration_ns ? now.duration_ns : f->duration_ns;
	l->end_ns = alive ? f->seen_ns + l->duration_ns : 0;
	/* a claim of ours that failed half way is as good as a stranger's */
	if (strcmp(now.holder, f->identity) != 0)
		snprintf(l->holder, sizeof(l->holder), "%s", now.holder);
	if (now.state == LEASE_FILE_RELEASED) {
		l->state = LEASE_AVAILABLE;
		l->holder[0] = '\0';
	}
	return 0;
}

/* What a claim is made after. */
struct before {
	uint64_t epoch;
	uint64_t duration_ns; /* of whoever may still act, and ours: the longest */
	bool ended;           /* dead or released; else it fell silent */
	bool lost;            /* files are gone: whoever had them may not know it yet */
};

/* After our claim: whether the one before us is over; -EEXIST when another claim overtook ours. */
static int
settled(struct lease_file *f, const struct before *b, bool *over)
{
	const struct lease_storage *s = f->storage;
	struct lease_file_record after;
	uint64_t top;
	int r = s->find(s->context, &top);

	*over = false;
	if (r != 0 || top != f->own.epoch)
		return r != 0 ? r : -EEXIST;
	if (b->lost)
		return 0;
	if (b->ended)
		*over = f->seen.state != LEASE_FILE_CLAIMED;
	else
		*over = s->read(s->context, f->seen.epoch, &after) == 0 && after.beat == f->seen.beat;
	return 0;
}

static void
claim(struct lease_file *f, const struct before *b, struct lease_answer *a)
{
	const struct lease_storage *s = f->storage;
	struct lease_file_record own = {
		.state = LEASE_FILE_CLAIMED, .epoch = b->epoch + 1, .duration_ns = b->duration_ns};
	bool over = false;
	int r;

	snprintf(own.holder, sizeof(own.holder), "%s", f->identity);
	r = s->claim(s->context, &own);
	if (r == 0) {
		f->own = own;
		f->claimed_ns = s->now_ns(s->context);
		r = settled(f, b, &over);
	}
	if (r == -EEXIST) {
		lose(f);
		deny(a, 0, "");
	} else if (r != 0) {
		fail(a, "claim", r);
	} else if (over) {
		hold(f, a);
	} else {
		deny(a, f->own.epoch, f->identity);
	}
}

void
lease_file_attempt(struct lease_file *f, uint64_t epoch_seen, struct lease_answer *a)
{
	const struct lease_storage *s = f->storage;
	const struct lease_request acquire = {LEASE_ACQUIRE, f->identity, NULL, f->duration_ns};
	struct lease l = {.duration_ns = f->duration_ns};
	struct before b;
	uint64_t top;
	int r;

	*a = (struct lease_answer){.verdict = LEASE_FAILED};
	if (f->own.epoch != 0 && renew(f, a))
		return;
	r = s->find(s->context, &top);
	if (r == 0 && top != 0)
		r = look(f, top, &l);
	if (r != 0) {
		fail(a, "read", r);
		return;
	}
	b = (struct before){.epoch = top, .duration_ns = l.duration_ns, .lost = top < epoch_seen};
	b.ended = l.state == LEASE_AVAILABLE || l.end_ns == 0;
	if (b.lost)
		b.epoch = epoch_seen;
	if (top == 0)
		f->seen = (struct lease_file_record){.state = LEASE_FILE_RELEASED};
	if (lease_apply(&l, &acquire, s->now_ns(s->context)) == 0)
		claim(f, &b, a);
	else
		deny(a, top, l.holder);
}

void
lease_file_release(struct lease_file *f)
{
	const struct lease_storage *s = f->storage;

	if (f->own.epoch == 0)
		return;
	/* one that never was primary leaves its word that an older one may still act */
	if (f->own.state == LEASE_FILE_HELD) {
		f->own.state = LEASE_FILE_RELEASED;
		s->write(s->context, &f->own);
	}
	lose(f);
}
