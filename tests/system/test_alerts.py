"""Who is told, and how often: a real Alertmanager, a webhook over TLS, a mail relay, a command, a dead man's switch. One node, twelve at
once, receivers that hang, a judge that is killed, a monitor that is cut off. All in a namespace where port 53 is a black hole.

Ticks are a tenth of the base ones, and `wait` is a second."""
# time bound: 150 s
# mostly waits
import contextlib
import json
import os
import re
import subprocess
import time

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as strict

from lib.alerting import KEY, Alertmanager, Nodes, Relay
from lib.ask import BUILD
from lib.certs import Authority
from lib.netns import Capture, Namespace, inside
from lib.node import Node, until
from lib.served import Web
from test_prometheus import MONITORS
from test_reports import NO_CANARY, TICKS, says

COUNT = 30
GROUP = ["n%d" % i for i in range(12)]  # one alert: more than eight of them are seen within the wait; and they are less than half of all


class Scene:
    """A monitor and all that it tells."""

    def alerts(self, posted, name):
        """Of a webhook's posts those about one kind of alert: (status, alert) in order."""
        return [(a["status"], a) for p in posted for a in p["alerts"] if a["labels"]["alertname"] == name]

    def notified(self, name):
        return [p for p in self.manager_hook.posted if p["alerts"][0]["labels"]["alertname"] == name]

    def told(self):
        """What the command was given, one document a run; a line that is not whole yet is left out."""
        with open(self.told_path) as f:
            return [json.loads(line) for line in f.read().split("\n")[:-1] if line]

    def subjects(self):
        return [str(m["Subject"]) for _, _, m in self.relay.mails]

    def places(self):
        return len(self.hook.posted), len(self.told()), len(self.relay.mails)

    def marks(self):
        """How often each was told something about nodes; what becomes of the machine around the test is no part of it."""
        def about(posts):
            return len([p for p in posts if any(a["labels"]["alertname"] != "CandorMonitor" for a in p["alerts"])])
        mails = [m for _, _, m in self.relay.mails if re.search("^Candor(Node|Nodes|MonitorCutOff),", m.get_content(), re.M)]
        return about(self.hook.posted), about(self.told()), len(mails), about(self.manager_hook.posted)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alerts")
    authority = Authority(folder / "authority")
    s = Scene()
    s.told_path, command = str(folder / "told"), folder / "command"
    command.write_text("#!/bin/sh\n{ cat; echo; } >> %s\n" % s.told_path)
    command.chmod(0o755)
    s.command = str(command)[:63]  # as it is shown
    password = folder / "password"
    password.write_text("secret\n")
    open(s.told_path, "w").close()
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        s.ns = enter(Namespace())
        s.ns.nft(["udp dport 53 counter drop", "tcp dport 53 counter drop"])
        s.capture = Capture(s.ns, "port 53")
        enter(inside(s.ns))
        s.nodes, s.manager_hook, s.hook = enter(Nodes(COUNT)), enter(Web()), enter(Web(*authority.issue("hook.example", days=90)))
        s.relay = enter(Relay(*authority.issue("relay.example", days=90), password="\0candor\0secret"))
        s.switch = enter(Web(*authority.issue("watch.example", days=90)))
        s.manager = enter(Alertmanager(folder / "manager", s.manager_hook.port, 9093, s.ns.prefix))
        s.monitor = Node(folder / "m", {
            "node": {"name": "m"}, "resolver": {"workers": 1}, "rbl": {"keys": [KEY]},
            "health": {"interval": TICKS, "canary": NO_CANARY, "monitor": {
                "enabled": True, "listen": [{"datagram": "127.0.0.1@5390"}],
                "nodes": [{"name": n, "resolver": at, "key": KEY["name"]} for n, at in s.nodes.names.items()],
                "dead-man": [{"address": s.switch.at, "tls-name": "watch.example", "ca": authority.ca, "path": "/ping/m", "interval": "1s"}],
                "alert": {"wait": "1s", "exec": str(command),
                          "alertmanager": [{"address": s.manager.at}],
                          "webhook": [{"address": s.hook.at, "tls-name": "hook.example", "ca": authority.ca, "path": "/told"}],
                          "smtp": [{"address": s.relay.at, "tls-name": "relay.example", "ca": authority.ca, "from": "candor@example.org",
                                    "to": ["root@example.org", "watch@example.org"], "user": "candor", "password-file": str(password)}]}}}},
            prefix=s.ns.prefix)
        s.capture.__enter__()
        enter(s.monitor)
        s.nodes.to = ("127.0.0.1", 5390)
        for kind, at in (("alertmanager", s.manager.at), ("webhook", s.hook.at), ("smtp", s.relay.at), ("exec", s.command)):
            says(s.monitor, "reporting", "alert:" + kind, at, "pass", "reached")
        says(s.monitor, "reporting", "alert:certificate", s.relay.at, "pass", "ends in 89 days")
        says(s.monitor, "monitor", "monitor:quorum", "nodes", "pass", "30 of 30")
        until("all are well", lambda: all(c["status"] == "pass" for c in s.monitor.scope("monitor")["checks"]["node:answers"]))
        yield s


