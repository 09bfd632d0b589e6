/* The payload begins with a stamp of 18 bytes, all that a frame of 64 has room for:
 *
 *	0  flow (24 bits) and trial (8 bits)
 *	4  number within the flow
 *	8  check over the three others
 *	12 TSC, the low 48 bits
 *
 * and goes on with a random pattern that starts at a place given by the number. A receiver thus
 * knows every byte of a frame from its stamp. The last 64 numbers of a flow are remembered: what
 * comes late is told from what comes twice.
 */
#include "tests/bench/pktgen/traffic.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>

#include <stdlib.h>
#include <string.h>

#define ETHER 14
#define HEADERS (ETHER + sizeof(struct iphdr) + sizeof(struct udphdr))
#define SHIFTS 256 /* places where a pattern may start */
#define OCTAVE 32  /* latency classes per power of two */
#define PORT_FIRST 1024
#define PORT_DISCARD 9
#define TSC_BITS 48

struct stamp {
	uint32_t flow_trial, number, check;
	uint8_t time[TSC_BITS / 8];
} __attribute__((packed));

_Static_assert(HEADERS + sizeof(struct stamp) + TRAFFIC_CRC == 64, "the stamp fits the smallest frame");

struct flow {
	uint32_t next_out, next_in;
	uint64_t came; /* bit n: next_in - 1 - n was here */
};

struct traffic {
	struct traffic_plan plan;
	struct traffic_count count;
	uint64_t random;
	uint16_t size;
	uint8_t trial;
	uint8_t pattern[TRAFFIC_FRAME_MAX + SHIFTS];
	uint32_t latency[64 * OCTAVE];
	struct flow flow[];
};

static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static uint64_t
random_next(struct traffic *t)
{
	t->random += 0x9e3779b97f4a7c15ull;
	return mix(t->random);
}

struct traffic *
traffic_build(const struct traffic_plan *plan)
{
	struct traffic *t;

	if (plan->flows == 0 || plan->flows > TRAFFIC_FLOWS_MAX || plan->destinations == 0)
		return NULL;
	t = calloc(1, sizeof *t + plan->flows * sizeof t->flow[0]);
	if (!t)
		return NULL;
	t->plan = *plan;
	t->random = plan->seed;
	for (unsigned i = 0; i < sizeof t->pattern; i++)
		t->pattern[i] = (uint8_t)random_next(t);
	return t;
}

void
traffic_free(struct traffic *t)
{
	free(t);
}

void
traffic_begin(struct traffic *t, uint16_t size)
{
	t->size = size;
	t->trial++;
	t->random = t->plan.seed;
	memset(&t->count, 0, sizeof t->count);
	memset(t->latency, 0, sizeof t->latency);
	memset(t->flow, 0, t->plan.flows * sizeof t->flow[0]);
}

const struct traffic_count *
traffic_counts(const struct traffic *t)
{
	return &t->count;
}

/* ---- frames ----------------------------------------------------------------------- */

static const uint16_t imix[] = {64, 594, 64, 64, 594, 64, 1518, 64, 594, 64, 594, 64};

#define IMIX_N (sizeof imix / sizeof imix[0])

double
traffic_mean_size(uint16_t size)
{
	double sum = 0;

	if (size != TRAFFIC_IMIX)
		return size;
	for (unsigned i = 0; i < IMIX_N; i++)
		sum += imix[i];
	return sum / IMIX_N;
}

static uint16_t
frame_length(const struct traffic *t, uint32_t flow, uint32_t number)
{
	return (t->size != TRAFFIC_IMIX ? t->size : imix[(flow + number) % IMIX_N]) - TRAFFIC_CRC;
}

static uint32_t
stamp_check(const struct stamp *s)
{
	uint64_t time = 0;

	memcpy(&time, s->time, sizeof s->time);
	return (uint32_t)mix(((uint64_t)s->flow_trial << 32 | s->number) ^ mix(time));
}

static uint16_t
header_sum(const struct iphdr *ip)
{
	const uint8_t *byte = (const uint8_t *)ip;
	uint32_t sum = 0;

	for (unsigned i = 0; i < sizeof *ip; i += 2)
		sum += (uint32_t)byte[i] << 8 | byte[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t) ~(sum + (sum >> 16)));
}

static void
headers_write(const struct traffic *t, uint8_t *frame, uint32_t flow, uint16_t length)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = sizeof ip / 4,
		.tot_len = htons((uint16_t)(length - ETHER)),
		.ttl = 64,
		.protocol = IPPROTO_UDP,
		.saddr = htonl(t->plan.source),
		.daddr = htonl(t->plan.destination + flow % t->plan.destinations),
	};
	struct udphdr udp = {
		.source = htons((uint16_t)(PORT_FIRST + flow)),
		.dest = htons(PORT_DISCARD),
		.len = htons((uint16_t)(length - ETHER - sizeof ip)),
	};

	ip.check = header_sum(&ip);
	memcpy(frame, t->plan.gateway_mac, 6);
	memcpy(frame + 6, t->plan.source_mac, 6);
	memcpy(frame + 12, "\x08\x00", 2);
	memcpy(frame + ETHER, &ip, sizeof ip);
	memcpy(frame + ETHER + sizeof ip, &udp, sizeof udp);
}

