/* EAL arguments derived from configurations and machines. Pure: EAL itself is not started. */
#include "drivers/eal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct eal_arguments arguments;
static char error[512];

static int
build(const struct cfg_appliance *a, const struct eal_machine *m)
{
	eal_arguments_free(&arguments);
	error[0] = '\0';
	return eal_arguments(a, "isthmus-test", m, &arguments, error, sizeof error);
}

static bool
has(const char *text)
{
	for (int i = 0; i < arguments.n; i++)
		if (strcmp(arguments.v[i], text) == 0)
			return true;
	return false;
}

static bool
has_pair(const char *key, const char *value)
{
	for (int i = 0; i + 1 < arguments.n; i++)
		if (strcmp(arguments.v[i], key) == 0 && strcmp(arguments.v[i + 1], value) == 0)
			return true;
	return false;
}

static struct eal_machine
machine(uint16_t n_cpus, uint64_t huge_free_mb)
{
	struct eal_machine m = {.n_cpus = n_cpus, .huge_free_mb = huge_free_mb, .huge_page_kb = 2048};

	for (uint16_t i = 0; i < n_cpus; i++)
		m.cpus[i] = 4 + i;
	return m;
}

static const struct cfg_appliance one_worker = {.name = "a", .workers = 1, .flows = 1024, .neighbours = 1024};

static void
threads_have_cores_of_their_own_when_there_are_enough(void **state)
{
	struct cfg_appliance a = one_worker;
	struct eal_machine m = machine(8, 0);

	a.workers = 3;
	assert_int_equal(build(&a, &m), 0);
	assert_true(has("--lcores=0@4,1@5,2@6,3@7"));
	assert_true(has("--main-lcore=0"));
}

static void
threads_share_cores_when_there_are_too_few(void **state)
{
	struct cfg_appliance a = one_worker;
	struct eal_machine two = machine(2, 0), one = machine(1, 0), none = machine(0, 0);

	a.workers = 3;
	assert_int_equal(build(&a, &two), 0);
	assert_true(has("--lcores=0@4,1@5,2@4,3@5"));
	assert_int_equal(build(&a, &one), 0);
	assert_true(has("--lcores=0@4,1@4,2@4,3@4"));
	assert_int_not_equal(build(&a, &none), 0);
	assert_non_null(strstr(error, "affinity"));
}

static void
configured_cores_are_taken_or_refused(void **state)
{
	struct eal_machine m = machine(4, 0);
	struct cfg_appliance a = one_worker;
	int16_t cores[] = {7, 5}, absent[] = {4, 9};

	a.cores = cores;
	a.n_cores = 2;
	assert_int_equal(build(&a, &m), 0);
	assert_true(has("--lcores=0@7,1@5"));

	a.cores = absent;
	assert_int_not_equal(build(&a, &m), 0);
	assert_non_null(strstr(error, "core 9"));

	a.cores = cores;
	a.workers = 2;
	assert_int_not_equal(build(&a, &m), 0);
	assert_non_null(strstr(error, "2 entries"));
}

static void
huge_pages_are_used_when_enough_are_free(void **state)
{
	struct cfg_appliance a = one_worker;
	struct eal_machine rich = machine(2, 4096), poor = machine(2, 16);

	a.memory_mb = 512;
	assert_int_equal(build(&a, &rich), 0);
	assert_true(has("--in-memory") && has("--single-file-segments") && has_pair("-m", "512") && !has("--no-huge"));
	assert_true(arguments.huge);

	assert_int_equal(build(&a, &poor), 0);
	assert_true(has("--no-huge") && has("--no-shconf") && has_pair("-m", "512") && !has("--in-memory"));

	a.hugepages = HUGEPAGES_OFF;
	assert_int_equal(build(&a, &rich), 0);
	assert_true(has("--no-huge"));

	a.hugepages = HUGEPAGES_ON;
	assert_int_equal(build(&a, &rich), 0);
	assert_true(has("--in-memory"));
	assert_int_not_equal(build(&a, &poor), 0);
	assert_non_null(strstr(error, "512 MB"));
	assert_non_null(strstr(error, "16 MB"));
}

static void
memory_grows_with_flows_and_buffers(void **state)
{
	struct cfg_appliance a = one_worker;
	struct eal_machine m = machine(2, 1 << 20);
	uint32_t small;

	assert_int_equal(build(&a, &m), 0);
	small = arguments.memory_mb;
	a.flows = 16 << 20;
	assert_int_equal(build(&a, &m), 0);
	assert_true(arguments.memory_mb >= small + 16 * 200);
	a.flows = 1024;
	a.mbufs = 1 << 20;
	assert_int_equal(build(&a, &m), 0);
	assert_true(arguments.memory_mb >= small + 2 * 900);
}

