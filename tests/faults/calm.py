#!/usr/bin/python3
"""False alarms are faults too: two nodes that are fine, under all that makes a machine slow; nobody may call them ill.

  tests/faults/calm.py [--minutes M] [--json FILE] [LOAD ...]     make calm CALM_MINUTES=120
  LOAD: cpu loss memory stall slew requests reload disk dns nice; without any: each alone, and all together

The first node has its zones from files, its forwarder is an unbound; the second is its secondary and its peer. All of it
stands in a lab (tests/system/lib/lab.py). All the while both nodes are looked at: no scope may become fail or unknown
(every transition comes from /history, with its cause), readiness stays, nothing is restarted, and what the DNS port
answers is right. Exit code 0: so it was. Wants root, CANDOR_BUILD and CANDOR_TICKS (divides the intervals; default 1).
"""
import argparse
import asyncio
import collections
import contextlib
import json
import os
import shutil
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
from engine import TICKS  # noqa: E402

import dns.exception  # noqa: E402
import dns.message  # noqa: E402
import dns.query  # noqa: E402
import dns.rcode  # noqa: E402
import psutil  # noqa: E402
import requests  # noqa: E402
from calm_loads import LOADS, TOGETHER, ask_pages  # noqa: E402
from calm_pair import Pair  # noqa: E402
from lib.node import until  # noqa: E402


class Eye:
    """Looks all the while at one pair, and keeps what is wrong."""

    def __init__(self, pair):
        self.pair, self.over = pair, threading.Event()
        self.findings, self.warns = [], []
        self.asked = collections.Counter()
        self.since = [self.newest(n) for n in pair.nodes]
        self.before = self.counts()
        self.pids = [{p.pid for p in pair.processes(n)} for n in pair.nodes]
        self.threads = [threading.Thread(target=f, daemon=True) for f in (self.pages, self.answers)]
        for t in self.threads:
            t.start()

    @staticmethod
    def history(node):
        """Transitions of scopes, newest first."""
        return node.get("/history", timeout=20).json()["scopes"]

    def newest(self, node):
        return max((t["number"] for t in self.history(node)), default=0)

    def find(self, what):
        self.findings.append("%s %s" % (time.strftime("%H:%M:%S"), what))

    def pages(self):
        while not self.over.is_set():
            for n in self.pair.nodes:
                with contextlib.suppress(requests.RequestException):
                    self.asked["readyz"] += 1
                    r = n.get("/readyz", timeout=10)
                    if r.status_code != 200:
                        self.find("%s not ready: %s" % (n.config["node"]["name"], r.text[:200]))
            self.over.wait(0.5)

    def answers(self):
        """What is asked has to be answered within three tries, and rightly."""
        questions = [("2.0.0.127.big.test.", "127.0.0.2"), ("1.0.0.127.big.test.", None), ("2.0.0.127.z0.test.", "127.0.0.2"),
                     ("1.0.1.10.big.test.", "127.0.0.2"), ("example.com.", "192.0.2.10"), ("nothing.example.com.", None)]
        while not self.over.is_set():
            for n in self.pair.nodes:
                for name, address in questions:
                    self.ask(n, name, address)
            self.over.wait(0.2)

    def ask(self, n, name, address):
        self.asked["questions"] += 1
        for _ in range(3):
            try:
                r = dns.query.udp(dns.message.make_query(name, "A"), n.host, port=n.dns_port, timeout=3)
            except (OSError, dns.exception.DNSException):
                self.asked["questions again"] += 1
                continue
            got = [d.address for rr in r.answer for d in rr if rr.rdtype == 1]
            if r.rcode() == dns.rcode.SERVFAIL:
                self.asked["servfail"] += 1
                continue
            if (got[:1] or [None]) != [address]:
                self.find("%s answers %s with %s %s" % (n.config["node"]["name"], name, dns.rcode.to_text(r.rcode()), got))
            return
        self.find("%s does not answer %s" % (n.config["node"]["name"], name))

    def transitions(self):
        """Those of scopes, since last asked."""
        for i, n in enumerate(self.pair.nodes):
            for t in self.history(n):
                if t["number"] <= self.since[i]:
                    break
                words = "%s: scope %s %s -> %s: %s" % (n.config["node"]["name"], t["scope"], t["from"], t["to"], t["cause"])
                if t["to"] in ("fail", "unknown"):
                    self.find(words)
                elif t["to"] == "warn":
                    self.warns.append(words)
            self.since[i] = self.newest(n)

    def counts(self):
        """That there was something to bear: commits, and probes that came back with nothing or too late to count."""
        out = collections.Counter()
        for n in self.pair.nodes:
            for line in n.get("/metrics", timeout=20).text.splitlines():
                name, _, value = line.rpartition(" ")
                if name.startswith("candor_zone_commits_total"):
                    out["commits"] += float(value)
                elif name.startswith("candor_probe_runs_total"):
                    result = name.split('result="')[1].split('"')[0]
                    out["probes " + result] += float(value)
        return out

    def grown(self):
        now = self.counts()
        return {k: int(now[k] - self.before[k]) for k in now if now[k] != self.before[k]}

    def restarts(self):
        for i, n in enumerate(self.pair.nodes):
            now = {p.pid for p in self.pair.processes(n) if p.status() != psutil.STATUS_ZOMBIE}
            if now != self.pids[i]:
                self.find("%s: processes changed: %s gone, %s new" % (n.config["node"]["name"], sorted(self.pids[i] - now), sorted(now - self.pids[i])))
                self.pids[i] = now

    def close(self):
        self.over.set()
        for t in self.threads:
            t.join(30)


