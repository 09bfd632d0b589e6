/* What is damaged, forged or not agreed ends in one drop, by its name. */
#include "tests/unit/esp_check.h"

/* ---- every bit ---------------------------------------------------------------------- */

/* Flip each bit from the ESP header on. Numbers 100..107 were sealed, 104 opened: flips of the number give old, seen
 * or unknown ones. */
static void
flip_all(const struct cfg_sa *c)
{
	uint8_t inner[120], sealed[400], other[400];
	uint16_t size = 0, off = c->udp_encap ? 28 : 20;

	begin(c, false);
	esp_inner(inner, 90, false, 0, false);
	for (int i = 0; i < 104; i++)
		seal(inner, 90, other);
	size = seal(inner, 90, other);
	expect_opened(other, size, inner, 90); /* 105 */
	size = seal(inner, 90, sealed);        /* 106 */
	for (uint16_t bit = 0; bit < (size - off) * 8; bit++) {
		enum drop_reason reason = DROP_ESP_AUTHENTICATION;
		uint32_t number;

		memcpy(other, sealed, size);
		other[off + bit / 8] ^= 0x80 >> bit % 8;
		number = esp_sequence(other + off);
		if (bit < 32)
			reason = DROP_ESP_SPI_UNKNOWN;
		else if (bit < 64 && !c->esn && (number + 64 <= 105 || number == 105))
			reason = DROP_ESP_REPLAY;
		/* With ESN a number left of the window is one of the next 2^32. */
		else if (bit < 64 && c->esn && number == 105)
			reason = DROP_ESP_REPLAY;
		expect_refused(other, size, reason);
	}
	expect_opened(sealed, size, inner, 90);
	end();
}

static void
every_bit(void **unused)
{
	enum cfg_encryption e;
	enum cfg_integrity g;

	for (uint32_t kind = 0; esp_kind(kind, &e, &g); kind++) {
		struct cfg_sa c = esp_config(e, g);

		for (int variant = 0; variant < 4; variant++) {
			c.esn = variant & 1;
			c.udp_encap = variant & 2;
			flip_all(&c);
		}
	}
}

/* Cut anywhere, behind the IP header: named, never read past its end. */
static void
every_cut(void **unused)
{
	enum cfg_encryption e;
	enum cfg_integrity g;
	uint8_t inner[120], sealed[400], cut[400];

	for (uint32_t kind = 0; esp_kind(kind, &e, &g); kind++) {
		struct cfg_sa c = esp_config(e, g);
		uint16_t size, least;

		begin(&c, false);
		esp_inner(inner, 90, false, 0, false);
		size = seal(inner, 90, sealed);
		least = 20 + esp.in->header + esp.in->icv + 2;
		for (uint16_t n = 20; n < size; n++) {
			uint16_t sum, payload = n - 20 - esp.in->header - esp.in->icv;
			enum drop_reason reason = DROP_ESP_AUTHENTICATION;

			memcpy(cut, sealed, n);
			cut[2] = (uint8_t)(n >> 8);
			cut[3] = (uint8_t)n;
			cut[10] = cut[11] = 0;
			sum = rte_ipv4_cksum((const struct rte_ipv4_hdr *)cut);
			memcpy(cut + 10, &sum, 2);
			if (n < least)
				reason = DROP_ESP_TRUNCATED;
			else if (payload & esp.in->pad_mask)
				reason = DROP_ESP_LENGTH;
			expect_refused(cut, n, reason);
		}
		end();
	}
}

/* ---- packets that only a peer with the key can make ---------------------------------- */

