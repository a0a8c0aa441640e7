"""Transfers out of the sync port to everybody who speaks standard DNS: AXFR, IXFR over TCP and UDP, NOTIFY; who may; many at once,
slow ones, and during commits; keys and clocks."""
# time bound: 300 s
import base64
import socket
import struct
import threading
import time

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update
import dns.xfr
import dns.zone
import pytest

from lib.node import Node, until

ZONE, OPEN, NEW = "list.test.", "open.test.", "new.test."
SECRET = base64.b64encode(bytes(range(32))).decode()
KEYS = {"one.": "hmac-sha256", "two.": "hmac-sha512", "stranger.": "hmac-sha256"}
KEYRING = {dns.name.from_text(n): dns.tsig.Key(n, base64.b64decode(SECRET), a) for n, a in KEYS.items()}
HEAD = "$SOA 600 ns.test. hostmaster.test. 7 300 60 86400 120\n$NS 600 ns.elsewhere. ns2.elsewhere.\n$TTL 300\n"


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    lines = ["127.0.0.2\n", "!198.51.100.7\n", "198.51.100.0/24 :9:net $\n", "203.0.113.0/27\n"]
    lines += ["10.%d.%d.%d :4:see $\n" % (i >> 16, i >> 8 & 255, i & 255) for i in range(5000)]
    (folder / "list").write_text(HEAD + "".join(lines))
    (folder / "open").write_text(HEAD + "127.0.0.2\n192.0.2.1\n")
    rules = [{"key": "one."}, {"key": "two.", "address": "127.0.0.0/8"}]
    zones = [
        {"name": ZONE, "data": [{"type": "ip4trie", "files": [str(folder / "list")]}], "transfer": rules, "update": [{"key": "one."}]},
        {"name": OPEN, "data": [{"type": "ip4set", "files": [str(folder / "open")]}], "transfer": [{"address": "127.0.0.0/8"}]},
        {"name": NEW, "update": [{"key": "one."}], "transfer": [{"key": "one."}]},
    ]
    keys = [{"name": n, "algorithm": a, "secret": SECRET} for n, a in KEYS.items()]
    with Node(folder / "node", {"rbl": {"keys": keys, "zones": zones}}) as n:
        n.zone_file = folder / "list"
        until("the files are read", lambda: soa(n, ZONE) and soa(n, OPEN))
        yield n


def where(node):
    host, port = node.config["rbl"]["listen"][0].split("@")
    return host, int(port)


def ask(node, qname, qtype, tcp=True, key=None, serial=None):
    host, port = where(node)
    q = dns.message.make_query(qname, qtype)
    if serial is not None:
        q.authority.append(dns.rrset.from_text(qname, 0, "IN", "SOA", ". . %d 0 0 0 0" % serial))
    if key:
        q.use_tsig(KEYRING, key)
    return (dns.query.tcp if tcp else dns.query.udp)(q, host, timeout=10, port=port)


def soa(node, zone):
    r = ask(node, zone, "SOA")
    return r.answer[0][0].serial if r.rcode() == dns.rcode.NOERROR else None


def axfr(node, zone, key=None):
    host, port = where(node)
    q, _ = dns.xfr.make_query(dns.zone.Zone(zone), keyring=KEYRING if key else None, keyname=key)
    z = dns.zone.Zone(zone)
    dns.query.inbound_xfr(host, z, q, port=port, timeout=20, lifetime=40)
    return z


def rrs(zone):
    """As sorted lines."""
    return sorted("%s %d %s" % (name.derelativize(zone.origin), ttl, rdata.to_text().lower()) for name, ttl, rdata in
                  ((n, t, r) for n, t, r in zone.iterate_rdatas()))


def test_axfr_is_what_export_says(node):
    z = axfr(node, ZONE, "one.")
    out = node.candor("export", ZONE, "--format", "bind").stdout
    exported = dns.zone.from_text(out, ZONE, relativize=True, check_origin=False)
    assert rrs(z) == rrs(exported)
    assert len(rrs(z)) > 10000


