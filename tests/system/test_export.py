"""candor export: what it writes is read by Debian's rbldnsd, NSD and named, and they give the same answers."""
# time bound: 600 s
import contextlib
import ipaddress
import json
import os
import random
import re
import subprocess
import time

import pytest

from lib.ask import ask
from lib.node import Node, free_port, until
from lib.rbldnsd import rbldnsd

QUIET = {"canary": {"cached": "", "uncached-under": "", "nxdomain-under": ""}}
HEAD = "$SOA 600 ns.test. hostmaster.test. 7 300 60 86400 120\n$NS 600 ns.elsewhere. ns2.elsewhere.\n$TTL 300\n"
SEED = int(os.environ.get("CANDOR_SEED", "0")) or int(time.time())


class Lists:
    """Random lists that meet themselves: few networks, all lengths, exclusions in listed ones and back again."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.top = [10, 127, 192, 255, 0]

    def value(self, whole):
        r = self.rng.random()
        text = self.rng.choice(["", "listed", "see http://x.test/?" + ("$" if whole else "q"), 'a "quoted" \\ text', "costs $$5"])
        return "" if r < 0.3 else " :%d:%s" % (self.rng.randrange(2, 9), text)

    def address(self):
        return self.rng.choice(self.top) << 24 | self.rng.choice([0, 1, 2]) << 16 | self.rng.choice([0, 1, 255]) << 8 | self.rng.randrange(256)

    def prefix4(self):
        bits = self.rng.choice([32] * 8 + [31, 30, 29, 28, 27, 26, 25, 24, 24, 23, 22, 21, 20, 19, 18, 17, 16, 16, 15, 12, 9, 8] + [7, 4])
        return ipaddress.ip_network((self.address() >> (32 - bits) << (32 - bits), bits))

    def prefix6(self):
        bits = self.rng.choice([128] * 4 + [127, 125, 124, 120, 113, 112, 100, 96, 80, 65, 64, 64, 63, 60, 57, 56, 49, 48, 47, 36, 33, 32, 31, 29, 20])
        a = 0x20010db8 << 96 | self.rng.choice([0, 1]) << 80 | self.rng.choice([0, 1, 0xffff]) << 64 | self.rng.choice([0, 1, 0x8000]) << 48 | self.rng.randrange(64)
        return ipaddress.ip_network((a >> (128 - bits) << (128 - bits), bits))

    def name(self):
        return ".".join(self.rng.choice(["a", "b", "www", "mail", "x-y"]) for _ in range(self.rng.randrange(1, 4))) + "." + self.rng.choice(["com", "test", "co.uk"])

    def generic(self, count):
        rrs = ["A 192.0.2.%d" % self.rng.randrange(9), "600 A 192.0.2.77", 'TXT "words; and \\"more\\""', "MX 10 mx.test"]
        return "".join("%s %s\n" % (n, rr) for n in {self.rng.choice(["@", "www", "info." + self.name()]) for _ in range(count)}
                       for rr in self.rng.sample(rrs, 2))

    def entries(self, kind, count):
        lines = ["" if kind.endswith("-") else HEAD, ":127.0.0.2:by default\n"]
        kind = kind.rstrip("-")
        if kind == "generic":
            return HEAD + self.generic(count)
        if kind == "combined":
            return HEAD + "".join("$DATASET %s:x %s\n%s" % (t, subs, self.generic(30) if t == "generic" else self.entries(t + "-", count // 4)) for t, subs in [
                ("ip4set", "one @"), ("ip4trie", "two one"), ("ip6trie", "@"), ("dnset", "two names.deep"), ("generic", "one two @")])
        for _ in range(count):
            if kind in ("ip4tset", "ip6tset"):
                a = self.prefix6().network_address if kind == "ip6tset" else ipaddress.ip_address(self.address())
                lines.append(("%s\n" % a if kind == "ip4tset" else
                              "!%s\n" % a if self.rng.random() < 0.3 else "%s\n" % ":".join(a.exploded.split(":")[:4])))
                continue
            if kind == "dnset":
                entry, whole = self.rng.choice(["", "", "*.", "."]) + self.name(), True
            else:
                p = self.prefix6() if kind.startswith("ip6") else self.prefix4()
                entry, whole = str(p) if p.prefixlen < p.max_prefixlen else str(p.network_address), p.prefixlen == p.max_prefixlen
            lines.append("!%s\n" % entry if self.rng.random() < 0.25 else "%s%s\n" % (entry, self.value(whole)))
        return "".join(lines)

    def questions(self, zone, kinds, count):
        out = []
        for _ in range(count):
            kind = self.rng.choice(kinds)
            if kind == 4:
                p = self.prefix4()
                a = self.rng.choice([p.network_address, p.broadcast_address, ipaddress.ip_address(self.address()), ipaddress.ip_address(
                    min(2**32 - 1, max(0, int(p.network_address) + self.rng.choice([-1, 1, p.num_addresses]))))])
                name = ".".join(reversed(str(a).split(".")))
            elif kind == 6:
                p = self.prefix6()
                a = self.rng.choice([p.network_address, p.broadcast_address, p.network_address + self.rng.randrange(p.num_addresses),
                                     p.network_address - 1, p.broadcast_address + 1])
                name = ".".join(reversed(a.exploded.replace(":", "")))
            else:
                name = self.rng.choice(["", "a.", "z.", "b.www."]) + self.name()
            sub = self.rng.choice(["one.", "two.", "names.deep.", ""]) if zone.startswith("combi") else ""
            out += ["%s.%s%s %s" % (name, sub, zone, t) for t in ("A", "TXT")]
        return out


ZONES = {  # name -> datasets, kinds of questions
    "set4.bl.": (["ip4set"], [4]),
    "trie4.bl.": (["ip4trie"], [4]),
    "trie6.bl.": (["ip6trie"], [6]),
    "names.bl.": (["dnset"], ["n"]),
    "tset4.bl.": (["ip4tset"], [4]),
    "tset6.bl.": (["ip6tset"], [6]),
    "mixed.bl.": (["ip4set", "ip4trie", "ip4set", "ip6trie", "dnset", "generic", "ip4tset", "ip6tset"], [4, 6, "n"]),
    "combi.bl.": (["combined"], [4, 6, "n"]),
}


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    folder, lists = tmp_path_factory.mktemp("export"), Lists(SEED)
    zones = []
    for zone, (types, _) in ZONES.items():
        data = []
        for i, kind in enumerate(types):
            path = folder / ("%s%d" % (zone, i))
            path.write_text(lists.entries(kind, 400))
            data.append({"type": kind, "files": [str(path)]})
        zones.append({"name": zone, "data": data})
    zones += [{"name": "hand.bl."}, {"name": "empty.bl."}]
    print("CANDOR_SEED=%d" % SEED)
    with Node(folder / "node", {"health": QUIET, "rbl": {"zones": zones}}) as n:
        n.lists = folder
        yield n


def export(node, zone, how, to, check=True):
    with open(to, "wb") as f:
        p = subprocess.run(node.command("export", zone, "--format", how), stdout=f, stderr=subprocess.PIPE, timeout=60)
    assert p.returncode == 0 or not check, p.stderr
    return p


def answers(server, questions):
    """RCODE aside: who is not listed is NXDOMAIN for one and NODATA for the other. RRs in any order."""
    out, left = {}, questions
    for _ in range(5):  # a datagram may be lost
        got = ask(server, left, window=20, timeout_ms=1500)
        out.update({a.question: sorted(set(a.answers)) for a in got if a.took_us >= 0})
        left = [q for q in questions if q not in out]
        if not left:
            return out
    raise AssertionError("no answer from %s: %s" % (server, left[:5]))


def compare(what, one, other):
    wrong = [q for q in one if one[q] != other[q]]
    assert not wrong, "CANDOR_SEED=%d %s: %d of %d differ, such as %s: %s but %s" % (
        SEED, what, len(wrong), len(one), wrong[0], one[wrong[0]], other[wrong[0]])
    assert any(one.values()) and not all(one.values()), "a test of nothing"


@contextlib.contextmanager
def nsd(folder, zone, path):
    port = free_port()
    (folder / "nsd.conf").write_text("""server:
  ip-address: 127.0.0.1@%d
  username: ""
  zonesdir: "%s"
  database: ""
  xfrdfile: "%s/xfrd"
  zonelistfile: "%s/zones"
  pidfile: "%s/pid"
  server-count: 1
