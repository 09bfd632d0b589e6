/* The schema of a security association given by hand: algorithms, keys, lifetimes.
 *
 * Objects here hold keys, so the schema hides values from messages. What belongs together
 * (key length and algorithm, one key one use) is checked in check_sa.c.
 */
#include "config/algorithm.h"
#include "config/key.h"
#include "config/schemas.h"

#include <errno.h>
#include <string.h>

static const char *const way_words[] = {"in", "out", NULL};

/* The four spellings share one handler; this says which key and how it came. */
struct key_slot {
	uint8_t *bytes, *length;
	size_t size;
	char **file;
};

static struct key_slot
key_slot(const struct field *f, struct cfg_sa *sa)
{
	if (f->offset == offsetof(struct cfg_sa, enc_key))
		return (struct key_slot){sa->enc_key, &sa->enc_key_len, sizeof(sa->enc_key), &sa->key_file};
	return (struct key_slot){sa->auth_key, &sa->auth_key_len, sizeof(sa->auth_key), &sa->auth_key_file};
}

static int
bind_key(struct binder *b, const struct field *f, const struct node *n, void *object)
{
	struct key_slot slot = key_slot(f, object);
	int length = -EINVAL;

	if (*slot.length != 0)
		config_error(b->errors, n->mark, "InvalidKey",
			"'%s' beside the file that holds the same key: one of them", f->key);
	else if (n->kind == NODE_SCALAR)
		length = key_parse(n->text, strlen(n->text), slot.bytes, slot.size);
	if (length < 0 && *slot.length == 0)
		config_error(b->errors, n->mark, "InvalidKey", "'%s' is hexadecimal text of at most %zu bytes", f->key,
			slot.size);
	if (length > 0)
		*slot.length = (uint8_t)length;
	return bind_mark(b, slot.length, n);
}

static int
bind_key_file(struct binder *b, const struct field *f, const struct node *n, void *object)
{
	struct key_slot slot = key_slot(f, object);
	const char *reason;
	int length;

	if (*slot.length != 0) {
		config_error(
			b->errors, n->mark, "InvalidKey", "'%s' beside the same key in place: one of them", f->key);
		return 0;
	}
	if (bind_text(b, n, LIMIT_PATH, slot.file) < 0)
		return -ENOMEM;
	if (*slot.file == NULL)
		return 0;
	length = key_read(b->folder, *slot.file, slot.bytes, slot.size, &reason);
	if (length < 0)
		config_error(b->errors, n->mark, "InvalidKeyFile", "%.200s %s%s%s", bind_quote(b, n), reason,
			length == -EINVAL ? "" : ": ", length == -EINVAL ? "" : strerror(-length));
	else
		*slot.length = (uint8_t)length;
	return bind_mark(b, slot.length, n);
}

static void
print_key(struct json *j, const struct field *f, const void *object)
{
	struct cfg_sa sa = *(const struct cfg_sa *)object;
	struct key_slot slot = key_slot(f, &sa);

	if (*slot.length > 0 && *slot.file == NULL) {
		json_key(j, f->key);
		json_text(j, "<hidden>");
	}
	explicit_bzero(&sa, sizeof(sa));
}

static void
print_key_file(struct json *j, const struct field *f, const void *object)
{
	const struct cfg_sa *sa = object;
	const char *file = f->offset == offsetof(struct cfg_sa, enc_key) ? sa->key_file : sa->auth_key_file;

	if (file == NULL)
		return;
	json_key(j, f->key);
	json_text(j, file);
}

/* ---- UDP encapsulation ----------------------------------------------------------- */

static const struct field encapsulation_fields[] = {
	NUMBER("localPort", struct cfg_sa, udp_local_port, 1, 65535),
	NUMBER("remotePort", struct cfg_sa, udp_remote_port, 1, 65535),
	NUMBER("keepalive", struct cfg_sa, keepalive_s, 0, 3600),
	END_OF_FIELDS,
};

static const struct schema encapsulation_schema = {.noun = "UDP encapsulation", .fields = encapsulation_fields};

