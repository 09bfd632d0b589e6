#include "control/state_flows.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 32
#define NAME_MAX_BYTES 512
#define RULES_MAX (1u << 17) /* that the other node may name */
#define RECORD 56            /* bytes of a flow */

struct interface_names {
	uint32_t n;
	struct {
		char *name; /* of a subnet, uplink or gateway */
		uint16_t id;
	} of[];
};

struct state_flows {
	struct flow_sharing *sharing;
	struct names *names;
	struct interface_names *own;
	/* what the other node has been told the names of */
	bool interface_told[IFACES_MAX];
	uint8_t *rule_told; /* bits */
	uint32_t rules_told;
	/* what its ids are here */
	char *interface[IFACES_MAX]; /* its names; NULL: not told */
	uint16_t interface_here[IFACES_MAX];
	uint32_t *rule_here;
	uint32_t rules_here;
	struct state_flows_count count;
	void (*heard)(void *context, const struct state_neighbour *n);
	void *context;
};

/* ---- making ----------------------------------------------------------------------------- */

struct state_flows *
state_flows_create(struct dataplane *dp, struct names *names,
	void (*heard)(void *context, const struct state_neighbour *n), void *context)
{
	struct state_flows *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->names = names;
	s->heard = heard;
	s->context = context;
	s->sharing = dataplane_sharing_create(dp);
	if (s->sharing)
		return s;
	free(s);
	return NULL;
}

static void
forget(struct state_flows *s)
{
	memset(s->interface_told, 0, sizeof(s->interface_told));
	free(s->rule_told);
	s->rule_told = NULL;
	s->rules_told = 0;
	for (uint32_t i = 0; i < IFACES_MAX; i++) {
		free(s->interface[i]);
		s->interface[i] = NULL;
		s->interface_here[i] = IFACE_NONE;
	}
	free(s->rule_here);
	s->rule_here = NULL;
	s->rules_here = 0;
}

void
state_flows_free(struct state_flows *s)
{
	if (!s)
		return;
	forget(s);
	interface_names_free(s->own);
	dataplane_sharing_free(s->sharing);
	free(s);
}

void
state_flows_restart(struct state_flows *s)
{
	forget(s);
	dataplane_sharing_restart(s->sharing);
}

void
state_flows_count(const struct state_flows *s, struct state_flows_count *out)
{
	*out = s->count;
}

/* ---- our interfaces --------------------------------------------------------------------- */

struct interface_names *
interface_names_of(const struct world *w, const struct names *names)
{
	struct interface_names *i = calloc(1, sizeof(*i) + w->spec.n_ifaces * sizeof(i->of[0]));

	for (uint32_t k = 1; i && k < w->spec.n_ifaces; k++) {
		const char *name = names_text(names, w->spec.iface[k].name);

		if (name[0] == '\0')
			continue;
		i->of[i->n].id = (uint16_t)k;
		i->of[i->n].name = strdup(name);
		if (!i->of[i->n++].name) {
			interface_names_free(i);
			return NULL;
		}
	}
	return i;
}

void
interface_names_free(struct interface_names *i)
{
	for (uint32_t k = 0; i && k < i->n; k++)
		free(i->of[k].name);
	free(i);
}

static const char *
own_name(const struct state_flows *s, uint16_t id)
{
	for (uint32_t k = 0; s->own && k < s->own->n; k++)
		if (s->own->of[k].id == id)
			return s->own->of[k].name;
	return NULL;
}

static uint16_t
own_id(const struct state_flows *s, const char *name)
{
	for (uint32_t k = 0; s->own && k < s->own->n; k++)
		if (strcmp(s->own->of[k].name, name) == 0)
			return s->own->of[k].id;
	return IFACE_NONE;
}

void
state_flows_interfaces(struct state_flows *s, struct interface_names *i)
{
	interface_names_free(s->own);
	s->own = i;
	memset(s->interface_told, 0, sizeof(s->interface_told));
	for (uint32_t k = 0; k < IFACES_MAX; k++)
		s->interface_here[k] = s->interface[k] ? own_id(s, s->interface[k]) : IFACE_NONE;
}

/* ---- telling ---------------------------------------------------------------------------- */

uint8_t *
state_frame_begin(uint8_t *out, enum state_frame type, size_t body)
{
	uint16_t length = htobe16((uint16_t)body);

	memcpy(out, &length, sizeof(length));
	out[2] = (uint8_t)type;
	out[3] = 0;
	return out + STATE_HEADER;
}

/* Bytes. */
static size_t
name_write(uint8_t *out, enum state_frame type, uint32_t id, const char *name)
{
	size_t n = strlen(name);
	uint32_t id_be = htobe32(id);
	uint8_t *body;

	n = n < NAME_MAX_BYTES ? n : NAME_MAX_BYTES;
	body = state_frame_begin(out, type, sizeof(id_be) + n);
	memcpy(body, &id_be, sizeof(id_be));
	memcpy(body + sizeof(id_be), name, n);
	return STATE_HEADER + sizeof(id_be) + n;
}

