#!/usr/bin/python3
"""From node to node, Candor beside BIND, Knot, NSD and rsync + rbldnsd: how long until a change is served, and what it costs.

  CANDOR_BUILD=build tests/bench/sync.py [--quick] [--rows ROW,...] [--kinds KIND,...] [--samples N] [--sizes N,N] [--json]

Rows (all contestants of a row in one run, one after another, each in namespaces of its own; root is needed):

  star      ten secondaries of one primary, all local: one signed UPDATE sent -> served by all ten, 94k entries
  lossy     the same with 50 ms one way and 1 % loss each way
  tree      the same ten secondaries, three of them hubs with the others below: all local, and (treelossy) with delay and loss
  chain     four nodes in a line: one UPDATE -> served at the last
  first     an empty secondary is started -> it serves a list of --sizes addresses: seconds, octets, memory, CPU
  version   a 1M list of which 40,000 entries are others: file given -> served at the secondary
  catchup   the secondary was away for a day of 4 % churn: started again (BIND and Knot told to refresh) -> it serves the new version

When something is served is seen by tests/bench/served: questions by UDP from inside of each node's namespace, each 0.8 ms
while an update is on its way and none otherwise. The servers are tuned as lib/servers.py says. Delays and loss are made by
tests/system/relay; the rows about bulk run over veth and a bridge, octets are those of the secondary's interface.
"""
import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import dns.rcode

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import peers  # noqa: E402
from lib import ask, lists, makes, servers  # noqa: E402
from lib.lab import Lab  # noqa: E402
from lib.node import until  # noqa: E402

ZONE = "bl.test."
PERIOD_US = 800
TOOLS = os.path.join(ask.BUILD, "tests", "bench")
TICK = os.sysconf("SC_CLK_TCK")


def gen(path, *args):
    return peers.generated(path, *args)


def name_of(index):
    return subprocess.run([os.path.join(TOOLS, "gen"), "zone", str(index), "1", "1"], capture_output=True, text=True,
                          check=True).stdout.splitlines()[-1].split()[0] + "." + ZONE


class Served:
    """tests/bench/served: the first place takes messages, the others are asked."""

    def __init__(self, first, others):
        at = lambda s, a: "/run/netns/%s,%s,%d" % (s.place.ns.name, *a)
        argv = [os.path.join(TOOLS, "served"), str(PERIOD_US), at(first, first.at())] + [at(s, s.dns_at()) for s in others]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def begin(self, name, within_s, message=b"", rdtype=1):
        self.process.stdin.write("ask %s %d %d %s\n" % (name, rdtype, within_s * 1000, message.hex()))
        self.process.stdin.flush()

    def end(self):
        """(ms of the acknowledgement, rcode, [ms of each place or None])"""
        ack, rcode, *rest = map(int, self.process.stdout.readline().split())
        return ack / 1e3, rcode, [None if t < 0 else t / 1e3 for t in rest]

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()


class Usage:
    """Peak memory and CPU time of a server's processes, looked at every 20 ms."""

    def __init__(self, server):
        self.server, self.rss, self.own, self.stop = server, 0, 0, threading.Event()
        self.cpu0 = self.cpu()

    def cpu(self):
        total = 0
        for pid in self.server.pids():
            with contextlib.suppress(OSError):
                f = open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()
                total += int(f[11]) + int(f[12]) + int(f[13]) + int(f[14])  # with children that ended
        return total / TICK

    def look(self):
        pids, n = self.server.pids(), 0
        while not self.stop.wait(0.02):
            n += 1
            if n % 10 == 0 or not pids:
                pids = self.server.pids()
            rss = own = 0
            for pid in pids:
                with contextlib.suppress(OSError):
                    for line in open("/proc/%d/status" % pid):
                        rss += int(line.split()[1]) if line.startswith("VmRSS") else 0
                        own += int(line.split()[1]) if line.startswith("RssAnon") else 0
            self.rss, self.own = max(self.rss, rss), max(self.own, own)

    def __enter__(self):
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.stop.set()
        self.thread.join()
        self.seconds = self.cpu() - self.cpu0


