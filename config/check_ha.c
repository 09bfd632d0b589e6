/* High availability: each kind of lease with the keys it needs and no others. */
#include "config/check.h"
#include "config/schemas.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum lease_key { LEASE_PATH = 1, LEASE_ENDPOINTS = 2, LEASE_KEY = 4, LEASE_TLS = 8 };

static const struct {
	enum lease_key key;
	const char *name;
} lease_keys[] = {{LEASE_PATH, "path"}, {LEASE_ENDPOINTS, "endpoints"}, {LEASE_KEY, "key"},
	{LEASE_TLS, "caFile, certificate or privateKeyFile"}};

static const struct {
	const char *name;
	unsigned int must, may;
} kinds[] = {
	[LEASE_KIND_FILE] = {"file", LEASE_PATH, 0},
	[LEASE_KIND_ETCD] = {"etcd", LEASE_ENDPOINTS | LEASE_KEY, LEASE_TLS},
	[LEASE_KIND_STATIC] = {"static", 0, 0},
};

static void
check_keys(struct check *k, const struct cfg_lease *l)
{
	unsigned int must = kinds[l->kind].must, may = must | kinds[l->kind].may;
	unsigned int has = (l->path ? LEASE_PATH : 0) | (l->endpoints.n ? LEASE_ENDPOINTS : 0) |
			   (l->key ? LEASE_KEY : 0) | (l->ca_file || l->certificate || l->key_file ? LEASE_TLS : 0);

	for (size_t i = 0; i < sizeof(lease_keys) / sizeof(lease_keys[0]); i++) {
		if (must & ~has & lease_keys[i].key)
			config_error(k->b->errors, l->mark, "MissingKey", "a lease of kind %s needs %s",
				kinds[l->kind].name, lease_keys[i].name);
		if (has & ~may & lease_keys[i].key)
			config_error(k->b->errors, l->mark, "KeyNotForLease", "a lease of kind %s has no %s",
				kinds[l->kind].name, lease_keys[i].name);
	}
}

/* http://HOST:PORT, https://[2001:db8::1]:2379 */
static bool
is_endpoint(const char *text, bool *tls)
{
	const char *host, *port, *end;
	char *rest;
	size_t n;

	*tls = strncmp(text, "https://", 8) == 0;
	if (!*tls && strncmp(text, "http://", 7) != 0)
		return false;
	host = text + (*tls ? 8 : 7);
	port = strrchr(host, ':');
	if (port == NULL || port == host || !isdigit((unsigned char)port[1]))
		return false;
	n = (size_t)(port - host);
	end = host[0] == '[' ? memchr(host, ']', n) : NULL;
	if (host[0] == '[' ? end != port - 1 || strspn(host + 1, "0123456789abcdefABCDEF:.%") != n - 2
			   : strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") != n)
		return false;
	n = strtoul(port + 1, &rest, 10);
	return *rest == '\0' && n >= 1 && n <= 65535;
}

static void
check_endpoints(struct check *k, const struct cfg_lease *l)
{
	struct cfg_mark mark = MARK(k, &l->endpoints, l);
	bool some_plain = false;

	for (uint32_t i = 0; i < l->endpoints.n; i++) {
		bool tls;

		if (!is_endpoint(l->endpoints.s[i], &tls))
			config_error(k->b->errors, mark, "InvalidValue",
				"'endpoints': '%.80s' is not like http://192.0.2.1:2379 or https://host:2379",
				l->endpoints.s[i]);
		some_plain |= !tls;
	}
	if (l->endpoints.n > 0 && some_plain && (l->ca_file || l->certificate || l->key_file))
		config_error(k->b->errors, mark, "InvalidValue",
			"'endpoints' that are not https have no use for caFile, certificate, privateKeyFile");
}

static void
check_file(struct check *k, const struct cfg_lease *l, const char *key, char *const *path)
{
	if (*path != NULL && (*path)[0] != '/')
		config_error(k->b->errors, MARK(k, path, l), "InvalidValue",
			"'%s' is a path from the root, not '%.80s'", key, *path);
}

static void
check_lease(struct check *k, struct cfg_lease *l)
{
	size_t n = l->path ? strlen(l->path) : 0;

	if (l->kind != LEASE_KIND_UNSET)
		check_keys(k, l);
	check_endpoints(k, l);
	check_file(k, l, "path", &l->path);
	check_file(k, l, "caFile", &l->ca_file);
	check_file(k, l, "certificate", &l->certificate);
	check_file(k, l, "privateKeyFile", &l->key_file);
	if (n > 0 && l->path[n - 1] == '/')
		config_error(k->b->errors, MARK(k, &l->path, l), "InvalidValue",
			"'path' is how the lease's files begin, not a folder: '%.80s'", l->path);
	if (!l->certificate != !l->key_file)
		config_error(k->b->errors, l->mark, "MissingKey", "certificate and privateKeyFile: both or none");
	if (l->margin_ms == 0)
		l->margin_ms = l->duration_s * 100;
	if (l->margin_ms > l->duration_s * 1000u / 3)
		config_error(k->b->errors, MARK(k, &l->margin_ms, l), "InvalidValue",
			"'marginMilliseconds' is a third of durationSeconds at most: %u", l->duration_s * 1000u / 3);
}

/* The other nodes read it, and it stands in the lease's text. */
static bool
is_node_name(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n <= LIMIT_SHORT_NAME && name[0] != '.' && name[0] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}

static void
check_node_peer(struct check *k, const struct cfg_node_peer *p)
{
	if (p->local.family == IP_NONE || p->address.family == IP_NONE)
		return;
	if (p->local.family != p->address.family || address_equal(&p->local, &p->address))
		config_error(k->b->errors, MARK(k, &p->address, p), "InvalidAddress",
			"'peer': localAddress and address are two of one family");
	if (p->key_len > 0 && p->key_len < 32)
		config_error(k->b->errors, MARK(k, &p->key_file, p), "InvalidKeyFile",
			"'keyFile' holds %u characters: a key that nobody guesses has 32 at least", p->key_len);
}

int
check_ha(struct check *k)
{
	struct cfg_ha *h = &k->c->appliance.ha;

	if (!h->given)
		return 0;
	if (h->node == NULL)
		h->node = k->c->appliance.name;
	else if (!is_node_name(h->node))
		config_error(k->b->errors, MARK(k, &h->node, h), "InvalidName",
			"'%.80s': a node's name has 1 to %d letters, digits, '.', '_', '-'", h->node, LIMIT_SHORT_NAME);
	if (h->lease.given)
		check_lease(k, &h->lease);
	if (h->peer.given)
		check_node_peer(k, &h->peer);
	return 0;
}
