#include "control/ike_status.h"

#include <string.h>

const char *
ike_fault_name(enum ike_fault f)
{
	static const char *const name[] = {
		[IKE_FAULT_OTHER] = "other",
		[IKE_FAULT_LOCAL_AUTH] = "refused by the peer",
		[IKE_FAULT_PEER_AUTH] = "authentication",
		[IKE_FAULT_ADDRESS] = "name without address",
		[IKE_FAULT_UNREACHABLE] = "unreachable",
		[IKE_FAULT_TIMEOUT] = "timeout",
		[IKE_FAULT_HALF_OPEN] = "half open",
		[IKE_FAULT_PROPOSAL_IKE] = "IKE proposal mismatch",
		[IKE_FAULT_PROPOSAL_CHILD] = "ESP proposal mismatch",
		[IKE_FAULT_SELECTORS] = "traffic selector mismatch",
		[IKE_FAULT_NARROWED] = "traffic selectors narrowed",
		[IKE_FAULT_INSTALL] = "installation",
		[IKE_FAULT_REPLACED] = "replaced",
		[IKE_FAULT_VIRTUAL_IP] = "virtual address",
		[IKE_FAULT_CERTIFICATE] = "certificate",
		[IKE_FAULT_MALFORMED] = "malformed message",
		[IKE_FAULT_DEAD_PEER] = "dead peer",
	};

	return (size_t)f < sizeof(name) / sizeof(*name) ? name[f] : name[IKE_FAULT_OTHER];
}

struct ip_addr
ike_address_ip(const struct ike_address *a)
{
	struct ip_addr ip = {0};

	if (a->family == 4 || a->family == 6)
		ip.family = a->family == 4 ? IP_V4 : IP_V6;
	memcpy(ip.b, a->b, a->family == 4 ? 4 : a->family == 6 ? 16 : 0);
	return ip;
}

void
ike_status_state(struct ike_status *t, const struct ike_state *n)
{
	/* the end of one that was replaced already */
	if (n->up == 0) {
		if (t->ike_unique == n->unique)
			t->ike_up = false;
		return;
	}
	if (n->up == 1 && t->ike_since)
		t->reconnected++;
	t->ike_up = true;
	t->ike_unique = n->unique;
	t->version = n->version;
	t->nat = n->nat;
	t->local = ike_address_ip(&n->local);
	t->remote = ike_address_ip(&n->remote);
	memcpy(t->local_id, n->local_id, sizeof(t->local_id));
	memcpy(t->remote_id, n->remote_id, sizeof(t->remote_id));
	memcpy(t->proposal, n->proposal, sizeof(t->proposal));
	t->ike_since = time(NULL);
}

void
ike_fault_note(struct ike_fault_record *f, const struct ike_alert *a, uint64_t now_ns)
{
	f->fault = a->fault < IKE_FAULT_COUNT ? a->fault : IKE_FAULT_OTHER;
	f->count++;
	f->last = time(NULL);
	f->last_ns = now_ns;
	f->remote = ike_address_ip(&a->remote);
	memcpy(f->text, a->text, sizeof(f->text));
	f->text[sizeof(f->text) - 1] = '\0';
}
