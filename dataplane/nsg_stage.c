/* The NSG stages: flows first, rules for what opens one.
 *
 * Worker only; verdict_nsg: any thread that keeps the view. An endpoint is the interface of a subnet
 * together with the NIC of the local end. Outbound the NIC's rules are asked before the subnet's, inbound after
 * them; both must allow, and an absent NSG allows. Flows are kept wherever an NSG applies in either direction: what a
 * direction without rules lets through must find the other direction's rules answered.
 */
#include "dataplane/flow.h"
#include "dataplane/nsg.h"
#include "dataplane/route.h"
#include "dataplane/verdict.h"
#include "dataplane/worker.h"

#include <netinet/in.h>

/* The packets of a burst on which an NSG has a say. */
struct asked {
	uint16_t n;
	bool traced; /* some of them */
	struct packet *pkt[BURST_MAX];
	const struct iface *endpoint[BURST_MAX];
	uint16_t end[BURST_MAX]; /* in the flow table's terms */
	struct flow_probe probe[BURST_MAX];
	uint8_t flow[BURST_MAX]; /* enum flow_result */
	uint8_t at[BURST_MAX];   /* place in the burst */
};

/* One that the rules decide about. */
struct check {
	const struct acl *acl[2]; /* in the order of evaluation, NULL: no NSG */
	struct nsg_key key;
	struct nsg_verdict verdict;
	bool had_nsg;
};

/* ---- who is the endpoint ------------------------------------------------------------------- */

static bool
filters(const struct iface *i)
{
	return i->kind == IFACE_SUBNET && (i->filter_in || i->filter_out);
}

/* NULL: no NSG has a say here. */
static const struct iface *
sender_endpoint(const struct view *v, const struct packet *p)
{
	const struct iface *i = &v->iface[p->iface & v->iface_mask];

	return filters(i) && !(p->flags & PKT_LOCAL) ? i : NULL;
}

static const struct iface *
receiver_endpoint(const struct view *v, const struct packet *p)
{
	const struct iface *i = &v->iface[p->out & v->iface_mask];
	uint8_t kind = v->hop[p->hop & v->hop_mask].kind;

	if (kind != HOP_SUBNET && kind != HOP_NEIGHBOUR)
		return NULL;
	return filters(i) && !(p->flags & PKT_LOCAL) ? i : NULL;
}

static const struct nic *
sender_nic(const struct worker *w, const struct iface *i, const struct packet *p)
{
	return p->flags & PKT_FORWARDED ? forwarder_of(w, i, p) : iface_nic(i, packet_family(p), packet_source(p));
}

static const struct nic *
receiver_nic(const struct view *v, const struct iface *i, const struct packet *p)
{
	const struct hop *h = &v->hop[p->hop & v->hop_mask];

	if (h->kind == HOP_NEIGHBOUR)
		return iface_nic(i, h->address.family, h->address.b);
	return iface_nic(i, packet_family(p), packet_destination(p));
}

/* What an NVA forwards has the NVA's rules, and flows apart from those of the addresses' own hosts. */
static uint16_t
flow_end(const struct view *v, const struct iface *endpoint, const struct packet *p, bool inbound)
{
	bool through = inbound ? v->hop[p->hop & v->hop_mask].kind == HOP_NEIGHBOUR : p->flags & PKT_FORWARDED;

	return endpoint->id | (through ? FLOW_THROUGH : 0);
}

/* ---- the rules ------------------------------------------------------------------------------ */

static void
choose_acls(const struct iface *i, const struct nic *nic, bool inbound, const struct acl *acl[2])
{
	const struct acl *of_nic = NULL;

	if (nic != NULL)
		of_nic = inbound ? nic->acl_in : nic->acl_out;
	acl[0] = inbound ? i->acl_in : of_nic;
	acl[1] = inbound ? of_nic : i->acl_out;
}

static uint8_t
tags_of(const struct iface *i, uint8_t family, const uint8_t *address)
{
	return i->tags != NULL ? tags_lookup(i->tags, family, address) : TAG_BIT_INTERNET;
}

