/* charon's life. See charon.h; what it is told is in charon_load.c, what is kept up in charon_watch.c.
 *
 * Looking for an older one comes before starting one: two would fight for the ports. Until the vici socket answers
 * nothing is known about a charon that was started; its log tells why when it does not come up.
 */
#include "control/charon_file.h"
#include "control/charon_state.h"
#include "drivers/clock.h"
#include "drivers/log.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECOND_NS 1000000000ull
#define RETRY_FIRST_NS SECOND_NS
#define RETRY_MAX_NS (30 * SECOND_NS)
#define SILENT_MAX_NS (60 * SECOND_NS)
#define MOVING_NS (SECOND_NS / 5)

static const char *const events[] = {"ike-updown", "child-updown", "ike-rekey", "child-rekey", "list-sa", NULL};

/* ---- its settings --------------------------------------------------------------------- */

static bool
is_managed(const struct charon *c)
{
	return c->config.daemon == IKE_DAEMON_MANAGED;
}

static int
settings_write(struct charon *c)
{
	const char *revoked = c->wanted && c->wanted->revoked ? c->wanted->revoked : "";
	char error[300], *copy = strdup(revoked);
	int r = copy ? charon_file_write(c->settings, &c->config, revoked, error, sizeof(error)) : -ENOMEM;

	if (r != 0) {
		log_error("charon", "%s", copy ? error : "no memory");
		free(copy);
		return r;
	}
	free(c->revoked);
	c->revoked = copy;
	return 0;
}

/* What is not known to be told is told again. */
static void
on_reloaded(void *context, int result, const struct vici_body *answer)
{
	struct charon *c = context;

	if (result == 0)
		return;
	log_error("charon", "the list of revoked certificates is not read: %s", strerror(-result));
	free(c->revoked);
	c->revoked = NULL;
	c->revoked_at_ns = clock_boot_ns() + RETRY_MAX_NS;
}

/* Thumbprints are in the settings, where charon's plugin looks them up. One that was adopted is told once, too. */
static void
revoked_apply(struct charon *c)
{
	const char *revoked = c->wanted->revoked ? c->wanted->revoked : "";

	if (!is_managed(c) && *revoked)
		log_warning("charon", "it is not ours: its plugin's setting `revoked` must be \"%s\"", revoked);
	if (!is_managed(c) || !vici_connected(c->vici) || (c->revoked && strcmp(c->revoked, revoked) == 0))
		return;
	c->revoked_at_ns = clock_boot_ns() + RETRY_MAX_NS;
	if (settings_write(c) == 0 && vici_request(c->vici, "reload-settings", NULL, on_reloaded, c) == 0)
		return;
	free(c->revoked);
	c->revoked = NULL;
}

/* ---- connections from addresses that other nodes have, too ------------------------------ */

/* This node became primary. Nobody else has a reason to start: not even the patient waits longer than routers need to
 * send the answers here. */
static void
take(struct charon *c)
{
	for (uint32_t i = 0; i < c->n_watches; i++) {
		if (!c->watch[i].item->shared)
			continue;
		c->watch[i].pause_ns = SECOND_NS;
		c->watch[i].due_ns = clock_boot_ns() + MOVING_NS;
	}
}

/* Ends what a peer may not know any more. It is not waited for its answer, nor for one to what was asked before: both
 * go where its newest tunnel is. */
static void
renew(struct charon *c)
{
	for (uint32_t i = 0; c->wanted && i < c->wanted->n; i++) {
		const struct ike_item *item = &c->wanted->item[i];
		struct vici_message m = {0};

		if (item->kind != IKE_CONN || !item->shared)
			continue;
		vici_text(&m, "ike", "%s", item->name);
		vici_text(&m, "force", "yes");
		vici_text(&m, "timeout", "-1");
		vici_request(c->vici, "terminate", &m, NULL, NULL);
	}
}

/* ---- what vici and the process say ----------------------------------------------------- */

/* Answers come in the order of the requests. */
static void
on_loaded(void *context, int result, const struct vici_body *answer)
{
	struct charon *c = context;

	(void)answer;
	if (result != 0 || c->ready)
		return;
	c->ready = true;
	log_info("charon", "it knows its connections");
}

static void
on_up(void *context)
{
	struct charon *c = context;

	log_notice("charon", "connected, process %d", vici_peer_pid(c->vici));
	c->retry_ns = RETRY_FIRST_NS;
	c->loaded = NULL;
	if (c->wanted) {
		charon_load(c);
		c->loaded = c->wanted;
		revoked_apply(c);
	}
	vici_request(c->vici, "version", NULL, on_loaded, c);
	charon_watch_connected(c);
	if (c->renew && !c->fresh)
		renew(c);
	c->fresh = c->renew = false;
	if (c->hooks.up)
		c->hooks.up(c->hooks.context);
}

