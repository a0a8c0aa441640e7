"""Rows of storage: maps, readers, disks that are full or broken."""
import contextlib
import errno
import os
import re
import signal
import subprocess
import sys
import threading
import time

import lib.ask as ask
from engine import HERE, Expect, Fact
from injections import compiled, set_word
from lib import disks
from place import OneNode, ZONE


class Disk(OneNode):
    """Whatever happens to the disk, what was committed is served."""
    with_upstream = False

    def holds(self):
        answers = ask.ask(self.node.dns, ["%d.2.0.192.%s A" % (i, ZONE) for i in range(200)])
        assert all(a.rcode == "NOERROR" and a.answers for a in answers), "what was committed is served"
        assert self.ready() == 200

    @property
    def state(self):
        return os.path.join(self.folder, "node", "state")


class MapFull(Disk):
    """A map cannot grow any more. Here for want of address space, as on a machine that limits it."""
    number, fault = 22, "LMDB map full"
    did = "candor-sync gets no address space for a larger map (prlimit), and a version comes that needs one"
    zone = {"limits": {"shrink": "100%", "grow": "1000000%"}}
    expects = [Expect("zones", "zone:data", "room|memory|space|pace|grow|refused|map", 30, ("warn", "fail"), ZONE),
               Expect("storage", "lmdb:.*", "", 30, ("warn", "fail"))]
    may = ("process",)

    def inject(self):
        self.pid = self.node.daemon("sync").pid
        limit = self.node.daemon("sync").memory_info().vms + (8 << 20)
        subprocess.run(["prlimit", "--pid", str(self.pid), "--as=%d:" % limit], check=True)
        self.write_list(["127.0.0.2"] + ["192.0.2.%d" % i for i in range(200)] +
                        ["10.%d.%d.%d" % (i >> 16, i >> 8 & 255, i & 255) for i in range(400000)])

    def mend(self):
        subprocess.run(["prlimit", "--pid", str(self.pid), "--as=unlimited:"], check=True)


