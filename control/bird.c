#include "control/bird.h"

#include "control/child.h"
#include "control/text_hash.h"
#include "drivers/clock.h"
#include "drivers/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SECOND_NS 1000000000ull
#define RETRY_FIRST_NS SECOND_NS
#define RETRY_MAX_NS (30 * SECOND_NS)
#define FILE_MAX 128

struct bird {
	struct loop *loop;
	char *program, *name, *whose; /* name: of its files; whose: in the log */
	char conf[FILE_MAX], socket[FILE_MAX];
	int (*netns)(void *context);
	void *context;
	struct child process;
	struct bird_client *client;
	bool wanted, leaving;
	uint64_t written; /* hash of the file; 0: there is none */
	uint64_t retry_ns, retry_at_ns;
};

/* ---- its file ------------------------------------------------------------------------- */

static uint64_t
hash_of(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325ull; /* FNV-1a */

	for (const char *c = text; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 0x100000001b3ull;
	return hash;
}

/* Whole or not at all; for root's eyes only, since passwords are in it. */
static int
file_write(const struct bird *b, const char *text)
{
	char made[FILE_MAX + 4];
	size_t n = strlen(text), done = 0;
	int fd, r = 0;

	snprintf(made, sizeof(made), "%s.new", b->conf);
	fd = open(made, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0600) != 0)
		r = -errno;
	while (r == 0 && done < n) {
		ssize_t w = write(fd, text + done, n - done);

		if (w < 0)
			r = -errno;
		else
			done += (size_t)w;
	}
	close(fd);
	if (r == 0 && rename(made, b->conf) != 0)
		r = -errno;
	if (r != 0)
		unlink(made);
	return r;
}

void
bird_apply(struct bird *b, char *text)
{
	uint64_t hash = text ? hash_of(text) : 0;
	int r = 0;

	b->wanted = text != NULL;
	if (text && hash != b->written)
		r = file_write(b, text);
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
	if (r != 0)
		log_error("bird", "%s: %s: %s", b->whose, b->conf, strerror(-r));
	if (!b->wanted) {
		child_signal(&b->process, SIGTERM);
	} else if (r == 0 && hash != b->written) {
		b->written = hash;
		child_signal(&b->process, SIGHUP);
	}
}

/* ---- the process ---------------------------------------------------------------------- */

/* "<INFO> words": its own words for how bad it is. The time in front is ours. */
static void
on_line(void *context, const char *text)
{
	const struct bird *b = context;
	const char *level = strchr(text, '<'), *words = level ? strstr(level, "> ") : NULL;

	if (!words) {
		log_info("bird", "%s: %s", b->whose, text);
		return;
	}
	words += 2;
	if (strncmp(level, "<ERR>", 5) == 0 || strncmp(level, "<FATAL>", 7) == 0 || strncmp(level, "<BUG>", 5) == 0)
		log_error("bird", "%s: %s", b->whose, words);
	else if (strncmp(level, "<WARN>", 6) == 0 || strncmp(level, "<AUTH>", 6) == 0)
		log_warning("bird", "%s: %s", b->whose, words);
	else
		log_info("bird", "%s: %s", b->whose, words);
}

static void
files_remove(struct bird *b)
{
	unlink(b->conf);
	unlink(b->socket);
	b->written = 0;
}

static void
on_ended(void *context)
{
	struct bird *b = context;

	if (!b->wanted)
		files_remove(b);
	if (b->leaving || !b->wanted)
		return;
	log_error(
		"bird", "%s: it ended; the next one is started in %u s", b->whose, (unsigned)(b->retry_ns / SECOND_NS));
	b->retry_at_ns = clock_boot_ns() + b->retry_ns;
	b->retry_ns = b->retry_ns * 2 < RETRY_MAX_NS ? b->retry_ns * 2 : RETRY_MAX_NS;
}

static void
start(struct bird *b, uint64_t now_ns)
{
	int r;

	unlink(b->socket);
	r = child_start(&b->process, b->netns(b->context));
	if (r == 0) {
		log_notice("bird", "%s: started as process %d", b->whose, b->process.pid);
		return;
	}
	log_error("bird", "%s: cannot be started: %s", b->whose, strerror(-r));
	b->retry_at_ns = now_ns + RETRY_MAX_NS;
}

/* In its namespace: one that is elsewhere reaches nobody. */
static bool
is_in_place(const struct bird *b, pid_t pid)
{
	struct stat its, wanted;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	return stat(path, &its) == 0 && fstat(b->netns(b->context), &wanted) == 0 && its.st_ino == wanted.st_ino;
}

