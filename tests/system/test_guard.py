"""Remote lists asked through a running node: what is no listing never is one, marks come and go, and nobody waits."""
import contextlib
import re
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

LIST, OTHER = "list.example.", "s3cr3t.other.example."
GOOD = {"2.0.0.127." + LIST + " A": ["127.0.0.2"], "1.2.0.192." + LIST + " A": ["127.0.0.4"]}
HEALTH = {"interval": {"local": "500ms", "upstream": "500ms"}, "fall": 2, "rise": 2}


def ask(node, name, rdtype="A", timeout=8, **kw):
    return dns.query.udp(dns.message.make_query(name, rdtype, use_edns=0, **kw), node.host, port=node.dns_port, timeout=timeout)


def answers(node):
    with contextlib.suppress(dns.exception.Timeout):
        return ask(node, "version.bind.", "TXT", timeout=0.5, rdclass="CH")


def ede(reply):
    return [o for o in reply.options if o.otype == dns.edns.OptionType.EDE]


def first(reply):
    return reply.answer[-1][0].to_text() if reply.answer else None


def failed(reply, code, words):
    assert reply.rcode() == dns.rcode.SERVFAIL and not reply.answer, reply
    assert [e.code for e in ede(reply)] == [code] and words in (ede(reply)[0].text or ""), reply
    return True


def metric(node, name, **labels):
    for line in node.get("/metrics").text.splitlines():
        m = re.match(r"candor_%s\{(.*)\} (\S+)$" % name, line)
        if m and all('%s="%s"' % kv in m.group(1) for kv in labels.items()):
            return float(m.group(2))


def withheld(node, reason, want, zone=LIST):
    until("%s %s were withheld" % (want, reason), lambda: metric(node, "guard_withheld_total", list=zone, reason=reason) == want, 20)


def mark(node, want):
    return metric(node, "guard_mark", list=LIST, mark=want) == 1


@contextlib.contextmanager
def started(folder, upstream, health=HEALTH, **guard):
    lists = [dict({"zone": LIST, "test": "rfc5782-ip4"}, **guard), {"zone": OTHER, "name": "other", "test": "rfc5782-ip4", "refuse": ["127.0.0.255", "127.255.255.0/24"]}]
    config = {"resolver": {"workers": 1, "forward": [{"zone": ".", "to": [upstream.address]}], "guard": lists,
                           "cache": {"persist": False}, "recursion": {"private-addresses": ["127.0.0.0/8", "10.0.0.0/8"]}}, "health": health}
    with Node(folder, config) as n:
        until("it answers", lambda: n.alive() and answers(n))
        yield n


@pytest.fixture
def upstream():
    with Upstream(dict(GOOD), ttl=2) as u:
        yield u


def test_codes_are_no_listings(tmp_path, upstream):
    upstream.names.update({"2.2.0.192." + LIST + " A": ["127.255.255.254"], "3.2.0.192." + LIST + " A": ["127.0.0.2", "127.255.255.255"],
                           "4.2.0.192." + LIST + " A": ["203.0.113.80"], "5.2.0.192." + LIST + " A": ["127.0.0.255"],
                           "5.2.0.192." + OTHER + " A": ["127.0.0.255"], "a.example. A": ["127.255.255.254"], LIST + " A": ["203.0.113.80"]})
    with started(tmp_path, upstream) as n:
        assert first(ask(n, "1.2.0.192." + LIST)) == "127.0.0.4"  # private-addresses or not
        assert ask(n, "9.2.0.192." + LIST).rcode() == dns.rcode.NXDOMAIN
        failed(ask(n, "2.2.0.192." + LIST), 24, "refuses")
        failed(ask(n, "2.2.0.192." + LIST), 24, "failed")  # and is not asked again at once
        assert upstream.count("2.2.0.192." + LIST + " A") == 1
        failed(ask(n, "3.2.0.192." + LIST), 24, "refuses")
        failed(ask(n, "4.2.0.192." + LIST), 24, "outside")
        assert first(ask(n, "5.2.0.192." + LIST)) == "127.0.0.255"  # means what its list says that it means
        failed(ask(n, "5.2.0.192." + OTHER), 24, "refuses")
        assert first(ask(n, LIST)) == "203.0.113.80"  # the list's web site
        withheld(n, "refused", 2)
        withheld(n, "outside", 1)
        withheld(n, "refused", 1, "other")
        until("it is marked", lambda: metric(n, "guard_mark", list="other", mark="empty") == 1, 30)
        for shown in (n.get("/metrics").text, n.get("/").text, n.get("/health").text, n.get("/health/zones").text, n.log()):
            assert "other" in shown and "s3cr3t" not in shown


