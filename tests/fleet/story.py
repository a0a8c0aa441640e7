#!/usr/bin/python3
"""The founding story at fleet size: one node's resolver hangs, and its port 53 falls into a black hole. Who knows, after how long?

  story.py [--folder DIR] [--node scan3] [--runs N] [--json FILE]

Prints a table: observer, seconds, what it says. Exit code 0: all had it within 15 s (divided by CANDOR_TICKS, as all intervals
are), and no packet was a look-up: on the machine of the node and on both monitors everything of port 53 is captured, and
nothing goes there but the probes, to the addresses in the configuration. Wants root, CANDOR_BUILD. See stage.py.
"""
import argparse
import contextlib
import json
import re
import sys
import tempfile
import time

import requests

from observers import all_of, said
from stage import MONITORS, TICKS, Stage, until
from lib.netns import Capture

WITHIN_S = 15
SLACK_S = 0.5 if TICKS == 1 else 2.5  # polls and programs of others, which do not shrink with the ticks


def unrest(stage):
    """What is not as it should be: nodes and their scopes, and what monitors hold against nodes."""
    out = []
    for name, n in stage.nodes.items():
        doc = n.get("/health").json()
        out += ["%s: %s: %s" % (name, scope, said(s.get("output", s))) for scope, s in doc.get("scopes", {}).items() if s["status"] not in ("pass", "warn")]
        if name in MONITORS:
            for kind in ("node:report", "node:answers", "node:agree"):
                out += ["%s: %s %s: %s" % (name, kind, c.get("componentId"), said(c["output"])) for c in doc["checks"].get(kind, [])
                        if c["status"] not in ("pass", "warn")]
            # A short outage is a warning first, and fails when the next fault has begun.
            out += ["%s: %s" % (name, said(c["output"])) for c in doc["checks"].get("alert:alertmanager", []) if c["status"] != "pass"]
    return out


def calm(stage, within_s=30 + 90 / TICKS):
    try:
        until("all is calm", lambda: not unrest(stage), within_s, 0.2)
    except AssertionError:
        raise AssertionError("not calm:\n" + "\n".join(unrest(stage))) from None


def lookups(text, addresses):
    """Lines of a capture that are not probes: not between machines of the stage, each by its address."""
    out = []
    for line in text.splitlines():
        ends = re.findall(r"(\d+\.\d+\.\d+\.\d+)\.\d+ > (\d+\.\d+\.\d+\.\d+)\.\d+:", line)
        if not ends or not all(e in addresses for e in ends[0]):
            out.append(line)
    return out


def names_asked(text):
    return set(re.findall(r"(?:A|AAAA|PTR|SRV|HTTPS)\? (\S+)", text))


def hang(stage, node):
    """Port 53 of its machine falls into a black hole, both ways; every process of its resolver is stopped.

    All is dropped where it comes in, its own questions to itself too: a packet dropped on its way out is an error at once."""
    rules = "".join("%s %s 53 counter drop\n" % (proto, side) for proto in ("udp", "tcp") for side in ("dport", "sport"))
    stage.place(node).ns.run("nft", "-f", "-", input="table inet hole {\n chain in {\n type filter hook input priority 0\n%s}\n}\n" % rules)
    n = stage.nodes[node]
    stopped = [n.daemon("resolver"), *n.workers()]
    for p in stopped:
        p.suspend()
    return stopped


def mend(stage, node, stopped):
    for p in stopped:
        with contextlib.suppress(Exception):
            p.resume()
    stage.place(node).ns.run("nft", "delete", "table", "inet", "hole")


def tell(stage, node, within_s):
    """[(observer, seconds or None, words)]"""
    observers, found = all_of(stage), {}
    since, start = time.time(), time.monotonic()
    stopped = hang(stage, node)
    while len(found) < len(observers) and time.monotonic() - start < within_s:
        for o in observers:
            if o in found:
                continue
            with contextlib.suppress(OSError, requests.RequestException, LookupError, ValueError):
                words = o.sees(node, since)
                if words:
                    found[o] = (time.monotonic() - start, words)
        time.sleep(0.05)
    return [(o, *found.get(o, (None, ""))) for o in observers], stopped


def run(stage, node):
    """(rows, look-ups, names that must not be asked for but were)"""
    calm(stage)
    until("nobody sees anything beforehand", lambda: not [o for o in all_of(stage) if o.sees(node, time.time())], 180, 1)
    addresses = {stage.at(n) for n in stage.names}
    with contextlib.ExitStack() as stack:
        captures = {n: stack.enter_context(Capture(stage.place(n).ns, "port 53")) for n in [node, *MONITORS]}
        rows, stopped = tell(stage, node, WITHIN_S / TICKS * 2 + 10)
        time.sleep(1)
    mend(stage, node, stopped)
    bad = []
    for n, c in captures.items():
        text = c.text()
        bad += ["%s: %s" % (n, line) for line in lookups(text, addresses)]
        bad += ["%s asked for %s" % (n, q) for q in names_asked(text) if "fleet.test" in q]
        assert text, "nothing was captured on %s, not even probes" % n
    return rows, bad


def table(rows):
    lines = ["| observer | seconds | what it says |", "|---|---|---|"]
    for o, s, words in rows:
        lines.append("| %s | %s | %s |" % (o, "never" if s is None else "%.1f" % s, said(words).replace("|", "/")))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder")
    parser.add_argument("--node", default="scan3")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--json")
    parser.add_argument("--sinks", default="https,sql,snmp,alert")
    args = parser.parse_args()
    failed, all_rows = False, []
    with tempfile.TemporaryDirectory(prefix="candor-fleet-") as own, Stage(args.folder or own, sinks=args.sinks.split(",")) as stage:
        for i in range(args.runs):
            rows, bad = run(stage, args.node)
            print(table(rows), flush=True)
            for line in bad:
                print("a look-up:", line)
            late = [str(o) for o, s, _ in rows if s is None or s > WITHIN_S / TICKS + SLACK_S]
            print("run %d: %s; %d look-ups" % (i + 1, "late: " + ", ".join(late) if late else "all within %g s" % (WITHIN_S / TICKS + SLACK_S), len(bad)),
                  flush=True)
            failed |= bool(late or bad)
            all_rows.append([(str(o), s, w) for o, s, w in rows])
    if args.json:
        with open(args.json, "w") as f:
            json.dump(all_rows, f, indent=1)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
