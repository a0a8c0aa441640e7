"""candor-resolver alone, beside upstream servers that do as they are told: forwarding, cache, workers, access."""
import collections
import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import socket
import tempfile
import threading
import time

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from lib.node import Node, until
from lib.upstream import Upstream

WORKERS = 2


def query(name, rdtype="A", rd=True, edns=True, nsid=False, payload=1232):
    q = dns.message.make_query(name, rdtype, use_edns=0 if edns else -1, payload=payload if edns else None,
                               options=[dns.edns.GenericOption(dns.edns.OptionType.NSID, b"")] if nsid else None)
    if not rd:
        q.flags &= ~dns.flags.RD
    return q


def ask(node, name, rdtype="A", timeout=8, tcp=False, source=None, **kw):
    send = dns.query.tcp if tcp else dns.query.udp
    return send(query(name, rdtype, **kw), node.host, port=node.dns_port, timeout=timeout, source=source)


def ede(reply):
    return [o.code for o in reply.options if o.otype == dns.edns.OptionType.EDE]


def ede_text(reply):
    return " ".join(o.text or "" for o in reply.options if o.otype == dns.edns.OptionType.EDE)


def nsid(reply):
    for o in reply.options:
        if o.otype == dns.edns.OptionType.NSID:
            return (o.nsid if hasattr(o, "nsid") else o.data).decode()
    return None


def answers(node):
    return ask(node, "version.bind.", "TXT", timeout=0.5) is not None


@contextlib.contextmanager
def resolver(folder, *upstreams, forward=None, workers=WORKERS, **over):
    config = {"resolver": {"workers": workers, "forward": forward or
                           [{"zone": ".", "to": [u.address for u in upstreams]}], **over}}
    with Node(folder / "node", config, program="resolver") as n:
        until("it answers", lambda: n.alive() and every_worker(n, workers))
        yield n


def identity(node):
    """NSID of whoever answers a fresh source port."""
    with contextlib.suppress(dns.exception.Timeout):
        q = query("id.server.", "TXT", nsid=True)
        q.question[0].rdclass = dns.rdataclass.CH
        return nsid(dns.query.udp(q, node.host, port=node.dns_port, timeout=0.3))
    return None


def every_worker(node, workers, tries=200):
    """One NSID of each worker, by index; None when not all answered."""
    seen = {}
    for _ in range(tries):
        who = identity(node)
        if who:
            seen[int(who.rsplit("/", 1)[1])] = who
        if len(seen) == workers:
            return seen
    return None


@pytest.fixture
def upstream():
    with Upstream({"www.example.com. A": ["192.0.2.1"], "multi.example.com. A": ["192.0.2.%d" % i for i in range(1, 9)],
                   "big.example.com. TXT": ['"%s"' % ("x" * 250)] + ['"%03d%s"' % (i, "y" * 240) for i in range(40)],
                   "txt.example.com. TXT": ['"hello"'], "mx.example.com. MX": ["10 mail.example.com."]}) as u:
        yield u


@pytest.fixture
def node(tmp_path, upstream):
    with resolver(tmp_path, upstream) as n:
        n.upstream = upstream
        yield n


def test_forwards_and_caches_counting_down(node):
    first = ask(node, "www.example.com.")
    assert first.rcode() == dns.rcode.NOERROR
    assert [r.address for r in first.answer[0]] == ["192.0.2.1"]
    assert first.flags & dns.flags.RA and not first.flags & (dns.flags.AA | dns.flags.AD | dns.flags.TC)
    assert first.answer[0].ttl == 60

    def counted_down():
        reply = ask(node, "www.example.com.")
        return reply.answer[0].ttl <= 57 and reply
    aged = until("TTL has counted down", counted_down, 10, 0.2)
    assert 50 < aged.answer[0].ttl <= 57
    assert node.upstream.count("www.example.com. A") == 1  # both workers answered from one cache


def test_case_of_the_question_is_kept(node):
    q = query(dns.name.from_text("wWw.eXample.COM."))
    for _ in range(3):
        reply = dns.query.udp(q, node.host, port=node.dns_port, timeout=5)
        assert reply.question[0].name.to_text() == "wWw.eXample.COM."
        assert reply.answer[0].name.to_text() == "wWw.eXample.COM."
    assert node.upstream.count("www.example.com. A") == 1


def test_types_other_than_addresses(node):
    assert ask(node, "txt.example.com.", "TXT").answer[0][0].strings == (b"hello",)
    assert ask(node, "mx.example.com.", "MX").answer[0][0].exchange.to_text() == "mail.example.com."


