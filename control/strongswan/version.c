/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The version of strongSwan, here and there; see version.h.
 *
 * strongSwan's libraries do not tell their version. Its daemons carry it as a string of their own ("5.9.8", between two
 * NULs), so the program that runs is searched for one.
 */
#include "control/strongswan/version.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char running[32];

const char *
version_built(void)
{
	return ISTHMUS_STRONGSWAN_VERSION;
}

static size_t
digits(const char *text)
{
	return strspn(text, "0123456789");
}

/* 5.9.8, 6.0.0beta6, 5.9.9rc1 */
static bool
is_version(const char *text)
{
	for (int part = 0; part < 3; part++) {
		size_t n = digits(text);

		if (n < 1 || n > 2 || (part < 2 && text[n] != '.'))
			return false;
		text += part < 2 ? n + 1 : n;
	}
	for (; *text; text++)
		if (!islower((unsigned char)*text) && !isdigit((unsigned char)*text))
			return false;
	return true;
}

static void
search(const char *at, size_t size)
{
	const char *end = at + size;

	while (at < end) {
		const char *stop = memchr(at, 0, (size_t)(end - at));

		if (!stop)
			return;
		if (stop - at >= 5 && (size_t)(stop - at) < sizeof(running) && is_version(at)) {
			memcpy(running, at, (size_t)(stop - at) + 1);
			return;
		}
		at = stop + 1;
	}
}

const char *
version_running(void)
{
	struct stat st;
	int fd;

	if (running[0])
		return running;
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, &st) == 0) {
		void *image = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);

		if (image != MAP_FAILED) {
			search(image, (size_t)st.st_size);
			munmap(image, (size_t)st.st_size);
		}
	}
	if (fd >= 0)
		close(fd);
	if (!running[0])
		strcpy(running, "unknown");
	return running;
}
