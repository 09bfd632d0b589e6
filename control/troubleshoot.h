/* What is wrong with a connection, in the fault ids of the vendor's `az network watcher troubleshooting` where they
 * fit, told from what its IKE_SAs said. Any thread; pure.
 */
#pragma once

#include "control/connection.h"

#include <stddef.h>

struct diagnosis {
	const char *id;     /* the vendor's; AddressOverlap is ours */
	const char *reason; /* finer, ours; NULL: the id says all */
	const char *summary, *action;
};

extern const struct diagnosis diagnosis_none, diagnosis_not_here, diagnosis_link, diagnosis_service, diagnosis_overlap;
extern const struct diagnosis diagnosis_empty, diagnosis_down, diagnosis_cpu; /* of gateways */

/* Faults that still matter: of the connection since it came up last, and of strangers at the peer's address. The newest
 * first; at most `room`. */
size_t troubleshoot_evidence(const struct connection_state *s, const struct ike_fault_record *strangers, uint32_t n,
	const struct ike_fault_record **out, size_t room);
/* v1: by IKEv1, where different keys show as messages that make no sense. */
const struct diagnosis *troubleshoot_connection(
	const struct connection_state *s, bool v1, const struct ike_fault_record *const *evidence, size_t n);
