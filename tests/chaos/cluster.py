"""Four nodes of Candor in network namespaces of their own, and what can be done to them.

    p ----- a ----- b       p: the primary, takes UPDATE      a: its secondary, a hub
     \\     /                b: behind the hub                 c: has two primaries, p and a
      --- c

All namespaces hang on a bridge in one more. A partition is a rule of nftables at both ends; the state folder of each
node is a small tmpfs, so that it can be filled; each node's daemons have a clock that can be set apart (clock.c).
"""
import base64
import os
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "system"))
from lib.netns import Namespace, sh  # noqa: E402
from lib.node import Node  # noqa: E402

import psutil  # noqa: E402
import requests  # noqa: E402

ZONE = "chaos.test."
STATE_BYTES = 96 << 20
SECRETS = {"k1.": base64.b64encode(b"first key of the cluster, 32 oct").decode(),
           "k2.": base64.b64encode(b"other key of the cluster, 32 oct").decode()}
LINKS = [("p", "a"), ("a", "b"), ("p", "c"), ("a", "c")]  # who gets the zone from whom
PRIMARIES = {"a": ["p"], "b": ["a"], "c": ["p", "a"]}


def build_clock(folder):
    """clock.so; built once for all clusters of a run."""
    path = os.path.join(folder, "clock.so")
    if not os.path.exists(path):
        sh("gcc", "-shared", "-fPIC", "-O1", "-o", path + ".new", os.path.join(HERE, "clock.c"), "-ldl")
        os.rename(path + ".new", path)
    return path


