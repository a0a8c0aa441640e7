"""Reports to monitors: heard, missed, forged; a node that falls silent, a monitor that does, and one that is cut off.

Ticks are a tenth of the base ones, and the limits of the catalogue with them."""
# time bound: 300 s
# mostly waits
import contextlib
import json
import time

import pytest

from lib.netns import Capture, Namespace
from lib.node import Node, free_port, until

FAST = 10
KEYS = [{"name": n, "algorithm": "hmac-sha256", "secret": s} for n, s in
        (("a.", "YWFhYWFhYWFhYWFhYWFhYQ=="), ("b.", "YmJiYmJiYmJiYmJiYmJiYg=="))]
TICKS = {k: "%dms" % (s * 1000 / FAST) for k, s in (("local", 5), ("upstream", 15), ("zones", 30), ("peers", 5), ("push", 15))}
NO_CANARY = {"cached": "", "uncached-under": "", "nxdomain-under": ""}


def reporter(folder, name, monitors, key=None, **kw):
    return Node(folder / name, {
        "node": {"name": name}, "rbl": {"keys": KEYS},
        "health": {"interval": TICKS, "canary": NO_CANARY, "heal": {"restart-hung": False},
                   "report": {"datagram": [{"address": m, "key": key or name + "."} for m in monitors]}}}, **kw)


def monitor(folder, name, at, nodes):
    return Node(folder / name, {
        "node": {"name": name}, "rbl": {"keys": KEYS},
        "health": {"interval": TICKS, "canary": NO_CANARY, "monitor": {
            "enabled": True, "listen": [{"datagram": at}],
            "nodes": [{"name": n.config["node"]["name"], "resolver": n.dns, "key": n.config["node"]["name"] + "."} for n in nodes]}}})


def says(node, scope, check, ident, state, words="", within_s=30):
    def look():
        at = [c for c in node.scope(scope)["checks"].get(check, []) if c.get("componentId", "") == ident]
        return at and at[0]["status"] in state.split() and words in at[0]["output"] and at[0]
    try:
        return until("%s %s of %s is %s" % (check, words, ident, state), look, within_s)
    except AssertionError:
        print(json.dumps(node.scope(scope), indent=1)[:5000])
        raise


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    at = "127.0.0.1@%d" % free_port()
    a, b = reporter(folder, "a", [at]), reporter(folder, "b", [at])
    m = monitor(folder, "m", at, [a, b])
    with contextlib.ExitStack() as stack:
        for n in (m, a, b):
            n.start(ready=False)
            stack.callback(n.__exit__, None, None, None)
        for n in (m, a, b):
            n.wait_ready()
        yield m, a, b, at


def test_heard_and_said_so(fleet):
    m, a, b, at = fleet
    for n in (a, b):
        says(n, "reporting", "report:monitor", at, "pass", "m acknowledged")
        name = n.config["node"]["name"]
        says(m, "monitor", "node:report", name, "pass warn", "ready")  # what the machine around the test does is a warning of its own
        says(m, "monitor", "node:answers", name, "pass")
        says(m, "monitor", "node:agree", name, "pass", "and answers")
        says(m, "monitor", "node:gaps", name, "pass")
    says(m, "monitor", "monitor:quorum", "nodes", "pass", "2 of 2")


def test_hung_resolver_is_told_by_the_node_and_seen_by_the_monitor(fleet):
    m, a, _, _ = fleet
    stopped = [a.daemon("resolver")] + a.workers()
    for p in stopped:
        p.suspend()
    says(m, "monitor", "node:answers", "a", "fail", "no answer", within_s=15 / FAST + 2)
    says(m, "monitor", "node:report", "a", "fail", "not ready", within_s=15 / FAST + 2)
    says(m, "monitor", "monitor:quorum", "nodes", "pass")
    says(m, "monitor", "node:agree", "b", "pass", "and answers")
    for p in stopped:
        p.resume()
    says(m, "monitor", "node:agree", "a", "pass", "and answers")


def test_reporter_hung_node_fine(fleet):
    """Row 43: the last report was green; silence is not."""
    m, a, _, _ = fleet
    health = a.daemon("health")
    health.suspend()
    c = says(m, "monitor", "node:report", "a", "fail", "silent for", within_s=45 / FAST + 1)
    assert "its last word" in c["output"]
    says(m, "monitor", "node:answers", "a", "pass")
    health.resume()
    says(m, "monitor", "node:gaps", "a", "pass")
    says(m, "monitor", "node:agree", "a", "pass", "and answers")


def test_monitor_dead(fleet):
    """Row 44: silence looks calm, so the nodes say that nobody hears them."""
    m, a, b, at = fleet
    health = m.daemon("health")
    m.daemon("resolver").parent().suspend()  # the supervisor: it would replace what hangs
    health.suspend()
    for n in (a, b):
        says(n, "reporting", "report:monitor", at, "fail", "nobody hears this node", within_s=120 / FAST)
        assert n.get("/readyz").status_code == 200
    health.resume()
    m.supervisor().resume()
    for n in (a, b):
        says(n, "reporting", "report:monitor", at, "pass", "acknowledged")


