/* Any sequence of what charon's plugin may send, workers tell and time brings, through the socket into the IKE store.
 *
 * Input: steps of a byte that says what happens and a few that say to whom; step 0 is a record as it stands, behind two
 * bytes of its length. Whatever comes: each request is answered once at most, what is kept makes a view, lists agree
 * with their counts, and after a flush nothing is left.
 */
#include "tests/unit/ike_case.h"

#include "control/ike_link.h"
#include "control/loop.h"
#include "dataplane/sa.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUESTS_MAX 4096
#define OURS (1ull << 63) /* in serials of requests that are not raw records */
#define SPIS 8

static struct {
	char path[96];
	struct loop loop;
	struct ike_link *link;
	int fd; /* the plugin's end; -1: it is not connected */
	const uint8_t *data;
	size_t left;
	uint64_t serial, now;
	bool answered[REQUESTS_MAX];
	uint32_t spi[SPIS], n_spis; /* that we were given */
} f;

/* ---- both ends ------------------------------------------------------------------------------ */

static void
to_plugin(void *context, enum ike_message_type type, uint16_t result, uint64_t serial, const void *body, size_t size)
{
	(void)context;
	ike_link_send(f.link, type, result, serial, body, size);
}

static void
refuse(void *context, const char *why)
{
	(void)context;
	ike_link_refuse(f.link, why);
}

static void
from_plugin(void *context, const struct ike_header *h, const void *body)
{
	(void)context;
	ike_store_message(ike.store, h, body);
}

static void
plugin_gone(void *context)
{
	(void)context;
	ike_store_gone(ike.store);
}

/* The plugin reads what it was told. */
static void
hear(void)
{
	struct {
		struct ike_header h;
		uint8_t body[512];
	} m;
	ssize_t size;

	while ((size = recv(f.fd, &m, sizeof(m), MSG_DONTWAIT)) > 0) {
		case_must((size_t)size >= sizeof(m.h) && m.h.length == (size_t)size, "a record of another length");
		if (m.h.serial & OURS) {
			uint64_t n = m.h.serial - OURS;

			case_must(n <= f.serial && !f.answered[n], "an answer that nobody waits for");
			f.answered[n] = true;
		}
		if (m.h.type == IKE_SPI_ANSWER && m.h.result == 0)
			memcpy(&f.spi[f.n_spis++ % SPIS], m.body, sizeof(uint32_t));
	}
	if (size == 0) {
		close(f.fd);
		f.fd = -1;
	}
}

static void
serve(void)
{
	struct epoll_event e[4];
	int n;

	while ((n = epoll_wait(f.loop.epoll, e, 4, 0)) > 0) {
		for (int i = 0; i < n; i++) {
			struct loop_source *s = e[i].data.ptr;

			if (s->fd >= 0)
				s->ready(s->context, e[i].events);
		}
		if (f.fd >= 0)
			hear();
	}
	if (f.fd >= 0)
		hear();
}

static void
disconnect(void)
{
	if (f.fd >= 0)
		close(f.fd);
	f.fd = -1;
	serve();
}

static void
connect_again(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	strcpy(a.sun_path, f.path);
	f.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	case_must(f.fd >= 0 && connect(f.fd, (struct sockaddr *)&a, sizeof(a)) == 0, "no connection");
	serve();
}

static void
put(const void *record, size_t size)
{
	if (f.fd < 0)
		connect_again();
	if (f.fd >= 0)
		send(f.fd, record, size, MSG_NOSIGNAL | MSG_DONTWAIT);
	serve();
}

static void
tell(enum ike_message_type type, const void *body, size_t size)
{
	struct {
		struct ike_header h;
		uint8_t body[2048];
	} m = {.h = {.type = (uint16_t)type, .length = (uint32_t)(sizeof(m.h) + size)}};

	case_must(size <= sizeof(m.body), "a long record");
	if (type < IKE_SA_STATE && type != IKE_HELLO && f.serial + 1 < REQUESTS_MAX)
		m.h.serial = OURS + ++f.serial;
	if (size)
		memcpy(m.body, body, size);
	put(&m, m.h.length);
}

/* ---- what the input chooses --------------------------------------------------------------------- */

static uint8_t
next(void)
{
	if (f.left == 0)
		return 0;
	f.left--;
	return *f.data++;
}

