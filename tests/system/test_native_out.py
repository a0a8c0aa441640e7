"""Native runs as a primary (rbl/replicate/native.h, docs/protocol.md), spoken here in Python: a held question, changes that leave
at the commit, beats, the end of a hold, states exchanged with SOA; signed where they must be."""
# time bound: 300 s
import base64
import ctypes
import ctypes.util
import socket
import struct
import time

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update
import pytest

from lib.node import Node, until

ZONE, BIG = "live.test.", "big.test."
SECRET = base64.b64encode(bytes(range(32))).decode()
KEYRING = {dns.name.from_text("one."): dns.tsig.Key("one.", base64.b64decode(SECRET), "hmac-sha256")}
OPTION, STATUS, ASK, HEAD, PART, END, BEAT, BYE = 65313, 1, 2, 3, 4, 5, 6, 7
ZSTD, SNAPSHOT, HAVE = 1, 2, 4


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    folder = tmp_path_factory.mktemp("native")
    lines = ["$SOA 600 ns.test. hostmaster.test. 7 300 60 86400 120\n$NS 600 ns.test.\n127.0.0.2\n"]
    lines += ["%d.%d.%d.%d :%d:text %d\n" % (i * 7919 % 223 + 1, i * 31 % 256, i * 17 % 256, i % 256, i % 9 + 2, i % 100) for i in range(60000)]
    (folder / "big").write_text("".join(lines))
    rules = {"update": [{"key": "one."}], "transfer": [{"key": "one."}]}
    zones = [{"name": ZONE, **rules}, {"name": BIG, "data": [{"type": "ip4trie", "files": [str(folder / "big")]}], **rules}]
    keys = [{"name": "one.", "algorithm": "hmac-sha256", "secret": SECRET}]
    with Node(folder / "node", {"node": {"name": "source"}, "rbl": {"keys": keys, "zones": zones}}) as n:
        n.big = folder / "big"
        update(n, "+first A 127.0.0.2")
        until("the file is read", lambda: status(n, BIG)["flags"] & HAVE)
        yield n


def where(node):
    host, port = node.config["rbl"]["listen"][0].split("@")
    return host, int(port)


def update(node, change):
    words = change[1:].split(None, 2)
    u = dns.update.Update(ZONE, keyring=KEYRING, keyname="one.")
    if change[0] == "+":
        u.add(words[0], 300, words[1], words[2])
    else:
        u.delete(words[0])
    host, port = where(node)
    r = dns.query.udp(u, host, port=port, timeout=20)
    assert r.rcode() == dns.rcode.NOERROR, r


class Reader:
    def __init__(self, octets):
        self.octets, self.at = octets, 0

    def take(self, form):
        size = struct.calcsize(form)
        values = struct.unpack(form, self.octets[self.at:self.at + size])
        self.at += size
        return values if len(values) > 1 else values[0]

    def name(self):
        return self.take("%ds" % self.take("B")).decode()


def read_state(r):
    s = dict(zip(("flags", "serial", "digest", "epoch", "commit", "committed", "stamp", "wall"), r.take(">HI16sIQqqq")))
    s["path"] = [r.name() for _ in range(r.take("B"))]
    assert r.at == len(r.octets)
    return s


def parts_of(message):
    """The native options of a message: (kind, what it holds)."""
    found = []
    for o in message.options:
        if o.otype != OPTION:
            continue
        version, kind = o.data[0], o.data[1]
        assert version == 1
        r = Reader(o.data[2:])
        if kind == PART:
            found.append((kind, o.data[2:]))
        elif kind == HEAD:
            found.append((kind, dict(zip(("flags", "id", "at", "from", "to", "about"), r.take(">H16sQIIQ")))))
        else:
            found.append((kind, read_state(r)))
    return found


def state_option(kind, flags=0, serial=0, digest=bytes(16), path=("me",)):
    data = struct.pack(">BBHI16sIQqqqB", 1, kind, flags, serial, digest, 0, 1, 0, 0, int(time.time() * 1000), len(path))
    return dns.edns.GenericOption(OPTION, data + b"".join(bytes([len(p)]) + p.encode() for p in path))


def ask_option(flags=0, serial=0, digest=bytes(16), hold=60, at=0, rid=bytes(16), name="me"):
    return dns.edns.GenericOption(OPTION, struct.pack(">BBHI16sHQ16sB", 1, ASK, flags, serial, digest, hold, at, rid, len(name)) + name.encode())


def status(node, zone, **have):
    host, port = where(node)
    q = dns.message.make_query(zone, "SOA", use_edns=True, options=[state_option(STATUS, **have)])
    q.use_tsig(KEYRING, "one.")
    r = dns.query.tcp(q, host, port=port, timeout=10)
    return parts_of(r)[0][1]


