/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The configurations that may fit; see directory.h. What fits, and what fits best, is charon's to say: here only those
 * are left out that it would refuse, and of equal IKE configurations all but the first.
 *
 * The hashed copy is of a moment. Whether it still holds is seen by going through what the backend has, which costs
 * some nanoseconds each: the copy refers to all of its configurations, so no new one can be in the place of an old one.
 * Their identities and addresses do not change once they are in a backend.
 *
 * Identities: the first round's of the peer, if it is one that fits nothing but its equal. Whatever else it is (none,
 * a pattern, a distinguished name) is always among the candidates. Addresses: the peer's, if it is a single one.
 */
#include "control/strongswan/directory.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX
#define EQUALS_MAX 64 /* IKE configurations that a new one is compared with; what is not found to be equal stays */

/* One configuration, in two chains: of those whose peer's identities, and whose peer's addresses hash alike. */
struct entry {
	peer_cfg_t *cfg;
	ike_cfg_t *ike;
	uint32_t next_id, next_address;
};

/* Chains go upwards, in the order of the backend. */
struct chain {
	uint32_t first, last;
};

struct copy {
	struct entry *entry;
	uint32_t n, size, mask;
	struct chain *id, *address, any_id, any_address;
};

struct directory {
	backend_t public;
	backend_t *inner;
	pthread_rwlock_t lock; /* the copy */
	struct copy copy;
};

/* ---- what is hashed ------------------------------------------------------------------ */

static uint32_t
hash_bytes(uint32_t hash, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ p[i]) * 16777619u;
	return hash ^ hash >> 15;
}

/* Letters of either case are equal. */
static uint32_t
hash_letters(uint32_t hash, chunk_t text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i];
		uint8_t low = c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;

		hash = hash_bytes(hash, &low, 1);
	}
	return hash;
}

/* False: it may fit others than its equals. */
static bool
hash_id(identification_t *id, uint32_t *hash)
{
	chunk_t text = id->get_encoding(id);
	id_type_t type = id->get_type(id);

	if (text.len == 0)
		return false;
	*hash = hash_bytes(2166136261u, &type, sizeof(type));
	switch ((int)type) {
	case ID_FQDN:
	case ID_RFC822_ADDR:
		*hash = hash_letters(*hash, text);
		return memchr(text.ptr, '*', text.len) == NULL;
	case ID_IPV4_ADDR:
	case ID_IPV6_ADDR:
		*hash = hash_bytes(*hash, text.ptr, text.len);
		return true;
	default:
		return false;
	}
}

static bool
hash_peer(peer_cfg_t *cfg, uint32_t *hash)
{
	enumerator_t *rounds = cfg->create_auth_cfg_enumerator(cfg, false);
	identification_t *id = NULL;
	auth_cfg_t *round;

	if (rounds->enumerate(rounds, &round))
		id = round->get(round, AUTH_RULE_IDENTITY);
	rounds->destroy(rounds);
	return id && hash_id(id, hash);
}

static uint32_t
hash_address(const void *bytes, size_t n)
{
	return hash_bytes(2166136261u, bytes, n);
}

/* False: several, a name, a network, any. */
static bool
hash_other(ike_cfg_t *ike, uint32_t *hash)
{
	static const uint8_t any[16];
	const char *text = ike->get_other_addr(ike);
	uint8_t bytes[16];
	size_t n = 0;

	if (text && inet_pton(AF_INET, text, bytes) == 1)
		n = 4;
	else if (text && inet_pton(AF_INET6, text, bytes) == 1)
		n = 16;
	*hash = hash_address(bytes, n);
	return n > 0 && memcmp(bytes, any, n) != 0;
}

/* ---- the copy ------------------------------------------------------------------------ */

static void
copy_clear(struct copy *c)
{
	for (uint32_t i = 0; i < c->n; i++)
		c->entry[i].cfg->destroy(c->entry[i].cfg);
	free(c->entry);
	free(c->id);
	free(c->address);
	*c = (struct copy){.any_id = {NONE, NONE}, .any_address = {NONE, NONE}};
}

