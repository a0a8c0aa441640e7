"""Every refusal and every stale answer says why (RFC 8914): the table of docs/protocol.md, row by row, on a whole node."""
import os
import re
import time

import dns.edns
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdataclass
import pytest

from lib.node import Node, free_port, until
from lib.upstream import Upstream

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "protocol.md")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("errors")
    past = time.strftime("%Y:%m:%d", time.gmtime(time.time() - 86400))
    for name in ("expired", "stale"):
        (folder / name).write_text("$TIMESTAMP 2020:01:01 %s\n192.0.2.1\n" % past)
    (folder / "who").write_text("127.0.0.9 :refuse\n")
    (folder / "list").write_text("192.0.2.1\n")
    up = {m: Upstream({"www.%s. A" % m: ["192.0.2.1"], "4.3.2.1.bl.answer. A": ["127.255.255.254"]}, mode=m)
          for m in ("answer", "servfail", "refused", "silent")}
    zones = [("expired.test.", {}), ("stale.test.", {"on-expire": "serve-stale"})]
    config = {
        "resolver": {
            "workers": 1, "allow": ["127.0.0.1", "127.0.0.9"], "recursion": {"timeout": "1s"},
            "cache": {"prefetch": False, "min-ttl": "0s", "serve-stale": {"max-age": "1h", "answer-after": "100ms"}},
            "forward": [{"zone": m + ".", "to": [u.address]} for m, u in up.items()] +
                       [{"zone": "closed.", "to": ["127.0.0.1@%d" % free_port()]}, {"zone": "brief.", "to": [up["answer"].address]}],
            "overrides": [{"zone": "refuse.example.", "answer": "refuse"}, {"zone": "gone.example.", "answer": "nxdomain"},
                          {"zone": "empty.example.", "answer": "nodata"}, {"zone": "turned.example.", "answer": "redirect"}],
            "local-data": ["turned.example. 60 IN A 192.0.2.99"],
            "guard": [{"zone": "bl.answer.", "test": "none"}],
        },
        "rbl": {"zones": [{"name": name, "test": "none", "data": [{"type": "ip4set", "files": [str(folder / name.split(".")[0])]}], **more}
                          for name, more in zones] +
                         [{"name": "acl.test.", "test": "none", "data": [{"type": "ip4set", "files": [str(folder / "list")]},
                                                                          {"type": "acl", "files": [str(folder / "who")]}]},
                          {"name": "closed.test.", "test": "none", "allow": ["192.0.2.0/24"],
                           "data": [{"type": "ip4set", "files": [str(folder / "list")]}]}]},
        "health": {"canary": {"cached": "", "uncached-under": "", "nxdomain-under": ""}},
    }
    up["answer"].names.update({"www.brief. A": ["192.0.2.5"]})
    up["answer"].ttl = 1
    n = Node(folder / "node", config)
    n.up = up
    n.start(ready=False)  # zones that expired are no readiness
    try:
        until("the zones", lambda: said(ask(n, "9.2.0.192.acl.test.", tcp=True))[0] == "NXDOMAIN" and said(ask(n, "9.2.0.192.stale.test.", tcp=True))[0] == "NXDOMAIN", 30)
        yield n
    finally:
        n.stop()


def ask(n, name, rdtype="A", rd=True, source=None, rdclass="IN", opcode=None, tcp=False):
    q = dns.message.make_query(name, rdtype, rdclass=rdclass, use_edns=0, payload=1232)
    if not rd:
        q.flags &= ~dns.flags.RD
    if opcode is not None:
        q.set_opcode(opcode)
    how = dns.query.tcp if tcp else dns.query.udp
    return how(q, n.host, port=n.dns_port, timeout=8, source=source)


def said(r):
    return dns.rcode.to_text(r.rcode()), [(o.code, o.text or "") for o in r.options if o.otype == dns.edns.OptionType.EDE]


# What is asked, the RCODE, the INFO-CODE and what the text must say.
ROWS = [
    ("silent", dict(name="www.silent."), "SERVFAIL", 22, "in time"),
    ("failed lately", dict(name="www.silent."), "SERVFAIL", 22, ""),
    ("closed", dict(name="www.closed."), "SERVFAIL", 23, "can be reached"),
    ("refuses", dict(name="www.refused."), "SERVFAIL", 22, "refused"),
    ("fails", dict(name="www.servfail."), "SERVFAIL", 22, "error"),
    ("nobody to ask", dict(name="www.elsewhere."), "SERVFAIL", 0, "no forwarder is configured"),
    ("a remote list refuses", dict(name="4.3.2.1.bl.answer."), "SERVFAIL", 24, ""),
    ("client not allowed", dict(name="www.answer.", source="127.0.0.3"), "REFUSED", 18, ""),
    ("not in the cache", dict(name="other.answer.", rd=False), "REFUSED", 20, "recursion was not desired"),
    ("override: refuse", dict(name="a.refuse.example."), "REFUSED", 15, "override"),
    ("override: nxdomain", dict(name="a.gone.example."), "NXDOMAIN", 15, "override"),
    ("override: nodata", dict(name="a.empty.example."), "NOERROR", 15, "override"),
    ("override: redirect", dict(name="a.turned.example."), "NOERROR", 4, ""),
    ("zone expired", dict(name="1.2.0.192.expired.test."), "SERVFAIL", 24, ""),
    ("zone expired, serve-stale", dict(name="1.2.0.192.stale.test."), "NOERROR", 3, ""),
    ("zone expired, serve-stale, not listed", dict(name="9.2.0.192.stale.test."), "NXDOMAIN", 19, ""),
    ("zone: not allowed", dict(name="1.2.0.192.closed.test."), "REFUSED", 18, "allow list"),
    ("zone: access list", dict(name="1.2.0.192.acl.test.", source="127.0.0.9"), "REFUSED", 18, "access list"),
    ("transfer", dict(name="acl.test.", rdtype="AXFR", tcp=True), "REFUSED", 21, "sync port"),
    ("class", dict(name="acl.test.", rdclass="HS"), "REFUSED", 21, "class IN"),
    ("class CH", dict(name="nothing.server.", rdtype="TXT", rdclass="CH"), "REFUSED", 21, ""),
    ("operation", dict(name="acl.test.", opcode=1), "NOTIMP", None, None),
]


@pytest.mark.parametrize("row", ROWS, ids=[r[0] for r in ROWS])
def test_row(world, row):
    _, question, rcode, code, words = row
    got, why = said(ask(world, **question))
    assert got == rcode
    if code is not None:
        assert [c for c, _ in why] == [code] and words in why[0][1], why


def test_stale_answers(world):
    assert said(ask(world, "www.brief.")) == ("NOERROR", [])
    assert said(ask(world, "none.brief.")) == ("NXDOMAIN", [])
    world.up["answer"].mode = "silent"
    try:
        until("stale", lambda: said(ask(world, "www.brief."))[1] and [c for c, _ in said(ask(world, "www.brief."))[1]] == [3], 15, 0.2)
        until("stale", lambda: [c for c, _ in said(ask(world, "none.brief."))[1]] == [19], 15, 0.2)
    finally:
        world.up["answer"].mode = "answer"


def test_the_page_has_every_row():
    with open(PAGE, encoding="utf8") as f:
        page = f.read()
    table = page[page.index("## Extended errors"):]
    listed = {(m[0], int(m[1])) for m in re.findall(r"\| (SERVFAIL|REFUSED|NXDOMAIN|NOERROR) \| (\d+)", table)}
    assert {(rcode, code) for _, _, rcode, code, _ in ROWS if code is not None} <= listed
