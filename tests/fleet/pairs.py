#!/usr/bin/python3
"""Every link and process of the stage killed, stopped, cut or slowed, one by one and in pairs.

  pairs.py [--singles] [--pairs N] [--seed N] [--skip N] [--only TEXT] [--folder DIR] [--write docs/fleet.md] [--json FILE]

Each run: the faults begin together; whoever is left must say so within the row of the catalogue that it is (limits below, at
base ticks; CANDOR_TICKS divides them); nobody who is not part of it accuses somebody who is not; then all is mended, all is calm
again, and the ledger of every node, the stores of both monitors and the table of events are compared: the same, in order, once.

A pair may hide one fault from those who would tell of it: each fault names several who can, and at least one of them is always
left, the node's own page or a monitor. --pairs N draws N of all pairs (0: all). Wants root, CANDOR_BUILD. See stage.py, faults.py.
"""
import argparse
import contextlib
import itertools
import json
import random
import sys
import tempfile
import time

import requests

from faults import all_faults
from ledger import settled
from stage import HERE, MONITORS, TICKS, Stage
from story import calm

SLACK_S = 1 if TICKS == 1 else 3  # polls, TCP and the programs of others do not shrink with the ticks
MEND_S = 120
BEGIN, END = "<!-- pairs: written by tests/fleet/pairs.py -->", "<!-- pairs end -->"


class Result:
    def __init__(self, names):
        self.names, self.told, self.trouble, self.events, self.seconds = names, [], [], 0, 0.0

    def line(self):
        told = "; ".join("%s: %s" % (t["what"], "never" if t["s"] is None else "%.1f of %g s" % (t["s"], t["limit"])) for t in self.told)
        return "| %s | %s | %d | %s |" % (" + ".join(self.names), told or "(nothing to tell)", self.events, "; ".join(self.trouble) or "as it should be")


def accusations(stage, faults):
    """Who says of a node that is no part of it that it fails. Those that are part of it may be wrong."""
    involved = set().union(*(f.involved for f in faults))
    out = []
    for m in MONITORS:
        if m in involved or "*" in involved:
            continue
        with contextlib.suppress(requests.RequestException, ValueError, KeyError):
            checks = stage.nodes[m].get("/health/monitor", timeout=1).json()["checks"]
            for kind in ("node:report", "node:answers", "node:agree", "node:health"):
                out += ["%s says %s of %s: %s" % (m, kind, c["componentId"], c["output"][:80]) for c in checks[kind]
                        if c["status"] == "fail" and c["componentId"] not in involved]
    return out


def events(counts):
    return sum(n for (where, _), n in counts.items() if where == "SQL")


def run(stage, faults, before):
    """Begins them, waits until all is told that has a limit, mends, compares."""
    result = Result([f.name for f in faults])
    open_ = [(f, e) for f in faults for e in f.expects if not e.hidden(faults)]
    start = time.monotonic()
    for f in faults:
        f.begin(stage)
    limit = max([e.limit_s for _, e in open_], default=0)
    hold = max(10 / TICKS + 2, 0)
    accused = {}
    while time.monotonic() - start < hold or (open_ and time.monotonic() - start < 1.5 * limit + SLACK_S + 5):
        for f, e in list(open_):
            if e.told(stage, faults):
                s = time.monotonic() - start
                result.told.append({"what": e.what, "s": s, "limit": e.limit_s})
                open_.remove((f, e))
                if s > e.limit_s + SLACK_S:
                    result.trouble.append("late: " + e.what)
        for text in accusations(stage, faults):
            accused.setdefault(text.split(":")[0] + text.split(":")[1][:30], text)
        time.sleep(0.1)
    for _, e in open_:
        result.told.append({"what": e.what, "s": None, "limit": e.limit_s})
        result.trouble.append("never told: " + e.what)
    result.trouble += ["accused: " + t for t in accused.values()]
    for f in reversed(faults):
        f.end(stage)
    try:
        calm(stage, MEND_S / TICKS + 30)
        result.events = events(settled(stage, 60)) - before
    except AssertionError as e:
        result.trouble.append(" ".join(str(e).split())[:300])
    result.seconds = time.monotonic() - start
    return result


def write(path, text):
    with open(path, encoding="utf8") as f:
        whole = f.read()
    head, _, rest = whole.partition(BEGIN)
    _, _, tail = rest.partition(END)
    with open(path, "w", encoding="utf8") as f:
        f.write(head + BEGIN + "\n" + text + END + tail)


def in_words(results):
    """Single faults one by one; of pairs, which are many, the sums, and those that were not as they should be."""
    told = [t for r in results for t in r.told]
    shares = sorted(t["s"] / t["limit"] for t in told if t["s"] is not None) or [0]
    single = [r for r in results if len(r.names) == 1]
    bad = [r for r in results if len(r.names) > 1 and r.trouble]
    head = "| fault | told after, of its limit | events | else |\n|---|---|---|---|\n"
    return ("\nAt 1/%g of the intervals, limits divided likewise (and %g s more allowed for polls): %d single faults and %d pairs. %d times something had to be told: "
            "%d times it never was, at the median after %.0f %% of its limit, at most after %.0f %%. %d events were compared.\n\n%s%s\n%s" % (
                TICKS, SLACK_S, len(single), len(results) - len(single), len(told), sum(t["s"] is None for t in told), 100 * shares[len(shares) // 2],
                100 * shares[-1], sum(r.events for r in results), head, "".join(r.line() + "\n" for r in single),
                "Pairs that were not as they should be:\n\n%s%s\n" % (head, "".join(r.line() + "\n" for r in bad)) if bad else
                "All pairs were as they should be.\n\n"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--singles", action="store_true", help="none in pairs")
    parser.add_argument("--pairs", type=int, default=0, help="so many, drawn; 0: all")
    parser.add_argument("--only", default="")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--skip", type=int, default=0, help="leave out so many, which another run had")
    parser.add_argument("--folder")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin none after so long")
    parser.add_argument("--write")
    parser.add_argument("--json")
    args = parser.parse_args()
    known = [f for f in all_faults() if args.only in f.name]
    sets = [(f,) for f in known]
    if not args.singles:
        pairs = [p for p in itertools.combinations(known, 2) if p[0].where != p[1].where]
        random.Random(args.seed).shuffle(pairs)
        sets += pairs[:args.pairs or len(pairs)]
    sets = sets[args.skip:]
    results, begun = [], time.monotonic()
    with tempfile.TemporaryDirectory(prefix="candor-pairs-") as own, Stage(args.folder or own) as stage:
        calm(stage)
        count = events(settled(stage, 60))
        for faults in sets:
            if time.monotonic() - begun > args.minutes * 60:
                break
            results.append(run(stage, faults, count))
            count += results[-1].events
            print("%4.0f s %s" % (results[-1].seconds, results[-1].line()), flush=True)
    bad = [r for r in results if r.trouble]
    print("%d runs, %d not as they should be" % (len(results), len(bad)))
    if args.json:
        with open(args.json, "w") as f:
            json.dump([vars(r) for r in results], f, indent=1)
    if args.write:
        write(args.write if args.write.startswith("/") else HERE + "/../../" + args.write, in_words(results))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
