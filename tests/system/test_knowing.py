"""Served, said and true agree: faults under which other servers' own status lies (their status says nothing, `OK`, or `queued`).

Each test names the page that must know: the secondary's of what it lacks, the primary's of who lacks it. Ticks are a fifth of the
default, so that a row's time is a fifth too: what may take 60 s is seen within 12 s."""
# time bound: 300 s
# mostly waits
import base64
import contextlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import time

import dns.exception
import dns.message
import dns.query
import psutil
import pytest

from lib import disks
from lib.node import Node, free_port, until
from test_transfer_in import Named, Nsd, Relay, soa_at

FAST = 5
SECRET = base64.b64encode(b"a secret of thirty-two octets ..").decode()
OTHER = base64.b64encode(b"another secret of as many octets").decode()
ZONE = "bl.test."
ROW_S = 60 / FAST + 4  # of the rows of 60 s, and the machine's own slowness
HEALTH = {"interval": {"local": "1s", "upstream": "3s", "zones": "6s"}, "heal": {"restart-hung": False}}
SOA = {"primary": "ns.test.", "contact": "box.test.", "refresh": "5s", "retry": "1s", "expire": "30s", "minimum": "5s"}


def key(secret=SECRET):
    return {"name": "k.test.", "algorithm": "hmac-sha256", "secret": secret}


def source(folder, **zone):
    z = dict({"name": ZONE, "test": "none", "soa": SOA, "ns": ["ns.test."], "transfer": [{"key": "k.test."}],
              "update": [{"key": "k.test."}]}, **zone)
    return Node(folder, {"node": {"name": "source"}, "resolver": {"workers": 1}, "health": HEALTH,
                         "rbl": {"keys": [key()], "zones": [z]}})


def secondary(folder, primary, secret=SECRET, **zone):
    port = primary if isinstance(primary, int) else primary.sync_port
    z = dict({"name": ZONE, "test": "none", "primaries": [{"address": "127.0.0.1@%d" % port, "key": "k.test."}]}, **zone)
    return Node(folder, {"node": {"name": "secondary"}, "resolver": {"workers": 1}, "health": HEALTH,
                         "rbl": {"keys": [key(secret)], "zones": [z]}})


def told(node, port):
    """Of a node that is not started yet: whom its zone's NOTIFY goes to, so that it expects that one."""
    node.config["rbl"]["zones"][0]["notify"] = [{"address": "127.0.0.1@%d" % port, "key": "k.test."}]
    node.write_config()
    return node


def served(node, qname=ZONE, rdtype="SOA"):
    """What clients get: the serial, or the rcode's number below 0."""
    try:
        r = dns.query.udp(dns.message.make_query(qname, rdtype), node.host, port=node.dns_port, timeout=2)
    except (OSError, dns.exception.DNSException):
        return None
    return r.answer[0][0].serial if r.answer else -r.rcode()


def says(node, measurement, component="replication"):
    """(status, words) of one check; of several the worst."""
    found = node.scope("replication")["checks"].get("%s:%s" % (component, measurement), [])
    order = ["pass", "warn", "unknown", "fail"]
    return max(((c["status"], c["output"]) for c in found), key=lambda s: order.index(s[0]), default=("none", ""))


def known(what, node, measurement, pattern, statuses=("fail",), within_s=ROW_S, component="replication"):
    def look():
        status, words = says(node, measurement, component)
        return status in statuses and re.search(pattern, words) and (status, words)
    try:
        return until(what, look, within_s)
    except AssertionError as e:
        raise AssertionError("%s; it says %s\n%s" % (e, says(node, measurement, component), node.log()[-3000:])) from None


def zone_of(node):
    return node.scope("replication")["replication"][ZONE]


def add(node, *addresses):
    node.candor("add", ZONE, *addresses)


def in_step(a, b, within_s=ROW_S):
    until("%s serves what %s does" % (b.folder, a.folder), lambda: served(a) and served(a) > 0 and served(a) == served(b), within_s)
    known("in step", b, "source", "as its primaries have it", ("pass",), within_s)


