"""Authoritative servers that do as a test says, on many addresses of one namespace, served by one thread of this process.

    with Stage() as stage:                                 # a namespace of its own, `stage.ns`
        stage.delegate("victim.", {"ns.victim.": VICTIM})  # what the root says
        stage.on(VICTIM, lambda q: answer(q, "192.0.2.1"))
        ...
        stage.count(VICTIM), stage.seen

An actor gets a Question and gives what is sent: a dns.message, octets, None (silence), a list of these, or Later / Drip.
"""
import collections
import heapq
import itertools
import os
import selectors
import socket
import struct
import threading
import time
import traceback

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from lib.netns import Namespace, inside

ROOT = "41.1.0.1"
HINTS = ". 3600000 NS a.root-servers.net.\na.root-servers.net. 3600000 A %s\n" % ROOT

Seen = collections.namedtuple("Seen", "at address tcp port id name type")
Later = collections.namedtuple("Later", "seconds what")        # sends `what` after a while
Drip = collections.namedtuple("Drip", "wire octets seconds")   # over TCP: so many octets, each so long after the last


class Question:
    def __init__(self, wire, address, tcp, peer):
        self.message = dns.message.from_wire(wire, ignore_trailing=True)
        self.wire, self.address, self.tcp, self.peer = wire, address, tcp, peer
        q = self.message.question[0]
        self.exact, self.name, self.type = q.name, q.name.to_text().lower(), dns.rdatatype.to_text(q.rdtype)

    @property
    def labels(self):
        return self.name.rstrip(".").split(".")

    def below(self, zone):
        return self.name == zone or self.name.endswith("." + zone.lstrip("."))


def reply(q, answer=(), authority=(), additional=(), rcode="NOERROR", aa=True):
    """A response; records are "owner TTL type rdata" (owner @: the name asked)."""
    r = dns.message.make_response(q.message)
    r.flags = dns.flags.QR | (dns.flags.AA if aa else 0) | (q.message.flags & dns.flags.RD)
    r.set_rcode(dns.rcode.from_text(rcode))
    for section, records in ((r.answer, answer), (r.authority, authority), (r.additional, additional)):
        section.extend(rrsets(records, q))
    return r


def rrsets(records, q):
    grouped = {}
    for rec in records:
        owner, ttl, kind, rdata = rec.split(" ", 3)
        grouped.setdefault((q.exact.to_text() if owner == "@" else owner, int(ttl), kind), []).append(rdata)
    return [dns.rrset.from_text_list(o, t, "IN", k, d) for (o, t, k), d in grouped.items()]


def answer(q, *addresses, ttl=3600):
    """Its address, where that is asked; else that there is none."""
    if q.type == "A" and addresses:
        return reply(q, ["@ %d A %s" % (ttl, a) for a in addresses])
    return nodata(q)


def nodata(q, zone=None, rcode="NOERROR", ttl=60):
    zone = zone or ".".join(q.labels[-1:]) + "."
    below = zone if zone != "." else "root-servers.net."
    return reply(q, authority=["%s %d SOA ns.%s h.%s 1 3600 600 86400 %d" % (zone, ttl, below, below, ttl)], rcode=rcode)


def nxdomain(q, zone=None):
    return nodata(q, zone, "NXDOMAIN")


def referral(q, zone, servers, ttl=3600):
    """`servers`: {name: address, or None for no glue}"""
    return reply(q, authority=["%s %d NS %s" % (zone, ttl, n) for n in servers],
                 additional=["%s %d A %s" % (n, ttl, a) for n, a in servers.items() if a], aa=False)


