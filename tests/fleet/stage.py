"""The founding story's stage at fleet size: five nodes, two monitors, and all that they report to, each on a machine of its own.

    scan1 ... scan5   nodes: peers of one another; they report by datagram and HTTPS to both monitors, into SQL and by SNMP
    m1, m2            monitors: watch the nodes and each other, tell Alertmanager; they report as nodes do
    db                PostgreSQL, by TLS
    snmp              snmptrapd; each node has an snmpd beside it, whose subagent it is
    am                prometheus-alertmanager
    eye               where the test stands: it reaches all, whatever happens between them

Each has a network namespace (tests/system/lib/lab.py, the relay: every link can be cut and slowed) and /etc/resolv.conf that
names 127.0.0.1: as on the mail servers of the story, a look-up goes to the node's own resolver. Wants root, CANDOR_BUILD.
CANDOR_TICKS divides all intervals (1: as a node comes).
"""
import base64
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "system"))
from lib.certs import Authority  # noqa: E402
from lib.lab import Lab  # noqa: E402
from lib.node import Node, merged, until  # noqa: E402
from lib.postgres import Postgres  # noqa: E402

import psutil  # noqa: E402
import requests  # noqa: E402

TICKS = float(os.environ.get("CANDOR_TICKS", "1"))
ZONE = "bl.test."
NET = "10.77.0.0/24"
SCANS = ["scan%d" % i for i in range(1, 6)]
MONITORS = ["m1", "m2"]
OTHERS = ["db", "snmp", "am", "eye"]
DATAGRAM, HTTPS, ALERTS, TRAPS = 5390, 5391, 9093, 162


def ms(seconds):
    return "%dms" % (seconds * 1000 / TICKS)


def key(name):
    secret = base64.b64encode(hashlib.sha256(name.encode()).digest()).decode()
    return {"name": name + ".", "algorithm": "hmac-sha256", "secret": secret}


