"""Names that a running node answers itself: built-in zones, local data, overrides; what comes before and after them."""
import contextlib
import subprocess

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from lib.ask import BUILD
from lib.node import Node, until
from lib.upstream import Upstream

NAMES = {"www.example.com. A": ["192.0.2.1"], "host.corp.test. A": ["192.0.2.2"], "1.1.168.192.in-addr.arpa. PTR": ["out.example."],
         "x.resolved.example. A": ["192.0.2.3"]}
LOCAL = {"local-data": ["printer.home.arpa. 60 A 192.168.1.9", "www.override.example. A 192.0.2.80", "alias.override.example. CNAME www.override.example.",
                        "ads.example. A 192.0.2.99", "1.2.0.192.bl.test. A 127.0.0.66"],
         "overrides": [{"zone": "override.example.", "answer": "static"}, {"zone": "ads.example.", "answer": "redirect"},
                       {"zone": "gone.example.", "answer": "nxdomain"}, {"zone": "no.example.", "answer": "refuse"},
                       {"zone": "silent.example.", "answer": "drop"}, {"zone": "resolved.example.", "answer": "transparent"}]}


def ask(node, name, rdtype="A", timeout=8, tcp=False, **kw):
    q = dns.message.make_query(name, rdtype, use_edns=0, **kw)
    return (dns.query.tcp if tcp else dns.query.udp)(q, node.host, port=node.dns_port, timeout=timeout)


def answers(node):
    with contextlib.suppress(dns.exception.Timeout):
        return ask(node, "version.bind.", "TXT", timeout=0.5, rdclass="CH")


def ede(reply):
    return [o.code for o in reply.options if o.otype == dns.edns.OptionType.EDE]


def first(reply):
    return reply.answer[-1][0].to_text() if reply.answer else None


@pytest.fixture(scope="module")
def upstream():
    with Upstream(NAMES) as u:
        yield u


@contextlib.contextmanager
def started(folder, upstream, **resolver):
    (folder / "bl").write_text(":127.0.0.2:listed\n192.0.2.1\n127.0.0.2\n")
    config = {"resolver": {"workers": 1, "forward": [{"zone": ".", "to": [upstream.address]}, {"zone": "corp.test.", "to": [upstream.address]}], **resolver},
              "rbl": {"zones": [{"name": "bl.test.", "test": "none", "data": [{"type": "ip4set", "files": [str(folder / "bl")]}]}]}}
    with Node(folder, config) as n:
        until("it answers", lambda: n.alive() and answers(n))
        yield n


@pytest.fixture(scope="module")
def node(tmp_path_factory, upstream):
    with started(tmp_path_factory.mktemp("local"), upstream, **LOCAL) as n:
        yield n


@pytest.mark.parametrize("name,rdtype,zone", [("www.test.", "A", "test."), ("a.onion.", "AAAA", "onion."), ("x.invalid.", "TXT", "invalid."),
                                              ("1.2.3.10.in-addr.arpa.", "PTR", "10.in-addr.arpa."), ("nas.home.arpa.", "A", "home.arpa.")])
def test_built_in_names_do_not_leave(node, upstream, name, rdtype, zone):
    for tcp in (False, True):
        r = ask(node, name, rdtype, tcp=tcp)
        assert r.rcode() == dns.rcode.NXDOMAIN and not r.answer
        assert r.flags & dns.flags.AA and r.flags & dns.flags.RA and not r.flags & dns.flags.AD
        assert [(s.name.to_text(), s.rdtype) for s in r.authority] == [(zone, dns.rdatatype.SOA)]
    assert upstream.count("%s %s" % (name, rdtype)) == 0


def test_localhost(node):
    assert first(ask(node, "localhost.")) == "127.0.0.1"
    assert first(ask(node, "x.localhost.", "AAAA")) == "::1"
    assert first(ask(node, "1.0.0.127.in-addr.arpa.", "PTR")) == "localhost."
    r = ask(node, "localhost.", "MX")
    assert r.rcode() == dns.rcode.NOERROR and not r.answer and len(r.authority) == 1


def test_a_forward_zone_takes_its_names_out(node, upstream):
    assert first(ask(node, "host.corp.test.")) == "192.0.2.2"
    assert upstream.count("host.corp.test. A") == 1
    assert ask(node, "host.other.test.").rcode() == dns.rcode.NXDOMAIN


