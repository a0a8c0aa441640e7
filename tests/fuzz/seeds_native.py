#!/usr/bin/python3
"""Writes the seeds of fuzz_native: one option of each kind."""
import os
from struct import pack

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus", "fuzz_native")


def text(s):
    return bytes([len(s)]) + s.encode()


STATE = pack(">HI16sIQqqqB", 4, 7, bytes(range(16)), 1, 9, 1795000000000, 1795000000001, 1795000000002, 2) + text("a") + text("mx1.example")
SEEDS = {
    "status": pack(">BB", 1, 1) + STATE,
    "ask": pack(">BBHI16sHQ16s", 1, 2, 4, 7, bytes(16), 60, 0, bytes(16)) + text("mx2"),
    "head": pack(">BBH16sQIIQ", 1, 3, 3, bytes(16), 0, 1, 2, 3),
    "part": pack(">BB", 1, 4) + b"octets",
    "end": pack(">BB", 1, 5) + STATE,
    "beat": pack(">BB", 1, 6) + STATE,
    "bye": pack(">BB", 1, 7) + STATE,
}

if __name__ == "__main__":
    os.makedirs(CORPUS, exist_ok=True)
    for seed, octets in SEEDS.items():
        with open(os.path.join(CORPUS, seed), "wb") as f:
            f.write(octets)
