/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * charon's plugin kernel-isthmus: loading, settings, features.
 *
 * Loaded as critical (`kernel-isthmus!`) and before kernel-netlink, which keeps the part of addresses and routes: the
 * first kernel_ipsec_t that registers wins, and without the mark charon would go on with the kernel's IPsec when the
 * plugin fails to load. Only what an operator must repair makes loading fail: no socket named, or another strongSwan
 * than the one that the plugin was built for. An isthmusd that is late or restarts does not: the link tries again.
 *
 * charon looks for plugins in one folder that is compiled in (/usr/lib/ipsec/plugins, where `make install` puts this
 * one), and, before that, for <name>_plugin_create among the symbols that the process has already: so a plugin that is
 * not installed works by LD_PRELOAD=BUILD/libstrongswan-kernel-isthmus.so. The variable is taken out of the environment
 * then, as the programs that charon starts have none of the plugin's symbols.
 *
 * Settings, in charon.plugins.kernel-isthmus (or charon-systemd.plugins...): socket, the path; timeout, seconds that a
 * request may take (5); revoked, see revoked.h, which is read anew whenever a client comes.
 */
#include "control/strongswan/backend.h"
#include "control/strongswan/directories.h"
#include "control/strongswan/link.h"
#include "control/strongswan/listener.h"
#include "control/strongswan/version.h"

#include <daemon.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define TIMEOUT_S 5

struct plugin {
	plugin_t public;
	struct link *link;
};

plugin_t *kernel_isthmus_plugin_create(void);

static char *
get_name(plugin_t *this)
{
	return "kernel-isthmus";
}

static bool
listen_to_bus(plugin_t *this, plugin_feature_t *feature, bool start, void *data)
{
	struct plugin *p = (struct plugin *)this;

	if (start)
		listener_start(link_requests(p->link));
	else
		listener_stop();
	return true;
}

static int
get_features(plugin_t *this, plugin_feature_t *features[])
{
	static plugin_feature_t f[] = {
		PLUGIN_CALLBACK(kernel_ipsec_register, backend_create),
		PLUGIN_PROVIDE(CUSTOM, "kernel-ipsec"),
		PLUGIN_CALLBACK(listen_to_bus, NULL),
		PLUGIN_PROVIDE(CUSTOM, "isthmus-notices"),
	};

	*features = f;
	return countof(f);
}

static void
destroy(plugin_t *this)
{
	struct plugin *p = (struct plugin *)this;

	directories_stop();
	link_close(p->link);
	free(p);
}

/* The socket's path; NULL when it is missing or cannot be one. */
static const char *
socket_path(void)
{
	const char *path = lib->settings->get_str(lib->settings, "%s.plugins.kernel-isthmus.socket", NULL, lib->ns);

	if (!path)
		DBG1(DBG_KNL, "isthmus: %s.plugins.kernel-isthmus.socket is not set", lib->ns);
	else if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path)) {
		DBG1(DBG_KNL, "isthmus: %s.plugins.kernel-isthmus.socket: too long for a socket's path", lib->ns);
		path = NULL;
	}
	return path;
}

static bool
version_fits(void)
{
	const char *built = version_built(), *running = version_running();

	if (strcmp(running, "unknown") == 0) {
		DBG1(DBG_KNL, "isthmus: this program's strongSwan version is unknown, assuming %s", built);
		return true;
	}
	if (strcmp(running, built) == 0)
		return true;
	DBG1(DBG_KNL, "isthmus: the plugin was built for strongSwan %s and this is %s: build it anew", built, running);
	return false;
}

static void
leave_environment(void)
{
	const char *preload = getenv("LD_PRELOAD");

	if (preload && strstr(preload, "kernel-isthmus"))
		unsetenv("LD_PRELOAD");
}

__attribute__((visibility("default"))) plugin_t *
kernel_isthmus_plugin_create(void)
{
	const char *path = socket_path();
	int timeout = lib->settings->get_int(lib->settings, "%s.plugins.kernel-isthmus.timeout", TIMEOUT_S, lib->ns);
	struct plugin *p;

	leave_environment();
	/* For keys in locked memory, which is tried without it, too (secret.c). */
	(void)!lib->caps->keep(lib->caps, CAP_IPC_LOCK);
	if (!path || !version_fits())
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->public = (plugin_t){.get_name = get_name, .get_features = get_features, .destroy = destroy};
	p->link = link_open(path, (uint32_t)(timeout > 0 ? timeout : TIMEOUT_S) * 1000);
	if (!p->link) {
		free(p);
		return NULL;
	}
	backend_use(link_requests(p->link));
	directories_start();
	return &p->public;
}
