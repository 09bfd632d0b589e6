#include "control/vip.h"

#include "control/local_tap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define MTU 1500
#define NOUN "virtual addresses of"

const char *const vip_interface[VIP_LEVELS] = {
	[VIP_PRIMARY] = "vip-primary", [VIP_STANDBY] = "vip-standby", [VIP_DRAINED] = "vip-drained"};

static const char *const level_name[VIP_LEVELS] = {"a primary", "a standby", "a drained node"};

struct vip {
	struct loop *loop;
	struct local_tap tap[VIP_LEVELS]; /* source.fd < 0: it is not there */
	struct rtnetlink *kernel;         /* of the namespace */
	struct network_namespace ns;      /* not ours to close */
};

struct vip *
vip_create(struct loop *loop)
{
	struct vip *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->loop = loop;
	v->ns.fd = -1;
	for (int i = 0; i < VIP_LEVELS; i++)
		v->tap[i].source.fd = -1;
	return v;
}

/* Nothing is routed there: what the kernel sends of itself goes nowhere. */
static void
discard(void *tap, uint32_t events)
{
	const struct local_tap *t = tap;
	char frame[256];

	(void)events;
	for (int i = 0; i < 64 && t->source.fd >= 0 && read(t->source.fd, frame, sizeof(frame)) >= 0; i++)
		;
}

static int
kernel_open(void *vip)
{
	return rtnetlink_open(&((struct vip *)vip)->kernel);
}

static int
tap_make(struct vip *v, enum vip_level level, const struct local_settings *is, char *error, size_t n)
{
	struct local_tap *t = &v->tap[level];
	int r;

	*t = (struct local_tap){.source = {-1, discard, t}, .noun = NOUN, .name = strdup(level_name[level])};
	if (!t->name)
		return -ENOMEM;
	snprintf(t->interface, sizeof(t->interface), "%s", vip_interface[level]);
	r = local_tap_open(t, &v->ns, v->kernel, is, error, n);
	if (r != 0) {
		free(t->name);
		t->name = NULL;
		return r;
	}
	r = loop_add(v->loop, &t->source, EPOLLIN);
	if (r != 0)
		local_tap_close(t, v->loop, false);
	return r;
}

int
vip_set(struct vip *v, int netns, const struct cfg_prefixes *addresses, enum vip_level level, char *error, size_t n)
{
	struct local_settings is;
	int r = 0;

	memset(&is, 0, sizeof(is));
	is.mac = (struct mac_addr){{2}}; /* nobody asks for it */
	is.mtu = MTU;
	for (; is.n < addresses->n; is.n++) {
		is.address[is.n].address = addresses->p[is.n].addr;
		is.address[is.n].len = addresses->p[is.n].len;
	}
	if (v->ns.fd != netns)
		vip_withdraw(v);
	v->ns.fd = netns;
	if (!v->kernel)
		r = namespace_run(&v->ns, kernel_open, v);
	if (r != 0)
		snprintf(error, n, "network namespace of virtual addresses: %s", strerror(-r));
	else if (v->tap[level].source.fd < 0)
		r = tap_make(v, level, &is, error, n);
	else if (memcmp(&v->tap[level].is, &is, sizeof(is)) != 0)
		r = local_tap_change(&v->tap[level], v->kernel, &is, error, n);
	for (int i = 0; r == 0 && i < VIP_LEVELS; i++)
		if (i != (int)level && v->tap[i].source.fd >= 0)
			local_tap_close(&v->tap[i], v->loop, false);
	return r;
}

void
vip_withdraw(struct vip *v)
{
	for (int i = 0; v && i < VIP_LEVELS; i++)
		if (v->tap[i].source.fd >= 0)
			local_tap_close(&v->tap[i], v->loop, false);
	if (v) {
		rtnetlink_close(v->kernel);
		v->kernel = NULL;
		v->ns.fd = -1;
	}
}

void
vip_free(struct vip *v)
{
	vip_withdraw(v);
	free(v);
}
