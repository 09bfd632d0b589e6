/* Any text as a configuration: it loads or is refused with errors, and what loads can be printed
 * and the print loads again (but for keys, which print as "<hidden>").
 */
#include "config/config.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_print(const struct config *c)
{
	struct config_errors errors;
	struct config *again = NULL;
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	if (to == NULL)
		abort();
	config_print(c, to);
	fclose(to);
	if (memmem(text, size, "\"<hidden>\"", 10) == NULL && config_parse("fuzz", text, size, &again, &errors) != 0) {
		config_errors_print(&errors, stderr);
		abort();
	}
	config_free(again);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_errors errors;
	struct config *c = NULL;
	int rc = config_parse("fuzz", (const char *)data, size, &c, &errors);

	/* refused if and only if something is told */
	if ((rc == 0) != (c != NULL) || (rc == 0) != (errors.total == 0) || errors.n > errors.total)
		abort();
	if (rc != 0)
		return 0;
	check_print(c);
	config_free(c);
	return 0;
}
