-- The no-drop rate of RFC 2544 (section 26.1) with Pktgen-DPDK: bisection over the rate of one port, one frame size
-- after the other, from the sending port to the receiving one. nic.lua and memif.lua say what is sent where.
--
-- Written against the Lua functions of Pktgen-DPDK 23.03.1 and 26.02.4, whose sources were read; run against a stand-in
-- (test_lua.lua), not against those. Frame sizes count the CRC, rates are percent of the link.

local rfc2544 = {}

local SHORTFALL = 0.98 -- of the rate ordered; below, the generator is the limit
local TRIALS_MAX = 24
local SETTLE_MS = 3000 -- the last frames arrive, and Pktgen reads its counters once a second

local defaults = {
	send = "0",
	receive = "1",
	frames = {64, 128, 256, 512, 1024, 1280, 1518},
	seconds = 60, -- of one trial
	loss = 0, -- share of the frames that may be lost
	resolution = 0.5, -- percent of the link
	ceiling = 100, -- percent of the link: the search begins here
	flows = 1024, -- UDP source ports
	destinations = 1, -- addresses from `destination` on
	json = "rfc2544.json",
}

-- ---- the search, which knows no Pktgen ----------------------------------------------

-- trial(rate) returns {offered, lost, rate, sound}: frames, frames, the percent really offered, and whether the
-- generator itself missed nothing. Returns {rate, stop, trials, best}.
function rfc2544.search(s, trial)
	local low, high, rate = 0, s.ceiling, s.ceiling
	local found = {rate = 0, stop = "found", trials = 0}

	while found.trials < TRIALS_MAX do
		local t = trial(rate)
		local passes = t.sound and t.offered > 0 and t.lost <= s.loss * t.offered

		found.trials = found.trials + 1
		if passes then
			low = rate
			if t.rate > found.rate then
				found.rate, found.best = t.rate, t
			end
			if t.rate < rate * SHORTFALL then
				found.stop = "generator"
				break
			end
			if rate >= s.ceiling then
				found.stop = "ceiling"
				break
			end
		else
			-- A generator that fell short failed at what it offered, not at what was ordered.
			high = (t.rate < rate and t.rate > low) and t.rate or rate
		end
		if high - low <= s.resolution then
			break
		end
		rate = (low + high) / 2
	end
	if found.rate == 0 then
		found.stop = "none"
	end
	return found
end

-- ---- Pktgen -------------------------------------------------------------------------

-- In 23.03.1 a second argument chooses the kind and the counters are the table itself; in 26.02.4 they are in `curr`.
local function counters(port)
	local ok, stats = pcall(pktgen.portStats, port)

	if not ok then
		stats = pktgen.portStats(port, "port")
	end
	stats = stats[tonumber(port)]
	return stats.curr or stats
end

local function link_mbps(port)
	local text = pktgen.linkState(port)[tonumber(port)]
	local mbps = tonumber(string.match(text, "UP%-(%d+)"))

	assert(mbps and mbps > 0, "port " .. port .. ": no link or no speed: " .. text)
	return mbps
end

local function link_pps(s, size)
	return s.mbps * 1e6 / ((size + 20) * 8)
end

