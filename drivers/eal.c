/* EAL's arguments are worked out by eal_arguments, which is pure, and used by eal_start.
 *
 * Memory: with enough free huge pages `--in-memory`, which leaves no file behind; else
 * `--no-huge`, where -m only reserves address space and pages come when they are touched. Thus
 * the estimate is generous without huge pages and may grow at run time with them.
 *
 * Without shared configuration (--in-memory, --no-shconf) EAL still makes a run-time directory
 * and does not remove it; eal_stop does, and eal_start removes those of dead processes.
 */
#include "drivers/eal.h"
#include "drivers/log.h"
#include "drivers/port.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BYTES_PER_FLOW 256
#define BYTES_PER_NEIGHBOUR 512
#define BYTES_PER_BUFFER_HEADER 256 /* mempool object header, struct rte_mbuf, private area */
#define TABLES_MB 256               /* routes, compiled rules, rings; grows with huge pages */
#define TABLES_NO_HUGE_MB 2048      /* cannot grow later, but costs nothing until touched */
#define OFFLINE_MB 2048

static char *runtime_dir;
static cpu_set_t beside_workers;
static FILE *log_stream;

/* ---- what the machine has --------------------------------------------------------- */

static uint64_t
meminfo_read(const char *key)
{
	FILE *f = fopen("/proc/meminfo", "re");
	unsigned long long value = 0;
	char line[256];

	if (!f)
		return 0;
	while (fgets(line, sizeof line, f))
		if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':') {
			value = strtoull(line + strlen(key) + 1, NULL, 10);
			break;
		}
	fclose(f);
	return value;
}

void
eal_machine_read(struct eal_machine *m)
{
	cpu_set_t set;

	memset(m, 0, sizeof *m);
	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof set, &set) == 0)
		for (uint16_t cpu = 0; cpu < EAL_CPUS_MAX && cpu < CPU_SETSIZE; cpu++)
			if (CPU_ISSET(cpu, &set))
				m->cpus[m->n_cpus++] = cpu;

	m->huge_page_kb = meminfo_read("Hugepagesize");
	m->huge_free_mb = meminfo_read("HugePages_Free") * m->huge_page_kb / 1024;
}

/* ---- arguments -------------------------------------------------------------------- */

