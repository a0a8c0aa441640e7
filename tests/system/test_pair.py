"""Two primaries for one zone: what is sent to either is served by both; promotion, the return of the former active one, what it would
have lost, two that are active at once; secondaries that hand updates on."""
# time bound: 240 s
import base64
import glob
import json
import os
import signal
import time

import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update
import pytest

from lib.node import Node, free_port, until
from lib.sync import Sync

ZONE = "pair.test."
SECRET = base64.b64encode(bytes(range(32))).decode()
KEYRING = {dns.name.from_text(n): dns.tsig.Key(n, base64.b64decode(SECRET), "hmac-sha256") for n in ("pub.", "pair.")}
KEYS = [{"name": n, "algorithm": "hmac-sha256", "secret": SECRET} for n in ("pub.", "pair.")]


def config(name, port, other, role):
    zone = {"name": ZONE, "pair": [{"address": "127.0.0.1@%d" % other, "key": "pair."}], "role": role,
            "update": [{"key": "pub."}], "transfer": [{"key": "pair."}], "test": "none"}
    return {"node": {"name": name}, "resolver": {"workers": 1},
            "rbl": {"listen": ["127.0.0.1@%d" % port], "keys": KEYS, "zones": [zone]}}


def sync_port(node):
    return int(node.config["rbl"]["listen"][0].split("@")[1])


def update(node, entry, key="pub.", remove=False, tcp=True, timeout=10):
    """RCODE of adding (or removing) one address, and the text that came with it."""
    u = dns.update.UpdateMessage(ZONE)
    u.use_edns(0, payload=1232)
    name = ".".join(reversed(entry.split(".")))
    if remove:
        u.delete(name)
    else:
        u.add(name, 300, "A", "127.0.0.2")
    u.use_tsig(KEYRING, key)
    ask = dns.query.tcp if tcp else dns.query.udp
    r = ask(u, "127.0.0.1", port=sync_port(node), timeout=timeout)
    return r.rcode(), " ".join(str(o) for o in r.options)


def done(node, entry, **kw):
    """Sends it until it is taken: what a publisher does."""
    def once():
        rcode, text = update(node, entry, **kw)
        assert rcode == dns.rcode.NOERROR, (dns.rcode.to_text(rcode), text)
        return True
    until("update of %s" % entry, once, within_s=30, every_s=0.2)


def listed(node, entry):
    q = dns.message.make_query(".".join(reversed(entry.split("."))) + "." + ZONE, "A")
    r = dns.query.udp(q, "127.0.0.1", port=node.dns_port, timeout=2)
    return r.rcode() == dns.rcode.NOERROR and any(rr.rdtype == dns.rdatatype.A for rr in r.answer)


def served_by(nodes, entry):
    for n in nodes:
        until("%s is served by %s" % (entry, n.config["node"]["name"]), lambda: listed(n, entry), within_s=30)


def serial(node):
    q = dns.message.make_query(ZONE, "SOA")
    r = dns.query.tcp(q, "127.0.0.1", port=sync_port(node), timeout=2)
    return r.answer[0][0].serial if r.answer else None


def role(node):
    with open(os.path.join(node.folder, "state", "pairs", ZONE + "role"), encoding="utf8") as f:
        return f.readline().split()


@pytest.fixture
def pair(tmp_path):
    ports = free_port(), free_port()
    a = Node(tmp_path / "a", config("a", ports[0], ports[1], "active"))
    b = Node(tmp_path / "b", config("b", ports[1], ports[0], "standby"))
    b.start(ready=False)
    try:
        with a:
            done(a, "192.0.2.250")  # b is ready when its zone is there
            b.wait_ready()
            yield a, b
    finally:
        b.stop()


