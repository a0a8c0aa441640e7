"""Rows of zones: what is in them, how old it is, and whether what is said is what is served."""
import os
import re
import shutil
import time

import dns.exception
import dns.message
import dns.query

import lib.ask as ask
from engine import Expect, Fact, scaled
from injections import set_clock
from lib.node import Node, merged
from lib.sync import Sync
from lib.netns import Namespace, inside
from place import HOST, NO_CANARIES, NO_HEAL, OneNode, SomeNodes, ZONE, intervals, until
from test_transfer_in import KEY, PART, SECRET, Named, NativeLiar, soa_at

OTHER_SECRET = "YW5vdGhlciBzZWNyZXQgb2YgYXMgbWFueSBvY3RldHM="
SERIAL_FIXED_S = 5  # a serial that is not the committed one is bad when it stays so for 5 s, at any ticks


class NewVersion(OneNode):
    """The file is replaced by another; nothing of it may be served."""
    with_upstream = False

    def inject(self):
        self.write_list(self.lines())

    def holds(self):
        answers = ask.ask(self.node.dns, ["%d.2.0.192.%s A" % (i, ZONE) for i in range(200)] + ["1.0.0.127.%s A" % ZONE])
        assert all(a.rcode == "NOERROR" and a.answers for a in answers[:-1]), "the old generation stays"
        assert answers[-1].rcode == "NXDOMAIN"
        assert self.ready() == 200

    def mend(self):
        self.write_list(["127.0.0.2"] + ["192.0.2.%d" % i for i in range(201)])


class ListTheWorld(NewVersion):
    number, variant, fault, did = 12, "own", "list-the-world", "0.0.0.0/1, 128.0.0.0/1 come with the next version of the file"
    expects = [Expect("zones", "zone:data", "refused", 30, ("warn", "fail"), ZONE)]

    def lines(self):
        return ["127.0.0.2", "0.0.0.0/1", "128.0.0.0/1"] + ["192.0.2.%d" % i for i in range(200)]


class Emptied(NewVersion):
    number, fault = 13, "zone emptied or truncated"
    expects = [Expect("zones", "zone:data", "refused", 30, ("warn", "fail"), ZONE)]


class EmptyFile(Emptied):
    variant, did = "emptied", "the next version of the file is empty"

    def lines(self):
        return []


class Truncated(Emptied):
    variant, did = "truncated", "the next version has a third of the entries"

    def lines(self):
        return ["127.0.0.2"] + ["192.0.2.%d" % i for i in range(66)]


class NoTestPoint(Emptied):
    variant, did = "no-test-point", "the next version lacks 127.0.0.2"

    def lines(self):
        return ["192.0.2.%d" % i for i in range(201)]


class AnotherFile(Emptied):
    variant, did = "error-page", "the next version is an error page in HTML"

    def lines(self):
        return ["<html><body>404 not found</body></html>"]


class FromBind(OneNode):
    """A zone that comes from BIND, in the node's own namespace."""
    with_upstream = False
    soa_times = (5, 1, 86400)

    def setup(self):
        super().setup()
        until("the zone is served", lambda: self.served() == 1, 60)

    def prepare(self):
        self.primary = Named(os.path.join(self.folder, "primary"), 1, range(1, 100))
        self.write_zone(1)
        self.enter(self.primary)

    def write_zone(self, serial, entries=100):
        refresh, retry, expire = self.soa_times
        text = "$ORIGIN %s\n$TTL 300\n@ SOA ns.test. box.test. %d %d %d %d 60\n@ NS ns.test.\n" % (
            ZONE, serial, max(1, round(scaled(refresh))), retry, expire)
        with open(self.primary.path("zone.new"), "w") as f:
            f.write(text + "".join("%d.0.0.127 A 127.0.0.2\n" % i for i in range(2, entries)))
        os.rename(self.primary.path("zone.new"), self.primary.path("zone"))

    def whole_config(self):
        return merged(super().whole_config(), {"rbl": {"keys": [KEY], "zones": [
            {"name": ZONE, "test": "rfc5782-ip4", "primaries": [{"address": "127.0.0.1@%d" % self.primary.port, "key": "k.test."}]}]}})

    def served(self):
        return soa_at(self.node.dns_port)


class SourceSilent(FromBind):
    number, fault, did = 14, "zone stale, source silent", "SIGSTOP of the primary, a BIND (refresh 5 s): its socket is open, it says nothing"
    expects = [Expect("replication", "replication:source", "no primary has answered", 65, id=ZONE)]
    may = ("zones",)

    def inject(self):
        self.primary.process.send_signal(19)

    def holds(self):
        assert self.served() == 1, "and it is served all the same"

    def mend(self):
        self.primary.process.send_signal(18)


