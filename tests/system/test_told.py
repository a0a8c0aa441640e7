"""Transitions told to a command and to syslog (Debian's rsyslogd, on its socket and over UDP): in order, none left out, whatever the
command or the daemon does meanwhile."""
# time bound: 120 s
# mostly waits
import contextlib
import json
import os
import re
import socket
import subprocess

import psutil

from lib.node import Node, free_port, until
from test_reports import NO_CANARY, TICKS, says


def node(folder, report, **kw):
    return Node(folder / "node", {"node": {"name": "scan1"},
                                  "health": {"interval": TICKS, "canary": NO_CANARY, "heal": {"restart-hung": False}, "report": report}}, **kw)


def hang_and_wake(n):
    """Two transitions of scope worker at least."""
    worker = n.workers()[0]
    worker.suspend()
    says(n, "worker", "worker:answers", "worker 0", "fail")
    worker.resume()
    says(n, "worker", "worker:answers", "worker 0", "pass")


def history(n, kinds):
    h = until("all is written", lambda: (h := n.get("/history", params={"limit": 4000}).json())["events"] and h["waiting"] == 0 and h)
    return [e for e in h["events"][::-1] if e["kind"] in kinds]


def none_left_out(n, kinds, told, twice_at=()):
    """`told()`: numbers in the order in which they were told: each event since the first of them once, but for `twice_at`."""
    def look():
        numbers = told()
        once = sorted(set(numbers))
        due = [e["number"] for e in history(n, kinds) if numbers and e["number"] >= once[0]]
        return numbers and once == due and [x for i, x in enumerate(numbers) if x not in numbers[:i]] == once and numbers
    numbers = until("all of %s were told" % " ".join(kinds), look, 30)
    assert {x for x in numbers if numbers.count(x) > 1} <= set(twice_at), numbers
    return numbers


def kill_health(n):
    boot = history(n, ["start"])[-1]["boot"]
    n.daemon("health").kill()
    until("another candor-health", lambda: history(n, ["start"])[-1]["boot"] != boot)


class Command:
    def __init__(self, folder):
        self.path, self.out = str(folder / "told"), str(folder / "out")
        self.does("")

    def does(self, text):
        with open(self.path + ".new", "w") as f:
            f.write("#!/bin/sh\n%s\n" % (text or "cat >>" + self.out))
        os.chmod(self.path + ".new", 0o755)
        os.rename(self.path + ".new", self.path)

    def events(self):
        with contextlib.suppress(FileNotFoundError), open(self.out) as f:
            return [json.loads(line) for line in f.read().splitlines()]
        return []

    def numbers(self):
        return [e["event"]["sequence"] for e in self.events()]


def failed(n):
    return int(re.search(r'candor_push_total\{sink="exec",result="failed"\} (\d+)', n.get("/metrics").text).group(1))


def test_a_command(tmp_path):
    command = Command(tmp_path)
    kinds = ("scope", "start")
    with node(tmp_path, {"exec": command.path}) as n:
        says(n, "reporting", "report:exec", command.path, "pass", "told")
        hang_and_wake(n)
        until("it fell and rose", lambda: {("fail"), ("pass")} <= {e["event"]["to"] for e in command.events() if e["event"]["scope"] == "worker"})
        none_left_out(n, kinds, command.numbers)
        first = command.events()[0]
        assert first["node"] == "scan1" and first["eventsLost"] == 0 and first["event"]["wallMs"] > 1.7e12

        command.does("cat >/dev/null; echo no room; exit 3")
        kill_health(n)  # its start is told to whoever comes next
        says(n, "reporting", "report:exec", command.path, "warn fail", "exit code 3: no room")
        until("one is given up", lambda: re.search(r'candor_spool_dropped_total\{sink="exec",address="[^"]*",what="event"\} [1-9]', n.get("/metrics").text))
        assert n.get("/readyz").status_code == 200 and command.numbers() == sorted(set(command.numbers()))
        command.does("")
        kill_health(n)
        until("a start is told", lambda: "start" in [e["event"]["kind"] for e in command.events()])
        says(n, "reporting", "report:exec", command.path, "pass", "told of all up to event")

        mark = str(tmp_path / "pid")
        before = failed(n)
        command.does("[ -e {0} ] && exec cat >>{1}\necho $$ >{0}; trap '' TERM; while :; do sleep 1; done".format(mark, command.out))
        hang_and_wake(n)
        pid = int(until("it was started", lambda: os.path.exists(mark) and open(mark).read()))
        until("it was killed", lambda: failed(n) > before, 30)
        until("it is gone", lambda: not psutil.pid_exists(pid))
        assert n.get("/readyz").status_code == 200
        says(n, "reporting", "report:exec", command.path, "pass", "told of all up to event")
        metrics = n.get("/metrics").text
        p = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True, text=True)
        assert p.returncode == 0, p.stderr
        assert re.search(r'candor_spool_records\{sink="exec",address="[^"]*",what="event"\} \d', metrics)


