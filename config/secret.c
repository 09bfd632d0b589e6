/* What control asks about secrets of a loaded configuration: where they are, what they say, and to
 * forget them. Shared keys are read by the loader, private keys and passwords here, when charon gets them.
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

static void
wipe_connection(struct cfg_connection *c)
{
	explicit_bzero(c->ike.shared_key, sizeof(c->ike.shared_key));
	for (uint32_t i = 0; i < c->n_sas; i++) {
		explicit_bzero(c->sas[i].enc_key, sizeof(c->sas[i].enc_key));
		explicit_bzero(c->sas[i].auth_key, sizeof(c->sas[i].auth_key));
	}
}

void
config_wipe_secrets(struct config *c)
{
	for (uint32_t i = 0; i < c->n_connections; i++)
		wipe_connection(&c->connections[i]);
}
