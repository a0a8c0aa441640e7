"""A lab: nodes in network namespaces of their own, joined by a network that can be made slow, lossy and broken. Needs root.

    with Lab(folder, 11) as lab:                       # eleven nodes; wire="bridge": veth and a bridge, no relay
        p = lab.run(makes.Bind, 0, zones=[...])        # a server (servers.py, makes.py) on node 0; ended with the lab
        lab.path("*", "*", delay_ms=50, loss=0.01)     # one way, each direction drawn for itself
        lab.part(0, 3); lab.heal()                     # nothing passes between 0 and 3; everything passes again
        lab.part(0, 3, both=False)                     # nothing from 0 to 3, but back
        lab.count("*", "*")                            # (packets, octets, lost) so far
        with lab.inside(4): ...                        # this process's new sockets belong to node 4
        p.kill9(), p.pause(), p.resume(), p.set_clock(-3600), p.restart(key=...)

Node i has 10.77.0.(i+1) and fd77::(i+1), in every lab the same: labs do not see one another. With the relay (default) each
node has a tun device, and tests/system/relay.c passes packets on; it costs about 0.03 ms and some CPU for each packet. The
bridge costs nearly nothing and has no delays; it is for measuring throughput. tmpfs=BYTES gives every node a state folder
of that size, to be filled (fill, unfill). clock=True gives every server a clock that can be set apart.

Everything is ended by its process id and every namespace removed when the block is left, however that happens.
"""
import contextlib
import os
import subprocess

from . import ask
from .netns import Namespace, inside, sh

NET4, NET6 = "10.77.0.%d", "fd77::%x"
CLOCK_C = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "chaos", "clock.c")


class Place:
    """One node: its namespace, addresses and folder."""

    def __init__(self, lab, index):
        self.lab, self.index = lab, index
        self.ns = Namespace()
        self.address, self.address6 = NET4 % (index + 1), NET6 % (index + 1)
        self.folder = os.path.join(lab.folder, "n%d" % index)
        self.state = os.path.join(self.folder, "state")
        self.device = "lab0"
        self.mounted = False

    def build(self, tmpfs):
        os.makedirs(self.state, exist_ok=True)
        for f in (self.folder, self.state):
            os.chmod(f, 0o777)
        if tmpfs:
            sh("mount", "-t", "tmpfs", "-o", "size=%d,mode=777" % tmpfs, "none", self.state)
            self.mounted = True
        self.ns.__enter__()

    def up(self):
        run = self.ns.run
        run("ip", "addr", "add", self.address + "/24", "dev", self.device)
        run("ip", "-6", "addr", "add", self.address6 + "/64", "dev", self.device, "nodad")
        run("ip", "link", "set", self.device, "up")
        run("ip", "link", "set", self.device, "txqueuelen", "10000")

    def octets(self):
        """(received, sent) on the wire of this node, whatever the wire is."""
        for line in self.ns.run("cat", "/proc/net/dev").stdout.splitlines():
            if line.strip().startswith(self.device + ":"):
                f = line.split(":", 1)[1].split()
                return int(f[0]), int(f[8])
        raise AssertionError("no device")

    def fill(self):
        with open(os.path.join(self.state, "filler"), "wb", buffering=0) as f:
            with contextlib.suppress(OSError):
                while f.write(b"\0" * 65536) == 65536:
                    pass

    def unfill(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.state, "filler"))

    def close(self):
        self.ns.__exit__()
        if self.mounted:
            subprocess.run(["umount", "-l", self.state], capture_output=True)


class Lab:
    def __init__(self, folder, count, wire="relay", seed=1, tmpfs=0, clock=False):
        self.folder, self.wire, self.seed, self.tmpfs = str(folder), wire, seed, tmpfs
        os.makedirs(self.folder, exist_ok=True)
        os.chmod(self.folder, 0o777)
        self.nodes = [Place(self, i) for i in range(count)]
        self.servers, self.relay, self.switch = [], None, None
        self.clock = os.path.join(self.folder, "clock.so") if clock else None

    def __enter__(self):
        try:
            if self.clock:
                sh("gcc", "-shared", "-fPIC", "-O1", "-o", self.clock, CLOCK_C, "-ldl")
            for n in self.nodes:
                n.build(self.tmpfs)
            self.wire_relay() if self.wire == "relay" else self.wire_bridge()
        except BaseException:
            self.__exit__()
            raise
        return self

    def wire_relay(self):
        argv = [os.path.join(ask.BUILD, "tests", "system", "relay"), str(self.seed)]
        argv += ["/run/netns/%s,%s,%s,%s" % (n.ns.name, n.device, n.address, n.address6) for n in self.nodes]
        self.relay = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.relay.stdout.readline() == "ready\n", "the relay does not start"
        for n in self.nodes:
            n.up()

    def wire_bridge(self):
        self.switch = Namespace().__enter__()
        self.switch.run("ip", "link", "add", "br0", "type", "bridge")
        self.switch.run("ip", "link", "set", "br0", "up")
        for n in self.nodes:
            sh("ip", "link", "add", "v%d" % n.index, "netns", self.switch.name, "type", "veth", "peer", "name", n.device,
               "netns", n.ns.name)
            self.switch.run("ip", "link", "set", "v%d" % n.index, "master", "br0", "up")
            n.up()

    def say(self, *words):
        self.relay.stdin.write(" ".join(map(str, words)) + "\n")
        self.relay.stdin.flush()
        answer = self.relay.stdout.readline().split()
        assert len(answer) == 3, "the relay: %s -> %s" % (words, answer)
        return tuple(map(int, answer))

    def path(self, a="*", b="*", delay_ms=0, jitter_ms=0, loss=0, reorder=False):
        """One way, of everything that goes from a to b and from b to a."""
        for x, y in {(a, b), (b, a)}:
            self.say("path", x, y, round(delay_ms * 1000), round(jitter_ms * 1000), round(loss * 1e6), int(reorder))

    def part(self, a, b="*", both=True):
        self.say("cut", a, b, 1)
        if both:
            self.say("cut", b, a, 1)

    def heal(self, a="*", b="*"):
        self.say("cut", a, b, 0)
        self.say("cut", b, a, 0)

    def count(self, a="*", b="*"):
        return self.say("count", a, b)

    def inside(self, index):
        return inside(self.nodes[index].ns)

    def run(self, kind, index, start=True, **kw):
        """A server of `kind` (servers.py, makes.py) on a node. The caller waits until it serves, unless it needs not."""
        server = kind(self.nodes[index], **kw)
        self.servers.append(server)
        if start:
            server.start()
        return server

    def __exit__(self, *exc):
        for s in reversed(self.servers):
            with contextlib.suppress(Exception):
                s.close(exc and exc[0] is not None)
        if self.relay is not None:
            self.relay.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.relay.wait(5)
            self.relay.kill()
            self.relay.wait()
        for n in self.nodes:
            n.close()
        if self.switch is not None:
            self.switch.__exit__()
        return False
