#include "control/local_uplinks.h"

#include "control/ike.h"

#include "config/limit.h"
#include "drivers/port.h"

#include <stdio.h>
#include <string.h>

static bool
is_wanted(const struct config *c)
{
	return ike_wanted(c) || c->appliance.ha.addresses.n > 0;
}

struct local_net *
local_uplinks_create(struct loop *loop, struct dataplane *dp)
{
	const struct local_traits traits = {.noun = "uplink",
		.links_max = LIMIT_UPLINKS,
		.classes = 1u << PUNT_IKE | 1u << PUNT_BGP | 1u << PUNT_BFD | 1u << PUNT_LOCAL};

	return local_net_create(loop, dp, &traits);
}

static void
describe(const struct iface_spec *i, struct local_settings *s)
{
	memset(s, 0, sizeof *s);
	s->mac = port_caps(i->port)->mac;
	s->mtu = i->mtu;
	s->n = i->n_prefixes;
	for (uint16_t k = 0; k < i->n_prefixes; k++) {
		s->address[k].address = i->address[k];
		s->address[k].len = i->prefix[k].len;
	}
	s->gateway[0] = i->gateway4;
	s->gateway[1] = i->gateway6;
}

int
local_uplinks_apply(struct local_net *l, const struct world *w, const struct names *names, char *error, size_t n)
{
	const struct cfg_appliance *a = &w->config->appliance;
	struct local_link link[LIMIT_UPLINKS];
	char name[NAMESPACE_NAME_MAX];
	uint32_t links = 0;

	if (!is_wanted(w->config)) {
		local_net_idle(l);
		return 0;
	}
	for (uint32_t i = 0; i < w->spec.n_ifaces && links < LIMIT_UPLINKS; i++) {
		const struct iface_spec *f = &w->spec.iface[i];

		if (f->kind != IFACE_UPLINK)
			continue;
		link[links].name = names_text(names, f->name) + strlen("uplink ");
		link[links].iface = (uint16_t)i;
		describe(f, &link[links++].is);
	}
	snprintf(name, sizeof name, "isthmus-%s", a->name);
	return local_net_set(l, a->control_namespace ? a->control_namespace : name, a->name, link, links, error, n);
}
