"""Catalog zones (RFC 9432): a zone added on one node is served on another; options, grace, resets, owners, broken catalogs; and
BIND as the other end."""
import json
import os
import signal
import subprocess
import time

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.update
import pytest

from lib.node import Node, free_port, until
from lib.programs import end

LOOPBACK = [{"address": "127.0.0.0/8"}]
CAT, CAT2 = "cat.test.", "cat2.test."
# Names below test. would be answered locally, whoever has the zone.
ELSEWHERE = {"local-zones": False}
OPEN = ["update=[{address: 127.0.0.0/8}]", "transfer=[{address: 127.0.0.0/8}]", "test=none"]


def ask(port, name, qtype="A"):
    """(RCODE, answer section) of one question, None when nobody answers."""
    q = dns.message.make_query(name, qtype)
    q.flags &= ~0x100
    try:
        r = dns.query.udp(q, "127.0.0.1", port=port, timeout=1)
    except (OSError, dns.exception.DNSException):
        return None
    return dns.rcode.to_text(r.rcode()), r.answer


def listed(node, zone, address="192.0.2.1"):
    got = ask(node.dns_port, ".".join(reversed(address.split("."))) + "." + zone)
    return got is not None and got[0] == "NOERROR" and len(got[1]) > 0


def is_ours(node, zone):
    """Whether the node answers for the zone at all, whatever it says."""
    got = ask(node.dns_port, zone, "SOA")
    return got is not None and got[0] != "REFUSED"


def catalog(node):
    p = node.candor("catalog", "--json", check=False)
    return json.loads(p.stdout)


def members(node, name=CAT):
    return {m["zone"]: m for c in catalog(node)["catalogs"] if c["catalog"] == name for m in c["members"]}


def error(node, name=CAT):
    return [c["error"] for c in catalog(node)["catalogs"] if c["catalog"] == name][0]


def follower(folder, name, catalogs, **more):
    """A node that follows catalogs: {name: port of its primary}."""
    rules = [dict({"name": c, "primaries": [{"address": "127.0.0.1@%d" % p}], "grace": "2s", "notify": [],
                   "transfer": LOOPBACK}, **more) for c, p in catalogs.items()]
    return Node(folder / name, {"node": {"name": name}, "resolver": ELSEWHERE, "rbl": {"catalogs": rules},
                                "health": {"interval": {"local": "500ms", "zones": "1s"}}})


def followed(node, status, words, name=CAT):
    """What the health page says of a catalog: row 48 of the fault catalogue."""
    def look():
        at = [c for c in node.scope("replication")["checks"].get("catalog:followed", []) if c["componentId"] == name]
        return at and at[0]["status"] == status and words in at[0]["output"]
    until("%s: catalog:followed is %s %r" % (name, status, words), look, 10)


def version(node, name=CAT):
    """config_version: which version of the catalog holds on a node."""
    for line in node.get("/metrics").text.splitlines():
        if line.startswith('candor_config_version{source="%s"}' % name):
            return int(line.split()[-1])
    return None


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("catalog")
    (folder / "list").write_text("127.0.0.2\n192.0.2.9\n")
    zones = [{"name": "fixed.test", "data": [{"type": "ip4set", "files": [str(folder / "list")]}], "transfer": LOOPBACK,
              "ttl": "77s", "test": "rfc5782-ip4"}]
    admin = Node(folder / "admin", {"node": {"name": "admin"}, "resolver": ELSEWHERE, "rbl": {"zones": zones, "catalogs": [
        {"name": CAT, "transfer": LOOPBACK, "grace": "2s"}]}})
    edge = follower(folder, "edge", {CAT: admin.sync_port}, groups=[{"name": "slow", "on-expire": "serve-stale"}])
    with admin, edge:
        yield admin, edge


def test_a_zone_of_the_file_goes_along_with_its_options(pair):
    _, edge = pair
    until("served at the edge", lambda: listed(edge, "fixed.test", "192.0.2.9"))
    followed(edge, "pass", "is followed")
    until("both have one version", lambda: version(edge) and version(edge) == version(pair[0]), 10)
    assert ask(edge.dns_port, "9.2.0.192.fixed.test")[1][0].ttl == 77
    assert set(members(edge)) == {"fixed.test."}


