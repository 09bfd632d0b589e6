/* Keeping connections up. Each that starts has a watch: how many of its children are installed, as events and lists
 * of SAs tell, and when to look again. Looking is asking charon for the connection's SAs, as events may have been
 * missed; what is missing is initiated, unless an IKE_SA is on its way already.
 */
#include "control/charon_state.h"
#include "drivers/clock.h"
#include "drivers/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS 1000000000ull
#define PAUSE_MAX_NS (60 * SECOND_NS)
#define PATIENT_NS (3 * SECOND_NS)
#define HURRY_NS (3 * SECOND_NS) /* not more often, however many packets wait */
#define PENDING_MAX 64           /* requests under way: thousands of tunnels come up in turn */

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
		const struct charon_watch *before;

		if (item->kind != IKE_CONN || !item->starts)
			continue;
		before = charon_watch_find(c, item->name);
		if (before)
			made[n] = *before;
		made[n].item = item;
		look_at(&made[n++], now_ns);
	}
	free(c->watch);
	c->watch = made;
	c->n_watches = n;
	return 0;
}

/* ---- what is heard ------------------------------------------------------------------- */

/* A list of SAs under way, and which children it has shown. */
struct charon_look {
	struct charon *c;
	char name[256];
	struct charon_spares spares;
	uint32_t n;
	bool seen[];
};

static bool
is_installed(const json_t *child)
{
	const char *state = json_string_value(json_object_get(child, "state"));

	return state && (strcmp(state, "INSTALLED") == 0 || strcmp(state, "REKEYING") == 0);
}

static void
child_take(struct charon_watch *w, const json_t *child)
{
	const char *name = json_string_value(json_object_get(child, "name"));

	if (!name || !is_installed(child))
		return;
	w->children++;
	charon_spares_child(w->look->c, &w->look->spares, child);
	for (uint32_t i = 0; i < w->item->n_children && i < w->look->n; i++) {
		if (strcmp(w->item->child[i], name) == 0)
			w->look->seen[i] = true;
	}
}

static void
list_take(struct charon_watch *w, const json_t *sa)
{
	const char *state = json_string_value(json_object_get(sa, "state")), *name;
	json_t *children = json_object_get(sa, "child-sas"), *child;

	if (state && (strcmp(state, "CREATED") == 0 || strcmp(state, "CONNECTING") == 0))
		w->busy = true;
	if (state && strcmp(state, "ESTABLISHED") == 0)
		charon_spares_ike(&w->look->spares, sa);
	json_object_foreach(children, name, child) child_take(w, child);
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

static void
up_take(struct charon_watch *w)
{
	w->children++;
	if (w->children > w->item->n_children && w->due_ns == 0)
		charon_watch_soon(w);
}

static void
down_take(struct charon_watch *w, const json_t *sa, bool child)
{
	uint32_t gone = child ? (uint32_t)json_object_size(json_object_get(sa, "child-sas")) : 0;

	w->children -= gone < w->children ? gone : w->children;
	if (w->due_ns == 0)
		charon_watch_soon(w);
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
		if (listed && w->look)
			list_take(w, sa);
		else if (!listed && !up)
			down_take(w, sa, child);
		else if (child)
			up_take(w);
	}
	json_decref(all);
}

/* ---- what is done -------------------------------------------------------------------- */

static int
child_initiate(struct charon *c, const struct ike_item *item, uint32_t child)
{
	struct vici_message m = {0};

	vici_text(&m, "ike", "%s", item->name);
	vici_text(&m, "child", "%s", item->child[child]);
	vici_text(&m, "timeout", "-1");
	return vici_request(c->vici, "initiate", &m, NULL, NULL);
}

/* As many as are missing, of those that were not seen: at the peer's side of a connection all children may bear the
 * name of the first that fits. */
static void
missing_initiate(struct charon *c, struct charon_watch *w, const struct charon_look *l)
{
	uint32_t missing = w->item->n_children - w->children;

	for (uint32_t i = 0; i < w->item->n_children && missing > 0; i++) {
		if (i < l->n && l->seen[i])
			continue;
		child_initiate(c, w->item, i);
		missing--;
	}
}

static void
again_later(struct charon_watch *w)
{
	w->due_ns = clock_boot_ns() + w->pause_ns;
	w->pause_ns = w->pause_ns * 2 < PAUSE_MAX_NS ? w->pause_ns * 2 : PAUSE_MAX_NS;
}

/* The answer ends the list: by now the children were counted. */
static void
on_listed(void *context, int result, const struct vici_body *answer)
{
	struct charon_look *l = context;
	struct charon_watch *w = charon_watch_find(l->c, l->name);

	(void)answer;
	if (w && w->look == l) {
		w->look = NULL;
		again_later(w);
		if (result == 0 && charon_spares_end(l->c, w->item, &l->spares))
			w->pause_ns = SECOND_NS;
		else if (result == 0 && w->children >= w->item->n_children)
			w->due_ns = 0;
		else if (result == 0 && !w->busy)
			missing_initiate(l->c, w, l);
	}
	charon_spares_clear(&l->spares);
	free(l);
}

static void
look(struct charon *c, struct charon_watch *w)
{
	struct charon_look *l = calloc(1, sizeof(*l) + w->item->n_children * sizeof(l->seen[0]));
	struct vici_message m = {0};

	if (!l)
		return;
	l->c = c;
	l->n = w->item->n_children;
	snprintf(l->name, sizeof(l->name), "%s", w->item->name);
	vici_text(&m, "ike", "%s", w->item->name);
	if (vici_request(c->vici, "list-sas", &m, on_listed, l) != 0) {
		free(l);
		return;
	}
	w->children = 0;
	w->busy = false;
	w->look = l;
}

void
charon_watch_connected(struct charon *c)
{
	for (uint32_t i = 0; i < c->n_watches; i++) {
		c->watch[i].children = 0;
		c->watch[i].look = NULL;
		look_at(&c->watch[i], clock_boot_ns());
	}
}

void
charon_watch_tick(struct charon *c, uint64_t now_ns)
{
	for (uint32_t i = 0; i < c->n_watches && vici_pending(c->vici) < PENDING_MAX; i++) {
		struct charon_watch *w = &c->watch[i];

		if (w->due_ns != 0 && now_ns >= w->due_ns && !w->look)
			look(c, w);
	}
}
