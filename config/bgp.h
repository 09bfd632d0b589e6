/* BGP in a configuration: of gateways, of connections, and of the appliance that runs it. Part of resource.h. */
#pragma once

#include "config/value.h"

#include <stdbool.h>
#include <stdint.h>

#define CFG_BGP_ASN 65515       /* of a gateway that does not say */
#define CFG_BGP_PASSWORD_MAX 81 /* Linux takes 80 bytes */

/* bgpSettings of a gateway or of a local network gateway. */
struct cfg_bgp {
	struct cfg_mark mark;
	bool given; /* it stood in the file, or config_check() filled it in for enableBgp */
	uint32_t asn;
	/* bgpPeeringAddress. By config_check() of a gateway with enableBgp never family 0: without one it is the
	 * last host of the first IPv4 prefix of its GatewaySubnet. */
	struct ip_addr address;
	struct cfg_prefixes custom; /* customBgpIpAddresses of all bgpPeeringAddresses: APIPA, /32 each */
	uint32_t peer_weight;       /* kept and printed, no meaning here */
};

/* One BGP session: a connection with enableBgp. */
struct cfg_bgp_session {
	uint16_t keepalive_s, hold_s;        /* 60 and 180 by default; RFC 4271 section 4.2 */
	uint32_t max_prefixes;               /* 4000 by default: more end the session */
	char password[CFG_BGP_PASSWORD_MAX]; /* TCP MD5, RFC 2385; printable, NUL behind it; config_wipe_bgp_passwords()
					      */
	uint16_t password_len;               /* stays when the password is wiped */
	char *password_file;                 /* as written, like a shared key's */
	bool bfd;                            /* false by default: the vendor has none */
	uint16_t bfd_interval_ms, bfd_multiplier; /* 300 and 3 by default */
};

enum cfg_bgp_daemon { BGP_DAEMON_MANAGED, BGP_DAEMON_EXTERNAL };

/* appliance.bgp: who speaks BGP. */
struct cfg_bgp_daemon_config {
	struct cfg_mark mark;
	enum cfg_bgp_daemon daemon; /* managed: bird, by isthmusd; external: the operator's (FRR, ip route) */
	char *bird;                 /* path of the program, default /usr/sbin/bird */
	char *run_dir;              /* its socket and files, default /run/isthmus */
};
