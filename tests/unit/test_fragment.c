/* Fragments, beside a dumb reassembler: passed with their first one's ports, made whole, split. */
#include "tests/unit/worker_stub.h"

#include "dataplane/checksum.h"
#include "dataplane/fragment.h"

#include <rte_random.h>

#include <netinet/in.h>
#include <stdlib.h>

#define TIMEOUT 1000000
#define HEAD 18 /* of the link, before each packet */
#define PACKETS 256

/* A datagram: its IP header (IPv6: with its fragment header) and what is to be cut. */
struct whole {
	bool v6;
	uint16_t header; /* without the fragment header */
	uint16_t size;
	uint32_t id;
	uint8_t protocol;
	uint8_t d[9000];
};

struct cut {
	uint16_t start, size;
	bool more;
};

static struct worker *w;
static struct burst b;

static void
start(uint32_t packets)
{
	w = stub_worker_start();
	w->fragments = fragment_table_create(packets, TIMEOUT);
	assert_non_null(w->fragments);
	stub_iface[1] = (struct iface){.kind = IFACE_SUBNET};
	stub_iface[2] = (struct iface){.kind = IFACE_UPLINK, .n_prefixes = 2};
	address_parse("192.0.2.1", &stub_iface[2].address[0]);
	address_parse("2001:db8::1", &stub_iface[2].address[1]);
	b.n = b.used = 0;
}

static void
stop(void)
{
	fragment_table_free(w->fragments);
	stub_worker_stop(w);
}

