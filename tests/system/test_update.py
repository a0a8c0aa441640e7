"""UPDATE with TSIG on the sync port: nsupdate, knsupdate and dnspython as publishers, over UDP and TCP; who may; what is wrong
with a signature; many publishers at once; killed in the middle, every acknowledged one is there."""
# time bound: 420 s
import base64
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
import dns.query
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.tsig
import dns.update
import dns.wire
import pytest
import requests

from lib import ask
from lib.node import Node, until

ZONE, FILES, NAMES, OPEN, BOTH, COPY, QUIET, NEW = ("%s.test." % z for z in ("list", "files", "names", "open", "both", "copy", "quiet", "new"))
SECRET = base64.b64encode(bytes(range(32))).decode()
OTHER = base64.b64encode(bytes(range(64, 128))).decode()
KEYS = {"pub.": ("hmac-sha256", SECRET), "pub512.": ("hmac-sha512", OTHER), "old.": ("hmac-sha1", SECRET), "stranger.": ("hmac-sha256", OTHER)}


def key(name, secret=None, algorithm=None):
    return dns.tsig.Key(name, base64.b64decode(secret or KEYS[name][1]), algorithm or KEYS[name][0])


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    folder = tmp_path_factory.mktemp("update")
    (folder / "list").write_text("127.0.0.2\n192.0.2.9 :4:see $\n198.51.100.0/24 :9:net\n")
    (folder / "names").write_text("test\nbad.example :4:bad\n")
    secret = folder / "pub512.secret"
    secret.write_text(OTHER + "\n")
    secret.chmod(0o600)
    zones = [
        {"name": ZONE, "update": [{"key": "pub."}, {"key": "pub512."}, {"key": "old."}]},
        {"name": FILES, "data": [{"type": "ip4trie", "files": [str(folder / "list")]}], "test": "rfc5782-ip4", "update": [{"key": "pub."}]},
        {"name": NAMES, "data": [{"type": "dnset", "files": [str(folder / "names")]}], "update": [{"key": "pub."}]},
        {"name": OPEN, "update": [{"address": "127.0.0.0/8"}]},
        {"name": BOTH, "update": [{"key": "pub.", "address": "127.0.0.2"}]},
        {"name": QUIET},
        {"name": NEW, "update": [{"key": "pub."}]},
    ]
    keys = [{"name": n, "algorithm": a, "secret": s} for n, (a, s) in KEYS.items() if n != "pub512."]
    keys.append({"name": "pub512.", "algorithm": "hmac-sha512", "secret-file": str(secret)})
    with Node(folder / "node", {"rbl": {"keys": keys, "zones": zones}}) as n:
        until("the files are read", lambda: listed(n, "127.0.0.2", FILES))
        yield n


def reverse(addr):
    return ".".join(reversed(addr.split(".")))


def answers(node, what, zone, rtype="A"):
    name = "%s.%s" % (reverse(what) if what[0].isdigit() and what.count(".") == 3 else what, zone)
    a = ask.ask(node.dns, ["%s %s" % (name, rtype)])[0]
    return a.rcode, sorted(x.split(None, 2)[-1] for x in a.answers)


def listed(node, what, zone):
    rcode, found = answers(node, what, zone)
    assert rcode in ("NOERROR", "NXDOMAIN"), rcode
    return found


def send(node, message, tcp=False, timeout=20, **kw):
    ask_by = dns.query.tcp if tcp else dns.query.udp
    return ask_by(message, node.host, timeout, port=node.sync_port, **kw)


def updated(node, zone, *changes, by="pub.", tcp=False, edns=False, prerequisites=()):
    """`changes`: (method, *arguments) of dnspython's Update. The RCODE as text, and the reply."""
    m = dns.update.UpdateMessage(zone)
    for method, *arguments in (*prerequisites, *changes):
        getattr(m, method)(*arguments)
    if edns:
        m.use_edns(0, payload=1232)
    if by is not None:
        m.use_tsig(key(by))
    r = send(node, m, tcp)
    assert r.id == m.id and r.opcode() == dns.opcode.UPDATE and r.flags & dns.flags.QR
    return dns.rcode.to_text(r.rcode()), r