static void
on_down(void *context)
{
	struct charon *c = context;

	if (!c->leaving)
		log_warning("charon", "the connection is lost");
	c->loaded = NULL;
	if (c->hooks.down)
		c->hooks.down(c->hooks.context);
}

static void
on_event(void *context, const char *name, const struct vici_body *body)
{
	struct charon *c = context;

	charon_watch_event(c, name, body);
	if (c->hooks.event)
		c->hooks.event(c->hooks.context, name, body);
}

static void
on_line(void *context, const char *text)
{
	struct charon *c = context;

	log_info("charon", "%s", text);
	if (c->hooks.line)
		c->hooks.line(c->hooks.context, text);
}

static void
on_ended(void *context)
{
	struct charon *c = context;

	c->ready = false;
	if (c->leaving)
		return;
	log_error("charon", "it ended; the next one is started in %u s", (unsigned)(c->retry_ns / SECOND_NS));
	c->retry_at_ns = clock_boot_ns() + c->retry_ns;
	c->retry_ns = c->retry_ns * 2 < RETRY_MAX_NS ? c->retry_ns * 2 : RETRY_MAX_NS;
}

/* ---- the process --------------------------------------------------------------------- */

static void
start(struct charon *c)
{
	int netns = c->namespace_fd ? c->namespace_fd(c->hooks.context) : -1, r = settings_write(c);

	/* nobody listens there: what an older one left is in the way */
	unlink(c->config.vici_socket);
	if (r == 0)
		r = child_start(&c->process, netns);
	if (r == 0) {
		log_notice("charon", "started as process %d%s%s", c->process.pid, c->preload[0] ? " with " : "",
			c->preload);
		c->fresh = true;
		c->ready = false;
		return;
	}
	log_error("charon", "cannot be started: %s", strerror(-r));
	c->retry_at_ns = clock_boot_ns() + RETRY_MAX_NS;
}

/* In the control namespace: one that is elsewhere reaches nobody. */
static bool
is_in_place(struct charon *c, int pid)
{
	int netns = c->namespace_fd ? c->namespace_fd(c->hooks.context) : -1;
	struct stat its, wanted;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	return netns < 0 || (stat(path, &its) == 0 && fstat(netns, &wanted) == 0 && its.st_ino == wanted.st_ino);
}

/* One that was there before us. It runs with the settings of its start. */
static void
adopt(struct charon *c, int pid)
{
	int r = child_adopt(&c->process, pid);

	if (r != 0) {
		log_warning("charon", "process %d cannot be watched: %s", pid, strerror(-r));
		return;
	}
	c->fresh = false;
	if (is_in_place(c, pid)) {
		c->ready = true;
		log_notice("charon", "process %d is taken over from an isthmusd before us", pid);
		return;
	}
	log_notice("charon", "process %d is in another network namespace: ended", pid);
	child_signal(&c->process, SIGKILL);
}

static void
silence_end(struct charon *c, uint64_t now_ns)
{
	if (vici_connected(c->vici))
		c->silent_ns = now_ns;
	if (now_ns - c->silent_ns < SILENT_MAX_NS)
		return;
	log_error("charon", "process %d does not answer: ended", c->process.pid);
	child_signal(&c->process, SIGKILL);
	c->silent_ns = now_ns;
}

static void
process_tick(struct charon *c, uint64_t now_ns)
{
	if (!is_managed(c))
		return;
	if (c->process.pid != 0) {
		silence_end(c, now_ns);
		return;
	}
	c->silent_ns = now_ns;
	if (vici_peer_pid(c->vici) > 0)
		adopt(c, vici_peer_pid(c->vici));
	else if (now_ns >= c->retry_at_ns && c->wanted && c->wanted->n > 0)
		start(c);
}

/* ---- what others call ---------------------------------------------------------------- */

static int
config_copy(struct charon *c, const struct cfg_ike_daemon_config *from)
{
	c->config = *from;
	c->config.vici_socket = strdup(from->vici_socket);
	c->config.plugin_socket = strdup(from->plugin_socket);
	c->config.charon = strdup(from->charon);
	c->config.plugin = from->plugin ? strdup(from->plugin) : NULL;
	if (!c->config.vici_socket || !c->config.plugin_socket || !c->config.charon)
		return -ENOMEM;
	charon_plugin_find(&c->config, c->preload, sizeof(c->preload));
	snprintf(c->settings, sizeof(c->settings), "%s.conf", c->config.vici_socket);
	return 0;
}

