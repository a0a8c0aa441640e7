"""Full and read-only disks, and no room for a map that grows: the health page names the zone, it is served from its last good
state, other zones do not notice, and the change that did not fit comes by itself once it does."""
# time bound: 300 s
import os
import subprocess

from lib import disks
from lib.node import until
from lib.sync import Sync
from lib.victims import ZONES, Bystander, named, node_with, restarts, started, well, zones  # noqa: F401


def test_full_disk(tmp_path, zones):
    """A new version does not fit: the old one stays; it goes in by itself once there is room."""
    victim, other = zones
    state = tmp_path / "node" / "state"
    with disks.tmpfs(state, 24 << 20), node_with(tmp_path, zones) as node:
        started(node, zones)
        with Bystander(node, other, 10) as bystander:
            filler = disks.fill(state)
            victim.put()
            texts = named(node, victim.name)
            assert any("pace" in t for t in texts), texts  # "No space left on device"
            assert victim.serves(node, 0)
            until("the disk is named", lambda: node.scope("storage")["status"] == "fail", 30)
            os.unlink(filler)
            until("the new version is served", lambda: victim.serves(node, 1), 30)
            well(node, victim.name)
            assert bystander.stop()[1] == 0
        assert Sync(node).ask(command="verify", zone=victim.name)["ok"]
        assert restarts(node) == 0


def test_started_on_a_full_disk(tmp_path, zones):
    """What was committed before is served."""
    state = tmp_path / "node" / "state"
    with disks.tmpfs(state, 24 << 20):
        with node_with(tmp_path, zones) as node:
            started(node, zones)
        filler = disks.fill(state)
        zones[0].put()
        node.start(ready=False)
        try:
            for z in zones:
                until(z.name + " is served", lambda z=z: z.serves(node, 0))
            named(node, ZONES[0])
            os.unlink(filler)
            until("the new version is served", lambda: zones[0].serves(node, 1), 30)
            started(node, zones)
        finally:
            assert node.stop() == 0


def test_read_only_while_running(tmp_path, zones):
    """The file system gives up writing: both zones are served on, the one that changes is named."""
    victim, other = zones
    state = tmp_path / "node" / "state"
    with disks.ext4(state, 64 << 20):
        with node_with(tmp_path, zones) as node:
            started(node, zones)
            disks.abort(state)
            victim.put()
            assert named(node, victim.name)
            assert victim.serves(node, 0) and other.serves(node, 0)
            until("the disk is named", lambda: node.scope("storage")["status"] == "fail", 30)
            assert restarts(node) == 0
        # And so it is when the node starts on it.
        node.start(ready=False)
        try:
            for z in zones:
                until(z.name + " is served", lambda z=z: z.serves(node, 0))
            named(node, victim.name)
        finally:
            assert node.stop() == 0


def test_no_room_for_the_map(tmp_path, zones):
    """The address space of candor-sync ends: what does not fit is refused, and comes when there is room again."""
    victim, other = zones
    with node_with(tmp_path, zones) as node:
        started(node, zones)
        sync = node.daemon("sync")
        limit = sync.memory_info().vms + (8 << 20)
        subprocess.run(["prlimit", "--pid", str(sync.pid), "--as=%d:" % limit], check=True)
        with open(victim.file, "a") as f:
            f.writelines("10.%d.%d.%d\n" % (100 + (i >> 16), i >> 8 & 255, i & 255) for i in range(1000000))
        named(node, victim.name)
        assert victim.serves(node, 0) and other.serves(node, 0)
        subprocess.run(["prlimit", "--pid", str(sync.pid), "--as=unlimited:"], check=True)
        grown = "1.0.100.10.%s A" % victim.name
        until("the new version is served", lambda: victim.answers(node, [grown]) == ["listed"], 45)
        well(node, victim.name)
        assert node.daemon("sync").pid == sync.pid and restarts(node) == 0
