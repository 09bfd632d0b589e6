/* The scalar fields of bind.c. Internal to it. */
#pragma once

#include "config/bind.h"

int bind_value(struct binder *b, const struct field *f, const struct node *n, void *object);
