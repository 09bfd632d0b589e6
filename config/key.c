/* Keys never stay in a buffer of ours and never appear in a message: reasons are fixed texts. */
#include "config/key.h"
#include "config/limit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int
key_parse(const char *text, size_t length, uint8_t *key, size_t size)
{
	if (length == 0 || length % 2 != 0 || length / 2 > size)
		return -EINVAL;
	for (size_t i = 0; i < length / 2; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0) {
			explicit_bzero(key, size);
			return -EINVAL;
		}
		key[i] = (uint8_t)(high << 4 | low);
	}
	return (int)(length / 2);
}

static const char *
file_fault(const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "is not a regular file";
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return "belongs to another user";
	if ((st->st_mode & 0177) != 0)
		return "is open to others or executable: its mode must be 0600 or stricter";
	if (st->st_size > LIMIT_KEY_FILE_BYTES)
		return "is larger than 4096 bytes";
	return NULL;
}

/* Looked at before it is opened too, since opening some files (devices, FIFOs) is an act in itself. */
static int
key_open(const char *path, const char **reason)
{
	struct stat st;
	int fd;

	*reason = "cannot be opened";
	if (stat(path, &st) < 0)
		return -errno;
	*reason = file_fault(&st);
	if (*reason != NULL)
		return -EINVAL;

	*reason = "cannot be opened";
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0)
		*reason = file_fault(&st);
	if (*reason != NULL) {
		close(fd);
		return -EINVAL;
	}
	return fd;
}

static int
key_from(int fd, uint8_t *key, size_t size, const char **reason)
{
	char text[LIMIT_KEY_FILE_BYTES];
	size_t length = 0, start = 0;
	ssize_t n = 1;
	int rc = -EINVAL;

	while (n > 0 && length < sizeof(text)) {
		n = read(fd, text + length, sizeof(text) - length);
		if (n > 0)
			length += (size_t)n;
	}
	*reason = "cannot be read";
	if (n >= 0) {
		while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL)
			length--;
		while (start < length && strchr(" \t\r\n", text[start]) != NULL)
			start++;
		*reason = "does not hold one key in hexadecimal of the right length";
		rc = key_parse(text + start, length - start, key, size);
	}
	explicit_bzero(text, sizeof(text));
	return rc;
}

int
key_read(const char *folder, const char *path, uint8_t *key, size_t size, const char **reason)
{
	char full[PATH_MAX];
	int fd, rc;

	*reason = "has a name that is too long";
	if (snprintf(full, sizeof(full), "%s%s%s", path[0] == '/' ? "" : folder, path[0] == '/' ? "" : "/", path) >=
		(int)sizeof(full))
		return -ENAMETOOLONG;
	fd = key_open(full, reason);
	if (fd < 0)
		return fd;
	rc = key_from(fd, key, size, reason);
	close(fd);
	return rc;
}