def test_first_and_last_are_the_soa_and_every_message_is_signed_in_turn(node):
    """Octet by octet: RFC 5936 section 2.2, RFC 8945 section 5.3.1."""
    host, port = where(node)
    q = dns.message.make_query(ZONE, "AXFR", use_edns=True)
    q.use_tsig(KEYRING, "two.")
    messages, ctx = raw_transfer(host, port, q)
    assert len(messages) > 5 and messages[0].question and not messages[1].question
    assert messages[0].had_tsig and messages[-1].had_tsig
    assert all(m.rcode() == 0 and m.flags & dns.flags.AA and m.id == q.id for m in messages)
    assert messages[0].edns == 0
    first, last = messages[0].answer[0], messages[-1].answer[-1]
    assert first.rdtype == last.rdtype == dns.rdatatype.SOA and first[0] == last[0]
    assert sum(r.rdtype == dns.rdatatype.SOA for m in messages for r in m.answer) == 2


def raw_transfer(host, port, q, until_soas=2):
    """Messages as they come, until the SOA came so often (or an error)."""
    messages, ctx, soas = [], None, 0
    with socket.create_connection((host, port), timeout=20) as s:
        wire = q.to_wire()
        s.sendall(struct.pack(">H", len(wire)) + wire)
        while soas < until_soas:
            (size,) = struct.unpack(">H", exactly(s, 2))
            m = dns.message.from_wire(exactly(s, size), keyring=q.keyring, request_mac=q.mac, xfr=True, tsig_ctx=ctx,
                                      multi=True, one_rr_per_rrset=True)
            ctx = m.tsig_ctx
            messages.append(m)
            soas += sum(r.rdtype == dns.rdatatype.SOA for r in m.answer)
            if m.rcode() or not m.answer:
                break
    return messages, ctx


def exactly(s, size):
    got = b""
    while len(got) < size:
        more = s.recv(size - len(got))
        if not more:
            raise EOFError("%d of %d octets" % (len(got), size))
        got += more
    return got


@pytest.mark.parametrize("key,zone,allowed", [
    ("one.", ZONE, True), ("two.", ZONE, True), ("stranger.", ZONE, False), (None, ZONE, False), (None, OPEN, True), ("stranger.", OPEN, True),
])
@pytest.mark.parametrize("qtype", ["AXFR", "IXFR"])
def test_who_may(node, key, zone, allowed, qtype):
    host, port = where(node)
    q = dns.message.make_query(zone, qtype, use_edns=True)
    if qtype == "IXFR":
        q.authority.append(dns.rrset.from_text(zone, 0, "IN", "SOA", ". . 7 0 0 0 0"))
    if key:
        q.use_tsig(KEYRING, key)
    m = raw_transfer(host, port, q, 1)[0][0]
    assert m.rcode() == (dns.rcode.NOERROR if allowed else dns.rcode.REFUSED)
    if not allowed:
        assert "transfer list" in m.to_text() and m.had_tsig == bool(key)


def test_wrong_questions(node):
    host, port = where(node)
    assert ask(node, OPEN, "AXFR", tcp=False).rcode() == dns.rcode.FORMERR
    assert ask(node, OPEN, "IXFR").rcode() == dns.rcode.FORMERR  # without a serial
    assert ask(node, OPEN, "A").rcode() == dns.rcode.REFUSED
    assert ask(node, "below." + OPEN, "AXFR").rcode() == dns.rcode.NOTAUTH
    assert ask(node, "elsewhere.test.", "AXFR").rcode() == dns.rcode.REFUSED
    assert ask(node, NEW, "AXFR", key="one.").rcode() in (dns.rcode.SERVFAIL, dns.rcode.NOERROR)
    q = dns.message.make_query(OPEN, "AXFR", rdclass="CH")
    assert dns.query.tcp(q, host, port=port, timeout=10).rcode() == dns.rcode.REFUSED