static uint32_t
any_if_id(uint8_t c)
{
	const uint32_t of[] = {ike.ids.connection[CASE_SITE], ike.ids.connection[CASE_WIDE], ike.ids.gateway[0], 0};

	return of[c % 4];
}

/* One that we gave, one of a few that a peer may choose, or one that was given by hand. */
static uint32_t
any_spi(uint8_t c)
{
	static const uint32_t theirs[] = {
		0x2001, 0x1001, 0xcafe0000, 0xcafe0001, 0xcafe0002, 0, UINT32_MAX, 0x00100107};

	return c & 8 ? f.spi[c % SPIS] : theirs[c % 8];
}

static struct ike_address
any_address(bool ours, uint8_t c)
{
	static const char *const at[] = {"198.51.100.1", "198.51.100.2", "2001:db8::2", "203.0.113.9"};
	static const char *const here[] = {"192.0.2.1", "192.0.2.1", "2001:db8::1", "192.0.2.9"};

	return case_address(ours ? here[c % 4] : at[c % 4], c & 0x40 ? 4500 : 0);
}

static struct ike_sa_id
any_id(bool inbound, uint8_t who, uint8_t spi)
{
	return (struct ike_sa_id){.spi = any_spi(spi),
		.if_id = any_if_id(who),
		.source = any_address(!inbound, who >> 2),
		.destination = any_address(inbound, who >> 2)};
}

static struct ike_selector
any_selector(uint8_t c)
{
	static const char *const nets[] = {"10.1.0.0/16", "172.16.9.5/32", "0.0.0.0/0", "::/0", "172.16.9.6/32",
		"fd00::/64", "172.16.2.0/24", "10.1.1.128/25"};
	struct ike_selector s = case_selector(nets[c % 8]);

	s.protocol = c & 8 ? 6 : 0;
	if (c & 16)
		s.port_first = s.port_last = c & 32 ? 80 : 0;
	if (c & 64 && s.last[3] > 0)
		s.last[3]--;
	return s;
}

/* ---- steps ---------------------------------------------------------------------------------- */

static void
raw(void)
{
	static _Alignas(8) uint8_t record[UINT16_MAX];
	size_t size = next(), n;

	size |= (size_t)next() << 8;
	n = size < f.left ? size : f.left;
	memcpy(record, f.data, n);
	record[15] &= 0x7f;
	put(record, n);
	f.data += n;
	f.left -= n;
}

static void
sa_add(void)
{
	static uint32_t keys;
	uint8_t flags = next(), who = next(), algorithm = next(), lives = next();
	struct case_add m = {.a = {.id = any_id(flags & IKE_INBOUND, who, next()),
				     .reqid = who,
				     .flags = flags,
				     .encryption = algorithm & 1 ? 12 : 20,
				     .integrity = algorithm & 1 ? 12 : 0,
				     .encryption_key_length = algorithm & 1   ? 16
							      : algorithm & 2 ? 36
									      : 20,
				     .integrity_key_length = algorithm & 1 ? 32 : 0,
				     .replay_window = algorithm,
				     .n_source = 1,
				     .n_destination = 1}};

	m.a.soft_deadline_ns = lives & 1 ? f.now + (lives & 0xf0) * CASE_SECOND : 0;
	m.a.hard_deadline_ns = lives & 2 ? f.now + lives * CASE_SECOND : 0;
	m.a.hard_bytes = lives & 4 ? 1000 : 0;
	m.a.soft_packets = lives & 8 ? 10 : 0;
	keys += algorithm & 4 ? 0 : 1; /* as before: whose numbers would begin again */
	memcpy(m.a.encryption_key, &keys, sizeof(keys));
	snprintf(m.a.peer, sizeof(m.a.peer), "peer %d", who >> 6);
	m.selector[0] = any_selector(next());
	m.selector[1] = any_selector(next());
	tell(IKE_SA_ADD, &m, sizeof(m));
}

static void
sa_update(void)
{
	uint8_t flags = next(), who = next(), to = next();
	struct ike_sa_update u = {.id = any_id(flags & 1, who, next()),
		.new_source = any_address(!(flags & 1), to),
		.new_destination = any_address(flags & 1, to),
		.new_reqid = flags >> 4,
		.encap = flags & 2};

	tell(IKE_SA_UPDATE, &u, sizeof(u));
}

