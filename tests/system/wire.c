/* A cable with faults: two interfaces of one namespace tied together, the kernel's netem for kernels without it.
 *
 *	wire SEED LEFT RIGHT
 *
 * What comes in at LEFT goes out at RIGHT ("right" is that direction) and the other way ("left"). LEFT and RIGHT are
 * ends of veths or TAPs that nothing else uses. Checksums that their peers left to the hardware are finished here,
 * segmentation is not; the kernel takes VLAN tags off. Commands are lines on stdin, each answered by one line:
 *
 *	set WAY CLASS KEY=VALUE...	WAY: left, right, both; CLASS: ike, esp, other, all; keys below
 *	clear				no faults, no cuts
 *	cut WAY, join WAY		nothing passes, not even what is on its way
 *	counters			JSON: {"left": {"missed": ..., "ike": {...}, ...}, "right": ...}
 *
 * Keys: loss, duplicate, reorder, corrupt (percent); delay, jitter, hold (of a reordered frame), queue (the longest
 * wait for the rate) in ms; rate in kbit/s; drop (the next so many are lost).
 *
 * Ends with its stdin. Single-threaded; prints "ready" when the first frame would pass.
 */
#include "wire_line.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BURST 64
#define BUFFER_BYTES (32 << 20)
#define LINE_MAX_BYTES 1024

enum way { LEFTWARD, RIGHTWARD, WAYS };

static const char *const way_names[WAYS] = {"left", "right"};
static struct line lines[WAYS];
static int sources[WAYS]; /* where the frames of each direction come from */
static uint8_t frames[BURST][FRAME_MAX];

static uint64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* A raw socket on an interface; protocol 0: it hears nothing. Exits when it can't. */
static int
interface_open(const char *name, uint16_t protocol)
{
	struct sockaddr_ll here = {.sll_family = AF_PACKET, .sll_protocol = htons(protocol)};
	struct packet_mreq all = {.mr_type = PACKET_MR_PROMISC};
	int one = 1, size = BUFFER_BYTES, fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);

	here.sll_ifindex = all.mr_ifindex = (int)if_nametoindex(name);
	if (fd < 0 || here.sll_ifindex == 0 ||
		setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one) != 0 ||
		setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) != 0 ||
		setsockopt(fd, SOL_PACKET, protocol ? PACKET_VNET_HDR : PACKET_QDISC_BYPASS, &one, sizeof one) != 0 ||
		bind(fd, (struct sockaddr *)&here, sizeof here) != 0) {
		fprintf(stderr, "%s: %s\n", name, strerror(errno));
		exit(2);
	}
	/* Room for what comes while the machine lets us wait. */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
	return fd;
}

/* Finish the checksum that the sender left to its hardware (a guest kernel does). It lies in the frame as the sum
 * over the pseudo header. */