def test_up_to_date_or_ahead_is_one_soa(node):
    now = soa(node, OPEN)
    for serial in (now, now + 1, (now + 2**31 - 1) % 2**32):
        for tcp in (True, False):
            r = ask(node, OPEN, "IXFR", tcp=tcp, serial=serial)
            assert [x.rdtype for x in r.answer] == [dns.rdatatype.SOA] and r.answer[0][0].serial == now


def test_a_clock_that_is_off_is_told_ours(node):
    """RFC 8945 section 5.2.3: BADTIME, signed, with our clock; the log says by how much."""
    host, port = where(node)
    q = dns.message.make_query(ZONE, "SOA")
    q.use_tsig(KEYRING, "one.")
    real = time.time
    try:
        time.time = lambda: real() - 5000
        wire = q.to_wire()
    finally:
        time.time = real
    with socket.create_connection((host, port), timeout=10) as s:
        s.sendall(struct.pack(">H", len(wire)) + wire)
        (size,) = struct.unpack(">H", exactly(s, 2))
        r = exactly(s, size)
    assert r[3] & 15 == dns.rcode.NOTAUTH
    error, others = struct.unpack(">HH", r[-10:-6])  # the TSIG is the last RR, its clock the last of it
    assert (error, others) == (18, 6) and abs(int.from_bytes(r[-6:], "big") - real()) < 5
    until("the log says by how much", lambda: "ahead_s=-5000" in node.log() or "ahead_s=-4999" in node.log() or "ahead_s=-5001" in node.log())


