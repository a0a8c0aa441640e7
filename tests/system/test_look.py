"""Looking at a node from a terminal: candor status, health, check, top."""
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time

import pytest

from lib.node import Node, free_port, until
from lib.upstream import Upstream
from test_health import FAST, checks, config, green

LOCAL_S = 5 / FAST


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    folder = tmp_path_factory.mktemp("look")
    with Upstream() as u, Node(folder / "node", config(folder, u)) as n:
        n.upstream = u
        # what the machine around the test does is a warning of its own
        until("all is well", lambda: n.health()["status"] in ("pass", "warn") and n.scope("zones")["status"] == "pass")
        yield n


def check(n, *args, code=None, **kw):
    p = n.candor("check", *args, check=False, **kw)
    assert code is None or p.returncode == code, (p.returncode, p.stdout, p.stderr)
    return p


LINE = re.compile(r"CANDOR (OK|WARNING|CRITICAL|UNKNOWN) - [^|\n]+( \| ('[^'|=]+'=[0-9.e+]+(s|ms|us|B|c|%)?(;[0-9.]*;[0-9.]*)? ?)+)?\n")


@pytest.mark.parametrize("args,code,says", [
    (("worker",), 0, "worker: "), (("zones",), 0, "'zone:data bl.test.'=2"), (("zone", "bl.test"), 0, "'entries'=2"),
    (("zone", "BL.TEST."), 0, "'age'="), (("worker", "1"), 0, "'time'="), (("zone", "other.test"), 3, "no such zone"),
    (("worker", "9"), 3, "no such worker"), (("peer", "x"), 3, "no such peer"), (("upstream", "192.0.2.99"), 3, "no such upstream"),
    (("replication",), 3, "no checks of this scope"), (("zone", "bl.test", "-w", "0.001"), 1, "is above 0.001"),
    (("zone", "bl.test", "-C", "0.001", "-w", "0"), 2, "is above"), (("worker", "0", "-w", "100000", "-C", "200000"), 0, ";100000;200000")])
def test_a_plug_in(node, args, code, says):
    p = check(node, *args, code=code)
    assert LINE.fullmatch(p.stdout), p.stdout
    assert says in p.stdout and p.stderr == ""
    assert p.stdout.startswith("CANDOR %s - " % ("OK", "WARNING", "CRITICAL", "UNKNOWN")[code])


def test_the_whole_node(node):
    p = check(node)
    assert p.returncode in (0, 1) and LINE.fullmatch(p.stdout) and "'checks'=" in p.stdout, p.stdout


def test_an_upstream_by_its_address(node):
    for name in (node.upstream.address, node.upstream.host):
        assert "upstream %s: " % name in check(node, "upstream", name, code=0).stdout


@pytest.mark.parametrize("args", [("nothing",), ("zone",), ("worker", "1", "2"), ("zone", "x", "-w", "much"), ("-w", "-1"), ("--timeout", "0"),
                                  ("--timeout", "1e9"), ("-C", "nan"), ("--bogus",)])
def test_a_wrong_command_line_is_unknown(node, args):
    p = check(node, *args, code=3)
    assert p.stdout == "" and p.stderr.startswith("candor check: ")


def test_silence_is_critical_and_does_not_last(tmp_path):
    """Nobody there; and somebody who takes the connection and says nothing."""
    import socket
    n = Node(tmp_path / "node", config(tmp_path))
    assert "CRITICAL" in check(n, code=2).stdout
    with socket.create_server((n.host, n.health_port)):
        start = time.monotonic()
        p = check(n, "--timeout", "0.5", code=2)
        assert 0.4 < time.monotonic() - start < 5 and LINE.fullmatch(p.stdout)


def test_what_is_no_health_port_is_unknown(tmp_path):
    import http.server
    import threading
    n = Node(tmp_path / "node", config(tmp_path))
    for body in (b"not json", b"[]", b"{}", b'{"status":"pass|\\u001b[2J","checks":{}}', b'{"status":"pass","checks":{"a|b":[{"status":"warn","output":"x|y\\nz"}]}}'):
        class Other(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *a):
                pass
        with http.server.HTTPServer((n.host, n.health_port), Other) as s:
            t = threading.Thread(target=s.serve_forever, kwargs={"poll_interval": 0.01})
            t.start()
            p = check(n, code=1 if b"warn" in body else 3)
            s.shutdown()
            t.join()
        assert LINE.fullmatch(p.stdout) and "\033" not in p.stdout, p.stdout


def test_health_has_every_check_with_its_evidence(node):
    p = node.candor("health", check=False)
    assert p.returncode in (0, 1)
    doc = json.loads(node.candor("health", "--json", check=False).stdout)
    for key, entries in doc["checks"].items():
        for c in entries:
            assert re.search(r"^  (pass|warn) +%s +%s" % (re.escape(key), re.escape(c["componentId"])), p.stdout, re.M)
    assert "id.server. CH TXT" in p.stdout and re.search(r"127\.0\.0\.1@\d+/udp from port \d+", p.stdout)
    assert set(json.loads(node.candor("health", "zones", "--json").stdout)["scopes"]) == {"zones"}
    assert node.candor("health", "nothing", check=False).returncode == 3
    assert node.candor("health", "replication", check=False).returncode == 3


def test_status_is_one_screen(node):
    p = node.candor("status", check=False)
    assert p.returncode in (0, 1) and p.stdout.startswith("CANDOR ") and "bl.test." in p.stdout and "worker" in p.stdout and "\033" not in p.stdout