/* An outer IPv4 packet around this payload (trailer included), sealed by the library beneath. */
static uint16_t
craft(const void *payload, uint16_t n, uint8_t *sealed)
{
	const struct sa *sa = esp.out;
	uint16_t size = 20 + sa->header + n + sa->icv, sum;
	uint64_t number = atomic_fetch_add(&sa->state->next, 1);
	uint32_t spi = rte_cpu_to_be_32(sa->spi), low = rte_cpu_to_be_32((uint32_t)number);
	struct crypto_op op = {.key = sa->key, .esp = sealed + 20, .sequence = number, .length = sa->header + n};

	memcpy(sealed, "\x45\x00\x00\x00\x00\x00\x00\x00\x40\x32\x00\x00", 12);
	sealed[2] = (uint8_t)(size >> 8);
	sealed[3] = (uint8_t)size;
	memcpy(sealed + 12, esp.inbound.remote.b, 4);
	memcpy(sealed + 16, esp.inbound.local.b, 4);
	sum = rte_ipv4_cksum((const struct rte_ipv4_hdr *)sealed);
	memcpy(sealed + 10, &sum, 2);
	memcpy(sealed + 20, &spi, 4);
	memcpy(sealed + 24, &low, 4);
	memcpy(sealed + 20 + sa->header, payload, n);
	crypto_seal(esp.w->crypto, &op, 1);
	return size;
}

/* Payload: an inner packet of n bytes, `between` zero bytes of TFC padding, a trailer of this padding. */
static uint16_t
payload_make(uint8_t *to, uint16_t n, uint16_t between, uint8_t padding, uint8_t next, bool v6)
{
	if (n)
		esp_inner(to, n, v6, 0, false);
	memset(to + n, 0, between);
	for (uint8_t i = 0; i < padding; i++)
		to[n + between + i] = i + 1;
	to[n + between + padding] = padding;
	to[n + between + padding + 1] = next;
	return n + between + padding + 2;
}

static void
trailers(void **unused)
{
	struct cfg_sa kinds[2] = {gcm(), esp_config(ENC_AES_CBC_256, INTEG_SHA512_256)};
	uint8_t payload[1024], inner[512], sealed[1200];
	uint16_t n, size;

	for (int k = 0; k < 2; k++) {
		begin(&kinds[k], false);
		esp_inner(inner, 100, false, 0, false);

		/* TFC padding (RFC 4303 section 2.7) and more padding than needed are fine */
		n = payload_make(payload, 100, 300, 14, 4, false);
		size = craft(payload, n, sealed);
		expect_opened(sealed, size, inner, 100);
		n = payload_make(payload, 100, 0, 250, 4, false);
		size = craft(payload, n, sealed);
		expect_opened(sealed, size, inner, 100);

		/* each padding byte is looked at */
		for (int i = 0; i < 250; i++) {
			n = payload_make(payload, 100, 0, 250, 4, false);
			payload[100 + i] ^= 1;
			size = craft(payload, n, sealed);
			expect_refused(sealed, size, DROP_ESP_PADDING);
		}
		/* more padding than payload; exactly all of it leaves nothing to parse */
		n = payload_make(payload, 0, 0, 46, 4, false);
		payload[46] = 47;
		size = craft(payload, n, sealed);
		expect_refused(sealed, size, DROP_ESP_PADDING);
		n = payload_make(payload, 0, 0, 46, 4, false);
		size = craft(payload, n, sealed);
		expect_refused(sealed, size, DROP_ESP_INNER);

		for (int next = 0; next < 256; next++) {
			n = payload_make(payload, 100, 0, 10, (uint8_t)next, false);
			size = craft(payload, n, sealed);
			if (next == 4)
				expect_opened(sealed, size, inner, 100);
			else if (next == 41)
				expect_refused(sealed, size, DROP_ESP_INNER); /* IPv4 inside */
			else
				expect_refused(sealed, size, next == 59 ? DROP_ESP_DUMMY : DROP_ESP_NEXT_HEADER);
		}
		end();
	}
}

