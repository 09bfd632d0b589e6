/* Reading and writing the sequence marks. What is tricky: a crash at any moment leaves either the old
 * file or the new one, whole.
 */
#include "control/sequence_file.h"

#include "drivers/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "sequence"
#define FILE_NEW "sequence.new"
#define HEADER "isthmus sequence marks 1\n"
#define SUM_LINE (sizeof("sha256 ") - 1 + 2 * CRYPTO_SHA256 + 1)
#define RECORD_LINE (sizeof("ike-out ") - 1 + 2 * FINGERPRINT_SIZE + 1 + 20 + 1)
#define FILE_MAX (1u << 30)
#define NEGOTIATED "ike-"

static const char digits[] = "0123456789abcdef";

static void
hex(char *to, const uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		*to++ = digits[b[i] >> 4];
		*to++ = digits[b[i] & 15];
	}
}

static bool
unhex(uint8_t *to, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *high = text[2 * i] ? strchr(digits, text[2 * i]) : NULL;
		const char *low = high && text[2 * i + 1] ? strchr(digits, text[2 * i + 1]) : NULL;

		if (!low)
			return false;
		to[i] = (uint8_t)((high - digits) << 4 | (low - digits));
	}
	return true;
}

/* ---- text --------------------------------------------------------------------------- */

char *
sequence_file_text(const struct sequence_record *r, uint32_t n, size_t *size)
{
	uint8_t digest[CRYPTO_SHA256];
	char *text = malloc(sizeof(HEADER) + n * (RECORD_LINE + 1) + SUM_LINE + 1), *at = text;

	if (!text)
		return NULL;
	at += sprintf(at, HEADER);
	for (uint32_t i = 0; i < n; i++) {
		at += sprintf(at, "%s%s ", r[i].negotiated ? NEGOTIATED : "", r[i].outbound ? "out" : "in");
		hex(at, r[i].fingerprint, FINGERPRINT_SIZE);
		at += 2 * FINGERPRINT_SIZE;
		at += sprintf(at, " %" PRIu64 "\n", r[i].number);
	}
	crypto_sha256(text, (size_t)(at - text), digest);
	at += sprintf(at, "sha256 ");
	hex(at, digest, sizeof(digest));
	at += 2 * sizeof(digest);
	*at++ = '\n';
	*size = (size_t)(at - text);
	return text;
}

/* One line, NUL where its line end was. */
static bool
record_parse(const char *line, struct sequence_record *r)
{
	const char *at = line;
	char *end;

	r->negotiated = strncmp(at, NEGOTIATED, sizeof(NEGOTIATED) - 1) == 0;
	if (r->negotiated)
		at += sizeof(NEGOTIATED) - 1;
	r->outbound = strncmp(at, "out ", 4) == 0;
	if (!r->outbound && strncmp(at, "in ", 3) != 0)
		return false;
	at += r->outbound ? 4 : 3;
	if (!unhex(r->fingerprint, at, FINGERPRINT_SIZE))
		return false;
	at += 2 * FINGERPRINT_SIZE;
	if (at[0] != ' ' || at[1] < '0' || at[1] > '9')
		return false;
	errno = 0;
	r->number = strtoull(at + 1, &end, 10);
	return errno == 0 && *end == '\0';
}

static bool
sum_right(const char *text, size_t size)
{
	uint8_t digest[CRYPTO_SHA256], stated[CRYPTO_SHA256];
	const char *line;

	if (size < SUM_LINE || text[size - 1] != '\n')
		return false;
	line = text + size - SUM_LINE;
	if (strncmp(line, "sha256 ", 7) != 0 || !unhex(stated, line + 7, sizeof(stated)))
		return false;
	crypto_sha256(text, size - SUM_LINE, digest);
	return memcmp(digest, stated, sizeof(digest)) == 0;
}

/* The line at fault, 0 = none, or UINT32_MAX: the sum. text is cut into lines. */
static uint32_t
text_parse(char *text, size_t size, struct sequence_record *r, uint32_t *n)
{
	char *at = text + sizeof(HEADER) - 1, *end = text + size - SUM_LINE;
	uint32_t line = 1;

	*n = 0;
	if (!sum_right(text, size))
		return UINT32_MAX;
	if (size < sizeof(HEADER) - 1 + SUM_LINE || strncmp(text, HEADER, sizeof(HEADER) - 1) != 0)
		return line;
	while (at < end) {
		char *stop = memchr(at, '\n', (size_t)(end - at));

		line++;
		if (!stop)
			return line;
		*stop = '\0';
		if (!record_parse(at, &r[*n]))
			return line;
		(*n)++;
		at = stop + 1;
	}
	return 0;
}

/* ---- file --------------------------------------------------------------------------- */

static int
read_all(int fd, char **text, size_t *size)
{
	struct stat st;
	size_t got = 0;

	if (fstat(fd, &st) != 0)
		return -errno;
	if (st.st_size > FILE_MAX)
		return -EFBIG;
	*text = malloc((size_t)st.st_size + 1);
	if (!*text)
		return -ENOMEM;
	while (got < (size_t)st.st_size) {
		ssize_t n = read(fd, *text + got, (size_t)st.st_size - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	(*text)[got] = '\0';
	*size = got;
	return 0;
}

static int
parse_file(const char *path, char *text, size_t size, struct sequence_record **out, uint32_t *n, char *error,
	size_t error_size)
{
	uint32_t line;

	*out = malloc((size / (2 * FINGERPRINT_SIZE) + 1) * sizeof(**out));
	if (!*out)
		return -ENOMEM;
	line = text_parse(text, size, *out, n);
	if (line == 0)
		return 0;
	free(*out);
	*out = NULL;
	*n = 0;
	if (line == UINT32_MAX)
		snprintf(error, error_size, "%s is damaged (its checksum is wrong)", path);
	else
		snprintf(error, error_size, "%s is damaged (line %u)", path, line);
	snprintf(error + strlen(error), error_size - strlen(error),
		": without it sequence numbers could repeat under one key. Restore it, or change the keys of every SA "
		"and remove it");
	return -EBADMSG;
}

int
sequence_file_read(const char *folder, struct sequence_record **out, uint32_t *n, char *error, size_t error_size)
{
	char path[PATH_MAX], *text = NULL;
	size_t size = 0;
	int fd, rc;

	*out = NULL;
	*n = 0;
	snprintf(path, sizeof(path), "%s/" FILE_NAME, folder);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return 0;
	rc = fd < 0 ? -errno : read_all(fd, &text, &size);
	if (rc)
		snprintf(error, error_size, "%s: %s", path, strerror(-rc));
	else
		rc = parse_file(path, text, size, out, n, error, error_size);
	if (fd >= 0)
		close(fd);
	free(text);
	return rc;
}

static int
write_all(int fd, const char *text, size_t size)
{
	while (size) {
		ssize_t n = write(fd, text, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		size -= (size_t)n;
	}
	return fsync(fd) == 0 ? 0 : -errno;
}

int
sequence_file_write(const char *folder, const char *text, size_t size)
{
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd, rc;

	if (dir < 0)
		return -errno;
	fd = openat(dir, FILE_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	rc = fd < 0 ? -errno : write_all(fd, text, size);
	if (fd >= 0 && close(fd) != 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && renameat(dir, FILE_NEW, dir, FILE_NAME) != 0)
		rc = -errno;
	if (rc == 0 && fsync(dir) != 0)
		rc = -errno;
	close(dir);
	return rc;
}
