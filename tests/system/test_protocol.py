"""The DNS protocol on blocklist zones, where rbldnsd breaks it and Candor must not, on a whole node with every type of data."""
# time bound: 300 s
import contextlib
import random
import shutil
import socket
import struct
import subprocess
import time

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from lib import ask
from lib.node import Node, free_port, until

FILES = {
    "ip4": ":2:listed $\n192.0.2.1\n127.0.0.2\n198.51.100.0/24\n",
    "trie": "10.0.0.0/8 :5:wide\n!10.1.0.0/16\n192.0.2.77\n",
    "six": "2001:db8:1:2::/64 :6:net $\n::ffff:127.0.0.2\n",
    "names": ":3:name $\n.bad.example\nexact.example\ntest\n",
    "generic": "@ MX 10 mx.example\nwww A 127.0.0.9\nwww AAAA 2001:db8::9\ndeep.er.still TXT here\nalias CNAME www.example\n"
    + "".join("many %d A 127.1.%d.%d\n" % (300, i // 8, i) for i in range(50)),
    "combined": "$SOA 3600 ns.comb.test host.comb.test 9 1h 1h 1h 10m\n$NS 1h ns1.comb.test\n$DATASET ip4set:p proxies a.b.c @\n:4:proxy $\n"
    "192.0.2.9\n$DATASET dnset:n names\n:6:$\nbad.example\n$DATASET generic:g names @\n@ TXT top\nww.w A 127.0.0.7\n",
    "acl": "127.0.0.99 :ignore\n127.0.0.98 :refuse\n127.0.0.97 :empty\n127.0.0.96 :9:everything $\n",
}


def zone(name, *types, **more):
    return {"name": name, "test": "none", "data": [{"type": t, "files": [f]} for t, f in types], **more}


ZONES = [
    zone("ip4.test.", ("ip4set", "ip4")),
    zone("trie.test.", ("ip4trie", "trie")),
    zone("six.test.", ("ip6trie", "six")),
    zone("names.test.", ("dnset", "names")),
    zone("mixed.test.", ("ip4set", "ip4"), ("dnset", "names"), ("generic", "generic")),
    zone("comb.test.", ("combined", "combined")),
    zone("acl.test.", ("ip4set", "ip4"), ("acl", "acl")),
    zone("dead.test.", ("ip4set", "short")),
    zone("stale.test.", ("ip4set", "short"), **{"on-expire": "serve-stale"}),
]


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    folder = tmp_path_factory.mktemp("protocol")
    end = time.gmtime(time.time() + 3600)
    files = dict(FILES, short="$TIMESTAMP 2020:01:01 %s\n192.0.2.1\n" % time.strftime("%Y:%m:%d:%H:%M:%S", end))
    for name, text in files.items():
        (folder / name).write_text(text)
    zones = [dict(z, data=[dict(d, files=[str(folder / f) for f in d["files"]]) for d in z["data"]]) for z in ZONES]
    with Node(folder / "node", {"rbl": {"zones": zones}}) as n:
        yield n


def query(node, name, qtype="A", tcp=False, source="127.0.0.1", edns=None, options=(), klass="IN", timeout=5, rd=True):
    m = dns.message.make_query(name, qtype, klass, use_edns=edns if edns is not None else (0 if options else -1), options=list(options))
    if not rd:
        m.flags &= ~dns.flags.RD
    how = dns.query.tcp if tcp else dns.query.udp
    return how(m, node.host, port=node.dns_port, timeout=timeout, source=source, one_rr_per_rrset=False)


def rrs(reply):
    return sorted((r.ttl, dns.rdatatype.to_text(r.rdtype), d.to_text()) for r in reply.answer for d in r)


def codes(reply):
    return [(o.code, getattr(o, "text", None)) for o in reply.options if isinstance(o, dns.edns.EDEOption)]


def reverse4(address):
    return ".".join(reversed(address.split(".")))


LISTED = [(reverse4("192.0.2.1"), "ip4.test."), (reverse4("198.51.100.7"), "ip4.test."), (reverse4("10.9.8.7"), "trie.test."),
          (reverse4("192.0.2.77"), "trie.test."), ("www.bad.example", "names.test."), ("exact.example", "names.test."),
          ("www", "mixed.test."), ("deep.er.still", "mixed.test."), (reverse4("192.0.2.1"), "mixed.test."),
          (reverse4("192.0.2.9") + ".proxies", "comb.test."), (reverse4("192.0.2.9") + ".a.b.c", "comb.test."),
          ("bad.example.names", "comb.test."), ("ww.w.names", "comb.test."), (reverse4("192.0.2.9"), "comb.test."),
          ("5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2", "six.test.")]


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_every_ancestor_of_what_is_listed_exists(node, tcp):
    """RFC 8020: a name below which something stands is NODATA, for A and for NS, as strict QNAME minimisation asks."""
    for below, apex in LISTED:
        labels = below.split(".")
        for n in range(1, len(labels) + 1):
            name = ".".join(labels[-n:]) + "." + apex
            for qtype in ("A", "NS", "TXT"):
                r = query(node, name, qtype, tcp)
                assert r.rcode() == dns.rcode.NOERROR, (name, qtype, r.to_text())
                if n < len(labels):
                    assert not r.answer or name.startswith(("names.", "bad.", "example.")), (name, r.to_text())
        assert query(node, below + "." + apex, "A").answer or query(node, below + "." + apex, "TXT").answer, below


def test_negative_answers_have_an_soa_and_are_authoritative(node):
    for z in ZONES:
        name = z["name"]
        for what, rcode in (("7.7.7.7." + name, "NXDOMAIN"), ("no.such.thing." + name, "NXDOMAIN"), (name, "NOERROR")):
            r = query(node, what, "A" if what != name else "DNSKEY")
            assert dns.rcode.to_text(r.rcode()) == rcode, r.to_text()
            assert r.flags & dns.flags.AA
            assert [(s.name.to_text(), s.rdtype) for s in r.authority] == [(name, dns.rdatatype.SOA)], r.to_text()
            soa = r.authority[0][0]
            assert r.authority[0].ttl <= soa.minimum  # RFC 2308 section 3
    soa = query(node, "ip4.test.", "SOA").answer[0][0]  # made, since no file has one
    assert soa.serial > 0 and soa.mname != dns.name.root
    assert query(node, "comb.test.", "SOA").answer[0][0].serial == 9
    assert query(node, "comb.test.", "NS").answer[0][0].to_text() == "ns1.comb.test."


def test_truncated_by_udp_whole_by_tcp(node):
    """All or TC: no RR is left out silently."""
    plain = query(node, "many.mixed.test.")
    assert plain.flags & dns.flags.TC and len(plain.to_wire()) <= 512 and not plain.answer
    small = query(node, "many.mixed.test.", edns=0)
    assert small.flags & dns.flags.TC or len(rrs(small)) == 50
    whole = query(node, "many.mixed.test.", tcp=True)
    assert not whole.flags & dns.flags.TC and len(rrs(whole)) == 50
    assert {r[0] for r in rrs(whole)} == {300}


def test_edns_is_answered_with_edns(node):
    assert query(node, reverse4("192.0.2.1") + ".ip4.test.", edns=0).edns == 0
    assert query(node, reverse4("192.0.2.1") + ".ip4.test.").edns == -1
    m = dns.message.make_query(reverse4("192.0.2.1") + ".ip4.test.", "A", use_edns=0)
    m.use_edns(1)  # a version to come
    r = dns.query.udp(m, node.host, port=node.dns_port, timeout=5)
    assert r.rcode() == dns.rcode.BADVERS and r.edns == 0
    unknown = dns.edns.GenericOption(65001, b"x")
    assert query(node, reverse4("192.0.2.1") + ".ip4.test.", options=[unknown]).answer


def test_generic_rrs_of_any_type(node):
    assert rrs(query(node, "mixed.test.", "MX")) == [(2100, "MX", "10 mx.example.")]
    assert rrs(query(node, "www.mixed.test.", "AAAA")) == [(2100, "AAAA", "2001:db8::9")]
    for qtype in ("A", "TXT", "MX", "CNAME"):
        assert rrs(query(node, "alias.mixed.test.", qtype)) == [(2100, "CNAME", "www.example.")]
    assert rrs(query(node, "comb.test.", "TXT")) == [(2100, "TXT", '"top"')]


def test_any_is_minimal(node):
    """RFC 8482, for what is there; what is not there is not there."""
    for name in ("www.mixed.test.", reverse4("192.0.2.1") + ".ip4.test.", "ip4.test."):
        assert [x[1:] for x in rrs(query(node, name, "ANY"))] == [("HINFO", '"RFC8482" ""')]
    assert query(node, "7.7.7.7.ip4.test.", "ANY").rcode() == dns.rcode.NXDOMAIN


def test_who_the_server_is(node):
    """RFC 4892, to this machine."""
    for name in ("version.bind.", "VERSION.SERVER.", "id.server.", "hostname.bind."):
        r = query(node, name, "TXT", klass="CH")
        text = r.answer[0][0].strings[0].decode()
        assert text.startswith("candor ") if "version" in name.lower() else text.startswith("test/"), text
    assert query(node, "authors.bind.", "TXT", klass="CH").rcode() == dns.rcode.REFUSED


def test_case_comes_back_as_it_went(node):
    rng = random.Random(20)
    for below, apex in LISTED:
        name = "".join(c.upper() if rng.random() < 0.5 else c for c in below + "." + apex)
        m = dns.message.make_query(name, "A")
        wire = m.to_wire()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.sendto(wire, (node.host, node.dns_port))
            reply = s.recv(4096)
        assert reply[12:len(wire)] == wire[12:], name
        assert dns.message.from_wire(reply).rcode() == dns.rcode.NOERROR


def cookie_of(reply):
    found = [o.data for o in reply.options if o.otype == dns.edns.OptionType.COOKIE]
    return found[0] if found else None


def test_cookies_are_every_workers_and_outlive_one(node):
    """RFC 7873 and 9018: what one worker gave, all believe, and the successor of one that was killed."""
    name = reverse4("192.0.2.1") + ".ip4.test."
    theirs = b"\x01\x02\x03\x04\x05\x06\x07\x08"
    given = cookie_of(query(node, name, options=[dns.edns.GenericOption(dns.edns.OptionType.COOKIE, theirs)]))
    assert len(given) == 24 and given[:8] == theirs and given[8:12] == b"\x01\0\0\0"
    assert abs(struct.unpack("!I", given[12:16])[0] - time.time()) < 60

    def all_keep_it():
        for _ in range(40):  # new ports: both workers
            r = query(node, name, options=[dns.edns.GenericOption(dns.edns.OptionType.COOKIE, given)])
            assert r.rcode() == dns.rcode.NOERROR and cookie_of(r) == given
        return True

    all_keep_it()
    workers = node.workers()
    workers[0].kill()
    until("a successor", lambda: len([w for w in node.workers() if w not in workers]) == 1 and len(node.workers()) == 2)
    until("cookies hold", all_keep_it)
    forged = given[:23] + bytes([given[23] ^ 1])
    r = query(node, name, options=[dns.edns.GenericOption(dns.edns.OptionType.COOKIE, forged)])
    assert r.rcode() == dns.rcode.NOERROR and cookie_of(r) not in (None, forged)
    bad = query(node, name, options=[dns.edns.GenericOption(dns.edns.OptionType.COOKIE, b"short")])
    assert bad.rcode() == dns.rcode.FORMERR


def test_access_lists(node):
    name = "7.7.7.7.acl.test."
    assert query(node, name).rcode() == dns.rcode.NXDOMAIN
    assert query(node, name, source="127.0.0.98").rcode() == dns.rcode.REFUSED
    assert query(node, reverse4("192.0.2.1") + ".acl.test.", source="127.0.0.97").rcode() == dns.rcode.NXDOMAIN
    assert query(node, "acl.test.", "SOA", source="127.0.0.97").answer
    assert rrs(query(node, name, "TXT", source="127.0.0.96")) == [(2100, "TXT", '"everything 127.0.0.96"')]


def dropped(node):
    for line in node.get("/metrics").text.splitlines():
        if line.startswith("candor_queries_dropped_total{") and 'reason="acl"' in line:
            return int(float(line.split()[-1]))
    raise AssertionError("no such metric")


def test_who_is_ignored_hears_nothing(node):
    before = dropped(node)
    with pytest.raises(dns.exception.Timeout):
        query(node, "7.7.7.7.acl.test.", source="127.0.0.99", timeout=0.5)
    with socket.socket() as s:
        s.bind(("127.0.0.99", 0))
        s.settimeout(5)
        s.connect((node.host, node.dns_port))
        ignored, other = (dns.message.make_query(n, "A").to_wire() for n in ("7.7.7.7.acl.test.", reverse4("192.0.2.1") + ".ip4.test."))
        for wire in (ignored, other):  # the connection stays; the other zone answers on it
            s.sendall(struct.pack("!H", len(wire)) + wire)
        head = s.recv(2, socket.MSG_WAITALL)
        reply = s.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL)
        assert reply[:2] == other[:2] and dns.message.from_wire(reply).answer
    until("both are counted", lambda: dropped(node) == before + 2)


def asked(node, name):
    return node.health()["asked"][name]["wrong"]


def test_wrong_way_questions_are_counted(node):
    before = {z: asked(node, z) for z in ("ip4.test.", "names.test.")}
    for name in ("127.0.0.2.ip4.test.", "192.0.2.250.ip4.test.", "mail.example.com.ip4.test.", "7.7.7.7.ip4.test.",
                 "9.9.9.9.names.test.", "good.example.names.test."):
        assert not query(node, name).answer

    def grown(z, kind, by):
        return asked(node, z)[kind] - before[z][kind] == by

    until("two forward, one name", lambda: grown("ip4.test.", "forward", 2) and grown("ip4.test.", "name", 1))
    until("one address", lambda: grown("names.test.", "address", 1) and grown("names.test.", "name", 0))
    assert 'candor_zone_wrong_questions_total{zone="ip4.test.",kind="forward"}' in node.get("/metrics").text


def test_expired_data(node):
    """Goes on answering until then; afterwards SERVFAIL with EDE 24, or the old answer with EDE 3 or 19."""
    name = reverse4("192.0.2.1")
    for z in ("dead.test.", "stale.test."):
        assert query(node, "%s.%s" % (name, z), edns=0).answer
    path = node.config["rbl"]["zones"][-1]["data"][0]["files"][0]
    end = time.time() + 4
    with open(path + ".new", "w") as f:
        f.write("$TIMESTAMP 2020:01:01 %s\n192.0.2.1\n192.0.2.2\n" % time.strftime("%Y:%m:%d:%H:%M:%S", time.gmtime(end)))
    shutil.move(path + ".new", path)
    dead = until("expired", lambda: [r for r in [query(node, name + ".dead.test.", edns=0)] if r.rcode() == dns.rcode.SERVFAIL])[0]
    assert codes(dead) == [(24, "zone expired")] and not dead.flags & dns.flags.AA
    stale = until("stale", lambda: [r for r in [query(node, name + ".stale.test.", edns=0)] if codes(r)])[0]
    assert stale.answer and codes(stale) == [(3, "zone expired")]
    assert codes(query(node, "7.7.7.7.stale.test.", edns=0)) == [(19, "zone expired")]
    assert query(node, name + ".ip4.test.").answer  # the others go on


@contextlib.contextmanager
def minimising_unbound(folder, node):
    """Debian's unbound, strict about QNAME minimisation (RFC 9156 section 2.3), with Candor as authority of test."""
    port, conf = free_port(), folder / "unbound.conf"
    conf.write_text("""server:
  username: ""
  chroot: ""
  directory: "%s"
  pidfile: ""
  use-syslog: no
  interface: 127.0.0.1@%d
  do-not-query-localhost: no
  local-zone: test. nodefault
  qname-minimisation: yes
  qname-minimisation-strict: yes
  harden-below-nxdomain: yes
  module-config: "iterator"
  do-daemonize: no
remote-control:
  control-enable: no
""" % (folder, port) + "".join("stub-zone:\n  name: %s\n  stub-addr: %s@%d\n  stub-prime: no\n" % (z["name"], node.host, node.dns_port) for z in ZONES))
    p = subprocess.Popen(["/usr/sbin/unbound", "-d", "-c", str(conf)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until("unbound", lambda: ask.ask("127.0.0.1@%d" % port, ["localhost. A"], timeout_ms=500, sockets=1)[0].took_us >= 0, 30)
        yield port
    finally:
        p.terminate()
        p.wait()


def test_a_strictly_minimising_resolver_finds_what_is_listed(node, tmp_path):
    with minimising_unbound(tmp_path, node) as port:
        for below, apex in LISTED:
            found = []
            for qtype in ("A", "TXT"):
                m = dns.message.make_query(below + "." + apex, qtype)
                r = dns.query.udp(m, "127.0.0.1", port=port, timeout=10)
                assert r.rcode() == dns.rcode.NOERROR, (below, apex, r.to_text())
                found += r.answer
            assert found, (below, apex)
        r = dns.query.udp(dns.message.make_query("7.7.7.7.ip4.test.", "A"), "127.0.0.1", port=port, timeout=10)
        assert r.rcode() == dns.rcode.NXDOMAIN


def test_noise_hurts_nobody(node):
    rng = random.Random(7)
    good = dns.message.make_query(reverse4("192.0.2.1") + ".mixed.test.", "A", use_edns=0,
                                  options=[dns.edns.GenericOption(dns.edns.OptionType.COOKIE, bytes(24))]).to_wire()
    boots = sorted(w.pid for w in node.workers())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for _ in range(3000):
            wire = bytearray(good)
            for _ in range(rng.randrange(1, 6)):
                wire[rng.randrange(2, len(wire))] = rng.randrange(256)
            s.sendto(bytes(wire[:rng.randrange(1, len(wire) + 1)]) if rng.random() < 0.3 else bytes(wire), (node.host, node.dns_port))
    assert query(node, reverse4("192.0.2.1") + ".mixed.test.").answer
    assert sorted(w.pid for w in node.workers()) == boots