static void
make_whole(struct whole *p, bool v6, uint8_t protocol, uint16_t size, uint32_t id)
{
	memset(p, 0, sizeof(*p));
	p->v6 = v6;
	p->id = id;
	p->size = size;
	p->protocol = protocol;
	p->header = v6 ? 40 : 20;
	for (uint16_t i = 0; i < size; i++)
		p->d[p->header + i] = (uint8_t)rte_rand();
	if (v6) {
		p->d[0] = 0x60;
		p->d[6] = protocol;
		p->d[7] = 64;
		memcpy(p->d + 8, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x09", 16);
		memcpy(p->d + 24, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
	} else {
		p->d[0] = 0x45;
		p->d[8] = 64;
		p->d[9] = protocol;
		memcpy(p->d + 12, "\xc0\0\x02\x09\xc0\0\x02\x01", 8);
	}
	if (protocol == IPPROTO_UDP) { /* no IKE, and a length that parse() takes */
		p->d[p->header + 2] = 0x40;
		p->d[p->header + 4] = 0x7f;
		p->d[p->header + 5] = 0xff;
	}
	if (protocol == IPPROTO_TCP)
		p->d[p->header + 12] = 0x50;
}

/* One fragment, as it comes from the wire. */
static struct rte_mbuf *
fragment(const struct whole *p, struct cut c)
{
	uint16_t header = p->header + (p->v6 ? 8 : 0), total = header + c.size, sum;
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);
	uint8_t *d;

	assert_non_null(m);
	d = (uint8_t *)rte_pktmbuf_append(m, HEAD + total) + HEAD;
	memcpy(d, p->d, p->header);
	memcpy(d + header, p->d + p->header + c.start, c.size);
	if (p->v6) {
		uint8_t *h = d + p->header;

		d[4] = (uint8_t)((total - 40) >> 8);
		d[5] = (uint8_t)(total - 40);
		d[6] = IPPROTO_FRAGMENT;
		memset(h, 0, 8);
		h[0] = p->protocol;
		h[2] = (uint8_t)(c.start >> 8);
		h[3] = (uint8_t)((c.start & 0xf8) | c.more);
		h[6] = (uint8_t)(p->id >> 8);
		h[7] = (uint8_t)p->id;
	} else {
		d[2] = (uint8_t)(total >> 8);
		d[3] = (uint8_t)total;
		d[4] = (uint8_t)(p->id >> 8);
		d[5] = (uint8_t)p->id;
		d[6] = (uint8_t)(c.start / 8 >> 8 | (c.more ? 0x20 : 0));
		d[7] = (uint8_t)(c.start / 8);
		sum = checksum(d, 20);
		memcpy(d + 10, &sum, 2);
	}
	return m;
}

/* Into the burst, parsed; false: parse() refused it, it is gone. */
static bool
add(uint16_t iface, struct rte_mbuf *m)
{
	struct packet *p = &b.slot[b.used++];

	memset(p, 0, sizeof(*p));
	p->m = m;
	p->iface = iface;
	p->tunnel = TUNNEL_NONE;
	if (parse_ip(p, rte_pktmbuf_mtod_offset(m, uint8_t *, HEAD), m->data_len - HEAD) != PARSE_OK) {
		rte_pktmbuf_free(m);
		return false;
	}
	b.pkt[b.n++] = p;
	return true;
}

static void
finish_burst(void)
{
	for (uint16_t i = 0; i < b.n; i++)
		rte_pktmbuf_free(b.pkt[i]->m);
	b.n = b.used = 0;
}

/* How many come out of a burst of one. */
static uint16_t
pass_one(const struct whole *p, uint16_t from, uint16_t size, bool more)
{
	uint16_t n;

	add(1, fragment(p, (struct cut){from, size, more}));
	fragments_virtual(w, &b);
	n = b.n;
	finish_burst();
	return n;
}

static uint64_t
drops(enum drop_reason r)
{
	return w->drops[r];
}

/* ---- virtual reassembly --------------------------------------------------------------------------- */

static void
ports_are_remembered(void **unused)
{
	static struct whole p;

	for (int v6 = 0; v6 < 2; v6++) {
		start(64);
		make_whole(&p, v6, IPPROTO_UDP, 3000, 7);
		add(1, fragment(&p, (struct cut){1480, 1480, true}));
		fragments_virtual(w, &b);
		assert_int_equal(b.n, 0);
		b.used = 0;
		add(1, fragment(&p, (struct cut){0, 1480, true}));
		fragments_virtual(w, &b);
		assert_int_equal(b.n, 2);
		for (int i = 0; i < 2; i++) {
			assert_int_equal(b.pkt[i]->source_port, p.d[p.header] << 8 | p.d[p.header + 1]);
			assert_int_equal(b.pkt[i]->destination_port, p.d[p.header + 2] << 8 | p.d[p.header + 3]);
			assert_int_equal(b.pkt[i]->hash, b.pkt[0]->hash);
			assert_int_equal(b.pkt[i]->protocol, IPPROTO_UDP);
		}
		assert_true(b.pkt[1]->flags & PKT_LATER_FRAGMENT);
		finish_burst();
		add(1, fragment(&p, (struct cut){2960, 40, false}));
		fragments_virtual(w, &b);
		assert_int_equal(b.n, 1);
		assert_int_equal(b.pkt[0]->source_port, p.d[p.header] << 8 | p.d[p.header + 1]);
		finish_burst();
		/* Whole: forgotten, a new datagram may have its id. */
		assert_int_equal(pass_one(&p, 0, 1480, true), 1);
		stop();
	}
}

/* IPv6: what the first fragment's header chain leads to is what the later ones are. */
static void
protocol_behind_options(void **unused)
{
	static struct whole p;

	start(64);
	make_whole(&p, true, IPPROTO_DSTOPTS, 160, 9);
	memset(p.d + 40, 0, 8);
	p.d[40] = IPPROTO_TCP;
	p.d[40 + 8 + 12] = 0x50;
	p.d[40 + 8 + 13] = 0x10;
	add(1, fragment(&p, (struct cut){0, 80, true}));
	add(1, fragment(&p, (struct cut){80, 80, false}));
	assert_int_equal(b.pkt[1]->protocol, IPPROTO_DSTOPTS);
	fragments_virtual(w, &b);
	assert_int_equal(b.n, 2);
	assert_int_equal(b.pkt[1]->protocol, IPPROTO_TCP);
	assert_int_equal(b.pkt[1]->tcp_flags, 0x10);
	assert_int_equal(b.pkt[1]->hash, b.pkt[0]->hash);
	assert_int_equal(b.pkt[1]->source_port, b.pkt[0]->source_port);
	finish_burst();
	stop();
}

static void
key_separates(void **unused)
{
	static struct whole p, q;

	start(64);
	make_whole(&p, false, IPPROTO_UDP, 3000, 7);
	assert_int_equal(pass_one(&p, 0, 1480, true), 1);
	q = p;
	q.id = 8;
	assert_int_equal(pass_one(&q, 1480, 800, true), 0);
	q = p;
	q.d[12] ^= 1;
	assert_int_equal(pass_one(&q, 1480, 800, true), 0);
	q = p;
	q.d[19] ^= 1;
	assert_int_equal(pass_one(&q, 1480, 800, true), 0);
	q = p;
	q.d[9] = IPPROTO_ICMP;
	assert_int_equal(pass_one(&q, 1480, 800, true), 0);
	add(3, fragment(&p, (struct cut){1480, 800, true})); /* another interface, another world */
	fragments_virtual(w, &b);
	assert_int_equal(b.n, 0);
	finish_burst();
	assert_int_equal(pass_one(&p, 1480, 800, true), 1);
	stop();
}

static void
others_pass(void **unused)
{
	static struct whole p;
	struct rte_mbuf *m;

	start(64);
	make_whole(&p, true, IPPROTO_UDP, 100, 7);
	m = fragment(&p, (struct cut){0, 100, false}); /* an atomic fragment (RFC 6946) */
	rte_pktmbuf_mtod_offset(m, uint8_t *, HEAD)[40 + 8 + 4] = 0;
	rte_pktmbuf_mtod_offset(m, uint8_t *, HEAD)[40 + 8 + 5] = 100;
	assert_true(add(1, m));
	assert_false(b.pkt[0]->flags & PKT_FRAGMENT);
	fragments_virtual(w, &b);
	assert_int_equal(b.n, 1);
	finish_burst();
	assert_false(fragments_due(w->fragments, UINT64_MAX));
	stop();
}

static void
overlaps_condemn(void **unused)
{
	static struct whole p;

	for (int v6 = 0; v6 < 2; v6++) {
		start(64);
		make_whole(&p, v6, IPPROTO_UDP, 4000, 7);
		assert_int_equal(pass_one(&p, 0, 800, true), 1);
		assert_int_equal(pass_one(&p, 0, 800, true), 0); /* repeated: alone */
		assert_int_equal(pass_one(&p, 800, 800, true), 1);
		assert_int_equal(pass_one(&p, 1592, 800, true), 0);
		assert_int_equal(pass_one(&p, 1600, 800, true), 0); /* the whole datagram is lost */
		assert_int_equal(drops(DROP_FRAGMENT_MALFORMED), 3);
		w->now += TIMEOUT;
		assert_int_equal(pass_one(&p, 0, 800, true), 1);

		p.id = 8; /* those that wait go as well */
		assert_int_equal(pass_one(&p, 800, 800, true), 0);
		assert_int_equal(pass_one(&p, 1600, 800, true), 0);
		assert_int_equal(pass_one(&p, 808, 8, true), 0);
		assert_int_equal(drops(DROP_FRAGMENT_MALFORMED), 6);
		assert_int_equal(pass_one(&p, 0, 800, true), 0);

		p.id = 9; /* two ends */
		assert_int_equal(pass_one(&p, 0, 800, true), 1);
		assert_int_equal(pass_one(&p, 1600, 80, false), 1);
		assert_int_equal(pass_one(&p, 1680, 80, false), 0);
		assert_int_equal(pass_one(&p, 800, 800, true), 0);
		p.id = 10; /* behind the end */
		assert_int_equal(pass_one(&p, 0, 800, true), 1);
		assert_int_equal(pass_one(&p, 1600, 80, true), 1);
		assert_int_equal(pass_one(&p, 800, 80, false), 0);
		stop();
	}
}

static void
malformed_fragments(void **unused)
{
	static struct whole p;
	uint64_t before = 0;

	start(64);
	make_whole(&p, false, IPPROTO_TCP, 4000, 7);
	assert_int_equal(pass_one(&p, 0, 803, true), 0); /* not a multiple of 8 */
	assert_int_equal(pass_one(&p, 800, 0, true), 0); /* nothing inside */
	assert_int_equal(pass_one(&p, 800, 0, false), 0);
	assert_int_equal(pass_one(&p, 8, 800, true), 0); /* the TCP header goes on where no rule looks */
	assert_int_equal(pass_one(&p, 16, 800, true), 0);
	assert_int_equal(drops(DROP_FRAGMENT_MALFORMED), 5);
	assert_false(add(1, fragment(&p, (struct cut){0, 16, true}))); /* tiny: parse() */
	b.used = 0;
	make_whole(&p, false, IPPROTO_UDP, 4000, 8);
	before = drops(DROP_FRAGMENT_MALFORMED);
	for (uint32_t offset = 65480; offset < 65536; offset += 8) { /* ping of death */
		struct rte_mbuf *m = fragment(&p, (struct cut){0, 100, false});
		uint8_t *d = rte_pktmbuf_mtod_offset(m, uint8_t *, HEAD);
		uint16_t sum;

		d[6] = (uint8_t)(offset / 8 >> 8);
		d[7] = (uint8_t)(offset / 8);
		memset(d + 10, 0, 2);
		sum = checksum(d, 20);
		memcpy(d + 10, &sum, 2);
		assert_true(add(1, m));
		fragments_virtual(w, &b);
		b.used = 0;
		before++;
	}
	assert_int_equal(drops(DROP_FRAGMENT_MALFORMED), before);
	stop();
}

static void
waiting_is_bounded(void **unused)
{
	static struct whole p;
	uint32_t sent = 0;

	start(PACKETS);
	for (uint32_t id = 0; id < 1000; id++) {
		make_whole(&p, id & 1, IPPROTO_UDP, 3000, id);
		for (uint16_t k = 1; k < 4; k++, sent++)
			assert_int_equal(pass_one(&p, (uint16_t)(k * 400), 400, true), 0);
		assert_true(rte_mempool_in_use_count(w->pool) <= PACKETS);
	}
	assert_int_equal(drops(DROP_FRAGMENT_TABLE_FULL), sent - rte_mempool_in_use_count(w->pool));
	/* The newest still gets through. */
	assert_int_equal(pass_one(&p, 0, 400, true), 4);

	make_whole(&p, false, IPPROTO_UDP, 8000, 5000); /* one datagram: 64 */
	for (uint16_t k = 1; k < 100; k++)
		pass_one(&p, (uint16_t)(k * 8), 8, true);
	sent = (uint32_t)drops(DROP_FRAGMENT_TABLE_FULL);
	add(1, fragment(&p, (struct cut){0, 8, true}));
	fragments_virtual(w, &b);
	assert_int_equal(b.n, 64);
	finish_burst();
	assert_true(fragments_due(w->fragments, w->now)); /* one more than a burst holds */
	fragments_virtual(w, &b);
	assert_int_equal(b.n, 1);
	finish_burst();
	for (uint16_t k = 100; k < 300; k++) /* and so many parts at most */
		pass_one(&p, (uint16_t)(k * 8), 8, true);
	assert_int_equal(drops(DROP_FRAGMENT_TABLE_FULL), sent + 200 - (128 - 100));
	stop();
}

static void
waiting_ends(void **unused)
{
	static struct whole p;

	start(64);
	make_whole(&p, false, IPPROTO_UDP, 3000, 1);
	pass_one(&p, 400, 400, true);
	w->now += TIMEOUT - 1;
	assert_false(fragments_due(w->fragments, w->now));
	fragments_virtual(w, &b);
	assert_int_equal(drops(DROP_FRAGMENT_TIMEOUT), 0);
	w->now++;
	assert_true(fragments_due(w->fragments, w->now));
	fragments_virtual(w, &b);
	assert_int_equal(drops(DROP_FRAGMENT_TIMEOUT), 1);
	assert_int_equal(pass_one(&p, 0, 400, true), 1);
	w->now += TIMEOUT;
	assert_int_equal(pass_one(&p, 800, 400, true), 0); /* the ports are forgotten */
	stop();
}

/* ---- against a dumb reassembler ---------------------------------------------------------------------- */

#define MANY 12
#define CUTS_MAX 40

struct story {
	struct whole p;
	struct cut cut[CUTS_MAX];
	uint16_t n;
	bool lost[CUTS_MAX], out[CUTS_MAX];
	uint16_t wholes;
};

static struct story stories[MANY];

static uint16_t
cut_randomly(struct story *s)
{
	uint16_t at = 0;

	s->n = 0;
	while (at < s->p.size) {
		uint16_t size = (uint16_t)(8 * (3 + rte_rand_max(s->n == CUTS_MAX - 2 ? 1 : 60)));

		if (s->n == CUTS_MAX - 1 || size >= s->p.size - at)
			size = s->p.size - at;
		s->cut[s->n++] = (struct cut){at, size, at + size < s->p.size};
		at += size;
	}
	return s->n;
}

/* Each fragment that came out: which one was it, byte for byte? */
static void
recognise(const struct packet *p)
{
	uint32_t id = p->flags & PKT_V6 ? p->l3[46] << 8 | p->l3[47] : p->l3[4] << 8 | p->l3[5];
	struct story *s = &stories[id % MANY];
	uint16_t header = s->p.header + (s->p.v6 ? 8 : 0), start;

	start = s->p.v6 ? (p->l3[42] << 8 | p->l3[43]) & 0xfff8 : ((p->l3[6] << 8 | p->l3[7]) & 0x1fff) * 8;
	for (uint16_t i = 0; i < s->n; i++) {
		if (s->cut[i].start != start)
			continue;
		assert_int_equal(p->l3_len, header + s->cut[i].size);
		assert_memory_equal(p->l3 + header, s->p.d + s->p.header + start, s->cut[i].size);
		assert_int_equal(p->source_port, s->p.d[s->p.header] << 8 | s->p.d[s->p.header + 1]);
		assert_int_equal(p->destination_port, s->p.d[s->p.header + 2] << 8 | s->p.d[s->p.header + 3]);
		assert_false(s->out[i]); /* once */
		s->out[i] = true;
		return;
	}
	fail();
}

struct step {
	struct story *s;
	uint16_t cut;
};

/* All fragments of all stories, but the lost, shuffled: some fully, some but a little. */
static uint32_t
shuffle(struct step *step, bool little)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < MANY; i++)
		for (uint16_t k = 0; k < stories[i].n; k++)
			if (!stories[i].lost[k])
				step[n++] = (struct step){&stories[i], k};
	for (uint32_t i = 0; i < n; i++) {
		uint32_t j = i + (uint32_t)rte_rand_max(little ? RTE_MIN(4u, n - i) : n - i);
		struct step t = step[i];

		step[i] = step[j];
		step[j] = t;
	}
	return n;
}

