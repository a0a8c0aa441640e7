#!/usr/bin/python3
"""From the start of a process to its first right answer, memory and file size per entry, beside rbldnsd on the same list.

    tests/bench/start.py [--entries N] [--reps N]
"""
import argparse
import os
import pathlib
import select
import signal
import socket
import struct
import subprocess
import time

import peers


def question(name, ident):
    labels = b"".join(bytes([len(l)]) + l.encode() for l in name.rstrip(".").split(".")) + b"\0"
    return struct.pack("!6H", ident, 0, 1, 0, 0, 0) + labels + struct.pack("!2H", 1, 1)


def first_answer(address, name, within_s=120):
    """Seconds until an answer with an answer record comes, a fresh socket every 2 ms."""
    host, _, port = address.partition("@")
    start, ident, open_sockets = time.monotonic(), 0, []
    while time.monotonic() - start < within_s:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.connect((host, int(port)))
        ident += 1
        try:
            s.send(question(name, ident))
        except OSError:
            pass
        open_sockets.append(s)
        ready, _, _ = select.select(open_sockets, [], [], 0.002)
        for r in ready:
            try:
                m = r.recv(4096)
            except OSError:
                continue
            if m[3] & 15 == 0 and struct.unpack("!H", m[6:8])[0] > 0:
                took = time.monotonic() - start
                for o in open_sockets:
                    o.close()
                return took
        if len(open_sockets) > 200:
            open_sockets.pop(0).close()
    raise AssertionError("no answer")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--entries", type=int, default=1000000)
    p.add_argument("--reps", type=int, default=7)
    a = p.parse_args()
    with peers.scratch() as d:
        run(a, pathlib.Path(d))


def run(a, folder):
    addrs = peers.random_ip4(a.entries)
    file = peers.write_list(folder / "list", addrs)
    hit = peers.reverse(addrs[len(addrs) // 3]) + ".bl.test."
    config = {"resolver": {"workers": 2}, "health": {"canary": {"cached": "", "uncached-under": "", "nxdomain-under": ""}},
              "rbl": {"zones": [{"name": "bl.test.", "data": [{"type": "ip4trie", "files": [str(file)]}]}]}}
    node_starts, resolver_starts, their_starts = [], [], []
    with peers.candor(folder / "node", config) as (server, node):
        first_answer(server.address, hit)
        peers.dnsperf(server, peers.write_queries(folder / "q", addrs, "bl.test", 200000, 0.2), 3)
        private, total = server.rss()
        env = subprocess.run(["du", "-sb", node.folder + "/state/zones"], capture_output=True, text=True).stdout.split()[0]
        for _ in range(a.reps):  # a kill in the middle of work; the supervisor starts it again
            time.sleep(2)
            parent = node.daemon("resolver")
            workers = node.workers()
            for w in [parent] + workers:
                w.send_signal(signal.SIGKILL)
            resolver_starts.append(first_answer(server.address, hit))
        port, conf = node.dns_port, node
    for _ in range(a.reps):  # the whole node from nothing
        conf.start(ready=False)
        node_starts.append(first_answer(server.address, hit))
        conf.stop()
    for _ in range(a.reps):
        start = time.monotonic()
        with peers.rbldnsd("bl.test", "ip4trie", file) as theirs:
            their_starts.append(time.monotonic() - start)
            first_answer(theirs.address, hit)
            their_private, _ = theirs.rss()
    n = a.entries
    print("%s; %d IPv4 addresses, medians (min-max) of %d" % (peers.machine(), n, a.reps))
    print("| | candor | rbldnsd |\n|---|---|---|")
    print("| start of the node to the first right answer, ms | %s | %s |" % (peers.spread([s * 1000 for s in node_starts], "%.0f"),
                                                                            peers.spread([s * 1000 for s in their_starts], "%.0f")))
    print("| kill -9 of the resolver to the first right answer, ms | %s | |" % peers.spread([s * 1000 for s in resolver_starts], "%.0f"))
    print("| private memory of the server, bytes per entry | %.1f | %.1f |" % (private / n, their_private / n))
    print("| memory with its share of the mapped file, bytes per entry | %.1f | %.1f |" % (total / n, their_private / n))
    print("| on disk, bytes per entry | %.1f | %.1f (text) |" % (int(env) / n, os.path.getsize(file) / n))


if __name__ == "__main__":
    main()
