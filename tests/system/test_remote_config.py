"""Options of nodes that travel in a catalog: published on one node, tried on the others, kept, refused, given up."""
# mostly waits
import hashlib
import json
import os
import signal
import time

import dns.query
import dns.update
import pytest

from lib.node import Node, free_port, until

LOOPBACK = [{"address": "127.0.0.0/8"}]
CAT = "cat.test."
KEY = {"name": "mon.", "secret": "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0"}
FAST = {"local": "200ms", "zones": "500ms", "push": "500ms"}
# No canary leaves the machine; push is what reports are measured by.
HEALTH = {"interval": FAST, "canary": {"cached": "", "uncached-under": "", "nxdomain-under": ""}}
TRIAL_S = 6  # waited for once; a busy machine must not make it too short


def edge_config(name, catalog_port, **remote):
    return {"node": {"name": name, "remote": dict({"catalog": CAT, "allow": ["*"], "trial": "%ds" % TRIAL_S}, **remote)},
            "rbl": {"keys": [KEY], "catalogs": [{"name": CAT, "primaries": [{"address": "127.0.0.1@%d" % catalog_port}]}]},
            "health": HEALTH}


@pytest.fixture(scope="module")
def monitor_port():
    return free_port()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory, monitor_port):
    """The admin node is the monitor as well."""
    folder = tmp_path_factory.mktemp("remote")
    edge_port = free_port()
    admin = Node(folder / "admin", {
        "node": {"name": "admin"}, "rbl": {"keys": [KEY], "catalogs": [
            {"name": CAT, "transfer": LOOPBACK, "notify": [{"address": "127.0.0.1@%d" % edge_port}]}]},
        "health": dict(HEALTH, monitor={"enabled": True, "listen": [{"datagram": "127.0.0.1@%d" % monitor_port}],
                                        "nodes": [{"name": "edge", "health": "127.0.0.1@%d" % free_port(), "key": "mon."}]})})
    config = edge_config("edge", admin.sync_port)
    config["rbl"]["listen"] = ["127.0.0.1@%d" % edge_port]
    edge = Node(folder / "edge", config)
    with admin, edge:
        yield admin, edge


def publish(admin, fragment):
    path = os.path.join(admin.folder, "fragment.yaml")
    with open(path, "w") as f:
        f.write(fragment if isinstance(fragment, str) else json.dumps(fragment))
    return json.loads(admin.candor("config", "publish", path, "--json").stdout)["version"]


def metric(node, name, source=None):
    source = source or "config.candor.ext." + node.config["node"]["remote"]["catalog"]
    # A page that is past has no figures: at these intervals a busy machine is enough for that.
    text = until("figures", lambda: [t for t in [node.get("/metrics").text] if "candor_config_version" in t])[0]
    for line in text.splitlines():
        if line.startswith('candor_%s{source="%s"}' % (name, source)):
            return float(line.split()[-1])
    return None


def check(node, what, scope="replication"):
    return node.scope(scope)["checks"]["config:" + what][0]


def holds(node, version):
    """It holds, and is on trial no more."""
    until("version %d holds" % version,
          lambda: metric(node, "config_version") == version and metric(node, "config_on_trial") == 0, 40)


def given_up(node, version, words):
    def look():
        c = check(node, "applied")
        return c["status"] == "fail" and "version %d was given up" % version in c["output"] and words in c["output"]
    until("version %d was given up: %s" % (version, words), look, 40)


def shown(node):
    return {r["is"]: r for r in json.loads(node.candor("config", "show", "--json", check=False).stdout)}


def reporting(port):
    return {"report": {"datagram": [{"address": "127.0.0.1@%d" % port, "key": "mon."}]}}


def test_published_and_applied(fleet, monitor_port):
    admin, edge = fleet
    assert metric(edge, "config_version") == 0 and metric(edge, "config_version", "file") > 1e9
    # one that asks in its first second is held for dying
    until("it has lived for a while", lambda: time.time() - edge.daemon("health").create_time() > 2)
    version = publish(admin, {"health": dict(reporting(monitor_port), fall=3, peers=[
        {"name": "edge", "resolver": edge.dns}, {"name": "admin", "resolver": admin.dns}])})
    assert version == 1
    holds(edge, version)
    until("it reports", lambda: [c for c in edge.scope("reporting")["checks"]["report:monitor"] if c["status"] == "pass"], 30)
    until("its peer is judged, itself is none", lambda: edge.get("/health/peers").json()["peers"], 30)
    assert set(edge.get("/health/peers").json()["peers"]) == {"admin"}
    until("the check says so", lambda: check(edge, "version")["status"] == "pass" and "version 1 holds" in check(edge, "version")["output"])
    assert metric(edge, "config_last_applied_timestamp_seconds") > 1e9
    assert "options from cat.test.: version 1 holds (candor config)" in edge.candor("status", check=False).stdout
    # the file counts more: its interval is not what the catalog says
    assert shown(edge)["holds"]["version"] == 1 and shown(admin)["published"]["version"] == 1
    # asked for, and no death
    assert "wants to be started anew" in edge.log() and " died " not in edge.log()
    starts = [c for c in edge.scope("process")["checks"]["process:restarts"] if "health" in c["componentId"]]
    assert starts[0]["status"] == "pass", starts


