/* From what charon was told to what it shall know. Loading what is equal changes nothing in charon: SAs of an equal
 * conn live on, so after a reconnection everything is said again.
 *
 * A conn that changed is ended first: its IKE_SA was negotiated for what no longer holds, unless all that changed is
 * where we are. Of an object that is gone the conn goes before what it used.
 */
#include "control/charon_state.h"
#include "drivers/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a refusal is about: outlives the list it comes from. */
struct asked {
	char what[400];
	bool quiet;
};

static void
on_answer(void *context, int result, const struct vici_body *answer)
{
	struct asked *a = context;
	char error[256];

	if (!vici_succeeded(result, answer, error, sizeof(error)) && result == 0 && !a->quiet)
		log_error("charon", "%s: %s", a->what, error);
	free(a);
}

static void
ask(struct charon *c, const char *command, const char *name, struct vici_message *m, bool quiet)
{
	struct asked *a = calloc(1, sizeof(*a));
	int r = -ENOMEM;

	if (a) {
		snprintf(a->what, sizeof(a->what), "%s %s", command, name);
		a->quiet = quiet;
		r = vici_request(c->vici, command, m, on_answer, a);
	}
	if (r != 0) {
		log_error("charon", "%s %s: %s", command, name, strerror(-r));
		vici_message_clear(m);
		free(a);
	}
}

static void
ask_name(struct charon *c, const char *command, const char *key, const char *name)
{
	struct vici_message m = {0};

	vici_text(&m, key, "%s", name);
	ask(c, command, name, &m, true);
}

/* Every IKE_SA of a conn; none is no error. */
static void
terminate(struct charon *c, const char *name)
{
	struct vici_message m = {0};

	vici_text(&m, "ike", "%s", name);
	vici_text(&m, "timeout", "-1");
	ask(c, "terminate", name, &m, true);
}

static void
load(struct charon *c, const struct ike_item *item)
{
	struct vici_message copy = {.data = malloc(item->message.len), .len = item->message.len};

	copy.size = copy.len;
	if (!copy.data) {
		log_error("charon", "%s %s: no memory", ike_load_command(item->kind), item->name);
		return;
	}
	memcpy(copy.data, item->message.data, copy.len);
	ask(c, ike_load_command(item->kind), item->name, &copy, false);
}

/* Keys and certificates are known to charon by their content; none that stays opens anything, as a conn names its
 * own certificate and its authorities. */
static void
unload(struct charon *c, const struct ike_item *item)
{
	switch (item->kind) {
	case IKE_CONN:
		ask_name(c, "unload-conn", "name", item->name);
		terminate(c, item->name);
		break;
	case IKE_POOL:
		ask_name(c, "unload-pool", "name", item->name);
		break;
	case IKE_SHARED:
		ask_name(c, "unload-shared", "id", item->name);
		break;
	case IKE_KEY:
	case IKE_CERT:
	case IKE_KINDS:
		break;
	}
}

static bool
same(const struct ike_item *a, const struct ike_item *b)
{
	return a && b && a->message.len == b->message.len &&
	       memcmp(a->message.data, b->message.data, a->message.len) == 0;
}

/* Only our own address is another: charon tells the peer by MOBIKE once the old one is gone from its interface. */
static bool
moved(const struct ike_item *a, const struct ike_item *b)
{
	const struct vici_message *m = &a->message, *n = &b->message;

	return a->ours_at == b->ours_at && a->ours_end > a->ours_at && b->ours_end > b->ours_at &&
	       m->len - a->ours_end == n->len - b->ours_end && memcmp(m->data, n->data, a->ours_at) == 0 &&
	       memcmp(m->data + a->ours_end, n->data + b->ours_end, m->len - a->ours_end) == 0;
}

/* ---- leftovers of a life before -------------------------------------------------------- */

struct leftover {
	struct charon *c;
	enum ike_kind kind;
	const char *list; /* its name in the answer; NULL: the answer's sections */
};

static void
leftover_name(struct leftover *l, const char *name)
{
	const struct ike_item item = {.kind = l->kind, .name = (char *)(uintptr_t)name};

	if (ike_conf_find(l->c->wanted, l->kind, name))
		return;
	log_info("charon", "%s is no longer in the configuration", name);
	unload(l->c, &item);
}

static void
on_names(void *context, int result, const struct vici_body *answer)
{
	struct leftover *l = context;
	json_t *all = result == 0 ? vici_json(answer) : NULL, *value;
	const char *name;
	size_t i;

	if (l->list)
		json_array_foreach(json_object_get(all, l->list), i, value)
			leftover_name(l, json_string_value(value) ? json_string_value(value) : "");
	else
		json_object_foreach(all, name, value) leftover_name(l, name);
	json_decref(all);
	free(l);
}

static void
leftovers_find(struct charon *c, const char *command, enum ike_kind kind, const char *list)
{
	struct leftover *l = calloc(1, sizeof(*l));

	if (!l)
		return;
	*l = (struct leftover){c, kind, list};
	if (vici_request(c->vici, command, NULL, on_names, l) != 0)
		free(l);
}

/* ---- the difference ------------------------------------------------------------------ */

/* A conn that must be the last one: taken out, so that it is put behind what came new. */
static void
load_last(struct charon *c, const struct ike_item *item, bool anew)
{
	if (anew && ike_conf_find(c->loaded, IKE_CONN, item->name))
		ask_name(c, "unload-conn", "name", item->name);
	load(c, item);
}

void
charon_load(struct charon *c)
{
	const struct ike_conf *old = c->loaded, *new = c->wanted;
	bool conns = false;

	for (uint32_t i = 0; i < new->n; i++) {
		const struct ike_item *item = &new->item[i], *before = ike_conf_find(old, item->kind, item->name);
		bool changed = !same(item, before);

		if (item->last && (conns || changed)) {
			load_last(c, item, conns);
		} else if (changed) {
			conns |= item->kind == IKE_CONN;
			if (before && item->kind == IKE_CONN && !moved(before, item))
				terminate(c, item->name);
			load(c, item);
		}
	}
	/* what others need is unloaded behind them */
	for (uint32_t i = old ? old->n : 0; i > 0; i--) {
		if (!ike_conf_find(new, old->item[i - 1].kind, old->item[i - 1].name))
			unload(c, &old->item[i - 1]);
	}
	if (!old && !c->fresh && c->config.daemon == IKE_DAEMON_MANAGED) {
		leftovers_find(c, "get-conns", IKE_CONN, "conns");
		leftovers_find(c, "get-pools", IKE_POOL, NULL);
		leftovers_find(c, "get-shared", IKE_SHARED, "keys");
	}
}
