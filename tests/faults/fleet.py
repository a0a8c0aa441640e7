"""Rows of many nodes: reports, monitors, sinks; what is configured alike, and what is switched off."""
import os
import socket
import ssl
import time

import dns.message
import dns.query

from engine import Expect, Fact, scaled
from lib.certs import Authority
from lib.netns import Capture
from lib.postgres import Postgres
from lib.served import Web
from place import HOST, NO_HEAL, OneNode, SomeNodes, ZONE, until

KEYS = [{"name": "node%d." % i, "algorithm": "hmac-sha256", "secret": "%s==" % (c * 22)} for i, c in enumerate("YWM")]
MONITOR_PORT = 5390


class NoLookUp:
    """A hung resolver while a capture holds that nobody looks a name up."""

    def hang(self, node):
        self.stopped = [node.daemon("resolver")] + node.workers()
        self.stop_processes(*self.stopped)

    def mend(self):
        self.go_on(*self.stopped)

    def healed(self):
        time.sleep(0.3)
        assert self.capture.text() == "", "nobody looked a name up"


class Watched(SomeNodes):
    """node0 and node1 report to node2, which watches them."""
    count = 3

    def config_of(self, i):
        at = "%s@%d" % (self.address(2), MONITOR_PORT)
        c = {"rbl": {"keys": KEYS}, "health": dict(NO_HEAL)}
        if i < 2:
            c["health"]["report"] = {"datagram": [{"address": at, "key": "node%d." % i}]}
        else:
            c["health"]["monitor"] = {"enabled": True, "listen": [{"datagram": at}], "nodes": [
                {"name": self.name(k), "resolver": self.address(k) + "@5300", "key": "node%d." % k} for k in range(2)]}
        return c

    def setup(self):
        super().setup()
        until("all are heard", lambda: all(self.state("monitor", c) == "pass" for c in ("node:report", "node:answers", "node:agree")), scaled(90) + 20)

    def state(self, scope, check):
        found = self.nodes["node2"].scope(scope)["checks"].get(check, [])
        return "pass" if found and all(c["status"] in ("pass", "warn") for c in found) else "other"


class ReporterNeedsNoDns(NoLookUp, Watched):
    """The founding story: the resolver hangs, and everything to port 53 falls into a hole."""
    number, variant, fault = 42, "datagram", "the reporter needs DNS"
    did = "everything to port 53 is dropped and captured, and the resolver is stopped; the monitor must have the report"
    expects = [Expect("monitor", "node:report", "says fail|not ready", 15, node="node2", id="node0"),
               Expect("worker", "listen:udp", "no answer", 10)]
    may = (("node0", "*"), ("node2", "monitor"))

    def setup(self):
        super().setup()
        self.lab.nodes[0].ns.nft(["udp dport 53 counter drop", "tcp dport 53 counter drop"])
        self.capture = self.enter(Capture(self.lab.nodes[0].ns, "port 53"))

    def inject(self):
        self.hang(self.nodes["node0"])


class ReporterHung(Watched):
    number, fault, did = 43, "reporter hung, node fine", "SIGSTOP of candor-health of one node, and of the supervisor that would replace it"
    expects = [Expect("monitor", "node:report", "silent", 45, node="node2", id="node0")]
    may = (("node0", "*"),)

    def inject(self):
        n = self.nodes["node0"]
        self.stopped = [n.supervisor(), n.daemon("health")]
        self.stop_processes(*self.stopped)

    def holds(self):
        found = self.nodes["node2"].scope("monitor")["checks"]["node:answers"]
        assert all(c["status"] == "pass" for c in found), "the node answers all the same"

    def mend(self):
        self.go_on(*self.stopped)


class MonitorDead(Watched):
    number, fault, did = 44, "monitor dead", "SIGSTOP of the whole monitor: the nodes must say that nobody hears them"
    expects = [Expect("reporting", "report:monitor", "no monitor hears|nobody hears", 120), Expect("reporting", "report:monitor", "no monitor hears|nobody hears", 120, node="node1")]
    may = (("node2", "*"),)

    def inject(self):
        root = self.nodes["node2"].supervisor()
        self.stopped = [root] + root.children(recursive=True)
        self.stop_processes(*self.stopped)

    def holds(self):
        assert self.nodes["node0"].get("/readyz").status_code == 200

    def mend(self):
        self.go_on(*self.stopped)


class MonitorCutOff(Watched):
    number, fault, did = 45, "monitor partitioned", "nothing passes between the monitor and both nodes: it must say that it is itself cut off, and nothing of them"
    expects = [Expect("monitor", "monitor:quorum", "this monitor that is cut off", 30, node="node2")]
    may = (("node0", "reporting"), ("node1", "reporting"))

    def inject(self):
        for i in range(2):
            self.lab.part(2, i)

    def holds(self):
        def accused():
            checks = self.nodes["node2"].scope("monitor")["checks"]
            return ["%s %s" % (key, c["output"]) for key in ("node:report", "node:agree", "node:answers") for c in checks[key] if c["status"] == "fail"]
        until("it accuses nobody", lambda: not accused(), scaled(10) + 1)

    def mend(self):
        self.lab.heal()


