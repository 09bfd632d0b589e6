/* A claim is written whole and locked under a name of its own, then linked to the epoch's: whoever sees it sees all of
 * it, and locked. Later only its state, one letter, and its beat change, in place: a reader that meets a beat half
 * written takes it for one more.
 */
#include "control/lease_file_storage.h"

#include "drivers/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define NAME_SIZE (NAME_MAX + 1)
#define RECORD_SIZE 256
#define RECORD_OUT                                                                                                     \
	"{\"state\": \"%c\", \"beat\": \"%020" PRIu64 "\", \"epoch\": \"%" PRIu64 "\", \"durationMs\": %" PRIu64       \
	", \"holder\": \"%s\"}"
#define RECORD_IN                                                                                                      \
	"{\"state\": \"%c\", \"beat\": \"%" SCNu64 "\", \"epoch\": \"%" SCNu64 "\", \"durationMs\": %" SCNu64          \
	", \"holder\": \"%63[^\"]\"}"
#define MILLI UINT64_C(1000000)

static int
epoch_name(const struct lease_file_storage *s, uint64_t epoch, char *name)
{
	int n = snprintf(name, NAME_SIZE, "%s.%" PRIu64, s->base, epoch);

	return n < NAME_SIZE ? 0 : -ENAMETOOLONG;
}

static int
storage_find(void *context, uint64_t *epoch)
{
	const struct lease_file_storage *s = context;
	size_t n = strlen(s->base);
	DIR *d = opendir(s->folder);
	struct dirent *e;

	if (!d)
		return -errno;
	*epoch = 0;
	errno = 0;
	while ((e = readdir(d)) != NULL) {
		char *end;
		uint64_t this;

		if (strncmp(e->d_name, s->base, n) != 0 || e->d_name[n] != '.' || e->d_name[n + 1] < '1' ||
			e->d_name[n + 1] > '9')
			continue;
		this = strtoull(e->d_name + n + 1, &end, 10);
		if (*end == '\0' && this > *epoch)
			*epoch = this;
		errno = 0;
	}
	n = (size_t)errno;
	closedir(d);
	return -(int)n;
}

static int
epoch_open(const struct lease_file_storage *s, uint64_t epoch)
{
	char name[NAME_SIZE];
	int r = epoch_name(s, epoch, name), fd;

	if (r != 0)
		return r;
	fd = openat(s->folder_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

static int
storage_read(void *context, uint64_t epoch, struct lease_file_record *record)
{
	uint64_t duration_ms;
	char text[RECORD_SIZE + 1], state;
	int fd = epoch_open(context, epoch);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = pread(fd, text, RECORD_SIZE, 0);
	n = n < 0 ? -errno : n;
	close(fd);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	*record = (struct lease_file_record){0};
	if (sscanf(text, RECORD_IN, &state, &record->beat, &record->epoch, &duration_ms, record->holder) != 5 ||
		record->epoch != epoch || !strchr("CHR", state))
		return -EBADMSG;
	record->state = (enum lease_file_state)state;
	record->duration_ns = duration_ms * MILLI;
	return 0;
}

static int
storage_alive(void *context, uint64_t epoch, bool *alive)
{
	int fd = epoch_open(context, epoch), r = 0;

	if (fd < 0)
		return fd;
	/* shared: challengers do not take each other for the holder */
	*alive = flock(fd, LOCK_SH | LOCK_NB) != 0;
	if (*alive && errno != EWOULDBLOCK)
		r = -errno;
	close(fd);
	return r;
}

static int
record_write(int fd, const struct lease_file_record *record)
{
	char text[RECORD_SIZE];
	int n = snprintf(text, sizeof(text), RECORD_OUT, (int)record->state, record->beat, record->epoch,
		record->duration_ns / MILLI, record->holder);
	ssize_t done;

	if (n >= RECORD_SIZE)
		return -EMSGSIZE;
	memset(text + n, ' ', (size_t)(RECORD_SIZE - n));
	text[RECORD_SIZE - 1] = '\n';
	done = pwrite(fd, text, RECORD_SIZE, 0);
	if (done != RECORD_SIZE)
		return done < 0 ? -errno : -EIO;
	return fdatasync(fd) == 0 ? 0 : -errno;
}

static void
storage_drop(void *context)
{
	struct lease_file_storage *s = context;

	if (s->own_fd >= 0)
		close(s->own_fd);
	s->own_fd = -1;
}

static int
storage_claim(void *context, const struct lease_file_record *record)
{
	struct lease_file_storage *s = context;
	char name[NAME_SIZE];
	int r = epoch_name(s, record->epoch, name);

	storage_drop(s);
	if (r != 0)
		return r;
	unlinkat(s->folder_fd, s->temporary, 0);
	s->own_fd = openat(s->folder_fd, s->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (s->own_fd < 0)
		return -errno;
	if (flock(s->own_fd, LOCK_EX | LOCK_NB) != 0)
		r = -errno;
	if (r == 0)
		r = record_write(s->own_fd, record);
	if (r == 0 && fsync(s->own_fd) != 0)
		r = -errno;
	if (r == 0 && linkat(s->folder_fd, s->temporary, s->folder_fd, name, 0) != 0)
		r = -errno;
	unlinkat(s->folder_fd, s->temporary, 0);
	if (r == 0 && fsync(s->folder_fd) != 0)
		r = -errno;
	if (r != 0)
		storage_drop(s);
	return r;
}

static int
storage_write(void *context, const struct lease_file_record *record)
{
	const struct lease_file_storage *s = context;

	return record_write(s->own_fd, record);
}

/* Also what nodes killed amid a claim left behind, but not another's claim under way: it would fail, and be repeated.
 */
static void
storage_sweep(void *context, uint64_t epoch)
{
	const struct lease_file_storage *s = context;
	size_t n = strlen(s->base);
	DIR *d = opendir(s->folder);
	struct dirent *e;

	while (d && (e = readdir(d)) != NULL) {
		char *end;
		uint64_t this;

		if (strncmp(e->d_name, s->base, n) != 0 || e->d_name[n] != '.')
			continue;
		this = strtoull(e->d_name + n + 1, &end, 10);
		if (end != e->d_name + n + 1 && *end == '\0' && this < epoch)
			unlinkat(s->folder_fd, e->d_name, 0);
	}
	if (d)
		closedir(d);
}

static uint64_t
storage_now(void *context)
{
	(void)context;
	return clock_boot_ns();
}

void
lease_file_storage_init(struct lease_file_storage *s, const char *path, const char *identity)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	const char *run = strrchr(identity, '/');

	*s = (struct lease_file_storage){.folder_fd = -1, .own_fd = -1};
	snprintf(s->folder, sizeof(s->folder), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	snprintf(s->base, sizeof(s->base), "%s", base);
	snprintf(s->temporary, sizeof(s->temporary), ".%.200s.%.40s", base, run ? run + 1 : identity);
	s->operations = (struct lease_storage){s, storage_find, storage_read, storage_alive, storage_claim,
		storage_write, storage_drop, storage_sweep, storage_now};
}

int
lease_file_storage_open(struct lease_file_storage *s)
{
	if (s->folder_fd < 0)
		s->folder_fd = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return s->folder_fd < 0 ? -errno : 0;
}

void
lease_file_storage_close(struct lease_file_storage *s)
{
	storage_drop(s);
	if (s->folder_fd >= 0)
		close(s->folder_fd);
}
