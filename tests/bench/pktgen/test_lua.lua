-- The scripts for Pktgen-DPDK against a stand-in for its API: a device that loses what is above its capacity.
--
--	lua5.3 test_lua.lua FOLDER_OF_THE_SCRIPTS
--
-- The stand-in is as strict as Pktgen (26.02.4, and 23.03.1 where told): names, how many arguments, of what kind.

local folder = arg[1] .. "/"
local device

local function kinds(name, ...)
	local wanted, got = {...}, nil

	return function(...)
		got = {...}
		assert(select("#", ...) == #wanted, name .. ", wrong number of arguments")
		for i, kind in ipairs(wanted) do
			local value = got[i]
			local fits = kind == "integer" and math.tointeger(value) or kind == "number" and tonumber(value) or
				kind == "mac" and string.match(value, "^%x%x:%x%x:%x%x:%x%x:%x%x:%x%x$") or
				kind == "address" and string.match(value, "^%d+%.%d+%.%d+%.%d+$") or
				kind == "ports" and (value == "0" or value == "1" or value == "all") or
				kind == "bound" and (value == "start" or value == "min" or value == "max" or value == "inc") or
				kind == "string" and type(value) == "string"

			assert(fits, string.format("%s: argument %d is no %s: %s", name, i, kind, tostring(value)))
		end
		if device[name] then
			return device[name](device, ...)
		end
	end
end

local function device_make(capacity, options)
	local d = {capacity = capacity, size = 64, rate = 100, range = {}, now = 0, mbps = 10000, delays = {}}

	for key, value in pairs(options or {}) do
		d[key] = value
	end
	function d:set(_, what, value)
		assert(({count = 1, size = 1, rate = 1})[what], "set does not support " .. what)
		self[what] = value
	end
	function d:clr() self.sent = 0 end
	function d:start() self.running = true end
	function d:stop() self.running = false end
	function d:delay(ms)
		if self.running then
			local pps = self.mbps * 1e6 / ((self.range.pkt_size.start + 20) * 8) * self.rate / 100

			self.pps = math.min(pps, self.generator or math.huge)
			self.sent = math.floor(self.pps * ms / 1000)
		end
		self.now = self.now + ms
	end
	function d:linkState() return {[0] = self.link or "<UP-10000-FD>", n = 1} end
	function d:portStats(port)
		local came = math.min(self.sent, math.floor(self.sent * self.capacity / math.max(self.pps, 1)))
		local t = {opackets = port == "0" and self.sent or 0, ipackets = port == "1" and came or 0, imissed = 0,
			rx_nombuf = self.starves and 1 or 0}

		return {[tonumber(port)] = self.old and t or {curr = t}, n = 1}
	end
	for _, what in ipairs({"dst_mac", "src_mac", "dst_ip", "src_ip", "src_port", "dst_port", "ttl", "pkt_size"}) do
		d["range." .. what] = function(self, _, bound, value)
			self.range[what] = self.range[what] or {}
			self.range[what][bound] = value
		end
	end
	return d
end

local function api_make(old)
	local api = {range = {}}

	for name, kind in pairs({set_range = {"ports", "string"}, set_type = {"ports", "string"}, clr = {},
		start = {"ports"}, stop = {"ports"}, delay = {"integer"}, reset = {"ports"}, screen = {"string"},
		linkState = {"ports"}, set = {"ports", "string", "number"},
		portStats = old and {"ports", "string"} or {"ports"}}) do
		api[name] = kinds(name, table.unpack(kind))
	end
	for name, kind in pairs({dst_mac = "mac", src_mac = "mac", dst_ip = "address", src_ip = "address",
		src_port = "integer", dst_port = "integer", ttl = "integer", pkt_size = "integer"}) do
		api.range[name] = kinds("range." .. name, "ports", "bound", kind)
	end
	api.range.ip_proto = kinds("range.ip_proto", "ports", "string")
	return api
end

package.path = folder .. "?.lua"
local rfc2544 = require("rfc2544")
local json = os.tmpname()
local quiet = print

local function measure(d, settings)
	local s = {source = "10.1.1.4", source_mac = "02:00:00:00:01:04", destination = "10.2.1.250", destinations = 8,
		appliance_mac = "02:00:00:00:01:01", seconds = 10, json = json}

	for key, value in pairs(settings or {}) do
		s[key] = value
	end
	device, pktgen = d, api_make(d.old)
	print = function() end
	local ok, rows = pcall(rfc2544.run, s)
	print = quiet
	assert(ok, rows)
	return rows
end

local function near(row, pps, step)
	assert(row.pps <= pps and row.pps >= pps - step,
		string.format("%d bytes: %.0f pps, the device carries %.0f", row.frame, row.pps, pps))
end

local cases = {
	{"the search finds what the device carries", function()
		for _, capacity in ipairs({200000, 900000, 3300000, 9000000}) do
			local rows = measure(device_make(capacity))

			for i, size in ipairs({64, 128, 256, 512, 1024, 1280, 1518}) do
				local line = 1e10 / ((size + 20) * 8)

				assert(rows[i].frame == size)
				if capacity >= line then
					assert(rows[i].stop == "ceiling" and rows[i].trials == 1, rows[i].stop)
				else
					assert(rows[i].stop == "found", rows[i].stop)
					near(rows[i], capacity, line * 0.0051)
				end
			end
		end
	end},
	{"Pktgen 23.03.1 answers portStats otherwise", function()
		near(measure(device_make(3e6, {old = true}), {frames = {64}})[1], 3e6, 75000)
	end},
	{"a generator that falls short is named", function()
		local row = measure(device_make(9e6, {generator = 4e6}), {frames = {64}})[1]

		assert(row.stop == "generator", row.stop)
		near(row, 4e6, 10)
		near(measure(device_make(3e6, {generator = 4e6}), {frames = {64}})[1], 3e6, 75000)
	end},
	{"the threshold counts", function()
		local leaky = function() return device_make(3e6) end
		local strict = measure(leaky(), {frames = {64}})[1]
		local lax = measure(leaky(), {frames = {64}, loss = 0.1})[1]

		assert(lax.pps > strict.pps * 1.05 and lax.lost > 0 and strict.lost == 0)
	end},
	{"what the generator's own port missed fails a trial", function()
		local row = measure(device_make(3e6, {starves = true}), {frames = {64}})[1]

		assert(row.stop == "none" and row.pps == 0, row.stop)
	end},
	{"flows are set as told", function()
		local d = device_make(1e6)

		measure(d, {flows = 100, frames = {64}})
		assert(d.range.dst_ip.start == "10.2.1.250" and d.range.dst_ip.max == "10.2.2.1", d.range.dst_ip.max)
		assert(d.range.src_port.max - d.range.src_port.min + 1 == 100)
		assert(d.range.dst_mac.start == "02:00:00:00:01:01" and d.count == 0)
	end},
	{"a dead link is refused", function()
		assert(not pcall(measure, device_make(1e6, {link = "<--Down-->"})))
	end},
	{"nic.lua and memif.lua run", function()
		for _, name in ipairs({"nic.lua", "memif.lua"}) do
			device, pktgen = device_make(1e6), api_make()
			local script, open = assert(loadfile(folder .. name)), io.open

			print = function() end
			io.open = function(path, mode) return open(path == "rfc2544.json" and json or path, mode) end
			local ok, why = pcall(script)
			io.open, print = open, quiet
			assert(ok, why)
			assert(device.range.src_ip.start == "10.1.1.4" and device.now > 7 * 10000)
		end
	end},
	{"the JSON holds the table", function()
		measure(device_make(1e6), {frames = {64, 512}})
		local text = io.open(json):read("a")

		assert(string.match(text, '"frame": 64, "noDropPps": 9%d+') and string.match(text, '"frame": 512'), text)
	end},
}

print("1.." .. #cases)
local failed = 0
for i, case in ipairs(cases) do
	local ok, why = pcall(case[2])

	print((ok and "ok " or "not ok ") .. i .. " - " .. case[1])
	if not ok then
		failed = failed + 1
		print("# " .. tostring(why))
	end
end
os.remove(json)
os.exit(failed == 0)
