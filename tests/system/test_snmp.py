"""SNMP: tables walked through Debian's snmpd, transitions at Debian's snmptrapd; a master agent that hangs, goes and comes back; and
no name is looked up for any of it."""
# mostly waits
import contextlib
import os
import re
import signal
import subprocess

import psutil
import pytest

from lib.netns import Capture, Namespace
from lib.node import BUILD, Node, until
from lib.snmp import CONF, MIBS, Agent, Receiver
from test_reports import FAST, NO_CANARY, TICKS, says

ZONE = {"name": "bl.example.", "test": "none", "data": [{"type": "ip4set", "files": ["list"]}]}


def reporter(folder, snmp, prefix=()):
    (folder / "node").mkdir(exist_ok=True)
    (folder / "node" / "list").write_text("192.0.2.1\n192.0.2.2\n")
    return Node(folder / "node", {
        "node": {"name": "scan1"}, "rbl": {"zones": [ZONE]},
        "health": {"interval": TICKS, "canary": NO_CANARY, "heal": {"restart-hung": False}, "report": {"snmp": snmp}}}, prefix=prefix)


def test_the_mib_is_clean():
    """At the strictest level that libsmi has for what is not mere taste; and the check can fail."""
    def lint(path):
        return subprocess.run(["smilint", "-c", "/dev/null", "-l", "3", path], capture_output=True, text=True, check=False,
                              env={**os.environ, "SMIPATH": MIBS})
    got = lint(os.path.join(CONF, "CANDOR-MIB.txt"))
    assert (got.returncode, got.stdout + got.stderr) == (0, "")


def test_a_wrong_mib_is_found(tmp_path):
    with open(os.path.join(CONF, "CANDOR-MIB.txt"), encoding="ascii") as f:
        text = f.read().replace("candorZoneSerial Unsigned32,", "candorZoneSerial Counter64,")
    (tmp_path / "CANDOR-MIB.txt").write_text(text)
    got = subprocess.run(["smilint", "-c", "/dev/null", "-l", "3", str(tmp_path / "CANDOR-MIB.txt")], capture_output=True, text=True,
                         check=False, env={**os.environ, "SMIPATH": MIBS})
    assert "do not match" in got.stdout + got.stderr


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("snmp")
    with Agent(str(folder / "agent")) as agent, Receiver(str(folder / "traps")) as traps:
        agent.waiting()
        n = reporter(folder, {"agentx": agent.socket, "traps": [traps.at]})
        with n:
            yield n, agent, traps


def test_tables(place):
    n, agent, _ = place
    says(n, "reporting", "report:agentx", agent.socket, "pass")
    rows = until("all tables are there", lambda: agent.walk_if(
        lambda r: r.get("candorZoneState.1") == "serving" and r.get("candorNodeReady.1") == "true" and any(k.startswith("candorMonitorKind") for k in r)))
    assert rows["candorNodeName.1"] == "scan1" and rows["candorNodeReady.1"] == "true"
    assert rows["candorZoneName.1"] == "bl.example." and rows["candorZoneEntries.1"] == "2"
    assert rows["candorZoneSerial.1"] == str(n.health()["zones"]["bl.example."]["serial"])
    assert rows["candorWorkerState.1"] == "pass" and int(rows["candorWorkerAnswered.1"]) > 1700000000
    assert {rows[k] for k in rows if k.startswith("candorScopeName.")} >= {"process", "worker", "storage", "zones"}
    assert any(rows[k] == "worker:answers" for k in rows if k.startswith("candorProbeCheck."))
    kinds = {rows[k] for k in rows if k.startswith("candorMonitorKind.")}
    assert kinds == {"agentx", "snmp"}
    # One by one, as small managers walk; and each of them by GET.
    assert agent.walk("CANDOR-MIB::candorZoneTable", "snmpwalk").keys() == {k for k in rows if k.startswith("candorZone")}
    assert agent.walk("CANDOR-MIB::candorZoneName.1", "snmpget") == {"candorZoneName.1": "bl.example."}
    assert agent.walk("CANDOR-MIB::candorZoneName.2", "snmpget") == {}
    assert agent.walk("1.3.6.1.4.1.8072.9999.10000") == {}


def go_on(workers):
    """Those that were not replaced meanwhile."""
    for w in workers:
        with contextlib.suppress(psutil.NoSuchProcess):
            w.resume()


def told(traps, scope, to):
    """Numbers of transitions of a scope to a state, in the order in which they came."""
    found = []
    for line in traps.text().splitlines():
        if "candorScopeTransition" in line and re.search(r'candorEventScope\.0 = "?%s"?\b' % scope, line) and re.search(r"candorEventTo\.0 = %s\b" % to, line):
            found.append(int(re.search(r"candorEventNumber\.0 = (\d+)", line).group(1)))
    return found


def transitions(n, scope, to):
    events = n.get("/history?limit=1000").json()["events"]
    return sorted(e["number"] for e in events if e["kind"] == "scope" and e.get("scope") == scope and e["to"] == to)


