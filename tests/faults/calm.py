#!/usr/bin/python3
"""False alarms are faults too: two nodes that are fine, under all that makes a machine slow; nobody may call them ill.

  tests/faults/calm.py [--minutes M] [--json FILE] [LOAD ...]     make calm CALM_MINUTES=120
  LOAD: cpu loss memory stall slew requests reload disk dns nice; without any: each alone, and all together

The first node has its zones from files, its forwarder is an unbound; the second is its secondary and its peer. All of it
stands in a lab (tests/system/lib/lab.py). All the while both nodes are looked at: no scope may become fail or unknown
(every transition comes from /history, with its cause), readiness stays, nothing is restarted, and what the DNS port
answers is right. Exit code 0: so it was. Wants root, CANDOR_BUILD and CANDOR_TICKS (divides the intervals; default 1).
"""
import argparse
import asyncio
import collections
import contextlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
from engine import TICKS  # noqa: E402

import dns.exception  # noqa: E402
import dns.message  # noqa: E402
import dns.query  # noqa: E402
import dns.rcode  # noqa: E402
import psutil  # noqa: E402
import requests  # noqa: E402
from injections import Cgroup  # noqa: E402
from lib.ask import BUILD  # noqa: E402
from lib.lab import CLOCK_C, Lab  # noqa: E402
from lib.netns import sh  # noqa: E402
from lib.node import Node, until  # noqa: E402
from place import ms, intervals  # noqa: E402

SMALL, BIG = 40, 200000            # zones, entries of the big one
WORLD = 2                          # the place of the upstream and of this process
SECRET = "dGhpcnR5LXR3byBvY3RldHMgZm9yIGNhbG0gbGFicy4uLi4="
STALL_S, STALL_EVERY_S = 0.8, 4.0  # the whole node stands still so long, so often, as while pages come from swap
SLEW = 0.005                       # of a second each second: ten times what NTP may
REQUESTS = 1000
DNS_WINDOW = 200
LOADS = {}


def load(f):
    LOADS[f.__name__] = f
    return f


def quiet(*argv, **kw):
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **kw)


@contextlib.contextmanager
def running(*argv, **kw):
    p = quiet(*argv, **kw)
    try:
        yield p
    finally:
        with contextlib.suppress(psutil.Error):
            for c in psutil.Process(p.pid).children(recursive=True):
                c.kill()
        p.kill()
        p.wait()


@contextlib.contextmanager
def repeating(what, every_s):
    """what() again and again in a thread, until the block is left."""
    over = threading.Event()

    def run():
        while not over.is_set():
            what()
            over.wait(every_s)
    t = threading.Thread(target=run, daemon=True)
    t.start()
    try:
        yield
    finally:
        over.set()
        t.join(30)