/* Being there is what turns it on; {} takes the defaults. */
static int
bind_encapsulation(struct binder *b, const struct field *f, const struct node *n, void *object)
{
	((struct cfg_sa *)object)->udp_encap = true;
	return bind_object(b, &encapsulation_schema, n, object);
}

static void
print_encapsulation(struct json *j, const struct field *f, const void *object)
{
	const struct cfg_sa *sa = object;

	if (!sa->udp_encap)
		return;
	json_key(j, f->key);
	json_open(j, '{');
	json_key(j, "keepalive");
	json_number(j, sa->keepalive_s);
	json_key(j, "localPort");
	json_number(j, sa->udp_local_port);
	json_key(j, "remotePort");
	json_number(j, sa->udp_remote_port);
	json_close(j, '}');
}

/* ---- lifetime -------------------------------------------------------------------- */

static const struct field life_bytes_fields[] = {
	NUMBER("soft", struct cfg_sa, life_bytes_soft, 0, UINT64_MAX),
	NUMBER("hard", struct cfg_sa, life_bytes_hard, 0, UINT64_MAX),
	END_OF_FIELDS,
};
static const struct schema life_bytes_schema = {.noun = "lifetime in bytes", .fields = life_bytes_fields};

static const struct field life_packets_fields[] = {
	NUMBER("soft", struct cfg_sa, life_packets_soft, 0, UINT64_MAX),
	NUMBER("hard", struct cfg_sa, life_packets_hard, 0, UINT64_MAX),
	END_OF_FIELDS,
};
static const struct schema life_packets_schema = {.noun = "lifetime in packets", .fields = life_packets_fields};

static const struct field lifetime_fields[] = {
	PART("bytes", &life_bytes_schema),
	PART("packets", &life_packets_schema),
	END_OF_FIELDS,
};
static const struct schema lifetime_schema = {.noun = "lifetime", .fields = lifetime_fields};

/* ---- the association ------------------------------------------------------------- */

#define KEY(k, m, b, p)                                                                                                \
	{                                                                                                              \
		.key = k, .type = FIELD_CUSTOM, .offset = offsetof(struct cfg_sa, m), .bind = b, .print = p            \
	}

static const struct field sa_fields[] = {
	{.key = "direction",
		.type = FIELD_WORD,
		.required = true,
		.offset = offsetof(struct cfg_sa, outbound),
		.size = MEMBER_SIZE(struct cfg_sa, outbound),
		.words = way_words},
	{.key = "spi",
		.type = FIELD_NUMBER,
		.required = true,
		.offset = offsetof(struct cfg_sa, spi),
		.size = MEMBER_SIZE(struct cfg_sa, spi),
		.min = 256,
		.max = UINT32_MAX},
	{.key = "encryption",
		.type = FIELD_WORD,
		.required = true,
		.offset = offsetof(struct cfg_sa, encryption),
		.size = MEMBER_SIZE(struct cfg_sa, encryption),
		.words = algorithm_encryption_words},
	NUMBER("resource", struct cfg_sa, resource, 0, LIMIT_RESOURCES - 1),
	WORD("integrity", struct cfg_sa, integrity, algorithm_integrity_words),
	KEY("key", enc_key, bind_key, print_key),
	KEY("keyFile", enc_key, bind_key_file, print_key_file),
	KEY("authKey", auth_key, bind_key, print_key),
	KEY("authKeyFile", auth_key, bind_key_file, print_key_file),
	FLAG("esn", struct cfg_sa, esn),
	ZERO_OR("replayWindow", struct cfg_sa, replay_window, 64, 4096),
	CUSTOM("encapsulation", bind_encapsulation, print_encapsulation),
	PART("lifetime", &lifetime_schema),
	END_OF_FIELDS,
};

static void
sa_init(void *object)
{
	struct cfg_sa *sa = object;

	sa->replay_window = 1024;
	sa->udp_local_port = sa->udp_remote_port = 4500;
	sa->keepalive_s = 20;
}

const struct schema sa_schema = {.noun = "security association",
	.fields = sa_fields,
	.size = sizeof(struct cfg_sa),
	.init = sa_init,
	.hide = true};
