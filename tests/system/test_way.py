"""The way that an answer takes, each fault of it injected for real at shortened ticks: loops, a resolver that is stuck, lost fragments,
remote lists that refuse or list the world, signatures that ran out, and what clients live through beside what probes see."""
# time bound: 300 s
import json
import os
import socket
import subprocess
import threading
import time

import dns.message
import dns.query
import pytest

from lib.ask import BUILD
from lib.netns import Namespace, inside
from lib.node import Node, until
from lib.signed import Signed
from lib.upstream import Upstream

TICKS = 6  # base ticks (local 5 s, upstream 15 s, zones 30 s) and the times of the catalogue are divided by it
SLACK_S = 1.5
GUARD = "list.test."


def ms(seconds):
    return "%dms" % (seconds * 1000 / TICKS)


def config(upstream, **resolver):
    return {
        "resolver": dict({"workers": 2, "forward": [{"zone": ".", "to": [upstream.address]}]}, **resolver),
        "health": {"interval": {"local": ms(5), "upstream": ms(15), "zones": ms(30), "peers": ms(5), "push": ms(15)},
                   "canary": {"cached": "example.com.", "uncached-under": "example.com.", "nxdomain-under": "com."},
                   "heal": {"restart-hung": False}},
    }


def check(node, scope, key, id=None):
    found = [c for c in node.scope(scope)["checks"].get(key, []) if id is None or c.get("componentId") == id]
    return found[0] if found else None


def becomes(node, scope, key, want, limit_s, *words, id=None):
    """Waits until the check is `want` and its evidence has all `words`; limit_s is that of the catalogue."""
    def seen():
        c = check(node, scope, key, id)
        return c and c["status"] == want and all(w in json.dumps(c) for w in words) and c
    try:
        return until("%s is %s %r" % (key, want, words), seen, limit_s / TICKS + SLACK_S)
    except AssertionError:
        print(json.dumps(node.health()["checks"], indent=1)[:8000])
        raise


@pytest.fixture
def upstream():
    with Upstream() as u:
        yield u


def green(node, *checks):
    for scope, key in checks:
        until("%s passes" % key, lambda s=scope, k=key: (check(node, s, k) or {}).get("status") == "pass", 30)


def test_41_forwarding_loop(tmp_path, upstream):
    """The forwarder sends back what it gets, over UDP, as one does that was given our address by mistake."""
    with Node(tmp_path / "node", config(upstream)) as n:
        green(n, ("resolution", "canary:loop"), ("upstream", "upstream:loop"))
        straight = upstream.answer

        def back(wire, proto):
            try:
                reply = dns.query.udp(dns.message.from_wire(wire), "127.0.0.1", port=n.dns_port, timeout=1, ignore_unexpected=True)
                return reply.to_wire()
            except Exception:
                return None
        upstream.answer = back
        becomes(n, "upstream", "upstream:loop", "fail", 15, upstream.address, "came back")
        becomes(n, "resolution", "canary:loop", "fail", 15, upstream.address)
        upstream.answer = straight
        becomes(n, "resolution", "canary:loop", "pass", 60)
        becomes(n, "upstream", "upstream:loop", "pass", 60)


@pytest.fixture
def namespaced(tmp_path):
    with Namespace() as ns, inside(ns), Upstream(port=5353) as u:
        ns.run("ip", "link", "set", "lo", "mtu", "1500")
        c = config(u, outgoing=["127.0.0.9"])
        c["health"]["interval"]["zones"] = ms(15)  # as often as the rest: nobody waits for zones here
        with Node(tmp_path / "node", c, prefix=ns.prefix) as n:
            n.ns, n.upstream = ns, u
            yield n


