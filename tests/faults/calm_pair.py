"""Two nodes of Candor in a lab, and what they stand on: calm.py looks at them, calm_loads.py makes it hard for them."""
import contextlib
import os
import subprocess

import psutil

from lib.lab import CLOCK_C, Lab
from lib.netns import sh
from lib.node import Node, until
from place import intervals

HERE = os.path.dirname(os.path.abspath(__file__))
SMALL, BIG = 40, 200000            # zones, entries of the big one
WORLD = 2                          # the place of the upstream and of this process
SECRET = "dGhpcnR5LXR3byBvY3RldHMgZm9yIGNhbG0gbGFicy4uLi4="


def quiet(*argv, **kw):
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **kw)


@contextlib.contextmanager
def running(*argv, **kw):
    p = quiet(*argv, **kw)
    try:
        yield p
    finally:
        with contextlib.suppress(psutil.Error):
            for c in psutil.Process(p.pid).children(recursive=True):
                c.kill()
        p.kill()
        p.wait()


class Pair:
    """Two nodes, their upstream, and what is done to them."""

    def __init__(self, folder, small=SMALL, big=BIG):
        self.folder, self.small, self.big, self.stack, self.nodes = str(folder), small, big, contextlib.ExitStack(), []
        self.round = 0

    def __enter__(self):
        os.makedirs(self.folder, exist_ok=True)
        os.chmod(self.folder, 0o755)
        self.lab = self.stack.enter_context(Lab(os.path.join(self.folder, "lab"), 3))
        self.stack.enter_context(self.lab.inside(WORLD))
        self.build_shims()
        self.upstream()
        for i in range(2):
            self.nodes.append(self.node(i))
            self.stack.callback(self.nodes[i].stop)
            self.nodes[i].start(ready=False)
        for n in self.nodes:
            n.wait_ready()
        until("all is green", lambda: all(self.red(n) == [] for n in self.nodes), 60, 0.2)
        return self

    def __exit__(self, *exc):
        self.stack.close()

    def path(self, name):
        return os.path.join(self.folder, name)

    def build_shims(self):
        for name, source in (("clock", CLOCK_C), ("slow", os.path.join(HERE, "calm_slow.c"))):
            sh("gcc", "-shared", "-fPIC", "-O1", "-o", self.path(name + ".so"), source, "-ldl")
            with open(self.path(name), "wb") as f:
                f.write(b"\0" * 8)

    def poke(self, name, data):
        with open(self.path(name), "r+b") as f:
            f.write(data)

    def upstream(self):
        """An unbound that knows two names and says NXDOMAIN to all others."""
        with open(self.path("unbound.conf"), "w") as f:
            f.write("""server:
 interface: 10.77.0.3@5353
 do-daemonize: no
 username: ""
 chroot: ""
 directory: "%s"
 pidfile: ""
 use-syslog: no
 access-control: 0.0.0.0/0 allow
 local-zone: "." static
 local-data: ". 60 SOA ns. hostmaster. 1 3600 600 86400 60"
 local-data: "example.com. 60 A 192.0.2.10"
remote-control:
 control-enable: no
""" % self.folder)
        self.stack.enter_context(running("nice", "-n", "-10", "unbound", "-d", "-p", "-c", self.path("unbound.conf")))
        os.setpriority(os.PRIO_PROCESS, self.lab.relay.pid, -10)  # the wire and the world are not what is tried here

    def write_list(self, name, count, start=0):
        """Entries 10.x.y.z from `start`, and the test point."""
        with open(self.path(name + ".new"), "w") as f:
            f.write("127.0.0.2\n")
            f.writelines("10.%d.%d.%d\n" % (n >> 16 & 255, n >> 8 & 255, n & 255) for n in range(start, start + count))
        os.rename(self.path(name + ".new"), self.path(name))

    def zones(self, i):
        names = ["z%d.test." % k for k in range(self.small)] + ["big.test."]
        if i == 1:
            return [{"name": n, "test": "rfc5782-ip4", "primaries": [{"address": "10.77.0.1@5301", "key": "calm."}],
                     "soa": {"refresh": "30s", "retry": "2s", "expire": "1d", "minimum": "60s"}} for n in ("z0.test.", "big.test.")]
        for n in names:
            self.write_list(n, self.big if n == "big.test." else 100)
        return [dict({"name": n, "test": "rfc5782-ip4", "data": [{"type": "ip4set", "files": [self.path(n)]}]},
                     **({"transfer": [{"key": "calm."}], "notify": [{"address": "10.77.0.2@5301", "key": "calm."}]} if n in ("z0.test.", "big.test.") else {}))
                for n in names]

    def node(self, i):
        place, other = self.lab.nodes[i], self.lab.nodes[1 - i]
        config = {"node": {"name": "calm%d" % i},
                  "resolver": {"workers": 2, "forward": [{"zone": ".", "to": ["10.77.0.3@5353"]}], "allow": ["0.0.0.0/0"]},
                  "rbl": {"zones": self.zones(i), "keys": [{"name": "calm.", "algorithm": "hmac-sha256", "secret": SECRET}]},
                  "health": {"interval": intervals(), "allow": ["10.77.0.0/24", "127.0.0.0/8"],
                             "canary": {"cached": "example.com.", "uncached-under": "example.com.", "nxdomain-under": "com."},
                             "peers": [{"name": "calm%d" % (1 - i), "resolver": "%s@5300" % other.address, "health": "%s@5380" % other.address, "key": "calm."}]}}
        prefix = place.ns.prefix + ["env", "LD_PRELOAD=%s:%s" % (self.path("clock.so"), self.path("slow.so")),
                                    "CANDOR_CLOCK=" + self.path("clock"), "CANDOR_SLOW=" + self.path("slow")]
        return Node(place.folder, config, host=place.address, prefix=prefix)

    def red(self, node):
        return [(s, v["status"]) for s, v in node.health()["scopes"].items() if v["status"] in ("fail", "unknown")]

    def processes(self, node):
        top = psutil.Process(node.process.pid)
        return [top] + top.children(recursive=True)
