#!/usr/bin/python3
"""UPDATEs acknowledged durably, signed with TSIG, beside named and knot in one run: updates a second, CPU time of the server for each.

    tests/bench/update.py [--updates N] [--reps N] [--json]

Each update adds one address. `one at a time`: the next is sent when the answer to the last is there, so a sync of the disk each;
`in flight`: so many are always on their way. The generator and the server share the machine. fsync/s says what the disk can do."""
import argparse
import base64
import contextlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import peers
from lib.node import Node, free_port, until

ZONE = "list.test."
SECRET = base64.b64encode(bytes(range(32))).decode()
SOA = "@ 60 IN SOA ns hostmaster 1 300 60 86400 60\n@ 60 IN NS ns\nns 60 IN A 192.0.2.1\n"
GENERATOR = os.path.join(peers.TOOLS, "bench_update")


def wait(address):
    """Until SOA is answered, over UDP."""
    host, port = address.split("@")
    dig = ["dig", "@" + host, "-p", port, "+tries=1", "+time=1", "+short", "-y", "hmac-sha256:pub.:" + SECRET, ZONE, "SOA"]
    until("the zone at " + address, lambda: len(subprocess.run(dig, capture_output=True, text=True).stdout.split()) >= 7, 30)


@contextlib.contextmanager
def process(name, argv, address):
    p = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait(address)
        yield peers.Server(name, address, [p.pid])
    finally:
        p.terminate()
        p.wait()


@contextlib.contextmanager
def named(folder):
    port = free_port()
    (folder / "zone").write_text(SOA)
    conf = folder / "named.conf"
    conf.write_text("""key "pub." { algorithm hmac-sha256; secret "%s"; };
options { directory "%s"; listen-on port %d { 127.0.0.1; }; listen-on-v6 { none; }; pid-file none; session-keyfile none; recursion no;
  dnssec-validation no; notify no; update-quota 100000; tcp-clients 10000; };
controls { };
logging { category default { null; }; };
zone "%s" { type primary; file "zone"; allow-update { key "pub."; }; max-journal-size unlimited; };
""" % (SECRET, folder, port, ZONE))
    with process("named", ["/usr/sbin/named", "-f", "-c", str(conf)], "127.0.0.1@%d" % port) as s:
        yield s


@contextlib.contextmanager
def knot(folder):
    port = free_port()
    (folder / "zone").write_text(SOA)
    conf = folder / "knot.conf"
    conf.write_text("""server:
  listen: 127.0.0.1@%d
  rundir: %s
  tcp-max-clients: 10000
database:
  storage: %s
key:
  - id: pub.
    algorithm: hmac-sha256
    secret: %s
acl:
  - id: update
    key: pub.
    action: update
zone:
  - domain: %s
    file: %s/zone
    acl: update
    zonefile-sync: -1
    zonefile-load: difference
    journal-content: all
    journal-max-usage: 2G
""" % (port, folder, folder, SECRET, ZONE, folder))
    with process("knot", ["/usr/sbin/knotd", "-c", str(conf)], "127.0.0.1@%d" % port) as s:
        yield s


@contextlib.contextmanager
def candor(folder):
    zones = [{"name": ZONE, "update": [{"key": "pub."}], "limits": {"grow": "1000000%"}}]
    with Node(folder / "node", {"rbl": {"keys": [{"name": "pub.", "secret": SECRET}], "zones": zones}, "health": peers.QUIET}) as node:
        address = "%s@%d" % (node.host, node.sync_port)
        subprocess.run([GENERATOR, address, ZONE, "pub.", SECRET, "1", "1", "udp", "1", "16000000"], check=True, capture_output=True)
        wait(address)
        yield peers.Server("candor", address, [node.daemon("sync").pid])


def syncs(folder):
    """Appends of 4 KiB, each followed by fdatasync, for half a second."""
    with tempfile.NamedTemporaryFile(dir=folder) as f:
        end, n = time.monotonic() + 0.5, 0
        while time.monotonic() < end:
            f.write(bytes(4096))
            f.flush()
            os.fdatasync(f.fileno())
            n += 1
    return n * 2


RUNS = [  # what, in flight, transport, connections, share of the updates
    ("one at a time, UDP", 1, "udp", 1, 0.05),
    ("one at a time, TCP", 1, "tcp", 1, 0.05),
    ("64 in flight, TCP", 64, "tcp", 8, 0.5),
    ("512 in flight, UDP", 512, "udp", 16, 1),
    ("10,000 in flight, UDP", 10000, "udp", 64, 1),
    ("2,000 in flight, TCP", 2000, "tcp", 32, 1),
]
SHARES = {"named": 0.1, "knot": 0.5}  # of the updates, so that a run ends within seconds everywhere


def measure(server, run, updates, first):
    what, window, transport, lines, share = run
    count = max(50, int(updates * share * SHARES.get(server.name, 1)))
    cpu = peers.Cpu(server.pids)
    before = sum(cpu.read())
    p = subprocess.run([GENERATOR, server.address, ZONE, "pub.", SECRET, str(count), str(window), transport, str(lines), str(first)],
                       capture_output=True, text=True)
    after = sum(cpu.read())
    out = json.loads(p.stdout) if p.stdout else {"acknowledged": 0, "per_second": 0, "p50_ms": 0, "p99_ms": 0, "wrong": 0, "resent": 0, "why": p.stderr}
    out["cpu_us"] = (after - before) * 1e6 / max(1, out["acknowledged"])
    out["asked"] = count
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--updates", type=int, default=20000)
    p.add_argument("--reps", type=int, default=3)
    p.add_argument("--only", default="candor,named,knot")
    p.add_argument("--json", action="store_true")
    a = p.parse_args()
    makers = {"candor": candor, "named": named, "knot": knot}
    rows, first = {}, 0
    with peers.scratch() as d, contextlib.ExitStack() as stack:
        folder = pathlib.Path(d)
        disk = syncs(folder)
        servers = []
        for name in a.only.split(","):
            if name != "candor" and not shutil.which("/usr/sbin/" + {"knot": "knotd"}.get(name, name)):
                print("%s is not installed: left out" % name, file=sys.stderr)
                continue
            (folder / name).mkdir()
            servers.append(stack.enter_context(makers[name](folder / name)))
        for _ in range(a.reps):
            for run in RUNS:
                for s in servers:
                    rows.setdefault((run[0], s.name), []).append(measure(s, run, a.updates, first))
                first += a.updates
        memory = {s.name: s.memory()[0] for s in servers}
    if a.json:
        print(json.dumps({"machine": peers.machine(), "fsync_per_second": disk, "memory": memory,
                          "rows": [{"what": w, "server": s, "runs": r} for (w, s), r in rows.items()]}, indent=1))
        return
    print("%s; %d fsync/s; medians of %d runs\n" % (peers.machine(), disk, a.reps))
    print("| | server | updates/s | CPU us each | p50 ms | p99 ms | not acknowledged |\n|---|---|---|---|---|---|---|")
    for (what, name), runs in rows.items():
        middle = {k: statistics.median(r[k] for r in runs) for k in ("per_second", "cpu_us", "p50_ms", "p99_ms")}
        print("| %s | %s | %.0f | %.1f | %.2f | %.2f | %d |" % (what, name, middle["per_second"], middle["cpu_us"], middle["p50_ms"], middle["p99_ms"],
                                                             sum(r["asked"] - r["acknowledged"] for r in runs)))
    print("\nmemory at the end: %s" % ", ".join("%s %.0f MB" % (n, b / 1e6) for n, b in memory.items()))


if __name__ == "__main__":
    main()