def well_again(s):
    s.nodes.mute.clear()
    until("nothing holds about nodes", lambda: not re.search(r'candor_alerts_firing\{alertname="Candor(Node|Nodes|MonitorCutOff)"\} [1-9]', s.monitor.get("/metrics").text))


def test_one_node_is_one_alert_everywhere_and_over_when_it_is_well(scene):
    s = scene
    s.nodes.mute.add("n3")
    for what, posted in (("webhook", lambda: s.hook.posted), ("command", s.told)):
        status, a = until("the %s is told" % what, lambda: s.alerts(posted(), "CandorNode"))[0]
        assert status == "firing" and a["labels"] == {"alertname": "CandorNode", "severity": "critical", "monitor": "m", "node": "n3"}
        assert "n3: it does not answer" in a["annotations"]["summary"] and "What monitor m got: no answer" in a["annotations"]["description"]
    p = until("Alertmanager's own receiver is told", lambda: s.notified("CandorNode"))[0]
    assert p["status"] == "firing" and [a["labels"]["node"] for a in p["alerts"]] == ["n3"]
    sender, to, mail = until("a mail comes", lambda: [m for m in s.relay.mails if "n3" in str(m[2]["Subject"])])[0]
    assert sender == "candor@example.org" and to == ["root@example.org", "watch@example.org"]
    assert mail["Subject"].startswith("[FIRING] n3: it does not answer") and mail["Date"] and mail["Message-ID"].endswith("@m>")
    assert mail["Auto-Submitted"] == "auto-generated" and "What monitor m got: no answer" in mail.get_content()
    assert s.relay.helo[-1] == ("m", True)
    s.nodes.mute.clear()
    until("the webhook hears the end", lambda: ("resolved", "n3") in [(st, a["labels"]["node"]) for st, a in s.alerts(s.hook.posted, "CandorNode")])
    until("the command hears the end", lambda: "resolved" in [st for st, _ in s.alerts(s.told(), "CandorNode")])
    until("Alertmanager hears the end", lambda: "resolved" in [p["status"] for p in s.notified("CandorNode")])
    until("a mail says so", lambda: [t for t in s.subjects() if t.startswith("[RESOLVED] n3")])
    assert [st for st, _ in s.alerts(s.hook.posted, "CandorNode")] == ["firing", "resolved"]


def test_in_numbers(scene):
    s = scene
    text = s.monitor.get("/metrics", headers={"Accept": "application/openmetrics-text"}).text
    families = {f.name: f for f in strict(text)}
    sent = {(x.labels["receiver"], x.labels["address"]): x.value for x in families["candor_alerts_sent"].samples}
    assert set(sent) == {("alertmanager", s.manager.at), ("webhook", s.hook.at), ("smtp", s.relay.at), ("exec", s.command)}
    assert all(n >= 2 for n in sent.values())
    assert {x.labels["alertname"]: x.value for x in families["candor_alerts_firing"].samples}["CandorNode"] == 0
    assert sum(x.value for x in families["candor_dead_man"].samples if x.labels["result"] == "fed") >= 1
    assert not [name for name in MONITORS if re.sub("_total$", "", name) not in families]  # what rules of Prometheus look at
    says(s.monitor, "reporting", "alert:memory", "alert", "pass", "kept over restarts")


def test_twelve_at_once_are_one_alert(scene):
    s = scene
    before, at = s.marks(), s.places()
    s.nodes.mute.update(GROUP)
    p = until("Alertmanager's receiver is told", lambda: s.notified("CandorNodes"))[0]
    assert len(p["alerts"]) == 1 and p["alerts"][0]["labels"]["group"]
    a = until("the webhook is told", lambda: s.alerts(s.hook.posted, "CandorNodes"))[0][1]
    until("a mail comes", lambda: s.marks()[2] > before[2])
    until("it names all", lambda: all(n in m["annotations"]["description"] for m in s.manager.alerts() if m["labels"]["alertname"] == "CandorNodes" for n in GROUP))
    assert re.match(r"\d+ of 30 nodes are not well", a["annotations"]["summary"]) and int(a["ill"]) > 8
    well_again(s)
    until("Alertmanager hears the end", lambda: s.notified("CandorNodes")[-1]["status"] == "resolved")
    until("the webhook hears the end", lambda: s.alerts(s.hook.posted, "CandorNodes")[-1][0] == "resolved")
    assert [p["status"] for p in s.notified("CandorNodes")] == ["firing", "resolved"]
    assert not s.alerts(s.hook.posted[at[0]:], "CandorNode")