def test_either_takes_updates(pair):
    a, b = pair
    done(a, "192.0.2.1")
    done(b, "192.0.2.2")
    done(b, "192.0.2.3", tcp=False)
    for entry in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        served_by(pair, entry)
    assert update(b, "192.0.2.2", remove=True)[0] == dns.rcode.NOERROR
    for n in pair:
        until("gone", lambda: not listed(n, "192.0.2.2"), within_s=30)
    # By hand: at the active one alone, the standby names it.
    r = b.candor("add", ZONE, "192.0.2.9", check=False)
    assert r.returncode == 2 and "127.0.0.1@%d" % sync_port(a) in r.stderr, r.stderr
    a.candor("add", ZONE, "192.0.2.9")
    served_by(pair, "192.0.2.9")
    # Whoever may not, may not at the standby either; and nothing is promoted beside an active one.
    assert update(b, "192.0.2.8", key="pair.")[0] == dns.rcode.SERVFAIL
    r = b.candor("promote", ZONE, check=False)
    assert r.returncode == 2 and "answers and is active" in r.stderr, r.stderr


def test_promotion_and_return(pair):
    a, b = pair
    done(a, "192.0.2.1")
    served_by(pair, "192.0.2.1")
    until("in step", lambda: serial(a) == serial(b))
    before = serial(b)
    kill(a)
    rcode, text = update(b, "192.0.2.2")
    assert rcode == dns.rcode.SERVFAIL, text
    until("promoted", lambda: b.candor("promote", ZONE, check=False).returncode == 0, within_s=15, every_s=0.3)
    assert role(b) == ["active", "2"]
    assert serial(b) - before > 1 << 16 and serial(b) % (1 << 20) <= 2
    done(b, "192.0.2.2")
    a.start()
    until("a has stepped down", lambda: role(a) == ["standby", "2"], within_s=30)
    done(a, "192.0.2.3")
    for entry in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        served_by(pair, entry)
    assert glob.glob(os.path.join(a.folder, "state", "pairs", "*rescue*")) == []  # nothing was lost
    # The way back, in good order.
    b.candor("demote", ZONE)
    rcode, text = update(b, "192.0.2.4")
    assert rcode == dns.rcode.SERVFAIL, text
    until("promoted", lambda: a.candor("promote", ZONE, check=False).returncode == 0, within_s=15, every_s=0.3)
    assert role(a) == ["active", "3"]
    done(b, "192.0.2.4")
    served_by(pair, "192.0.2.4")


def kill(node):
    """The whole node at once, as a power cut."""
    everybody = [node.supervisor()] + node.supervisor().children(recursive=True)
    for p in everybody:
        p.send_signal(signal.SIGKILL)
    node.process.wait()
    until("gone", lambda: not any(p.is_running() and p.status() != "zombie" for p in everybody))


def test_what_would_be_lost_is_kept(pair):
    a, b = pair
    done(a, "192.0.2.1")
    served_by(pair, "192.0.2.1")
    until("in step", lambda: serial(a) == serial(b))
    kill(b)
    done(a, "198.51.100.7")  # b never hears of it
    done(a, "192.0.2.1", remove=True)
    kill(a)
    b.start()
    until("promoted", lambda: b.candor("promote", ZONE, check=False).returncode == 0, within_s=15, every_s=0.3)
    done(b, "203.0.113.9")
    a.start()
    until("a has stepped down", lambda: role(a) == ["standby", "2"], within_s=30)
    served_by(pair, "203.0.113.9")
    found = glob.glob(os.path.join(a.folder, "state", "pairs", "*rescue*"))
    assert len(found) == 1
    with open(found[0], encoding="utf8") as f:
        lines = [x.strip() for x in f if not x.startswith("#")]
    assert sorted(x.split()[0:2] for x in lines) == [["add", "198.51.100.7/32"], ["del", "192.0.2.1/32"]], lines
    assert os.path.basename(found[0]) in a.log()
    until("health names it", lambda: os.path.basename(found[0]) in json.dumps(a.scope("replication")))
    assert not listed(a, "198.51.100.7") and listed(a, "192.0.2.1")


