/* Splitting IPv4 packets that do not fit (RFC 791 section 3.2). Worker only. */
#include "dataplane/checksum.h"
#include "dataplane/fragment.h"

#include <netinet/in.h>

#define IP4_HEADER 20
#define MORE_FRAGMENTS 0x2000
#define OFFSET_MASK 0x1fff
#define OPTION_COPIED 0x80 /* goes into every fragment */

enum { OPTION_END = 0, OPTION_NOP = 1 };

struct split {
	const uint8_t *l3;
	uint8_t later[60]; /* header of all fragments but the first */
	uint16_t header, later_header, payload, word;
};

/* Without the options that are for the first fragment only. parse() has checked their lengths. */
static uint16_t
later_header(uint8_t *out, const uint8_t *l3, uint16_t header)
{
	uint16_t n = IP4_HEADER;

	memcpy(out, l3, IP4_HEADER);
	for (uint16_t at = IP4_HEADER; at < header && l3[at] != OPTION_END;) {
		uint16_t size = l3[at] == OPTION_NOP ? 1 : at + 1 < header ? l3[at + 1] : 0;

		if (size == 0 || at + size > header)
			break;
		if (l3[at] & OPTION_COPIED) {
			memcpy(out + n, l3 + at, size);
			n += size;
		}
		at += size;
	}
	while (n % 4)
		out[n++] = OPTION_END;
	out[0] = (uint8_t)(0x40 | n / 4);
	return n;
}

static void
finish(uint8_t *l3, uint16_t header, uint16_t size, uint16_t word)
{
	uint16_t total = rte_cpu_to_be_16(header + size), be = rte_cpu_to_be_16(word), sum;

	memcpy(l3 + 2, &total, 2);
	memcpy(l3 + 6, &be, 2);
	memset(l3 + 10, 0, 2);
	sum = checksum(l3, header);
	memcpy(l3 + 10, &sum, 2);
}

/* The word of flags and offset for a piece that begins at `at` of the payload. */
static uint16_t
piece_word(const struct split *s, uint16_t at, bool last)
{
	uint16_t offset = (s->word & OFFSET_MASK) + at / 8;
	uint16_t flags = s->word & (uint16_t)~OFFSET_MASK;

	return (last ? flags : flags | MORE_FRAGMENTS) | offset;
}

static struct rte_mbuf *
later_piece(struct worker *w, const struct split *s, const struct packet *p, uint16_t at, uint16_t size)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);
	uint8_t *d;

	if (!m)
		return NULL;
	d = (uint8_t *)rte_pktmbuf_append(m, s->later_header + size);
	if (!d) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	m->port = p->m->port;
	memcpy(d, s->later, s->later_header);
	memcpy(d + s->later_header, s->l3 + s->header + at, size);
	finish(d, s->later_header, size, piece_word(s, at, at + size == s->payload));
	return m;
}

/* The packet's own buffer, cut behind the first piece. */
static void
first_piece(const struct split *s, struct packet *p, uint16_t size)
{
	struct rte_mbuf *m = p->m;

	rte_pktmbuf_adj(m, (uint16_t)(p->l3 - rte_pktmbuf_mtod(m, uint8_t *)));
	rte_pktmbuf_trim(m, m->data_len - s->header - size);
	finish(p->l3, s->header, size, piece_word(s, 0, false));
}

uint16_t
fragment_split(struct worker *w, struct packet *p, uint16_t mtu, struct rte_mbuf **out, uint16_t max)
{
	struct split s = {.l3 = p->l3, .header = (p->l3[0] & 0xf) * 4};
	enum drop_reason r = DROP_NO_BUFFER;
	uint16_t n = 1, step;

	s.payload = p->l3_len - s.header;
	s.word = (uint16_t)(p->l3[6] << 8 | p->l3[7]);
	s.later_header = later_header(s.later, p->l3, s.header);
	if (max == 0 || (p->flags & PKT_V6) || mtu < s.header + 8) {
		drop(w, p, DROP_MTU_EXCEEDED);
		return 0;
	}
	step = (mtu - s.header) & ~7;
	if (p->l3_len <= mtu) { /* fits as it is */
		rte_pktmbuf_adj(p->m, (uint16_t)(p->l3 - rte_pktmbuf_mtod(p->m, uint8_t *)));
		rte_pktmbuf_trim(p->m, p->m->data_len - p->l3_len);
		out[0] = p->m;
		return 1;
	}

	for (uint32_t at = step; at < s.payload; at += step) {
		if (n == max) {
			r = DROP_MTU_EXCEEDED;
			goto undo;
		}
		out[n] = later_piece(w, &s, p, (uint16_t)at, RTE_MIN(step, (uint16_t)(s.payload - at)));
		if (!out[n])
			goto undo;
		n++;
	}
	first_piece(&s, p, step);
	out[0] = p->m;
	return n;

undo:
	while (n > 1)
		rte_pktmbuf_free(out[--n]);
	drop(w, p, r);
	return 0;
}
