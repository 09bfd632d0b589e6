"""A charon with our plugin in place of a kernel: its SAs go to isthmusd, or to a fake, by the socket that is given."""

import os

from lib import net
from lib.charon import COMMON, PROGRAM, Charon

PLUGINS = [*COMMON, "kernel-isthmus!", "kernel-netlink", "socket-default", "vici", "updown"]


def library():
    """The plugin of the build folder under test; None when it was not built."""
    path = os.path.join(os.environ.get("ISTHMUS_BUILD", "build"), "libstrongswan-kernel-isthmus.so")
    return os.path.realpath(path) if os.path.exists(path) else None


def missing():
    """Why no such charon can run here; None when one can."""
    if not os.path.exists(PROGRAM):
        return "needs charon-systemd"
    return None if library() else "the charon plugin was not built"


def sanitizer(path):
    """The sanitizer's run time, which must be loaded before what was built with it, as a list."""
    return [line.split("=>")[1].split()[0] for line in net.run(["ldd", path]).stdout.splitlines()
            if "libasan" in line or "libclang_rt.asan" in line]


class PluginCharon(Charon):
    """The plugin is loaded from the build folder: charon looks for a plugin among the symbols that it has already.

    LD_PRELOAD by env, as nothing but charon has the symbols that the plugin wants. more: as Charon's.
    """

    def __init__(self, namespace, socket, name="charon", more=None, plugins=None, timeout=None):
        more = dict(more or {})
        own = {"socket": socket, **({"timeout": timeout} if timeout else {})}
        more["plugins"] = {"kernel-isthmus": own, **more.get("plugins", {})}
        more.setdefault("install_routes", False)
        super().__init__(namespace, name, plugins or PLUGINS, more)
        path = library()
        self.command = ["env", "LD_PRELOAD=" + ":".join([*sanitizer(path), path]), "ASAN_OPTIONS=detect_leaks=0",
                        PROGRAM]
