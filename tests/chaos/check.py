#!/usr/bin/python3
"""Checks the history of a cluster that was tormented: tests/chaos/check.py HISTORY...

A history is a file of JSON objects, one a line, in the order of `t` (seconds), written by tests/chaos/run.py:

  {"e": "send", "v": 7}                 version 7 left the publisher       {"e": "ack", "v": 7}   it was acknowledged
  {"e": "read", "node": "b", "t0": ., "t1": ., "v": 6, "then": 6, "host": 3, "value": "127.0.0.3"}
                                        between t0 and t1 a node said: version 6, this value, still version 6
  {"e": "read", "node": "b", "t0": ., "t1": ., "rcode": "SERVFAIL"}         it answered, but not with a version
  {"e": "fault", "id": 4, "kind": "partition", "on": ["p", "a"], "names": ["a", "p"], "within": 20}
  {"e": "named", "id": 4, "node": "a", "text": "..."}                       its health page said so
  {"e": "over", "id": 4}                                                    the fault has ended
  {"e": "final", "node": "b", "v": 9, "serial": 12, "digest": "...", "hosts": {"0": "127.0.0.9", ...}}

Versions follow one another; version v gives host v % HOSTS the value value_of(v) and leaves the others. What must hold:

  future      no node serves a version before it was sent
  backwards   no node goes back to an older version than it has served
  mixed       what a node serves as version v is version v
  lost        in the end every node holds every acknowledged version
  diverged    in the end all nodes have the same serial, digest and contents
  silent      the health page of every node that can know of a fault named it in time

Exit code 0: nothing of this was broken. Each breach is a line.
"""
import json
import sys

HOSTS = 16
MUST = ("future", "backwards", "mixed", "lost", "diverged", "silent", "empty")


def value_of(version):
    return "127.%d.%d.%d" % (version >> 16 & 255, version >> 8 & 255, version & 255)


def content(version):
    """What the hosts say in a version."""
    hosts = {}
    for host in range(HOSTS):
        last = version - (version - host) % HOSTS
        if last >= 0:
            hosts[host] = value_of(last)
    return hosts


def check_reads(events):
    sent_at, served = {}, {}
    for e in events:
        if e["e"] == "send":
            sent_at.setdefault(e["v"], e["t"])
    for e in sorted((e for e in events if e["e"] == "read" and "v" in e), key=lambda e: e["t0"]):
        node, v = e["node"], e["v"]
        if v > 0 and sent_at.get(v, float("inf")) > e["t1"]:
            yield "future", "%s served version %d at %.3f, which was not sent by then" % (node, v, e["t1"])
        if v < served.get(node, 0):
            yield "backwards", "%s served version %d at %.3f after version %d" % (node, v, e["t1"], served[node])
        served[node] = max(served.get(node, 0), v)
        if e.get("then") == v and e.get("host") is not None and e.get("value") != content(v).get(e["host"]):
            yield "mixed", "%s served %s for host %d of version %d at %.3f, which is %s there" % (
                node, e.get("value"), e["host"], v, e["t1"], content(v).get(e["host"]))


def check_end(events):
    acked = max((e["v"] for e in events if e["e"] == "ack"), default=0)
    finals = [e for e in events if e["e"] == "final"]
    if not finals:
        yield "empty", "no node was looked at in the end"
    for e in finals:
        if e["v"] < acked:
            yield "lost", "%s ended at version %d, version %d was acknowledged" % (e["node"], e["v"], acked)
        want = {str(h): x for h, x in content(e["v"]).items()}
        if e["hosts"] != want:
            yield "diverged", "%s ended with other contents than version %d: %s" % (e["node"], e["v"], sorted(
                h for h in set(want) | set(e["hosts"]) if want.get(h) != e["hosts"].get(h)))
    for what in ("serial", "digest", "v"):
        seen = {str(e[what]): e["node"] for e in finals}
        if len(seen) > 1:
            yield "diverged", "in the end %s differs: %s" % (what, ", ".join("%s %s" % (n, x) for x, n in sorted(seen.items())))


def check_named(events):
    named = {}
    for e in events:
        if e["e"] == "named":
            named.setdefault((e["id"], e["node"]), e["t"])
    for e in events:
        if e["e"] != "fault":
            continue
        for node in e.get("names", []):
            at = named.get((e["id"], node))
            if at is None or at - e["t"] > e["within"]:
                yield "silent", "%s did not name the %s of %s within %g s (%s)" % (
                    node, e["kind"], " and ".join(e["on"]), e["within"], "never" if at is None else "%.1f s" % (at - e["t"]))


def check(events):
    """Pairs (what was broken, how)."""
    if not any(e["e"] == "read" and "v" in e for e in events):
        yield "empty", "no node was ever asked and answered"
    yield from check_reads(events)
    yield from check_end(events)
    yield from check_named(events)


def read(path):
    with open(path) as f:
        return [json.loads(line) for line in f if line.strip()]


def main(paths):
    broken = 0
    for path in paths:
        events = read(path)
        found = list(check(events))
        broken += bool(found)
        for what, how in found:
            print("%s: %s: %s" % (path, what, how))
    print("%d histories, %d broken" % (len(paths), broken))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
