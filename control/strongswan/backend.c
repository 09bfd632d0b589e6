/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * isthmusd as charon's kernel: kernel_ipsec_t. charon's threads, several at once.
 *
 * What the dataplane does not do is refused here, with the option that asked for it, and never left out silently.
 */
#include "control/strongswan/backend.h"

#include "control/strongswan/compat.h"
#include "control/strongswan/wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static struct requests *requests;

static kernel_feature_t
get_features(kernel_ipsec_t *this)
{
	return KERNEL_ESP_V3_TFC | KERNEL_NO_POLICY_UPDATES;
}

static status_t
refused(const char *what)
{
	DBG1(DBG_KNL, "isthmus: %s is not supported", what);
	return NOT_SUPPORTED;
}

/* Says what went wrong. */
static status_t
outcome(int error, const char *what, uint32_t spi)
{
	if (!error)
		return SUCCESS;
	DBG1(DBG_KNL, "isthmus: %s (SPI %08x) failed: %s", what, spi, strerror(-error));
	return error == -ENOENT ? NOT_FOUND : FAILED;
}

static status_t
get_spi(kernel_ipsec_t *this, host_t *source, host_t *destination, uint8_t protocol, uint32_t *spi)
{
	struct ike_spi_get get;
	uint32_t number;
	status_t status;

	if (protocol != IPPROTO_ESP)
		return refused("AH");
	wire_from_host(&get.source, source, false);
	wire_from_host(&get.destination, destination, false);
	status = outcome(requests_spi(requests, &get, &number), "getting an SPI", 0);
	if (status == SUCCESS)
		*spi = htonl(number);
	return status;
}

static status_t
get_cpi(kernel_ipsec_t *this, host_t *source, host_t *destination, uint16_t *cpi)
{
	return refused("compression (ipcomp)");
}

static void
fill_id(struct ike_sa_id *to, const kernel_ipsec_sa_id_t *id, bool with_ports)
{
	memset(to, 0, sizeof(*to));
	to->spi = ntohl(id->spi);
	to->if_id = id->if_id;
	wire_from_host(&to->source, id->src, with_ports);
	wire_from_host(&to->destination, id->dst, with_ports);
}

/* What keeps an SA from being installed; NULL when nothing does. */
static const char *
beyond(const kernel_ipsec_sa_id_t *id, const kernel_ipsec_add_sa_t *data)
{
	if (id->proto != IPPROTO_ESP)
		return "AH";
	if (data->mode != MODE_TUNNEL)
		return "another mode than tunnel";
	if (data->ipcomp != IPCOMP_NONE)
		return "compression (ipcomp)";
	if (data->tfc)
		return "padding of packets (tfc_padding)";
	if (id->mark.value || data->mark.value)
		return "a mark (mark_in, mark_out, set_mark_in, set_mark_out)";
	if (data->interface)
		return "a network interface (interface)";
	if (data->label)
		return "a security label (label)";
	if (data->hw_offload == HW_OFFLOAD_YES)
		return "offload to the kernel's device (hw_offload = yes)";
	if (data->enc_key.len > IKE_KEY_MAX || data->int_key.len > IKE_KEY_MAX)
		return "so long a key";
	if (data->src_ts->get_count(data->src_ts) > IKE_SELECTORS_MAX ||
		data->dst_ts->get_count(data->dst_ts) > IKE_SELECTORS_MAX)
		return "so long a list of traffic selectors";
	return compat_sa_beyond(data);
}

static void
fill_flags(struct ike_sa_add *add, const kernel_ipsec_add_sa_t *data)
{
	add->flags = (data->inbound ? IKE_INBOUND : 0) | (data->encap ? IKE_ENCAP : 0) | (data->esn ? IKE_ESN : 0) |
		     (data->copy_df ? IKE_COPY_DF : 0) | (data->copy_ecn ? IKE_COPY_ECN : 0) |
		     (data->copy_dscp == DSCP_COPY_OUT_ONLY || data->copy_dscp == DSCP_COPY_YES ? IKE_COPY_DSCP : 0) |
		     (data->initiator ? IKE_INITIATOR : 0);
}

static uint64_t
deadline(uint64_t now, uint64_t seconds)
{
	return seconds ? now + seconds * 1000000000 : 0;
}

