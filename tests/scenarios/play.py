#!/usr/bin/python3
"""Plays resolver scenarios of others against candor-resolver, as a black box (root: network namespaces).

    tests/scenarios/play.py [--folder DIR] [--jobs N] [--all] [NAME...]

The scenarios, the list of what Debian's unbound and kresd make of them, and the player stand in a folder beside the checkout
(../shared, or CANDOR_SHARED) and are never copied into the project. Played are those of tiers A (plain) and B (a common
option) that one of the two peers passes and that need no DNSSEC validation; --all plays every one, whatever is known of it.

Two verdicts a scenario: core (rcode, flags QR TC AD, the answer section) and full (all that it compares). What fails by
deliberate choice stands in differences.tsv with the decision that says why; a line there that does not fail is wrong too.
"""
import argparse
import collections
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FOLDER = os.environ.get("CANDOR_SHARED", os.path.join(os.path.dirname(ROOT), "shared"))
BUILD = os.path.abspath(os.environ.get("CANDOR_BUILD", os.path.join(ROOT, "build")))
DIFFERENCES = os.path.join(HERE, "differences.tsv")
LIMIT_S = 60

Scenario = collections.namedtuple("Scenario", "group name tier path peers")
Played = collections.namedtuple("Played", "name qmin full core seconds why missed")
Difference = collections.namedtuple("Difference", "scenario qmin level decision reason")


def here(folder=FOLDER):
    """Whether there is anything to play."""
    return os.path.exists(os.path.join(folder, "scenarios", "list.tsv")) and os.path.exists(os.path.join(folder, "tools", "rplplay.py"))


def validates(path):
    """Whether a scenario gives a trust anchor: what it expects then is a validator's answer."""
    with open(path, encoding="utf8", errors="replace") as f:
        return re.search(r"^\s*trust-anchor(-file)?\s*:", f.read(), re.M) is not None


def listed(folder=FOLDER):
    out = []
    with open(os.path.join(folder, "scenarios", "list.tsv"), encoding="utf8") as f:
        for line in f:
            if not line.startswith("#"):
                group, name, tier, unbound, kresd = line.rstrip("\n").split("\t")
                out.append(Scenario(group, name, tier, os.path.join(folder, "scenarios", group, name + ".rpl"), (unbound, kresd)))
    return out


def chosen(folder=FOLDER):
    """Those that a resolver without validation is measured by."""
    return [s for s in listed(folder) if s.tier in "AB" and "pass" in s.peers and not validates(s.path)]


def differences():
    with open(DIFFERENCES, encoding="utf8") as f:
        return [Difference(*line.rstrip("\n").split("\t")) for line in f if line.strip() and not line.startswith("#")]


def play(scenarios, folder=FOLDER, jobs=2, keep=None):
    """[Played] of the scenarios, each with and without QNAME minimisation unless it says which."""
    with tempfile.TemporaryDirectory(prefix="candor-scenarios-") as d:
        out = os.path.join(d, "out.tsv")
        argv = [sys.executable, os.path.join(folder, "tools", "rplplay.py"), "--jobs", str(jobs), "--limit", str(LIMIT_S), "--out", out,
                "--tmp", keep or os.path.join(d, "work"), "--config", os.path.join(folder, "scenarios", "daemon", "candor.yaml")]
        if keep:
            argv.append("--keep")
            os.makedirs(keep, exist_ok=True)
        env = dict(os.environ, PATH=BUILD + os.pathsep + os.environ["PATH"], PYTHONDONTWRITEBYTECODE="1")
        subprocess.run(argv + [s.path for s in scenarios], env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        rows = []
        with open(out, encoding="utf8") as f:
            for line in f:
                name, qmin, full, core, seconds, _, _, why, missed = (line.rstrip("\n").split("\t") + [""])[:9]
                rows.append(Played(name, qmin[5:], full, core, float(seconds), why, missed))
        return rows


def failed(p):
    """The level at which it fails: core, full or none."""
    return "core" if p.core != "pass" else "full" if p.full != "pass" else None


def expected(name, qmin, known):
    """The line of differences.tsv about a run, or None."""
    return next((d for d in known if d.scenario == name and d.qmin in ("*", qmin)), None)


def judge(runs, known):
    """What is wrong, one line each: a failure that nobody chose, a choice that does not show."""
    bad = []
    for p in runs:
        level, d = failed(p), expected(p.name, p.qmin, known)
        if level and (d is None or (level == "core" and d.level == "full")):
            bad.append("%s qmin=%s %s: %s%s" % (p.name, p.qmin, level, p.why, "; unscripted: " + p.missed if p.missed else ""))
        elif d is not None and level != d.level:
            bad.append("%s qmin=%s is in differences.tsv as %s, and %s" % (p.name, p.qmin, d.level, "fails as " + level if level else "passes"))
    return bad


def play_twice(scenarios, known, folder=FOLDER, jobs=2):
    """As play(); what goes wrong beside other load is played again, one at a time."""
    runs = play(scenarios, folder, jobs)
    again = {p.name for p in runs if judge([p], known)}
    if not again:
        return runs
    second = play([s for s in scenarios if s.name in again], folder, 1)
    return [p for p in runs if p.name not in again] + second


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--folder", default=FOLDER)
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--all", action="store_true")
    p.add_argument("--keep", help="a folder in which what failed leaves its configuration and log")
    p.add_argument("names", nargs="*")
    a = p.parse_args()
    if not here(a.folder):
        print("skipped: no scenarios in %s (the folder is named by SHARED= or CANDOR_SHARED)" % a.folder)
        return 0
    scenarios = listed(a.folder) if a.all or a.names else chosen(a.folder)
    if a.names:
        scenarios = [s for s in scenarios if s.name in a.names]
    known = differences()
    runs = play(scenarios, a.folder, a.jobs, a.keep)
    for r in sorted(runs, key=lambda r: (failed(r) or "", r.name)):
        print("%-5s %-45s qmin=%-3s %5.1f s  %s %s" % (failed(r) or "pass", r.name, r.qmin, r.seconds, r.why, "| " + r.missed if r.missed else ""))
    bad = judge(runs, known)
    count = collections.Counter(failed(r) or "pass" for r in runs)
    print("%d scenarios, %d runs: %d pass in full, %d core alone, %d fail" % (len(scenarios), len(runs), count["pass"], count["full"], count["core"]))
    print("%d scenarios not as written down%s" % (len(bad), ":" if bad else ""))
    print("".join("  %s\n" % b for b in bad), end="")
    return 1 if bad and not a.all else 0


if __name__ == "__main__":
    sys.exit(main())