def test_a_list_that_lists_the_world(tmp_path, upstream):
    with started(tmp_path, upstream) as n:
        until("it is good", lambda: mark(n, "good"), 30)
        assert first(ask(n, "1.2.0.192." + LIST)) == "127.0.0.4"
        upstream.names["1.0.0.127." + LIST + " A"] = ["127.0.0.2"]
        upstream.names["7.2.0.192." + LIST + " A"] = ["127.0.0.2"]
        until("it is marked", lambda: mark(n, "world"), 30)
        failed(ask(n, "7.2.0.192." + LIST), 15, "not believed")
        failed(ask(n, "1.2.0.192." + LIST), 15, "not believed")  # what the cache has, too
        assert upstream.count("7.2.0.192." + LIST + " A") == 0
        assert first(ask(n, "1.0.0.127." + LIST)) == "127.0.0.2"  # who tests it sees it
        until("the page says so", lambda: "lists the world: not believed" in n.get("/").text, 20)
        withheld(n, "world", 2)
        del upstream.names["1.0.0.127." + LIST + " A"]
        until("it is good again", lambda: mark(n, "good"), 30)
        assert first(ask(n, "7.2.0.192." + LIST)) == "127.0.0.2"
        assert metric(n, "guard_mark_changes_total", list=LIST) >= 3


def test_a_list_that_refuses_and_one_that_is_empty(tmp_path, upstream):
    with started(tmp_path, upstream) as n:
        until("it is good", lambda: mark(n, "good"), 30)
        upstream.names["2.0.0.127." + LIST + " A"] = ["127.255.255.252"]
        until("it is marked", lambda: mark(n, "refuses"), 30)
        failed(ask(n, "2.0.0.127." + LIST), 24, "refuses")
        assert first(ask(n, "1.2.0.192." + LIST)) == "127.0.0.4"  # a listing is one
        del upstream.names["2.0.0.127." + LIST + " A"]
        until("it is empty", lambda: mark(n, "empty"), 30)
        upstream.names["2.0.0.127." + LIST + " A"] = ["127.0.0.2"]
        until("it is good again", lambda: mark(n, "good"), 30)


def test_a_dead_list(tmp_path, upstream):
    with started(tmp_path, upstream) as n:
        until("it is good", lambda: mark(n, "good"), 30)
        assert first(ask(n, "1.2.0.192." + LIST)) == "127.0.0.4"
        upstream.mode = "silent"
        begun = time.monotonic()
        failed(ask(n, "20.2.0.192." + LIST), 22, "in time")
        took = time.monotonic() - begun
        assert took > 0.5, took  # it was waited for
        until("it is marked", lambda: mark(n, "silent"), 60)
        asked = upstream.count("21.2.0.192." + LIST + " A")
        failed(ask(n, "21.2.0.192." + LIST), 22, "does not answer")
        assert upstream.count("21.2.0.192." + LIST + " A") == asked
        r = ask(n, "1.2.0.192." + LIST)
        assert first(r) == "127.0.0.4" and [e.code for e in ede(r)] in ([], [3])  # fresh or, by now, stale
        until("the page says so", lambda: "silent: not asked" in n.get("/").text, 20)
        withheld(n, "silent", 1)
        upstream.mode = "answer"
        until("it is good again", lambda: mark(n, "good"), 60)
        assert ask(n, "22.2.0.192." + LIST).rcode() == dns.rcode.NXDOMAIN


def test_a_slow_list_is_waited_for_behind_the_answer(tmp_path, upstream):
    with started(tmp_path, upstream, test="none") as n:
        upstream.delay_s = 1.6
        failed(ask(n, "1.2.0.192." + LIST), 22, "in time")
        until("the cache has it", lambda: first(ask(n, "1.2.0.192." + LIST)) == "127.0.0.4", 20)
