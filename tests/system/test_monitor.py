"""A monitor over HTTPS: what nodes send is kept before it is acknowledged, every event once and in order, also when the monitor was away;
what it knows of them is one document; who may not post is told so; a damaged store is set aside.

Ticks are a tenth of the base ones, and the limits of the catalogue with them."""
# mostly waits
# time bound: 120 s
import contextlib
import glob
import hashlib
import hmac
import http.client
import json
import os
import shutil
import socket
import sqlite3
import ssl
import time

import pytest
import requests

from lib.certs import Authority
from lib.node import Node, free_port, until
from test_reports import FAST, KEYS, NO_CANARY, TICKS, says

NAME = "monitor.example"


class Fleet:
    """Nodes a and b, and the monitor m of both; m is stopped and started at will."""

    def __init__(self, folder):
        self.folder, self.authority = folder, Authority(folder / "authority")
        self.certificate, self.key = self.authority.issue(NAME, days=90)
        self.datagram, self.https = ("127.0.0.1@%d" % free_port() for _ in range(2))
        self.a, self.b = self.node("a"), self.node("b")
        self.m = Node(folder / "m", {
            "node": {"name": "m"}, "rbl": {"keys": KEYS},
            "health": {"interval": TICKS, "canary": NO_CANARY, "monitor": {
                "enabled": True, "listen": [{"datagram": self.datagram, "https": self.https}],
                "tls": {"certificate": self.certificate, "key": self.key},
                "nodes": [{"name": n.config["node"]["name"], "resolver": n.dns, "key": n.config["node"]["name"] + ".",
                           "health": n.config["health"]["listen"][0]} for n in (self.a, self.b)]}}})
        self.store = str(folder / "m" / "state" / "monitor" / "monitor.sqlite")
        self.url = "https://127.0.0.1:%s/report" % self.https.split("@")[1]

    def node(self, name):
        return Node(self.folder / name, {
            "node": {"name": name}, "rbl": {"keys": KEYS},
            "health": {"interval": TICKS, "canary": NO_CANARY, "heal": {"restart-hung": False}, "report": {
                "datagram": [{"address": self.datagram, "key": name + "."}],
                "https": [{"address": self.https, "tls-name": NAME, "ca": self.authority.ca, "key": name + ".", "path": "/report"}]}}})

    def fleet(self, name=None):
        r = self.m.get("/fleet" + ("/" + name if name else ""))
        assert r.status_code == 200, r.status_code
        return r.json()

    def entry(self, name):
        return [n for n in self.fleet()["nodes"] if n["node"] == name][0]

    def rows(self, sql, *args):
        with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % self.store, uri=True, timeout=10)) as db:
            return db.execute(sql, args).fetchall()

    def post(self, body, key="a.", secret=b"a" * 16, moment=None):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        moment = str(int(time.time() * 1000) if moment is None else moment)
        mac = hmac.new(secret, moment.encode() + b"\n" + body, hashlib.sha256).hexdigest()
        return requests.post(self.url, data=body, verify=False, timeout=10,
                             headers={"Candor-Key": key, "Candor-Time": moment, "Candor-MAC": mac})


def ledger(node):
    """The node's own events by number."""
    return {e["number"]: e for e in node.get("/history?limit=1000").json()["events"]}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    requests.packages.urllib3.disable_warnings()
    f = Fleet(tmp_path_factory.mktemp("fleet"))
    with contextlib.ExitStack() as stack:
        for n in (f.m, f.a, f.b):
            n.start(ready=False)
            stack.callback(n.__exit__, None, None, None)
        for n in (f.m, f.a, f.b):
            n.wait_ready()
        yield f