def test_two_that_are_active(tmp_path):
    ports = free_port(), free_port()
    a = Node(tmp_path / "a", config("a", ports[0], ports[1], "active"))
    b = Node(tmp_path / "b", config("b", ports[1], ports[0], "active"))
    with a, b:
        done(a, "192.0.2.1")  # the first by name goes on
        until("b refuses", lambda: update(b, "192.0.2.2")[0] == dns.rcode.SERVFAIL)
        rcode, text = update(b, "192.0.2.2")
        assert rcode == dns.rcode.SERVFAIL and "two active" in text, text
        r = b.candor("add", ZONE, "192.0.2.2", check=False)
        assert r.returncode == 2 and "two active" in r.stderr, r.stderr
        b.candor("demote", ZONE)
        done(b, "192.0.2.3")
        served_by((a, b), "192.0.2.3")


def test_a_secondary_hands_on(tmp_path):
    first = {"name": ZONE, "update": [{"key": "pub."}, {"key": "pair."}], "transfer": [{"key": "pair."}], "test": "none"}
    a = Node(tmp_path / "a", {"rbl": {"keys": KEYS, "zones": [first]}, "resolver": {"workers": 1}})
    second = {"name": ZONE, "primaries": [{"address": "127.0.0.1@%d" % a.sync_port, "key": "pair."}], "update": [{"key": "pub."}], "test": "none"}
    b = Node(tmp_path / "b", {"node": {"name": "b"}, "rbl": {"keys": KEYS, "zones": [second]}, "resolver": {"workers": 1}})
    with a:
        done(a, "192.0.2.9")
        b.start()
        done(b, "192.0.2.1")
        served_by((a, b), "192.0.2.1")
        # A refusal comes back as what it is.
        u = dns.update.UpdateMessage(ZONE)
        u.present("nothing-here")
        u.add("1.2.0.192", 300, "A", "127.0.0.2")
        u.use_tsig(KEYRING, "pub.")
        assert dns.query.tcp(u, "127.0.0.1", port=b.sync_port, timeout=10).rcode() == dns.rcode.NXDOMAIN
        assert b.stop() == 0


def test_a_loop_is_noticed(tmp_path):
    ports = free_port(), free_port()
    nodes = []
    for i in (0, 1):
        zone = {"name": ZONE, "primaries": [{"address": "127.0.0.1@%d" % ports[1 - i], "key": "pair."}],
                "update": [{"key": "pub."}, {"key": "pair."}]}
        nodes.append(Node(tmp_path / str(i), {"node": {"name": "n%d" % i, "state": "state", "run": "run"},
                                              "rbl": {"listen": ["127.0.0.1@%d" % ports[i]], "keys": KEYS, "zones": [zone]}}, program="sync"))
    for n in nodes:
        n.start(ready=False)
    try:
        until("both listen", lambda: all(update(n, "192.0.2.1") for n in nodes))

        def noticed():
            began = time.monotonic()
            rcode, text = update(nodes[0], "192.0.2.1")
            assert rcode == dns.rcode.SERVFAIL and time.monotonic() - began < 5, text
            return "loop" in text

        until("the loop is noticed", noticed)
    finally:
        for n in nodes:
            n.stop()


def test_times_are_up_at_the_source_and_so_everywhere(pair):
    """A standby knows the times as well, and takes nothing away itself: both have one serial all the time."""
    a, b = pair
    done(a, "192.0.2.1")
    a.candor("add", "--ttl-of-entry", "5s", ZONE, "192.0.2.9")
    before = serial(a)
    served_by(pair, "192.0.2.9")
    until("its time is up at both", lambda: not listed(a, "192.0.2.9") and not listed(b, "192.0.2.9"), within_s=30)
    done(a, "192.0.2.2")
    served_by(pair, "192.0.2.2")
    # one commit took it away, at the source
    until("both have the same two commits", lambda: serial(a) == serial(b) == before + 2)
    assert listed(b, "192.0.2.1")
