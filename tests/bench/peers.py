"""Servers side by side for the benchmarks: Candor, Debian's rbldnsd and unbound, one CPU for the server, the other for the load.

CPU time is the kernel's own accounting of the server's processes over a run, divided by the queries that the load saw answered."""
import collections
import contextlib
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import psutil

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
from lib import ask  # noqa: E402
from lib.node import Node, free_port, until  # noqa: E402

SERVER_CPU, CLIENT_CPU = 0, 1 % os.cpu_count()
TICK = os.sysconf("SC_CLK_TCK")
QUIET = {"canary": {"cached": "", "uncached-under": "", "nxdomain-under": ""}}  # health probes nothing outside
TOOLS = os.path.join(ask.BUILD, "tests", "bench")


def generated(path, *args):
    """Writes what tests/bench/gen makes of `args` to `path`; complete or not there."""
    with open(str(path) + ".part", "wb") as f:
        subprocess.run([os.path.join(TOOLS, "gen"), *map(str, args)], stdout=f, check=True)
    os.rename(str(path) + ".part", path)
    return str(path)


def generated_name(kind, index, zone):
    return subprocess.run([os.path.join(TOOLS, "gen"), "name" + kind, str(index), zone], capture_output=True, text=True, check=True).stdout.strip()


class Cpu:
    """User and system seconds of processes and their children, those that ended meanwhile not counted."""

    def __init__(self, pids):
        self.pids = list(pids)

    def read(self):
        user = system = 0
        for pid in self.pids:
            with contextlib.suppress(OSError):
                fields = open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()
                user += int(fields[11])
                system += int(fields[12])
        return user / TICK, system / TICK


class Server:
    def __init__(self, name, address, pids):
        self.name, self.address, self.pids = name, address, pids

    def pin(self, cpus=(SERVER_CPU,)):
        for pid in self.pids:
            with contextlib.suppress(psutil.Error):
                for t in psutil.Process(pid).threads():
                    with contextlib.suppress(OSError):
                        os.sched_setaffinity(t.id, cpus)
        return self

    def unpin(self):
        return self.pin(range(os.cpu_count()))

    def memory(self):
        """Bytes of its own (not a file's), and all that it has in memory, each page that others have too by its share."""
        own = total = 0
        for pid in self.pids:
            for line in open("/proc/%d/smaps_rollup" % pid):
                own += int(line.split()[1]) * 1024 if line.startswith("Anonymous:") else 0
                total += int(line.split()[1]) * 1024 if line.startswith("Pss:") else 0
        return own, total