def test_many_at_once_and_one_that_reads_slowly(node):
    """Twenty at the same time, eight of a host at most: the others wait for their turn. One that reads nothing holds nobody up."""
    host, port = where(node)
    sluggish = socket.socket()
    sluggish.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sluggish.connect((host, port))
    q = dns.message.make_query(ZONE, "AXFR")
    q.use_tsig(KEYRING, "one.")
    wire = q.to_wire()
    sluggish.sendall(struct.pack(">H", len(wire)) + wire)
    got = []

    def one():
        got.append(count(host, port, fresh_axfr()))

    threads = [threading.Thread(target=one) for _ in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert got == [count(host, port, fresh_axfr())] * 20 and got[0] > 10000
    head = exactly(sluggish, 2)
    assert struct.unpack(">H", head)[0] > 10000
    sluggish.close()


def count(host, port, q):
    """RRs of a transfer, counted without a look at them: dnspython takes seconds to parse them."""
    wire, n, more = q.to_wire(), 0, True
    with socket.create_connection((host, port), timeout=30) as s:
        s.sendall(struct.pack(">H", len(wire)) + wire)
        s.shutdown(socket.SHUT_WR)  # it ends the connection when it has said all
        while more:
            head = s.recv(1)
            more = bool(head)
            if more:
                m = exactly(s, struct.unpack(">H", head + exactly(s, 1))[0])
                assert m[3] & 15 == 0
                n += struct.unpack(">H", m[6:8])[0]
    return n


def fresh_axfr(zone=ZONE):
    q = dns.message.make_query(zone, "AXFR", use_edns=True)
    q.use_tsig(KEYRING, "one.")
    return q


def update(node, zone, *changes, key="one."):
    """Each "+owner type rdata" or "-owner"; the serial afterwards."""
    host, port = where(node)
    u = dns.update.Update(zone, keyring=KEYRING, keyname=key)
    for c in changes:
        words = c[1:].split(None, 2)
        if c[0] == "+":
            u.add(words[0], 300, words[1], words[2])
        else:
            u.delete(*words)
    r = dns.query.tcp(u, host, port=port, timeout=20)
    assert r.rcode() == dns.rcode.NOERROR, r
    return soa(node, zone)


def ixfr(node, zone, have, key=None, udp=dns.query.UDPMode.NEVER):
    """`have` (a dns.zone.Zone) brought up to date."""
    host, port = where(node)
    q, _ = dns.xfr.make_query(have, keyring=KEYRING if key else None, keyname=key)
    assert q.question[0].rdtype == dns.rdatatype.IXFR
    dns.query.inbound_xfr(host, have, q, port=port, timeout=20, lifetime=40, udp_mode=udp)
    return have


@pytest.mark.parametrize("udp", [dns.query.UDPMode.NEVER, dns.query.UDPMode.TRY_FIRST], ids=["tcp", "udp"])
def test_ixfr_brings_what_changed(node, udp):
    update(node, NEW, "+a A 127.0.0.2", "+4.3.2.1 A 127.0.0.2", '+4.3.2.1 TXT "why"', "+*.2.0.192 A 127.0.0.4")
    have = axfr(node, NEW, "one.")
    steps = (["+b A 127.0.0.3"], ["-4.3.2.1"], ["+9.2.0.192 A 127.0.0.2", "-a"], ["-*.2.0.192"], ["+4.3.2.1 A 127.0.0.2"], ["-9.2.0.192", "-b"])
    for i, step in enumerate(steps):
        update(node, NEW, *step)
        if i % 2:  # two at once, and one that came and went
            assert rrs(ixfr(node, NEW, have, "one.", udp)) == rrs(axfr(node, NEW, "one."))


def test_ixfr_over_udp_that_is_too_large_is_the_soa_alone(node):
    before = soa(node, NEW)
    update(node, NEW, *["+n%d A 127.0.0.2" % i for i in range(200)])
    q = ask(node, NEW, "IXFR", tcp=False, key="one.", serial=before)
    assert [r.rdtype for r in q.answer] == [dns.rdatatype.SOA] and q.answer[0][0].serial != before
    host, port = where(node)
    t = dns.message.make_query(NEW, "IXFR", use_edns=True)
    t.authority.append(dns.rrset.from_text(NEW, 0, "IN", "SOA", ". . %d 0 0 0 0" % before))
    t.use_tsig(KEYRING, "one.")
    m, _ = raw_transfer(host, port, t, 4)
    assert sum(len(x.answer) for x in m) == 4 + 200
    t = dns.message.make_query(NEW, "IXFR")  # one that the journal does not know: the whole zone
    t.authority.append(dns.rrset.from_text(NEW, 0, "IN", "SOA", ". . %d 0 0 0 0" % ((before - 10**6) % 2**32)))
    t.use_tsig(KEYRING, "one.")
    m, _ = raw_transfer(host, port, t, 2)
    assert m[0].answer[1].rdtype != dns.rdatatype.SOA and sum(len(x.answer) for x in m) > 200


def test_transfers_during_commits_are_each_of_one_version(node):
    """Each update adds one name: how many there are must fit the serial that the transfer says it is."""
    first = update(node, NEW, "+c0 A 127.0.0.2")
    want = {first: names_of(axfr(node, NEW, "one."))}
    stop, wrong = threading.Event(), []

    def copy():
        while not stop.is_set():
            try:
                z = axfr(node, NEW, "one.")
                serial = z.get_rdataset("@", "SOA")[0].serial
                seen.append((serial, names_of(z)))
            except Exception as e:  # noqa: B902 whatever it is, it is told
                wrong.append(repr(e))

    seen = []
    threads = [threading.Thread(target=copy) for _ in range(3)]
    for t in threads:
        t.start()
    for i in range(1, 60):
        want[update(node, NEW, "+c%d A 127.0.0.2" % i)] = want[first] + i
    stop.set()
    for t in threads:
        t.join(60)
    assert not wrong and len(seen) > 3
    assert all(want[serial] == n for serial, n in seen), seen


def names_of(zone):
    return len(list(zone.iterate_rdatas("A")))


class Notified:
    """A secondary that only hears NOTIFY."""

    def __init__(self):
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind(("127.0.0.1", 0))
        self.port = self.s.getsockname()[1]

    def hear(self, within_s, answer=True):
        """The next one's serial, its signature looked at; None: none came."""
        wire, end = b"", time.monotonic() + within_s
        while not wire or wire[2] >> 3 & 15 != dns.opcode.NOTIFY:  # health asks its DNS port, for all that it knows
            self.s.settimeout(max(0.01, end - time.monotonic()))
            try:
                wire, peer = self.s.recvfrom(4096)
            except socket.timeout:
                return None
        m = dns.message.from_wire(wire, keyring=KEYRING)
        assert m.had_tsig and m.flags & dns.flags.AA and m.question[0].name.to_text() == NOTED
        if answer:
            r = dns.message.make_response(m)
            r.use_tsig(KEYRING, "one.")
            self.s.sendto(r.to_wire(), peer)
        return m.answer[0][0].serial


NOTED, WIDE = "noted.test.", "wide.test."


@pytest.fixture(scope="module")
def tight(tmp_path_factory):
    """One transfer at a time, of a zone that no socket's buffers hold; and one that a secondary is told of."""
    folder = tmp_path_factory.mktemp("tight")
    with open(folder / "wide", "w") as f:
        f.write(HEAD + "127.0.0.2\n")
        f.writelines("%d.%d.%d.%d :%d:a text that is long enough to fill buffers, number %d\n" %
                     (i * 7 % 223 + 1, i * 31 % 256, i >> 8 & 255, i & 255, i % 9 + 2, i) for i in range(120000))
    heard = Notified()
    zones = [
        {"name": WIDE, "data": [{"type": "ip4trie", "files": [str(folder / "wide")]}], "transfer": [{"key": "one."}], "update": [{"key": "one."}]},
        {"name": NOTED, "update": [{"key": "one."}], "notify": [{"address": "127.0.0.1@%d" % heard.port, "key": "one."}]},
    ]
    rbl = {"keys": [{"name": n, "algorithm": a, "secret": SECRET} for n, a in KEYS.items()], "zones": zones, "transfers": {"out": "1"}}
    with Node(folder / "node", {"rbl": rbl}) as n:
        n.heard = heard
        until("the files are read", lambda: soa(n, WIDE))
        yield n


def test_notify_until_it_is_heard(tight):
    """Without an answer again, then with a longer pause; at once for what was committed meanwhile."""
    serial = update(tight, NOTED, "+a A 127.0.0.2")
    assert tight.heard.hear(5, answer=False) == serial
    later = update(tight, NOTED, "+b A 127.0.0.2")
    told = tight.heard.hear(5)  # the try after the first second says what is true now
    assert told == later or (told == serial and tight.heard.hear(5) == later)
    assert tight.heard.hear(0.5) is None
    for i in range(3):
        serial = update(tight, NOTED, "+c%d A 127.0.0.2" % i)
        assert tight.heard.hear(5) == serial


def test_a_slow_client_keeps_its_version_and_the_others_wait_for_a_turn(tight):
    host, port = where(tight)
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    slow.settimeout(30)
    slow.connect((host, port))
    wire, began = fresh_axfr(WIDE).to_wire(), soa(tight, WIDE)
    slow.sendall(struct.pack(">H", len(wire)) + wire)
    first = exactly(slow, struct.unpack(">H", exactly(slow, 2))[0])
    asked = time.monotonic()
    m, _ = raw_transfer(host, port, fresh_axfr(WIDE))  # the only turn is taken
    assert m[0].rcode() == dns.rcode.SERVFAIL and "rbl.transfers.out" in m[0].to_text() and 5 < time.monotonic() - asked < 25
    assert update(tight, WIDE, "+new A 127.0.0.2") != began  # the writer waits for nobody
    total, soas = 0, 0
    message = first
    while True:
        total += struct.unpack(">H", message[6:8])[0]
        soas += message.count(struct.pack(">IIIII", began, 300, 60, 86400, 120))
        if soas == 2:
            break
        message = exactly(slow, struct.unpack(">H", exactly(slow, 2))[0])
    assert total > 240000
    slow.close()
    until("its turn is free", lambda: count(host, port, fresh_axfr(WIDE)) == total + 1)