class Pair:
    """Two nodes, their upstream, and what is done to them."""

    def __init__(self, folder, small=SMALL, big=BIG):
        self.folder, self.small, self.big, self.stack, self.nodes = str(folder), small, big, contextlib.ExitStack(), []
        self.round = 0

    def __enter__(self):
        os.makedirs(self.folder, exist_ok=True)
        os.chmod(self.folder, 0o755)
        self.lab = self.stack.enter_context(Lab(os.path.join(self.folder, "lab"), 3))
        self.stack.enter_context(self.lab.inside(WORLD))
        self.build_shims()
        self.upstream()
        for i in range(2):
            self.nodes.append(self.node(i))
            self.stack.callback(self.nodes[i].stop)
            self.nodes[i].start(ready=False)
        for n in self.nodes:
            n.wait_ready()
        until("all is green", lambda: all(self.red(n) == [] for n in self.nodes), 60, 0.2)
        return self

    def __exit__(self, *exc):
        self.stack.close()

    def path(self, name):
        return os.path.join(self.folder, name)

    def build_shims(self):
        for name, source in (("clock", CLOCK_C), ("slow", os.path.join(HERE, "calm_slow.c"))):
            sh("gcc", "-shared", "-fPIC", "-O1", "-o", self.path(name + ".so"), source, "-ldl")
            with open(self.path(name), "wb") as f:
                f.write(b"\0" * 8)

    def poke(self, name, data):
        with open(self.path(name), "r+b") as f:
            f.write(data)

    def upstream(self):
        """An unbound that knows two names and says NXDOMAIN to all others."""
        with open(self.path("unbound.conf"), "w") as f:
            f.write("""server:
 interface: 10.77.0.3@5353
 do-daemonize: no
 username: ""
 chroot: ""
 directory: "%s"
 pidfile: ""
 use-syslog: no
 access-control: 0.0.0.0/0 allow
 local-zone: "." static
 local-data: ". 60 SOA ns. hostmaster. 1 3600 600 86400 60"
 local-data: "example.com. 60 A 192.0.2.10"
remote-control:
 control-enable: no
""" % self.folder)
        self.stack.enter_context(running("nice", "-n", "-10", "unbound", "-d", "-p", "-c", self.path("unbound.conf")))
        os.setpriority(os.PRIO_PROCESS, self.lab.relay.pid, -10)  # the wire and the world are not what is tried here

    def write_list(self, name, count, start=0):
        """Entries 10.x.y.z from `start`, and the test point."""
        with open(self.path(name + ".new"), "w") as f:
            f.write("127.0.0.2\n")
            f.writelines("10.%d.%d.%d\n" % (n >> 16 & 255, n >> 8 & 255, n & 255) for n in range(start, start + count))
        os.rename(self.path(name + ".new"), self.path(name))

    def zones(self, i):
        names = ["z%d.test." % k for k in range(self.small)] + ["big.test."]
        if i == 1:
            return [{"name": n, "test": "rfc5782-ip4", "primaries": [{"address": "10.77.0.1@5301", "key": "calm."}],
                     "soa": {"refresh": "30s", "retry": "2s", "expire": "1d", "minimum": "60s"}} for n in ("z0.test.", "big.test.")]
        for n in names:
            self.write_list(n, self.big if n == "big.test." else 100)
        return [dict({"name": n, "test": "rfc5782-ip4", "data": [{"type": "ip4set", "files": [self.path(n)]}]},
                     **({"transfer": [{"key": "calm."}], "notify": [{"address": "10.77.0.2@5301", "key": "calm."}]} if n in ("z0.test.", "big.test.") else {}))
                for n in names]

    def node(self, i):
        place, other = self.lab.nodes[i], self.lab.nodes[1 - i]
        config = {"node": {"name": "calm%d" % i},
                  "resolver": {"workers": 2, "forward": [{"zone": ".", "to": ["10.77.0.3@5353"]}], "allow": ["0.0.0.0/0"]},
                  "rbl": {"zones": self.zones(i), "keys": [{"name": "calm.", "algorithm": "hmac-sha256", "secret": SECRET}]},
                  "health": {"interval": intervals(), "allow": ["10.77.0.0/24", "127.0.0.0/8"],
                             "canary": {"cached": "example.com.", "uncached-under": "example.com.", "nxdomain-under": "com."},
                             "peers": [{"name": "calm%d" % (1 - i), "resolver": "%s@5300" % other.address, "health": "%s@5380" % other.address, "key": "calm."}]}}
        prefix = place.ns.prefix + ["env", "LD_PRELOAD=%s:%s" % (self.path("clock.so"), self.path("slow.so")),
                                    "CANDOR_CLOCK=" + self.path("clock"), "CANDOR_SLOW=" + self.path("slow")]
        return Node(place.folder, config, host=place.address, prefix=prefix)

    def red(self, node):
        return [(s, v["status"]) for s, v in node.health()["scopes"].items() if v["status"] in ("fail", "unknown")]

    def processes(self, node):
        top = psutil.Process(node.process.pid)
        return [top] + top.children(recursive=True)


# --- loads: each a context of the pair

@load
def cpu(pair):
    """Four hogs for each core."""
    return running("stress-ng", "--quiet", "--cpu", str(4 * os.cpu_count()), "--temp-path", pair.folder)


