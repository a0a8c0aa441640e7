"""Rows of sockets, families and packets."""
from engine import Expect
from place import OneNode, drop, undrop


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
    expects = [Expect("worker", "listen:udp", "", 10, id="127.0.0.1")]
