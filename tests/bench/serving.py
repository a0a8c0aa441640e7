#!/usr/bin/python3
"""What a hit costs the worker with the rate limit, shares and dnstap, each beside the plain worker in one run.

    tests/bench/serving.py [--reps N] [--seconds N] [--rate N]     questions a second, all in the cache

plain     fairness: false, no limit, no dnstap
shares    fairness: true, as it comes
limited   with a rate limit that nobody reaches
away      dnstap to a socket at which nobody listens
told      dnstap to fstrm_capture, which throws it away"""
import argparse
import contextlib
import os
import pathlib
import re
import statistics
import subprocess
import tempfile

import psutil

import fair
import peers
from lib.node import until

MODES = {"plain": {}, "shares": {"fairness": True},
         "limited": {"rate-limit": {"responses-per-second": 1000000, "exempt": []}},
         "away": {"dnstap": {"socket": "nobody.sock"}}, "told": {"dnstap": {"socket": "tap.sock"}}}


@contextlib.contextmanager
def capture(path):
    p = subprocess.Popen(["nice", "-n", "-15", "taskset", "-c", str(peers.CLIENT_CPU), "fstrm_capture", "-t", "protobuf:dnstap.Dnstap", "-u", path, "-w", "/dev/null"],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until("fstrm_capture listens", lambda: os.path.exists(path))
    try:
        yield
    finally:
        p.terminate()
        p.wait(10)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--reps", type=int, default=5)
    p.add_argument("--seconds", type=float, default=3)
    p.add_argument("--rate", type=int, default=20000)
    a = p.parse_args()
    with tempfile.TemporaryDirectory(prefix="candor-serving-") as folder, contextlib.ExitStack() as stack:
        folder = pathlib.Path(folder)
        questions = fair.names(folder / "names", 1000, "h")
        up = stack.enter_context(fair.upstream())
        servers = {}
        for name, more in MODES.items():
            home = folder / name
            home.mkdir()
            if name == "told":
                stack.enter_context(capture(str(home / "tap.sock")))
            config = {"resolver": {"workers": 1, "fairness": False, "forward": [{"zone": ".", "to": [up]}], **more}, "health": peers.QUIET}
            server, node = stack.enter_context(peers.candor(home, config))
            server.name = name
            servers[server] = node
            for pid in server.pids:  # what else the machine does is not what is measured
                for t in psutil.Process(pid).threads():
                    os.setpriority(os.PRIO_PROCESS, t.id, -15)
        rows = {s.name: [] for s in servers}
        for turn in range(a.reps + 1):  # the first fills the caches
            for s in servers:
                cpu = peers.Cpu(s.pids)
                u0, k0 = cpu.read()
                run = peers.load(s, questions, a.seconds, rate=a.rate)
                u1, k1 = cpu.read()
                if turn:
                    rows[s.name].append(((u1 - u0) * 1e6 / run.answered, (k1 - k0) * 1e6 / run.answered))
        told = {s.name: [float(re.search(r"^candor_dnstap_%s_total (\S+)" % n, node.get("/metrics").text, re.M).group(1))
                         for n in ("frames", "frames_dropped")] for s, node in servers.items()}
    print("| | user us | system us | all | beside plain | frames told | lost |\n|---|---|---|---|---|---|---|")
    plain = statistics.median(u + s for u, s in rows["plain"])
    for name, found in rows.items():
        user, system = statistics.median(r[0] for r in found), statistics.median(r[1] for r in found)
        both = statistics.median(r[0] + r[1] for r in found)
        print("| %s | %.2f | %.2f | %.2f | %+.0f %% | %d | %d |" % (name, user, system, both, 100 * (both / plain - 1), *told[name]))


if __name__ == "__main__":
    main()
