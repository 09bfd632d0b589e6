/* Keeping connections up. Each that starts has a watch: how many of its children are installed, as events and lists
 * of SAs tell, and when to look again. Looking is asking charon for SAs, as events may have been missed. For any list
 * charon goes through all it has, waits for every IKE_SA that is being worked at, and asks for the counters of each
 * child it shows: so one list for all while nothing is known of any, and later few at a time, each of one connection.
 * What is missing is initiated, unless an IKE_SA is on its way already.
 *
 * Thousands come up in turn: so many are under way at a time as keep a machine busy, but not so many that the first
 * message is sent again because nobody had time for the answer. Where both ends start, the patient one begins with the
 * last ones, so that they meet once.
 */
#include "control/charon_state.h"
#include "drivers/clock.h"
#include "drivers/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS 1000000000ull
#define PAUSE_MAX_NS (60 * SECOND_NS)
#define BUSY_MAX_NS (15 * SECOND_NS) /* charon tries by itself, and tells nobody when it gives up */
#define PATIENT_NS (3 * SECOND_NS)
#define HURRY_NS (3 * SECOND_NS)      /* not more often, however many packets wait */
#define UNANSWERED_NS (5 * SECOND_NS) /* before charon's own tries become rare, packets do not end them */
#define STARTING_MAX 64               /* connections under way */
#define CROWD 16                      /* so many are waited for another second */
#define STARTING_NS (3 * SECOND_NS)   /* no longer is waited for a peer that may not be there */
#define NAMED_MAX 8                   /* lists in a row; what is initiated waits behind them */
#define SPACING 4                     /* of charon's time at most a fifth goes to lists */

/* ---- watches ------------------------------------------------------------------------- */

