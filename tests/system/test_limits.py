"""What one client, or one network of them, may take: response rate limiting, and places for questions under way."""
import select
import socket
import time

import dns.edns
import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from lib.node import Node, until
from lib.upstream import Upstream

QUIET = {"canary": {"cached": "", "uncached-under": "", "nxdomain-under": ""}}


def query(name, edns=True, options=()):
    return dns.message.make_query(name, "A", use_edns=0 if edns else -1, options=list(options))


def volley(n, source, queries, wait_s=1.0):
    """All at once from one address; the answers that came."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        s.bind((source, 0))
        for q in queries:
            s.sendto(q.to_wire(), (n.host, n.dns_port))
        out, end = [], time.monotonic() + wait_s
        while (left := end - time.monotonic()) > 0 and len(out) < len(queries):
            if select.select([s], [], [], left)[0]:
                out.append(dns.message.from_wire(s.recv(4096), ignore_trailing=True))
        return out


def metric(n, line):
    return sum(float(x.rsplit(" ", 1)[1]) for x in n.get("/metrics").text.splitlines() if x.startswith(line))


@pytest.fixture(scope="module")
def limited(tmp_path_factory):
    """20 answers a second to a network, 5 errors; two in three of those withheld are not sent at all."""
    with Upstream({"www.example. A": ["192.0.2.1"]}) as up:
        config = {"resolver": {"workers": 1, "forward": [{"zone": "example.", "to": [up.address]}],
                               "rate-limit": {"responses-per-second": 20, "errors-per-second": 5, "slip": 3, "exempt": ["127.9.0.0/16"]}},
                  "health": QUIET}
        with Node(tmp_path_factory.mktemp("limits"), config) as n:
            until("an answer", lambda: dns.query.tcp(query("www.example."), n.host, port=n.dns_port, timeout=5).answer)
            yield n


def test_a_flood_gets_a_seconds_worth(limited):
    got = volley(limited, "127.1.1.1", [query("www.example.")] * 600)
    whole = [r for r in got if r.answer]
    cut = [r for r in got if r.flags & dns.flags.TC]
    assert 20 <= len(whole) <= 60  # a second's worth, and what a slow machine adds
    assert all(not r.answer for r in cut) and 100 <= len(cut) <= 290  # one in three of what is withheld, by chance
    assert len(whole) + len(cut) == len(got) < 500
    until("they are counted", lambda: metric(limited, 'candor_queries_dropped_total{reason="rate_limit"') >= 200 and
          metric(limited, "candor_responses_slipped_total") >= len(cut))


def test_neighbours_share_and_others_do_not_notice(limited):
    def neighbour_goes_without():  # what is owed is forgiven after a second, and a machine may take that long between the two
        volley(limited, "127.1.2.1", [query("www.example.")] * 300, wait_s=0.05)
        return not any(r.answer for r in volley(limited, "127.1.2.200", [query("www.example.")] * 3, wait_s=0.3))
    until("the neighbour goes without", neighbour_goes_without, 15)
    assert len(volley(limited, "127.1.3.1", [query("www.example.")] * 10, wait_s=5)) == 10


def test_a_client_in_the_flooded_network_gets_its_answer_over_tcp(limited):
    volley(limited, "127.1.4.1", [query("www.example.")] * 300, wait_s=0.3)
    r, over_tcp = dns.query.udp_with_fallback(query("www.example."), limited.host, port=limited.dns_port, timeout=5, source="127.9.0.1")
    assert r.answer and not over_tcp  # exempt
    for _ in range(30):
        assert dns.query.tcp(query("www.example."), limited.host, port=limited.dns_port, timeout=5, source="127.1.4.2").answer


def test_who_shows_its_cookie_is_no_forgery(limited):
    client = b"12345678"
    first = dns.query.tcp(query("www.example.", options=[dns.edns.GenericOption(10, client)]), limited.host, port=limited.dns_port, source="127.1.5.1")
    cookie = next(o for o in first.options if o.otype == 10)
    data = getattr(cookie, "data", None) or cookie.to_wire()
    flood = [query("www.example.", options=[dns.edns.GenericOption(10, data)])] * 200
    assert sum(bool(r.answer) for r in volley(limited, "127.1.5.1", flood, wait_s=5)) == 200
    forged = [query("www.example.", options=[dns.edns.GenericOption(10, client + b"x" * 16)])] * 200
    assert sum(bool(r.answer) for r in volley(limited, "127.1.5.1", forged)) < 100


def test_errors_have_a_limit_of_their_own(limited):
    got = volley(limited, "127.1.6.1", [query("nobody.elsewhere.")] * 200)
    assert all(r.rcode() == dns.rcode.SERVFAIL for r in got)
    sent_whole = 5 + 200 / 3  # an error has nothing to cut off: one in three leaves as it is
    assert len(got) < sent_whole * 1.6
    assert volley(limited, "127.1.6.1", [query("www.example.")], wait_s=5)[0].answer  # answers are counted apart


def test_negative_answers_are_no_errors(limited):
    got = volley(limited, "127.1.7.1", [query("none%d.www2.example." % i) for i in range(15)], wait_s=5)
    assert [r.rcode() for r in got] == [dns.rcode.NXDOMAIN] * 15


def test_one_client_leaves_places_for_the_next(tmp_path):
    """All questions wait for a server that says nothing: one client never has all the places for such questions."""
    with Upstream({"www.well. A": ["192.0.2.1"]}) as well, Upstream(mode="silent") as silent:
        config = {"resolver": {"workers": 1, "recursion": {"timeout": "5s"},
                               "forward": [{"zone": "silent.", "to": [silent.address]}, {"zone": "well.", "to": [well.address]}]},
                  "health": QUIET}
        with Node(tmp_path / "node", config) as n:
            greedy = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(4)]
            try:
                for s in greedy:
                    s.bind(("127.2.0.1", 0))
                for i in range(12000):
                    greedy[i % 4].sendto(query("n%d.silent." % i).to_wire(), (n.host, n.dns_port))
                    if i % 200 == 0:
                        time.sleep(0.01)  # the socket's queue is not what is tested
                until("questions are spared", lambda: metric(n, "candor_queries_spared_total") > 0)
                others = volley(n, "127.3.0.1", [query("www.well.")] + [query("m%d.silent." % i) for i in range(50)], wait_s=3)
                assert [r for r in others if r.answer], "the next client's question is not asked"
                assert not [r for r in others if r.rcode() == dns.rcode.SERVFAIL], "the next client has no places"
            finally:
                for s in greedy:
                    s.close()
