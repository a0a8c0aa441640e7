"""The health port itself: its pages, who may read them, and that it goes silent rather than green when its own prober hangs."""
# mostly waits
import contextlib
import gzip
import http.client
import json
import os
import random
import re
import socket
import subprocess
import threading
import time

import dns.edns
import dns.flags
import dns.message
import dns.rrset
import pytest
import requests

from lib.node import Node, until
from lib.upstream import Upstream

FAST = 5
TOKEN = "correct-horse-battery"
LOCAL_S, UPSTREAM_S, ZONES_S = 5 / FAST, 15 / FAST, 30 / FAST


def config(folder, upstream=None, **health):
    (folder / "bl").write_text("127.0.0.2\n192.0.2.1\n")
    c = {
        "resolver": {"workers": 2},
        "rbl": {"zones": [{"name": "bl.test.", "test": "rfc5782-ip4", "data": [{"type": "ip4set", "files": [str(folder / "bl")]}]}]},
        "health": {"interval": {"local": "%dms" % (LOCAL_S * 1000), "upstream": "%dms" % (UPSTREAM_S * 1000),
                                "zones": "%dms" % (ZONES_S * 1000)}, "token": TOKEN,
                   "heal": {"restart-hung": False}},
    }
    if upstream:
        c["resolver"]["forward"] = [{"zone": ".", "to": [upstream.address]}]
    c["health"].update(health)
    return c


def green(node, *scopes, within_s=30):
    for s in scopes:
        until(s + " is green", lambda: node.scope(s)["status"] in ("pass", "warn"), within_s)


def checks(doc, key):
    return {c["componentId"]: c for c in doc["checks"].get(key, [])}


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    folder = tmp_path_factory.mktemp("health")
    with Upstream() as u, Node(folder / "node", config(folder, u)) as n:
        n.upstream = u
        green(n, "process", "worker", "resolution", "zones", "upstream", "storage")
        yield n


def test_every_scope_and_check_with_its_evidence(node):
    r = until("all pass", lambda: (r := node.get("/health")) and r.json()["status"] == "pass" and r)
    doc = r.json()
    assert r.status_code == 200 and doc["status"] == "pass", json.dumps(doc, indent=1)
    assert r.headers["Content-Type"] == "application/health+json"
    assert r.headers["Cache-Control"] == "max-age=1"
    assert doc["serviceId"] == "test" and doc["version"] == "1" and doc["releaseId"]
    assert set(doc["scopes"]) == {"process", "worker", "resolution", "zones", "upstream", "storage"}
    for key, entries in doc["checks"].items():
        assert re.fullmatch(r"[a-z]+:[a-z_]+", key)
        for c in entries:
            assert c["status"] == "pass" and c["output"] and c["evidence"]["asked"], (key, c)
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", c["time"])
    udp = checks(doc, "listen:udp")[node.dns]
    assert udp["evidence"]["server"] == node.dns and udp["evidence"]["sourcePort"] >= 1024
    assert set(checks(doc, "worker:answers")) == {"worker 0", "worker 1"}
    assert checks(doc, "listen:tcp")[node.dns]["evidence"]["proto"] == "tcp"
    assert "127.0.0.2" in checks(doc, "zone:point_listed")["bl.test."]["output"]
    assert checks(doc, "upstream:answers")[node.upstream.address]


def test_one_scope(node):
    doc = node.scope("zones")
    assert set(doc["scopes"]) == {"zones"} and all(k.startswith("zone:") for k in doc["checks"])


@pytest.mark.parametrize("method,path,code", [
    ("GET", "/livez", 200), ("GET", "/readyz", 200), ("GET", "/history", 200), ("GET", "/", 200), ("GET", "/metrics", 200),
    ("HEAD", "/health", 200), ("GET", "/health/nothing", 404), ("GET", "/health/replication", 404), ("GET", "/nothing", 404),
    ("GET", "/../etc/passwd", 404), ("GET", "/health/", 404), ("DELETE", "/health", 405), ("PUT", "/health/run", 405), ("POST", "/health", 405),
    ("OPTIONS", "/", 405), ("GET", "/health/run", 405), ("POST", "/health/run", 401), ("GET", "/health/run/1", 404),
    ("POST", "/nothing", 404), ("GET", "/health/run/x", 404), ("GET", "/livez/", 404), ("GET", "/" + "x" * 8000, 404)])
def test_codes(node, method, path, code):
    r = requests.request(method, "http://%s:%d%s" % (node.host, node.health_port, path), timeout=5)
    assert r.status_code == code
    if code == 405:
        assert r.headers["Allow"] == ("POST" if path == "/health/run" else "GET, HEAD")
    if code == 200 or r.headers["Content-Type"] == "application/health+json":
        assert r.headers["Cache-Control"] == ("no-store" if path == "/" else "max-age=1")
    else:
        assert r.headers["Cache-Control"] == "no-store"
    if method == "HEAD":
        assert r.content == b"" and int(r.headers["Content-Length"]) > 1000