static void
checksum_finish(const struct virtio_net_hdr *h, uint8_t *frame, uint32_t length)
{
	uint32_t sum = 0, at = h->csum_start + h->csum_offset;

	if (!(h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || at + 2 > length)
		return;
	for (uint32_t i = h->csum_start; i < length; i++)
		sum += (i - h->csum_start) % 2 ? frame[i] : (uint32_t)frame[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	sum = sum == 0xffff ? sum : ~sum; /* 0 would say that there is none */
	frame[at] = (uint8_t)(sum >> 8);
	frame[at + 1] = (uint8_t)sum;
}

static void
pass(int from, struct line *l)
{
	struct virtio_net_hdr headers[BURST];
	struct mmsghdr messages[BURST];
	struct iovec pieces[BURST][2];
	uint64_t now;
	int got;

	memset(messages, 0, sizeof messages);
	for (int i = 0; i < BURST; i++) {
		pieces[i][0] = (struct iovec){&headers[i], sizeof headers[i]};
		pieces[i][1] = (struct iovec){frames[i], FRAME_MAX};
		messages[i].msg_hdr.msg_iov = pieces[i];
		messages[i].msg_hdr.msg_iovlen = 2;
	}
	got = recvmmsg(from, messages, BURST, 0, NULL);
	now = now_us();
	for (int i = 0; i < got; i++) {
		uint32_t length = messages[i].msg_len - (uint32_t)sizeof headers[i];

		checksum_finish(&headers[i], frames[i], length);
		line_take(l, frames[i], length, now);
	}
}

/* ---- commands --------------------------------------------------------------------- */

static bool
is_way(const char *word, enum way way)
{
	return word && (strcmp(word, way_names[way]) == 0 || strcmp(word, "both") == 0);
}

static bool
is_class(const char *word, enum frame_class class)
{
	return word && (strcmp(word, frame_class_name(class)) == 0 || strcmp(word, "all") == 0);
}

/* Each pair into every direction and class that the words name; false when one is refused or none is named. */
static bool
command_set(const char *way, const char *class, char **rest)
{
	bool named = false;
	char *pair;

	while ((pair = strtok_r(NULL, " ", rest)))
		for (enum way w = 0; w < WAYS; w++)
			for (enum frame_class c = 0; c < CLASSES; c++) {
				if (!is_way(way, w) || !is_class(class, c))
					continue;
				named = true;
				if (!faults_set(&lines[w].classes[c].faults, pair))
					return false;
			}
	return named;
}

static bool
command_cut(const char *way, bool cut)
{
	bool named = false;

	for (enum way w = 0; w < WAYS; w++)
		if (is_way(way, w)) {
			line_cut(&lines[w], cut);
			named = true;
		}
	return named;
}

static bool
command_clear(void)
{
	for (enum way w = 0; w < WAYS; w++) {
		line_cut(&lines[w], false);
		for (enum frame_class c = 0; c < CLASSES; c++)
			faults_clear(&lines[w].classes[c].faults);
	}
	return true;
}

/* What the kernel lost before it reached us; the kernel forgets it when asked. */
static void
missed_count(struct line *l, int from)
{
	struct tpacket_stats s = {0};
	socklen_t size = sizeof s;

	if (getsockopt(from, SOL_PACKET, PACKET_STATISTICS, &s, &size) == 0)
		l->missed += s.tp_drops;
}

static void
counters_print(void)
{
	for (enum way w = 0; w < WAYS; w++) {
		missed_count(&lines[w], sources[w]);
		printf("%s\"%s\": ", w ? ", " : "{", way_names[w]);
		line_print(&lines[w], stdout);
	}
	printf("}\n");
}

static void
command_run(char *text)
{
	char *rest, *verb = strtok_r(text, " ", &rest), *way;
	bool done = false;

	if (verb && strcmp(verb, "counters") == 0) {
		counters_print();
		return;
	}
	if (verb && strcmp(verb, "clear") == 0) {
		done = command_clear();
	} else if (verb && (way = strtok_r(NULL, " ", &rest))) {
		if (strcmp(verb, "set") == 0)
			done = command_set(way, strtok_r(NULL, " ", &rest), &rest);
		else if (strcmp(verb, "cut") == 0 || strcmp(verb, "join") == 0)
			done = command_cut(way, verb[0] == 'c');
	}
	printf("%s\n", done ? "ok" : "error");
}

/* Run the whole lines that came; false at the end of stdin. */
static bool
commands_read(void)
{
	static char text[LINE_MAX_BYTES];
	static size_t length;
	ssize_t got = read(STDIN_FILENO, text + length, sizeof text - length);
	char *end;

	if (got <= 0)
		return got < 0 && errno == EINTR;
	length += (size_t)got;
	while ((end = memchr(text, '\n', length))) {
		*end = '\0';
		command_run(text);
		length -= (size_t)(end + 1 - text);
		memmove(text, end + 1, length);
	}
	return length < sizeof text;
}

/* ---- the loop --------------------------------------------------------------------- */

/* Until something comes or a frame is due. */
static void
wait_for(struct pollfd *ends, uint64_t due_us)
{
	uint64_t now = now_us(), left = due_us > now ? due_us - now : 0;
	struct timespec t = {(time_t)(left / 1000000), (long)(left % 1000000 * 1000)};

	ppoll(ends, WAYS + 1, due_us == UINT64_MAX ? NULL : &t, NULL);
}

int
main(int argc, char **argv)
{
	struct pollfd ends[WAYS + 1];

	if (argc != 4)
		return 64;
	for (enum way w = 0; w < WAYS; w++) {
		const char *from = argv[w == RIGHTWARD ? 2 : 3], *to = argv[w == RIGHTWARD ? 3 : 2];

		sources[w] = interface_open(from, ETH_P_ALL);
		ends[w] = (struct pollfd){.fd = sources[w], .events = POLLIN};
		if (line_init(&lines[w], interface_open(to, 0), strtoull(argv[1], NULL, 10) * WAYS + w) != 0)
			return 2;
	}
	ends[WAYS] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ready\n");

	for (;;) {
		uint64_t due = UINT64_MAX;

		for (enum way w = 0; w < WAYS; w++) {
			uint64_t next = line_flush(&lines[w], now_us());

			due = next < due ? next : due;
		}
		wait_for(ends, due);
		for (enum way w = 0; w < WAYS; w++)
			if (ends[w].revents)
				pass(sources[w], &lines[w]);
		if (ends[WAYS].revents && !commands_read())
			break;
	}
	for (enum way w = 0; w < WAYS; w++)
		line_free(&lines[w]);
	return 0;
}
