"""Recursive resolvers side by side: Candor and Debian's unbound, knot-resolver, PowerDNS Recursor and BIND, each from the
same root hints, without validation, on an address of a namespace (or of this one). Needs the packages; see .ci/deps.

    with start("unbound", folder, hints, prefix=ns.prefix, port=5300) as r:
        r.address, r.pids(), r.cpu()
"""
import contextlib
import os
import subprocess

import psutil

from lib import ask
from lib.node import Node, merged, until
from lib.programs import end

NAMES = ("candor", "unbound", "kresd", "pdns-recursor", "named")
QUIET = {"canary": {"cached": "", "uncached-under": "", "nxdomain-under": ""}, "interval": {"local": "3600s", "upstream": "3600s", "zones": "3600s"}}
TICK = os.sysconf("SC_CLK_TCK")


def unbound(folder, hints, port, cache_mb, threads):
    conf = os.path.join(folder, "conf")
    with open(conf, "w") as f:
        f.write("""server:
 interface: 127.0.0.1@%d
 directory: "%s"
 root-hints: "%s"
 username: ""
 chroot: ""
 pidfile: ""
 use-syslog: no
 do-daemonize: no
 num-threads: %d
 so-reuseport: yes
 module-config: "iterator"
 do-not-query-localhost: no
 so-rcvbuf: 4m
 msg-cache-size: %dm
 rrset-cache-size: %dm
 outgoing-range: 4096
 num-queries-per-thread: 2048
 minimal-responses: yes
remote-control:
 control-enable: no
""" % (port, folder, hints, threads, max(1, cache_mb // 3), max(1, cache_mb - cache_mb // 3)))
    return ["/usr/sbin/unbound", "-d", "-c", conf]


def kresd(folder, hints, port, cache_mb, threads):
    conf = os.path.join(folder, "conf")
    with open(conf, "w") as f:
        f.write("""net.listen('127.0.0.1', %d, {kind='dns'})
trust_anchors.remove('.')
modules.unload('ta_update'); modules.unload('ta_signal_query'); modules.unload('priming')
modules.load('hints > iterate')
hints.root_file('%s')
cache.size = %d * MB
log_level('crit')
""" % (port, hints, cache_mb))
    return ["/usr/sbin/kresd", "-n", "-c", conf, folder]


def pdns_recursor(folder, hints, port, cache_mb, threads):
    with open(os.path.join(folder, "recursor.conf"), "w") as f:
        f.write("""local-address=127.0.0.1
local-port=%d
threads=%d
socket-dir=%s
hint-file=%s
dont-query=
dnssec=off
query-local-address=0.0.0.0, ::
max-cache-entries=%d
max-packetcache-entries=%d
security-poll-suffix=
daemon=no
write-pid=no
disable-syslog=yes
quiet=yes
loglevel=3
max-mthreads=4096
allow-from=127.0.0.0/8
""" % (port, threads, folder, hints, cache_mb * 1000, cache_mb * 500))
    return ["/usr/sbin/pdns_recursor", "--config-dir=" + folder]


def named(folder, hints, port, cache_mb, threads):
    conf = os.path.join(folder, "conf")
    with open(conf, "w") as f:
        f.write("""options { directory "%s"; listen-on port %d { 127.0.0.1; }; listen-on-v6 { none; }; pid-file none; session-keyfile none; lock-file none;
 recursion yes; allow-recursion { any; }; dnssec-validation no; empty-zones-enable no; recursive-clients 10000; max-cache-size %dm; notify no;
 minimal-responses yes; clients-per-query 0; max-clients-per-query 0; };
controls { };
zone "." { type hint; file "%s"; };
""" % (folder, port, max(4, cache_mb), hints))
    return ["/usr/sbin/named", "-g", "-n", str(threads), "-c", conf]


PEERS = {"unbound": unbound, "kresd": kresd, "pdns-recursor": pdns_recursor, "named": named}


class Resolver:
    """A running one. `process` is its first, whose children count too."""

    def __init__(self, name, address, process, prefix, log):
        self.name, self.address, self.process, self.prefix, self.log = name, address, process, list(prefix), log

    def pids(self):
        top = psutil.Process(self.process.pid)
        return [p.pid for p in [top] + top.children(recursive=True)]

    def cpu(self):
        """(user, system) seconds of all its processes so far."""
        user = system = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                fields = open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()
                user, system = user + int(fields[11]), system + int(fields[12])
        return user / TICK, system / TICK

    def memory(self):
        """Bytes in memory, of pages that others have too its share."""
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                total += sum(int(l.split()[1]) * 1024 for l in open("/proc/%d/smaps_rollup" % pid) if l.startswith("Pss:"))
        return total

    def alive(self):
        assert self.process.poll() is None, "%s ended with %s; see %s" % (self.name, self.process.returncode, self.log)
        return True

    def ask(self, questions, tcp=False, window=200, timeout_ms=15000, sockets=16):
        """lib.ask.Answer of each of `questions` ("NAME TYPE"), asked from beside the resolver."""
        with open(self.log + ".answers", "w+b") as out:
            subprocess.run(self.prefix + ask.command(self.address, tcp=tcp, window=window, timeout_ms=timeout_ms, sockets=sockets),
                           input="\n".join(questions).encode() + b"\n", stdout=out, stderr=subprocess.PIPE, check=True)
        return ask.read(self.log + ".answers", questions)

    def load(self, questions, rate, seconds, timeout_ms=8000):
        """Questions at a steady rate in the background, whether answers come or not; loaded() when it has ended."""
        with open(self.log + ".questions", "w") as f:
            f.write("\n".join(questions) + "\n")
        with open(f.name, "rb") as q, open(self.log + ".load", "wb") as out:
            return subprocess.Popen(self.prefix + ask.command(self.address, rate=rate, seconds=int(seconds), timeout_ms=timeout_ms),
                                    stdin=q, stdout=out, stderr=subprocess.DEVNULL)

    def loaded(self, load, questions):
        assert load.wait() == 0
        return ask.read(self.log + ".load", questions)

    def wait(self, question):
        until("%s answers" % self.name, lambda: self.alive() and self.ask([question], timeout_ms=60, sockets=1)[0].rcode != "LOST", 30)


class CandorResolver(Resolver):
    """The whole node; what counts is the resolver's side."""

    def __init__(self, node, prefix):
        super().__init__("candor", node.dns, node.process, prefix, node.log_path)
        self.node = node

    def pids(self):
        return [p.pid for p in self.node.workers()]


@contextlib.contextmanager
def candor(folder, hints, prefix, cache_mb, threads, config):
    base = {"resolver": {"workers": threads, "cache": {"size": "%dM" % cache_mb}, "recursion": {"enabled": True, "root-hints": str(hints)}}, "health": QUIET}
    with Node(folder, merged(base, config or {}), prefix=prefix) as node:
        yield CandorResolver(node, prefix)


@contextlib.contextmanager
def start(name, folder, hints, prefix=(), port=5400, cache_mb=64, threads=1, config=None, wait=". NS"):
    """`hints`: the path of a root hints file; `config`: laid over the configuration of Candor."""
    folder = os.path.join(str(folder), name)
    os.makedirs(folder, exist_ok=True)
    os.chmod(folder, 0o777)
    if name == "candor":
        with candor(folder, hints, prefix, cache_mb, threads, config) as r:
            yield r
        return
    argv, log = PEERS[name](folder, hints, port, cache_mb, threads), os.path.join(folder, "log")
    with open(log, "ab") as out:
        p = subprocess.Popen(list(prefix) + argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=folder)
    try:
        r = Resolver(name, "127.0.0.1@%d" % port, p, prefix, log)
        r.wait(wait)
        yield r
    finally:
        end(p)
