-- Two NIC ports of Pktgen-DPDK, cabled to two ports of the appliance. nic.yaml is the appliance's configuration.
--
--	pktgen -l 2-6 -n 4 -a 0000:17:00.0 -a 0000:17:00.1 -- -P -m "[3:4].0, [5:6].1" -f nic.lua

package.path = package.path .. ";" .. (string.match(debug.getinfo(1, "S").source, "^@(.*/)") or "./") .. "?.lua"

require("rfc2544").run({
	source = "10.1.1.4",
	source_mac = "02:00:00:00:01:04",
	destination = "10.2.1.4",
	destinations = 8,
	flows = 4096,
	appliance_mac = "02:00:00:00:01:01", -- macAddress of the appliance's port "left"
	seconds = tonumber(os.getenv("RFC2544_SECONDS") or 60),
})
