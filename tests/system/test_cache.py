"""The answer cache of a running node: stale answers (RFC 8767), refreshing, what the operator's commands show, forget,
write and load, and a damaged file."""
import contextlib
import os
import random
import time

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from lib.node import Node, until
from lib.upstream import Upstream

NAMES = {"www.example.com. A": ["192.0.2.1"], "www.example.com. TXT": ['"a text; with \\"quotes\\" and \\200"'],
         "a.www.example.com. A": ["192.0.2.2"], "other.example. A": ["192.0.2.3"], "other.example. MX": ["10 mail.other.example."],
         "svc.example. HTTPS": ["1 . alpn=h2 ipv4hint=192.0.2.9"], "odd.example. TYPE65280": ["\\# 4 01020304"],
         "lots.example. TXT": ['"%s"' % ("x" * 200)] * 30}


@contextlib.contextmanager
def resolver(folder, upstream, cache=None, workers=2):
    n = Node(folder / "node", {"resolver": {"workers": workers, "cache": cache or {}, "recursion": {"timeout": "2s"},
                                            "forward": [{"zone": ".", "to": [upstream.address]}]}}, program="resolver")
    n.start()
    try:
        until("it answers", lambda: n.alive() and answers(n))
        yield n
    finally:
        assert n.stop() == 0


def answers(node):
    with contextlib.suppress(dns.exception.Timeout):
        return ask(node, "version.bind.", "TXT", timeout=0.5, rdclass="CH")


def ask(node, name, rdtype="A", timeout=8, **kw):
    return dns.query.udp(dns.message.make_query(name, rdtype, use_edns=0, **kw), node.host, port=node.dns_port, timeout=timeout)


def ede(reply):
    return [o.code for o in reply.options if o.otype == dns.edns.OptionType.EDE]


def lookup(node, *args, found=True):
    p = node.candor("cache", "lookup", *args, check=False)
    assert p.returncode == (0 if found else 1), p.stdout + p.stderr
    return p.stdout


@pytest.fixture
def upstream():
    with Upstream(NAMES) as u:
        yield u


def test_stale_answers(tmp_path, upstream):
    """Of a server that is silent: after answer-after; while the failure is remembered, at once; fresh when it is back."""
    upstream.ttl = 1
    with resolver(tmp_path, upstream, {"serve-stale": {"max-age": "1h", "answer-after": "300ms"}}) as n:
        assert ede(ask(n, "www.example.com.")) == []
        assert ask(n, "gone.example.com.").rcode() == dns.rcode.NXDOMAIN
        upstream.mode = "silent"
        time.sleep(2.1)  # both have ended
        start = time.monotonic()
        reply = ask(n, "www.example.com.")
        assert ede(reply) == [3] and reply.answer[0].ttl == 30
        assert time.monotonic() - start > 0.25
        reply = ask(n, "gone.example.com.")
        assert reply.rcode() == dns.rcode.NXDOMAIN and ede(reply) == [19]
        assert ask(n, "new.example.com.", timeout=10).rcode() == dns.rcode.SERVFAIL
        upstream.mode, upstream.ttl = "answer", 60
        until("it is fresh again", lambda: ede(ask(n, "www.example.com.")) == [], 15, 0.3)


def test_stale_is_off(tmp_path, upstream):
    upstream.ttl = 1
    with resolver(tmp_path, upstream, {"serve-stale": {"max-age": "0s"}}) as n:
        assert ask(n, "www.example.com.").answer
        upstream.mode = "servfail"
        time.sleep(2.1)
        assert ask(n, "www.example.com.").rcode() == dns.rcode.SERVFAIL


def test_refreshed_before_its_end(tmp_path, upstream):
    upstream.ttl = 10
    with resolver(tmp_path, upstream, {"serve-stale": {"max-age": "0s"}}, workers=1) as n:
        seen = []

        def young_from_its_last_second():
            seen.append(ask(n, "www.example.com.").answer[0].ttl)
            return len(seen) > 1 and seen[-2] == 1 and seen[-1] > 1
        until("it was renewed while it still counted", young_from_its_last_second, 60, 0.1)
        assert upstream.count("www.example.com. A") >= 2


def test_what_is_cached_and_forgotten(tmp_path, upstream):
    with resolver(tmp_path, upstream) as n:
        for name, rdtype in [q.split() for q in NAMES] + [["gone.example.com.", "A"]]:
            ask(n, name, rdtype)
        text = lookup(n, "WWW.example.com", "A")
        assert "answer NOERROR" in text and "192.0.2.1" in text and "TXT" not in text
        assert "NXDOMAIN" in lookup(n, "gone.example.com.")
        lookup(n, "nobody.example.com.", found=False)
        assert n.candor("cache", "lookup", check=False).returncode == 3
        assert n.candor("cache", "lookup", "www.example.com.", "NOTYPE", check=False).returncode == 3
        figures = n.candor("cache").stdout
        assert "answers" in figures and "RRsets" in figures

        asked = upstream.count()
        n.candor("flush", "www.example.com")
        lookup(n, "www.example.com.", found=False)
        for _ in range(8):  # of whichever worker
            ask(n, "a.www.example.com.")
            ask(n, "other.example.")
        assert upstream.count() == asked
        ask(n, "www.example.com.")
        ask(n, "www.example.com.", "TXT")
        assert upstream.count() == asked + 2

        n.candor("flush", "--zone", "example.com.")
        lookup(n, "www.example.com.", found=False)
        lookup(n, "a.www.example.com.", found=False)
        lookup(n, "gone.example.com.", found=False)
        lookup(n, "other.example.")
        ask(n, "a.www.example.com.")
        assert upstream.count("a.www.example.com. A") == 2
        assert n.candor("flush", "a..b", check=False).returncode == 3


