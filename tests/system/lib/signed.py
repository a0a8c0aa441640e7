"""A resolver that validates, unbound, in front of two small signed zones on NSD: good.example., whose signatures are right for as long
as a test likes, and bad.example., whose one address was changed behind its signature."""
import glob
import os
import subprocess
import time

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode

from .node import free_port, until

ZONE = "$ORIGIN %s\n$TTL 1\n@ SOA ns hostmaster %d 3600 600 86400 1\n@ NS ns\nns A 127.0.0.1\nwww A 192.0.2.80\n"


def day(offset_s):
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(time.time() + offset_s))


class Signed:
    def __init__(self, folder):
        self.folder = str(folder)
        os.makedirs(self.folder)
        self.nsd_port, self.port, self.serial, self.running, self.keys = free_port(), free_port(), 1, [], {}
        for zone in ("good.example.", "bad.example."):
            self.keys[zone] = self.run("ldns-keygen", "-a", "ECDSAP256SHA256", "-k", zone).strip()
            self.sign(zone)

    @property
    def address(self):
        return "127.0.0.1@%d" % self.port

    def run(self, *argv):
        return subprocess.run(argv, cwd=self.folder, check=True, capture_output=True, text=True).stdout

    def sign(self, zone, from_s=-7200, to_s=86400):
        """Signatures that hold from then to then, seconds from now."""
        name = os.path.join(self.folder, zone + "zone")
        with open(name, "w") as f:
            f.write(ZONE % (zone, self.serial))
        self.serial += 1
        self.run("ldns-signzone", "-i", day(from_s), "-e", day(to_s), "-f", name + ".signed", "-o", zone, name, self.keys[zone])
        if zone == "bad.example.":
            with open(name + ".signed") as f:
                text = f.read()
            with open(name + ".signed", "w") as f:
                f.write(text.replace("192.0.2.80", "192.0.2.81"))

    def spawn(self, *argv):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.running.append(subprocess.Popen(argv, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as f:
            f.write(text)

    def __enter__(self):
        zones = "".join('zone:\n  name: "%s"\n  zonefile: "%s/%szone.signed"\n' % (z, self.folder, z) for z in self.keys)
        self.write("nsd.conf", 'server:\n  ip-address: 127.0.0.1@%d\n  username: ""\n  zonesdir: ""\n  database: ""\n  pidfile: "%s/nsd.pid"\n'
                   '  xfrdfile: "%s/xfrd"\n  zonelistfile: "%s/zonelist"\nremote-control:\n  control-enable: no\n%s' %
                   (self.nsd_port, self.folder, self.folder, self.folder, zones))
        self.spawn("/usr/sbin/nsd", "-d", "-c", os.path.join(self.folder, "nsd.conf"))
        anchors = "".join('  trust-anchor-file: "%s"\n' % k for k in glob.glob(self.folder + "/K*.key"))
        stubs = "".join('stub-zone:\n  name: "%s"\n  stub-addr: 127.0.0.1@%d\n' % (z, self.nsd_port) for z in self.keys)
        self.write("unbound.conf", 'server:\n  interface: 127.0.0.1\n  port: %d\n  chroot: ""\n  username: ""\n  directory: "%s"\n  pidfile: ""\n'
                   '  use-syslog: no\n  do-daemonize: no\n  do-not-query-localhost: no\n  module-config: "validator iterator"\n'
                   '  local-zone: "com." static\n  local-data: "example.com. A 192.0.2.10"\n  val-bogus-ttl: 1\n%s%sremote-control:\n  control-enable: no\n' %
                   (self.port, self.folder, anchors, stubs))
        self.spawn("/usr/sbin/unbound", "-d", "-c", os.path.join(self.folder, "unbound.conf"))
        until("unbound validates", lambda: self.asks("www.good.example.") == ("NOERROR", True), 20)
        return self

    def asks(self, name):
        """(rcode, AD) as unbound says."""
        q = dns.message.make_query(name, "A", want_dnssec=True)
        try:
            r = dns.query.udp(q, "127.0.0.1", port=self.port, timeout=1)
        except dns.exception.Timeout:
            return None
        return dns.rcode.to_text(r.rcode()), bool(r.flags & dns.flags.AD)

    def reload(self):
        """NSD reads its zones anew."""
        self.running[0].send_signal(1)

    def __exit__(self, *exc):
        for p in reversed(self.running):
            p.terminate()
        for p in self.running:
            try:
                p.wait(5)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        if exc[0] is not None:
            print(open(os.path.join(self.folder, "log"), errors="replace").read()[-3000:])
