"""Zones that come from primaries: of other makes by AXFR and IXFR, of our own natively; and what primaries do wrong."""
import base64
import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import threading
import time

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.update
import pytest

from lib.node import Node, free_port, until

SECRET = base64.b64encode(b"a secret of thirty-two octets ..").decode()
KEY = {"name": "k.test.", "algorithm": "hmac-sha256", "secret": SECRET}
RING = {dns.name.from_text("k.test."): dns.tsig.Key("k.test.", SECRET, "hmac-sha256")}
ZONE = "bl.test."
SOA = "ns.test. box.test. %d 3600 1 86400 60"


def master(serial, entries, extra=""):
    return "$ORIGIN %s\n$TTL 300\n@ SOA %s\n@ NS ns.test.\n%s%s" % (
        ZONE, SOA % serial, "".join("%d.0.0.127 A 127.0.0.%d\n" % (e, e) for e in entries), extra)


def secondary(folder, primaries, program="sync", zone=None, **config):
    """A node that takes ZONE from `primaries` (ports)."""
    rules = [p if isinstance(p, dict) else {"address": "127.0.0.1@%d" % p, "key": "k.test."} for p in primaries]
    z = {"name": ZONE, "test": "none", "primaries": rules, "transfer": [{"key": "k.test."}]}
    z.update(zone or {})
    c = {"node": {"name": os.path.basename(str(folder))}, "rbl": {"keys": [KEY], "zones": [z]}}
    c.update(config)
    return Node(folder, c, program=program)


def source(folder, **zone):
    """A node that is the source of ZONE, changed by `candor add`."""
    z = dict({"name": ZONE, "test": "none", "transfer": [{"key": "k.test."}], "update": [{"key": "k.test."}]}, **zone)
    return Node(folder, {"node": {"name": os.path.basename(str(folder))}, "rbl": {"keys": [KEY], "zones": [z]}}, program="sync")


@contextlib.contextmanager
def running(*nodes):
    with contextlib.ExitStack() as stack:
        for n in nodes:
            stack.enter_context(n)
        yield nodes


def soa_at(port):
    """Serial that a server says, or None."""
    q = dns.message.make_query(ZONE, "SOA")
    q.flags &= ~dns.flags.RD
    try:
        r = dns.query.udp(q, "127.0.0.1", port=port, timeout=2)
    except (OSError, dns.exception.DNSException):
        return None
    return r.answer[0][0].serial if r.rcode() == 0 and r.answer else None


def soa(node):
    return soa_at(node.sync_port)


def serial_is(node, serial, within_s=20):
    until("serial %d at %s" % (serial, node.folder), lambda: soa(node) == serial, within_s)


def contents(node):
    """{owner: text} of all A."""
    out = {}
    q = dns.message.make_query(ZONE, "AXFR")
    q.use_tsig(RING)
    for m in dns.query.xfr("127.0.0.1", ZONE, port=node.sync_port, keyring=RING, relativize=False, timeout=10):
        for rrset in m.answer:
            if rrset.rdtype == dns.rdatatype.A:
                out[rrset.name.to_text()] = sorted(r.to_text() for r in rrset)
    return out


def notify(node, serial=None, port=None, key=None):
    m = dns.message.make_query(ZONE, "SOA")
    m.set_opcode(dns.opcode.NOTIFY)
    if serial is not None:
        m.answer.append(dns.rrset.from_text(ZONE, 0, "IN", "SOA", SOA % serial))
    if key:
        m.use_tsig(key)
    return dns.query.udp(m, "127.0.0.1", port=node.sync_port, timeout=3)