static bool
copy_add(struct copy *c, peer_cfg_t *cfg)
{
	if (c->n == c->size) {
		uint32_t size = c->size ? 2 * c->size : 64;
		struct entry *grown = reallocarray(c->entry, size, sizeof(*grown));

		if (!grown)
			return false;
		c->entry = grown;
		c->size = size;
	}
	c->entry[c->n++] = (struct entry){cfg->get_ref(cfg), cfg->get_ike_cfg(cfg), NONE, NONE};
	return true;
}

/* Of equals charon takes the first one; where its proposals do not fit, no other's do. */
static bool
is_known(const struct copy *c, const struct chain *in, ike_cfg_t *ike)
{
	uint32_t n = 0;

	for (uint32_t i = in->first; i != NONE && n < EQUALS_MAX; i = c->entry[i].next_address, n++) {
		ike_cfg_t *known = c->entry[i].ike;

		if (known == ike || (known->equals(known, ike) && known->get_dscp(known) == ike->get_dscp(ike)))
			return true;
	}
	return false;
}

static void
entry_link(struct copy *c, uint32_t i)
{
	struct entry *e = &c->entry[i];
	struct chain *chain;
	uint32_t hash;

	chain = hash_peer(e->cfg, &hash) ? &c->id[hash & c->mask] : &c->any_id;
	if (chain->first == NONE)
		chain->first = i;
	else
		c->entry[chain->last].next_id = i;
	chain->last = i;

	chain = hash_other(e->ike, &hash) ? &c->address[hash & c->mask] : &c->any_address;
	if (is_known(c, chain, e->ike))
		return;
	if (chain->first == NONE)
		chain->first = i;
	else
		c->entry[chain->last].next_address = i;
	chain->last = i;
}

static bool
copy_link(struct copy *c)
{
	uint32_t size = 64;

	while (size < c->n)
		size *= 2;
	c->id = malloc(size * sizeof(*c->id));
	c->address = malloc(size * sizeof(*c->address));
	if (!c->id || !c->address)
		return false;
	c->mask = size - 1;
	for (uint32_t i = 0; i < size; i++)
		c->id[i] = c->address[i] = (struct chain){NONE, NONE};
	for (uint32_t i = 0; i < c->n; i++)
		entry_link(c, i);
	return true;
}

static bool
copy_make(struct copy *c, backend_t *from)
{
	enumerator_t *all = from->create_peer_cfg_enumerator(from, NULL, NULL);
	bool made = true;
	peer_cfg_t *cfg;

	while (made && all->enumerate(all, &cfg))
		made = copy_add(c, cfg);
	all->destroy(all);
	if (made && copy_link(c))
		return true;
	copy_clear(c);
	return false;
}

static bool
copy_holds(const struct copy *c, backend_t *from)
{
	enumerator_t *all;
	peer_cfg_t *cfg;
	uint32_t n = 0;

	if (!c->id)
		return false;
	all = from->create_peer_cfg_enumerator(from, NULL, NULL);
	while (n != NONE && all->enumerate(all, &cfg))
		n = n < c->n && c->entry[n].cfg == cfg ? n + 1 : NONE;
	all->destroy(all);
	return n == c->n;
}

/* Locks the copy for reading, made anew if need be. False, and not locked: no memory. */
static bool
copy_take(struct directory *d)
{
	for (int tries = 0; tries < 3; tries++) {
		bool made = true;

		pthread_rwlock_rdlock(&d->lock);
		if (copy_holds(&d->copy, d->inner))
			return true;
		pthread_rwlock_unlock(&d->lock);

		pthread_rwlock_wrlock(&d->lock);
		if (!copy_holds(&d->copy, d->inner)) {
			copy_clear(&d->copy);
			made = copy_make(&d->copy, d->inner);
		}
		pthread_rwlock_unlock(&d->lock);
		if (!made)
			return false;
	}
	return false;
}

/* ---- what is found ------------------------------------------------------------------- */

/* Refers to what it holds: configurations may go meanwhile. */
struct found {
	enumerator_t public;
	bool ike;
	uint32_t n, at;
	peer_cfg_t *cfg[];
};

