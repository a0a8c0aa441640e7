#!/usr/bin/python3
"""Attacks on a recursive resolver by the servers that it asks, and what each costs: Candor beside its peers (root).

    tests/hostile/suffer.py [--resolvers candor,unbound,...] [--only NAME,...] [--write FILE]
    tests/hostile/suffer.py --fuzz SECONDS [--seed N]         damaged answers to Candor, and whether it lives
"""
import argparse
import collections
import concurrent.futures
import contextlib
import os
import random
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "internet"), os.path.join(HERE, "..", "system")]

import attacks  # noqa: E402
import resolvers  # noqa: E402
import stage as stages  # noqa: E402

CONFIG = {"resolver": {"cache": {"serve-stale": {"max-age": "0s"}, "prefetch": False}}}


@contextlib.contextmanager
def on_stage(name, folder, config=None, threads=1):
    """A stage and a resolver on it."""
    os.makedirs(folder, exist_ok=True)
    with stages.Stage() as stage:
        hints = stages.write_hints(folder)
        with resolvers.start(name, folder, hints, prefix=stage.ns.prefix, threads=threads, config=config or CONFIG) as r:
            yield stage, r


def lanes(count):
    """The names of all attacks in `count` parts; what goes on with another's zones stays with it."""
    out, lane = [[] for _ in range(count)], -1
    for a in attacks.ATTACKS:
        lane += not a.name.endswith(("-again", "-many"))
        out[lane % count].append(a.name)
    return out


def suffer(name, folder, only=()):
    """(Attack, Result) one after the other, all on one stage."""
    with on_stage(name, folder) as (stage, r):
        for a in attacks.ATTACKS:
            if not only or a.name in only:
                yield a, a.run(stage, r)
                r.alive()


def bounds_broken(a, result):
    """What Candor must hold and does not, in words."""
    bad = []
    if result.queries > a.queries:
        bad.append("%d questions upstream, bound %d" % (result.queries, a.queries))
    if result.seconds > a.seconds:
        bad.append("%.1f s, bound %.1f s" % (result.seconds, a.seconds))
    if not result.held:
        bad.append("not withstood: %s %s" % (result.rcode, result.note))
    if "LOST" in result.rcode:
        bad.append("a client without an answer")
    return bad


Fuzzed = collections.namedtuple("Fuzzed", "seconds answers damaged asked answered garbled alive slowest restarts")


FUZZED, FUZZ_RATE = "41.1.1.1", 400  # questions a second
FORWARD = {"resolver": {"forward": [{"zone": "fuzz.", "to": [FUZZED + "@53"]}, {"zone": "victim.", "to": [attacks.VICTIM + "@53"]}]}}


def fuzz(folder, seconds, seed=1, forward=False):
    """Damaged answers for a while; an honest zone beside them must be answered all the time, and no worker may end. The
    servers are found by recursion, or are forwarded to."""
    rng, counts = random.Random(seed), collections.Counter()
    with on_stage("candor", folder, resolvers.merged(CONFIG, FORWARD) if forward else None, threads=2) as (stage, r):
        stage.on(FUZZED, attacks.fuzzed_actor(rng, "fuzz.", FUZZED, counts))
        stage.delegate("fuzz.", {"ns.fuzz.": FUZZED})
        attacks.victim(stage)
        stage.on(attacks.VICTIM, lambda q: stages.answer(q, "192.0.2.80"))
        before, slowest, alive = sorted(r.pids()), 0.0, 0
        questions = attacks.fuzz_questions(rng, "fuzz.", int(seconds * FUZZ_RATE))
        load = r.load(questions, FUZZ_RATE, seconds)
        while load.poll() is None:
            honest = r.ask(["h%d.victim. A" % alive], timeout_ms=5000, sockets=1)[0]
            assert attacks.answered()([honest]), "the honest zone is not answered: %s\n%s" % (honest, r.node.log()[-3000:])
            alive, slowest = alive + 1, max(slowest, honest.took_us / 1e6)
            time.sleep(0.2)
        got = r.loaded(load, questions)
        asked, answered = len(got), sum(a.rcode != "LOST" for a in got)
        restarts = len(set(before) - set(r.pids()))
        assert "Sanitizer" not in r.node.log(), r.node.log()[-6000:]
        garbled = [a.question for a in got if a.rcode == "GARBLED"]
        return Fuzzed(seconds, counts["answers"], counts["damaged"], asked, answered, garbled, alive, slowest, restarts)