static void
sa_one(enum ike_message_type type)
{
	uint8_t flags = next(), who = next();
	struct ike_sa_id id = any_id(flags & 1, who, next());

	tell(type, &id, sizeof(id));
}

static void
policy(void)
{
	uint8_t flags = next(), who = next();
	struct ike_policy p = {.dir = flags % 3,
		.type = flags & 8 ? (flags >> 4) % 3 : 0,
		.trap = flags & 64,
		.reqid = who >> 6,
		.if_id = any_if_id(who),
		.source = any_selector(next()),
		.destination = any_selector(next())};

	tell(flags & 128 ? IKE_POLICY_DELETE : IKE_POLICY_ADD, &p, sizeof(p));
}

static void
notice(void)
{
	static const char *const names[] = {"site", "wide", "p2s-g", "hand", "", "nobody", "p2s-", "p2s-x"};
	uint8_t kind = next(), who = next(), spi = next();
	struct ike_child_state c = {.up = kind >> 4, .if_id = any_if_id(who), .old_out = any_spi(spi)};
	struct ike_state s = {.up = kind >> 4, .unique = spi, .local = any_address(true, who)};
	struct ike_alert a = {.fault = kind, .remote = any_address(false, who)};

	strcpy(s.ike_name, names[who % 8]);
	strcpy(a.ike_name, names[who % 8]);
	if (kind % 3 == 0)
		tell(IKE_CHILD_STATE, &c, sizeof(c));
	else if (kind % 3 == 1)
		tell(IKE_SA_STATE, &s, sizeof(s));
	else
		tell(IKE_ALERT, &a, sizeof(a));
}

static void
whole(void)
{
	static const enum ike_message_type types[] = {IKE_SYNCED, IKE_SYNCED, IKE_SA_FLUSH, IKE_POLICY_FLUSH};
	uint8_t kind = next();
	struct ike_hello h = case_hello(kind >> 4);

	if (kind & 4)
		tell(IKE_HELLO, &h, sizeof(h));
	else
		tell(types[kind % 4], NULL, 0);
}

/* What a plugin that errs can bring about: more UDP ports, and worse placed SPIs, than a view has room for. */
static bool
no_room(const char *error)
{
	return strstr(error, "UDP ports") || strstr(error, "collide too often");
}

static void
publish(void)
{
	uint64_t seen = next() % 4;
	char error[256] = "no memory";
	struct view *v;

	case_must(ike_store_sas(ike.store, &ike.sas) == 0, "SAs that cannot be listed");
	v = view_with_sas(ike.base, &ike.sas, error, sizeof(error));
	case_must(v != NULL || no_room(error), error);
	view_free(v);
	if (ike_store_change(ike.store) > seen)
		ike_store_seen(ike.store, ike_store_change(ike.store) - seen);
}

static void
workers(void)
{
	uint8_t kind = next(), who = next();
	uint32_t spi = any_spi(next());
	struct ike_sa *sa = ike_sa_by_spi(ike.store, spi, kind & 8, NAME_NONE);
	struct sa_event e = {.kind = kind % 5,
		.spi = spi,
		.outbound = kind & 8,
		.name = sa && !(kind & 16) ? sa->name : NAME_NONE,
		.address = ike_address_ip(&(struct ike_address){.family = kind & 32 ? 6 : 4, .b = {who}}),
		.port = who};

	if (sa) {
		atomic_fetch_or(&sa->sa->state->told, SA_HAPPENED(kind % 4));
		atomic_store(&sa->sa->state->bytes, 100 + who);
	}
	ike_store_sa_event(ike.store, &e);
}

static void
miss(void)
{
	static const char *const names[] = {"connection site", "connection wide", "connection hand", "gateway g"};
	uint8_t who = next(), to = next();
	struct ike_selector from = any_selector(who >> 2), far = any_selector(to);
	struct tunnel_miss m = {.name = names_id(ike.names, names[who % 4]),
		.source = {.family = from.family},
		.destination = {.family = far.family},
		.protocol = 6,
		.destination_port = to & 128 ? 80 : 0};

	memcpy(m.source.b, from.first, sizeof(m.source.b));
	memcpy(m.destination.b, far.last, sizeof(m.destination.b));
	ike_store_miss(ike.store, &m);
}

