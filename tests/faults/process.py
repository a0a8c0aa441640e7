"""Rows of processes: hung, stopped, starved, foreign, restarted."""
import os
import signal
import subprocess
import sys
import time

from engine import Expect, Fact, scaled
from injections import Answerer, Cgroup, frozen_threads
from lib.ask import Load
from lib.node import Node, merged
from place import HOST, NO_HEAL, OneNode, until

POOL_FIXED_S = 1  # a loop gives its thread pool a canary once a second, whatever the intervals are
HEAL_FIXED_S = 5  # a process is not judged hung by its heartbeat before 3 s, and the supervisor looks once a second


class FourWorkers(OneNode):
    config = {"resolver": {"workers": 4}, "health": NO_HEAL}

    def resolver(self):
        return [self.node.daemon("resolver")] + self.node.workers()


class EventLoopHung(OneNode):
    """gdb calls pause() in each process of the resolver: not stopped, not dead, its socket open, and it never returns."""
    number, fault, did = 1, "event loop hung", "gdb calls pause() in the loop of every worker and of their parent; healing is on"
    expects = [Expect("worker", "listen:udp", "no answer", 10),
               Fact("candor-resolver is another process", lambda row: row.replaced(), 20, HEAL_FIXED_S),
               Expect("process", "process:restarts|process:heartbeat", "restart|heartbeat|starts", 20, ("warn", "fail"), "candor-resolver",
                      fixed_s=HEAL_FIXED_S)]
    may = ("zones", "resolution")
    parent = None

    def inject(self):
        self.parent = self.node.daemon("resolver").pid
        self.gdb = [subprocess.Popen(["gdb", "-q", "-nx", "-batch", "-p", str(p.pid), "-ex", "call (int)pause()"],
                                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                    for p in [self.node.daemon("resolver")] + self.node.workers()]
        self.stack.callback(self.mend)

    def replaced(self):
        found = self.node.children("candor-resolver")
        return self.parent and found and found[0].pid != self.parent and "pid %d, was %d" % (found[0].pid, self.parent)

    def mend(self):
        for p in self.gdb:
            p.kill()
            p.wait()


class OneWorkerHung(FourWorkers):
    """Its parent would replace it: it is stopped too, so that the page is all there is."""
    number, variant, fault, did = 2, "named", "one of N workers hung", "SIGSTOP of one worker of four, and of the parent that would replace it"
    expects = [Expect("worker", "worker:answers", "gave no answer", 15, id="worker 2")]
    may = ("process",)

    def inject(self):
        self.stopped = [self.node.daemon("resolver"), self.node.workers()[2]]
        self.stop_processes(*self.stopped)

    def holds(self):
        assert self.ready() == 503

    def mend(self):
        self.go_on(*self.stopped)


class OneWorkerReplaced(OneNode):
    number, variant, fault, did = 2, "replaced", "one of N workers hung", "SIGSTOP of one worker of four; healing is on"
    config = {"resolver": {"workers": 4}}
    expects = [Fact("another process in its place, counted as hung", lambda row: row.replaced(), 15, HEAL_FIXED_S)]
    may = ("process", "worker")
    victim_pid, was = 0, set()

    def inject(self):
        self.was = {p.pid for p in self.node.workers()}
        self.victim_pid = self.node.workers()[1].pid
        os.kill(self.victim_pid, signal.SIGSTOP)

    def replaced(self):
        now = {p.pid for p in self.node.workers()}
        counted = 'candor_worker_restarts_total{worker="1",reason="hung"} 1' in self.node.get("/metrics").text
        return counted and len(now) == 4 and self.victim_pid not in now and self.was - {self.victim_pid} < now


class Stray(OneNode):
    number, fault = 3, "stray old process in the SO_REUSEPORT group"
    may = ("zones", "resolution")

    def mend(self):
        self.stray.stop()


class OldBoot(Stray):
    variant, did = "boot", "a second candor-resolver, of another boot, is bound to the same address and port"
    expects = [Expect("worker", "listen:udp", "boot|foreign|stray|another|not of this", 15)]

    def inject(self):
        config = merged(self.node.config, {"node": {"run": "stray-run", "state": "stray-state"}, "resolver": {"workers": 1}})
        self.stray = Node(os.path.join(self.folder, "stray"), config, program="resolver", prefix=["env"])
        self.stray.start()
        self.stack.callback(self.stray.stop)


class ForeignAnswers(OneNode):
    number, variant, fault = 3, "foreign", "stray old process in the SO_REUSEPORT group"
    did = "another server, which says no NSID, is bound to the same address and port"
    expects = [Expect("worker", "listen:(udp|holders)", "foreign|another process|somebody|stray|not one of|NSID", 15, ("warn", "fail"))]
    may = ("zones", "resolution")

    def inject(self):
        self.stray = self.enter(Answerer(HOST, self.node.dns_port))

    def mend(self):
        self.stray.close()


class Stopped(FourWorkers):
    number, fault = 4, "SIGSTOP, debugger, cgroup freezer"

    def inject(self):
        self.stopped = self.victims()
        self.stop_processes(*self.stopped)

    def mend(self):
        self.go_on(*self.stopped)


class ResolverStopped(Stopped):
    variant, did = "stop", "SIGSTOP of the resolver: parent and workers"
    expects = [Expect("process", "process:heartbeat", "stopped", 10, id="candor-resolver|worker"), Expect("worker", "listen:udp", "no answer", 10)]
    may = ("zones", "resolution")

    def victims(self):
        return self.resolver()


class SyncStopped(Stopped):
    variant, did = "sync", "SIGSTOP of candor-sync"
    expects = [Expect("process", "process:heartbeat", "stopped", 10, id="candor-sync")]
    may = ("replication", "zones", "storage")

    def victims(self):
        return [self.node.daemon("sync")]


class Debugger(FourWorkers):
    number, variant, fault = 4, "debugger", "SIGSTOP, debugger, cgroup freezer"
    did = "one worker of four, and the parent, are held by ptrace, as by a debugger whose user thinks"
    expects = [Expect("process", "process:heartbeat", "traced|stopped|debug", 10, id="worker"), Expect("worker", "worker:answers", "", 10)]

    def inject(self):
        self.held = [frozen_threads(p.pid, all_threads=True) for p in (self.node.workers()[0], self.node.daemon("resolver"))]
        for h in self.held:
            self.enter(h)

    def mend(self):
        for h in self.held:
            h.let_go()


class Freezer(FourWorkers):
    number, variant, fault, did = 4, "cgroup", "SIGSTOP, debugger, cgroup freezer", "the resolver's processes are frozen by a cgroup"
    expects = [Expect("worker", "listen:udp", "no answer", 10), Expect("process", "process:heartbeat", "heartbeat", 10, id="candor-resolver|worker")]
    may = ("zones", "resolution")

    def inject(self):
        self.group = self.enter(Cgroup("freezer"))
        for p in self.resolver():
            self.group.add(p.pid)
        self.begins()
        self.group.set("freezer.state", "FROZEN")

    def mend(self):
        self.group.set("freezer.state", "THAWED")


class BusyLoop(OneNode):
    """Of each second a worker gets ten milliseconds, and it is asked all the while: it is at its 100 %."""
    number, fault = 5, "busy loop at 100 % CPU"
    did = "one worker of two gets 1 % of a CPU by its cgroup and 4,000 questions a second: it is always busy, and answers some"
    config = {"health": NO_HEAL}
    expects = [Expect("worker", "worker:lag", "late", 15, ("warn", "fail"), "worker 1")]
    may = ("process", "zones", "resolution", "upstream")

    def inject(self):
        self.group = self.enter(Cgroup("cpu"))
        self.group.set("cpu.cfs_period_us", "1000000")
        self.group.set("cpu.cfs_quota_us", "10000")
        self.load = Load(self.node.dns, ["%d.2.0.192.bl.test. A" % i for i in range(200)], 4000, 600, sockets=32)
        self.stack.callback(self.load.stop)
        time.sleep(1)
        self.begins()
        self.group.add(self.node.workers()[1].pid)

    def mend(self):
        self.group.leave()
        self.load.stop()


class PoolStarved(OneNode):
    number, fault, did = 6, "libuv thread pool starved", "every thread of candor-sync but its loop is held (PTRACE_INTERRUPT)"
    config = {"health": NO_HEAL}
    expects = [Expect("process", "process:pool", "pool|thread", 10, ("warn", "fail"), id="sync", fixed_s=POOL_FIXED_S)]
    may = ("zones", "replication")

    def inject(self):
        self.held = self.enter(frozen_threads(self.node.daemon("sync").pid))

    def mend(self):
        self.held.let_go()


class MemoryPressure(OneNode):
    """Pages are taken back and read again all the time: by two readers of a large file, and the resolver among them."""
    number, fault = 39, "memory pressure, swap"
    did = "the resolver is in a memory cgroup of 24 MiB with two processes that read all over a file of 200 MiB (mmap)"
    alone, short = True, False
    expects = [Expect("process", "process:pressure", "waited for memory|pages/s", 15, ("warn", "fail"))]
    may = ("worker", "resolution", "zones", "storage", "upstream")
    READ = """
import mmap, random, sys
with open(sys.argv[1], "rb") as f:
    m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
    while True:
        m[random.randrange(len(m))]
"""

    def inject(self):
        file = os.path.join(self.folder, "pages")
        with open(file, "wb") as f:
            for _ in range(200):
                f.write(os.urandom(1 << 20))
            f.flush()
            os.fsync(f.fileno())
            os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # so that who reads it is charged for it
        self.group = self.enter(Cgroup("memory"))
        self.group.set("memory.limit_in_bytes", str(24 << 20))
        self.readers = [subprocess.Popen([sys.executable, "-c", self.READ, file]) for _ in range(2)]
        self.stack.callback(self.mend)
        self.begins()
        for p in [p.pid for p in self.readers] + [p.pid for p in [self.node.daemon("resolver")] + self.node.workers()]:
            self.group.add(p)

    def mend(self):
        for p in self.readers:
            p.kill()
            p.wait()
        self.group.leave()


class CrashLoop(OneNode):
    number, fault = 40, "crash loop"
    did = "candor-resolver is killed as soon as it is up, five times"
    expects = [Expect("process", "process:restarts", "restart|start", 30, ("warn", "fail"), id="resolver")]
    may = ("worker", "zones", "resolution")
    mend_s = 900

    def inject(self):
        for _ in range(5):
            pid = until("candor-resolver", lambda: self.node.children("candor-resolver"), 30)[0].pid
            os.kill(pid, signal.SIGKILL)
            until("it is gone", lambda: pid not in [p.pid for p in self.node.children("candor-resolver")], 20)
            until("another one", lambda: self.node.children("candor-resolver"), 30)
            time.sleep(scaled(1))

