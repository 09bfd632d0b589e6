/* From samples to figures: minimum and median of a pass, the middle of the passes, and whether they agree. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct figure
figures_of(double *sample, uint32_t n)
{
	if (n == 0)
		return (struct figure){0, 0};
	qsort(sample, n, sizeof(*sample), compare);
	return (struct figure){sample[0], sample[n / 2]};
}

/* One number of each pass, in order. */
static void
collect(const struct result *r, size_t offset, double sorted[PASSES])
{
	for (int i = 0; i < PASSES; i++)
		memcpy(&sorted[i], (const char *)&r->pass[i] + offset, sizeof(sorted[i]));
	qsort(sorted, PASSES, sizeof(*sorted), compare);
}

static double
middle(const struct result *r, size_t offset)
{
	double sorted[PASSES];

	collect(r, offset, sorted);
	return sorted[PASSES / 2];
}

static bool
differ(const struct result *r, size_t offset)
{
	double sorted[PASSES];

	collect(r, offset, sorted);
	return sorted[PASSES - 2] > sorted[1] * (1 + NOISE);
}

_Static_assert(sizeof(struct pass) % sizeof(double) == 0, "a pass is numbers and nothing else");

void
figures_conclude(struct result *r)
{
	for (size_t at = 0; at < sizeof(struct pass); at += sizeof(double)) {
		double number = middle(r, at);

		memcpy((char *)&r->middle + at, &number, sizeof(number));
	}
	r->noisy = differ(r, offsetof(struct pass, kind[KIND_PATH].min)) ||
		   differ(r, offsetof(struct pass, kind[KIND_TOTAL].min)) ||
		   differ(r, offsetof(struct pass, raw.min)) || differ(r, offsetof(struct pass, alone.min));
}

struct ratios
figures_ratios(const struct pass *p, bool open)
{
	double mb = p->raw.min;

	if (mb <= 0)
		return (struct ratios){0};
	return (struct ratios){
		.esp_by_mb = p->stage[open ? STAGE_ESP_OPEN : STAGE_ESP_SEAL].min / mb,
		.path_by_mb = p->kind[KIND_PATH].min / mb,
		.total_by_floor = p->kind[KIND_TOTAL].min / (mb + p->kind[KIND_PORT].min),
	};
}
