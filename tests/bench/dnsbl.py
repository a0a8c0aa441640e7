#!/usr/bin/python3
"""Blocklists beside Debian's rbldnsd: the same lists, the same questions, one machine, one run. `make bench-dnsbl` runs it.

    tests/bench/dnsbl.py [--quick] [--json] [--cases ip4set:1000000,dnset:1100000] [--reps N] [--seconds N]

Lists and questions are made by tests/bench/gen. Says on the standard output, as Markdown tables (or JSON): CPU time per query in
runs by turns; memory; size on disk; the time from the start, and from a kill -9, to the first right answer; the time from a
new list of 1,000 changes in its place to its first new answer, and the longest silence meanwhile; questions that were lost.
--quick: a million entries alone. The spread of every figure stands beside it: median (min-max)."""
import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import time

import peers

ZONE, QUESTIONS, HITS_PERCENT, CHANGES = "bl.test", 500000, 20, 1000
CASES = [("ip4set", 1000000), ("ip4trie", 1000000), ("dnset", 1100000), ("ip4set", 10000000), ("ip4trie", 10000000)]
WATCHED, PUBLISHED, FORKED = "file replaced", "file replaced and `candor publish`", "file replaced, rbldnsd -f"


class Lists:
    """Two versions of a list, CHANGES apart; questions; the name of an entry of both, and of one that only version n has."""

    def __init__(self, folder, kind, entries):
        what, ip = ("names", "n") if kind == "dnset" else ("list", "4")
        self.kind, self.entries = kind, entries
        self.file = [peers.generated(folder / ("list%d" % v), what, v * CHANGES // 2, entries) for v in (0, 1)]
        self.questions = peers.generated(folder / "questions", "ask" + ip, 0, entries, QUESTIONS, HITS_PERCENT, ZONE)
        self.both = peers.generated_name(ip, entries // 2, ZONE)
        self.only = [peers.generated_name(ip, CHANGES // 10, ZONE), peers.generated_name(ip, entries + CHANGES // 10, ZONE)]

    def size(self):
        return os.path.getsize(self.file[0])


class Figures:
    """Values by (what, server); a row of the table is printed in the order in which it first got one."""

    def __init__(self):
        self.rows = {}

    def add(self, what, server, value):
        self.rows.setdefault(what, {}).setdefault(server, []).append(value)

    @staticmethod
    def text(values):
        big = statistics.median(abs(v) for v in values) >= 100
        form = "%.0f" if big or all(v == int(v) for v in values) else "%.2f"
        middle = form % statistics.median(values)
        return middle if max(values) == min(values) else "%s (%s-%s)" % (middle, form % min(values), form % max(values))

    def table(self):
        out = ["| | rbldnsd | Candor | Candor : rbldnsd |", "|---|---|---|---|"]
        for what, by in self.rows.items():
            theirs, ours = by.get("rbldnsd"), by.get("candor")
            ratio = ""
            if theirs and ours and statistics.median(theirs) > 0:
                pairs = [o / t for o, t in zip(ours, theirs)] if "per query" in what else [statistics.median(ours) / statistics.median(theirs)]
                ratio = self.text([round(r, 3) for r in pairs])
            out.append("| %s | %s | %s | %s |" % (what, self.text(theirs) if theirs else "", self.text(ours) if ours else "", ratio))
        return "\n".join(out)


def say(text):
    print(time.strftime("%H:%M:%S ") + text, file=sys.stderr, flush=True)


def to_first_answer(address, name, start):
    """Milliseconds from calling `start` to the first answer that lists the name."""
    with peers.Probe(address, name) as p:
        time.sleep(0.05)
        at = time.monotonic()
        start()
        return (p.seen().first_listed - at) * 1000


def reload(figures, who, how, address, name, put):
    """`put()` brings a new list and says when it stood in its place; `name` is listed in the new one alone."""
    with peers.Probe(address, name, after_ms=500) as p:
        at = put(p.wait_answered())
        seen = p.seen()
    figures.add("reload, %s: to the first new answer, ms" % how, who, (seen.first_listed - at) * 1000)
    figures.add("reload, %s: longest silence, ms" % how, who, seen.silence * 1000)
    figures.add("reload, %s: questions lost, one asked each ms" % how, who, seen.sent - seen.answered)


def serving(figures, lists, theirs, ours, reps, seconds):
    """CPU by turns, both at their limit; then what gets lost at a steady rate that both should bear."""
    rows = peers.side_by_side([theirs, ours], lists.questions, reps, seconds)
    for server, runs in rows.items():
        for user, system, lost, rate in runs:
            figures.add("CPU us per query, user", server, user)
            figures.add("CPU us per query, system", server, system)
            figures.add("CPU us per query, all", server, user + system)
            figures.add("queries/s of one CPU, %d in flight" % 100, server, rate)
    rate = int(min(statistics.median(r[3] for r in runs) for runs in rows.values()) / 2)
    for server in (theirs, ours):
        for _ in range(3):
            run = peers.load(server, lists.questions, seconds, rate=rate)
            figures.add("lost at half the slower one's limit, %", server.name, 100 * run.lost / run.sent)
            figures.add("answered within at that rate, p99, us", server.name, run.p99)


def their_starts(figures, lists, theirs, reps):
    for _ in range(reps):
        theirs.kill()
        figures.add("start to the first right answer, ms", "rbldnsd", to_first_answer(theirs.address, lists.both, theirs.start))
    for i in range(reps):
        reload(figures, "rbldnsd", WATCHED, theirs.address, lists.only[(i + 1) % 2], lambda _, v=(i + 1) % 2: theirs.put(lists.file[v]))


def their_fork(figures, lists, reps):
    """The other way of reloading: a copy of the process answers meanwhile, at twice the memory."""
    with peers.Rbldnsd(lists.kind, lists.file[0], ["-f"]) as theirs:
        to_first_answer(theirs.address, lists.both, theirs.start)
        for i in range(reps):
            reload(figures, "rbldnsd", FORKED, theirs.address, lists.only[(i + 1) % 2], lambda _, v=(i + 1) % 2: theirs.put(lists.file[v]))


class Ours:
    """A node with one worker that watches one file."""

    def __init__(self, folder, lists):
        self.folder, self.lists, self.file = folder, lists, str(folder / "watched")
        shutil.copyfile(lists.file[0], self.file)
        config = {"resolver": {"workers": 1}, "health": peers.QUIET,
                  "rbl": {"zones": [{"name": ZONE + ".", "data": [{"type": lists.kind, "files": [self.file]}]}]}}
        self.node = peers.Node(folder / "node", config)

    def start(self):
        self.node.start(ready=False)

    def server(self):
        return peers.Server("candor", self.node.dns, [p.pid for p in self.node.workers()])

    def family(self):
        return [self.node.supervisor()] + self.node.supervisor().children(recursive=True)

    def kill_all(self):
        for p in self.family():
            with contextlib.suppress(peers.psutil.Error):
                p.kill()
        self.node.process.wait()

    def kill_resolver(self):
        parent = self.node.daemon("resolver")
        for p in [parent] + parent.children():
            with contextlib.suppress(peers.psutil.Error):
                p.send_signal(signal.SIGKILL)

    def put(self, file):
        shutil.copyfile(file, self.file + ".new")
        os.rename(self.file + ".new", self.file)
        return time.monotonic()

    def publish(self, file):
        at = self.put(file)
        self.node.candor("publish", ZONE)  # read now: the file is known to be whole
        return at

    def zone_bytes(self):
        return int(subprocess.run(["du", "-s", "-B1", self.node.folder + "/state/zones"], capture_output=True, text=True,
                                  check=True).stdout.split()[0])

    def settled(self):
        """The file that stands there is the one that is served, and nothing works on it any more."""
        self.node.wait_ready()
        sync = self.node.daemon("sync")
        before = -1.0
        for _ in range(200):
            now = sum(sync.cpu_times()[:2])
            if now - before < 0.02:
                return
            before = now
            time.sleep(0.5)


def our_starts(figures, lists, ours, reps):
    for _ in range(reps):
        ours.settled()
        with peers.Probe(ours.node.dns, lists.both, till_told=True) as probe:
            probe.wait_answered()
            ours.kill_resolver()
            time.sleep(1)
            figures.add("kill -9 of the server under its supervisor: silence, ms", "candor", probe.seen().silence * 1000)
    for _ in range(reps):
        ours.settled()
        ours.kill_all()
        figures.add("start to the first right answer, ms", "candor", to_first_answer(ours.node.dns, lists.both, ours.start))
    for i in range(reps):
        ours.settled()
        reload(figures, "candor", WATCHED, ours.node.dns, lists.only[(i + 1) % 2], lambda _, v=(i + 1) % 2: ours.put(lists.file[v]))
    for i in range(reps):
        ours.settled()
        v = (reps + i + 1) % 2
        reload(figures, "candor", PUBLISHED, ours.node.dns, lists.only[v], lambda _, v=v: ours.publish(lists.file[v]))


def memory(figures, lists, theirs, ours):
    family = peers.Server("node", "", [p.pid for p in ours.family()])
    for who, server, whole in (("rbldnsd", theirs, theirs), ("candor", ours.server(), family)):
        own, total = server.memory()
        figures.add("memory of the server, its own, bytes/entry", who, own / lists.entries)
        figures.add("memory of the server, mapped files too, bytes/entry", who, total / lists.entries)
        figures.add("memory of all processes, their own, MB", who, whole.memory()[0] / 1e6)


def case(kind, entries, reps, seconds):
    figures = Figures()
    slow = min(reps, 3) if entries > 2000000 else reps
    with peers.scratch() as d:
        folder = pathlib.Path(d)
        say("%s, %d entries: making lists" % (kind, entries))
        lists = Lists(folder, kind, entries)
        ours = Ours(folder, lists)
        with peers.Rbldnsd(kind, lists.file[0]) as theirs:
            say("first start")
            to_first_answer(theirs.address, lists.both, theirs.start)
            imported = to_first_answer(ours.node.dns, lists.both, ours.start)
            figures.add("first start, nothing stored yet, to the first right answer, ms", "candor", imported)
            try:
                ours.settled()
                say("serving")
                serving(figures, lists, theirs.server().pin(), ours.server().pin(), reps, seconds)
                memory(figures, lists, theirs.server(), ours)
                figures.add("on disk, bytes/entry (rbldnsd: its text file, that both read)", "rbldnsd", lists.size() / entries)
                figures.add("on disk, bytes/entry (rbldnsd: its text file, that both read)", "candor", ours.zone_bytes() / entries)
                theirs.server().unpin()
                ours.server().unpin()
                say("starts and reloads of rbldnsd")
                their_starts(figures, lists, theirs, slow)
                their_fork(figures, lists, slow)
                say("starts and reloads of Candor")
                our_starts(figures, lists, ours, slow)
            finally:
                ours.node.stop()
    return figures


def short(values):
    middle = statistics.median(values)
    return "%.0f" % middle if abs(middle) >= 100 or middle == int(middle) else "%.2g" % middle if abs(middle) < 10 else "%.1f" % middle


def summary(cases):
    """All cases side by side: medians, rbldnsd / Candor."""
    out = ["| rbldnsd / Candor | %s |" % " | ".join("%s %gM" % (c["type"], c["entries"] / 1e6) for c in cases), "|---" * (len(cases) + 1) + "|"]
    for what in cases[0]["figures"]:
        cells = []
        for c in cases:
            by = c["figures"].get(what, {})
            cells.append(" / ".join(short(by[s]) if s in by else "-" for s in ("rbldnsd", "candor")))
        out.append("| %s | %s |" % (what, " | ".join(cells)))
    return "\n".join(out)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--quick", action="store_true")
    p.add_argument("--json", action="store_true")
    p.add_argument("--cases")
    p.add_argument("--reps", type=int, default=5)
    p.add_argument("--seconds", type=int, default=2)
    a = p.parse_args()
    cases = [(c.split(":")[0], int(c.split(":")[1])) for c in a.cases.split(",")] if a.cases else \
        [c for c in CASES if not a.quick or c[1] < 2000000]
    head = "%s; %d runs of %d s by turns, medians (min-max)" % (peers.machine(), a.reps, a.seconds)
    out = []
    for kind, entries in cases:
        figures = case(kind, entries, a.reps, a.seconds)
        out.append({"type": kind, "entries": entries, "figures": figures.rows})
        if not a.json:
            if len(out) == 1:
                print(head)
            print("\n### %s, %s entries\n\n%s" % (kind, format(entries, ","), figures.table()), flush=True)
    if not a.json and len(out) > 1:
        print("\n### All of them, medians\n\n" + summary(out))
    if a.json:
        json.dump({"machine": head, "cases": out}, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
