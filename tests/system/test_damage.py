"""Bytes that flip in a zone's file, a file cut short, while the node runs and before it starts: no wrong answer beyond the next look
at the data, the health page names the zone, other zones do not notice, no worker dies of it again and again, and good data heals it."""
# time bound: 300 s
# mostly waits
import os
import time

from lib.node import Node, until
from lib.sync import Sync
from lib.victims import HEALTH, Bystander, named, node_with, restarts, started, verdicts, well, zones  # noqa: F401

PAGE = 4096


def live_file(node, zone):
    folder = os.path.join(node.folder, "state", "zones", zone)
    with open(os.path.join(folder, "current")) as f:
        return os.path.join(folder, f.read().strip(), "data.mdb")


def flip(path, at, size=8):
    with open(path, "r+b") as f:
        f.seek(at)
        old = f.read(size)
        f.seek(at)
        f.write(bytes(b ^ 0xff for b in old))


def pages_of_kind(path, flags):
    """Numbers of LMDB pages whose header has these flags: 1 branch, 2 leaf, 4 overflow, 8 meta."""
    with open(path, "rb") as f:
        data = f.read()
    return [n for n in range(2, len(data) // PAGE) if int.from_bytes(data[n * PAGE + 10:n * PAGE + 12], "little") & flags]


def every_page(path, at, flags):
    for n in pages_of_kind(path, flags):
        flip(path, n * PAGE + at)


def meta_pages(path):
    for n in (0, 1):
        flip(path, n * PAGE + 16, 100)


def header_of_leaves(path):
    every_page(path, 10, 2)


def numbers_in_headers(path):
    every_page(path, 0, 3)


def node_offsets(path):
    every_page(path, 16, 3)


def leaf_data(path):
    for n in pages_of_kind(path, 2):
        flip(path, (n + 1) * PAGE - 64, 48)


def branch_children(path):
    every_page(path, PAGE - 32, 1)


def half_a_file(path):
    os.truncate(path, os.path.getsize(path) // 2 // PAGE * PAGE)


def one_page(path):
    os.truncate(path, PAGE)


def nothing(path):
    os.truncate(path, 0)


def zeroes(path):
    size = os.path.getsize(path)
    with open(path, "r+b") as f:
        f.write(b"\0" * size)


DAMAGES = [meta_pages, header_of_leaves, numbers_in_headers, node_offsets, leaf_data, branch_children, half_a_file, one_page, nothing,
           zeroes]


# A look-up that is led astray inside of a page may find nothing: only who reads everything, as candor-sync does, can tell.
SILENT, SEEN_WITHIN_S = (numbers_in_headers, node_offsets, leaf_data, branch_children), 20


def survives(node, victim, other, damage):
    """One damage under a running node; the new file heals it."""
    before, version = restarts(node), victim.version
    with Bystander(node, other, 4) as bystander:
        damage(live_file(node, victim.name))
        if damage in SILENT:
            until("no wrong answer any more", lambda: victim.never_wrong(node) or True, SEEN_WITHIN_S)
        end = time.monotonic() + 3
        whole = True
        while time.monotonic() < end:
            whole = victim.never_wrong(node) and whole
        assert victim.answered(node)
        told = verdicts(node, victim.name)
        assert whole or told, "SERVFAIL, and the health page says nothing"
        asked, lost = bystander.stop()
        assert lost <= asked // 10, "%d of %d questions to the other zone lost" % (lost, asked)
    victim.put()
    until("the new version is served", lambda: victim.serves(node, version + 1), 45)
    well(node, victim.name)
    assert Sync(node).ask(command="verify", zone=victim.name)["ok"]
    assert not verdicts(node, other.name)
    died = restarts(node) - before
    assert died <= 4, "%d restarts of workers" % died
    return died, told


def test_damage_under_a_running_node(tmp_path, zones, capsys):
    victim, other = zones
    rows = []
    with node_with(tmp_path, zones) as node:
        started(node, zones)
        for damage in DAMAGES:
            died, told = survives(node, victim, other, damage)
            rows.append("%-20s %d workers died; %s" % (damage.__name__, died, (told or ["served on"])[0][:100]))
    with capsys.disabled():
        print("\n" + "\n".join(rows))


def test_damage_before_the_start(tmp_path, zones):
    """Files are there: the zone comes back from them. No crash loop, and the other zone does not notice."""
    victim, other = zones
    node = node_with(tmp_path, zones)
    for damage in DAMAGES:
        node.start()
        try:
            started(node, zones)
        finally:
            assert node.stop() == 0
        damage(live_file(node, victim.name))
        node.start(ready=False)
        try:
            until("the other zone is served", lambda: other.serves(node, 0))
            until("the zone is back from its file", lambda: victim.serves(node, victim.version), 30)
            well(node, victim.name)
            assert restarts(node) <= 4
            assert Sync(node).ask(command="verify", zone=victim.name)["ok"]
        finally:
            assert node.stop() == 0


def test_damage_without_a_file(tmp_path, zones):
    """Published from outside: nobody can heal it here. SERVFAIL for this zone, the page names it, a new publication heals it."""
    victim, other = zones
    bare = victim.config()
    del bare["data"]
    node = Node(tmp_path / "node", {"resolver": {"workers": 2, "cache": {"size": "1M"}}, "health": HEALTH,
                                    "rbl": {"zones": [bare, other.config()]}})
    with node:
        publish = lambda: Sync(node).publish(victim.name, [("ip4trie", victim.file)], force="test")
        publish()
        started(node, zones)
        for damage in (meta_pages, leaf_data, node_offsets, half_a_file):
            damage(live_file(node, victim.name))
            until("the zone is not served", lambda: not victim.never_wrong(node), 30)
            assert named(node, victim.name)
            assert other.serves(node, 0) and not verdicts(node, other.name)
            victim.put()
            publish()
            until("the new version is served", lambda: victim.serves(node, victim.version), 30)
            well(node, victim.name)
        assert restarts(node) <= 16
