/* Security associations: making, sizing, reading and freeing them.
 *
 * Builder and control; nothing here runs on a worker. Keys live in the crypto_key only.
 */
#include "dataplane/sa.h"

#include "dataplane/command.h"
#include "dataplane/esp.h"
#include "drivers/clock.h"
#include "drivers/slab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t
state_size(uint32_t words)
{
	return sizeof(struct sa_state) + words * sizeof(uint64_t);
}

_Static_assert(sizeof(struct sa_state) + 2 * (REPLAY_WINDOW_MAX / 32 + 2) * sizeof(uint64_t) <= SLAB_SIZE_MAX,
	"the largest window has room");

static struct sa_state *
state_create(const struct cfg_sa *c, uint64_t first, uint64_t reserved)
{
	uint32_t words = c->outbound || c->replay_window == 0 ? 0 : replay_words(c->replay_window);
	struct sa_state *s = slab_alloc(state_size(words));

	if (!s)
		return NULL;
	s->users = 1;
	atomic_init(&s->next, first ? first : 1);
	if (words)
		replay_init(&s->replay, words, first);
	else
		atomic_init(&s->replay.top, first ? first - 1 : 0);
	atomic_init(&s->reserved, reserved);
	atomic_init(&s->low, first + (reserved - first) / 2);
	return s;
}

/* Without a ring its mask is 0. */
static void
state_free(struct sa_state *s)
{
	if (s)
		slab_free(s, state_size(s->replay.mask ? s->replay.mask + 1 : 0));
}

static uint64_t
life(uint64_t configured)
{
	return configured ? configured : UINT64_MAX;
}

/* Takes the key, also when there is no memory. */
static struct sa *
sa_make_with(const struct cfg_sa *c, struct sa_state *state, struct crypto_key *key)
{
	struct crypto_sizes sizes = crypto_key_sizes(key);
	struct sa *sa = slab_alloc(sizeof(*sa));

	if (!sa) {
		crypto_key_free(key);
		return NULL;
	}
	*sa = (struct sa){
		.state = state,
		.key = key,
		.spi = c->spi,
		.window = c->replay_window,
		.header = ESP_HEADER_SIZE + sizes.iv,
		.icv = sizes.icv,
		.pad_mask = sizes.block - 1,
		.esn = c->esn,
		.outbound = c->outbound,
		.udp_encap = c->udp_encap,
		.udp_local_port = c->udp_local_port ? c->udp_local_port : ESP_PORT,
		.udp_remote_port = c->udp_remote_port ? c->udp_remote_port : ESP_PORT,
		.keepalive_s = c->udp_encap ? c->keepalive_s : 0,
		.end = c->esn ? SA_SEQUENCE_END_ESN : SA_SEQUENCE_END,
		.life_packets_soft = life(c->life_packets_soft),
		.life_packets_hard = life(c->life_packets_hard),
		.life_bytes_soft = life(c->life_bytes_soft),
		.life_bytes_hard = life(c->life_bytes_hard),
	};
	sa->limited = c->life_packets_soft || c->life_packets_hard || c->life_bytes_soft || c->life_bytes_hard;
	return sa;
}

static struct sa *
sa_make(const struct cfg_sa *c, struct sa_state *state)
{
	struct crypto_key *key;

	if (crypto_key_create(c, &key) != 0)
		return NULL;
	return sa_make_with(c, state, key);
}

struct sa *
sa_create(const struct cfg_sa *config, uint64_t first, uint64_t reserved)
{
	struct sa_state *state = state_create(config, first, reserved);
	struct sa *sa = state ? sa_make(config, state) : NULL;

	if (!sa)
		state_free(state);
	return sa;
}

