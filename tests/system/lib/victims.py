"""Two zones of a node, one that something happens to and one that must not notice; each has a file, version after version."""
import os

import pytest

from . import ask
from .node import Node, until

SIZE = 3000
HEALTH = {"canary": {"cached": "", "uncached-under": "", "nxdomain-under": ""}, "interval": {"local": "1s", "zones": "2s"},
          "heal": {"restart-hung": False}}
ZONES = ("victim.test.", "other.test.")


def entries(version):
    """Two thirds stay, one third is of this version alone; spread over many a /16, so that a file has many pages."""
    return ["%d.%d.1.1" % (20 + i % 150, i // 150) for i in range(SIZE * 2 // 3)] + \
        ["%d.%d.2.%d" % (20 + i % 150, i // 150, 1 + version % 250) for i in range(SIZE // 3)]


def reverse(address):
    return ".".join(reversed(address.split(".")))


class Zone:
    """A zone with a file; version after version is put there."""

    def __init__(self, folder, name):
        self.name, self.file, self.version = name, os.path.join(str(folder), name + "list"), -1
        self.put()

    def put(self):
        self.version += 1
        with open(self.file + ".new", "w") as f:
            f.writelines(e + "\n" for e in ["127.0.0.2"] + entries(self.version))
        os.rename(self.file + ".new", self.file)
        return self.version

    def config(self):
        return {"name": self.name, "ttl": "60s", "test": "rfc5782-ip4", "limits": {"shrink": "100%", "grow": "100000%"}, "data": [{"type": "ip4trie", "files": [self.file]}]}

    def names(self, version):
        return ["%s.%s A" % (reverse(e), self.name) for e in entries(version)]

    def strangers(self):
        return ["%s.%s A" % (reverse("11.0.%d.%d" % (i >> 8, i & 255)), self.name) for i in range(500)]

    def answers(self, node, questions):
        """rcodes of what was asked, "listed" for one with an answer."""
        return ["listed" if a.rcode == "NOERROR" and a.answers else a.rcode for a in ask.ask(node.dns, questions, timeout_ms=2000)]

    def serves(self, node, version):
        return set(self.answers(node, self.names(version))) == {"listed"} and set(self.answers(node, self.strangers())) == {"NXDOMAIN"}

    def never_wrong(self, node):
        """Right or SERVFAIL, or none from a worker that died just then: never another answer. Whether all were right."""
        stay = set(self.answers(node, self.names(0)[:SIZE * 2 // 3]))
        away = set(self.answers(node, self.strangers()))
        assert stay <= {"listed", "SERVFAIL", "LOST"} and away <= {"NXDOMAIN", "SERVFAIL", "LOST"}, (stay, away)
        return stay == {"listed"} and away == {"NXDOMAIN"}

    def answered(self, node):
        """Everything that is asked gets some answer."""
        return "LOST" not in self.answers(node, self.names(0)[:200])


def node_with(tmp_path, zones, **more):
    config = {"resolver": {"workers": 2, "cache": {"size": "1M"}}, "health": HEALTH, "rbl": {"zones": [z.config() for z in zones]}}
    return Node(tmp_path / "node", {**config, **more})


def verdicts(node, zone):
    """Texts of the checks of one zone that are not well."""
    doc = node.health()
    return ["%s %s: %s" % (key, c["status"], c["output"]) for key, all_of in doc["checks"].items() for c in all_of
            if c.get("componentId") == zone and c["status"] not in ("pass",)]


def named(node, zone, within_s=30):
    return until("the health page names " + zone, lambda: verdicts(node, zone), within_s, 0.1)


def well(node, zone, within_s=45):
    def healed():
        assert not verdicts(node, zone), verdicts(node, zone)
        return True
    until(zone + " is well again", healed, within_s, 0.1)


def restarts(node):
    return sum(float(l.rsplit(" ", 1)[1]) for l in node.get("/metrics").text.splitlines() if l.startswith("candor_worker_restarts_total"))


class Bystander:
    """Questions to a zone that nothing happened to, all the while."""

    def __init__(self, node, zone, seconds=120):
        self.listed = set(zone.names(0)[:1000])
        self.load = ask.Load(node.dns, zone.names(0)[:1000] + zone.strangers(), 1000, seconds, sockets=16)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if exc[0] is not None:
            self.load.stop()

    def stop(self):
        """(answers, lost); any wrong one fails. The load ends when its time is up."""
        answers = self.load.answers()
        wrong = [a for a in answers if a.took_us >= 0 and
                 (a.rcode, bool(a.answers)) != (("NOERROR", True) if a.question in self.listed else ("NXDOMAIN", False))]
        assert not wrong, (len(wrong), wrong[:3])
        return len(answers), sum(a.took_us < 0 for a in answers)


@pytest.fixture
def zones(tmp_path):
    return [Zone(tmp_path, z) for z in ZONES]


def started(node, zones):
    for z in zones:
        until(z.name + " is served", lambda z=z: z.serves(node, z.version))
    for z in zones:
        well(node, z.name)