def test_a_receiver_that_hangs_holds_up_no_other(scene):
    s = scene
    before, at = s.marks(), s.places()
    s.manager.process.send_signal(19)
    s.nodes.mute.add("n11")
    try:
        until("the webhook is told", lambda: s.alerts(s.hook.posted[at[0]:], "CandorNode"))
        until("the command is told", lambda: s.alerts(s.told()[at[1]:], "CandorNode"))
        until("a mail comes", lambda: s.marks()[2] > before[2])
        says(s.monitor, "reporting", "alert:alertmanager", s.manager.at, "warn", "another one hears of alerts")
        assert s.monitor.get("/readyz").status_code == 200
        assert s.marks()[3] == before[3]
    finally:
        s.manager.process.send_signal(18)
    until("it hears of it after all", lambda: [p for p in s.notified("CandorNode") if p["alerts"][0]["labels"]["node"] == "n11"], 90)
    says(s.monitor, "reporting", "alert:alertmanager", s.manager.at, "pass", "reached", within_s=90)
    well_again(s)
    until("the end", lambda: s.notified("CandorNode")[-1]["status"] == "resolved")


def test_a_judge_that_is_killed_tells_nothing_twice_and_loses_no_end(scene):
    s = scene
    at, notified = s.places(), len(s.notified("CandorNodes"))
    s.nodes.mute.update(GROUP)
    # Those that were seen a little later have joined, and everybody has heard of it.
    group = until("the webhook knows of all", lambda: [a for _, a in s.alerts(s.hook.posted[at[0]:], "CandorNodes") if a["total"] == len(GROUP)])[0]["labels"]["group"]
    until("the command knows of all", lambda: [a for _, a in s.alerts(s.told()[at[1]:], "CandorNodes") if a["total"] == len(GROUP)])
    until("a mail knows of all", lambda: [t for t in s.subjects()[at[2]:] if t == "[FIRING] 12 of 30 nodes are not well"])
    path = os.path.join(s.monitor.folder, "state", "health", "alerts.json")
    until("it is kept", lambda: int(group) in [a["id"] for a in json.load(open(path))["alerts"]])
    until("Alertmanager has told", lambda: len(s.notified("CandorNodes")) == notified + 1)
    before, at, old = s.marks(), s.places(), s.monitor.daemon("health")
    old.kill()
    until("another one judges", lambda: (h := s.monitor.children("candor-health")) and h[0].pid != old.pid and s.monitor.get("/health").status_code in (200, 503))
    until("it holds as before", lambda: 'candor_alerts_firing{alertname="CandorNodes"} 1' in s.monitor.get("/metrics").text)
    says(s.monitor, "monitor", "node:answers", "n0", "fail")
    time.sleep(2)  # what would be told twice would be told within two waits
    assert s.marks() == before
    s.nodes.mute.clear()
    until("the end is told", lambda: [a for st, a in s.alerts(s.hook.posted[at[0]:], "CandorNodes") if st == "resolved" and a["labels"]["group"] == group])
    until("to Alertmanager, too", lambda: s.notified("CandorNodes")[-1]["status"] == "resolved")
    well_again(s)


def test_dead_mans_switch_and_a_monitor_that_is_cut_off(scene):
    s = scene
    says(s.monitor, "monitor", "monitor:dead_man", s.switch.at, "pass", "fed")
    assert set(s.switch.got) == {"/ping/m"}
    before, at = s.marks(), s.places()
    s.nodes.mute.update(s.nodes.names)
    s.nodes.silent.update(s.nodes.names)
    says(s.monitor, "monitor", "monitor:quorum", "nodes", "fail")
    says(s.monitor, "monitor", "monitor:dead_man", s.switch.at, "warn", "not fed: this monitor is cut off")
    a = until("it says so of itself", lambda: s.alerts(s.hook.posted[at[0]:], "CandorMonitorCutOff"))[0][1]
    assert a["labels"]["node"] == "m" and "cut off from the nodes" in a["annotations"]["summary"]
    fed = len(s.switch.got)
    time.sleep(2.5)  # two intervals of the switch and a half
    assert len(s.switch.got) == fed
    assert not s.alerts(s.hook.posted[at[0]:], "CandorNode") and not s.alerts(s.hook.posted[at[0]:], "CandorNodes")
    s.nodes.silent.clear()
    s.nodes.mute.clear()
    says(s.monitor, "monitor", "monitor:dead_man", s.switch.at, "pass", "fed")
    until("it is over", lambda: "resolved" in [st for st, _ in s.alerts(s.hook.posted[at[0]:], "CandorMonitorCutOff")])
    well_again(s)


def test_dead_mans_switch_while_only_the_judging_thread_is_frozen(scene):
    """All other threads live, that of the switch too: it has no leave any more."""
    s = scene
    s.monitor.supervisor().suspend()
    freezer = subprocess.Popen([os.path.join(BUILD, "tests", "faults", "freezer"), str(s.monitor.daemon("health").pid)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert freezer.stdout.readline().strip() == "frozen 1"
        time.sleep(3 * 0.5 + 1)  # the leave is good for three local intervals; a turn may have begun in its last moment
        fed = len(s.switch.got)
        time.sleep(2.5)
        assert len(s.switch.got) == fed
    finally:
        freezer.stdin.close()
        freezer.wait(10)
        s.monitor.supervisor().resume()
    until("it is fed again", lambda: len(s.switch.got) > fed)


def test_no_name_was_looked_up_for_any_of_it(scene):
    scene.capture.__exit__()
    assert scene.capture.text() == ""
