/* Keys never stay in a buffer of ours and never appear in a message: reasons are fixed texts. */
#include "config/key.h"
#include "config/limit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- hexadecimal ----------------------------------------------------------------- */

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

/* ---- files ----------------------------------------------------------------------- */

static const char *
file_fault(const struct stat *st, size_t size)
{
	if (!S_ISREG(st->st_mode))
		return "is not a regular file";
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return "belongs to another user";
	if ((st->st_mode & 0177) != 0)
		return "is open to others or executable: its mode must be 0600 or stricter";
	if (st->st_size > 0 && (size_t)st->st_size > size)
		return size == LIMIT_KEY_FILE_BYTES ? "is larger than 4096 bytes" : "is too large";
	return NULL;
}

/* Looked at before it is opened too, since opening some files (devices, FIFOs) is an act in itself. */
static int
secret_open(const char *path, size_t size, const char **reason)
{
	struct stat st;
	int fd;

	*reason = "cannot be opened";
	if (stat(path, &st) < 0)
		return -errno;
	*reason = file_fault(&st, size);
	if (*reason != NULL)
		return -EINVAL;

	*reason = "cannot be opened";
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0)
		*reason = file_fault(&st, size);
	if (*reason != NULL) {
		close(fd);
		return -EINVAL;
	}
	return fd;
}

int
secret_read(const char *path, void *buffer, size_t size, const char **reason)
{
	int fd = secret_open(path, size, reason);
	size_t length = 0;
	ssize_t n = 1;

	if (fd < 0)
		return fd;
	while (n > 0 && length < size) {
		n = read(fd, (char *)buffer + length, size - length);
		if (n > 0)
			length += (size_t)n;
	}
	close(fd);
	if (n < 0) {
		explicit_bzero(buffer, size);
		*reason = "cannot be read";
		return -EINVAL;
	}
	return (int)length;
}

/* A name of the service manager's, which is no way out of its folder. */
static bool
credential_name_fits(const char *name)
{
	return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL;
}

int
key_path(const char *folder, const char *written, char *full, size_t size, const char **reason)
{
	static const char credential[] = "credential:";
	const char *name = written;

	if (strncmp(written, credential, sizeof(credential) - 1) == 0) {
		name = written + sizeof(credential) - 1;
		folder = getenv("CREDENTIALS_DIRECTORY");
		*reason = "is a credential, but the service manager gave none (CREDENTIALS_DIRECTORY)";
		if (folder == NULL)
			return -EINVAL;
		*reason = "is no name of a credential";
		if (!credential_name_fits(name))
			return -EINVAL;
	}
	*reason = "has a name that is too long";
	if (snprintf(full, size, "%s%s%s", name[0] == '/' ? "" : folder, name[0] == '/' ? "" : "/", name) >= (int)size)
		return -ENAMETOOLONG;
	return 0;
}

/* The text of a key file without white space around it. Its length, at most LIMIT_KEY_FILE_BYTES. */
static int
key_file_read(const char *folder, const char *path, char *text, const char **reason)
{
	char full[PATH_MAX];
	int rc = key_path(folder, path, full, sizeof(full), reason);
	int length = rc < 0 ? rc : secret_read(full, text, LIMIT_KEY_FILE_BYTES, reason);
	int start = 0;

	if (length < 0)
		return length;
	while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL)
		length--;
	while (start < length && strchr(" \t\r\n", text[start]) != NULL)
		start++;
	memmove(text, text + start, (size_t)(length - start));
	return length - start;
}

int
key_read(const char *folder, const char *path, uint8_t *key, size_t size, const char **reason)
{
	char text[LIMIT_KEY_FILE_BYTES];
	int length = key_file_read(folder, path, text, reason);

	if (length >= 0) {
		*reason = "does not hold one key in hexadecimal of the right length";
		length = key_parse(text, (size_t)length, key, size);
	}
	explicit_bzero(text, sizeof(text));
	return length;
}

/* ---- shared keys ----------------------------------------------------------------- */

/* Into a buffer of size bytes, NUL behind it. */
static int
printable_parse(
	const char *text, size_t length, char *key, size_t size, const char *const reasons[2], const char **reason)
{
	*reason = reasons[0];
	if (length == 0 || length >= size)
		return -EINVAL;
	*reason = reasons[1];
	if (text[0] == ' ' || text[length - 1] == ' ')
		return -EINVAL;
	for (size_t i = 0; i < length; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			return -EINVAL;
	*reason = "is the placeholder of a printed configuration, not a key";
	if (length == strlen(SHARED_KEY_HIDDEN) && memcmp(text, SHARED_KEY_HIDDEN, length) == 0)
		return -EINVAL;
	memcpy(key, text, length);
	key[length] = '\0';
	return (int)length;
}

int
shared_key_parse(const char *text, size_t length, char *key, const char **reason)
{
	static const char *const reasons[] = {
		"is a shared key of 1 to 255 bytes", "is a shared key of printable ASCII without blanks at its ends"};

	return printable_parse(text, length, key, CFG_SHARED_KEY_MAX, reasons, reason);
}

int
shared_key_read(const char *folder, const char *path, char *key, const char **reason)
{
	char text[LIMIT_KEY_FILE_BYTES];
	int length = key_file_read(folder, path, text, reason);

	if (length >= 0) {
		length = shared_key_parse(text, (size_t)length, key, reason);
		if (length < 0)
			*reason = "does not hold one shared key: 1 to 255 printable ASCII characters in one line";
	}
	explicit_bzero(text, sizeof(text));
	return length;
}

/* ---- passwords of BGP ------------------------------------------------------------ */

int
bgp_password_parse(const char *text, size_t length, char *password, const char **reason)
{
	static const char *const reasons[] = {"is a password of 1 to 80 bytes",
		"is a password of printable ASCII without blanks at its ends or quotation marks"};

	if (length > 0 && length < CFG_BGP_PASSWORD_MAX && memchr(text, '"', length) != NULL) {
		*reason = reasons[1];
		return -EINVAL;
	}
	return printable_parse(text, length, password, CFG_BGP_PASSWORD_MAX, reasons, reason);
}

int
bgp_password_read(const char *folder, const char *path, char *password, const char **reason)
{
	char text[LIMIT_KEY_FILE_BYTES];
	int length = key_file_read(folder, path, text, reason);

	if (length >= 0) {
		length = bgp_password_parse(text, (size_t)length, password, reason);
		if (length < 0)
			*reason = "does not hold one password: 1 to 80 printable ASCII characters in one line, no '\"'";
	}
	explicit_bzero(text, sizeof(text));
	return length;
}
