#!/usr/bin/python3
"""CPU time per query of names from the cache beside a forwarding unbound, in one run.

    tests/bench/cache.py [--names N] [--reps N] [--seconds N]
"""
import argparse
import pathlib

import peers
from lib.upstream import Upstream


def cache_run(a, folder):
    names = ["n%d.example.com." % i for i in range(a.names)]
    questions = folder / "names"
    questions.write_text("".join("%s A\n" % n for n in names))
    with Upstream({n + " A": ["192.0.2.%d" % (i % 250)] for i, n in enumerate(names)} | {"example.com. A": ["192.0.2.1"]}, ttl=86400) as up:
        config = {"resolver": {"workers": 1, "forward": [{"zone": ".", "to": [up.address]}]}, "health": peers.QUIET}
        with peers.unbound(folder, up.address) as theirs, peers.candor(folder / "node", config) as (ours, _):
            for s in (theirs, ours):
                for _ in range(2):
                    peers.ask.ask(s.address, [n + " A" for n in names], window=20)
            rows = peers.side_by_side([theirs, ours], questions, a.reps, a.seconds)
    print("\n### %d names from the cache, forwarding\n\n%s" % (a.names, peers.table(rows, "unbound")))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--names", type=int, default=2000)
    p.add_argument("--reps", type=int, default=7)
    p.add_argument("--seconds", type=int, default=2)
    a = p.parse_args()
    print("%s; load on one CPU, the server on the other, medians (min-max) of %d runs of %d s" % (peers.machine(), a.reps, a.seconds))
    with peers.scratch() as d:
        cache_run(a, pathlib.Path(d))


if __name__ == "__main__":
    main()