static void
only_configured_devices_are_probed(void **state)
{
	struct cfg_port ports[] = {
		{.name = "n", .driver = DRIVER_NULL},
		{.name = "p", .driver = DRIVER_PCI, .address = "0000:01:00.0"},
		{.name = "q", .driver = DRIVER_PCI, .address = "0000:01:00.1"},
	};
	struct cfg_appliance a = one_worker;
	struct eal_machine m = machine(2, 0);

	a.ports = ports;
	a.n_ports = 1;
	assert_int_equal(build(&a, &m), 0);
	assert_true(has("--no-pci"));
	assert_true(has("--iova-mode=va"));

	a.n_ports = 3;
	assert_int_equal(build(&a, &m), 0);
	assert_false(has("--no-pci"));
	assert_true(has_pair("-a", "0000:01:00.0") && has_pair("-a", "0000:01:00.1"));
}

static void
simd_width_telemetry_and_prefix(void **state)
{
	struct cfg_appliance a = one_worker;
	struct eal_machine m = machine(2, 0);
	char prefix[64];

	assert_int_equal(build(&a, &m), 0);
	for (int i = 0; i < arguments.n; i++)
		assert_null(strstr(arguments.v[i], "simd"));
	a.max_simd = 512;
	assert_int_equal(build(&a, &m), 0);
	assert_true(has("--force-max-simd-bitwidth=512"));
	assert_true(has("--no-telemetry"));
	snprintf(prefix, sizeof prefix, "--file-prefix=isthmus-test-%d", (int)getpid());
	assert_true(has(prefix));
}

/* 64 ports and 64 workers fit. */
static void
the_largest_configuration_fits(void **state)
{
	static struct cfg_port ports[64];
	struct cfg_appliance a = one_worker;
	struct eal_machine m = machine(128, 0);

	for (int i = 0; i < 64; i++)
		ports[i] = (struct cfg_port){.name = "p", .driver = DRIVER_PCI, .address = "0000:01:00.0", .queues = 1};
	a.ports = ports;
	a.n_ports = 64;
	a.workers = 64;
	a.max_simd = 256;
	assert_int_equal(build(&a, &m), 0);
	assert_non_null(strstr(arguments.v[1], ",64@68"));
	assert_null(arguments.v[arguments.n]);
}

static void
buffers_take_the_longest_frame(void **state)
{
	struct cfg_port ports[] = {
		{.name = "n", .driver = DRIVER_NULL, .mtu = 1500}, {.name = "j", .driver = DRIVER_NULL, .mtu = 9000}};
	struct cfg_appliance a = one_worker;

	a.ports = ports;
	a.n_ports = 1;
	assert_true(packet_data_room(&a) >= 128 + 1500 + PACKET_FRAME_OVERHEAD + PACKET_TAILROOM);
	a.n_ports = 2;
	assert_true(packet_data_room(&a) >= 128 + 9000 + PACKET_FRAME_OVERHEAD + PACKET_TAILROOM);

	/* 2^n - 1, and more than two full rings per queue. */
	a.workers = 4;
	assert_int_equal(packet_buffers(&a) & (packet_buffers(&a) + 1), 0);
	assert_true(packet_buffers(&a) > 2 * 2 * 4 * 1024);
	a.mbufs = 5000;
	assert_int_equal(packet_buffers(&a), 5000);
}

static void
programs_stay_off_the_cores_of_workers(void **state)
{
	struct eal_machine four = machine(4, 0), two = machine(2, 0), one = machine(1, 0);
	struct cfg_appliance a = one_worker;
	int16_t cores[] = {5, 4};
	cpu_set_t set;

	eal_cores_beside(&a, &four, &set);
	assert_int_equal(CPU_COUNT(&set), 3);
	assert_false(CPU_ISSET(5, &set));
	eal_cores_beside(&a, &two, &set);
	assert_int_equal(CPU_COUNT(&set), 1);
	assert_true(CPU_ISSET(4, &set));

	/* workers everywhere: beside control */
	eal_cores_beside(&a, &one, &set);
	assert_true(CPU_COUNT(&set) == 1 && CPU_ISSET(4, &set));
	a.workers = 3;
	eal_cores_beside(&a, &two, &set);
	assert_true(CPU_COUNT(&set) == 1 && CPU_ISSET(4, &set));

	a.workers = 1;
	a.cores = cores;
	a.n_cores = 2;
	eal_cores_beside(&a, &two, &set);
	assert_true(CPU_COUNT(&set) == 1 && CPU_ISSET(5, &set));
}

static int
teardown(void **state)
{
	eal_arguments_free(&arguments);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_have_cores_of_their_own_when_there_are_enough),
		cmocka_unit_test(threads_share_cores_when_there_are_too_few),
		cmocka_unit_test(configured_cores_are_taken_or_refused),
		cmocka_unit_test(huge_pages_are_used_when_enough_are_free),
		cmocka_unit_test(memory_grows_with_flows_and_buffers),
		cmocka_unit_test(only_configured_devices_are_probed),
		cmocka_unit_test(simd_width_telemetry_and_prefix),
		cmocka_unit_test(the_largest_configuration_fits),
		cmocka_unit_test(buffers_take_the_longest_frame),
		cmocka_unit_test(programs_stay_off_the_cores_of_workers),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
