#include "control/bird_write.h"

void
bird_write_head(FILE *to, const struct ip_addr *id)
{
	struct ip_addr v4 = *id;
	char text[ADDRESS_TEXT_MAX];

	if (v4.family != IP_V4)
		v4 = address_from_v4(0xa9fe0000u | (uint32_t)(id->b[14] << 8 | id->b[15]));
	fputs("# Written by isthmusd: changes are lost.\nlog stderr { info, warning, error, auth, fatal, bug };\n", to);
	fprintf(to, "router id %s;\n", address_text(&v4, text, sizeof(text)));
	fputs("timeformat protocol iso long;\nprotocol device { scan time 10; }\nprotocol bfd { }\n", to);
}

void
bird_write_peer(FILE *to, const struct bird_peer *p)
{
	const struct cfg_bgp_session *set = p->settings;
	char text[ADDRESS_TEXT_MAX];

	fprintf(to, "protocol bgp %s {\n\tdescription \"%s\";\n", p->name, p->of);
	fprintf(to, "\tlocal %s as %u;\n", address_text(&p->local, text, sizeof(text)), p->local_asn);
	fprintf(to, "\tneighbor %s as %u;\n%s", address_text(&p->peer, text, sizeof(text)), p->peer_asn,
		p->multihop ? "\tmultihop;\n" : "");
	fprintf(to, "\thold time %u;\n\tkeepalive time %u;\n", set->hold_s, set->keepalive_s);
	fprintf(to, "\tconnect retry time %u;\n\tconnect delay time 1;\n\terror wait time %u, %u;\n", p->retry_s,
		p->wait_max_s < 2 ? p->wait_max_s : 2, p->wait_max_s);
	if (set->password_len)
		fprintf(to, "\tpassword \"%s\";\n", set->password);
	if (set->bfd)
		fprintf(to, "\tbfd { interval %u ms; multiplier %u; };\n", set->bfd_interval_ms, set->bfd_multiplier);
}