static bool
found_venumerate(enumerator_t *this, va_list args)
{
	struct found *f = (struct found *)this;
	void **out = va_arg(args, void **);
	peer_cfg_t *cfg;

	if (f->at == f->n)
		return false;
	cfg = f->cfg[f->at++];
	*out = f->ike ? (void *)cfg->get_ike_cfg(cfg) : (void *)cfg;
	return true;
}

static bool
found_enumerate(enumerator_t *this, ...)
{
	va_list args;
	bool more;

	va_start(args, this);
	more = found_venumerate(this, args);
	va_end(args);
	return more;
}

static void
found_destroy(enumerator_t *this)
{
	struct found *f = (struct found *)this;

	for (uint32_t i = 0; i < f->n; i++)
		f->cfg[i]->destroy(f->cfg[i]);
	free(f);
}

static uint32_t
next_of(const struct copy *c, uint32_t i, bool ike)
{
	return ike ? c->entry[i].next_address : c->entry[i].next_id;
}

static uint32_t
length(const struct copy *c, uint32_t i, bool ike)
{
	uint32_t n = 0;

	for (; i != NONE; i = next_of(c, i, ike))
		n++;
	return n;
}

/* Two chains as one, in the order of the backend. */
static enumerator_t *
found_make(const struct copy *c, uint32_t a, uint32_t b, bool ike)
{
	struct found *f = malloc(sizeof(*f) + (length(c, a, ike) + length(c, b, ike)) * sizeof(f->cfg[0]));

	if (!f)
		return NULL;
	*f = (struct found){.public = {found_enumerate, found_venumerate, found_destroy}, .ike = ike};
	while (a != NONE || b != NONE) {
		uint32_t *from = a < b ? &a : &b; /* NONE is the highest */
		peer_cfg_t *cfg = c->entry[*from].cfg;

		f->cfg[f->n++] = cfg->get_ref(cfg);
		*from = next_of(c, *from, ike);
	}
	return &f->public;
}

static enumerator_t *
peer_cfgs(backend_t *this, identification_t *me, identification_t *other)
{
	struct directory *d = (struct directory *)this;
	enumerator_t *found = NULL;
	uint32_t hash;

	if (other && hash_id(other, &hash) && copy_take(d)) {
		found = found_make(&d->copy, d->copy.id[hash & d->copy.mask].first, d->copy.any_id.first, false);
		pthread_rwlock_unlock(&d->lock);
	}
	return found ? found : d->inner->create_peer_cfg_enumerator(d->inner, me, other);
}

static enumerator_t *
ike_cfgs(backend_t *this, host_t *me, host_t *other)
{
	struct directory *d = (struct directory *)this;
	enumerator_t *found = NULL;

	if (other && !other->is_anyaddr(other) && copy_take(d)) {
		chunk_t address = other->get_address(other);
		uint32_t hash = hash_address(address.ptr, address.len);

		found = found_make(
			&d->copy, d->copy.address[hash & d->copy.mask].first, d->copy.any_address.first, true);
		pthread_rwlock_unlock(&d->lock);
	}
	return found ? found : d->inner->create_ike_cfg_enumerator(d->inner, me, other);
}

static peer_cfg_t *
peer_cfg_by_name(backend_t *this, char *name)
{
	struct directory *d = (struct directory *)this;

	return d->inner->get_peer_cfg_by_name(d->inner, name);
}

/* ---- its life ------------------------------------------------------------------------ */

backend_t *
directory_create(backend_t *inner)
{
	struct directory *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->public = (backend_t){ike_cfgs, peer_cfgs, peer_cfg_by_name};
	d->inner = inner;
	pthread_rwlock_init(&d->lock, NULL);
	copy_clear(&d->copy);
	return &d->public;
}

void
directory_free(backend_t *directory)
{
	struct directory *d = (struct directory *)directory;

	if (!d)
		return;
	copy_clear(&d->copy);
	pthread_rwlock_destroy(&d->lock);
	free(d);
}