class Readers(OneNode):
    with_upstream = False
    count = 1

    def write_list(self, lines):
        """So many entries that 104 small commits are no reason to make a new generation of the zone."""
        far = ((11 << 24) + i * 350 for i in range(4000000))
        super().write_list(list(lines) + ["%d.%d.%d.%d" % (n >> 24, n >> 16 & 255, n >> 8 & 255, n & 255) for n in far])

    def setup(self):
        """The first change by hand may well lead to a new generation: that is over when the reader comes."""
        super().setup()
        for n in range(3):
            self.commit(1000 + n)
            time.sleep(1)

    def start_reader(self):
        with open(os.path.join(self.folder, "node/state/zones", ZONE, "current")) as f:
            generation = f.read().split()[0]
        folder = os.path.join(self.folder, "node/state/zones", ZONE, generation)
        self.reader = subprocess.Popen([sys.executable, os.path.join(HERE, "reader.py"), folder, str(self.count)], stdout=subprocess.PIPE, text=True)
        self.stack.callback(self.end_reader)
        assert self.reader.stdout.readline().startswith("holding")

    def end_reader(self):
        if self.reader.poll() is None:
            self.reader.kill()
            self.reader.wait()

    def commit(self, n):
        self.node.candor("add", ZONE, "198.51.%d.%d" % (n // 250, n % 250))

    def metric(self, name):
        m = re.search(r'candor_%s{zone="bl.test."} (\d+)' % name, self.node.get("/metrics").text)
        return int(m[1]) if m else 0

    def pin(self):
        """A read transaction that stands still, and more commits behind it than a reader may lag."""
        self.start_reader()
        self.reader.send_signal(signal.SIGSTOP)
        self.begins()
        for n in range(104):
            self.commit(n)


class DeadReader(Readers):
    number, fault, did = 23, "stale reader of a dead process", "another process opens the zone, begins a read transaction and is killed; then a commit"
    expects = [Fact("its slot was freed, and counted", lambda row: row.metric("lmdb_stale_readers_cleared_total") > 0, 30)]

    def inject(self):
        self.start_reader()
        self.end_reader()
        self.begins()
        self.commit(1)


class StoppedReader(Readers):
    """The reader holds the slot, is alive, and does nothing: mdb_reader_check() clears nothing."""
    number, variant, fault = 24, "foreign", "stopped live reader"
    did = "another process opens the zone, begins a read transaction and is stopped; then 104 commits; heal.end-readers is off"
    config = {"health": {"heal": {"end-readers": False}}}
    expects = [Expect("storage", "lmdb:reader.*", "behind|oldest|reader|pid", 60, ("warn", "fail"))]
    may = ("zones",)

    def inject(self):
        self.pin()

    def mend(self):
        self.end_reader()


class ReaderEnded(Readers):
    """It is ended after half a minute, whatever the ticks: a backup by hand that stands on one commit may take some seconds."""
    number, variant, fault = 24, "ended", "stopped live reader"
    did = "the same, on a zone that goes on changing each second: the reader must be named, and ended"
    config = {"health": {"heal": {"end-readers": True}}}
    expects = [Expect("storage", "lmdb:reader_lag", "held by pid", 60, ("warn", "fail"), fixed_s=10),
               Fact("the reader was ended, and counted", lambda row: row.reader and row.reader.poll() is not None and row.metric("lmdb_readers_ended_total"),
                    60, 50)]
    may = ("zones",)
    reader = None

    def inject(self):
        self.pin()
        self.over = threading.Event()
        threading.Thread(target=self.go_on_changing, daemon=True).start()

    def go_on_changing(self):
        n = 104
        while not self.over.wait(1):
            n += 1
            self.commit(n)

    def mend(self):
        self.over.set()


class ReaderSlots(Readers):
    number, fault, did = 25, "reader slots used up", "another process opens the zone and begins 220 read transactions of 256"
    count = 220
    expects = [Expect("storage", "lmdb:readers", "", 30, ("warn", "fail"))]

    def inject(self):
        self.start_reader()

    def mend(self):
        self.end_reader()


class DiskFull(Disk):
    number, variant, fault, did = 26, "bytes", "disk full, quota", "a small tmpfs under node.state is filled to the last byte"
    expects = [Expect("storage", "canary:write", "space|ENOSPC", 30)]
    may = ("zones",)
    options = "size=%d" % (24 << 20)

    def prepare(self):
        disks.private_mounts()
        os.makedirs(self.state)
        subprocess.run(["mount", "-t", "tmpfs", "-o", self.options, "none", self.state], check=True)
        self.stack.callback(subprocess.run, ["umount", "-l", self.state])

    def inject(self):
        self.filler = disks.fill(self.state)

    def mend(self):
        os.unlink(self.filler)


class NoInodes(DiskFull):
    variant, did = "inodes", "a tmpfs of 60 inodes under node.state, all of them taken"
    options = "size=%d,nr_inodes=60" % (24 << 20)
    expects = [Expect("storage", "canary:write|disk:free", "inodes|space|ENOSPC", 30, ("warn", "fail"))]

    def inject(self):
        self.files = []
        with contextlib.suppress(OSError):
            for i in range(100):
                path = os.path.join(self.state, "filler%d" % i)
                with open(path, "w"):
                    self.files.append(path)

    def mend(self):
        for path in self.files:
            os.unlink(path)


class Broken(Disk):
    """The programs' own writes fail: tests/faults/eio.c stands between them and the kernel."""
    error = 0
    may = ("zones",)

    def prepare(self):
        self.flag = os.path.join(self.folder, "errno")
        set_word(self.flag, 0)
        self.environment = ("LD_PRELOAD=" + compiled(os.path.join(HERE, "eio.c")), "CANDOR_EIO=" + self.flag)

    def inject(self):
        set_word(self.flag, self.error)

    def mend(self):
        set_word(self.flag, 0)


class Quota(Broken):
    number, variant, fault, did, error = 26, "quota", "disk full, quota", "every write and sync of a file fails with EDQUOT (LD_PRELOAD)", errno.EDQUOT
    expects = [Expect("storage", "canary:write", "quota", 30)]


class Eio(Broken):
    number, variant, fault, did, error = 27, "eio", "read-only remount, EIO", "every write and sync of a file fails with EIO (LD_PRELOAD)", errno.EIO
    expects = [Expect("storage", "canary:write", "Input/output|EIO", 30)]


class ReadOnly(Disk):
    number, variant, fault = 27, "read-only", "read-only remount, EIO"
    did = "an ext4 of its own under node.state is aborted, as when the disk fails: it is read-only from then on"
    expects = [Expect("storage", "canary:write", "read-only|EROFS|Input/output", 30)]
    may = ("zones",)

    def prepare(self):
        self.enter(disks.ext4(self.state, 64 << 20))

    def inject(self):
        disks.abort(self.state)

    def mend(self):
        """It stays so until somebody mounts it anew; the node ends."""
        self.stop_for_good()

    def stop_for_good(self):
        self.node.stop()
        self.nodes.clear()