def accepted(node, zone, *changes, **kw):
    rcode, r = updated(node, zone, *changes, **kw)
    assert rcode == "NOERROR", r
    assert r.had_tsig == (kw.get("by", "pub.") is not None)
    return r


def nsupdate(node, lines, *options, check=True):
    script = "server %s %d\n%s\nsend\nanswer\n" % (node.host, node.sync_port, lines)
    p = subprocess.run(["nsupdate", *options], input=script, capture_output=True, text=True, timeout=60)
    assert not check or p.returncode == 0, p.stdout + p.stderr
    return p


@pytest.mark.parametrize("options", [[], ["-v"]], ids=["udp", "tcp"])
def test_nsupdate(node, options):
    host = "10" if options else "20"
    signed = ["-y", "hmac-sha256:pub.:" + SECRET, *options]
    nsupdate(node, "zone %s\nupdate add %s.2.0.192.%s 300 A 127.0.0.2\nupdate add %s.2.0.192.%s 300 TXT \"why $5\"" % (ZONE, host, ZONE, host, ZONE), *signed)
    assert answers(node, "192.0.2." + host, ZONE) == ("NOERROR", ["127.0.0.2"])
    assert answers(node, "192.0.2." + host, ZONE, "TXT") == ("NOERROR", ['"why $5"'])
    # The zone found by itself now, from an SOA question that is signed too; prerequisites.
    nsupdate(node, "prereq yxdomain %s.2.0.192.%s\nupdate add *.3.0.192.%s 60 A 127.0.0.3" % (host, ZONE, ZONE), *signed)
    assert answers(node, "192.0.3.77", ZONE) == ("NOERROR", ["127.0.0.3"])
    p = nsupdate(node, "prereq nxdomain %s.2.0.192.%s\nupdate delete *.3.0.192.%s" % (host, ZONE, ZONE), *signed, check=False)
    assert p.returncode != 0 and "YXDOMAIN" in p.stdout + p.stderr
    assert answers(node, "192.0.3.77", ZONE) == ("NOERROR", ["127.0.0.3"])
    nsupdate(node, "zone %s\nupdate delete %s.2.0.192.%s\nupdate delete *.3.0.192.%s A" % (ZONE, host, ZONE, ZONE), *signed)
    assert answers(node, "192.0.2." + host, ZONE)[0] == answers(node, "192.0.3.77", ZONE)[0] == "NXDOMAIN"
    bad = nsupdate(node, "zone %s\nupdate add 1.2.0.192.%s 300 A 127.0.0.2" % (ZONE, ZONE), "-y", "hmac-sha256:pub.:" + OTHER, *options, check=False)
    assert bad.returncode != 0 and "BADSIG" in bad.stdout + bad.stderr


def test_the_first_update_of_all(node):
    """No zone line: nsupdate finds the zone by its SOA, though nothing was ever committed."""
    assert answers(node, "192.0.2.1", NEW)[0] == "SERVFAIL"
    nsupdate(node, "update add 1.2.0.192.%s 60 A 127.0.0.2" % NEW, "-y", "hmac-sha256:pub.:" + SECRET)
    until("the resolver has found the zone", lambda: answers(node, "192.0.2.1", NEW) == ("NOERROR", ["127.0.0.2"]))