static void argument_add(struct eal_arguments *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A list that is too long, or no memory, shows as n > EAL_ARGUMENTS_MAX. */
static void
argument_add(struct eal_arguments *out, const char *format, ...)
{
	va_list arguments;
	int r;

	if (out->n >= EAL_ARGUMENTS_MAX) {
		out->n = EAL_ARGUMENTS_MAX + 1;
		return;
	}
	va_start(arguments, format);
	r = vasprintf(&out->v[out->n], format, arguments);
	va_end(arguments);
	if (r < 0) {
		out->v[out->n] = NULL;
		out->n = EAL_ARGUMENTS_MAX + 1;
		return;
	}
	out->n++;
}

void
eal_arguments_free(struct eal_arguments *arguments)
{
	for (int i = 0; i < EAL_ARGUMENTS_MAX; i++)
		free(arguments->v[i]);
	memset(arguments, 0, sizeof *arguments);
}

static int
cpu_of(const struct cfg_appliance *a, const struct eal_machine *m, unsigned lcore)
{
	return a->cores ? a->cores[lcore] : m->cpus[lcore % m->n_cpus];
}

static bool
cpu_allowed(const struct eal_machine *m, int cpu)
{
	for (uint16_t i = 0; i < m->n_cpus; i++)
		if (m->cpus[i] == cpu)
			return true;
	return false;
}

/* "0@3,1@4,2@5": control first. Configured cores are taken as they are; else control sits on the
 * first core and the workers go round from the second, so they share last with control. */
static int
lcores_add(const struct cfg_appliance *a, const struct eal_machine *m, struct eal_arguments *out, char *error, size_t n)
{
	char list[1024];
	size_t used = 0;

	if (m->n_cpus == 0) {
		snprintf(error, n, "the affinity mask of this process holds no core");
		return -EINVAL;
	}
	if (a->cores && a->n_cores != a->workers + 1) {
		snprintf(error, n, "appliance.cores has %u entries; %u workers and the control thread need %u",
			a->n_cores, a->workers, a->workers + 1);
		return -EINVAL;
	}

	for (unsigned lcore = 0; lcore <= a->workers; lcore++) {
		int cpu = cpu_of(a, m, lcore);

		if (!cpu_allowed(m, cpu)) {
			snprintf(error, n, "core %d of appliance.cores is not among the cores this process may use",
				cpu);
			return -EINVAL;
		}
		used += (size_t)snprintf(list + used, sizeof list - used, "%s%u@%d", lcore ? "," : "", lcore, cpu);
	}

	argument_add(out, "--lcores=%s", list);
	argument_add(out, "--main-lcore=0");
	return 0;
}

void
eal_cores_beside(const struct cfg_appliance *a, const struct eal_machine *m, cpu_set_t *out)
{
	CPU_ZERO(out);
	for (uint16_t i = 0; i < m->n_cpus; i++)
		CPU_SET(m->cpus[i], out);
	for (unsigned lcore = 1; lcore <= a->workers && m->n_cpus > 0; lcore++)
		CPU_CLR(cpu_of(a, m, lcore), out);
	if (CPU_COUNT(out) == 0 && m->n_cpus > 0)
		CPU_SET(cpu_of(a, m, 0), out);
}

static uint32_t
memory_wanted_mb(const struct cfg_appliance *a, bool huge)
{
	uint64_t bytes = (uint64_t)packet_buffers(a) * (packet_data_room(a) + BYTES_PER_BUFFER_HEADER);

	if (a->memory_mb)
		return a->memory_mb;
	bytes += (uint64_t)a->flows * BYTES_PER_FLOW + (uint64_t)a->neighbours * BYTES_PER_NEIGHBOUR;
	return (uint32_t)(bytes >> 20) + (huge ? TABLES_MB : TABLES_NO_HUGE_MB);
}

static int
memory_add(const struct cfg_appliance *a, const struct eal_machine *m, struct eal_arguments *out, char *error, size_t n)
{
	uint32_t with_huge_mb = memory_wanted_mb(a, true);

	out->huge = a->hugepages != HUGEPAGES_OFF && m->huge_free_mb >= with_huge_mb;
	if (a->hugepages == HUGEPAGES_ON && !out->huge) {
		snprintf(error, n,
			"appliance.hugepages is on, but %u MB are needed and %llu MB of %llu kB huge pages are free",
			with_huge_mb, (unsigned long long)m->huge_free_mb, (unsigned long long)m->huge_page_kb);
		return -EINVAL;
	}

	out->memory_mb = out->huge ? with_huge_mb : memory_wanted_mb(a, false);
	if (out->huge) {
		argument_add(out, "--in-memory");
		/* Else each page is a file, and virtio_user can share eight of them with its peer. */
		argument_add(out, "--single-file-segments");
	} else {
		argument_add(out, "--no-huge");
		argument_add(out, "--no-shconf");
	}
	argument_add(out, "-m");
	argument_add(out, "%u", out->memory_mb);
	return 0;
}

/* Only the devices of the configuration are probed; without any the PCI bus is left alone. */
static void
devices_add(const struct cfg_appliance *a, struct eal_arguments *out)
{
	bool pci = false;

	for (uint32_t i = 0; i < a->n_ports; i++) {
		if (a->ports[i].driver != DRIVER_PCI || !a->ports[i].address)
			continue;
		argument_add(out, "-a");
		argument_add(out, "%s", a->ports[i].address);
		pci = true;
	}
	if (!pci) {
		argument_add(out, "--no-pci");
		argument_add(out, "--iova-mode=va");
	}
}

/* EAL's levels are syslog's plus one. Quiet unless someone debugs. */
static void
log_level_add(struct eal_arguments *out)
{
	argument_add(out, "--log-level=*:%s", log_most_level() >= LOG_LEVEL_DEBUG ? "info" : "error");
}

int
eal_arguments(const struct cfg_appliance *a, const char *prefix, const struct eal_machine *m, struct eal_arguments *out,
	char *error, size_t n)
{
	int r;

	memset(out, 0, sizeof *out);
	argument_add(out, "isthmusd");

	r = lcores_add(a, m, out, error, n);
	if (r == 0)
		r = memory_add(a, m, out, error, n);
	if (r != 0)
		return r;

	devices_add(a, out);
	if (a->max_simd)
		argument_add(out, "--force-max-simd-bitwidth=%u", a->max_simd);
	argument_add(out, "--file-prefix=%s-%d", prefix, (int)getpid());
	argument_add(out, "--no-telemetry");
	log_level_add(out);

	if (out->n > EAL_ARGUMENTS_MAX) {
		snprintf(error, n, "too many EAL arguments, or no memory for them");
		return -ENOMEM;
	}
	return 0;
}

/* ---- EAL's log -------------------------------------------------------------------- */

static enum log_level
level_of_eal(int level)
{
	if (level <= (int)RTE_LOG_ERR)
		return LOG_LEVEL_ERROR;
	if (level == (int)RTE_LOG_WARNING)
		return LOG_LEVEL_WARNING;
	return LOG_LEVEL_DEBUG;
}

/* EAL flushes after each message: one call is one message, its line break included. */
static ssize_t
log_cookie_write(void *cookie, const char *text, size_t size)
{
	size_t length = size;

	while (length > 0 && isspace((unsigned char)text[length - 1]))
		length--;
	if (length > 0)
		log_line(level_of_eal(rte_log_cur_msg_loglevel()), "dpdk", "%.*s", (int)length, text);
	return (ssize_t)size;
}

static void
log_redirect(void)
{
	log_stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = log_cookie_write});
	if (log_stream)
		rte_openlog_stream(log_stream);
}

