/* Publishing what IKE negotiated: the same world with other SAs. Control thread.
 *
 * SAs come and go in bursts, so all that changed since the last time is one publication, and between two of them passes
 * a few times what the last one took. A reload takes the present SAs along.
 */
#pragma once

#include <stdint.h>

#define IKE_VIEWS_MAX 64

struct daemon;
struct view;
struct world;

struct ike_view {
	uint64_t change; /* of the store, published last */
	uint64_t due_ns; /* not before */
	/* publications that not every worker has seen, a ring */
	struct {
		uint64_t change, generation;
	} under_way[IKE_VIEWS_MAX];
	uint32_t first, n;
	uint64_t published, longest_ns;
};

/* A new world with the SAs of now, in place of dataplane_publish: on 0 the view is the dataplane's. -EAGAIN: nothing
 * changed, try again. */
int ike_view_publish(struct daemon *d, const struct world *w, struct view **view);
/* Every round of the loop. */
void ike_view_poll(struct daemon *d);
