/* The file has what a link to another node would have been told (state_flows.h): interfaces and rules go by their
 * names, for the successor numbers its own.
 */
#include "control/flow_file.h"

#include "control/state_flows.h"
#include "drivers/clock.h"
#include "drivers/log.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC "isthmus flows 1\n"
#define SECOND_NS 1000000000ull
#define FRESH_S 60 /* older ones are of another time */

static int
file_open(const char *folder, const char *suffix, int flags)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/flows%s", folder, suffix);
	return open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* Any neighbours among them are nobody's. */
static void
ignore(void *context, const struct state_neighbour *n)
{
	(void)context;
	(void)n;
}

static struct state_flows *
flows_of(struct dataplane *dp, const struct world *w, struct names *names)
{
	struct state_flows *s = state_flows_create(dp, names, ignore, NULL);
	struct interface_names *interfaces = s ? interface_names_of(w, names) : NULL;

	if (interfaces) {
		state_flows_interfaces(s, interfaces);
		return s;
	}
	state_flows_free(s);
	return NULL;
}

/* ---- writing ---------------------------------------------------------------------------- */

static bool
all_write(FILE *to, struct state_flows *s)
{
	static uint8_t frames[STATE_FILL_ROOM];
	uint64_t now = htobe64(clock_boot_ns());
	bool round = false, right = fwrite(MAGIC, strlen(MAGIC), 1, to) == 1 && fwrite(&now, sizeof(now), 1, to) == 1;

	while (right && !round) {
		size_t n = state_flows_fill(s, frames, &round);

		right = n == 0 || fwrite(frames, n, 1, to) == 1;
	}
	return right;
}

void
flow_file_save(const char *folder, struct dataplane *dp, const struct world *w, struct names *names)
{
	struct state_flows *s = flows_of(dp, w, names);
	int fd = file_open(folder, ".new", O_WRONLY | O_CREAT | O_TRUNC);
	FILE *to = fd < 0 ? NULL : fdopen(fd, "w");
	char made[PATH_MAX], path[PATH_MAX];
	struct state_flows_count count;
	bool right = s && to && all_write(to, s);

	if (to)
		right = fclose(to) == 0 && right;
	else if (fd >= 0)
		close(fd);
	snprintf(made, sizeof(made), "%s/flows.new", folder);
	snprintf(path, sizeof(path), "%s/flows", folder);
	if (right && rename(made, path) == 0) {
		state_flows_count(s, &count);
		log_info("flows", "%lu flows are left for a successor", (unsigned long)count.told);
	} else {
		log_warning("flows", "flows cannot be left for a successor: %s", strerror(errno));
		unlink(made);
	}
	state_flows_free(s);
}

/* ---- reading ---------------------------------------------------------------------------- */

/* 0 at the end, or -errno. */
static int
frames_read(FILE *from, struct state_flows *s)
{
	uint8_t header[STATE_HEADER], body[STATE_BODY_MAX];
	int r = 0;

	while (r == 0 && fread(header, sizeof(header), 1, from) == 1) {
		size_t n = (size_t)(header[0] << 8 | header[1]);

		if (n > sizeof(body) || (n > 0 && fread(body, n, 1, from) != 1))
			return -EPROTO;
		r = state_flows_take(s, (enum state_frame)header[2], body, n);
	}
	return r;
}

static int
all_read(FILE *from, struct state_flows *s)
{
	char magic[sizeof(MAGIC) - 1];
	uint64_t then, now = clock_boot_ns();

	if (fread(magic, sizeof(magic), 1, from) != 1 || memcmp(magic, MAGIC, sizeof(magic)) != 0 ||
		fread(&then, sizeof(then), 1, from) != 1)
		return -EPROTO;
	then = be64toh(then);
	if (then > now || now - then > FRESH_S * SECOND_NS)
		return -ETIME;
	return frames_read(from, s);
}

void
flow_file_load(const char *folder, struct dataplane *dp, const struct world *w, struct names *names)
{
	int fd = file_open(folder, "", O_RDONLY), r;
	FILE *from = fd < 0 ? NULL : fdopen(fd, "r");
	struct state_flows *s = from ? flows_of(dp, w, names) : NULL;
	char path[PATH_MAX];
	struct state_flows_count count;

	if (!from)
		return;
	snprintf(path, sizeof(path), "%s/flows", folder);
	unlink(path);
	r = s ? all_read(from, s) : -ENOMEM;
	fclose(from);
	if (s) {
		state_flows_count(s, &count);
		log_info("flows", "%lu flows of a predecessor go on, %lu are refused", (unsigned long)count.taken,
			(unsigned long)count.refused);
	}
	if (r != 0 && r != -ETIME)
		log_warning("flows", "the flows that a predecessor left: %s", strerror(-r));
	state_flows_free(s);
}
