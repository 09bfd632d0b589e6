/* What the user typed, checked: which verb, which arguments, where to ask and how to print.
 * Single-threaded; no DPDK.
 */
#pragma once

#include "control/api_request.h"

/* Exit statuses, see isthmus(1). */
enum {
	EXIT_OK = 0,
	EXIT_USAGE = 1,   /* the command line makes no sense */
	EXIT_REFUSED = 2, /* the configuration or the request is refused */
	EXIT_DAEMON = 3,  /* no daemon, or it went away */
	EXIT_DENIED = 4,  /* the verdict is Deny, or the packet would be dropped */
};

enum output { OUTPUT_TABLE, OUTPUT_JSON };

struct command_line {
	enum output output;
	const char *socket;  /* as given, NULL: find it */
	const char *offline; /* -f FILE, NULL: ask the daemon */
	bool help, version;
	char verb_words[128]; /* as typed, when no verb has this name */
	enum verb verb;       /* VERB_COUNT: none was given */
	json_t *arguments;    /* owned: object, as a request carries them and the local ones */
};

/* 0 or -EINVAL with a text. command_line_free is always legal. */
int command_line_parse(int argc, char *const *argv, struct command_line *c, char *error, size_t n);
void command_line_free(struct command_line *c);
/* The request of a command line: without its local arguments. A new reference. */
json_t *command_line_request(const struct command_line *c);
/* A local argument (see struct parameter) that is a number; `without` when it was not given. */
uint32_t command_line_number(const struct command_line *c, const char *name, uint32_t without);

/* Number of leading words that name a verb or the beginning of one; *verb is the longest that fits whole. */
int verb_words(int n, char *const *words, enum verb *verb);