def test_transitions_are_told_also_while_the_master_agent_hangs(place):
    n, agent, traps = place
    says(n, "reporting", "report:snmp", traps.at, "pass")
    agent.process.send_signal(signal.SIGSTOP)
    try:
        workers = n.workers()
        for w in workers:
            w.suspend()
        try:
            until("the receiver has it", lambda: told(traps, "worker", "fail"), 15 / FAST + 10)
            says(n, "worker", "worker:answers", "worker 0", "fail unknown")  # the prober goes on
        finally:
            go_on(workers)
        until("and that it is well again", lambda: told(traps, "worker", "pass"), 30)
        says(n, "reporting", "report:agentx", agent.socket, "warn fail", "no master agent")
    finally:
        agent.process.send_signal(signal.SIGCONT)
    says(n, "reporting", "report:agentx", agent.socket, "pass", within_s=60)
    assert told(traps, "worker", "fail") == transitions(n, "worker", "fail")


def test_tables_come_back_with_the_master_agent(place):
    n, agent, _ = place
    says(n, "reporting", "report:agentx", agent.socket, "pass")
    agent.end()
    says(n, "reporting", "report:agentx", agent.socket, "warn fail", "no master agent")
    agent.start()
    until("the tables are back", lambda: agent.walk("CANDOR-MIB::candorNodeName", "snmpwalk") == {"candorNodeName.1": "scan1"}, 30)
    says(n, "reporting", "report:agentx", agent.socket, "pass")


def test_old_rows_are_not_shown(place):
    """A prober that hangs leaves no pass behind: the node is unknown, and all else is gone."""
    n, agent, _ = place
    until("it passes", lambda: agent.walk("CANDOR-MIB::candorNodeStatus", "snmpwalk").get("candorNodeStatus.1") in ("pass", "warn"))
    freezer = subprocess.Popen([os.path.join(BUILD, "tests/faults/freezer"), str(n.daemon("health").pid)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert freezer.stdout.readline() == b"frozen 1\n"
        rows = until("it is unknown", lambda: agent.walk_if(lambda r: r.get("candorNodeStatus.1") == "unknown"), 30)
        assert all(k.startswith("candorNode") for k in rows)
    finally:
        freezer.stdin.close()
        freezer.wait(10)
    until("it passes again", lambda: agent.walk("CANDOR-MIB::candorNodeStatus", "snmpwalk").get("candorNodeStatus.1") in ("pass", "warn"), 30)


def test_what_the_master_agent_had_not_taken_is_told_to_the_next_one(tmp_path):
    """It hangs, something happens, and it is killed: what lay in its socket is gone with it, and told again."""
    def every(to):
        return {k for k in told(traps, "worker", to) if k > known} == {k for k in transitions(n, "worker", to) if k > known}

    with Receiver(str(tmp_path / "traps")) as traps, Agent(str(tmp_path / "agent"), tells=traps) as agent:
        agent.waiting()
        with reporter(tmp_path, {"agentx": agent.socket}) as n:
            says(n, "reporting", "report:agentx", agent.socket, "pass")
            known = max(e["number"] for e in n.get("/history?limit=1000").json()["events"])
            for ends in (True, False):  # and one that only hung tells it once it goes on
                before = len(told(traps, "worker", "fail"))
                agent.process.send_signal(signal.SIGSTOP)
                workers = n.workers()
                try:
                    for w in workers:
                        w.suspend()
                    until("the ledger has it", lambda b=before: len(transitions(n, "worker", "fail")) > b, 30)
                finally:
                    go_on(workers)
                says(n, "worker", "worker:answers", "worker 0", "pass", within_s=30)
                if ends:
                    agent.end()
                    agent.start()
                else:
                    agent.process.send_signal(signal.SIGCONT)
                until("it is told", lambda: every("fail"), 60)
                until("and what came behind it", lambda: every("pass"), 30)
            says(n, "reporting", "report:agentx", agent.socket, "pass", within_s=60)


def test_nothing_is_looked_up(tmp_path):
    """Row 42: port 53 is a black hole; the tables are there, and the notification has come."""
    with Namespace() as ns:
        ns.nft(["udp dport 53 counter drop", "tcp dport 53 counter drop"])
        with Agent(str(tmp_path / "agent"), ns.prefix, port=1161) as agent, Receiver(str(tmp_path / "traps"), ns.prefix, port=1162) as traps:
            agent.waiting()
            n = Node(tmp_path / "node", {"node": {"name": "scan1"}, "health": {
                "interval": TICKS, "canary": NO_CANARY, "heal": {"restart-hung": False}, "report": {"snmp": {"agentx": agent.socket, "traps": [traps.at]}}}},
                     prefix=ns.prefix)
            with Capture(ns, "port 53") as capture, n:
                until("the tables are there", lambda: agent.walk("CANDOR-MIB::candorNodeName", "snmpwalk") == {"candorNodeName.1": "scan1"}, 30)
                workers = n.workers()
                for w in workers:
                    w.suspend()
                until("the receiver has it", lambda: told(traps, "worker", "fail"), 30)
                go_on(workers)
            assert capture.text() == ""
