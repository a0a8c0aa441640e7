#!/usr/bin/python3
"""A month in the life of a large list: each day a share of its entries leaves and as many come, published by candor-sync of a
whole node while a question is asked each millisecond.

    tests/bench/churn.py [--entries N] [--days N] [--percent N] [--journal SIZE]

One line a day: entries that changed, bytes per entry on disk after the commit and a while later (compaction), seconds from the
request to the durable commit, CPU of candor-sync, the longest silence for a reader, questions lost."""
import argparse
import os
import pathlib
import subprocess
import time

import peers
from lib.sync import Sync

ZONE = "bl.test"


def disk(node):
    """Bytes of the zone's folder: (allocated, of that the live generation's file as it stands)."""
    zones = node.folder + "/state/zones"
    allocated = int(subprocess.run(["du", "-s", "-B1", zones], capture_output=True, text=True, check=True).stdout.split()[0])
    live = os.path.join(zones, ZONE + ".", pathlib.Path(zones, ZONE + ".", "current").read_text().strip(), "data.mdb")
    return allocated, os.path.getsize(live)


def cpu(sync):
    t = sync.cpu_times()
    return t.user + t.system


def peak(process):
    return int(next(l for l in open("/proc/%d/status" % process.pid) if l.startswith("VmHWM")).split()[1]) * 1024


def rest(node, sync, within_s=90):
    """Waits until candor-sync has nothing to do and the generations before are gone."""
    end, before = time.monotonic() + within_s, -1.0
    folder = os.path.join(node.folder, "state", "zones", ZONE + ".")
    while time.monotonic() < end:
        now = cpu(sync)
        if now - before < 0.02 and sum(g.startswith("g") for g in os.listdir(folder)) == 1:
            return
        before = now
        time.sleep(1)


def day(a, node, control, folder, number):
    """Publishes the list of one day; the row of the table."""
    leave = a.entries * a.percent // 100
    stays = peers.generated_name("4", (number * leave + leave) // 100 * 100, ZONE)  # yesterday and today
    file = peers.generated(folder / "new", "list", number * leave, a.entries)
    os.rename(file, folder / "list")
    sync = node.daemon("sync")
    before = cpu(sync)
    with peers.Probe(node.dns, stays, till_told=True, within_s=600) as probe:
        probe.wait_answered()
        start = time.monotonic()
        r = control.publish(ZONE)
        took = time.monotonic() - start
        fresh = disk(node)
        rest(node, sync)
        seen = probe.seen()
    used = cpu(sync) - before
    later = disk(node)
    n = r["entries"]
    print("| %d | +%d -%d%s | %.2f | %.2f | %.2f | %.2f | %.2f | %.1f | %.1f | %d |" % (
        number, r["added"], r["removed"], " bulk" if r["bulk"] else "", fresh[0] / n, later[0] / n, later[1] / n, took, r["micros"] / 1e6, used,
        seen.silence * 1000, seen.sent - seen.answered), flush=True)
    return later[0] / n, took, used, seen.silence * 1000, seen.sent - seen.answered


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--entries", type=int, default=10000000)
    p.add_argument("--days", type=int, default=30)
    p.add_argument("--percent", type=int, default=4)
    p.add_argument("--journal", default="")
    a = p.parse_args()
    print("%s; %d IPv4 entries, %d %% of them others each day\n" % (peers.machine(), a.entries, a.percent))
    with peers.scratch() as d:
        folder = pathlib.Path(d)
        zone = {"name": ZONE + ".", "limits": {"shrink": "100%"}, "data": [{"type": "ip4trie", "files": [str(folder / "list")]}]}
        zone.update({"journal": a.journal} if a.journal else {})
        peers.generated(folder / "list", "list", 0, a.entries)
        node = peers.Node(folder / "node", {"resolver": {"workers": 1}, "health": peers.QUIET, "rbl": {"zones": [zone]}})
        start = time.monotonic()
        node.start(ready=False)
        try:
            with peers.Probe(node.dns, "2.0.0.127." + ZONE, within_s=300) as probe:
                first = probe.seen().first_listed - start
            node.wait_ready()
            print("first import: %.2f s from the start of the node to its first answer, %.2f million entries/s, %.2f bytes/entry on disk\n" %
                  (first, a.entries / first / 1e6, disk(node)[0] / a.entries))
            print("| day | changed | bytes/entry after the commit, the generation before still there | and once it is gone | of that the live file | s to durable | s of that in the "
                  "store | CPU s in all | longest silence, ms | lost |\n|---|---|---|---|---|---|---|---|---|---|")
            control = Sync(node, timeout_s=600)
            rows = [day(a, node, control, folder, n) for n in range(1, a.days + 1)]
            print("\nbytes/entry at rest: at the end %.2f, at most %.2f; to durable %s s; CPU %s s; longest silence %.1f ms; lost %d; "
                  "candor-sync's memory at its peak %.0f MB" % (
                      rows[-1][0], max(r[0] for r in rows), peers.spread([r[1] for r in rows]), peers.spread([r[2] for r in rows]),
                      max(r[3] for r in rows), sum(r[4] for r in rows), peak(node.daemon("sync")) / 1e6))
            print("verify: %s" % {k: v for k, v in control.ask(command="verify", zone=ZONE).items() if k in ("ok", "error", "entries")})
        finally:
            node.stop()


if __name__ == "__main__":
    main()