class Rsync(servers.Server):
    """A file by `rsync -z` from a daemon, and rbldnsd that serves it; the primary is the rsync daemon."""
    name = "rsync"

    def __init__(self, place, zones=(), **kw):
        super().__init__(place, zones, **kw)
        self.rbldnsd = None

    @property
    def secondary(self):
        return bool(self.zones[0].primaries)

    def configure(self):
        self.write("rsyncd.conf", "uid=0\ngid=0\nuse chroot=no\n[lists]\npath=%s\nread only=yes\n" % self.folder)

    def argv(self):
        return ["rsync", "--daemon", "--no-detach", "--address=" + self.place.address, "--config=" + self.path("rsyncd.conf")]

    def fetch(self):
        """rsync -z, then a start of rbldnsd or its signal."""
        self.place.ns.run("rsync", "-z", "rsync://%s/lists/list" % self.zones[0].primaries[0][0], self.path("copy"))
        os.chmod(self.path("copy"), 0o644)
        if self.process is None:
            self.spawn(["/usr/sbin/rbldnsd", "-n", "-u", "daemon", "-c", "0", "-b", self.place.address + "/53", "-w", self.folder,
                        ZONE.rstrip(".") + ":ip4set:copy"])
        else:
            self.process.send_signal(1)

    def start(self):
        self.configure()
        if self.secondary:
            self.fetch()
        else:
            self.spawn(self.argv())
        return self


class Contestant:
    """How one system is set up at the primary and the secondaries, and how a new version is given to it."""

    def __init__(self, title, primary, secondary=None):
        self.title, self.primary, self.secondary = title, primary, secondary or primary
        self.rbldnsd_files = primary in (servers.Candor, Rsync)

    def data(self, server_kind, path_list, path_zone):
        return {"data": [{"type": "ip4set", "files": [path_list]}]} if server_kind is servers.Candor else {"file": path_zone}


CONTESTANTS = {
    "candor": Contestant("Candor", servers.Candor),
    "named": Contestant("BIND", makes.Bind),
    "named-nsd": Contestant("BIND -> NSD", makes.Bind, makes.Nsd),
    "knot": Contestant("Knot", makes.Knot),
    "rsync": Contestant("rsync -z + rbldnsd", Rsync),
}
UPDATES = ("candor", "named", "named-nsd", "knot")
BULK = ("candor", "named", "knot", "rsync")


def real_list(folder):
    """The real list of 94k addresses, as rbldnsd and as master file."""
    entries = lists.attackers("day")[0]
    a, b = os.path.join(folder, "real.list"), os.path.join(folder, "real.zone")
    if not os.path.exists(b):
        with open(a, "w") as f:
            f.write("$SOA 3600 ns.bl.test hostmaster.bl.test 0 3600 600 86400 300\n$NS 3600 ns.invalid\n:127.0.0.2:\n")
            f.writelines(e + "\n" for e in entries)
        with open(b, "w") as f:
            f.write("$TTL 2100\n@ SOA ns.bl.test. hostmaster.bl.test. 1 3600 600 86400 300\n@ NS ns.invalid.\n")
            f.writelines(lists.reverse4(e) + " A 127.0.0.2\n" for e in entries)
    return a, b, lists.reverse4(entries[-1]) + "." + ZONE


def at(lab, index, kind):
    return (lab.nodes[index].address, kind.port)


def publish_first(c, server, path):
    """Contents of a Candor zone that takes UPDATE come by its command."""
    if isinstance(server, servers.Candor):
        server.candor("publish", ZONE, path)


