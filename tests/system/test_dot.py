"""DNS over TLS for clients: what kdig, openssl and dnspython see; a renewed certificate; strangers at the door."""
import os
import shutil
import socket
import ssl
import struct
import subprocess

import dns.edns
import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from lib.certs import Authority
from lib.node import Node, free_port, until
from lib.upstream import Upstream

NAMES = {"www.example.com. A": ["192.0.2.1"], "large.example.com. TXT": ['"%s"' % ("x" * 200)] * 20}
NAME = "dot.example"


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dot")
    authority = Authority(folder / "certs")
    live = str(folder / "live.pem"), str(folder / "live.key")
    for made, used in zip(authority.issue(NAME), live):
        shutil.copy(made, used)
    port = free_port()
    plain = free_port()
    with Upstream(NAMES) as up:
        with Node(folder / "node", {"resolver": {"workers": 1, "tcp-idle": "15s", "tls": {"certificate": live[0], "key": live[1]},
                                                 "listen": [{"address": "127.0.0.1@%d" % plain},
                                                            {"address": "127.0.0.1@%d" % port, "tls": True}],
                                                 "forward": [{"zone": ".", "to": [up.address]}]},
                                    "health": {"canary": {"cached": "", "uncached-under": "", "nxdomain-under": ""}}}) as n:
            n.dns_port = plain
            n.tls_port, n.authority, n.live = port, authority, live
            yield n


def context(n, alpn="dot", version=None):
    c = ssl.create_default_context(cafile=n.authority.ca)
    if alpn:
        c.set_alpn_protocols([alpn])
    if version:
        c.maximum_version = version
    return c


def connect(n, **kw):
    raw = socket.create_connection(("127.0.0.1", n.tls_port), timeout=10)
    return context(n, **kw).wrap_socket(raw, server_hostname=NAME)


def receive(s):
    def exactly(count):
        got = b""
        while len(got) < count:
            more = s.recv(count - len(got))
            assert more, "closed after %d octets" % len(got)
            got += more
        return got
    return exactly(struct.unpack("!H", exactly(2))[0])


def question(name="www.example.com.", rdtype="A", options=()):
    return dns.message.make_query(name, rdtype, use_edns=0, options=list(options))


def frame(q):
    wire = q.to_wire()
    return struct.pack("!H", len(wire)) + wire


def option(code, data=b""):
    return dns.edns.GenericOption(code, data)


def options(wire):
    return {int(o.otype): o for o in dns.message.from_wire(wire).options}


def test_kdig(node):
    out = subprocess.run(["kdig", "@127.0.0.1", "-p", str(node.tls_port), "+tls-ca=" + node.authority.ca, "+tls-hostname=" + NAME,
                          "+padding", "www.example.com", "A"], capture_output=True, text=True, timeout=20)
    assert "192.0.2.1" in out.stdout and "NOERROR" in out.stdout, out


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions_and_alpn(node, version):
    with connect(node, version=version) as s:
        assert s.selected_alpn_protocol() == "dot"
        s.sendall(frame(question()))
        assert dns.message.from_wire(receive(s)).rcode() == dns.rcode.NOERROR
    with connect(node, alpn=None, version=version) as s:
        s.sendall(frame(question()))
        receive(s)


def test_other_protocols_are_refused(node):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        with connect(node, alpn="h2") as s:
            s.sendall(frame(question()))
            receive(s)
    out = subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % node.tls_port, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
                         stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    assert out.returncode != 0


def test_padding(node):
    with connect(node) as s:
        for name, rdtype in (("www.example.com.", "A"), ("large.example.com.", "TXT")):
            s.sendall(frame(question(name, rdtype, [option(12, bytes(7))])))
            wire = receive(s)
            assert len(wire) % 468 == 0 and set(options(wire)[12].data) <= {0}
        s.sendall(frame(question()))
        assert 12 not in options(receive(s))
    q = question(options=[option(12, bytes(7))])
    assert 12 not in options(dns.query.tcp(q, "127.0.0.1", port=node.dns_port, timeout=10).to_wire())


def test_keepalive(node):
    q = question(options=[option(11)])
    with connect(node) as s:
        s.sendall(frame(q))
        assert struct.unpack("!H", options(receive(s))[11].data)[0] == 150
        s.sendall(frame(question()))
        assert 11 not in options(receive(s))
    assert 11 in {int(o.otype) for o in dns.query.tcp(q, "127.0.0.1", port=node.dns_port, timeout=10).options}
    assert 11 not in {int(o.otype) for o in dns.query.udp(q, "127.0.0.1", port=node.dns_port, timeout=10).options}


def test_a_thousand_at_once(node):
    with connect(node) as s:
        s.settimeout(20)
        asked = [question() for _ in range(1000)]
        for i, q in enumerate(asked):
            q.id = i
        s.sendall(b"".join(frame(q) for q in asked))
        got = sorted(struct.unpack("!H", receive(s)[:2])[0] for _ in asked)
    assert got == list(range(1000))


def test_garbage_and_silence_harm_nobody(node):
    silent = [socket.create_connection(("127.0.0.1", node.tls_port), timeout=10) for _ in range(8)]
    for rubbish in (b"GET / HTTP/1.0\r\n\r\n", bytes(4096), os.urandom(4096), b"\x16\x03\x01\xff\xff", frame(question())):
        with socket.create_connection(("127.0.0.1", node.tls_port), timeout=10) as s:
            s.sendall(rubbish)
    with connect(node) as s:
        s.sendall(frame(question()))
        receive(s)
    for s in silent:
        s.settimeout(20)
        assert s.recv(1) == b"", "a client that shakes no hands is closed"
        s.close()


def test_renewed_certificate(node):
    old = connect(node)
    before = old.getpeercert()["serialNumber"]
    made = node.authority.issue(NAME, file="renewed", days=9)
    for from_, to in zip(made, node.live):
        shutil.copy(from_, to + ".new")
        os.rename(to + ".new", to)

    def fresh():
        old.sendall(frame(question()))  # kept alive: what is idle for ten seconds is closed
        receive(old)
        with connect(node) as s:
            return s.getpeercert()["serialNumber"] != before

    until("the new certificate is shown", fresh, within_s=30, every_s=0.5)
    with old:
        old.sendall(frame(question()))
        receive(old)
