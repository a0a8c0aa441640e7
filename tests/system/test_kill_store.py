"""kill -9 of candor-sync in the middle of imports, changes by hand, UPDATEs, compaction, migration: nothing acknowledged is lost, nothing is half
there, the digest is that of the entries, the journal has no gap. CANDOR_KILLS says how often in all (default 40)."""
# time bound: 300 s
import base64
import gzip
import os
import shutil
import threading
import time

import dns.exception
import dns.query
import dns.rcode
import dns.tsig
import dns.update

from lib.lists import ROOT
from lib.killing import Keeper, Pace, check, interrupted, seeded, tidy

KILLS = int(os.environ.get("CANDOR_KILLS", "40"))
QUIET = {"canary": {"cached": "", "uncached-under": "", "nxdomain-under": ""}}
SHARES = {"bulk": 0.2, "small": 0.2, "change": 0.2, "update": 0.2, "compact": 0.1, "migrate": 0.1}
SECRET = base64.b64encode(bytes(range(32))).decode()
FIXTURE = os.path.join(ROOT, "tests", "fixtures", "zone-v1", "data.mdb.gz")


def share(what):
    return max(4, int(KILLS * SHARES[what]))


def report(capsys, what, keeper, extra=""):
    with capsys.disabled():
        print("\n%s: %d kills, %d of them while it worked%s" % (what, keeper.kills, keeper.in_time, extra))


def config(zone):
    return {"health": QUIET, "rbl": {"keys": [{"name": "pub.", "secret": SECRET}],
                                     "zones": [{"name": zone, "limits": {"shrink": "100%"}, "update": [{"key": "pub."}]}]}}


class Versions:
    """Contents that a zone takes in turn, each with the digest that a keeper whom nobody kills computes for it."""

    def __init__(self, folder, zone, texts):
        self.zone, self.files, self.digests = zone, [], []
        reference = Keeper(folder / "reference", config(zone)).start()
        reference.ready(zone)
        for i, text in enumerate(texts):
            file = folder / ("v%d" % i)
            file.write_text(text)
            self.files.append(str(file))
            r = reference.ask(**self.request(i))
            assert r["ok"] and r["changed"], r
            self.digests.append(check(reference, zone)[0])
        reference.stop()
        assert len(set(self.digests)) == len(self.digests)

    def request(self, version):
        return {"command": "publish", "zone": self.zone, "files": [{"type": "ip4trie", "path": self.files[version]}], "force": "test"}


def imports(tmp_path, what, texts, first_s):
    """Versions are published one after the other, each try killed; the next one begins when this one is in."""
    zone, rng, pace = what + ".test.", seeded(what), Pace(first_s)
    versions = Versions(tmp_path, zone, texts)
    keeper = Keeper(tmp_path / "keeper", config(zone)).start()
    keeper.ready(zone)
    assert keeper.ask(**versions.request(0))["ok"]
    now, acknowledged = 0, 0
    while keeper.kills < share(what):
        following = (now + 1) % len(texts)
        answer = interrupted(keeper, pace, rng, lambda v=following: keeper.ask(**versions.request(v)))
        if rng.random() < 0.2:
            keeper.killed_at_start(rng)
        keeper.start()
        keeper.ready(zone)
        digest = check(keeper, zone)[0]
        assert digest in (versions.digests[now], versions.digests[following]), "a mixture of two versions"
        if answer is not None and answer["ok"]:
            acknowledged += 1
            assert digest == versions.digests[following], "version %d was acknowledged and is not there" % following
        if digest == versions.digests[following]:
            now = following
    assert keeper.ask(**versions.request((now + 1) % len(texts)))["ok"]
    assert check(keeper, zone)[0] == versions.digests[(now + 1) % len(texts)]
    tidy(keeper, zone)
    keeper.stop()
    return keeper, acknowledged


def addresses(rng, count):
    return ["%d.%d.%d.%d" % tuple(rng.randrange(1, 224) for _ in range(4)) for _ in range(count)]


def test_bulk_imports(tmp_path, capsys):
    rng = seeded("lists")
    texts = ["\n".join(addresses(rng, 40000)) + "\n" for _ in range(3)]
    keeper, acknowledged = imports(tmp_path, "bulk", texts, 0.05)
    report(capsys, "bulk imports", keeper, "; %d acknowledged" % acknowledged)


def test_small_imports(tmp_path, capsys):
    base = ["10.%d.%d.%d" % (i >> 14, i >> 7 & 127, i & 127) for i in range(50000)]
    texts = ["\n".join(base[i * 100:] + ["10.77.%d.%d" % (i, k) for k in range(100)]) + "\n" for i in range(4)]
    keeper, acknowledged = imports(tmp_path, "small", texts, 0.02)
    report(capsys, "small imports", keeper, "; %d acknowledged" % acknowledged)