def test_a_scope_that_this_node_has_not(node):
    """Neither green, as nothing was seen, nor red, as nothing is wrong."""
    r = node.get("/health/replication")
    assert r.status_code == 404 and r.headers["Content-Type"] == "application/health+json"
    assert r.json()["status"] == "unknown" and r.json()["output"] == "this node has no checks of this scope"
    assert node.get("/health/nothing").headers["Content-Type"].startswith("text/plain")


def test_head_says_what_get_says(node):
    for path in ("/livez", "/readyz", "/health", "/health/zones", "/metrics", "/history", "/"):
        url = "http://%s:%d%s" % (node.host, node.health_port, path)
        get, head = requests.get(url, timeout=5), requests.head(url, timeout=5)
        assert (get.status_code, head.content) == (head.status_code, b"")
        same = set(get.headers) - {"Date", "Content-Length"}
        assert {k: get.headers[k] for k in same} == {k: head.headers[k] for k in same} and "Content-Length" in head.headers


@pytest.mark.parametrize("path, asked", [("/page.js", "gzip"), ("/page.css", "br;q=1, gzip;q=0.8"), ("/metrics", "*"), ("/health", "gzip"), ("/", "gzip")])
def test_large_bodies_are_packed_for_who_takes_it(node, path, asked):
    """What http.client gets is what was sent: it unpacks nothing."""
    def got(accept):
        c = http.client.HTTPConnection(node.host, node.health_port, timeout=10)
        with contextlib.closing(c):
            c.request("GET", path, headers={"Accept-Encoding": accept} if accept else {})
            r = c.getresponse()
            return r, r.read()
    plain, whole = got(None)
    small, body = got(asked)
    assert plain.getheader("Content-Encoding") is None and got("gzip;q=0")[0].getheader("Content-Encoding") is None
    assert small.getheader("Content-Encoding") == "gzip" and "Accept-Encoding" in small.getheader("Vary") and "Accept-Encoding" in plain.getheader("Vary")
    assert int(small.getheader("Content-Length")) == len(body) < len(whole) / 2
    again = gzip.decompress(body)
    assert again == whole if path.startswith("/page") else (again[:40] == whole[:40] and abs(len(again) - len(whole)) < len(whole) / 10)
    assert small.getheader("Content-Type") == plain.getheader("Content-Type")


def test_a_fresh_source_port_for_every_probe(node):
    seen = set()
    for _ in range(12):
        seen.add(checks(node.health(), "zone:point_listed")["bl.test."]["evidence"]["sourcePort"])
        seen.add(checks(node.health(), "listen:tcp")[node.dns]["evidence"]["sourcePort"])
        time.sleep(LOCAL_S / 3)
    assert len(seen) >= 4


def test_metrics_are_clean(node):
    r = node.get("/metrics")
    assert r.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    p = subprocess.run(["promtool", "check", "metrics"], input=r.text, capture_output=True, text=True)
    assert p.returncode == 0 and p.stderr == "" and p.stdout == "", p.stderr + p.stdout
    assert "candor_health_status{scope=\"worker\"} 0\n" in r.text
    for name in ("example.com", "192.0.2.1", "id.server"):
        assert name not in r.text, "no query names, no client addresses"


def test_openmetrics_is_read_by_prometheus(node, tmp_path):
    r = node.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"})
    assert r.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert r.text.endswith("# EOF\n")
    # promtool reads OpenMetrics only with timestamps: add them.
    stamped = "".join(l if l.startswith("#") else l.rstrip("\n") + " %d\n" % time.time() for l in r.text.splitlines(True))
    (tmp_path / "m").write_text(stamped)
    p = subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics", tmp_path / "m", tmp_path / "db"],
                       capture_output=True, text=True)
    assert p.returncode == 0, p.stderr


def runs(node):
    return sum(float(l.rsplit(" ", 1)[1]) for l in node.get("/metrics").text.splitlines() if l.startswith("candor_probe_runs_total"))