@pytest.mark.parametrize("options", [[], ["-v"]], ids=["udp", "tcp"])
def test_knsupdate(node, options):
    def run(lines, secret=SECRET):
        script = "server %s %d\nkey hmac-sha256:pub. %s\nzone %s\norigin %s\nttl 60\n%s\nsend\nanswer\n" % (node.host, node.sync_port, secret, ZONE, ZONE, lines)
        return subprocess.run(["knsupdate", *options], input=script, capture_output=True, text=True, timeout=60)

    p = run("add 7.2.0.192 A 127.0.0.7\nadd 7.2.0.192 TXT \"knot\"\nadd evil.com A 127.0.0.8")
    assert p.returncode == 0 and "failed" not in p.stdout + p.stderr, p.stdout + p.stderr
    assert answers(node, "192.0.2.7", ZONE, "TXT") == ("NOERROR", ['"knot"'])
    assert answers(node, "evil.com", ZONE) == ("NOERROR", ["127.0.0.8"])
    p = run("prereq nxdomain 7.2.0.192\ndel evil.com")
    assert "YXDOMAIN" in p.stdout + p.stderr
    p = run("del 7.2.0.192\ndel evil.com")
    assert p.returncode == 0 and answers(node, "192.0.2.7", ZONE)[0] == answers(node, "evil.com", ZONE)[0] == "NXDOMAIN"
    p = run("add 7.2.0.192 A 127.0.0.7", OTHER)
    assert p.returncode != 0 or "fail" in (p.stdout + p.stderr).lower()
    assert answers(node, "192.0.2.7", ZONE)[0] == "NXDOMAIN"


def test_every_algorithm_and_key(node):
    for i, name in enumerate(["pub.", "pub512.", "old."]):
        for tcp in (False, True):
            accepted(node, ZONE, ("replace", "%d.1.0.192" % i, 60, "A", "127.0.0.2"), by=name, tcp=tcp)
            assert answers(node, "192.0.1.%d" % i, ZONE) == ("NOERROR", ["127.0.0.2"])
    r = subprocess.run(["dig", "@" + node.host, "-p", str(node.sync_port), "-y", "hmac-sha512:pub512.:" + OTHER, ZONE, "SOA", "+short"],
                       capture_output=True, text=True, timeout=60)
    assert r.returncode == 0 and len(r.stdout.split()) == 7 and "verify" not in r.stderr + r.stdout, r


def test_addresses_prefixes_names(node):
    v6 = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"
    accepted(node, ZONE, ("add", v6, 60, "A", "127.0.0.2"), ("add", "*.9.b.d.0.1.0.0.2", 60, "A", "127.0.0.3"), ("add", "*.11", 60, "A", "127.0.0.4"),
             ("add", "*.bad.example", 60, "A", "127.0.0.5"), ("add", "mx.bad", 60, "MX", "10 mail.example."))
    assert answers(node, v6, ZONE)[1] == ["127.0.0.2"]
    assert answers(node, v6.replace("8.b.d", "9.b.d"), ZONE)[1] == ["127.0.0.3"]
    assert answers(node, "11.1.2.3", ZONE)[1] == ["127.0.0.4"]
    assert answers(node, "www.bad.example", ZONE)[1] == ["127.0.0.5"] and answers(node, "bad.example", ZONE)[1] == []
    assert answers(node, "mx.bad", ZONE, "MX")[1] == ["10 mail.example."]
    assert answers(node, "mx.bad", ZONE, "A") == ("NOERROR", [])
    accepted(node, ZONE, ("delete", "*.11"), ("delete", "*.bad.example"), ("delete", "mx.bad", "MX"))
    assert answers(node, "11.1.2.3", ZONE)[0] == answers(node, "www.bad.example", ZONE)[0] == answers(node, "mx.bad", ZONE, "MX")[0] == "NXDOMAIN"
    accepted(node, NAMES, ("add", "1.2.3.4", 60, "A", "127.0.0.2"))
    assert answers(node, "1.2.3.4", NAMES)[1] == []  # asked as 4.3.2.1: no such name
    assert answers(node, "4.3.2.1", NAMES)[1] == ["127.0.0.2"]