struct charon_watch *
charon_watch_find(struct charon *c, const char *name)
{
	uint32_t low = 0, high = c->n_watches;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		int order = strcmp(c->watch[middle].item->name, name);

		if (order == 0)
			return &c->watch[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static void
look_at(struct charon_watch *w, uint64_t now_ns)
{
	w->pause_ns = SECOND_NS;
	w->due_ns = now_ns + (w->item->patient ? PATIENT_NS : 0);
}

/* Of one connection, while the list comes and until its turn to start. */
struct charon_look {
	bool listed;         /* all of the list was seen: children are missing */
	bool busy;           /* it has an IKE_SA that is not established yet */
	char unanswered[16]; /* charon's number of one that we began and no peer answered */
	struct charon_spares spares;
	uint32_t n;
	bool seen[];
};

static void
look_end(struct charon_watch *w)
{
	if (!w->look)
		return;
	charon_spares_clear(&w->look->spares);
	free(w->look);
	w->look = NULL;
}

void
charon_watches_free(struct charon *c)
{
	for (uint32_t i = 0; i < c->n_watches; i++)
		look_end(&c->watch[i]);
	free(c->watch);
	c->watch = NULL;
	c->n_watches = 0;
}

/* Before the list of before goes: what is known of its connections stays. */
int
charon_watches_make(struct charon *c)
{
	struct charon_watch *made = calloc(c->wanted->n + 1, sizeof(*made));
	uint64_t now_ns = clock_boot_ns();
	uint32_t n = 0;

	if (!made)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->wanted->n; i++) {
		const struct ike_item *item = &c->wanted->item[i];
		struct charon_watch *before;

		if (item->kind != IKE_CONN || !item->starts)
			continue;
		before = charon_watch_find(c, item->name);
		if (before) {
			made[n] = *before;
			before->look = NULL;
		}
		made[n].item = item;
		look_at(&made[n++], now_ns);
	}
	charon_watches_free(c);
	c->watch = made;
	c->n_watches = n;
	return 0;
}

/* ---- what is heard ------------------------------------------------------------------- */

static bool
is_installed(const json_t *child)
{
	const char *state = json_string_value(json_object_get(child, "state"));

	return state && (strcmp(state, "INSTALLED") == 0 || strcmp(state, "REKEYING") == 0);
}

static void
child_take(struct charon *c, struct charon_watch *w, const json_t *child)
{
	const char *name = json_string_value(json_object_get(child, "name"));

	if (!name || !is_installed(child))
		return;
	w->children++;
	charon_spares_child(c, &w->look->spares, child);
	for (uint32_t i = 0; i < w->item->n_children && i < w->look->n; i++) {
		if (strcmp(w->item->child[i], name) == 0)
			w->look->seen[i] = true;
	}
}

static void
busy_take(struct charon_look *l, const json_t *sa)
{
	const char *peers_spi = json_string_value(json_object_get(sa, "responder-spi"));
	const char *id = json_string_value(json_object_get(sa, "uniqueid"));

	l->busy = true;
	if (id && peers_spi && json_object_get(sa, "initiator") && strspn(peers_spi, "0") == strlen(peers_spi))
		snprintf(l->unanswered, sizeof(l->unanswered), "%s", id);
}

static void
list_take(struct charon *c, struct charon_watch *w, const json_t *sa)
{
	const char *state = json_string_value(json_object_get(sa, "state")), *name;
	json_t *children = json_object_get(sa, "child-sas"), *child;

	if (state && (strcmp(state, "CREATED") == 0 || strcmp(state, "CONNECTING") == 0))
		busy_take(w->look, sa);
	if (state && strcmp(state, "ESTABLISHED") == 0)
		charon_spares_ike(&w->look->spares, sa);
	json_object_foreach(children, name, child) child_take(c, w, child);
}

void
charon_watch_soon(struct charon_watch *w)
{
	w->pause_ns = SECOND_NS;
	w->due_ns = clock_boot_ns() + SECOND_NS;
}

/* Whoever has to be patient stays so. */
void
charon_watch_hurry(struct charon_watch *w)
{
	uint64_t now_ns = clock_boot_ns(), due_ns = now_ns + (w->item->patient ? PATIENT_NS : 0);

	if (w->look || (w->hurried_ns && now_ns - w->hurried_ns < HURRY_NS))
		return;
	w->hurried_ns = now_ns;
	if (w->due_ns == 0 || w->due_ns > due_ns)
		w->due_ns = due_ns;
}

/* All there: nothing is to be looked for, unless a list that is under way counts it, too. */
static void
up_take(struct charon_watch *w)
{
	w->children++;
	if (w->children > w->item->n_children && w->due_ns == 0)
		charon_watch_soon(w);
	else if (w->children == w->item->n_children && !w->look)
		w->due_ns = 0;
}

static void
down_take(struct charon_watch *w, const json_t *sa, bool child)
{
	uint32_t gone = child ? (uint32_t)json_object_size(json_object_get(sa, "child-sas")) : 0;

	w->children -= gone < w->children ? gone : w->children;
	if (w->due_ns != 0)
		return;
	charon_watch_soon(w);
	w->due_ns += w->item->patient ? PATIENT_NS : 0;
}

void
charon_watch_event(struct charon *c, const char *name, const struct vici_body *b)
{
	bool listed = strcmp(name, "list-sa") == 0, child = strcmp(name, "child-updown") == 0;
	json_t *all, *sa;
	const char *conn;
	bool up;

	if (!listed && !child && strcmp(name, "ike-updown") != 0)
		return;
	all = vici_json(b);
	up = json_object_get(all, "up") != NULL;
	json_object_foreach(all, conn, sa)
	{
		struct charon_watch *w = json_is_object(sa) ? charon_watch_find(c, conn) : NULL;

		if (!w)
			continue;
		if (listed && w->look && !w->look->listed)
			list_take(c, w, sa);
		else if (!listed && !up)
			down_take(w, sa, child);
		else if (child)
			up_take(w);
	}
	json_decref(all);
}

/* ---- starting ------------------------------------------------------------------------ */

/* As many as are missing, of those that were not seen: at the peer's side of a connection all children may bear the
 * name of the first that fits. */
static void
missing_initiate(struct charon *c, const struct charon_watch *w)
{
	uint32_t missing = w->children < w->item->n_children ? w->item->n_children - w->children : 0;

	for (uint32_t i = 0; i < w->item->n_children && missing > 0; i++) {
		struct vici_message m = {0};

		if (i < w->look->n && w->look->seen[i])
			continue;
		vici_text(&m, "ike", "%s", w->item->name);
		vici_text(&m, "child", "%s", w->item->child[i]);
		vici_text(&m, "timeout", "-1");
		vici_request(c->vici, "initiate", &m, NULL, NULL);
		missing--;
	}
}

static void
again_later(struct charon_watch *w, uint64_t most_ns)
{
	w->due_ns = clock_boot_ns() + w->pause_ns;
	w->pause_ns = w->pause_ns * 2 < most_ns ? w->pause_ns * 2 : most_ns;
}

/* A peer that has thousands to answer is slow. More at once would make it slower, until what it has half done is too
 * old for either end.
 */
static bool
is_starting(const struct charon_watch *w, uint64_t now_ns)
{
	return w->started_ns && w->children < w->item->n_children &&
	       (w->answered || now_ns - w->started_ns < STARTING_NS);
}

/* Whose turn it is, beside n others. If children came since the list, more are on their way. Where many start events
 * tell of most before it is time to look: a list waits for every IKE_SA that is being worked at.
 */
static void
start(struct charon *c, struct charon_watch *w, uint32_t n, uint64_t now_ns)
{
	if (w->children == w->item->n_children) {
		w->due_ns = 0;
	} else if (w->children > w->listed) {
		again_later(w, BUSY_MAX_NS);
	} else {
		missing_initiate(c, w);
		w->started_ns = now_ns;
		w->answered = false;
		again_later(w, PAUSE_MAX_NS);
		w->due_ns += n * SECOND_NS / CROWD;
	}
	look_end(w);
}

static void
starts(struct charon *c, uint64_t now_ns)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->n_watches; i++)
		n += is_starting(&c->watch[i], now_ns);
	for (uint32_t i = 0; i < 2 * c->n_watches && n < STARTING_MAX; i++) {
		bool patient = i >= c->n_watches;
		struct charon_watch *w = &c->watch[patient ? 2 * c->n_watches - 1 - i : i];

		if (!w->look || !w->look->listed || w->item->patient != patient)
			continue;
		start(c, w, n, now_ns);
		n += is_starting(w, now_ns);
	}
}

