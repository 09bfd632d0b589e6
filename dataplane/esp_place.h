/* Where ESP stands in a packet from outside: behind the IP header, or in UDP (RFC 3948). Worker. */
#pragma once

#include "dataplane/esp.h"
#include "dataplane/packet.h"
#include "dataplane/view.h"

#include <netinet/in.h>

struct esp_place {
	uint8_t *esp;
	uint16_t length;
	bool udp;
};

static inline bool
esp_port(const struct view *v, uint16_t port)
{
	if (port == ESP_PORT)
		return true;
	for (uint16_t i = 0; i < v->n_encap_ports; i++)
		if (v->encap_port[i] == port)
			return true;
	return false;
}

/* False: no ESP here. */
static inline bool
esp_locate(const struct view *v, const struct packet *p, struct esp_place *e)
{
	if (v->iface[p->iface].kind != IFACE_UPLINK || (p->flags & PKT_FRAGMENT))
		return false;
	e->esp = p->l3 + p->l4_off;
	e->length = p->l3_len - p->l4_off;
	e->udp = p->protocol == IPPROTO_UDP;
	if (likely(p->protocol == ESP_PROTOCOL))
		return true;
	if (!e->udp || !esp_port(v, p->destination_port))
		return false;

	/* parse() has checked that the UDP length fits; what is behind it is nobody's. */
	e->length = rte_be_to_cpu_16(*(const unaligned_uint16_t *)(e->esp + 4)) - ESP_UDP_SIZE;
	e->esp += ESP_UDP_SIZE;
	/* RFC 3948 section 2.2: IKE has four zero bytes where an SPI would be. */
	return e->length < 4 || esp_spi(e->esp) != 0;
}