def test_beside_files(node):
    accepted(node, FILES, ("delete", "9.2.0.192"), ("add", "10.2.0.192", 60, "A", "127.0.0.2"))
    assert answers(node, "192.0.2.9", FILES)[0] == "NXDOMAIN" and answers(node, "192.0.2.10", FILES)[1] == ["127.0.0.2"]
    accepted(node, FILES, ("add", "9.2.0.192", 60, "A", "127.0.0.5"))
    assert answers(node, "192.0.2.9", FILES)[1] == ["127.0.0.5"]
    rcode, _ = updated(node, FILES, ("add", "11.2.0.192", 60, "A", "127.0.0.2"), prerequisites=(("absent", "9.2.0.192"),))
    assert rcode == "YXDOMAIN"
    # A guard of the zone: the point that must be listed, and the one that must not.
    rcode, r = updated(node, FILES, ("delete", "2.0.0.127"), edns=True)
    assert rcode == "REFUSED" and "test point" in ede(r), r
    rcode, r = updated(node, FILES, ("add", "*.127", 60, "A", "127.0.0.2"), edns=True)
    assert rcode == "REFUSED" and ede(r), r
    assert answers(node, "127.0.0.2", FILES)[1] == ["127.0.0.2"] and answers(node, "127.0.0.1", FILES)[1] == []
    why = node.candor("why", "192.0.2.10", FILES).stdout
    assert "update pub." in why, why
    assert "update pub." in node.candor("history", FILES).stdout


def ede(reply):
    texts = [o.text or "" for o in reply.options if isinstance(o, dns.edns.EDEOption)]
    return texts[0] if texts else ""


def test_zone_of_a_primary_that_nobody_reaches(tmp_path):
    """The first is handed on in vain, the next not tried at once; who may not send learns nothing of it."""
    add = ("add", "1.2.0.192", 60, "A", "127.0.0.2")
    zone = {"name": COPY, "primaries": [{"address": "127.0.0.1@9", "key": "pub."}], "update": [{"key": "pub."}]}
    keys = [{"name": n, "algorithm": KEYS[n][0], "secret": KEYS[n][1]} for n in ("pub.", "stranger.")]
    with Node(tmp_path, {"rbl": {"keys": keys, "zones": [zone]}}, program="sync") as n:
        until("it listens", lambda: updated(n, COPY, add, by="stranger.", tcp=True)[0] == "REFUSED")
        for _ in range(2):
            rcode, r = updated(n, COPY, add, edns=True)
            assert rcode == "SERVFAIL" and "primary" in ede(r)


def test_who_may(node):
    add = ("add", "1.2.0.192", 60, "A", "127.0.0.2")
    assert updated(node, ZONE, add, by=None)[0] == "REFUSED"
    assert updated(node, ZONE, add, by="stranger.")[0] == "REFUSED"
    assert updated(node, OPEN, add, by=None)[0] == "NOERROR"
    assert updated(node, OPEN, add, by="stranger.")[0] == "NOERROR"
    assert updated(node, QUIET, add)[0] == "REFUSED"
    assert updated(node, "nowhere.test.", add)[0] == updated(node, "sub." + ZONE, add)[0] == "NOTAUTH"
    m = dns.update.UpdateMessage(BOTH)
    m.add("1.2.0.192", 60, "A", "127.0.0.2")
    m.use_tsig(key("pub."))
    assert send(node, m).rcode() == dns.rcode.REFUSED
    assert send(node, m, source="127.0.0.2").rcode() == dns.rcode.NOERROR
    m.keyring = None
    m = dns.update.UpdateMessage(BOTH)
    m.add("1.2.0.192", 60, "A", "127.0.0.2")
    assert send(node, m, source="127.0.0.2").rcode() == dns.rcode.REFUSED
    assert not any(s in node.log() for s in (SECRET, OTHER))


def raw(node, wire, tcp=False):
    with socket.create_connection((node.host, node.sync_port), 20) if tcp else socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(20)
        if not tcp:
            s.connect((node.host, node.sync_port))
            s.send(wire)
            return s.recv(65535)
        s.sendall(struct.pack(">H", len(wire)) + wire)
        return s.recv(65537)[2:]


