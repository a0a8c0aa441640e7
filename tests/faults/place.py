"""Where a row's nodes stand: one node with its upstream in one namespace, or several in a lab."""
import os

from engine import Row, TICKS
from lib.lab import Lab
from lib.netns import Namespace, inside
from lib.node import Node, merged, until
from lib.upstream import Upstream

ZONE = "bl.test."
HOST = "127.0.0.1"
UPSTREAM_PORT = 5353
CANARIES = {"cached": "example.com.", "uncached-under": "example.com.", "nxdomain-under": "com."}
NO_CANARIES = {"cached": "", "uncached-under": "", "nxdomain-under": ""}
NO_HEAL = {"heal": {"restart-hung": False}}


def drop(ns, *rules):
    """Packets that come in, dropped without a word; each rule the text behind `add rule inet faults in`."""
    lines = ["add table inet faults", "add chain inet faults in { type filter hook input priority 0; }"]
    ns.run("nft", "-f", "-", input="\n".join(lines + ["add rule inet faults in %s counter drop" % r for r in rules]) + "\n")


def undrop(ns):
    ns.run("nft", "delete", "table", "inet", "faults")


def ms(seconds):
    return "%dms" % (seconds * 1000 / TICKS)


def intervals():
    return {"local": ms(5), "upstream": ms(15), "zones": ms(30), "peers": ms(5), "push": ms(15)}


class OneNode(Row):
    """A node, `candor run`, on 127.0.0.1, with one blocklist from a file and one forwarder that does as it is told.

    `config` is laid over the rest; `environment` goes before the program; upstream_mode None: no forwarder."""
    config, zone, environment, with_upstream, entries = {}, {}, (), True, 200  # zone: further options of the blocklist
    victim_name = "node"

    def setup(self):
        self.ns = self.enter(Namespace())
        self.enter(inside(self.ns))
        self.prepare()
        self.upstream = self.enter(Upstream(host=HOST, port=UPSTREAM_PORT)) if self.with_upstream else None
        self.victim = self.victim_name
        self.nodes[self.victim] = Node(os.path.join(self.folder, "node"), self.whole_config(), prefix=["env", *self.environment])
        self.stack.callback(self.node.stop)
        self.node.start()

    def prepare(self):
        """Before anything runs: files, file systems, further addresses."""

    @property
    def list(self):
        return os.path.join(self.folder, "list")

    def write_list(self, lines):
        with open(self.list + ".new", "w") as f:
            f.writelines(line + "\n" for line in lines)
        os.rename(self.list + ".new", self.list)

    def whole_config(self):
        self.write_list(["127.0.0.2"] + ["192.0.2.%d" % i for i in range(self.entries)])
        c = {"resolver": {"workers": 2},
             "rbl": {"zones": [{"name": ZONE, "test": "rfc5782-ip4", "data": [{"type": "ip4set", "files": [self.list]}], **self.zone}]},
             "health": {"interval": intervals(), "canary": CANARIES if self.with_upstream else NO_CANARIES}}
        if self.with_upstream:
            c["resolver"]["forward"] = [{"zone": ".", "to": ["%s@%d" % (HOST, UPSTREAM_PORT)]}]
        return merged(c, self.config)

    def ready(self):
        return self.node.get("/readyz").status_code


class SomeNodes(Row):
    """Nodes of Candor in a lab, each in a namespace of its own; one more place belongs to the row's process, so that it
    reaches all of them whatever happens between them. config_of(i) lies over the base."""
    count = 2
    lab_options = {}

    def setup(self):
        self.lab = self.enter(Lab(os.path.join(self.folder, "lab"), self.count + 1, **self.lab_options))
        self.enter(self.lab.inside(self.count))
        for i in range(self.count):
            self.add(i)
        self.victim = self.name(0)
        for n in self.nodes.values():
            self.stack.callback(n.stop)
            n.start(ready=False)
        self.seed()
        for n in self.nodes.values():
            n.wait_ready()

    def seed(self):
        """What a node needs before it can be ready."""

    def name(self, i):
        return "node%d" % i

    def address(self, i):
        return self.lab.nodes[i].address

    def add(self, i):
        place = self.lab.nodes[i]
        base = {"node": {"name": self.name(i)},
                "resolver": {"workers": 1},
                "health": {"interval": intervals(), "canary": NO_CANARIES, "allow": ["127.0.0.0/8", "10.77.0.0/24"]}}
        n = Node(place.folder, merged(base, self.config_of(i)), host=place.address, prefix=place.ns.prefix + ["env"])
        self.nodes[self.name(i)] = n

    def config_of(self, i):
        return {}


__all__ = ["OneNode", "SomeNodes", "ZONE", "HOST", "UPSTREAM_PORT", "CANARIES", "NO_CANARIES", "NO_HEAL", "drop", "undrop", "ms", "intervals", "until"]
