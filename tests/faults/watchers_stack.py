"""A classic stack, for the same faults: Debian's unbound in front (four threads, so-reuseport), which asks rbldnsd for the
blocklist bl.test., NSD for the zone local.test. (a secondary), and a forwarder for all else.

Three places, joined by a bridge: the node (10.77.0.1, and the service address 192.0.2.53 that clients ask), the machine
that watches from outside (10.77.0.2), and the world (10.77.0.3: forwarder, NSD's primary, a remote list). Watchers of the
node itself ask 127.0.0.1, those from outside the service address; dnsdist stands in front of all three servers.
"""
import contextlib
import os
import signal
import struct
import subprocess
import time

import dns.exception
import dns.message
import dns.query
import psutil

from engine import TICKS, scaled
from lib import disks
from lib.lab import Lab
from lib.makes import Nsd
from lib.netns import inside
from lib.node import until
from lib.servers import Zone
from lib.upstream import Upstream

SERVICE, PORT = "192.0.2.53", 5300
NAME_TTL_S, LIST_TTL_S, SOA_TTL_S = 300, 60, 60  # of example.com, of the list, of local.test.; divided by the ticks
WORLD = 2

UNBOUND = """server:
 interface: 127.0.0.1@%(port)d
 interface: ::1@%(port)d
 interface: 10.77.0.1@%(port)d
 interface: %(service)s@%(port)d
 num-threads: %(threads)d
 so-reuseport: yes
 %(more)s
 do-daemonize: no
 username: ""
 chroot: ""
 directory: "%(folder)s"
 pidfile: ""
 use-syslog: no
 access-control: 0.0.0.0/0 allow
 access-control: ::/0 allow
 local-zone: "test." nodefault
 do-not-query-localhost: no
 module-config: "%(modules)s"
remote-control:
 control-enable: no
stub-zone:
 name: "bl.test."
 stub-addr: 127.0.0.1@5310
stub-zone:
 name: "remote.test."
 stub-addr: 10.77.0.3@5310
stub-zone:
 name: "local.test."
 stub-addr: 10.77.0.1@53
%(zones)s
forward-zone:
 name: "."
 forward-addr: 10.77.0.3@5353
"""


def ttl(seconds):
    return max(1, int(scaled(seconds)))


