"""The founding story. A mail cluster's caching name server hung; all that watched it said fine, and the one report that
knew better had to look up a name in the server that had hung. Here: everything to port 53 falls into a black hole, the resolver is
stopped, the page says so within ten seconds, and nothing on the node tried to resolve a name to find that out."""
# time bound: 300 s
import json
import time

from lib.netns import Capture, Namespace
from lib.node import Node, until

WITHIN_S = 10


def page(ns, path="/health"):
    """A page of the health port, read by curl from inside the namespace: (status, document)."""
    p = ns.run("curl", "-s", "-m", "5", "-o", "-", "-w", "\n%{http_code}", "http://127.0.0.1:5380" + path)
    body, _, code = p.stdout.rpartition("\n")
    return int(code), body


def test_the_page_tells_of_a_hung_resolver_without_resolving_anything(tmp_path):
    config = {
        "resolver": {"forward": [{"zone": ".", "to": ["198.51.100.1@5353"]}]},
        "rbl": {"zones": [{"name": "bl.test.", "test": "rfc5782-ip4",
                           "data": [{"type": "ip4set", "files": [str(tmp_path / "bl")]}]}]},
        "health": {"heal": {"restart-hung": False}},
    }
    (tmp_path / "bl").write_text("127.0.0.2\n192.0.2.0/24\n")
    with Namespace() as ns:
        ns.nft(["udp dport 53 counter drop", "tcp dport 53 counter drop"])
        node = Node(tmp_path / "node", config, prefix=ns.prefix)
        with node, Capture(ns, "port 53") as capture:
            until("green", lambda: json.loads(page(ns, "/health/worker")[1])["status"] == "pass", 30)
            assert page(ns, "/readyz")[0] == 200
            stopped = [node.daemon("resolver")] + node.workers()
            for p in stopped:
                p.suspend()
            start = time.monotonic()
            until("/readyz says no", lambda: page(ns, "/readyz")[0] == 503, WITHIN_S, 0.1)
            until("/health says fail", lambda: page(ns)[0] == 503 and json.loads(page(ns)[1])["status"] == "fail", WITHIN_S, 0.1)
            assert time.monotonic() - start <= WITHIN_S
            told = json.loads(page(ns)[1])
            assert "worker" in json.dumps(told["checks"])
            for p in stopped:
                p.resume()
            until("green again", lambda: page(ns, "/readyz")[0] == 200, 30)
        assert capture.text() == ""