class Expired(FromBind):
    """SOA times count whole seconds and do not shrink; the clock runs from the moment of expiry."""
    number, fault = 15, "zone past its SOA expire"
    did = "the primary is ended and its expire of 20 s passes; the clock runs from the moment that the page itself foretold"
    soa_times = (5, 1, 20)
    expects = [Expect("zones", "zone:data", "expired", 5, id=ZONE, fixed_s=1), Expect("replication", "replication:source", "expired", 5, fixed_s=1),
               Fact("clients get SERVFAIL", lambda row: row.rcode() == 2, 5, 1)]

    def inject(self):
        self.primary.__exit__()
        at = 0
        while time.time() < at or at == 0:
            m = re.search(r'candor_zone_expires_timestamp_seconds{zone="bl.test."} (\d+)', self.node.get("/metrics").text)
            at = int(m[1])
            time.sleep(0.05)
        self.begins()

    def rcode(self):
        return dns.query.udp(dns.message.make_query(ZONE, "SOA"), HOST, port=self.node.dns_port, timeout=1).rcode()

    def mend(self):
        self.write_zone(1)
        self.primary.__enter__()


class Backwards(FromBind):
    number, fault = 16, "serial goes backwards"
    did = "the primary, a BIND, is started anew with serial 7 behind 50 (refresh 5 s)"
    expects = [Expect("replication", "replication:source", "went backwards", 10, id=ZONE)]
    may = ("zones",)

    def setup(self):
        super().setup()
        self.write_zone(50)
        self.primary.reload()
        until("50 is served", lambda: self.served() == 50, 60)

    def inject(self):
        self.primary.__exit__()
        for f in os.listdir(self.primary.folder):
            if f.endswith(".jnl"):
                os.unlink(self.primary.path(f))
        self.write_zone(7)
        self.primary.__enter__()
        self.begins()

    def holds(self):
        assert self.served() == 50

    def mend(self):
        self.write_zone(51)
        self.primary.reload()
        until("the primary has it", lambda: soa_at(self.primary.port) == 51, 20)


class WrongKey(FromBind):
    number, fault, did = 21, "wrong or rotated key", "the primary, a BIND, gets another secret for the key; then the zone is asked for"
    expects = [Expect("replication", "replication:source", "BADSIG|BADKEY", 5, id=ZONE)]

    def rekey(self, secret):
        self.primary.configure(secret=secret)
        self.primary.reload()

    def inject(self):
        self.write_zone(2)
        self.rekey(OTHER_SECRET)
        until("the primary has the next serial", lambda: soa_at(self.primary.port) == 2, 20)
        self.node.candor("refresh", ZONE)
        self.begins()

    def mend(self):
        self.rekey(SECRET)


class NotServed(OneNode):
    """The resolver reads a copy of the state folder: what candor-sync commits does not reach it."""
    number, fault = 17, "committed but not served"
    did = "the resolver reads a copy of the node's state, so that the next commit does not reach it"
    with_upstream = False
    expects = [Expect("zones", "zone:serial", "serial", 30 + SERIAL_FIXED_S, id=ZONE, fixed_s=SERIAL_FIXED_S)]
    may = ("process",)

    def setup(self):
        self.ns = self.enter(Namespace())
        self.enter(inside(self.ns))
        c = merged(self.whole_config(), {"health": {"canary": NO_CANARIES, "interval": intervals()}})
        folder = os.path.join(self.folder, "node")
        self.sync = self.part(folder, "sync", c)
        until("the first commit", lambda: Sync(self.sync).ask(command="verify", zone=ZONE)["entries"] > 0, 30)
        shutil.copytree(os.path.join(folder, "state"), os.path.join(folder, "copy"))
        self.part(folder, "resolver", merged(c, {"node": {"state": "copy"}}))
        self.nodes["node"], self.victim = self.part(folder, "health", c), "node"

    def part(self, folder, program, config):
        n = Node(folder, config, program=program, prefix=["env"])
        n.path, n.log_path = os.path.join(folder, program + ".yaml"), os.path.join(folder, "log-" + program)
        n.write_config()
        self.stack.callback(n.stop)
        return n.start(ready=False)

    def inject(self):
        with open(self.list, "a") as f:
            f.write("198.51.100.7\n")
        until("the second commit", lambda: len(Sync(self.sync).ask(command="history", zone=ZONE)["history"]) == 2, 30)
        self.begins()

    def mend(self):
        """The resolver never hears of it: what heals is to start it on the right folder."""
        self.stack.close()
        self.nodes.clear()


