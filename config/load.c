/* From a file to a checked configuration: read, parse, bind, check.
 *
 * Whatever held the text is wiped before it is freed, since keys may stand in it. The
 * configuration and all it points to live in one arena behind struct config. Any thread.
 */
#include "config/check.h"
#include "config/hub_gateway.h"
#include "config/schemas.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What callers know as struct config is the first member. */
struct config_box {
	struct config config;
	struct arena arena;
	_Atomic uint32_t users;
};

#define RESOURCES(k, m, most, of) LIST(k, struct config, m, most, of)
#define WAN_RESOURCES(k, m, most, of) LIST_AT(k, struct config, wan.m, wan.n_##m, most, of)

static const struct field config_fields[] = {
	RESOURCES("virtualNetworks", vnets, LIMIT_VNETS, &vnet_schema),
	RESOURCES("routeTables", route_tables, LIMIT_ROUTE_TABLES, &route_table_schema),
	RESOURCES("networkSecurityGroups", nsgs, LIMIT_NSGS, &nsg_schema),
	RESOURCES("applicationSecurityGroups", asgs, LIMIT_ASGS, &asg_schema),
	RESOURCES("networkInterfaces", nics, LIMIT_NICS, &nic_schema),
	RESOURCES("publicIPAddresses", public_ips, LIMIT_PUBLIC_IPS, &public_ip_schema),
	RESOURCES("virtualNetworkGateways", gateways, LIMIT_GATEWAYS, &gateway_schema),
	RESOURCES("localNetworkGateways", local_gateways, LIMIT_LOCAL_GATEWAYS, &local_gateway_schema),
	RESOURCES("expressRouteCircuits", circuits, LIMIT_CIRCUITS, &circuit_schema),
	RESOURCES("connections", connections, LIMIT_CONNECTIONS, &connection_schema),
	WAN_RESOURCES("virtualWans", wans, LIMIT_WANS, &wan_schema),
	WAN_RESOURCES("virtualHubs", hubs, LIMIT_HUBS, &hub_schema),
	WAN_RESOURCES("vpnSites", sites, LIMIT_SITES, &site_schema),
	WAN_RESOURCES("vpnGateways", vpn_gateways, LIMIT_HUBS, &hub_vpn_gateway_schema),
	WAN_RESOURCES("expressRouteGateways", er_gateways, LIMIT_HUBS, &hub_er_gateway_schema),
	WAN_RESOURCES("p2sVpnGateways", p2s_gateways, LIMIT_HUBS, &hub_p2s_gateway_schema),
	WAN_RESOURCES("vpnServerConfigurations", server_configurations, LIMIT_HUBS, &server_configuration_schema),
	PART_AT("appliance", struct config, appliance, &appliance_schema),
	END_OF_FIELDS,
};

const struct schema config_schema = {.noun = "configuration", .fields = config_fields};

/* "dir/file" to "dir", "file" to "." */
static char *
folder_of(struct arena *a, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return arena_text(a, ".", 1);
	return arena_text(a, path, slash == path ? 1 : (size_t)(slash - path));
}

static struct config_box *
box_new(const char *path)
{
	struct config_box *box = calloc(1, sizeof(*box));

	if (box == NULL)
		return NULL;
	box->config.path = arena_text(&box->arena, path, strlen(path));
	box->config.folder = folder_of(&box->arena, path);
	atomic_init(&box->users, 1);
	appliance_init(&box->config.appliance);
	if (box->config.path == NULL || box->config.folder == NULL) {
		config_free(&box->config);
		return NULL;
	}
	return box;
}

struct config *
config_ref(struct config *c)
{
	atomic_fetch_add(&((struct config_box *)c)->users, 1);
	return c;
}

void
config_free(struct config *c)
{
	struct config_box *box = (struct config_box *)c;

	if (c == NULL || atomic_fetch_sub(&box->users, 1) > 1)
		return;
	arena_free(&box->arena);
	free(box);
}

/* Tree to structs to a checked whole. Checks run on what could be bound, so that one run tells
 * as much as possible, but not on what only follows from an error told already. */
static int
tree_bind(struct config_box *box, const struct node *root, bool private, struct config_errors *errors)
{
	struct binder b = {.arena = &box->arena, .errors = errors, .folder = box->config.folder, .private = private};
	uint32_t loaded;
	int rc = bind_object(&b, &config_schema, root, &box->config);

	loaded = errors->n;
	if (rc == 0)
		rc = config_check(&box->config, &b);
	for (size_t i = 0; i < b.n_broken; i++)
		config_errors_forget(errors, loaded, b.broken[i].start, b.broken[i].end);
	free(b.broken);
	free(b.marks);
	if (rc == 0 && errors->total > 0)
		rc = -EINVAL;
	return rc;
}

static int
text_load(const char *path, const char *text, size_t size, bool private, struct config **out,
	struct config_errors *errors)
{
	struct config_box *box = box_new(path);
	struct arena tree = {0};
	struct node *root;
	int rc;

	*out = NULL;
	errors->path = path;
	errors->n = errors->total = 0;
	if (box == NULL)
		return -ENOMEM;
	rc = tree_parse(&tree, text, size, &root, errors);
	if (rc == 0 && node_is_null(root)) {
		config_error(errors, root->mark, "EmptyFile", "nothing in it: an empty configuration is written as {}");
		rc = -EINVAL;
	}
	if (rc == 0)
		rc = tree_bind(box, root, private, errors);
	arena_free(&tree);
	if (rc < 0) {
		config_free(&box->config);
		return rc;
	}
	*out = &box->config;
	return 0;
}

int
config_parse(const char *path, const char *text, size_t size, struct config **out, struct config_errors *errors)
{
	return text_load(path, text, size, true, out, errors);
}

/* The whole file, at most one byte more than the limit (tree_parse refuses it then). */
static int
file_read(int fd, char **text, size_t *size)
{
	size_t room = 64 * 1024, used = 0;
	char *buffer = malloc(room);

	while (buffer != NULL) {
		ssize_t n = read(fd, buffer + used, room - used);
		char *grown;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int rc = -errno;

			explicit_bzero(buffer, used);
			free(buffer);
			return rc;
		}
		used += (size_t)n;
		if (n == 0 || used > LIMIT_FILE_BYTES)
			break;
		if (used < room)
			continue;
		/* not realloc: it could leave an unwiped copy behind */
		grown = malloc(2 * room);
		if (grown != NULL)
			memcpy(grown, buffer, used);
		explicit_bzero(buffer, used);
		free(buffer);
		buffer = grown;
		room *= 2;
	}
	*text = buffer;
	*size = used;
	return buffer ? 0 : -ENOMEM;
}

static int
file_open(const char *path, bool *private)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		st.st_mode = 0777;
	if (S_ISDIR(st.st_mode)) {
		close(fd);
		return -EISDIR;
	}
	*private = (st.st_mode & 077) == 0;
	return fd;
}

int
config_load(const char *path, struct config **out, struct config_errors *errors)
{
	char *text = NULL;
	size_t size = 0;
	bool private = false;
	int fd = file_open(path, &private);
	int rc = fd < 0 ? fd : file_read(fd, &text, &size);

	*out = NULL;
	if (fd >= 0)
		close(fd);
	if (rc < 0) {
		errors->path = path;
		errors->n = errors->total = 0;
		config_error(errors, (struct cfg_mark){0}, "FileUnreadable", "%s", strerror(-rc));
		return rc;
	}
	rc = text_load(path, text, size, private, out, errors);
	explicit_bzero(text, size);
	free(text);
	return rc;
}
