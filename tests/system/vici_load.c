/* vici_load CONFIG [SOCKET]: what a configuration says to charon, printed; or said to the one behind the socket. Each
 * refusal is a line; the exit status tells whether there was one. */
#include "control/ike_conf.h"
#include "control/loop.h"
#include "control/vici.h"
#include "drivers/clock.h"

#include <stdlib.h>
#include <string.h>

#define PATIENCE_NS 60000000000ull

struct load {
	struct loop loop;
	struct vici *vici;
	struct ike_conf *conf;
	uint32_t asked, answered, refused;
	uint64_t deadline_ns;
};

static struct load load;

static void
on_answer(void *context, int result, const struct vici_body *answer)
{
	const struct ike_item *item = context;
	char error[256];

	load.answered++;
	if (!vici_succeeded(result, answer, error, sizeof(error))) {
		load.refused++;
		printf("%s %s: %s\n", ike_load_command(item->kind), item->name, error);
	}
	if (load.answered == load.conf->n)
		loop_stop(&load.loop);
}

static void
on_up(void *context)
{
	(void)context;
	for (uint32_t i = 0; i < load.conf->n; i++) {
		struct ike_item *item = &load.conf->item[i];

		if (vici_request(load.vici, ike_load_command(item->kind), &item->message, on_answer, item) == 0)
			load.asked++;
	}
	if (load.conf->n == 0)
		loop_stop(&load.loop);
}

static void
on_down(void *context)
{
	(void)context;
	puts("the connection broke");
	loop_stop(&load.loop);
}

static void
on_event(void *context, const char *name, const struct vici_body *body)
{
	(void)context;
	(void)name;
	(void)body;
}

static uint32_t
poll_nothing(void *context)
{
	(void)context;
	return 0;
}

static void
tick(void *context)
{
	(void)context;
	vici_tick(load.vici, clock_boot_ns());
	if (clock_boot_ns() > load.deadline_ns)
		loop_stop(&load.loop);
}

static void
ignore(void *context)
{
	(void)context;
}

static int
run(const char *socket)
{
	static const char *const events[] = {"ike-updown", NULL};
	const struct loop_hooks loop = {NULL, poll_nothing, tick, ignore};
	const struct vici_hooks vici = {NULL, on_up, on_down, on_event};

	load.deadline_ns = clock_boot_ns() + PATIENCE_NS;
	if (loop_open(&load.loop, &loop) != 0 || vici_open(&load.loop, socket, events, &vici, &load.vici) != 0)
		return 2;
	loop_run(&load.loop);
	vici_close(load.vici);
	loop_close(&load.loop);
	printf("%u of %u loaded\n", load.answered - load.refused, load.conf->n);
	return load.answered == load.conf->n && load.refused == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
	struct config_errors *errors = calloc(1, sizeof(*errors));
	struct config *c = NULL;
	int status = 2;

	if (argc < 2 || !errors)
		return 2;
	if (config_load(argv[1], &c, errors) == 0 && ike_conf_make(c, &load.conf, errors) == 0) {
		status = 0;
		if (argc > 2)
			status = run(argv[2]);
		else
			ike_conf_print(load.conf, stdout);
	}
	config_errors_print(errors, stderr);
	ike_conf_free(load.conf);
	config_free(c);
	free(errors);
	return status;
}
