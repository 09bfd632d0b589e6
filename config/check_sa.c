/* Security associations given by hand: algorithms that fit their keys, SPIs and keys used once.
 *
 * What the key rules protect: in a counter mode two packets under one key and nonce give both
 * away, and nonces are sequence numbers, so a key may serve one sender only. The two ends of one
 * SA (out in one connection, in with the same SPI in another) may stand in one file.
 */
#include "config/algorithm.h"
#include "config/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An SA and where it belongs. */
struct sa_use {
	const struct cfg_sa *sa;
	uint32_t connection;
};

/* ---- one association ------------------------------------------------------------- */

static void
check_key_length(struct check *k, const struct cfg_sa *s, const uint8_t *have, uint8_t want, uint8_t salt,
	const char *key, const char *word)
{
	char tail[40] = "";

	if (*have == want)
		return;
	if (salt)
		snprintf(tail, sizeof(tail), ", the last %u are the salt", salt);
	if (want == 0)
		config_error(k->b->errors, MARK(k, have, s), "InvalidKey", "%s takes no '%s'", word, key);
	else
		config_error(k->b->errors, MARK(k, have, s), "InvalidKey",
			"'%s' for %s has %u bytes (%u hexadecimal digits)%s, not %u", key, word, want, want * 2, tail,
			*have);
}

static void
check_algorithms(struct check *k, const struct cfg_sa *s)
{
	const char *encryption = algorithm_encryption_words[s->encryption];
	const char *integrity = algorithm_integrity_words[s->integrity];
	const struct algorithm_encryption *e = &algorithm_encryption[s->encryption];

	if (e->combined && s->integrity != INTEG_NONE)
		config_error(k->b->errors, MARK(k, &s->integrity, s), "InvalidAlgorithm",
			"%s authenticates by itself: integrity must be none", encryption);
	if (!e->combined && s->integrity == INTEG_NONE)
		config_error(k->b->errors, MARK(k, &s->integrity, s), "InvalidAlgorithm",
			"%s does not authenticate: it needs an integrity algorithm", encryption);
	check_key_length(k, s, &s->enc_key_len, algorithm_key_length(s->encryption), e->salt, "key", encryption);
	if (!e->combined)
		check_key_length(
			k, s, &s->auth_key_len, algorithm_integrity[s->integrity].key, 0, "authKey", integrity);
	else if (s->auth_key_len != 0)
		check_key_length(k, s, &s->auth_key_len, 0, 0, "authKey", encryption);
}

static void
check_strength(struct check *k, const struct cfg_connection *c, const struct cfg_sa *s)
{
	if (c->ike.profile == IKE_PROFILE_AZURE)
		return;
	if (algorithm_encryption[s->encryption].weak)
		check_weak(k, MARK(k, &s->encryption, s), "encryption", algorithm_encryption_words[s->encryption]);
	if (algorithm_integrity[s->integrity].weak)
		check_weak(k, MARK(k, &s->integrity, s), "integrity", algorithm_integrity_words[s->integrity]);
}

static void
check_lifetime(struct check *k, const struct cfg_sa *s)
{
	if (s->life_bytes_hard != 0 && s->life_bytes_soft > s->life_bytes_hard)
		config_error(k->b->errors, MARK(k, &s->life_bytes_soft, s), "InvalidValue",
			"the soft lifetime in bytes lies beyond the hard one");
	if (s->life_packets_hard != 0 && s->life_packets_soft > s->life_packets_hard)
		config_error(k->b->errors, MARK(k, &s->life_packets_soft, s), "InvalidValue",
			"the soft lifetime in packets lies beyond the hard one");
}

/* ---- a connection's -------------------------------------------------------------- */

static void
check_both_ways(struct check *k, const struct cfg_connection *c)
{
	uint32_t out = 0;

	for (uint32_t i = 0; i < c->n_sas; i++)
		out += c->sas[i].outbound;
	if (c->n_sas > 0 && (out == 0 || out == c->n_sas))
		config_error(k->b->errors, c->sas[0].mark, "SecurityAssociationMissing",
			"connection '%.80s' has no security association '%s': it needs both ways", c->name,
			out == 0 ? "out" : "in");
}

/* ---- all of them ----------------------------------------------------------------- */

static int
spi_order(const void *a, const void *b)
{
	const struct cfg_sa *x = ((const struct sa_use *)a)->sa, *y = ((const struct sa_use *)b)->sa;

	if (x->outbound != y->outbound)
		return x->outbound ? 1 : -1;
	if (x->spi != y->spi)
		return x->spi < y->spi ? -1 : 1;
	return x->mark.line < y->mark.line ? -1 : x->mark.line > y->mark.line;
}

static void
check_spis(struct check *k, struct sa_use *all, size_t n)
{
	if (n > 1)
		qsort(all, n, sizeof(*all), spi_order);
	for (size_t i = 1; i < n; i++) {
		const struct cfg_sa *a = all[i - 1].sa, *b = all[i].sa;

		if (a->outbound == b->outbound && a->spi == b->spi)
			config_error(k->b->errors, MARK(k, &b->spi, b), "SpiInUse",
				"SPI %u is in use by an association of the same direction in line %u", b->spi,
				a->mark.line);
	}
}

static bool
key_is_reused(const struct sa_use *a, const struct sa_use *b, bool counter)
{
	if (a->connection == b->connection && a->sa->outbound != b->sa->outbound)
		return true; /* the peer's packets could be played back at it */
	if (!counter)
		return false;
	return a->connection == b->connection || a->sa->outbound == b->sa->outbound || a->sa->spi != b->sa->spi;
}

