"""What happened outlives candor-health: its numbers go on, its own restarts stand there, and damage costs only what was damaged."""
import os
import random
import signal
import time

import pytest

from lib import disks
from lib.node import Node, until

QUICK = {"health": {"interval": {"local": "1s", "upstream": "1s", "zones": "1s"}, "heal": {"restart-hung": False},
                    "canary": {"cached": "", "uncached-under": "", "nxdomain-under": ""}}}


@pytest.fixture
def node(tmp_path):
    zone = tmp_path / "bl"
    zone.write_text("127.0.0.2\n")
    with Node(tmp_path / "node", {**QUICK, "rbl": {"zones": [{"name": "bl.test.", "test": "rfc5782-ip4",
                                                              "data": [{"type": "ip4set", "files": [str(zone)]}]}]}}) as n:
        yield n


def history(node, **query):
    return node.get("/history", params=query).json()


def events(node, **query):
    return history(node, **query)["events"]


def settled(node):
    """The events of a moment at which all of them were on the disk."""
    h = until("all is written", lambda: (h := history(node, limit=4000))["events"] and h["waiting"] == 0 and h)
    return h["events"]


def another_health(node):
    old = node.daemon("health")
    old.kill()
    until("another candor-health", lambda: [p for p in node.children("candor-health") if p.pid != old.pid])
    until("ready", lambda: node.get("/readyz").status_code == 200 and events(node))


def test_numbers_go_on(node):
    until("a worker scope that passes", lambda: [e for e in events(node, scope="worker") if e["to"] == "pass"])
    until("written", lambda: os.path.getsize(os.path.join(node.folder, "state", "health", "events")) > 500)
    before = settled(node)
    assert [e["number"] for e in before] == sorted((e["number"] for e in before), reverse=True)
    another_health(node)
    after = events(node, limit=4000)
    known = {e["number"]: e for e in after}
    for e in before:
        assert known[e["number"]] == e
    starts = [e for e in after if e["kind"] == "start"]
    assert len(starts) == 2 and "nothing is known from" in starts[0]["cause"] and "first time" in starts[1]["cause"]
    assert starts[0]["boot"] != starts[1]["boot"]
    assert starts[0]["number"] > before[0]["number"]
    newest = after[0]["number"]
    assert events(node, since=newest) == [] or events(node, since=newest)[-1]["number"] > newest
    page = history(node, limit=2)
    assert len(page["events"]) == 2
    rest = history(node, limit=2, before=page["before"])
    assert rest["events"][0]["number"] < page["events"][-1]["number"]
    assert all(e["scope"] == "zones" for e in events(node, scope="zones"))
    for bad in ({"since": "x"}, {"limit": "-1"}, {"scope": "nothing"}, {"before": "9" * 30}):
        assert node.get("/history", params=bad).status_code == 404


def test_a_fault_is_told_with_when_it_was_seen(node):
    worker = node.workers()[0]
    worker.suspend()
    try:
        e = until("fail", lambda: [e for e in events(node, scope="worker") if e["kind"] == "scope" and e["to"] == "fail"])[0]
    finally:
        worker.resume()
    # its own check, or that of the address which it is one of those to answer on
    assert e["firstSeen"] <= e["time"] and ("worker" in e["cause"] or "listen" in e["cause"]), e
    until("pass again", lambda: [x for x in events(node, since=e["number"], scope="worker") if x["to"] == "pass"])


def test_kill_in_the_middle_and_damage(node):
    path = os.path.join(node.folder, "state", "health", "events")
    numbers = set()
    for _ in range(2):
        time.sleep(random.random() * 0.3)
        another_health(node)
        now = {e["number"] for e in events(node, limit=4000)}
        assert not numbers - now
        numbers = {e["number"] for e in events(node, limit=4000) if e["kind"] == "start"}
    until("all starts in the file", lambda: open(path, "rb").read().count(b"candor-health started") >= 3)
    with open(path, "r+b") as f:
        whole = f.read()
        at = whole.index(b"candor-health started", len(whole) // 3)
        f.seek(at)
        f.write(b"\xff\xff")
        f.truncate(len(whole) - 7)
    another_health(node)
    h = history(node)
    assert h["damagedBytes"] > 0 and h["total"] >= max(numbers)
    assert len([e for e in events(node, limit=4000) if e["kind"] == "start"]) >= 2


def test_full_disk(tmp_path):
    """Started on a full disk, and filled while it runs: what was on the disk stays, what happens meanwhile waits, is said to wait, and is there
    when there is room."""
    state = tmp_path / "node" / "state"
    with disks.tmpfs(state, 24 << 20):
        filler = disks.fill(state)
        n = Node(tmp_path / "node", QUICK).start(ready=False)
        try:
            h = until("the history says why", lambda: "No space left" in (h := history(n)).get("output", "") and h["events"] and h)
            assert h["waiting"] > 0
            assert until("so do the metrics", lambda: "candor_history_waiting_records 0\n" not in (t := n.get("/metrics").text) and
                         "candor_history_dropped_total 0\n" in t)
            until("the disk is named", lambda: n.scope("storage")["status"] == "fail")
            meanwhile = events(n, limit=4000)
            os.unlink(filler)
            until("nothing is to be said any more", lambda: "output" not in history(n))
            until("the disk is well", lambda: n.scope("storage")["status"] in ("pass", "warn"))
            written = settled(n)
            assert {e["number"]: e for e in meanwhile}.items() <= {e["number"]: e for e in written}.items()
            disks.fill(state)
            until("the disk is named again", lambda: n.scope("storage")["status"] == "fail")
            another_health(n)
            known = {e["number"]: e for e in events(n, limit=4000)}
            assert all(known[e["number"]] == e for e in written)
            h = history(n)
            assert h["damagedBytes"] == 0 and h["dropped"] == 0
        finally:
            assert n.stop() == 0


def test_availability(node):
    until("the node was ready for a while", lambda: node.health()["availability"]["node"]["1m"]["ratio"] > 0.5)
    worker = node.workers()[0]
    worker.suspend()
    try:
        until("and then was not", lambda: node.health()["availability"]["node"]["1m"]["ratio"] < 0.9)
    finally:
        worker.resume()
    shares = until("the history has it", lambda: history(node).get("availability"))
    assert set(shares["node"]) == {"1m", "5m", "15m", "1h", "6h", "1d", "7d", "30d"}
    assert all(0 <= w["ratio"] <= w["measured"] <= 1 for s in shares.values() for w in s.values())
    assert 'candor_availability_ratio{scope="worker",window="1d"}' in node.get("/metrics").text
