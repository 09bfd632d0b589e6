"""What a cable carries: each end's arrivals together.

An af_packet port sends past the hooks where its own interface could be captured (PACKET_QDISC_BYPASS), so one end
alone would show half of the truth.
"""

import os
import time

from lib import net


class Capture:
    """tcpdump at both ends of a cable, arrivals only."""

    def __init__(self, folder, *ends):
        """ends: (namespace, link) pairs."""
        self.paths = [os.path.join(folder, f"wire-{number}.pcap") for number in range(len(ends))]
        self.dumps = [space.start("tcpdump", "-i", link, "-Q", "in", "-B", "65536", "-s", "96", "-Z", "root", "-w", path,
                                  log=path + ".log") for (space, link), path in zip(ends, self.paths)]
        for dump in self.dumps:
            net.eventually(lambda d=dump: "listening on" in d.output(), what="the capture")

    def stop(self):
        """End it; returns how many frames the captures missed."""
        time.sleep(1.2)  # the kernel hands blocks of frames over once a second
        missed = 0
        for dump in self.dumps:
            dump.stop()
            lines = [line for line in dump.output().splitlines() if "dropped by kernel" in line]
            missed += int(lines[0].split()[0])
        return missed

    def lines(self, *expression):
        """The captured frames that match, one line each."""
        return [line for path in self.paths
                for line in net.run(["tcpdump", "-n", "-r", path, *expression]).stdout.splitlines()]

    def count(self, *expression):
        return len(self.lines(*expression))