def test_the_fleet_is_one_document(fleet):
    def whole():
        at = fleet.entry("a")
        return at["self"]["fresh"] and at["self"]["ready"] and at["seen"]["answers"] and at["seen"]["health"] in ("pass", "warn") \
            and at["agree"] == "pass" and "detailMs" in at["self"] and at
    at = until("both words of a stand in /fleet", whole)
    assert at["gaps"] == 0 and at["sinceMs"] <= time.time() * 1000 and "worker" in at["self"]["scopes"]
    doc = fleet.fleet()
    assert doc["v"] == 1 and doc["monitor"] == "m" and doc["cutOff"] is False and [n["node"] for n in doc["nodes"]] == ["a", "b"]
    one = until("a's events came", lambda: [d for d in [fleet.fleet("a")] if d["events"]])[0]
    assert one["detail"]["node"] == "a" and one["is"]["node"] == "a" and {e["node"] for e in one["events"]} == {"a"}
    assert fleet.m.get("/fleet/c").status_code == 404
    assert fleet.a.get("/fleet").status_code == 404
    says(fleet.m, "monitor", "node:health", "a", "pass warn", "it shows")
    says(fleet.m, "monitor", "monitor:store", "monitor", "pass", "kept")


def test_the_store_has_the_tables(fleet):
    until("reports, events, zones and checks of both", lambda: fleet.rows("SELECT 1") and all(
        len({r[0] for r in fleet.rows("SELECT node FROM " + t)}) == 2 for t in ("node", "report", "event", "probe_result")))
    assert fleet.rows("SELECT max(number) FROM migration") == [(1,)]
    until("details of both", lambda: fleet.rows("SELECT count(*) FROM node WHERE detail_made IS NOT NULL") == [(2,)])


def test_monitor_away_and_back_every_event_once_in_order(fleet):
    """The monitor is stopped, things happen on a; then it has all of them, in the order of a's own ledger."""
    fleet.m.stop()
    stopped = [fleet.a.daemon("resolver")] + fleet.a.workers()
    for p in stopped:
        p.suspend()
    until("a says that it fails", lambda: fleet.a.health()["status"] == "fail")
    for p in stopped:
        p.resume()
    until("a's workers pass again", lambda: fleet.a.scope("worker")["status"] in ("pass", "warn"))
    fleet.m.start()
    own = ledger(fleet.a)
    top = max(own)
    until("the monitor has a's events up to %d" % top, lambda: fleet.rows("SELECT max(sequence) FROM event WHERE node = 'a'")[0][0] >= top)
    kept = fleet.rows("SELECT sequence, was, is_now FROM event WHERE node = 'a' AND sequence <= ? ORDER BY rowid", top)
    assert [k[0] for k in kept] == sorted(own)
    for sequence, was, is_now in kept:
        if own[sequence].get("from"):
            assert (was, is_now) == (own[sequence]["from"], own[sequence]["to"])
    assert [r for r in fleet.rows("SELECT node FROM event_gaps") if r[0] == "a"] == []
    until("the fleet shows them, newest first", lambda: fleet.fleet("a")["events"][0]["sequence"] >= top)


def test_nodes_know_who_asks_them(fleet):
    for n in (fleet.a, fleet.b):
        says(n, "reporting", "monitor:asks", fleet.datagram, "pass", "asked")
        says(n, "reporting", "monitor:asks", fleet.https, "pass", "asked")


def too_long(fleet):
    """By its header alone: nothing of such a body is read."""
    host, port = fleet.https.split("@")
    c = http.client.HTTPSConnection(host, int(port), timeout=10, context=ssl._create_unverified_context())
    with contextlib.closing(c):
        c.putrequest("POST", "/report")
        for key, value in (("Candor-Key", "a."), ("Candor-Time", str(int(time.time() * 1000))), ("Candor-MAC", "0" * 64),
                           ("Content-Length", str((4 << 20) + 1))):
            c.putheader(key, value)
        c.endheaders()
        return c.getresponse().status


