"""A node of Candor for a test: its own folder, its own free ports, its own processes, ended by their ids."""
import contextlib
import fcntl
import json
import os
import random
import signal
import socket
import subprocess
import tempfile
import time

import psutil
import requests

from .ask import BUILD

DEADLINE_S = float(os.environ.get("CANDOR_TEST_PATIENCE", "60"))


def until(what, condition, within_s=DEADLINE_S, every_s=0.02):
    """Polls until `condition()` is true and returns its value; fails with `what` (and the last exception) at the deadline."""
    end, last = time.monotonic() + within_s, None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = None
        except (OSError, requests.RequestException, AssertionError, LookupError, psutil.Error) as e:
            last = e
        if time.monotonic() > end:
            raise AssertionError("not within %g s: %s%s" % (within_s, what, " (%r)" % last if last else ""))
        time.sleep(every_s)


FIRST_PORT, BLOCK, BLOCKS = 10000, 200, 100  # below the range from which the kernel picks


class Ports:
    """A block of ports that is this process's alone: several suites run at a time, and a port is bound long after it was chosen."""

    def __init__(self):
        folder = os.path.join(tempfile.gettempdir(), "candor-ports")
        os.makedirs(folder, exist_ok=True)
        self.pid, self.next = os.getpid(), 0
        for block in random.sample(range(BLOCKS), BLOCKS):
            self.lock = open(os.path.join(folder, str(block)), "w")  # held until the process ends
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self.first = FIRST_PORT + block * BLOCK
                return
            self.lock.close()
        raise AssertionError("no block of ports is free")

    def take(self):
        self.next += 1
        return self.first + self.next % BLOCK


ports = None


def free_port(host="127.0.0.1"):
    """A port that is free for UDP and TCP."""
    global ports
    if ports is None or ports.pid != os.getpid():  # a forked child has its own
        ports = Ports()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(BLOCK):
        port = ports.take()
        with contextlib.ExitStack() as held:
            try:
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    s = held.enter_context(socket.socket(family, kind))
                    s.bind((host, port))
                return port
            except OSError:
                continue
    raise AssertionError("no free port")


def merged(base, over):
    """`over` laid on `base`; dicts are merged, anything else replaced."""
    out = dict(base)
    for k, v in over.items():
        out[k] = merged(out[k], v) if isinstance(v, dict) and isinstance(out.get(k), dict) else v
    return out


class Node:
    """with Node(tmp_path, {...}) as n: ...  `config` is laid over a small default; ports are chosen when it has none.

    `program`: "run" starts the whole node under `candor run`; "resolver", "sync" or "health" that daemon alone."""

    def __init__(self, folder, config=None, program="run", host="127.0.0.1", prefix=()):
        self.folder, self.host, self.program, self.prefix = str(folder), host, program, list(prefix)
        os.makedirs(self.folder, exist_ok=True)
        self.dns_port, self.sync_port, self.health_port = (free_port(host) if not prefix else p for p in (5300, 5301, 5380))
        base = {
            "node": {"name": "test", "state": "state", "run": "run"},
            "log": {"level": "info"},
            "resolver": {"listen": [{"address": "%s@%d" % (host, self.dns_port)}], "workers": 2,
                         "recursion": {"enabled": False}},  # no test asks anybody out there
            "rbl": {"listen": ["%s@%d" % (host, self.sync_port)]},
            "health": {"listen": ["%s@%d" % (host, self.health_port)]},
        }
        self.config = merged(base, config or {})
        self.path = os.path.join(self.folder, "candor.yaml")
        self.log_path = os.path.join(self.folder, "log")
        self.process = None
        self.write_config()

    def write_config(self):
        with open(self.path, "w") as f:
            json.dump(self.config, f, indent=1)  # JSON is YAML

    @property
    def dns(self):
        return "%s@%d" % (self.host, self.dns_port)

    def command(self, *args):
        """argv of `candor ARGS -c CONFIG` in this node's place."""
        return self.prefix + [os.path.join(BUILD, "candor"), *args, "-c", self.path]

    def candor(self, *args, check=True, timeout=120):
        p = subprocess.run(self.command(*args), capture_output=True, text=True, timeout=timeout)
        assert not check or p.returncode == 0, "candor %s: %d\n%s%s" % (" ".join(args), p.returncode, p.stdout, p.stderr)
        return p

    def start(self, ready=True, within_s=DEADLINE_S):
        argv = self.command("run") if self.program == "run" else \
            self.prefix + [os.path.join(BUILD, "candor-" + self.program), "-c", self.path]
        os.makedirs(os.path.join(self.folder, "run"), exist_ok=True)
        os.makedirs(os.path.join(self.folder, "state"), exist_ok=True)
        self.log_start = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if ready and self.program == "run":
            self.wait_ready(within_s)
        return self

    def log(self):
        with open(self.log_path, encoding="utf8", errors="replace") as f:
            f.seek(self.log_start)
            return f.read()

    def alive(self):
        assert self.process.poll() is None, "ended with %s:\n%s" % (self.process.returncode, self.log()[-4000:])
        return True

    def wait_ready(self, within_s=DEADLINE_S):
        try:
            until("candor: ready", lambda: self.alive() and "candor: ready" in self.log(), within_s)
        except AssertionError as e:
            raise AssertionError("%s\n%s" % (e, self.log()[-4000:])) from None

    def supervisor(self):
        """The `candor run` process itself, behind a prefix such as `ip netns exec` too (that one execs)."""
        return psutil.Process(self.process.pid)

    def children(self, name):
        """Processes called `name` (candor-resolver, candor-sync, candor-health) of this node, oldest first."""
        found = [p for p in self.supervisor().children(recursive=True) if p.name() == name[:15]]
        return sorted(found, key=lambda p: (p.create_time(), p.pid))

    def daemon(self, what):
        """The one process of a daemon; of the resolver its parent."""
        return until("process candor-" + what, lambda: self.children("candor-" + what))[0]

    def workers(self):
        parent = self.daemon("resolver") if self.program == "run" else self.supervisor()
        return parent.children()

    def get(self, path, timeout=5, **kw):
        return requests.get("http://%s:%d%s" % ("[%s]" % self.host if ":" in self.host else self.host, self.health_port, path),
                            timeout=timeout, **kw)

    def health(self):
        return self.get("/health").json()

    def scope(self, name):
        return self.get("/health/" + name).json()

    def stop(self):
        if self.process is None:
            return None
        family = []
        with contextlib.suppress(psutil.Error):
            family = self.supervisor().children(recursive=True)
        if self.process.poll() is None:
            for p in family:  # a stopped process cannot end by itself
                with contextlib.suppress(psutil.Error):
                    p.send_signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for p in family:
            with contextlib.suppress(psutil.Error):
                p.kill()
        code, self.process = self.process.returncode, None
        return code

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        code = self.stop()
        if exc[0] is not None:
            print("".join(open(self.log_path, errors="replace").readlines()[-60:]))
        else:
            assert code == 0, "the node ended with %s" % code
