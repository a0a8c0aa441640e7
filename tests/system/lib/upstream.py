"""An upstream server that does as it is told: answers, refuses, fails, says nothing, lies. UDP and TCP on one port."""
import socket
import struct
import threading
import time

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from .node import free_port

SOA = "ns.%s hostmaster.%s 1 3600 600 86400 300"


class Upstream:
    """`names`: {"name. TYPE": [rdata...]}; everything else does not exist. `mode`: answer | servfail | refused | silent | hijack | truncate."""

    def __init__(self, names=None, host="127.0.0.1", port=None, mode="answer", ttl=60, delay_s=0):
        self.names = {"example.com. A": ["192.0.2.10"]} if names is None else names
        self.host, self.port, self.mode, self.ttl, self.delay_s = host, port or free_port(host), mode, ttl, delay_s
        self.seen = []  # (wall s, proto, "name. TYPE")
        self.lock = threading.Lock()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.udp = socket.socket(family, socket.SOCK_DGRAM)
        self.udp.bind((host, self.port))
        self.tcp = socket.socket(family, socket.SOCK_STREAM)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.tcp.bind((host, self.port))
        self.tcp.listen(64)
        self.open = True
        for run in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=run, daemon=True).start()

    @property
    def address(self):
        return "%s@%d" % (self.host, self.port)

    def count(self, question=None, proto=None):
        with self.lock:
            return sum((question is None or q == question) and (proto is None or p == proto) for _, p, q in self.seen)

    def answer(self, wire, proto):
        query = dns.message.from_wire(wire)
        q = query.question[0]
        text = "%s %s" % (q.name.to_text().lower(), dns.rdatatype.to_text(q.rdtype))
        with self.lock:
            self.seen.append((time.time(), proto, text))
        mode = self.mode
        if mode == "silent":
            return None
        if self.delay_s:
            time.sleep(self.delay_s)
        reply = dns.message.make_response(query, recursion_available=True)
        if mode in ("servfail", "refused"):
            reply.set_rcode(dns.rcode.from_text(mode))
        elif mode == "hijack":
            reply.answer.append(dns.rrset.from_text(q.name, self.ttl, "IN", "A", "192.0.2.66"))
        elif mode == "truncate" and proto == "udp":
            reply.flags |= dns.flags.TC
        elif text in self.names:
            reply.answer.append(dns.rrset.from_text(q.name, self.ttl, "IN", dns.rdatatype.to_text(q.rdtype), *self.names[text]))
        else:
            exists = any(n.split()[0] == text.split()[0] for n in self.names)
            if not exists:
                reply.set_rcode(dns.rcode.NXDOMAIN)
            zone = ".".join(text.split()[0].split(".")[-3:])
            reply.authority.append(dns.rrset.from_text(zone, self.ttl, "IN", "SOA", SOA % (zone, zone)))
        return reply.to_wire(max_size=65535)

    def serve_udp(self):
        while self.open:
            try:
                wire, peer = self.udp.recvfrom(4096)
            except OSError:
                return
            threading.Thread(target=self.reply_udp, args=(wire, peer), daemon=True).start()

    def reply_udp(self, wire, peer):
        try:
            out = self.answer(wire, "udp")
            if out is not None:
                self.udp.sendto(out, peer)
        except (OSError, dns.exception.DNSException):
            pass

    def serve_tcp(self):
        while self.open:
            try:
                c, _ = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self.reply_tcp, args=(c,), daemon=True).start()

    def reply_tcp(self, c):
        with c:
            try:
                while True:
                    head = c.recv(2, socket.MSG_WAITALL)
                    if len(head) < 2:
                        return
                    out = self.answer(c.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL), "tcp")
                    if out is None:
                        time.sleep(30)
                        return
                    c.sendall(struct.pack("!H", len(out)) + out)
            except (OSError, dns.exception.DNSException):
                return

    def close(self):
        self.open = False
        for s in (self.udp, self.tcp):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