remote-control:
  control-enable: no
zone:
  name: %s
  zonefile: %s
""" % (port, folder, folder, folder, folder, zone, path))
    p = subprocess.Popen(["/usr/sbin/nsd", "-d", "-c", str(folder / "nsd.conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until("nsd answers", lambda: p.poll() is not None or ask("127.0.0.1@%d" % port, ["%s SOA" % zone], timeout_ms=200, sockets=1)[0].answers)
        assert p.poll() is None, "nsd does not start"
        yield "127.0.0.1@%d" % port
    finally:
        p.terminate()
        p.wait()


@contextlib.contextmanager
def named(folder, zone, path):
    port = free_port()
    (folder / "named.conf").write_text("""options { directory "%s"; pid-file none; listen-on port %d { 127.0.0.1; }; listen-on-v6 { none; };
  recursion no; session-keyfile none; minimal-responses yes; check-integrity no; };
controls { };
zone "%s" { type primary; file "%s"; };
""" % (folder, port, zone, path))
    p = subprocess.Popen(["/usr/sbin/named", "-f", "-4", "-c", str(folder / "named.conf"), "-n", "1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until("named answers", lambda: p.poll() is not None or ask("127.0.0.1@%d" % port, ["%s SOA" % zone], timeout_ms=200, sockets=1)[0].answers)
        assert p.poll() is None, "named does not start"
        yield "127.0.0.1@%d" % port
    finally:
        p.terminate()
        p.wait()


def check_rbldnsd(node, zone, kinds, tmp_path, count=800):
    path = tmp_path / (zone + "rbldnsd")
    export(node, zone, "rbldnsd", path)
    kind = path.read_text().split("\n", 1)[0].split(":")[-2]
    questions = Lists(SEED + 1).questions(zone, kinds, count)
    with rbldnsd([(zone, kind, str(path))]) as (server, _):
        compare("rbldnsd " + zone, answers(node.dns, questions), answers(server, questions))


def without_ttl(answers):
    return {q: sorted({re.sub(r"^(\w+) \d+ ", r"\1 ", rr) for rr in rrs}) for q, rrs in answers.items()}


def check_bind(node, zone, kinds, tmp_path, servers, count=800, ttl=True):
    path = tmp_path / (zone + "bind")
    export(node, zone, "bind", path)
    questions = Lists(SEED + 1).questions(zone, kinds, count)
    cut = (lambda a: a) if ttl else without_ttl
    here = cut(answers(node.dns, questions))
    for server in servers:
        with server(tmp_path, zone, path) as address:
            compare("%s %s" % (server.__name__, zone), here, cut(answers(address, questions)))


@pytest.mark.parametrize("zone", ZONES)
def test_rbldnsd_gives_the_same_answers(node, tmp_path, zone):
    check_rbldnsd(node, zone, ZONES[zone][1], tmp_path)


@pytest.mark.parametrize("zone", ZONES)
def test_bind_and_nsd_give_the_same_answers(node, tmp_path, zone):
    check_bind(node, zone, ZONES[zone][1], tmp_path, [nsd, named])


def test_no_address_of_the_other_kind_is_listed_by_a_wildcard(node, tmp_path):
    """2.0.0.0/16 becomes *.0.2, and so could end every address of 2000::/8."""
    (tmp_path / "low").write_text(HEAD + "2.0.0.0/16\n1.2.3.0/24\n3.0.0.0/8\n4.5.6.7\n12.0.0.0/8\n!3.1.0.0/16\n3.2.1.0/24 :5:x\n3.2.1.9 :6:y\n")
    node.candor("publish", "hand.bl.", "ip4trie:%s" % (tmp_path / "low"))
    export(node, "hand.bl.", "bind", tmp_path / "zone")
    rng, questions = random.Random(SEED), []
    for a in [2, 3, 1, 4] * 300:
        v4 = [a, rng.choice([0, 1, 2, 5, 9, 10, 200]), rng.choice([0, 3, 6, 1, 77]), rng.choice([0, 1, 7, 9, 44])]
        questions.append(".".join(map(str, reversed(v4))) + ".hand.bl. A")
        nibbles = [a] + [rng.randrange(16) if rng.random() < 0.3 else rng.randrange(4) for _ in range(31)]
        if nibbles[:4] != [2, 0, 0, 2]:  # 6to4 is looked up in IPv4 data here
            questions.append(".".join("%x" % n for n in reversed(nibbles)) + ".hand.bl. A")
    here = answers(node.dns, questions)
    assert not any(v for q, v in here.items() if len(q) > 60)
    with nsd(tmp_path, "hand.bl.", tmp_path / "zone") as address:
        compare("nsd hand.bl.", here, answers(address, questions))


def change_by_hand(node, zone, lists, kinds):
    """Adds and takes away in places where the files say something, and where they do not."""
    add, remove = [], []
    for _ in range(150):
        kind = lists.rng.choice(kinds)
        p = lists.prefix4() if kind == 4 else lists.prefix6() if kind == 6 else None
        entry = lists.rng.choice(["", "*."]) + lists.name() if p is None else str(p) if p.prefixlen < p.max_prefixlen else str(p.network_address)
        whole = p is None or p.prefixlen == p.max_prefixlen
        if kind == 4 and not whole and p.prefixlen % 8 and "ip4set" in ZONES[zone][0]:
            continue  # what an ip4set cannot say: the export says so in a comment
        (remove if lists.rng.random() < 0.2 else add).append(("!" if lists.rng.random() < 0.4 else "") + entry + " " + (lists.value(whole).strip() or ":2:by hand"))
    for command, lines in (("add", add), ("del", remove)):
        text = "".join((line if command == "add" and line[0] != "!" else line.split()[0].lstrip("!" if command == "del" else "")) + "\n" for line in lines)
        p = subprocess.run(node.command(command, zone, "-"), input=text, capture_output=True, text=True, timeout=60)
        assert p.returncode == 0, p.stderr


@pytest.mark.parametrize("zone", ["trie4.bl.", "set4.bl.", "trie6.bl.", "names.bl.", "tset4.bl.", "tset6.bl.", "mixed.bl."])
def test_what_was_changed_by_hand_is_exported(node, tmp_path, zone):
    change_by_hand(node, zone, Lists(SEED + 2), ZONES[zone][1])
    check_rbldnsd(node, zone, ZONES[zone][1], tmp_path)
    check_bind(node, zone, ZONES[zone][1], tmp_path, [nsd], ttl=False)  # RRs of a set have one TTL there


def test_named_checkzone_has_nothing_to_say(node, tmp_path):
    export(node, "mixed.bl.", "bind", tmp_path / "zone")
    p = subprocess.run(["named-checkzone", "-i", "local", "mixed.bl.", str(tmp_path / "zone")], capture_output=True, text=True)
    assert p.returncode == 0 and "serial 7" in p.stdout + p.stderr or "loaded serial" in p.stdout, p.stdout + p.stderr


def test_plain_and_json_have_every_entry(node, tmp_path):
    export(node, "mixed.bl.", "plain", tmp_path / "plain")
    export(node, "mixed.bl.", "json", tmp_path / "json")
    plain = (tmp_path / "plain").read_text().splitlines()
    objects = [json.loads(line) for line in (tmp_path / "json").read_text().splitlines()]
    assert plain == [("!" if o["excluded"] else "") + o["entry"] for o in objects]
    entries = int(node.candor("history", "mixed.bl.", "--json").stdout.splitlines()[0].split('"entries":')[1].split(",")[0])
    assert len(plain) == entries
    assert {o["type"] for o in objects} == {"ip4set", "ip4trie", "ip6trie", "dnset", "generic", "ip4tset", "ip6tset", "local"}
    assert all("a" in o or "rr" in o or o["excluded"] for o in objects)
    assert any(o.get("txt") == "costs $$5" for o in objects)


def test_export_of_what_is_not_there(node, tmp_path):
    p = node.candor("export", "nowhere.bl.", check=False)
    assert p.returncode == 2 and "nowhere.bl." in p.stderr
    p = node.candor("export", "empty.bl.", check=False)
    assert p.returncode == 2 and p.stdout == "", p
    p = node.candor("export", "set4.bl.", "--format", "xml", check=False)
    assert p.returncode == 3 and "xml" in p.stderr


def test_a_full_disk_is_no_success(node):
    with open("/dev/full", "wb") as full:
        p = subprocess.run(node.command("export", "set4.bl."), stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert p.returncode == 2 and b"standard output" in p.stderr, p
