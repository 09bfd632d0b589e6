/* bird writes for people. Words are looked for where bird 2.0 and 2.1x have them; what is not found stays empty. */
#include "control/bird_status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_LENGTH 1024

struct lines {
	const char *at;
	char line[LINE_MAX_LENGTH]; /* longer ones are cut */
};

static bool
next_line(struct lines *l)
{
	const char *end = strchr(l->at, '\n');
	size_t n = end ? (size_t)(end - l->at) : strlen(l->at);

	if (*l->at == '\0')
		return false;
	snprintf(l->line, sizeof(l->line), "%.*s", (int)(n < sizeof(l->line) ? n : sizeof(l->line) - 1), l->at);
	l->at += n + (end != NULL);
	return true;
}

/* What stands behind the key, which begins the line but for blanks; NULL: another line. */
static const char *
value_of(const char *line, const char *key)
{
	size_t n = strlen(key);

	line += strspn(line, " \t");
	if (strncmp(line, key, n) != 0)
		return NULL;
	return line + n + strspn(line + n, " \t");
}

static void
keep(char *to, size_t size, const char *from)
{
	size_t n = from ? strlen(from) : 0;

	if (n >= size)
		n = size - 1;
	if (n > 0)
		memcpy(to, from, n);
	to[n] = '\0';
}

/* ---- sessions ------------------------------------------------------------------------- */

/* "NAME BGP --- up 12:22:27.313  Established"; the time may be a date and a time. */
static bool
session_begins(const char *line, struct bird_session *s)
{
	char name[65], protocol[17], table[65], state[17], first[17], second[17];

	*s = (struct bird_session){0};
	if (line[0] == ' ' || line[0] == '\t' ||
		sscanf(line, "%64s %16s %64s %16s %16s %16s", name, protocol, table, state, first, second) < 5 ||
		strcmp(protocol, "BGP") != 0)
		return false;
	keep(s->name, sizeof(s->name), strlen(name) < sizeof(s->name) ? name : NULL);
	if (strchr(first, '-') && strchr(second, ':'))
		snprintf(s->since, sizeof(s->since), "%s %s", first, second);
	else
		snprintf(s->since, sizeof(s->since), "%s", first);
	return s->name[0] != '\0';
}

/* "Import updates:  received rejected filtered ignored accepted": the n-th; "---": 0. */
static uint64_t
column(const char *value, int n)
{
	for (; n > 0; n--) {
		value += strcspn(value, " \t");
		value += strspn(value, " \t");
	}
	return strtoull(value, NULL, 10);
}

/* "2 imported, 1 filtered, 4 exported": how many of this word. */
static uint64_t
number_of(const char *value, const char *word)
{
	const char *at = strstr(value, word);

	if (!at)
		return 0;
	while (at > value && at[-1] != ',')
		at--;
	return strtoull(at, NULL, 10);
}

static void
session_line(const char *line, struct bird_session *s)
{
	const char *v;

	if ((v = value_of(line, "BGP state:")) != NULL) {
		keep(s->state, sizeof(s->state), v);
	} else if ((v = value_of(line, "Last error:")) != NULL) {
		keep(s->error, sizeof(s->error), v);
	} else if ((v = value_of(line, "Import updates:")) != NULL) {
		s->updates_in = column(v, 0);
	} else if ((v = value_of(line, "Export updates:")) != NULL) {
		s->updates_out = column(v, 4);
	} else if ((v = value_of(line, "Routes:")) != NULL) {
		s->imported = number_of(v, "imported");
		s->exported = number_of(v, "exported");
	}
}

void
bird_sessions_read(const char *text, void (*each)(void *context, const struct bird_session *s), void *context)
{
	struct lines l = {.at = text};
	struct bird_session s = {0}, next;

	while (next_line(&l)) {
		bool begins = l.line[0] != ' ' && l.line[0] != '\t' && l.line[0] != '\0';

		if (begins && s.name[0])
			each(context, &s);
		if (begins && session_begins(l.line, &next))
			s = next;
		else if (begins)
			s = (struct bird_session){0};
		else
			session_line(l.line, &s);
	}
	if (s.name[0])
		each(context, &s);
}

/* ---- routes --------------------------------------------------------------------------- */

/* "NETWORK  unicast [c_1 12:22:28.179 from 10.9.0.2] * (100/?) [AS65002i]"; without NETWORK it is one more path. */
static bool
route_begins(const char *line, struct bird_route *r)
{
	const char *bracket = strchr(line, '['), *from;
	char network[64] = "", session[65];
	size_t n;

	if (line[0] == '\t' || !bracket || sscanf(bracket, "[%64[^] ]", session) != 1)
		return false;
	n = strcspn(line, " ");
	if (n > 0 && n < sizeof(network))
		snprintf(network, sizeof(network), "%.*s", (int)n, line);
	else
		snprintf(network, sizeof(network), "%s", r->network);
	*r = (struct bird_route){0};
	memcpy(r->network, network, sizeof(network));
	keep(r->session, sizeof(r->session), session);
	from = strstr(bracket, " from ");
	if (from)
		sscanf(from, " from %63[^] ]", r->from);
	r->best = strstr(bracket, "] *") != NULL;
	return r->network[0] != '\0';
}

static void
route_line(const char *line, struct bird_route *r)
{
	const char *v;

	if ((v = value_of(line, "BGP.origin:")) != NULL)
		keep(r->origin, sizeof(r->origin), v);
	else if ((v = value_of(line, "BGP.as_path:")) != NULL)
		keep(r->as_path, sizeof(r->as_path), v);
	else if ((v = value_of(line, "BGP.next_hop:")) != NULL)
		sscanf(v, "%63s", r->next_hop);
	else if ((v = value_of(line, "BGP.local_pref:")) != NULL)
		r->local_preference = (uint32_t)strtoul(v, NULL, 10);
}

void
bird_routes_read(const char *text, void (*each)(void *context, const struct bird_route *r), void *context)
{
	struct lines l = {.at = text};
	struct bird_route r = {0};
	bool open = false;

	while (next_line(&l)) {
		struct bird_route before = r;

		if (!route_begins(l.line, &r)) {
			if (open)
				route_line(l.line, &r);
			continue;
		}
		if (open)
			each(context, &before);
		open = true;
	}
	if (open)
		each(context, &r);
}
