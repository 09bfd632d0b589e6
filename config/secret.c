/* What control asks about secrets of a loaded configuration: where they are, what they say, and to
 * forget them. Shared keys and passwords of BGP are read by the loader, private keys and users' passwords
 * here, when charon gets them.
 */
#include "config/config.h"
#include "config/key.h"

#include <limits.h>
#include <string.h>

int
config_file_path(const struct config *c, const char *written, char *full, size_t size, const char **reason)
{
	return key_path(c->folder, written, full, size, reason);
}

int
config_secret_read(const struct config *c, const char *written, void *buffer, size_t size, const char **reason)
{
	char full[PATH_MAX];
	int rc = config_file_path(c, written, full, sizeof(full), reason);

	return rc < 0 ? rc : secret_read(full, buffer, size, reason);
}

void
config_wipe_sa_keys(struct config *c)
{
	for (uint32_t i = 0; i < c->n_connections; i++) {
		for (uint32_t k = 0; k < c->connections[i].n_sas; k++) {
			struct cfg_sa *sa = &c->connections[i].sas[k];

			explicit_bzero(sa->enc_key, sizeof(sa->enc_key));
			explicit_bzero(sa->auth_key, sizeof(sa->auth_key));
		}
	}
}

void
config_wipe_shared_keys(struct config *c)
{
	for (uint32_t i = 0; i < c->n_connections; i++)
		explicit_bzero(c->connections[i].ike.shared_key, sizeof(c->connections[i].ike.shared_key));
}

void
config_wipe_bgp_passwords(struct config *c)
{
	for (uint32_t i = 0; i < c->n_connections; i++)
		explicit_bzero(c->connections[i].bgp.password, sizeof(c->connections[i].bgp.password));
	for (uint32_t i = 0; i < c->n_circuits; i++)
		explicit_bzero(c->circuits[i].bgp.password, sizeof(c->circuits[i].bgp.password));
	for (uint32_t i = 0; i < c->appliance.ha.n_routers; i++)
		explicit_bzero(
			c->appliance.ha.routers[i].bgp.password, sizeof(c->appliance.ha.routers[i].bgp.password));
}

void
config_wipe_node_key(struct config *c)
{
	explicit_bzero(c->appliance.ha.peer.key, sizeof(c->appliance.ha.peer.key));
}

void
config_wipe_secrets(struct config *c)
{
	config_wipe_node_key(c);
	config_wipe_bgp_passwords(c);
	config_wipe_sa_keys(c);
	config_wipe_shared_keys(c);
}
