"""Versions of real lists published one after another under 20,000 queries a second: no query lost, none answered from a
mixture of versions, and each commit writes the difference alone."""
# time bound: 600 s
# runs alone
import ipaddress
import time

from lib import ask, fourzones, lists
from lib.node import Node
from lib.sync import Sync

RATE, BETWEEN_S = 20000, 1.0


class Series:
    def __init__(self, zone, kind, versions, label):
        self.zone, self.kind, self.label = zone, kind, label
        self.versions = [frozenset(v) for v in versions]
        self.listed = {}    # entry -> set of version numbers
        for i, v in enumerate(self.versions):
            for e in v:
                self.listed.setdefault(e, set()).add(i)
        self.nets = [lists.Nets(v) for v in self.versions] if kind == "ip4trie" else None
        self.published = []  # (version, started us, acknowledged us, serial)

    def file(self, folder, i):
        path = folder / ("%s%d" % (self.zone, i))
        path.write_text("".join(e + "\n" for e in sorted(self.versions[i])))
        return str(path)

    def publish(self, sync, folder, i):
        path, start = self.file(folder, i), time.time_ns() // 1000
        r = sync.publish(self.zone, [(self.kind, path)])
        self.published.append((i, start, time.time_ns() // 1000, r["serial"]))
        return r

    def questions(self, rng):
        """Every entry that comes or goes, and as many that stay or never were."""
        moving = sorted(e for e, v in self.listed.items() if len(v) < len(self.versions))
        staying = sorted(e for e, v in self.listed.items() if len(v) == len(self.versions))
        asked = moving + rng.sample(staying, min(len(staying), len(moving) + 500))
        if self.nets:  # a network that is gone may be covered by another that is not
            for e in asked:
                first = int(ipaddress.ip_network(e).network_address)
                self.listed[e] = {i for i, nets in enumerate(self.nets) if first in nets}
        return asked


def live(series, sent_us, received_us):
    """Versions that some moment between sending and receiving may have seen."""
    out = set()
    for n, (i, start, _, _) in enumerate(series.published):
        ends = series.published[n + 1][2] if n + 1 < len(series.published) else float("inf")
        if start <= received_us and ends >= sent_us:
            out.add(i)
    return out


def judge(series, entry, a):
    """What is wrong with an answer; None: nothing."""
    if a.took_us < 0:
        return "lost"
    may = live(series, a.sent_us, a.sent_us + a.took_us)
    if a.rcode == "NOERROR" and a.answers:
        return None if may & series.listed.get(entry, set()) else "listed, but in none of versions %s" % sorted(may)
    if a.rcode not in ("NXDOMAIN", "NOERROR"):
        return a.rcode
    at = [i for i, _, _, serial in series.published if serial == a.serial]
    if not at or at[0] not in may:
        return "serial %d is none of versions %s" % (a.serial, sorted(may))
    return None if at[0] not in series.listed.get(entry, set()) else "not listed, but it is in version %d, whose serial it carries" % at[0]


def all_series():
    return [Series("attackers.test.", "ip4set", lists.attackers("2h"), lists.reverse4),
            Series("disposable.test.", "dnset", lists.disposable(), lambda e: e),
            Series("dc.test.", "ip4trie", lists.datacenter4(),
                   lambda e: lists.reverse4(e.split("/")[0]))]


def check(answers, moving):
    judged = ((a.question, judge(*moving[a.question], a)) for a in answers)
    return [(question, fault) for question, fault in judged if fault]


def test_no_query_is_lost_or_mixed_while_versions_are_published(tmp_path, capsys):
    rng = fourzones.seeded()
    series = all_series()
    config = {"rbl": {"zones": [{"name": s.zone} for s in series]}, "health": {"canary": {"cached": "", "uncached-under": "", "nxdomain-under": ""}}}
    rows = []
    with Node(tmp_path / "node", config) as node, Sync(node) as sync:
        for s in series:
            s.publish(sync, tmp_path, 0)
        moving = {}
        for s in series:
            for e in s.questions(rng):
                moving["%s.%s A" % (s.label(e), s.zone)] = (s, e)
        questions = list(moving)
        rng.shuffle(questions)
        steps = [(s, i) for i in range(1, max(len(s.versions) for s in series)) for s in series if i < len(s.versions)]
        load = ask.Load(node.dns, questions, RATE, len(steps) * BETWEEN_S + 3, sockets=64)
        try:
            time.sleep(1)
            differences = 0
            for s, i in steps:
                t = time.monotonic()
                r = s.publish(sync, tmp_path, i)
                old, new = s.versions[i - 1], s.versions[i]
                assert (r["added"], r["removed"]) == (len(new - old), len(old - new))
                assert r["entries"] == len(new)
                # A difference that would touch most pages of a small zone is cheaper as a generation of its own.
                assert not r["bulk"] or r["bytes"] < 8 * r["entries"], r
                differences += not r["bulk"]
                rows.append("%-18s v%02d %8d entries +%-5d -%-5d %9d bytes %8.1f ms" %
                            (s.zone, i, r["entries"], r["added"], r["removed"], r["bytes"], r["micros"] / 1000))
                time.sleep(max(0.0, BETWEEN_S - (time.monotonic() - t)))
            answers = load.answers()
        finally:
            load.stop()
    assert len(answers) > 0.9 * RATE * len(steps) * BETWEEN_S
    wrong = check(answers, moving)
    with capsys.disabled():
        print("\n" + "\n".join(rows) + "\n%d queries, %d wrong" % (len(answers), len(wrong)))
    assert not wrong, (len(wrong), wrong[:5])
    assert differences >= len(rows) // 3, rows