/* ---- looking ------------------------------------------------------------------------- */

/* Packets wait and nobody answered for a while: the peer may be back long before charon's next try. */
static void
unanswered_end(struct charon *c, struct charon_watch *w, uint64_t now_ns)
{
	struct vici_message m = {0};

	if (!w->look->unanswered[0] || !w->hurried_ns || now_ns - w->hurried_ns > HURRY_NS ||
		now_ns - w->started_ns < UNANSWERED_NS)
		return;
	vici_text(&m, "ike-id", "%s", w->look->unanswered);
	vici_text(&m, "timeout", "-1");
	vici_request(c->vici, "terminate", &m, NULL, NULL);
	w->started_ns = now_ns;
	w->due_ns = now_ns + SECOND_NS / 10;
}

/* By now the children were counted. */
static void
judge(struct charon *c, struct charon_watch *w, uint64_t now_ns)
{
	bool coming = w->children > w->listed; /* one after the other, whichever end began them */

	w->listed = w->children;
	w->answered = w->look->busy && !w->look->unanswered[0];
	if (charon_spares_end(c, w->item, &w->look->spares)) {
		charon_watch_soon(w);
	} else if (w->children >= w->item->n_children) {
		w->due_ns = 0;
	} else if (w->look->busy) {
		again_later(w, BUSY_MAX_NS);
		unanswered_end(c, w, now_ns);
	} else if (coming) {
		again_later(w, BUSY_MAX_NS);
	} else {
		w->look->listed = true;
		return;
	}
	look_end(w);
}