def rrs(reply):
    return sorted((str(r.name), r.rdtype, str(d)) for r in reply.answer for d in r)


def test_dumped_and_loaded(tmp_path, upstream):
    """Every answer comes back from a dump as it was, in a node that has nobody to ask."""
    dump = str(tmp_path / "dump")
    questions = [q.split() for q in NAMES] + [["gone.example.com.", "A"]]
    with resolver(tmp_path, upstream, {"persist": False}) as n:
        before = {tuple(q): (ask(n, *q).rcode(), rrs(ask(n, *q))) for q in questions}
        n.candor("dump-cache", dump)
        assert n.candor("dump-cache").stdout.splitlines()[-1] == open(dump).read().splitlines()[-1]
        assert n.candor("dump-cache", str(tmp_path / "no" / "dump"), check=False).returncode == 2
    upstream.mode = "silent"
    with resolver(tmp_path, upstream, {"persist": False}) as n:
        records = open(dump).read().splitlines()[-1].split()[1]
        assert int(records) >= len(questions)
        assert records + " records loaded, 0 had ended" in n.candor("load-cache", dump).stdout
        for q in questions:
            reply = ask(n, *q)
            assert (reply.rcode(), rrs(reply)) == before[tuple(q)]
            assert ede(reply) == []
        assert upstream.count() == len(questions)

        # wrong lines are named, and cost their record only
        lines = open(dump).read().splitlines()
        at = next(i for i, l in enumerate(lines) if l.startswith("$ANSWER www.example.com. 1 A"))
        lines[at + 1] = "www.example.com. 60 IN A 192.0.2.300"
        with open(dump, "w") as f:
            f.write("\n".join(lines) + "\n")
        n.candor("flush", "--zone", ".")
        p = n.candor("load-cache", dump, check=False)
        assert p.returncode == 1 and "%s:%d: " % (dump, at + 2) in p.stderr and "1 lines are wrong" in p.stdout
        lookup(n, "www.example.com.", "A", found=False)
        lookup(n, "other.example.")
        assert n.candor("load-cache", dump + ".not", check=False).returncode == 2

        # hostile ones: neither a crash nor an answer that nobody gave
        rng = random.Random(6)
        whole = "\n".join(lines).encode()
        for _ in range(25):
            broken = bytearray(whole[:rng.randrange(len(whole))] if rng.random() < 0.5 else whole)
            for _ in range(20):
                if broken:
                    broken[rng.randrange(len(broken))] = rng.randrange(256)
            with open(dump, "wb") as f:
                f.write(broken)
            assert n.candor("load-cache", dump, check=False).returncode in (0, 1)
        assert n.alive()


def test_no_cache_to_look_into(tmp_path):
    n = Node(tmp_path / "node", {}, program="resolver")
    for argv in (["cache"], ["cache", "lookup", "a.test."], ["flush", "a.test."], ["dump-cache"], ["load-cache", "/dev/null"]):
        p = n.candor(*argv, check=False)
        assert p.returncode == 2 and "cache" in p.stderr, argv


def test_a_damaged_file(tmp_path, upstream):
    """Bits turned while the node is down: what was hit is asked for again, the rest is still there, nothing is wrong."""
    names = {"n%d.example. A" % i: ["192.0.2.%d" % (i % 250)] for i in range(400)}
    upstream.names = names
    upstream.ttl = 3600
    with resolver(tmp_path, upstream, {"size": "1M"}) as n:
        for q in names:
            ask(n, *q.split())
        path = os.path.join(n.folder, "state", "cache")
    rng = random.Random(1)
    with open(path, "r+b") as f:
        data = bytearray(f.read())
        used = [i for i in range(4096, len(data)) if data[i]]
        for _ in range(60):
            data[rng.choice(used)] ^= 1 << rng.randrange(8)
        f.seek(0)
        f.write(data)
    asked = upstream.count()
    with resolver(tmp_path, upstream, {"size": "1M"}) as n:
        for q, (address,) in names.items():
            assert [d.address for d in ask(n, *q.split()).answer[0]] == [address]
        again = upstream.count() - asked
        assert again <= 60
    with open(path, "r+b") as f:  # the header itself: nothing of it is believed
        f.seek(20)
        f.write(b"\xff")
    asked = upstream.count()
    with resolver(tmp_path, upstream, {"size": "1M"}) as n:
        assert "answer cache starts empty" in n.log()
        assert ask(n, "n1.example.").answer
        assert upstream.count() == asked + 1
