/* What may come next: words of a verb until one is whole, then its options and values. A daemon is asked for
 * names only where one is wanted, and is given little time: a key press waits for it.
 */
#include "control/cli/complete.h"

#include "control/cli/client.h"
#include "control/cli/command_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASK_MS 700

struct completion {
	const char *word; /* what is typed already */
	const char *socket;
	void (*each)(void *, const char *);
	void *context;
};

static void
offer(const struct completion *c, const char *candidate)
{
	if (strncmp(candidate, c->word, strlen(c->word)) == 0)
		c->each(c->context, candidate);
}

/* ---- names -------------------------------------------------------------------------- */

static json_t *
ask(const struct completion *c, const char *verb)
{
	json_t *request = json_pack("{s:i, s:s}", "version", API_VERSION, "verb", verb), *answer = NULL, *result = NULL;
	struct client *client = NULL;
	char error[256];

	if (client_open(c->socket, &client, error, sizeof error) == 0 &&
		client_send(client, request, error, sizeof error) == 0 &&
		client_receive(client, ASK_MS, &answer, error, sizeof error) == 0)
		result = json_incref(json_object_get(answer, "result"));
	client_close(client);
	json_decref(answer);
	json_decref(request);
	return result;
}

static void
offer_names(const struct completion *c, const char *verb)
{
	json_t *list = ask(c, verb), *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		const char *name = json_string_value(json_object_get(o, "name"));

		if (name)
			offer(c, name);
	}
	json_decref(list);
}

static void
offer_subnets(const struct completion *c)
{
	json_t *list = ask(c, "vnet list"), *vnet, *subnet;
	char text[256];
	size_t i, k;

	json_array_foreach(list, i, vnet)
	{
		json_array_foreach(json_object_get(vnet, "subnets"), k, subnet)
		{
			snprintf(text, sizeof text, "%s/%s", json_string_value(json_object_get(vnet, "name")),
				json_string_value(json_object_get(subnet, "name")));
			offer(c, text);
		}
	}
	json_decref(list);
}

static void
offer_value(const struct completion *c, const struct parameter *p)
{
	static const char *const protocols[] = {"TCP", "UDP", "ICMP", "ESP", "AH", NULL};
	const char *const *words = p->kind == PARAMETER_PROTOCOL ? protocols : p->choices;

	for (; words && *words; words++)
		offer(c, *words);
	if (p->kind == PARAMETER_SUBNET)
		offer_subnets(c);
	if (p->kind == PARAMETER_VNET)
		offer_names(c, "vnet list");
	if (p->kind == PARAMETER_PORT)
		offer_names(c, "port list");
	if (p->kind == PARAMETER_CONNECTION)
		offer_names(c, "connection list");
}

/* ---- words and options -------------------------------------------------------------- */

/* The next word of every verb that begins with those typed. */
static void
offer_verbs(const struct completion *c, int n, char *const *words)
{
	char begin[128] = "", next[64], last[64] = "";

	for (int i = 0; i < n; i++) {
		size_t length = strlen(begin);

		snprintf(begin + length, sizeof begin - length, "%s ", words[i]);
	}
	for (int v = 0; v < VERB_COUNT; v++) {
		const char *rest = verbs[v].name + strlen(begin);

		if (strncmp(verbs[v].name, begin, strlen(begin)) != 0)
			continue;
		snprintf(next, sizeof next, "%.*s", (int)strcspn(rest, " "), rest);
		if (strcmp(next, last) != 0) /* neighbours in the table share their first words */
			offer(c, next);
		snprintf(last, sizeof last, "%s", next);
	}
}

static void
offer_options(const struct completion *c, enum verb verb)
{
	static const char *const global[] = {"--help", "--output", "--socket", NULL};
	char text[64];

	for (const struct parameter *p = verbs[verb].parameter; p->name; p++) {
		snprintf(text, sizeof text, "--%s", p->name);
		if (!p->positional)
			offer(c, text);
	}
	if (verbs[verb].offline)
		offer(c, "--file");
	for (const char *const *g = global; *g; g++)
		offer(c, *g);
}

static const struct parameter *
positional_of(enum verb verb, int index)
{
	for (const struct parameter *p = verbs[verb].parameter; p->name; p++)
		if (p->positional && index-- == 0)
			return p;
	return NULL;
}

/* Words behind the verb: which of them are arguments without an option's name. */
static int
positionals_before(enum verb verb, int n, char *const *words)
{
	int count = 0;

	for (int i = 0; i < n; i++) {
		int p = strncmp(words[i], "--", 2) == 0 ? parameter_find(verb, words[i] + 2) : -1;

		if (words[i][0] != '-')
			count++;
		else if (p >= 0 && verbs[verb].parameter[p].kind != PARAMETER_FLAG)
			i++;
	}
	return count;
}

static bool
takes_value(const char *word)
{
	static const char *const options[] = {"-s", "--socket", "-f", "--file", "-o", "--output", NULL};

	for (const char *const *o = options; *o; o++)
		if (strcmp(word, *o) == 0)
			return true;
	return false;
}

static void
complete_behind(const struct completion *c, enum verb verb, int n, char *const *words)
{
	const char *before = n > 0 ? words[n - 1] : "";
	int p = strncmp(before, "--", 2) == 0 ? parameter_find(verb, before + 2) : -1;
	const struct parameter *positional;

	if (p >= 0 && verbs[verb].parameter[p].kind != PARAMETER_FLAG) {
		offer_value(c, &verbs[verb].parameter[p]);
		return;
	}
	if (c->word[0] == '-') {
		offer_options(c, verb);
		return;
	}
	positional = positional_of(verb, positionals_before(verb, n, words));
	if (positional)
		offer_value(c, positional);
	else
		offer_options(c, verb);
}

void
complete(int n, char *const *words, const char *socket, void (*each)(void *, const char *), void *context)
{
	struct completion c = {n > 0 ? words[n - 1] : "", socket, each, context};
	int at = 0, used, taken = 0;
	enum verb verb;

	/* Global options before the verb. */
	while (at < n - 1 && words[at][0] == '-') {
		if ((strcmp(words[at], "-s") == 0 || strcmp(words[at], "--socket") == 0) && at + 1 < n - 1)
			c.socket = words[at + 1];
		at += takes_value(words[at]) ? 2 : 1;
	}
	if (n > 1 && (strcmp(words[n - 2], "-o") == 0 || strcmp(words[n - 2], "--output") == 0)) {
		offer(&c, "json");
		offer(&c, "table");
		return;
	}
	if (at >= n || (n > 1 && takes_value(words[n - 2])))
		return;

	used = verb_words(n - 1 - at, words + at, &verb);
	if (verb == VERB_COUNT) {
		offer_verbs(&c, used, words + at);
		return;
	}
	for (const char *blank = verbs[verb].name; blank; blank = strchr(blank + 1, ' '))
		taken++;
	/* "vnet peering" may go on, "port show" may not. */
	complete_behind(&c, verb, n - 1 - at - taken, words + at + taken);
}
