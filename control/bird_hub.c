/* A virtual hub's daemon: its branches are sites and circuits, and the other hubs of the virtual WAN are told what
 * these have told, over iBGP. There 65520 goes twice in front of the path, and so it is told on to branches. Which
 * routes came from a circuit is marked by a large community of our own, 65515:1:1, that nobody outside sees and nobody
 * can bring.
 *
 * hubRoutingPreference is the local preference: of this hub's branches by what they are and their routingWeight, other
 * hubs' below all; with ASPath all are equal, and the path's length decides.
 */
#include "control/bird_gateway.h"

#define OWN_COMMUNITIES "bgp_large_community.delete([(65515, *, *)]);\n"
#define OF_CIRCUIT "(65515, 1, 1)"
#define PREPEND "bgp_path.prepend(65520); bgp_path.prepend(65520);"

enum { LOCAL_PREF_FAR_SECOND = 90, LOCAL_PREF_EQUAL = 100, LOCAL_PREF_SECOND = 200000, LOCAL_PREF_FIRST = 300000 };

static const struct cfg_hub *
hub_of(const struct writing *x)
{
	return &x->c->wan.hubs[x->c->gateways[x->gateway].hub];
}

static uint32_t
local_pref(const struct writing *x, const struct gateway_session *s)
{
	enum cfg_hub_preference p = hub_of(x)->preference;
	bool first = (s->kind == SESSION_CIRCUIT) == (p == HUB_PREFERS_EXPRESS_ROUTE);

	if (p == HUB_PREFERS_AS_PATH)
		return LOCAL_PREF_EQUAL;
	return (first ? LOCAL_PREF_FIRST : LOCAL_PREF_SECOND) + x->c->connections[s->connection].routing_weight;
}

/* What branches are told: circuits the rest by another filter. */
static void
tell_write(const struct writing *x, uint8_t family, const char *name, bool circuit)
{
	int v = family == IP_V6 ? 6 : 4;

	fprintf(x->to, "filter %s%d {\n\tif proto = \"own%d\" then accept;\n", name, v, v);
	fprintf(x->to, "\tif proto = \"far%d\" then { " PREPEND " accept; }\n", v);
	if (!x->c->wan.wans[hub_of(x)->wan].branch_to_branch)
		fputs("\treject;\n", x->to);
	fprintf(x->to, "\tif source != RTS_BGP || net = %s then reject;\n", family == IP_V6 ? "::/0" : "0.0.0.0/0");
	bird_overlap_write(x, family);
	if (circuit)
		fputs("\tif " OF_CIRCUIT " ~ bgp_large_community then reject;\n", x->to);
	fputs("\t" OWN_COMMUNITIES "\taccept;\n}\n", x->to);
}

void
bird_hub_filters_write(const struct writing *x, uint8_t family)
{
	tell_write(x, family, "tell", false);
	tell_write(x, family, "circuit", true);
}

static void
from_branch_write(const struct writing *x, const struct gateway_session *s)
{
	fputs("\t\timport filter {\n\t\t\t" OWN_COMMUNITIES, x->to);
	if (s->kind == SESSION_CIRCUIT)
		fputs("\t\t\tbgp_large_community.add(" OF_CIRCUIT ");\n", x->to);
	fprintf(x->to, "\t\t\tbgp_local_pref = %u;\n", local_pref(x, s));
	bird_not_own_write(x, s->peer.family, "\t\t\t");
	fputs("\t\t\taccept;\n\t\t};\n", x->to);
}

static void
from_hub_write(const struct writing *x, const struct gateway_session *s)
{
	enum cfg_hub_preference p = hub_of(x)->preference;

	fputs("\t\timport filter {\n\t\t\t" PREPEND "\n", x->to);
	fprintf(x->to, "\t\t\tbgp_local_pref = %u;\n", LOCAL_PREF_EQUAL);
	if (p != HUB_PREFERS_AS_PATH)
		fprintf(x->to, "\t\t\tif %s" OF_CIRCUIT " ~ bgp_large_community%s then bgp_local_pref = %u;\n",
			p == HUB_PREFERS_VPN ? "" : "!(", p == HUB_PREFERS_VPN ? "" : ")", LOCAL_PREF_FAR_SECOND);
	bird_not_own_write(x, s->peer.family, "\t\t\t");
	fputs("\t\t\taccept;\n\t\t};\n", x->to);
}

static bool
reaches(const struct cfg_hub_routing *r, int32_t hub)
{
	for (uint32_t i = 0; i < r->n_to; i++)
		if (r->to[i].hub == hub)
			return true;
	return false;
}

/* But for a default route, and what propagates to none of the other's tables. */
static void
to_hub_write(const struct writing *x, const struct gateway_session *s)
{
	int32_t hub = x->c->gateways[s->beside].hub;
	struct gateway_session of;
	char name[BIRD_NAME_MAX];

	fputs("\t\texport filter {\n\t\t\tif source != RTS_BGP || net.len = 0 then reject;\n", x->to);
	for (uint32_t at = 0; bird_next_session(x, &at, &of);) {
		if (of.connection == CFG_NONE || reaches(x->c->connections[of.connection].hub_routing, hub))
			continue;
		bird_session_name(&of, name);
		fprintf(x->to, "\t\t\tif proto = \"%s\" then reject;\n", name);
	}
	fputs("\t\t\taccept;\n\t\t};\n", x->to);
}

void
bird_hub_policy_write(const struct writing *x, const struct gateway_session *s, int v)
{
	switch (s->kind) {
	case SESSION_TUNNEL:
		from_branch_write(x, s);
		fprintf(x->to, "\t\texport filter tell%d;\n", v);
		break;
	case SESSION_CIRCUIT:
		from_branch_write(x, s);
		fprintf(x->to, "\t\texport filter circuit%d;\n", v);
		break;
	case SESSION_HUB:
		from_hub_write(x, s);
		to_hub_write(x, s);
		break;
	case SESSION_COEXISTENCE: /* a hub has one gateway */
		break;
	}
}