static void
fill_lifetimes(struct ike_sa_add *add, const lifetime_cfg_t *l)
{
	uint64_t now = wire_now();

	add->soft_deadline_ns = deadline(now, l->time.rekey);
	add->hard_deadline_ns = deadline(now, l->time.life);
	add->soft_bytes = l->bytes.rekey;
	add->hard_bytes = l->bytes.life;
	add->soft_packets = l->packets.rekey;
	add->hard_packets = l->packets.life;
}

static void
fill_keys(struct ike_sa_add *add, const kernel_ipsec_add_sa_t *data)
{
	add->encryption = data->enc_alg;
	add->integrity = data->int_alg;
	add->encryption_key_length = (uint16_t)data->enc_key.len;
	add->integrity_key_length = (uint16_t)data->int_key.len;
	if (data->enc_key.len)
		memcpy(add->encryption_key, data->enc_key.ptr, data->enc_key.len);
	if (data->int_key.len)
		memcpy(add->integrity_key, data->int_key.ptr, data->int_key.len);
}

/* Whose SA it is: the IKE_SA that the calling thread works for. */
static void
fill_peer(struct ike_sa_add *add)
{
	ike_sa_t *ike_sa = charon->bus->get_sa(charon->bus);

	if (!ike_sa)
		return;
	add->ike_unique = ike_sa->get_unique_id(ike_sa);
	wire_text(add->ike_name, sizeof(add->ike_name), "%s", ike_sa->get_name(ike_sa));
	wire_text(add->peer, sizeof(add->peer), "%Y", ike_sa->get_other_id(ike_sa));
}

static uint16_t
fill_selectors(struct ike_selector *to, linked_list_t *list)
{
	enumerator_t *e = list->create_enumerator(list);
	traffic_selector_t *ts;
	uint16_t n = 0;

	while (e->enumerate(e, &ts))
		wire_from_selector(&to[n++], ts);
	e->destroy(e);
	return n;
}

static status_t
add_sa(kernel_ipsec_t *this, kernel_ipsec_sa_id_t *id, kernel_ipsec_add_sa_t *data)
{
	struct ike_selector selectors[2 * IKE_SELECTORS_MAX];
	const char *what = beyond(id, data);
	struct ike_sa_add add = {0};
	int error;

	if (what)
		return refused(what);
	fill_id(&add.id, id, data->encap);
	add.reqid = data->reqid;
	fill_flags(&add, data);
	fill_keys(&add, data);
	add.replay_window = data->replay_window;
	fill_lifetimes(&add, data->lifetime);
	fill_peer(&add);
	add.n_source = fill_selectors(selectors, data->src_ts);
	add.n_destination = fill_selectors(&selectors[add.n_source], data->dst_ts);

	error = requests_sa_add(requests, &add, selectors);
	explicit_bzero(add.encryption_key, sizeof(add.encryption_key));
	explicit_bzero(add.integrity_key, sizeof(add.integrity_key));
	return outcome(error, data->inbound ? "adding an inbound SA" : "adding an outbound SA", add.id.spi);
}

static status_t
update_sa(kernel_ipsec_t *this, kernel_ipsec_sa_id_t *id, kernel_ipsec_update_sa_t *data)
{
	struct ike_sa_update update = {.new_reqid = data->new_reqid, .encap = data->new_encap};

	fill_id(&update.id, id, data->encap);
	wire_from_host(&update.new_source, data->new_src, data->new_encap);
	wire_from_host(&update.new_destination, data->new_dst, data->new_encap);
	return outcome(requests_sa_update(requests, &update), "moving an SA", update.id.spi);
}

/* charon's clock stands still while the machine sleeps, isthmusd's does not. */
static time_t
to_monotonic(uint64_t boottime_ns)
{
	uint64_t ago = wire_now() - boottime_ns;
	time_t now = time_monotonic(NULL);

	return now - (time_t)(ago / 1000000000);
}

static status_t
query_sa(kernel_ipsec_t *this, kernel_ipsec_sa_id_t *id, kernel_ipsec_query_sa_t *data, uint64_t *bytes,
	uint64_t *packets, time_t *time)
{
	struct ike_sa_answer answer;
	struct ike_sa_id wanted;
	int error;

	fill_id(&wanted, id, false);
	error = requests_sa_query(requests, &wanted, &answer);
	if (error == -ENOTCONN)
		return FAILED;
	if (error)
		return outcome(error, "asking for counters", wanted.spi);
	*bytes = answer.bytes;
	*packets = answer.packets;
	*time = answer.last_used_ns ? to_monotonic(answer.last_used_ns) : 0;
	return SUCCESS;
}

