/* The XDP program of one interface: loaded, told what to take, attached. Control thread.
 *
 * The program hangs on the process: when the process ends in whatever way, the kernel detaches it.
 */
#pragma once

#include "drivers/port.h"

struct xdp_loader;

/* Loads the program; it takes everything, but sends it on to the kernel while it has no socket. 0
 * or -errno with the reason. */
int xdp_loader_open(struct xdp_loader **out, char *error, size_t n);
void xdp_loader_close(struct xdp_loader *x);

/* Frames of a receive queue go to this socket from now on. */
int xdp_loader_socket_add(struct xdp_loader *x, uint32_t queue, int fd);
/* In two steps, each complete for a frame: new addresses, then the rest. */
int xdp_loader_steer(struct xdp_loader *x, const struct port_steer *what, char *error, size_t n);

/* skb_mode: the kernel's generic XDP instead of the driver's own. */
int xdp_loader_attach(struct xdp_loader *x, const char *interface, int ifindex, bool skb_mode, char *error, size_t n);
void xdp_loader_detach(struct xdp_loader *x);
