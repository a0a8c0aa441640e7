"""What makes a machine slow, each a context of a pair of nodes (calm_pair.py)."""
import asyncio
import contextlib
import os
import struct
import subprocess
import sys
import threading
import time

import psutil

from calm_pair import running
from injections import Cgroup

HERE = os.path.dirname(os.path.abspath(__file__))
STALL_S, STALL_EVERY_S = 0.8, 4.0  # the whole node stands still so long, so often, as while pages come from swap
SLEW = 0.005                       # of a second each second: ten times what NTP may
REQUESTS = 1000
DNS_WINDOW = 200
LOADS = {}


def load(f):
    LOADS[f.__name__] = f
    return f


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
    return running(sys.executable, os.path.join(HERE, "calm.py"), "--pages", "%s:%d:%d" % (pair.nodes[0].host, pair.nodes[0].health_port, REQUESTS))


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
