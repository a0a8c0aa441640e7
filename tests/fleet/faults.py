"""What can happen to the stage's links and processes, and who must say so within what time (rows of the catalogue in docs/faults.md)."""
import contextlib
import re
import signal
import threading

import psutil
import requests

from hour import kill, new_reporter
from stage import ALERTS, DATAGRAM, MONITORS, TICKS

BAD = ("fail", "warn", "unknown")


class Said:
    """A check on somebody's page: `page` says of `id` something that matches `words`."""

    def __init__(self, page, scope, check, id="", words="", states=("fail",)):
        self.page, self.scope, self.check, self.id, self.words, self.states = page, scope, check, id, words, states

    def there(self, stage):
        doc = stage.nodes[self.page].get("/health/" + self.scope, timeout=1).json()
        for key, entries in doc.get("checks", {}).items():
            for c in entries if re.fullmatch(self.check, key) else ():
                if c["status"] in self.states and stage.named(self.id) in c.get("componentId", "") and re.search(self.words, c.get("output", "")):
                    return True
        return False


class Expect:
    """At least one of `said` within `row` seconds at base ticks."""

    def __init__(self, what, seconds, *said):
        self.what, self.limit_s, self.said = what, seconds / TICKS, said

    def hidden(self, faults):
        """Who is mute himself, by another fault, need not tell; if nobody is left, that fault hides it."""
        return not self.left(faults)

    def left(self, faults):
        return [s for s in self.said if not any(s.page in f.mute or (s.page in f.blames_none and s.check.startswith("node:")) for f in faults)]

    def told(self, stage, faults):
        for s in self.left(faults):
            with contextlib.suppress(requests.RequestException, ValueError, KeyError, psutil.Error):
                if s.there(stage):
                    return True
        return False


class Fault:
    """`where`: what it befalls; two of one place are no pair. `involved`: of whom it may be said, and who may be wrong ("*": all).
    `mute`: whose page says nothing, or nothing true, meanwhile; `blames_none`: a monitor that is cut off and accuses nobody."""

    def __init__(self, name, where, begin, end, expects=(), involved=(), mute=(), blames_none=()):
        self.name, self.where, self.begin_, self.end_ = name, where, begin, end
        self.expects, self.involved, self.mute, self.blames_none = list(expects), set(involved), set(mute), set(blames_none)

    def begin(self, stage):
        self.held = self.begin_(stage)

    def end(self, stage):
        self.end_(stage, self.held)


def stop(processes):
    def begin(stage):
        held = processes(stage)
        for p in held:
            with contextlib.suppress(psutil.Error):
                p.suspend()
        return held
    return begin


def go_on(stage, held):
    for p in held:
        with contextlib.suppress(psutil.Error):
            p.resume()


def slow(processes):
    """A tenth of the time: stopped for 180 ms of each 200."""
    def begin(stage):
        held, over = processes(stage), threading.Event()

        def loop():
            while not over.is_set():
                for p in held:
                    with contextlib.suppress(psutil.Error):
                        p.suspend()
                over.wait(0.18 / TICKS)
                for p in held:
                    with contextlib.suppress(psutil.Error):
                        p.resume()
                over.wait(0.02 / TICKS)
        t = threading.Thread(target=loop, daemon=True)
        t.start()
        return over, t
    return begin


def no_longer(stage, held):
    held[0].set()
    held[1].join()


def resolver(name):
    return lambda stage: [stage.nodes[name].daemon("resolver"), *stage.nodes[name].workers()]


def daemon(name, what):
    return lambda stage: [stage.nodes[name].daemon(what)]


def reporter(name):
    """With the supervisor, which would replace it."""
    return lambda stage: [stage.nodes[name].supervisor(), stage.nodes[name].daemon("health")]


def machine(name):
    def all_of(stage):
        head = stage.nodes[name].supervisor()
        return [head, *head.children(recursive=True)]
    return all_of


def kill_daemon(name, what):
    def begin(stage):
        if what == "health":
            new_reporter(stage.nodes[name])
        else:
            stage.nodes[name].daemon(what).send_signal(signal.SIGKILL)
    return begin


def nothing(stage, held):
    pass


def off(name):
    return lambda stage: kill(stage.nodes[name])


def on(name):
    return lambda stage, held: stage.nodes[name].start(ready=False)


def cut(a, b):
    return lambda stage: stage.part(a, b)


def joined(a, b):
    return lambda stage, held: stage.join(a, b)


def far(a, b):
    """0.2 s each way: TCP and its first answer come in half of the time that a probe waits."""
    return lambda stage: stage.slow(a, b, 200 / TICKS)


def near(a, b):
    return lambda stage, held: stage.slow(a, b, 0)


def of_node(name, check, words, states=("fail",)):
    return [Said(m, "monitor", check, name, words, states) for m in MONITORS if m != name]


def processes_of_node(n):
    answers = Expect("a monitor gets no answer of %s (31)" % n, 15, *of_node(n, "node:answers", ""))
    silent = Expect("a monitor says that %s is silent (43)" % n, 45, *of_node(n, "node:report", "silent"))
    own = Expect("%s says itself that no worker answers (4)" % n, 10, Said(n, "worker", ".*"))
    says = Expect("a monitor has the word of %s (42)" % n, 15, *of_node(n, "node:report", "says fail"))
    yield Fault("resolver of %s stopped" % n, n, stop(resolver(n)), go_on, [own, answers, says], {n})
    yield Fault("resolver of %s killed" % n, n, kill_daemon(n, "resolver"), nothing, [], {n})
    yield Fault("candor-sync of %s stopped" % n, n, stop(daemon(n, "sync")), go_on, [], {n})
    yield Fault("candor-health of %s stopped" % n, n, stop(reporter(n)), go_on, [silent], {n}, {n})
    yield Fault("candor-health of %s killed" % n, n, kill_daemon(n, "health"), nothing, [], {n})
    yield Fault("candor-health of %s slowed" % n, n, slow(daemon(n, "health")), no_longer, [], {n})
    yield Fault("%s off" % n, n, off(n), on(n), [answers, silent], {n}, {n})
    yield Fault("%s stopped" % n, n, stop(machine(n)), go_on, [answers, silent], {n}, {n})