def cell(result):
    text = "%d" % result.queries + (" (%d)" % result.victim if result.victim else "")
    return text + " / %.1f s / %s%s" % (result.seconds, result.rcode, "" if result.held else " **not withstood**")


def page(rows, names):
    """docs/hostile.md"""
    out = ["# Hostile servers", "",
           "What the servers that a resolver asks can do to it, and to others through it. Written by `make hostile-compared` (root): in one network "
           "namespace each resolver gets each attack of `tests/hostile/attacks.py`, with the same root hints, default settings, no DNSSEC validation, and "
           "serve-stale and prefetching off. A cell: the questions that the attack made the resolver send (of them to a victim who has nothing to do with it) / "
           "seconds to the last answer / RCODEs that clients got. *Not withstood*: a false record was believed, or nobody else was served meanwhile.", "",
           "One client question, where the row does not say otherwise. What bounds Candor stands in `resolver/iterate/bounds.h`; the bounds that the gate "
           "holds it to are in the second column.", "",
           "| attack | bound | " + " | ".join(names) + " |", "|---|---|" + "---|" * len(names)]
    for i, a in enumerate(attacks.ATTACKS):
        cells = [next((r for b, r in rows[n] if b.name == a.name), None) for n in names]
        if any(cells):
            note = next((c.note for c in cells if c and c.note and "questions" in c.note), "")
            out.append("| %s%s | %d, %.1f s | %s |" % (a.title, " (%s)" % note if note and note not in a.title else "", a.queries, a.seconds,
                                                     " | ".join(cell(c) if c else "" for c in cells)))
    out += ["", "## Notes", ""]
    for a in attacks.ATTACKS:
        for n in names:
            c = next((r for b, r in rows[n] if b.name == a.name), None)
            if c and c.note and "questions" not in c.note:
                out.append("- %s, %s: %s." % (a.name, n, c.note))
    return "\n".join(out) + "\n"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--resolvers", default=",".join(resolvers.NAMES))
    p.add_argument("--only", default="")
    p.add_argument("--write")
    p.add_argument("--fuzz", type=float)
    p.add_argument("--seed", type=int, default=int(time.time()))
    a = p.parse_args()
    with tempfile.TemporaryDirectory(prefix="candor-hostile-") as d:
        os.chmod(d, 0o777)
        if a.fuzz:
            print("seed %d" % a.seed)
            both = [fuzz(os.path.join(d, str(f)), a.fuzz / 2, a.seed, f) for f in (False, True)]
            print("recursion: %s\nforwarding: %s" % tuple(both))
            return 1 if any(done.restarts or done.answered < done.asked for done in both) else 0
        names, rows, broken = a.resolvers.split(","), {}, []

        def one(name):
            rows[name] = []
            for attack, result in suffer(name, os.path.join(d, name), [o for o in a.only.split(",") if o]):
                rows[name].append((attack, result))
                print("%-14s %-16s %s  %s" % (name, attack.name, cell(result), result.note), flush=True)

        with concurrent.futures.ThreadPoolExecutor(2) as pool:  # most of the time is waiting
            list(pool.map(one, names))
        for attack, result in rows.get("candor", []):
            broken += ["%s: %s" % (attack.name, b) for b in bounds_broken(attack, result)]
        if a.write:
            with open(a.write, "w") as f:
                f.write(page(rows, names))
    print("".join("broken: %s\n" % b for b in broken), end="")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
