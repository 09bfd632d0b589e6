/* The object is embedded as a libbpf skeleton (steer.skel.h, generated). Attaching goes through a
 * BPF link that lives as long as its descriptor: nothing is pinned, nothing survives a kill.
 */
#include "drivers/xdp/loader.h"
#include "drivers/log.h"
#include "drivers/xdp/steer.h"

#include "drivers/xdp/steer.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert(sizeof(struct steer_options) == 8 + STEER_VLANS / 8, "layout shared with the XDP program");
_Static_assert(sizeof(struct steer_address) == 20, "layout shared with the XDP program");
_Static_assert(PORT_STEER_ADDRESSES == STEER_ADDRESSES_MAX, "addresses that fit the map");

struct xdp_loader {
	struct steer *program;
	int link; /* -1: not attached */
};

/* libbpf ends its lines itself. */
static int
libbpf_log(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char text[512];
	int length = vsnprintf(text, sizeof text, format, arguments);

	if (level == LIBBPF_DEBUG || length <= 0)
		return 0;
	while (length > 0 && ((size_t)length >= sizeof text || text[length - 1] == '\n'))
		length = (size_t)length >= sizeof text ? (int)sizeof text - 1 : length - 1;
	log_debug("xdp", "%.*s", length, text);
	return 0;
}

static int
options_write(struct xdp_loader *x, const struct steer_options *o)
{
	return bpf_map_update_elem(bpf_map__fd(x->program->maps.options), &(__u32){0}, o, BPF_ANY);
}

int
xdp_loader_open(struct xdp_loader **out, char *error, size_t n)
{
	const struct steer_options everything = {.everything = 1};
	struct xdp_loader *x = calloc(1, sizeof *x);
	int r;

	*out = NULL;
	if (!x)
		return -ENOMEM;
	x->link = -1;
	libbpf_set_print(libbpf_log);
	x->program = steer__open_and_load();
	if (!x->program) {
		r = -errno;
		snprintf(error, n, "the XDP program does not load: %s", strerror(-r));
		free(x);
		return r;
	}
	r = options_write(x, &everything);
	if (r != 0) {
		xdp_loader_close(x);
		return r;
	}
	*out = x;
	return 0;
}

void
xdp_loader_close(struct xdp_loader *x)
{
	if (!x)
		return;
	xdp_loader_detach(x);
	steer__destroy(x->program);
	free(x);
}

int
xdp_loader_socket_add(struct xdp_loader *x, uint32_t queue, int fd)
{
	return bpf_map_update_elem(bpf_map__fd(x->program->maps.sockets), &queue, &fd, BPF_ANY);
}

/* ---- what to take ----------------------------------------------------------------- */

static struct steer_address
address_key(const struct port_steer_address *a)
{
	struct steer_address key = {.vlan = a->vlan, .family = a->address.family};

	memcpy(key.address, a->address.b, a->address.family == IP_V4 ? 4 : 16);
	return key;
}

static bool
is_wanted(const struct port_steer *what, const struct steer_address *key)
{
	for (uint16_t i = 0; i < what->n_addresses; i++) {
		struct steer_address k = address_key(&what->addresses[i]);

		if (memcmp(&k, key, sizeof k) == 0)
			return true;
	}
	return false;
}

/* Removing makes the walk start anew, or it would skip. Bounded by the map's size. */
static void
addresses_forget(int map, const struct port_steer *what)
{
	struct steer_address key, next;
	const struct steer_address *from = NULL;

	while (bpf_map_get_next_key(map, from, &next) == 0) {
		if (!is_wanted(what, &next)) {
			bpf_map_delete_elem(map, &next);
			from = NULL;
			continue;
		}
		key = next;
		from = &key;
	}
}

int
xdp_loader_steer(struct xdp_loader *x, const struct port_steer *what, char *error, size_t n)
{
	struct steer_options o = {
		.everything = what->everything,
		.all_to_addresses = what->all_to_addresses,
		.ike = what->ike,
		.icmp = what->icmp,
		.neighbours = what->neighbours,
	};
	int map = bpf_map__fd(x->program->maps.addresses), r = 0;
	const uint8_t one = 1;

	for (uint16_t i = 0; i < what->n_vlans; i++)
		if (what->vlans[i] < STEER_VLANS)
			o.vlans[what->vlans[i] / 64] |= 1ull << what->vlans[i] % 64;

	for (uint16_t i = 0; r == 0 && i < what->n_addresses; i++) {
		struct steer_address key = address_key(&what->addresses[i]);

		r = bpf_map_update_elem(map, &key, &one, BPF_ANY);
	}
	if (r == 0)
		r = options_write(x, &o);
	if (r == 0)
		addresses_forget(map, what);
	else
		snprintf(error, n, "the XDP program's maps: %s", strerror(-r));
	return r;
}

/* ---- attaching -------------------------------------------------------------------- */

int
xdp_loader_attach(struct xdp_loader *x, const char *interface, int ifindex, bool skb_mode, char *error, size_t n)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = skb_mode ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);

	x->link = bpf_link_create(bpf_program__fd(x->program->progs.steer), ifindex, BPF_XDP, &options);
	if (x->link >= 0)
		return 0;

	int r = x->link;

	x->link = -1;
	if (r == -EBUSY || r == -EEXIST)
		snprintf(error, n, "interface '%s' has an XDP program of someone else", interface);
	else if (r == -EOPNOTSUPP && !skb_mode)
		snprintf(error, n, "the driver of interface '%s' has no XDP of its own; set skbMode for the kernel's",
			interface);
	else
		snprintf(error, n,
			"the XDP program cannot be attached to interface '%s' (its mtu or offloads may forbid "
			"it): %s",
			interface, strerror(-r));
	return r;
}

void
xdp_loader_detach(struct xdp_loader *x)
{
	if (x->link >= 0)
		close(x->link);
	x->link = -1;
}
