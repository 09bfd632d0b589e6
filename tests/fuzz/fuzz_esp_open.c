/* ESP opening under fuzz: bytes of a burst from the uplink, some sealed properly first.
 *
 * Input: a byte that picks algorithm, ESN and UDP; then packets, each of a mode byte, a length byte (times 8)
 * and content. Mode: raw bytes as an IP packet to us; bytes as ESP content behind sound outer headers;
 * bytes as the clear payload of a properly authenticated packet, so that what follows the ICV is reached too.
 * Whatever comes: each packet is left, opened into a sound inner packet, or dropped by one reason; no buffer is lost.
 */
#include "tests/unit/esp_world.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	if (test_eal_start("fuzz-esp-open") || esp_world_start())
		abort();
	return 0;
}

static void
check(bool holds)
{
	if (!holds)
		abort();
}

/* Sound outer IPv4 (and UDP) headers around an ESP packet of n bytes at outer + header. */
static uint16_t
wrap(uint8_t *outer, uint16_t n, bool udp)
{
	uint16_t total = (udp ? 28 : 20) + n, sum;

	memset(outer, 0, udp ? 28 : 20);
	outer[0] = 0x45;
	outer[2] = (uint8_t)(total >> 8);
	outer[3] = (uint8_t)total;
	outer[8] = 64;
	outer[9] = udp ? IPPROTO_UDP : ESP_PROTOCOL;
	memcpy(outer + 12, esp.inbound.remote.b, 4);
	memcpy(outer + 16, esp.inbound.local.b, 4);
	sum = rte_ipv4_cksum((const struct rte_ipv4_hdr *)outer);
	memcpy(outer + 10, &sum, 2);
	if (udp) {
		outer[20] = outer[22] = ESP_PORT >> 8;
		outer[21] = outer[23] = ESP_PORT & 0xff;
		outer[24] = (uint8_t)((n + 8) >> 8);
		outer[25] = (uint8_t)(n + 8);
	}
	return total;
}

/* An authenticated packet with this payload, trailer included; cut to whole blocks. */
static uint16_t
seal_payload(uint8_t *outer, const uint8_t *payload, uint16_t n)
{
	const struct sa *sa = esp.out;
	uint64_t number = atomic_fetch_add(&sa->state->next, 1);
	uint8_t *at = outer + (sa->udp_encap ? 28 : 20);
	uint32_t spi = rte_cpu_to_be_32(sa->spi), low = rte_cpu_to_be_32((uint32_t)number);
	struct crypto_op op = {.key = sa->key, .esp = at, .sequence = number};

	n &= ~(uint16_t)sa->pad_mask;
	if (n == 0)
		n = sa->pad_mask + 1;
	op.length = sa->header + n;
	memcpy(at, &spi, 4);
	memcpy(at + 4, &low, 4);
	memcpy(at + sa->header, payload, n);
	crypto_seal(esp.w->crypto, &op, 1);
	return wrap(outer, op.length + sa->icv, sa->udp_encap);
}

static void
packet_add(uint8_t mode, const uint8_t *content, uint16_t n)
{
	static uint8_t outer[4096], padded[2048];
	uint16_t size = n;

	memset(padded, 0, sizeof(padded));
	memcpy(padded, content, n);
	switch (mode % 3) {
	case 0:
		memcpy(outer, padded, n);
		break;
	case 1:
		memcpy(outer + (esp.out->udp_encap ? 28 : 20), padded, n);
		if (n >= 4 && (mode & 0x80))
			memcpy(outer + (esp.out->udp_encap ? 28 : 20), &(uint32_t){rte_cpu_to_be_32(esp.out->spi)}, 4);
		size = wrap(outer, n, esp.out->udp_encap);
		break;
	default:
		size = seal_payload(outer, padded, n);
		break;
	}
	if (size)
		esp_burst_add(outer, size, ESP_UPLINK, TUNNEL_NONE);
}

/* What is left in the burst is what it was, or sound and inside. */
static void
burst_check(uint16_t before)
{
	check(esp.burst.n + esp_drops() == before);
	for (uint16_t i = 0; i < esp.burst.n; i++) {
		struct packet *p = esp.burst.pkt[i], again = *p;
		struct rte_mbuf *m = p->m;

		check(p->l3 >= (uint8_t *)m->buf_addr && p->l3 + p->l3_len <= (uint8_t *)m->buf_addr + m->buf_len);
		if (!(p->flags & PKT_OPENED)) {
			check(p->iface == ESP_UPLINK);
			continue;
		}
		check(p->iface == ESP_GATEWAY && p->tunnel == 1);
		check(p->l3 == rte_pktmbuf_mtod(m, uint8_t *) && p->l3_len == m->data_len);
		check(parse_ip(&again, p->l3, p->l3_len) == PARSE_OK);
		check(again.l3_len == p->l3_len && again.tos == p->tos);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum cfg_encryption e;
	enum cfg_integrity g;
	struct cfg_sa c;
	size_t at = 1;

	if (size < 3)
		return 0;
	if (!esp_kind(data[0] % esp_kinds(), &e, &g))
		abort();
	c = esp_config(e, g);
	c.esn = data[0] & 0x20;
	c.udp_encap = data[0] & 0x40;
	if (esp_world_open(&c, "192.0.2.1", "198.51.100.2"))
		abort();

	esp_burst_clear();
	while (at + 2 <= size && esp.burst.used < BURST_MAX) {
		uint8_t mode = data[at];
		uint16_t n = RTE_MIN((size_t)data[at + 1] * 8, size - at - 2);

		packet_add(mode, data + at + 2, n);
		at += 2 + n;
	}
	{
		uint16_t before = esp.burst.n;

		esp_open(esp.w, &esp.burst);
		burst_check(before);
	}
	esp_burst_free();
	esp_world_close();
	check(rte_mempool_avail_count(esp.pool) == ESP_BUFFERS);
	return 0;
}