class Changer(threading.Thread):
    """Adds entries of its own and takes some away again, one request after the other, and notes what was acknowledged."""

    def __init__(self, send, number, crew):
        super().__init__(daemon=True)
        self.send, self.number, self.crew = send, number, crew
        self.used, self.sure, self.unsure = set(), set(), set()  # asked about; listed for certain; cut off in the middle
        self.last, self.error, self.acknowledged = False, None, 0

    def run(self):
        rng = seeded("changer %d" % self.number)
        try:
            while not self.last:
                if not self.crew.go.is_set():
                    self.crew.at_rest.release()
                    self.crew.go.wait()
                self.change(rng)
        except AssertionError as e:
            self.error = e

    def change(self, rng):
        remove = len(self.sure) > 5 and rng.random() < 0.4
        entry = rng.choice(sorted(self.sure)) if remove else "10.%d.%d.%d" % (self.number, len(self.used) >> 8, len(self.used) & 255)
        self.used.add(entry)
        self.unsure.add(entry)
        self.sure.discard(entry)
        if not self.send(entry, remove):
            time.sleep(0.002)
            return
        self.unsure.discard(entry)
        if not remove:
            self.sure.add(entry)
        self.acknowledged += 1


def listed(keeper, zone, entry):
    r = keeper.ask(command="why", zone=zone, what=entry)
    assert r["ok"], r
    return r["listed"]


class Changers:
    """Several publishers at work at once, so that commits are grouped; they stand still while somebody looks."""

    def __init__(self, keeper, zone, send, count=4):
        self.keeper, self.zone = keeper, zone
        self.go = threading.Event()
        self.at_rest = threading.Semaphore(0)
        self.all = [Changer(send, i + 1, self) for i in range(count)]

    def start(self):
        self.go.set()
        for c in self.all:
            c.start()

    def pause(self):
        self.go.clear()
        for c in self.all:
            while not self.at_rest.acquire(timeout=1):
                assert c.is_alive() or c.error is None, c.error

    def resume(self):
        self.go.set()

    def stop(self):
        for c in self.all:
            c.last = True
        self.go.set()
        for c in self.all:
            c.join(60)

    def check(self):
        """Everything acknowledged is so; what was cut off may be either way."""
        for c in self.all:
            assert c.error is None, c.error
            for entry in sorted(c.used - c.unsure):
                assert listed(self.keeper, self.zone, entry) == (entry in c.sure), (entry, entry in c.sure)

    def acknowledged(self):
        return sum(c.acknowledged for c in self.all)


def changed_by_command(keeper, zone):
    """send(entry, remove) over the control socket: whether it was acknowledged."""
    def send(entry, remove):
        try:
            r = keeper.ask(command="change", zone=zone, remove=remove, entries=[{"entry": entry}])
        except OSError:
            return False
        assert r["ok"] or r["code"] in ("closed", "full", "again"), r
        return r["ok"]
    return send


def changes(keeper, zone, what, send):
    """Kills while publishers change entries; every few kills all of them stand still and everything is looked at."""
    rng = seeded(what)
    crew = Changers(keeper, zone, send)
    crew.start()
    try:
        while keeper.kills < share(what):
            time.sleep(rng.uniform(0.005, 0.1))
            keeper.in_time += 1
            keeper.kill()
            if rng.random() < 0.2:
                keeper.killed_at_start(rng)
            keeper.start()
            keeper.ready(zone)
            if keeper.kills % 4 == 0 or keeper.kills >= share(what):
                crew.pause()
                crew.check()
                check(keeper, zone)
                crew.resume()
    finally:
        crew.stop()
    crew.check()
    check(keeper, zone)
    assert crew.acknowledged() > keeper.kills
    return crew.acknowledged()


def over_a_list(tmp_path, capsys, zone, what, title, sender):
    """Changes, sent by sender(keeper, zone), in a zone that holds a list besides."""
    keeper = Keeper(tmp_path / "keeper", config(zone)).start()
    keeper.ready(zone)
    (tmp_path / "list").write_text("\n".join(addresses(seeded("lists"), 20000)) + "\n")
    assert keeper.ask(command="publish", zone=zone, files=[{"type": "ip4trie", "path": str(tmp_path / "list")}])["ok"]
    acknowledged = changes(keeper, zone, what, sender(keeper, zone))
    keeper.stop()
    report(capsys, title, keeper, "; %d acknowledged" % acknowledged)