def test_a_catalog_is_no_list(pair):
    admin, edge = pair
    for node in pair:
        assert ask(node.dns_port, "version." + CAT, "TXT")[0] == "REFUSED"
    until("one serial", lambda: ask(admin.sync_port, CAT, "SOA")[1][0][0].serial == ask(edge.sync_port, CAT, "SOA")[1][0][0].serial)


def test_added_served_taken_away(pair):
    admin, edge = pair
    admin.candor("zone-add", "new.test", *OPEN, "group=slow", "ttl=66s")
    assert admin.candor("zone-add", "new.test", check=False).returncode == 2
    admin.candor("add", "new.test", "192.0.2.1", "127.0.0.5")
    start = time.monotonic()
    until("served at the edge", lambda: listed(edge, "new.test"), 10)
    print("add to served: %.2f s" % (time.monotonic() - start))
    assert ask(edge.dns_port, "1.2.0.192.new.test")[1][0].ttl == 66
    with open(edge.folder + "/state/catalog/members") as f:
        line = [x for x in f if "new.test" in x][0]
    assert "serve-stale" in line and "66s" in line
    # candor's own commands know it, there as here
    assert "new.test." in edge.candor("status", check=False).stdout
    assert "192.0.2.1" in edge.candor("export", "new.test").stdout
    assert edge.candor("why", "192.0.2.1", "new.test").returncode == 0
    everywhere = json.loads(edge.candor("why", "192.0.2.1", "--json").stdout)
    assert [z["zone"] for z in everywhere] == ["new.test."], everywhere
    # an update goes along
    u = dns.update.UpdateMessage("new.test.")
    u.add("7.2.0.192", 60, "A", "127.0.0.4")
    assert dns.query.udp(u, "127.0.0.1", port=admin.sync_port, timeout=5).rcode() == 0
    until("the update is served at the edge", lambda: listed(edge, "new.test", "192.0.2.7"), 10)
    until("health knows it", lambda: "new.test." in edge.get("/health/zones").text, 10)

    admin.candor("zone-del", "new.test")
    until("it left at the edge", lambda: members(edge)["new.test."]["left"] is not None, 10)
    assert listed(edge, "new.test") and listed(admin, "new.test")
    for node in pair:
        until("gone at " + node.folder, lambda n=node: not is_ours(n, "new.test"), 10)
        until("its files too", lambda n=node: not [d for d in os.listdir(n.folder + "/state/zones") if "new" in d or "gone" in d])
    until("health has forgotten it", lambda: "new.test." not in edge.get("/health/zones").text, 10)
    assert "grace is over" in edge.log()


def test_back_within_its_grace(pair):
    admin, edge = pair
    admin.candor("zone-add", "back.test", *OPEN)
    admin.candor("add", "back.test", "192.0.2.1")
    until("served at the edge", lambda: listed(edge, "back.test"), 10)
    admin.candor("zone-del", "back.test")
    until("it left at the edge", lambda: members(edge)["back.test."]["left"] is not None, 10)
    admin.candor("zone-add", "back.test", *OPEN)
    until("it is back", lambda: members(edge)["back.test."]["left"] is None, 10)
    assert listed(edge, "back.test") and listed(admin, "back.test")


def test_wrong_options_are_refused(pair):
    admin, _ = pair
    for options, words in ((["ttl=x"], "ttl"), (["nonsense=1"], "nonsense"), (["update=[{key: nobody.}]"], "names no entry"),
                           (["ttl=60s}, {name: other.test"], ""), (["pair=[{address: 127.0.0.1@5301}]", "role=active"], "candor.yaml")):
        p = admin.candor("zone-add", "wrong.test", *options, check=False)
        assert p.returncode == 2 and words in p.stderr, p
    assert admin.candor("zone-add", "fixed.test", check=False).returncode == 2
    assert admin.candor("zone-add", CAT, check=False).returncode == 2
    assert admin.candor("zone-del", "fixed.test", check=False).returncode == 2
    assert not is_ours(admin, "wrong.test") and not is_ours(admin, "other.test")


@pytest.mark.parametrize("which", ["admin", "edge"])
def test_killed_and_started_again(pair, which):
    admin, edge = pair
    node = {"admin": admin, "edge": edge}[which]
    name = "kill-%s.test" % which
    admin.candor("zone-add", name, *OPEN)
    admin.candor("add", name, "192.0.2.1")
    until("served at the edge", lambda: listed(edge, name), 10)
    sync = node.daemon("sync").pid
    os.kill(sync, signal.SIGKILL)
    until("another one", lambda: [p for p in node.children("candor-sync") if p.pid != sync])
    assert listed(node, name)
    node.stop()
    node.start()
    until("served again", lambda: listed(node, name))
    admin.candor("add", name, "192.0.2.2")
    until("and replicated again", lambda: listed(edge, name, "192.0.2.2"), 20)


