"""Forwarding over TLS (RFC 7858) to Debian's unbound and to servers that misbehave: never in the clear, sessions kept."""
import contextlib
import os
import socket
import ssl
import struct
import subprocess
import threading

import dns.message
import dns.query
import dns.rcode
import dns.rrset
import pytest

from lib.certs import Authority
from lib.node import Node, free_port, until

NAME = "dot.example"
QUIET = {"health": {"canary": {"cached": "", "uncached-under": "", "nxdomain-under": ""}}}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certs"))


@contextlib.contextmanager
def unbound(folder, certificate, key, both=False):
    port, plain, folder = free_port(), free_port(), str(folder)
    with open(os.path.join(folder, "unbound.conf"), "w") as f:
        f.write("""server:
 interface: 127.0.0.1@%d
 interface: 127.0.0.1@%d
 tls-port: %d
 tls-service-pem: "%s"
 tls-service-key: "%s"
 do-daemonize: no
 username: ""
 chroot: ""
 directory: "%s"
 pidfile: ""
 use-syslog: no
 logfile: ""
 log-queries: yes
 access-control: 127.0.0.0/8 allow
 local-zone: "corp." static
 local-data: "www.corp. 60 IN A 192.0.2.7"
 local-zone: "many.corp." redirect
 local-data: "many.corp. 60 IN A 192.0.2.8"
remote-control:
 control-enable: no
""" % (port, plain, port, certificate, key, folder))
    with open(os.path.join(folder, "log"), "wb") as log:
        p = subprocess.Popen(["unbound", "-d", "-c", f.name], stdout=log, stderr=log)
    try:
        yield port if not both else (port, plain)
    finally:
        p.terminate()
        p.wait(10)


@contextlib.contextmanager
def forwarding(folder, authority, port, name=NAME, config=None, **kw):
    entry = dict({"zone": ".", "to": ["127.0.0.1@%d" % port]}, **(kw or {"tls-name": name, "ca": authority.ca}))
    config = dict(config or QUIET, resolver={"workers": 1, "local-zones": False, "recursion": {"timeout": "3s"}, "forward": [entry],
                                   "cache": {"serve-stale": {"max-age": "0s"}, "prefetch": False}})
    with Node(folder / "node", config) as n:
        yield n


def ask(node, name, timeout=10):
    return dns.query.udp(dns.message.make_query(name, "A", use_edns=0), node.host, port=node.dns_port, timeout=timeout)


def address(reply):
    return reply.answer[-1][0].to_text() if reply.answer else None


def test_answers_over_one_session(tmp_path, authority):
    with unbound(tmp_path, *authority.issue(NAME)) as port, forwarding(tmp_path, authority, port) as n:
        until("an answer", lambda: address(ask(n, "www.corp.")) == "192.0.2.7")
        for i in range(50):
            assert address(ask(n, "n%d.many.corp." % i)) == "192.0.2.8"
        assert ask(n, "none.corp.").rcode() == dns.rcode.NXDOMAIN
        held = [c for w in n.workers() for c in w.net_connections() if c.raddr and c.raddr.port == port] if hasattr(n.workers()[0], "net_connections") \
            else [c for w in n.workers() for c in w.connections() if c.raddr and c.raddr.port == port]
        assert len(held) == 1 and held[0].type == socket.SOCK_STREAM, held


@pytest.mark.parametrize("what", ["wrong name", "another authority", "plain server"])
def test_never_in_the_clear(tmp_path, authority, tmp_path_factory, what):
    """Who is not whom the configuration names gets no question, and the client an extended error."""
    seen = []
    if what == "plain server":
        with socket.create_server(("127.0.0.1", 0)) as s:
            def serve():
                with contextlib.suppress(OSError):
                    while True:
                        c, _ = s.accept()
                        c.settimeout(2)
                        with contextlib.suppress(OSError):
                            seen.append(c.recv(4096))
                        c.close()
            threading.Thread(target=serve, daemon=True).start()
            with forwarding(tmp_path, authority, s.getsockname()[1]) as n:
                r = ask(n, "secret.corp.")
        assert seen and not any(b"secret" in x for x in seen)
    else:
        other = Authority(tmp_path_factory.mktemp("other")) if what == "another authority" else authority
        with unbound(tmp_path, *other.issue(NAME)) as port:
            with forwarding(tmp_path, authority, port, name="else.example" if what == "wrong name" else NAME) as n:
                r = ask(n, "www.corp.")
        with open(tmp_path / "log") as f:
            assert "www.corp" not in f.read()
    assert r.rcode() == dns.rcode.SERVFAIL and r.options


class Odd:
    """A TLS server that ends its connection after so many answers, or never answers."""

    def __init__(self, authority, answers):
        certificate, key = authority.issue(NAME)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.context.set_alpn_protocols(["dot"])
        self.answers, self.connections, self.asked = answers, 0, 0

    def __enter__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.socket.close()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                raw, _ = self.socket.accept()
                self.connections += 1
                threading.Thread(target=self.one, args=(raw,), daemon=True).start()

    def one(self, raw):
        with contextlib.suppress(OSError, struct.error):
            with self.context.wrap_socket(raw, server_side=True) as c:
                for _ in range(self.answers) if self.answers else iter(int, 1):
                    size = struct.unpack("!H", c.recv(2))[0]
                    q = dns.message.from_wire(c.recv(size))
                    self.asked += 1
                    if self.answers == 0:
                        continue
                    r = dns.message.make_response(q, recursion_available=True)
                    r.answer.append(dns.rrset.from_text(q.question[0].name, 60, "IN", "A", "192.0.2.9"))
                    wire = r.to_wire()
                    c.sendall(struct.pack("!H", len(wire)) + wire)


def test_a_server_that_ends_its_connections(tmp_path, authority):
    with Odd(authority, 1) as odd, forwarding(tmp_path, authority, odd.port) as n:
        for i in range(10):
            assert address(ask(n, "n%d.example." % i)) == "192.0.2.9"
        assert odd.connections >= 10


def test_a_server_that_hangs(tmp_path, authority):
    with Odd(authority, 0) as odd, forwarding(tmp_path, authority, odd.port) as n:
        r = ask(n, "www.example.")
        assert r.rcode() == dns.rcode.SERVFAIL and odd.asked >= 1


def test_tls_that_is_hoped_for(tmp_path, authority):
    """In the clear at first, over TLS once that is known to work, in the clear again when it ends: no answer is lost."""
    with Odd(authority, 3) as odd, unbound(tmp_path, *authority.issue(NAME), both=True) as (_, plain):
        query = dns.message.make_query("n.many.corp.", "A")
        until("unbound", lambda: dns.query.tcp(query, "127.0.0.1", port=plain, timeout=1).answer)
        with forwarding(tmp_path, authority, plain, opportunistic=True, **{"tls-port": odd.port}) as n:
            serial = iter(range(10000))

            def answered_by(last):
                r = ask(n, "n%d.many.corp." % next(serial))
                assert r.rcode() == dns.rcode.NOERROR
                return address(r) == "192.0.2.%d" % last
            until("an answer in the clear", lambda: answered_by(8), 15)
            until("an answer over TLS", lambda: answered_by(9), 15)
            odd.close()
            until("an answer in the clear again", lambda: answered_by(8), 15)
            assert all(answered_by(8) for _ in range(10))
