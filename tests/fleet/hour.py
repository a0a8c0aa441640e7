#!/usr/bin/python3
"""A monitor is down for an hour, and things happen on the nodes meanwhile: when it is back it has every event, in order, once.

  hour.py [--minutes 60] [--nodes 5] [--every SECONDS] [--monitor m1] [--folder DIR]

The monitor's machine is as if switched off: all of its processes get SIGKILL, and it is started again after the time. Meanwhile one
node after another has its resolver stopped for three local intervals, so that its scopes change; one candor-health is killed, too, so that
a reporter's restart lies in the gap. Prints how many events each store has of each node. Exit code 0: the stores of both
monitors and the database say what the nodes' ledgers say. Wants root, CANDOR_BUILD; CANDOR_TICKS divides the intervals.
"""
import argparse
import contextlib
import random
import signal
import sys
import tempfile
import time

import psutil

from ledger import settled, told
from stage import TICKS, Stage, until
from story import calm


def kill(node):
    """As if the machine had lost its power: nobody is told."""
    head = psutil.Process(node.process.pid)
    for p in [head, *head.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            p.send_signal(signal.SIGKILL)
    node.process.wait()
    node.process = None


def trouble(node, hold_s):
    """Its resolver stands still for a while: scopes fall, and rise again."""
    stopped = [node.daemon("resolver"), *node.workers()]
    for p in stopped:
        p.suspend()
    time.sleep(hold_s)
    for p in stopped:
        p.resume()


def new_reporter(node):
    old = node.daemon("health")
    old.kill()
    until("another candor-health", lambda: [p for p in node.children("candor-health") if p.pid != old.pid], 60)


def down(stage, monitor, seconds, every_s, rng=random.Random(7)):
    """Takes it away for so long. Events that happened meanwhile, over all nodes."""
    nodes = [stage.nodes[n] for n in stage.scans]
    before = {n: told(n)[-1][0] for n in nodes}
    kill(stage.nodes[monitor])
    end, turn = time.monotonic() + seconds, 0
    while time.monotonic() < end - every_s:
        next_at = time.monotonic() + every_s
        if turn == 1:
            new_reporter(nodes[-1])
        else:
            trouble(rng.choice(nodes), 15 / TICKS + 1)
        turn += 1
        time.sleep(max(0, next_at - time.monotonic()))
    time.sleep(max(0, end - time.monotonic()))
    happened = sum(told(n)[-1][0] - before[n] for n in nodes)
    stage.nodes[monitor].start()
    return happened


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--nodes", type=int, default=5)
    parser.add_argument("--every", type=float, default=60)
    parser.add_argument("--monitor", default="m1")
    parser.add_argument("--folder")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="candor-hour-") as own, Stage(args.folder or own, args.nodes, sinks=("https", "sql")) as stage:
        calm(stage)
        settled(stage, 60)
        happened = down(stage, args.monitor, args.minutes * 60, args.every)
        back = time.monotonic()
        counts = settled(stage, 300)
        print("%s was down for %g min; %d events happened on the nodes meanwhile" % (args.monitor, args.minutes, happened))
        print("%.1f s after it was ready again every store had what the ledgers say, in order, once:" % (time.monotonic() - back))
        for (where, name), n in sorted(counts.items()):
            print("  %-4s %-6s %5d events" % (where, name, n))
    return 0


if __name__ == "__main__":
    sys.exit(main())
