/* What isthmusd is told when it is started; all else stands in its configuration. */
#include "control/options.h"

#include "control/version.h"

#include <getopt.h>
#include <stdio.h>

static const char usage[] = "usage: isthmusd -c FILE [-t] [-v]\n"
			    "\n"
			    "  -c, --config FILE   the configuration, see isthmus.conf(5)\n"
			    "  -t, --takeover      take the appliance over from the isthmusd that runs\n"
			    "  -v, --verbose       log more\n"
			    "  -V, --version       print the version\n"
			    "  -h, --help          this text\n";

int
options_read(int argc, char **argv, const char **config, bool *takeover, enum log_level *level)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"takeover", no_argument, NULL, 't'},
		{"verbose", no_argument, NULL, 'v'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:tvVh", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			*config = optarg;
			break;
		case 't':
			*takeover = true;
			break;
		case 'v':
			*level = LOG_LEVEL_DEBUG;
			break;
		case 'V':
			puts("isthmusd " ISTHMUS_VERSION);
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 1;
		}
	}
	if (!*config || optind != argc) {
		fputs(usage, stderr);
		return 1;
	}
	return -1;
}
