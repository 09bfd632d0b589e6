/* The daemon's state, whole: the control thread owns it. */
#pragma once

#include "control/api.h"
#include "control/builder.h"
#include "control/fitness.h"
#include "control/gateway_nets.h"
#include "control/local_uplinks.h"
#include "control/ike_store.h"
#include "control/ike_view.h"
#include "control/loop.h"
#include "control/rates.h"
#include "control/show.h"
#include "control/trace_session.h"
#include "control/world.h"

#include <time.h>

#define WORLDS_MAX 32 /* published, and perhaps still seen by a worker */

enum reload_state { RELOAD_IDLE, RELOAD_BUILDING, RELOAD_PUBLISHING };

/* One reload at a time. */
struct reload {
	enum reload_state state;
	struct build_job *job;  /* PUBLISHING: built, waits for room in the workers' rings */
	struct api_ticket from; /* who asked; serial 0: a signal */
	bool routes;            /* what is under way are learned routes */
	struct build_job *next; /* asked for while learned routes were being built */
	uint64_t learned;       /* gateway_nets_change of what runs, or is being built */
	uint64_t learned_ns;    /* not before: building takes a part of the time, not all */
	bool again;             /* SIGHUP came while one was under way */
	uint64_t done, refused; /* since start */
	char last[512];         /* what became of the last one */
	time_t last_time;
};

struct daemon {
	/* constant once started */
	const char *config_path; /* absolute: what SIGHUP reads */
	bool takeover;           /* from whoever runs */
	char *socket_path;
	char *socket_dir; /* made by us, removed at the end when empty; NULL: it was there */
	int lock;         /* of the state folder */
	uint64_t start_ns, watchdog_ns;

	struct config *config; /* between loading and the first world */
	struct names *names;
	struct iface_ids *iface_ids;
	struct sa_store *sas;
	struct ike_store *ike;
	struct ike_link *ike_link; /* NULL: no connection uses IKE; charon likewise */
	struct charon *charon;
	char *ike_folder;          /* of their sockets, made by us; NULL: it was there */
	struct ike_conf *ike_conf; /* built, until charon's side has it */
	struct ike_view ike_view;
	struct rte_mempool *pool;
	struct dataplane *dp;
	struct builder *builder;
	struct loop_source builder_source;
	struct loop loop;
	struct api *api;
	struct leasing *leasing; /* NULL: no high availability */
	uint64_t primary_epoch;  /* of our last time as primary; 0: there was none, or no lease */
	bool drained;            /* by the operator */
	struct fitness fitness;
	const char *unfit;             /* why it is drained by itself; NULL: it is not */
	uint64_t fit_ns;               /* since then it is fit */
	struct vip *vip;               /* NULL: no virtual addresses */
	uint64_t vip_again_ns;         /* they could not be set: the next try; 0: they are */
	struct state_link *state;      /* to the other node; NULL: there is none */
	uint64_t neighbours_ns;        /* it is told of them then */
	struct bird *routers;          /* tells routers of them; NULL: there are none */
	struct local_net *local;       /* NULL until its turn in main.c's table */
	struct gateway_nets *gateways; /* likewise */

	/* what runs now */
	struct world *world;
	struct view *first_view; /* built, until the dataplane has it */
	json_t *text;            /* the configuration as JSON */
	char *path;              /* where it came from */
	time_t loaded;
	uint64_t generation; /* publications */

	/* replaced; a worker may still use what they named, before it sees this publication */
	struct world *retired[WORLDS_MAX];
	uint64_t retired_by[WORLDS_MAX];
	uint32_t n_retired;

	struct reload reload;
	struct rates rates;
	struct trace_session trace;
	uint64_t watchdog_due_ns;
};

/* The world the verbs speak of. */
struct show daemon_show(const struct daemon *d);
