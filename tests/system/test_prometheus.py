"""Debian's Prometheus over two real nodes: the rules load, every query of rules and dashboard has data, no alert fires while all is well.

What a healthy node need not have samples of is listed by name, and its family must be announced all the same."""
# time bound: 300 s
import contextlib
import json
import os
import re
import shutil
import subprocess
import time

import dns.message
import dns.query
import pytest
import requests
import yaml

from lib.lists import ROOT
from lib.node import Node, free_port, merged, until
from lib.programs import end
from lib.upstream import Upstream
from test_knowing import key

CONF = os.path.join(ROOT, "conf", "prometheus")
DASHBOARD = os.path.join(ROOT, "conf", "grafana", "candor.json")
ZONE = "bl.test."

# Empty while nothing is wrong, or without what they are about.
EMPTY = {
    "Transitions": "nothing has changed",
    "The worst window in 30 days": "no window of five minutes was full yet",
    "What clients had": "their minute counts when it is over",
    "Monitors that hear this node": "these two report to nobody",
    "The machine waits": "the kernel may not tell",
    "Tracked connections": "the kernel may track none",
}
# Not announced either by a node that has nothing of the kind; a monitor's own are looked for in test_alerts.
MONITORS = {"candor_alerts_failed_total", "candor_alerts_waiting", "candor_dead_man_total", "candor_monitor_cut_off", "candor_monitor_store_up",
            "candor_monitor_gaps_total"}
NOT_THERE = MONITORS | {"candor_spool_oldest_timestamp_seconds", "candor_spool_dropped_total", "candor_config_offered_version", "candor_config_refused_members",
                        "candor_monitor_reachable", "candor_monitor_node_status", "candor_pressure_stall_ratio", "candor_conntrack_entries",
                        "candor_conntrack_limit", "candor_guard_mark"}


def rules(name):
    with open(os.path.join(CONF, name)) as f:
        return [r for g in yaml.safe_load(f)["groups"] for r in g["rules"]]


def dashboard():
    with open(DASHBOARD) as f:
        return json.load(f)


def queries():
    """(panel, query) of the whole dashboard, its variables set as for "all"."""
    for p in dashboard()["panels"]:
        for t in p.get("targets", ()):
            yield p["title"], t["expr"].replace("$instance", ".*").replace("$__rate_interval", "10s")


class Prometheus:
    def __init__(self, folder, targets):
        self.port, self.folder = free_port(), str(folder)
        for name in ("candor-rules.yml", "candor-alerts.yml"):
            with open(os.path.join(CONF, name)) as f:
                text = f.read()
            # Windows of minutes are for a scrape each 15 s.
            with open(os.path.join(self.folder, name), "w") as f:
                f.write(re.sub(r"\[5m\]", "[10s]", text))
        with open(os.path.join(self.folder, "prometheus.yml"), "w") as f:
            json.dump({"global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                       "rule_files": ["candor-rules.yml", "candor-alerts.yml"],
                       "scrape_configs": [{"job_name": "candor", "static_configs": [{"targets": targets}]}]}, f)
        self.log = open(os.path.join(self.folder, "log"), "wb")
        self.process = subprocess.Popen(
            ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address=127.0.0.1:%d" % self.port],
            cwd=self.folder, stdout=self.log, stderr=self.log)

    def api(self, what, **params):
        r = requests.get("http://127.0.0.1:%d/api/v1/%s" % (self.port, what), params=params, timeout=10)
        doc = r.json()
        assert doc["status"] == "success", (what, params, doc)
        return doc["data"]

    def query(self, expr):
        return self.api("query", query=expr)["result"]

    def close(self):
        end(self.process)
        self.log.close()


def ask(node, name):
    with contextlib.suppress(OSError, dns.exception.DNSException):
        dns.query.udp(dns.message.make_query(name, "A"), node.host, port=node.dns_port, timeout=1)


@pytest.fixture(scope="module")
def scraped(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "bl").write_text("127.0.0.2\n192.0.2.1\n")
    health = {"interval": {"local": "1s", "upstream": "2s", "zones": "2s"}}
    soa = {"primary": "ns.test.", "contact": "box.test.", "refresh": "2s", "retry": "1s", "expire": "7d", "minimum": "5s"}
    with contextlib.ExitStack() as stack:
        u = stack.enter_context(Upstream())
        forward = {"workers": 2, "forward": [{"zone": ".", "to": [u.address]}]}
        source = Node(folder / "source", {"node": {"name": "source"}, "health": health, "resolver": forward, "rbl": {
            "keys": [key()], "zones": [{"name": ZONE, "test": "rfc5782-ip4", "soa": soa, "ns": ["ns.test."], "transfer": [{"key": "k.test."}],
                                        "data": [{"type": "ip4set", "files": [str(folder / "bl")]}]}]}})
        copy = Node(folder / "copy", {"node": {"name": "copy"}, "health": health, "resolver": forward, "rbl": {
            "keys": [key()], "zones": [{"name": ZONE, "test": "rfc5782-ip4",
                                        "primaries": [{"address": "127.0.0.1@%d" % source.sync_port, "key": "k.test."}]}]}})
        nodes = [source, copy]
        for n, other in ((source, copy), (copy, source)):
            n.config = merged(n.config, {"health": {"peers": [{
                "name": other.config["node"]["name"], "resolver": other.dns, "health": "%s@%d" % (other.host, other.health_port),
                "key": "k.test."}]}})
            n.write_config()
            stack.enter_context(n)
        for n in nodes:
            until("all is well", lambda: n.health()["status"] in ("pass", "warn"))
        (folder / "prometheus").mkdir()
        p = Prometheus(folder / "prometheus", ["%s:%d" % (n.host, n.health_port) for n in nodes])
        stack.callback(p.close)
        until("both are scraped", lambda: len(p.query('up{job="candor"} == 1')) == 2, 20)
        source.candor("add", ZONE, "192.0.2.77")
        end = time.monotonic() + 9
        while time.monotonic() < end:
            for n in nodes:
                for name in ("2.0.0.127." + ZONE, "1.0.0.127." + ZONE, "example.com.", "%d.example.com." % int(time.monotonic() * 100)):
                    ask(n, name)
            time.sleep(0.05)
        yield p, nodes


