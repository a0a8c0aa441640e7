"""A network namespace of the test's own: loopback, a pair of addresses, nftables rules, a capture. Needs root."""
import itertools
import os
import subprocess
import tempfile
import time

IDS = itertools.count(1)


def sh(*argv, **kw):
    return subprocess.run(argv, check=True, capture_output=True, text=True, **kw)


class Namespace:
    """with Namespace() as ns: ns.run("dig", ...). `ns.prefix` starts a program inside (ip execs it: same process id)."""

    def __init__(self):
        self.name = "candor-%d-%d" % (os.getpid(), next(IDS))
        self.prefix = ["ip", "netns", "exec", self.name]

    def __enter__(self):
        sh("ip", "netns", "add", self.name)
        self.run("ip", "link", "set", "lo", "up")
        return self

    def run(self, *argv, **kw):
        return sh(*self.prefix, *argv, **kw)

    def popen(self, *argv, **kw):
        return subprocess.Popen(self.prefix + list(argv), **kw)

    def nft(self, rules):
        """Adds rules, each the text behind `add rule inet t out` (packets that leave a process of this namespace)."""
        lines = ["add table inet t", "add chain inet t out { type filter hook output priority 0; }",
                 "flush chain inet t out"] + ["add rule inet t out " + r for r in rules]
        self.run("nft", "-f", "-", input="\n".join(lines) + "\n")

    def nft_clear(self):
        self.run("nft", "flush", "ruleset")

    def __exit__(self, *exc):
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True)


class Capture:
    """Packets on all interfaces of a namespace, by tcpdump, while the block runs; text() afterwards."""

    def __init__(self, ns, expression):
        self.ns, self.expression = ns, expression
        self.file = tempfile.NamedTemporaryFile(suffix=".pcap")

    def __enter__(self):
        self.process = self.ns.popen("tcpdump", "-i", "any", "-n", "-U", "--immediate-mode", "-w", self.file.name, self.expression,
                                     stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "listening on" in line:
                break
        else:
            raise AssertionError("tcpdump does not run")
        return self

    def __exit__(self, *exc):
        time.sleep(0.2)
        self.process.terminate()
        self.process.communicate()

    def text(self):
        return subprocess.run(["tcpdump", "-n", "-r", self.file.name], capture_output=True, text=True, check=True).stdout


def inside(ns):
    """Context: this process's new sockets belong to the namespace (threads made inside it too)."""
    return Inside(ns.name)


class Inside:
    def __init__(self, name):
        self.name = name

    def enter(self, path):
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        fd = os.open(path, os.O_RDONLY)
        try:
            if libc.setns(fd, 0x40000000) != 0:  # CLONE_NEWNET
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(fd)

    def __enter__(self):
        self.old = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.enter("/run/netns/" + self.name)
        return self

    def __exit__(self, *exc):
        self.enter("/proc/self/fd/%d" % self.old)
        os.close(self.old)