@pytest.mark.parametrize("name,rcode", [("nothing.example.com.", "NXDOMAIN"), ("www.example.com.", "NOERROR")])
def test_negative_answers_are_cached(node, name, rcode):
    for _ in range(5):
        reply = ask(node, name, "AAAA")
        assert dns.rcode.to_text(reply.rcode()) == rcode
        assert not reply.answer
        assert reply.authority[0].rdtype == dns.rdatatype.SOA
        assert reply.authority[0].ttl <= 60
    assert node.upstream.count("%s AAAA" % name) == 1


def test_truncated_upstream_is_asked_over_tcp(tmp_path):
    with Upstream(mode="truncate") as u, resolver(tmp_path, u) as n:
        assert ask(n, "example.com.").answer[0][0].address == "192.0.2.10"
        assert (u.count(proto="udp"), u.count(proto="tcp")) == (1, 1)


def test_large_answers_truncate_and_come_over_tcp(node):
    small = ask(node, "big.example.com.", "TXT")
    assert small.flags & dns.flags.TC and not small.answer
    assert len(small.to_wire()) < 1232
    again = ask(node, "big.example.com.", "TXT", edns=False)
    assert again.flags & dns.flags.TC
    whole = ask(node, "big.example.com.", "TXT", tcp=True)
    assert not whole.flags & dns.flags.TC
    assert len(whole.answer[0]) == 41


def test_tcp_pipelined(node):
    names = ["www.example.com.", "multi.example.com.", "txt.example.com.", "nothing.example.com."] * 5
    queries = [query(n, "TXT" if n.startswith("txt") else "A") for n in names]
    with socket.create_connection((node.host, node.dns_port), 5) as s:
        wire = b"".join(len(w).to_bytes(2, "big") + w for w in (q.to_wire() for q in queries))
        s.sendall(wire)
        want = {q.id: q for q in queries}
        while want:
            reply, _ = dns.query.receive_tcp(s, time.time() + 5)
            assert want.pop(reply.id).is_response(reply)