class Rbldnsd:
    """Debian's rbldnsd on one list of its own copy; `more` are options, such as -f (a second process serves during a reload)."""

    def __init__(self, kind, file, more=()):
        self.folder = tempfile.TemporaryDirectory(prefix="candor-rbldnsd-")  # it gives its privileges up before it reads
        os.chmod(self.folder.name, 0o755)
        self.list, self.process = os.path.join(self.folder.name, "list"), None
        shutil.copyfile(file, self.list)
        self.port = free_port()
        self.argv = ["/usr/sbin/rbldnsd", "-n", "-u", "daemon", "-c", "0", "-b", "127.0.0.1/%d" % self.port, *more, "-w", self.folder.name,
                     "bl.test:%s:list" % kind]
        self.address = "127.0.0.1@%d" % self.port

    def start(self):
        self.process = subprocess.Popen(self.argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def server(self):
        return Server("rbldnsd", self.address, [self.process.pid])

    def put(self, file):
        """The new list in place, and the signal at once; the moment when it stood there."""
        shutil.copyfile(file, self.list + ".new")
        os.rename(self.list + ".new", self.list)
        at = time.monotonic()
        self.process.send_signal(signal.SIGHUP)
        return at

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
        self.folder.cleanup()


Seen = collections.namedtuple("Seen", "sent answered first_answer first_listed silence silence_began")


class Probe:
    """Asks for one name each millisecond, in the background, until it is listed (and after_ms more), or until seen() is called."""

    def __init__(self, address, name, within_s=120, after_ms=0, interval_us=1000, till_told=False):
        argv = [os.path.join(TOOLS, "probe"), "-s", address, "-i", str(interval_us), "-t", str(within_s), "-a", str(after_ms)]
        argv += ["-e"] if till_told else []
        self.within_s = within_s
        self.process = subprocess.Popen(argv + [name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def wait_answered(self):
        assert self.process.stdout.readline() == "answered\n"
        return self

    def seen(self):
        """What was seen until the probe ended; times on the clock of time.monotonic()."""
        out = self.process.communicate(timeout=self.within_s + 10)[0].splitlines()[-1].split()
        seen = Seen(int(out[0]), int(out[1]), *map(float, out[2:]))
        assert seen.first_listed >= 0, seen
        return seen

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@contextlib.contextmanager
def unbound(folder, upstream):
    """A forwarding unbound with one thread and the settings that its documentation advises for speed."""
    port, conf = free_port(), os.path.join(str(folder), "unbound.conf")
    host, _, uport = upstream.partition("@")
    with open(conf, "w") as f:
        f.write("""server:
  username: "" \n  chroot: "" \n  directory: "%s" \n  pidfile: "" \n  use-syslog: no
  interface: 127.0.0.1@%d \n  do-not-query-localhost: no \n  num-threads: 1 \n  module-config: "iterator"
  msg-cache-size: 64m \n  rrset-cache-size: 128m \n  so-rcvbuf: 4m \n  minimal-responses: yes \n  do-daemonize: no
remote-control: \n  control-enable: no
forward-zone: \n  name: "." \n  forward-addr: %s@%s
""".replace("\\n ", "\n") % (folder, port, host, uport))
    p = subprocess.Popen([shutil.which("unbound") or "/usr/sbin/unbound", "-d", "-c", conf], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        s = Server("unbound", "127.0.0.1@%d" % port, [p.pid])
        until("unbound", lambda: ask.ask(s.address, ["example.com. A"], timeout_ms=500, sockets=1)[0].took_us >= 0, 30)
        yield s.pin()
    finally:
        p.terminate()
        p.wait()


@contextlib.contextmanager
def candor(folder, config):
    """A whole node; the CPU that counts is its worker's: the resolver's side of the bargain."""
    with Node(folder, config) as node:
        yield Server("candor", node.dns, [p.pid for p in node.workers()]).pin(), node


Load = collections.namedtuple("Load", "seconds sent answered lost listed nxdomain other p50 p99 longest p999")


def load(server, questions, seconds, window=100, rate=0):
    """One run of tests/bench/load on the other CPU: `window` questions in flight, or `rate` a second whatever comes back."""
    how = ["-r", str(rate)] if rate else ["-w", str(window)]
    out = subprocess.run(["taskset", "-c", str(CLIENT_CPU), os.path.join(TOOLS, "load"), "-s", server.address, "-d", questions, "-l",
                          str(seconds), *how], capture_output=True, text=True, check=True).stdout.split()
    return Load(float(out[0]), *map(int, out[1:7]), *map(float, out[7:]))


def side_by_side(servers, questions, reps, seconds):
    """Runs A B C A B C ...; per server a list of (user us, system us, lost, queries/s) of a query."""
    rows = {s.name: [] for s in servers}
    for s in servers:
        load(s, questions, 1)
    for _ in range(reps):
        for s in servers:
            cpu = Cpu(s.pids)
            u0, k0 = cpu.read()
            run = load(s, questions, seconds)
            u1, k1 = cpu.read()
            assert run.answered > 0 and run.other == 0, (s.name, run)
            rows[s.name].append(((u1 - u0) * 1e6 / run.answered, (k1 - k0) * 1e6 / run.answered, run.lost, run.answered / run.seconds))
    return rows


def spread(values, form="%.2f"):
    return "%s (%s-%s)" % tuple(form % v for v in (statistics.median(values), min(values), max(values)))


def table(rows, against):
    """Rows of a Markdown table; the ratio is taken run by run, so that the machine's mood cancels out."""
    base = [u + k for u, k, _, _ in rows[against]]
    out = ["| server | CPU us per query, user | system | all | against %s | lost | queries/s |" % against, "|---|---|---|---|---|---|---|"]
    for name, runs in rows.items():
        total = [u + k for u, k, _, _ in runs]
        out.append("| %s | %s | %s | %s | %s | %d | %s |" % (
            name, spread([r[0] for r in runs]), spread([r[1] for r in runs]), spread(total),
            spread([t / b for t, b in zip(total, base)]), sum(r[2] for r in runs), spread([r[3] for r in runs], "%.0f")))
    return "\n".join(out)


def machine():
    cpu = next((l.split(":", 1)[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "?")
    return "%s, %d CPUs, Linux %s, %s, load average %.1f" % (cpu, os.cpu_count(), os.uname().release, time.strftime("%Y-%m-%d"),
                                                           os.getloadavg()[0])


def scratch():
    return tempfile.TemporaryDirectory(prefix="candor-bench-")
