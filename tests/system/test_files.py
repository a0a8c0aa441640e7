"""Watched files under queries: however they are replaced, half of one is never served and what is listed never goes."""
# time bound: 400 s
# mostly waits
import os
import subprocess
import time

import pytest

from lib import ask
from lib.node import Node, until
from lib.sync import Sync

ENTRIES = 60000
NAMES = ["rename", "inplace", "copy", "held", "cutoff", "emptied", "symlink", "recreated", "folder", "pair", "reread"]


def address(i):
    return "10.%d.%d.%d" % (i >> 16, i >> 8 & 255, i & 255)


def text(version, count=ENTRIES):
    """Versions share every entry but one, which stands at the end: who has it has read all."""
    return ":127.0.0.2:listed\n" + "".join(address(i) + "\n" for i in range(1, count)) + "198.51.100.%d\n" % version


def question(addr, zone):
    return "%s.%s A" % (".".join(reversed(addr.split("."))), zone)


class List:
    def __init__(self, world, name):
        self.node, self.name, self.zone = world[0], name, name + ".test."
        self.folder = os.path.join(world[1], name)
        self.path = os.path.join(self.folder, "list")

    def listed(self, addr):
        a = ask.ask(self.node.dns, [question(addr, self.zone)])[0]
        assert a.rcode in ("NOERROR", "NXDOMAIN"), a
        return bool(a.answers)

    def wait_version(self, version):
        until("version %d of %s" % (version, self.zone), lambda: self.listed("198.51.100.%d" % version))

    def commits(self):
        r = Sync(self.node).ask(command="history", zone=self.zone)
        assert r["ok"], r
        return len(r["history"])

    def verdict(self):
        """Status and words of the check of the zone's data."""
        return [(c["status"], c["output"]) for c in self.node.scope("zones")["checks"]["zone:data"] if c["componentId"] == self.zone][0]

    def load(self, seconds):
        return ask.Load(self.node.dns, [question(address(1 + 97 * i % (ENTRIES - 1)), self.zone) for i in range(500)], 400, seconds)

    def write(self, data, path=None):
        with open(path or self.path, "w") as f:
            f.write(data)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("files"))
    zones = []
    for name in NAMES:
        os.makedirs(os.path.join(folder, name))
        files = [os.path.join(folder, name, "list")]
        with open(files[0], "w") as f:
            f.write(text(1))
        if name == "pair":
            files.append(os.path.join(folder, name, "second"))
            with open(files[1], "w") as f:
                f.write("203.0.113.1\n")
        if name == "symlink":
            os.rename(files[0], files[0] + ".1")
            os.symlink("list.1", files[0])
        zones.append({"name": name + ".test.", "data": [{"type": "ip4trie", "files": files}], "test": "none"})
    with Node(os.path.join(folder, "node"), {"rbl": {"zones": zones}, "health": {"interval": {"zones": "1s"}}}) as node:
        yield node, folder


@pytest.fixture
def zone(world, request):
    z = List(world, request.param)
    z.wait_version(1)
    return z


def all_listed(load):
    wrong = [a for a in load.answers() if a.rcode != "NOERROR" or not a.answers]
    assert not wrong, (len(wrong), wrong[:5])


def with_zone(name):
    return pytest.mark.parametrize("zone", [name], indirect=True)


@with_zone("rename")
def test_replaced_by_rename(zone):
    load, before = zone.load(4), zone.commits()
    for version in (2, 3):
        zone.write(text(version), zone.path + ".new")
        os.replace(zone.path + ".new", zone.path)
        zone.wait_version(version)
    all_listed(load)
    assert zone.commits() == before + 2 and not zone.listed("198.51.100.2")


@with_zone("inplace")
def test_rsync_in_place_with_a_slow_line(zone):
    source = zone.path + ".source"
    zone.write(text(2), source)
    load, before = zone.load(9), zone.commits()
    # rsync sleeps between its blocks, so the file stands still now and then while it is half old, half new.
    subprocess.run(["rsync", "--inplace", "--bwlimit=150", source, zone.path], check=True, timeout=60)
    zone.wait_version(2)
    all_listed(load)
    assert zone.commits() == before + 1, "something between the versions was read"


@with_zone("copy")
def test_copied_over(zone):
    source = zone.path + ".source"
    load, before = zone.load(6), zone.commits()
    for version in (2, 3):
        zone.write(text(version), source)
        subprocess.run(["cp", source, zone.path], check=True)
        zone.wait_version(version)
    all_listed(load)
    assert zone.commits() == before + 2


