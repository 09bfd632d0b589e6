"""What a test does to another process without its help, and what it reads of one."""

import contextlib
import ctypes
import os
import socket

from lib import net

PIDFD_OPEN, PIDFD_GETFD = 434, 438
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
ANY_CHILD = 0x40000000  # __WALL: threads, too


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


def thread(pid, name):
    """The first thread of a process whose name has this in it."""
    for task in sorted(os.listdir(f"/proc/{pid}/task"), key=int):
        with open(f"/proc/{pid}/task/{task}/comm", encoding="utf-8") as file:
            if name in file.read():
                return int(task)
    raise net.Failed(f"process {pid} has no thread {name}")


@contextlib.contextmanager
def frozen(tid):
    """One thread stands still, and its process goes on; a process' number is that of its first thread."""
    _ptrace(PTRACE_SEIZE, tid)
    try:
        _ptrace(PTRACE_INTERRUPT, tid)
        os.waitpid(tid, ANY_CHILD)
        yield
    finally:
        try:
            _ptrace(PTRACE_DETACH, tid)
        except ProcessLookupError:  # ended meanwhile: we are among those its process waits for
            with contextlib.suppress(ChildProcessError):
                os.waitpid(tid, ANY_CHILD)


def _ptrace(request, tid):
    net.LIBC.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
    if net.LIBC.ptrace(request, tid, None, None) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x} of {tid}")


def resident_mb(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS:"))