def test_every_rule_is_evaluated(scraped):
    p, _ = scraped
    groups = p.api("rules")["groups"]
    health = {r["name"]: (r["health"], r.get("lastError")) for g in groups for r in g["rules"]}
    assert set(health) == {r.get("record") or r["alert"] for f in ("candor-rules.yml", "candor-alerts.yml") for r in rules(f)}
    assert set(health.values()) == {("ok", None)}, health


def test_every_recorded_series_has_data(scraped):
    p, _ = scraped
    for r in rules("candor-rules.yml"):
        assert until(r["record"], lambda: p.query(r["record"]), 10), r


def test_no_alert_on_healthy_nodes(scraped):
    p, _ = scraped
    # what the machine around the test does is a warning of its own
    about = [a for a in p.api("alerts")["alerts"] if a["labels"]["alertname"] not in ("CandorScopeWarns", "CandorMemoryPressure")]
    assert about == []


def test_alerts_say_what_to_do():
    for r in rules("candor-alerts.yml"):
        assert r["labels"]["severity"] in ("critical", "warning", "info"), r
        assert len(r["annotations"]["summary"]) > 15 and len(r["annotations"]["description"]) > 60, r
        assert "for" in r or re.search(r"increase|state == 4", r["expr"]), "an alert at first sight: %r" % r


def test_what_alerts_look_at_is_there(scraped):
    p, _ = scraped
    known = {name for name in p.api("label/__name__/values")} | set(p.api("metadata"))
    known |= {n + s for n, m in p.api("metadata").items() if m[0]["type"] == "counter" for s in ("", "_total")}
    for r in rules("candor-alerts.yml") + rules("candor-rules.yml"):
        for name in set(re.findall(r"\bcandor_[a-z0-9_]+", r["expr"])):
            assert name in known or name in NOT_THERE, (r, name)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool")
def test_rules_by_promtool():
    files = [os.path.join(CONF, n) for n in ("candor-rules.yml", "candor-alerts.yml")]
    p = subprocess.run(["promtool", "check", "rules", "--lint=all", "--lint-fatal", *files], capture_output=True, text=True)
    assert p.returncode == 0, p.stdout + p.stderr
    p = subprocess.run(["promtool", "test", "rules", os.path.join(ROOT, "tests", "prometheus", "alerts.yml")], capture_output=True, text=True)
    assert p.returncode == 0, p.stdout + p.stderr
    with open(os.path.join(ROOT, "tests", "prometheus", "alerts.yml")) as f:
        tried = {re.search(r'alertname="(\w+)"', s["labels"]).group(1) for t in yaml.safe_load(f)["tests"]
                 for e in t.get("promql_expr_test", ()) for s in e["exp_samples"] if "alertname" in s["labels"]}
    assert tried == {r["alert"] for r in rules("candor-alerts.yml")}, "an alert that was never tried"


def test_the_dashboard_is_one():
    d = dashboard()
    assert d["schemaVersion"] >= 39 and d["uid"] == "candor" and len(d["panels"]) > 40
    ids = [p["id"] for p in d["panels"]]
    assert len(set(ids)) == len(ids)
    taken = set()
    for p in d["panels"]:
        g = p["gridPos"]
        cells = {(x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])}
        assert g["x"] + g["w"] <= 24 and not cells & taken, p["title"]
        taken |= cells
        if p["type"] == "row":
            continue
        assert p["targets"] and p["datasource"]["uid"] == "${datasource}", p["title"]
        assert len({t["refId"] for t in p["targets"]}) == len(p["targets"])
    assert {"Verdict", "Traffic", "Latency", "Zones", "Replication", "Upstreams", "Workers and programs", "Storage and machine",
            "Peers and monitors", "Availability"} == {p["title"] for p in d["panels"] if p["type"] == "row"}


def test_every_query_of_the_dashboard_has_data(scraped):
    p, _ = scraped
    metadata, missing = p.api("metadata"), []
    for panel, expr in queries():
        if p.query(expr):
            continue
        families = {re.sub(r"_(total|bucket|sum|count)$", "", n) for n in re.findall(r"\bcandor_[a-z0-9_]+", expr)}
        there = all(any(f == re.sub(r"_total$", "", m) for m in metadata) or any(n.startswith(f) for n in NOT_THERE) for f in families)
        if panel not in EMPTY or not there:
            missing.append((panel, expr))
    assert not missing, missing


def test_a_fault_is_an_alert(scraped):
    p, nodes = scraped
    health = nodes[1].daemon("health")
    health.suspend()
    try:
        until("the node is missed", lambda: [a for a in p.api("alerts")["alerts"] if a["labels"]["alertname"] == "CandorNodeDown"], 20)
    finally:
        health.resume()