def test_what_may_not_travel_is_refused_where_it_is_published(fleet):
    admin, _ = fleet
    before = shown(admin)["published"]
    for text, words in (("health:\n  fall: 2\n  token: 0123456789abc\n", ":3: health.token: expected an option that may come"),
                        ("rbl: { keys: [ { name: a., secret: AAAA } ] }", ":1: rbl: expected an option"),
                        ("health:\n  report:\n    exec: /bin/sh\n", ":3: health.report.exec"),
                        ("health:\n  peers:\n  - { name: a, resolver: ns.example }\n", ":3: health.peers[0].resolver: expected"),
                        ("health: { fall: 0 }", "health.fall: expected"), ("a: [", ":1")):
        path = os.path.join(admin.folder, "bad.yaml")
        with open(path, "w") as f:
            f.write(text)
        p = admin.candor("config", "publish", path, check=False)
        assert p.returncode == 2 and path + words in p.stderr or "bad.yaml" in p.stderr and words in p.stderr, (text, p.stderr)
    assert shown(admin)["published"] == before
    # nobody else's words are believed either: the daemon checks again
    assert admin.candor("config", "nonsense", check=False).returncode == 3


def test_a_key_that_is_not_here(fleet, monitor_port):
    admin, edge = fleet
    bad = reporting(monitor_port)
    bad["report"]["datagram"][0]["key"] = "other."
    version = publish(admin, {"health": bad})
    given_up(edge, version, "key other. is not in rbl.keys")
    assert metric(edge, "config_version") == version - 1
    until("late", lambda: check(edge, "version")["status"] == "warn" and "which was given up" in check(edge, "version")["output"])
    assert edge.candor("config", "show", check=False).returncode == 1
    assert "the catalog says %d, which was given up" % version in edge.candor("status", check=False).stdout


def test_cut_off_from_its_monitors(fleet, monitor_port):
    """Reports were acknowledged before, and go to nobody now: the node comes back by itself."""
    admin, edge = fleet
    until("somebody hears it", lambda: [c for c in edge.scope("reporting")["checks"]["report:monitor"] if c["status"] == "pass"], 30)
    held = int(metric(edge, "config_version"))
    version = publish(admin, {"health": reporting(free_port())})
    until("it is tried", lambda: metric(edge, "config_version") == version and metric(edge, "config_on_trial") == 1, 30)
    given_up(edge, version, "nobody acknowledged a report")
    assert metric(edge, "config_version") == held
    until("it reports again", lambda: [c for c in edge.scope("reporting")["checks"]["report:monitor"] if c["status"] == "pass"], 30)
    refused = shown(edge)["given up"]
    assert refused["version"] == version
    # never again, also not after a restart of the whole node
    edge.stop()
    edge.start()
    given_up(edge, version, "nobody acknowledged")
    assert metric(edge, "config_version") == held and "is tried" not in edge.log()


def test_rolled_back_on_the_admin_node(fleet, monitor_port):
    admin, edge = fleet
    good = publish(admin, {"health": dict(reporting(monitor_port), rise=3)})
    holds(edge, good)
    worse = publish(admin, {"health": dict(reporting(monitor_port), rise=4)})
    holds(edge, worse)
    back = json.loads(admin.candor("config", "rollback", "--json").stdout)
    assert back["version"] == worse + 1
    holds(edge, back["version"])
    assert json.loads(shown(edge)["holds"]["text"])["health"]["rise"] == "3"
    assert publish(admin, {"health": dict(reporting(monitor_port), rise=3)}) == back["version"]  # the same already


def test_a_restart_keeps_it(fleet):
    admin, edge = fleet
    held = shown(edge)["holds"]["version"]
    admin.stop()  # the source is away
    edge.stop()
    edge.start()
    assert metric(edge, "config_version") == held
    assert "report:monitor" in edge.scope("reporting")["checks"]
    admin.start()


# --- a source that lies ---

LIAR = "liar.test."


