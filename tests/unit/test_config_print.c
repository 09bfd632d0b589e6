/* Every example loads, prints, and loads again as the same; the manual knows every key. */
#include "config/schemas.h"
#include "config_case.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- examples and printing ------------------------------------------------------- */

/* Key texts stand where "<hidden>" was printed, so that the printed text loads again. */
static char *
reveal(char *printed)
{
	static const char *const lengths[][2] = {{"\"aes-gcm-256\"", "36"}, {"\"aes-gcm-128\"", "20"},
		{"\"aes-cbc-256\"", "32"}, {"\"aes-cbc-128\"", "16"}};
	size_t size = strlen(printed) * 4 + 1, used = 0;
	char *out = calloc(1, size), *at = printed, *hidden;
	unsigned int n = 1;

	assert_non_null(out);
	while ((hidden = strstr(at, "\"<hidden>\"")) != NULL) {
		int bytes = 32; /* authKey of sha256-128 */

		memcpy(out + used, at, (size_t)(hidden - at));
		used += (size_t)(hidden - at);
		if (strncmp(hidden - 7, "\"key\": ", 7) == 0) {
			/* sorted: "encryption" stands before "key" */
			const char *word = hidden;

			while (strncmp(word, "\"encryption\": ", 14) != 0)
				word--;
			for (size_t i = 0; i < 4; i++)
				if (strncmp(word + 14, lengths[i][0], strlen(lengths[i][0])) == 0)
					bytes = atoi(lengths[i][1]);
		}
		used += (size_t)sprintf(out + used, "\"%04x%0*x\"", n++, bytes * 2 - 4, 0);
		at = hidden + strlen("\"<hidden>\"");
	}
	strcpy(out + used, at);
	return out;
}

static void
round_trip(const struct config *c)
{
	char *first = case_print(c), *revealed = reveal(first), *second;
	struct config *again = case_load(revealed);

	second = case_print(again);
	assert_string_equal(first, second);
	free(first);
	free(revealed);
	free(second);
	config_free(again);
}

/* Examples name key files of mode 0600, which a source tree cannot keep: each test runs in a folder that has
 * copies of the examples, and the files. */
static char folder[64];

static void
write_file(const char *name, const char *text, size_t size, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, size), (ssize_t)size);
	close(fd);
}

static bool
is_example(const struct dirent *entry)
{
	return strstr(entry->d_name, ".yaml") != NULL || strstr(entry->d_name, ".json") != NULL;
}

static void
copy_example(const char *name)
{
	static char text[1 << 20];
	char path[512];
	FILE *from;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", CONFIG_EXAMPLES, name);
	from = fopen(path, "re");
	assert_non_null(from);
	n = fread(text, 1, sizeof(text), from);
	fclose(from);
	write_file(name, text, n, 0644);
}

static int
enter_folder(void **state)
{
	DIR *dir = opendir(CONFIG_EXAMPLES);
	struct dirent *entry;

	strcpy(folder, "/tmp/isthmus-examples-XXXXXX");
	if (dir == NULL || mkdtemp(folder) == NULL || chdir(folder) < 0)
		return -1;
	while ((entry = readdir(dir)) != NULL)
		if (is_example(entry))
			copy_example(entry->d_name);
	closedir(dir);
	write_file("psk", "Known to nobody else\n", 21, 0600);
	write_file("node-key", "0123456789abcdef0123456789abcdef\n", 33, 0600);
	return 0;
}

static int
leave_folder(void **state)
{
	DIR *dir = opendir(".");
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			unlink(entry->d_name);
	closedir(dir);
	return chdir("/") < 0 ? -1 : rmdir(folder);
}

static void
examples_load_and_print(void **state)
{
	DIR *dir = opendir(".");
	struct dirent *entry;
	unsigned int n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		struct config *c;

		if (!is_example(entry))
			continue;
		if (config_load(entry->d_name, &c, &case_errors) != 0)
			config_errors_print(&case_errors, stderr);
		assert_int_equal(case_errors.total, 0);
		assert_non_null(c);
		round_trip(c);
		config_free(c);
		n++;
	}
	closedir(dir);
	assert_true(n >= 14);
}

/* Keys of each printed object, in order. */
static void
printed_keys_are_sorted(void **state)
{
	struct config *c;
	char *text, *line, *save = NULL, last[64][80] = {{0}};

	assert_int_equal(config_load(CONFIG_EXAMPLES "/hub-and-spoke.json", &c, &case_errors), 0);
	text = case_print(c);
	for (line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		size_t depth = strspn(line, " ") / 2;
		char key[80];

		if (strchr("{[", line[strlen(line) - 1]) != NULL)
			last[depth + 1][0] = '\0';
		if (sscanf(line + 2 * depth, "\"%79[^\"]\": ", key) != 1 || strstr(line, "\": ") == NULL)
			continue;
		assert_true(strcmp(last[depth], key) < 0);
		strcpy(last[depth], key);
	}
	free(text);
	config_free(c);
}

/* ---- the manual ------------------------------------------------------------------ */

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool
has_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = strstr(text, word); p != NULL; p = strstr(p + 1, word))
		if (!is_letter(p[-1]) && !is_letter(p[n]))
			return true;
	return false;
}

static unsigned int
look_up_keys(const char *manual, const struct schema *s)
{
	unsigned int n = 0;

	for (const struct field *f = s->fields; f->key != NULL; f++) {
		if (!has_word(manual, f->key))
			fail_msg("isthmus.conf(5) does not name '%s' of a %s", f->key, s->noun);
		n += 1 + (f->schema ? look_up_keys(manual, f->schema) : 0);
	}
	return n;
}

static void
manual_names_every_key(void **state)
{
	FILE *from = fopen(CONFIG_MANUAL, "re");
	char *manual = calloc(1, 1 << 20);

	assert_non_null(from);
	assert_non_null(manual);
	assert_true(fread(manual + 1, 1, (1 << 20) - 2, from) > 10000);
	manual[0] = ' ';
	fclose(from);
	assert_true(look_up_keys(manual, &config_schema) > 200);
	free(manual);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_load_and_print),
		cmocka_unit_test(printed_keys_are_sorted),
		cmocka_unit_test(manual_names_every_key),
	};

	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