static void
new_stories(bool esp, uint32_t round, uint16_t size_max)
{
	for (uint32_t i = 0; i < MANY; i++) {
		struct story *s = &stories[i];
		uint8_t protocol = esp ? (i % 3 ? IPPROTO_ESP : IPPROTO_UDP) : (i % 3 ? IPPROTO_UDP : IPPROTO_TCP);

		make_whole(&s->p, i % 2, protocol, (uint16_t)(600 + rte_rand_max(size_max - 600)),
			(round % 4000) * MANY + i);
		cut_randomly(s);
		s->wholes = 0;
		for (uint16_t k = 0; k < s->n; k++) {
			s->out[k] = false;
			s->lost[k] = rte_rand_max(8) == 0 && round % 3 == 0;
		}
	}
}

static void
virtual_oracle(void **unused)
{
	static struct step step[MANY * CUTS_MAX];
	uint64_t timeouts = 0;

	start(1024);
	for (uint32_t round = 0; round < 1500; round++) {
		uint32_t n, at = 0;

		new_stories(false, round, 6000);
		n = shuffle(step, round & 1);
		while (at < n) {
			uint32_t burst = 1 + (uint32_t)rte_rand_max(32);

			for (; burst && at < n; burst--, at++)
				assert_true(add(1, fragment(&step[at].s->p, step[at].s->cut[step[at].cut])));
			fragments_virtual(w, &b);
			for (uint16_t i = 0; i < b.n; i++)
				recognise(b.pkt[i]);
			finish_burst();
		}
		while (fragments_due(w->fragments, w->now)) {
			fragments_virtual(w, &b);
			for (uint16_t i = 0; i < b.n; i++)
				recognise(b.pkt[i]);
			finish_burst();
		}
		/* With the first one everything passes, without it nothing. */
		for (uint32_t i = 0; i < MANY; i++)
			for (uint16_t k = 0; k < stories[i].n; k++) {
				assert_int_equal(stories[i].out[k], !stories[i].lost[0] && !stories[i].lost[k]);
				timeouts += stories[i].lost[0] && !stories[i].lost[k];
			}
		w->now += TIMEOUT;
		for (int i = 0; i < 4; i++)
			fragments_virtual(w, &b);
		assert_int_equal(rte_mempool_in_use_count(w->pool), 0);
		assert_int_equal(drops(DROP_FRAGMENT_TIMEOUT), timeouts);
	}
	assert_true(timeouts > 1000);
	assert_int_equal(drops(DROP_FRAGMENT_MALFORMED) + drops(DROP_FRAGMENT_TABLE_FULL), 0);
	stop();
}

