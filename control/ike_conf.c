/* The list of what charon is told: keys and secrets first, then pools, then the conns that need them. */
#include "control/ike_conf_build.h"

#include "config/errors.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- items --------------------------------------------------------------------------- */

struct ike_item *
ike_item_add(struct ike_build *b, enum ike_kind kind, const char *format, ...)
{
	struct ike_item *grown = reallocarray(b->conf->item, b->conf->n + 1, sizeof(*grown));
	char *name = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&name, format, arguments) < 0)
		name = NULL;
	va_end(arguments);
	if (grown)
		b->conf->item = grown;
	if (!grown || !name) {
		free(name);
		b->no_memory = true;
		return NULL;
	}
	grown[b->conf->n] = (struct ike_item){.kind = kind, .name = name};
	return &grown[b->conf->n++];
}

void
ike_child_add(struct ike_build *b, struct ike_item *item, const char *name)
{
	char **grown = reallocarray(item->child, item->n_children + 1, sizeof(*grown));
	char *copy = strdup(name);

	if (grown)
		item->child = grown;
	if (!grown || !copy) {
		free(copy);
		b->no_memory = true;
		return;
	}
	grown[item->n_children++] = copy;
}

void
ike_refuse(struct ike_build *b, struct cfg_mark mark, const char *format, ...)
{
	char text[300];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	b->refused = true;
	config_error(b->errors, mark, "CredentialsUnusable", "%s", text);
}

static void
item_clear(struct ike_item *i)
{
	vici_message_clear(&i->message);
	for (uint32_t k = 0; k < i->n_children; k++)
		free(i->child[k]);
	free(i->child);
	free(i->name);
}

/* ---- what connections and gateways share ---------------------------------------------- */

bool
ike_address_is_ours(const struct config *c, const struct ip_addr *a)
{
	for (uint32_t u = 0; u < c->appliance.n_uplinks; u++) {
		for (uint32_t i = 0; i < c->appliance.uplinks[u].addresses.n; i++) {
			if (address_equal(&c->appliance.uplinks[u].address[i], a))
				return true;
		}
	}
	return false;
}

static const struct cfg_prefixes *
transit_space(const struct config *c, const struct cfg_peering *p)
{
	if (p->state != PEERING_CONNECTED || p->remote == CFG_NONE || p->partner == CFG_NONE)
		return NULL;
	if (!p->allow_gateway_transit || !c->vnets[p->remote].peerings[p->partner].use_remote_gateways)
		return NULL;
	return p->remote_space.n > 0 ? &p->remote_space : &c->vnets[p->remote].space;
}

const struct cfg_prefixes *
ike_served_space(const struct config *c, int32_t vnet, uint32_t i)
{
	const struct cfg_vnet *v = vnet == CFG_NONE ? NULL : &c->vnets[vnet];

	if (i == 0)
		return v ? &v->space : NULL;
	for (uint32_t p = 0; v && p < v->n_peerings; p++) {
		const struct cfg_prefixes *space = transit_space(c, &v->peerings[p]);

		if (space && --i == 0)
			return space;
	}
	return NULL;
}

/* A peer is asked after a third of what it may be silent; retransmission takes the rest (see charon_file.c). Rekeying
 * begins up to a tenth early, so that thousands that came up together do not go together. */
void
ike_timing_add(struct vici_message *m, uint32_t dpd_s, uint32_t ike_life_s)
{
	uint32_t over_s = ike_life_s / 10 > 60 ? ike_life_s / 10 : 60;

	vici_text(m, "dpd_delay", "%us", dpd_s == 0 ? 0 : dpd_s < 9 ? 3 : dpd_s / 3);
	vici_text(m, "dpd_timeout", "%us", dpd_s);
	vici_text(m, "rekey_time", "%us", ike_life_s);
	vici_text(m, "rand_time", "%us", ike_life_s / 10);
	vici_text(m, "over_time", "%us", over_s);
	vici_text(m, "reauth_time", "0");
}

void
ike_prefix_add(struct vici_message *m, const struct ip_prefix *p)
{
	char text[ADDRESS_TEXT_MAX];

	vici_item(m, "%s", prefix_text(p, text, sizeof(text)));
}

/* ---- the whole ----------------------------------------------------------------------- */

