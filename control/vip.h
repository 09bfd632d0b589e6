/* The virtual addresses of a pair as routing daemons in the control namespace see them: on one of three interfaces,
 * whose name says how good a way this node is. The interfaces are this process's: with it they go, whatever killed it,
 * and the kernel tells the daemons. Control thread; 0 or -errno with a text.
 */
#pragma once

#include "config/value.h"
#include "control/loop.h"

#include <stddef.h>

enum vip_level { VIP_PRIMARY, VIP_STANDBY, VIP_DRAINED, VIP_LEVELS };
extern const char *const vip_interface[VIP_LEVELS];

struct vip;

struct vip *vip_create(struct loop *loop);
/* Where they are from now on, in the namespace with this descriptor. There is no moment without them: they are at the
 * new place before they leave the old one. */
int vip_set(
	struct vip *v, int netns, const struct cfg_prefixes *addresses, enum vip_level level, char *error, size_t n);
/* Nowhere. NULL is fine. */
void vip_withdraw(struct vip *v);
void vip_free(struct vip *v);