class Sinks(OneNode):
    with_upstream = False

    def prepare(self):
        self.authority = Authority(os.path.join(self.folder, "authority"))

    def whole_config(self):
        c = super().whole_config()
        c["health"]["report"] = self.report()
        return c


class HttpsNeedsNoDns(NoLookUp, Sinks):
    number, variant, fault = 42, "https", "the reporter needs DNS"
    did = "everything to port 53 is dropped and captured, the resolver is stopped: the report over HTTPS, to a server with a name on its certificate, must come"
    expects = [Fact("the monitor has a report that is not ready", lambda row: row.told(), 15), Expect("worker", "listen:udp", "no answer", 10)]
    may = ("process", "zones", "resolution")
    config = {"health": NO_HEAL}

    def prepare(self):
        super().prepare()
        self.receiver = self.enter(Web(*self.authority.issue("monitor.example", days=90)))
        self.ns.nft(["udp dport 53 counter drop", "tcp dport 53 counter drop"])
        self.capture = self.enter(Capture(self.ns, "port 53"))

    def report(self):
        return {"https": [{"address": self.receiver.at, "tls-name": "monitor.example", "ca": self.authority.ca, "path": "/report"}]}

    def told(self):
        return self.began and any(body["report"]["ready"] is False for body in self.receiver.posted[self.before:] if "report" in body)

    def inject(self):
        self.before = until("a report has come", lambda: len(self.receiver.posted), 30)
        self.begins()
        self.hang(self.node)


class DatabaseDown(Sinks):
    number, fault, did = 46, "database down", "the PostgreSQL that reports go to is stopped (SIGSTOP of all its processes)"
    expects = [Expect("reporting", "report:sql", "wait", 60)]

    def prepare(self):
        super().prepare()
        self.db = self.enter(Postgres(os.path.join(self.folder, "db"), *self.authority.issue("db.example", days=90)))

    def report(self):
        return {"sql": {"address": "%s@%d" % (HOST, self.db.port), "tls-name": "db.example", "ca": self.authority.ca,
                        "password-file": self.db.password_file}}

    def inject(self):
        self.db.freeze()

    def holds(self):
        assert self.ready() == 200

    def mend(self):
        self.db.thaw()


class CertificateEnds(Sinks):
    """A receiver gets another certificate, as at a renewal that went wrong."""
    number, fault = 47, "certificate expired on the push path"
    days, since = 10, 0

    def prepare(self):
        super().prepare()
        self.long = self.authority.issue("monitor.example", days=90, file="good")
        self.bad = self.authority.issue("monitor.example", days=self.days, file="bad", since_days=self.since)
        self.receiver = Web(*self.long)
        self.receiver.__enter__()
        self.stack.callback(lambda: self.receiver.__exit__())

    def report(self):
        return {"https": [{"address": self.receiver.at, "tls-name": "monitor.example", "ca": self.authority.ca, "path": "/report"}]}

    def use(self, pair):
        port = self.receiver.server.server_address[1]
        self.receiver.__exit__()
        self.receiver = SamePort(port, pair)
        self.receiver.__enter__()

    def inject(self):
        self.use(self.bad)

    def mend(self):
        self.use(self.long)


class SamePort(Web):
    def __init__(self, port, pair):
        super().__init__(*pair)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        self.server.socket.close()
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((HOST, port))
        s.listen(16)
        self.server.server_address = (HOST, port)
        self.server.socket = context.wrap_socket(s, server_side=True, do_handshake_on_connect=False)


class CertificateNear(CertificateEnds):
    variant, did = "near", "the monitor's certificate is replaced by one that ends in ten days: said 21 days before"
    expects = [Expect("reporting", "report:certificate", "ends in 9 days", 60, ("warn",))]


class CertificateExpired(CertificateEnds):
    variant, did, days, since = "expired", "the monitor's certificate is replaced by one that ended ten days ago", 30, 40
    expects = [Expect("reporting", "report:.*", "expired", 60)]