/* Hostile parts of random place and size: those that pass never overlap. */
static void
passed_never_overlap(void **unused)
{
	static struct whole p;
	static uint8_t seen[70000];
	uint64_t passed = 0;

	start(256);
	for (uint32_t round = 0; round < 20000; round++) {
		make_whole(&p, round & 1, IPPROTO_UDP, 700, round % 60000);
		memset(seen, 0, sizeof(seen));
		for (int k = 0; k < 20; k++) {
			uint16_t from = k == 3 ? 0 : (uint16_t)(8 * rte_rand_max(60));
			uint16_t size = (uint16_t)(8 * (1 + rte_rand_max(round % 3 ? 2 : 8)));

			/* The end comes last: after it what is repeated would be another datagram. */
			add(1, fragment(&p, (struct cut){from, size, k < 19}));
			fragments_virtual(w, &b);
			for (uint16_t i = 0; i < b.n; i++) {
				const struct packet *q = b.pkt[i];
				uint32_t at = q->flags & PKT_V6 ? (q->l3[42] << 8 | q->l3[43]) & 0xfff8
								: ((q->l3[6] << 8 | q->l3[7]) & 0x1fff) * 8;
				uint32_t end = at + q->l3_len - (q->flags & PKT_V6 ? 48 : 20);

				if (!(q->flags & PKT_FRAGMENT))
					continue;
				for (; at < end; at++)
					assert_int_equal(seen[at]++, 0);
				passed++;
			}
			finish_burst();
		}
		w->now += TIMEOUT;
		for (int i = 0; i < 4; i++)
			fragments_virtual(w, &b);
		finish_burst();
	}
	assert_true(passed > 20000);
	stop();
}