uint16_t
traffic_make(struct traffic *t, uint8_t *frame, uint64_t now)
{
	uint32_t flow = (uint32_t)(random_next(t) >> 32) % t->plan.flows;
	uint32_t number = t->flow[flow].next_out++;
	uint16_t length = frame_length(t, flow, number);
	struct stamp stamp = {.flow_trial = flow << 8 | t->trial, .number = number};

	memcpy(stamp.time, &now, sizeof stamp.time);
	stamp.check = stamp_check(&stamp);

	headers_write(t, frame, flow, length);
	memcpy(frame + HEADERS, &stamp, sizeof stamp);
	memcpy(frame + HEADERS + sizeof stamp, t->pattern + number % SHIFTS, length - HEADERS - sizeof stamp);
	t->count.made++;
	return length;
}

/* ---- receiving -------------------------------------------------------------------- */

/* Whatever else a network carries: ARP, neighbour discovery, keepalives. */
static bool
ours(const uint8_t *frame, uint16_t length)
{
	return length >= HEADERS + sizeof(struct stamp) && memcmp(frame + 12, "\x08\x00\x45", 3) == 0 &&
	       frame[ETHER + 9] == IPPROTO_UDP && memcmp(frame + HEADERS - 6, "\0\x09", 2) == 0;
}

/* Every byte behind the Ethernet header, but TTL and checksum, which the way changes rightly. */
static bool
intact(const struct traffic *t, const uint8_t *frame, uint16_t length, const struct stamp *stamp)
{
	uint32_t flow = stamp->flow_trial >> 8;
	uint8_t wanted[HEADERS];
	struct iphdr ip;

	if (flow >= t->plan.flows || length != frame_length(t, flow, stamp->number))
		return false;
	memcpy(&ip, frame + ETHER, sizeof ip);
	if (header_sum(&ip) != 0)
		return false;
	headers_write(t, wanted, flow, length);
	memcpy(wanted + ETHER + 8, frame + ETHER + 8, 1);
	memcpy(wanted + ETHER + 10, frame + ETHER + 10, 2);
	return memcmp(wanted + ETHER, frame + ETHER, HEADERS - ETHER) == 0 &&
	       memcmp(frame + HEADERS + sizeof *stamp, t->pattern + stamp->number % SHIFTS,
		       length - HEADERS - sizeof *stamp) == 0;
}

/* Whether this number is here for the first time. */
static bool
flow_note(struct traffic *t, struct flow *f, uint32_t number)
{
	uint32_t late = f->next_in - 1 - number;

	if (number >= f->next_in) {
		uint32_t shift = number - f->next_in + 1;

		f->came = (shift < 64 ? f->came << shift : 0) | 1;
		f->next_in = number + 1;
		return true;
	}
	if (late < 64 && f->came & 1ull << late) {
		t->count.doubled++;
		return false;
	}
	if (late < 64)
		f->came |= 1ull << late;
	t->count.reordered++;
	return true;
}

static unsigned
latency_class(uint64_t ticks)
{
	unsigned top;

	if (ticks < OCTAVE)
		return (unsigned)ticks;
	top = 63 - (unsigned)__builtin_clzll(ticks);
	return (top - 4) * OCTAVE + (unsigned)(ticks >> (top - 5) & (OCTAVE - 1));
}

static uint64_t
latency_of_class(unsigned class)
{
	return class < OCTAVE ? class : (uint64_t)(OCTAVE + class % OCTAVE) << (class / OCTAVE - 1);
}

void
traffic_take(struct traffic *t, const uint8_t *frame, uint16_t length, uint64_t now)
{
	uint64_t sent = 0, mask = (1ull << TSC_BITS) - 1;
	struct stamp stamp;

	if (!ours(frame, length)) {
		t->count.foreign++;
		return;
	}
	memcpy(&stamp, frame + HEADERS, sizeof stamp);
	if (stamp.check == stamp_check(&stamp) && (stamp.flow_trial & 0xff) != t->trial) {
		t->count.stale++;
		return;
	}
	if (stamp.check != stamp_check(&stamp) || !intact(t, frame, length, &stamp)) {
		t->count.damaged++;
		return;
	}
	if (!flow_note(t, &t->flow[stamp.flow_trial >> 8], stamp.number))
		return;

	memcpy(&sent, stamp.time, sizeof stamp.time);
	t->latency[latency_class((now - sent) & mask)]++;
	t->count.intact++;
}

uint64_t
traffic_latency(const struct traffic *t, double part)
{
	uint64_t wanted = (uint64_t)((double)t->count.intact * part), seen = 0;

	for (unsigned i = 0; i < sizeof t->latency / sizeof t->latency[0]; i++) {
		seen += t->latency[i];
		if (seen > 0 && seen >= wanted)
			return latency_of_class(i);
	}
	return 0;
}
