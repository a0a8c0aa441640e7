"""Transfers out of the sync port to everybody who speaks standard DNS: AXFR, IXFR over TCP and UDP, NOTIFY; who may; many at once,
slow ones, and during commits; keys and clocks."""
# time bound: 300 s
import base64
import subprocess
import time

import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.xfr
import dns.zone
import pytest

from lib.node import Node, until
from lib.sync import Sync

ZONE, OPEN, NEW = "list.test.", "open.test.", "new.test."
SECRET = base64.b64encode(bytes(range(32))).decode()
KEYS = {"one.": "hmac-sha256", "two.": "hmac-sha512", "stranger.": "hmac-sha256"}
KEYRING = {dns.name.from_text(n): dns.tsig.Key(n, base64.b64decode(SECRET), a) for n, a in KEYS.items()}
HEAD = "$SOA 600 ns.test. hostmaster.test. 7 300 60 86400 120\n$NS 600 ns.elsewhere. ns2.elsewhere.\n$TTL 300\n"


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    lines = ["127.0.0.2\n", "!198.51.100.7\n", "198.51.100.0/24 :9:net $\n", "203.0.113.0/27\n"]
    lines += ["10.%d.%d.%d :4:see $\n" % (i >> 16, i >> 8 & 255, i & 255) for i in range(20000)]
    (folder / "list").write_text(HEAD + "".join(lines))
    (folder / "open").write_text(HEAD + "127.0.0.2\n192.0.2.1\n")
    rules = [{"key": "one."}, {"key": "two.", "address": "127.0.0.0/8"}]
    zones = [
        {"name": ZONE, "data": [{"type": "ip4trie", "files": [str(folder / "list")]}], "transfer": rules, "update": [{"key": "one."}]},
        {"name": OPEN, "data": [{"type": "ip4set", "files": [str(folder / "open")]}], "transfer": [{"address": "127.0.0.0/8"}]},
        {"name": NEW, "update": [{"key": "one."}], "transfer": [{"key": "one."}]},
    ]
    keys = [{"name": n, "algorithm": a, "secret": SECRET} for n, a in KEYS.items()]
    with Node(folder / "node", {"rbl": {"keys": keys, "zones": zones}}) as n:
        n.zone_file = folder / "list"
        until("the files are read", lambda: soa(n, ZONE) and soa(n, OPEN))
        yield n


def where(node):
    host, port = node.config["rbl"]["listen"][0].split("@")
    return host, int(port)


def ask(node, qname, qtype, tcp=True, key=None, serial=None):
    host, port = where(node)
    q = dns.message.make_query(qname, qtype)
    if serial is not None:
        q.authority.append(dns.rrset.from_text(qname, 0, "IN", "SOA", ". . %d 0 0 0 0" % serial))
    if key:
        q.use_tsig(KEYRING, key)
    return (dns.query.tcp if tcp else dns.query.udp)(q, host, timeout=10, port=port)


def soa(node, zone):
    r = ask(node, zone, "SOA")
    return r.answer[0][0].serial if r.rcode() == dns.rcode.NOERROR else None


def axfr(node, zone, key=None):
    host, port = where(node)
    q, _ = dns.xfr.make_query(dns.zone.Zone(zone), keyring=KEYRING if key else None, keyname=key)
    z = dns.zone.Zone(zone)
    dns.query.inbound_xfr(host, z, q, port=port, timeout=20, lifetime=40)
    return z


def rrs(zone):
    """As sorted lines."""
    return sorted("%s %d %s" % (name.derelativize(zone.origin), ttl, rdata.to_text().lower()) for name, ttl, rdata in
                  ((n, t, r) for n, t, r in zone.iterate_rdatas()))


def test_axfr_is_what_export_says(node):
    z = axfr(node, ZONE, "one.")
    out = node.candor("export", ZONE, "--format", "bind").stdout
    exported = dns.zone.from_text(out, ZONE, relativize=True, check_origin=False)
    assert rrs(z) == rrs(exported)
    assert len(rrs(z)) > 40000