def tsig_of(wire):
    """The TSIG at the end of a message, or None; dnspython shows none that it cannot prove."""
    parser = dns.wire.Parser(wire, 4)
    counts, found = parser.get_struct("!HHHH"), None
    for section, count in enumerate(counts):
        for _ in range(count):
            parser.get_name()
            rtype, rclass = parser.get_struct("!HH")
            if section == 0:
                continue
            _, size = parser.get_struct("!IH")
            with parser.restrict_to(size):
                found = dns.rdata.from_wire_parser(rclass, rtype, parser) if rtype == dns.rdatatype.TSIG else parser.get_remaining() and None
    return found


def signed_at(when, fudge=300, name="pub.", secret=None):
    m = dns.update.UpdateMessage(ZONE)
    m.add("99.2.0.192", 60, "A", "127.0.0.2")
    m.use_tsig(key(name, secret), fudge=fudge)
    real = time.time
    try:
        time.time = lambda: when
        return m.to_wire(), m
    finally:
        time.time = real


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_wrong_signatures(node, tcp):
    def told(wire):
        reply = raw(node, wire, tcp)
        return dns.rcode.to_text(reply[3] & 15), tsig_of(reply)

    now = int(time.time())
    rcode, t = told(signed_at(now, secret=OTHER)[0])
    assert (rcode, t.error, t.mac) == ("NOTAUTH", 16, b"")
    wire, m = signed_at(now)
    unknown = wire.replace(b"\x03pub\x00", b"\x03bup\x00")
    rcode, t = told(unknown)
    assert (rcode, t.error, t.mac) == ("NOTAUTH", 17, b"")
    for off in (-400, 400):
        wire, m = signed_at(now + off)
        rcode, t = told(wire)
        assert (rcode, t.error, t.time_signed, len(t.mac), len(t.other)) == ("NOTAUTH", 18, now + off, 32, 6)
        assert abs(int.from_bytes(t.other, "big") - now) < 60
    assert told(signed_at(now - 3000, fudge=3100)[0])[0] == "NOERROR"
    assert told(signed_at(now - 5000, fudge=65535)[0])[0] == "NOTAUTH"  # no fudge counts for more than an hour
    rcode, t = told(wire[:-1])
    assert rcode == "FORMERR" and t is None
    time.sleep(1.1)  # what was not logged for being too much is counted in the next line
    told(signed_at(now, secret=OTHER)[0])
    assert any(int(line.split("BADTIME=")[1].split()[0]) > 0 for line in node.log().splitlines() if "BADTIME=" in line)
    for error in ("BADSIG", "BADKEY", "BADTIME"):
        until(error + " is counted", lambda: int(requests.get("http://%s:%d/metrics" % (node.host, node.health_port), timeout=20).text.split(
            'candor_sync_tsig_failures_total{error="%s"} ' % error)[1].split()[0]) >= 1)
    accepted(node, ZONE, ("delete", "99.2.0.192"))


def test_a_repeated_datagram_is_carried_out_once(node):
    m = dns.update.UpdateMessage(ZONE)
    m.absent("55.2.0.192")
    m.add("55.2.0.192", 60, "A", "127.0.0.2")
    m.use_tsig(key("pub."))
    wire = m.to_wire()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(20)
        s.connect((node.host, node.sync_port))
        for _ in range(5):
            s.send(wire)
        rcodes = {s.recv(4096)[3] & 15}
        s.send(wire)
        rcodes.add(s.recv(4096)[3] & 15)
    assert rcodes == {0}
    assert raw(node, wire)[3] & 15 == dns.rcode.YXDOMAIN  # from another port it is another one
    accepted(node, ZONE, ("delete", "55.2.0.192"))