class Run:
    """One held question: messages as they come, each checked; a message with an END, a BEAT or a BYE is signed by itself."""

    def __init__(self, node, zone, rcvbuf=0, **ask):
        self.s = socket.socket()
        if rcvbuf:
            self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.s.settimeout(20)
        self.s.connect(where(node))
        self.q = dns.message.make_query(zone, "IXFR", use_edns=True, options=[ask_option(**ask)])
        self.q.authority.append(dns.rrset.from_text(zone, 0, "IN", "SOA", ". . %d 0 0 0 0" % ask.get("serial", 0)))
        self.q.use_tsig(KEYRING, "one.")
        wire = self.q.to_wire()
        self.s.sendall(struct.pack(">H", len(wire)) + wire)
        self.ctx, self.octets = None, 0

    def exactly(self, size):
        got = b""
        while len(got) < size:
            more = self.s.recv(size - len(got))
            assert more, "the connection ended"
            got += more
        return got

    def message(self):
        wire = self.exactly(struct.unpack(">H", self.exactly(2))[0])
        m = dns.message.from_wire(wire, keyring=KEYRING, request_mac=self.q.mac, xfr=True, tsig_ctx=self.ctx, multi=True)
        first, self.ctx = self.ctx is None, m.tsig_ctx
        self.octets += len(wire)
        assert m.id == self.q.id and bool(m.question) == first
        parts = parts_of(m)
        assert m.had_tsig or not any(kind in (END, BEAT, BYE) for kind, _ in parts)
        return m, parts

    def stream(self):
        """Up to the END, beats passed over: its HEAD, octets and state."""
        head, octets = None, b""
        while True:
            for kind, what in self.message()[1]:
                if kind == HEAD:
                    head, octets = what, b""
                elif kind == PART:
                    assert 0 < len(what) <= 32768
                    octets += what
                elif kind == END:
                    return head, octets, what
                else:
                    assert kind == BEAT

    def close(self):
        self.s.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def test_status_is_exchanged(node):
    before = int(time.time() * 1000)
    s = status(node, ZONE)
    assert s["flags"] & HAVE and s["path"] == ["source"] and s["digest"] != bytes(16)
    assert before - 50 <= s["wall"] <= time.time() * 1000 + 50 and s["stamp"] == s["wall"] and 0 < s["committed"] <= s["wall"]


def test_what_is_missing_then_what_is_committed(node):
    with Run(node, ZONE) as run:
        head, octets, end = run.stream()
        assert head["flags"] & SNAPSHOT and head["from"] == 0 and head["to"] == end["serial"] and octets
        for i in range(5):
            update(node, "+n%d A 127.0.0.2" % i)
            head, octets, now = run.stream()
            assert not head["flags"] & SNAPSHOT and head["from"] == end["serial"] and head["to"] == now["serial"] and octets
            assert now["commit"] == end["commit"] + 1 and now["path"] == ["source"] and now["digest"] != end["digest"]
            assert 0 <= now["wall"] - now["committed"] < 5000
            end = now
        s = status(node, ZONE)
        assert (s["serial"], s["digest"]) == (end["serial"], end["digest"])


def test_up_to_date_is_held_at_once_and_beats_until_bye(node):
    s = status(node, ZONE)
    with Run(node, ZONE, flags=HAVE, serial=s["serial"], digest=s["digest"], hold=3) as run:
        kinds, stamps, began = [], [], time.monotonic()
        while not kinds or kinds[-1] != BYE:
            ((kind, state),) = run.message()[1]
            kinds.append(kind)
            stamps.append(state["stamp"])
            assert state["serial"] == s["serial"]
        assert kinds[0] == BEAT and 2 < time.monotonic() - began < 8 and stamps == sorted(stamps) and len(kinds) >= 3
        # The connection goes on: another question on it.
        q = dns.message.make_query(ZONE, "SOA")
        run.s.sendall(struct.pack(">H", len(q.to_wire())) + q.to_wire())
        assert dns.message.from_wire(run.exactly(struct.unpack(">H", run.exactly(2))[0])).rcode() == 0


def test_who_is_ahead_is_held_and_who_has_other_contents_gets_all(node):
    s = status(node, ZONE)
    with Run(node, ZONE, flags=HAVE, serial=(s["serial"] + 5) % 2**32, digest=s["digest"]) as run:
        ((kind, state),) = run.message()[1]
        assert kind == BEAT and state["serial"] == s["serial"]
    with Run(node, ZONE, flags=HAVE, serial=s["serial"], digest=bytes(range(16))) as run:
        head, _, _ = run.stream()
        assert head["flags"] & SNAPSHOT


