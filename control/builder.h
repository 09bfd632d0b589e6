/* The builder: a thread beside control that turns a file into a world and a compiled view.
 *
 * Loading, compiling rules and routes takes seconds with large configurations; the control thread
 * answers ARP, BFD and IKE meanwhile. One job at a time: control hands over a job and gets it back,
 * finished, when the event descriptor becomes readable. While a job runs only the builder touches it.
 */
#pragma once

#include "control/world.h"

#include <jansson.h>
#include <stdbool.h>

struct ike_conf;
struct sa_store;

struct build_job {
	/* from control */
	char *path;
	bool check_only;                   /* verify: nothing is kept */
	const struct cfg_appliance *fixed; /* what cannot change while running; NULL: the first configuration */
	struct view *previous;             /* shared from; the job's own reference; NULL: none */
	struct config *config;             /* loaded already, taken; NULL: load path */
	struct learned_all *learned;       /* the job's own; NULL: nothing */
	const struct world *again; /* only what was learned changed: all else is this world's, of the same config */

	/* from the builder */
	int result; /* 0, or -errno with errors */
	struct config_errors errors;
	struct world *world;
	struct view *view;
	struct ike_conf *ike; /* what charon shall know; NULL: no connection uses IKE */
	json_t *text;         /* the configuration as JSON, for tools */
	uint64_t took_ns;
};

struct builder_tools {
	struct names *names;
	struct iface_ids *iface_ids;
	struct sa_store *sas; /* NULL: offline, SAs stay without state */
};

/* Any thread registered with EAL: the whole work, called by the builder thread and by tools without one. */
void build(const struct builder_tools *tools, struct build_job *job);
/* What a job made and nobody took. Control, or whoever called build. */
void build_job_free(struct build_job *job);

struct builder;

/* Control. Starts the thread; 0 or -errno. */
int builder_start(const struct builder_tools *tools, struct builder **out);
/* Waits for a job under way to end, then for the thread. */
void builder_stop(struct builder *b);
/* Readable when a job is finished. */
int builder_fd(const struct builder *b);
/* Ownership of the job passes to the builder. Only when none is under way. */
void builder_give(struct builder *b, struct build_job *job);
/* The finished job, NULL when there is none. Clears the descriptor. */
struct build_job *builder_take(struct builder *b);