static void
malformed_inner(void **unused)
{
	struct cfg_sa c = gcm();
	uint8_t payload[1024], sealed[1200];
	uint16_t n;

	begin(&c, false);
	n = payload_make(payload, 100, 0, 2, 4, false);
	payload[3] = 103; /* longer than what is there */
	expect_refused(sealed, craft(payload, n, sealed), DROP_ESP_INNER);
	payload_make(payload, 100, 0, 2, 4, false);
	payload[10] ^= 0x10; /* header checksum */
	expect_refused(sealed, craft(payload, n, sealed), DROP_ESP_INNER);
	payload_make(payload, 100, 0, 2, 4, false);
	payload[0] = 0x55;
	expect_refused(sealed, craft(payload, n, sealed), DROP_ESP_INNER);
	payload_make(payload, 100, 0, 2, 4, true); /* IPv6 in a packet that says IPv4 */
	expect_refused(sealed, craft(payload, n, sealed), DROP_ESP_INNER);
	payload_make(payload, 100, 0, 2, 41, true);
	assert_int_equal(open_bytes(sealed, craft(payload, n, sealed)), 1);
	end();
}

/* ---- UDP ---------------------------------------------------------------------------- */

/* An IPv4 UDP packet from the peer to our uplink. */
static uint16_t
udp_packet(uint8_t *to, uint16_t port, const void *data, uint16_t n)
{
	uint16_t sum, size = 28 + n;

	memcpy(to, "\x45\x00\x00\x00\x00\x00\x00\x00\x40\x11\x00\x00", 12);
	to[3] = (uint8_t)size;
	memcpy(to + 12, esp.inbound.remote.b, 4);
	memcpy(to + 16, esp.inbound.local.b, 4);
	sum = rte_ipv4_cksum((const struct rte_ipv4_hdr *)to);
	memcpy(to + 10, &sum, 2);
	memset(to + 20, 0, 8);
	to[20] = 0x11;
	to[21] = 0x94;
	to[22] = (uint8_t)(port >> 8);
	to[23] = (uint8_t)port;
	to[25] = (uint8_t)(8 + n);
	memcpy(to + 28, data, n);
	return size;
}

static void
udp_garbage(void **unused)
{
	struct cfg_sa c = gcm();
	uint8_t to[200];

	c.udp_encap = true;
	c.udp_remote_port = 4999; /* tunnel 1 listens there */
	begin(&c, false);
	for (int i = 0; i < 2; i++) {
		uint16_t port = i ? 4999 : 4500;

		expect_refused(to, udp_packet(to, port, "\xff", 1), DROP_ESP_KEEPALIVE);
		expect_refused(to, udp_packet(to, port, "\xfe", 1), DROP_ESP_TRUNCATED);
		expect_refused(to, udp_packet(to, port, "", 0), DROP_ESP_TRUNCATED);
		expect_refused(to, udp_packet(to, port, "\0\0\0", 3), DROP_ESP_TRUNCATED);
		expect_refused(to, udp_packet(to, port, "\0\0\1\0", 4), DROP_ESP_TRUNCATED);
		expect_refused(to, udp_packet(to, port, "\0\0\1\0abcdefghijkl", 16), DROP_ESP_SPI_UNKNOWN);
		/* IKE goes on to control */
		assert_int_equal(open_bytes(to, udp_packet(to, port, "\0\0\0\0abcdefghijkl", 16)), 1);
		assert_int_equal(packet(0)->iface, ESP_UPLINK);
		esp_burst_free();
		assert_int_equal(open_bytes(to, udp_packet(to, port, "\0\0\0\0", 4)), 1);
		esp_burst_free();
	}
	/* another port is nobody's here */
	assert_int_equal(open_bytes(to, udp_packet(to, 4998, "\0\0\1\0abcdefghijkl", 16)), 1);
	esp_burst_free();
	/* and so is another host */
	udp_packet(to, 4500, "\xff", 1);
	to[19] ^= 1;
	to[10] = to[11] = 0;
	{
		uint16_t sum = rte_ipv4_cksum((const struct rte_ipv4_hdr *)to);

		memcpy(to + 10, &sum, 2);
	}
	assert_int_equal(open_bytes(to, 29), 1);
	end();
}