def test_top_into_a_pipe(node):
    p = node.candor("top", "-n", "2", "--batch")
    pages = p.stdout.split("candor test ")[1:]
    assert len(pages) == 2 and "\033" not in p.stdout
    for page in pages:
        assert page.startswith(("OK", "WARNING")) and "questions/s" in page and "bl.test." in page and node.upstream.address in page
        assert re.search(r"^0 +\d+ ", page, re.M) and re.search(r"^1 +\d+ ", page, re.M) and "unknown  pass" in page
    for wrong in (("-n", "0"), ("-n", "x"), ("-n", "-1"), ("x",)):
        assert node.candor("top", *wrong, check=False).returncode == 3


def test_top_sees_questions(node):
    import dns.message
    import dns.query
    reader = subprocess.Popen(node.command("top", "-n", "2", "-b"), stdout=subprocess.PIPE, text=True)
    q = dns.message.make_query("2.0.0.127.bl.test.", "A")
    while reader.poll() is None:
        dns.query.udp(q, node.host, port=node.dns_port, timeout=2)
        time.sleep(0.001)
    last = reader.stdout.read().split("candor test ")[-1]
    assert float(re.search(r"^bl\.test\. +ok +(\d+)", last, re.M).group(1)) > 20, last
    assert float(re.search(r"answers  zone (\d+)/s", last).group(1)) > 20


class Terminal:
    def __init__(self, node, rows=30, columns=100):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            argv = node.command("top")
            os.environ["TERM"] = "xterm"
            os.execv(argv[0], argv)
        self.seen, self.status = b"", None
        self.size(rows, columns)
        os.set_blocking(self.fd, False)

    def size(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        try:
            self.seen += os.read(self.fd, 65536)
        except (BlockingIOError, OSError):
            pass
        return self.seen

    def forget(self):
        self.read()
        self.seen = b""

    def send(self, keys):
        os.write(self.fd, keys)

    def ended(self):
        self.read()
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = status if pid else None
        return self.status is not None

    def modes(self):
        return termios.tcgetattr(self.fd)[3] & (termios.ICANON | termios.ECHO)

    def close(self):
        if not self.ended():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


LEFT = b"\033[?1049l"


@pytest.fixture
def terminal(node):
    t = Terminal(node)
    until("a page", lambda: b"questions/s" in t.read())
    yield t
    t.close()


def pages(seen):
    """The whole pages drawn, each as lines without what moves the cursor."""
    drawn = [p.split(b"\033[J")[0] for p in seen.split(b"\033[H")[1:] if b"\033[J" in p]
    return [re.sub(rb"\033\[[0-9;?]*[A-Za-z]", b"", p).split(b"\r\n") for p in drawn]


def test_top_on_a_terminal(terminal):
    assert b"\033[?1049h" in terminal.seen and terminal.modes() == 0
    assert b"by questions" in terminal.seen and b"q ends" in terminal.seen
    terminal.send(b"\033[C")
    until("sorted by name", lambda: b"by name" in terminal.read())
    terminal.send(b"\033[D\033[A")
    terminal.forget()
    terminal.size(12, 60)
    os.kill(terminal.pid, signal.SIGWINCH)
    # the page being drawn when the size changed is still one of the larger size
    until("smaller pages", lambda: terminal.read() and any(len(p) <= 12 and max(map(len, p)) <= 60 for p in pages(terminal.seen)))
    until("two more", lambda: len(pages(terminal.read())) > 3)
    page = pages(terminal.seen)[-1]
    assert len(page) <= 12 and max(map(len, page)) <= 60 and b"questions/s" in b"".join(page), page
    terminal.send(b"q")
    until("it ends", terminal.ended)
    assert os.waitstatus_to_exitcode(terminal.status) == 0 and terminal.read().endswith(LEFT)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_top_gives_the_terminal_back(terminal, signum):
    before = terminal.modes()
    os.kill(terminal.pid, signum)
    until("it ends", terminal.ended)
    assert before == 0 and LEFT in terminal.read()


def test_top_is_stopped_and_goes_on(terminal):
    os.kill(terminal.pid, signal.SIGTSTP)
    until("the terminal is given back", lambda: LEFT in terminal.read() and terminal.modes() == termios.ICANON | termios.ECHO)
    terminal.forget()
    os.kill(terminal.pid, signal.SIGCONT)
    until("it draws again", lambda: b"\033[?1049h" in terminal.read() and b"questions/s" in terminal.seen and terminal.modes() == 0)


def test_faults_are_seen_from_the_terminal(tmp_path):
    c = config(tmp_path, canary={"cached": "", "uncached-under": "", "nxdomain-under": ""})
    assert Node(tmp_path / "other", {}).candor("top", "-n", "1", check=False).returncode == 2, "nothing runs there"
    with Node(tmp_path / "node", c) as n:
        green(n, "process", "worker", "zones")
        worker = n.workers()[1]
        worker.suspend()
        try:
            name = until("the worker is missed", lambda: [i for i, c in checks(n.scope("worker"), "worker:answers").items()
                                                          if c["status"] == "fail"], 15 / FAST + 1)[0]
            p = check(n, "worker", name.split()[1], code=2)
            assert "CRITICAL" in p.stdout
            assert check(n, "zone", "bl.test").returncode in (0, 2)
            assert "CRITICAL" in n.candor("top", "-n", "1", "-b").stdout
            assert n.candor("health", "worker", check=False).returncode == 2
        finally:
            worker.resume()
        health = n.daemon("health")
        health.suspend()
        try:
            p = n.candor("top", "-n", "1", "-b")
            assert "the health port is silent" in p.stdout and "scopes  " not in p.stdout
            assert check(n, "-t", "0.3", code=2).stdout.startswith("CANDOR CRITICAL")
        finally:
            health.resume()
