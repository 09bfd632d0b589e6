"""The network outside where it has more than the two ends of a lib.wire.Wire: a bridge of the kernel's."""

from lib import net


class Switch:
    def __init__(self):
        self.namespace = net.Namespace("outside")
        self.ends = 0
        self.namespace.ip("link add switch type bridge")
        self.namespace.ip("link set switch up")

    def plug(self, space, link):
        end = f"end{self.ends}"
        self.ends += 1
        net.veth(space, link, self.namespace, end)
        self.namespace.ip(f"link set {end} master switch")

    def close(self):
        self.namespace.close()
