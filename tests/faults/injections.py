"""What does harm: threads that are held, control groups, sockets that squat."""
import contextlib
import ctypes
import os
import socket
import struct
import subprocess
import tempfile
import threading
import time

import dns.exception
import dns.message

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000


class frozen_threads:
    """Holds threads of a process by ptrace: all but its first, or all. Made and ended by one and the same thread."""

    def __init__(self, pid, all_threads=False):
        self.pid, self.all, self.held = pid, all_threads, []
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]

    def call(self, what, tid):
        if self.libc.ptrace(what, tid, None, None) != 0:
            raise OSError(ctypes.get_errno(), "ptrace")

    def __enter__(self):
        for tid in sorted(int(t) for t in os.listdir("/proc/%d/task" % self.pid)):
            if tid == self.pid and not self.all:
                continue
            self.call(PTRACE_SEIZE, tid)
            self.call(PTRACE_INTERRUPT, tid)
            os.waitpid(tid, WALL)
            self.held.append(tid)
        assert self.held, "process %d has one thread alone" % self.pid
        return self

    def let_go(self):
        while self.held:
            with contextlib.suppress(OSError):
                self.call(PTRACE_DETACH, self.held.pop())

    def __exit__(self, *exc):
        self.let_go()


class Cgroup:
    """A control group of its own (version 1). Who is in it when it ends goes back to the root."""
    COUNT = [0]

    def __init__(self, controller):
        self.root = os.path.join("/sys/fs/cgroup", controller)
        Cgroup.COUNT[0] += 1
        self.path = os.path.join(self.root, "candor-faults-%d-%d" % (os.getpid(), Cgroup.COUNT[0]))

    def __enter__(self):
        os.mkdir(self.path)
        return self

    def set(self, name, text):
        with open(os.path.join(self.path, name), "w") as f:
            f.write(text)

    def get(self, name):
        with open(os.path.join(self.path, name)) as f:
            return f.read().strip()

    def add(self, pid):
        self.set("cgroup.procs", str(pid))

    def leave(self):
        for pid in self.get("cgroup.procs").split():
            with contextlib.suppress(OSError), open(os.path.join(self.root, "cgroup.procs"), "w") as f:
                f.write(pid)

    def __exit__(self, *exc):
        with contextlib.suppress(OSError):
            self.set("freezer.state", "THAWED")
        self.leave()
        for _ in range(100):
            with contextlib.suppress(OSError):
                os.rmdir(self.path)
                return
            time.sleep(0.05)


class Answerer:
    """Another server's socket in a SO_REUSEPORT group: it answers everything with SERVFAIL and says nothing of itself."""

    def __init__(self, host, port):
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.s.bind((host, port))

    def __enter__(self):
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def serve(self):
        while True:
            try:
                wire, peer = self.s.recvfrom(4096)
                r = dns.message.make_response(dns.message.from_wire(wire))
                r.set_rcode(2)
                self.s.sendto(r.to_wire(), peer)
            except dns.exception.DNSException:
                continue
            except (OSError, ValueError):
                return

    def close(self):
        with contextlib.suppress(OSError):
            self.s.shutdown(socket.SHUT_RDWR)
        self.s.close()

    def __exit__(self, *exc):
        self.close()


def set_word(path, value):
    """A 64-bit number that a program maps (tests/faults/eio.c, tests/chaos/clock.c)."""
    with open(path, "r+b" if os.path.exists(path) else "wb") as f:
        f.write(struct.pack("=q", value))


def set_clock(path, seconds):
    """How far tests/chaos/clock.c puts the wall clock off."""
    set_word(path, int(seconds * 1000))


def compiled(source):
    """A shared object to be preloaded, made anew when its source is newer."""
    name = os.path.basename(source)[:-2]
    into = os.path.join(tempfile.gettempdir(), "candor-faults-%d-%s.so" % (os.getuid(), name))
    if not os.path.exists(into) or os.path.getmtime(into) < os.path.getmtime(source):
        fresh = "%s.%d" % (into, os.getpid())
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-o", fresh, source, "-ldl"], check=True)
        os.rename(fresh, into)
    return into
