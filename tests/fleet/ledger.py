"""What happened on each node, by its own ledger, beside what the stores were told: the same, in its order, once.

    told(node)                the node's own /history, oldest first, at a moment at which all of it is on the disk; and what it told before
    stored(stage, monitor)    {node: events} in a monitor's own tables (SQLite)
    tabled(stage)             {node: events} in PostgreSQL
    differences(stage, ...)   [] when nobody lost, invented, doubled or disordered anything

An event is (number, boot, kind, scope, from, to). In their order: no event came to a store before one with a smaller number.
"""
import contextlib
import glob
import os
import sqlite3

import requests

from observers import EVENT_NODE, EVENT_NUMBER, Snmp
from stage import MONITORS, until

COLUMNS = "node, sequence, boot, kind, scope, was, is_now"


REMEMBERED = {}  # {folder of a node: {number: event}}: its ledger is bounded, and forgets over hours


def told(node):
    def look():
        h = node.get("/history", params={"limit": 4000}).json()
        return h["events"] and h["waiting"] == 0 and h
    h = until("all of %s is on its disk" % node.config["node"]["name"], look, 60, 0.2)
    known = REMEMBERED.setdefault(node.folder, {})
    for e in h["events"][::-1]:
        event = (e["number"], e["boot"], e["kind"], e.get("scope", ""), e.get("from", ""), e.get("to", ""))
        assert known.setdefault(e["number"], event) == event, "%s tells number %d in two ways" % (node.config["node"]["name"], e["number"])
    return [known[k] for k in sorted(known)]


def by_node(rows):
    out = {}
    for node, *event in rows:
        out.setdefault(node, []).append((int(event[0]), *event[1:]))
    return out


def store_of(stage, monitor):
    found = glob.glob(os.path.join(stage.nodes[monitor].folder, "state", "monitor", "*.sqlite"))
    assert found, "%s has no store" % monitor
    return found[0]


def stored(stage, monitor):
    with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % store_of(stage, monitor), uri=True, timeout=10)) as db:
        return by_node(db.execute("SELECT %s FROM event ORDER BY came, sequence" % COLUMNS).fetchall())


def tabled(stage):
    return by_node(stage.db.query("SELECT %s FROM candor.event ORDER BY came, sequence" % COLUMNS))


def informed(stage):
    """{node: numbers} of snmptrapd's notifications; an InformRequest that was answered too late comes again."""
    out = {}
    for n in Snmp(stage).notifications():
        out.setdefault(n[EVENT_NODE], set()).add(int(n[EVENT_NUMBER]))
    return out


def compare_informed(name, own, has):
    """Transitions of scopes and starts are notified, from the first that was."""
    want = {e[0] for e in own if e[2] in ("scope", "start") and e[0] >= min(has)} if has else set()
    out = ["snmptrapd lacks %d notifications of %s, the first %d" % (len(want - has), name, min(want - has))] if want - has else []
    made_up = has - {e[0] for e in own}
    return out + (["snmptrapd has notifications of %s that it knows nothing of: %s" % (name, sorted(made_up)[:3])] if made_up else [])


def compare(where, name, own, has):
    """Words on each thing that is not as it should be."""
    out = []
    if len(set(has)) != len(has):
        out.append("%s has events of %s twice" % (where, name))
    if [e[0] for e in has] != sorted(e[0] for e in has):
        out.append("%s has events of %s out of order" % (where, name))
    lost, made_up = sorted(set(own) - set(has)), sorted(set(has) - set(own))
    if lost:
        out.append("%s lacks %d of %d events of %s, the first %s" % (where, len(lost), len(own), name, lost[0]))
    if made_up:
        out.append("%s has %d events that %s knows nothing of, the first %s" % (where, len(made_up), name, made_up[0]))
    return out


def differences(stage, names=None, counts=None):
    """Compares at one moment: events that happen meanwhile are lacking, so ask again (settled)."""
    stores = {}
    for m in MONITORS if "https" in stage.sinks else ():
        stores[m] = stored(stage, m)
    if "sql" in stage.sinks:
        stores["SQL"] = tabled(stage)
    notified = informed(stage) if "snmp" in stage.sinks else {}
    out = []
    for name in names or stage.nodes:
        own = told(stage.nodes[name])
        out += compare_informed(name, own, notified.get(name, set()))
        for where, has in stores.items():
            if where == name:
                continue  # a monitor does not report to itself
            known = has.get(name, [])
            out += compare(where, name, own, known)
            if counts is not None:
                counts[(where, name)] = len(known)
    return out


def settled(stage, within_s, names=None):
    """Waits until nothing differs; {(store, node): events}."""
    counts = {}

    def look():
        counts.clear()
        return not differences(stage, names, counts)
    try:
        until("all stores have what happened", look, within_s, 0.5)
    except AssertionError:
        with contextlib.suppress(requests.RequestException):
            raise AssertionError("after %d s:\n%s" % (within_s, "\n".join(differences(stage, names)))) from None
        raise
    return counts
