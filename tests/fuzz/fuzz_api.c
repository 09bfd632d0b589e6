/* The control socket's requests, and the verbs that answer them from a world: no input may do more than
 * be answered or refused by name. Lines of the input are requests, one after the other.
 */
#include "control/builder.h"
#include "control/show.h"
#include "drivers/eal.h"
#include "drivers/log.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] =
	"virtualNetworks:\n"
	"  - name: hub\n"
	"    addressSpace: {addressPrefixes: [10.0.0.0/16, 'fd00::/56']}\n"
	"    subnets:\n"
	"      - {name: web, addressPrefixes: [10.0.1.0/24, 'fd00:0:0:1::/64'], networkSecurityGroup: {id: n}, "
	"routeTable: {id: r}}\n"
	"      - {name: far, addressPrefix: 10.0.9.0/24}\n"
	"    virtualNetworkPeerings: [{name: to-spoke, remoteVirtualNetwork: {id: spoke}}]\n"
	"  - name: spoke\n"
	"    addressSpace: {addressPrefixes: [10.1.0.0/16]}\n"
	"    subnets: [{name: db, addressPrefix: 10.1.1.0/24}]\n"
	"    virtualNetworkPeerings: [{name: to-hub, remoteVirtualNetwork: {id: hub}, allowForwardedTraffic: true}]\n"
	"networkSecurityGroups:\n"
	"  - name: n\n"
	"    securityRules:\n"
	"      - {name: ssh, priority: 100, direction: Inbound, access: Deny, protocol: Tcp, sourceAddressPrefix: "
	"'*',\n"
	"         sourcePortRange: '*', destinationAddressPrefix: '*', destinationPortRange: '22'}\n"
	"routeTables:\n"
	"  - {name: r, routes: [{name: none, addressPrefix: 203.0.113.0/24, nextHopType: None}]}\n"
	"appliance:\n"
	"  name: fuzz\n"
	"  ports: [{name: p0, driver: 'null'}]\n"
	"  attachments: [{subnet: hub/web, port: p0}, {subnet: spoke/db, port: p0, vlan: 2}]\n";

static struct build_job job;
static struct builder_tools tools;

static void
die(const char *why)
{
	fprintf(stderr, "fuzz_api: %s\n", why);
	abort();
}

/* What EAL's memory points to is lost to the leak check once that memory is gone: free it first. */
static void
end(void)
{
	view_free(job.view);
	world_free(job.world);
	json_decref(job.text);
	free(job.path);
	iface_ids_free(tools.iface_ids);
	names_free(tools.names);
	eal_stop();
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct config_errors errors = {0};
	char error[400];

	log_open(LOG_LEVEL_ERROR);
	tools = (struct builder_tools){names_create(), iface_ids_create(), NULL};
	job.path = strdup("fuzz.yaml");
	if (config_parse(job.path, text, strlen(text), &job.config, &errors) != 0) {
		config_errors_print(&errors, stderr);
		die("its configuration is refused");
	}
	if (eal_offline_start(error, sizeof error) != 0)
		die(error);
	build(&tools, &job);
	atexit(end);
	if (job.result != 0)
		die(job.errors.e[0].text);
	return 0;
}

static void
answer(const char *line, size_t size)
{
	const struct show s = {job.world, job.view, tools.names, job.text};
	struct failure f = {0};
	struct request r;
	json_t *result = NULL, *a;
	char *printed;

	if (request_parse(line, size, &r, &f) == 0 && show_function_of(r.verb))
		result = show_function_of(r.verb)(&s, &r, &f);
	else if (!f.code[0])
		result = json_null();
	if (!result && !f.code[0])
		die("neither answered nor refused");

	a = result ? answer_result(r.id, result) : answer_failure(r.id, &f);
	printed = json_dumps(a, JSON_COMPACT);
	if (!printed)
		die("an answer that cannot be printed");
	free(printed);
	json_decref(a);
	failure_clear(&f);
	request_free(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *line = (const char *)data, *end;

	while (size > 0) {
		end = memchr(line, '\n', size);
		size_t n = end ? (size_t)(end - line) : size;

		answer(line, n);
		line += n + (end != NULL);
		size -= n + (end != NULL);
	}
	return 0;
}