@load
@contextlib.contextmanager
def loss(pair):
    """One packet in a hundred, each way, to upstream and peers."""
    pair.lab.path("*", "*", loss=0.01)
    try:
        yield
    finally:
        pair.lab.path("*", "*")


@load
@contextlib.contextmanager
def memory(pair):
    """Little memory more than the node holds, and somebody beside it who reads files: pages go and come back."""
    family = pair.processes(pair.nodes[0])
    with Cgroup("memory") as group:
        for p in family:
            group.add(p.pid)
        held = sum(p.memory_info().rss for p in family)
        group.set("memory.limit_in_bytes", str(held + (24 << 20)))
        with running("stress-ng", "--quiet", "--temp-path", pair.folder, "--readahead", "1", "--readahead-bytes", "64M",
                     preexec_fn=lambda: group.add(os.getpid())):
            yield
        group.set("memory.limit_in_bytes", "-1")


@load
@contextlib.contextmanager
def stall(pair):
    """The whole node stands still now and then, as when it waits for swap."""
    with Cgroup("freezer") as group:
        for p in pair.processes(pair.nodes[0]):
            group.add(p.pid)

        def once():
            group.set("freezer.state", "FROZEN")
            time.sleep(STALL_S)
            group.set("freezer.state", "THAWED")
        with repeating(once, STALL_EVERY_S):
            yield


@load
@contextlib.contextmanager
def slew(pair):
    """The wall clock goes wrong by a little all the time, forth and then back."""
    start = time.monotonic()

    def once():
        t = (time.monotonic() - start) % 240
        pair.poke("clock", struct.pack("=q", round(SLEW * 1000 * (t if t < 120 else 240 - t))))
    with repeating(once, 0.1):
        yield
    # back as slowly: a step would be a fault
    left = struct.unpack("=q", open(pair.path("clock"), "rb").read())[0]
    for k in range(left, -1, -1):
        pair.poke("clock", struct.pack("=q", k))
        time.sleep(0.01)


async def ask_pages(host, port, rate):
    async def one(share):
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
                r, w = await asyncio.open_connection(host, port)
                while True:
                    due = asyncio.get_running_loop().time() + share
                    w.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
                    head = await r.readuntil(b"\r\n\r\n")
                    size = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0)
                    await r.readexactly(size)
                    await asyncio.sleep(max(0, due - asyncio.get_running_loop().time()))
            await asyncio.sleep(0.1)
    await asyncio.gather(*(one(16 / rate) for _ in range(16)))


@load
def requests_(pair):
    """A thousand requests for /health a second."""
    return running(sys.executable, os.path.abspath(__file__), "--pages", "%s:%d:%d" % (pair.nodes[0].host, pair.nodes[0].health_port, REQUESTS))


