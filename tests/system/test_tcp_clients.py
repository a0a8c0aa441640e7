"""Clients by TCP: answers out of order, a thousand at once, one that has ended its side, one that never reads."""
import socket
import struct

import dns.message
import dns.query
import dns.rcode
import pytest

from lib.node import Node, until
from lib.upstream import Upstream

NAMES = {"www.example.com. A": ["192.0.2.1"], "large.example.com. TXT": ['"%s"' % ("x" * 200)] * 20}


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with Upstream(NAMES, delay_s=0.3) as up:
        with Node(tmp_path_factory.mktemp("tcp"), {"resolver": {"workers": 1, "forward": [{"zone": ".", "to": [up.address]}]},
                                                   "health": {"canary": {"cached": "", "uncached-under": "", "nxdomain-under": ""}}}) as n:
            yield n


def connect(n):
    return socket.create_connection(("127.0.0.1", n.dns_port), timeout=20)


def frame(name, rdtype, number):
    q = dns.message.make_query(name, rdtype, use_edns=0)
    q.id = number
    wire = q.to_wire()
    return struct.pack("!H", len(wire)) + wire


def exactly(s, count):
    got = b""
    while len(got) < count:
        more = s.recv(count - len(got))
        assert more, "closed after %d octets" % len(got)
        got += more
    return got


def receive(s):
    return dns.message.from_wire(exactly(s, struct.unpack("!H", exactly(s, 2))[0]))


def test_the_ready_one_comes_first(node):
    with connect(node) as s:
        s.sendall(frame("www.example.com.", "A", 1) + frame("localhost.", "A", 2))
        assert [receive(s).id, receive(s).id] == [2, 1]


def test_a_thousand_at_once(node):
    with connect(node) as s:
        s.sendall(b"".join(frame("localhost.", "A", i) for i in range(1000)))
        got = [receive(s) for _ in range(1000)]
    assert sorted(m.id for m in got) == list(range(1000))
    assert {m.rcode() for m in got} == {dns.rcode.NOERROR}


def test_half_closed(node):
    """Who has said all that it has to say still gets its answers, also those that come later."""
    with connect(node) as s:
        s.sendall(frame("large.example.com.", "TXT", 7) + frame("localhost.", "A", 8))
        s.shutdown(socket.SHUT_WR)
        assert {receive(s).id, receive(s).id} == {7, 8}
        assert s.recv(1) == b""


def test_octet_by_octet(node):
    with connect(node) as s:
        for octet in frame("localhost.", "A", 9):
            s.sendall(bytes([octet]))
        assert receive(s).id == 9


def test_who_never_reads_is_closed_and_harms_nobody(node):
    dns.query.tcp(dns.message.make_query("large.example.com.", "TXT"), "127.0.0.1", port=node.dns_port, timeout=20)
    with connect(node) as s:
        s.setblocking(False)
        one = frame("large.example.com.", "TXT", 10)
        sent = 0

        def closed():
            nonlocal sent
            try:
                sent += s.send((one * 500)[sent % len(one):])  # whole questions, however the kernel cuts them
            except BlockingIOError:
                return False
            except (ConnectionResetError, BrokenPipeError):
                return True
            return False

        for _ in range(20):
            closed()
        assert dns.query.tcp(dns.message.make_query("localhost.", "A"), "127.0.0.1", port=node.dns_port, timeout=20).answer
        until("it is closed", closed, within_s=30, every_s=0.2)
        assert dns.query.udp(dns.message.make_query("localhost.", "A"), "127.0.0.1", port=node.dns_port, timeout=20).answer