/* ---- reassembly --------------------------------------------------------------------------------------- */

static void
check_whole(const struct packet *p)
{
	struct story *s = NULL;

	for (uint32_t i = 0; i < MANY; i++) {
		const struct whole *q = &stories[i].p;

		if (p->l3_len == q->header + q->size && q->v6 == !!(p->flags & PKT_V6) &&
			memcmp(p->l3 + q->header, q->d + q->header, q->size) == 0)
			s = &stories[i];
	}
	assert_non_null(s);
	assert_int_equal(p->flags & (PKT_FRAGMENT | PKT_LATER_FRAGMENT), 0);
	assert_int_equal(p->protocol, s->p.protocol);
	assert_int_equal(p->l4_off, s->p.header);
	assert_ptr_equal(p->l3 + p->l3_len, rte_pktmbuf_mtod_offset(p->m, uint8_t *, p->m->data_len));
	if (!s->p.v6)
		assert_int_equal(checksum(p->l3, 20), 0);
	else
		assert_int_equal(p->l3[6], s->p.protocol);
	s->wholes++;
}

static void
reassembly_oracle(void **unused)
{
	static struct step step[MANY * CUTS_MAX];
	uint64_t merged = 0;

	start(1024);
	for (uint32_t round = 0; round < 1500; round++) {
		uint32_t n, at = 0;

		new_stories(true, round, 1700);
		for (uint32_t i = 0; i < MANY; i++)
			if (stories[i].p.protocol == IPPROTO_UDP) {
				stories[i].p.d[stories[i].p.header + 4] = 0;
				stories[i].p.d[stories[i].p.header + 5] = 100;
			}
		n = shuffle(step, round & 1);
		while (at < n) {
			uint32_t burst = 1 + (uint32_t)rte_rand_max(32);

			for (; burst && at < n; burst--, at++)
				assert_true(add(2, fragment(&step[at].s->p, step[at].s->cut[step[at].cut])));
			fragments_reassemble(w, &b);
			for (uint16_t i = 0; i < b.n; i++)
				check_whole(b.pkt[i]);
			finish_burst();
		}
		for (uint32_t i = 0; i < MANY; i++) {
			bool all = true;

			for (uint16_t k = 0; k < stories[i].n; k++)
				all = all && !stories[i].lost[k];
			assert_int_equal(stories[i].wholes, all);
			merged += all ? stories[i].n - 1u : 0;
		}
		w->now += TIMEOUT;
		for (int i = 0; i < 4; i++)
			fragments_reassemble(w, &b);
		assert_int_equal(rte_mempool_in_use_count(w->pool), 0);
		assert_int_equal(drops(DROP_HANDLED), merged);
	}
	assert_int_equal(drops(DROP_FRAGMENT_MALFORMED) + drops(DROP_FRAGMENT_TOO_LONG), 0);
	stop();
}