local function address_after(address, n)
	local a, b, c, d = string.match(address, "^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
	local number = ((a * 256 + b) * 256 + c) * 256 + d + n

	return string.format("%d.%d.%d.%d", number // 16777216 % 256, number // 65536 % 256, number // 256 % 256,
		number % 256)
end

local function range(set, port, first, step, last)
	set(port, "start", first)
	set(port, "min", first)
	set(port, "max", last)
	set(port, "inc", step)
end

local function flows_set(s)
	pktgen.reset("all")
	pktgen.set(s.send, "count", 0)
	pktgen.set_type(s.send, "ipv4")
	pktgen.range.ip_proto(s.send, "udp")
	range(pktgen.range.dst_mac, s.send, s.appliance_mac, "00:00:00:00:00:00", s.appliance_mac)
	range(pktgen.range.src_mac, s.send, s.source_mac, "00:00:00:00:00:00", s.source_mac)
	range(pktgen.range.src_ip, s.send, s.source, "0.0.0.0", s.source)
	range(pktgen.range.dst_ip, s.send, s.destination, s.destinations > 1 and "0.0.0.1" or "0.0.0.0",
		address_after(s.destination, s.destinations - 1))
	range(pktgen.range.src_port, s.send, 1024, 1, 1023 + s.flows)
	range(pktgen.range.dst_port, s.send, 9, 0, 9)
	range(pktgen.range.ttl, s.send, 64, 0, 64)
	pktgen.set_range(s.send, "on")
end

local function size_set(s, size)
	pktgen.set(s.send, "size", size)
	range(pktgen.range.pkt_size, s.send, size, 0, size)
end

local function trial(s, size, rate)
	pktgen.set(s.send, "rate", rate)
	pktgen.clr()
	pktgen.start(s.send)
	pktgen.delay(math.floor(s.seconds * 1000))
	pktgen.stop(s.send)
	pktgen.delay(SETTLE_MS)

	local sent, came = counters(s.send), counters(s.receive)
	local t = {
		offered = sent.opackets,
		lost = math.max(sent.opackets - came.ipackets, 0),
		rate = sent.opackets / s.seconds / link_pps(s, size) * 100,
		sound = came.imissed == 0 and came.rx_nombuf == 0,
	}

	print(string.format("  %4d bytes at %6.2f %%: offered %d, lost %d%s", size, rate, t.offered, t.lost,
		t.sound and "" or ", the generator's own port missed some"))
	return t
end

-- ---- what is told -------------------------------------------------------------------

local function row(s, size, found)
	local pps = found.rate / 100 * link_pps(s, size)

	return {frame = size, percent = found.rate, pps = pps, mbps = pps * size * 8 / 1e6, trials = found.trials,
		stop = found.stop, lost = found.best and found.best.lost or 0}
end

local function table_print(rows)
	print(string.format("%5s %12s %9s %7s %7s  %s", "frame", "no-drop pps", "Mbit/s", "% link", "trials", "ended by"))
	for _, r in ipairs(rows) do
		print(string.format("%5d %12.0f %9.0f %7.2f %7d  %s", r.frame, r.pps, r.mbps, r.percent, r.trials, r.stop))
	end
end

local function json_write(s, rows)
	local file = assert(io.open(s.json, "w"))
	local text = {}

	for i, r in ipairs(rows) do
		text[i] = string.format('  {"frame": %d, "noDropPps": %.0f, "noDropMbps": %.1f, "percentOfLink": %.3f, ' ..
			'"trials": %d, "end": "%s", "lost": %d}', r.frame, r.pps, r.mbps, r.percent, r.trials, r.stop, r.lost)
	end
	file:write(string.format('{"linkMbps": %d, "seconds": %g, "loss": %g, "sizes": [\n%s\n]}\n', s.mbps, s.seconds,
		s.loss, table.concat(text, ",\n")))
	file:close()
end

-- Measure with `settings` over the defaults; they must name source, destination, source_mac and appliance_mac.
function rfc2544.run(settings)
	local s, rows = setmetatable(settings, {__index = defaults}), {}

	for _, key in ipairs({"source", "destination", "source_mac", "appliance_mac"}) do
		assert(s[key], "rfc2544: settings name no " .. key)
	end
	pktgen.screen("off")
	s.mbps = link_mbps(s.send)
	flows_set(s)
	for i, size in ipairs(s.frames) do
		size_set(s, size)
		rows[i] = row(s, size, rfc2544.search(s, function(rate) return trial(s, size, rate) end))
	end
	table_print(rows)
	json_write(s, rows)
	return rows
end

return rfc2544
