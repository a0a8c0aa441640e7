"""Zones that come from primaries: of other makes by AXFR and IXFR, of our own natively; and what primaries do wrong."""
import base64
import contextlib
import json
import os
import random
import signal
import socket
import struct
import subprocess
import threading
import time

import dns.edns
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

from lib.certs import Authority
from lib.node import Node, free_port, until
from lib.programs import end

SECRET = base64.b64encode(b"a secret of thirty-two octets ..").decode()
KEY = {"name": "k.test.", "algorithm": "hmac-sha256", "secret": SECRET}
RING = {dns.name.from_text("k.test."): dns.tsig.Key("k.test.", SECRET, "hmac-sha256")}
ZONE = "bl.test."
CLOCK_C = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "chaos", "clock.c")
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
        end(self.process)


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

    def __init__(self, serial, entries=range(1, 50)):
        self.serial, self.entries = serial, list(entries)
        self.transfer = self.axfr
        self.asked, self.open = [], []
        self.stopped = False
        self.soa_text, self.fixed_port = SOA, None

    def rrset(self, owner, rdtype, *texts):
        return dns.rrset.from_text(owner, 300, "IN", rdtype, *texts)

    def soa(self, serial=None):
        return self.rrset(ZONE, "SOA", self.soa_text % (self.serial if serial is None else serial))

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
        q = dns.message.from_wire(wire, continue_on_error=True)
        what = q.question[0]
        self.asked.append(dns.rdatatype.to_text(what.rdtype))
        if what.rdtype == dns.rdatatype.SOA:
            return [self.message(q, self.soa())]
        return self.transfer(q)

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
                for m in self.answers(wire):
                    if m is None:
                        return
                    if isinstance(m, (int, float)):
                        time.sleep(m)
                        continue
                    w = m if isinstance(m, bytes) else m.to_wire(max_size=65535)
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
            self.open.append(c)
            threading.Thread(target=self.serve_quietly, args=(c,), daemon=True).start()

    def __enter__(self):
        self.s = socket.socket()
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.port = self.fixed_port or free_port()
        self.s.bind(("127.0.0.1", self.port))
        self.s.listen(16)
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *exc):
        if not self.stopped:
            self.stopped = True
            self.s.shutdown(socket.SHUT_RDWR)
            self.s.close()
            for c in self.open:
                with contextlib.suppress(OSError):
                    c.shutdown(socket.SHUT_RDWR)

    @property
    def rule(self):
        return {"address": "127.0.0.1@%d" % self.port}


def status(node):
    """The zone in `candor sync-status`; its links by port."""
    p = node.candor("sync-status", ZONE, "--json", check=False)
    zones = json.loads(p.stdout)["zones"] if p.stdout else []
    z = zones[0] if zones else {"links": []}
    z["from"] = {int(k["node"].rsplit("@", 1)[1]): k for k in z["links"] if k["way"] == "from"}
    return z


def link_error(node, port, words, within_s=20):
    until("%r of port %d: %s" % (words, port, node.folder), lambda: words in status(node)["from"].get(port, {}).get("error", ""), within_s, 0.1)


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



def test_a_dead_primary_and_a_slow_one_are_done_without(tmp_path):
    dead = free_port()
    with Liar(7) as old, Liar(9) as new, \
            secondary(tmp_path / "s", [{"address": "127.0.0.1@%d" % dead}, old.rule, new.rule]) as s:
        serial_is(s, 9)
        link_error(s, dead, "refused")
        old.serial = 10
        assert notify(s, 10).rcode() == 0
        serial_is(s, 10)  # from the other one
        assert status(s)["from"][old.port]["error"] == ""


def test_notify_from_strangers_is_refused_and_from_primaries_asks_once(tmp_path):
    with Liar(7) as p, secondary(tmp_path / "s", [p.rule]) as s:
        serial_is(s, 7)
        for _ in range(20):
            assert notify(s, 8).rcode() == 0
        def quiet():
            before = len(p.asked)
            time.sleep(0.7)
            return len(p.asked) == before
        until("all is asked", quiet)
        assert p.asked.count("SOA") < 15
        asked = len(p.asked)
        assert notify(s, 7).rcode() == 0  # we have that
        time.sleep(0.5)
        assert len(p.asked) == asked
    with Liar(7) as p, secondary(tmp_path / "t", [{"address": "127.0.0.2@%d" % p.port}]) as s:
        link_error(s, p.port, "refused")
        assert notify(s, 8).rcode() == dns.rcode.REFUSED


