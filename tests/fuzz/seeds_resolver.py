#!/usr/bin/python3
"""Writes the seeds of fuzz_answer, fuzz_sift, fuzz_serve, fuzz_zone and fuzz_cache, made from nothing."""
import os
from struct import pack

from seeds_dns import CORPUS, POINTER, QUERIES, header, name, opt, option, question, rr

QUESTION = question("www.example")
PARENT = b"\xc0\x10"  # example
A = rr(POINTER, 1, b"\xc0\0\2\1")
SOA = rr(PARENT, 6, b"\x02ns\xc0\x10\4host\xc0\x10" + pack(">5I", 1, 2, 3, 4, 5))
SIG = rr(POINTER, 46, pack(">HBBIIIH", 1, 8, 2, 300, 1, 1, 1) + name("example") + b"s" * 16)
NSEC = rr(PARENT, 47, POINTER + b"\0\1\2")


def answer(*rrs, an=0, ns=0, ar=0, rcode=0, do=0):
    return bytes([do]) + header(0x8180 | rcode, 1, an, ns, ar) + QUESTION + b"".join(rrs)


ANSWERS = {
    "a": answer(A, A, an=2),
    "chain": answer(rr(POINTER, 5, name("b.example")), rr(name("b.example"), 1, b"\1\2\3\4"), an=2),
    "nx": answer(SOA, ns=1, rcode=3),
    "dname": answer(rr(PARENT, 39, name("net")), rr(POINTER, 5, name("www.net")), rr(name("www.net"), 1, b"\1\1\1\1"), an=3),
    "signed": answer(A, SIG, NSEC, SOA, opt(option(15, b"\0\6")), an=2, ns=2, ar=1, do=1),
    "mx": answer(A, rr(POINTER, 15, b"\0\5" + POINTER), an=2),
    "srv": answer(A, rr(POINTER, 33, b"\0\0\0\0\0\x35" + POINTER), an=2),
    "naptr": answer(A, rr(POINTER, 35, b"\0\1\0\1\1u\3sip\0" + POINTER), an=2),
}
SERVE = {how + kind: first + message for kind, message in QUERIES.items() for how, first in (("udp-", b"\0"), ("tcp-", b"\3"))}
SERVE["chaos"] = b"\0" + header() + question("id.server", 16, 3)
SERVE["axfr"] = b"\0" + header() + question("example", 252)
COOKIE = option(10, b"01234567")
SERVE["cookie-alone"] = b"\0" + header(qd=0, ar=1) + opt(COOKIE)
SERVE["cookie-ours"] = b"\2" + header(ar=1) + question("id.server", 16, 3) + opt(option(10, b"01234567\1\0\0\0abcdefghijkl"))
ZONE_NAMES = ("t", "2.0.0.127.t", "1.1.10.t", "w.t", "c.t", "n.t", "a.com.t", "x.com.t", "b.org.t", "s.t", "y.x.s.t", "y.x.a.s.t",
              "9.9.9.9.s.t", "com.t", "8.b.d.0.1.0.0.2.t", "0." * 24 + "8.b.d.0.1.0.0.2.t",
              "2.0.0.0.0.0.f.7.f.f.f.f." + "0." * 20 + "t", "m", "127.0.0.2.t")
ZONE = {"%d-%d" % (i, t): bytes([i % 9 + 1]) + header(ar=1) + question(n, t) + opt(COOKIE)
        for i, n in enumerate(ZONE_NAMES) for t in (1, 16, 255)}
CACHE = {
    "index": b"".join(pack(">IB", 4096 + 8 * i * 37, 1 << i % 8) for i in range(40)),
    "log": b"".join(pack(">IB", 4096 + 209664 + i * 13, 255) for i in range(300)),
    "head": b"".join(pack(">IB", 128 + i, i + 1) for i in range(8)),
}


def main():
    for target, seeds in (("fuzz_answer", ANSWERS), ("fuzz_sift", ANSWERS), ("fuzz_serve", SERVE), ("fuzz_zone", ZONE), ("fuzz_cache", CACHE)):
        folder = os.path.join(CORPUS, target)
        os.makedirs(folder, exist_ok=True)
        for kind, seed in seeds.items():
            with open(os.path.join(folder, kind), "wb") as f:
                f.write(seed)


if __name__ == "__main__":
    main()
