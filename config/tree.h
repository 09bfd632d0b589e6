/* A YAML or JSON document as a tree of values that know where they stood. Internal to config/. */
#pragma once

#include "config/arena.h"
#include "config/config.h"

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node_pair;

struct node {
	struct cfg_mark mark, end; /* from here to before there; a scalar has no end */
	enum node_kind kind;
	bool plain; /* a scalar without quotes: null and ~ mean absent */
	uint32_t n; /* items or pairs */
	union {
		char *text;
		struct node **items;
		struct node_pair *pairs; /* keys are scalars and differ */
	};
};

struct node_pair {
	struct node *key, *value;
};

/* Parse exactly one document. 0 and *root (owned by the arena), or -EINVAL with errors, or -ENOMEM. */
int tree_parse(struct arena *arena, const char *text, size_t size, struct node **root, struct config_errors *errors);

/* null, ~ or nothing */
bool node_is_null(const struct node *n);
/* Text without a character. */
bool node_is_blank(const struct node *n);
/* Asks for nothing: null, false, 0, "", and lists and objects of such. */
bool node_is_empty(const struct node *n);
/* "text", "list", "object" for messages */
const char *node_kind_text(const struct node *n);
