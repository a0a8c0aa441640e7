"""Rows of resolution: upstreams that are gone, that fail, that lie, and remote lists."""
import time

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode

from engine import Expect, Fact, scaled
from place import HOST, OneNode, drop, undrop, until

GUARD = "zen.test."


class BlackHole(OneNode):
    number, fault, did = 7, "upstream black hole", "nft drops everything that goes to the forwarder"
    expects = [Expect("upstream", "upstream:answers", "no answer", 45, id="127.0.0.1@5353"), Expect("resolution", "canary:uncached", "", 45)]

    def inject(self):
        drop(self.ns, "udp dport 5353", "tcp dport 5353")

    def holds(self):
        assert self.ready() == 200, "zones are served: readiness stays"

    def mend(self):
        undrop(self.ns)


class UpstreamFails(OneNode):
    number, fault, mode = 8, "upstream SERVFAIL or REFUSED", ""

    def inject(self):
        self.upstream.mode = self.mode

    def mend(self):
        self.upstream.mode = "answer"


class UpstreamServfail(UpstreamFails):
    variant, mode, did = "servfail", "servfail", "the forwarder answers everything with SERVFAIL"
    expects = [Expect("upstream", "upstream:answers", "SERVFAIL", 30), Expect("resolution", "canary:uncached", "SERVFAIL", 30)]


class UpstreamRefused(UpstreamFails):
    variant, mode, did = "refused", "refused", "the forwarder answers everything with REFUSED"
    expects = [Expect("upstream", "upstream:answers", "REFUSED", 30), Expect("resolution", "canary:uncached", "", 30)]


class OutageOver(OneNode):
    """What is measured is the way back: that probing goes on while all has failed, and that the node is out of its own back-off."""
    number, variant, fault = 9, "over", "outage over, resolver still stuck"
    did = "the forwarder was silent for a minute, and is back: the clock runs from there"
    asked = 0
    expects = [Fact("both scopes pass, and clients get answers", lambda row: row.well(), 30)]
    may = ("upstream", "resolution")

    def inject(self):
        drop(self.ns, "udp dport 5353", "tcp dport 5353")
        until("both are red", lambda: all(self.node.scope(s)["status"] == "fail" for s in ("upstream", "resolution")), scaled(90))
        before = len(self.upstream.seen)
        end = time.monotonic() + scaled(60)
        while time.monotonic() < end:
            self.client("x%d.example.com." % time.monotonic())
        assert len(self.upstream.seen) == before, "nothing came through"
        undrop(self.ns)
        self.begins()

    def client(self, name):
        try:
            return dns.query.udp(dns.message.make_query(name, "A"), HOST, port=self.node.dns_port, timeout=1).rcode()
        except (OSError, dns.exception.DNSException):
            return None

    def well(self):
        self.asked += 1
        doc = self.node.health()
        return self.began and self.client("y%d.example.com." % self.asked) == dns.rcode.NXDOMAIN and all(
            doc["scopes"][s]["status"] == "pass" for s in ("upstream", "resolution"))


class StillStuck(OneNode):
    """The resolver's own way to the forwarder stays broken (its packets have a source address of their own), while the
    forwarder answers the prober again: nobody but the resolver is to blame."""
    number, variant, fault = 9, "stuck", "outage over, resolver still stuck"
    did = "an outage ends for everybody but the resolver: nft goes on dropping what comes from its source address; the clock runs from there"
    config = {"resolver": {"outgoing": ["127.0.0.9"]}}
    expects = [Expect("resolution", "resolution:stuck", "", 30, fixed_s=6)]  # how long the resolver itself tries does not shrink
    may = ("upstream",)

    def inject(self):
        drop(self.ns, "udp dport 5353", "tcp dport 5353")
        until("both are red", lambda: all(self.node.scope(s)["status"] == "fail" for s in ("upstream", "resolution")), scaled(90))
        undrop(self.ns)
        drop(self.ns, "ip saddr 127.0.0.9 udp dport 5353", "ip saddr 127.0.0.9 tcp dport 5353")
        self.begins()

    def mend(self):
        undrop(self.ns)


class Hijack(OneNode):
    number, fault, did = 10, "NXDOMAIN hijack, captive portal", "the forwarder answers every name with its own address, NOERROR"
    expects = [Expect("resolution", "canary:nxdomain", "rewrites|does not exist", 60)]

    def inject(self):
        self.upstream.mode = "hijack"

    def mend(self):
        self.upstream.mode = "answer"