RSYSLOG = """
module(load="imuxsock" SysSock.Use="off")
module(load="imudp")
input(type="imuxsock" Socket="{0}/log" CreatePath="on" RateLimit.Interval="0")
input(type="imudp" address="127.0.0.1" port="{1}")
template(name="all" type="string" string="%pri% %hostname% %app-name% %procid% %msgid% %structured-data% %msg%\\n")
action(type="omfile" file="{0}/out" template="all")
"""


class Rsyslog:
    """Debian's, with a configuration, a socket and a port of its own; lines(): what it wrote down."""

    def __init__(self, folder):
        self.folder, self.port, self.process = str(folder), free_port(), None
        os.makedirs(self.folder)
        with open(self.folder + "/conf", "w") as f:
            f.write(RSYSLOG.format(self.folder, self.port))

    def __enter__(self):
        self.process = subprocess.Popen(["/usr/sbin/rsyslogd", "-n", "-f", self.folder + "/conf", "-i", self.folder + "/pid"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until("rsyslogd listens", self.listens)
        return self

    def listens(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.connect(self.folder + "/log")
        return str(self.port) in subprocess.run(["ss", "-Hlun"], capture_output=True, text=True, check=True).stdout

    def lines(self):
        with contextlib.suppress(FileNotFoundError), open(self.folder + "/out") as f:
            return [x for x in f.read().splitlines() if "candor@" in x]
        return []

    def numbers(self):
        return [int(re.search(r' event="(\d+)"', x).group(1)) for x in self.lines()]

    def __exit__(self, *exc):
        self.process.terminate()
        self.process.wait(20)


TOLD = ("scope", "check", "start")


def test_syslog_on_its_socket(tmp_path):
    log = Rsyslog(tmp_path / "log")
    at = log.folder + "/log"
    with node(tmp_path, {"syslog": {"socket": at, "facility": "local3"}}) as n:
        says(n, "reporting", "report:syslog", at, "fail", "nothing could be told")  # there is no daemon yet, and nobody else hears of it
        assert n.get("/readyz").status_code == 200
        with log:
            says(n, "reporting", "report:syslog", at, "pass", "told of all up to event")
            hang_and_wake(n)
            none_left_out(n, TOLD, log.numbers)
            fell = [x for x in log.lines() if 'kind="scope" scope="worker" what="" from="pass" to="fail"' in x][0]
            assert re.match(r'155 \S+ candor-health \d+ - - +\[candor@8072\.9999\.9999 node="scan1" at="20\d\d-.*\] worker: pass -> fail: ', fell), fell
            psutil.Process(log.process.pid).suspend()
            hang_and_wake(n)
            psutil.Process(log.process.pid).resume()
            none_left_out(n, TOLD, log.numbers)
        says(n, "reporting", "report:syslog", at, "warn fail", "")
        hang_and_wake(n)
        kill_health(n)
        with log:
            says(n, "reporting", "report:syslog", at, "pass", "told of all up to event")
            none_left_out(n, TOLD, log.numbers)


def test_syslog_by_an_address(tmp_path):
    with Rsyslog(tmp_path / "log") as log, node(tmp_path, {"syslog": {"address": "127.0.0.1@%d" % log.port}}) as n:
        says(n, "reporting", "report:syslog", "127.0.0.1@%d" % log.port, "pass", "told")
        hang_and_wake(n)
        none_left_out(n, TOLD, log.numbers)
        fell = [x for x in log.lines() if 'kind="scope" scope="worker" what="" from="pass" to="fail"' in x][0]
        assert re.match(r'27 scan1 candor-health \d+ scope \[candor@8072\.9999\.9999 node="scan1" event="\d+" boot="[0-9a-f]{16}" .*\]  ?worker: pass -> fail: ', fell), fell
