/* THE table: what is measured, by name. SCENARIOS="..." selects by parts of names and COMPARE=FILE matches them, so a
 * name stays what it is. Macros only spell out names and rows of one kind.
 */
#include "bench.h"

/* ---- forwarding ----------------------------------------------------------------------------------- */

#define FORWARD(text, d, ...)                                                                                          \
	{                                                                                                              \
		.name = "forward " text, .depth = DEPTH_##d, .size = 64, __VA_ARGS__                                   \
	}
#define ROUTES(n) .world = {.shape = SHAPE_VNET, .routes = (n)}
#define ROUTES_V6(n) .world = {.shape = SHAPE_VNET, .routes = (n), .v6 = true}
#define RANDOM .flows = 1 << 22 /* as good as all destinations */
#define HOT .flows = 64

/* ---- rules ------------------------------------------------------------------------------------------ */

#define NSG(text, d, n, ...)                                                                                           \
	{                                                                                                              \
		.name = "nsg " text, .depth = DEPTH_##d, .size = 64, .world = {.shape = SHAPE_VNET, .rules = (n)},     \
		__VA_ARGS__                                                                                            \
	}
#define NSG_V6(text, d, n, ...)                                                                                        \
	{                                                                                                              \
		.name = "nsg " text, .depth = DEPTH_##d, .size = 64,                                                   \
		.world = {.shape = SHAPE_VNET, .rules = (n), .v6 = true}, __VA_ARGS__                                  \
	}
#define KNOWN(n) .flows = (n)
#define FRESH .fresh = true

/* ---- ESP ---------------------------------------------------------------------------------------------- */

#define ESP(text, d, alg, bytes, ...)                                                                                  \
	{                                                                                                              \
		.name = text, .depth = DEPTH_##d, .size = bytes, .world = {.shape = SHAPE_TUNNEL, .algorithm = alg},   \
		__VA_ARGS__                                                                                            \
	}
#define BOTH(d, alg, text, bytes, size_text)                                                                           \
	ESP("seal " text " " size_text, d, alg, bytes), ESP("open " text " " size_text, d, alg, bytes, .open = true)
#define SIZES(alg, text, quick)                                                                                        \
	BOTH(quick, alg, text, 64, "64 B"), BOTH(DEFAULT, alg, text, 256, "256 B"),                                    \
		BOTH(quick, alg, text, 512, "512 B"), BOTH(quick, alg, text, 1400, "1400 B"),                          \
		BOTH(DEFAULT, alg, text, SIZE_IMIX, "imix")
#define TUNNELS(d, n, bytes, text)                                                                                     \
	{.name = "seal gcm-128 " text,                                                                                 \
		.depth = DEPTH_##d,                                                                                    \
		.size = bytes,                                                                                         \
		.flows = 16 * (n),                                                                                     \
		.world = {.shape = SHAPE_TUNNEL, .tunnels = (n)}},                                                     \
	{                                                                                                              \
		.name = "open gcm-128 " text, .depth = DEPTH_##d, .size = bytes, .flows = 16 * (n), .open = true,      \
		.world = {                                                                                             \
			.shape = SHAPE_TUNNEL,                                                                         \
			.tunnels = (n)                                                                                 \
		}                                                                                                      \
	}
#define V6(d, bytes)                                                                                                   \
	{.name = "seal gcm-128 ipv6 " #bytes " B",                                                                     \
		.depth = DEPTH_##d,                                                                                    \
		.size = bytes,                                                                                         \
		.world = {.shape = SHAPE_TUNNEL, .v6 = true}},                                                         \
	{                                                                                                              \
		.name = "open gcm-128 ipv6 " #bytes " B", .depth = DEPTH_##d, .size = bytes, .open = true, .world = {  \
			.shape = SHAPE_TUNNEL,                                                                         \
			.v6 = true                                                                                     \
		}                                                                                                      \
	}

/* ---- everything at once: 1,000 rules, 64k known flows, 100k routes, sealed ------------------------------ */

#define WHOLE(text, d, bytes, ...)                                                                                     \
	{                                                                                                              \
		.name = "whole path " text, .depth = DEPTH_##d, .size = bytes, .flows = 65536,                         \
		.world = {.shape = SHAPE_TUNNEL, .rules = 1000, .routes = 100000}, __VA_ARGS__                         \
	}