/* Rules see no ports but those of transport protocols. */
static void
key_fill(struct nsg_key *k, const struct iface *i, uint8_t family, const uint8_t *source, const uint8_t *destination,
	uint8_t protocol, uint16_t source_port, uint16_t destination_port)
{
	bool icmp = protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;

	*k = (struct nsg_key){
		.family = family,
		.protocol = protocol,
		.source_tags = tags_of(i, family, source),
		.destination_tags = tags_of(i, family, destination),
		.source_port = icmp ? 0 : source_port,
		.destination_port = icmp ? 0 : destination_port,
	};
	memcpy(k->source, source, family == IP_V6 ? 16 : 4);
	memcpy(k->destination, destination, family == IP_V6 ? 16 : 4);
}

/* Those that have the first one's rules leave the `waiting`; the result is how many. */
static uint16_t
take_group(const struct check *check, int stage, uint64_t *waiting, uint16_t *member)
{
	const struct acl *acl = check[__builtin_ctzll(*waiting)].acl[stage];
	uint16_t n = 0;

	for (uint64_t left = *waiting; left != 0; left &= left - 1) {
		uint16_t i = (uint16_t)__builtin_ctzll(left);

		if (check[i].acl[stage] == acl)
			member[n++] = i;
	}
	for (uint16_t m = 0; m < n; m++)
		*waiting &= ~(1ull << member[m]);
	return n;
}

static void
ask_group(struct check *check, int stage, const uint16_t *member, uint16_t n)
{
	const struct nsg_key *key[BURST_MAX];
	struct nsg_verdict verdict[BURST_MAX];

	for (uint16_t m = 0; m < n; m++)
		key[m] = &check[member[m]].key;
	acl_verdicts(check[member[0]].acl[stage], key, n, verdict);
	for (uint16_t m = 0; m < n; m++) {
		check[member[m]].verdict = verdict[m];
		check[member[m]].had_nsg = true;
	}
}

/* Packets of one burst mostly share their rules: they are asked in groups. */
static void
ask(struct check *check, uint16_t n, int stage)
{
	uint16_t member[BURST_MAX];
	uint64_t waiting = 0;

	for (uint16_t i = 0; i < n; i++) {
		if (check[i].verdict.allow && check[i].acl[stage] != NULL)
			waiting |= 1ull << i;
	}
	while (waiting != 0) {
		uint16_t n_members = take_group(check, stage, &waiting, member);

		ask_group(check, stage, member, n_members);
	}
}

_Static_assert(BURST_MAX <= 64, "a bit for each packet");

static void
check_start(struct worker *w, struct check *c, const struct iface *endpoint, const struct packet *p, bool inbound)
{
	const struct nic *nic = inbound ? receiver_nic(w->view, endpoint, p) : sender_nic(w, endpoint, p);

	choose_acls(endpoint, nic, inbound, c->acl);
	c->verdict = (struct nsg_verdict){true, NAME_NONE};
	c->had_nsg = false;
	key_fill(&c->key, endpoint, packet_family(p), packet_source(p), packet_destination(p), p->protocol,
		p->source_port, p->destination_port);
}

/* ---- the stage -------------------------------------------------------------------------------- */

static void
gather(const struct worker *w, const struct burst *b, bool inbound, struct asked *a)
{
	const struct view *v = w->view;

	a->n = 0;
	a->traced = false;
	for (uint16_t i = 0; i < b->n; i++) {
		struct packet *p = b->pkt[i];
		const struct iface *endpoint = inbound ? receiver_endpoint(v, p) : sender_endpoint(v, p);

		if (endpoint == NULL) {
			TRACE(p, inbound ? STAGE_NSG_IN : STAGE_NSG_OUT, TRACE_NO_NSG, inbound ? p->out : p->iface,
				NAME_NONE, 0);
			continue;
		}
		a->traced |= p->flags & PKT_TRACED;
		a->pkt[a->n] = p;
		a->end[a->n] = flow_end(v, endpoint, p, inbound);
		a->endpoint[a->n] = endpoint;
		a->at[a->n++] = (uint8_t)i;
	}
	flow_prepare(w, a->probe, a->pkt, a->end, a->n, inbound);
}

/* Judge what no flow knows: check[k] is about the k-th packet that missed. */
static void
judge_misses(struct worker *w, const struct asked *a, bool inbound, struct check *check)
{
	uint16_t n = 0;

	for (uint16_t i = 0; i < a->n; i++) {
		if (a->flow[i] != FLOW_MISS)
			continue;
		check_start(w, &check[n], a->endpoint[i], a->pkt[i], inbound);
		n++;
	}
	ask(check, n, 0);
	ask(check, n, 1);
}

