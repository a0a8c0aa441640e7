"""Rows of the fault catalogue: each a real fault in a real node, and a clock that stops when the node says so.

A row is a subclass of Row (below) in one of the files that rows.py names. The engine runs each row in a process of its
own, in a network namespace of its own (a row of several nodes: a lab, tests/system/lib/lab.py) and in a folder of its own:

  setup()    starts what is needed; self.node is the victim, self.nodes all nodes of Candor by name
  (all green, and the expectation does not match: a row that is "seen" without a fault would prove nothing)
  watchers   are started (see Watcher)
  inject()   the clock runs from before it, or from begins(), which a row calls when the fault takes preparation
  (until every Expect has matched; the time of the slowest against its limit)
  holds()    what must be true while the fault lasts
  mend()     and everything green again within mend_s
  healed()   what must be true then

All the while every other scope of every node stays as it was: one that turns red and is not named in `may` is a false
accusation, and fails the row. Limits and intervals are those at base ticks (local 5 s); CANDOR_TICKS divides both.
"""
import contextlib
import importlib.util
import json
import os
import re
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "system"))

import psutil  # noqa: E402
import requests  # noqa: E402

TICKS = float(os.environ.get("CANDOR_TICKS", "1"))
POLL_S = 0.1
GREEN_S = 90      # until a node that was started is green
SLACK_S = 0.5 if TICKS == 1 else 1.5  # the page is made anew once a second, and the machine is shared: neither shrinks
LATE_FACTOR, LATE_S = 2, 60  # a verdict is waited for so much longer than its limit, to tell late from never
ORDER = ("pass", "warn", "unknown", "fail")
RED = ("fail", "unknown")
NO_PAGE = {"page": {"status": "fail"}}  # no answer, or a node that has not judged anything yet


def scaled(seconds, fixed_s=0.0):
    """Seconds at base ticks as they are at these; fixed_s of them do not shrink with the ticks."""
    return (seconds - fixed_s) / TICKS + fixed_s


class Expect:
    """One check that must say so: its scope, key ("listen:udp"), id and words by regular expression, and within how long."""

    def __init__(self, scope, check, words, within_s, states=("fail",), id="", node=None, fixed_s=0.0):
        self.scope, self.check, self.words, self.states, self.id, self.node = scope, check, words, states, id, node
        self.within_s, self.fixed_s = within_s, fixed_s

    @property
    def limit_s(self):
        return scaled(self.within_s, self.fixed_s)

    def look(self, row, docs):
        """What is said, or None."""
        name = self.node or row.victim
        doc = docs.get(name)
        if doc is None or (doc.get("scopes", {}).get(self.scope, {}).get("status") not in RED + ("warn",)):
            return None
        for key, entries in doc.get("checks", {}).items():
            if not re.fullmatch(self.check, key):
                continue
            for e in entries:
                text = "%s %s" % (e.get("output", ""), e.get("evidence", {}).get("asked", ""))
                if e["status"] in self.states and re.search(self.words, text, re.I) and re.search(self.id, e.get("componentId", "")):
                    return {"scope": self.scope, "check": key, "id": e.get("componentId", ""), "status": e["status"],
                            "words": e.get("output", ""), "node": name}
        return None


class Silent:
    """The page itself knows nothing any more (its prober hangs), or is not there at all."""
    node = None

    def __init__(self, within_s, fixed_s=0.0):
        self.within_s, self.fixed_s, self.scope = within_s, fixed_s, "(page)"

    limit_s = Expect.limit_s

    def look(self, row, docs):
        doc = docs.get(self.node or row.victim)
        if doc is None or (doc["status"] == "unknown" and not doc["checks"]):
            return {"scope": self.scope, "check": "", "id": "", "status": "unknown", "node": self.node or row.victim,
                    "words": doc.get("output", "") if doc else "the page does not answer"}
        return None


class Fact:
    """Something that is seen otherwise: look(row) returns words, or None for not yet."""
    node = None

    def __init__(self, what, look, within_s, fixed_s=0.0):
        self.what, self.ask, self.within_s, self.fixed_s, self.scope = what, look, within_s, fixed_s, "(fact)"

    limit_s = Expect.limit_s

    def look(self, row, docs):
        try:
            said = self.ask(row)
        except (OSError, requests.RequestException, psutil.Error, AssertionError):
            return None
        return {"scope": "", "check": "", "id": "", "status": "", "node": row.victim,
                "words": "%s%s" % (self.what, ": %s" % said if isinstance(said, str) else "")} if said else None


