#!/usr/bin/python3
"""One monitor and many nodes: what it costs to watch them, how soon its pages answer, and how long it takes until it is said that many fail, on the page and to a webhook.

    tests/bench/fleet.py [--nodes N] [--share PERCENT] [--push MS] [--seconds N] [--fail N] [--json]

The nodes are simulated in one process (fleet.c) with the protocols of real ones: a signed datagram each push interval, details and events
over HTTPS from a share of them, DNS ports and health ports that the monitor asks. All on one machine, so the generator's own work is there
too; the monitor's CPU is that of its candor-health alone."""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import psutil

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/system"))
from lib.served import Web  # noqa: E402
from lib.certs import Authority  # noqa: E402
from lib.node import BUILD, Node, free_port, until  # noqa: E402

NAME = "monitor.example"
KEY = {"name": "n.", "algorithm": "hmac-sha256", "secret": "YWFhYWFhYWFhYWFhYWFhYQ=="}


class Many:
    """The generator."""

    def __init__(self, argv):
        self.process = subprocess.Popen([os.path.join(BUILD, "tests/bench/fleet"), *map(str, argv)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def say(self, words):
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()

    def show(self):
        self.say("show")
        return dict(zip(("sent", "acked", "posted", "refused", "asked", "pulled"), map(int, self.process.stdout.readline().split())))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.stdin.close()
        self.process.wait(30)


def monitor(folder, a, authority, ports, hook):
    certificate, key = authority.issue(NAME, days=90)
    nodes = []
    for i in range(a.nodes):
        at = "127.10.%d.%d" % (i // 250, i % 250 + 1)
        nodes.append({"name": "n%04d" % i, "resolver": "%s@%d" % (at, ports["dns"]), "health": "%s@%d" % (at, ports["health"]), "key": "n."})
    return Node(folder / "m", {
        "node": {"name": "m"}, "rbl": {"keys": [KEY]}, "resolver": {"workers": 1},
        "health": {"interval": {"push": "%dms" % a.push, "peers": "%dms" % (a.push // 3)},
                   "canary": {"cached": "", "uncached-under": "", "nxdomain-under": ""},
                   "monitor": {"enabled": True, "tls": {"certificate": certificate, "key": key}, "nodes": nodes,
                               "alert": {"webhook": [{"address": hook}]},
                               "listen": [{"datagram": "127.0.0.1@%d" % ports["datagram"], "https": "127.0.0.1@%d" % ports["https"]}]}}})


def latencies(node, path, times=20):
    took, size = [], 0
    for _ in range(times):
        began = time.monotonic()
        r = node.get(path, timeout=20)
        took.append((time.monotonic() - began) * 1000)
        size = len(r.content)
        time.sleep(0.05)
    return {"p50_ms": round(statistics.median(took), 1), "max_ms": round(max(took), 1), "octets": size}


def measure(a, m, many):
    health = psutil.Process(m.daemon("health").pid)
    before, cpu, began = many.show(), health.cpu_times(), time.monotonic()
    time.sleep(a.seconds)
    took, now, after = time.monotonic() - began, health.cpu_times(), many.show()
    rate = {k: round((after[k] - before[k]) / took, 1) for k in after}
    return {"seconds": round(took, 1), "per_second": rate, "cpu_percent": round(100 * (now.user + now.system - cpu.user - cpu.system) / took, 1),
            "memory_mib": round(health.memory_info().rss / 2 ** 20, 1)}


def alerted(a, many, web, words):
    """Seconds until the first alert, and all that came in a minute: how many documents, and the alerts of each that began."""
    del web.posted[:]
    began, first = time.monotonic(), None
    many.say(words)
    while time.monotonic() - began < 60:
        if first is None and any(x["status"] == "firing" for d in web.posted for x in d["alerts"]):
            first = round(time.monotonic() - began, 1)
        time.sleep(0.1)
    alerts = [x for d in web.posted for x in d["alerts"] if x["status"] == "firing"]
    return {"words": words, "first_s": first, "documents": len(web.posted), "alerts": len({x["fingerprint"] for x in alerts}),
            "most_nodes": max([x["total"] for x in alerts], default=0)}


def failing(a, m, many):
    """Seconds until /fleet has all of them as failed, and as well again."""
    took = []
    for words, want in (("fail %d" % a.fail, lambda n: n == a.fail), ("fail 0", lambda n: n == 0)):
        many.say(words)
        began = time.monotonic()
        until("%s: in /fleet" % words, lambda: want(m.get("/fleet", timeout=20).json()["sums"]["fail"]), 60, every_s=0.2)
        took.append(round(time.monotonic() - began, 1))
    return {"nodes": a.fail, "seen_s": took[0], "well_s": took[1]}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("nodes", 1000), ("share", 100), ("push", 15000), ("seconds", 30), ("fail", 100)):
        p.add_argument("--" + name, type=int, default=value)
    p.add_argument("--json", action="store_true")
    a = p.parse_args()
    ports = {k: free_port() for k in ("dns", "health", "datagram", "https")}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        authority = Authority(folder / "authority")
        argv = [a.nodes, a.push, a.share, ports["dns"], ports["health"], ports["datagram"], ports["https"], authority.ca, NAME]
        with Web() as web, monitor(folder, a, authority, ports, web.at) as m, Many(argv) as many:
            until("all nodes are well", lambda: m.get("/fleet", timeout=20).json()["sums"]["pass"] == a.nodes, 4 * a.push / 1000 + 30, every_s=0.5)
            out = measure(a, m, many)
            out["pages"] = {path: latencies(m, path) for path in ("/", "/fleet", "/fleet/n0001", "/health", "/metrics")}
            out["fail"] = failing(a, m, many)
            time.sleep(a.push / 500)  # until the alert of that is over
            out["alert"] = []
            for words in ("fail %d" % a.fail, "stop %d" % a.fail):
                out["alert"].append(alerted(a, many, web, words))
                many.say(words.split()[0] + " 0")
                until("well again", lambda: m.get("/fleet", timeout=20).json()["sums"]["pass"] == a.nodes, 120, every_s=0.5)
                time.sleep(a.push / 250)
            out["store_mib"] = round(sum(f.stat().st_size for f in (folder / "m/state/monitor").iterdir()) / 2 ** 20, 1)
            late = [line for line in m.log().splitlines() if "was late itself" in line]
            out["late"] = len(late)
    print(json.dumps(out, indent=None if a.json else 1))


if __name__ == "__main__":
    main()
