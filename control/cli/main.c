/* isthmus: asks the daemon, or a file, and prints what it is told. */
#include "control/cli/complete.h"
#include "control/cli/run.h"
#include "control/cli/shell.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void
candidate_print(void *context, const char *candidate)
{
	(void)context;
	puts(candidate);
}

/* No verb, and a person at the keyboard; at most the socket is said. */
static bool
wants_shell(int argc, char **argv, const char **socket)
{
	*socket = NULL;
	if (argc == 3 && (strcmp(argv[1], "-s") == 0 || strcmp(argv[1], "--socket") == 0))
		*socket = argv[2];
	return (argc == 1 || *socket) && isatty(STDIN_FILENO);
}

int
main(int argc, char **argv)
{
	const char *socket;

	/* For the shell's completion: isthmus --complete WORD..., the last one unfinished. */
	if (argc > 1 && strcmp(argv[1], "--complete") == 0) {
		complete(argc - 2, argv + 2, NULL, candidate_print, NULL);
		return EXIT_OK;
	}
	if (wants_shell(argc, argv, &socket))
		return shell(socket);
	return run(argc, argv, NULL);
}