@with_zone("held")
def test_truncated_and_continued_by_a_slow_writer(zone):
    whole = text(2)
    load, before = zone.load(10), zone.commits()
    with open(zone.path, "w") as f:
        time.sleep(3)  # empty, open
        f.write(whole[:len(whole) // 2 + 3])
        f.flush()
        until("health tells whom it waits for", lambda: "open for writing" in zone.verdict()[1])
        time.sleep(3)  # half, open, still
        assert zone.commits() == before and not zone.listed("198.51.100.2")
        f.write(whole[len(whole) // 2 + 3:])
    zone.wait_version(2)
    all_listed(load)
    assert zone.commits() == before + 1


@with_zone("cutoff")
def test_cut_off_in_the_middle_of_a_line(zone):
    whole = text(2)
    at = whole.rindex("\n", 0, len(whole) * 4 // 5) + 4  # well within the limit on shrinking
    load, before = zone.load(10), zone.commits()
    zone.write(whole[:at])
    until("the refusal shows", lambda: (v := zone.verdict())[0] == "warn" and "middle of a line" in v[1])
    assert zone.commits() == before and zone.listed(address(ENTRIES - 1))
    with open(zone.path, "a") as f:
        f.write(whole[at:])
    zone.wait_version(2)
    all_listed(load)
    assert zone.commits() == before + 1
    until("the verdict is well again", lambda: zone.verdict()[0] == "pass")


@with_zone("emptied")
def test_emptied(zone):
    load, before = zone.load(8), zone.commits()
    zone.write("")
    until("the refusal shows", lambda: zone.verdict()[0] == "warn")
    assert zone.commits() == before
    zone.write(text(2))
    zone.wait_version(2)
    all_listed(load)


@with_zone("symlink")
def test_symbolic_link_turned(zone):
    load, before = zone.load(5), zone.commits()
    for version in (2, 3):
        zone.write(text(version), "%s.%d" % (zone.path, version))
        os.symlink("list.%d" % version, zone.path + ".link")
        os.replace(zone.path + ".link", zone.path)
        zone.wait_version(version)
    all_listed(load)
    assert zone.commits() == before + 2


@with_zone("recreated")
def test_deleted_and_written_anew_slowly(zone):
    whole = text(2)
    load, before = zone.load(12), zone.commits()
    os.unlink(zone.path)
    until("the verdict says what is missing", lambda: "No such file" in zone.verdict()[1])
    with open(zone.path, "w") as f:
        for part in range(4):
            f.write(whole[len(whole) * part // 4:len(whole) * (part + 1) // 4])
            f.flush()
            time.sleep(1)
    zone.wait_version(2)
    all_listed(load)
    assert zone.commits() == before + 1


@with_zone("folder")
def test_folder_renamed(zone):
    fresh, old = zone.folder + ".fresh", zone.folder + ".old"
    os.mkdir(fresh)
    zone.write(text(2), os.path.join(fresh, "list"))
    load, before = zone.load(8), zone.commits()
    os.rename(zone.folder, old)
    os.rename(fresh, zone.folder)
    zone.wait_version(2)
    zone.write(text(3), zone.path + ".new")  # and the new one is watched
    os.replace(zone.path + ".new", zone.path)
    zone.wait_version(3)
    all_listed(load)
    assert zone.commits() == before + 2


@with_zone("pair")
def test_two_files_make_one_zone(zone):
    second = os.path.join(zone.folder, "second")
    load, before = zone.load(8), zone.commits()
    zone.write("203.0.113.2\n", second + ".new")
    zone.write(text(2), zone.path + ".new")
    with open(zone.path + ".slow", "w") as f:  # a stranger's file in the same folder is nobody's business
        f.write("half a li")
        f.flush()
        os.replace(zone.path + ".new", zone.path)
        os.replace(second + ".new", second)
        zone.wait_version(2)
    until("the second file", lambda: zone.listed("203.0.113.2"))
    assert not zone.listed("203.0.113.1")
    all_listed(load)
    assert zone.commits() in (before + 1, before + 2)


@with_zone("reread")
def test_told_to_read_while_it_is_written(zone):
    whole = text(2)
    load, before = zone.load(6), zone.commits()
    with open(zone.path, "w") as f:
        f.write(whole[:len(whole) // 2])
        f.flush()
        zone.node.daemon("sync").send_signal(1)
        time.sleep(2)
        assert zone.commits() == before
        f.write(whole[len(whole) // 2:])
    zone.wait_version(2)
    all_listed(load)
