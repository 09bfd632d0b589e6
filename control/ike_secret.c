/* Keys and certificates for charon: from files, or as they stand in the configuration. PEM files may hold several
 * certificates; charon reads one to a value, so they are taken apart here.
 */
#include "control/ike_conf_build.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX 60000 /* a value of vici has 65535 bytes */
#define PEM_BEGIN "-----BEGIN "
#define PEM_END "-----END "

struct text {
	char *data; /* NUL behind it */
	size_t n;
};

static bool
file_read(struct ike_build *b, const char *path, struct cfg_mark mark, struct text *t)
{
	const char *reason = "cannot be read";
	char full[PATH_MAX];
	FILE *from = NULL;

	*t = (struct text){.data = malloc(FILE_MAX + 1)};
	if (!t->data) {
		b->no_memory = true;
		return false;
	}
	if (config_file_path(b->c, path, full, sizeof(full), &reason) == 0) {
		from = fopen(full, "re");
		reason = from ? "is empty, or too large" : strerror(errno);
	}
	if (from) {
		t->n = fread(t->data, 1, FILE_MAX, from);
		if (t->n == FILE_MAX || ferror(from))
			t->n = 0;
		fclose(from);
	}
	t->data[t->n] = '\0';
	if (t->n > 0)
		return true;
	ike_refuse(b, mark, "%s: %s", path, reason);
	free(t->data);
	return false;
}

/* The next certificate of a file: one block of PEM, or the whole if it is DER. */
static bool
next_certificate(const struct text *t, size_t *at, struct text *out)
{
	char *begin, *end;

	if (*at >= t->n)
		return false;
	begin = strstr(t->data + *at, PEM_BEGIN);
	if (!begin) {
		*out = (struct text){t->data, t->n};
		if (*at > 0)
			return false;
		*at = t->n;
		return true;
	}
	end = strstr(begin, PEM_END);
	end = end ? strchr(end + strlen(PEM_END), '\n') : NULL;
	end = end ? end + 1 : t->data + t->n;
	*out = (struct text){begin, (size_t)(end - begin)};
	*at = (size_t)(end - t->data);
	return true;
}

/* ---- items --------------------------------------------------------------------------- */

void
ike_shared_add(struct ike_build *b, const char *id, const char *type, const char *owner, const void *secret, size_t n)
{
	struct ike_item *item = ike_item_add(b, IKE_SHARED, "%s", id);

	if (!item)
		return;
	vici_text(&item->message, "id", "%s", id);
	vici_text(&item->message, "type", "%s", type);
	vici_value(&item->message, "data", secret, n);
	/* of the peer alone: charon takes a key that fits either end, and ours is the same for all */
	vici_list(&item->message, "owners");
	vici_item(&item->message, "%s", owner);
	vici_list_end(&item->message);
}

static bool
is_there(const struct ike_build *b, enum ike_kind kind, const char *name)
{
	for (uint32_t i = 0; i < b->conf->n; i++) {
		if (b->conf->item[i].kind == kind && strcmp(b->conf->item[i].name, name) == 0)
			return true;
	}
	return false;
}

void
ike_private_key_add(struct ike_build *b, const char *path, struct cfg_mark mark)
{
	const char *reason = "cannot be read";
	struct ike_item *item;
	char key[16384];
	int n;

	if (!path || is_there(b, IKE_KEY, path))
		return;
	n = config_secret_read(b->c, path, key, sizeof(key), &reason);
	if (n <= 0)
		ike_refuse(b, mark, "%s: %s", path, n == 0 ? "is empty" : reason);
	item = n > 0 ? ike_item_add(b, IKE_KEY, "%s", path) : NULL;
	if (item) {
		vici_text(&item->message, "type", "any");
		vici_value(&item->message, "data", key, (size_t)n);
	}
	explicit_bzero(key, sizeof(key));
}

void
ike_chain_add(struct ike_build *b, const char *path, struct cfg_mark mark)
{
	struct text t, one;
	size_t at = 0;

	if (!path || !file_read(b, path, mark, &t))
		return;
	for (unsigned i = 0; next_certificate(&t, &at, &one); i++) {
		char name[PATH_MAX];
		struct ike_item *item;

		snprintf(name, sizeof(name), "%s %u", path, i);
		item = i > 0 && !is_there(b, IKE_CERT, name) ? ike_item_add(b, IKE_CERT, "%s", name) : NULL;
		if (!item)
			continue;
		vici_text(&item->message, "type", "X509");
		vici_text(&item->message, "flag", "NONE");
		vici_value(&item->message, "data", one.data, one.n);
	}
	free(t.data);
}

/* ---- lists of a section -------------------------------------------------------------- */

void
ike_certs_add(struct ike_build *b, struct vici_message *m, const char *path, struct cfg_mark mark)
{
	struct text t, one;
	size_t at = 0;

	if (!path || !file_read(b, path, mark, &t))
		return;
	vici_list(m, "certs");
	if (next_certificate(&t, &at, &one))
		vici_item_value(m, one.data, one.n);
	vici_list_end(m);
	free(t.data);
}

void
ike_cacerts_add(struct ike_build *b, struct vici_message *m, const struct cfg_strings *paths, struct cfg_mark mark)
{
	vici_list(m, "cacerts");
	for (uint32_t i = 0; i < paths->n; i++) {
		struct text t, one;
		size_t at = 0;

		if (!file_read(b, paths->s[i], mark, &t))
			continue;
		while (next_certificate(&t, &at, &one))
			vici_item_value(m, one.data, one.n);
		free(t.data);
	}
	vici_list_end(m);
}

/* As PEM: charon decodes it. */
void
ike_base64_add(struct ike_build *b, struct vici_message *m, const char *text, struct cfg_mark mark)
{
	size_t n = strlen(text);
	char *pem;
	int made;

	if (n == 0 || n > FILE_MAX) {
		ike_refuse(b, mark, "a root certificate is empty, or too large");
		return;
	}
	made = asprintf(&pem, "-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n", text);
	if (made < 0) {
		b->no_memory = true;
		return;
	}
	vici_item_value(m, pem, (size_t)made);
	free(pem);
}