def test_one_of_two_monitors_dead_is_no_failure(tmp_path, fleet):
    _, _, _, at = fleet
    with reporter(tmp_path, "a", [at, "127.0.0.1@9"]) as n:
        says(n, "reporting", "report:monitor", "127.0.0.1@9", "warn", "another one hears this node", within_s=120 / FAST)
        says(n, "reporting", "report:monitor", at, "pass")


def test_another_nodes_key_is_not_believed(tmp_path, fleet):
    m, _, _, at = fleet
    with reporter(tmp_path, "b", [at], key="a.") as liar:
        says(liar, "reporting", "report:monitor", at, "fail", "REFUSED", within_s=120 / FAST)
    assert m.supervisor().is_running()


def test_black_holed_port_53_keeps_no_report_back(tmp_path):
    """Row 42: everything to port 53 is dropped, the resolver is hung, and the monitor has it within 15 s; no packet went to port 53."""
    with Namespace() as ns:
        ns.nft(["udp dport 53 counter drop", "tcp dport 53 counter drop"])
        at = "127.0.0.1@5390"
        a = reporter(tmp_path, "a", [at], prefix=ns.prefix)
        m = Node(tmp_path / "m", {"node": {"name": "m"}, "resolver": {"listen": [{"address": "127.0.0.2@5300"}]},
                                  "rbl": {"keys": KEYS, "listen": ["127.0.0.2@5301"]},
                                  "health": {"listen": ["127.0.0.2@5380"], "interval": TICKS, "canary": NO_CANARY, "monitor": {
                                      "enabled": True, "listen": [{"datagram": at}],
                                      "nodes": [{"name": "a", "resolver": "127.0.0.1@5300", "key": "a."}]}}}, prefix=ns.prefix)

        def page(path):
            return ns.run("curl", "-s", "-m", "5", "http://127.0.0.2:5380" + path).stdout

        with Capture(ns, "port 53") as capture, m, a:
            until("green", lambda: json.loads(page("/health/monitor"))["status"] in ("pass", "warn"), 20)
            stopped = [a.daemon("resolver")] + a.workers()
            for p in stopped:
                p.suspend()
            start = time.monotonic()
            until("the monitor has it", lambda: any(
                c["status"] == "fail" and "says fail" in c["output"]
                for c in json.loads(page("/health/monitor"))["checks"].get("node:report", [])), 15 / FAST + 2, 0.05)
            assert time.monotonic() - start <= 15 / FAST + 2
            for p in stopped:
                p.resume()
        assert capture.text() == ""


def test_monitor_cut_off(tmp_path):
    """Row 45: all nodes gone at once is the monitor's own trouble, and it accuses nobody."""
    with Namespace() as ns:
        at = "127.0.0.1@5390"
        nodes = []
        for i, name in enumerate(("a", "b")):
            host = "127.0.0.%d" % (2 + i)
            nodes.append(Node(tmp_path / name, {
                "node": {"name": name}, "resolver": {"listen": [{"address": host + "@5300"}], "workers": 1},
                "rbl": {"keys": KEYS, "listen": [host + "@5301"]},
                "health": {"listen": [host + "@5380"], "interval": TICKS, "canary": NO_CANARY,
                           "report": {"datagram": [{"address": at, "key": name + "."}]}}}, prefix=ns.prefix))
            nodes[-1].dns_at = host + "@5300"
        m = Node(tmp_path / "m", {"node": {"name": "m"}, "rbl": {"keys": KEYS}, "resolver": {"workers": 1},
                                  "health": {"interval": TICKS, "canary": NO_CANARY, "monitor": {
                                      "enabled": True, "listen": [{"datagram": at}],
                                      "nodes": [{"name": n.config["node"]["name"], "resolver": n.dns_at,
                                                 "key": n.config["node"]["name"] + "."} for n in nodes]}}}, prefix=ns.prefix)

        def checks():
            return json.loads(ns.run("curl", "-s", "-m", "5", "http://127.0.0.1:5380/health/monitor").stdout)["checks"]

        def state(check, i=0):
            at = checks().get(check, [])
            return at[i]["status"] if i < len(at) else ""

        with m, nodes[0], nodes[1]:
            until("all heard", lambda: state("monitor:quorum") == "pass" and all(
                state("node:agree", i) == "pass" for i in (0, 1)), 30)
            # What the nodes send and what they answer is lost on the way; the monitor itself is well.
            ns.nft(["udp dport 5390 drop", "udp dport 5300 ip daddr { 127.0.0.2, 127.0.0.3 } ip saddr 127.0.0.1 drop"])
            doc = until("it says that it is cut off", lambda: (c := checks())["monitor:quorum"][0]["status"] == "fail" and
                        "this monitor that is cut off" in json.dumps(c["monitor:quorum"]) and c, 30 / FAST + 2)
            assert all(c["status"] != "fail" for c in doc["node:report"])
            ns.nft_clear()
            until("all heard again", lambda: state("monitor:quorum") == "pass" and all(
                state("node:agree", i) == "pass" for i in (0, 1)), 30)