/* What missed may open a flow. True: stays in the burst. */
static bool
settle_miss(struct worker *w, const struct asked *a, uint16_t i, const struct check *c, bool inbound)
{
	const struct iface *endpoint = a->endpoint[i];
	struct packet *p = a->pkt[i];

	if (!c->verdict.allow) {
		drop_named(w, p, DROP_NSG_DENY, c->verdict.name);
		return false;
	}
	if (!flow_insert(w, &a->probe[i], p, inbound, endpoint->flow_timeout_s, c->verdict.name)) {
		drop_named(w, p, DROP_FLOW_TABLE_FULL, endpoint->name);
		return false;
	}
	TRACE(p, inbound ? STAGE_NSG_IN : STAGE_NSG_OUT, c->had_nsg ? TRACE_ALLOWED_BY_RULE : TRACE_NO_NSG,
		endpoint->id, c->verdict.name, 0);
	return true;
}

/* True: stays in the burst. */
static bool
settle_known(struct worker *w, const struct asked *a, uint16_t i, bool inbound)
{
	if (unlikely(a->flow[i] == FLOW_BAD_STATE)) {
		drop_named(w, a->pkt[i], DROP_FLOW_STATE, a->endpoint[i]->name);
		return false;
	}
	TRACE(a->pkt[i], inbound ? STAGE_NSG_IN : STAGE_NSG_OUT, TRACE_ALLOWED_BY_FLOW, a->endpoint[i]->id, NAME_NONE,
		0);
	return true;
}

/* Drop what may not pass, and close the gaps. */
static void
compact(struct worker *w, struct burst *b, const struct asked *a, const struct check *check, bool inbound)
{
	uint16_t kept = 0, next = 0, missed = 0;

	for (uint16_t i = 0; i < b->n; i++) {
		struct packet *p = b->pkt[i];
		bool stays = true;

		if (likely(next < a->n && a->at[next] == i)) {
			if (unlikely(a->flow[next] == FLOW_MISS))
				stays = settle_miss(w, a, next, &check[missed++], inbound);
			else
				stays = settle_known(w, a, next, inbound);
			next++;
		}
		if (likely(stays))
			b->pkt[kept++] = p;
	}
	b->n = kept;
}

static void
filter(struct worker *w, struct burst *b, bool inbound)
{
	struct check check[BURST_MAX];
	struct asked asked;
	uint16_t hits;

	gather(w, b, inbound, &asked);
	if (asked.n == 0)
		return;
	hits = flow_lookup(w, asked.probe, asked.pkt, asked.n, asked.flow);
	if (likely(hits == asked.n && !asked.traced))
		return; /* the burst stays as it is */
	judge_misses(w, &asked, inbound, check);
	compact(w, b, &asked, check, inbound);
}

void
nsg_out(struct worker *w, struct burst *b)
{
	filter(w, b, false);
}

void
nsg_in(struct worker *w, struct burst *b)
{
	filter(w, b, true);
}

/* ---- for tools ----------------------------------------------------------------------------------- */

void
verdict_nsg(const struct view *v, const struct verdict_packet *p, bool inbound, struct acl_verdict *out)
{
	const struct iface *i = &v->iface[p->iface & v->iface_mask];
	const struct acl *acl[2];
	struct nsg_key key;
	const struct ip_addr *own = inbound ? &p->destination : &p->source;

	*out = (struct acl_verdict){.allow = true, .rule_name = NAME_NONE};
	if (!filters(i))
		return;
	choose_acls(i, iface_nic(i, own->family, own->b), inbound, acl);
	key_fill(&key, i, p->source.family, p->source.b, p->destination.b, p->protocol, p->source_port,
		p->destination_port);
	for (int stage = 0; stage < 2 && out->allow; stage++) {
		struct nsg_verdict verdict;

		if (acl[stage] == NULL)
			continue;
		acl_verdicts(acl[stage], &(const struct nsg_key *){&key}, 1, &verdict);
		*out = (struct acl_verdict){.allow = verdict.allow, .rule_name = verdict.name, .had_nsg = true};
	}
}