static uint16_t
collect(uint16_t iface, const struct whole *p, uint16_t from, uint16_t size, bool more, uint8_t tos)
{
	struct whole q = *p;
	uint16_t n;

	q.d[1] = tos;
	add(iface, fragment(&q, (struct cut){from, size, more}));
	fragments_reassemble(w, &b);
	n = b.n;
	if (n == 0)
		finish_burst();
	return n;
}

static void
reassembles_ours_only(void **unused)
{
	static struct whole p;

	start(64);
	make_whole(&p, false, IPPROTO_ESP, 900, 1);
	assert_int_equal(collect(1, &p, 0, 400, true, 0), 1); /* a subnet's */
	finish_burst();
	p.d[19] = 77; /* through us */
	assert_int_equal(collect(2, &p, 0, 400, true, 0), 1);
	finish_burst();
	make_whole(&p, false, IPPROTO_TCP, 900, 1);
	assert_int_equal(collect(2, &p, 0, 400, true, 0), 1);
	assert_true(b.pkt[0]->flags & PKT_FRAGMENT);
	finish_burst();
	stop();
}

static void
make_ike(struct whole *p, bool v6, uint16_t port, uint32_t id)
{
	make_whole(p, v6, IPPROTO_UDP, 3000, id);
	p->d[p->header + 2] = (uint8_t)(port >> 8);
	p->d[p->header + 3] = (uint8_t)port;
	memset(p->d + p->header + 8, 0, 4);
}

static void
ike_goes_as_it_came(void **unused)
{
	static struct whole p;

	for (uint32_t round = 0; round < 4; round++) {
		start(64);
		make_ike(&p, round & 1, round & 2 ? 4500 : 500, 7);
		assert_int_equal(collect(2, &p, 0, 1480, true, 0), 0);
		assert_int_equal(stub_punts[PUNT_IKE], 1);
		assert_int_equal(collect(2, &p, 1480, 1480, true, 0), 0);
		assert_int_equal(collect(2, &p, 1480, 1480, true, 0), 0); /* repeated: alone */
		assert_int_equal(collect(2, &p, 2960, 40, false, 0), 0);
		assert_int_equal(stub_punts[PUNT_IKE], 3);
		assert_int_equal(drops(DROP_FRAGMENT_MALFORMED), 1);

		/* The datagram is forgotten with its last part; what waits for the first goes with it. */
		assert_int_equal(collect(2, &p, 2960, 40, false, 0), 0);
		assert_int_equal(collect(2, &p, 1480, 1480, true, 0), 0);
		assert_int_equal(stub_punts[PUNT_IKE], 3);
		assert_int_equal(collect(2, &p, 0, 1480, true, 0), 0);
		assert_int_equal(stub_punts[PUNT_IKE], 6);
		assert_int_equal(rte_mempool_in_use_count(w->pool), 0);
		/* The last part never comes. */
		assert_int_equal(collect(2, &p, 0, 1480, true, 0), 0);
		w->now += TIMEOUT;
		assert_int_equal(collect(2, &p, 1480, 1480, true, 0), 0);
		assert_int_equal(stub_punts[PUNT_IKE], 7);
		stop();
	}
}

static void
esp_in_udp_is_no_ike(void **unused)
{
	static struct whole p;

	start(64);
	make_ike(&p, false, 4500, 7);
	p.size = 900;
	p.d[p.header + 4] = 0;
	p.d[p.header + 5] = 100;
	p.d[p.header + 8] = 1; /* an SPI */
	assert_int_equal(collect(2, &p, 0, 800, true, 0), 0);
	assert_int_equal(collect(2, &p, 800, 100, false, 0), 1);
	finish_burst();
	p.d[p.header + 8] = 0; /* too early to tell: made whole, and looked at again */
	assert_int_equal(collect(2, &p, 0, 8, true, 0), 0);
	assert_int_equal(collect(2, &p, 8, 892, false, 0), 1);
	finish_burst();
	p.d[19] = 77; /* through us */
	assert_int_equal(collect(2, &p, 0, 800, true, 0), 1);
	assert_int_equal(stub_punts[PUNT_IKE], 0);
	finish_burst();
	stop();
}

