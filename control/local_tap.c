/* An interface's alias names its uplink or gateway: for the operator, and for a successor that has to know what is left
 * over. */
#include "control/local_tap.h"

#include "control/text_hash.h"
#include "drivers/log.h"
#include "drivers/tap.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALIAS "isthmusd: %s %s" /* noun, name */
#define STALE_MAX 64
#define METRIC 1000 /* and the link's index: each link has its own default route */
#define QUEUE 4096  /* packets: charon may begin a thousand tunnels at once */
#define HASHED 10   /* characters before the hash */

/* ---- names ---------------------------------------------------------------------------- */

/* Such a name would be taken for something else, or break the path of its settings. */
static bool
name_fits(const char *name)
{
	if (strlen(name) >= LINK_NAME_MAX || !isalnum((unsigned char)name[0]))
		return false;
	for (const char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_' && *c != '.')
			return false;
	return strcmp(name, "lo") != 0 && strcmp(name, "all") != 0 && strcmp(name, "default") != 0;
}

void
local_tap_name(const char *name, uint32_t turn, char interface[LINK_NAME_MAX])
{
	uint32_t hash = text_hash(name);
	size_t n = 0;

	if (turn == 0 && name_fits(name)) {
		snprintf(interface, LINK_NAME_MAX, "%s", name);
		return;
	}
	hash = (hash ^ hash >> 16) + turn;
	for (const char *c = name; *c && n < HASHED; c++)
		interface[n++] = isalnum((unsigned char)*c) ? *c : '_';
	snprintf(interface + n, LINK_NAME_MAX - n, "-%04x", hash & 0xffff);
}

/* ---- making ----------------------------------------------------------------------------- */

static int
setting_write(const char *family, const char *interface, const char *key, const char *value)
{
	char path[128];
	ssize_t written;
	int fd, r = 0;

	snprintf(path, sizeof path, "/proc/sys/net/%s/conf/%s/%s", family, interface, key);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	written = write(fd, value, strlen(value));
	if (written < 0)
		r = -errno;
	close(fd);
	return r;
}

/* The kernel takes packets for our addresses as they come, and has no address or route that we did not give it. */
static int
settings_write(const char *interface)
{
	static const struct {
		const char *family, *key, *value;
	} setting[] = {
		{"ipv4", "rp_filter", "0"},
		{"ipv4", "accept_redirects", "0"},
		{"ipv4", "forwarding", "0"},
		{"ipv6", "addr_gen_mode", "1"},
		{"ipv6", "accept_ra", "0"},
		{"ipv6", "autoconf", "0"},
		{"ipv6", "accept_redirects", "0"},
		{"ipv6", "dad_transmits", "0"},
		{"ipv6", "forwarding", "0"},
		{"ipv6", "disable_ipv6", "0"},
	};

	for (size_t i = 0; i < sizeof setting / sizeof *setting; i++) {
		int r = setting_write(setting[i].family, interface, setting[i].key, setting[i].value);

		if (r != 0 && !(r == -ENOENT && strcmp(setting[i].family, "ipv6") == 0))
			return r;
	}
	return setting_write("ipv4", "all", "rp_filter", "0"); /* the stricter of the two holds */
}

struct making {
	struct local_tap *tap;
	char *error;
	size_t n;
};

/* Inside the namespace: the interface belongs where its descriptor was opened. */
static int
interface_make(void *making)
{
	struct making *m = making;
	struct local_tap *t = m->tap;
	int fd = tap_open(t->interface, false, m->error, m->n), r;

	if (fd < 0)
		return fd;
	r = tap_persist(fd, false);
	if (r == 0)
		r = settings_write(t->interface);
	if (r == 0) {
		t->source.fd = fd;
		return 0;
	}
	snprintf(m->error, m->n, "interface %s: %s", t->interface, strerror(-r));
	close(fd);
	return r;
}

/* ---- addresses and routes ---------------------------------------------------------------- */

struct stale {
	const struct local_settings *wanted;
	uint32_t n;
	struct ip_addr address[STALE_MAX];
	uint8_t len[STALE_MAX];
};

static void
stale_collect(void *context, const struct ip_addr *a, uint8_t len)
{
	struct stale *s = context;

	for (uint16_t i = 0; i < s->wanted->n; i++)
		if (address_equal(&s->wanted->address[i].address, a) && s->wanted->address[i].len == len)
			return;
	if (s->n == STALE_MAX)
		return;
	s->address[s->n] = *a;
	s->len[s->n++] = len;
}

/* With the first address of a network the kernel forgets the others of it: all that are wanted are added after. */
static int
addresses_set(struct local_tap *t, struct rtnetlink *kernel, const struct local_settings *wanted)
{
	struct stale stale = {.wanted = wanted};
	int r = link_address_each(kernel, t->index, stale_collect, &stale);

	for (uint32_t i = 0; r == 0 && i < stale.n; i++) {
		r = link_address_delete(kernel, t->index, &stale.address[i], stale.len[i]);
		if (r == -EADDRNOTAVAIL)
			r = 0;
	}
	for (uint16_t i = 0; r == 0 && i < wanted->n; i++)
		r = link_address_add(kernel, t->index, &wanted->address[i].address, wanted->address[i].len);
	return r;
}

static int
routes_set(struct local_tap *t, struct rtnetlink *kernel, const struct local_settings *wanted)
{
	static const uint8_t family[] = {IP_V4, IP_V6};
	uint32_t metric = METRIC + (uint32_t)t->index;
	int r = 0;

	for (int i = 0; r == 0 && i < 2; i++)
		if (wanted->gateway[i].family)
			r = link_default_route_set(kernel, t->index, &wanted->gateway[i], metric);
		else
			r = link_default_route_delete(kernel, t->index, family[i], metric);
	return r;
}

int
local_tap_change(
	struct local_tap *t, struct rtnetlink *kernel, const struct local_settings *wanted, char *error, size_t n)
{
	const char *what = "MAC address, MTU and queue";
	int r = link_ethernet_set(kernel, t->index, &wanted->mac, wanted->mtu, QUEUE);

	if (r == 0) {
		what = "addresses";
		r = addresses_set(t, kernel, wanted);
	}
	if (r == 0) {
		what = "start";
		r = link_up(kernel, t->index);
	}
	if (r == 0) {
		what = "default routes";
		r = routes_set(t, kernel, wanted);
	}
	if (r == 0)
		t->is = *wanted;
	else
		snprintf(error, n, "%s %s: %s of interface %s: %s", t->noun, t->name, what, t->interface, strerror(-r));
	return r;
}

int
local_tap_open(struct local_tap *t, const struct network_namespace *ns, struct rtnetlink *kernel,
	const struct local_settings *wanted, char *error, size_t n)
{
	struct making making = {t, error, n};
	struct link_info link = {0};
	char alias[LINK_ALIAS_MAX];
	int r;

	r = namespace_run(ns, interface_make, &making);
	if (r != 0)
		return r;
	snprintf(alias, sizeof alias, ALIAS, t->noun, t->name);
	r = link_find(kernel, t->interface, &link);
	if (r == 0)
		r = link_alias_set(kernel, link.index, alias);
	t->index = link.index;
	if (r != 0)
		snprintf(error, n, "interface %s: %s", t->interface, strerror(-r));
	else
		r = local_tap_change(t, kernel, wanted, error, n);
	if (r != 0) {
		close(t->source.fd);
		t->source.fd = -1;
	}
	return r;
}

void
local_tap_close(struct local_tap *t, struct loop *loop, bool keep)
{
	if (keep && tap_persist(t->source.fd, true) != 0)
		log_warning("local", "interface %s will not outlive the daemon: %s", t->interface, strerror(errno));
	loop_remove(loop, &t->source);
	t->source.fd = -1;
	free(t->name);
	t->name = NULL;
}

/* ---- what a predecessor left ---------------------------------------------------------------- */

struct sweep {
	char alias[LINK_ALIAS_MAX]; /* what theirs begin with */
	bool (*wanted)(void *context, const char *name);
	void *context;
	int index[STALE_MAX];
	uint32_t n;
};

static void
sweep_collect(void *context, const struct link_info *link)
{
	struct sweep *s = context;

	if (s->n < STALE_MAX && strncmp(link->alias, s->alias, strlen(s->alias)) == 0 &&
		!s->wanted(s->context, link->alias + strlen(s->alias)))
		s->index[s->n++] = link->index;
}

void
local_tap_sweep(
	struct rtnetlink *kernel, const char *noun, bool (*wanted)(void *context, const char *name), void *context)
{
	struct sweep s = {.wanted = wanted, .context = context};

	snprintf(s.alias, sizeof s.alias, ALIAS, noun, "");
	if (link_each(kernel, sweep_collect, &s) != 0)
		return;
	for (uint32_t i = 0; i < s.n; i++)
		link_delete(kernel, s.index[i]);
}