class Stage:
    def __init__(self, ns=None):
        self.own = ns is None
        self.ns = ns or Namespace()
        self.actors, self.cuts, self.seen = {}, {}, []
        self.selector, self.lock, self.running = selectors.DefaultSelector(), threading.Lock(), False
        self.timers, self.order, self.buffers, self.errors = [], itertools.count(), {}, []

    def __enter__(self):
        if self.own:
            self.ns.__enter__()
        self.on(ROOT, self.root)
        self.running = True
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.running = False
        self.thread.join(5)
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()
        if self.own:
            self.ns.__exit__()
        return False

    def delegate(self, zone, servers, ttl=3600):
        """What the root says of a zone; servers None: that it is gone."""
        self.cuts[zone] = (servers, ttl)

    def root(self, q):
        for i in range(len(q.labels)):
            zone = ".".join(q.labels[i:]) + "."
            if self.cuts.get(zone, (None, 0))[0]:
                return referral(q, zone, *self.cuts[zone])
        if q.name == "." and q.type == "NS":
            return reply(q, [". 3600000 NS a.root-servers.net."], additional=["a.root-servers.net. 3600000 A " + ROOT])
        if q.name == "a.root-servers.net.":
            return answer(q, ROOT)
        return nodata(q, ".", "NOERROR" if q.name in (".", "net.", "root-servers.net.") else "NXDOMAIN")

    def on(self, address, actor):
        """`actor` plays the server at `address` from now on."""
        known = address in self.actors
        self.actors[address] = actor
        if known:
            return
        self.ns.run("ip", "addr", "add", address + "/32", "dev", "lo")
        with inside(self.ns):
            udp, tcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        udp.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE: what waits to be read is not lost here
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for s in (udp, tcp):
            s.bind((address, 53))
            s.setblocking(False)
        tcp.listen(128)
        with self.lock:
            self.selector.register(udp, selectors.EVENT_READ, ("udp", address))
            self.selector.register(tcp, selectors.EVENT_READ, ("accept", address))

    def count(self, *addresses, since=0):
        return sum(not addresses or s.address in addresses for s in self.seen[since:])

    def quiet(self, for_s=0.7, within_s=20):
        """Waits until no question has come for a while."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            had = len(self.seen)
            time.sleep(for_s)
            if len(self.seen) == had:
                return

    # --- the thread

    def run(self):
        while self.running:
            for key, _ in self.selector.select(max(0.0, min(0.05, self.timers[0][0] - time.monotonic())) if self.timers else 0.05):
                try:
                    self.ready(*key.data, key.fileobj)
                except BlockingIOError:
                    pass
                except Exception as e:  # an actor's mistake is told by the test, and does not silence the others
                    self.errors.append(traceback.format_exc()[-600:] if not isinstance(e, OSError) else repr(e))
                    if key.data[0] == "tcp":
                        self.drop(key.fileobj)
            while self.timers and self.timers[0][0] <= time.monotonic():
                _, _, work = heapq.heappop(self.timers)
                try:
                    work()
                except (OSError, dns.exception.DNSException) as e:
                    self.errors.append(repr(e))

    def after(self, seconds, work):
        heapq.heappush(self.timers, (time.monotonic() + seconds, next(self.order), work))

    def drop(self, sock):
        with self.lock:
            try:
                self.selector.unregister(sock)
            except KeyError:
                return
        self.buffers.pop(sock, None)
        sock.close()

    def ready(self, kind, address, sock):
        if kind == "udp":
            for _ in range(64):
                wire, peer = sock.recvfrom(4096)
                self.act(wire, address, False, peer, lambda out: sock.sendto(out, peer))
        elif kind == "accept":
            c, peer = sock.accept()
            c.setblocking(False)
            c.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            self.buffers[c] = (b"", peer)
            with self.lock:
                self.selector.register(c, selectors.EVENT_READ, ("tcp", address))
        else:
            self.read_tcp(sock, address)

    def read_tcp(self, sock, address):
        data = sock.recv(65536)
        if not data:
            raise OSError("closed")
        have, peer = self.buffers[sock]
        have += data
        while len(have) >= 2 and len(have) >= 2 + struct.unpack("!H", have[:2])[0]:
            size = struct.unpack("!H", have[:2])[0]
            self.act(have[2:2 + size], address, True, peer, lambda out: self.send_tcp(sock, out))
            have = have[2 + size:]
        self.buffers[sock] = (have, peer)

    def send_tcp(self, sock, out):
        if isinstance(out, Drip):
            framed = struct.pack("!H", len(out.wire)) + out.wire
            self.drip(sock, framed, out)
        else:
            sock.setblocking(True)
            sock.settimeout(2)
            sock.sendall(struct.pack("!H", len(out)) + out)
            sock.setblocking(False)

    def drip(self, sock, rest, how):
        if sock in self.buffers and rest:
            sock.send(rest[:how.octets])
            self.after(how.seconds, lambda: self.drip(sock, rest[how.octets:], how))

    def act(self, wire, address, tcp, peer, send):
        q = Question(wire, address, tcp, peer)
        self.seen.append(Seen(time.monotonic(), address, tcp, peer[1], q.message.id, q.name, q.type))
        self.perform(self.actors[address](q), q, send)

    def perform(self, what, q, send):
        if what is None:
            return
        if isinstance(what, list):
            for w in what:
                self.perform(w, q, send)
        elif isinstance(what, Later):
            self.after(what.seconds, lambda: self.perform(what.what, q, send))
        elif isinstance(what, (bytes, Drip)):
            send(what)
        else:
            send(wire_of(what, q))


def wire_of(message, q):
    """Cut for UDP as a server does."""
    limit = 65535 if q.tcp else max(512, q.message.payload if q.message.edns >= 0 else 512)
    try:
        return message.to_wire(max_size=limit)
    except dns.exception.TooBig:
        cut = dns.message.make_response(q.message)
        cut.flags |= dns.flags.TC | dns.flags.AA
        return cut.to_wire()


def write_hints(folder):
    path = os.path.join(str(folder), "hints")
    with open(path, "w") as f:
        f.write(HINTS)
    return path
