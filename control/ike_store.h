/* The IKE store: the SAs that charon negotiated, whose they are, and how each connection does.
 *
 * charon's plugin tells (protocol.h), the store keeps, ike_view.c publishes. An SA belongs to the peer that its if_id
 * names: a connection, or a gateway's point-to-site clients. An SA that was added is acknowledged when every worker
 * sees it, one that was deleted is freed when none does any more. Control thread.
 */
#pragma once

#include "control/ike_status.h"
#include "control/strongswan/protocol.h"
#include "control/world.h"

struct ike_store;
struct sa_store;

/* How answers and events reach the plugin (ike_link_send). */
typedef void ike_store_send(
	void *context, enum ike_message_type type, uint16_t result, uint64_t serial, const void *body, size_t size);
/* The plugin must go, and why (ike_link_refuse). */
typedef void ike_store_refuse(void *context, const char *why);

struct ike_store_tools {
	void *context;
	ike_store_send *send;
	ike_store_refuse *refuse;
	struct sa_store *marks;
	struct names *names;
	const char *appliance;
};

/* NULL: no memory. */
struct ike_store *ike_store_create(const struct ike_store_tools *tools);
/* No worker runs any more. */
void ike_store_free(struct ike_store *s);

/* A record that ike_link found sound. */
void ike_store_message(struct ike_store *s, const struct ike_header *h, const void *body);
/* The plugin is gone; SAs stay. */
void ike_store_gone(struct ike_store *s);
/* Is a charon there, and has it told of all it has? */
bool ike_store_synced(const struct ike_store *s);
/* This world is about to be published: whose tunnels are which. */
int ike_store_bind(struct ike_store *s, const struct world *w);
/* Lifetimes, reservations, leftovers of a charon that died; ten times a second. */
void ike_store_tick(struct ike_store *s, uint64_t now_ns);
void ike_store_sa_event(struct ike_store *s, const struct sa_event *e);
/* A packet found no SA: asks charon for one, if it set a trap for such packets. */
void ike_store_miss(struct ike_store *s, const struct tunnel_miss *m);
/* The connection of a tunnel's name id; NULL: it is not negotiated here. */
const char *ike_store_tunnel(const struct ike_store *s, uint32_t name);

/* ---- publishing ----------------------------------------------------------------------- */

/* Nothing was negotiated: a world's own view has all. */
bool ike_store_empty(const struct ike_store *s);
/* Goes up with every change of what ike_store_sas would say. */
uint64_t ike_store_change(const struct ike_store *s);
/* The bound world's tunnels and SAs given by hand, then all that was negotiated: as view_with_sas takes it. Valid until
 * the next call to the store. -ENOMEM. */
int ike_store_sas(struct ike_store *s, struct sas_spec *out);
/* All workers see `change`. */
void ike_store_seen(struct ike_store *s, uint64_t change);

/* ---- looking -------------------------------------------------------------------------- */

/* Since when a client has been there, and what its SAs before this one carried in this one's direction. */
struct ike_past {
	uint64_t since_ns, bytes, packets;
};

struct ike_sa_info {
	uint32_t name, tunnel; /* name ids */
	uint32_t spi, reqid;
	bool outbound, superseded, visible;
	uint8_t resource;
	const struct cfg_sa *config;  /* without keys */
	struct ip_addr local, remote; /* outer */
	const struct selector_spec *selector;
	uint32_t n_selectors;
	const struct sa *sa;
	uint64_t added_ns, soft_deadline_ns, hard_deadline_ns;
	const char *identity; /* the peer's, as IKE proved it */
	struct ike_past past; /* of a gateway's clients */
};

/* Was the inbound SA of this SPI negotiated on our charon's initiative? */
bool ike_store_initiated(const struct ike_store *s, uint32_t spi);
/* By connection's index in the bound world; NULL: it does not use IKE here. */
const struct ike_status *ike_store_connection(const struct ike_store *s, uint32_t connection);
const struct ike_status *ike_store_gateway(const struct ike_store *s, uint32_t gateway);
typedef void ike_store_look(void *context, const struct ike_sa_info *sa);
/* All SAs, or those of a connection or of a gateway's clients, the newest first. */
void ike_store_each(const struct ike_store *s, ike_store_look *each, void *context);
void ike_store_connection_each(const struct ike_store *s, uint32_t connection, ike_store_look *each, void *context);
void ike_store_gateway_each(const struct ike_store *s, uint32_t gateway, ike_store_look *each, void *context);
/* Alerts that belong to no connection, in no order: strangers, and peers before their configuration was chosen. */
const struct ike_fault_record *ike_store_strangers(const struct ike_store *s, uint32_t *n);