def status(node, code):
    """`candor sync-status`, its exit code awaited."""
    def look():
        p = node.candor("sync-status", "--json", check=False)
        return p.returncode == code and json.loads(p.stdout)
    return until("sync-status %d" % code, look, ROW_S)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("knowing")
    with contextlib.ExitStack() as stack:
        a = source(folder / "source")
        b = secondary(folder / "secondary", a)
        told(a, b.sync_port)
        stack.enter_context(a)
        add(a, "192.0.2.1")
        stack.enter_context(b)
        in_step(a, b)
        yield a, b


def test_all_is_well_and_said_so(pair):
    a, b = pair
    add(a, "192.0.2.2")
    in_step(a, b)
    known("the primary knows its secondary", a, "secondaries", "1 secondary in step", ("pass",))
    known("digests are compared", b, "digest", "same digest at 1 node", ("pass",))
    # a heartbeat may be committed between the page and the question: that they meet is what counts
    until("what is served, committed and at the source is one serial",
          lambda: (z := zone_of(b))["serial"] == z["sourceSerial"] == served(b) and z["lag"] == 0)
    z = zone_of(b)
    assert z["role"] == "secondary"
    until("the data is fresh", lambda: zone_of(b)["dataAge"] < 3 and zone_of(b)["checkAge"] < 10)
    link = z["links"][0]
    assert link["transport"] == "native" and link["path"].startswith("source")
    assert zone_of(a)["role"] == "primary"
    # as long as a heartbeat is on its way neither holds
    until("the digests are the same", lambda: zone_of(b)["links"][0]["sameDigest"])
    until("nothing waits", lambda: zone_of(a)["links"][0]["queued"] == 0)
    until("the command says so", lambda: (d := status(b, 0))["status"] == "in step" and d["zones"][0]["links"][0]["sameDigest"])
    text = b.candor("sync-status", ZONE).stdout
    assert ZONE in text and "native" in text and "secondary" in text
    assert b.candor("sync-status", "other.test.", check=False).returncode == 2
    for n in (a, b):
        metrics = n.get("/metrics").text
        p = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True, text=True)
        assert p.returncode == 0, p.stdout + p.stderr
    metrics = until("no lag", lambda: (t := b.get("/metrics").text) and 'candor_zone_serial_lag{zone="bl.test."} 0\n' in t and t)
    assert 'candor_zone_transfers_total{zone="bl.test.",direction="in",kind="axfr",result="failed"} 0\n' in metrics
    assert int(re.search(r'candor_zone_propagation_seconds_count{zone="bl.test."} (\d+)', metrics)[1]) > 0
    assert "Zones from node to node" in b.get("/").text


def test_a_secondary_stopped_for_a_hundred_changes(pair):
    """The primary of any other make says nothing."""
    a, b = pair
    sync = b.daemon("sync")
    before = served(b)
    sync.send_signal(signal.SIGSTOP)
    try:
        for i in range(100):
            add(a, "198.51.100.%d" % i)
        assert served(b) == before != served(a)
        _, words = known("the primary names it", a, "secondaries", r"\d+ commits behind")
        assert int(re.search(r"(\d+) commits", words)[1]) >= 100
        until("the secondary knows itself", lambda: b.health()["status"] in ("fail", "unknown"), ROW_S)
        assert status(b, 2)["output"].startswith("candor-sync hangs")
        assert status(a, 1)["zones"][0]["links"][0]["queued"] >= 100
    finally:
        sync.send_signal(signal.SIGCONT)
    in_step(a, b)
    known("nobody lacks anything", a, "secondaries", "in step", ("pass",))