class Configured(SomeNodes):
    """node1 has the catalog, node0 follows it: which zones there are is replicated, by RFC 9432."""
    number, fault = 48, "configuration not replicated"
    did = "the source of the catalog gets another zone, and nothing passes between the nodes: the member must say that it does not follow"
    expects = [Expect("replication", "catalog:.*|config:.*|replication:.*", "catalog|version|follow|answered|unreachable|behind", 60, ("warn", "fail"))]
    may = (("node1", "replication"), ("node0", "zones"))
    KEY = {"name": "k.test.", "algorithm": "hmac-sha256", "secret": "c29tZXRoaW5nIG9mIHRoaXJ0eS10d28gb2N0ZXRzIC4="}

    def config_of(self, i):
        soa = {"refresh": "%ds" % max(1, round(scaled(5))), "retry": "1s", "expire": "1d", "minimum": "5s"}
        zones = [{"name": ZONE, "test": "none", "transfer": [{"key": "k.test."}], "update": [{"key": "k.test."}], "soa": soa}]
        catalog = {"name": "catalog.test.", "zones": [ZONE], "transfer": [{"key": "k.test."}]}
        if i == 0:
            return {"rbl": {"keys": [self.KEY], "catalogs": [{"name": "catalog.test.", "primaries": [
                {"address": self.address(1) + "@5301", "key": "k.test."}]}]}}
        return {"rbl": {"keys": [self.KEY], "zones": zones, "catalogs": [catalog]}}

    def seed(self):
        control = os.path.join(self.nodes["node1"].folder, "run", "sync.sock")
        until("candor-sync listens", lambda: os.path.exists(control), 30)
        self.nodes["node1"].candor("add", ZONE, "192.0.2.1")

    def setup(self):
        super().setup()
        until("the member is served", lambda: self.rcode() == 0, 90)

    def rcode(self):
        n = self.nodes["node0"]
        return dns.query.udp(dns.message.make_query(ZONE, "SOA"), n.host, port=n.dns_port, timeout=1).rcode()

    def inject(self):
        self.lab.part(0, 1)

    def mend(self):
        self.lab.heal()


class OptionsUnfit(Configured):
    """The same two, and options of nodes in that catalog: a version that the member cannot run with."""
    variant, did = "options", "the source publishes options that name a key which the member does not have: it must say that it keeps the ones before"
    expects = [Expect("replication", "config:(applied|version)", "given up|is not in rbl.keys", 60, ("warn", "fail"))]

    def config_of(self, i):
        config = super().config_of(i)
        if i == 0:
            config["node"] = {"remote": {"catalog": "catalog.test.", "allow": ["health.peers"]}}
        return config

    def publish(self, text):
        node = self.nodes["node1"]
        path = os.path.join(node.folder, "options.yaml")
        with open(path, "w", encoding="utf8") as f:
            f.write(text)
        node.candor("config", "publish", path)

    def inject(self):
        self.publish("health: { peers: [ { name: other, resolver: 192.0.2.1, key: nobodys. } ] }")

    def mend(self):
        self.publish("")


class Off(OneNode):
    """The node is started anew with another configuration: what is not looked at must say so, from its first page on."""
    number, fault = 49, "a probe switched off or pointed elsewhere"
    restarts = True

    def inject(self):
        self.node.stop()
        before = self.node.config
        self.change()
        self.node.write_config()
        self.node.config = before
        self.node.start()
        self.begins()

    def mend(self):
        self.node.stop()
        self.node.write_config()
        self.node.start()


class CanaryOff(Off):
    variant, did = "canary", "health.canary.cached is set to nothing, and the zone's test to none"
    expects = [Expect("resolution", "canary:cached", "switched off", 5, ("warn",)), Expect("zones", "zone:.*", "no test point|switched off|test", 5, ("warn",))]

    def change(self):
        c = self.whole_config()
        zone = dict(c["rbl"]["zones"][0], test="none")
        self.node.config = {**self.node.config, "health": {**self.node.config["health"], "canary": {**c["health"]["canary"], "cached": ""}},
                            "rbl": {**self.node.config["rbl"], "zones": [zone]}}


class CanaryElsewhere(Off):
    variant, did = "elsewhere", "the random canary is pointed at a name that no forwarder is for"
    config = {"resolver": {"forward": [{"zone": "com.", "to": ["127.0.0.1@5353"]}]}}
    expects = [Expect("resolution", "canary:uncached", "no forwarder", 5, ("warn",))]

    def change(self):
        canary = {**self.node.config["health"]["canary"], "uncached-under": "example.org."}
        self.node.config = {**self.node.config, "health": {**self.node.config["health"], "canary": canary}}


class ReportsUndone(Off):
    """What the configuration names and cannot be done is said, and is never green."""
    variant, did = "undone", "SNMP is configured where there is no master agent, and an outside dead man's switch on a monitor that watches nobody"
    expects = [Expect("reporting", "report:agentx", "no master agent", 5, ("warn",)), Expect("monitor", "monitor:dead_man", "not fed", 5, ("warn",))]
    may = ("monitor", "reporting")
    good = "said"

    def change(self):
        more = {"report": {"snmp": {"traps": ["192.0.2.92@162"], "agentx": "/nowhere/master"}},
                "monitor": {"enabled": True, "dead-man": [{"address": "192.0.2.93@443", "tls-name": "x.example", "ca": "ca.pem", "path": "/", "interval": "1m"}]}}
        self.node.config = {**self.node.config, "health": {**self.node.config["health"], **more}}