def test_34_fragments_dropped(namespaced):
    n = namespaced
    green(n, ("resolution", "listen:large"))
    n.ns.run("nft", "-f", "-", input="add table inet t\nadd chain inet t in { type filter hook prerouting priority -450; }\n"
             "add rule inet t in ip frag-off & 0x3fff != 0 counter drop\n")
    c = becomes(n, "resolution", "listen:large", "fail", 60, "4096 octets over UDP", "fragments")
    assert "1232 octets over UDP" in c["output"].split(" came")[0] and "over TCP" in c["output"].split(" came")[0]


def test_09_outage_over_and_the_resolver_is_stuck(namespaced):
    """The forwarder is dead for all, then for what the resolver sends (its source address) alone."""
    n = namespaced
    green(n, ("resolution", "resolution:stuck"), ("resolution", "canary:uncached"), ("upstream", "upstream:answers"))
    n.ns.nft(["udp dport 5353 drop", "tcp dport 5353 drop"])
    becomes(n, "upstream", "upstream:answers", "fail", 45)
    becomes(n, "resolution", "canary:uncached", "fail", 45)
    becomes(n, "resolution", "resolution:stuck", "warn", 30, "not known")
    n.ns.nft(["ip saddr 127.0.0.9 udp dport 5353 drop", "ip saddr 127.0.0.9 tcp dport 5353 drop"])
    becomes(n, "resolution", "resolution:stuck", "fail", 30, "the resolver is stuck")
    assert check(n, "upstream", "upstream:answers")["status"] == "pass"
    n.ns.nft_clear()
    becomes(n, "resolution", "resolution:stuck", "pass", 30)
    becomes(n, "resolution", "canary:uncached", "pass", 30)


def listing(refusing=None, world=False, silent=False):
    names = {"example.com. A": ["192.0.2.10"], GUARD + " SOA": []}
    if not silent:
        names["2.0.0.127.%s A" % GUARD] = [refusing or "127.0.0.2"]
    if world:
        names["1.0.0.127.%s A" % GUARD] = ["127.0.0.2"]
    return names


@pytest.mark.parametrize("change,key,words", [(listing("127.255.255.254"), "point_listed", "refuses to answer us"),
                                              (listing(world=True), "point_unlisted", "lists the world"),
                                              (listing(silent=True), "point_listed", "NXDOMAIN")],
                         ids=["refuses", "the world", "silent"])
def test_11_and_12_a_remote_list(tmp_path, upstream, change, key, words):
    upstream.names, upstream.ttl = listing(), 1
    guard = [{"zone": GUARD, "refuse": ["127.255.255.0/24"], "test": "rfc5782-ip4"}]
    with Node(tmp_path / "node", config(upstream, guard=guard)) as n:
        green(n, ("zones", "guard:point_listed"), ("zones", "guard:point_unlisted"))
        upstream.names = change
        becomes(n, "zones", "guard:" + key, "fail", 60 if key == "point_listed" else 30, words, id=GUARD)


def clients(node, names, stop):
    """Asks as a client does, without NSID, each name with a fresh label."""
    i = 0
    while not stop.is_set():
        i += 1
        q = dns.message.make_query("c%d.%s" % (i, names[i % len(names)]), "A")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(q.to_wire(), ("127.0.0.1", node.dns_port))
            s.settimeout(0.5)
            try:
                s.recvfrom(4096)
            except OSError:
                pass