def test_no_hold_is_ended_by_bye(node):
    s = status(node, ZONE)
    with Run(node, ZONE, flags=HAVE, serial=s["serial"], digest=s["digest"], hold=0) as run:
        assert [k for k, _ in run.message()[1]] == [BYE]
    with Run(node, ZONE, hold=0) as run:
        run.stream()
        assert [k for k, _ in run.message()[1]] == [BYE]


def unzstd(octets, size=64 << 20):
    lib = ctypes.CDLL(ctypes.util.find_library("zstd"))
    lib.ZSTD_decompress.restype = ctypes.c_size_t
    to = ctypes.create_string_buffer(size)

    class Buffer(ctypes.Structure):
        _fields_ = [("at", ctypes.c_void_p), ("size", ctypes.c_size_t), ("pos", ctypes.c_size_t)]

    lib.ZSTD_createDStream.restype = ctypes.c_void_p
    lib.ZSTD_decompressStream.restype = ctypes.c_size_t
    d = ctypes.c_void_p(lib.ZSTD_createDStream())
    src = ctypes.create_string_buffer(octets, len(octets))
    i, o = Buffer(ctypes.addressof(src), len(octets), 0), Buffer(ctypes.addressof(to), size, 0)
    left = 1
    while left and i.pos < i.size:
        left = lib.ZSTD_decompressStream(d, ctypes.byref(o), ctypes.byref(i))
        assert not lib.ZSTD_isError(ctypes.c_size_t(left))
    assert left == 0 and i.pos == i.size
    return to.raw[:o.pos]


def test_a_snapshot_is_compressed_shared_and_gone_on_with(node):
    with Run(node, BIG) as one, Run(node, BIG) as other:
        head, octets, end = one.stream()
        head2, octets2, end2 = other.stream()
        assert head == head2 and octets == octets2 and end["digest"] == end2["digest"]
    assert head["flags"] == ZSTD | SNAPSHOT and head["at"] == 0
    plain = unzstd(octets)
    assert len(octets) < len(plain)
    for at in (1, len(octets) // 2, len(octets) - 1, len(octets)):
        with Run(node, BIG, at=at, rid=head["id"]) as run:
            again, rest, _ = run.stream()
            assert again["at"] == at and rest == octets[at:]
    with Run(node, BIG, at=len(octets) // 2, rid=bytes(16)) as run:  # another snapshot: from the beginning
        again, rest, _ = run.stream()
        assert again["at"] == 0 and rest == octets
    with Run(node, BIG, at=len(octets) + 1, rid=head["id"]) as run:
        again, rest, _ = run.stream()
        assert again["at"] == 0 and rest == octets


def test_commits_behind_a_slow_reader_go_out_together(node):
    """Many commits while nobody reads: what is behind the stream under way comes as one."""
    with Run(node, ZONE) as run:
        _, _, end = run.stream()
        for i in range(50):
            update(node, "+s%d TXT %s" % (i, "x" * 200))
        now = status(node, ZONE)
        streams = 0
        while end["serial"] != now["serial"]:
            head, _, after = run.stream()
            assert head["from"] == end["serial"]
            end, streams = after, streams + 1
        assert end["digest"] == now["digest"] and 1 <= streams <= 50


def test_refused_as_any_transfer(node):
    q = dns.message.make_query(ZONE, "IXFR", use_edns=True, options=[ask_option()])
    q.authority.append(dns.rrset.from_text(ZONE, 0, "IN", "SOA", ". . 1 0 0 0 0"))
    host, port = where(node)
    assert dns.query.tcp(q, host, port=port, timeout=10).rcode() == dns.rcode.REFUSED


@pytest.mark.parametrize("data", [b"", b"\1", b"\1\2", b"\1\2" + bytes(10), b"\2\2" + bytes(60), b"\1\x63", b"\xff" * 300, b"\1\1" + b"\xff" * 200],
                         ids=range(8))
def test_hostile_options(node, data):
    """An option that is none of ours is passed over: the question is answered as anybody's."""
    host, port = where(node)
    for qtype in ("SOA", "IXFR"):
        q = dns.message.make_query(ZONE, qtype, use_edns=True, options=[dns.edns.GenericOption(OPTION, data)])
        serial = status(node, ZONE)["serial"]
        q.authority.append(dns.rrset.from_text(ZONE, 0, "IN", "SOA", ". . %d 0 0 0 0" % serial))
        q.use_tsig(KEYRING, "one.")
        r = dns.query.tcp(q, host, port=port, timeout=10)
        assert r.rcode() == 0 and r.answer[0].rdtype == dns.rdatatype.SOA and not parts_of(r)
