#!/usr/bin/python3
"""What judging health and showing it costs those who ask DNS: latency at a fixed rate with and without it, turn by turn.

    tests/bench/health.py [--reps N] [--seconds N] [--rate N] [--requests N] [--json]

still     candor-health runs, its probes an hour apart, and nobody asks it
probes    all probes at the intervals that a node comes with
asked     the same, and 1,000 requests a second on the health port (status, one scope, ready, metrics; half of them on new connections)
control   as `still`, and the same requests to the least server there could be, with as many octets: what the requests themselves cost
          on a machine that has to make them as well

One worker on one CPU, the load on the other before all others, so that what is measured is not the one who measures; all else where the
kernel puts it. The ratio that is Candor's own is asked / control."""
import argparse
import contextlib
import json
import os
import pathlib
import subprocess

import peers
from lib.node import free_port, merged, until

PATHS = ["/health", "/health/worker", "/ready", "/metrics"]
HTTP = os.path.join(peers.TOOLS, "http")
FAR = {"interval": {k: "1h" for k in ("local", "upstream", "zones", "peers", "push")}}


def config(folder, more):
    bl = {"name": "bl.test.", "data": [{"type": "ip4trie", "files": [str(folder / "list")]}], "test": "none", "ns": ["ns.test."]}
    return merged({"resolver": {"workers": 1}, "rbl": {"zones": [bl]}, "health": peers.QUIET}, {"health": more})


def requests(address, count, seconds):
    return subprocess.Popen(["taskset", "-c", str(peers.CLIENT_CPU), HTTP, "load", address, str(count), str(seconds + 1), *PATHS],
                            stdout=subprocess.PIPE, text=True)


def measured(server, questions, seconds, rate):
    """peers.load, but before all others: its own waiting for a CPU would be taken for the server's."""
    argv = ["nice", "-n", "-19", "taskset", "-c", str(peers.CLIENT_CPU), os.path.join(peers.TOOLS, "load"), "-s", server.address, "-d", questions,
            "-l", str(seconds), "-r", str(rate)]
    out = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    return peers.Load(float(out[0]), *map(int, out[1:7]), *map(float, out[7:]))


def turn(server, asked, questions, a):
    """One measurement, maybe beside requests to the address `asked`: (load, figures of the requests or None, CPU us a query)."""
    beside = requests(asked, a.requests, a.seconds) if asked else None
    cpu = peers.Cpu(server.pids)
    before = sum(cpu.read())
    run = measured(server, questions, a.seconds, a.rate)
    used = (sum(cpu.read()) - before) * 1e6 / max(run.answered, 1)
    return run, [int(x) for x in beside.communicate()[0].split()] if beside else None, used


def table(runs):
    out = ["| | p50 us | p99 us | p99.9 us | lost | CPU us a query |", "|---|---|---|---|---|---|"]
    for name, found in runs.items():
        out.append("| %s | %s | %s | %s | %d | %s |" % (
            name, *(peers.spread([getattr(r, k) for r, _, _ in found], "%.0f") for k in ("p50", "p99", "p999")), sum(r.lost for r, _, _ in found),
            peers.spread([c for _, _, c in found])))
    return "\n".join(out)


def ratios(runs, one, other, key="p99"):
    return [getattr(a, key) / getattr(b, key) for (a, _, _), (b, _, _) in zip(runs[one], runs[other])]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--reps", type=int, default=15)
    p.add_argument("--seconds", type=int, default=4)
    p.add_argument("--rate", type=int, default=10000)
    p.add_argument("--requests", type=int, default=1000)
    p.add_argument("--json", action="store_true")
    a = p.parse_args()
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(peers.scratch()))
        peers.generated(folder / "list", "list", 0, 1000000)
        questions = peers.generated(folder / "questions", "ask4", 0, 1000000, 200000, 20, "bl.test")
        nodes = {}
        for name, more in (("still", FAR), ("probes", {})):
            server, node = stack.enter_context(peers.candor(folder / name, config(folder, more)))
            until("zone of " + name, lambda: "zone committed" in node.log(), 60)
            nodes[name] = server, "%s@%d" % (node.host, node.health_port), node
        size = len(nodes["probes"][2].get("/metrics").content) // 2
        control = "127.0.0.1@%d" % free_port()
        least = subprocess.Popen([HTTP, "serve", control, str(size)])
        stack.callback(lambda: (least.kill(), least.wait()))
        plan = {"still": ("still", None), "probes": ("probes", None), "control": ("still", control), "asked": ("probes", nodes["probes"][1])}
        runs = {name: [] for name in plan}
        for rep in range(a.reps + 1):
            for name in list(plan)[:: 1 if rep % 2 else -1]:
                which, asked = plan[name]
                found = turn(nodes[which][0], asked, questions, a)
                if rep > 0:  # the first round warms up
                    runs[name].append(found)
        pairs = {"%s / %s, p99" % p: ratios(runs, *p) for p in (("probes", "still"), ("asked", "control"), ("asked", "still"), ("control", "still"))}
        answers = {n: [r for _, r, _ in runs[n]] for n in ("control", "asked")}
    if a.json:
        print(json.dumps({"runs": {n: [r._asdict() for r, _, _ in f] for n, f in runs.items()}, "ratios": pairs, "requests": answers}))
        return
    print(peers.machine())
    print("%d questions/s, %d requests/s of %d octets on average, %d turns of %d s\n" % (a.rate, a.requests, size, a.reps, a.seconds))
    print(table(runs) + "\n")
    for name, found in pairs.items():
        print("%s: %s" % (name, peers.spread(found)))
    for name, found in answers.items():
        print("requests, %s: failed %d, p50 %s us, p99 %s us" % (name, sum(f[2] for f in found), peers.spread([f[3] for f in found], "%d"),
                                                             peers.spread([f[4] for f in found], "%d")))


if __name__ == "__main__":
    main()
