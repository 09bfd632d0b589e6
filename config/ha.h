/* High availability in a configuration: which of several appliances is primary. Part of resource.h. */
#pragma once

#include "config/bgp.h"
#include "config/value.h"

#include <stdbool.h>
#include <stdint.h>

#define CFG_NODE_KEY_MAX 256

enum cfg_lease_kind { LEASE_KIND_FILE, LEASE_KIND_ETCD, LEASE_KIND_STATIC };

/* appliance.highAvailability.lease */
struct cfg_lease {
	struct cfg_mark mark;
	bool given;
	enum cfg_lease_kind kind;
	char *path;                             /* file: its files are PATH.EPOCH */
	struct cfg_strings endpoints;           /* etcd: http://HOST:PORT or https:// each */
	char *key;                              /* etcd */
	char *ca_file, *certificate, *key_file; /* etcd by https: PEM */
	uint16_t duration_s;                    /* 2..60, default 15 */
	uint32_t margin_ms;                     /* default a tenth of the duration; a third at most */
};

/* One that is told where the virtual addresses are: a BGP speaker on an uplink's network. */
struct cfg_router {
	struct cfg_mark mark;
	char *name;
	struct ip_addr address; /* family 0: not given */
	uint32_t asn;           /* 0: not given */
	struct cfg_bgp_session bgp;
	struct ip_addr local; /* by config_check(): our address on its network */
};

/* The other node, by which address what is told it goes; appliance.highAvailability.peer */
struct cfg_node_peer {
	struct cfg_mark mark;
	bool given;
	struct ip_addr local, address; /* of one family */
	uint16_t port;                 /* TCP, of both; 4790 */
	char key[CFG_NODE_KEY_MAX];    /* printable, NUL behind it; config_wipe_node_key() */
	uint16_t key_len;              /* 32 at least; stays when the key is wiped */
	char *key_file;                /* as written */
};

struct cfg_ha {
	struct cfg_mark mark;
	bool given; /* it stood in the file: the rest has a meaning */
	char *node; /* default: the appliance's name */
	bool preferred;
	struct cfg_lease lease;
	struct cfg_prefixes addresses; /* virtualAddresses: hosts, each an address of an uplink */
	uint32_t asn;                  /* ours to the routers; 0: not given */
	uint8_t prepends;              /* of our number by a standby; 1..8, default 2 */
	struct cfg_router *routers;
	uint32_t n_routers;
	struct cfg_node_peer peer;
};
