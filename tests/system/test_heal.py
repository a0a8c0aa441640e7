"""Healing: a worker that answers nothing though its loop turns, what systemd is told, and starts that are kept."""
import os
import re
import signal
import socket
import subprocess

import pytest

from lib.node import Node, until

TICKS = {"health": {"interval": {"local": "1s", "upstream": "3s", "zones": "6s"}}}


@pytest.fixture
def node(tmp_path):
    n = Node(tmp_path / "n", TICKS)
    try:
        yield n
    finally:
        n.stop()


def udp_sockets(pid, port):
    """Descriptors of a process that are UDP sockets on this port."""
    inodes = set()
    for table in ("udp", "udp6"):
        for line in open("/proc/%d/net/%s" % (pid, table)).read().splitlines()[1:]:
            words = line.split()
            if int(words[1].rsplit(":", 1)[1], 16) == port:
                inodes.add("socket:[%s]" % words[9])
    found = []
    for fd in os.listdir("/proc/%d/fd" % pid):
        try:
            if os.readlink("/proc/%d/fd/%s" % (pid, fd)) in inodes:
                found.append(int(fd))
        except OSError:
            pass
    return found


def deafen(pid, port):
    """Its loop goes on; the sockets that it has of the port are its no more."""
    for fd in udp_sockets(pid, port):
        subprocess.run(["gdb", "-p", str(pid), "-batch", "-nx", "-ex", "call (int)close(%d)" % fd], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=30)


def test_a_worker_that_answers_nothing_is_replaced(node):
    node.start()
    parent, before = node.daemon("resolver").pid, {p.pid for p in node.workers()}
    deaf = min(before)
    deafen(deaf, node.dns_port)
    until("replaced", lambda: deaf not in {p.pid for p in node.workers()}, 30)
    assert "candor-health gets no answer from it" in node.log()
    assert node.daemon("resolver").pid == parent and len(before & {p.pid for p in node.workers()}) == len(before) - 1
    until("counted", lambda: 'reason=hung' in node.log(), 10)


def test_healing_switched_off_leaves_the_worker(tmp_path):
    config = {"health": {"interval": {"local": "1s"}, "heal": {"restart-hung": False}}}
    n = Node(tmp_path / "n", config)
    try:
        n.start()
        deaf = min(p.pid for p in n.workers())
        deafen(deaf, n.dns_port)
        until("judged", lambda: re.search(r"scope=worker .*to=fail", n.log()), 30)
        assert deaf in {p.pid for p in n.workers()} and "asked its parent" not in n.log()
    finally:
        n.stop()


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    """What a service manager hears."""
    path = str(tmp_path / "notify")
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    s.bind(path)
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    monkeypatch.setenv("WATCHDOG_USEC", "1500000")
    heard = []

    def hear():
        while True:
            try:
                heard.extend(s.recv(4096).decode().splitlines())
            except BlockingIOError:
                return heard

    yield hear
    s.close()


def test_systemd_is_told_on_evidence_alone(node, systemd):
    node.start()
    until("ready", lambda: "READY=1" in systemd(), 20)
    until("watchdog", lambda: systemd().count("WATCHDOG=1") >= 2, 20)
    until("its status", lambda: any(re.match(r"STATUS=(pass|warn|fail): ready", line) for line in systemd()), 20)
    # Nobody reads for a while (the socket's queue is full soon), and who judges is hung: ended all the same.
    node.daemon("health").send_signal(signal.SIGSTOP)
    until("ended", lambda: "ended because it hung" in node.log(), 30)
    assert "the supervisor itself was late" not in node.log()
    os.kill(node.process.pid, signal.SIGHUP)
    until("reload", lambda: "RELOADING=1" in systemd(), 10)
    until("ready again", lambda: systemd().count("READY=1") == 2, 20)
    node.process.send_signal(signal.SIGTERM)
    node.process.wait(20)
    assert "STOPPING=1" in systemd() and systemd().count("READY=1") == 2


def test_starts_of_the_node_are_kept(node):
    path = os.path.join(node.folder, "state", "starts")
    node.start()
    node.stop()
    first = open(path).read()
    assert re.fullmatch(r"\d+\n", first)
    node.start()
    assert open(path).read().startswith(first) and open(path).read().count("\n") == 2
    node.stop()
    open(path, "w").write("garbage")
    node.start()
    assert re.fullmatch(r"\d+\n", open(path).read())