class Row:
    """One fault. `number` is its row of the catalogue, `variant` tells apart several of one row."""
    number, variant = 0, ""
    fault = ""        # as the catalogue calls it
    did = ""          # what is done, in words
    expects = ()      # Expect, Fact, Silent: all must match
    may = ()          # other scopes that may well turn red: "resolution", or ("node", "scope")
    mend_s = 90       # within which all must be green again, at base ticks
    restarts = False  # the node itself is started anew: unknown is no accusation then
    alone = False     # loads the whole machine: nothing runs beside it
    good = "seen"     # its result when all is as it must be; "said": only that this version does not do it
    cannot = ""       # why this version cannot have this fault; the row then only stands in the table
    short = True      # run at short ticks by the gate
    hold_s = None     # how long the fault lasts when watchers look on (base ticks); None: the longest limit and 15 s

    def __init__(self, folder):
        self.folder, self.nodes, self.victim, self.stack = str(folder), {}, None, contextlib.ExitStack()
        self.began = None

    @classmethod
    def id(cls):
        return "%d%s" % (cls.number, "-" + cls.variant if cls.variant else "")

    @property
    def node(self):
        return self.nodes[self.victim]

    # --- for watchers: the victim as its clients see it. Sockets of the row's process are in a namespace that reaches it.
    @property
    def dns_address(self):
        return self.node.host, self.node.dns_port

    def pids(self):
        """{pid: name} of the victim's processes, the supervisor among them."""
        root = self.node.supervisor()
        return {p.pid: p.name() for p in [root] + root.children(recursive=True)}

    # --- what a row is made of
    def setup(self):
        raise NotImplementedError

    def begins(self):
        self.began = time.monotonic()

    def inject(self):
        raise NotImplementedError

    def holds(self):
        pass

    def mend(self):
        pass

    def healed(self):
        pass

    def enter(self, thing):
        return self.stack.enter_context(thing)

    def stop_processes(self, *processes):
        for p in processes:
            p.suspend()

    def go_on(self, *processes):
        for p in processes:
            p.resume()

    def document(self, name):
        """/health of a node, or None when it does not answer."""
        try:
            return self.nodes[name].get("/health", timeout=2).json()
        except (requests.RequestException, ValueError):
            return None


class Watcher:
    """What somebody else would notice of the same fault (watchers.py). start() when all is green, before the fault;
    stop() before it is mended, or when the row ends."""
    name = ""

    def start(self, row):
        """`row`: dns_address, pids(), node, nodes, number, variant. Processes started here are in the row's namespace."""

    def stop(self):
        """[(time.monotonic(), healthy: bool, words)], one for each look, oldest first."""
        return []


def saw(sights, began):
    """A watcher's looks as the table wants them: whether it was fine before, and its first complaint after `began`."""
    before = [s for s in sights if s[0] < began]
    bad = [s for s in sights if s[0] >= began and not s[1]]
    return {"looks": len(sights), "bad_before": sum(not s[1] for s in before),
            "first_s": round(bad[0][0] - began, 2) if bad else None, "words": bad[0][2] if bad else "",
            "bad_after": len(bad), "looks_after": len(sights) - len(before)}


class Failed(Exception):
    def __init__(self, result, why):
        super().__init__(why)
        self.result = result


