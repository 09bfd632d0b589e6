/* Names and the references that lead to them. Internal to config/.
 *
 * A reference is a name ("hub", for a subnet "hub/web") or a full resource id
 * (/subscriptions/S/resourceGroups/G/providers/Microsoft.Network/virtualNetworks/hub/subnets/web).
 * Names compare without case, as in the cloud. An id leads to an object that carries another
 * id of its own only if the two ids are equal; what has no id is known by its name alone.
 */
#pragma once

#include "config/bind.h"

/* The kinds that can be referred to by name alone. */
enum kind {
	KIND_VNET,
	KIND_ROUTE_TABLE,
	KIND_NSG,
	KIND_ASG,
	KIND_NIC,
	KIND_PUBLIC_IP,
	KIND_GATEWAY,
	KIND_LOCAL_GATEWAY,
	KIND_CIRCUIT,
	KIND_CONNECTION,
	KIND_WAN,
	KIND_HUB,
	KIND_SITE,
	KIND_SERVER_CONFIGURATION,
	KIND_HUB_VPN_GATEWAY,
	KIND_HUB_ER_GATEWAY,
	KIND_HUB_P2S_GATEWAY,
	KIND_PORT,
	KINDS
};

/* Objects in the order of their names, for bisection. */
struct names {
	const char *base; /* the array */
	size_t size;      /* of one object; each begins with a struct named */
	uint32_t n;
	uint32_t *order; /* those that have a name */
};

/* How every named object begins. */
struct named {
	struct cfg_mark mark;
	char *name;
};

struct check;

int names_build(struct arena *a, struct names *names, void *base, uint32_t n, size_t size);
int32_t names_find(const struct names *names, const char *name, size_t length);
/* Two of one name, and names the schema does not allow. */
void names_check(struct binder *b, const struct names *names, const char *noun, bool resource);
/* Only two of one name, both at or behind index `from`. */
void names_check_twice(struct binder *b, const struct names *names, const char *noun, uint32_t from);

int kinds_build(struct check *k);
/* Again, after objects were added to an array that had been indexed. -ENOMEM or 0. */
int kind_rebuild(struct check *k, enum kind kind);
/* The index, or CFG_NONE and an error (unless `quiet`). NULL refs are CFG_NONE without one. */
int32_t reference_resolve(struct check *k, enum kind kind, char *const *ref, struct cfg_mark otherwise);
int32_t reference_find(struct check *k, enum kind kind, const char *ref);
/* Of a list that is named inside its owner: "NAME", "OWNER/NAME" or an id .../OWNER_WORD/OWNER/WORD/NAME. False: of no
 * such form. owner: NULL where the reference names none. */
struct child_ref {
	const char *owner, *name;
	size_t owner_length, name_length;
};
bool reference_child(const char *ref, const char *owner_word, const char *word, struct child_ref *out);
/* A well-formed resource id, which may name something outside this file. */
bool reference_is_id(enum kind kind, const char *ref);
/* A subnet by "V/S" or id. */
void reference_resolve_subnet(
	struct check *k, char *const *ref, struct cfg_mark otherwise, int32_t *vnet, int32_t *subnet);
/* Every reference of a list, into an array of the same length. -ENOMEM or 0. */
int reference_resolve_all(
	struct check *k, enum kind kind, const struct cfg_strings *refs, struct cfg_mark otherwise, int32_t **out);
