#!/usr/bin/python3
"""The promise, as a property: freeze any thread or process of a node at any moment, and nothing shows green on old evidence.

    freeze.py [--freezes N] [--nodes N] [--seed N] [--healing N]

Nodes stand side by side, each with its own ports and short intervals. Of each, again and again, something is frozen: a
process (SIGSTOP), all its threads one by one, or one thread (ptrace: no signal, and locks that it holds stay held); for a
moment or for longer than evidence may be old. All the while every page is read, and each reading is held against two laws:

  - by the page's own word: what is green rests on evidence that was not older than three of its intervals when it was shown
  - by our knowledge: three intervals after the only thread of something froze, nothing that tells of it is green

A page that does not answer is not green. After each freeze everything must be green again. Without --nodes the nodes are
ten; the last --healing of them (3) have healing on, and what is frozen may then be replaced.
"""
import argparse
import collections
import datetime
import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "system"))

import psutil  # noqa: E402

from lib.node import Node, until  # noqa: E402
from lib.upstream import Upstream  # noqa: E402

INTERVAL_S = 1.0
AGES = 3              # VERDICT_AGE_INTERVALS
SLACK_S = 0.5         # between the end of evidence and the moment at which we read that
LIVE_S = 5.0          # LIVE_MAX_MS, which does not shrink with the intervals
PATIENCE_S = 1.0      # of one request
BACK_S = 60.0         # until all is green again
PAUSE_S = 0.08        # between two readings
RESTARTS_MAX = 2      # of a node with healing, then it is made anew: a third within ten minutes is a fault of its own
GREEN = ("pass", "warn")
SCOPES = ("process", "worker", "zones", "resolution", "upstream", "storage")
PATHS = ["/livez", "/readyz", "/health", "/metrics", "/"] + ["/health/" + s for s in SCOPES]
TOLD_BY = {  # what must not be green while its only thread stands still
    "worker": {"/livez", "/readyz", "/health", "/health/worker", "/metrics worker", "/"},
    "resolver": {"/livez", "/health", "/health/process", "/metrics process", "/"},
    "sync": {"/livez", "/health", "/health/process", "/metrics process", "/"},
    "supervisor": {"/livez", "/health", "/health/process", "/metrics process", "/"},
    "health": set(PATHS) - {"/metrics"} | {"/metrics " + s for s in SCOPES},
}


def build_path(*parts):
    from lib.ask import BUILD
    return os.path.join(BUILD, *parts)