# --- catalogs of another hand: zones changed by UPDATE ---

class Other:
    """A node whose catalogs are plain zones, so that anything can be put into them."""

    def __init__(self, folder):
        zone = {"update": LOOPBACK, "transfer": LOOPBACK, "test": "none", "limits": {"shrink": "100%", "values": "any"}}
        zones = [dict(zone, name=n) for n in (CAT, CAT2)] + [dict(zone, name="m%d.test" % i) for i in range(14)]
        self.node = Node(folder / "other", {"node": {"name": "other"}, "rbl": {"zones": zones}}, program="sync")

    def change(self, zone, *changes):
        u = dns.update.UpdateMessage(zone)
        for name, qtype, value in changes:
            if value is None:
                u.delete(name, qtype)
            else:
                u.add(name, 60, qtype, value)
        r = dns.query.tcp(u, "127.0.0.1", port=self.node.sync_port, timeout=5)
        assert r.rcode() == 0, dns.rcode.to_text(r.rcode())


@pytest.fixture
def strange(tmp_path):
    other = Other(tmp_path)
    with other.node:
        until("it answers", lambda: ask(other.node.sync_port, CAT, "SOA"))
        for i in range(14):
            other.change("m%d.test." % i, ("1.2.0.192", "A", "127.0.0.2"))
        for c in (CAT, CAT2):
            other.change(c, ("version", "TXT", '"2"'))
        with follower(tmp_path, "edge", {CAT: other.node.sync_port, CAT2: other.node.sync_port}) as edge:
            yield other, edge


def test_what_others_may_put_into_a_catalog(strange):
    other, edge = strange
    other.change(CAT, *[("u%d.zones" % i, "PTR", "m%d.test." % i) for i in range(12)])
    until("all are served", lambda: all(listed(edge, "m%d.test" % i) for i in range(12)), 20)

    # a bad option holds back its member alone, unknown properties are passed over
    other.change(CAT, ("candor.ext.u0.zones", "TXT", '"ttl=61s"'), ("candor.ext.u1.zones", "TXT", '"secret=1"'),
                 ("strange.ext.u2.zones", "TXT", '"x"'), ("u2.zones", "TXT", '"x"'), ("primaries.ext", "A", "192.0.2.1"))
    until("the option counts", lambda: "61s" in open(edge.folder + "/state/catalog/members").read())
    until("the bad one is named", lambda: "secret is not one that a catalog may give" in edge.log())
    assert listed(edge, "m1.test") and error(edge) == ""
    followed(edge, "warn", "but for 1 of its zones")
    holds = version(edge)

    # broken: nothing of it counts, and it is said
    other.change(CAT, ("twice.zones", "PTR", "m3.test."), ("u12.zones", "PTR", "m12.test."))
    until("it is refused", lambda: "listed twice" in error(edge))
    assert not is_ours(edge, "m12.test") and listed(edge, "m3.test")
    until("health names it", lambda: "listed twice" in edge.get("/health/zones").text, 10)
    followed(edge, "fail", "%d is followed" % holds)
    assert version(edge) == holds
    assert "listed twice" in edge.candor("status", check=False).stdout and edge.candor("catalog", check=False).returncode == 1
    other.change(CAT, ("twice.zones", "PTR", None))
    until("followed again", lambda: error(edge) == "" and listed(edge, "m12.test"), 20)
    followed(edge, "warn", "but for 1 of its zones")

    # another version than 2
    other.change(CAT, ("version", "TXT", None), ("version", "TXT", '"1"'))
    until("it is refused", lambda: "version" in error(edge))
    other.change(CAT, ("version", "TXT", None), ("version", "TXT", '"2"'))
    until("followed again", lambda: error(edge) == "")

    # most of it gone at once: held, until somebody says so
    other.change(CAT, *[("u%d.zones" % i, "PTR", None) for i in range(2, 13)])
    until("it is held back", lambda: "candor catalog accept" in error(edge))
    time.sleep(3)  # longer than the grace
    assert all(listed(edge, "m%d.test" % i) for i in range(13))
    edge.candor("catalog", "accept", CAT)
    until("now they go", lambda: not is_ours(edge, "m5.test") and listed(edge, "m0.test"), 20)