@pytest.fixture(scope="module")
def lied_to(tmp_path_factory):
    """A catalog that anybody may write anything into, and a node that believes it as far as it has to."""
    folder = tmp_path_factory.mktemp("liar")
    source = Node(folder / "source", {"node": {"name": "source"}, "rbl": {"zones": [
        {"name": LIAR, "update": LOOPBACK, "transfer": LOOPBACK, "test": "none", "limits": {"shrink": "100%"}},
        {"name": "member.test.", "update": LOOPBACK, "transfer": LOOPBACK, "test": "none"}]}, "health": HEALTH})
    config = edge_config("edge", source.sync_port)
    config["node"]["remote"]["catalog"] = LIAR
    config["rbl"]["catalogs"][0]["name"] = LIAR
    edge = Node(folder / "edge", config)
    with source:
        write(source, [("version", "TXT", '"2"'), ("u1.zones", "PTR", "member.test.")])
        with edge:
            yield source, edge


def write(source, records):
    """The catalog's configuration becomes these records."""
    u = dns.update.UpdateMessage(LIAR)
    for owner in ["config.candor.ext"] + ["%d.config.candor.ext" % i for i in range(4)]:
        u.delete(owner)
    for owner, rtype, data in records:
        u.add(owner, 60, rtype, data)
    assert dns.query.tcp(u, "127.0.0.1", port=source.sync_port, timeout=10).rcode() == 0


def head(version, text, parts=1, **other):
    said = {"version": version, "sha256": hashlib.sha256(text.encode()).hexdigest(), "size": len(text), "parts": parts}
    said.update(other)
    return "config.candor.ext", "TXT", " ".join('"%s=%s"' % kv for kv in said.items())


def part(index, text):
    return "%d.config.candor.ext" % index, "TXT", " ".join(
        '"%s"' % text[i:i + 200].replace("\\", "\\\\").replace('"', '\\"') for i in range(0, len(text), 200))


FINE = '{"health": {"fall": "%d"}, "nodes": {"$ and \\"": {}}}'


def test_what_cannot_be_had_changes_nothing(lied_to):
    source, edge = lied_to
    until("the member is here", lambda: "member.test." in edge.candor("catalog").stdout, 30)
    text = FINE % 3
    write(source, [head(5, text), part(0, text)])
    holds(edge, 5)
    before = edge.daemon("health").pid
    lies = [
        ([head(6, text, parts=2), part(0, text)], "part 1 of 2 is missing"),
        ([head(6, text), part(0, text.replace("3", "4"))], "its SHA-256"),
        ([head(6, text), head(7, text), part(0, text)], "more than one head"),
        ([("config.candor.ext", "TXT", '"nothing"')], "a head without"),
        ([head(6, text), part(0, text), part(0, text + " ")], "there twice"),
    ]
    for records, words in lies:
        write(source, records)
        until("%r is said" % words, lambda w=words: w in check(edge, "version")["output"] and
              check(edge, "version")["status"] == "warn", 30)
        assert metric(edge, "config_version") == 5
    write(source, [])
    until("none any more", lambda: "none any more" in check(edge, "version")["output"], 30)
    assert metric(edge, "config_version") == 5 and edge.daemon("health").pid == before
    assert "member.test." in edge.candor("catalog").stdout


def test_what_does_not_fit_is_refused(lied_to):
    """Right digests, and texts that no honest publisher would let through."""
    source, edge = lied_to
    before = edge.daemon("health").pid
    version = 10
    for text, words in (('{"health": {"token": "0123456789"}}', "health.token: expected an option"),
                        ("{" * 100, "expected"),
                        ('{"nodes": {"edge": {"node": {"user": "root"}}}}', "nodes.edge.node")):
        version += 1
        write(source, [head(version, text), part(0, text)])
        given_up(edge, version, words)
        assert metric(edge, "config_version") == 5
    assert edge.daemon("health").pid == before, "it never started anew for any of them"
    text = FINE % 4  # and the next one that fits is taken
    write(source, [head(3, text), part(0, text)])
    holds(edge, 3)


def test_the_process_that_tries_it_is_killed(lied_to):
    """Killed in its trial it is tried once more, and then no more."""
    source, edge = lied_to
    held = metric(edge, "config_version")
    text = '{"health": {"service-addresses": ["127.0.0.1@%d"]}}' % free_port()  # nobody answers there: not ready
    write(source, [head(30, text), part(0, text)])
    for _ in range(2):
        until("on trial", lambda: metric(edge, "config_on_trial") == 1, 30)
        pid = edge.daemon("health").pid
        os.kill(pid, signal.SIGKILL)
        until("another one", lambda p=pid: edge.daemon("health").pid != p, 30)
    given_up(edge, 30, "ended 2 times with it")
    assert metric(edge, "config_version") == held