def wall(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Reading:
    """One page, read: which of its names are green, and what of that rests on old evidence."""

    def __init__(self, node, path):
        self.path, self.green, self.old, self.status = path, set(), [], None
        self.mono, self.wall = time.monotonic(), time.time()
        try:
            c = http.client.HTTPConnection(node.host, node.health_port, timeout=PATIENCE_S)
            c.request("GET", path)
            r = c.getresponse()
            self.status, self.body = r.status, r.read().decode("utf8", "replace")
            c.close()
        except (OSError, http.client.HTTPException):
            return
        getattr(self, {"/metrics": "metrics", "/": "page"}.get(path, "document"))()

    def document(self):
        doc = json.loads(self.body)
        green = doc["status"] in GREEN
        if green != (self.status == 200):
            self.old.append("status %r with code %d" % (doc["status"], self.status))
        if green or self.status == 200:
            self.green.add(self.path)
        if not self.path.startswith("/health"):
            return
        for key, checks in doc.get("checks", {}).items():
            for c in checks:
                if c["status"] in GREEN and "intervalMs" in c:
                    self.age(key + " " + c["componentId"], wall(c["evidence"]["time"]), c["intervalMs"] / 1000)
                elif c["status"] in GREEN and c["evidence"]["asked"] != "configuration":
                    self.old.append("%s has no interval" % key)
        for name, scope in doc.get("scopes", {}).items():
            if green and scope["status"] not in GREEN:
                self.old.append("green, and its scope %s is %s" % (name, scope["status"]))

    def age(self, what, seen, interval_s):
        age = self.wall - seen
        if interval_s > 600 or age > AGES * interval_s + 0.05:
            self.old.append("%s is green on evidence of %.2f s ago, its interval is %g s" % (what, age, interval_s))

    def metrics(self):
        stale = re.search(r"^candor_health_stale (\d)", self.body, re.M)
        if stale is None:
            self.old.append("no candor_health_stale")
        for scope, value in re.findall(r'^candor_health_status\{scope="(\w+)"\} (\d)', self.body, re.M):
            if int(value) < 2:
                self.green.add("/metrics " + scope)
        if stale is not None and stale.group(1) == "1" and (self.green or "candor_probe_success" in self.body):
            self.old.append("stale, and says more than that")

    def page(self):
        banner = re.search(r'class="banner (\w+)"', self.body)
        if banner is None:
            self.old.append("no banner")
        elif banner.group(1) in GREEN:
            self.green.add("/")


class Frozen:
    """A thing that stands still: `kind`, `how`, and the threads in question."""

    def __init__(self, kind, how, pid, tids, only):
        self.kind, self.how, self.pid, self.tids, self.only, self.freezer = kind, how, pid, tids, only, None
        if how == "SIGSTOP":
            os.kill(pid, signal.SIGSTOP)
            self.standing = True
        else:
            self.freezer = subprocess.Popen([build_path("tests", "faults", "freezer"), *map(str, tids)], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            self.standing = self.freezer.stdout.readline().strip() == "frozen %d" % len(tids)
        self.since = time.monotonic()

    def there(self):
        """Whether it is still what was frozen: not replaced, not dead."""
        try:
            for tid in self.tids:
                with open("/proc/%d/task/%d/stat" % (self.pid, tid)) as f:
                    if f.read().rpartition(")")[2].split()[0] not in "tT":
                        return False
            return True
        except OSError:
            return False

    def thaw(self):
        if self.freezer is not None:
            self.freezer.stdin.close()
            self.freezer.wait(10)
            self.freezer.stdout.close()
        else:
            try:
                os.kill(self.pid, signal.SIGCONT)
            except ProcessLookupError:
                pass

    def forbids(self, name, at):
        """Whether this name may not be green any more at that time."""
        if not self.only or not self.standing or name not in TOLD_BY[self.kind]:
            return False
        return at - self.since > (LIVE_S if name == "/livez" else AGES * INTERVAL_S) + SLACK_S


class Victim:
    """One node and everything in it that can be frozen."""

    def __init__(self, folder, upstream, number, healing):
        self.folder, self.upstream, self.number, self.healing, self.lives = folder, upstream, number, healing, 0
        self.node = None

    def config(self):
        path = os.path.join(self.folder, "list")
        with open(path, "w") as f:
            f.write("127.0.0.2\n192.0.2.1\n")
        ms = "%dms" % (INTERVAL_S * 1000)
        return {"node": {"name": "node%d" % self.number},
                "resolver": {"workers": 2, "forward": [{"zone": ".", "to": [self.upstream.address]}]},
                "rbl": {"zones": [{"name": "bl.test.", "test": "rfc5782-ip4", "data": [{"type": "ip4set", "files": [path]}]}]},
                "health": {"interval": {"local": ms, "upstream": ms, "zones": ms}, "heal": {"restart-hung": self.healing},
                           "canary": {"cached": "example.com.", "uncached-under": "example.com.", "nxdomain-under": "com."}}}

    def renew(self):
        self.close()
        self.lives += 1
        self.node = Node(os.path.join(self.folder, "life%d" % self.lives), self.config())
        self.node.start()
        self.starts = self.pids()
        self.wait_green()

    def close(self):
        if self.node is not None:
            self.node.stop()
            self.node = None

    def pids(self):
        root = self.node.supervisor()
        return {p.pid for p in [root] + root.children(recursive=True)}

    def processes(self):
        """[(kind, pid)]: the supervisor, candor-sync, candor-health, the resolver's parent and its workers."""
        found = [("supervisor", self.node.process.pid)]
        for kind in ("sync", "health", "resolver"):
            for p in self.node.children("candor-" + kind):
                parent = p.parent()
                found.append(("worker" if parent is not None and parent.name() == p.name() else kind, p.pid))
        return found

    def freeze(self, rng):
        """Every process is as likely as any other; of its threads, any."""
        kind, pid = rng.choice(self.processes())
        tids = sorted(int(t) for t in os.listdir("/proc/%d/task" % pid))
        how = rng.choice(("SIGSTOP", "one by one", "thread", "thread"))
        if how == "thread" and len(tids) > 1:
            tid = rng.choice([tids[0], rng.choice(tids[1:])])
            if tid != tids[0]:
                with open("/proc/%d/task/%d/comm" % (pid, tid)) as f:
                    return Frozen(kind, "thread beside the loop (%s)" % f.read().strip(), pid, [tid], False)
            return Frozen(kind, "loop thread", pid, [tid], True)
        if how == "thread":
            how = "loop thread"
        if how == "one by one":
            rng.shuffle(tids)
        return Frozen(kind, how, pid, tids, True)

    def all_green(self):
        looks = [Reading(self.node, p) for p in ("/livez", "/readyz", "/health")]
        return all(r.path in r.green for r in looks)

    def wait_green(self):
        start = time.monotonic()
        until("node %d is green" % self.number, self.all_green, BACK_S, 0.1)
        return time.monotonic() - start


class Results:
    def __init__(self):
        self.lock, self.rows, self.broken, self.done = threading.Lock(), collections.defaultdict(collections.Counter), [], 0

    def add(self, frozen, counts, broken):
        with self.lock:
            self.done += 1
            row = self.rows[frozen.kind, frozen.how]
            row.update(counts)
            row["freezes"] += 1
            row["slowest"] = max(row["slowest"], counts.get("back", 0))
            self.broken += broken
            for b in broken:
                print("BROKEN: %s" % b, flush=True)

    def table(self):
        lines = ["| frozen | how | freezes | pages read | not green | past three intervals, forbidden and not green | green on old evidence | slowest back, s |",
                 "|---|---|---|---|---|---|---|---|"]
        total = collections.Counter()
        for (kind, how), r in sorted(self.rows.items()):
            lines.append("| %s | %s | %d | %d | %d | %d | %d | %.1f |" % (kind, how, r["freezes"], r["read"], r["red"], r["held"], r["broken"], r["slowest"]))
            total.update({k: r[k] for k in ("freezes", "read", "red", "held", "broken")})
            total["slowest"] = max(total["slowest"], r["slowest"])
        lines.append("| **all** | | %d | %d | %d | %d | %d | %.1f |" % tuple(total[k] for k in ("freezes", "read", "red", "held", "broken", "slowest")))
        return "\n".join(lines)


def watch(victim, frozen, until_s, counts, broken):
    """Reads every page in turn until the time is up."""
    turn = 0
    while time.monotonic() < until_s:
        before = frozen.there()
        r = Reading(victim.node, PATHS[turn % len(PATHS)])
        still = before and frozen.there()
        judge(victim, frozen, r, still, counts, broken)
        turn += 1
        time.sleep(PAUSE_S)


def judge(victim, frozen, r, still, counts, broken):
    counts["read"] += 1
    counts["red"] += not r.green
    where = "node %d, %s %s (%s), frozen for %.2f s, %s" % (victim.number, frozen.kind, frozen.how, frozen.pid, r.mono - frozen.since, r.path)
    for words in r.old:
        counts["broken"] += 1
        broken.append("%s: %s" % (where, words))
    names = [n for n in TOLD_BY[frozen.kind] if n.split(" ")[0] == r.path]
    for name in names:
        if still and frozen.forbids(name, r.mono):
            if name in r.green:
                counts["broken"] += 1
                broken.append("%s: %s is green" % (where, name))
            else:
                counts["held"] += 1


def one(victim, rng, results):
    time.sleep(rng.random() * INTERVAL_S)
    before = victim.pids()
    frozen = victim.freeze(rng)
    counts, broken = collections.Counter(), []
    lasts = rng.uniform(0.1, 2 * INTERVAL_S) if rng.random() < 0.3 else rng.uniform(AGES * INTERVAL_S + 1, LIVE_S + 3)
    try:
        watch(victim, frozen, frozen.since + lasts, counts, broken)
    finally:
        frozen.thaw()
    try:
        counts["back"] = victim.wait_green()
    except AssertionError as e:
        counts["broken"] += 1
        broken.append("node %d, %s %s: %s\n%s" % (victim.number, frozen.kind, frozen.how, e, victim.node.get("/health").text[:4000]))
    results.add(frozen, counts, broken)
    victim.restarts = getattr(victim, "restarts", 0) + (victim.pids() != before)
    if broken or victim.restarts >= RESTARTS_MAX:
        victim.restarts = 0
        victim.renew()


def life(victim, rng, share, results):
    try:
        victim.renew()
        for _ in range(share):
            one(victim, rng, results)
    except Exception as e:  # whatever ends a node's life is a result, too
        with results.lock:
            results.broken.append("node %d: %s: %s" % (victim.number, type(e).__name__, e))
            print("BROKEN: %s" % results.broken[-1], flush=True)
    finally:
        victim.close()


def run(folder, freezes, nodes, healing, seed):
    """Results of `freezes` freezes over `nodes` nodes side by side."""
    results, rng, threads = Results(), random.Random(seed), []
    with Upstream() as upstream:
        for i in range(nodes):
            place = os.path.join(folder, "node%d" % i)
            os.makedirs(place)
            v = Victim(place, upstream, i, i >= nodes - healing)
            share = freezes // nodes + (i < freezes % nodes)
            threads.append(threading.Thread(target=life, args=(v, random.Random(rng.random()), share, results)))
            threads[-1].start()
        for t in threads:
            t.join()
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--freezes", type=int, default=1000)
    parser.add_argument("--nodes", type=int, default=10)
    parser.add_argument("--healing", type=int, default=3)
    parser.add_argument("--seed", type=int, default=None)
    a = parser.parse_args()
    seed = a.seed if a.seed is not None else random.randrange(1 << 30)
    print("seed %d" % seed, flush=True)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="candor-freeze-") as folder:
        results = run(folder, a.freezes, a.nodes, a.healing, seed)
    print(results.table())
    print("%d freezes in %.0f s, %d broken" % (results.done, time.monotonic() - start, len(results.broken)))
    return 1 if results.broken or results.done < a.freezes else 0


if __name__ == "__main__":
    sys.exit(main())