def tree(c, lab, parents, folder):
    """Servers of nodes 0..n, parents[i] being the parent of node i (None: the primary); all serve when it returns."""
    list_path, zone_path, member = real_list(folder)
    out = []
    for i, parent in enumerate(parents):
        kind = c.primary if parent is None else c.secondary
        z = servers.Zone(ZONE, secondaries=[at(lab, k, c.secondary) for k, p in enumerate(parents) if p == i])
        if parent is None:
            z.update = True
            if kind is servers.Candor:
                z.data = [{"type": "ip4set", "files": [list_path]}]
            else:
                z.file = shutil.copy(zone_path, lab.nodes[i].folder)
        else:
            z.primaries = [out[parent].at()]
        out.append(lab.run(kind, i, zones=[z]))
        until("%s node %d serves" % (c.title, i), lambda: out[-1].has(member), 120, 0.05)
    return out


def updates(c, parents, folder, samples, last_only=False, **path):
    """[(ms acknowledged, [ms served of each])] of `samples` updates, one after another."""
    out, rng = [], random.Random(4)
    with Lab(os.path.join(folder, "lab"), len(parents)) as lab:
        nodes = tree(c, lab, parents, folder)
        time.sleep(2)
        if path:
            lab.path("*", "*", **path)
            time.sleep(1)
        seen = nodes[-1:] if last_only else nodes[1:]
        with Served(nodes[0], seen) as served:
            for i in range(samples + 3):
                label = "%d.%d.0.225" % (i % 250, i // 250)
                name = "%s.%s" % (label, ZONE)
                served.begin(name, 60, nodes[0].update_message(ZONE, add=[(name, 2100, "A", "127.0.0.2")]))
                ack, rcode, times = served.end()
                assert rcode == 0, "UPDATE: %s" % dns.rcode.to_text(max(rcode, 0))
                if i >= 3:  # the first ones warm up
                    out.append((ack, times))
                time.sleep(0.05 + rng.random() * 0.1)
    return out


def percentile(values, p):
    v = sorted(values)
    return v[min(len(v) - 1, int(len(v) * p / 100))]


def update_row(results):
    """Of all nodes together, and of the last of them; what was not served within a minute counts as a minute."""
    fill = lambda t: 60000 if t is None else t
    each = [fill(t) for _, times in results for t in times]
    last = [max(map(fill, times)) for _, times in results]
    acks = [a for a, _ in results]
    never = sum(t is None for _, times in results for t in times)
    return {"samples": len(results), "ack_p50": percentile(acks, 50), "all_p50": percentile(last, 50), "all_p99": percentile(last, 99),
            "all_max": max(last), "each_p50": percentile(each, 50), "each_p99": percentile(each, 99), "min": min(last), "never": never}


def star(c, o):
    return update_row(updates(c, [None] + [0] * 10, o.folder, o.samples))


def lossy(c, o):
    return update_row(updates(c, [None] + [0] * 10, o.folder, max(20, o.samples // 2), delay_ms=50, loss=0.01))


HUBS = [None, 0, 0, 0] + [1, 1, 2, 2, 3, 3, 3]


def tree_of_two(c, o):
    return update_row(updates(c, HUBS, o.folder, o.samples))


def tree_lossy(c, o):
    return update_row(updates(c, HUBS, o.folder, max(20, o.samples // 2), delay_ms=50, loss=0.01))


def chain(c, o):
    return update_row(updates(c, [None, 0, 1, 2], o.folder, o.samples, last_only=True))


def bulk_files(o, start, count, serial):
    a, b = (os.path.join(o.folder, "%s.%d.%d" % (k, start, count)) for k in ("list", "zone"))
    if not os.path.exists(a):
        gen(a, "ips", start, count)
        gen(b, "zone", start, count, serial)
    return a, b


def bulk_pair(c, lab, o, start, count):
    """The primary with its list, served; the secondary not yet started."""
    list_path, zone_path = bulk_files(o, start, count, 1)
    to = [at(lab, 1, c.secondary)]
    own = shutil.copy(list_path if c.rbldnsd_files else zone_path, os.path.join(lab.nodes[0].folder, "list"))
    z = servers.Zone(ZONE, secondaries=to)
    if c.primary is servers.Candor:
        z.options = {"limits": {"entries": "100M"}}
        z.data = [{"type": "ip4set", "files": [own]}]
    else:
        z.file = own
    p = lab.run(c.primary, 0, zones=[z])
    if c.primary is not Rsync:
        until("the primary serves", lambda: p.has(name_of(start + count - 1)), 600, 0.2)
    s = lab.run(c.secondary, 1, start=False, zones=[servers.Zone(ZONE, primaries=[p.at()])])
    time.sleep(2)  # whatever a server does after its start
    return p, s


def measured(lab, p, s, name, action, within_s=600):
    """Seconds from the beginning of `action` until the secondary has `name`, octets that it got and sent, memory, CPU."""
    before = lab.nodes[1].octets()
    with Served(p, [s]) as served, Usage(p) as up, Usage(s) as us:
        served.begin(name, within_s)
        action()
        _, _, (ms,) = served.end()
        after = lab.nodes[1].octets()
        time.sleep(0.1)
    assert ms is not None, "not served within %d s" % within_s
    return {"s": ms / 1e3, "got_mb": (after[0] - before[0]) / 1e6, "sent_mb": (after[1] - before[1]) / 1e6,
            "rss_mb": us.rss / 1e3, "own_mb": us.own / 1e3, "cpu_primary": up.seconds, "cpu_secondary": us.seconds}


def give(c, o, p, s, start, count, serial):
    """A new version for the primary, as its administrator would: file in place, then the command."""
    list_path, zone_path = bulk_files(o, start, count, serial)
    own = p.path("list")
    shutil.copy(list_path if c.rbldnsd_files else zone_path, own + ".new")

    def go(secondary=True):
        os.rename(own + ".new", own)
        if c.primary is servers.Candor:
            p.candor("publish", ZONE, timeout=600)
        elif c.primary is not Rsync:
            p.reload(ZONE)
        elif secondary:
            s.fetch()
    return go


def first(c, o, count):
    with Lab(os.path.join(o.folder, "lab"), 2, wire="bridge") as lab:
        p, s = bulk_pair(c, lab, o, 0, count)
        return measured(lab, p, s, name_of(count - 1), s.start)


def version(c, o, count=1000000, changes=20000):
    with Lab(os.path.join(o.folder, "lab"), 2, wire="bridge") as lab:
        p, s = bulk_pair(c, lab, o, 0, count)
        s.start()
        until("the secondary serves", lambda: s.has(name_of(count - 1)), 600, 0.1)
        time.sleep(3)
        return measured(lab, p, s, name_of(count + changes - 1), give(c, o, p, s, changes, count, 2))


def refreshed(s):
    with contextlib.suppress(subprocess.SubprocessError):
        s.refresh(ZONE)
        return True
    return False


def back(s):
    """The secondary is started; one that would wait for its timer is told to ask, as soon as it hears."""
    s.start()
    if hasattr(s, "refresh"):
        until("the secondary takes commands", lambda: refreshed(s), 300, 0.02)


def catchup(c, o, count):
    changes = count * 4 // 100
    with Lab(os.path.join(o.folder, "lab"), 2, wire="bridge") as lab:
        p, s = bulk_pair(c, lab, o, 0, count)
        s.start()
        until("the secondary serves", lambda: s.has(name_of(count - 1)), 900, 0.2)
        time.sleep(3)
        s.stop()
        give(c, o, p, s, changes, count, 2)(secondary=False)
        if c.primary is not Rsync:
            until("the primary serves the new one", lambda: p.has(name_of(count + changes - 1)), 900, 0.2)
        time.sleep(3)
        return measured(lab, p, s, name_of(count + changes - 1), lambda: back(s), 900)


def say_updates(title, c, r):
    print("| %s | %s | %.1f | %.1f | %.1f | %.1f | %.1f | %.1f | %d%s |" % (
        title, c.title, r["ack_p50"], r["all_p50"], r["all_p99"], r["all_max"], r["each_p50"], r["each_p99"], r["samples"],
        ", %d never" % r["never"] if r["never"] else ""), flush=True)


def say_bulk(title, c, runs):
    f = lambda k, form: peers.spread([r[k] for r in runs], form)
    print("| %s | %s | %s | %s | %s | %s | %s / %s |" % (title, c.title, f("s", "%.2f"), f("got_mb", "%.2f"), f("own_mb", "%.0f"),
                                                     f("rss_mb", "%.0f"), f("cpu_primary", "%.2f"), f("cpu_secondary", "%.2f")), flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--quick", action="store_true", help="20 updates, 1M entries alone, one run each")
    p.add_argument("--rows", default="star,lossy,tree,treelossy,chain,first,version,catchup")
    p.add_argument("--kinds", default=",".join(CONTESTANTS))
    p.add_argument("--samples", type=int, default=100)
    p.add_argument("--sizes", default="1000000,10000000")
    p.add_argument("--reps", type=int, default=3, help="runs of the bulk rows at one million; one at more")
    p.add_argument("--json", action="store_true")
    o = p.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends the lab, too
    if o.quick:
        o.samples, o.sizes, o.reps = 20, "1000000", 1
    sizes, rows, kinds = [int(s) for s in o.sizes.split(",")], o.rows.split(","), o.kinds.split(",")
    print("load average at the start %.1f %.1f %.1f" % os.getloadavg())
    everything = {}
    with tempfile.TemporaryDirectory(prefix="candor-sync-", dir=os.environ.get("TMPDIR")) as o.folder:
        os.chmod(o.folder, 0o755)

        def run(row, title, kind, function, reps, say):
            c, out = CONTESTANTS[kind], []
            try:
                for _ in range(reps):
                    out.append(function(c))
                    shutil.rmtree(os.path.join(o.folder, "lab"), ignore_errors=True)
            except (AssertionError, OSError, subprocess.SubprocessError) as e:
                print("| %s | %s | did not: %s |" % (title, c.title, " ".join(str(e).split())[:200]), flush=True)
                shutil.rmtree(os.path.join(o.folder, "lab"), ignore_errors=True)
            if out:
                everything["%s %s" % (title, kind)] = out
                say(title, c, out)

        alone = (("star", star), ("lossy", lossy), ("tree", tree_of_two), ("treelossy", tree_lossy), ("chain", chain))
        if {row for row, _ in alone} & set(rows):
            print("| what, ms | | acknowledged p50 | served by all p50 | p99 | max | each node p50 | p99 | updates |\n" + "|---" * 9 + "|")
        for row, f in alone:
            for k in UPDATES:
                if row in rows and k in kinds:
                    run(row, row, k, lambda c, f=f: f(c, o), 1, lambda t, c, out: say_updates(t, c, out[0]))
        if {"first", "version", "catchup"} & set(rows):
            print("| what | | s | MB received | memory of its own, MB | with files | CPU s, primary / secondary |\n" + "|---" * 7 + "|")
        for size in sizes:
            reps = o.reps if size <= 1000000 else 1
            for row, f in (("first", lambda c: first(c, o, size)), ("version", lambda c: version(c, o)), ("catchup", lambda c: catchup(c, o, size))):
                for k in BULK:
                    if row in rows and k in kinds and (row != "version" or size == sizes[0]):
                        run(row, "%s %dM" % (row, size // 1000000), k, f, reps, say_bulk)
    print("load average at the end %.1f %.1f %.1f" % os.getloadavg())
    if o.json:
        print(json.dumps(everything))


if __name__ == "__main__":
    main()
