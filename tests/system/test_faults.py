"""Rows of the fault catalogue, each injected for real, each seen within its time.

At base ticks (local 5 s, upstream 15 s, zones 30 s) the limits are those of the catalogue; CANDOR_TICKS divides ticks and limits
alike (default 3: a third)."""
# time bound: 1200 s
import json
import os
import subprocess
import time

import pytest

from lib.netns import Namespace, inside
from lib.node import Node, until
from lib.sync import Sync
from lib.upstream import Upstream

FAST = float(os.environ.get("CANDOR_TICKS", "3"))
GREEN_S = 60
MEASURED = []


def ms(seconds):
    return "%dms" % (seconds * 1000 / FAST)


def config(folder, upstream=None, **over):
    (folder / "bl").write_text("127.0.0.2\n" + "".join("192.0.2.%d\n" % i for i in range(200)))
    c = {
        "resolver": {"workers": 4},
        "rbl": {"zones": [{"name": "bl.test.", "test": "rfc5782-ip4",
                           "data": [{"type": "ip4set", "files": [str(folder / "bl")]}]}]},
        "health": {"interval": {"local": ms(5), "upstream": ms(15), "zones": ms(30), "peers": ms(5), "push": ms(15)},
                   "canary": {"cached": "example.com.", "uncached-under": "example.com.", "nxdomain-under": "com."}},
    }
    if upstream:
        c["resolver"]["forward"] = [{"zone": ".", "to": [upstream.address]}]
    c["health"].update(over)
    return c


def status(node, scope):
    return node.scope(scope)["status"]


def green(node, *scopes):
    for s in scopes:
        until("%s is green" % s, lambda: status(node, s) in ("pass", "warn"), GREEN_S)


def seen(node, scope, limit_s, words=(), want=("fail",)):
    """Waits for the verdict; its time against the catalogue's. `words` must stand in its evidence."""
    start = time.monotonic()

    def told():
        doc = node.scope(scope)
        return doc["status"] in want and all(w in json.dumps(doc) for w in words) and doc
    try:
        doc = until("%s is %s" % (scope, "/".join(want)), told, limit_s / FAST + 0.5)
    except AssertionError:
        print(json.dumps(node.health(), indent=1)[:6000])
        raise
    MEASURED.append((time.monotonic() - start, limit_s / FAST, scope))
    return doc


@pytest.fixture(scope="module", autouse=True)
def table(request):
    yield
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print("\nfault verdicts: " + ", ".join("%s %.1f s of %.1f" % (s, t, l) for t, l, s in MEASURED))


@pytest.fixture
def upstream():
    with Upstream() as u:
        yield u


@pytest.fixture
def node(tmp_path, upstream, request):
    over = getattr(request, "param", {})
    with Node(tmp_path / "node", config(tmp_path, upstream, **over)) as n:
        green(n, "worker", "zones", "resolution", "upstream", "process")
        yield n


NO_HEAL = {"heal": {"restart-hung": False}}