class Member:
    """One node: its namespace, address, processes, disk and clock."""

    def __init__(self, cluster, name, index):
        self.cluster, self.name = cluster, name
        self.address = "10.%d.%d.%d" % (100 + cluster.number // 200, cluster.number % 200, index + 1)
        self.ns = Namespace()
        self.folder = os.path.join(cluster.folder, name)
        self.state = os.path.join(self.folder, "state")
        self.clock = os.path.join(self.folder, "clock")
        self.filler = os.path.join(self.state, "filler")
        self.node, self.keys, self.ask_key, self.journal = None, ["k1.", "k2."], "k1.", "16M"
        self.running = False
        self.cut = set()
        self.lossy = 0

    def build(self):
        os.makedirs(self.state, exist_ok=True)
        self.set_clock(0)
        sh("mount", "-t", "tmpfs", "-o", "size=%d" % STATE_BYTES, "none", self.state)
        self.mounted = True
        self.ns.__enter__()
        outside = "c%dv%s" % (self.cluster.number, self.name)
        sh("ip", "link", "add", outside, "netns", self.cluster.switch.name, "type", "veth", "peer", "name", "eth0",
           "netns", self.ns.name)
        self.cluster.switch.run("ip", "link", "set", outside, "master", "br0", "up")
        self.ns.run("ip", "addr", "add", self.address + "/24", "dev", "eth0")
        self.ns.run("ip", "link", "set", "eth0", "up")

    def config(self):
        zone = {"name": ZONE, "journal": self.journal, "test": "none", "ttl": "5s",
                "transfer": [{"key": k} for k in self.keys],
                "notify": [{"address": self.cluster.at(to) + "@5301", "key": self.ask_key}
                           for of, to in LINKS if of == self.name],
                "soa": {"refresh": "2s", "retry": "1s", "expire": "1h", "minimum": "5s"}}
        if self.name == "p":
            zone["update"] = [{"key": "k1."}, {"key": "k2."}]
        else:
            zone["primaries"] = [{"address": self.cluster.at(of) + "@5301", "key": self.ask_key} for of in PRIMARIES[self.name]]
        return {
            "node": {"name": self.name},
            "resolver": {"listen": [{"address": self.address + "@53"}], "workers": 1, "recursion": {"enabled": False}},
            "rbl": {"listen": [self.address + "@5301"], "zones": [zone],
                    "keys": [{"name": k, "secret": s} for k, s in SECRETS.items() if k in self.keys]},
            "health": {"listen": [self.address + "@5380"], "allow": ["0.0.0.0/0"],
                       "canary": {"cached": "", "uncached-under": "", "nxdomain-under": ""},
                       "interval": {"local": "1s", "upstream": "5s", "zones": "1s", "peers": "1s"},
                       "peers": [{"name": m, "resolver": self.cluster.at(m) + "@53", "health": self.cluster.at(m) + "@5380"}
                                 for m in self.cluster.names if m != self.name],
                       "heal": {"max-restarts": 1000}}}

    def start(self, ready=True):
        prefix = self.ns.prefix + ["env", "LD_PRELOAD=" + self.cluster.clock_so, "CANDOR_CLOCK=" + self.clock]
        self.node = Node(self.folder, self.config(), host=self.address, prefix=prefix)
        self.node.start(ready=ready)
        self.running = True

    def stop(self):
        if self.running:
            self.node.stop()
        self.running = False

    def restart(self):
        self.stop()
        self.start(ready=False)

    def processes(self):
        top = psutil.Process(self.node.process.pid)
        return [top] + top.children(recursive=True)

    def signal_all(self, number):
        for p in self.processes():
            try:
                p.send_signal(number)
            except psutil.Error:
                pass

    def set_clock(self, ms):
        with open(self.clock, "r+b" if os.path.exists(self.clock) else "wb") as f:
            f.write(struct.pack("=q", ms))

    def fill(self):
        with open(self.filler, "wb", buffering=0) as f:
            block = b"\0" * 65536
            try:
                while f.write(block) == len(block):
                    pass
            except OSError:
                pass

    def unfill(self):
        if os.path.exists(self.filler):
            os.unlink(self.filler)

    def rules(self):
        """Who is cut off, both directions, and what share of the rest is lost."""
        lines = ["table inet chaos", "delete table inet chaos", "table inet chaos {"]
        for chain, side in (("input", "saddr"), ("output", "daddr")):
            lines.append(" chain %s { type filter hook %s priority 0;" % (chain, chain))
            lines += ["  ip %s %s drop" % (side, self.cluster.at(m)) for m in sorted(self.cut)]
            if self.lossy and chain == "input":
                lines.append("  ip saddr != %s numgen random mod 100 < %d drop" % (self.cluster.watcher, self.lossy))
            lines.append(" }")
        self.ns.run("nft", "-f", "-", input="\n".join(lines + ["}"]) + "\n")

    def health(self):
        """The whole document, or None when it does not come within a second. The caller stands in the switch."""
        try:
            return requests.get("http://%s:5380/health" % self.address, timeout=1).json()
        except (requests.RequestException, ValueError, OSError):
            return None

    def close(self):
        try:
            self.stop()
        finally:
            self.ns.__exit__()
            if getattr(self, "mounted", False):
                subprocess.run(["umount", "-l", self.state], capture_output=True)


class Cluster:
    names = ("p", "a", "b", "c")

    def __init__(self, folder, number):
        self.folder, self.number = str(folder), number
        os.makedirs(self.folder, exist_ok=True)
        self.watcher = "10.%d.%d.250" % (100 + number // 200, number % 200)  # where the tests stand
        self.clock_so = build_clock(os.path.dirname(self.folder))
        self.switch = Namespace()
        self.members = {n: Member(self, n, i) for i, n in enumerate(self.names)}

    def at(self, name):
        return self.members[name].address

    def __getitem__(self, name):
        return self.members[name]

    def __enter__(self):
        try:
            self.switch.__enter__()
            self.switch.run("ip", "link", "add", "br0", "type", "bridge")
            self.switch.run("ip", "link", "set", "br0", "up")
            self.switch.run("ip", "addr", "add", self.watcher + "/24", "dev", "br0")
            for m in self.members.values():
                m.build()
            for m in self.members.values():
                m.start(ready=False)
        except BaseException:
            self.__exit__(None)
            raise
        return self

    def __exit__(self, *exc):
        for m in self.members.values():
            m.close()
        self.switch.__exit__()

    def part(self, one, other):
        for m, n in ((one, other), (other, one)):
            self[m].cut.add(n)
            self[m].rules()

    def join(self):
        for m in self.members.values():
            if m.cut or m.lossy:
                m.cut, m.lossy = set(), 0
                m.rules()

    def logs(self):
        return "\n".join("---- %s\n%s" % (n, "".join(open(m.node.log_path, errors="replace").readlines()[-40:]))
                         for n, m in self.members.items() if m.node is not None)
