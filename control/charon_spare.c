/* What a connection has too much of. Two ends that start at once may both succeed, and either end finds two IKE_SAs, or
 * in one of them two children for the same traffic; of both sees the same, and the same one goes.
 *
 * IKE_SAs: the one whose initiator's SPI is higher, whichever end looks first. Children: the one with the higher SPIs,
 * and only if this end began it, as a peer may have reasons for several.
 */
#include "control/charon_state.h"
#include "drivers/clock.h"
#include "drivers/log.h"

#include <stdlib.h>
#include <string.h>

#define CHILDREN_MAX 1024
#define RENEWED_NS 5000000000ull /* looks that find the same two */

struct charon_spare_child {
	uint64_t spis; /* both, the same at either end */
	bool ours;
	char id[16]; /* charon's number of it */
	const json_t *local, *remote;
};

/* ---- what the list shows ------------------------------------------------------------- */

/* Who reauthenticates by IKEv1 has two on purpose. */
void
charon_spares_ike(struct charon_spares *s, const json_t *sa)
{
	const char *spi = json_string_value(json_object_get(sa, "initiator-spi"));
	const char *id = json_string_value(json_object_get(sa, "uniqueid"));
	const char *version = json_string_value(json_object_get(sa, "version"));
	uint64_t number = spi ? strtoull(spi, NULL, 16) : 0;

	if (!id || !version || strcmp(version, "2") != 0)
		return;
	s->established++;
	if (s->established > 1 && number < s->ike_spi) {
		snprintf(s->kept_id, sizeof(s->kept_id), "%s", id);
		return;
	}
	if (s->established > 1)
		memcpy(s->kept_id, s->ike_id, sizeof(s->kept_id));
	s->ike_spi = number;
	snprintf(s->ike_id, sizeof(s->ike_id), "%s", id);
}

static uint64_t
spis_of(uint64_t in, uint64_t out)
{
	return in < out ? in << 32 | out : out << 32 | in;
}

void
charon_spares_child(struct charon *c, struct charon_spares *s, const json_t *child)
{
	const char *in = json_string_value(json_object_get(child, "spi-in"));
	const char *out = json_string_value(json_object_get(child, "spi-out"));
	const char *id = json_string_value(json_object_get(child, "uniqueid"));
	struct charon_spare_child *grown = NULL, *at;

	if (in && out && id && s->n_children < CHILDREN_MAX)
		grown = reallocarray(s->child, s->n_children + 1, sizeof(*grown));
	if (!grown)
		return;
	s->child = grown;
	at = &grown[s->n_children++];
	*at = (struct charon_spare_child){.spis = spis_of(strtoul(in, NULL, 16), strtoul(out, NULL, 16)),
		.local = json_incref(json_object_get(child, "local-ts")),
		.remote = json_incref(json_object_get(child, "remote-ts"))};
	at->ours = c->hooks.initiated && c->hooks.initiated(c->hooks.context, (uint32_t)strtoul(in, NULL, 16));
	snprintf(at->id, sizeof(at->id), "%s", id);
}

void
charon_spares_clear(struct charon_spares *s)
{
	for (uint32_t i = 0; i < s->n_children; i++) {
		json_decref((json_t *)(uintptr_t)s->child[i].local);
		json_decref((json_t *)(uintptr_t)s->child[i].remote);
	}
	free(s->child);
	*s = (struct charon_spares){0};
}

/* ---- what goes ----------------------------------------------------------------------- */

static void
end(struct charon *c, const char *key, const char *id)
{
	struct vici_message m = {0};

	vici_text(&m, key, "%s", id);
	vici_text(&m, "timeout", "-1");
	vici_request(c->vici, "terminate", &m, NULL, NULL);
}

/* Of several for the same traffic the one with the highest SPIs. */
static bool
is_last_of_equals(const struct charon_spares *s, const struct charon_spare_child *one)
{
	uint32_t equals = 0;

	for (uint32_t i = 0; i < s->n_children; i++) {
		const struct charon_spare_child *other = &s->child[i];

		if (other == one || !json_equal(other->local, one->local) || !json_equal(other->remote, one->remote))
			continue;
		if (other->spis > one->spis)
			return false;
		equals++;
	}
	return equals > 0;
}

/* When the second IKE_SA came up, charon at one of the ends took it for a new one in place of the first, and will
 * delete that one in ten seconds (uniqueness policy and suspected reauthentication). It knows it by its SPIs: with
 * others it is not found. */
static void
renew(struct charon *c, const struct ike_item *item, const struct charon_spares *s)
{
	struct charon_watch *w = charon_watch_find(c, item->name);
	uint64_t now_ns = clock_boot_ns();
	struct vici_message m = {0};

	if (!w || s->kept_id[0] == '\0' || (w->renewed_ns && now_ns - w->renewed_ns < RENEWED_NS))
		return;
	w->renewed_ns = now_ns;
	vici_text(&m, "ike-id", "%s", s->kept_id);
	vici_request(c->vici, "rekey", &m, NULL, NULL);
}

bool
charon_spares_end(struct charon *c, const struct ike_item *item, const struct charon_spares *s)
{
	if (s->established > 1) {
		log_notice(
			"charon", "%s: %u IKE_SAs at once, number %s is ended", item->name, s->established, s->ike_id);
		end(c, "ike-id", s->ike_id);
		renew(c, item, s);
		return true;
	}
	for (uint32_t i = 0; s->n_children > item->n_children && i < s->n_children; i++) {
		if (!s->child[i].ours || !is_last_of_equals(s, &s->child[i]))
			continue;
		log_notice("charon", "%s: %u children in place of %u, number %s is ended", item->name, s->n_children,
			item->n_children, s->child[i].id);
		end(c, "child-id", s->child[i].id);
		return true;
	}
	return false;
}