class OtherContent(OneNode):
    number, fault = 18, "same serial, other content"
    did = "a primary that speaks the native protocol says another digest for the serial that the node has"
    with_upstream = False
    expects = [Expect("replication", "replication:digest", "other contents|differs|digest", 60, id=ZONE)]

    def setup(self):
        super().setup()
        until("the zone is served", lambda: soa_at(self.node.dns_port) == 7, 60)

    def prepare(self):
        self.primary = NativeLiar(7)
        self.primary.soa_text = "ns.test. box.test. %d 1 1 86400 60"
        self.primary.run = lambda: [[self.primary.part(PART, b"x")]]
        self.lies = False
        honest = self.primary.state
        self.primary.status = lambda: honest(1, digest=b"\1" * 16 if self.lies else self.digest())
        self.enter(self.primary)

    def digest(self):
        """What the node itself has by now: at first a digest that nobody can have yet."""
        try:
            m = re.search(r'candor_zone_digest_info{zone="bl.test.",serial="7",digest="([0-9a-f]+)"}', self.node.get("/metrics").text)
        except (OSError, KeyError):
            return b"\2" * 16
        return bytes.fromhex(m[1])[:16] if m else b"\2" * 16

    def whole_config(self):
        return merged(super().whole_config(), {"rbl": {"zones": [{"name": ZONE, "test": "none", "primaries": [self.primary.rule]}]}})

    def inject(self):
        self.lies = True

    def mend(self):
        self.lies = False


class Pair(SomeNodes):
    """node1 is the source, changed by hand; node0 follows it natively. SOA times of a busy list."""
    may = ()

    def config_of(self, i):
        zone = {"name": ZONE, "test": "none", "transfer": [{"key": "k.test."}],
                "soa": {"primary": "ns.test.", "contact": "box.test.", "refresh": "%ds" % max(1, round(scaled(5))), "retry": "1s", "expire": "1d",
                        "minimum": "5s"}, "ns": ["ns.test."]}
        if i == 1:
            zone.update({"update": [{"key": "k.test."}], "notify": [{"address": self.address(0) + "@5301", "key": "k.test."}]})
        else:
            zone["primaries"] = [{"address": self.address(1) + "@5301", "key": "k.test."}]
        return {"rbl": {"keys": [KEY], "zones": [zone]}, "health": NO_HEAL}

    def setup(self):
        super().setup()
        until("in step", lambda: self.serial(0) and self.serial(0) == self.serial(1), 60)

    def seed(self):
        socket = os.path.join(self.nodes["node1"].folder, "run", "sync.sock")
        until("candor-sync listens", lambda: os.path.exists(socket), 30)
        self.add_entries("192.0.2.1")

    def add_entries(self, *addresses):
        self.nodes["node1"].candor("add", ZONE, *addresses)

    def serial(self, i):
        n = self.nodes[self.name(i)]
        try:
            r = dns.query.udp(dns.message.make_query(ZONE, "SOA"), n.host, port=n.dns_port, timeout=1)
        except (OSError, dns.exception.DNSException):
            return None
        return r.answer[0][0].serial if r.answer else None


class QueueStuck(Pair):
    number, variant, fault = 19, "stuck", "NOTIFY lost, queue stuck"
    did = "SIGSTOP of the secondary's candor-sync, then 50 changes: the primary must say what lies queued, and since when"
    expects = [Expect("replication", "replication:secondaries", "behind", 60, node="node1")]
    may = (("node0", "*"),)

    def inject(self):
        self.stopped = self.nodes["node0"].daemon("sync")
        self.stop_processes(self.stopped)
        for i in range(50):
            self.add_entries("198.51.100.%d" % i)

    def mend(self):
        self.go_on(self.stopped)


class NotifyLost(Pair):
    number, variant, fault = 19, "lost", "NOTIFY lost, queue stuck"
    did = "nothing passes between primary and secondary any more; the zone changes, and the secondary cannot know"
    expects = [Expect("replication", "replication:source", "no primary has answered|source was last heard|unreachable", 60, ("fail", "warn"), ZONE),
               Expect("replication", "replication:secondaries", "behind|not heard|silent|unreachable", 60, node="node1")]

    def inject(self):
        self.lab.part(0, 1)
        self.add_entries("198.51.100.1")

    def holds(self):
        assert self.serial(0) != self.serial(1)

    def mend(self):
        self.lab.heal()

    def healed(self):
        until("in step again", lambda: self.serial(0) == self.serial(1), 60)


class ClockSkew(Pair):
    number, fault, did = 20, "TSIG clock skew", "the secondary's clock is put back by 120 s: warned of while everything still works"
    lab_options = {"clock": True}
    expects = [Expect("replication", "replication:clock", "clock", 60, ("warn",))]
    may = ("clock",)

    def add(self, i):
        super().add(i)
        if i == 0:
            self.clock = os.path.join(self.folder, "clock-offset")
            set_clock(self.clock, 0)
            self.nodes["node0"].prefix += ["LD_PRELOAD=" + self.lab.clock, "CANDOR_CLOCK=" + self.clock]

    def inject(self):
        set_clock(self.clock, -120)

    def holds(self):
        self.add_entries("198.51.100.2")
        until("transfers go on", lambda: self.serial(0) == self.serial(1), scaled(30) + 5)

    def mend(self):
        set_clock(self.clock, 0)