def test_changes_by_hand(tmp_path, capsys):
    over_a_list(tmp_path, capsys, "change.test.", "change", "changes by hand", changed_by_command)


def changed_by_update(keeper, zone):
    """send(entry, remove) by UPDATE with TSIG over TCP."""
    key = dns.tsig.Key("pub.", base64.b64decode(SECRET), "hmac-sha256")

    def send(entry, remove):
        u = dns.update.Update(zone, keyring=key)
        owner = ".".join(reversed(entry.split(".")))
        if remove:
            u.delete(owner)
        else:
            u.add(owner, 300, "A", "127.0.0.2")
        try:
            rcode = dns.query.tcp(u, keeper.node.host, port=keeper.node.sync_port, timeout=5).rcode()
        except (OSError, EOFError, dns.exception.DNSException):
            return False
        assert rcode in (dns.rcode.NOERROR, dns.rcode.SERVFAIL), dns.rcode.to_text(rcode)
        return rcode == dns.rcode.NOERROR
    return send


def test_updates(tmp_path, capsys):
    over_a_list(tmp_path, capsys, "update.test.", "update", "UPDATEs", changed_by_update)


def put_fixture(keeper, zone):
    """The state that an older version left, in place of what is there."""
    folder = os.path.join(keeper.node.folder, "state", "zones", zone)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(os.path.join(folder, "g1"))
    with gzip.open(FIXTURE) as packed, open(os.path.join(folder, "g1", "data.mdb"), "wb") as f:
        shutil.copyfileobj(packed, f)
    with open(os.path.join(folder, "current"), "w") as f:
        f.write("g1\n")


def test_migration(tmp_path, capsys):
    """A zone of format 1 becomes one of this format with its first change, or by compaction; cut off, it is the old one or the new."""
    zone, rng = "sample.test.", seeded("migrate")
    wants = [dict(command="change", zone=zone, entries=[{"entry": "10.9.8.7"}]), dict(command="compact", zone=zone)]
    keeper = Keeper(tmp_path / "keeper", config(zone))
    after = []
    for want in wants:  # what it comes to when nobody kills
        put_fixture(keeper, zone)
        keeper.start()
        keeper.ready(zone)
        before = check(keeper, zone)
        answer = keeper.ask(**want)
        assert answer["ok"], answer
        after.append(check(keeper, zone))
        keeper.stop()
    assert after[0][1] == before[1] + 1 and after[1] == before
    pace, done = Pace(0.01), 0
    while keeper.kills < share("migrate"):
        i = rng.randrange(len(wants))
        put_fixture(keeper, zone)
        keeper.start()
        keeper.ready(zone)
        answer = interrupted(keeper, pace, rng, lambda i=i: keeper.ask(**wants[i]))
        if rng.random() < 0.3:
            keeper.killed_at_start(rng)
        keeper.start()
        keeper.ready(zone)
        now = check(keeper, zone)
        assert now in (before, after[i]), (now, before, after[i])
        if answer is not None:
            assert answer["ok"] and now == after[i], (answer, now)
            done += 1
        keeper.stop()
    report(capsys, "migration", keeper, "; %d went through" % done)


def test_compaction(tmp_path, capsys):
    """The same contents, serial and history before and after, wherever it is cut off; changes go on between."""
    zone, rng, pace = "compact.test.", seeded("compact"), Pace(0.02)
    keeper = Keeper(tmp_path / "keeper", config(zone)).start()
    keeper.ready(zone)
    (tmp_path / "list").write_text("\n".join(addresses(seeded("lists"), 40000)) + "\n")
    assert keeper.ask(command="publish", zone=zone, files=[{"type": "ip4trie", "path": str(tmp_path / "list")}])["ok"]
    done = 0
    for i in range(100000):
        if keeper.kills >= share("compact"):
            break
        changed = keeper.ask(command="change", zone=zone, entries=[{"entry": "10.0.%d.%d" % (i >> 8, i & 255)}])
        assert changed["ok"], changed
        before = check(keeper, zone)
        answer = interrupted(keeper, pace, rng, lambda: keeper.ask(command="compact", zone=zone))
        if rng.random() < 0.2:
            keeper.killed_at_start(rng)
        keeper.start()
        keeper.ready(zone)
        assert check(keeper, zone) == before
        if answer is not None:
            assert answer["ok"], answer
            done += 1
    for j in range(0, i, 7):
        assert listed(keeper, zone, "10.0.%d.%d" % (j >> 8, j & 255))
    keeper.stop()
    report(capsys, "compaction", keeper, "; %d went through" % done)
