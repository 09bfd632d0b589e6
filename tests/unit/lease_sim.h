/* Nodes, their clocks and a storage in simulated time, with faults, and a checker that sees all of them at once.
 *
 * Each node's requests run as a coroutine that yields at every step of the storage: a node may be stopped, killed or
 * delayed between any two. Its control thread ticks beside it. The true time is in nanoseconds and known to none.
 */
#pragma once

#include "control/lease_file.h"

#include <stdlib.h>
#include <ucontext.h>

#define SIM_S 1000000000ull
#define SIM_NODES 3
#define SIM_STEP_NS (SIM_S / 100)
#define SIM_TICK_STEPS 10
#define SIM_EPOCHS 4096
#define SIM_STACK 65536
#define SIM_DURATION_NS (10 * SIM_S)

enum sim_kind { SIM_SERVER, SIM_FILES };

/* What a test breaks on purpose. */
enum sim_defect {
	SIM_SOUND,
	SIM_NO_MARGIN,      /* with clocks of different rate */
	SIM_NO_DEADLINE,    /* roles end by answers only */
	SIM_LATE_START,     /* a grant counts from its answer */
	SIM_NO_SECOND_LOOK, /* a challenger does not look at the beat again after its claim */
	SIM_EARLY_CHALLENGE /* it waits for less than the duration */
};

struct sim_node {
	struct sim *sim;
	int id, run;
	bool up;
	uint64_t stopped_until, down_until, cut_until, slow_until;
	uint64_t offset_ns;
	double rate;
	struct lease_core core;
	char identity[LEASE_NAME_MAX];
	/* its request */
	ucontext_t context;
	char *stack;
	bool busy, claiming;
	bool released; /* on its way out, as its core is: what runs is the last request */
	uint64_t wake_ns, timeout_ns;
	struct lease_answer answer;
	struct lease_file file;
	struct lease_storage storage;
	struct lease_file_record looked; /* SIM_NO_SECOND_LOOK */
};

struct sim {
	enum sim_kind kind;
	enum sim_defect defect;
	unsigned nodes;
	unsigned short seed[3];
	double skew;               /* of a clock's rate */
	uint64_t now_ns, quiet_ns; /* faults end at quiet_ns */
	ucontext_t main;
	struct sim_node node[SIM_NODES];
	struct lease server;
	struct {
		bool exists;
		int locked_by; /* -1: dead */
		struct lease_file_record record;
	} files[SIM_EPOCHS];
	/* the history, as far as the checker needs it */
	char holder[SIM_EPOCHS][LEASE_NAME_MAX];
	uint64_t two_primaries, shared_epochs, epochs, acting_ns, faults;
	int primaries; /* in this step */
};

/* One schedule of faults, of `seconds`, the last 60 of them without any. */
void sim_run(struct sim *s, enum sim_kind kind, enum sim_defect defect, long seed, unsigned seconds);
