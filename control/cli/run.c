#include "control/cli/run.h"

#include "control/cli/ask.h"
#include "control/cli/help.h"
#include "control/version.h"

#include <stdio.h>
#include <string.h>

/* What a few words may have begun: "port" has two ways to go on. */
static void
verbs_near(const char *words)
{
	size_t first = strcspn(words, " ");
	const char *near = verb_suggest(words);
	bool any = false;

	for (int v = 0; v < VERB_COUNT; v++) {
		if (strncmp(verbs[v].name, words, first) != 0 || (verbs[v].name[first] != ' ' && verbs[v].name[first]))
			continue;
		fprintf(stderr, "%s \"%s\"", any ? "," : "; there is", verbs[v].name);
		any = true;
	}
	if (!any && near)
		fprintf(stderr, "; did you mean \"%s\"?", near);
}

static int
usage_print(const struct command_line *c)
{
	if (!c->verb_words[0]) {
		help_print(stderr);
		return EXIT_USAGE;
	}
	fprintf(stderr, "isthmus: there is no verb \"%s\"", c->verb_words);
	verbs_near(c->verb_words);
	fputs("\nsee isthmus --help\n", stderr);
	return EXIT_USAGE;
}

int
run(int argc, char *const *argv, const char *socket)
{
	struct command_line c;
	char error[256];
	int status = EXIT_OK;

	if (command_line_parse(argc, argv, &c, error, sizeof error) != 0) {
		fprintf(stderr, "isthmus: %s\n", error);
		status = EXIT_USAGE;
	} else if (c.version) {
		puts("isthmus " ISTHMUS_VERSION);
	} else if (c.help && c.verb != VERB_COUNT) {
		help_print_verb(c.verb, stdout);
	} else if (c.help && !c.verb_words[0]) {
		help_print(stdout);
	} else if (c.verb == VERB_COUNT) {
		status = usage_print(&c);
	} else {
		if (!c.socket)
			c.socket = socket;
		status = ask(&c);
	}
	command_line_free(&c);
	return status;
}
