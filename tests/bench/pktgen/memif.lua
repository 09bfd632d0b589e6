-- Pktgen-DPDK at two memif ports of the appliance on the same machine. memif.yaml is the appliance's configuration.
--
--	pktgen -l 2-4 -n 4 --no-pci \
--		--vdev=net_memif0,role=client,socket=/run/isthmus/left.sock,socket-abstract=no,mac=02:00:00:00:01:04 \
--		--vdev=net_memif1,role=client,socket=/run/isthmus/right.sock,socket-abstract=no,mac=02:00:00:00:02:04 \
--		-- -P -m "3.0, 4.1" -f memif.lua
--
-- DPDK says 10 Gbit/s of a memif link, and Pktgen's rates are percent of that: larger frames end at the ceiling.

package.path = package.path .. ";" .. (string.match(debug.getinfo(1, "S").source, "^@(.*/)") or "./") .. "?.lua"

require("rfc2544").run({
	source = "10.1.1.4",
	source_mac = "02:00:00:00:01:04",
	destination = "10.2.1.4",
	destinations = 8,
	appliance_mac = "02:00:00:00:01:01",
	seconds = tonumber(os.getenv("RFC2544_SECONDS") or 10),
})
