#!/usr/bin/python3
"""Candor beside Debian's unbound, knot-resolver, pdns-recursor and named as recursive resolvers, in one run (root).

    tests/bench/resolver.py [--resolvers NAME,...] [--parts cpu,latency,memory,zipf,warm] [--reps N] [--seconds N] [--quick]

One network namespace: an authoritative server of constant cost (tests/bench/authority) is the root and the zone bench., one UDP
hop away; each resolver has one thread or worker, the same root hints, no validation. Every server at its own limit in turns.
"""
import argparse
import contextlib
import os
import pathlib
import random
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "internet")]

import peers  # noqa: E402
import resolvers  # noqa: E402
from lib.netns import Namespace  # noqa: E402

ROOT, ZONE = "41.2.0.1", "41.2.0.2"
HINTS = ". 3600000 NS a.root.servers.net.\na.root.servers.net. 3600000 A %s\n" % ROOT
CONFIG = {"resolver": {"cache": {"serve-stale": {"max-age": "0s"}, "prefetch": False}, "recursion": {"ipv6": False}}}
ZIPF_S = 0.9


class Authority:
    def __init__(self, ns, *args):
        self.process = ns.popen("taskset", "-c", str(peers.CLIENT_CPU), os.path.join(peers.TOOLS, "authority"), *args,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n", "the authoritative server does not start"

    def count(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.stdin.close()
        self.process.wait(5)


class Bench:
    """The namespace, its two servers, and a resolver at a time or all together."""

    def __init__(self, folder, names):
        self.folder, self.names, self.serial = pathlib.Path(folder), names, 0
        self.hints = self.folder / "hints"
        self.hints.write_text(HINTS)

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.ns = stack.enter_context(Namespace())
            for a in (ROOT, ZONE):
                self.ns.run("ip", "addr", "add", a + "/32", "dev", "lo")
            self.root, self.zone = (stack.enter_context(Authority(self.ns, *args)) for args in (
                (ROOT, "53", "root", ZONE), (ZONE, "53", "zone")))
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *exc):
        self.stack.close()

    @contextlib.contextmanager
    def resolver(self, name, cache_mb=128, config=None, folder=None):
        place = folder or self.folder / ("r%d" % self.serial)
        self.serial += 1
        place.mkdir(exist_ok=True)
        os.chmod(place, 0o777)
        port = 5400 + resolvers.NAMES.index(name)
        with resolvers.start(name, place, self.hints, self.ns.prefix, port, cache_mb, 1, resolvers.merged(CONFIG, config or {}),
                             wait="start.bench. A") as r:
            peers.Server(name, r.address, r.pids()).pin()
            yield r

    def file(self, names):
        path = self.folder / "questions"
        path.write_text("".join("%s A\n" % n for n in names))
        return path

    def load(self, r, questions, seconds, window=100, rate=0):
        how = ["-r", str(rate)] if rate else ["-w", str(window)]
        out = self.ns.run("taskset", "-c", str(peers.CLIENT_CPU), os.path.join(peers.TOOLS, "load"), "-s", r.address, "-d", str(questions),
                          "-l", str(seconds), *how).stdout.split()
        return peers.Load(float(out[0]), *map(int, out[1:7]), *map(float, out[7:]))

    def upstream(self):
        return self.root.count() + self.zone.count()

    def fill(self, r, names):
        """Each name asked until it has been answered."""
        left = ["%s A" % n for n in names]
        for _ in range(5):
            left = [a.question for a in r.ask(left, window=100, timeout_ms=4000) if a.rcode != "NOERROR"]
            if not left:
                return
        raise AssertionError("%s: %d names are not answered" % (r.name, len(left)))


def spent(r, run):
    """(result of run(), (user us, system us))"""
    u0, s0 = r.cpu()
    out = run()
    u1, s1 = r.cpu()
    return out, ((u1 - u0) * 1e6, (s1 - s0) * 1e6)


def fresh_names(rng, count):
    return ["%x.bench." % rng.getrandbits(56) for _ in range(count)]


def cpu_part(b, a):
    rng, hot = random.Random(3), ["h%d.bench." % i for i in range(10000)]
    hits, misses, per = {n: [] for n in b.names}, {n: [] for n in b.names}, {n: [] for n in b.names}
    with contextlib.ExitStack() as stack:
        rs = [stack.enter_context(b.resolver(n)) for n in b.names]
        for r in rs:
            b.fill(r, hot)
        for _ in range(a.reps):
            for r in rs:
                q = b.file(hot)
                got, (u, s) = spent(r, lambda: b.load(r, q, a.seconds))
                hits[r.name].append((u / got.answered, s / got.answered, got.lost, got.answered / got.seconds))
        for _ in range(a.reps):
            for r in rs:
                q = b.file(fresh_names(rng, int(60000 * a.seconds)))
                before = b.upstream()
                got, (u, s) = spent(r, lambda: b.load(r, q, a.seconds))
                misses[r.name].append((u / got.answered, s / got.answered, got.lost, got.answered / got.seconds))
                per[r.name].append((b.upstream() - before) / got.answered)
    against = b.names[1] if len(b.names) > 1 else b.names[0]
    print("\n### 10,000 names from the cache, a window of 100\n\n" + peers.table(hits, against))
    print("\n### Names never asked before, one UDP hop away, a window of 100\n\n" + peers.table(misses, against))
    print("\nQuestions upstream for each of these: " + ", ".join("%s %.2f" % (n, statistics.median(v)) for n, v in per.items()))


def latency_part(b, a):
    """One in ten is a miss; a fixed rate that all of them bear."""
    rng, hot = random.Random(5), ["h%d.bench." % i for i in range(10000)]
    print("\n### At %d questions a second, one in ten never asked before: us\n\n| server | p50 | p99 | p99.9 | longest | lost |\n|---|---|---|---|---|---|" % a.rate)
    for name in b.names:
        runs = []
        with b.resolver(name) as r:
            b.fill(r, hot)
            for _ in range(a.reps):
                mix = [rng.choice(hot) if rng.randrange(10) else n for n in fresh_names(rng, int(a.rate * a.seconds) + 1000)]
                runs.append(b.load(r, b.file(mix), a.seconds, rate=a.rate))
        print("| %s | %s | %s | %s | %s | %d |" % (name, *(peers.spread([getattr(x, k) for x in runs], "%.0f") for k in ("p50", "p99", "p999", "longest")),
                                                  sum(x.lost for x in runs)))


def memory_part(b, a):
    count = a.count
    print("\n### Memory of a cached name (one A record), %d names\n\n| server | before, MB | after, MB | octets a name |\n|---|---|---|---|" % count)
    for name in b.names:
        with b.resolver(name, cache_mb=512) as r:
            b.fill(r, ["w%d.bench." % i for i in range(500)])
            before = r.memory()
            b.fill(r, ["m%d.some-label.bench." % i for i in range(count)])
            after = r.memory()
        print("| %s | %.1f | %.1f | %.0f |" % (name, before / 1e6, after / 1e6, (after - before) / count))


def zipf(rng, names, count):
    weights, total = [], 0.0
    for i in range(len(names)):
        total += 1 / (i + 1) ** ZIPF_S
        weights.append(total)
    return rng.choices(names, cum_weights=weights, k=count)


def zipf_part(b, a):
    universe = ["z%d.bench." % i for i in range(a.count * 5)]
    print("\n### Hit ratio with a cache of %d MB, %d names by Zipf (s = %.1f)\n\n| server | first %d questions | the next | memory, MB |\n|---|---|---|---|" % (
        a.cache_mb, len(universe), ZIPF_S, a.count * 2))
    for name in b.names:
        rng, shares = random.Random(11), []
        with b.resolver(name, cache_mb=a.cache_mb) as r:
            for _ in range(2):
                draw = ["%s A" % n for n in zipf(rng, universe, a.count * 2)]
                before = b.upstream()
                lost = sum(x.rcode != "NOERROR" for x in r.ask(draw, window=100, timeout_ms=4000))
                shares.append(1 - (b.upstream() - before) / (len(draw) - lost))
            memory = r.memory()
        print("| %s | %.1f %% | %.1f %% | %.1f |" % (name, shares[0] * 100, shares[1] * 100, memory / 1e6))


def warm_part(b, a):
    names = ["h%d.bench." % i for i in range(10000)]
    print("\n### Stopped and started again with 10,000 names in the cache\n\n| server | start to the first answer, ms | still there |\n|---|---|---|")
    for name in b.names:
        place = b.folder / ("warm-" + name)
        with b.resolver(name, folder=place) as r:
            b.fill(r, names)
            time.sleep(1)
        began = time.monotonic()
        with b.resolver(name, folder=place) as r:
            took = time.monotonic() - began
            before = b.upstream()
            b.fill(r, names)
            share = 1 - min(1, (b.upstream() - before) / len(names))
        print("| %s | %.0f | %.1f %% |" % (name, took * 1000, share * 100))


PARTS = {"cpu": cpu_part, "latency": latency_part, "memory": memory_part, "zipf": zipf_part, "warm": warm_part}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--resolvers", default=",".join(resolvers.NAMES))
    p.add_argument("--parts", default=",".join(PARTS))
    p.add_argument("--reps", type=int, default=5)
    p.add_argument("--seconds", type=float, default=2)
    p.add_argument("--rate", type=int, default=10000)
    p.add_argument("--count", type=int, default=100000)
    p.add_argument("--cache-mb", type=int, default=16)
    p.add_argument("--quick", action="store_true")
    a = p.parse_args()
    if a.quick:
        a.reps, a.seconds, a.count = 2, 1, 20000
    print("%s; one thread or worker each, on one CPU; load and authoritative servers on the other; medians (min-max) of %d runs of %g s" % (
        peers.machine(), a.reps, a.seconds), flush=True)
    with peers.scratch() as d:
        os.chmod(d, 0o777)
        with Bench(d, a.resolvers.split(",")) as b:
            for part in a.parts.split(","):
                PARTS[part](b, a)
                sys.stdout.flush()


if __name__ == "__main__":
    main()
