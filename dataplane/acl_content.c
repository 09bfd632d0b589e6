/* One walk over a spec feeds whatever wants its bytes: a counter, a buffer, a comparison. */
#include "dataplane/acl_content.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct sink {
	void (*put)(struct sink *s, const void *bytes, size_t n);
	uint8_t *to;         /* copy */
	const uint8_t *with; /* compare */
	size_t n, limit;
	bool differs;
	uint64_t hash;
};

static void
put_side(struct sink *s, const struct acl_side_spec *side)
{
	uint32_t head[4] = {side->n_prefixes, side->nothing, side->tag, side->n_ports};

	s->put(s, head, sizeof(head));
	for (uint32_t i = 0; i < side->n_prefixes; i++) {
		const struct ip_prefix *p = &side->prefix[i];

		s->put(s, &p->addr.family, sizeof(p->addr.family));
		s->put(s, p->addr.b, sizeof(p->addr.b));
		s->put(s, &p->len, sizeof(p->len));
	}
	for (uint32_t i = 0; i < side->n_ports; i++) {
		s->put(s, &side->port[i].first, sizeof(side->port[i].first));
		s->put(s, &side->port[i].last, sizeof(side->port[i].last));
	}
}

static void
put_spec(struct sink *s, const struct acl_spec *spec)
{
	for (uint32_t i = 0; i < spec->n && !s->differs; i++) {
		const struct acl_rule_spec *r = &spec->rule[i];
		int32_t head[2] = {r->protocol, r->allow};

		s->put(s, head, sizeof(head));
		s->put(s, &r->name, sizeof(r->name));
		put_side(s, &r->source);
		put_side(s, &r->destination);
	}
}

static void
count(struct sink *s, const void *bytes, size_t n)
{
	(void)bytes;
	s->n += n;
}

/* FNV-1a: no piece is longer than an address. */
static void
hash(struct sink *s, const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		s->hash = (s->hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3;
}

static void
copy(struct sink *s, const void *bytes, size_t n)
{
	memcpy(s->to + s->n, bytes, n);
	s->n += n;
}

static void
compare(struct sink *s, const void *bytes, size_t n)
{
	s->differs |= s->n + n > s->limit || memcmp(s->with + s->n, bytes, n) != 0;
	s->n += n;
}

uint64_t
acl_content_hash(const struct acl_spec *spec)
{
	struct sink s = {.put = hash, .hash = 0xcbf29ce484222325};

	put_spec(&s, spec);
	return s.hash;
}

int
acl_content_take(struct acl_content *c, const struct acl_spec *spec)
{
	struct sink s = {.put = count};

	put_spec(&s, spec);
	*c = (struct acl_content){malloc(s.n + 1), s.n, acl_content_hash(spec)};
	if (c->byte == NULL)
		return -ENOMEM;
	s = (struct sink){.put = copy, .to = c->byte};
	put_spec(&s, spec);
	return 0;
}

bool
acl_content_same(const struct acl_content *c, const struct acl_spec *spec)
{
	struct sink s = {.put = compare, .with = c->byte, .limit = c->n};

	put_spec(&s, spec);
	return !s.differs && s.n == c->n;
}

void
acl_content_clear(struct acl_content *c)
{
	free(c->byte);
	*c = (struct acl_content){0};
}
