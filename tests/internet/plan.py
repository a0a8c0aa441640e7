"""What a small internet is made of: zones, servers and their faults, from names and a seed. Nothing here runs.

The names are real ones where the machine has them (the folder CANDOR_LISTS/names, see lists.py), else made ones of the same
shape. Every address is inside the namespaces of the test: node k has 41.0.k.0/24 and 2a41:0:k::/48. The same names, seed and
shares always make the same internet.
"""
import collections
import os
import random
import re

from lib import lists

ROOT_NODE, TLD_NODES, HOST_NODES, LIAR_NODE, SILENT_NODE, LAME_NODE = 0, (1, 2, 3), (4, 5, 6), 7, 8, 9
MAKES = {0: "knot", 1: "knot", 2: "nsd", 3: "named", 4: "knot", 5: "nsd", 6: "named", 9: "nsd"}
NODES = 10
RESOLVER_NODE = 10  # and following: one each
HOSTERS_EACH = 8
TTL = 3600
FALSE_A = "41.66.66.66"  # what only lies say; an answer with it is a poisoned one

# Shares of zones and of names, in per mille.
ZONE_KINDS = [("lame-one", 30), ("silent-one", 20), ("lying-one", 15), ("lame-all", 3), ("silent-all", 2), ("wild", 15), ("ns-differ", 30),
              ("two-makes", 150), ("in-bailiwick", 300), ("six-only", 20), ("undelegated", 15)]
NAME_KINDS = [("cname", 120), ("nxdomain", 60), ("nodata", 60), ("big", 8), ("many", 20), ("dname", 20)]
TYPES = [("A", 650), ("AAAA", 150), ("MX", 130), ("TXT", 70)]

Server = collections.namedtuple("Server", "name four six node")  # six, four: an address or None
Question = collections.namedtuple("Question", "name type tags")


