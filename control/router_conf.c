/* A virtual address is told as soon as it is on an interface, and by which one says how good a way this node is: the
 * role moves an address, and nothing here changes. An external number of ours in the path counts for routers of
 * another autonomous system, the local preference for those of our own.
 *
 * Protocols: `vips` finds the addresses, each session is named by a hash of its router. kernel4 and kernel6 give the
 * kernel nothing: bird is asked by these names to look at its interfaces' routes again (bird.c).
 */
#include "control/router_conf.h"

#include "control/bird_write.h"
#include "control/text_hash.h"
#include "control/vip.h"

#include <stdlib.h>

#define LOCAL_PREF 100
#define RETRY_S 1 /* a session that BFD ended is wanted back before the next death */

void
router_session_name(const struct cfg_router *r, char name[BIRD_NAME_MAX])
{
	snprintf(name, BIRD_NAME_MAX, "r_%08x", text_hash(r->name));
}

static bool
set_write(FILE *to, const struct cfg_ha *ha, uint8_t family)
{
	char text[ADDRESS_TEXT_MAX];
	bool any = false;

	for (uint32_t i = 0; i < ha->addresses.n; i++)
		if (ha->addresses.p[i].addr.family == family) {
			fprintf(to, "%s%s", any ? ", " : "\tif proto != \"vips\" || net !~ [",
				prefix_text(&ha->addresses.p[i], text, sizeof(text)));
			any = true;
		}
	if (any)
		fputs("] then reject;\n", to);
	return any;
}

static void
level_write(FILE *to, const struct cfg_ha *ha, enum vip_level level)
{
	fprintf(to, "\tif ifname = \"%s\" then {\n\t\tbgp_local_pref = %u;\n", vip_interface[level],
		LOCAL_PREF - (unsigned)level);
	for (unsigned i = 0; i < ha->prepends * (unsigned)level; i++)
		fprintf(to, "\t\tbgp_path.prepend(%u);\n", ha->asn);
	fputs("\t\taccept;\n\t}\n", to);
}

static void
filter_write(FILE *to, const struct cfg_ha *ha, uint8_t family)
{
	fprintf(to, "filter tell%d {\n", family == IP_V6 ? 6 : 4);
	if (set_write(to, ha, family))
		for (int level = 0; level < VIP_LEVELS; level++)
			level_write(to, ha, (enum vip_level)level);
	fputs("\treject;\n}\n", to);
}

static void
router_write(FILE *to, const struct cfg_ha *ha, const struct cfg_router *r)
{
	char name[BIRD_NAME_MAX];
	struct bird_peer p = {.name = name,
		.of = r->name,
		.local = r->local,
		.peer = r->address,
		.local_asn = ha->asn,
		.peer_asn = r->asn,
		.retry_s = RETRY_S,
		.wait_max_s = RETRY_S,
		.settings = &r->bgp};
	int v = r->address.family == IP_V6 ? 6 : 4;

	router_session_name(r, name);
	bird_write_peer(to, &p);
	fprintf(to, "\tipv%d { import none; export filter tell%d; next hop self; };\n}\n", v, v);
}

/* The first IPv4 address that other nodes do not have; or what there is. A change of it would end sessions. */
static const struct ip_addr *
id_of(const struct cfg_appliance *a)
{
	for (uint32_t i = 0; i < a->n_uplinks; i++)
		for (uint32_t k = 0; k < a->uplinks[i].addresses.n; k++)
			if (a->uplinks[i].address[k].family == IP_V4 && a->uplinks[i].addresses.p[k].len < 32)
				return &a->uplinks[i].address[k];
	return &a->ha.routers[0].local;
}

static void
write_all(FILE *to, const struct cfg_appliance *a)
{
	const struct cfg_ha *ha = &a->ha;

	bird_write_head(to, id_of(a));
	fputs("protocol kernel kernel4 { ipv4 { import none; export none; }; }\n"
	      "protocol kernel kernel6 { ipv6 { import none; export none; }; }\n"
	      "protocol direct vips { ipv4; ipv6; interface \"vip-*\"; }\n",
		to);
	filter_write(to, ha, IP_V4);
	filter_write(to, ha, IP_V6);
	for (uint32_t i = 0; i < ha->n_routers; i++)
		router_write(to, ha, &ha->routers[i]);
}

char *
router_conf_make(const struct cfg_appliance *a)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		return NULL;
	write_all(to, a);
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}
