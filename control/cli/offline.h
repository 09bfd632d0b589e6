/* Answers without a daemon: the file is checked, its world built and compiled as the daemon would, and the
 * same functions answer. Starts a small EAL; once per process.
 */
#pragma once

#include "control/api_request.h"

/* For verbs that have an offline form. A new reference, or NULL with f set. */
json_t *offline_answer(const char *path, const struct request *r, struct failure *f);
/* verify FILE. */
json_t *offline_verify(const char *path, struct failure *f);
