/* What charon reads at its start. Connections and secrets never stand here: they go over vici.
 *
 * Retransmission ends after about half a minute (1.5, 2.3, 3.4, ... seconds), where strongSwan's own values take
 * nearly three: together with a question after a third of dpdTimeoutSeconds a dead peer is found in about the default
 * of 45 seconds. Tables are sized for ten thousand IKE_SAs: a row each, and a lock for every few hundred.
 */
#include "control/charon_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLUGIN "libstrongswan-kernel-isthmus.so"

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void
flood_write(FILE *to, const struct cfg_ike_daemon_config *c)
{
	/* cookies from the first dozens of half-open IKE_SAs on, few for each address, and an end to it all before
	 * memory or workers are gone */
	fprintf(to, "\tcookie_threshold = 60\n"
		    "\tcookie_threshold_ip = 10\n"
		    "\tblock_threshold = 20\n"
		    "\tinit_limit_half_open = 4000\n"
		    "\tinit_limit_job_load = 4000\n");
	if (c->half_open_timeout_s)
		fprintf(to, "\thalf_open_timeout = %u\n", c->half_open_timeout_s);
}

static void
settings_write(FILE *to, const struct cfg_ike_daemon_config *c, const char *revoked)
{
	fprintf(to, "# Written by isthmusd at every start.\n%s {\n", base_name(c->charon));
	fprintf(to, "\tload_modular = no\n"
		    "\tload = random nonce openssl aes sha1 sha2 md5 hmac kdf gcm ccm chapoly ctr cmac"
		    " pem pkcs1 pkcs8 pkcs12 x509 pubkey revocation constraints curve25519"
		    " kernel-isthmus! kernel-netlink socket-default vici"
		    " eap-identity eap-mschapv2 eap-tls xauth-generic counters\n"
		    "\tport = 500\n"
		    "\tport_nat_t = 4500\n"
		    "\tthreads = 32\n"
		    "\tinstall_routes = no\n"
		    "\tinstall_virtual_ip = no\n"
		    "\treuse_ikesa = yes\n"
		    "\tikesa_table_size = 16384\n"
		    "\tikesa_table_segments = 64\n"
		    "\tdelete_rekeyed_delay = 5\n"
		    "\tinterfaces_ignore = vip-primary, vip-standby, vip-drained\n" /* roles are no moves */
		    "\tretransmit_timeout = 1.5\n"
		    "\tretransmit_base = 1.5\n");
	if (c->retransmit_tries)
		fprintf(to, "\tretransmit_tries = %u\n", c->retransmit_tries);
	flood_write(to, c);
	fprintf(to,
		"\tplugins {\n"
		"\t\tvici {\n\t\t\tsocket = \"unix://%s\"\n\t\t}\n"
		"\t\tkernel-isthmus {\n\t\t\tsocket = \"%s\"\n\t\t\trevoked = \"%s\"\n\t\t}\n"
		"\t}\n",
		c->vici_socket, c->plugin_socket, revoked);
	fprintf(to,
		"\tjournal {\n\t\tdefault = -1\n\t}\n"
		"\tsyslog {\n\t\tdaemon {\n\t\t\tdefault = -1\n\t\t}\n\t}\n"
		"\tfilelog {\n\t\tstderr {\n\t\t\tdefault = %u\n\t\t\tike_name = yes\n\t\t\tflush_line = yes\n\t\t}\n"
		"\t}\n}\n",
		c->log_level > 2 ? 2 : c->log_level);
}

int
charon_file_write(const char *path, const struct cfg_ike_daemon_config *c, const char *revoked, char *error, size_t n)
{
	char draft[PATH_MAX];
	FILE *to = NULL;
	int fd, r = 0;

	if (snprintf(draft, sizeof(draft), "%s.new", path) >= (int)sizeof(draft))
		return -ENAMETOOLONG;
	unlink(draft);
	fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0)
		to = fdopen(fd, "w");
	if (!to) {
		r = -errno;
		if (fd >= 0)
			close(fd);
	} else {
		settings_write(to, c, revoked);
		if (fclose(to) != 0 || rename(draft, path) != 0)
			r = -errno;
	}
	if (r != 0)
		snprintf(error, n, "%s: %s", path, strerror(-r));
	return r;
}

void
charon_plugin_find(const struct cfg_ike_daemon_config *c, char *path, size_t n)
{
	char self[PATH_MAX / 2] = "", *slash;
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (c->plugin != NULL) {
		snprintf(path, n, "%s", c->plugin);
		return;
	}
	self[length > 0 ? length : 0] = '\0';
	slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	snprintf(path, n, "%s/strongswan/" PLUGIN, self);
	if (access(path, R_OK) == 0)
		return;
	snprintf(path, n, "%s", access(ISTHMUS_PLUGINS "/" PLUGIN, R_OK) == 0 ? ISTHMUS_PLUGINS "/" PLUGIN : "");
}