def test_a_run_now(node):
    auth = {"Authorization": "Bearer " + TOKEN}
    url = "http://%s:%d/health/run" % (node.host, node.health_port)
    for wrong in ("Bearer " + TOKEN[:-1], "Bearer " + TOKEN + "x", "Bearer ", "Basic " + TOKEN, TOKEN):
        assert requests.post(url, headers={"Authorization": wrong}, timeout=5).status_code == 401
    begun = time.monotonic()
    codes = sorted(requests.post(url, headers=auth, timeout=5).status_code for _ in range(5))
    assert codes == [202, 429, 429, 429, 429]
    first = until("the run has ended", lambda: (d := node.get("/health/run/1").json())["state"] == "done" and d)
    assert first["run"] == 1 and first["status"] in ("pass", "warn") and first["began"] <= first["ended"]
    assert node.get("/health/run/2").status_code == 404
    if time.monotonic() - begun < 4:
        r = requests.post(url, headers=auth, timeout=5)
        if time.monotonic() - begun < 4.9:
            assert r.status_code == 429 and 1 <= int(r.headers["Retry-After"]) <= 5
    time.sleep(5.1)
    count = node.upstream.count()
    r = requests.post(url, headers=auth, data=b"a body that nobody reads" * 1000, timeout=5)
    assert r.status_code == 202 and r.headers["Location"] == "/health/run/2"
    assert node.get(r.headers["Location"]).headers["Cache-Control"] == "no-store"
    until("the upstream was asked anew", lambda: node.upstream.count() > count, UPSTREAM_S / 3)


def test_requests_cause_no_probe(node):
    """A thousand requests over a second or so; the probes of that time are those that the clock wanted."""
    def calm(seconds):
        before, start = runs(node), time.monotonic()
        time.sleep(seconds)
        return (runs(node) - before) / (time.monotonic() - start)
    still = calm(3 * LOCAL_S)
    before, start = runs(node), time.monotonic()
    s = requests.Session()
    for path in ("/health", "/readyz", "/metrics", "/", "/livez") * 200:
        assert s.get("http://%s:%d%s" % (node.host, node.health_port, path), timeout=5).status_code == 200
    busy = (runs(node) - before) / (time.monotonic() - start)
    assert busy < 4 * still + 20, (still, busy)  # one for each request would be hundreds


def test_a_slow_reader_keeps_nobody_waiting(node):
    held = [socket.create_connection((node.host, node.health_port)) for _ in range(20)]
    for s in held:
        s.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nX: ")
    assert node.get("/readyz", timeout=2).status_code == 200
    for s in held:
        s.close()


def test_junk_is_survived(node):
    for junk in (b"\0" * 4000, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET " + b"a" * 60000, os.urandom(3000), b"\r\n" * 1000,
                 b"POST /health/run HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"):
        with socket.create_connection((node.host, node.health_port), timeout=2) as s:
            try:
                s.sendall(junk)
                s.shutdown(socket.SHUT_WR)
                while s.recv(4096):
                    pass
            except OSError:
                pass
    assert node.get("/readyz").status_code == 200


def test_the_page_needs_nothing_from_elsewhere(node):
    r = until("well", lambda: (r := node.get("/")) and "This node is well" in r.text and r)
    assert r.headers["Content-Type"] == "text/html; charset=utf-8"
    assert '<noscript><meta http-equiv="refresh"' in r.text
    parts = re.findall(r'(?:src|href)="(/page\.(?:css|js)\?[0-9a-f]+)"', r.text)
    assert sorted(p.split("?")[0] for p in parts) == ["/page.css", "/page.js"]
    for text in (r.text, *(node.get(p).text for p in parts if ".css" in p)):
        assert "http://" not in text and "https://" not in text and "url(" not in text and "@import" not in text
    assert "prefers-color-scheme" in node.get("/page.css").text
    policy = r.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src 'self';" in policy and "unsafe-eval" not in policy


def test_who_may_read(tmp_path):
    c = config(tmp_path, allow=["192.0.2.7"], canary={"cached": "", "uncached-under": "", "nxdomain-under": ""})
    with Node(tmp_path / "node", c) as n:
        for path in ("/", "/health", "/metrics", "/livez", "/nothing"):
            r = n.get(path)
            assert r.status_code == 403 and len(r.text) < 40
        assert n.get("/health", headers={"Authorization": "Bearer " + TOKEN}).status_code in (200, 503)
        assert n.get("/health", headers={"Authorization": "Bearer wrong-" + TOKEN}).status_code == 403