def test_who_holds_a_question_is_there_whatever_becomes_of_notify(tmp_path):
    """NOTIFY goes to a port that never answers, the secondary came by itself: nothing is wrong, and nothing is said to be."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        p = told(source(tmp_path / "p"), silent.getsockname()[1])
        with p:
            add(p, "192.0.2.1")
            with secondary(tmp_path / "s", p) as s:
                in_step(p, s)
                known("it is there", p, "secondaries", "in step", ("pass",))
                end = time.monotonic() + 8  # NOTIFY has given up three times by then
                while time.monotonic() < end:
                    assert says(p, "secondaries")[0] == "pass", says(p, "secondaries")
                    time.sleep(0.2)


def test_started_again(pair):
    """Some servers say `ok` after a restart, and answer SERVFAIL. Ours serves what it had, with the primary dead, and says whom it misses."""
    a, b = pair
    serial = served(b)
    a.stop()
    b.stop()
    b.start(ready=False)
    until("what was there is served", lambda: served(b) == serial, ROW_S)
    known("the primary is missed", b, "source", "unreachable", ("warn", "fail"))
    b.wait_ready()
    a.start()
    in_step(a, b)


def test_a_primary_killed_in_the_middle_of_a_transfer(tmp_path):
    """Half of a zone is none: nothing of it is served, the page says what happened, and it heals when the primary is back."""
    many = "".join("%d.%d.1.10 A 127.0.0.2\n" % (n % 250, n // 250) for n in range(40000))
    cuts = [1 << 40, 300000] + [100] * 1000  # the session for questions, the transfer, and whatever is tried behind it
    with Named(tmp_path / "primary", 5, [2], many) as p, Relay(p.port, cuts) as r, contextlib.ExitStack() as stack:
        s = secondary(tmp_path / "s", r.port)
        stack.callback(s.stop)
        s.start(ready=False)
        until("half of it has come", lambda: r.back > 300000)
        p.process.kill()
        p.process.wait()
        known("cut off", s, "source", "no data yet.*(cut off|refused)", ("fail",))
        assert served(s, "2.0.0.127." + ZONE, "A") == -2  # SERVFAIL: it has nothing, and says so
        assert s.get("/readyz").status_code == 503
        broken = status(s, 2)["zones"][0]
        assert broken["serial"] == 0 and any(k["error"] for k in broken["links"]), broken
        r.cuts.clear()
        with p:
            until("it has all of it", lambda: served(s) == 5, 60)
            last = dns.message.make_query("%d.%d.1.10.%s" % (39999 % 250, 39999 // 250, ZONE), "A")
            assert dns.query.udp(last, s.host, port=s.dns_port, timeout=2).answer
            known("well again", s, "source", "as its primaries have it", ("pass",), 30)


def test_a_dead_primary_and_expiry(tmp_path):
    """Killed, without a word: unreachable at once, too old after refresh and the allowance, expired, and not ready."""
    soa = dict(SOA, expire="16s", refresh="3s")
    with contextlib.ExitStack() as stack:
        a = stack.enter_context(source(tmp_path / "source", soa=soa))
        add(a, "192.0.2.1")
        b = stack.enter_context(secondary(tmp_path / "secondary", a))
        in_step(a, b)
        a.daemon("sync").kill()  # the supervisor starts it again: the whole node must go
        a.process.kill()
        a.stop()
        known("unreachable", b, "source", "unreachable", ("warn", "fail"), 8)
        assert served(b) > 0 and b.get("/readyz").status_code == 200
        known("too old", b, "source", "no primary has answered for", ("fail",), 3 + 6 + 5)
        until("expired: SERVFAIL", lambda: served(b) == -2, 16)
        until("not ready", lambda: b.get("/readyz").status_code == 503, 5)
        known("expired", b, "source", "expired")
        a.start()
        in_step(a, b)
        until("ready again", lambda: b.get("/readyz").status_code == 200, 10)


def test_a_wrong_key_at_the_first_try(tmp_path):
    with contextlib.ExitStack() as stack:
        a = stack.enter_context(source(tmp_path / "source"))
        add(a, "192.0.2.1")
        b = secondary(tmp_path / "secondary", a, secret=OTHER)
        b.start(ready=False)
        stack.callback(b.stop)
        known("the secondary knows", b, "source", "BADSIG", ("fail",), 8)
        known("the primary knows", a, "keys", "BADSIG", ("warn",), 8)
        assert b.get("/readyz").status_code == 503
        metrics = b.get("/metrics").text
        assert re.search(r'candor_replication_tsig_failures_total{peer="[^"]+",error="BADSIG"} [1-9]', metrics), metrics[-2000:]


@pytest.fixture(scope="module")
def clock_so(tmp_path_factory):
    so = str(tmp_path_factory.mktemp("clock") / "clock.so")
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", so, os.path.join(here, "chaos", "clock.c"), "-ldl"], check=True)
    return so


def set_clock(path, seconds):
    with open(path, "r+b" if os.path.exists(path) else "wb") as f:
        f.write(struct.pack("=q", seconds * 1000))


def test_a_clock_that_is_off(tmp_path, clock_so):
    """Two minutes: a warning, everything goes on. Ten: BADTIME, by name at both ends. Right again: healed at once."""
    clock = str(tmp_path / "offset")
    set_clock(clock, 0)
    with contextlib.ExitStack() as stack:
        a = stack.enter_context(source(tmp_path / "source"))
        add(a, "192.0.2.1")
        b = secondary(tmp_path / "secondary", a)
        b.prefix = ["env", "LD_PRELOAD=" + clock_so, "CANDOR_CLOCK=" + clock]
        stack.enter_context(b)
        in_step(a, b)
        set_clock(clock, 120)
        known("a warning before the failure", b, "clock", "behind ours: TSIG fails", ("warn",))
        add(a, "192.0.2.2")
        until("served all the same", lambda: served(b) == served(a), ROW_S)
        set_clock(clock, 600)
        known("the secondary names it", b, "source", "BADTIME|clock", ("fail", "warn"))
        known("the primary names it", a, "keys", "BADTIME", ("warn",))
        set_clock(clock, 0)
        add(a, "192.0.2.3")
        in_step(a, b)


def test_a_full_disk_at_the_secondary(tmp_path):
    """Others serve from memory what is gone at the next start."""
    state = tmp_path / "secondary" / "state"
    with contextlib.ExitStack() as stack:
        a = stack.enter_context(source(tmp_path / "source"))
        add(a, "192.0.2.1")
        stack.enter_context(disks.tmpfs(state, 24 << 20))
        b = stack.enter_context(secondary(tmp_path / "secondary", a))
        in_step(a, b)
        before = served(b)
        filler = disks.fill(state)
        for i in range(8):
            a.candor("add", ZONE, *["10.%d.%d.%d" % (i, j // 200, j % 200) for j in range(4000)])
        known("it lacks the change, and says why", b, "source", "behind|pace", ("fail", "warn"))
        until("the disk is named", lambda: b.scope("storage")["status"] == "fail", ROW_S)
        until("what it serves is what it says to serve, and not the newest",
              lambda: before <= (serial := served(b)) < served(a) and zone_of(b)["serial"] == serial)
        os.unlink(filler)
        in_step(a, b, 2 * ROW_S)


def test_a_journal_that_reaches_back_no_further(tmp_path):
    with contextlib.ExitStack() as stack:
        a = stack.enter_context(source(tmp_path / "source", journal="64K"))
        add(a, "192.0.2.1")
        b = stack.enter_context(secondary(tmp_path / "secondary", a))
        in_step(a, b)
        b.stop()
        for i in range(6):
            a.candor("add", ZONE, *["10.%d.%d.%d" % (i, j // 200, j % 200) for j in range(4000)])
        b.start()
        in_step(a, b)
        assert zone_of(b)["links"][0]["sameDigest"]


def test_a_secondary_of_another_make(tmp_path):
    """nsd that is stopped: the primary asks its DNS port, and names it."""
    port = free_port()
    with contextlib.ExitStack() as stack:
        a = told(source(tmp_path / "source"), port)
        a.config["rbl"]["zones"][0]["transfer"] = [{"address": "127.0.0.0/8"}]
        del a.config["rbl"]["zones"][0]["notify"][0]["key"]
        a.write_config()
        stack.enter_context(a)
        add(a, "192.0.2.1")
        folder = tmp_path / "nsd"
        folder.mkdir()
        folder.chmod(0o777)
        (folder / "nsd.conf").write_text("""server:
 server-count: 1
 ip-address: 127.0.0.1@%d
 username: ""
 zonesdir: "%s"
 xfrdfile: "%s/xfrd"
 zonelistfile: "%s/list"
 xfrdir: "%s"
 database: ""
 pidfile: "%s/pid"
 xfrd-reload-timeout: 0
