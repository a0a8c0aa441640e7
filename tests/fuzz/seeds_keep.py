#!/usr/bin/python3
"""Writes the seeds of fuzz_bucket: one record of each kind, made after docs/formats/zone.md."""
import os
from struct import pack

from seeds_dns import CORPUS, name


def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7f | 0x80])
        n >>= 7
    return out + bytes([n])


def group(bits, form, count, body):
    return bytes([bits]) + varint((count - 1) << 2 | form) + body


def array(bits, value, *suffixes, width=">H"):
    return group(bits, 0, len(suffixes), varint(value) + b"".join(pack(width, s) for s in suffixes))


VALUE = b"\x7f\0\0\2" + b"\1" + b"listed $"
HEADING = b"\2"
SEEDS = {
    "level16": b"\1" + array(32, 1, 1, 2, 77) + array(24, 1, 0x100, 0x200) + array(24, 2, 0x300),
    "level0": b"\0" + array(16, 0, 5) + array(8, 3, 0x0a00) + array(0, 1, 0),
    "bitmap": b"\1" + group(32, 1, 5000, varint(300) + b"\xff" * 625 + b"\0" * (8192 - 625)),
    "mixed": b"\1" + group(32, 2, 5, b"\1" + pack(">5H", 1, 2, 3, 4, 4) + bytes([1, 2, 3, 4, 5])),
    "six64": b"\6" + array(128, 1, 1, 2, width=">Q") + array(96, 2, 1 << 40, width=">Q"),
    "six48": b"\5" + array(64, 1, 7, 8, 9),
    "zone": b"\7" + b"CZN1" + pack(">HHIQ", 1, 0, 7, 3) + pack(">12Q", 10, 0, 2, 1700000000, 0, 0, 0, 1, 2, 3, 0, 0),
    "apex": b"\x08" + b"\2\0\0\0\0\0\5\0\0\0\x3c" + pack(">3I", 2100, 300, 300)
            + b"".join(bytes([len(n)]) + n for n in (name("ns.example"), name("host.example"))) + pack(">4I", 1, 2, 3, 4)
            + b"\1" + bytes([12]) + name("ns.example"),
    "counts": b"\x09" + b"\2\0\x20\3\2\2\1" + b"\0" + b"\1\1\x80\5",
    "names": b"\x0a" + varint(2) + varint(3) + varint(600),
    "header": b"\x0b" + b"\1\1" + pack(">II", 6, 7) + pack(">4Q", 1700000000, 3, 1, 12) + bytes(32) + pack(">IQ", 1, 40) + b"\5files\0",
    "value": b"\x0c" + pack(">Q", 12) + VALUE,
    "changeset": b"\x0d" + b"\1" + b"\0\x7f\0\0\2\1\3abc" + HEADING + b"\0\0\0\x20\1" + varint(2 * 20 << 1 | 1) + varint(5)
                 + HEADING + b"\1\3\1\x40\0" + b"\1" + bytes(range(8)) + b"\5" + b"\1\2\3\4\5\6"
                 + HEADING + b"\2\4\0\1\1" + b"\1\x0c\3com\7example" + varint(4 << 1 | 1) + b"\4\3net" + b"\4" + varint(8 << 1 | 1),
}


def main():
    folder = os.path.join(CORPUS, "fuzz_bucket")
    os.makedirs(folder, exist_ok=True)
    for kind, seed in SEEDS.items():
        with open(os.path.join(folder, kind), "wb") as f:
            f.write(seed)


if __name__ == "__main__":
    main()