/* By kind; within one as they were made, conns that must be last behind the others. */
static int
order(const void *a, const void *b)
{
	const struct ike_item *x = a, *y = b;

	if (x->kind != y->kind)
		return (int)x->kind - (int)y->kind;
	return x->last != y->last ? (int)x->last - (int)y->last : strcmp(x->name, y->name);
}

static void
revoked_add(struct ike_build *b)
{
	size_t n = 0;
	FILE *to = open_memstream(&b->conf->revoked, &n);

	if (!to) {
		b->no_memory = true;
		return;
	}
	for (uint32_t g = 0; g < b->c->n_gateways; g++) {
		for (uint32_t i = 0; i < b->c->gateways[g].p2s.n_revoked; i++)
			fprintf(to, "%s%s", n == 0 && i == 0 ? "" : " ", b->c->gateways[g].p2s.revoked[i].thumbprint);
	}
	if (fclose(to) != 0)
		b->no_memory = true;
}

static int
sort_and_check(struct ike_build *b)
{
	struct ike_conf *conf = b->conf;

	if (conf->n > 1)
		qsort(conf->item, conf->n, sizeof(*conf->item), order);
	for (uint32_t i = 0; i < conf->n; i++) {
		if (!vici_message_ok(&conf->item[i].message))
			ike_refuse(b, (struct cfg_mark){0}, "%s '%.100s' does not fit into a message for charon",
				ike_load_command(conf->item[i].kind), conf->item[i].name);
	}
	if (b->no_memory)
		return -ENOMEM;
	return b->refused ? -EINVAL : 0;
}

int
ike_conf_make(const struct config *c, struct ike_conf **out, struct config_errors *errors)
{
	struct ike_build b = {.c = c, .errors = errors, .conf = calloc(1, sizeof(*b.conf))};
	int r = b.conf ? ike_ids_make(c, &b.ids) : -ENOMEM;

	*out = NULL;
	for (uint32_t i = 0; r == 0 && i < c->n_connections; i++) {
		if (c->connections[i].uses_ike)
			ike_connection_add(&b, i);
	}
	for (uint32_t g = 0; r == 0 && g < c->n_gateways; g++) {
		if (c->gateways[g].p2s.pool.n > 0)
			ike_p2s_add(&b, g);
	}
	if (r == 0) {
		revoked_add(&b);
		r = sort_and_check(&b);
	}
	ike_ids_free(&b.ids);
	if (r != 0)
		ike_conf_free(b.conf);
	else
		*out = b.conf;
	return r;
}

void
ike_conf_free(struct ike_conf *conf)
{
	if (!conf)
		return;
	for (uint32_t i = 0; i < conf->n; i++)
		item_clear(&conf->item[i]);
	free(conf->item);
	free(conf->revoked);
	free(conf);
}

static int
find_order(const void *a, const void *b)
{
	const struct ike_item *x = a, *y = b;

	return x->kind != y->kind ? (int)x->kind - (int)y->kind : strcmp(x->name, y->name);
}

const struct ike_item *
ike_conf_find(const struct ike_conf *conf, enum ike_kind kind, const char *name)
{
	const struct ike_item *found = NULL;

	/* those that are last among the conns are few and out of the order of names */
	for (uint32_t i = conf ? conf->n : 0; i > 0 && conf->item[i - 1].last; i--) {
		if (kind == IKE_CONN && strcmp(conf->item[i - 1].name, name) == 0)
			return &conf->item[i - 1];
	}
	if (conf && conf->n > 0) {
		const struct ike_item key = {.kind = kind, .name = (char *)(uintptr_t)name};
		uint32_t n = conf->n;

		while (n > 0 && conf->item[n - 1].last)
			n--;
		found = bsearch(&key, conf->item, n, sizeof(key), find_order);
	}
	return found;
}

const char *
ike_load_command(enum ike_kind kind)
{
	static const char *const command[IKE_KINDS] = {
		[IKE_KEY] = "load-key",
		[IKE_SHARED] = "load-shared",
		[IKE_CERT] = "load-cert",
		[IKE_POOL] = "load-pool",
		[IKE_CONN] = "load-conn",
	};

	return command[kind];
}

void
ike_conf_print(const struct ike_conf *conf, FILE *to)
{
	for (uint32_t i = 0; i < conf->n; i++) {
		const struct vici_body b = {conf->item[i].message.data, conf->item[i].message.len};

		fprintf(to, "# %s %s\n", ike_load_command(conf->item[i].kind), conf->item[i].name);
		vici_print(&b, to);
	}
}