remote-control:
 control-enable: no
zone:
 name: "%s"
 zonefile: "zone"
 request-xfr: 127.0.0.1@%d NOKEY
 allow-notify: 127.0.0.0/8 NOKEY
""" % (port, folder, folder, folder, folder, folder, ZONE, a.sync_port))
        log = stack.enter_context(open(folder / "log", "wb"))
        nsd = subprocess.Popen(["nsd", "-d", "-c", str(folder / "nsd.conf")], stdout=log, stderr=log)
        stack.callback(nsd.wait)
        stack.callback(nsd.terminate)
        peer = "127.0.0.1@%d" % port
        known("its DNS port is asked", a, "serial", "as this node does", ("pass",), 20, "peer")
        family = [psutil.Process(nsd.pid)] + psutil.Process(nsd.pid).children(recursive=True)
        for p in family:
            p.suspend()
        stack.callback(lambda: [p.resume() for p in family if p.is_running()])
        add(a, "192.0.2.2")
        known("it is named: no answer", a, "serial", "no answer", ("fail",), ROW_S, "peer")
        assert peer in json.dumps(a.scope("replication")["checks"])
        for p in family:
            p.resume()
        known("well again", a, "serial", "as this node does", ("pass",), 30, "peer")


def test_a_serial_that_goes_backwards(tmp_path):
    """Others say `OK` or "queued", and nothing happens."""
    with contextlib.ExitStack() as stack:
        p = stack.enter_context(Nsd(tmp_path / "nsd", 50, range(2, 60)))
        b = stack.enter_context(secondary(tmp_path / "secondary", p.port))
        until("served", lambda: served(b) == 50, ROW_S)
        known("in step", b, "source", "as its primaries have it", ("pass",))
        p.write(7, range(2, 50))
        p.reload()
        until("the primary has an old serial", lambda: soa_at(p.port) == 7, 20)
        b.candor("refresh", ZONE)
        known("it is named", b, "source", "backwards|went from 50 back to 7", ("fail", "warn"))
        assert served(b) == 50 and zone_of(b)["regressions"] == 1
        assert status(b, 2)["zones"][0]["error"]
        p.write(51, range(2, 70))
        p.reload()
        until("the primary came to its senses", lambda: soa_at(p.port) == 51, 20)
        b.candor("refresh", ZONE)
        until("followed again", lambda: served(b) == 51, ROW_S)
        known("well again", b, "source", "as its primaries have it", ("pass",))


def test_the_age_of_data_behind_another_make(tmp_path):
    """A record that the source writes says how old the data is, by a whole transfer and by differences."""
    def beat(ago_s):
        return '_candor-heartbeat TXT "%d"\n' % ((time.time() - ago_s) * 1000)

    def age(low, high):
        until("data is %d to %d s old" % (low, high), lambda: low <= zone_of(b).get("dataAge", -1) <= high, ROW_S)

    with contextlib.ExitStack() as stack:
        p = stack.enter_context(Nsd(tmp_path / "nsd", 50, range(2, 60), beat(100)))
        b = stack.enter_context(secondary(tmp_path / "secondary", p.port))
        until("served", lambda: served(b) == 50, ROW_S)
        age(100, 115)
        p.write(51, range(2, 61), beat(30))
        p.reload()
        until("the primary has the next", lambda: soa_at(p.port) == 51, 20)
        b.candor("refresh", ZONE)
        age(30, 60)


def test_a_chain_that_is_cut_at_its_head(tmp_path):
    """Fresh checks at the last node, and data that grows old: it says that somebody further up is cut off."""
    with contextlib.ExitStack() as stack:
        a = stack.enter_context(source(tmp_path / "source", soa=dict(SOA, refresh="2s")))
        add(a, "192.0.2.1")
        hub = secondary(tmp_path / "hub", a, transfer=[{"key": "k.test."}])
        hub.config["node"]["name"] = "hub"
        hub.write_config()
        stack.enter_context(hub)
        last = stack.enter_context(secondary(tmp_path / "last", hub))
        in_step(a, last)
        assert [p.strip() for p in zone_of(last)["links"][0]["path"].split(">")] == ["source", "hub"]
        a.stop()
        known("the hub misses its primary", hub, "source", "unreachable", ("warn", "fail"))
        known("the last one knows that it is further up", last, "source", "further up", ("fail",), 2 + 6 + 6)
        assert zone_of(last)["checkAge"] < 10 < zone_of(last)["dataAge"] + 4
        a.start()
        in_step(a, last)
