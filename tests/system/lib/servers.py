"""Servers for a lab, each started as an administrator would who wants changes to travel fast (notify-delay 0 and so on).

    Zone("bl.test.", file=PATH, secondaries=[p.at()], update=True)          at a primary
    Zone("bl.test.", primaries=[p.at()], secondaries=[...])                 at a secondary, which may be a hub
    Catalog("cat.test.", members=[...] or primaries=[...])                  produced of members, or consumed

All transfers, NOTIFYs and UPDATEs are signed with `key`. Kinds: Candor here, Bind, Knot, Nsd and Pdns in makes.py. A kind
says by `lacks` what it cannot do. `at()` is where others reach it for transfers; the DNS port is 53 with all of them.
"""
import base64
import contextlib
import dataclasses
import os
import signal
import struct
import subprocess
import sys

import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.tsigkeyring
import dns.update
import psutil

from .netns import inside
from .node import Node


@dataclasses.dataclass
class Key:
    name: str = "sync."
    algorithm: str = "hmac-sha256"
    secret: str = base64.b64encode(b"thirty-two octets for the labs..").decode()

    def python(self):
        return dns.tsig.Key(self.name, self.secret, self.algorithm)


@dataclasses.dataclass
class Zone:
    name: str
    file: str = None          # what a primary starts with: a master file
    primaries: list = ()      # [(address, port)], from Server.at(); a third item is the name for TLS
    secondaries: list = ()
    update: bool = False
    data: list = ()           # Candor alone: [{"type": "ip4set", "files": [...]}] instead of a master file
    options: dict = dataclasses.field(default_factory=dict)  # Candor alone


@dataclasses.dataclass
class Catalog:
    name: str
    members: list = ()        # names of zones: this server makes the catalog
    primaries: list = ()      # or takes it from there
    secondaries: list = ()


@dataclasses.dataclass
class Tls:
    """Files of a certificate, its key and who signed both sides."""
    certificate: str
    key: str
    ca: str
    port: int = 853


class Server:
    name, port, lacks = "?", 53, ()

    def __init__(self, place, zones=(), key=None, catalog=None, tls=None, **options):
        self.place, self.zones, self.key, self.catalog = place, list(zones), key or Key(), catalog
        self.tls, self.options = tls, options
        self.folder, self.state = place.folder, place.state
        self.log_path = os.path.join(self.folder, "log")
        self.clock_path = os.path.join(self.folder, "clock")
        self.process = None

    def at(self, tls=None):
        return (self.place.address, self.port) if tls is None else (self.place.address, tls.port, "node%d.test" % self.place.index)

    def dns_at(self):
        return (self.place.address, 53)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def spawn(self, argv):
        prefix = list(self.place.ns.prefix)
        if self.place.lab.clock:
            self.set_clock(0)
            prefix += ["env", "LD_PRELOAD=" + self.place.lab.clock, "CANDOR_CLOCK=" + self.clock_path]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(prefix + argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.state)

    def start(self):
        self.configure()
        self.spawn(self.argv())
        return self

    def log(self):
        return open(self.log_path, errors="replace").read() if os.path.exists(self.log_path) else ""

    def processes(self):
        try:
            top = psutil.Process(self.process.pid)
            return [top] + top.children(recursive=True)
        except (psutil.Error, AttributeError):
            return []

    def pids(self):
        return [p.pid for p in self.processes()]

    def signal_all(self, number):
        for p in self.processes():
            with contextlib.suppress(psutil.Error):
                p.send_signal(number)

    def kill9(self):
        self.signal_all(signal.SIGKILL)
        self.process.wait()

    def pause(self):
        self.signal_all(signal.SIGSTOP)

    def resume(self):
        self.signal_all(signal.SIGCONT)

    def set_clock(self, seconds):
        with open(self.clock_path, "r+b" if os.path.exists(self.clock_path) else "wb") as f:
            f.write(struct.pack("=q", round(seconds * 1000)))

    def restart(self, key=None):
        self.stop()
        self.key = key or self.key
        return self.start()

    def stop(self):
        if self.process is None:
            return
        family = self.processes()
        self.resume()
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            pass
        for p in family:
            with contextlib.suppress(psutil.Error):
                p.kill()
        self.process.wait()
        self.process = None

    def close(self, failed=False):
        self.stop()
        if failed:
            sys.stderr.write("---- %s of node %d\n%s" % (self.name, self.place.index, "\n".join(self.log().splitlines()[-25:])))

    # --- questions, asked from inside the node

    def ask(self, name, rdtype, timeout=1, tcp=False):
        q = dns.message.make_query(name, rdtype)
        q.flags &= ~0x0100
        with inside(self.place.ns):
            return (dns.query.tcp if tcp else dns.query.udp)(q, self.place.address, timeout=timeout)

    def serial(self, zone):
        """SOA serial that the DNS port answers, or None."""
        try:
            r = self.ask(zone, "SOA")
        except (OSError, dns.exception.DNSException):
            return None
        return r.answer[0][0].serial if r.rcode() == 0 and r.answer and r.answer[0].rdtype == dns.rdatatype.SOA else None

    def has(self, name, rdtype="A"):
        try:
            r = self.ask(name, rdtype)
        except (OSError, dns.exception.DNSException):
            return False
        return r.rcode() == 0 and bool(r.answer)

    def axfr(self, zone, port=None):
        """{(owner, type, rdata)} without the SOA's repetition, and the serial; signed with the key."""
        out, serial = set(), None
        with inside(self.place.ns):
            for m in dns.query.xfr(self.place.address, zone, port=port or self.port, keyring=self.key.python(), relativize=False,
                                   lifetime=120, timeout=60):
                for rrset in m.answer:
                    for rd in rrset:
                        if rrset.rdtype == dns.rdatatype.SOA:
                            serial = rd.serial
                        else:
                            out.add((rrset.name.to_text().lower(), dns.rdatatype.to_text(rrset.rdtype), rrset.ttl, rd.to_text()))
        return out, serial

    def update_message(self, zone, add=(), delete=()):
        """The octets of a signed UPDATE; add: (name, ttl, type, text), delete: (name, type) or (name,)."""
        u = dns.update.UpdateMessage(zone)
        for a in add:
            u.add(*a)
        for d in delete:
            u.delete(*d)
        u.use_tsig(self.key.python())
        return u.to_wire()

    def update(self, zone, add=(), delete=()):
        u = dns.update.UpdateMessage(zone)
        for a in add:
            u.add(*a)
        for d in delete:
            u.delete(*d)
        u.use_tsig(self.key.python())
        with inside(self.place.ns):
            r = dns.query.tcp(u, self.place.address, port=self.port, timeout=20)
        assert r.rcode() == 0, "UPDATE: " + dns.rcode.to_text(r.rcode())