@load
@contextlib.contextmanager
def reload(pair):
    """All zones anew, all the time; publish on top."""
    def once():
        pair.round += 1
        with contextlib.suppress(OSError):
            for k in range(pair.small):
                pair.write_list("z%d.test." % k, 90 + pair.round % 20, pair.round % 7)
            pair.write_list("big.test.", pair.big - pair.round % 2 * pair.big // 10, pair.round % 5 * 1000)
        with contextlib.suppress(subprocess.TimeoutExpired):
            for k in ("big.test.", "z0.test.", "z1.test."):
                pair.nodes[0].candor("publish", k, check=False, timeout=60)
    with repeating(once, 0.5):
        yield


@load
@contextlib.contextmanager
def disk(pair):
    """Whatever waits for the disk waits 0.2 to 2 s longer."""
    pair.poke("slow", struct.pack("=II", 200, 2000))
    try:
        yield
    finally:
        pair.poke("slow", struct.pack("=II", 0, 0))


@load
@contextlib.contextmanager
def dns_(pair):
    """As many questions as the node can answer."""
    with open(pair.path("questions"), "w") as f:
        f.writelines("%d.%d.0.10.big.test A\n" % (a, b) for a in range(256) for b in range(8))
        f.write("example.com A\n" * 50)
    with running("dnsperf", "-s", pair.nodes[0].host, "-p", str(pair.nodes[0].dns_port), "-d", pair.path("questions"), "-q", str(DNS_WINDOW), "-c", "8", "-T", "1", "-l", "100000"):
        yield


@load
@contextlib.contextmanager
def nice(pair):
    """candor-health comes last of all (together with hogs, or it would be no difference)."""
    processes = [p for n in pair.nodes for p in pair.processes(n) if p.name() == "candor-health"]
    for p in processes:
        os.setpriority(os.PRIO_PROCESS, p.pid, 19)
        for t in p.threads():
            os.setpriority(os.PRIO_PROCESS, t.id, 19)
    try:
        with cpu(pair):
            yield
    finally:
        for p in processes:
            with contextlib.suppress(OSError, psutil.Error):
                for t in p.threads():
                    os.setpriority(os.PRIO_PROCESS, t.id, 0)


LOADS = {name.rstrip("_"): f for name, f in LOADS.items()}
# Names of loads that do not stand beside others: nice brings cpu along.
TOGETHER = [n for n in LOADS if n != "cpu"]


class Eye:
    """Looks all the while at one pair, and keeps what is wrong."""

    def __init__(self, pair):
        self.pair, self.over = pair, threading.Event()
        self.findings, self.warns = [], []
        self.asked = collections.Counter()
        self.since = [self.newest(n) for n in pair.nodes]
        self.before = self.counts()
        self.pids = [{p.pid for p in pair.processes(n)} for n in pair.nodes]
        self.threads = [threading.Thread(target=f, daemon=True) for f in (self.pages, self.answers)]
        for t in self.threads:
            t.start()

    @staticmethod
    def history(node):
        """Transitions of scopes, newest first."""
        return node.get("/history", timeout=20).json()["scopes"]

    def newest(self, node):
        return max((t["number"] for t in self.history(node)), default=0)

    def find(self, what):
        self.findings.append("%s %s" % (time.strftime("%H:%M:%S"), what))

    def pages(self):
        while not self.over.is_set():
            for n in self.pair.nodes:
                with contextlib.suppress(requests.RequestException):
                    self.asked["readyz"] += 1
                    r = n.get("/readyz", timeout=10)
                    if r.status_code != 200:
                        self.find("%s not ready: %s" % (n.config["node"]["name"], r.text[:200]))
            self.over.wait(0.5)

    def answers(self):
        """What is asked has to be answered within three tries, and rightly."""
        questions = [("2.0.0.127.big.test.", "127.0.0.2"), ("1.0.0.127.big.test.", None), ("2.0.0.127.z0.test.", "127.0.0.2"),
                     ("1.0.1.10.big.test.", "127.0.0.2"), ("example.com.", "192.0.2.10"), ("nothing.example.com.", None)]
        while not self.over.is_set():
            for n in self.pair.nodes:
                for name, address in questions:
                    self.ask(n, name, address)
            self.over.wait(0.2)

    def ask(self, n, name, address):
        self.asked["questions"] += 1
        for _ in range(3):
            try:
                r = dns.query.udp(dns.message.make_query(name, "A"), n.host, port=n.dns_port, timeout=3)
            except (OSError, dns.exception.DNSException):
                self.asked["questions again"] += 1
                continue
            got = [d.address for rr in r.answer for d in rr if rr.rdtype == 1]
            if r.rcode() == dns.rcode.SERVFAIL:
                self.asked["servfail"] += 1
                continue
            if (got[:1] or [None]) != [address]:
                self.find("%s answers %s with %s %s" % (n.config["node"]["name"], name, dns.rcode.to_text(r.rcode()), got))
            return
        self.find("%s does not answer %s" % (n.config["node"]["name"], name))

    def transitions(self):
        """Those of scopes, since last asked."""
        for i, n in enumerate(self.pair.nodes):
            for t in self.history(n):
                if t["number"] <= self.since[i]:
                    break
                words = "%s: scope %s %s -> %s: %s" % (n.config["node"]["name"], t["scope"], t["from"], t["to"], t["cause"])
                if t["to"] in ("fail", "unknown"):
                    self.find(words)
                elif t["to"] == "warn":
                    self.warns.append(words)
            self.since[i] = self.newest(n)

    def counts(self):
        """That there was something to bear: commits, and probes that came back with nothing or too late to count."""
        out = collections.Counter()
        for n in self.pair.nodes:
            for line in n.get("/metrics", timeout=20).text.splitlines():
                name, _, value = line.rpartition(" ")
                if name.startswith("candor_zone_commits_total"):
                    out["commits"] += float(value)
                elif name.startswith("candor_probe_runs_total"):
                    result = name.split('result="')[1].split('"')[0]
                    out["probes " + result] += float(value)
        return out

    def grown(self):
        now = self.counts()
        return {k: int(now[k] - self.before[k]) for k in now if now[k] != self.before[k]}

    def restarts(self):
        for i, n in enumerate(self.pair.nodes):
            now = {p.pid for p in self.pair.processes(n) if p.status() != psutil.STATUS_ZOMBIE}
            if now != self.pids[i]:
                self.find("%s: processes changed: %s gone, %s new" % (n.config["node"]["name"], sorted(self.pids[i] - now), sorted(now - self.pids[i])))
                self.pids[i] = now

    def close(self):
        self.over.set()
        for t in self.threads:
            t.join(30)


def phase(pair, names, seconds):
    """The named loads together for so long. What was found."""
    eye, start = Eye(pair), time.monotonic()
    try:
        with contextlib.ExitStack() as loads:
            for n in names:
                loads.enter_context(LOADS[n](pair))
            while time.monotonic() - start < seconds:
                time.sleep(0.5)
                eye.restarts()
        time.sleep(2)
        until("the history comes", lambda: eye.transitions() or True, 60)
        eye.asked.update(eye.grown())
    finally:
        eye.close()
    return {"loads": names, "seconds": round(time.monotonic() - start, 1), "findings": eye.findings, "warns": eye.warns, "asked": dict(eye.asked)}


def tell(p):
    print("%-34s %6.0f s  %d false alarms, %d warnings, %s" % ("+".join(p["loads"])[:34], p["seconds"], len(p["findings"]), len(p["warns"]), p["asked"]), flush=True)
    for kind in ("findings", "warns"):
        for words, n in collections.Counter(w for w in p[kind]).most_common(12):
            print("    %s: %s%s" % (kind[:-1], words[:300], " (%d times)" % n if n > 1 else ""), flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("loads", nargs="*")
    p.add_argument("--minutes", type=float, default=6)
    p.add_argument("--json")
    p.add_argument("--keep", action="store_true", help="leave the folder of the nodes")
    p.add_argument("--pages", help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.pages:
        host, port, rate = args.pages.split(":")
        return asyncio.run(ask_pages(host, int(port), int(rate)))
    unknown = [n for n in args.loads if n not in LOADS]
    if unknown:
        p.error("no such load: " + ", ".join(unknown))
    plan = [args.loads] if args.loads else [[n] for n in LOADS] + [TOGETHER]
    shares = [1] * len(plan) if args.loads else [1] * len(LOADS) + [len(LOADS)]
    folder, seen = tempfile.mkdtemp(prefix="candor-calm-"), []
    try:
        with Pair(folder) as pair:
            for names, share in zip(plan, shares):
                seen.append(phase(pair, names, args.minutes * 60 * share / sum(shares)))
                tell(seen[-1])
    finally:
        if args.keep:
            print("folder: " + folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if args.json:
        with open(args.json, "w") as f:
            json.dump(seen, f, indent=1)
    bad = sum(len(s["findings"]) for s in seen)
    print("%.1f minutes at ticks / %g: %d transitions to fail or unknown and other false alarms, %d to warn" % (
        sum(s["seconds"] for s in seen) / 60, TICKS, bad, sum(len(s["warns"]) for s in seen)))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