static void
told(void *context, const char *text, const char *error)
{
	const struct bird *b = context;

	(void)text;
	if (error)
		log_warning("bird", "%s: its routes are not given to the kernel again: %s", b->whose, error);
}

/* Its kernel refused what came before the link was whole, and bird would look again in a minute. */
void
bird_link_made(struct bird *b)
{
	if (b->process.pid == 0)
		return;
	bird_ask(b->client, "reload out kernel4", told, b);
	bird_ask(b->client, "reload out kernel6", told, b);
}

/* It runs with the file of its start: it is told to read it again. */
static void
adopt(struct bird *b, pid_t pid)
{
	int r = child_adopt(&b->process, pid);

	if (r != 0) {
		log_warning("bird", "%s: process %d cannot be watched: %s", b->whose, pid, strerror(-r));
		return;
	}
	log_notice("bird", "%s: process %d is taken over from an isthmusd before us", b->whose, pid);
	if (!is_in_place(b, pid)) {
		child_signal(&b->process, SIGKILL);
		return;
	}
	child_signal(&b->process, SIGHUP);
	bird_link_made(b);
}

void
bird_tick(struct bird *b, uint64_t now_ns)
{
	pid_t pid;

	bird_client_tick(b->client, now_ns);
	if (!b->wanted || b->leaving || b->process.pid != 0 || now_ns < b->retry_at_ns || b->written == 0)
		return;
	pid = bird_client_pid(b->client);
	if (pid > 0)
		adopt(b, pid);
	else
		start(b, now_ns);
}

void
bird_goodbye(struct bird *b)
{
	b->leaving = true;
	child_signal(&b->process, SIGTERM);
}

bool
bird_gone(const struct bird *b)
{
	return b->process.pid == 0;
}

pid_t
bird_pid(const struct bird *b)
{
	return b->process.pid;
}

struct bird_client *
bird_client(struct bird *b)
{
	return b->client;
}

/* ---- life ----------------------------------------------------------------------------- */

/* Its name where that is short and plain, else a hash of it: a socket's path has 107 bytes at most. */
static int
files_name(struct bird *b, const char *folder, const char *appliance)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	size_t most = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
	char base[FILE_MAX];
	int n = snprintf(base, sizeof(base), "%s/%s-%s", folder, appliance, b->name);

	if (n + 2u > most || strspn(b->name, plain) != strlen(b->name))
		n = snprintf(base, sizeof(base), "%s/%s-%08x", folder, appliance, text_hash(b->name));
	if (n < 0 || n + 2u > most)
		return -ENAMETOOLONG;
	snprintf(b->conf, sizeof(b->conf), "%.*s.c", FILE_MAX - 3, base);
	snprintf(b->socket, sizeof(b->socket), "%.*s.b", FILE_MAX - 3, base);
	return 0;
}

void
bird_free(struct bird *b, bool keep)
{
	if (!b)
		return;
	bird_client_free(b->client);
	if (keep && b->wanted) {
		child_leave(&b->process);
	} else {
		child_end(&b->process);
		files_remove(b);
	}
	free(b->program);
	free(b->name);
	free(b->whose);
	free(b);
}

int
bird_create(struct loop *loop, const struct cfg_bgp_daemon_config *config, const char *appliance, const char *name,
	const char *whose, int (*netns)(void *context), void *context, struct bird **out, char *error, size_t n)
{
	struct bird *b = calloc(1, sizeof(*b));
	int r = -ENOMEM;

	if (!b)
		return r;
	b->loop = loop;
	b->netns = netns;
	b->context = context;
	b->retry_ns = RETRY_FIRST_NS;
	b->program = strdup(config->bird);
	b->name = strdup(name);
	b->whose = strdup(whose);
	b->process = (struct child){.loop = loop,
		.argument = {b->program, "-f", "-c", b->conf, "-s", b->socket},
		.context = b,
		.line = on_line,
		.ended = on_ended};
	child_init(&b->process);
	if (b->program && b->name && b->whose)
		r = files_name(b, config->run_dir, appliance);
	if (r == 0 && mkdir(config->run_dir, 0755) != 0 && errno != EEXIST)
		r = -errno;
	if (r == 0)
		r = bird_client_create(loop, b->socket, &b->client);
	if (r == 0) {
		*out = b;
		return 0;
	}
	snprintf(error, n, "bird of %s, in %s: %s", whose, config->run_dir, strerror(-r));
	bird_free(b, true);
	return r;
}
