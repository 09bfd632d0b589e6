/* Names: texts interned for good, so that an id means the same in every view and every counter.
 *
 * Any thread; one lock. Texts are never moved or freed before the table is.
 */
#include "control/text_hash.h"
#include "control/world.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_FIRST 256 /* a power of two */

struct names {
	pthread_mutex_t lock;
	char **text; /* by id; [0] is "" */
	uint32_t n, capacity;
	uint32_t *slot; /* open addressing, ids; 0 = free; at most half full */
	uint32_t slots;
};

struct names *
names_create(void)
{
	struct names *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return NULL;
	n->capacity = SLOTS_FIRST / 2;
	n->slots = SLOTS_FIRST;
	n->text = calloc(n->capacity, sizeof(*n->text));
	n->slot = calloc(n->slots, sizeof(*n->slot));
	if (n->text == NULL || n->slot == NULL || (n->text[0] = strdup("")) == NULL) {
		names_free(n);
		return NULL;
	}
	n->n = 1;
	pthread_mutex_init(&n->lock, NULL);
	return n;
}

void
names_free(struct names *n)
{
	if (n == NULL)
		return;
	for (uint32_t i = 0; i < n->n; i++)
		free(n->text[i]);
	free(n->text);
	free(n->slot);
	free(n);
}

/* The slot that holds text, or the free one where it belongs. */
static uint32_t *
find(const struct names *n, const char *text)
{
	uint32_t at = text_hash(text) & (n->slots - 1);

	while (n->slot[at] != 0 && strcmp(n->text[n->slot[at]], text) != 0)
		at = (at + 1) & (n->slots - 1);
	return &n->slot[at];
}

static bool
double_room(struct names *n)
{
	char **text = realloc(n->text, 2 * (size_t)n->capacity * sizeof(*text));
	uint32_t *slot = calloc(2 * (size_t)n->slots, sizeof(*slot));

	if (text != NULL) {
		n->text = text;
		n->capacity *= slot != NULL ? 2 : 1;
	}
	if (text == NULL || slot == NULL) {
		free(slot);
		return false;
	}
	free(n->slot);
	n->slot = slot;
	n->slots *= 2;
	for (uint32_t i = 1; i < n->n; i++)
		*find(n, n->text[i]) = i;
	return true;
}

static uint32_t
id_of(struct names *n, const char *text)
{
	uint32_t *slot = find(n, text);
	char *copy;

	if (*slot != 0)
		return *slot;
	if (n->n == n->capacity) {
		if (!double_room(n))
			return NAME_NONE;
		slot = find(n, text);
	}
	copy = strdup(text);
	if (copy == NULL)
		return NAME_NONE;
	n->text[n->n] = copy;
	*slot = n->n;
	return n->n++;
}

uint32_t
names_id(struct names *n, const char *text)
{
	uint32_t id;

	if (text == NULL || text[0] == '\0')
		return NAME_NONE;
	pthread_mutex_lock(&n->lock);
	id = id_of(n, text);
	pthread_mutex_unlock(&n->lock);
	return id;
}

const char *
names_text(const struct names *n, uint32_t id)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)&n->lock; /* the table is const to the reader, its lock is not */
	const char *text;

	pthread_mutex_lock(lock);
	text = id < n->n ? n->text[id] : "";
	pthread_mutex_unlock(lock);
	return text;
}