def gdb_hang(pid):
    """Makes a process hang inside its event loop, running, not stopped: a debugger calls pause() in it and leaves."""
    return subprocess.Popen(["gdb", "-q", "-batch", "-p", str(pid), "-ex", "call (int)pause()"], stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("node", [NO_HEAL], indirect=True)
def test_fault_01_event_loop_hung(node):
    node.daemon("resolver").suspend()  # the parent that would replace them, sooner than the page would have to tell
    hung = [gdb_hang(p.pid) for p in node.workers()]
    try:
        seen(node, "worker", 10)
        assert node.get("/readyz").status_code == 503
    finally:
        for p in hung:
            p.kill()
            p.wait()


def test_fault_01_a_hung_resolver_is_replaced(node):
    parent, before = node.daemon("resolver"), {p.pid for p in node.workers()}
    parent.suspend()
    for p in node.workers():
        p.suspend()
    until("the resolver was replaced", lambda: node.daemon("resolver").pid != parent.pid, 20)
    until("by new workers", lambda: node.workers() and not before & {p.pid for p in node.workers()}, 5)
    green(node, "worker")


def test_fault_02_one_worker_of_four_hung(node):
    victim = node.workers()[1]
    victim.suspend()
    before = node.get("/metrics").text
    # Its parent replaces it; the page tells, of the gap while it lasts and of the restart for good.
    until("the hung worker was replaced", lambda: not victim.is_running() or victim.pid not in [p.pid for p in node.workers()], 15)
    until("counted", lambda: restarts(node, "hung") == 1, 15)
    assert "hung" in before
    green(node, "worker")


def restarts(node, reason):
    return sum(float(l.rsplit(" ", 1)[1]) for l in node.get("/metrics").text.splitlines()
               if l.startswith("candor_worker_restarts_total") and 'reason="%s"' % reason in l)


@pytest.mark.parametrize("node", [NO_HEAL], indirect=True)
def test_fault_02_one_worker_is_named_while_nobody_replaces_it(node):
    node.daemon("resolver").suspend()  # the parent that would replace it
    victim = node.workers()[2]
    victim.suspend()
    doc = seen(node, "worker", 15)
    assert node.get("/readyz").status_code == 503
    assert "worker" in json.dumps(doc)
    node.daemon("resolver").resume()


@pytest.mark.parametrize("node", [NO_HEAL], indirect=True)
@pytest.mark.parametrize("what", ["resolver", "sync"])
def test_fault_04_stopped(node, what):
    stopped = [node.daemon(what)] + (node.workers() if what == "resolver" else [])
    for p in stopped:
        p.suspend()
    seen(node, "process", 10, words=["candor-" + what] if what == "sync" else [])
    for p in stopped:
        p.resume()
    green(node, "process", "worker")


def test_fault_07_upstream_black_hole(node, upstream):
    upstream.mode = "silent"
    seen(node, "upstream", 45, words=[upstream.address])
    seen(node, "resolution", 45)
    assert node.get("/readyz").status_code == 200, "zones are served: readiness stays"
    upstream.mode = "answer"
    green(node, "upstream", "resolution")


@pytest.mark.parametrize("mode", ["servfail", "refused"])
def test_fault_08_upstream_fails(node, upstream, mode):
    upstream.mode = mode
    seen(node, "upstream", 30, words=[mode.upper()])
    upstream.mode = "answer"
    green(node, "upstream")


@pytest.mark.parametrize("content", ["", "127.0.0.2\n", "192.0.2.1\n" * 3, "<html>not found</html>\n"],
                         ids=["emptied", "truncated", "no test point", "another file"])
def test_fault_13_zone_emptied_or_truncated(node, tmp_path, content):
    new = tmp_path / "bl.new"
    new.write_text(content)
    os.rename(new, tmp_path / "bl")
    seen(node, "zones", 30, want=("warn", "fail"), words=["refused"])
    import lib.ask as ask
    a = ask.ask(node.dns, ["%d.2.0.192.bl.test. A" % i for i in range(200)])
    assert all(x.rcode == "NOERROR" and x.answers for x in a), "the old generation stays"
    assert node.get("/readyz").status_code == 200


def test_fault_17_committed_but_not_served(tmp_path):
    """A resolver whose view of the zones no longer moves, while candor-sync commits: its state folder is a copy."""
    c = config(tmp_path)
    c["health"]["canary"] = {"cached": "", "uncached-under": "", "nxdomain-under": ""}
    (tmp_path / "node").mkdir()
    sync = Node(tmp_path / "node", c, program="sync")
    sync.start()
    try:
        until("first commit", lambda: Sync(sync).ask(command="verify", zone="bl.test.")["entries"] > 0, 20)
        subprocess.run(["cp", "-a", tmp_path / "node/state", tmp_path / "node/copy"], check=True)
        rest = {}
        for program in ("resolver", "health"):
            rest[program] = Node(tmp_path / "node", c, program=program)
            for port in ("dns_port", "sync_port", "health_port"):
                setattr(rest[program], port, getattr(sync, port))
            rest[program].config = dict(sync.config)
            rest[program].log_path = str(tmp_path / ("log-" + program))
            if program == "resolver":
                rest[program].config = dict(sync.config, node=dict(sync.config["node"], state="copy"))
            rest[program].path = str(tmp_path / "node" / (program + ".yaml"))
            rest[program].write_config()
            rest[program].start()
        sync.path = str(tmp_path / "node" / "sync.yaml")
        health = rest["health"]
        try:
            green(health, "zones")
            with open(tmp_path / "bl", "a") as f:
                f.write("198.51.100.7\n")
            until("second commit", lambda: len(Sync(sync).ask(command="history", zone="bl.test.")["history"]) == 2, 20)
            seen(health, "zones", 30 + 5 * FAST, words=["serial"])
        finally:
            for n in rest.values():
                n.stop()
    finally:
        sync.stop()


@pytest.fixture
def namespaced(tmp_path):
    """A node in a namespace of its own, listening on 127.0.0.1 and ::1; the test's own sockets are in there too."""
    c = config(tmp_path)
    c["health"]["canary"] = {"cached": "", "uncached-under": "", "nxdomain-under": ""}
    c["resolver"]["listen"] = [{"address": "127.0.0.1@5300"}, {"address": "::1@5300"}]
    with Namespace() as ns, inside(ns):
        with Node(tmp_path / "node", c, prefix=ns.prefix) as n:
            n.ns = ns
            green(n, "worker", "zones")
            yield n


def test_fault_33_tcp_broken_udp_fine(namespaced):
    namespaced.ns.nft(["tcp dport 5300 drop"])
    doc = seen(namespaced, "worker", 10, words=["tcp"])
    assert "fail" in json.dumps(doc)
    namespaced.ns.nft_clear()
    green(namespaced, "worker")


@pytest.mark.parametrize("rule,family", [("ip6 daddr ::1 udp dport 5300 drop", "::1"),
                                         ("ip daddr 127.0.0.1 udp dport 5300 drop", "127.0.0.1")], ids=["v6", "v4"])
def test_fault_35_one_family_broken(namespaced, rule, family):
    namespaced.ns.nft([rule])
    doc = seen(namespaced, "worker", 10, words=[family])
    bad = [k for k, v in doc["checks"].items() for e in v if e["status"] == "fail"]
    assert bad
    namespaced.ns.nft_clear()
    green(namespaced, "worker")


def test_fault_49_a_probe_switched_off_is_no_pass(tmp_path, upstream):
    c = config(tmp_path, upstream)
    c["health"]["canary"]["cached"] = ""
    c["rbl"]["zones"][0]["test"] = "none"
    with Node(tmp_path / "node", c) as n:
        seen(n, "resolution", 5 * FAST, want=("warn",))
        seen(n, "zones", 5 * FAST, want=("warn",))
        until("the node is warn as a whole", lambda: n.health()["status"] == "warn", GREEN_S)  # once all else was asked too
