/* Named network namespaces, kept the way iproute2 keeps them, so that `ip netns exec NAME` finds ours and we find an
 * operator's: the namespace is mounted on the file /run/netns/NAME. Control thread; 0 or -errno with a text.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define NAMESPACE_NAME_MAX 64

struct network_namespace {
	char name[NAMESPACE_NAME_MAX];
	int fd;    /* -1: none */
	bool made; /* by this process; else it was there */
};

/* Opens the namespace of this name, or makes it. */
int namespace_open(const char *name, struct network_namespace *ns, char *error, size_t n);
/* Closed; remove: its name goes, and so does the namespace with the last process in it. Legal when it was never
 * opened (fd -1). */
void namespace_close(struct network_namespace *ns, bool remove);
/* Calls function with the calling thread inside the namespace; its result, or why the thread could not enter. The
 * thread comes back whatever happens: a process whose thread is lost in another namespace is ended. */
int namespace_run(const struct network_namespace *ns, int (*function)(void *context), void *context);
