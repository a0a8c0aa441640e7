"""Servers side by side for the benchmarks: Candor, Debian's rbldnsd and unbound, one CPU for the server, the other for dnsperf.

CPU time is the kernel's own accounting of the server's processes over the run, divided by the queries that dnsperf saw answered."""
import contextlib
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import psutil

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
from lib import ask  # noqa: E402
from lib.node import Node, free_port, until  # noqa: E402
from lib.rbldnsd import rbldnsd as debian_rbldnsd  # noqa: E402

SERVER_CPU, CLIENT_CPU = 0, 1 % os.cpu_count()
TICK = os.sysconf("SC_CLK_TCK")


def random_ip4(count, seed=1):
    rng = random.Random(seed)
    out = set()
    while len(out) < count:
        out.add(rng.randrange(1 << 24, 224 << 24))
    return sorted(out)


def dotted(n):
    return "%d.%d.%d.%d" % (n >> 24, n >> 16 & 255, n >> 8 & 255, n & 255)


def reverse(n):
    return "%d.%d.%d.%d" % (n & 255, n >> 8 & 255, n >> 16 & 255, n >> 24)


def write_list(path, addrs):
    with open(path, "w") as f:
        f.write(":127.0.0.2:$ is listed\n")
        f.writelines(dotted(a) + "\n" for a in addrs)
    return path


def write_queries(path, addrs, zone, count, hits, seed=2):
    rng, have = random.Random(seed), set(addrs)
    with open(path, "w") as f:
        for _ in range(count):
            a = rng.choice(addrs) if rng.random() < hits else rng.randrange(1 << 24, 224 << 24)
            while a in have and rng.random() >= hits:
                a = rng.randrange(1 << 24, 224 << 24)
            f.write("%s.%s A\n" % (reverse(a), zone))
    return path


class Cpu:
    """User and system seconds of processes and their children, those that ended meanwhile not counted."""

    def __init__(self, pids):
        self.pids = list(pids)

    def read(self):
        user = system = 0
        for pid in self.pids:
            with contextlib.suppress(OSError):
                fields = open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()
                user += int(fields[11])
                system += int(fields[12])
        return user / TICK, system / TICK


class Server:
    def __init__(self, name, address, pids):
        self.name, self.address, self.pids = name, address, pids

    def pin(self):
        for pid in self.pids:
            with contextlib.suppress(psutil.Error):
                p = psutil.Process(pid)
                for t in p.threads():
                    with contextlib.suppress(OSError):
                        os.sched_setaffinity(t.id, {SERVER_CPU})
        return self

    def rss(self):
        """Private memory in bytes (what the process would give back), and all that it has in memory."""
        private = total = 0
        for pid in self.pids:
            m = psutil.Process(pid).memory_full_info()
            private += m.uss
            total += m.pss
        return private, total


@contextlib.contextmanager
def rbldnsd(zone, kind, file):
    with debian_rbldnsd([(zone, kind, file)]) as (address, pid):
        yield Server("rbldnsd", address, [pid]).pin()


@contextlib.contextmanager
def unbound(folder, upstream):
    """A forwarding unbound with one thread and the settings that its documentation advises for speed."""
    port, conf = free_port(), os.path.join(str(folder), "unbound.conf")
    host, _, uport = upstream.partition("@")
    with open(conf, "w") as f:
        f.write("""server:
  username: "" \n  chroot: "" \n  directory: "%s" \n  pidfile: "" \n  use-syslog: no
  interface: 127.0.0.1@%d \n  do-not-query-localhost: no \n  num-threads: 1 \n  module-config: "iterator"
  msg-cache-size: 64m \n  rrset-cache-size: 128m \n  so-rcvbuf: 4m \n  minimal-responses: yes \n  do-daemonize: no
remote-control: \n  control-enable: no
forward-zone: \n  name: "." \n  forward-addr: %s@%s
""".replace("\\n ", "\n") % (folder, port, host, uport))
    p = subprocess.Popen([shutil.which("unbound") or "/usr/sbin/unbound", "-d", "-c", conf], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        s = Server("unbound", "127.0.0.1@%d" % port, [p.pid])
        until("unbound", lambda: ask.ask(s.address, ["example.com. A"], timeout_ms=500, sockets=1)[0].took_us >= 0, 30)
        yield s.pin()
    finally:
        p.terminate()
        p.wait()


@contextlib.contextmanager
def candor(folder, config):
    """A whole node; the CPU that counts is its worker's: the resolver's side of the bargain."""
    with Node(folder, config) as node:
        yield Server("candor", node.dns, [p.pid for p in node.workers()]).pin(), node


def dnsperf(server, queries, seconds, clients=16, outstanding=200):
    """One run: (queries answered, lost, queries a second)."""
    host, _, port = server.address.partition("@")
    out = subprocess.run(["taskset", "-c", str(CLIENT_CPU), "dnsperf", "-s", host, "-p", port, "-d", queries, "-l", str(seconds), "-c",
                          str(clients), "-q", str(outstanding), "-e"], capture_output=True, text=True, check=True).stdout
    done = int(re.search(r"Queries completed:\s+(\d+)", out).group(1))
    lost = int(re.search(r"Queries lost:\s+(\d+)", out).group(1))
    return done, lost, float(re.search(r"Queries per second:\s+([\d.]+)", out).group(1))


def side_by_side(servers, queries, reps, seconds):
    """Runs A B C A B C ...; per server a list of (user us, system us, lost, qps) per query."""
    rows = {s.name: [] for s in servers}
    for s in servers:
        dnsperf(s, queries, 1)
    for _ in range(reps):
        for s in servers:
            cpu = Cpu(s.pids)
            u0, k0 = cpu.read()
            done, lost, qps = dnsperf(s, queries, seconds)
            u1, k1 = cpu.read()
            rows[s.name].append(((u1 - u0) * 1e6 / done, (k1 - k0) * 1e6 / done, lost, qps))
    return rows


def spread(values, form="%.2f"):
    return "%s (%s-%s)" % tuple(form % v for v in (statistics.median(values), min(values), max(values)))


def table(rows, against):
    """Rows of a Markdown table; the ratio is taken run by run, so that the machine's mood cancels out."""
    base = [u + k for u, k, _, _ in rows[against]]
    out = ["| server | CPU us per query, user | system | all | against %s | lost | queries/s |" % against, "|---|---|---|---|---|---|---|"]
    for name, runs in rows.items():
        total = [u + k for u, k, _, _ in runs]
        out.append("| %s | %s | %s | %s | %s | %d | %s |" % (
            name, spread([r[0] for r in runs]), spread([r[1] for r in runs]), spread(total),
            spread([t / b for t, b in zip(total, base)]), sum(r[2] for r in runs), spread([r[3] for r in runs], "%.0f")))
    return "\n".join(out)


def machine():
    cpu = next((l.split(":", 1)[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "?")
    return "%s, %d CPUs, Linux %s, %s" % (cpu, os.cpu_count(), os.uname().release, time.strftime("%Y-%m-%d"))


def scratch():
    return tempfile.TemporaryDirectory(prefix="candor-bench-")