class Stack:
    """One stack; the thing that watchers look at."""

    def __init__(self, folder, threads=4, more="", signed=False, expire_s=86400, refresh_s=3600, ext4=False):
        self.folder, self.threads, self.more, self.signed = str(folder), threads, more, signed
        self.expire_s, self.refresh_s, self.ext4, self.began = expire_s, refresh_s, ext4, None
        self.stack = contextlib.ExitStack()
        self.dns_address, self.service_address = ("127.0.0.1", PORT), (SERVICE, PORT)
        self.backends = [(SERVICE, PORT), ("10.77.0.1", 5310), ("10.77.0.1", 53)]
        self.watched_list, self.watched_zone = "bl.test", "local.test"
        self.programs, self.zone_lines = {}, ""

    def space(self, outside):
        return inside(self.outside if outside else self.here)

    def pids(self):
        """{pid: name} of what a supervisor would look after."""
        out = {}
        for name, p in self.programs.items():
            if p.poll() is None:
                out[p.pid] = name
        if self.nsd.process.poll() is None:
            out[self.nsd.process.pid] = "nsd"
        return out

    def path(self, name):
        return os.path.join(self.folder, name)

    def setup(self):
        if self.ext4:
            disks.private_mounts()
        self.lab = self.stack.enter_context(Lab(self.path("lab"), 3, wire="bridge", tmpfs=0 if self.ext4 else 4 << 20, clock=True))
        self.place, watch, self.world = self.lab.nodes
        if self.ext4:
            self.stack.enter_context(disks.ext4(self.place.state, 64 << 20))
        self.here, self.outside = self.place.ns, watch.ns
        self.here.run("ip", "addr", "add", SERVICE + "/32", "dev", "lo")
        watch.ns.run("ip", "route", "add", SERVICE + "/32", "via", self.place.address)
        with self.lab.inside(WORLD):
            self.upstream = self.stack.enter_context(Upstream(
                {"example.com. A": ["192.0.2.10"], "a.root-servers.net. A": ["198.41.0.4"]}, host=self.world.address, port=5353, ttl=ttl(NAME_TTL_S)))
        self.write_zone(100)
        self.primary = self.lab.run(Nsd, WORLD, zones=[Zone("local.test.", file=self.path("local.zone"), secondaries=[(self.place.address, 53)])])
        self.nsd = self.lab.run(Nsd, 0, zones=[Zone("local.test.", primaries=[(self.world.address, 53)])])
        self.write_list(["127.0.0.2"] + ["192.0.2.%d" % i for i in range(200)])
        self.write_list(["127.0.0.2"], "remote")
        self.programs["rbldnsd"] = self.rbldnsd(self.here, ("127.0.0.1/5310", "10.77.0.1/5310"), "bl.test", "list")
        self.remote = self.rbldnsd(self.world.ns, ("10.77.0.3/5310",), "remote.test", "remote")
        if self.signed:
            self.sign(30 * 86400)
        self.start_unbound()
        self.stack.callback(self.stop)
        for name, rdtype in (("example.com.", "A"), ("2.0.0.127.bl.test.", "A"), ("local.test.", "SOA")):
            until("%s %s is answered" % (name, rdtype), lambda: self.has(name, rdtype), 20, 0.1)

    def ask(self, name, rdtype="A", at=None):
        with inside(self.here):
            return dns.query.udp(dns.message.make_query(name, rdtype), (at or self.dns_address)[0], port=(at or self.dns_address)[1], timeout=1)

    def has(self, name, rdtype):
        try:
            return bool(self.ask(name, rdtype).answer)
        except dns.exception.DNSException:
            return False

    def write(self, name, text):
        with open(self.path(name + ".new"), "w") as f:
            f.write(text)
        os.rename(self.path(name + ".new"), self.path(name))
        return self.path(name)

    def write_list(self, lines, name="list"):
        self.write(name, ":127.0.0.2:listed\n" + "".join(line + "\n" for line in lines))

    def write_zone(self, serial, extra=""):
        self.write("local.zone", "$ORIGIN local.test.\n$TTL %d\n@ SOA ns hostmaster %d %d 1 %d 60\n@ NS ns\nns A 192.0.2.1\n%s\n" % (
            ttl(SOA_TTL_S), serial, ttl(self.refresh_s), ttl(self.expire_s), extra))

    def change(self, serial, extra=""):
        """The zone changes at its primary."""
        self.write_zone(serial, extra)
        self.primary.reload("local.test.")

    def rbldnsd(self, ns, addresses, zone, name):
        argv = [*ns.prefix, "rbldnsd", "-n", "-q", "-c", "1", "-t", str(ttl(LIST_TTL_S)), "-u", "daemon"]
        for a in addresses:
            argv += ["-b", a]
        p = subprocess.Popen(argv + ["%s:ip4set:%s" % (zone, self.path(name))], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.stack.callback(self.end, p)
        return p

    def start_unbound(self, clock_s=0):
        self.clock = self.path("unbound.clock")
        self.set_clock(clock_s)
        conf = self.write("unbound.conf", UNBOUND % {
            "port": PORT, "service": SERVICE, "threads": self.threads, "more": self.more, "folder": self.folder, "zones": self.zone_lines,
            "modules": "validator iterator" if self.signed else "iterator"})
        with open(self.path("unbound.log"), "ab") as log:
            self.unbound = subprocess.Popen([*self.here.prefix, "env", "LD_PRELOAD=" + self.lab.clock, "CANDOR_CLOCK=" + self.clock,
                                             "unbound", "-d", "-p", "-c", conf], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.programs["unbound"] = self.unbound

    def set_clock(self, seconds):
        with open(self.clock, "r+b" if os.path.exists(self.clock) else "wb") as f:
            f.write(struct.pack("=q", int(seconds * 1000)))

    def sign(self, valid_s):
        """example.com comes from a signed zone of the world's, and unbound has its key."""
        folder, end_s = self.path("signed"), time.time() + valid_s
        os.makedirs(folder, exist_ok=True)
        run = lambda *argv: subprocess.run(argv, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()
        if not hasattr(self, "key"):
            self.key = run("ldns-keygen", "-a", "ECDSAP256SHA256", "-k", "example.com")
        self.write("signed/zone", "$ORIGIN example.com.\n$TTL %d\n@ SOA ns hostmaster %d 3600 600 86400 60\n@ NS ns\nns A 192.0.2.1\n@ A 192.0.2.10\n" % (
            ttl(20), time.time()))
        stamp = lambda t: time.strftime("%Y%m%d%H%M%S", time.gmtime(t))
        run("ldns-signzone", "-i", stamp(end_s - 60 * 86400), "-e", stamp(end_s), "-f", "zone.signed", "zone", self.key)
        if not self.zone_lines:
            self.signer = self.start_signer(folder)
            self.zone_lines = 'server:\n trust-anchor-file: "%s.key"\nstub-zone:\n name: "example.com."\n stub-addr: 10.77.0.3@5354\n' % os.path.join(folder, self.key)
        else:
            self.signer.send_signal(signal.SIGHUP)

    def start_signer(self, folder):
        conf = self.write("signed/nsd.conf", """server:
 server-count: 1
 ip-address: 10.77.0.3@5354
 username: ""
 zonesdir: "%s"
 database: ""
 pidfile: "%s/pid"
 xfrdfile: "%s/xfrd"
 zonelistfile: "%s/zones"
remote-control:
 control-enable: no
zone:
 name: example.com
 zonefile: zone.signed
""" % (folder, folder, folder, folder))
        p = subprocess.Popen([*self.world.ns.prefix, "nsd", "-d", "-c", conf], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.stack.callback(self.end, p)
        return p

    @staticmethod
    def end(process):
        with contextlib.suppress(psutil.Error):
            for p in psutil.Process(process.pid).children(recursive=True):
                p.kill()
        process.kill()
        process.wait()

    def stop(self):
        for p in self.programs.values():
            self.end(p)

    def drop(self, *rules, ns=None):
        """Packets that come in to the node, dropped without a word."""
        lines = ["add table inet faults", "add chain inet faults in { type filter hook input priority 0; }"]
        (ns or self.here).run("nft", "-f", "-", input="\n".join(lines + ["add rule inet faults in %s drop" % r for r in rules]) + "\n")


__all__ = ["Stack", "scaled", "ttl", "SERVICE", "PORT", "WORLD", "TICKS"]