HALF = 30


def cut(p, q):
    return [p.axfr(q)[0], None]


def other_end(p, q):
    a = p.axfr(q)
    a[1].answer[-1] = p.soa(p.serial + 1)
    return a


def wrong_id(p, q):
    a = p.axfr(q)
    a[1].id ^= 1
    return a + [None]


def wrong_question(p, q):
    a = p.axfr(q)
    a[1].question[0] = dns.rrset.RRset(dns.name.from_text("other.test."), 1, dns.rdatatype.AXFR)
    return a


def half_a_message(p, q):
    w = p.axfr(q)[1].to_wire()
    return [p.axfr(q)[0], w[:len(w) // 2] + b"\0" * (len(w) - len(w) // 2)]


def no_soa_first(p, q):
    return [p.axfr(q)[1]]


def behind_the_end(p, q):
    a = p.axfr(q)
    a[1].answer.append(p.a(60))
    return a


def refused(p, q):
    return [p.message(q, rcode=dns.rcode.REFUSED)]


def servfail_in_the_middle(p, q):
    return [p.axfr(q)[0], p.message(q, rcode=dns.rcode.SERVFAIL)]


LIES = [(cut, "cut off"), (other_end, "not that of the beginning"), (wrong_id, "cut off"), (wrong_question, "another question"),
        (half_a_message, "RDATA"), (no_soa_first, "begin with an SOA"), (behind_the_end, "behind the end"), (refused, "REFUSED"),
        (servfail_in_the_middle, "SERVFAIL")]


def test_nothing_of_a_transfer_that_is_wrong_is_taken(tmp_path):
    with Liar(7) as p, secondary(tmp_path / "s", [p.rule]) as s:
        serial_is(s, 7)
        for lie, words in LIES:
            before = soa(s)
            p.serial += 1
            p.transfer = lambda q: lie(p, q)  # noqa: B023
            notify(s, p.serial)
            link_error(s, p.port, words)
            assert soa(s) == before
            p.transfer = p.axfr
            notify(s, p.serial)
            serial_is(s, p.serial)  # and it heals
            assert len(contents(s)) == 49


def ixfr_from(p, old, deleted, added):
    def answer(q):
        if q.question[0].rdtype == dns.rdatatype.AXFR:
            return p.axfr(q)
        r = p.message(q)
        r.answer = [p.soa(), p.soa(old)] + [p.a(e) for e in deleted] + [p.soa()] + [p.a(e) for e in added] + [p.soa()]
        return [r]
    return answer


@pytest.mark.parametrize("deleted,added,by", [([1, 2], [60], ["IXFR"]),          # as it should be
                                              ([99], [60], ["IXFR", "AXFR"]),    # takes away what is not there
                                              ([1], [5], ["IXFR", "AXFR"])])     # adds what is there
def test_differences_that_do_not_fit_are_asked_for_whole(tmp_path, deleted, added, by):
    with Liar(7) as p, secondary(tmp_path / "s", [p.rule]) as s:
        serial_is(s, 7)
        p.asked.clear()
        p.entries = [e for e in p.entries if e not in deleted] + [e for e in added if e not in p.entries]
        p.serial = 8
        p.transfer = ixfr_from(p, 7, deleted, added)
        notify(s, 8)
        serial_is(s, 8)
        assert [a for a in p.asked if a != "SOA"] == by
        assert set(contents(s)) == {"%d.0.0.127.%s" % (e, ZONE) for e in p.entries}


def test_a_server_without_ixfr_is_asked_for_axfr(tmp_path):
    with Liar(7) as p, secondary(tmp_path / "s", [p.rule]) as s:
        serial_is(s, 7)
        p.serial, p.entries = 8, p.entries[5:]
        p.transfer = lambda q: [p.message(q, rcode=dns.rcode.NOTIMP)] if q.question[0].rdtype == dns.rdatatype.IXFR else p.axfr(q)
        p.asked.clear()
        notify(s, 8)
        serial_is(s, 8)
        assert [a for a in p.asked if a != "SOA"] == ["IXFR", "AXFR"]


def test_a_serial_that_goes_back_is_named_and_not_followed(tmp_path):
    with Liar(70) as p, secondary(tmp_path / "s", [p.rule]) as s:
        serial_is(s, 70)
        p.serial, p.entries = 3, [1]
        notify(s, 3)
        link_error(s, p.port, "serial went from 70 back to 3; ours is newer: refusing")
        assert soa(s) == 70 and len(contents(s)) == 49
        s.candor("refresh", ZONE)
        time.sleep(0.5)
        assert soa(s) == 70
        s.candor("refresh", ZONE, "--whole")
        serial_is(s, 3)
        assert len(contents(s)) == 1
        until("the error is gone", lambda: status(s)["from"][p.port]["error"] == "", 10)
        assert s.candor("refresh", "none.test.", check=False).returncode == 2


def test_serials_go_round(tmp_path):
    with Liar(0xFFFFFFFE) as p, secondary(tmp_path / "s", [p.rule]) as s:
        serial_is(s, 0xFFFFFFFE)
        p.serial = 5
        notify(s, 5)
        serial_is(s, 5)


def test_guards_refuse_and_the_next_serial_is_tried(tmp_path):
    with Liar(7, range(1, 201)) as p, secondary(tmp_path / "s", [p.rule]) as s:
        serial_is(s, 7)
        p.serial, p.entries = 8, [1]
        notify(s, 8)
        link_error(s, p.port, "would remove")
        transfers = sum(a != "SOA" for a in p.asked)
        for _ in range(3):
            notify(s, 8)
            time.sleep(0.3)
        assert soa(s) == 7 and sum(a != "SOA" for a in p.asked) <= transfers + 1  # not again and again
        p.serial, p.entries = 9, list(range(1, 205))
        notify(s, 9)
        serial_is(s, 9)
        assert len(contents(s)) == 204


def answers(node):
    """RCODE of the zone's SOA at the DNS port, and whether it has an EDE that speaks of expiry."""
    q = dns.message.make_query(ZONE, "SOA", use_edns=0)
    try:
        r = dns.query.udp(q, "127.0.0.1", port=node.dns_port, timeout=2)
    except (OSError, dns.exception.DNSException):
        return None, False
    return r.rcode(), any(b"expired" in o.text.encode() for o in r.options if isinstance(o, dns.edns.EDEOption) and o.text)


def test_a_zone_expires_when_no_primary_was_reached_for_so_long_and_only_then(tmp_path):
    s = secondary(tmp_path / "s", [{"address": "127.0.0.1@1"}], program="run")
    with Liar(7) as p:
        p.soa_text = "ns.test. box.test. %d 1 1 4 60"
        s.config["rbl"]["zones"][0]["primaries"] = [p.rule]
        s.write_config()
        with s:
            time.sleep(6)
            assert answers(s) == (0, False)  # checked each second
            p.__exit__()
            until("it expires", lambda: answers(s) == (2, True), 10)
    with contextlib.ExitStack() as stack:  # who was away knows how old it is
        stack.callback(s.stop)
        s.start(ready=False)
        until("it is expired still", lambda: answers(s) == (2, True), 10)
        again = Liar(7)
        again.fixed_port, again.soa_text = p.port, p.soa_text
        with again:
            until("it is back", lambda: answers(s) == (0, False), 10)


def test_keys_and_clocks_that_differ_are_named_and_heal_soon(tmp_path, monkeypatch):
    other = base64.b64encode(b"another secret of so many octets").decode()
    clock, library = str(tmp_path / "clock"), str(tmp_path / "clock.so")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, CLOCK_C, "-ldl"], check=True)
    with Named(tmp_path / "n", 1, range(1, 5)) as n:
        s = secondary(tmp_path / "s", [n.port])
        for key, words in (({"secret": other}, "BADSIG"), ({"name": "unknown.test."}, "BADKEY")):
            s.config["rbl"]["keys"] = [dict(KEY, **key)]
            s.config["rbl"]["zones"][0]["primaries"][0]["key"] = s.config["rbl"]["zones"][0]["transfer"][0]["key"] = key.get("name", "k.test.")
            s.write_config()
            with s:
                link_error(s, n.port, words)
        if os.path.basename(os.environ.get("CANDOR_BUILD", "")) in ("asan", "tsan"):
            return  # their library wants to be the first that is loaded
        s = secondary(tmp_path / "t", [n.port])
        with open(clock, "wb") as f:
            f.write(struct.pack("=q", 3600000))
        with monkeypatch.context() as m:
            m.setenv("LD_PRELOAD", library)
            m.setenv("CANDOR_CLOCK", clock)
            s.start()
        with contextlib.ExitStack() as stack:
            stack.callback(s.stop)
            link_error(s, n.port, "BADTIME: its clock is -3600 s from ours")
            with open(clock, "r+b") as f:
                f.write(struct.pack("=q", 0))
            serial_is(s, 1, 10)