def test_08_what_clients_live_through(tmp_path, upstream):
    """One forwarder serves the canaries well and one, of a zone that nobody probes, answers SERVFAIL to all clients."""
    with Upstream(names={}) as other:
        c = config(upstream)
        c["resolver"]["forward"].append({"zone": "corp.test.", "to": [other.address]})
        with Node(tmp_path / "node", c) as n:
            green(n, ("resolution", "resolution:lived"), ("resolution", "resolution:disagreement"))
            assert "too few" in check(n, "resolution", "resolution:lived")["output"]
            stop = threading.Event()
            threads = [threading.Thread(target=clients, args=(n, ["w%d.corp.test." % k], stop)) for k in range(4)]
            for t in threads:
                t.start()
            try:
                until("clients are seen", lambda: any(v["queries"] > 200 for v in n.health()["lived"].values()), 20)
                becomes(n, "resolution", "resolution:lived", "pass", 30, "0.0 % were answered with SERVFAIL")
                other.mode = "servfail"
                becomes(n, "resolution", "resolution:lived", "fail", 30, "SERVFAIL")
                becomes(n, "resolution", "resolution:disagreement", "warn", 30, "probes are well", "clients are not")
                assert check(n, "resolution", "canary:uncached")["status"] == "pass"
                text = n.get("/metrics").text
                assert "candor_lived_servfail_ratio{" in text and "candor_client_prefix_buckets{" in text
                assert "127.0.0.1@" not in json.dumps(n.health()["lived"])
            finally:
                stop.set()
                for t in threads:
                    t.join()


def test_38_signatures_run_out(tmp_path):
    """A forwarder that validates, unbound; signatures of the good name run out."""
    with Signed(tmp_path / "signed") as s:
        c = config(s)
        c["health"]["canary"].update({"signed": "www.good.example.", "bogus": "www.bad.example."})
        with Node(tmp_path / "node", c) as n:
            green(n, ("upstream", "upstream:signed"), ("upstream", "upstream:bogus"), ("resolution", "canary:signed"),
                  ("resolution", "canary:bogus"))
            s.sign("good.example.", from_s=-86400 * 9, to_s=-86400 * 3)  # a day of skew is let pass
            s.reload()
            becomes(n, "upstream", "upstream:signed", "fail", 300, "ran out", id=s.address)
            becomes(n, "resolution", "canary:signed", "fail", 300, "SERVFAIL")
            assert check(n, "upstream", "upstream:bogus")["status"] == "pass"


def test_38_a_forwarder_that_does_not_validate(tmp_path, upstream):
    upstream.names.update({"www.good.example. A": ["192.0.2.80"], "www.bad.example. A": ["192.0.2.81"]})
    c = config(upstream)
    c["health"]["canary"].update({"signed": "www.good.example.", "bogus": "www.bad.example."})
    with Node(tmp_path / "node", c) as n:
        becomes(n, "upstream", "upstream:signed", "fail", 300, "does not validate")
        becomes(n, "upstream", "upstream:bogus", "fail", 300, "nobody validates")
        becomes(n, "resolution", "canary:bogus", "fail", 300, "nobody validates")


def shim(tmp_path):
    so, root = tmp_path / "clock.so", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", so, os.path.join(root, "tests/chaos/clock.c"), "-ldl"], check=True)
    return so


def set_clock(path, seconds):
    with open(path, "r+b") as f:
        f.write(int(seconds * 1000).to_bytes(8, "little", signed=True))


def test_36_and_37_the_wall_clock(tmp_path, upstream, monkeypatch):
    clock = tmp_path / "clock"
    clock.write_bytes(bytes(8))
    so = str(shim(tmp_path))
    monkeypatch.setenv("CANDOR_CLOCK", str(clock))
    monkeypatch.setenv("LD_PRELOAD", so)
    with Node(tmp_path / "node", config(upstream)) as n:
        green(n, ("process", "clock:jump"), ("process", "clock:build"))
        for seconds, words, label in ((3600, "ahead by 3600", "ahead"), (0, "back by 3600", "back"), (-3, "back by 3.0", "back")):
            set_clock(clock, seconds)
            start = time.monotonic()
            becomes(n, "process", "clock:jump", "warn", 1, words)
            assert time.monotonic() - start < 2
        assert 'candor_clock_jumps_total{direction="back"} 2' in n.get("/metrics").text
        assert 'candor_clock_jumps_total{direction="ahead"} 1' in n.get("/metrics").text
    set_clock(clock, -12 * 365 * 86400)
    with Node(tmp_path / "old", config(upstream)) as n:
        becomes(n, "process", "clock:build", "fail", 30, "before this program was built")