static status_t
del_sa(kernel_ipsec_t *this, kernel_ipsec_sa_id_t *id, kernel_ipsec_del_sa_t *data)
{
	struct ike_sa_id wanted;

	if (id->proto != IPPROTO_ESP)
		return refused("AH");
	fill_id(&wanted, id, false);
	requests_sa_delete(requests, &wanted);
	return SUCCESS;
}

static status_t
flush_sas(kernel_ipsec_t *this)
{
	requests_sa_flush(requests);
	return SUCCESS;
}

static const char *
policy_beyond(const kernel_ipsec_policy_id_t *id, const kernel_ipsec_manage_policy_t *data)
{
	if (data->type == POLICY_IPSEC && data->sa->ah.use)
		return "AH";
	if (data->type == POLICY_IPSEC && data->sa->mode != MODE_TUNNEL)
		return "another mode than tunnel";
	if (id->mark.value)
		return "a mark (mark_in, mark_out)";
	if (id->interface)
		return "a network interface (interface)";
	if (id->label)
		return "a security label (label)";
	return NULL;
}

static void
fill_policy(struct ike_policy *to, const kernel_ipsec_policy_id_t *id, const kernel_ipsec_manage_policy_t *data)
{
	memset(to, 0, sizeof(*to));
	to->dir = id->dir == POLICY_IN ? IKE_POLICY_IN : id->dir == POLICY_OUT ? IKE_POLICY_OUT : IKE_POLICY_FWD;
	to->type = data->type == POLICY_IPSEC  ? IKE_POLICY_IPSEC
		   : data->type == POLICY_PASS ? IKE_POLICY_PASS
					       : IKE_POLICY_DROP;
	to->priority = data->manual_prio ? data->manual_prio : data->prio;
	to->if_id = id->if_id;
	if (data->type == POLICY_IPSEC) {
		to->reqid = data->sa->reqid;
		to->spi = ntohl(data->sa->esp.spi);
		to->trap = to->spi == 0;
	}
	wire_from_selector(&to->source, id->src_ts);
	wire_from_selector(&to->destination, id->dst_ts);
}

static status_t
add_policy(kernel_ipsec_t *this, kernel_ipsec_policy_id_t *id, kernel_ipsec_manage_policy_t *data)
{
	const char *what = policy_beyond(id, data);
	struct ike_policy policy;

	if (what)
		return refused(what);
	fill_policy(&policy, id, data);
	return outcome(requests_policy_add(requests, &policy), "adding a policy", policy.spi);
}

static status_t
query_policy(kernel_ipsec_t *this, kernel_ipsec_policy_id_t *id, kernel_ipsec_query_policy_t *data, time_t *use_time)
{
	return NOT_SUPPORTED;
}

static status_t
del_policy(kernel_ipsec_t *this, kernel_ipsec_policy_id_t *id, kernel_ipsec_manage_policy_t *data)
{
	struct ike_policy policy;

	if (policy_beyond(id, data))
		return NOT_FOUND;
	fill_policy(&policy, id, data);
	requests_policy_delete(requests, &policy);
	return SUCCESS;
}

static status_t
flush_policies(kernel_ipsec_t *this)
{
	requests_policy_flush(requests);
	return SUCCESS;
}

/* No packet of the control namespace is anybody's to encrypt, and ESP in UDP never gets there. */
static bool
bypass_socket(kernel_ipsec_t *this, int fd, int family)
{
	return true;
}

static bool
enable_udp_decap(kernel_ipsec_t *this, int fd, int family, uint16_t port)
{
	return true;
}

static void
destroy(kernel_ipsec_t *this)
{
	free(this);
}

void
backend_use(struct requests *r)
{
	requests = r;
}

kernel_ipsec_t *
backend_create(void)
{
	kernel_ipsec_t *this = calloc(1, sizeof(*this));

	if (this)
		*this = (kernel_ipsec_t){
			.get_features = get_features,
			.get_spi = get_spi,
			.get_cpi = get_cpi,
			.add_sa = add_sa,
			.update_sa = update_sa,
			.query_sa = query_sa,
			.del_sa = del_sa,
			.flush_sas = flush_sas,
			.add_policy = add_policy,
			.query_policy = query_policy,
			.del_policy = del_policy,
			.flush_policies = flush_policies,
			.bypass_socket = bypass_socket,
			.enable_udp_decap = enable_udp_decap,
			.destroy = destroy,
		};
	return this;
}