def test_reset_clash_and_change_of_owner(strange):
    other, edge = strange
    other.change(CAT, ("one.zones", "PTR", "m0.test."), ("two.zones", "PTR", "m1.test."))
    until("both are served", lambda: listed(edge, "m0.test") and listed(edge, "m1.test"), 20)

    # the second catalog names one of them too: the first keeps it
    other.change(CAT2, ("two.zones", "PTR", "m1.test."), ("three.zones", "PTR", "m2.test."))
    until("the clash is named", lambda: "another catalog has a zone of this name" in edge.log())
    assert "m1.test." in members(edge, CAT)

    # until it hands it over: with the same label the data stays
    inode = os.stat(edge.folder + "/state/zones/m1.test.").st_ino
    other.change(CAT, ("coo.two.zones", "PTR", CAT2))
    until("it changed hands", lambda: "m1.test." in members(edge, CAT2))
    other.change(CAT, ("coo.two.zones", "PTR", None), ("two.zones", "PTR", None))
    time.sleep(3)
    assert listed(edge, "m1.test") and os.stat(edge.folder + "/state/zones/m1.test.").st_ino == inode

    # another label is another zone: fetched anew
    inode = os.stat(edge.folder + "/state/zones/m0.test.").st_ino
    other.change(CAT, ("one.zones", "PTR", None), ("again.zones", "PTR", "m0.test."))
    until("it begins anew", lambda: members(edge).get("m0.test.", {}).get("label") == "again")
    until("served again", lambda: listed(edge, "m0.test"), 20)
    assert os.stat(edge.folder + "/state/zones/m0.test.").st_ino != inode


# --- BIND at the other end ---

def named(folder, text):
    folder.mkdir()
    port, control = free_port(), free_port()
    (folder / "named.conf").write_text("""
options { directory "%s"; pid-file none; session-keyfile none; listen-on port %d { 127.0.0.1; }; listen-on-v6 { none; };
  recursion no; dnssec-validation no; allow-transfer { any; }; allow-notify { any; }; notify explicit; %s };
controls { }; %s
""" % (folder, port, text.pop("options", ""), text.pop("zones")))
    del control
    log = open(folder / "log", "wb")
    p = subprocess.Popen(["/usr/sbin/named", "-g", "-c", str(folder / "named.conf")], stdout=log, stderr=log)
    return p, port


def test_named_follows_our_catalog(pair, tmp_path):
    admin, _ = pair
    p, port = named(tmp_path / "named", {
        "options": 'catalog-zones { zone "cat.test" default-primaries { 127.0.0.1 port %d; } min-update-interval 1; };' % admin.sync_port,
        "zones": 'zone "cat.test" { type secondary; file "cat"; primaries { 127.0.0.1 port %d; }; };' % admin.sync_port})
    try:
        until("named has the zone", lambda: (ask(port, "9.2.0.192.fixed.test") or ["", []])[1], 30)
    finally:
        end(p)


def test_we_follow_a_catalog_of_named(tmp_path):
    (tmp_path / "zones").mkdir()
    (tmp_path / "zones" / "cat").write_text("""$TTL 60
@ SOA invalid. invalid. 5 60 60 3600 60
@ NS invalid.
version TXT "2"
n1.zones PTR bl.test.
group.n1.zones TXT "quick"
""")
    (tmp_path / "zones" / "bl").write_text("""$TTL 60
@ SOA ns.test. box.test. 9 60 60 3600 60
@ NS ns.test.
1.2.0.192 A 127.0.0.2
""")
    p, port = named(tmp_path / "named", {"zones": "".join(
        'zone "%s" { type primary; file "%s"; };' % (z, tmp_path / "zones" / f) for z, f in ((CAT, "cat"), ("bl.test", "bl")))})
    try:
        until("named answers", lambda: ask(port, CAT, "SOA"))
        with follower(tmp_path, "edge", {CAT: port}, groups=[{"name": "quick", "test": "none", "on-expire": "serve-stale"}]) as edge:
            until("served", lambda: listed(edge, "bl.test"), 20)
            assert "serve-stale" in open(edge.folder + "/state/catalog/members").read()
    finally:
        end(p)