/* False: no memory, and it is not told. */
static bool
rule_note(struct state_flows *s, uint32_t id, bool *told)
{
	if (id >= s->rules_told) {
		uint32_t n = (id | 1023) + 1;
		uint8_t *grown = realloc(s->rule_told, n / 8);

		if (!grown)
			return false;
		memset(grown + s->rules_told / 8, 0, (n - s->rules_told) / 8);
		s->rule_told = grown;
		s->rules_told = n;
	}
	*told = s->rule_told[id / 8] & 1u << id % 8;
	s->rule_told[id / 8] |= (uint8_t)(1u << id % 8);
	return true;
}

/* If it has not been told yet. */
static size_t
interface_write(struct state_flows *s, uint16_t iface, uint8_t *out)
{
	const char *name;

	if (iface >= IFACES_MAX || s->interface_told[iface])
		return 0;
	s->interface_told[iface] = true;
	name = own_name(s, iface);
	return name_write(out, STATE_INTERFACE, iface, name ? name : "");
}

static size_t
names_write(struct state_flows *s, struct flow_record *r, uint8_t *out)
{
	size_t n = interface_write(s, r->iface, out);
	bool told;

	if (r->rule_name >= RULES_MAX || !rule_note(s, r->rule_name, &told))
		r->rule_name = NAME_NONE;
	else if (!told)
		n += name_write(out + n, STATE_RULE, r->rule_name, names_text(s->names, r->rule_name));
	return n;
}

static void
record_write(uint8_t *out, const struct flow_record *r)
{
	uint16_t iface = htobe16(r->iface), timeout = htobe16(r->timeout_s);
	uint32_t idle = htobe32(r->idle_s), rule = htobe32(r->rule_name);

	memset(out, 0, RECORD);
	for (int i = 0; i < 5; i++) {
		uint64_t word = htobe64(r->word[i]);

		memcpy(out + 8 * i, &word, sizeof(word));
	}
	out[40] = (uint8_t)(r->v6 | r->through << 1);
	out[41] = r->state;
	memcpy(out + 42, &iface, 2);
	memcpy(out + 44, &timeout, 2);
	memcpy(out + 48, &idle, 4);
	memcpy(out + 52, &rule, 4);
}

/* The names go before the flows. */
static size_t
batch_write(struct state_flows *s, struct flow_record *r, uint32_t n, uint8_t *out)
{
	size_t size = 0;
	uint8_t *body;

	for (uint32_t i = 0; i < n; i++)
		size += names_write(s, &r[i], out + size);
	body = state_frame_begin(out + size, STATE_FLOWS, n * RECORD);
	for (uint32_t i = 0; i < n; i++)
		record_write(body + i * RECORD, &r[i]);
	s->count.told += n;
	return size + STATE_HEADER + n * RECORD;
}

#define BATCH_MAX (BATCH * (2 * (STATE_HEADER + 4 + NAME_MAX_BYTES) + RECORD) + STATE_HEADER)

_Static_assert(BATCH_MAX <= STATE_FILL_ROOM, "a batch fits");
_Static_assert(BATCH *RECORD <= STATE_BODY_MAX, "flows of a batch fit into a frame");

size_t
state_flows_fill(struct state_flows *s, uint8_t *out, bool *round)
{
	struct flow_record r[BATCH];
	size_t size = 0;

	*round = false;
	while (!*round && size + BATCH_MAX <= STATE_FILL_ROOM) {
		uint32_t n = dataplane_sharing_tell(s->sharing, r, BATCH, round);

		if (n > 0)
			size += batch_write(s, r, n, out + size);
	}
	return size;
}

/* Interface, family, 0, address, MAC. */
#define NEIGHBOUR 28

_Static_assert(STATE_NEIGHBOURS_MAX *(NEIGHBOUR + STATE_HEADER + 4 + NAME_MAX_BYTES) + STATE_HEADER <= STATE_FILL_ROOM,
	"neighbours fit");

size_t
state_neighbours_fill(struct state_flows *s, const struct state_neighbour *neighbour, uint32_t n, uint8_t *out)
{
	size_t size = 0;
	uint8_t *body;

	for (uint32_t i = 0; i < n; i++)
		size += interface_write(s, neighbour[i].iface, out + size);
	body = state_frame_begin(out + size, STATE_NEIGHBOURS, n * NEIGHBOUR);
	memset(body, 0, n * NEIGHBOUR);
	for (uint32_t i = 0; i < n; i++, body += NEIGHBOUR) {
		uint16_t iface = htobe16(neighbour[i].iface);

		memcpy(body, &iface, sizeof(iface));
		body[2] = neighbour[i].address.family;
		memcpy(body + 4, neighbour[i].address.b, 16);
		memcpy(body + 20, neighbour[i].mac.b, 6);
	}
	return size + STATE_HEADER + n * NEIGHBOUR;
}