class Run:
    """One row through its life; to be used in a process of its own."""

    def __init__(self, row, watchers=()):
        self.row, self.watchers, self.accused, self.base, self.warned = row, list(watchers), {}, {}, {}
        self.out = {"row": row.number, "id": row.id(), "fault": row.fault, "did": row.did, "ticks": TICKS, "said": [], "result": "",
                    "why": "", "seconds": None, "limit": None, "watchers": {}, "back_s": None}

    def docs(self):
        docs = {name: self.row.document(name) for name in self.row.nodes}
        for name, doc in docs.items():
            self.note(name, doc)
        return docs

    def note(self, name, doc):
        """Keeps what turned red that has no right to."""
        if not self.base or doc is None:
            return
        mine = {(e.node or self.row.victim, e.scope) for e in self.row.expects}
        for scope, s in doc.get("scopes", {}).items():
            known = (name, scope) in mine or scope in self.row.may or (name, scope) in self.row.may or (name, "*") in self.row.may
            if known or self.base.get((name, scope)) in RED:
                continue
            if s["status"] == "fail" or (s["status"] == "unknown" and not self.row.restarts):
                self.accused.setdefault("%s of %s: %s" % (scope, name, s["status"]), s.get("output", ""))
            elif s["status"] == "warn" and self.base.get((name, scope)) == "pass":
                self.warned.setdefault("%s of %s" % (scope, name), s.get("output", ""))

    def green(self, within_s):
        """All nodes answer and nothing is red; the seconds it took, or None."""
        start = time.monotonic()
        while True:
            docs = {name: self.row.document(name) for name in self.row.nodes}
            red = ["%s of %s: %s %s" % (scope, name, s["status"], s.get("output", "")) for name, doc in docs.items()
                   for scope, s in (doc or {}).get("scopes", NO_PAGE).items() if s["status"] in RED]
            if not red:
                self.healthy = docs
                return time.monotonic() - start
            if time.monotonic() - start > within_s:
                self.red = red
                return None
            time.sleep(POLL_S)

    def unprovoked(self):
        for e in self.row.expects:
            said = e.look(self.row, self.healthy)
            if said:
                raise Failed("error", "matches without a fault: %s" % said)

    def wait(self):
        """Until all expectations match, or long after the limit. Their times."""
        seen = [None] * len(self.row.expects)
        limit = max(e.limit_s for e in self.row.expects)
        last = min(limit * LATE_FACTOR, limit + LATE_S) + SLACK_S
        while True:
            docs = self.docs()
            now = time.monotonic()
            for i, e in enumerate(self.row.expects):
                if seen[i] is None:
                    said = e.look(self.row, docs)
                    if said:
                        seen[i] = dict(said, seconds=round(now - self.row.began, 2), limit=round(e.limit_s, 2))
            if all(seen) or now - self.row.began > last:
                self.last = docs
                return seen
            time.sleep(POLL_S)

    def judge(self, seen):
        self.out["said"] = [s for s in seen if s]
        missing = [e for s, e in zip(seen, self.row.expects) if not s]
        for e in missing:
            wanted = getattr(e, "what", "") or "%s %s /%s/" % (e.scope, getattr(e, "check", ""), getattr(e, "words", ""))
            self.problem("missed", "never said: " + wanted)
            if e.node or self.row.victim in self.last:
                self.out["page"] = self.last.get(e.node or self.row.victim)
        for s in self.out["said"]:
            if s["seconds"] > s["limit"] + SLACK_S:
                self.problem("late", "%s: %.1f s of %.1f" % (s["words"] if not s["check"] else s["check"], s["seconds"], s["limit"]))
        if self.out["said"]:
            worst = max(self.out["said"], key=lambda s: s["seconds"] / s["limit"])
            self.out["seconds"], self.out["limit"] = worst["seconds"], worst["limit"]

    def problem(self, result, why):
        self.out["result"] = self.out["result"] or result
        self.out["why"] = "; ".join(filter(None, [self.out["why"], why]))

    def hold(self):
        """Watchers may be slower than we are."""
        if not self.watchers:
            return
        lasts = scaled(self.row.hold_s or max(e.within_s for e in self.row.expects) + 15)
        while time.monotonic() < self.row.began + lasts:
            self.docs()
            time.sleep(POLL_S)
        self.look_aside()

    def look_aside(self):
        for w in self.watchers:
            with contextlib.suppress(Exception):
                self.out["watchers"][w.name] = saw(w.stop(), self.row.began or time.monotonic())
        self.watchers = []

    def live(self):
        row = self.row
        row.setup()
        if self.green(GREEN_S) is None:
            raise Failed("error", "not green before the fault: " + "; ".join(self.red))
        self.unprovoked()
        self.base = {(n, scope): s["status"] for n, d in self.healthy.items() for scope, s in d["scopes"].items()}
        for w in self.watchers:
            w.start(row)
        if self.watchers:
            time.sleep(scaled(15))
        before = time.monotonic()
        row.inject()
        row.began = row.began or before
        self.judge(self.wait())
        row.holds()
        self.hold()
        row.mend()
        base, self.base = self.base, {}
        self.out["back_s"] = self.green(scaled(row.mend_s) + 5)
        if self.out["back_s"] is None:
            self.problem("not back", "; ".join(self.red))
        row.healed()
        self.base = base

    def __call__(self):
        start = time.monotonic()
        try:
            with self.row.stack:
                try:
                    self.live()
                finally:
                    self.look_aside()
        except Failed as e:
            self.problem(e.result, str(e))
        except Exception as e:  # whatever a row meets is its result
            self.problem("error", "%s: %s" % (type(e).__name__, str(e)[:600]))
            self.out["trace"] = traceback.format_exc()
        self.out["accused"], self.out["warned"], self.out["took_s"] = self.accused, self.warned, round(time.monotonic() - start, 1)
        if self.accused:
            self.problem("accused", "turned red without a reason: " + "; ".join("%s %s" % a for a in self.accused.items()))
        self.out["result"] = self.out["result"] or self.row.good
        return self.out


def load(path):
    """A Python file as a module, under its own name."""
    name = os.path.basename(path)[:-3]
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def all_rows():
    """Every row of every file, by number."""
    found = []
    for f in sorted(os.listdir(HERE)):
        if re.fullmatch(r"(process|resolution|zones|storage|network|clock|peers|fleet)\.py", f):
            module = load(os.path.join(HERE, f))
            found += [c for c in vars(module).values() if isinstance(c, type) and issubclass(c, Row) and c.__module__ == module.__name__ and
                      c.number and (c.did or c.cannot)]
    return sorted(found, key=lambda c: (c.number, c.variant))


def write(path, result):
    with open(path + ".new", "w") as f:
        json.dump(result, f, indent=1)
    os.rename(path + ".new", path)
