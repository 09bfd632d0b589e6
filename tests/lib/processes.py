"""What a test does to another process without its help, and what it reads of one."""

import contextlib
import os
import socket

from lib import net

PIDFD_OPEN, PIDFD_GETFD = 434, 438


def shut_socket(pid, path):
    """Ends the connection that a process has to a UNIX socket, as if the other side had: both see its end."""
    held = net.LIBC.syscall(PIDFD_OPEN, pid, 0)
    try:
        for number in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError), _copy(held, int(number)) as s:
                if s.getpeername() == path:
                    s.shutdown(socket.SHUT_RDWR)
                    return
    finally:
        os.close(held)
    raise net.Failed(f"process {pid} has no connection to {path}")


def _copy(process, number):
    copy = net.LIBC.syscall(PIDFD_GETFD, process, number, 0)
    if copy < 0:
        raise OSError("not to be had")
    try:
        return socket.socket(fileno=copy)
    except OSError:  # no socket
        os.close(copy)
        raise


def resident_mb(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS:"))
