"""Rows between neighbours: service addresses, firewalls, and who is slow himself."""
import threading
import time

from engine import Expect, scaled
from place import SomeNodes, drop, undrop, until

KEY = {"name": "k.test.", "algorithm": "hmac-sha256", "secret": "c29tZXRoaW5nIG9mIHRoaXJ0eS10d28gb2N0ZXRzIC4="}
SERVICE = "10.88.0.%d"


class Neighbours(SomeNodes):
    """Three nodes, each the others' peer; node0 also has a service address that the others have a route to."""
    count = 3
    lab_options = {"wire": "bridge"}  # the relay knows one address of each node

    def config_of(self, i):
        peers = []
        for k in range(self.count):
            if k != i:
                peers.append({"name": self.name(k), "resolver": self.address(k) + "@5300", "health": self.address(k) + "@5380", "key": "k.test."})
                if k == 0:
                    peers[-1]["service-addresses"] = [SERVICE % 1 + "@5300"]
        c = {"rbl": {"keys": [KEY]}, "health": {"peers": peers}}
        if i == 0:
            c["resolver"] = {"listen": [{"address": self.address(0) + "@5300"}, {"address": SERVICE % 1 + "@5300"}]}
            c["health"]["service-addresses"] = [SERVICE % 1 + "@5300"]
        return c

    def setup(self):
        super().setup()
        until("all peers pass", lambda: all(self.peers_green(i) for i in range(self.count)), scaled(60) + 20)

    def add(self, i):
        run = self.lab.nodes[i].ns.run
        if i == 0:
            run("ip", "addr", "add", SERVICE % 1 + "/32", "dev", "lo")
        else:
            run("ip", "route", "add", SERVICE % 1 + "/32", "via", self.address(0))
        super().add(i)

    def peers_green(self, i):
        doc = self.nodes[self.name(i)].health()
        return doc["scopes"].get("peers", {}).get("status") == "pass"


class ServiceAddressDead(Neighbours):
    """On the node itself the address is reached by loopback, and all is well."""
    number, fault, did = 31, "loopback fine, service address dead", "nft drops what comes to the service address from the wire; the node's own packets never were on the wire"
    expects = [Expect("peers", "peer:answers", "", 15, id="10\\.88\\.0\\.1", node="node1"),
               Expect("peers", "peer:sees_us", "10\\.88\\.0\\.1", 15, ("warn", "fail"), node="node0")]
    may = (("node2", "peers"), ("node1", "replication"), ("node2", "replication"))

    def inject(self):
        drop(self.lab.nodes[0].ns, "iifname lab0 ip daddr 10.88.0.1 udp dport 5300", "iifname lab0 ip daddr 10.88.0.1 tcp dport 5300")

    def holds(self):
        assert self.document("node0")["scopes"]["worker"]["status"] == "pass", "the node itself reaches it"

    def mend(self):
        undrop(self.lab.nodes[0].ns)


class Firewall(Neighbours):
    number, fault = 32, "firewall between nodes"
    did = "nft at node1 drops what node0 asks it (DNS and health port); what node1 asks node0 passes, and node2 reaches both"
    expects = [Expect("peers", "peer:answers", "", 20, id="node1", node="node0"),
               Expect("peers", "peer:sees_us", "", 20, ("warn", "fail"), "node0", node="node1")]
    may = (("node2", "peers"), ("node0", "replication"), ("node1", "replication"))

    def inject(self):
        drop(self.lab.nodes[1].ns, "ip saddr 10.77.0.1 udp dport 5300", "ip saddr 10.77.0.1 tcp dport { 5300, 5380 }")

    def holds(self):
        found = self.document("node1")["checks"]["peer:answers"]
        assert all(c["status"] == "pass" for c in found), "the other direction is fine: %s" % [c for c in found if c["status"] != "pass"][:1]

    def mend(self):
        undrop(self.lab.nodes[1].ns)


class SlowAccuser(Neighbours):
    """candor-health of one node gets hardly any time. Its own lateness must be what it speaks of."""
    number, fault = 50, "a slow node accuses its peers"
    did = "candor-health of one node is stopped for most of the time, in irregular naps, for a minute"
    expects = [Expect("process", "process:lag", "late", 60, ("warn", "fail"))]
    may = (("node0", "process"),)

    def inject(self):
        self.over = threading.Event()
        self.health = self.nodes["node0"].daemon("health")
        self.thread = threading.Thread(target=self.naps, daemon=True)
        self.thread.start()

    def naps(self):
        n = 0
        while not self.over.is_set():
            n += 1
            self.health.suspend()
            time.sleep(scaled(2 + n % 3))
            self.health.resume()
            self.over.wait(0.15)

    def holds(self):
        end = time.monotonic() + scaled(60)
        while time.monotonic() < end:
            for name in ("node0", "node1", "node2"):
                doc = self.document(name)
                if doc:
                    bad = [c for key, cs in doc["checks"].items() for c in cs if key.startswith("peer") and c["status"] == "fail" and name == "node0"]
                    assert not bad, "node0 accuses: %s" % bad[:1]
            time.sleep(0.2)

    def mend(self):
        self.over.set()
        self.thread.join()
