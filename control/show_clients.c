/* vpn clients: who is connected to a gateway from point to site, in the words of the vendor's
 * vpnClientConnectionHealthDetail.
 */
#include "control/show_running.h"

#include "control/daemon.h"
#include "drivers/clock.h"

#include <string.h>

struct client_list {
	const char *gateway;
	json_t *by_client; /* rows by name and address */
};

static json_t *
row_new(const struct client_list *l, const struct ike_sa_info *i)
{
	uint64_t seconds = (clock_boot_ns() - i->past.since_ns) / 1000000000;
	json_t *o = json_object();
	char address[ADDRESS_TEXT_MAX];

	json_object_set_new(o, "virtualNetworkGateway", json_string(l->gateway));
	json_object_set_new(o, "vpnUserName", json_string(i->identity));
	json_object_set_new(o, "privateIpAddress", prefix_json(&i->selector[0].remote));
	address_text(&i->remote, address, sizeof address);
	json_object_set_new(o, "publicIpAddress",
		json_sprintf(i->remote.family == IP_V6 ? "[%s]:%u" : "%s:%u", address,
			i->config->udp_encap ? i->config->udp_remote_port : 500));
	json_object_set_new(o, "vpnConnectionTime", time_json(time(NULL) - (time_t)seconds));
	json_object_set_new(o, "vpnConnectionDuration", json_integer((json_int_t)seconds));
	return o;
}

static void
count(json_t *row, const char *key, uint64_t more)
{
	json_int_t n = json_integer_value(json_object_get(row, key));

	json_object_set_new(row, key, json_integer(n + (json_int_t)more));
}

static void
sa_take(void *context, const struct ike_sa_info *i)
{
	const struct client_list *l = context;
	char address[ADDRESS_TEXT_MAX], key[IKE_TEXT_MAX + sizeof address + 1];
	struct sa_counters c;
	json_t *row;

	if (i->n_selectors == 0)
		return;
	snprintf(key, sizeof key, "%s %s", prefix_text(&i->selector[0].remote, address, sizeof address), i->identity);
	row = json_object_get(l->by_client, key);
	if (!row) {
		row = row_new(l, i);
		json_object_set_new(l->by_client, key, row);
	}
	sa_counters_read(i->sa, &c);
	count(row, i->outbound ? "egressBytesTransferred" : "ingressBytesTransferred", c.bytes + i->past.bytes);
	count(row, i->outbound ? "egressPacketsTransferred" : "ingressPacketsTransferred", c.packets + i->past.packets);
}

static void
gateway_append(struct daemon *d, uint32_t gateway, json_t *list)
{
	struct client_list l = {d->world->config->gateways[gateway].name, json_object()};
	const char *key;
	json_t *row;

	ike_store_gateway_each(d->ike, gateway, sa_take, &l);
	json_object_foreach(l.by_client, key, row) json_array_append(list, row);
	json_decref(l.by_client);
}

json_t *
show_clients(struct daemon *d, const struct request *r, struct failure *f)
{
	const struct argument *only = request_argument(r, "gateway");
	const struct config *c = d->world->config;
	bool found = !only->given;
	json_t *list = json_array();

	for (uint32_t i = 0; i < c->n_gateways; i++) {
		if (only->given && strcmp(c->gateways[i].name, only->text) != 0)
			continue;
		found = true;
		gateway_append(d, i, list);
	}
	if (found)
		return list;
	json_decref(list);
	return failure_set(f, "NotFound", "there is no gateway \"%.200s\"", only->text);
}