def phase(pair, names, seconds):
    """The named loads together for so long. What was found."""
    eye, start = Eye(pair), time.monotonic()
    try:
        with contextlib.ExitStack() as loads:
            for n in names:
                loads.enter_context(LOADS[n](pair))
            while time.monotonic() - start < seconds:
                time.sleep(0.5)
                eye.restarts()
        time.sleep(2)
        until("the history comes", lambda: eye.transitions() or True, 60)
        eye.asked.update(eye.grown())
    finally:
        eye.close()
    return {"loads": names, "seconds": round(time.monotonic() - start, 1), "findings": eye.findings, "warns": eye.warns, "asked": dict(eye.asked)}


def tell(p):
    print("%-34s %6.0f s  %d false alarms, %d warnings, %s" % ("+".join(p["loads"])[:34], p["seconds"], len(p["findings"]), len(p["warns"]), p["asked"]), flush=True)
    for kind in ("findings", "warns"):
        for words, n in collections.Counter(w for w in p[kind]).most_common(12):
            print("    %s: %s%s" % (kind[:-1], words[:300], " (%d times)" % n if n > 1 else ""), flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("loads", nargs="*")
    p.add_argument("--minutes", type=float, default=6)
    p.add_argument("--json")
    p.add_argument("--keep", action="store_true", help="leave the folder of the nodes")
    p.add_argument("--pages", help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.pages:
        host, port, rate = args.pages.split(":")
        return asyncio.run(ask_pages(host, int(port), int(rate)))
    unknown = [n for n in args.loads if n not in LOADS]
    if unknown:
        p.error("no such load: " + ", ".join(unknown))
    plan = [args.loads] if args.loads else [[n] for n in LOADS] + [TOGETHER]
    shares = [1] * len(plan) if args.loads else [1] * len(LOADS) + [len(LOADS)]
    folder, seen = tempfile.mkdtemp(prefix="candor-calm-"), []
    try:
        with Pair(folder) as pair:
            for names, share in zip(plan, shares):
                seen.append(phase(pair, names, args.minutes * 60 * share / sum(shares)))
                tell(seen[-1])
    finally:
        if args.keep:
            print("folder: " + folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if args.json:
        with open(args.json, "w") as f:
            json.dump(seen, f, indent=1)
    bad = sum(len(s["findings"]) for s in seen)
    print("%.1f minutes at ticks / %g: %d transitions to fail or unknown and other false alarms, %d to warn" % (
        sum(s["seconds"] for s in seen) / 60, TICKS, bad, sum(len(s["warns"]) for s in seen)))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
