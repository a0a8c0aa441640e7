"""Rows of time: a wall clock that jumps, and one that was wrong from the start."""
import os

from engine import ROOT, Expect
from injections import compiled, set_clock
from place import OneNode


class Clock(OneNode):
    config = {}
    at_start = 0

    def prepare(self):
        self.clock = os.path.join(self.folder, "clock")
        set_clock(self.clock, 0)
        self.environment = ("LD_PRELOAD=" + compiled(os.path.join(ROOT, "tests", "chaos", "clock.c")), "CANDOR_CLOCK=" + self.clock)

    def mend(self):
        set_clock(self.clock, 0)


class JumpAhead(Clock):
    number, variant, fault, did = 36, "ahead", "wall clock jump", "the programs' wall clock jumps an hour ahead (LD_PRELOAD)"
    expects = [Expect("process", "clock:jump", "jumped", 1, ("warn", "fail"), fixed_s=1)]
    may = ("zones", "replication")
    mend_s = 900

    def inject(self):
        set_clock(self.clock, 3600)


class JumpBack(JumpAhead):
    variant, did = "back", "the programs' wall clock jumps an hour back (LD_PRELOAD)"

    def inject(self):
        set_clock(self.clock, -3600)


class WrongAtBoot(Clock):
    """The node is started anew with a clock that is twelve years slow, as one without a battery."""
    number, fault, did = 37, "wrong time at boot", "the node is started with a clock of 2014, before this program was built"
    expects = [Expect("process", "clock:build", "before this program was built", 10, fixed_s=5)]
    restarts = True
    mend_s = 90

    def inject(self):
        self.node.stop()
        set_clock(self.clock, -12 * 365 * 86400)
        self.node.start()
        self.begins()

    def mend(self):
        self.node.stop()
        set_clock(self.clock, 0)
        self.node.start()