def hang(pid):
    """The main thread of a process sleeps for ever; its other threads go on."""
    return subprocess.Popen(["gdb", "-q", "-batch", "-p", str(pid), "-ex", "call (int)pause()"], stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_a_hung_prober_leaves_no_green_page(tmp_path):
    c = config(tmp_path, canary={"cached": "", "uncached-under": "", "nxdomain-under": ""})
    with Node(tmp_path / "node", c) as n:
        green(n, "process", "worker", "zones")
        gdb = hang(n.daemon("health").pid)
        try:
            def unknown():
                r = n.get("/health")
                scopes = r.json()["scopes"].values()
                return r.status_code == 503 and all(s["status"] == "unknown" for s in scopes) and r.json()
            doc = until("the page knows nothing", unknown, 3 * LOCAL_S + 8)
            assert doc["status"] == "unknown" and doc["checks"] == {}
            assert n.get("/readyz").status_code == 503
            assert n.get("/health/worker").status_code == 503
            assert "candor_health_stale 1\n" in n.get("/metrics").text
            assert re.search(r'<body[^>]* class="stale">', n.get("/").text)
            until("/livez names the loop", lambda: n.get("/livez").status_code == 503, 15)
        finally:
            gdb.kill()
            gdb.wait()


class Stray(threading.Thread):
    """An old process in the SO_REUSEPORT group of the DNS port, that answers as its node would have, one boot ago."""

    def __init__(self, host, port, nsid):
        super().__init__(daemon=True)
        self.nsid = nsid
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.s.bind((host, port))

    def run(self):
        while True:
            try:
                wire, peer = self.s.recvfrom(4096)
            except OSError:
                return
            if not wire:
                return
            q = dns.message.from_wire(wire)
            r = dns.message.make_response(q)
            r.flags |= dns.flags.AA
            r.answer.append(dns.rrset.from_text(q.question[0].name, 0, "CH", "TXT", '"me"'))
            if self.nsid:
                r.use_edns(0, options=[dns.edns.GenericOption(3, self.nsid.encode())])
            self.s.sendto(r.to_wire(), peer)

    def close(self):
        with contextlib.suppress(OSError):  # says that it is not connected, and wakes the reader all the same
            self.s.shutdown(socket.SHUT_RDWR)
        self.s.close()


@pytest.mark.parametrize("nsid,says", [("test/0123456789abcdef/0", "old process"), (None, "no NSID"), ("other/1/0", "other")])
def test_fault_03_stray_process_in_the_group(tmp_path, nsid, says):
    c = config(tmp_path, canary={"cached": "", "uncached-under": "", "nxdomain-under": ""})
    with Node(tmp_path / "node", c) as n:
        green(n, "worker")
        stray = Stray(n.host, n.dns_port, nsid)
        stray.start()
        # who has a socket there is seen as well, and often first
        until("the stray is named", lambda: (d := n.scope("worker"))["status"] == "fail" and says in checks(d, "listen:udp")[n.dns]["output"],
              15 / FAST + 0.5)
        stray.close()
        green(n, "worker")


def test_fault_09_recovery_is_seen(tmp_path):
    with Upstream(mode="silent") as u, Node(tmp_path / "node", config(tmp_path, u)) as n:
        until("upstream fails", lambda: n.scope("upstream")["status"] == "fail", 60 / FAST)
        u.mode = "answer"
        green(n, "upstream", "resolution", within_s=30 / FAST + 0.5)


def test_fault_10_rewritten_answers(tmp_path):
    with Upstream() as u, Node(tmp_path / "node", config(tmp_path, u)) as n:
        green(n, "resolution", "upstream")
        u.mode = "hijack"
        doc = until("the lie is seen", lambda: (d := n.scope("resolution"))["status"] == "fail" and
                    "does not exist" in checks(d, "canary:nxdomain")["com."]["output"] and d, 60 / FAST)
        assert checks(doc, "canary:uncached")["example.com."]["status"] == "pass"
        assert n.get("/readyz").status_code == 200


def test_fault_26_disk_full(tmp_path):
    state = tmp_path / "node" / "state"
    state.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "none", state], check=True)
    try:
        c = config(tmp_path, canary={"cached": "", "uncached-under": "", "nxdomain-under": ""})
        c["resolver"]["cache"] = {"size": "4M"}
        with Node(tmp_path / "node", c) as n:
            green(n, "storage", "worker", "zones")
            with open(state / "filler", "wb", buffering=0) as f:
                try:
                    while True:
                        f.write(b"x" * 4096)
                except OSError:
                    pass
            # that nothing is free may be seen before something could not be written
            until("storage fails", lambda: (d := n.scope("storage"))["status"] == "fail" and
                  "No space left" in checks(d, "canary:write")["canary"]["output"], 30 / FAST + 0.5)
            assert n.get("/readyz").status_code == 200, "what is there is served"
            os.unlink(state / "filler")
            green(n, "storage")
    finally:
        subprocess.run(["umount", "-l", state], check=False)


def test_nothing_is_resolved_by_name(node):
    """No descriptor of candor-health is a socket to port 53, and its libraries' resolver configuration was never opened."""
    health = node.daemon("health")
    for _ in range(200):
        for c in health.connections():
            assert not c.raddr or c.raddr.port != 53
        assert not [f for f in health.open_files() if f.path.startswith("/etc/")]
        time.sleep(random.random() * 0.01)
