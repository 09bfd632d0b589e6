/* The floor under ESP: the library's calls alone, at the lengths ESP gives them, on hot buffers and one key. */
#include "traffic.h"
#include "world.h"

#include "dataplane/pipeline.h"
#include "drivers/clock.h"
#include "drivers/crypto.h"

#include <rte_common.h>

#include <stdio.h>
#include <stdlib.h>

static const struct cfg_sa algorithms[] = {
	[GCM_128] = {.encryption = ENC_AES_GCM_128, .integrity = INTEG_NONE, .enc_key_len = 20},
	[GCM_256] = {.encryption = ENC_AES_GCM_256, .integrity = INTEG_NONE, .enc_key_len = 36},
	[CBC_SHA256] = {.encryption = ENC_AES_CBC_128,
		.integrity = INTEG_SHA256_128,
		.enc_key_len = 16,
		.auth_key_len = 32},
};

/* Payload, padding and trailer of RFC 4303. */
static uint16_t
sealed_length(uint16_t inner, struct crypto_sizes size)
{
	return (uint16_t)RTE_ALIGN_MUL_CEIL(inner + 2, size.block);
}

static struct figure
time_raw(struct crypto_worker *w, const struct crypto_key *key, bool open, uint16_t length, uint32_t burst, uint32_t n)
{
	static uint8_t buffer[RX_BURST][2048];
	double *sample = bench_array(n, sizeof(*sample));
	uint64_t cost = bench_clock_cost();
	uint8_t *text[RX_BURST];
	struct figure figure;

	for (uint32_t i = 0; i < RX_BURST; i++)
		text[i] = buffer[i];
	for (uint32_t i = 0; i < n; i++) {
		uint64_t start = clock_tsc();

		crypto_raw(w, key, open, text, length, (uint16_t)burst);
		sample[i] = (double)(clock_tsc() - start - cost) / burst;
	}
	figure = figures_of(sample, n);
	free(sample);
	return figure;
}

void
floor_pass(const struct scenario *s, const struct effort *effort, struct pass *pass)
{
	struct cfg_sa config = algorithms[s->world.algorithm];
	uint32_t burst = s->burst ? RTE_MIN(s->burst, (uint32_t)RX_BURST) : RX_BURST;
	uint32_t sizes = s->size == SIZE_IMIX ? IMIX_CYCLE : 1;
	struct crypto_worker *w = crypto_worker_create();
	struct crypto_key *key = NULL;

	pass->raw = (struct figure){0, 0};
	if (s->world.shape != SHAPE_TUNNEL)
		goto done;
	config.spi = SPI_AB;
	config.outbound = !s->open;
	if (w == NULL || crypto_key_create(&config, &key) != 0) {
		fprintf(stderr, "the floor's key cannot be made\n");
		exit(1);
	}
	for (uint32_t n = 0; n < sizes; n++) {
		struct figure one = time_raw(w, key, s->open, sealed_length(traffic_size(s, n), crypto_key_sizes(key)),
			burst, effort->bursts);

		pass->raw.min += one.min / sizes;
		pass->raw.median += one.median / sizes;
	}
done:
	crypto_key_free(key);
	crypto_worker_free(w);
}
