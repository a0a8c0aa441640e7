"""dnstap as a receiver of another make hears it: which messages, what is in them; a receiver that is away, hangs, comes back."""
import contextlib
import os
import re
import signal
import subprocess
import time

import dns.message
import dns.query
import yaml

from lib import ask
from lib.node import Node, until
from lib.upstream import Upstream

NAMES = {"www.example.com. A": ["192.0.2.1"], "large.example.com. TXT": ['"%s"' % ("x" * 200)] * 20}


class Receiver:
    """Debian's fstrm_capture on a unix socket, writing a file."""

    def __init__(self, folder):
        self.socket, self.file, self.process = str(folder / "tap.sock"), str(folder / "frames"), None

    def __enter__(self):
        self.process = subprocess.Popen(["fstrm_capture", "-t", "protobuf:dnstap.Dnstap", "-u", self.socket, "-w", self.file],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until("the receiver listens", lambda: os.path.exists(self.socket))
        return self

    def signal(self, number):
        self.process.send_signal(number)

    def __exit__(self, *exc):
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait(10)


@contextlib.contextmanager
def node(folder, upstream, tap):
    """A test may stop it itself; ended well in any case."""
    n = Node(folder / "node", {"resolver": {"workers": 1, "dnstap": tap, "forward": [{"zone": ".", "to": [upstream.address]}]},
                               "health": {"canary": {"cached": "", "uncached-under": "", "nxdomain-under": ""}}})
    n.start()
    try:
        yield n
    except BaseException:
        print(n.log()[-8000:])
        raise
    finally:
        code = n.stop()
    assert code in (0, None)


def taken(n, times=1):
    until("the receiver takes frames", lambda: n.log().count('msg="dnstap: taken"') >= times)


def metric(n, name):
    return float(re.search(r"^candor_%s_total (\S+)" % name, n.get("/metrics").text, re.M).group(1))


def messages(file):
    """What dnstap-read (of BIND) makes of it, without what the node's own probes asked."""
    out = subprocess.run(["dnstap-read", "-y", file], capture_output=True, text=True, check=True).stdout
    return [m for m in yaml.safe_load_all(out) if m and "example.com" in str(m["message"])]


def kinds(found):
    return [m["message"]["type"] for m in found]


def query(n, name="www.example.com.", rdtype="A", how=dns.query.udp):
    return how(dns.message.make_query(name, rdtype), n.host, port=n.dns_port, timeout=8)


def test_what_is_told(tmp_path):
    with Receiver(tmp_path) as r, Upstream(NAMES) as u:
        with node(tmp_path, u, {"socket": r.socket}) as n:
            taken(n)
            query(n)
            query(n, how=dns.query.tcp)
            u.mode = "truncate"
            query(n, "large.example.com.", "TXT")
            port = n.dns_port
    found = messages(r.file)
    assert kinds(found)[:4] == ["CLIENT_QUERY", "FORWARDER_QUERY", "FORWARDER_RESPONSE", "CLIENT_RESPONSE"]
    assert kinds(found)[4:6] == ["CLIENT_QUERY", "CLIENT_RESPONSE"]  # from the cache, over TCP
    large = found[6:]
    assert kinds(large) == ["CLIENT_QUERY", "FORWARDER_QUERY", "FORWARDER_RESPONSE", "FORWARDER_QUERY", "FORWARDER_RESPONSE", "CLIENT_RESPONSE"]
    assert [m["message"]["socket_protocol"] for m in large[1:5]] == ["UDP", "UDP", "TCP", "TCP"]
    assert {m["message"]["socket_protocol"] for m in found[4:6]} == {"TCP"}
    for m in found:
        assert m["identity"].startswith("test/") and m["version"].startswith("Candor ")
        assert m["message"]["socket_family"] == "INET"
    client, answer = found[0]["message"], found[3]["message"]
    assert client["response_port"] == port and client["query_address"] == "127.0.0.1"
    assert answer["query_port"] == client["query_port"]
    assert answer["response_time"] >= client["query_time"]
    assert "192.0.2.1" in str(answer["response_message_data"]) and "TRUNCATED" not in str(answer)
    assert found[1]["message"]["response_port"] == int(u.address.split("@")[1])


def test_a_file_for_each_worker(tmp_path):
    with Upstream(NAMES) as u, node(tmp_path, u, {"file": str(tmp_path / "frames"), "upstream": False}) as n:
        taken(n)
        query(n)
        query(n)
        n.stop()
        assert kinds(messages(str(tmp_path / "frames.0"))) == ["CLIENT_QUERY", "CLIENT_RESPONSE"] * 2
        n.start()
        taken(n)
        assert kinds(messages(str(tmp_path / "frames.0.old"))) == ["CLIENT_QUERY", "CLIENT_RESPONSE"] * 2


def flood(n, count=20000):
    """All are answered, whatever becomes of what is told about them."""
    answers = ask.ask(n.dns, ["www.example.com. A"] * count, timeout_ms=8000, sockets=8)
    assert len(answers) == count and all(a.took_us >= 0 for a in answers)


def test_a_receiver_that_is_away(tmp_path):
    with Upstream(NAMES) as u, node(tmp_path, u, {"socket": str(tmp_path / "tap.sock")}) as n:
        until("that nobody listens is said", lambda: 'msg="dnstap: nobody takes it"' in n.log())
        flood(n)
        until("the frames are counted as lost", lambda: metric(n, "dnstap_frames_dropped") >= 40000)
        assert metric(n, "dnstap_frames") == 0
        with Receiver(tmp_path) as r:
            taken(n)
            query(n)
            until("the frames of a question", lambda: metric(n, "dnstap_frames") >= 2)
            n.stop()
    assert kinds(messages(r.file)) == ["CLIENT_QUERY", "CLIENT_RESPONSE"]


def test_a_receiver_that_hangs(tmp_path):
    with Receiver(tmp_path) as r, Upstream(NAMES) as u, node(tmp_path, u, {"socket": r.socket}) as n:
        taken(n)
        query(n)
        r.signal(signal.SIGSTOP)
        flood(n)
        until("frames are counted as lost", lambda: metric(n, "dnstap_frames_dropped") > 0)
        until("the connection is given up", lambda: 'msg="dnstap: nobody takes it"' in n.log())
        flood(n)
        r.signal(signal.SIGCONT)
        taken(n, 2)
        before = metric(n, "dnstap_frames")
        query(n)
        until("frames of a question after that", lambda: metric(n, "dnstap_frames") >= before + 2)
        r.signal(signal.SIGSTOP)
        flood(n)
        began = time.monotonic()
        assert n.stop() == 0
        assert time.monotonic() - began < 10  # it did not wait for the receiver for ever