def test_who_may_not_post_is_told(fleet):
    def report(node="a", **over):
        return {"report": dict({"node": node, "version": "x", "boot": "00000000000000aa", "sequence": 1, "wallMs": 5, "revision": 1,
                                "lagMs": 0, "status": "pass", "ready": True, "cause": "", "scopes": {}}, **over), "events": [], "eventsLost": 0}
    assert fleet.post(report(), secret=b"wrong").status_code == 401
    assert fleet.post(report(), key="c.").status_code == 401
    assert fleet.post(report(), moment=int(time.time() * 1000) - 400000).status_code == 401
    assert fleet.post(report("b")).status_code == 403
    assert fleet.post(report("nobody")).status_code == 403
    assert fleet.post({"node": "b", "events": [], "eventsLost": 0}).status_code == 403
    assert fleet.post({"node": "a", "events": [], "eventsLost": 0}).status_code == 200
    for bad in (b"{", b"[]", b"7", b"\xff\xfe", report(boot="x"), report(status="fine"), report(scopes={"worker": 7}), report(sequence=-1),
                {"events": 7}, {"report": report()["report"], "events": [{}]}, {"detail": 5}, {"detail": {"node": "a", "x": [[[[[[[[[[]]]]]]]]]]}}):
        assert fleet.post(bad).status_code == 400, bad
    assert too_long(fleet) == 413
    assert requests.get(fleet.url, verify=False, timeout=10).status_code == 405
    assert requests.post(fleet.url + "s", data=b"x", verify=False, timeout=10).status_code == 404
    until("all of it is counted", lambda: 'candor_monitor_refused_total{reason="node"} 3' in fleet.m.get("/metrics").text)
    assert fleet.rows("SELECT count(*) FROM report WHERE boot = '00000000000000aa'") == [(0,)]
    assert fleet.entry("a")["self"]["boot"] != "00000000000000aa"


def test_what_a_health_port_shows_is_proved(fleet, tmp_path):
    """By the key that the node reports with; a monitor that has another one for it believes nothing."""
    url = "/peers?for=m&nonce=00ff&key="
    named = fleet.a.get(url + "A.")
    assert named.headers["Candor-MAC"] == hmac.new(b"a" * 16, named.content, hashlib.sha256).hexdigest()
    assert "Candor-MAC" not in fleet.a.get(url + "b.").headers and "Candor-MAC" not in fleet.a.get(url).headers
    with Node(tmp_path / "other", {"node": {"name": "other"}, "rbl": {"keys": KEYS}, "health": {
            "interval": TICKS, "canary": NO_CANARY, "monitor": {"enabled": True, "nodes": [
                {"name": "a", "resolver": fleet.a.dns, "key": "b.", "health": fleet.a.config["health"]["listen"][0]}]}}}) as other:
        says(other, "monitor", "node:health", "a", "fail", "no HMAC")
        says(other, "monitor", "node:answers", "a", "pass")
    says(fleet.m, "monitor", "node:health", "a", "pass warn", "it shows")


def shown_end(fleet):
    """When the certificate ends that a client is shown, and believes."""
    host, port = fleet.https.split("@")
    context = ssl.create_default_context(cafile=fleet.authority.ca)
    with socket.create_connection((host, int(port)), 5) as plain, context.wrap_socket(plain, server_hostname=NAME) as s:
        return s.getpeercert()["notAfter"]


