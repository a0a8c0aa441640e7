"""Recursion of a running node, from the root of a stage: answers, what health says when the root is silent, stubs, fallback."""
import json
import os
import subprocess
import sys

import pytest

from lib.node import Node, until

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "hostile"), os.path.join(TESTS, "internet")]
import resolvers  # noqa: E402
import stage as stages  # noqa: E402
from stage import answer, nodata, nxdomain, referral, reply  # noqa: E402

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
COM, EXAMPLE, CORP, DEAD = "41.7.0.1", "41.7.0.2", "10.7.0.3", "41.7.0.4"


def example(q):
    if q.name == "alias.example.com.":
        return reply(q, ["@ 60 CNAME www.corp."])
    if q.name == "big.example.com.":
        return reply(q, ["@ 60 TXT " + " ".join('"%s"' % ("x" * 250) for _ in range(20))])
    if q.name == "www.example.com.":
        return answer(q, "192.0.2.80") if q.type == "A" else nodata(q, "example.com.")
    return nxdomain(q, "example.com.")


def corp(q):
    return answer(q, "10.0.0.80") if q.name == "www.corp." else reply(q, ["corp. 60 SOA a. b. 1 2 3 4 5"]) if q.type == "SOA" else nodata(q, "corp.")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recursion")
    with stages.Stage() as stage:
        stage.on(COM, lambda q: referral(q, "example.com.", {"ns.example.com.": EXAMPLE}) if q.below("example.com.") else nxdomain(q, "com."))
        stage.on(EXAMPLE, example)
        stage.on(CORP, corp)
        stage.on(DEAD, lambda q: reply(q, rcode="REFUSED", aa=False))
        stage.delegate("com.", {"ns.com.": COM})
        config = {"resolver": {"workers": 2, "recursion": {"enabled": True, "root-hints": stages.write_hints(folder), "timeout": "2s"},
                               "stub": [{"zone": "corp.", "to": [CORP + "@53"]}],
                               "forward": [{"zone": "example.com.", "to": [DEAD + "@53"], "fallback": True}],
                               "local-zones": True},
                  "health": {"interval": {"local": "500ms", "upstream": "1s"},
                             "canary": {"cached": "www.example.com.", "uncached-under": "com.", "nxdomain-under": "com."}}}
        with Node(folder / "node", config, prefix=stage.ns.prefix) as node:
            yield stage, node, resolvers.CandorResolver(node, stage.ns.prefix)


def checks(node, scope):
    p = node.candor("health", scope, "--json", check=False)
    found = json.loads(p.stdout)["checks"]
    return {key: [one["status"] for one in entries] for key, entries in found.items()}


def said(node, scope, check, status):
    until("%s is %s" % (check, status), lambda: checks(node, scope)[check] and all(s == status for s in checks(node, scope)[check]))


@pytest.mark.parametrize("question,rcode,last", [
    ("www.example.com. A", "NOERROR", "192.0.2.80"), ("www.example.com. AAAA", "NOERROR", None), ("none.example.com. A", "NXDOMAIN", None),
    ("a.b.none.example.com. A", "NXDOMAIN", None), ("alias.example.com. A", "NOERROR", "10.0.0.80"), ("www.corp. A", "NOERROR", "10.0.0.80"),
    ("nothing.corp. A", "NOERROR", None), ("x.test. A", "NXDOMAIN", None), ("no-such-tld. A", "NXDOMAIN", None)])
def test_answers(world, question, rcode, last):
    _, _, r = world
    for _ in range(2):  # from there, and from the cache
        got = r.ask([question], timeout_ms=8000)[0]
        assert got.rcode == rcode and (last in {a.split()[-1] for a in got.answers} if last else not got.answers), got


def test_a_long_answer_comes_over_tcp(world):
    stage, node, r = world
    p = subprocess.run([*r.prefix, "dig", "+tcp", "+short", "+tries=1", "+time=8", "@127.0.0.1", "-p", str(node.dns_port), "big.example.com.", "TXT"],
                       capture_output=True, text=True, check=True)
    assert p.stdout.count("x" * 250) == 20
    assert [s.tcp for s in stage.seen if s.name == "big.example.com." and s.address == EXAMPLE] == [False, True]


def test_nobody_sees_more_of_a_name_than_it_needs(world):
    stage, _, _ = world
    assert not {s.name for s in stage.seen if s.address == stages.ROOT and s.name.count(".") > 1} - {"a.root-servers.net."}


def test_health_tells_where_it_ends(world):
    stage, node, _ = world
    for check in ("root:answers", "stub:answers"):
        said(node, "upstream", check, "pass")
    said(node, "resolution", "canary:uncached", "pass")
    own = stage.actors[stages.ROOT]
    stage.on(stages.ROOT, lambda q: None)
    said(node, "upstream", "root:answers", "fail")
    said(node, "upstream", "stub:answers", "pass")
    stage.on(stages.ROOT, own)
    said(node, "upstream", "root:answers", "pass")
    stage.on(COM, lambda q: None)
    said(node, "resolution", "canary:uncached", "fail")
    said(node, "upstream", "root:answers", "pass")  # not the way out: further down
    stage.on(COM, lambda q: referral(q, "example.com.", {"ns.example.com.": EXAMPLE}) if q.below("example.com.") else nxdomain(q, "com."))
    said(node, "resolution", "canary:uncached", "pass")
    stage.on(CORP, lambda q: reply(q, rcode="REFUSED", aa=False))
    said(node, "upstream", "stub:answers", "fail")


def test_a_new_worker_knows_what_the_old_one_knew(world):
    stage, node, r = world
    assert r.ask(["www.example.com. A"], timeout_ms=8000)[0].rcode == "NOERROR"
    old = {p.pid for p in node.workers()}
    for p in node.workers():
        p.kill()
    until("new workers", lambda: len(node.workers()) == 2 and not old & {p.pid for p in node.workers()})
    since = len(stage.seen)
    until("it answers", lambda: r.ask(["www.example.com. A"], timeout_ms=3000)[0].rcode == "NOERROR")
    assert not [s for s in stage.seen[since:] if s.name == "www.example.com."]
