/* One log line is one write(2) on stderr, so lines of several threads never mix. */
#include "drivers/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE_MAX 2048

static enum log_level log_most = LOG_LEVEL_INFO;
static bool log_journal;

/* sd-daemon(3): JOURNAL_STREAM names the device and inode of the stream that journald reads. */
static bool
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat s;

	if (!stream || sscanf(stream, "%llu:%llu", &device, &inode) != 2 || fstat(STDERR_FILENO, &s) != 0)
		return false;
	return s.st_dev == device && s.st_ino == inode;
}

void
log_open(enum log_level most)
{
	log_most = most;
	log_journal = stderr_is_journal();
}

enum log_level
log_most_level(void)
{
	return log_most;
}

static const char *
level_text(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return "error";
	case LOG_LEVEL_WARNING:
		return "warning";
	case LOG_LEVEL_NOTICE:
		return "notice";
	case LOG_LEVEL_INFO:
		return "info";
	case LOG_LEVEL_DEBUG:
		return "debug";
	}
	return "log";
}

/* journald takes the priority in angle brackets and stamps the time itself. */
static int
prefix_write(char *line, size_t size, enum log_level level, const char *area)
{
	struct timespec now;
	struct tm utc;
	char day[32];

	if (log_journal)
		return snprintf(line, size, "<%d>%s: ", (int)level, area);

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &utc);
	return snprintf(line, size, "%s.%03ldZ %-7s %s: ", day, now.tv_nsec / 1000000, level_text(level), area);
}

void
log_line(enum log_level level, const char *area, const char *format, ...)
{
	char line[LOG_LINE_MAX];
	size_t room = sizeof line - 1; /* the newline */
	va_list arguments;
	int used, text;

	if (level > log_most)
		return;

	used = prefix_write(line, room, level, area);
	va_start(arguments, format);
	text = vsnprintf(line + used, room - used, format, arguments);
	va_end(arguments);
	if (text < 0)
		return;

	size_t length = (size_t)used + (size_t)text < room - 1 ? (size_t)used + (size_t)text : room - 1;

	/* A text taken from outside must not forge a second line. */
	for (size_t i = (size_t)used; i < length; i++)
		if (line[i] == '\n' || line[i] == '\r')
			line[i] = ' ';
	line[length++] = '\n';

	/* Nowhere to report a failed write to. */
	if (write(STDERR_FILENO, line, length) < 0)
		return;
}
