/* DPDK's heap as TSan should see it: what one thread gave back and another gets is ordered by the heap's lock, which is
 * inside a library that is not built for TSan. For one file of a test program; nothing in other builds.
 */
#pragma once

#ifdef __SANITIZE_THREAD__

#include <rte_malloc.h>

#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

void AnnotateIgnoreWritesBegin(const char *file, int line);
void AnnotateIgnoreWritesEnd(const char *file, int line);

static char heap_lock;

void
rte_free(void *p)
{
	void (*real)(void *) = (void (*)(void *))dlsym(RTLD_NEXT, "rte_free");

	__tsan_release(&heap_lock);
	AnnotateIgnoreWritesBegin(__FILE__, __LINE__); /* it clears what it takes, beneath its lock */
	real(p);
	AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
}

void *
rte_zmalloc(const char *type, size_t size, unsigned int align)
{
	void *(*real)(const char *, size_t, unsigned int) =
		(void *(*)(const char *, size_t, unsigned int))dlsym(RTLD_NEXT, "rte_zmalloc");
	void *made;

	AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
	made = real(type, size, align);
	AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
	__tsan_acquire(&heap_lock);
	return made;
}

#endif