/* ---- run-time directories --------------------------------------------------------- */

/* The directory holds plain files only. */
static void
directory_remove(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	if (!d)
		return;
	while ((e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	rmdir(path);
}

/* A process that was killed leaves its directory: "PREFIX-PID" of a process that is no more. */
static void
stale_directories_remove(const char *own, const char *prefix)
{
	char parent[512], path[1024];
	const char *slash = strrchr(own, '/');
	size_t length = strlen(prefix);
	struct dirent *e;
	DIR *d;

	if (!slash || (size_t)(slash - own) >= sizeof parent)
		return;
	snprintf(parent, sizeof parent, "%.*s", (int)(slash - own), own);
	d = opendir(parent);
	if (!d)
		return;

	while ((e = readdir(d))) {
		char *end;
		long pid;

		if (strncmp(e->d_name, prefix, length) != 0 || e->d_name[length] != '-')
			continue;
		pid = strtol(e->d_name + length + 1, &end, 10);
		if (*end != '\0' || pid <= 0 || kill((pid_t)pid, 0) == 0 || errno != ESRCH)
			continue;
		snprintf(path, sizeof path, "%s/%s", parent, e->d_name);
		directory_remove(path);
	}
	closedir(d);
}

/* ---- start and stop --------------------------------------------------------------- */

static int
eal_init(struct eal_arguments *arguments, const char *prefix, char *error, size_t n)
{
	char *argv[EAL_ARGUMENTS_MAX + 1];

	/* rte_eal_init permutes its vector: free ours, not what it left. */
	memcpy(argv, arguments->v, sizeof argv);
	log_redirect();
	if (rte_eal_init(arguments->n, argv) < 0) {
		snprintf(error, n, "EAL does not start: %s", rte_strerror(rte_errno));
		return -(rte_errno ? rte_errno : EIO);
	}

	runtime_dir = strdup(rte_eal_get_runtime_dir());
	if (runtime_dir)
		stale_directories_remove(runtime_dir, prefix);
	return 0;
}

int
eal_start(const struct cfg_appliance *a, const char *prefix, char *error, size_t n)
{
	struct eal_machine machine;
	struct eal_arguments arguments;
	int r;

	eal_machine_read(&machine);
	r = eal_arguments(a, prefix, &machine, &arguments, error, n);
	if (r == 0)
		r = eal_init(&arguments, prefix, error, n);
	if (r == 0)
		eal_cores_beside(a, &machine, &beside_workers);
	if (r == 0)
		log_info("eal", "%u MB of memory %s, control and %u workers on %u cores", arguments.memory_mb,
			arguments.huge ? "in huge pages"
				       : "without huge pages (none or too few are free, or turned off)",
			a->workers, machine.n_cpus < a->workers + 1u ? machine.n_cpus : a->workers + 1u);

	eal_arguments_free(&arguments);
	return r;
}

void
eal_cores_beside_workers(cpu_set_t *out)
{
	*out = beside_workers;
	if (CPU_COUNT(out) == 0)
		sched_getaffinity(0, sizeof(*out), out);
}

int
eal_offline_start(char *error, size_t n)
{
	const struct cfg_appliance none = {.hugepages = HUGEPAGES_OFF, .memory_mb = OFFLINE_MB};

	return eal_start(&none, "isthmus-offline", error, n);
}

void
eal_stop(void)
{
	rte_eal_cleanup();
	if (runtime_dir)
		directory_remove(runtime_dir);
	free(runtime_dir);
	runtime_dir = NULL;

	rte_openlog_stream(NULL);
	if (log_stream)
		fclose(log_stream);
	log_stream = NULL;
}