def test_hostile_messages(node):
    rng = random.Random(3)
    whole, _ = signed_at(int(time.time()))
    plain = dns.update.UpdateMessage(OPEN)
    plain.add("98.2.0.192", 60, "A", "127.0.0.2")
    plain.present("*")
    unsigned = plain.to_wire()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect((node.host, node.sync_port))
        for i in range(4000):
            wire = bytearray(whole if i % 2 else unsigned)
            for _ in range(rng.randrange(1, 6)):
                wire[rng.randrange(2, len(wire))] = rng.randrange(256)
            s.send(wire[:rng.randrange(1, len(wire) + 1)] if i % 3 == 0 else wire)
            if i % 100 == 0:
                time.sleep(0.01)
    pid = node.daemon("sync").pid
    accepted(node, ZONE, ("add", "97.2.0.192", 60, "A", "127.0.0.2"))
    assert node.daemon("sync").pid == pid


def test_many_publishers_at_once(node):
    publishers, each = 16, 60
    failed = []

    def publish(n):
        try:
            for i in range(each):
                accepted(node, ZONE, ("add", "%d.%d.50.10" % (i, n), 60, "A", "127.0.0.2"), ("add", "%d.%d.50.10" % (i, n), 60, "TXT", '"p%d"' % n),
                         tcp=n % 2 == 1, by=("pub.", "pub512.", "old.")[n % 3])
        except Exception as e:
            failed.append(repr(e))

    threads = [threading.Thread(target=publish, args=(n,)) for n in range(publishers)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed, failed[:3]
    questions = ["%d.%d.50.10.%s TXT" % (i, n, ZONE) for n in range(publishers) for i in range(each)]
    for q, a in zip(questions, ask.ask(node.dns, questions)):
        assert a.rcode == "NOERROR" and '"p%s"' % q.split(".")[1] in a.answers[0], (q, a)


def test_one_of_two_rivals_wins(node):
    """The same name wanted by many with `absent`: one gets it, whatever the order."""
    for round_ in range(10):
        won = []

        def want(n, name="rival%d" % round_):
            rcode, _ = updated(node, ZONE, ("add", name, 60, "A", "127.0.0.%d" % n), prerequisites=(("absent", name),), tcp=n % 2 == 0)
            if rcode == "NOERROR":
                won.append(n)
            else:
                assert rcode == "YXDOMAIN"

        threads = [threading.Thread(target=want, args=(n,)) for n in range(2, 10)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert len(won) == 1 and answers(node, "rival%d" % round_, ZONE)[1] == ["127.0.0.%d" % won[0]]


def test_serial(node):
    def soa():
        q = dns.message.make_query(ZONE, "SOA")
        q.use_tsig(key("pub."))
        r = send(node, q)
        assert r.had_tsig and r.flags & dns.flags.AA
        return r.answer[0][0]

    before = soa()
    accepted(node, ZONE, ("add", "serial", 60, "A", "127.0.0.2"))
    assert soa().serial > before.serial
    wanted = soa().serial + 5000
    text = soa().to_text().replace(" %d " % soa().serial, " %d " % wanted)
    accepted(node, ZONE, ("add", "@", 60, "SOA", text), ("add", "serial2", 60, "A", "127.0.0.2"))
    assert soa().serial == wanted
    assert updated(node, ZONE, ("add", "@", 60, "NS", "ns.elsewhere."))[0] == "REFUSED"


class Publisher(threading.Thread):
    """Sends updates one after the other over one kind of transport; notes what was acknowledged and what is not known."""

    def __init__(self, node, number, stop):
        super().__init__()
        self.node, self.number, self.stop = node, number, stop
        self.there, self.unknown, self.failed = {}, {}, []

    def run(self):
        rng, i = random.Random(self.number), 0
        while not self.stop.is_set():
            i += 1
            name = "%d.%d.60.10" % (rng.randrange(40), self.number)
            m = dns.update.UpdateMessage(ZONE)
            value = "127.0.%d.%d" % (i >> 8 & 255, i & 255)
            if rng.random() < 0.3:
                value = None
                m.delete(name)
            else:
                m.replace(name, 60, "A", value)
            m.use_tsig(key("pub."))
            try:
                r = send(self.node, m, tcp=self.number % 2 == 1, timeout=3)
            except (OSError, EOFError, dns.exception.DNSException):
                self.unknown.setdefault(name, [self.there.get(name)]).append(value)
                time.sleep(0.02)
                continue
            if r.rcode() == dns.rcode.NOERROR:
                self.there[name] = value
                self.unknown.pop(name, None)
            elif r.rcode() == dns.rcode.SERVFAIL:  # candor-sync is on its way up or down
                self.unknown.setdefault(name, [self.there.get(name)]).append(value)
            else:
                self.failed.append(r.to_text())


def test_killed_while_publishing(node):
    """kill -9 of candor-sync again and again: what was acknowledged is there, what was not is as before or as wanted."""
    stop = threading.Event()
    publishers = [Publisher(node, n, stop) for n in range(8)]
    for p in publishers:
        p.start()
    rng = random.Random(7)
    for _ in range(12):
        time.sleep(rng.uniform(0.2, 0.9))
        sync = node.daemon("sync")
        os.kill(sync.pid, signal.SIGKILL)
        until("another candor-sync", lambda: [p for p in node.children("candor-sync") if p.pid != sync.pid])
    time.sleep(1)
    stop.set()
    for p in publishers:
        p.join()
    until("updates are taken again", lambda: updated(node, ZONE, ("add", "after", 60, "A", "127.0.0.2"))[0] == "NOERROR")
    for p in publishers:
        assert not p.failed, p.failed[0]
        names = ["%d.%d.60.10" % (i, p.number) for i in range(40)]
        for name, a in zip(names, ask.ask(node.dns, ["%s.%s A" % (n, ZONE) for n in names])):
            found = [x.split()[-1] for x in a.answers]
            may = p.unknown.get(name, [p.there.get(name)])
            assert len(found) <= 1 and (found[0] if found else None) in may, (name, found, may)
    assert sum(len(p.there) for p in publishers) > 50
    node.candor("verify", ZONE)


def test_killed_with_hundreds_in_flight(node):
    """Large groups, cut off anywhere: what was acknowledged is there, and each message is there whole or not at all."""
    rng, signer = random.Random(11), key("pub.")
    acknowledged = 0
    for round_ in range(6):
        wires = {}
        for i in range(800):
            m = dns.update.UpdateMessage(ZONE)
            m.id = i + 1
            for value in ("127.0.0.2", "127.0.0.%d" % (round_ + 10)):  # two RRs, one message
                m.add("%d.%d.%d.172" % (i & 255, i >> 8, round_), 60, "A", value)
            m.use_tsig(signer)
            wires[i] = m.to_wire()
        sync = node.daemon("sync")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect((node.host, node.sync_port))
            s.settimeout(0.5)
            done, killer = set(), threading.Timer(rng.uniform(0.001, 0.05), lambda: os.kill(sync.pid, signal.SIGKILL))
            killer.start()
            for wire in wires.values():
                try:
                    s.send(wire)
                except OSError:
                    break  # the port is gone already
            try:
                while True:
                    reply = s.recv(4096)
                    if reply[3] & 15 == 0:
                        done.add(struct.unpack(">H", reply[:2])[0] - 1)
            except OSError:
                pass
            killer.join()
        until("another candor-sync", lambda: [p for p in node.children("candor-sync") if p.pid != sync.pid])
        until("updates are taken again", lambda: updated(node, ZONE, ("add", "after", 60, "A", "127.0.0.2"))[0] == "NOERROR")
        acknowledged += len(done)
        names = {i: "%d.%d.%d.172.%s A" % (i & 255, i >> 8, round_, ZONE) for i in wires}
        for i, a in zip(names, ask.ask(node.dns, list(names.values()))):
            assert len(a.answers) in ((2,) if i in done else (0, 2)), (i, i in done, a)
    assert acknowledged > 0
    node.candor("verify", ZONE)