class Guarded(OneNode):
    config = {"resolver": {"guard": [{"zone": GUARD, "refuse": ["127.255.255.0/24"], "test": "rfc5782-ip4"}]}}
    def prepare(self):
        self.point, self.no_point = "2.0.0.127.%s A" % GUARD, "1.0.0.127.%s A" % GUARD

    def whole_config(self):
        # what a list says is cached for as long as such lists let it be
        self.upstream.ttl = max(1, int(scaled(30)))
        self.upstream.names = {"example.com. A": ["192.0.2.10"], self.point: ["127.0.0.2"], GUARD + " SOA": []}
        return super().whole_config()

    def mend(self):
        self.upstream.names = {"example.com. A": ["192.0.2.10"], self.point: ["127.0.0.2"]}


class ListRefuses(Guarded):
    number, fault, did = 11, "a remote list refuses us", "the remote list answers 127.255.255.254 to its test point, as one does whose questions come by an open resolver"
    expects = [Expect("zones", "guard:point_listed", "refuse|may not ask|127\\.255\\.255\\.254|not ask|SERVFAIL", 60, id=GUARD)]

    def inject(self):
        self.upstream.names[self.point] = ["127.255.255.254"]


class ListsTheWorld(Guarded):
    number, variant, fault, did = 12, "remote", "list-the-world", "the remote list answers 127.0.0.2 for 127.0.0.1 too, as one does whose domain was sold"
    expects = [Expect("zones", "guard:point_unlisted", "", 60, id=GUARD)]

    def inject(self):
        self.upstream.names[self.no_point] = ["127.0.0.2"]


class Loop(OneNode):
    number, fault, did = 41, "forwarding loop", "the forwarder forwards everything back to this node"
    expects = [Expect("resolution", "canary:loop", "loop|came back|again", 15, ("warn", "fail"))]
    may = ("upstream", "worker")

    def inject(self):
        address = (HOST, self.node.dns_port)
        straight = self.upstream.answer

        def back(wire, proto):
            if proto != "udp":
                return straight(wire, proto)
            q = dns.message.from_wire(wire)
            try:
                r = dns.query.udp(q, address[0], port=address[1], timeout=2)
            except (OSError, dns.exception.DNSException):
                return None
            r.id = q.id
            return r.to_wire()

        self.straight, self.upstream.answer = straight, back

    def mend(self):
        self.upstream.answer = self.straight


class Validation(OneNode):
    """The forwarder validates, and answers accordingly: AD for a name that is signed well, SERVFAIL for one that is not. Its
    answers are what a validating server gives; it signs nothing itself."""
    number, fault = 38, "trust anchor or signature expiry"
    config = {"health": {"canary": {"signed": "signed.example.com.", "bogus": "bogus.example.com."}}}
    validates, anchor = True, True

    def whole_config(self):
        self.upstream.ttl = max(1, int(scaled(30)))
        self.upstream.names.update({"signed.example.com. A": ["192.0.2.11"], "bogus.example.com. A": ["192.0.2.12"]})
        self.plain, self.upstream.answer = self.upstream.answer, self.answer
        return super().whole_config()

    def answer(self, wire, proto):
        r = dns.message.from_wire(self.plain(wire, proto))
        name = r.question[0].name.to_text().lower()
        refuse = (name == "signed.example.com." and not self.anchor) or (name == "bogus.example.com." and self.validates)
        if refuse:
            r.answer, r.authority = [], []
            r.set_rcode(dns.rcode.SERVFAIL)
        elif name == "signed.example.com." and self.validates:
            r.flags |= dns.flags.AD
        return r.to_wire(max_size=65535)

    def mend(self):
        self.validates = self.anchor = True


class AnchorExpired(Validation):
    variant, did = "anchor", "the forwarder refuses (SERVFAIL) a name that is signed well, as with a trust anchor that was not rolled or signatures that ran out"
    expects = [Expect("upstream", "upstream:signed", "right signatures are refused", 300), Expect("resolution", "canary:signed", "right signatures", 300)]

    def inject(self):
        self.anchor = False


class ValidationOff(Validation):
    variant, did = "off", "the forwarder no longer validates: it answers a name whose signatures are wrong, and sets no AD"
    expects = [Expect("upstream", "upstream:bogus", "nobody validates", 300), Expect("resolution", "canary:bogus", "nobody validates", 300),
               Expect("upstream", "upstream:signed", "without AD", 300)]

    def inject(self):
        self.validates = False
