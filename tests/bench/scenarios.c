/* THE table: what is measured, by name. SCENARIOS="..." selects by parts of names and COMPARE=FILE matches them, so a
 * name stays what it is. Macros only spell out names and rows of one kind.
 */
#include "bench.h"

#define ROW(text, d, bytes, ...)                                                                                       \
	{                                                                                                              \
		.name = text, .depth = DEPTH_##d, .size = bytes, __VA_ARGS__                                           \
	}
#define V6 .world.v6 = true

/* ---- forwarding ----------------------------------------------------------------------------------- */

#define FORWARD(text, d, ...) ROW("forward " text, d, 64, __VA_ARGS__)
#define ROUTES(n) .world.routes = (n)
#define RANDOM .flows = 1 << 22 /* as good as all destinations */
#define HOT .flows = 64

/* ---- rules ------------------------------------------------------------------------------------------ */

#define NSG(text, d, n, ...) ROW("nsg " text, d, 64, .world.rules = (n), __VA_ARGS__)
#define KNOWN(n) .flows = (n)
#define FRESH .fresh = true
/* suffix: of the name; up to 64k flows, with 1M, with 4M: from which depth on. */
#define RULES(text, suffix, n, few, many, most, ...)                                                                   \
	NSG(text " rules new" suffix, few, n, FRESH, __VA_ARGS__),                                                     \
		NSG(text " rules 64k known" suffix, few, n, KNOWN(1 << 16), __VA_ARGS__),                              \
		NSG(text " rules 1M known" suffix, many, n, KNOWN(1 << 20), __VA_ARGS__),                              \
		NSG(text " rules 4M known" suffix, most, n, KNOWN(1 << 22), __VA_ARGS__)

/* ---- ESP ---------------------------------------------------------------------------------------------- */

#define ESP(text, d, bytes, ...) ROW(text, d, bytes, .world.shape = SHAPE_TUNNEL, __VA_ARGS__)
#define BOTH(text, d, bytes, ...)                                                                                      \
	ESP("seal " text, d, bytes, __VA_ARGS__), ESP("open " text, d, bytes, .open = true, __VA_ARGS__)
/* 64 and 1400 bytes, 512, the others: from which depth on. */
#define SIZES(text, ends, half, others, ...)                                                                           \
	BOTH(text " 64 B", ends, 64, __VA_ARGS__), BOTH(text " 256 B", others, 256, __VA_ARGS__),                      \
		BOTH(text " 512 B", half, 512, __VA_ARGS__), BOTH(text " 1400 B", ends, 1400, __VA_ARGS__),            \
		BOTH(text " imix", others, SIZE_IMIX, __VA_ARGS__)
#define TUNNELS(n) .world.tunnels = (n), .flows = 16 * (n)
#define GCM256 .world.algorithm = GCM_256
#define CBC .world.algorithm = CBC_SHA256
/* SAs side by side in one connection, flows hashed over them. */
#define SIDE_BY_SIDE(n) .world.resources = (n), .flows = 4096

/* ---- everything at once: 1,000 rules, 64k known flows, 100k routes, sealed ------------------------------ */

#define ALL .flows = 65536, .world.rules = 1000, .world.routes = 100000
#define WHOLE(text, d, bytes, ...) ESP("whole path " text, d, bytes, ALL, __VA_ARGS__)

/* ---- how packets come ------------------------------------------------------------------------------------ */

#define BURST(n) .burst = (n)
#define L3 .cold = true

/* ---- two workers --------------------------------------------------------------------------------------- */

#define TWO(text, d, bytes, ...) ROW("two workers " text, d, bytes, .world.workers = 2, __VA_ARGS__)
#define TWO_BOTH(text, d, bytes, ...)                                                                                  \
	TWO("seal, " text, d, bytes, .world.shape = SHAPE_TUNNEL, __VA_ARGS__),                                        \
		TWO("open, " text, d, bytes, .world.shape = SHAPE_TUNNEL, .open = true, __VA_ARGS__)
