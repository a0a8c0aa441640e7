"""What can be done to a cluster: each fault begins, holds and ends, and says which nodes must name it and by what words."""
import base64
import contextlib
import signal

import cluster as lab
from lib.netns import inside

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rrset
import dns.tsig
import psutil

NAME_WITHIN_S = 20


class Fault:
    """`on`: the nodes it strikes. `names`: who must name it, {node: words}. begin and end run in the caller's thread."""
    hold_s = (2.0, 6.0)
    within = NAME_WITHIN_S

    def __init__(self, c, rng):
        self.c, self.rng, self.names, self.on = c, rng, {}, []
        self.choose()

    def choose(self):
        self.on = [self.rng.choice(self.c.names)]

    def end(self):
        pass


class Partition(Fault):
    def choose(self):
        self.on = list(self.rng.choice(lab.LINKS))
        one, other = self.on
        self.names = {one: [self.c.at(other), other], other: [self.c.at(one), one]}

    def begin(self):
        self.c.part(*self.on)

    def end(self):
        self.c.join()


class Kill(Fault):
    hold_s = (0.5, 2.0)

    def begin(self):
        what = self.rng.choice(("candor-sync", "candor-resolver", "candor-health"))
        node = self.c[self.on[0]].node
        if node.process.poll() is None:  # else the whole of it is dead already
            with contextlib.suppress(psutil.Error):
                node.daemon(what.split("-")[1]).kill()


class KillAll(Fault):
    """The whole node, and its start a little later."""
    hold_s = (1.0, 4.0)

    def begin(self):
        m = self.c[self.on[0]]
        m.signal_all(signal.SIGKILL)
        m.node.process.wait()

    def end(self):
        self.c[self.on[0]].start(ready=False)


class Stop(Fault):
    """SIGSTOP of candor-sync: the node itself must say so."""
    hold_s = (3.0, 8.0)

    def choose(self):
        super().choose()
        self.names = {self.on[0]: ["candor-sync", "sync"]}

    def begin(self):
        p = self.c[self.on[0]].node.daemon("sync")  # it may just be starting
        p.suspend()
        self.stopped = [p]

    def end(self):
        for p in self.stopped:
            with contextlib.suppress(psutil.Error):
                p.resume()


class StopAll(Fault):
    """The whole node stands still: its neighbours must say so."""
    hold_s = (3.0, 8.0)

    def choose(self):
        super().choose()
        node = self.on[0]
        near = {a if b == node else b for a, b in lab.LINKS if node in (a, b)}
        self.names = {n: [self.c.at(node), node] for n in near}

    def begin(self):
        self.c[self.on[0]].signal_all(signal.SIGSTOP)

    def end(self):
        self.c[self.on[0]].signal_all(signal.SIGCONT)


class ClockJump(Fault):
    def choose(self):
        super().choose()
        self.names = {self.on[0]: ["clock", "BADTIME"]}
        self.ms = self.rng.choice((-1, 1)) * self.rng.randrange(1, 30) * 3600 * 1000

    def begin(self):
        self.c[self.on[0]].set_clock(self.ms)

    def end(self):
        self.c[self.on[0]].set_clock(0)


class DiskFull(Fault):
    hold_s = (3.0, 8.0)

    def choose(self):
        super().choose()
        self.names = {self.on[0]: ["space", "disk", "full", "write"]}

    def begin(self):
        self.c[self.on[0]].fill()

    def end(self):
        self.c[self.on[0]].unfill()


class JournalCut(Fault):
    """A node comes back without a journal: whoever asks it for changes gets everything."""
    hold_s = (0.5, 2.0)

    def begin(self):
        m = self.c[self.on[0]]
        m.journal = "0"
        m.restart()

    def end(self):
        m = self.c[self.on[0]]
        m.journal = "16M"
        m.restart()


class Loss(Fault):
    hold_s = (2.0, 6.0)

    def begin(self):
        m = self.c[self.on[0]]
        m.lossy = self.rng.choice((5, 20, 40))
        m.rules()

    def end(self):
        self.c.join()


class StaleNotify(Fault):
    """NOTIFYs of old and of future serials, signed and not, in any order."""
    hold_s = (0.5, 1.0)

    def choose(self):
        self.on = list(self.rng.choice(lab.LINKS))

    def begin(self):
        of, to = self.on
        key = dns.tsig.Key("k1.", base64.b64decode(lab.SECRETS["k1."]), "hmac-sha256")
        with inside(self.c[of].ns):
            for n in range(40):
                m = dns.message.make_query(lab.ZONE, "SOA")
                m.set_opcode(dns.opcode.NOTIFY)
                m.flags = (m.flags & ~dns.flags.RD) | dns.flags.AA
                serial = self.rng.choice((1, self.rng.randrange(1 << 32), 0xffffffff))
                m.answer.append(dns.rrset.from_text(lab.ZONE, 5, "IN", "SOA", "%s h.%s %d 2 1 3600 5" % (
                    lab.ZONE, lab.ZONE, serial)))
                if n % 2:
                    m.use_tsig(key)
                with contextlib.suppress(OSError, dns.exception.DNSException):
                    dns.query.udp(m, self.c.at(to), port=5301, timeout=0.05)


class KeyRotation(Fault):
    """A primary that takes only the new key while the others still use the old one: both ends must say so. Then they follow."""
    hold_s = (0.5, 2.0)

    def choose(self):
        self.on = [self.rng.choice(("p", "a"))]
        below = {b for a, b in lab.LINKS if a == self.on[0]}
        self.names = {n: ["BADKEY", "key"] for n in below}

    def begin(self):
        m = self.c[self.on[0]]
        m.keys = ["k2."]
        m.ask_key = "k2."
        self.c.publisher.key = "k2."
        m.restart()

    def end(self):
        m = self.c[self.on[0]]
        m.keys, m.ask_key = ["k1.", "k2."], "k1."
        m.restart()
        self.c.publisher.key = "k1."


FAULTS = (Partition, Partition, Kill, Kill, KillAll, Stop, StopAll, ClockJump, DiskFull, JournalCut, Loss, StaleNotify, KeyRotation)
