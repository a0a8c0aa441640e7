#!/usr/bin/python3
"""Writes the seeds of fuzz_update: an octet for the zone, then an UPDATE, with and without a TSIG."""
import os
from struct import pack

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus", "fuzz_update")
ZONE = b"\4list\7example\0"
APEX = b"\xc0\x0c"
IN, NONE, ANY = 1, 254, 255


def rr(owner, rtype, rclass, ttl=0, rdata=b""):
    labels = b"".join(bytes([len(p)]) + p.encode() for p in owner.split(".") if p)
    return labels + APEX + pack(">HHIH", rtype, rclass, ttl, len(rdata)) + rdata


def message(prerequisites, updates, extra=()):
    head = pack(">6H", 0x1234, 0x2800, 1, len(prerequisites), len(updates), len(extra))
    return head + ZONE + pack(">HH", 6, 1) + b"".join(prerequisites) + b"".join(updates) + b"".join(extra)


def tsig(mac, name=b"\3key\0", algorithm=b"\x0bhmac-sha256\0", time=1700000000, other=b""):
    rdata = algorithm + pack(">HIHH", 0, time, 300, len(mac)) + mac + pack(">HHH", 0x1234, 0, len(other)) + other
    return name + pack(">HHIH", 250, 255, 0, len(rdata)) + rdata


A = b"\x7f\0\0\2"
ADDRESS = rr("2.2.0.192", 1, IN, 300, A)
TEXT = rr("2.2.0.192", 16, IN, 300, b"\4why$")
NIBBLES = ".".join("8bd01002")
SEEDS = {
    "address": (0, message([], [ADDRESS, TEXT])),
    "several": (1, message([], [ADDRESS, rr("2.2.0.192", 1, IN, 60, b"\x7f\0\0\4"), TEXT, rr("2.2.0.192", 16, IN, 5, b"\1b")])),
    "text_first": (0, message([], [TEXT, ADDRESS, rr("x", 16, IN, 5, b"\1a\1b")])),
    "prefixes": (0, message([], [rr("*.2.0.192", 1, IN, 60, A), rr("*." + NIBBLES, 1, IN, 60, A), rr("*.10", 1, IN, 60, A)])),
    "names": (4, message([], [rr("evil.com", 1, IN, 60, A), rr("*.evil.com", 1, IN, 60, A), rr("evil.com", 16, IN, 60, b"\1x")])),
    "types": (0, message([], [rr("m", 15, IN, 60, b"\0\5\2mx" + APEX), rr("c", 5, IN, 60, APEX), rr("c", 1, IN, 60, A), rr("h", 28, IN, 60, bytes(16)),
                              rr("s", 33, IN, 60, bytes(6) + APEX), rr("u", 65280, IN, 60, b"??")])),
    "soa": (0, message([], [rr("", 6, IN, 60, APEX + b"\1h" + APEX + pack(">5I", 9, 2, 3, 4, 5)), rr("", 1, IN, 60, A)])),
    "deletes": (0, message([], [ADDRESS, TEXT, rr("2.2.0.192", 1, NONE, 0, A), rr("2.2.0.192", 16, ANY), rr("2.2.0.192", 255, ANY)])),
    "forms": (0, message([rr("a", 255, NONE), rr("b", 1, NONE), rr("", 255, ANY), rr("", 6, ANY)], [ADDRESS])),
    "by_value": (0, message([rr("a", 1, IN, 0, A)], [])),
    "signed": (0, message([], [ADDRESS], [tsig(bytes(32))])),
    "truncated": (0, message([], [ADDRESS], [tsig(bytes(16))])),
    "sha1": (0, message([], [ADDRESS], [tsig(bytes(20), b"\1k\0", b"\x09hmac-sha1\0", other=bytes(6))])),
    "other_key": (0, message([], [ADDRESS], [tsig(bytes(32), b"\5other\0")])),
}

os.makedirs(CORPUS, exist_ok=True)
for label, (kinds, wire) in SEEDS.items():
    with open(os.path.join(CORPUS, label), "wb") as out:
        out.write(bytes([kinds]) + wire)
