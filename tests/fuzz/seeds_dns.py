#!/usr/bin/python3
"""Writes the seeds of fuzz_name, fuzz_query and fuzz_message: a few messages of each kind, made from nothing."""
import os
from struct import pack

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def name(dotted):
    return b"".join(bytes([len(p)]) + p.encode() for p in dotted.split(".") if p) + b"\0"


def header(flags=0x0100, qd=1, an=0, ns=0, ar=0):
    return pack(">6H", 0x1234, flags, qd, an, ns, ar)


def question(dotted, qtype=1, qclass=1):
    return name(dotted) + pack(">HH", qtype, qclass)


def rr(owner, rtype, rdata, ttl=300, rclass=1):
    return owner + pack(">HHIH", rtype, rclass, ttl, len(rdata)) + rdata


def option(code, value=b""):
    return pack(">HH", code, len(value)) + value


def opt(*options, size=1232, ttl=0):
    return rr(b"\0", 41, b"".join(options), ttl, size)


QNAME = "4.3.2.1.zen.example.org"
POINTER = b"\xc0\x0c"
SOA = b"\x02ns\xc0\x14" + b"\x04host\xc0\x14" + pack(">5I", 1, 2, 3, 4, 5)
COOKIE = option(10, bytes(range(8)))
ALL_OPTIONS = opt(option(3), option(8, b"\0\1\x18\0\xc0\0\2"), option(10, bytes(range(24))), option(11), option(12, b"\0" * 9),
                  option(15, b"\0\x0ftext"), ttl=0x8000)

QUERIES = {
    "plain": header() + question(QNAME),
    "opt": header(ar=1) + question(QNAME, 16) + opt(),
    "options": header(ar=1) + question("Example.ORG", 255) + ALL_OPTIONS,
    "badvers": header(ar=1) + question("org") + opt(COOKIE, ttl=0x10000),
    "chaos": header() + question("id.server", 16, 3),
    "root": header() + question("", 2),
    "notify": header(0x2400, an=1) + question("example.org", 6) + rr(POINTER, 6, b"\0\0" + pack(">5I", 1, 2, 3, 4, 5)),
    "ixfr": header(0, ns=1) + question("example.org", 251) + rr(POINTER, 6, b"\0\0" + pack(">5I", 1, 2, 3, 4, 5)),
    "update": header(0x2800, ns=1, ar=2) + question("example.org", 6) + rr(POINTER, 255, b"", 0, 255) + opt(COOKIE) + rr(name("key"), 250, b"mac"),
    "two_opts": header(ar=2) + question("example.org") + opt() + opt(),
    "loop": header() + b"\1a\xc0\x0c\0\1\0\1",
}
MESSAGES = {
    "listed": header(0x8580, an=2, ns=1, ar=1) + question(QNAME) + rr(POINTER, 1, b"\x7f\0\0\2") + rr(POINTER, 16, b"\2hi")
    + rr(b"\xc0\x14", 2, b"\3ns1\xc0\x18") + opt(option(3, b"node/1/2")),
    "nxdomain": header(0x8583, ns=1) + question(QNAME) + rr(b"\xc0\x14", 6, SOA),
    "chain": header(0x8180, an=3) + question("www.example.org") + rr(POINTER, 5, b"\1a\xc0\x10") + rr(b"\xc0\x2d", 5, b"\1b\xc0\x10")
    + rr(b"\1b\xc0\x10", 28, bytes(16)),
    "referral": header(0x8000, ns=2, ar=2) + question("www.example.org") + rr(b"\xc0\x10", 2, b"\1a\xc0\x10") + rr(b"\xc0\x10", 2, b"\1b\xc0\x10")
    + rr(b"\1a\xc0\x10", 1, b"\xc0\0\2\1") + rr(b"\1b\xc0\x10", 28, bytes(16)),
    "ede": header(0x8182, ar=1) + question("example.org") + opt(option(15, b"\0\x16no one there"), ttl=0x8000),
    "no_question": header(0x8400, qd=0, an=1) + rr(name("a.b"), 1, b"\1\2\3\4", 0x80000000),
    "tsig": header(0x8400, an=1, ar=1) + question("example.org", 252) + rr(POINTER, 6, SOA.replace(b"\xc0\x14", b"\xc0\x0c"))
    + rr(name("key"), 250, bytes(30), 0, 255),
}
NAMES = {
    "two": b"\x0c" + bytes(12) + name("www.Example.org") + b"\4mail\xc0\x10",
    "hops": b"\x0f" + bytes(12) + b"\1a\0" + b"\1b\xc0\x0c" + b"\xc0\x0f",
    "longest": b"\x0c" + bytes(12) + (b"\x3f" + b"x" * 63) * 3 + b"\x3d" + b"\xff" * 61 + b"\0" + b"\0",
    "text": b"a\\.b.\\000\\255.Example.org.",
    "text_root": b".",
    "loop": b"\x0c" + bytes(12) + b"\1a\xc0\x0c",
}


def main():
    for target, seeds in (("fuzz_query", QUERIES), ("fuzz_message", {k: b"\2\0" + v for k, v in MESSAGES.items()}), ("fuzz_name", NAMES)):
        folder = os.path.join(CORPUS, target)
        os.makedirs(folder, exist_ok=True)
        for seed, octets in seeds.items():
            with open(os.path.join(folder, seed), "wb") as f:
                f.write(octets)


main()
