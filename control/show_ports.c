/* port list, port show. */
#include "control/show_running.h"

#include "control/daemon.h"
#include "drivers/port.h"

#include <string.h>

static json_t *
port_json(uint16_t port)
{
	const struct port_caps *caps = port_caps(port);
	struct port_stats s = {0};
	json_t *o = json_object();

	port_stats(port, &s);
	json_object_set_new(o, "name", json_string(port_name(port)));
	json_object_set_new(o, "driver", json_string(port_driver_name(port)));
	json_object_set_new(o, "link", json_string(port_link_up(port) ? "up" : "down"));
	json_object_set_new(o, "mbps", json_integer(port_link_mbps(port)));
	json_object_set_new(o, "mtu", json_integer(caps->mtu));
	json_object_set_new(o, "macAddress", mac_json(&caps->mac));
	json_object_set_new(o, "rxPackets", json_integer((json_int_t)s.rx_packets));
	json_object_set_new(o, "txPackets", json_integer((json_int_t)s.tx_packets));
	json_object_set_new(o, "rxBytes", json_integer((json_int_t)s.rx_bytes));
	json_object_set_new(o, "txBytes", json_integer((json_int_t)s.tx_bytes));
	json_object_set_new(o, "rxMissed", json_integer((json_int_t)s.rx_missed));
	json_object_set_new(o, "rxErrors", json_integer((json_int_t)s.rx_errors));
	json_object_set_new(o, "txErrors", json_integer((json_int_t)s.tx_errors));
	json_object_set_new(o, "rxNoBuffer", json_integer((json_int_t)s.rx_nombuf));
	return o;
}

/* Subnets and uplinks on it. */
static json_t *
attached_json(const struct daemon *d, uint16_t port)
{
	const struct view_spec *spec = &d->world->spec;
	json_t *list = json_array();

	for (uint32_t i = 1; i < spec->n_ifaces; i++) {
		const struct iface_spec *f = &spec->iface[i];
		json_t *o, *addresses;

		if (f->kind == IFACE_INVALID || f->kind == IFACE_GATEWAY || f->port != port)
			continue;
		addresses = json_array();
		for (uint16_t a = 0; a < f->n_prefixes; a++)
			json_array_append_new(addresses, address_json(&f->address[a]));
		o = json_object();
		json_object_set_new(o, "interface", name_json(d->names, f->name));
		json_object_set_new(o, "vlan", json_integer(f->vlan));
		json_object_set_new(o, "mtu", json_integer(f->mtu));
		json_object_set_new(o, "addresses", addresses);
		json_array_append_new(list, o);
	}
	return list;
}

json_t *
show_ports(struct daemon *d, const struct request *r, struct failure *f)
{
	json_t *list = json_array();

	(void)d;
	(void)r;
	(void)f;
	for (uint16_t port = 0; port < ports_count(); port++)
		json_array_append_new(list, port_json(port));
	return list;
}

json_t *
show_port(struct daemon *d, const struct request *r, struct failure *f)
{
	const char *name = request_argument(r, "name")->text;
	const struct port_caps *caps;
	uint16_t port = 0;
	json_t *o;

	while (port < ports_count() && strcmp(port_name(port), name) != 0)
		port++;
	if (port == ports_count())
		return failure_set(f, "NotFound", "there is no port \"%.200s\"", name);

	caps = port_caps(port);
	o = port_json(port);
	json_object_set_new(o, "rxQueues", json_integer(caps->rx_queues));
	json_object_set_new(o, "txQueues", json_integer(caps->tx_queues));
	json_object_set_new(o, "rss", json_string(caps->rss ? "hardware" : "software"));
	json_object_set_new(o, "rxChecksum", json_string(caps->rx_ip_checksum ? "hardware" : "software"));
	json_object_set_new(o, "attached", attached_json(d, port));
	return o;
}