/* ---- taking ----------------------------------------------------------------------------- */

static int
name_read(const uint8_t *body, size_t n, uint32_t *id, char name[NAME_MAX_BYTES + 1])
{
	if (n < sizeof(*id) || n - sizeof(*id) > NAME_MAX_BYTES || memchr(body + sizeof(*id), 0, n - sizeof(*id)))
		return -EPROTO;
	memcpy(id, body, sizeof(*id));
	*id = be32toh(*id);
	memcpy(name, body + sizeof(*id), n - sizeof(*id));
	name[n - sizeof(*id)] = '\0';
	return 0;
}

static int
interface_take(struct state_flows *s, const uint8_t *body, size_t n)
{
	char name[NAME_MAX_BYTES + 1];
	uint32_t id;

	if (name_read(body, n, &id, name) != 0 || id >= IFACES_MAX)
		return -EPROTO;
	free(s->interface[id]);
	s->interface[id] = strdup(name);
	if (!s->interface[id])
		return -ENOMEM;
	s->interface_here[id] = own_id(s, name);
	return 0;
}

static int
rule_take(struct state_flows *s, const uint8_t *body, size_t n)
{
	char name[NAME_MAX_BYTES + 1];
	uint32_t id;

	if (name_read(body, n, &id, name) != 0 || id >= RULES_MAX)
		return -EPROTO;
	if (id >= s->rules_here) {
		uint32_t size = (id | 1023) + 1;
		uint32_t *grown = reallocarray(s->rule_here, size, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		memset(grown + s->rules_here, 0, (size - s->rules_here) * sizeof(*grown));
		s->rule_here = grown;
		s->rules_here = size;
	}
	s->rule_here[id] = names_id(s->names, name);
	return 0;
}

static void
record_read(const uint8_t *in, struct flow_record *r)
{
	*r = (struct flow_record){.v6 = in[40] & 1, .through = in[40] & 2, .state = in[41]};
	for (int i = 0; i < 5; i++) {
		memcpy(&r->word[i], in + 8 * i, 8);
		r->word[i] = be64toh(r->word[i]);
	}
	memcpy(&r->iface, in + 42, 2);
	memcpy(&r->timeout_s, in + 44, 2);
	memcpy(&r->idle_s, in + 48, 4);
	memcpy(&r->rule_name, in + 52, 4);
	r->iface = be16toh(r->iface);
	r->timeout_s = be16toh(r->timeout_s);
	r->idle_s = be32toh(r->idle_s);
	r->rule_name = be32toh(r->rule_name);
}

static void
flow_take(struct state_flows *s, struct flow_record *r)
{
	uint16_t here = r->iface < IFACES_MAX ? s->interface_here[r->iface] : IFACE_NONE;

	r->iface = here;
	r->rule_name = r->rule_name < s->rules_here ? s->rule_here[r->rule_name] : NAME_NONE;
	if (here != IFACE_NONE && dataplane_sharing_take(s->sharing, r))
		s->count.taken++;
	else
		s->count.refused++;
}

static void
neighbour_take(struct state_flows *s, const uint8_t *in)
{
	uint16_t iface = (uint16_t)(in[0] << 8 | in[1]);
	struct state_neighbour n = {.address.family = in[2]};

	memcpy(n.address.b, in + 4, in[2] == IP_V4 ? 4 : 16);
	memcpy(n.mac.b, in + 20, 6);
	n.iface = iface < IFACES_MAX ? s->interface_here[iface] : IFACE_NONE;
	if (n.iface != IFACE_NONE && (in[2] == IP_V4 || in[2] == IP_V6))
		s->heard(s->context, &n);
}

int
state_flows_take(struct state_flows *s, enum state_frame type, const uint8_t *body, size_t n)
{
	struct flow_record r;

	switch (type) {
	case STATE_INTERFACE:
		return interface_take(s, body, n);
	case STATE_RULE:
		return rule_take(s, body, n);
	case STATE_FLOWS:
		if (n % RECORD != 0)
			return -EPROTO;
		for (size_t at = 0; at < n; at += RECORD) {
			record_read(body + at, &r);
			flow_take(s, &r);
		}
		return 0;
	case STATE_NEIGHBOURS:
		if (n % NEIGHBOUR != 0)
			return -EPROTO;
		for (size_t at = 0; at < n; at += NEIGHBOUR)
			neighbour_take(s, body + at);
		return 0;
	case STATE_HELLO:
	case STATE_ALIVE:
		break;
	}
	return -EPROTO;
}