def unheard(who, m, seconds=120):
    """`who` itself says that a monitor does not acknowledge (44)."""
    return Expect("%s says that %s does not hear it (44)" % (who, m), seconds,
                  Said(who, "reporting", "report:monitor", "%s@%d" % (m, DATAGRAM), "", BAD))


def of_monitor(m):
    other = next(o for o in MONITORS if o != m)
    silent = Expect("%s says that %s is silent (43)" % (other, m), 45, Said(other, "monitor", "node:report", m, "silent"))
    both = [silent, unheard("scan1", m), unheard("scan5", m)]
    yield Fault("%s off" % m, m, off(m), on(m), both, {m}, {m})
    yield Fault("%s stopped" % m, m, stop(machine(m)), go_on, both, {m}, {m})
    yield Fault("candor-health of %s killed" % m, m, kill_daemon(m, "health"), nothing, [], {m}, {m})
    yield Fault("candor-health of %s slowed" % m, m, slow(daemon(m, "health")), no_longer, [], {m}, {m})


def waits(who, check, at):
    return Expect("%s says that its reports wait: %s (46)" % (who, check), 60, Said(who, "reporting", check, at, "", ("fail", "warn")))


def of_others():
    sql = [waits("scan1", "report:sql", ""), waits("m2", "report:sql", "")]
    yield Fault("database stopped", "db", lambda s: s.db.freeze(), lambda s, h: s.db.thaw(), sql, {"*"})
    yield Fault("database killed", "db", kill_db, lambda s, h: s.db.start(), sql, {"*"})
    yield Fault("snmptrapd stopped", "snmp", stop(program("snmptrapd")), go_on, [], {"*"})
    yield Fault("snmptrapd killed", "snmp", kill_program("snmptrapd"), start_program("snmptrapd"), [], {"*"})
    yield Fault("snmpd of scan3 stopped", "snmpd", stop(program("snmpd-scan3")), go_on, [], {"scan3"})
    yield Fault("snmpd of scan3 killed", "snmpd", kill_program("snmpd-scan3"), start_program("snmpd-scan3"), [], {"scan3"})
    am = [Expect("%s says that Alertmanager is not told (46)" % m, 60, Said(m, "reporting", "alert:.*", "@%d" % ALERTS, "", BAD)) for m in MONITORS]
    yield Fault("Alertmanager stopped", "am", stop(program("alertmanager")), go_on, am, set(MONITORS))
    yield Fault("Alertmanager killed", "am", kill_program("alertmanager"), start_program("alertmanager"), am, set(MONITORS))


def kill_db(stage):
    stage.db.each(psutil.Process.kill)
    stage.db.process.wait()


def program(name):
    return lambda stage: stage.programs[name].processes()


def kill_program(name):
    def begin(stage):
        p = stage.programs[name].process
        p.kill()
        p.wait()
    return begin


def start_program(name):
    return lambda stage, held: stage.programs[name].start()


def links():
    def link(a, b, expects, involved):
        return Fault("%s and %s cut off" % (a, b), a + "-" + b, cut(a, b), joined(a, b), expects, involved)
    yield link("scan3", "m1", [Expect("m1 says that scan3 is silent (43)", 45, Said("m1", "monitor", "node:report", "scan3", "silent")),
                               unheard("scan3", "m1")], {"scan3", "m1"})
    yield link("scan3", "scan4", [Expect("one says of the other that it does not answer (32)", 20, Said("scan3", "peers", "peer:answers", "scan4"),
                                         Said("scan4", "peers", "peer:answers", "scan3"))], {"scan3", "scan4"})
    yield link("m1", "m2", [Expect("one monitor says that the other is silent (43)", 45, Said("m1", "monitor", "node:report", "m2", "silent"),
                                   Said("m2", "monitor", "node:report", "m1", "silent"))], {"m1", "m2"})
    yield link("scan3", "db", [waits("scan3", "report:sql", "")], {"scan3"})
    yield link("scan3", "snmp", [], {"scan3"})
    yield link("m1", "am", [Expect("m1 says that Alertmanager is not told (46)", 60, Said("m1", "reporting", "alert:.*", "@%d" % ALERTS, "", BAD))], {"m1"})
    every = ["scan1", "scan2", "scan3", "scan4", "scan5", "m2", "db", "snmp", "am"]
    yield Fault("m1 cut off from all", "m1", lambda s: [s.part("m1", o) for o in every], lambda s, h: [s.join("m1", o) for o in every],
                [Expect("m1 says that it is cut off (45)", 30, Said("m1", "monitor", "monitor:quorum", "", "this monitor that is cut off")),
                 Expect("m2 says that m1 is silent (43)", 45, Said("m2", "monitor", "node:report", "m1", "silent"))], {"m1"}, blames_none={"m1"})
    for a, b in (("scan3", "m1"), ("scan3", "scan4"), ("scan3", "db"), ("m1", "m2"), ("m1", "am")):
        yield Fault("%s and %s far apart" % (a, b), a + "-" + b, far(a, b), near(a, b), [], ())


def all_faults():
    return [*processes_of_node("scan3"), *of_monitor("m1"), *of_others(), *links()]