static bool
is_counter(const struct cfg_sa *s)
{
	return algorithm_encryption[s->encryption].salt != 0;
}

static size_t
cipher_key_length(const struct cfg_sa *s)
{
	uint8_t salt = algorithm_encryption[s->encryption].salt;

	return s->enc_key_len - (s->enc_key_len > salt ? salt : 0);
}

static int
enc_key_compare(const struct cfg_sa *x, const struct cfg_sa *y)
{
	size_t n = cipher_key_length(x), m = cipher_key_length(y);

	if (n != m)
		return n < m ? -1 : 1;
	return memcmp(x->enc_key, y->enc_key, n);
}

static int
auth_key_compare(const struct cfg_sa *x, const struct cfg_sa *y)
{
	if (x->auth_key_len != y->auth_key_len)
		return x->auth_key_len < y->auth_key_len ? -1 : 1;
	return memcmp(x->auth_key, y->auth_key, x->auth_key_len);
}

/* Inside a run of equal keys: those of counter modes first, then by connection. */
static int
run_order(const struct sa_use *x, const struct sa_use *y)
{
	bool a = is_counter(x->sa), b = is_counter(y->sa);

	if (a != b)
		return a ? -1 : 1;
	if (x->connection != y->connection)
		return x->connection < y->connection ? -1 : 1;
	return x->sa < y->sa ? -1 : x->sa > y->sa;
}

static int
enc_key_order(const void *a, const void *b)
{
	const struct sa_use *x = a, *y = b;
	int order = enc_key_compare(x->sa, y->sa);

	return order != 0 ? order : run_order(x, y);
}

static int
auth_key_order(const void *a, const void *b)
{
	const struct sa_use *x = a, *y = b;
	int order = auth_key_compare(x->sa, y->sa);

	return order != 0 ? order : run_order(x, y);
}

static void
report_reuse(struct check *k, const struct cfg_sa *a, const struct cfg_sa *b, const char *key)
{
	const struct cfg_sa *late = b->mark.line > a->mark.line ? b : a;

	config_error(k->b->errors, late->mark, "KeyReuse",
		"'%s' is that of the security association in line %u too: every association needs a key of its own",
		key, late == a ? b->mark.line : a->mark.line);
}

/* The associations that share the key of the first, which are all behind it. Two under a counter
 * mode are nearly always an error, and others matter inside one connection only, so that this
 * ends soon however many share a key. */
static void
check_run(struct check *k, const struct sa_use *first, const struct sa_use *end, bool cipher)
{
	bool counter = cipher && is_counter(first->sa);

	for (const struct sa_use *other = first + 1; other < end && !config_errors_full(k->b->errors); other++) {
		if ((cipher ? enc_key_compare : auth_key_compare)(first->sa, other->sa) != 0)
			return;
		if (!counter && other->connection != first->connection)
			return;
		if (key_is_reused(first, other, counter))
			report_reuse(k, first->sa, other->sa, cipher ? "key" : "authKey");
	}
}

static void
check_keys(struct check *k, struct sa_use *all, size_t n, bool cipher)
{
	if (n > 1)
		qsort(all, n, sizeof(*all), cipher ? enc_key_order : auth_key_order);
	for (size_t i = 0; i < n; i++)
		if ((cipher ? all[i].sa->enc_key_len : all[i].sa->auth_key_len) > 0)
			check_run(k, &all[i], all + n, cipher);
}

/* disableIPSecReplayProtection speaks for all that enters through its gateway. */
static void
apply_gateway(struct check *k, struct cfg_connection *c)
{
	if (c->gateway1 == CFG_NONE || !k->c->gateways[c->gateway1].disable_replay_protection)
		return;
	for (uint32_t i = 0; i < c->n_sas; i++)
		if (!c->sas[i].outbound)
			c->sas[i].replay_window = 0;
}

static void
check_connection_sas(struct check *k, struct cfg_connection *c)
{
	apply_gateway(k, c);
	for (uint32_t i = 0; i < c->n_sas; i++) {
		check_algorithms(k, &c->sas[i]);
		check_strength(k, c, &c->sas[i]);
		check_lifetime(k, &c->sas[i]);
	}
	check_both_ways(k, c);
	if (c->n_sas > 0 && c->gateway1 != CFG_NONE)
		check_outer(k, c, "has security associations");
	if (c->n_sas > 0 && c->local_gateway != CFG_NONE && k->c->local_gateways[c->local_gateway].fqdn != NULL)
		config_error(k->b->errors, c->mark, "NotSupported",
			"connection '%.80s' has security associations given by hand: local network gateway '%.80s' "
			"needs "
			"a gatewayIpAddress, not an fqdn",
			c->name, k->c->local_gateways[c->local_gateway].name);
}

int
check_sas(struct check *k)
{
	struct sa_use *all;
	size_t n = 0;

	for (uint32_t i = 0; i < k->c->n_connections; i++) {
		check_connection_sas(k, &k->c->connections[i]);
		n += k->c->connections[i].n_sas;
	}
	all = arena_array(k->b->arena, n, sizeof(*all));
	if (all == NULL)
		return -ENOMEM;
	n = 0;
	for (uint32_t i = 0; i < k->c->n_connections; i++)
		for (uint32_t j = 0; j < k->c->connections[i].n_sas; j++)
			all[n++] = (struct sa_use){.sa = &k->c->connections[i].sas[j], .connection = i};
	check_spis(k, all, n);
	check_keys(k, all, n, true);
	check_keys(k, all, n, false);
	return 0;
}