def add(node, *entries):
    until("candor-sync listens", lambda: os.path.exists(os.path.join(node.folder, "run", "sync.sock")))
    node.candor("add", ZONE, *entries)


def same(*nodes):
    digests = {status(n).get("digest") for n in nodes}
    return len(digests) == 1 and None not in digests


def test_native_from_node_to_node_to_node(tmp_path):
    a = source(tmp_path / "a")
    b = secondary(tmp_path / "b", [a.sync_port])
    c = secondary(tmp_path / "c", [b.sync_port])
    with a, b, c:
        add(a, "192.0.2.0/24", "!192.0.2.7", "2001:db8::/48", "*.spam.example")
        for n in (b, c):
            serial_is(n, soa(a))
        until("the same digest everywhere", lambda: same(a, b, c))
        for i in range(20):
            add(a, "198.51.100.%d" % i)
        for n in (b, c):
            serial_is(n, soa(a), 5)
        until("the same digest everywhere", lambda: same(a, b, c))
        # between two questions none is held
        until("c holds a question at b", lambda: (up := status(c)["from"][b.sync_port])["transport"] == "native" and up["held"] and
              up["error"] == "")
        until("the source knows that b has all", lambda: all(k["queued"] == 0 for k in status(a)["links"]), 10)
        # b away for a while, and back
        b.stop()
        add(a, "203.0.113.1")
        link_error(c, b.sync_port, "")
        b.start()
        serial_is(c, soa(a))
        until("the same digest everywhere", lambda: same(a, b, c))