def test_a_renewed_certificate_is_shown_without_a_restart(fleet):
    m, first = fleet.m, shown_end(fleet)
    boot = m.daemon("health").pid
    says(m, "monitor", "monitor:certificate", "monitor", "pass", "ends in 89 days")
    shutil.copy(fleet.authority.issue("other.example", days=50)[0], fleet.certificate)  # not that key's
    says(m, "monitor", "monitor:certificate", "monitor", "warn", "the old one stays")
    assert shown_end(fleet) == first
    with open(fleet.certificate, "wb") as f:
        f.write(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    says(m, "monitor", "monitor:certificate", "monitor", "warn", "the old one stays")
    os.unlink(fleet.key)
    says(m, "monitor", "monitor:certificate", "monitor", "warn", "No such file")
    assert shown_end(fleet) == first
    assert (fleet.certificate, fleet.key) == fleet.authority.issue(NAME, days=12)
    says(m, "monitor", "monitor:certificate", "monitor", "warn", "ends in 11 days")
    assert shown_end(fleet) != first
    says(fleet.a, "reporting", "report:certificate", fleet.https, "warn", "ends in 11 days")  # reports go on, over the new one
    fleet.authority.issue(NAME, days=90)
    says(m, "monitor", "monitor:certificate", "monitor", "pass", "ends in 89 days")
    assert m.daemon("health").pid == boot


def test_slow_clients_are_ended(fleet):
    host, port = fleet.https.split("@")
    context = ssl.create_default_context(cafile=fleet.authority.ca)
    with socket.create_connection((host, int(port)), 5) as plain, context.wrap_socket(plain, server_hostname=NAME) as s:
        s.settimeout(0.2)
        began, ended = time.monotonic(), False
        with contextlib.suppress(OSError):
            s.sendall(b"POST /report HTTP/1.1\r\nHost: x\r\n")
            while time.monotonic() < began + 30 and not ended:
                s.sendall(b"A: b\r\n")  # never idle
                with contextlib.suppress(TimeoutError):
                    ended = s.recv(1) == b""
        assert time.monotonic() < began + 30
    until("a is heard as before", lambda: fleet.entry("a")["self"]["fresh"])


def test_damaged_store_is_set_aside(fleet):
    fleet.m.stop()
    for beside in ("-wal", "-shm"):  # a monitor that was ended hard leaves them, and they would heal the file
        with contextlib.suppress(FileNotFoundError):
            os.unlink(fleet.store + beside)
    with open(fleet.store, "r+b") as f:
        f.write(b"this is no database any more, and was one a moment ago")
    fleet.m.start()
    until("a new store is filled", lambda: fleet.rows("SELECT count(*) FROM report")[0][0] > 0)
    assert glob.glob(fleet.store + ".damaged-*")
    says(fleet.m, "monitor", "monitor:store", "monitor", "warn", "set aside")
    says(fleet.m, "monitor", "node:report", "a", "pass warn", "ready")


def test_monitors_watch_each_other(tmp_path):
    """Row 44: a monitor that hangs is silence to its nodes; the other monitor says so. Neither has any zones."""
    at = {n: "127.0.0.1@%d" % free_port() for n in ("m1", "m2")}
    dns = {n: "127.0.0.1@%d" % free_port() for n in at}
    both = {n: Node(tmp_path / n, {
        "node": {"name": n}, "resolver": {"listen": [{"address": dns[n]}]},
        "rbl": {"keys": [{"name": k + ".", "algorithm": "hmac-sha256", "secret": KEYS[0]["secret"]} for k in at]},
        "health": {"interval": TICKS, "canary": NO_CANARY, "heal": {"restart-hung": False},
                   "report": {"datagram": [{"address": at[other], "key": n + "."}]},
                   "monitor": {"enabled": True, "listen": [{"datagram": at[n]}],
                               "nodes": [{"name": other, "resolver": dns[other], "key": other + "."}]}}})
        for n, other in (("m1", "m2"), ("m2", "m1"))}
    with both["m1"], both["m2"]:
        for lives, dies in (("m1", "m2"), ("m2", "m1")):
            for n in both:
                says(both[n], "monitor", "node:report", "m2" if n == "m1" else "m1", "pass warn", "ready")
            supervisor, health = both[dies].supervisor(), both[dies].daemon("health")
            supervisor.suspend()  # it would replace what hangs
            health.suspend()
            try:
                says(both[lives], "monitor", "node:report", dies, "fail", "silent for", within_s=45 / FAST + 3)
                says(both[lives], "reporting", "monitor:asks", at[dies], "fail", "nobody asks", within_s=300 / FAST)
                assert both[lives].get("/fleet").json()["nodes"][0]["state"] == "fail"
            finally:
                health.resume()
                supervisor.resume()
            says(both[lives], "reporting", "monitor:asks", at[dies], "pass", "asked")