static void
too_long_for_a_buffer(void **unused)
{
	static struct whole p;

	start(64);
	make_whole(&p, false, IPPROTO_ESP, 4000, 1);
	for (uint16_t at = 0; at < 4000; at += 800)
		assert_int_equal(collect(2, &p, at, 800, at != 3200, 0), 0);
	assert_int_equal(drops(DROP_FRAGMENT_TOO_LONG), 5);
	stop();
}

static void
congestion_survives(void **unused)
{
	static struct whole p;

	start(64);
	make_whole(&p, false, IPPROTO_ESP, 800, 1);
	assert_int_equal(collect(2, &p, 0, 400, true, 0x2a), 0); /* ECT(0), and congestion behind it */
	assert_int_equal(collect(2, &p, 400, 400, false, 0x2b), 1);
	assert_int_equal(b.pkt[0]->l3[1], 0x2b);
	assert_int_equal(checksum(b.pkt[0]->l3, 20), 0);
	finish_burst();
	p.id = 2;
	assert_int_equal(collect(2, &p, 0, 400, true, 0x28), 0); /* not ECN-capable, yet marked */
	assert_int_equal(collect(2, &p, 400, 400, false, 0x2b), 0);
	assert_int_equal(drops(DROP_FRAGMENT_MALFORMED), 2);

	make_whole(&p, true, IPPROTO_ESP, 800, 3);
	assert_int_equal(collect(2, &p, 0, 400, true, 0x10), 0);
	assert_int_equal(collect(2, &p, 400, 400, false, 0x30), 1);
	assert_int_equal(b.pkt[0]->l3[1], 0x30);
	finish_burst();
	stop();
}

/* ---- splitting ------------------------------------------------------------------------------------------- */

/* The pieces, put together by offset, are the packet; each fits and says the truth. */
static void
check_pieces(const struct packet *p, const uint8_t *packet, struct rte_mbuf **m, uint16_t n, uint16_t mtu)
{
	uint16_t header = (packet[0] & 0xf) * 4, size = (uint16_t)((packet[2] << 8 | packet[3]) - header);
	uint16_t first = ((packet[6] << 8 | packet[7]) & 0x1fff) * 8, had_more = packet[6] & 0x20;
	uint8_t joined[9000];
	uint32_t got = 0;

	for (uint16_t i = 0; i < n; i++) {
		const uint8_t *d = rte_pktmbuf_mtod(m[i], uint8_t *);
		uint16_t h = (d[0] & 0xf) * 4, total = d[2] << 8 | d[3];
		uint16_t at = ((d[6] << 8 | d[7]) & 0x1fff) * 8 - first;

		assert_true(total <= mtu && total == m[i]->data_len && total == m[i]->pkt_len);
		assert_true(rte_pktmbuf_headroom(m[i]) >= 18);
		assert_int_equal(checksum(d, h), 0);
		assert_memory_equal(d + 4, packet + 4, 2);
		assert_memory_equal(d + 8, packet + 8, 2);
		assert_memory_equal(d + 12, packet + 12, 8);
		assert_int_equal(!!(d[6] & 0x20), i + 1 < n || had_more);
		assert_int_equal(at, got);
		memcpy(joined + at, d + h, total - h);
		got += total - h;
		assert_true(i == 0 ? h == header : h <= header);
	}
	assert_int_equal(got, size);
	assert_memory_equal(joined, packet + header, size);
}

static struct packet
packet_v4(uint8_t *copy, uint16_t options, uint16_t size, uint16_t word)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);
	uint16_t header = 20 + options, total = header + size, sum;
	uint8_t *d = (uint8_t *)rte_pktmbuf_append(m, HEAD + total) + HEAD;

	for (uint16_t i = 0; i < total; i++)
		d[i] = (uint8_t)rte_rand();
	memset(d, 0, 20);
	memset(d + 20, 1, options);
	if (options >= 12) /* one option to be copied, one not */
		memcpy(d + 20, "\x94\x04\0\0\x07\x07\x04\0\0\0\0\0", 12);
	d[0] = (uint8_t)(0x40 | header / 4);
	d[2] = (uint8_t)(total >> 8);
	d[3] = (uint8_t)total;
	d[5] = 42;
	d[6] = (uint8_t)(word >> 8);
	d[7] = (uint8_t)word;
	d[8] = 63;
	d[9] = IPPROTO_UDP;
	memcpy(d + 12, "\x0a\0\0\x01\x0a\0\0\x02", 8);
	sum = checksum(d, header);
	memcpy(d + 10, &sum, 2);
	memcpy(copy, d, total);
	return (struct packet){.m = m, .l3 = d, .l3_len = total, .l4_off = header};
}