def test_a_primary_that_stands_still_is_noticed_and_done_without(tmp_path):
    a = source(tmp_path / "a")
    b = secondary(tmp_path / "b", [a.sync_port])
    c = secondary(tmp_path / "c", [b.sync_port, a.sync_port])
    with a, b, c:
        add(a, "192.0.2.1")
        for n in (b, c):
            serial_is(n, soa(a))
        until("c holds", lambda: any(k["held"] for k in status(c)["links"]))
        os.kill(b.process.pid, signal.SIGSTOP)
        add(a, "192.0.2.2")
        serial_is(c, soa(a), 15)
        link_error(c, b.sync_port, "no answer within")
        os.kill(b.process.pid, signal.SIGCONT)
        serial_is(b, soa(a))
        until("the same digest everywhere", lambda: same(a, b, c))


def test_a_loop_is_named(tmp_path):
    b_port = free_port()
    a = source(tmp_path / "a")
    c = secondary(tmp_path / "c", [a.sync_port, b_port])
    b = secondary(tmp_path / "b", [c.sync_port])
    b.config["rbl"]["listen"] = ["127.0.0.1@%d" % b_port]
    b.sync_port = b_port
    b.write_config()
    with a, b, c:
        add(a, "192.0.2.1")
        for n in (b, c):
            serial_is(n, soa(a))
        link_error(c, b_port, "a loop")
        add(a, "192.0.2.2")
        for n in (b, c):
            serial_is(n, soa(a))
    itself = secondary(tmp_path / "d", [1])
    itself.config["rbl"]["zones"][0]["primaries"] = [{"address": "127.0.0.1@%d" % itself.sync_port}]
    itself.write_config()
    itself.start(ready=False)
    assert itself.process.wait(20) != 0 and "is this node itself" in itself.log()


