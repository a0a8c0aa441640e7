"""A node with data of all nine types: what it answers, and in which line candor why finds it. The finer points of each type are
compared with rbldnsd (rbldnsd_diff.py)."""
import ipaddress

import dns.exception
import dns.message
import dns.query
import dns.rcode
import pytest

from lib.ask import ask
from lib.node import Node

FILES = {
    "ip4set": "$SOA 0 ns.test host.test 0 1h 1h 1w 5m\n:2:set $\n192.0.2.0/24\n!192.0.2.9\n",
    "ip4tset": "198.51.100.1\n:3:tset $\n",
    "ip4trie": "203.0.113.0/25 :4:trie $\n203.0.113.7 :5:\n",
    "ip6tset": ":6:tset6 $\n2001:db8:0:1\n!2001:db8:0:1::9\n",
    "ip6trie": "2001:db8:1::/48 :7:trie6 $\n",
    "dnset": ":8:name $\n.bad.test\n*.worse.test\n",
    "generic": "@ MX 10 mail.test\nwww 60 A 192.0.2.80\nwww TXT \"a text\"\n",
    "combined": "$TTL 99\n$DATASET ip4set:one s1 @\n:10:one $\n100.64.0.1\n$DATASET dnset s2\n:11:two $\nevil.test\n"
                "$DATASET generic s1\nabout TXT part\n",
    "acl": "127.0.0.2 :refuse\n127.0.0.3 :5:you, $\n127.0.0.4 :empty\n127.0.0.0/8 :pass\n",
    "all.acl": "127.0.0.5 :ignore\n",
}


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    folder = tmp_path_factory.mktemp("datasets")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    data = [{"type": kind, "files": [str(folder / kind)]} for kind in FILES if kind != "all.acl"]
    zones = [{"name": ".", "data": [{"type": "acl", "files": [str(folder / "all.acl")]}]},
             {"name": "all.bl", "test": "none", "limits": {"values": "any"}, "data": data}]
    with Node(folder, {"rbl": {"zones": zones}}) as n:
        yield n


def asked(node, name, kind, source="127.0.0.1"):
    """(RCODE, then "TTL DATA" of the answers, sorted)"""
    a = dns.query.udp(dns.message.make_query(name, kind), node.host, port=node.dns_port, source=source, timeout=2)
    return (dns.rcode.to_text(a.rcode()), *sorted("%d %s" % (r.ttl, x) for r in a.answer for x in r))


def nibbles(text):
    return ".".join(reversed(ipaddress.ip_address(text).exploded.replace(":", ""))) + ".all.bl"


def test_each_type_answers(node):
    for name, kind, wanted in (
            ("1.2.0.192", "TXT", '2100 "set 192.0.2.1"'), ("9.2.0.192", "A", None), ("1.100.51.198", "TXT", '2100 "tset 198.51.100.1"'),
            ("2.100.51.198", "A", None), ("9.113.0.203", "A", "2100 127.0.0.4"), ("7.113.0.203", "A", "2100 127.0.0.5"),
            ("7.113.0.203", "TXT", ""), ("bad.test", "TXT", '2100 "name bad.test"'), ("x.bad.test", "A", "2100 127.0.0.8"),
            ("worse.test", "A", ""), ("x.worse.test", "TXT", '2100 "name worse.test"'), ("www", "A", "60 192.0.2.80"),
            ("www", "TXT", '2100 "a text"'), ("www", "MX", ""), ("1.0.64.100", "TXT", '99 "one 100.64.0.1"'),
            ("1.0.64.100.s1", "TXT", '99 "one 100.64.0.1"'), ("1.0.64.100.s2", "A", None), ("evil.test.s2", "A", "99 127.0.0.11"),
            ("evil.test", "A", None), ("about.s1", "TXT", '99 "part"'), ("s2", "A", "")):
        rcode = "NXDOMAIN" if wanted is None else "NOERROR"
        assert asked(node, name + ".all.bl", kind) == (rcode, *([wanted] if wanted else [])), (name, kind)
    assert asked(node, "all.bl", "MX") == ("NOERROR", "2100 10 mail.test.")
    assert asked(node, nibbles("2001:db8:0:1::5"), "TXT") == ("NOERROR", '2100 "tset6 2001:db8:0:1::5"')
    assert asked(node, nibbles("2001:db8:0:1::9"), "A") == ("NXDOMAIN",)
    assert asked(node, nibbles("2001:db8:1::5"), "A") == ("NOERROR", "2100 127.0.0.7")
    assert asked(node, nibbles("::ffff:192.0.2.1"), "A") == ("NOERROR", "2100 127.0.0.2")


def test_who_asks(node):
    assert asked(node, "1.2.0.192.all.bl", "A", "127.0.0.2") == ("REFUSED",)
    assert asked(node, "1.1.1.1.all.bl", "TXT", "127.0.0.3") == ("NOERROR", '2100 "you, 127.0.0.3"')
    assert asked(node, "1.2.0.192.all.bl", "A", "127.0.0.4") == ("NXDOMAIN",)
    with pytest.raises(dns.exception.Timeout):
        dns.query.udp(dns.message.make_query("1.2.0.192.all.bl", "A"), node.host, port=node.dns_port, source="127.0.0.5", timeout=0.5)
    # the list of all zones is no zone
    assert ask(node.dns, [". SOA"])[0].rcode != "NOERROR"


def test_why_names_the_line(node):
    for what, file, line in (("192.0.2.1", "ip4set", 3), ("192.0.2.9", "ip4set", 4), ("198.51.100.1", "ip4tset", 1), ("203.0.113.7", "ip4trie", 2),
                             ("2001:db8:0:1::5", "ip6tset", 2), ("2001:db8:1::5", "ip6trie", 1), ("x.bad.test", "dnset", 2),
                             ("www", "generic", 2), ("100.64.0.1", "combined", 4)):
        said = node.candor("why", what, "all.bl.", check=False).stdout
        assert "%s:%d" % (file, line) in said, (what, said)
