"""One isthmusd in a namespace, and its control socket.

The namespace holds the kernel ends of the appliance's ports; they are kept quiet there, so all that hosts hear comes
from the appliance. Configuration, state and socket live in a folder of the test's own.
"""

import json
import os
import shutil
import signal
import socket
import tempfile

from lib import net

BUILD = os.environ.get("ISTHMUS_BUILD") or os.path.join(
    os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "build")
DAEMON = os.path.join(BUILD, "isthmusd")
COMMAND = os.path.join(BUILD, "isthmus")
START_TIMEOUT_S = 30


class Refused(Exception):
    """The appliance answered with an error: its code, then its text."""


class Appliance:
    """Write a configuration, start, ask, stop; close() leaves nothing."""

    def __init__(self, name="box", namespace=None):
        self.name = f"{name}-{os.getpid()}"
        self.folder = tempfile.mkdtemp(prefix=f"isthmus-{self.name}-")
        self.config_path = os.path.join(self.folder, "isthmus.json")
        self.socket_path = os.path.join(self.folder, "control.sock")
        self.log_path = os.path.join(self.folder, "log")
        self.namespace = namespace or net.Namespace(name)
        self.process = None
        self.requests = 0

    def cable(self, link, host, host_link="eth0", plain=False):
        """A veth between a port of this appliance and a host."""
        net.veth(self.namespace, link, host, host_link, plain=plain)
        net.quiet(self.namespace, link)

    def configure(self, config):
        """Write a configuration (dict), with the parts that only the test knows."""
        whole = dict(config)
        whole["appliance"] = {"name": self.name, "socket": self.socket_path, "hugepages": "off",
                              "stateDirectory": os.path.join(self.folder, "state"), "busyPoll": False,
                              "flows": 16384, "neighbours": 1024, **config.get("appliance", {})}
        # Whoever reads it while it is written would see half: rename.
        with open(self.config_path + ".new", "w", encoding="utf-8") as file:
            json.dump(whole, file, indent=1)
        os.rename(self.config_path + ".new", self.config_path)
        return self.config_path

    def start(self, config=None, wait=True):
        if config is not None:
            self.configure(config)
        self.process = self.namespace.start(DAEMON, "-c", self.config_path, log=self.log_path)
        if wait:
            self.wait()
        return self

    def wait(self):
        """Until it answers; its log when it does not."""
        def answers():
            if not self.process.alive():
                raise net.Failed(f"isthmusd ended at start:\n{self.log()}")
            try:
                return self.ask("status")
            except (OSError, EOFError):
                return None
        net.eventually(answers, START_TIMEOUT_S, what=f"{self.name} answers")

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    # Questions

    def connect(self):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.settimeout(30)
        s.connect(self.socket_path)
        return s

    def ask(self, verb, **arguments):
        """One request on the control socket; the result, or Refused."""
        self.requests += 1
        request = {"version": 1, "id": self.requests, "verb": verb,
                   "arguments": {k.replace("_", "-"): v for k, v in arguments.items()}}
        with self.connect() as s, s.makefile("rwb") as stream:
            stream.write(json.dumps(request).encode() + b"\n")
            stream.flush()
            line = stream.readline()
        if not line:
            raise EOFError(f"{verb}: no answer")
        answer = json.loads(line)
        if "error" in answer:
            raise Refused(f"{answer['error'].get('code')}: {answer['error']}")
        return answer["result"]

    def command(self, *words, check=True):
        """The isthmus command, as an operator types it."""
        return self.namespace.run(COMMAND, "--socket", self.socket_path, *words, check=check)

    def table(self, *words):
        """The command's JSON."""
        return json.loads(self.command("-o", "json", *words).stdout)

    def apply(self, config):
        return self.ask("apply", file=self.configure(config))

    # The end

    def stop(self, sig=signal.SIGTERM, timeout=15):
        return self.process.stop(sig, timeout)

    def close(self, namespace=True):
        if self.process:
            self.process.close()
        if namespace:
            self.namespace.close()
        shutil.rmtree(self.folder, ignore_errors=True)