static void
charon_free(struct charon *c)
{
	vici_close(c->vici);
	ike_conf_free(c->wanted);
	charon_watches_free(c);
	free(c->revoked);
	free(c->config.vici_socket);
	free(c->config.plugin_socket);
	free(c->config.charon);
	free(c->config.plugin);
	free(c);
}

int
charon_create(struct loop *loop, const struct cfg_appliance *config, const struct charon_hooks *hooks,
	int (*namespace_fd)(void *context), struct charon **out, char *error, size_t n)
{
	struct charon *c = calloc(1, sizeof(*c));
	const struct vici_hooks vici = {c, on_up, on_down, on_event};
	int r = c ? config_copy(c, &config->ike) : -ENOMEM;

	if (r == 0) {
		c->loop = loop;
		c->hooks = *hooks;
		c->namespace_fd = namespace_fd;
		c->retry_ns = RETRY_FIRST_NS;
		c->process = (struct child){.loop = loop,
			.argument = {c->config.charon},
			.variable = {{"STRONGSWAN_CONF", c->settings}, {"LD_PRELOAD", c->preload}},
			.context = c,
			.line = on_line,
			.ended = on_ended};
		child_init(&c->process);
		r = vici_open(loop, c->config.vici_socket, events, &vici, &c->vici);
	}
	if (r == 0) {
		*out = c;
		return 0;
	}
	snprintf(error, n, "%s: %s", config->ike.vici_socket, strerror(-r));
	if (c)
		charon_free(c);
	return r;
}

void
charon_apply(struct charon *c, struct ike_conf *conf)
{
	struct ike_conf *before = c->wanted;

	c->wanted = conf;
	if (charon_watches_make(c) != 0) {
		log_error("charon", "no memory for the new configuration: the one before stays");
		c->wanted = before;
		ike_conf_free(conf);
		return;
	}
	if (vici_connected(c->vici)) {
		charon_load(c);
		c->loaded = conf;
	} else {
		c->loaded = NULL;
	}
	revoked_apply(c);
	ike_conf_free(before);
}

void
charon_tick(struct charon *c, uint64_t now_ns)
{
	if (c->leaving)
		return;
	/* an older one answers at once or never */
	vici_tick(c->vici, now_ns);
	process_tick(c, now_ns);
	if (!vici_connected(c->vici))
		return;
	charon_watch_tick(c, now_ns);
	if (is_managed(c) && c->wanted && !c->revoked && now_ns >= c->revoked_at_ns)
		revoked_apply(c);
}

void
charon_goodbye(struct charon *c)
{
	c->leaving = true;
	if (is_managed(c))
		child_signal(&c->process, SIGTERM);
}

bool
charon_gone(const struct charon *c)
{
	return !is_managed(c) || c->process.pid == 0;
}

void
charon_stop(struct charon *c, enum charon_stop how)
{
	if (!c)
		return;
	vici_close(c->vici);
	c->vici = NULL;
	if (how == CHARON_STOP && is_managed(c)) {
		child_end(&c->process);
		unlink(c->settings);
		unlink(c->config.vici_socket);
	} else {
		child_leave(&c->process);
	}
	charon_free(c);
}

bool
charon_connected(const struct charon *c)
{
	return c && vici_connected(c->vici);
}

bool
charon_ready(const struct charon *c)
{
	return !is_managed(c) || c->ready;
}

int
charon_pid(const struct charon *c)
{
	return c->process.pid ? c->process.pid : vici_peer_pid(c->vici);
}

int
charon_ask(struct charon *c, const char *command, struct vici_message *m, vici_answer *done, void *context)
{
	return vici_request(c->vici, command, m, done, context);
}

bool
charon_hurry(struct charon *c, const char *name)
{
	struct charon_watch *w = charon_watch_find(c, name);

	if (w && vici_connected(c->vici))
		charon_watch_hurry(w);
	return w != NULL;
}

int
charon_reset(struct charon *c, const char *name)
{
	struct charon_watch *w = charon_watch_find(c, name);
	struct vici_message m = {0};

	if (!ike_conf_find(c->wanted, IKE_CONN, name))
		return -ENOENT;
	if (!vici_connected(c->vici))
		return -ENOTCONN;
	if (w)
		charon_watch_soon(w);
	vici_text(&m, "ike", "%s", name);
	vici_text(&m, "timeout", "-1");
	return vici_request(c->vici, "terminate", &m, NULL, NULL);
}

void
charon_role(struct charon *c, bool primary, bool anew)
{
	if (primary && c->standby)
		take(c);
	c->standby = !primary;
	if (primary && anew && vici_connected(c->vici))
		renew(c);
	else if (primary && anew)
		c->renew = true;
}

const struct ike_conf *
charon_conf(const struct charon *c)
{
	return c->wanted;
}
