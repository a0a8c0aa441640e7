"""candor-sync alone, killed with -9 in the middle of what it was asked to do, and what must be true afterwards."""
import contextlib
import os
import random
import threading
import time

from .node import Node, until
from .sync import Sync


class Keeper:
    """candor-sync with its own folder, and its control socket."""

    def __init__(self, folder, config):
        self.node = Node(folder, config, program="sync")
        self.kills = self.in_time = 0

    def start(self):
        self.node.start(ready=False)
        return self

    def ready(self, zone):
        """Waits until candor-sync answers for the zone; that of a keeper that was killed before may take its turns."""
        def answers():
            self.node.alive()
            r = self.ask(command="history", zone=zone)
            return r["ok"] or r["code"] not in ("closed", "again") and r
        return until("candor-sync answers for " + zone, answers, every_s=0.005)

    def ask(self, **request):
        return Sync(self.node).ask(**request)

    def kill(self):
        self.node.process.kill()
        self.node.process.wait()
        self.kills += 1

    def killed_at_start(self, rng, within_s=0.02):
        """Started and killed while it is opening what it finds."""
        self.start()
        time.sleep(rng.uniform(0, within_s))
        self.kill()

    def stop(self):
        self.node.stop()


class Pace:
    """How long an operation takes, so that about every second kill falls into it: learnt from what came of each."""

    def __init__(self, first_s):
        self.span = first_s

    def note(self, finished):
        self.span = max(0.001, self.span * (0.87 if finished else 1.15))

    def moment(self, rng):
        return rng.uniform(0, self.span)


def interrupted(keeper, pace, rng, operate):
    """Calls operate() (a request to candor-sync) in a thread and kills candor-sync meanwhile. Its answer, or None."""
    out = []

    def run():
        with contextlib.suppress(OSError):
            out.append(operate())
    thread = threading.Thread(target=run)
    moment = pace.moment(rng)
    thread.start()
    thread.join(moment)
    keeper.in_time += thread.is_alive()
    keeper.kill()
    thread.join(60)
    assert not thread.is_alive()
    pace.note(bool(out))
    return out[0] if out else None


def check(keeper, zone):
    """What must hold after any kill; the zone's state: (digest, entries, serial)."""
    verified = keeper.ask(command="verify", zone=zone)
    assert verified["ok"], verified
    h = keeper.ask(command="history", zone=zone)
    assert h["ok"], h
    h = h["history"]
    assert h and (h[0]["serial"], h[0]["entries"]) == (verified["serial"], verified["entries"]), (h[:1], verified)
    for new, old in zip(h, h[1:]):  # newest first
        assert new["entries"] == old["entries"] + new["added"] - new["removed"], (zone, new, old)
        assert new["serial"] == old["serial"] + 1, (zone, new, old)
    assert not [g for g in generations(keeper, zone) if g.endswith(".new")]
    return h[0]["digest"], verified["entries"], verified["serial"]


def generations(keeper, zone):
    return sorted(f for f in os.listdir(os.path.join(keeper.node.folder, "state", "zones", zone)) if f.startswith("g"))


def tidy(keeper, zone):
    """Once readers had their time, nothing is left but the live generation."""
    until("one generation is left", lambda: len(generations(keeper, zone)) == 1, 15, 0.1)


def seeded(what):
    return random.Random("20261122 " + what)