class Relay:
    """TCP from a port of its own to `to`; each connection ends when so many octets came back: `cuts`, in order, then never."""

    def __init__(self, to, cuts=()):
        self.to, self.cuts, self.back, self.open = to, list(cuts), 0, []

    def pump(self, a, b, most, count):
        with contextlib.suppress(OSError):
            while most > 0:
                data = a.recv(min(65536, most))
                if not data:
                    break
                most -= len(data)
                if count:
                    self.back += len(data)
                b.sendall(data)
        for s in (a, b):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def accept(self):
        while True:
            try:
                c, _ = self.s.accept()
            except OSError:
                return
            try:
                u = socket.create_connection(("127.0.0.1", self.to))
            except OSError:  # nobody is there now
                c.close()
                continue
            self.open += [c, u]
            most = self.cuts.pop(0) if self.cuts else 1 << 40
            threading.Thread(target=self.pump, args=(c, u, 1 << 40, False), daemon=True).start()
            threading.Thread(target=self.pump, args=(u, c, most, True), daemon=True).start()

    def __enter__(self):
        self.s = socket.socket()
        self.port = free_port()
        self.s.bind(("127.0.0.1", self.port))
        self.s.listen(16)
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *exc):
        for s in [self.s] + self.open:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
            s.close()


def list_of(path, count):
    chosen = random.Random(7).sample(range(1 << 24, 1 << 31), count)
    with open(path, "w") as f:
        f.writelines("%d.%d.%d.%d\n" % (n >> 24, n >> 16 & 255, n >> 8 & 255, n & 255) for n in chosen)
    return str(path)


def test_a_snapshot_that_is_cut_off_goes_on(tmp_path):
    a = source(tmp_path / "a", data=[{"type": "ip4set", "files": [list_of(tmp_path / "list", 200000)]}],
               transfer=[{"address": "127.0.0.1"}])
    with a:
        until("the list is there", lambda: soa(a))
        with Relay(a.sync_port, [150000, 100000]) as r, \
                secondary(tmp_path / "b", [{"address": "127.0.0.1@%d" % r.port}]) as b:
            serial_is(b, soa(a), 30)
            until("the same digest at both", lambda: same(a, b))
            assert b.log().count("a snapshot was cut off; it will go on") >= 1
            whole = until("the source has told what it sent", lambda: int(a.log().rsplit("kind=snapshot", 1)[1].split("octets=")[1].split()[0]))
            assert r.back < 1.5 * max(whole, 300000), (r.back, whole)


def test_over_tls_with_names_on_certificates(tmp_path):
    ca = certificates(tmp_path)
    port = free_port()
    a = source(tmp_path / "a", transfer=[{"tls-name": "b.test"}])
    a.config["rbl"]["tls"] = {"certificate": ca["a"][0], "key": ca["a"][1], "ca": ca["ca"], "listen": ["127.0.0.1@%d" % port]}
    a.write_config()
    rule = {"address": "127.0.0.1@%d" % port, "tls-name": "a.test", "ca": ca["ca"]}
    b = secondary(tmp_path / "b", [rule])
    wrong = secondary(tmp_path / "c", [dict(rule, **{"tls-name": "other.test"})])
    for n in (b, wrong):
        n.config["rbl"]["tls"] = {"certificate": ca["b"][0], "key": ca["b"][1], "ca": ca["ca"]}
        n.write_config()
    with a, b, wrong:
        add(a, "192.0.2.1")
        serial_is(b, soa(a))
        assert status(b)["from"][port]["tls"]
        link_error(wrong, port, "certificate")


def certificates(folder):
    """A CA, and two that it signed: {"ca": file, "a": (certificate, key), "b": ...}."""
    made = Authority(folder)
    return {"ca": made.ca, "a": made.issue("a.test"), "b": made.issue("b.test")}


