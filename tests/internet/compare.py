#!/usr/bin/python3
"""Candor, unbound and kresd on the same small internet: the same questions, and where the answers differ (root).

    tests/internet/compare.py [--names N] [--seed N] [--resolvers candor,unbound,kresd] [--delay MS] [--loss SHARE] [--report FILE]

Ends with 1 when an answer of Candor differs from what both peers say, is poisoned, or nothing came where they have an answer.
"""
import argparse
import collections
import concurrent.futures
import os
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "system")]

import plan  # noqa: E402
import resolvers  # noqa: E402
import world  # noqa: E402

Run = collections.namedtuple("Run", "name answers seconds cpu packets")


def content(answer):
    """What is compared: the rcode, and the records without TTLs (which depend on the moment). A failure has no content, and
    it is one whether it is said or not; those that are not said are counted apart."""
    if answer.rcode not in ("NOERROR", "NXDOMAIN"):
        return ("failure", ())
    return (answer.rcode, tuple(sorted(strip_ttl(answer.answers))))


def strip_ttl(records):
    return [" ".join([r.split(" ", 2)[0], r.split(" ", 2)[2].lower()]) for r in records]


def good(c):
    return c[0] != "failure"


def asked(resolver, questions, window):
    """Answers by question; long ones over TCP, as a client does whose answer was cut; what failed once more, slowly."""
    words = ["%s %s" % (q.name, q.type) for q in questions]
    out = {a.question: a for a in resolver.ask(words, window=window)}
    cut = [w for w in words if "T" in out[w].flags]
    if cut:
        out.update({a.question: a for a in resolver.ask(cut, tcp=True, window=min(50, window), sockets=8)})
    failed = [w for w in words if not good(content(out[w]))]
    if failed:
        time.sleep(3)
        out.update({a.question: a for a in resolver.ask(failed, window=min(50, window)) if "T" not in a.flags})
    return out


def run_one(w, number, name, questions, window, hints, config):
    place = w.place(number)
    with resolvers.start(name, place.folder, hints, prefix=place.ns.prefix, config=config, cache_mb=256) as r:
        before, (u0, s0), t0 = w.sent(number), r.cpu(), time.monotonic()
        answers = asked(r, questions, window)
        u1, s1 = r.cpu()
        return Run(name, answers, time.monotonic() - t0, u1 - u0 + s1 - s0, w.sent(number) - before)


def classes(runs, questions):
    """{class: [(question, {resolver: content})]}; the first run is the one that is judged."""
    first, out = runs[0], collections.defaultdict(list)
    for q in questions:
        word = "%s %s" % (q.name, q.type)
        said = {r.name: content(r.answers[word]) for r in runs}
        mine, others = said[first.name], [said[r.name] for r in runs[1:]]
        if any("A " + plan.FALSE_A in c[1] for c in said.values()):
            for n, c in said.items():
                if "A " + plan.FALSE_A in c[1]:
                    out["poisoned: " + n].append((q, said))
        elif all(o == mine for o in others):
            out["same"].append((q, said))
        elif others and all(o == others[0] for o in others):
            out["%s alone differs%s" % (first.name, "" if good(mine) else ": no answer" if good(others[0]) else "")].append((q, said))
        elif mine in others:
            apart = [r.name for r in runs[1:] if said[r.name] != mine]
            out["%s differs" % ", ".join(apart) + (": no answer" if not any(good(said[n]) for n in apart) else "")].append((q, said))
        else:
            out["all differ"].append((q, said))
    return out


def bad(found, name):
    return [k for k in found if k.startswith((name + " alone", "all differ", "poisoned: " + name))]


def report(runs, found, out):
    total = sum(map(len, found.values()))
    print("%d questions" % total, file=out)
    for r in runs:
        print("  %-14s %6.1f s, %5.1f s CPU, %d packets upstream (%.2f a question), %d failures, %d of them silent" % (
            r.name, r.seconds, r.cpu, r.packets, r.packets / max(1, total), sum(not good(content(a)) for a in r.answers.values()),
            sum(a.rcode == "LOST" for a in r.answers.values())), file=out)
    for k in sorted(found, key=lambda k: -len(found[k])):
        tags = collections.Counter(q.tags for q, _ in found[k])
        print("%7d %s" % (len(found[k]), k), file=out)
        if k == "same":
            continue
        for t, n in tags.most_common(12):
            print("          %5d zone %s, name %s" % (n, *t), file=out)
        for q, said in found[k][:8]:
            print("          %s %s  (zone %s, name %s)" % (q.name, q.type, *q.tags), file=out)
            for n, c in said.items():
                print("              %-14s %s %s" % (n, c[0], " | ".join(c[1])[:150]), file=out)


def play(folder, names, seed=1, who=("candor", "unbound", "kresd"), delay_ms=2, jitter_ms=1, loss=0.002, window=200, config=None, together=False):
    """(runs, classes) of one comparison; the resolvers one after the other, or `together`."""
    internet = plan.Internet(names, seed)
    hints = os.path.join(str(folder), "hints")
    with open(hints, "w") as f:
        f.write(internet.hints)
    with world.World(folder, internet, len(who), seed) as w:
        w.path(delay_ms, jitter_ms, loss)
        with concurrent.futures.ThreadPoolExecutor(len(who) if together else 1) as pool:
            runs = list(pool.map(lambda i: run_one(w, i, who[i], internet.questions, window, hints, config), range(len(who))))
        w.alive()
    return runs, classes(runs, internet.questions)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--names", type=int, default=100000)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--resolvers", default="candor,unbound,kresd")
    p.add_argument("--delay", type=float, default=2)
    p.add_argument("--loss", type=float, default=0.002)
    p.add_argument("--window", type=int, default=200)
    p.add_argument("--report", help="write what is found here too")
    p.add_argument("--keep", help="the folder, kept")
    a = p.parse_args()
    with tempfile.TemporaryDirectory(prefix="candor-internet-") as d:
        who = tuple(a.resolvers.split(","))
        folder = a.keep or d
        os.makedirs(folder, exist_ok=True)
        runs, found = play(folder, plan.real_names(a.names), a.seed, who, a.delay, a.delay / 2, a.loss, a.window)
    report(runs, found, sys.stdout)
    if a.report:
        with open(a.report, "w") as f:
            report(runs, found, f)
    return 1 if any(bad(found, who[0])) else 0


if __name__ == "__main__":
    sys.exit(main())