/* A list under way: of one connection, or of all that are looked at. */
struct listing {
	struct charon *c;
	bool all;
	char name[256];
};

static void
end_of_list(struct charon *c, struct charon_watch *w, int result, uint64_t now_ns)
{
	if (!w || !w->look || w->look->listed)
		return;
	if (result == 0) {
		judge(c, w, now_ns);
	} else {
		look_end(w);
		again_later(w, PAUSE_MAX_NS);
	}
}

/* The answer ends the list. */
static void
on_listed(void *context, int result, const struct vici_body *answer)
{
	struct listing *l = context;
	struct charon *c = l->c;
	uint64_t now_ns = clock_boot_ns();

	(void)answer;
	c->listing--;
	c->list_due_ns = now_ns + SPACING * (now_ns - c->listed_ns);
	if (!l->all)
		end_of_list(c, charon_watch_find(c, l->name), result, now_ns);
	for (uint32_t i = 0; l->all && i < c->n_watches; i++)
		end_of_list(c, &c->watch[i], result, now_ns);
	free(l);
	if (result == 0)
		starts(c, now_ns);
}

static bool
is_due(const struct charon *c, const struct charon_watch *w, uint64_t now_ns)
{
	return w->due_ns != 0 && now_ns >= w->due_ns && !w->look && !(c->standby && w->item->shared);
}

static bool
look(struct charon_watch *w)
{
	w->look = calloc(1, sizeof(*w->look) + w->item->n_children * sizeof(w->look->seen[0]));
	if (!w->look)
		return false;
	w->look->n = w->item->n_children;
	w->children = 0;
	return true;
}

static int
list(struct charon *c, const char *name)
{
	struct listing *l = calloc(1, sizeof(*l));
	struct vici_message m = {0};

	if (!l)
		return -ENOMEM;
	l->c = c;
	l->all = name == NULL;
	if (name) {
		snprintf(l->name, sizeof(l->name), "%s", name);
		vici_text(&m, "ike", "%s", name);
	}
	c->listing++;
	if (vici_request(c->vici, "list-sas", &m, on_listed, l) != 0)
		on_listed(l, -ENOTCONN, NULL);
	return 0;
}

/* Of those that are due, in turn. */
static void
lists_named(struct charon *c, uint64_t now_ns)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->n_watches && n < NAMED_MAX; i++) {
		struct charon_watch *w = &c->watch[(c->turn + i) % c->n_watches];

		if (!is_due(c, w, now_ns) || !look(w))
			continue;
		if (list(c, w->item->name) != 0)
			look_end(w);
		if (++n == NAMED_MAX)
			c->turn = (c->turn + i + 1) % c->n_watches;
	}
}

static void
list_of_all(struct charon *c, uint64_t now_ns)
{
	for (uint32_t i = 0; i < c->n_watches; i++)
		if (is_due(c, &c->watch[i], now_ns))
			look(&c->watch[i]);
	if (list(c, NULL) == 0)
		return;
	for (uint32_t i = 0; i < c->n_watches; i++)
		look_end(&c->watch[i]);
}

static void
lists(struct charon *c, uint64_t now_ns)
{
	uint32_t due = 0, children = 0;

	for (uint32_t i = 0; i < c->n_watches; i++) {
		due += is_due(c, &c->watch[i], now_ns);
		children += c->watch[i].children;
	}
	c->listed_ns = now_ns;
	if (due > NAMED_MAX && children == 0)
		list_of_all(c, now_ns);
	else if (due > 0)
		lists_named(c, now_ns);
}

void
charon_watch_connected(struct charon *c)
{
	for (uint32_t i = 0; i < c->n_watches; i++) {
		c->watch[i].children = c->watch[i].listed = 0;
		look_end(&c->watch[i]);
		look_at(&c->watch[i], clock_boot_ns());
	}
}

void
charon_watch_tick(struct charon *c, uint64_t now_ns)
{
	starts(c, now_ns);
	if (c->listing || now_ns < c->list_due_ns)
		return;
	lists(c, now_ns);
}
