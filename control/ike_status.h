/* How a connection does: what its IKE_SAs said, and the last thing that went wrong of each kind. Control thread. */
#pragma once

#include "config/address.h"
#include "control/strongswan/protocol.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define IKE_FAULT_COUNT (IKE_FAULT_DEAD_PEER + 1)

/* One kind of fault of one peer. */
struct ike_fault_record {
	uint64_t count;
	time_t last;
	uint64_t last_ns; /* CLOCK_BOOTTIME; 0 = never */
	enum ike_fault fault;
	struct ip_addr remote;
	char text[256];
};

struct ike_status {
	bool ike_up;
	uint64_t ike_unique;
	uint32_t version, nat;
	struct ip_addr local, remote;
	char local_id[IKE_TEXT_MAX], remote_id[IKE_TEXT_MAX], proposal[IKE_TEXT_MAX];
	time_t ike_since,
		established;     /* established: when SAs of both directions were there the last time they came up */
	uint64_t established_ns; /* CLOCK_BOOTTIME of the same, 0 = never */
	uint64_t lost_ns;        /* when they went, 0 = they did not */
	uint64_t rekeyed, reconnected;
	time_t rekeyed_last;          /* of children, 0 = never */
	uint32_t inbound, outbound;   /* SAs now */
	uint64_t bytes_in, bytes_out; /* of SAs that are gone */
	uint64_t packets_in, packets_out;
	struct ike_fault_record fault[IKE_FAULT_COUNT];
};

const char *ike_fault_name(enum ike_fault f);
/* Notices of the plugin. */
void ike_status_state(struct ike_status *t, const struct ike_state *n);
void ike_fault_note(struct ike_fault_record *f, const struct ike_alert *a, uint64_t now_ns);
struct ip_addr ike_address_ip(const struct ike_address *a); /* family 0 when it has none */
