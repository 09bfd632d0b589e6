/* What the makers of vici's messages share. Internal to control/ike_*.c. */
#pragma once

#include "control/ike_conf.h"
#include "control/ike_id.h"

struct ike_build {
	const struct config *c;
	struct config_errors *errors;
	struct ike_conf *conf;
	struct ike_ids ids;
	bool no_memory, refused;
};

/* A new item at the end of the list, valid until the next one; NULL: no memory, remembered. */
struct ike_item *ike_item_add(struct ike_build *b, enum ike_kind kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* A child that the item's conn has. */
void ike_child_add(struct ike_build *b, struct ike_item *item, const char *name);
/* Remembers that the configuration cannot be used. */
void ike_refuse(struct ike_build *b, struct cfg_mark mark, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* ike_secret.c. The first three make items; the others add a list to the section that is open in m. */
void ike_shared_add(
	struct ike_build *b, const char *id, const char *type, const char *owner, const void *secret, size_t n);
void ike_private_key_add(struct ike_build *b, const char *path, struct cfg_mark mark);
/* The certificates behind the first of a file: authorities between ours and the one the peer trusts. */
void ike_chain_add(struct ike_build *b, const char *path, struct cfg_mark mark);
/* `certs`: the file's first. */
void ike_certs_add(struct ike_build *b, struct vici_message *m, const char *path, struct cfg_mark mark);
/* `cacerts`: all that the files hold. */
void ike_cacerts_add(
	struct ike_build *b, struct vici_message *m, const struct cfg_strings *paths, struct cfg_mark mark);
/* An item of the open list, from base64. */
void ike_base64_add(struct ike_build *b, struct vici_message *m, const char *text, struct cfg_mark mark);

/* ike_connection.c, ike_p2s.c: all items of a connection, of a gateway's point-to-site clients. */
void ike_connection_add(struct ike_build *b, uint32_t connection);
void ike_p2s_add(struct ike_build *b, uint32_t gateway);

/* The address is an uplink's here. */
bool ike_address_is_ours(const struct config *c, const struct ip_addr *a);
/* The address spaces that the VNet's gateway serves: its own (i = 0), and those of VNets that use it. NULL: no more. */
const struct cfg_prefixes *ike_served_space(const struct config *c, int32_t vnet, uint32_t i);
/* `dpd_delay`, `rekey_time`, ...: what every conn has. */
void ike_timing_add(struct vici_message *m, uint32_t dpd_s, uint32_t ike_life_s);
/* An item of a selectors' list. */
void ike_prefix_add(struct vici_message *m, const struct ip_prefix *p);
