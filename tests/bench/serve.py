#!/usr/bin/python3
"""CPU time per query beside Debian's servers, in one run: a blocklist zone beside rbldnsd, cached names beside a forwarding unbound.

    tests/bench/serve.py [--entries N] [--reps N] [--seconds N]
"""
import argparse
import pathlib

import peers
from lib.upstream import Upstream

QUIET = {"canary": {"cached": "", "uncached-under": "", "nxdomain-under": ""}}


def zone_run(a, folder):
    addrs = peers.random_ip4(a.entries)
    file = peers.write_list(folder / "list", addrs)
    queries = peers.write_queries(folder / "queries", addrs, "bl.test", 200000, 0.2)
    config = {"resolver": {"workers": 1}, "health": QUIET,
              "rbl": {"zones": [{"name": "bl.test.", "ttl": "2100s", "data": [{"type": "ip4trie", "files": [str(file)]}]}]}}
    with peers.rbldnsd("bl.test", "ip4trie", file) as theirs, peers.candor(folder / "node", config) as (ours, _):
        rows = peers.side_by_side([theirs, ours], queries, a.reps, a.seconds)
    print("\n### A blocklist of %d IPv4 addresses, 20 %% hits\n\n%s" % (a.entries, peers.table(rows, "rbldnsd")))


def cache_run(a, folder):
    names = ["n%d.example.com." % i for i in range(a.names)]
    queries = folder / "names"
    queries.write_text("".join("%s A\n" % n for n in names))
    with Upstream({n + " A": ["192.0.2.%d" % (i % 250)] for i, n in enumerate(names)} | {"example.com. A": ["192.0.2.1"]}, ttl=86400) as up:
        config = {"resolver": {"workers": 1, "forward": [{"zone": ".", "to": [up.address]}]}, "health": QUIET}
        with peers.unbound(folder, up.address) as theirs, peers.candor(folder / "node2", config) as (ours, _):
            for s in (theirs, ours):
                for _ in range(2):
                    peers.ask.ask(s.address, [n + " A" for n in names], window=20)
            rows = peers.side_by_side([theirs, ours], queries, a.reps, a.seconds)
    print("\n### %d names from the cache, forwarding\n\n%s" % (a.names, peers.table(rows, "unbound")))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--entries", type=int, default=1000000)
    p.add_argument("--names", type=int, default=2000)
    p.add_argument("--reps", type=int, default=5)
    p.add_argument("--seconds", type=int, default=4)
    a = p.parse_args()
    print("%s; dnsperf on one CPU, the server on the other, medians (min-max) of %d runs of %d s" % (peers.machine(), a.reps, a.seconds))
    with peers.scratch() as d:
        zone_run(a, pathlib.Path(d))
        cache_run(a, pathlib.Path(d))


if __name__ == "__main__":
    main()