#define WHOLE_V6(text, d, bytes)                                                                                       \
	{                                                                                                              \
		.name = "whole path " text, .depth = DEPTH_##d, .size = bytes, .flows = 65536, .world = {              \
			.shape = SHAPE_TUNNEL,                                                                         \
			.rules = 1000,                                                                                 \
			.routes = 100000,                                                                              \
			.v6 = true                                                                                     \
		}                                                                                                      \
	}

/* ---- two workers --------------------------------------------------------------------------------------- */

#define TWO(text, d, bytes, n_flows, opens, ...)                                                                       \
	{                                                                                                              \
		.name = "two workers " text, .depth = DEPTH_##d, .size = bytes, .flows = (n_flows), .open = (opens),   \
		.world = {                                                                                             \
			.workers = 2,                                                                                  \
			__VA_ARGS__                                                                                    \
		}                                                                                                      \
	}

const struct scenario bench_scenarios[] = {
	FORWARD("same vnet", QUICK, .world = {.shape = SHAPE_VNET}),
	FORWARD("peered vnet", QUICK, .world = {.shape = SHAPE_PEERED}),
	FORWARD("1 route", QUICK, ROUTES(1)),
	FORWARD("10k routes random", DEFAULT, ROUTES(10000), RANDOM),
	FORWARD("10k routes hot", DEFAULT, ROUTES(10000), HOT),
	FORWARD("100k routes random", QUICK, ROUTES(100000), RANDOM),
	FORWARD("100k routes hot", QUICK, ROUTES(100000), HOT),
	FORWARD("1M routes random", DEFAULT, ROUTES(1000000), RANDOM),
	FORWARD("1M routes hot", DEFAULT, ROUTES(1000000), HOT),
	FORWARD("1 route burst 1", QUICK, ROUTES(1), .burst = 1),
	FORWARD("1 route burst 8", DEFAULT, ROUTES(1), .burst = 8),
	FORWARD("1 route burst 256", DEFAULT, ROUTES(1), .burst = 256),
	FORWARD("1 route l3", QUICK, ROUTES(1), .cold = true),
	FORWARD("same vnet ipv6", DEFAULT, .world = {.shape = SHAPE_VNET, .v6 = true}),
	FORWARD("peered vnet ipv6", DEFAULT, .world = {.shape = SHAPE_PEERED, .v6 = true}),
	FORWARD("1 route ipv6", DEFAULT, ROUTES_V6(1)),
	FORWARD("100k routes random ipv6", DEFAULT, ROUTES_V6(100000), RANDOM),
	FORWARD("100k routes hot ipv6", DEFAULT, ROUTES_V6(100000), HOT),

	NSG("100 rules new", DEFAULT, 100, FRESH),
	NSG("1k rules new", QUICK, 1000, FRESH),
	NSG("10k rules new", DEFAULT, 10000, FRESH),
	NSG("100 rules 64k known", DEFAULT, 100, KNOWN(65536)),
	NSG("1k rules 4k known", QUICK, 1000, KNOWN(4096)),
	NSG("1k rules 64k known", QUICK, 1000, KNOWN(65536)),
	NSG("1k rules 256k known", QUICK, 1000, KNOWN(262144)),
	NSG("1k rules 1M known", QUICK, 1000, KNOWN(1 << 20)),
	NSG("1k rules 4M known", DEFAULT, 1000, KNOWN(1 << 22)),
	NSG("10k rules 64k known", DEFAULT, 10000, KNOWN(65536)),
	NSG("1k rules 64k known burst 1", DEFAULT, 1000, KNOWN(65536), .burst = 1),
	NSG("1k rules 64k known burst 8", DEFAULT, 1000, KNOWN(65536), .burst = 8),
	NSG("1k rules 64k known l3", DEFAULT, 1000, KNOWN(65536), .cold = true),
	NSG_V6("1k rules new ipv6", DEFAULT, 1000, FRESH),
	NSG_V6("1k rules 64k known ipv6", DEFAULT, 1000, KNOWN(65536)),

	SIZES(GCM_128, "gcm-128", QUICK),
	SIZES(GCM_256, "gcm-256", DEFAULT),
	SIZES(CBC_SHA256, "cbc-sha256", DEFAULT),
	TUNNELS(QUICK, 1000, 64, "1k tunnels 64 B"),
	TUNNELS(QUICK, 1000, 1400, "1k tunnels 1400 B"),
	TUNNELS(QUICK, 10000, 64, "10k tunnels 64 B"),
	TUNNELS(DEFAULT, 10000, 1400, "10k tunnels 1400 B"),
	ESP("seal gcm-128 64 B burst 1", QUICK, GCM_128, 64, .burst = 1),
	ESP("seal gcm-128 64 B burst 8", DEFAULT, GCM_128, 64, .burst = 8),
	ESP("seal gcm-128 64 B burst 256", DEFAULT, GCM_128, 64, .burst = 256),
	ESP("open gcm-128 64 B burst 1", QUICK, GCM_128, 64, .burst = 1, .open = true),
	ESP("open gcm-128 64 B burst 8", DEFAULT, GCM_128, 64, .burst = 8, .open = true),
	ESP("open gcm-128 64 B burst 256", DEFAULT, GCM_128, 64, .burst = 256, .open = true),
	ESP("seal gcm-128 1400 B burst 256", DEFAULT, GCM_128, 1400, .burst = 256),
	ESP("seal gcm-128 64 B l3", QUICK, GCM_128, 64, .cold = true),
	ESP("seal gcm-128 1400 B l3", QUICK, GCM_128, 1400, .cold = true),
	ESP("open gcm-128 64 B l3", DEFAULT, GCM_128, 64, .cold = true, .open = true),
	ESP("open gcm-128 1400 B l3", DEFAULT, GCM_128, 1400, .cold = true, .open = true),
	V6(DEFAULT, 64),
	V6(DEFAULT, 512),
	V6(DEFAULT, 1400),

	WHOLE("64 B", QUICK, 64),
	WHOLE("512 B", QUICK, 512),
	WHOLE("1400 B", QUICK, 1400),
	WHOLE("imix", DEFAULT, SIZE_IMIX),
	WHOLE("64 B burst 1", DEFAULT, 64, .burst = 1),
	WHOLE("64 B burst 8", DEFAULT, 64, .burst = 8),
	WHOLE("64 B burst 256", DEFAULT, 64, .burst = 256),
	WHOLE("64 B l3", QUICK, 64, .cold = true),
	WHOLE("1400 B l3", QUICK, 1400, .cold = true),
	WHOLE_V6("64 B ipv6", DEFAULT, 64),
	WHOLE_V6("1400 B ipv6", DEFAULT, 1400),

	TWO("forward 64 B", DEFAULT, 64, 65536, false, .shape = SHAPE_VNET),
	TWO("nsg 1k rules 64k known", DEFAULT, 64, 65536, false, .shape = SHAPE_VNET, .rules = 1000),
	TWO("seal, a tunnel each, 64 B", DEFAULT, 64, 2, false, .shape = SHAPE_TUNNEL, .tunnels = 2),
	TWO("open, a tunnel each, 64 B", DEFAULT, 64, 2, true, .shape = SHAPE_TUNNEL, .tunnels = 2),
	TWO("seal, one SA, 64 B", QUICK, 64, 2, false, .shape = SHAPE_TUNNEL),
	TWO("open, one SA, 64 B", QUICK, 64, 2, true, .shape = SHAPE_TUNNEL),
	TWO("seal, one SA, 1400 B", DEFAULT, 1400, 2, false, .shape = SHAPE_TUNNEL),
	TWO("open, one SA, 1400 B", DEFAULT, 1400, 2, true, .shape = SHAPE_TUNNEL),
	TWO("whole path 64 B", DEFAULT, 64, 65536, false, .shape = SHAPE_TUNNEL, .rules = 1000, .routes = 100000),
	TWO("whole path 1400 B", DEFAULT, 1400, 65536, false, .shape = SHAPE_TUNNEL, .rules = 1000, .routes = 100000),
};

const uint32_t bench_scenarios_n = sizeof(bench_scenarios) / sizeof(bench_scenarios[0]);
