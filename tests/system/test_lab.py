"""The lab itself: what it says that it does to packets happens to them, and nothing of it stays behind."""
import os
import socket
import subprocess
import time

import pytest

from lib.lab import Lab

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("lab"), 3, seed=7) as lab:
        yield lab


def sockets(lab, a, b, six=False):
    """A socket of node a connected to one of node b."""
    family, at = (socket.AF_INET6, lab.nodes[b].address6) if six else (socket.AF_INET, lab.nodes[b].address)
    with lab.inside(b):
        there = socket.socket(family, socket.SOCK_DGRAM)
    there.setsockopt(socket.SOL_SOCKET, 33, 4 << 20)  # SO_RCVBUFFORCE: what waits to be read is not lost here
    there.bind((at, 0))
    with lab.inside(a):
        here = socket.socket(family, socket.SOCK_DGRAM)
    here.connect((at, there.getsockname()[1]))
    for s in (here, there):
        s.settimeout(5)
    return here, there


def arrived(here, there, count):
    for i in range(count):
        here.send(b"%d" % i)
    there.settimeout(0.5)
    out = []
    try:
        while True:
            out.append(int(there.recv(99)))
    except socket.timeout:
        return out


@pytest.mark.parametrize("six", [False, True])
def test_packets_arrive_by_both_families(lab, six):
    assert arrived(*sockets(lab, 0, 1, six), 50) == list(range(50))


def test_delay_is_one_way_and_keeps_the_order(lab):
    lab.path(0, 1, delay_ms=50, jitter_ms=20)
    here, there = sockets(lab, 0, 1)
    began = time.monotonic()
    here.send(b"1")
    there.recv(9)
    assert time.monotonic() - began >= 0.05
    assert arrived(here, there, 200) == list(range(200))
    lab.path(0, 1)


def test_reordering(lab):
    lab.path(0, 1, delay_ms=1, jitter_ms=30, reorder=True)
    got = arrived(*sockets(lab, 0, 1), 200)
    lab.path(0, 1)
    assert sorted(got) == list(range(200)) and got != sorted(got)


def test_loss_and_its_count(lab):
    lost = lab.count(0, 2)[2]
    lab.path(0, 2, loss=0.3)
    got = len(arrived(*sockets(lab, 0, 2), 400))
    lab.path(0, 2)
    assert 200 < got < 360
    assert lab.count(0, 2)[2] - lost == 400 - got


def test_a_partition_is_of_two_nodes_until_it_heals(lab):
    lab.part(0, 1)
    assert arrived(*sockets(lab, 0, 1), 5) == []
    assert arrived(*sockets(lab, 0, 2), 5) == [0, 1, 2, 3, 4]
    lab.heal()
    assert arrived(*sockets(lab, 0, 1), 5) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("wire", ["relay", "bridge"])
def test_nothing_stays(tmp_path, wire):
    with Lab(tmp_path, 2, wire=wire) as lab:
        names = [n.ns.name for n in lab.nodes]
        assert arrived(*sockets(lab, 1, 0), 3) == [0, 1, 2]
        relay = lab.relay
    there = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout
    assert not any(n in there.split() for n in names)
    assert relay is None or relay.poll() is not None
