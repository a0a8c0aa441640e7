"""`candor run` over daemons that misbehave on demand: the real supervisor, and scripts in place of the daemons.

A fake beats on the board like a daemon. Files in the run folder tell it what to do, NAME being sync, resolver or health:
NAME.exit (its text is the exit code), NAME.still (beats no more), NAME.deaf (ignores SIGTERM), NAME.family (has a child, and
once an orphan). It notes what happens to it in the file `events`."""
import json
import mmap
import os
import shutil
import signal
import struct
import subprocess
import sys
import time

import psutil

from .ask import BUILD
from .node import until

NAMES = ("sync", "resolver", "health")
ROLE = {"supervisor": 0, "resolver": 1, "sync": 2, "health": 3}
HEADER_WORDS = 6  # magic, version, size, node_boot, worker_count, zone_count
SLOT = ("boot", "pid", "started_wall_s", "heartbeat_ms", "loop_lag_us", "loop_lag_max_us", "starts", "restarts_died", "restarts_hung",
        "heal_boot", "heal_at_ms", "ready") + tuple("start_wall_s_%d" % i for i in range(16)) + \
    ("pool_asked_ms", "pool_beat_ms", "pool_lag_us", "fd_errors")


class Slot:
    """One process of the board, read and written as numbers."""

    def __init__(self, run, name):
        with open(os.path.join(run, "candor.board"), "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 4096)
        self.at = 8 * (HEADER_WORDS + ROLE[name] * len(SLOT))

    def get(self, field):
        return struct.unpack_from("=Q", self.map, self.at + 8 * SLOT.index(field))[0]

    def set(self, field, value):
        struct.pack_into("=Q", self.map, self.at + 8 * SLOT.index(field), value)


def daemon(name, run):
    """The life of a fake; runs in the fake's process."""
    def note(what):
        with open(os.path.join(run, "events"), "a") as f:
            f.write("%s %s %.3f\n" % (name, what, time.monotonic()))

    def told(what):
        return os.path.exists(os.path.join(run, "%s.%s" % (name, what)))

    def stop(signum, frame):
        if not told("deaf"):
            note("stop")
            os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, lambda s, f: note("reread"))
    note("start")
    if told("exit"):
        os._exit(int(open(os.path.join(run, name + ".exit")).read()))
    if told("family"):
        subprocess.Popen(["sleep", "1000"], close_fds=False)  # as a forked worker has them
        subprocess.run(["sh", "-c", "sleep 0.1 & exit 0"])  # leaves an orphan, soon dead
    slot = Slot(run, name)
    slot.set("pid", os.getpid())
    slot.set("boot", int.from_bytes(os.urandom(7), "little") + 1)
    while True:
        if not told("still"):
            slot.set("heartbeat_ms", time.monotonic_ns() // 1000000)
        if name == "health":
            slot.set("ready", 1)
        time.sleep(0.05)


class Fakes:
    def __init__(self, folder, heal=None, prefix=()):
        self.folder, self.prefix, self.process = str(folder), list(prefix), None
        self.run, self.bin = os.path.join(self.folder, "run"), os.path.join(self.folder, "bin")
        os.makedirs(self.bin)
        os.makedirs(self.run)
        shutil.copy(os.path.join(BUILD, "candor"), self.bin)
        for name in NAMES:
            self.script(name)
        self.config = os.path.join(self.folder, "candor.yaml")
        with open(self.config, "w") as f:
            json.dump({"node": {"name": "fakes", "state": "state", "run": "run"}, "health": {"heal": heal or {}}}, f)
        self.log_path = os.path.join(self.folder, "log")

    def script(self, name, text=None):
        """Puts a program in the daemon's place; without text the fake."""
        path = os.path.join(self.bin, "candor-" + name)
        with open(path + ".new", "w") as f:
            f.write(text or "#!%s\nimport sys\nsys.path.insert(0, %r)\nfrom lib import fakes\nfakes.daemon(%r, %r)\n" %
                    (sys.executable, os.path.dirname(os.path.dirname(os.path.abspath(__file__))), name, self.run))
        os.chmod(path + ".new", 0o755)
        os.rename(path + ".new", path)

    def argv(self, *args):
        return self.prefix + [os.path.join(self.bin, "candor"), *args, "-c", self.config]

    def start(self, ready=True):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.argv("run"), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if ready:
            until("ready", lambda: "candor: ready" in self.log(), 20)
            for name in NAMES:
                self.pid(name)
        return self

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def tell(self, name, what, text=""):
        with open(os.path.join(self.run, "%s.%s" % (name, what)), "w") as f:
            f.write(text)

    def untell(self, name, what):
        os.unlink(os.path.join(self.run, "%s.%s" % (name, what)))

    def events(self):
        """[(name, what, seconds)]"""
        try:
            with open(os.path.join(self.run, "events")) as f:
                return [(n, w, float(t)) for n, w, t in (line.split() for line in f)]
        except FileNotFoundError:
            return []

    def starts(self, name):
        return [t for n, w, t in self.events() if (n, w) == (name, "start")]

    def slot(self, name):
        return Slot(self.run, name)

    def pid(self, name):
        """The fake's present pid, once it shows itself."""
        return until(name, lambda: self.slot(name).get("boot") and self.slot(name).get("pid"), 20)

    def stop(self):
        """SIGTERM; the exit code."""
        self.process.terminate()
        return self.process.wait(30)

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        family = []
        if self.process is not None and self.process.poll() is None:
            family = psutil.Process(self.process.pid).children(recursive=True)
            self.process.kill()
            self.process.wait()
        for p in family:
            try:
                p.kill()
            except psutil.Error:
                pass
        if exc[0] is not None:
            print(self.log()[-4000:])