def test_local_data(node, upstream):
    r = ask(node, "Printer.Home.Arpa.")
    assert first(r) == "192.168.1.9" and r.answer[0].ttl == 60 and r.flags & dns.flags.AA
    r = ask(node, "printer.home.arpa.", "AAAA")
    assert r.rcode() == dns.rcode.NOERROR and not r.answer and r.authority[0].name.to_text() == "home.arpa."
    r = ask(node, "alias.override.example.")
    assert [a.name.to_text() for a in r.answer] == ["alias.override.example.", "www.override.example."] and first(r) == "192.0.2.80"
    assert ask(node, "other.override.example.").rcode() == dns.rcode.NXDOMAIN


def test_overrides(node, upstream):
    r = ask(node, "a.b.ads.example.")
    assert first(r) == "192.0.2.99" and ede(r) == [4]
    r = ask(node, "x.gone.example.")
    assert r.rcode() == dns.rcode.NXDOMAIN and ede(r) == [15] and r.authority[0].name.to_text() == "gone.example."
    r = ask(node, "x.no.example.")
    assert r.rcode() == dns.rcode.REFUSED and ede(r) == [15] and not r.flags & dns.flags.AA
    with pytest.raises(dns.exception.Timeout):
        ask(node, "x.silent.example.", timeout=0.5)
    assert first(ask(node, "x.resolved.example.")) == "192.0.2.3"
    assert not any(q.split()[0].endswith((".gone.example.", ".no.example.", ".silent.example.", "ads.example.")) for _, _, q in upstream.seen)


def test_blocklists_come_first(node):
    assert first(ask(node, "1.2.0.192.bl.test.")) == "127.0.0.2"  # not what local-data says
    assert ask(node, "3.2.0.192.bl.test.").authority[0].name.to_text() == "bl.test."


def test_what_is_off_is_asked_for(tmp_path, upstream):
    with started(tmp_path, upstream, **{"local-zones": False}) as n:
        assert first(ask(n, "1.1.168.192.in-addr.arpa.", "PTR")) == "out.example."


def test_names_of_the_outside_do_not_point_inside(tmp_path):
    names = {"evil.example. A": ["10.0.0.1"], "mixed.example. A": ["192.0.2.1", "127.0.0.1"], "evil.example. AAAA": ["fd00::1"],
             "host.corp.example. A": ["10.0.0.2"], "host.fwd.example. A": ["10.0.0.3"]}
    with Upstream(names) as u:
        with started(tmp_path, u, **{"forward": [{"zone": z, "to": [u.address]} for z in (".", "fwd.example.")], "recursion": {
                "private-addresses": ["10.0.0.0/8", "127.0.0.0/8", "fc00::/7"], "private-domains": ["corp.example."], "enabled": False}}) as n:
            for _ in range(2):  # the second from the cache
                for rdtype in ("A", "AAAA"):
                    r = ask(n, "evil.example.", rdtype)
                    assert r.rcode() == dns.rcode.NOERROR and not r.answer and r.authority[0].rdtype == dns.rdatatype.SOA
                r = ask(n, "mixed.example.")
                assert [a.address for a in r.answer[0]] == ["192.0.2.1"]
                assert first(ask(n, "host.corp.example.")) == "10.0.0.2"
                assert first(ask(n, "host.fwd.example.")) == "10.0.0.3"
                assert first(ask(n, "localhost.")) == "127.0.0.1"
            assert u.count("evil.example. A") == 1
            until("it is counted", lambda: "candor_private_records_dropped_total 3" in n.get("/metrics").text, 20)


def test_who_may_not_recurse_sees_nothing(tmp_path, upstream):
    with started(tmp_path, upstream, allow=["192.0.2.0/24"], **LOCAL) as n:
        for name in ("printer.home.arpa.", "a.test.", "localhost."):
            assert ask(n, name).rcode() == dns.rcode.REFUSED


def test_a_mistake_is_said_at_start(tmp_path):
    n = Node(tmp_path, {"resolver": {"local-data": ["a.example. A nonsense"]}}, program="resolver")
    for argv in (["--check"], []):
        p = subprocess.run([BUILD + "/candor-resolver", *argv, "-c", n.path], capture_output=True, text=True, timeout=30)
        assert p.returncode != 0 and "local-data[0]" in p.stdout + p.stderr and "nonsense" in p.stdout + p.stderr
