#!/usr/bin/python3
"""False alarms are faults too: a node under queries, on a machine whose every CPU is busy, must not show one false verdict.

    tests/bench/soak.py [--minutes 60] [--rate 3000] [--burners 4]

Prints every verdict that was not pass or warn, and every change; exits 1 when there was one that should not be."""
import argparse
import json
import multiprocessing
import os
import pathlib
import sys
import time

import peers
import requests
from lib import fourzones
from lib.upstream import Upstream


def burn():
    while True:
        pass


def watch(node, minutes, load):
    """Asks the page each second; {verdict: seconds} per scope, and the failures with their text."""
    end, seconds, bad, slow = time.monotonic() + minutes * 60, {}, [], 0.0
    while time.monotonic() < end:
        start = time.monotonic()
        try:
            r = node.get("/health", timeout=10)
            doc = r.json()
            slow = max(slow, time.monotonic() - start)
            for key, entries in doc["checks"].items():
                for e in entries:
                    seconds.setdefault(key.split(":")[0], {}).setdefault(e["status"], 0)
                    seconds[key.split(":")[0]][e["status"]] += 1
                    if e["status"] not in ("pass", "warn"):
                        bad.append((time.strftime("%H:%M:%S"), key, e.get("componentId"), e["status"], e.get("output")))
            if doc["status"] not in ("pass", "warn"):
                bad.append((time.strftime("%H:%M:%S"), "whole", doc["status"], doc.get("output")))
        except requests.RequestException as e:
            bad.append((time.strftime("%H:%M:%S"), "page", repr(e)))
        if not load.running():
            bad.append((time.strftime("%H:%M:%S"), "load ended"))
            break
        time.sleep(max(0.0, 1 - (time.monotonic() - start)))
    return seconds, bad, slow


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--minutes", type=float, default=60)
    p.add_argument("--rate", type=int, default=3000)
    p.add_argument("--burners", type=int, default=2 * os.cpu_count())
    a = p.parse_args()
    burners = [multiprocessing.Process(target=burn, daemon=True) for _ in range(a.burners)]
    with peers.scratch() as d, Upstream() as up:
        folder = pathlib.Path(d)
        zones = fourzones.zones()
        for z in zones:
            z.file(str(folder))
        config = {"resolver": {"forward": [{"zone": ".", "to": [up.address]}]},
                  "rbl": {"zones": [fourzones.config_zone(z, str(folder)) for z in zones]}}
        rng = fourzones.seeded()
        questions = ["%s.%s A" % (l, z.name) for z in zones for l in rng.sample(fourzones.members(z, rng), 2000)] + ["example.com. A"] * 500
        rng.shuffle(questions)
        with peers.Node(folder / "node", config) as node:
            time.sleep(20)
            before = node.get("/metrics").text
            for b in burners:
                b.start()
            load = peers.ask.Load(node.dns, questions, a.rate, a.minutes * 60 + 30, sockets=32)
            try:
                seconds, bad, slow = watch(node, a.minutes, load)
            finally:
                load.stop()
                for b in burners:
                    b.terminate()
            after = node.get("/metrics").text
    print("%s; %g minutes, %d burners on %d CPUs, %d queries/s" % (peers.machine(), a.minutes, a.burners, os.cpu_count(), a.rate))
    print("verdict seconds by scope: " + json.dumps(seconds))
    print("slowest page %.0f ms" % (slow * 1000))

    def sums(text, name):
        return sum(float(l.rsplit(" ", 1)[1]) for l in text.splitlines() if l.startswith(name))
    for name in ("candor_worker_restarts_total", "candor_health_transitions_total", "candor_process_restarts_total"):
        print("%s: %g before, %g after" % (name, sums(before, name), sums(after, name)))
    print("%d verdicts that should not be" % len(bad))
    for b in bad[:50]:
        print("  ", b)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