def test_one_question_for_a_hundred_clients(tmp_path):
    with Upstream(delay_s=0.25) as u, resolver(tmp_path, u, workers=1) as n:
        results = []

        def client():
            results.append(ask(n, "example.com.").answer[0][0].address)
        threads = [threading.Thread(target=client) for _ in range(100)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert results == ["192.0.2.10"] * 100
        assert u.count("example.com. A") <= 2  # one; and one more where this machine takes long over the first


def test_the_next_server_when_one_is_silent(tmp_path):
    with Upstream(mode="silent") as dead, Upstream() as good, resolver(tmp_path, dead, good) as n:
        for i in range(8):
            start = time.monotonic()
            assert ask(n, "n%d.example.com." % i).rcode() == dns.rcode.NXDOMAIN
            assert time.monotonic() - start < 3
        dead.mode = "answer"
        good.mode = "silent"
        for i in range(4):
            assert ask(n, "m%d.example.com." % i).rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize("mode", ["servfail", "refused"])
def test_the_next_server_when_one_fails(tmp_path, mode):
    with Upstream(mode=mode) as bad, Upstream() as good, resolver(tmp_path, bad, good) as n:
        for i in range(20):
            assert ask(n, "n%d.example.com." % i).rcode() == dns.rcode.NXDOMAIN
        assert good.count() == 20


def test_nobody_listens_upstream(tmp_path):
    u = Upstream()
    u.close()
    with resolver(tmp_path, u) as n:
        reply = ask(n, "example.com.")
        assert reply.rcode() == dns.rcode.SERVFAIL
        assert ede(reply) == [23]  # Network Error


def test_all_silent_is_servfail_with_reason_in_time(tmp_path):
    with Upstream(mode="silent") as a, Upstream(mode="silent") as b, resolver(tmp_path, a, b) as n:
        start = time.monotonic()
        reply = ask(n, "example.com.")
        assert 4 < time.monotonic() - start < 6
        assert reply.rcode() == dns.rcode.SERVFAIL
        assert ede(reply) == [22]  # No Reachable Authority
        a.mode = "answer"
        until("an answer once one is back", lambda: ask(n, "example.com.").rcode() == dns.rcode.NOERROR, 15)


def test_no_forwarder_for_the_name(tmp_path, upstream):
    forward = [{"zone": "example.com.", "to": [upstream.address]}]
    with resolver(tmp_path, upstream, forward=forward) as n:
        assert ask(n, "www.example.com.").answer
        reply = ask(n, "www.example.org.")
        assert reply.rcode() == dns.rcode.SERVFAIL
        assert "no forwarder" in ede_text(reply)


class Liar(Upstream):
    """Before each true answer, forged ones: another id, another question, a query, garbage."""

    def reply_udp(self, wire, peer):
        if len(wire) < 12:  # the socket is being closed
            return
        lie = dns.message.make_response(dns.message.from_wire(wire), recursion_available=True)
        lie.answer.append(dns.rrset.from_text(lie.question[0].name, 60, "IN", "A", "6.6.6.6"))
        lie.id ^= 1
        self.udp.sendto(lie.to_wire(), peer)
        lie.id ^= 1
        lie.question[0].name = dns.name.from_text("other.example.com.")
        self.udp.sendto(lie.to_wire(), peer)
        lie.question[0].name = dns.message.from_wire(wire).question[0].name
        lie.flags &= ~dns.flags.QR
        self.udp.sendto(lie.to_wire(), peer)
        self.udp.sendto(os.urandom(100), peer)
        with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as stranger:
            lie.flags |= dns.flags.QR  # right in everything but where it comes from
            stranger.sendto(lie.to_wire(), peer)
        time.sleep(0.05)
        super().reply_udp(wire, peer)


def test_forged_answers_are_not_believed(tmp_path):
    with Liar({"%s.example.com. A" % i: ["192.0.2.1"] for i in range(5)}) as u, resolver(tmp_path, u) as n:
        for i in range(5):
            assert ask(n, "%d.example.com." % i).answer[0][0].address == "192.0.2.1"


class Poisoner(Upstream):
    """The true answer, and much that nobody asked for."""
    poison = True

    def answer(self, wire, proto):
        reply = dns.message.from_wire(super().answer(wire, proto))
        if not self.poison:
            return reply.to_wire()
        for section in (reply.answer, reply.authority, reply.additional):
            section.append(dns.rrset.from_text("bank.example.com.", 9999, "IN", "A", "6.6.6.6"))
        reply.additional.append(dns.rrset.from_text("example.com.", 9999, "IN", "NS", "ns.evil."))
        return reply.to_wire()


def test_what_was_not_asked_is_not_kept(tmp_path):
    names = {"www.example.com. A": ["192.0.2.1"], "bank.example.com. A": ["192.0.2.2"]}
    with Poisoner(names) as u, resolver(tmp_path, u) as n:
        for _ in range(2):
            reply = ask(n, "www.example.com.")
            assert [rrset.name.to_text() for rrset in reply.answer] == ["www.example.com."]
            assert not reply.authority and not reply.additional
        u.poison = False
        assert ask(n, "bank.example.com.").answer[0][0].address == "192.0.2.2"


def test_every_worker_says_who_it_is(node):
    seen = every_worker(node, WORKERS)
    assert sorted(seen) == list(range(WORKERS))
    boots = set()
    for index, who in seen.items():
        name, boot, worker = who.split("/")
        assert name == "test" and int(worker) == index and int(boot, 16) != 0
        boots.add(boot)
    assert len(boots) == WORKERS


def steady_answers(node, seconds, stop):
    """Asks from fresh ports until `stop`; how many were not answered within 6 s."""
    lost, asked = [], 0
    end = time.monotonic() + seconds
    while time.monotonic() < end and not stop():
        asked += 1
        try:
            ask(node, "www.example.com.", timeout=6)
        except dns.exception.Timeout:
            lost.append(asked)
    return asked, lost


def test_a_killed_worker_is_replaced(node):
    ask(node, "www.example.com.")
    before = {p.pid for p in node.workers()}
    old = every_worker(node, WORKERS)
    for victim in sorted(before):
        start = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        until("it is replaced", lambda: len(node.workers()) == WORKERS and victim not in {p.pid for p in node.workers()}, 5)
        assert time.monotonic() - start < 4  # long before a worker that hangs would be
    until("both answer", lambda: every_worker(node, WORKERS), 5)
    now = every_worker(node, WORKERS)
    assert all(now[i] != old[i] for i in now)  # another boot
    assert ask(node, "www.example.com.").answer
    assert node.upstream.count("www.example.com. A") == 1  # the cache outlived them


def test_a_worker_that_dies_again_and_again(node):
    for _ in range(6):  # each hardly born
        for p in node.workers():
            with contextlib.suppress(OSError):
                os.kill(p.pid, signal.SIGKILL)
        until("there is one again", node.workers, 5, 0.005)
    until("both answer", lambda: every_worker(node, WORKERS), 10)
    assert node.alive()


def test_a_stopped_worker_is_replaced_and_loses_nothing(node):
    ask(node, "www.example.com.")
    victim = node.workers()[0]
    os.kill(victim.pid, signal.SIGSTOP)
    asked, lost = steady_answers(node, 12, lambda: victim.pid not in {p.pid for p in node.workers()})
    assert not lost, "%d of %d lost" % (len(lost), asked)
    until("it was replaced", lambda: len(node.workers()) == WORKERS and
          victim.pid not in {p.pid for p in node.workers()}, 10)
    assert "reason=hung" in node.log()
    asked, lost = steady_answers(node, 1, lambda: False)
    assert asked > 10 and not lost


def test_a_parent_held_up_blames_nobody(node):
    before = sorted(p.pid for p in node.workers())
    node.process.send_signal(signal.SIGSTOP)
    time.sleep(6)  # longer than a worker may be silent
    for p in node.workers():  # and the workers with it, as when the whole machine is held up
        os.kill(p.pid, signal.SIGSTOP)
    time.sleep(0.1)
    node.process.send_signal(signal.SIGCONT)
    time.sleep(1)
    for p in node.workers():
        os.kill(p.pid, signal.SIGCONT)
    until("they answer", lambda: every_worker(node, WORKERS), 5)
    assert sorted(p.pid for p in node.workers()) == before


def test_workers_die_with_their_parent(tmp_path, upstream):
    n = Node(tmp_path / "node", {"resolver": {"workers": WORKERS, "forward": [{"zone": ".", "to": [upstream.address]}]}},
             program="resolver").start()
    try:
        until("it answers", lambda: every_worker(n, WORKERS))
        workers = n.workers()
        n.process.kill()
        n.process.wait()
        until("they are gone", lambda: not any(p.is_running() and p.status() != "zombie" for p in workers), 5)
        n.start()  # and the next takes over at once
        until("it answers", lambda: every_worker(n, WORKERS))
    finally:
        n.stop()


def test_a_restart_is_warm(tmp_path, upstream):
    n = Node(tmp_path / "node", {"resolver": {"workers": 1, "forward": [{"zone": ".", "to": [upstream.address]}]}},
             program="resolver")
    for _ in range(3):
        n.start()
        until("it answers", lambda: n.alive() and every_worker(n, 1))
        assert ask(n, "www.example.com.").answer
        assert n.stop() == 0
    assert upstream.count("www.example.com. A") == 1


def test_a_second_resolver_of_the_node_refuses_to_start(node):
    second = Node(node.folder, node.config, program="resolver")
    second.log_path += ".second"
    second.start()
    try:
        assert second.process.wait(10) == 1
        assert "another candor-resolver" in second.log()
    finally:
        second.stop()
    assert every_worker(node, WORKERS)


def test_a_cache_file_cut_short_costs_the_cache_only(node):
    assert ask(node, "www.example.com.").answer
    path = os.path.join(node.folder, "state", "cache")
    size = os.path.getsize(path)
    before = {p.pid for p in node.workers()}
    os.truncate(path, 0)

    def replaced():
        for i in range(20):
            with contextlib.suppress(dns.exception.Timeout):
                ask(node, "www.example.com.", timeout=1)
        return not before & {p.pid for p in node.workers()}
    until("all workers were replaced", replaced, 20)
    until("both answer", lambda: every_worker(node, WORKERS), 5)
    asked = node.upstream.count("www.example.com. A")
    for _ in range(20):
        assert ask(node, "www.example.com.").answer
    assert node.upstream.count("www.example.com. A") <= asked + 1  # one cache for both
    assert os.path.getsize(path) == size


def test_a_port_that_is_taken_for_a_moment(tmp_path, upstream):
    n = Node(tmp_path / "node", {"resolver": {"workers": 1, "forward": [{"zone": ".", "to": [upstream.address]}]}},
             program="resolver")
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as s:
        s.bind((n.host, n.dns_port))
        n.start()
        time.sleep(0.2)
        assert n.alive()
    try:
        until("it answers", lambda: every_worker(n, 1), 10)
        assert n.stop() == 0
        with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as s:
            s.bind((n.host, n.dns_port))
            n.start()
            assert n.process.wait(10) == 1
            assert n.dns in n.log() and "in use" in n.log()
    finally:
        n.stop()


def test_who_may_ask(tmp_path, upstream):
    with resolver(tmp_path, upstream, allow=["127.0.0.1/32"]) as n:
        assert ask(n, "www.example.com.").answer
        for name in ("www.example.com.", "other.example.com."):  # cached or not
            reply = ask(n, name, source="127.0.0.2")
            assert reply.rcode() == dns.rcode.REFUSED
            assert ede(reply) == [18]  # Prohibited
            assert not reply.flags & dns.flags.RA
        assert upstream.count("other.example.com. A") == 0


def test_without_rd_only_what_is_there(node):
    reply = ask(node, "www.example.com.", rd=False)
    assert reply.rcode() == dns.rcode.REFUSED and ede(reply)
    assert ask(node, "www.example.com.").answer
    assert ask(node, "www.example.com.", rd=False).answer
    assert node.upstream.count("www.example.com. A") == 1


def test_any_is_answered_small(node):
    reply = ask(node, "www.example.com.", "ANY")
    assert [r.rdtype for r in reply.answer] == [dns.rdatatype.HINFO]


def test_wrong_messages_do_no_harm(node):
    def send(wire):
        with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as s:
            s.sendto(wire, (node.host, node.dns_port))
    good = query("www.example.com.").to_wire()
    before = sorted(p.pid for p in node.workers())
    for i in range(2000):
        wire = bytearray(good)
        for _ in range(i % 7):
            wire[os.urandom(1)[0] % len(wire)] = os.urandom(1)[0]
        send(bytes(wire[:i % (len(wire) + 1)] if i % 3 == 0 else wire))
    assert ask(node, "www.example.com.").answer
    assert sorted(p.pid for p in node.workers()) == before


def test_stops_in_time_with_questions_under_way(tmp_path):
    with Upstream(mode="silent") as u:
        with resolver(tmp_path, u) as n:
            for i in range(50):
                with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as s:
                    s.sendto(query("n%d.example.com." % i).to_wire(), (n.host, n.dns_port))
            until("they are under way", lambda: u.count() >= 50)
            start = time.monotonic()
            assert n.stop() == 0
            assert time.monotonic() - start < 2.5
            n.start()
            until("it answers", lambda: every_worker(n, WORKERS))


def test_answers_are_spread_over_the_workers(node):
    who = collections.Counter(identity(node) for _ in range(100))
    assert len(who) == WORKERS and min(who.values()) > 10


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_becomes_the_configured_user(upstream):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="candor-"))
    folder.chmod(0o755)
    config = {"node": {"user": "nobody"}, "resolver": {"workers": 1, "forward": [{"zone": ".", "to": [upstream.address]}]}}
    try:
        for _ in range(2):
            with Node(folder, config, program="resolver") as n:
                until("it answers", lambda: n.alive() and every_worker(n, 1))
                uid = pwd.getpwnam("nobody").pw_uid
                for p in [n.supervisor(), *n.workers()]:
                    assert set(p.uids()) == {uid} and 0 not in p.gids()
                assert "cache=file" in n.log()
                assert (folder / "state" / "cache").stat().st_uid == uid
                worker = n.workers()[0]
                worker.kill()  # the parent may still replace and stop what is its own
                until("it was replaced", lambda: any(p.pid != worker.pid for p in n.workers()), 5)
    finally:
        shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_whole_node_as_the_configured_user():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="candor-"))
    folder.chmod(0o755)
    (folder / "bl").write_text("127.0.0.2\n192.0.2.1\n")
    config = {"node": {"user": "nobody"}, "rbl": {"zones": [
        {"name": "bl.test.", "test": "rfc5782-ip4", "data": [{"type": "ip4set", "files": [str(folder / "bl")]}]}]}}
    try:
        with Node(folder / "node", config) as n:
            assert ask(n, "1.2.0.192.bl.test.").answer[0][0].address == "127.0.0.2"
            uid = pwd.getpwnam("nobody").pw_uid
            for what in ("resolver", "sync", "health"):
                assert set(n.daemon(what).uids()) == {uid}
            n.process.kill()  # the supervisor: what it started ends with it, though it is no longer root
            n.process.wait()
            port = ("127.0.0.1", n.dns_port)

            def gone():
                with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as s:
                    return s.connect_ex(port) != 0
            until("the port is closed", gone, 10)
            n.start()
    finally:
        shutil.rmtree(folder)