OPTION = 65313
STATUS, ASK, HEAD, PART, END, BEAT, BYE = range(1, 8)
ZSTD, SNAPSHOT, HAVE = 1, 2, 4


class NativeLiar(Liar):
    """Says by the native option that it is a Candor node; `run`: what it answers to a native question, a list of options a message."""

    def part(self, kind, body=b"", version=1):
        return struct.pack("!BB", version, kind) + body

    def state(self, kind, serial=None, digest=b"\1" * 16, epoch=0, path=("liar",)):
        now = int(time.time() * 1000)
        names = b"".join(struct.pack("!B", len(n)) + n.encode() for n in path)
        return self.part(kind, struct.pack("!HI", HAVE, self.serial if serial is None else serial) + digest +
                         struct.pack("!IQQQQB", epoch, 1, now, now, now, len(path)) + names)

    def head(self, flags=SNAPSHOT, at=0):
        return self.part(HEAD, struct.pack("!H", flags) + b"i" * 16 + struct.pack("!QIIQ", at, 0, self.serial, 1000))

    def native(self, q, *parts):
        r = self.message(q)
        r.use_edns(0, payload=1232, options=[dns.edns.GenericOption(OPTION, p) for p in parts])
        return r

    def answers(self, wire):
        q = dns.message.from_wire(wire, continue_on_error=True)
        what = q.question[0]
        asks = any(o.otype == OPTION for o in q.options)
        self.asked.append(("native " if asks else "") + dns.rdatatype.to_text(what.rdtype))
        if what.rdtype == dns.rdatatype.SOA:
            r = self.native(q, self.status())
            r.answer.append(self.soa())
            return [r]
        if asks:
            return [self.native(q, *m) if isinstance(m, (list, tuple)) else m for m in self.run()]
        return self.axfr(q)

    def status(self):
        return self.state(STATUS)


NATIVE_LIES = [
    lambda p: [[p.part(PART, b"x")]],
    lambda p: [[p.head()], [p.head()]],
    lambda p: [[p.head(ZSTD | SNAPSHOT), p.part(PART, b"no zstd at all" * 9), p.state(END)]],
    lambda p: [[p.head(), p.part(PART, os.urandom(3000)), p.state(END)]],
    lambda p: [[p.head(0), p.part(PART, os.urandom(3000)), p.state(END)]],
    lambda p: [[p.head(), p.state(BYE)]],
    lambda p: [[p.part(BEAT, b"\0" * 7)]],
]


def test_native_lies_harm_nobody_and_end_in_plain_transfers(tmp_path):
    with NativeLiar(7) as p:
        p.run = lambda: NATIVE_LIES[0](p)
        with secondary(tmp_path / "s", [p.rule]) as s:
            serial_is(s, 7)
            for lie in NATIVE_LIES:
                p.run = lambda: lie(p)  # noqa: B023
                p.serial += 1
                p.entries = p.entries[1:] + [p.entries[0]]
                s.candor("refresh", ZONE)
                serial_is(s, p.serial)
            assert len(contents(s)) == 49 and "native IXFR" in p.asked and "AXFR" in p.asked or "IXFR" in p.asked


def test_a_digest_that_differs_is_named_and_not_healed_for_ever(tmp_path):
    with NativeLiar(7) as p:
        p.run = lambda: [[p.part(PART, b"x")]]
        with secondary(tmp_path / "s", [p.rule]) as s:
            serial_is(s, 7)
            until("it is seen", lambda: "another digest" in s.log())
            time.sleep(3)
            assert len([a for a in p.asked if a in ("AXFR", "IXFR")]) < 6
            p.status = lambda: p.state(STATUS, epoch=4)
            until("epoch 4 is known", lambda: open(os.path.join(s.folder, "state", "secondary")).read().split()[2] == "4", 20)
            p.status = lambda: p.state(STATUS, epoch=3)
            p.serial = 9
            s.candor("refresh", ZONE)
            link_error(s, p.port, "epoch 3, ours is 4")
            assert soa(s) == 7
            p.status = lambda: p.state(STATUS, epoch=4, path=("x", os.path.basename(s.folder), "liar"))
            link_error(s, p.port, "a loop")