class Zone:
    def __init__(self, name, servers, kind="plain"):
        self.name, self.servers, self.kind = name, list(servers), kind
        self.nodes = set()        # which hold its data
        self.child_servers = None  # where the zone itself names others than its parent
        self.lines = []           # "owner type rdata"
        self.cuts = []            # (child zone)
        self.glue = set()

    def text(self):
        out = ["$TTL %d" % TTL, "%s SOA %s hostmaster.%s 1 3600 600 86400 %d" % (self.name, self.servers[0].name, dotted(self.name), TTL // 4)]
        out += ["%s NS %s" % (self.name, s.name) for s in self.child_servers or self.servers]
        out += ["%s %s %s" % l for l in sorted(self.glue | own_glue(self.name, self.child_servers or self.servers))]
        for child in self.cuts:
            out += ["%s NS %s" % (child.name, s.name) for s in child.servers]
        return "\n".join(out + self.lines) + "\n"


def dotted(name):
    return "" if name == "." else name


def own_glue(zone, servers):
    """Addresses of servers whose names are in the zone."""
    return {(s.name, kind, address) for s in servers for kind, address in (("A", s.four), ("AAAA", s.six))
            if address and (zone == "." or s.name == zone or s.name.endswith("." + zone))}


def address4(node, host):
    return "41.0.%d.%d" % (node, host)


def address6(node, host):
    return "2a41:0:%x::%x" % (node, host)


def server(name, node, host, four=True, six=True):
    return Server(name, address4(node, host) if four else None, address6(node, host) if six else None, node)


def real_names(limit):
    """`limit` names, lower case with a final dot, from the real list or made ones."""
    path = os.path.join(lists.FOLDER, "names", "real-names-100k.txt.gz")
    names = lists.read_gz(path) if os.path.exists(path) else made_names(limit)
    good = re.compile(r"(?=.{1,200}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.){1,9}[a-z][a-z0-9-]{1,20}")
    kept = [n + "." for n in (n.strip().lower().rstrip(".") for n in names) if good.fullmatch(n) and n.split(".")[-2] != "nic"]
    if len(kept) > limit:  # from all over the list: its parts have different shapes
        kept = sorted(random.Random(7).sample(kept, limit))
    return kept


def made_names(count):
    rng = random.Random(5)
    words = ["alpha", "mail", "shop", "blue", "news", "data", "city", "home", "cloud", "post", "www", "river", "stone"]
    tops, out = ["com", "net", "org", "gov", "de", "fr", "io", "info"], set()
    while len(out) < count:
        sld = "%s%s%d.%s" % (rng.choice(words), rng.choice(words), rng.randrange(count // 4 + 1), rng.choice(tops))
        out.add(".".join([rng.choice(words) for _ in range(rng.choice([0, 1, 1, 2, 3]))] + [sld]) + ".")
    return sorted(out)


def drawn(rng, table, rest="plain"):
    at = rng.randrange(1000)
    for name, share in table:
        if at < share:
            return name
        at -= share
    return rest


class Internet:
    """.zones {name: Zone}, .questions, .hints (text of a hints file), .addresses {node: [address]}"""

    def __init__(self, names, seed=1):
        self.rng, self.names = random.Random(seed), names
        self.zones, self.questions = {}, []
        self.root_servers = [server("%s.root-servers.net." % c, ROOT_NODE, i + 1) for i, c in enumerate("abc")]
        self.lame = [server("ns%d.lame.net." % i, LAME_NODE, i) for i in (1, 2)]
        self.silent = [server("ns%d.silent.net." % i, SILENT_NODE, i) for i in (1, 2)]
        self.liar = server("ns1.liar.net.", LIAR_NODE, 1)
        self.hosters = []
        self.make_hosters()
        self.make_zones()
        self.make_names()
        self.make_extras()
        self.rng.shuffle(self.questions)

    def make_hosters(self):
        """Two servers each; most have both address families, some only one."""
        for node in HOST_NODES:
            for i in range(HOSTERS_EACH):
                four, six = (False, True) if i == 0 else (True, i % 2 == 0)
                zone = "hoster%d.net." % len(self.hosters)
                self.hosters.append([server("ns%d.%s" % (k + 1, zone), node, 2 * i + k + 1, four, six) for k in range(2)])

    def hoster(self, six_only=False, node=None):
        some = [h for h in self.hosters if (h[0].four is None) == six_only and (node is None or h[0].node == node)]
        return self.rng.choice(some)

    def make_zones(self):
        self.add(Zone(".", self.root_servers), {ROOT_NODE})
        tops = sorted({n.rstrip(".").rsplit(".", 1)[-1] for n in self.names} | {"net"})
        for number, top in enumerate(tops):
            if number % 40 == 39 and top != "net":
                continue  # a top level domain that does not exist
            nodes = self.rng.sample(TLD_NODES, 2)
            self.add(Zone(top + ".", [server("%s.nic.%s." % (c, top), n, 1 + number % 8) for c, n in zip("ab", nodes)]), set(nodes))
        infra = [("root-servers.net.", self.root_servers, {ROOT_NODE}), ("lame.net.", self.hosters[1], {self.hosters[1][0].node}),
                 ("silent.net.", self.hosters[1], {self.hosters[1][0].node}), ("liar.net.", self.hosters[1], {self.hosters[1][0].node})]
        for name, servers, nodes in infra:
            self.add(Zone(name, servers, "infra"), nodes)
        for fellow in self.lame + self.silent + [self.liar]:
            zone = self.zones[fellow.name.split(".", 1)[1]]
            zone.lines += ["%s A %s" % (fellow.name, fellow.four), "%s AAAA %s" % (fellow.name, fellow.six)]
        for h in self.hosters:
            self.add(Zone(h[0].name.split(".", 1)[1], h, "infra"), {h[0].node})
        for sld in sorted({".".join(n.split(".")[-3:]) for n in self.names}):
            self.make_hosted(sld)
        deep = collections.Counter(".".join(n.split(".")[-4:]) for n in self.names if n.count(".") >= 4)
        for name in sorted(n for n, count in deep.items() if count > 2):
            if self.zone_of(name).kind not in ("undelegated", "wild") and self.rng.random() < 0.5:
                self.make_hosted(name)

    def add(self, zone, nodes):
        zone.nodes = set(nodes)
        self.zones[zone.name] = zone
        if zone.name != ".":
            parent = self.zone_of(zone.name.split(".", 1)[1] or ".")
            parent.cuts.append(zone)
            parent.glue |= own_glue(parent.name, zone.servers)
        return zone

    def make_hosted(self, name):
        if name in self.zones or name.split(".", 1)[1] not in self.zones and name.count(".") == 2:
            return
        kind = drawn(self.rng, ZONE_KINDS)
        if kind == "undelegated":
            return
        servers = list(self.hoster(six_only=kind == "six-only"))
        nodes = {servers[0].node}
        child = None
        if kind == "in-bailiwick":
            servers = [Server("ns%d.%s" % (i + 1, name), s.four, s.six, s.node) for i, s in enumerate(servers)]
        elif kind == "two-makes":
            other = self.hoster(node=self.rng.choice([n for n in HOST_NODES if n != servers[0].node]))
            servers, nodes = [servers[0], other[0]], nodes | {other[0].node}
        elif kind == "ns-differ":
            other = self.hoster(node=servers[0].node)
            child = [servers[0], other[1]]
        elif kind == "lying-one":
            servers = [self.liar, servers[1]]
            nodes |= {HOST_NODES[0]}  # where the liar looks the truth up
        elif kind in ("lame-one", "silent-one"):
            servers = [servers[0], self.lame[0] if kind == "lame-one" else self.silent[0]]
        elif kind in ("lame-all", "silent-all"):
            servers, nodes = (self.lame if kind == "lame-all" else self.silent), set()
        self.add(Zone(name, servers, kind), nodes).child_servers = child

    def zone_of(self, name):
        while name not in self.zones:
            name = name.split(".", 1)[1] or "."
        return self.zones[name]

    def data(self, name, kind, many=1):
        rng = self.rng
        if kind == "A":
            return ["192.%d.%d.%d" % (rng.randrange(3, 160), rng.randrange(256), rng.randrange(1, 255)) for _ in range(many)]
        if kind == "AAAA":
            return ["2a41:ffff::%x:%x" % (rng.randrange(65536), rng.randrange(65536)) for _ in range(many)]
        if kind == "MX":
            return ["%d mx%d.%s" % (10 * (i + 1), i, self.rng.choice(self.names)) for i in range(many)]
        return ['"v=spf1 ip4:192.0.%d.0/24 -all"' % rng.randrange(256)] + ['"line %d of %s"' % (i, name) for i in range(1, many)]

    def make_names(self):
        targets = []  # names that have an address at the end, with how many CNAMEs lead there
        for name in self.names:
            zone, kind, qtype = self.zone_of(name), drawn(self.rng, NAME_KINDS), drawn(self.rng, TYPES)
            tags = (zone.kind, kind)
            self.questions.append(Question(name, qtype, tags))
            if zone.name.count(".") < 2 or zone.kind == "infra":
                continue  # the registry says that there is no such domain
            if zone.kind == "wild":
                if not zone.lines:
                    zone.lines += ["*.%s %s %s" % (zone.name, t, self.data(name, t)[0]) for t in ("A", "MX")]
                continue
            if kind == "nxdomain" and name != zone.name:
                continue
            if kind == "cname" and name != zone.name and targets:
                target, depth = self.rng.choice(targets)
                zone.lines.append("%s CNAME %s" % (name, target))
                if depth < 4:
                    targets.append((name, depth + 1))
            elif kind == "nodata":
                zone.lines.append("%s %s %s" % (name, "HINFO", '"none" "none"'))
            elif kind == "big":
                zone.lines += ['%s TXT "%s" "%d"' % (name, "x" * 240, i) for i in range(self.rng.choice([4, 8, 16]))]
                self.questions[-1] = Question(name, "TXT", tags)
            else:
                zone.lines += ["%s %s %s" % (name, qtype, d) for d in self.data(name, qtype, 12 if kind == "many" else self.rng.choice([1, 1, 2, 4]))]
                if qtype == "A" and zone.kind in ("plain", "in-bailiwick", "two-makes", "six-only", "lame-one"):
                    targets.append((name, 0))
            if kind == "dname":
                self.make_dname(zone, name)

    def make_dname(self, zone, name):
        """A subtree of another zone that stands for this one; asked by a name in it."""
        if name == zone.name or not name.endswith("." + zone.name) or zone.kind != "plain":
            return
        other = self.rng.choice([z for z in self.some_zones() if z.kind == "plain"] or [zone])
        owner = "dn%d.%s" % (len(self.questions), other.name)
        other.lines.append("%s DNAME %s" % (owner, zone.name))
        self.questions.append(Question(name[:-len(zone.name)] + owner, "A", (other.kind, "dname")))

    def some_zones(self):
        if not hasattr(self, "hosted"):
            self.hosted = [z for z in self.zones.values() if z.name.count(".") >= 2 and z.kind not in ("infra",)]
        return self.rng.sample(self.hosted, min(8, len(self.hosted)))

    def make_extras(self):
        """Beside the names of the list: wildcards with an empty non-terminal, referrals of the registry itself, types at cuts."""
        for zone in self.some_zones():
            if zone.kind in ("plain", "two-makes", "in-bailiwick"):
                zone.lines += ["*.wc.%s A 192.5.5.5" % zone.name, "deep.er.wc.%s TXT \"below\"" % zone.name]
                self.questions += [Question("%s.%s" % (l, zone.name), "A", (zone.kind, "wildcard")) for l in ("a.wc", "x.y.wc", "er.wc", "z.er.wc", "wc")]
            self.questions += [Question(zone.name, t, (zone.kind, "apex")) for t in ("NS", "SOA", "DS")]
        for top in [z for z in self.zones.values() if z.name.count(".") == 1 and z.name != "."][:20]:
            self.questions += [Question(top.name, t, ("tld", "apex")) for t in ("NS", "SOA", "A")]
            self.questions.append(Question("no-such-domain-here.%s" % top.name, "A", ("tld", "nxdomain")))

    @property
    def hints(self):
        lines = [". 3600000 NS %s" % s.name for s in self.root_servers]
        for s in self.root_servers:
            lines += ["%s 3600000 A %s" % (s.name, s.four), "%s 3600000 AAAA %s" % (s.name, s.six)]
        return "\n".join(lines) + "\n"

    @property
    def addresses(self):
        """{node: [(four or None, six or None)]}: what a server there listens on."""
        out = {node: set() for node in range(NODES)}
        for z in self.zones.values():
            for s in z.servers + (z.child_servers or []):
                out[s.node].add((s.four, s.six))
        for s in self.lame + self.silent + [self.liar]:
            out[s.node].add((s.four, s.six))
        return {node: sorted(a, key=str) for node, a in out.items()}
