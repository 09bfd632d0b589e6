#include "control/cli/help.h"

void
help_print(FILE *to)
{
	fputs("usage: isthmus [-s SOCKET] [-o table|json] VERB ...\n"
	      "       isthmus -f FILE VERB ...      (verbs marked *: without a daemon)\n\n"
	      "verbs:\n",
		to);
	for (int v = 0; v < VERB_COUNT; v++)
		fprintf(to, "  %-18s %c %s\n", verbs[v].name, verbs[v].offline ? '*' : ' ', verbs[v].help);
	fputs("\noptions:\n"
	      "  -s, --socket SOCKET      the daemon's socket, or an appliance's name\n"
	      "  -f, --file FILE          answer from this configuration\n"
	      "  -o, --output table|json  how to print; json is what the socket says\n"
	      "  -h, --help               this text; with a verb, its arguments\n"
	      "  -V, --version            print the version\n\n"
	      "exit status: 0 done, 1 usage, 2 refused, 3 no daemon, 4 denied or dropped\n",
		to);
}

static void
parameter_print(const struct parameter *p, FILE *to)
{
	char left[64];

	if (p->positional)
		snprintf(left, sizeof left, "%s", p->value);
	else
		snprintf(left, sizeof left, "--%s%s%s", p->name, p->value ? " " : "", p->value ? p->value : "");
	fprintf(to, "  %-32s %s%s\n", left, p->help, p->required ? " (required)" : "");
}

void
help_print_verb(enum verb verb, FILE *to)
{
	const struct parameter *p = verbs[verb].parameter;

	fprintf(to, "usage: isthmus %s%s", verbs[verb].offline ? "[-f FILE] " : "", verbs[verb].name);
	for (; p->name; p++) {
		const char *open = p->required ? "" : "[", *close = p->required ? "" : "]";

		if (p->positional)
			fprintf(to, " %s%s%s", open, p->value, close);
		else
			fprintf(to, " %s--%s%s%s%s", open, p->name, p->value ? " " : "", p->value ? p->value : "",
				close);
	}
	fprintf(to, "\n\n%s\n", verbs[verb].help);
	if (verbs[verb].parameter->name)
		fputc('\n', to);
	for (p = verbs[verb].parameter; p->name; p++)
		parameter_print(p, to);
}