static void
splits(void **unused)
{
	struct rte_mbuf *m[BURST_MAX];
	uint8_t copy[2048];

	start(64);
	for (uint32_t i = 0; i < 20000; i++) {
		uint16_t options = (uint16_t)(4 * rte_rand_max(11)), size = (uint16_t)(8 * rte_rand_max(200) + 8);
		uint16_t word = i % 3 ? 0 : (uint16_t)(rte_rand_max(7000) | (i % 2 ? 0x2000 : 0));
		uint16_t mtu = (uint16_t)(68 + rte_rand_max(1500)), n;
		struct packet p =
			packet_v4(copy, options, size + (word & 0x2000 ? 0 : (uint16_t)rte_rand_max(7)), word);

		n = fragment_split(w, &p, mtu, m, BURST_MAX);
		if (n == 0) {
			assert_true(p.l3_len > (uint32_t)(mtu - 20 - options - 8) * 60);
			continue;
		}
		check_pieces(&p, copy, m, n, mtu);
		rte_pktmbuf_free_bulk(m, n);
	}
	stop();
}

static void
options_are_copied(void **unused)
{
	struct rte_mbuf *m[BURST_MAX];
	uint8_t copy[2048];
	struct packet p;

	start(64);
	p = packet_v4(copy, 12, 1000, 0);
	assert_int_equal(fragment_split(w, &p, 576, m, BURST_MAX), 2);
	assert_int_equal(rte_pktmbuf_mtod(m[0], uint8_t *)[0], 0x48);
	assert_int_equal(rte_pktmbuf_mtod(m[1], uint8_t *)[0], 0x46);
	assert_memory_equal(rte_pktmbuf_mtod(m[1], uint8_t *) + 20, "\x94\x04\0\0", 4);
	rte_pktmbuf_free_bulk(m, 2);
	stop();
}

static void
cannot_split(void **unused)
{
	static struct rte_mbuf *all[STUB_MBUFS];
	struct rte_mbuf *m[BURST_MAX];
	uint8_t copy[2048];
	struct packet p;
	uint32_t n = 0;

	start(64);
	p = packet_v4(copy, 0, 1400, 0);
	assert_int_equal(fragment_split(w, &p, 27, m, BURST_MAX), 0);
	p = packet_v4(copy, 0, 1400, 0);
	assert_int_equal(fragment_split(w, &p, 68, m, 4), 0);
	assert_int_equal(drops(DROP_MTU_EXCEEDED), 2);
	p = packet_v4(copy, 0, 1400, 0);
	while ((all[n] = rte_pktmbuf_alloc(w->pool)))
		n++;
	rte_pktmbuf_free(all[--n]); /* one is left, two are needed */
	assert_int_equal(fragment_split(w, &p, 576, m, BURST_MAX), 0);
	assert_int_equal(drops(DROP_NO_BUFFER), 1);
	rte_pktmbuf_free_bulk(all, n);
	stop();
}

/* ---- garbage ----------------------------------------------------------------------------------------------- */

static void
random_bits(void **unused)
{
	static struct whole p;

	start(128);
	for (uint32_t i = 0; i < 300000; i++) {
		struct rte_mbuf *m;
		uint8_t *d;

		if (i % 50 == 0)
			make_whole(&p, rte_rand_max(2), rte_rand_max(2) ? IPPROTO_ESP : IPPROTO_UDP, 900,
				(uint32_t)rte_rand_max(9));
		m = fragment(&p,
			(struct cut){(uint16_t)(8 * rte_rand_max(90)), (uint16_t)rte_rand_max(180), rte_rand_max(2)});
		d = rte_pktmbuf_mtod_offset(m, uint8_t *, HEAD);
		for (int k = 0; k < 3; k++)
			d[rte_rand_max(rte_rand_max(2) ? 64 : m->data_len - HEAD)] = (uint8_t)rte_rand();
		if (!p.v6) {
			uint16_t sum, header = RTE_MIN((d[0] & 0xf) * 4, m->data_len - HEAD);

			memset(d + 10, 0, 2);
			sum = checksum(d, header);
			memcpy(d + 10, &sum, 2);
		}
		add((uint16_t)(1 + rte_rand_max(2)), m);
		if (b.used < 32 && rte_rand_max(8))
			continue;
		fragments_reassemble(w, &b);
		fragments_virtual(w, &b);
		finish_burst();
		w->now += rte_rand_max(TIMEOUT / 8);
	}
	finish_burst();
	stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_are_remembered),
		cmocka_unit_test(protocol_behind_options),
		cmocka_unit_test(key_separates),
		cmocka_unit_test(others_pass),
		cmocka_unit_test(overlaps_condemn),
		cmocka_unit_test(malformed_fragments),
		cmocka_unit_test(waiting_is_bounded),
		cmocka_unit_test(waiting_ends),
		cmocka_unit_test(virtual_oracle),
		cmocka_unit_test(passed_never_overlap),
		cmocka_unit_test(reassembly_oracle),
		cmocka_unit_test(reassembles_ours_only),
		cmocka_unit_test(ike_goes_as_it_came),
		cmocka_unit_test(esp_in_udp_is_no_ike),
		cmocka_unit_test(too_long_for_a_buffer),
		cmocka_unit_test(congestion_survives),
		cmocka_unit_test(splits),
		cmocka_unit_test(options_are_copied),
		cmocka_unit_test(cannot_split),
		cmocka_unit_test(random_bits),
	};
	int failed;

	if (test_eal_start("fragment") != 0)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	test_eal_stop();
	return failed;
}