#define EACH .world.tunnels = 2, .flows = 2
#define ONE_SA .flows = 2

const struct scenario bench_scenarios[] = {
	FORWARD("same vnet", QUICK),
	FORWARD("peered vnet", QUICK, .world.shape = SHAPE_PEERED),
	FORWARD("1 route", QUICK, ROUTES(1)),
	FORWARD("10k routes random", DEFAULT, ROUTES(10000), RANDOM),
	FORWARD("10k routes hot", DEFAULT, ROUTES(10000), HOT),
	FORWARD("100k routes random", QUICK, ROUTES(100000), RANDOM),
	FORWARD("100k routes hot", QUICK, ROUTES(100000), HOT),
	FORWARD("1M routes random", DEFAULT, ROUTES(1000000), RANDOM),
	FORWARD("1M routes hot", DEFAULT, ROUTES(1000000), HOT),
	FORWARD("1 route burst 1", QUICK, ROUTES(1), BURST(1)),
	FORWARD("1 route burst 8", DEFAULT, ROUTES(1), BURST(8)),
	FORWARD("1 route burst 256", DEFAULT, ROUTES(1), BURST(256)),
	FORWARD("1 route l3", QUICK, ROUTES(1), L3),
	FORWARD("100k routes random l3", DEFAULT, ROUTES(100000), RANDOM, L3),
	FORWARD("same vnet ipv6", DEFAULT, V6),
	FORWARD("peered vnet ipv6", DEFAULT, .world.shape = SHAPE_PEERED, V6),
	FORWARD("1 route ipv6", DEFAULT, ROUTES(1), V6),
	FORWARD("10k routes random ipv6", FULL, ROUTES(10000), RANDOM, V6),
	FORWARD("10k routes hot ipv6", FULL, ROUTES(10000), HOT, V6),
	FORWARD("100k routes random ipv6", DEFAULT, ROUTES(100000), RANDOM, V6),
	FORWARD("100k routes hot ipv6", DEFAULT, ROUTES(100000), HOT, V6),
	FORWARD("1M routes random ipv6", FULL, ROUTES(1000000), RANDOM, V6, .memory_mb = 3500),
	FORWARD("1M routes hot ipv6", FULL, ROUTES(1000000), HOT, V6, .memory_mb = 3500),
	FORWARD("1 route ipv6 burst 1", FULL, ROUTES(1), BURST(1), V6),
	FORWARD("1 route ipv6 burst 8", FULL, ROUTES(1), BURST(8), V6),
	FORWARD("1 route ipv6 burst 256", FULL, ROUTES(1), BURST(256), V6),
	FORWARD("1 route ipv6 l3", FULL, ROUTES(1), L3, V6),

	RULES("100", "", 100, DEFAULT, DEFAULT, FULL),
	NSG("1k rules 4k known", QUICK, 1000, KNOWN(4096)),
	RULES("1k", "", 1000, QUICK, QUICK, DEFAULT),
	NSG("1k rules 256k known", QUICK, 1000, KNOWN(262144)),
	RULES("10k", "", 10000, DEFAULT, DEFAULT, FULL),
	NSG("1k rules 64k known burst 1", DEFAULT, 1000, KNOWN(65536), BURST(1)),
	NSG("1k rules 64k known burst 8", DEFAULT, 1000, KNOWN(65536), BURST(8)),
	NSG("1k rules 64k known burst 256", DEFAULT, 1000, KNOWN(65536), BURST(256)),
	NSG("1k rules 64k known l3", DEFAULT, 1000, KNOWN(65536), L3),
	RULES("100", " ipv6", 100, FULL, FULL, FULL, V6),
	RULES("1k", " ipv6", 1000, DEFAULT, FULL, FULL, V6),
	RULES("10k", " ipv6", 10000, FULL, FULL, FULL, V6),

	SIZES("gcm-128", QUICK, QUICK, DEFAULT),
	SIZES("gcm-256", DEFAULT, DEFAULT, DEFAULT, GCM256),
	SIZES("cbc-sha256", DEFAULT, DEFAULT, DEFAULT, CBC),
	SIZES("gcm-128 1k tunnels", QUICK, DEFAULT, DEFAULT, TUNNELS(1000)),
	SIZES("gcm-128 10k tunnels", QUICK, DEFAULT, DEFAULT, TUNNELS(10000)),
	SIZES("gcm-256 1k tunnels", DEFAULT, FULL, FULL, GCM256, TUNNELS(1000)),
	SIZES("gcm-256 10k tunnels", DEFAULT, FULL, FULL, GCM256, TUNNELS(10000)),
	SIZES("cbc-sha256 1k tunnels", DEFAULT, FULL, FULL, CBC, TUNNELS(1000)),
	SIZES("cbc-sha256 10k tunnels", DEFAULT, FULL, FULL, CBC, TUNNELS(10000)),
	BOTH("gcm-128 4 SAs 64 B", QUICK, 64, SIDE_BY_SIDE(4)),
	BOTH("gcm-128 4 SAs 1400 B", DEFAULT, 1400, SIDE_BY_SIDE(4)),
	BOTH("gcm-128 64 SAs 64 B", DEFAULT, 64, SIDE_BY_SIDE(64)),
	BOTH("gcm-128 64 B burst 1", QUICK, 64, BURST(1)),
	BOTH("gcm-128 64 B burst 8", DEFAULT, 64, BURST(8)),
	BOTH("gcm-128 64 B burst 256", DEFAULT, 64, BURST(256)),
	BOTH("gcm-128 1400 B burst 1", DEFAULT, 1400, BURST(1)),
	BOTH("gcm-128 1400 B burst 8", DEFAULT, 1400, BURST(8)),
	BOTH("gcm-128 1400 B burst 256", DEFAULT, 1400, BURST(256)),
	BOTH("cbc-sha256 64 B burst 1", FULL, 64, CBC, BURST(1)),
	BOTH("cbc-sha256 64 B burst 8", FULL, 64, CBC, BURST(8)),
	BOTH("cbc-sha256 64 B burst 256", FULL, 64, CBC, BURST(256)),
	BOTH("gcm-128 64 B l3", QUICK, 64, L3),
	BOTH("gcm-128 512 B l3", FULL, 512, L3),
	BOTH("gcm-128 1400 B l3", QUICK, 1400, L3),
	BOTH("gcm-256 1400 B l3", FULL, 1400, GCM256, L3),
	BOTH("cbc-sha256 1400 B l3", FULL, 1400, CBC, L3),
	SIZES("gcm-128 ipv6", DEFAULT, DEFAULT, DEFAULT, V6),
	SIZES("gcm-256 ipv6", FULL, FULL, FULL, GCM256, V6),
	SIZES("cbc-sha256 ipv6", FULL, FULL, FULL, CBC, V6),
	SIZES("gcm-128 1k tunnels ipv6", FULL, FULL, FULL, TUNNELS(1000), V6),
	SIZES("gcm-128 10k tunnels ipv6", FULL, FULL, FULL, TUNNELS(10000), V6),
	SIZES("gcm-256 1k tunnels ipv6", FULL, FULL, FULL, GCM256, TUNNELS(1000), V6),
	SIZES("gcm-256 10k tunnels ipv6", FULL, FULL, FULL, GCM256, TUNNELS(10000), V6),
	SIZES("cbc-sha256 1k tunnels ipv6", FULL, FULL, FULL, CBC, TUNNELS(1000), V6),
	SIZES("cbc-sha256 10k tunnels ipv6", FULL, FULL, FULL, CBC, TUNNELS(10000), V6),

	WHOLE("64 B", QUICK, 64),
	WHOLE("256 B", DEFAULT, 256),
	WHOLE("512 B", QUICK, 512),
	WHOLE("1400 B", QUICK, 1400),
	WHOLE("imix", DEFAULT, SIZE_IMIX),
	WHOLE("64 B burst 1", DEFAULT, 64, BURST(1)),
	WHOLE("64 B burst 8", DEFAULT, 64, BURST(8)),
	WHOLE("64 B burst 256", DEFAULT, 64, BURST(256)),
	WHOLE("64 B l3", QUICK, 64, L3),
	WHOLE("1400 B l3", QUICK, 1400, L3),
	WHOLE("64 B ipv6", DEFAULT, 64, V6),
	WHOLE("512 B ipv6", FULL, 512, V6),
	WHOLE("1400 B ipv6", DEFAULT, 1400, V6),
	WHOLE("imix ipv6", FULL, SIZE_IMIX, V6),
	WHOLE("64 B ipv6 burst 1", FULL, 64, BURST(1), V6),
	WHOLE("64 B ipv6 burst 256", FULL, 64, BURST(256), V6),
	WHOLE("64 B ipv6 l3", FULL, 64, L3, V6),
	WHOLE("1400 B ipv6 l3", FULL, 1400, L3, V6),

	TWO("forward 64 B", DEFAULT, 64, KNOWN(65536)),
	TWO("forward 100k routes random 64 B", DEFAULT, 64, ROUTES(100000), RANDOM),
	TWO("forward 64 B ipv6", FULL, 64, KNOWN(65536), V6),
	TWO("nsg 1k rules new", DEFAULT, 64, .world.rules = 1000, FRESH),
	TWO("nsg 1k rules 64k known", DEFAULT, 64, .world.rules = 1000, KNOWN(65536)),
	TWO("nsg 1k rules 64k known ipv6", FULL, 64, .world.rules = 1000, KNOWN(65536), V6),
	TWO_BOTH("a tunnel each, 64 B", DEFAULT, 64, EACH),
	TWO_BOTH("a tunnel each, 1400 B", FULL, 1400, EACH),
	TWO_BOTH("one SA, 64 B", QUICK, 64, ONE_SA),
	TWO_BOTH("one SA, 512 B", FULL, 512, ONE_SA),
	TWO_BOTH("one SA, 1400 B", DEFAULT, 1400, ONE_SA),
	TWO_BOTH("one SA, imix", FULL, SIZE_IMIX, ONE_SA),
	TWO_BOTH("one SA, ipv6 64 B", FULL, 64, ONE_SA, V6),
	TWO_BOTH("one SA, gcm-256 64 B", FULL, 64, ONE_SA, GCM256),
	TWO_BOTH("one SA, gcm-256 1400 B", FULL, 1400, ONE_SA, GCM256),
	TWO_BOTH("one SA, cbc-sha256 64 B", FULL, 64, ONE_SA, CBC),
	TWO_BOTH("one SA, cbc-sha256 1400 B", FULL, 1400, ONE_SA, CBC),
	TWO_BOTH("4 SAs, 64 B", QUICK, 64, SIDE_BY_SIDE(4)),
	TWO_BOTH("4 SAs, 1400 B", DEFAULT, 1400, SIDE_BY_SIDE(4)),
	TWO_BOTH("64 SAs, 64 B", FULL, 64, SIDE_BY_SIDE(64)),
	TWO_BOTH("1k tunnels, 64 B", DEFAULT, 64, TUNNELS(1000)),
	TWO_BOTH("1k tunnels, 1400 B", FULL, 1400, TUNNELS(1000)),
	TWO("whole path 64 B", DEFAULT, 64, .world.shape = SHAPE_TUNNEL, ALL),
	TWO("whole path 1400 B", DEFAULT, 1400, .world.shape = SHAPE_TUNNEL, ALL),
	TWO("whole path imix", FULL, SIZE_IMIX, .world.shape = SHAPE_TUNNEL, ALL),
	TWO("whole path ipv6 64 B", FULL, 64, .world.shape = SHAPE_TUNNEL, ALL, V6),
};

const uint32_t bench_scenarios_n = sizeof(bench_scenarios) / sizeof(bench_scenarios[0]);
