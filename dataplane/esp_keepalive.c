/* NAT keepalives: one byte to peers behind a NAT whose SA has been silent (RFC 3948 section 2.3).
 *
 * Control, from dataplane_poll. Looks at every path four times a second: a keepalive may be late
 * by a quarter of a second, which no NAT minds. It takes the way of any packet of our own.
 */
#include "dataplane/checksum.h"
#include "dataplane/esp.h"
#include "dataplane/sa.h"
#include "dataplane/state.h"

#include <string.h>

#define LOOK_NS 250000000u

/* The outer headers of the path, then the byte. */
static void
keepalive_write(uint8_t *ip, const struct esp_outer *o)
{
	uint16_t udp_size = rte_cpu_to_be_16(ESP_UDP_SIZE + 1), sum = 0;
	uint8_t *udp = ip + esp_outer_ip_length(o);

	memcpy(ip, o->bytes, o->length);
	memcpy(udp + 4, &udp_size, 2);
	udp[ESP_UDP_SIZE] = ESP_KEEPALIVE;
	if (esp_outer_ip_length(o) == 40) {
		memcpy(ip + 4, &udp_size, 2);
		sum = checksum_fold(checksum_add(
			checksum_pseudo_v6(ip + 8, ip + 24, ESP_UDP_SIZE + 1, ip[6]), udp, ESP_UDP_SIZE + 1));
		if (sum == 0)
			sum = 0xffff;
		memcpy(udp + 6, &sum, 2);
		return;
	}
	ip[0] = 0x45;
	ip[3] = (uint8_t)(o->length + 1);
	sum = checksum_fold(checksum_add(0, ip, 20));
	memcpy(ip + 10, &sum, 2);
}

static void
keepalive_send(struct dataplane *dp, const struct path *path)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(dp->pool);
	uint8_t *ip = m ? (uint8_t *)rte_pktmbuf_append(m, path->outer.length + 1) : NULL;

	if (!ip) {
		rte_pktmbuf_free(m);
		dp->drops[DROP_NO_BUFFER]++;
		return;
	}
	keepalive_write(ip, &path->outer);
	dataplane_send_packet(dp, path->outer.uplink, m, 0);
}

static bool
keepalive_due(const struct sa *sa, uint64_t now_tsc, uint64_t tsc_hz)
{
	uint64_t used = atomic_load_explicit(&sa->state->used_tsc, memory_order_relaxed);
	uint64_t last = RTE_MAX(used, sa->state->keepalive_tsc);

	return sa->keepalive_s != 0 && now_tsc - last >= sa->keepalive_s * tsc_hz && now_tsc > last;
}

void
esp_keepalives(struct dataplane *dp, uint64_t now_ns)
{
	uint64_t now_tsc = rte_rdtsc();

	if (now_ns < dp->keepalives_due_ns)
		return;
	dp->keepalives_due_ns = now_ns + LOOK_NS;
	/* A path that stands in several places is no longer due when it is met again. */
	for (uint32_t i = 0; i < dp->view->n_paths; i++) {
		const struct path *path = &dp->view->path_store[i];

		if (!keepalive_due(path->sa, now_tsc, dp->tsc_hz))
			continue;
		path->sa->state->keepalive_tsc = now_tsc;
		keepalive_send(dp, path);
	}
}