static void
time_passes(void)
{
	f.now += next() * CASE_SECOND;
	ike_store_tick(ike.store, f.now);
}

static void
step(void)
{
	switch (next() % 16) {
	case 0:
		raw();
		break;
	case 1:
		tell(IKE_SPI_GET, &(struct ike_spi_get){any_address(false, 0), any_address(true, 0)},
			sizeof(struct ike_spi_get));
		break;
	case 2:
	case 3:
		sa_add();
		break;
	case 4:
		sa_update();
		break;
	case 5:
		sa_one(IKE_SA_DELETE);
		break;
	case 6:
		sa_one(IKE_SA_QUERY);
		break;
	case 7:
		policy();
		break;
	case 8:
		notice();
		break;
	case 9:
		whole();
		break;
	case 10:
		publish();
		break;
	case 11:
		time_passes();
		break;
	case 12:
		workers();
		break;
	case 13:
		miss();
		break;
	case 14:
		disconnect();
		break;
	default:
		case_must(ike_store_bind(ike.store, ike.world) == 0, "the same world again");
		break;
	}
}

/* ---- one input ------------------------------------------------------------------------------ */

static void
lists_agree(void)
{
	uint32_t all = 0, hashed = 0;

	for (uint32_t i = 0; i < PEER_BUCKETS; i++) {
		for (const struct ike_peer *p = ike.store->peer[i]; p; p = p->hash_next) {
			uint32_t n = 0, out = 0, drains = 0;

			for (const struct ike_sa *sa = p->sas; sa; sa = sa->next) {
				case_must(sa->peer == p && sa->sa != NULL, "an SA of somebody else");
				n++;
				out += sa->outbound;
				drains += sa->deleted;
			}
			case_must(n == p->n_sas, "a peer that miscounts");
			case_must(p->status.outbound == out && p->status.inbound == n - out - drains,
				"a status that miscounts");
			all += n;
		}
	}
	for (uint32_t i = 0; i < SA_BUCKETS; i++)
		for (const struct ike_sa *sa = ike.store->bucket[i]; sa; sa = sa->hash_next)
			hashed++;
	case_must(all == ike.store->n_sas && hashed == all, "a store that miscounts");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ike_store_tools tools = {.send = to_plugin,
		.refuse = refuse,
		.marks = ike.marks,
		.names = ike.names,
		.appliance = "test-appliance"};

	f.data = data;
	f.left = size;
	f.serial = 0;
	f.n_spis = 0;
	f.now = clock_boot_ns();
	memset(f.answered, 0, sizeof(f.answered));
	memset(f.spi, 0, sizeof(f.spi));
	ike.store = ike_store_create(&tools);
	case_must(ike.store && ike_store_bind(ike.store, ike.world) == 0, "no store");

	while (f.left > 0)
		step();
	lists_agree();
	disconnect();
	tell(IKE_HELLO, &(struct ike_hello){.version = IKE_PROTOCOL_VERSION, .instance = 0x7e57},
		sizeof(struct ike_hello));
	tell(IKE_SYNCED, NULL, 0);
	tell(IKE_SA_FLUSH, NULL, 0);
	lists_agree();
	ike_store_seen(ike.store, ike_store_change(ike.store));
	case_must(ike_store_empty(ike.store) && ike.store->dying == NULL, "SAs that do not go");
	disconnect();
	ike_store_free(ike.store);
	ike.store = NULL;
	return 0;
}

static void
leave(void)
{
	ike_link_stop(f.link);
	case_stop();
	test_eal_stop();
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct ike_link_handlers handlers = {.message = from_plugin, .gone = plugin_gone};
	char error[256];

	if (test_eal_start("fuzz-ike-link") != 0 || case_start("fuzz-ike-link") != 0)
		abort();
	log_open((enum log_level)0);
	f.fd = -1;
	f.loop.epoll = epoll_create1(EPOLL_CLOEXEC);
	snprintf(f.path, sizeof(f.path), "/tmp/isthmus-fuzz-ike-link-%d.socket", (int)getpid());
	case_must(ike_link_start(f.path, &f.loop, &handlers, &f.link, error, sizeof(error)) == 0, "no socket");
	atexit(leave);
	return 0;
}