class Candor(Server):
    name = "Candor"
    port = 5301

    def configure(self):
        peers = lambda ps: [dict({"address": "%s@%d" % tuple(p[:2]), "key": self.key.name},
                                 **({"tls-name": p[2], "ca": self.options["ca"]} if len(p) > 2 else {})) for p in ps]
        zones = []
        for z in self.zones:
            c = {"name": z.name, "test": "none", "transfer": [{"key": self.key.name}],
                 "soa": {"refresh": "10s", "retry": "1s", "expire": "1d", "minimum": "60s"}}
            if z.primaries:
                c["primaries"] = peers(z.primaries)
            elif z.data:
                c["data"] = z.data
            elif z.file:
                c["data"] = [{"type": "generic", "files": [z.file]}]
            if z.secondaries:
                c["notify"] = peers(z.secondaries)
            if z.update:
                c["update"] = [{"key": self.key.name}]
            c.update(z.options)
            zones.append(c)
        rbl = {"listen": ["%s@%d" % (a, self.port) for a in (self.place.address, self.place.address6)],
               "zones": zones, "keys": [{"name": self.key.name, "algorithm": self.key.algorithm, "secret": self.key.secret}]}
        if self.tls:
            rbl["tls"] = {"certificate": self.tls.certificate, "key": self.tls.key, "ca": self.tls.ca,
                          "listen": ["%s@%d" % (self.place.address, self.tls.port)]}
        c = self.catalog
        if c and c.primaries:
            rbl["catalogs"] = [{"name": c.name, "primaries": peers(c.primaries)}]
        elif c:
            rbl["catalogs"] = [{"name": c.name, "zones": list(c.members), "notify": peers(c.secondaries),
                                "transfer": [{"key": self.key.name}]}]
        config = {"node": {"name": "node%d" % self.place.index},
                  "resolver": {"listen": [{"address": "%s@53" % a} for a in (self.place.address, self.place.address6)],
                               "workers": 1, "recursion": {"enabled": False}},
                  "rbl": rbl,
                  "health": {"listen": [self.place.address + "@5380"],
                             "canary": {"cached": "", "uncached-under": "", "nxdomain-under": ""}}}
        config.update(self.options.get("config", {}))
        prefix = list(self.place.ns.prefix)
        if self.place.lab.clock:
            self.set_clock(0)
            prefix += ["env", "LD_PRELOAD=" + self.place.lab.clock, "CANDOR_CLOCK=" + self.clock_path]
        self.node = Node(self.folder, config, host=self.place.address, prefix=prefix)

    def start(self, ready=True):
        self.configure()
        self.node.start(ready=ready)
        self.process = self.node.process
        return self

    def candor(self, *args, **kw):
        return self.node.candor(*args, **kw)

    def reload(self, zone):
        raise NotImplementedError

    def control(self, *args):
        return self.candor(*args).stdout
