/* What a view holds for ESP: the outer headers of each SA, and the UDP ports to look at. Builder. */
#include "dataplane/checksum.h"
#include "dataplane/esp.h"
#include "dataplane/sa.h"
#include "dataplane/view.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define OUTER_TTL 64

static void
udp_write(uint8_t *udp, const struct sa *sa)
{
	uint16_t source = rte_cpu_to_be_16(sa->udp_local_port), destination = rte_cpu_to_be_16(sa->udp_remote_port);

	memcpy(udp, &source, 2);
	memcpy(udp + 2, &destination, 2);
}

void
esp_outer_build(struct esp_outer *o, const struct ip_addr *local, const struct ip_addr *remote, const struct sa *sa)
{
	uint8_t protocol = sa->udp_encap ? IPPROTO_UDP : ESP_PROTOCOL;
	uint32_t spi = rte_cpu_to_be_32(sa->spi);

	memset(o, 0, sizeof(*o));
	if (local->family == IP_V6) {
		o->length = 40;
		o->bytes[0] = 0x60;
		o->bytes[6] = protocol;
		o->bytes[7] = OUTER_TTL;
		memcpy(o->bytes + 8, local->b, 16);
		memcpy(o->bytes + 24, remote->b, 16);
	} else {
		o->length = 20;
		o->bytes[8] = OUTER_TTL;
		o->bytes[9] = protocol;
		memcpy(o->bytes + 12, local->b, 4);
		memcpy(o->bytes + 16, remote->b, 4);
		o->sum = (uint16_t)~checksum_fold(checksum_add(0, o->bytes, 20));
	}

	if (sa->udp_encap) {
		udp_write(o->bytes + o->length, sa);
		o->length += ESP_UDP_SIZE;
	}
	memcpy(o->bytes + o->length, &spi, 4);
}

static int
port_add(struct view *v, uint16_t port)
{
	for (uint16_t i = 0; i < v->n_encap_ports; i++)
		if (v->encap_port[i] == port)
			return 0;
	if (v->n_encap_ports == ENCAP_PORTS_MAX)
		return -ENOSPC;
	v->encap_port[v->n_encap_ports++] = port;
	return 0;
}

int
esp_ports_build(struct view *v, const struct sas_spec *spec)
{
	int rc = 0;

	for (uint32_t i = 0; i < spec->n_sas && rc == 0; i++) {
		const struct sa *sa = spec->sa[i].sa;

		if (sa && !sa->outbound && sa->udp_encap && sa->udp_local_port != ESP_PORT)
			rc = port_add(v, sa->udp_local_port);
	}
	return rc;
}