class Program:
    """A program of somebody else's in a namespace, its output in a file."""

    def __init__(self, place, name, *argv):
        self.place, self.name, self.argv, self.process = place, name, argv, None
        self.log_path = os.path.join(place.folder, name + ".log")

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = self.place.ns.popen(*self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def processes(self):
        with contextlib.suppress(psutil.Error):
            p = psutil.Process(self.process.pid)
            return [p, *p.children(recursive=True)]
        return []

    def stop(self):
        if self.process is None:
            return
        for p in self.processes():
            with contextlib.suppress(psutil.Error):
                p.resume()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def log(self):
        with open(self.log_path, encoding="utf8", errors="replace") as f:
            return f.read()


class Stage:
    """with Stage(folder) as s: s.nodes["scan1"], s.db, s.part("scan1", "m1"). `nodes`: how many there are, up to five.
    `sinks`: what is on it beside the monitors."""

    def __init__(self, folder, nodes=5, sinks=("https", "sql", "snmp", "alert"), config=None):
        self.folder, self.sinks, self.extra = str(folder), sinks, config or {}
        self.scans = SCANS[:nodes]
        self.names = self.scans + MONITORS + OTHERS
        self.index = {n: i for i, n in enumerate(self.names)}
        self.stack = contextlib.ExitStack()
        self.nodes, self.programs, self.db = {}, {}, None

    def __enter__(self):
        try:
            self.build()
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *exc):
        self.stack.close()

    def at(self, name):
        return self.lab.nodes[self.index[name]].address

    def named(self, where):
        """m1@5390 with the address instead of the name."""
        name, sep, port = where.partition("@")
        return self.at(name) + sep + port if sep and name in self.index else where

    def place(self, name):
        return self.lab.nodes[self.index[name]]

    def build(self):
        self.lab = self.stack.enter_context(Lab(os.path.join(self.folder, "lab"), len(self.names)))
        self.authority = Authority(os.path.join(self.folder, "authority"))
        for n in self.names:
            self.resolv_conf(self.place(n))
        if "sql" in self.sinks:
            self.build_db()
        if "snmp" in self.sinks:
            self.build_snmp()
        if "alert" in self.sinks:
            self.build_alertmanager()
        self.stack.enter_context(self.lab.inside(self.index["eye"]))
        for name in self.scans + MONITORS:
            place = self.place(name)
            self.nodes[name] = Node(os.path.join(place.folder, "node"), self.config(name), host=place.address, prefix=place.ns.prefix + ["env"])
            self.nodes[name].dns_port = 53
        for n in self.nodes.values():
            self.stack.callback(n.stop)
            n.start(ready=False)
        for n in self.nodes.values():
            n.wait_ready()

    def resolv_conf(self, place):
        folder = "/etc/netns/" + place.ns.name
        os.makedirs(folder)
        self.stack.callback(shutil.rmtree, folder, True)
        with open(os.path.join(folder, "resolv.conf"), "w") as f:
            f.write("nameserver 127.0.0.1\n")

    def build_db(self):
        place = self.place("db")
        self.db = self.stack.enter_context(Postgres(os.path.join(place.folder, "db"), *self.authority.issue("db.fleet.test", days=90),
                                                    prefix=place.ns.prefix, address=place.address, allow=NET))

    def program(self, name, where, *argv):
        self.programs[name] = p = Program(self.place(where), name, *argv)
        self.stack.callback(p.stop)
        return p.start()

    def build_snmp(self):
        folder = self.place("snmp").folder
        conf = os.path.join(folder, "snmptrapd.conf")
        with open(conf, "w") as f:
            f.write("authCommunity log,net fleet\n")
        self.program("snmptrapd", "snmp", "snmptrapd", "-f", "-Lo", "-n", "-C", "-c", conf, "-m", "", "-On", "-p", os.path.join(folder, "pid"),
                     "udp:%s:%d" % (self.at("snmp"), TRAPS))
        for name in self.scans:
            place = self.place(name)
            conf = os.path.join(place.folder, "snmpd.conf")
            with open(conf, "w") as f:
                f.write("rocommunity fleet\nmaster agentx\nagentXSocket unix:%s\nagentXPerms 0600 0700\n" % self.agentx(name))
            self.program("snmpd-" + name, name, "snmpd", "-f", "-Lo", "-C", "-c", conf, "-m", "", "-p", os.path.join(place.folder, "snmpd.pid"),
                         "udp:%s:161" % place.address)

    def agentx(self, name):
        return os.path.join(self.place(name).folder, "agentx")

    def build_alertmanager(self):
        place = self.place("am")
        conf = os.path.join(place.folder, "alertmanager.yml")
        with open(conf, "w") as f:
            f.write("route: {receiver: none, group_wait: 1s}\nreceivers: [{name: none}]\n")
        self.program("alertmanager", "am", "prometheus-alertmanager", "--config.file=" + conf, "--storage.path=" + os.path.join(place.folder, "data"),
                     "--web.listen-address=%s:%d" % (place.address, ALERTS), "--cluster.listen-address=")
        with self.lab.inside(self.index["eye"]):
            until("Alertmanager answers", lambda: requests.get("http://%s:%d/-/ready" % (place.address, ALERTS), timeout=2).status_code == 200, 60)

    def config(self, name):
        """What `candor` is told on a machine; `config` of the constructor is laid over it: {name or "": {...}}."""
        others = [n for n in self.scans if n != name]
        here = self.at(name)
        watch = [n for n in MONITORS if n != name]
        report = {"datagram": [{"address": "%s@%d" % (self.at(m), DATAGRAM), "key": name + "."} for m in watch],
                  "https": [] if "https" not in self.sinks else [{"address": "%s@%d" % (self.at(m), HTTPS), "tls-name": m + ".fleet.test", "ca": self.authority.ca, "key": name + "."}
                            for m in watch]}
        if "sql" in self.sinks:
            report["sql"] = {"address": "%s@%d" % (self.at("db"), self.db.port), "tls-name": "db.fleet.test", "ca": self.authority.ca,
                             "password-file": self.db.password_file}
        if "snmp" in self.sinks and name in self.scans:
            report["snmp"] = {"agentx": self.agentx(name), "community": "fleet", "traps": ["%s@%d" % (self.at("snmp"), TRAPS)]}
        zone = os.path.join(self.folder, "list")
        with open(zone, "w") as f:
            f.write("127.0.0.2\n192.0.2.0/24\n")
        c = {"node": {"name": name},
             "resolver": {"listen": [{"address": here + "@53"}], "workers": 1, "recursion": {"enabled": False}},
             "rbl": {"keys": [key(n) for n in self.scans + MONITORS],
                     "zones": [{"name": ZONE, "test": "rfc5782-ip4", "data": [{"type": "ip4set", "files": [zone]}]}]},
             "health": {"interval": {"local": ms(5), "upstream": ms(15), "zones": ms(30), "peers": ms(5), "push": ms(15)},
                        "allow": ["127.0.0.0/8", NET], "canary": {"cached": "", "uncached-under": "", "nxdomain-under": ""},
                        "heal": {"restart-hung": False}, "report": report}}
        if name in self.scans:
            c["health"]["peers"] = [self.who(n) for n in others]
        else:
            certificate, k = self.authority.issue(name + ".fleet.test", days=90)
            c["health"]["monitor"] = {
                "enabled": True, "listen": [{"datagram": "%s@%d" % (here, DATAGRAM), "https": "%s@%d" % (here, HTTPS)}],
                "tls": {"certificate": certificate, "key": k}, "nodes": [dict(self.who(n), key=n + ".") for n in self.scans + watch]}
            if "alert" in self.sinks:
                c["health"]["monitor"]["alert"] = {"alertmanager": [{"address": "%s@%d" % (self.at("am"), ALERTS)}], "wait": ms(3)}
        return merged(merged(c, self.extra.get("", {})), self.extra.get(name, {}))

    def who(self, name):
        return {"name": name, "resolver": self.at(name) + "@53", "health": self.at(name) + "@5380"}

    def part(self, a, b):
        self.lab.part(self.index[a], self.index[b])

    def join(self, a, b):
        self.lab.heal(self.index[a], self.index[b])

    def slow(self, a, b, delay_ms):
        self.lab.path(self.index[a], self.index[b], delay_ms=delay_ms)

    def files(self):
        """Logs, for whoever looks after a failure."""
        return [n.log_path for n in self.nodes.values()] + [p.log_path for p in self.programs.values()]