static void
encapsulation_is_agreed(void **unused)
{
	struct cfg_sa c = gcm();
	uint8_t inner[100], sealed[300], moved[300];
	uint16_t size;

	esp_inner(inner, 80, false, 0, false);
	for (int udp = 0; udp < 2; udp++) {
		c.udp_encap = udp;
		begin(&c, false);
		esp.in->udp_encap = !udp;
		size = seal(inner, 80, sealed);
		expect_refused(sealed, size, DROP_ESP_ENCAPSULATION);
		end();
	}

	/* to 4500 where the SA has a port of its own */
	c.udp_remote_port = 4999;
	begin(&c, false);
	size = seal(inner, 80, sealed);
	memcpy(moved, sealed, size);
	moved[22] = 0x11;
	moved[23] = 0x94;
	expect_refused(moved, size, DROP_ESP_ENCAPSULATION);
	expect_opened(sealed, size, inner, 80);
	end();
}

static void
nat_moves(void **unused)
{
	struct cfg_sa c = gcm();
	uint8_t inner[100], sealed[300];
	struct event e;
	uint16_t size;

	esp_inner(inner, 80, false, 0, false);
	c.udp_encap = true;
	begin(&c, false);
	size = seal(inner, 80, sealed);
	expect_opened(sealed, size, inner, 80);
	expect_no_event();

	/* other source port: still opened, told once */
	for (int i = 0; i < 3; i++) {
		size = seal(inner, 80, sealed);
		sealed[20] = 0x30;
		sealed[21] = 0x39;
		expect_opened(sealed, size, inner, 80);
	}
	assert_true(esp_event(&e));
	assert_int_equal(e.class, SA_EVENT_REMOTE_PORT);
	assert_int_equal(e.remote_port, 12345);
	assert_true(address_equal(&e.address, &esp.inbound.remote));
	expect_no_event();

	/* not believed before it is authenticated */
	size = seal(inner, 80, sealed);
	sealed[20] = 0x40;
	sealed[size - 1] ^= 1;
	expect_refused(sealed, size, DROP_ESP_AUTHENTICATION);
	expect_no_event();
	end();

	/* without UDP another source is another SA's */
	c.udp_encap = false;
	begin(&c, false);
	size = seal(inner, 80, sealed);
	sealed[15] ^= 1;
	outer_tos(sealed, 0);
	expect_refused(sealed, size, DROP_ESP_SPI_UNKNOWN);
	end();
}

/* ---- what is not for us ------------------------------------------------------------- */

static void
not_ours(void **unused)
{
	struct cfg_sa c = gcm();
	uint8_t inner[100], sealed[300];
	uint16_t size;

	begin(&c, false);
	esp_inner(inner, 80, false, 0, false);
	size = seal(inner, 80, sealed);

	/* ESP through us, to somebody else, also with an SPI of ours */
	sealed[19] ^= 1;
	outer_tos(sealed, 0);
	assert_int_equal(open_bytes(sealed, size), 1);
	assert_int_equal(packet(0)->iface, ESP_UPLINK);
	esp_burst_free();

	/* ESP inside of a VNet is a host's */
	sealed[19] ^= 1;
	outer_tos(sealed, 0);
	esp_burst_clear();
	assert_true(esp_burst_add(sealed, size, ESP_GATEWAY, TUNNEL_NONE));
	esp_open(esp.w, &esp.burst);
	assert_int_equal(esp.burst.n, 1);
	assert_int_equal(packet(0)->iface, ESP_GATEWAY);
	end();
}

static int
start(void **unused)
{
	return test_eal_start("esp_refuse") || esp_world_start();
}

static int
stop(void **unused)
{
	esp_world_stop();
	test_eal_stop();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_bit),
		cmocka_unit_test(every_cut),
		cmocka_unit_test(trailers),
		cmocka_unit_test(malformed_inner),
		cmocka_unit_test(udp_garbage),
		cmocka_unit_test(encapsulation_is_agreed),
		cmocka_unit_test(nat_moves),
		cmocka_unit_test(not_ours),
	};

	return cmocka_run_group_tests_name("esp_refuse", tests, start, stop);
}
