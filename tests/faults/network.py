"""Rows of sockets, families and packets."""
import contextlib
import os
import socket
import subprocess
import threading
import time

from engine import Expect
from injections import Cgroup
from lib.ask import Load
from lib.netns import inside
from place import HOST, NO_HEAL, OneNode, drop, undrop


class TcpBroken(OneNode):
    number, fault, did = 33, "TCP broken, UDP fine", "nft drops TCP to the DNS port"
    expects = [Expect("worker", "listen:tcp", "tcp|no answer|timeout|timed out", 10)]
    with_upstream = False

    def inject(self):
        drop(self.ns, "tcp dport 5300")

    def mend(self):
        undrop(self.ns)


class Family(OneNode):
    with_upstream = False
    config = {"resolver": {"listen": [{"address": "127.0.0.1@5300"}, {"address": "::1@5300"}]}}
    rule = ""

    def inject(self):
        drop(self.ns, self.rule)

    def mend(self):
        undrop(self.ns)


class OnlyV6(Family):
    number, variant, fault, did = 35, "v6", "only v6 broken", "nft drops UDP to ::1"
    rule = "ip6 daddr ::1 udp dport 5300"
    expects = [Expect("worker", "listen:udp", "", 10, id="::1")]


class OnlyV4(Family):
    number, variant, fault, did = 35, "v4", "only v4 broken", "nft drops UDP to 127.0.0.1"
    rule = "ip daddr 127.0.0.1 udp dport 5300"
    may = ("zones",)  # they are asked at this address
    expects = [Expect("worker", "listen:udp", "", 10, id="127.0.0.1")]


class Descriptors(OneNode):
    """A worker has none left: what is open works on, and nobody new gets in by TCP."""
    number, fault = 28, "file descriptors exhausted"
    did = "RLIMIT_NOFILE of a worker is set to what it has open and four more, and eight TCP connections come"
    config = {"resolver": {"workers": 1}}
    expects = [Expect("process", "process:fds", "descriptors", 15, ("warn", "fail"))]
    may = ("worker", "zones", "resolution", "upstream")

    def inject(self):
        worker = self.node.workers()[0]
        self.pid = worker.pid
        limit = max(int(n) for n in os.listdir("/proc/%d/fd" % worker.pid)) + 5
        subprocess.run(["prlimit", "--pid", str(worker.pid), "--nofile=%d:" % limit], check=True)
        self.held = []
        for _ in range(8):
            s = socket.socket()
            s.settimeout(2)
            with contextlib.suppress(OSError):
                s.connect((HOST, self.node.dns_port))
            self.held.append(s)
        self.over = threading.Event()
        threading.Thread(target=self.keep, daemon=True).start()

    def keep(self):
        """Connections that are closed for being idle come again."""
        while not self.over.wait(1):
            for i, s in enumerate(self.held):
                with contextlib.suppress(OSError):
                    s.close()
                self.held[i] = s = socket.socket()
                s.settimeout(0.5)
                with contextlib.suppress(OSError):
                    s.connect((HOST, self.node.dns_port))

    def mend(self):
        self.over.set()
        subprocess.run(["prlimit", "--pid", str(self.pid), "--nofile=1024:"], check=True)
        for s in self.held:
            s.close()


class ReceiveBuffer(OneNode):
    """More comes than the worker may take in: what does not fit into its socket's buffer is gone without a word."""
    number, fault = 29, "UDP receive buffer drops"
    did = "the only worker gets 1 ms of a CPU in each tenth of a second by its cgroup, and 15,000 questions a second come: its socket overflows"
    config = {"resolver": {"workers": 1}, "health": NO_HEAL}
    expects = [Expect("worker", "worker:drops", "dropped by the kernel", 15, ("warn", "fail"))]
    may = ("process", "zones", "resolution", "upstream")

    def inject(self):
        self.group = self.enter(Cgroup("cpu"))
        self.group.set("cpu.cfs_quota_us", "1000")
        self.load = Load(self.node.dns, ["%d.2.0.192.bl.test. A" % i for i in range(200)], 15000, 600, sockets=64)
        self.stack.callback(self.load.stop)
        time.sleep(1)
        self.begins()
        self.group.add(self.node.workers()[0].pid)

    def mend(self):
        self.group.leave()
        self.load.stop()


class Outer:
    """The namespace that the row's process came from, for lib.netns.inside()."""

    def __init__(self):
        self.fd = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.name = "../../proc/%d/fd/%d" % (os.getpid(), self.fd)  # below /run/netns


class Conntrack(OneNode):
    """The kernel's limit is one for all namespaces: it is put back at once when the row ends."""
    number, fault = 30, "conntrack full"
    did = "300 flows are tracked in the node's namespace, and the kernel's limit is lowered to 200; loopback's own traffic is exempt"
    alone, short = True, False
    expects = [Expect("process", "machine:conntrack", "are tracked", 30, ("warn", "fail"))]
    may = ("worker", "zones", "resolution", "upstream")
    LIMIT = "/proc/sys/net/netfilter/nf_conntrack_max"

    def setup(self):
        self.outer = Outer()
        super().setup()

    def prepare(self):
        lines = ["add table inet track", "add chain inet track in { type filter hook input priority 0; }",
                 "add chain inet track raw { type filter hook output priority -300; }", "add rule inet track in ct state new counter",
                 "add rule inet track raw udp dport != 20000-21000 notrack", "add rule inet track raw meta l4proto tcp notrack"]
        self.ns.run("nft", "-f", "-", input="\n".join(lines) + "\n")

    def set_limit(self, value):
        with inside(self.outer):  # the limit belongs to the first namespace
            with open(self.LIMIT, "w") as f:
                f.write(str(value))

    def inject(self):
        with open(self.LIMIT) as f:
            before = f.read().strip()
        self.stack.callback(self.set_limit, before)
        self.before = before
        for i in range(300):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.sendto(b"x", (HOST, 20000 + i))
        self.begins()
        self.set_limit(200)

    def mend(self):
        self.set_limit(self.before)


class Fragments(OneNode):
    number, fault = 34, "fragments dropped"
    did = "the loopback has an MTU of 1500, and nft drops fragments before they are put together"
    expects = [Expect("resolution", "listen:large", "fragments are lost", 60)]

    def setup(self):
        super().setup()
        self.ns.run("ip", "link", "set", "lo", "mtu", "1500")

    def inject(self):
        self.ns.run("nft", "-f", "-", input="add table inet faults\nadd chain inet faults in { type filter hook prerouting priority -450; }\n"
                    "add rule inet faults in ip frag-off & 0x3fff != 0 counter drop\n")

    def mend(self):
        undrop(self.ns)
