/* The interactive shell, on libedit. Lines are command lines without "isthmus" in front; the Tab key offers
 * what `isthmus --complete` would.
 */
#include "control/cli/shell.h"

#include "control/cli/complete.h"
#include "control/cli/run.h"

#include <histedit.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HISTORY_LINES 500
#define WORDS_MAX 64
#define CANDIDATES_MAX 256

struct candidates {
	uint32_t n;
	char *text[CANDIDATES_MAX];
	size_t common; /* bytes that all begin with */
};

/* libedit's callbacks get no context of ours. */
static const char *shell_socket;

static const char *
prompt(EditLine *el)
{
	(void)el;
	return "isthmus> ";
}

/* ---- completion --------------------------------------------------------------------- */

static void
candidate_keep(void *context, const char *text)
{
	struct candidates *c = context;
	size_t same = 0;

	if (c->n == CANDIDATES_MAX || !(c->text[c->n] = strdup(text)))
		return;
	while (text[same] && c->text[0][same] == text[same])
		same++;
	if (c->n == 0 || same < c->common)
		c->common = same;
	c->n++;
}

/* The words before the cursor; the last one is what is being typed, perhaps nothing. */
static int
words_before(const LineInfo *line, char *text, size_t size, char **words)
{
	size_t length = (size_t)(line->cursor - line->buffer);
	char *rest = NULL;
	int n = 0;

	if (length >= size)
		return 0;
	memcpy(text, line->buffer, length);
	text[length] = '\0';
	bool fresh = length == 0 || text[length - 1] == ' ';
	for (char *w = strtok_r(text, " \t", &rest); w && n < WORDS_MAX - 1; w = strtok_r(NULL, " \t", &rest))
		words[n++] = w;
	if (fresh)
		words[n++] = text + length;
	return n;
}

static unsigned char
complete_line(EditLine *el, int key)
{
	char text[4096], *words[WORDS_MAX], add[256];
	struct candidates c = {0};
	int n = words_before(el_line(el), text, sizeof text, words);
	size_t typed = n > 0 ? strlen(words[n - 1]) : 0;

	(void)key;
	complete(n, words, shell_socket, candidate_keep, &c);
	if (c.n > 0 && c.common > typed) {
		snprintf(add, sizeof add, "%.*s%s", (int)(c.common - typed), c.text[0] + typed, c.n == 1 ? " " : "");
		el_insertstr(el, add);
	} else if (c.n > 1) {
		putchar('\n');
		for (uint32_t i = 0; i < c.n; i++)
			printf("%s%s", c.text[i], i + 1 < c.n ? "  " : "\n");
	} else if (c.n == 1) {
		el_insertstr(el, " ");
	}
	for (uint32_t i = 0; i < c.n; i++)
		free(c.text[i]);
	return c.n > 1 && c.common <= typed ? CC_REDISPLAY : CC_REFRESH;
}

/* ---- lines -------------------------------------------------------------------------- */

/* Words with quotes, as a shell takes them. Returns -1 to leave, else the line's exit status. */
static int
line_run(Tokenizer *tokens, const char *line, int before)
{
	const char **words;
	char *argv[WORDS_MAX + 1] = {(char *)(uintptr_t) "isthmus"};
	int n, status = before;

	tok_reset(tokens);
	if (tok_str(tokens, line, &n, &words) != 0) {
		fputs("isthmus: a quote is not closed\n", stderr);
		return EXIT_USAGE;
	}
	if (n == 0)
		return before;
	if (strcmp(words[0], "exit") == 0 || strcmp(words[0], "quit") == 0)
		return -1;
	if (n >= WORDS_MAX) {
		fputs("isthmus: too many words\n", stderr);
		return EXIT_USAGE;
	}
	for (int i = 0; i < n; i++)
		argv[i + 1] = (char *)(uintptr_t)words[i];
	/* "help" is what one types at a prompt. */
	if (strcmp(words[0], "help") == 0)
		argv[1] = (char *)(uintptr_t) "--help";
	status = run(n + 1, argv, shell_socket);
	fflush(stdout);
	return status;
}

int
shell(const char *socket)
{
	EditLine *el = el_init("isthmus", stdin, stdout, stderr);
	History *past = history_init();
	Tokenizer *tokens = tok_init(NULL);
	int status = EXIT_OK, next = EXIT_OK, n;
	const char *line;
	HistEvent event;

	shell_socket = socket;
	history(past, &event, H_SETSIZE, HISTORY_LINES);
	history(past, &event, H_SETUNIQUE, 1);
	el_set(el, EL_PROMPT, prompt);
	el_set(el, EL_EDITOR, "emacs");
	el_set(el, EL_HIST, history, past);
	el_set(el, EL_ADDFN, "isthmus-complete", "offer what may come next", complete_line);
	el_set(el, EL_BIND, "^I", "isthmus-complete", NULL);
	el_set(el, EL_SIGNAL, 1);

	while (next >= 0 && (line = el_gets(el, &n)) && n > 0) {
		if (line[strspn(line, " \t\n")] != '\0')
			history(past, &event, H_ENTER, line);
		next = line_run(tokens, line, status);
		status = next >= 0 ? next : status;
	}
	tok_end(tokens);
	history_end(past);
	el_end(el);
	return status;
}