class Daemon:
    """named or nsd on a port of its own, with ZONE from a master file."""

    def __init__(self, folder, serial, entries, extra=""):
        self.folder, self.port = str(folder), free_port()
        os.makedirs(self.folder, exist_ok=True)
        os.chmod(self.folder, 0o777)
        self.write(serial, entries, extra)
        self.process = None

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, serial, entries, extra=""):
        with open(self.path("zone.new"), "w") as f:
            f.write(master(serial, entries, extra))
        os.rename(self.path("zone.new"), self.path("zone"))

    def __enter__(self):
        self.configure()
        with open(self.path("log"), "ab") as log:
            self.process = subprocess.Popen(self.argv(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        until("%s answers" % self.argv()[0], lambda: soa_at(self.port), 30)
        return self

    def __exit__(self, *exc):
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Named(Daemon):
    def configure(self, key="k.test.", secret=SECRET):
        with open(self.path("named.conf"), "w") as f:
            f.write("""key "%s" { algorithm hmac-sha256; secret "%s"; };
controls { };
options { directory "%s"; listen-on port %d { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; pid-file none; session-keyfile none;
 lock-file none; dnssec-validation no; allow-transfer { key "%s"; }; notify no; };
zone "%s" { type primary; file "zone"; ixfr-from-differences yes; };
""" % (key, secret, self.folder, self.port, key, ZONE))

    def argv(self):
        return ["named", "-g", "-c", self.path("named.conf"), "-n", "1", "-U", "1"]

    def reload(self):
        self.process.send_signal(signal.SIGHUP)


class Nsd(Daemon):
    def configure(self):
        with open(self.path("nsd.conf"), "w") as f:
            f.write("""server:
 server-count: 1
 ip-address: 127.0.0.1@%d
 username: ""
 zonesdir: "%s"
 xfrdfile: "%s/xfrd"
 zonelistfile: "%s/list"
 xfrdir: "%s"
 database: ""
 pidfile: "%s/pid"
 verbosity: 2
remote-control:
 control-enable: no
key:
 name: "k.test."
 algorithm: hmac-sha256
 secret: "%s"
zone:
 name: "%s"
 zonefile: "zone"
 store-ixfr: yes
 create-ixfr: yes
 provide-xfr: 0.0.0.0/0 k.test.
""" % (self.port, self.folder, self.folder, self.folder, self.folder, self.folder, SECRET, ZONE))

    def argv(self):
        return ["nsd", "-d", "-c", self.path("nsd.conf")]

    def reload(self):
        self.process.send_signal(signal.SIGHUP)


class Liar:
    """A primary of ZONE whose answers are made by the test: `soa_serial`, and `transfer`, a function of the question that returns
    messages (or octets, or None: the connection ends here; or a number: so many seconds of silence)."""

    def __init__(self, serial, entries=range(1, 50), key=False, skew_s=0):
        self.serial, self.entries, self.key, self.skew_s = serial, list(entries), key, skew_s
        self.transfer = self.axfr
        self.asked = []
        self.stopped = False

    def rrset(self, owner, rdtype, *texts):
        return dns.rrset.from_text(owner, 300, "IN", rdtype, *texts)

    def soa(self, serial=None):
        return self.rrset(ZONE, "SOA", SOA % (self.serial if serial is None else serial))

    def a(self, entry):
        return self.rrset("%d.0.0.127.%s" % (entry, ZONE), "A", "127.0.0.%d" % entry)

    def message(self, q, *rrsets, rcode=0):
        r = dns.message.make_response(q)
        r.flags |= dns.flags.AA
        r.set_rcode(rcode)
        for s in rrsets:
            r.answer.append(s)
        return r

    def axfr(self, q):
        half = [self.a(e) for e in self.entries]
        return [self.message(q, self.soa(), self.rrset(ZONE, "NS", "ns.test."), *half[:20]), self.message(q, *half[20:], self.soa())]

    def answers(self, wire):
        q = dns.message.from_wire(wire, keyring=RING, continue_on_error=True)
        what = q.question[0]
        self.asked.append(dns.rdatatype.to_text(what.rdtype))
        if what.rdtype == dns.rdatatype.SOA:
            return [self.message(q, self.soa())]
        return self.transfer(q)

    def wires(self, out, request_mac):
        ctx, first = None, True
        for m in out:
            if m is None or isinstance(m, (bytes, int, float)):
                yield m
            else:
                yield m.to_wire(max_size=65535)

    def serve_one(self, c):
        with c:
            buffer = b""
            while not self.stopped:
                while len(buffer) < 2 or len(buffer) < 2 + struct.unpack("!H", buffer[:2])[0]:
                    more = c.recv(65536)
                    if not more:
                        return
                    buffer += more
                size = struct.unpack("!H", buffer[:2])[0]
                wire, buffer = buffer[2:2 + size], buffer[2 + size:]
                for w in self.wires(self.answers(wire), None):
                    if w is None:
                        return
                    if isinstance(w, (int, float)):
                        time.sleep(w)
                    else:
                        c.sendall(struct.pack("!H", len(w)) + w)

    def serve_quietly(self, c):
        with contextlib.suppress(OSError):
            self.serve_one(c)

    def accept(self):
        while not self.stopped:
            try:
                c, _ = self.s.accept()
            except OSError:
                return
            threading.Thread(target=self.serve_quietly, args=(c,), daemon=True).start()

    def __enter__(self):
        self.s = socket.socket()
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.port = free_port()
        self.s.bind(("127.0.0.1", self.port))
        self.s.listen(16)
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *exc):
        self.stopped = True
        self.s.shutdown(socket.SHUT_RDWR)
        self.s.close()

    @property
    def rule(self):
        return {"address": "127.0.0.1@%d" % self.port}


def status(node):
    """The zone in `candor sync-status`; its links by port."""
    p = node.candor("sync-status", ZONE, "--json", check=False)
    z = json.loads(p.stdout)["zones"][0]
    z["from"] = {int(k["node"].rsplit("@", 1)[1]): k for k in z["links"] if k["way"] == "from"}
    return z


def link_error(node, port, words, within_s=20):
    until("%r of port %d: %s" % (words, port, node.folder), lambda: words in status(node)["from"][port]["error"], within_s, 0.1)


@pytest.mark.parametrize("make", [Named, Nsd])
def test_from_another_make(tmp_path, make):
    with make(tmp_path / "primary", 1, range(1, 200)) as p, secondary(tmp_path / "s", [p.port]) as s:
        serial_is(s, 1)
        assert len(contents(s)) == 199
        p.write(2, range(5, 205))
        p.reload()
        until("the primary has serial 2", lambda: soa_at(p.port) == 2, 20)
        assert notify(s, 2).rcode() == 0
        serial_is(s, 2)
        assert set(contents(s)) == {"%d.0.0.127.%s" % (e, ZONE) for e in range(5, 205)}
        assert status(s)["from"][p.port]["error"] == ""
        s.alive()
        print(s.log())
        assert "kind=difference" in s.log(), "IXFR, not the whole zone again"

