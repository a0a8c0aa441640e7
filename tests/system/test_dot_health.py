"""What the health port says of DNS over TLS: of listeners, of the certificate that workers hold, of forwarders asked over TLS."""
import os
import shutil

import pytest
from lib.certs import Authority
from lib.netns import Capture, Namespace, inside
from lib.node import Node, free_port, until

NAME = "dot.example"
QUIET = {"cached": "", "uncached-under": "", "nxdomain-under": ""}
TICKS = {"local": "1s", "upstream": "1s"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certs"))


def checks(node, scope, name):
    return node.scope(scope)["checks"][name]


def says(node, scope, name, verdict, words):
    found = checks(node, scope, name)
    assert found and all(c["status"] == verdict and words in c["output"] for c in found), found
    return True


def put(made, live):
    for source, target in zip(made, live):
        shutil.copy(source, target + ".new")
        os.rename(target + ".new", target)


def serving(folder, live, host="127.0.0.1", port=None, **kw):
    port = port or free_port()
    n = Node(folder / "node", {"resolver": {"workers": 2, "tls": {"certificate": live[0], "key": live[1]}},
                               "health": {"canary": QUIET, "interval": TICKS}}, host=host, **kw)
    n.config["resolver"]["listen"].append({"address": "%s@%d" % (host, port), "tls": True})
    n.write_config()
    n.tls_port = port
    return n


def test_the_certificate_that_workers_hold(tmp_path, authority):
    live = str(tmp_path / "live.pem"), str(tmp_path / "live.key")
    put(authority.issue(NAME, days=5), live)
    with serving(tmp_path, live) as n:
        until("an answer over TLS", lambda: says(n, "worker", "listen:tls", "pass", "over TLS"))
        until("it ends soon", lambda: says(n, "worker", "listen:certificate", "warn", "4 days"))
        metrics = n.get("/metrics").text
        assert 'candor_tls_certificate_not_after_timestamp_seconds{use="resolver"}' in metrics
        assert 'proto="tls"' in metrics
        put(authority.issue(NAME, days=2, since_days=5), live)
        until("it has ended", lambda: says(n, "worker", "listen:certificate", "fail", "ended 3 days ago"))
        assert n.get("/readyz").status_code == 200  # who asks in the clear is answered
        put(authority.issue(NAME, days=60), live)
        until("it is well again", lambda: says(n, "worker", "listen:certificate", "pass", "59 days"))


def test_no_certificate(tmp_path, authority):
    live = str(tmp_path / "live.pem"), str(tmp_path / "live.key")
    put((authority.issue(NAME)[0], authority.issue("else.example")[1]), live)
    with serving(tmp_path, live) as n:
        until("no certificate", lambda: says(n, "worker", "listen:certificate", "fail", "not served"))
        until("no answer", lambda: says(n, "worker", "listen:tls", "fail", ""))
        assert n.get("/readyz").status_code == 200


def test_a_listener_that_hangs(tmp_path, authority):
    """Connections to the port get nothing: in the clear all is well, over TLS nothing is."""
    live = str(tmp_path / "live.pem"), str(tmp_path / "live.key")
    put(authority.issue(NAME, days=60), live)
    with Namespace() as ns, inside(ns), serving(tmp_path, live, port=5853, prefix=ns.prefix) as n:
        until("an answer over TLS", lambda: says(n, "worker", "listen:tls", "pass", "over TLS"))
        ns.nft(["tcp dport 5853 drop"])
        until("silence", lambda: says(n, "worker", "listen:tls", "fail", "no answer"))
        assert says(n, "worker", "listen:udp", "pass", "all 2 workers")
        ns.nft_clear()
        until("an answer again", lambda: says(n, "worker", "listen:tls", "pass", "over TLS"))


def upstream(n, verdict, words):
    return says(n, "upstream", "upstream:answers", verdict, words)


def test_forwarders_over_tls(tmp_path, authority, tmp_path_factory):
    """Asked as the resolver asks them, and never in the clear; what is wrong is said."""
    from test_forward_tls import forwarding, unbound
    health = {"health": {"canary": dict(QUIET, **{"uncached-under": "many.corp."}), "interval": TICKS}}
    with unbound(tmp_path, *authority.issue(NAME)) as port:
        with forwarding(tmp_path / "good", authority, port, config=health) as n:
            until("an answer", lambda: upstream(n, "pass", "192.0.2.8"))
            assert [c["evidence"]["proto"] for c in checks(n, "upstream", "upstream:answers")] == ["tls"]
        with forwarding(tmp_path / "name", authority, port, name="else.example", config=health) as n:
            until("another name", lambda: upstream(n, "fail", "else.example"))
        with forwarding(tmp_path / "ca", Authority(tmp_path_factory.mktemp("other")), port, config=health) as n:
            until("another authority", lambda: upstream(n, "fail", "certificate"))
    with forwarding(tmp_path / "gone", authority, port, config=health) as n:
        until("nobody", lambda: upstream(n, "fail", "efused"))


def test_nothing_goes_out_in_the_clear(tmp_path, authority):
    """Nobody listens at the forwarder's address: neither the resolver nor health tries it without TLS."""
    with Namespace() as ns:
        ns.run("ip", "addr", "add", "192.0.2.53/32", "dev", "lo")
        with inside(ns), Capture(ns, "udp and host 192.0.2.53") as capture:
            config = {"resolver": {"forward": [{"zone": ".", "to": ["192.0.2.53@853"], "tls-name": NAME, "ca": authority.ca}]},
                      "health": {"canary": dict(QUIET, **{"uncached-under": "corp.", "signed": "signed.corp."}), "interval": TICKS}}
            with Node(tmp_path / "node", config, prefix=ns.prefix) as n:
                until("nobody", lambda: upstream(n, "fail", "efused"))
                until("nobody signs", lambda: says(n, "upstream", "upstream:signed", "fail", "efused"))
        assert capture.text() == ""