struct sa *
sa_renew(const struct cfg_sa *config, struct sa *running)
{
	struct sa_state *state = running->state;
	bool ring = !config->outbound && config->replay_window != 0;
	struct sa *sa;

	/* The window cannot move to a larger ring while workers use this one. */
	if (config->outbound != running->outbound)
		return NULL;
	if (ring && (state->replay.mask == 0 || replay_words(config->replay_window) > state->replay.mask + 1))
		return NULL;

	sa = sa_make(config, state);
	if (!sa)
		return NULL;
	state->users++;
	/* the new lifetime is told anew */
	atomic_fetch_and(&state->told, ~(SA_HAPPENED(SA_EVENT_SOFT) | SA_ANNOUNCED(SA_EVENT_SOFT) |
					       SA_HAPPENED(SA_EVENT_HARD) | SA_ANNOUNCED(SA_EVENT_HARD)));
	return sa;
}

struct sa *
sa_rebind(const struct cfg_sa *config, struct sa *running)
{
	struct sa *sa = sa_make_with(config, running->state, crypto_key_ref(running->key));

	if (sa) {
		sa->name = running->name;
		running->state->users++;
		atomic_store(&running->state->remote_told, 0);
	}
	return sa;
}

void
sa_set_name(struct sa *sa, uint32_t name)
{
	sa->name = name;
}

void
sa_reserve(struct sa *sa, uint64_t reserved)
{
	struct sa_state *s = sa->state;
	uint64_t next = atomic_load(&s->next);

	if (reserved <= atomic_load(&s->reserved))
		return;
	atomic_store(&s->low, next < reserved ? next + (reserved - next) / 2 : reserved);
	atomic_store(&s->reserved, reserved);
}

/* A worker's TSC as nanoseconds since boot. */
static uint64_t
boot_ns(uint64_t tsc)
{
	uint64_t ago, now = clock_tsc();

	if (tsc == 0)
		return 0;
	ago = now > tsc ? now - tsc : 0;
	return clock_boot_ns() - (uint64_t)((double)ago * 1e9 / (double)rte_get_tsc_hz());
}

void
sa_counters_read(const struct sa *sa, struct sa_counters *out)
{
	struct sa_state *s = sa->state;
	uint32_t told = atomic_load(&s->told);

	*out = (struct sa_counters){
		.packets = atomic_load(&s->packets),
		.bytes = atomic_load(&s->bytes),
		.sequence = sa->outbound ? atomic_load(&s->next) : atomic_load(&s->replay.top),
		.reserved = atomic_load(&s->reserved),
		.drops = atomic_load(&s->drops),
		.last_used_ns = boot_ns(atomic_load(&s->used_tsc)),
		.soft_expired = told & SA_HAPPENED(SA_EVENT_SOFT),
		.hard_expired = told & SA_HAPPENED(SA_EVENT_HARD),
		.exhausted = told & SA_HAPPENED(SA_EVENT_EXHAUSTED),
	};
}

void
sa_free(struct sa *sa)
{
	if (!sa)
		return;
	if (--sa->state->users == 0)
		state_free(sa->state);
	crypto_key_free((struct crypto_key *)(uintptr_t)sa->key);
	slab_free(sa, sizeof(*sa));
}

/* ---- sizes -------------------------------------------------------------------------- */

static uint32_t
fixed_overhead(const struct sa *sa, uint8_t outer_family)
{
	uint32_t outer = (outer_family == IP_V6 ? 40u : 20u) + (sa->udp_encap ? ESP_UDP_SIZE : 0u);

	return outer + sa->header + sa->icv;
}

uint16_t
sa_overhead(const struct sa *sa, uint8_t outer_family)
{
	return (uint16_t)(fixed_overhead(sa, outer_family) + ESP_TRAILER_SIZE + sa->pad_mask);
}

uint16_t
sa_inner_mtu(const struct sa *sa, uint8_t outer_family, uint16_t outer_mtu)
{
	uint32_t fixed = fixed_overhead(sa, outer_family), room;

	if (outer_mtu <= fixed + sa->pad_mask + 1u)
		return 0;
	room = (outer_mtu - fixed) & ~(uint32_t)sa->pad_mask; /* whole blocks of payload and trailer */
	return (uint16_t)(room - ESP_TRAILER_SIZE);
}
