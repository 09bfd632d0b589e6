/* vici's messages: what is built is read again, what is malformed is never believed. */
#include "control/vici_message.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct vici_body
body_of(const struct vici_message *m)
{
	return (struct vici_body){m->data, m->len};
}

static int
read_all(const void *data, size_t n)
{
	const struct vici_body b = {data, n};
	struct vici_element e;
	struct vici_reader r;
	int more;

	vici_read(&r, &b);
	do
		more = vici_next(&r, &e);
	while (more > 0);
	return more;
}

static void
sample(struct vici_message *m)
{
	vici_text(m, "key1", "value%d", 1);
	vici_section(m, "section1");
	vici_section(m, "sub-section");
	vici_value(m, "key2", "value2", 6);
	vici_section_end(m);
	vici_list(m, "list1");
	vici_item(m, "item1");
	vici_item_value(m, "item2", 5);
	vici_list_end(m);
	vici_section_end(m);
}

/* The example of the protocol's own description. */
static void
encodes_the_documented_example(void **state)
{
	static const uint8_t wire[] = {3, 4, 'k', 'e', 'y', '1', 0, 6, 'v', 'a', 'l', 'u', 'e', '1', 1, 8, 's', 'e',
		'c', 't', 'i', 'o', 'n', '1', 1, 11, 's', 'u', 'b', '-', 's', 'e', 'c', 't', 'i', 'o', 'n', 3, 4, 'k',
		'e', 'y', '2', 0, 6, 'v', 'a', 'l', 'u', 'e', '2', 2, 4, 5, 'l', 'i', 's', 't', '1', 5, 0, 5, 'i', 't',
		'e', 'm', '1', 5, 0, 5, 'i', 't', 'e', 'm', '2', 6, 2};
	struct vici_message m = {0};

	(void)state;
	sample(&m);
	assert_true(vici_message_ok(&m));
	assert_int_equal(m.len, sizeof wire);
	assert_memory_equal(m.data, wire, sizeof wire);
	vici_message_clear(&m);
}

static void
every_cut_is_malformed(void **state)
{
	struct vici_message m = {0};
	int whole = 0;

	(void)state;
	sample(&m);
	for (size_t n = 0; n < m.len; n++) {
		/* of its own, so that a read beyond is seen by the sanitizer */
		uint8_t *copy = malloc(n ? n : 1);

		memcpy(copy, m.data, n);
		if (read_all(copy, n) == 0)
			whole++;
		else
			assert_int_equal(read_all(copy, n), -EBADMSG);
		free(copy);
	}
	/* nothing at all, and key1 alone, are messages, too */
	assert_int_equal(whole, 2);
	vici_message_clear(&m);
}

static void
hostile_ones_are_malformed(void **state)
{
	static const struct {
		const char *what, *data;
		size_t n;
	} hostile[] = {
		{"unknown type", "\x09", 1},
		{"type 0", "\0", 1},
		{"end of nothing", "\x02", 1},
		{"end of no list", "\x06", 1},
		{"item outside a list", "\x05\0\x01x", 4},
		{"key in a list", "\x04\x01l\x03\x01k\0\0\x06", 9},
		{"section in a list", "\x04\x01l\x01\x01s\x02\x06", 8},
		{"list in a list", "\x04\x01l\x04\x01l\x06\x06", 8},
		{"section ends in a list", "\x01\x01s\x04\x01l\x02\x06", 8},
		{"empty name", "\x01\0\x02", 3},
		{"value beyond the end", "\x03\x01k\xff\xffx", 6},
		{"section left open", "\x01\x01s", 3},
		{"list left open", "\x04\x01l", 3},
	};
	uint8_t deep[3 * (VICI_DEPTH_MAX + 1) + VICI_DEPTH_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
		const struct vici_body b = {(const uint8_t *)hostile[i].data, hostile[i].n};

		if (read_all(hostile[i].data, hostile[i].n) != -EBADMSG)
			fail_msg("%s was believed", hostile[i].what);
		assert_null(vici_json(&b));
	}
	for (size_t i = 0; i <= VICI_DEPTH_MAX; i++) {
		memcpy(deep + 3 * i, "\x01\x01s", 3);
		deep[3 * (VICI_DEPTH_MAX + 1) + i] = VICI_SECTION_END;
	}
	assert_int_equal(read_all(deep, sizeof deep), -EBADMSG);
}

static void
becomes_json(void **state)
{
	struct vici_message m = {0};
	struct vici_body b;
	json_t *j, *want;

	(void)state;
	sample(&m);
	vici_value(&m, "raw", "\xff\xfe", 2);
	b = body_of(&m);
	j = vici_json(&b);
	want = json_loads("{\"key1\": \"value1\", \"section1\": {\"sub-section\": {\"key2\": \"value2\"},"
			  "\"list1\": [\"item1\", \"item2\"]}, \"raw\": null}",
		0, NULL);
	assert_true(json_equal(j, want));
	json_decref(j);
	json_decref(want);
	vici_message_clear(&m);
}

static void
finds_a_key_of_the_root(void **state)
{
	struct vici_message m = {0};
	struct vici_body b;
	char text[8], short_text[4];

	(void)state;
	sample(&m);
	b = body_of(&m);
	assert_true(vici_get(&b, "key1", text, sizeof text));
	assert_string_equal(text, "value1");
	assert_true(vici_get(&b, "key1", short_text, sizeof short_text));
	assert_string_equal(short_text, "val");
	assert_false(vici_get(&b, "key2", text, sizeof text));
	b.len--;
	assert_false(vici_get(&b, "key1", text, sizeof text));
	vici_message_clear(&m);
}

/* Too long, in the wrong place, or not closed: remembered, never sent. */
static void
refuses_to_build_nonsense(void **state)
{
	struct vici_message m[6] = {0};
	char *big = calloc(1, 70000);

	(void)state;
	memset(big, 'x', 300);
	vici_text(&m[0], big, "value");
	vici_value(&m[1], "key", big, 65536);
	vici_section(&m[2], "open");
	vici_item(&m[3], "no list");
	vici_section_end(&m[4]);
	for (int i = 0; i < 9; i++)
		vici_value(&m[5], "key", big, 65535);
	for (int i = 0; i < 6; i++) {
		assert_false(vici_message_ok(&m[i]));
		vici_message_clear(&m[i]);
	}
	free(big);
}

static void
prints_without_secrets(void **state)
{
	struct vici_message m = {0};
	struct vici_body b;
	char *text = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&text, &n);

	(void)state;
	vici_text(&m, "id", "one");
	vici_text(&m, "data", "S3cr3t");
	vici_section(&m, "s");
	vici_list(&m, "owners");
	vici_item(&m, "192.0.2.1");
	vici_list_end(&m);
	vici_value(&m, "cert", "\x30\x82", 2);
	vici_section_end(&m);
	b = body_of(&m);
	vici_print(&b, to);
	fclose(to);
	assert_string_equal(text, "id = one\ndata = <hidden>\ns {\n\towners [\n\t\t192.0.2.1\n\t]\n"
				  "\tcert = <2 bytes>\n}\n");
	free(text);
	vici_message_clear(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodes_the_documented_example),
		cmocka_unit_test(every_cut_is_malformed),
		cmocka_unit_test(hostile_ones_are_malformed),
		cmocka_unit_test(becomes_json),
		cmocka_unit_test(finds_a_key_of_the_root),
		cmocka_unit_test(refuses_to_build_nonsense),
		cmocka_unit_test(prints_without_secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
