/* The table that people read and the JSON that the next run is compared with. */
#include "bench.h"

#include <rte_cycles.h>

#include <stdio.h>
#include <string.h>

#define NAME_WIDTH "-46"

static const char *const kind_name[KIND_COUNT] = {
	[KIND_TOTAL] = "total", [KIND_PATH] = "path", [KIND_PORT] = "portAlone", [KIND_STAGES] = "staged"};

/* Stages in the table; receiving is part of the port's figure. */
#define FIRST_STAGE STAGE_PARSE

void
report_head(void)
{
	printf("%" NAME_WIDTH "s %6s %6s %6s %6s %5s %6s %6s %6s %7s ", "cycles per packet", "path", "median", "total",
		"median", "port", "mb", "esp/", "path/", "total/");
	printf("| stages\n%" NAME_WIDTH "s %6s %6s %6s %6s %5s %6s %6s %6s %7s |", "", "min", "", "min", "", "min",
		"min", "mb", "mb", "floor");
	for (int i = FIRST_STAGE; i < STAGE_COUNT; i++)
		printf(" %8s", stage_name(i));
	printf("\n");
}

/* Two workers as one, and what one of them needs alone. */
static void
line_of_two(const struct result *r)
{
	const struct pass *p = &r->middle;

	printf("%" NAME_WIDTH
	       "s %6s %6s %6.0f %6.0f %35s| one alone %.0f, median %.0f; two carry %.2f times as much%s\n",
		r->scenario->name, "", "", p->kind[KIND_TOTAL].min, p->kind[KIND_TOTAL].median, "", p->alone.min,
		p->alone.median, p->speedup, r->noisy ? "  noisy" : "");
	fflush(stdout);
}

void
report_line(const struct result *r)
{
	const struct pass *p = &r->middle;
	const struct figure *k = p->kind;
	const struct ratios q = figures_ratios(p, r->scenario->open);

	if (r->scenario->world.workers > 1) {
		line_of_two(r);
		return;
	}

	printf("%" NAME_WIDTH "s %6.0f %6.0f %6.0f %6.0f %5.0f ", r->scenario->name, k[KIND_PATH].min,
		k[KIND_PATH].median, k[KIND_TOTAL].min, k[KIND_TOTAL].median, k[KIND_PORT].min);
	if (p->raw.min > 0)
		printf("%6.0f %6.2f %6.2f %7.2f |", p->raw.min, q.esp_by_mb, q.path_by_mb, q.total_by_floor);
	else
		printf("%6s %6s %6s %7s |", "", "", "", "");
	for (int i = FIRST_STAGE; i < STAGE_COUNT; i++)
		printf(" %8.0f", p->stage[i].min);
	printf("%s\n", r->noisy ? "  noisy" : "");
	fflush(stdout);
}

void
report_end(const struct result *r, uint32_t n)
{
	uint32_t noisy = 0;

	for (uint32_t i = 0; i < n; i++)
		noisy += r[i].noisy;
	if (noisy)
		printf("the machine was noisy: minima of the passes differ by more than %.0f%% in %u of %u "
		       "scenarios\n",
			NOISE * 100, noisy, n);
	else
		printf("passes agree within %.0f%% on all minima\n", NOISE * 100);
}

/* Whatever it took, it took something, and the stages are inside the whole. What is done with a few packets may cost no
 * more than looking at the clock, which is taken off: of them only the whole is looked at. */
void
report_smoke(uint32_t number, const struct scenario *s, const struct pass *p)
{
	double stages = 0;
	bool few = s->burst && s->burst <= 8, sound = few || (p->raw.min > 0) == (s->world.shape == SHAPE_TUNNEL);

	if (s->world.workers > 1) {
		sound = p->alone.min > 0 && p->kind[KIND_TOTAL].min > 0 && p->speedup > 0;
		printf("%s %u - %s\n", sound ? "ok" : "not ok", number, s->name);
		return;
	}
	for (int i = 0; i < STAGE_COUNT; i++)
		stages += p->stage[i].min;
	for (int kind = 0; kind < KIND_COUNT; kind++)
		sound &= p->kind[kind].min > 0 || (kind != KIND_TOTAL && few);
	sound &= few || (stages > 0 && stages <= p->kind[KIND_STAGES].min);
	if (!sound)
		printf("# raw %.1f stages %.1f, kinds %.1f %.1f %.1f %.1f\n", p->raw.min, stages, p->kind[0].min,
			p->kind[1].min, p->kind[2].min, p->kind[3].min);
	printf("%s %u - %s\n", sound ? "ok" : "not ok", number, s->name);
}

/* ---- JSON ------------------------------------------------------------------------------------------ */

static void
json_figure(FILE *f, const char *name, const struct figure *g)
{
	fprintf(f, "\"%s\":{\"min\":%.1f,\"median\":%.1f}", name, g->min, g->median);
}

/* One worker's; two have no stages of their own. */
static void
json_floor(FILE *f, const struct result *r)
{
	const struct ratios q = figures_ratios(&r->middle, r->scenario->open);

	if (r->middle.raw.min <= 0)
		return;
	fprintf(f, ",");
	json_figure(f, "ipsecMb", &r->middle.raw);
	if (r->scenario->world.workers <= 1)
		fprintf(f, ",\"ratios\":{\"espByMb\":%.3f,\"pathByMb\":%.3f,\"totalByFloor\":%.3f}", q.esp_by_mb,
			q.path_by_mb, q.total_by_floor);
}

static void
json_scenario(FILE *f, const struct result *r)
{
	fprintf(f, "{\"name\":\"%s\",\"noisy\":%s", r->scenario->name, r->noisy ? "true" : "false");
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		fprintf(f, ",");
		json_figure(f, kind_name[kind], &r->middle.kind[kind]);
	}
	json_floor(f, r);
	if (r->scenario->world.workers > 1) {
		fprintf(f, ",\"speedup\":%.3f,", r->middle.speedup);
		json_figure(f, "oneAlone", &r->middle.alone);
	}
	fprintf(f, ",\"stages\":{");
	for (int i = 0; i < STAGE_COUNT; i++) {
		fprintf(f, "%s", i ? "," : "");
		json_figure(f, stage_name(i), &r->middle.stage[i]);
	}
	fprintf(f, "}}");
}

int
report_json(const char *path, const struct result *r, uint32_t n, bool huge)
{
	FILE *f = fopen(path, "w");
	bool written;

	if (f == NULL) {
		perror(path);
		return -1;
	}
	fprintf(f, "{\"unit\":\"TSC cycles per packet\",\"tscHz\":%lu,\"hugePages\":%s,\"scenarios\":[",
		(unsigned long)rte_get_tsc_hz(), huge ? "true" : "false");
	for (uint32_t i = 0; i < n; i++) {
		fprintf(f, "%s\n", i ? "," : "");
		json_scenario(f, &r[i]);
	}
	fprintf(f, "\n]}\n");
	written = ferror(f) == 0;
	return fclose(f) == 0 && written ? 0 : -1;
}
