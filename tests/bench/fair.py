#!/usr/bin/python3
"""One client floods: what becomes of another that asks 1,000 questions a second? Candor with and without shares, and unbound.

    tests/bench/fair.py [--reps N] [--seconds N] [--hits N] [--misses N] [--json]

calm    nobody else asks
hits    a client in another network sends --hits questions a second, all of them in the cache
misses  it sends --misses a second for names that nobody has asked for

One worker or thread on one CPU; the clients, and who answers the misses (tests/bench/authority), on the other. Turn by turn."""
import argparse
import contextlib
import json
import os
import pathlib
import random
import subprocess
import tempfile

import peers
from lib.node import free_port

HONEST, NOISY = "127.1.1.1", "127.2.2.2"
LOAD = os.path.join(peers.TOOLS, "load")


def names(path, count, label):
    path.write_text("".join("%s%d.bench. A\n" % (label, i) for i in range(count)))
    return str(path)


@contextlib.contextmanager
def upstream():
    port = free_port()
    p = subprocess.Popen(["taskset", "-c", str(peers.CLIENT_CPU), os.path.join(peers.TOOLS, "authority"), "127.0.0.1", str(port), "zone"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline() == "ready\n"
    try:
        yield "127.0.0.1@%d" % port
    finally:
        p.stdin.close()
        p.wait(5)


def start(source, server, questions, seconds, rate, *more):
    first = ["nice", "-n", "-19" if source == HONEST else "-10"]  # its own waiting for a CPU would be taken for the server's
    return subprocess.Popen([*first, "taskset", "-c", str(peers.CLIENT_CPU), LOAD, "-s", server.address, "-d", questions, "-l", str(seconds),
                             "-a", source, "-r", str(rate), *more], stdout=subprocess.PIPE, text=True)


def result(process):
    out = process.communicate()[0].split()
    return peers.Load(float(out[0]), *map(int, out[1:7]), *map(float, out[7:]))


def measured(server, files, kind, a, turn):
    noise, seconds = None, a.seconds
    if kind == "hits":
        noise = start(NOISY, server, files["noisy"], seconds + 2, a.hits, "-n", "1")
    elif kind == "misses":
        fresh = names(pathlib.Path(files["folder"]) / "misses", int(a.misses * (seconds + 2)), "m%d-%d-" % (random.randrange(1 << 30), turn))
        noise = start(NOISY, server, fresh, seconds + 2, a.misses, "-n", "1")
    if noise:
        subprocess.run(["sleep", "1"], check=True)
    honest = result(start(HONEST, server, files["honest"], seconds, 1000, "-n", "1", "-q"))
    return honest, result(noise) if noise else None


def middle(values):
    values = sorted(values)
    return values[len(values) // 2]


def table(found):
    out = ["| client floods with | server | honest answered | p50 us | p99 us | p99.9 us | flooder's answers/s |", "|---|---|---|---|---|---|---|"]
    for (kind, name), runs in found.items():
        honest, noise = [r[0] for r in runs], [r[1] for r in runs if r[1]]
        out.append("| %s | %s | %.2f %% | %.0f | %.0f | %.0f | %s |" % (
            kind, name, middle(100 * h.answered / h.sent for h in honest), middle(h.p50 for h in honest), middle(h.p99 for h in honest),
            middle(h.p999 for h in honest), "%.0f of %.0f" % (middle(n.answered / n.seconds for n in noise),
                                                              middle(n.sent / n.seconds for n in noise)) if noise else ""))
    return "\n".join(out)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--reps", type=int, default=3)
    p.add_argument("--seconds", type=float, default=5)
    p.add_argument("--hits", type=int, default=250000)
    p.add_argument("--misses", type=int, default=40000)
    p.add_argument("--json", action="store_true")
    a = p.parse_args()
    found = {}
    with tempfile.TemporaryDirectory(prefix="candor-fair-") as folder, contextlib.ExitStack() as stack:
        folder = pathlib.Path(folder)
        files = {"folder": str(folder), "honest": names(folder / "honest", 1000, "h"), "noisy": names(folder / "noisy", 1000, "n")}
        up = stack.enter_context(upstream())
        servers = {}
        for name, fair in (("candor", True), ("candor, fairness: false", False)):
            config = {"resolver": {"workers": 1, "fairness": fair, "forward": [{"zone": ".", "to": [up]}]}, "health": peers.QUIET}
            servers[name] = stack.enter_context(peers.candor(folder / ("candor-%s" % fair), config))[0]
        servers["unbound"] = stack.enter_context(peers.unbound(folder, up))
        for s in servers.values():
            for pid in s.pids:  # what else the machine does is not what is measured
                os.setpriority(os.PRIO_PROCESS, pid, -15)
            for f in ("honest", "noisy"):
                result(start(HONEST, s, files[f], 2, 1000, "-n", "1"))
        for turn in range(a.reps):
            for kind in ("calm", "hits", "misses"):
                for name, s in servers.items():
                    found.setdefault((kind, name), []).append(measured(s, files, kind, a, turn))
    print(json.dumps({"%s %s" % k: v for k, v in found.items()}) if a.json else table(found))


if __name__ == "__main__":
    main()
