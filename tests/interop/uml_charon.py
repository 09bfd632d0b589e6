"""charon inside a guest kernel: what a Linux host as VPN gateway is, XFRM in the kernel and strongSwan above it.

Debian's own charon runs from the host's files; its vici session is carried out by the guest's second serial line.
Raw ESP, ESN, UDP encapsulation and IPv6 are the guest kernel's. A wire (lib/wire.py) must lie between the guest and
anything that is not a kernel: the guest leaves checksums to its "hardware", and the wire finishes them.
"""

from lib import net
from lib.charon import KERNEL, PROGRAM, Control, settings
from lib.vici import Vici

FOLDER = "/run"
# Starting a program is what costs time in a guest: no more of them than these two. No text has a quote in it.
START = """
printf %s '{settings}' > {folder}/strongswan.conf
STRONGSWAN_CONF={folder}/strongswan.conf setsid {program} < /dev/null > {folder}/output 2>&1 &
setsid socat -d -d /dev/ttyS1,raw,echo=0 UNIX-CONNECT:{folder}/vici,retry=600,interval=0.05 < /dev/null > {folder}/relay 2>&1 &
"""


class GuestCharon(Control):
    """One per guest; it ends with the guest."""

    def __init__(self, guest, more=None):
        self.guest = guest
        self.more = more or {}

    def start(self):
        self.guest.run(START.format(settings=settings(FOLDER, KERNEL, self.more), folder=FOLDER, program=PROGRAM))
        # Before that the line is not raw, and eats what it takes for editing.
        net.eventually(lambda: "starting data transfer loop" in self.guest.run(f"cat {FOLDER}/relay", check=False)[1], 60,
                       what="the relay of vici runs")
        self.vici = Vici(self.guest.from_line, self.guest.to_line)
        try:
            self.vici.ask("version", timeout=60)
        except TimeoutError:
            _, said = self.guest.run(f"cat {FOLDER}/relay {FOLDER}/output", check=False)
            raise net.Failed(f"charon in the guest is silent:\n{said}\n{self.log()}") from None
        return self

    def log(self):
        return self.guest.run(f"cat {FOLDER}/log", check=False)[1]

    def states(self):
        """The kernel's SAs, as `ip` prints them."""
        return self.guest.run("ip -s xfrm state")[1]
