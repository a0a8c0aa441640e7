"""Every indicator of the list, looked for in the metrics of real nodes: its type, its labels, its values before anything happened.

What is not there stands in NOT_YET with the reason; nothing stands there that is."""
# time bound: 300 s
import contextlib
import re
import subprocess

import html5lib
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as strict
from prometheus_client.parser import text_string_to_metric_families as plain

from lib.node import Node, free_port, merged, until
from lib.upstream import Upstream
from test_knowing import key

G, C, H, S = "gauge", "counter", "histogram", "summary"
PROBE = "probe proto family"

# name: (type, labels). Counters without their _total.
INDICATORS = {
    # identity
    "build_info": (G, "version"), "process_start_time_seconds": (G, "process"), "report_sequence": (C, ""),
    # verdicts
    "health_status": (G, "scope"), "health_last_evaluated_timestamp_seconds": (G, "scope"), "health_transitions": (C, "scope to"),
    "health_failing_since_timestamp_seconds": (G, "scope"), "health_stale": (G, ""),
    # probes
    "probe_success": (G, PROBE), "probe_runs": (C, PROBE + " result"), "probe_duration_seconds": (H, PROBE),
    "probe_last_success_timestamp_seconds": (G, PROBE), "probe_consecutive_failures": (G, PROBE),
    # workers
    "worker_heartbeat_timestamp_seconds": (G, "worker"), "worker_loop_lag_seconds": (H, "worker"), "worker_loop_idle_ratio": (G, "worker"),
    "worker_last_observed_answer_timestamp_seconds": (G, "worker"), "worker_restarts": (C, "worker reason"),
    "worker_receive_queue_bytes": (G, "worker"), "worker_socket_drops": (C, "worker"),
    # resolution
    "queries": (C, "proto family"), "responses": (C, "rcode source"), "response_duration_seconds": (H, "source"),
    "queries_dropped": (C, "reason"), "queries_in_flight": (G, ""), "cache_entries": (G, ""), "cache_hits": (C, ""), "cache_misses": (C, ""),
    "stale_answers": (C, ""), "upstream_up": (G, "upstream"), "upstream_queries": (C, "upstream proto result"),
    "upstream_duration_seconds": (H, "upstream"), "upstream_last_success_timestamp_seconds": (G, "upstream"),
    "upstream_state_changes": (C, "upstream"), "nxdomain_canary_success": (G, ""), "dnssec_validations": (C, "result"),
    # replication
    "zone_serial": (G, "zone"), "zone_source_serial": (G, "zone"), "zone_serial_lag": (G, "zone"), "zone_serial_regressions": (C, "zone"),
    "zone_last_check_timestamp_seconds": (G, "zone"), "zone_last_change_timestamp_seconds": (G, "zone"), "zone_data_age_seconds": (G, "zone"),
    "zone_expires_timestamp_seconds": (G, "zone"), "zone_served_stale": (G, "zone"), "zone_propagation_seconds": (H, "zone"),
    "zone_entries": (G, "zone"), "zone_size_change_ratio": (G, "zone"), "zone_digest_info": (G, "zone serial digest"),
    "zone_peer_digest_match": (G, "zone peer"), "zone_test_point_success": (G, "zone point"), "zone_transfers": (C, "zone kind result"),
    "zone_transfer_duration_seconds": (S, "zone"), "zone_transfer_bytes": (C, "zone direction"), "replication_queue_entries": (G, "peer"),
    "replication_oldest_queued_timestamp_seconds": (G, "peer"), "replication_applied": (C, "peer"), "replication_rejected": (C, "peer reason"),
    "replication_tsig_failures": (C, "peer error"), "peer_clock_offset_seconds": (G, "peer"), "config_version": (G, "source"),
    "config_last_applied_timestamp_seconds": (G, "source"), "peer_state": (G, "peer"), "peer_phi": (G, "peer"),
    "peer_probe_success": (G, "peer probe"), "peer_views_disagree": (G, "peer"), "peer_last_heard_timestamp_seconds": (G, "peer"),
    "local_health_score": (G, ""), "quorum_visible_ratio": (G, ""),
    # storage
    "lmdb_map_bytes": (G, "zone"), "lmdb_used_bytes": (G, "zone"), "lmdb_free_pages": (G, "zone"), "lmdb_readers": (G, "zone"),
    "lmdb_readers_max": (G, "zone"), "lmdb_stale_readers_cleared": (C, "zone"), "lmdb_oldest_reader_txns": (G, "zone"),
    "lmdb_write_errors": (C, "zone"), "lmdb_last_commit_timestamp_seconds": (G, "zone"),
    # system
    "open_fds": (G, "process"), "max_fds": (G, "process"), "resident_memory_bytes": (G, "process"), "major_page_faults": (C, "process"),
    "pressure_stall_ratio": (G, "resource kind"), "disk_free_bytes": (G, "path"), "conntrack_entries": (G, ""), "conntrack_limit": (G, ""),
    "clock_jumps": (C, "direction"), "clock_offset_seconds": (G, ""), "tls_certificate_not_after_timestamp_seconds": (G, "use"),
    # the monitor of the monitor
    "monitor_last_contact_timestamp_seconds": (G, "monitor"), "monitor_reachable": (G, "monitor path"), "spool_records": (G, "sink"),
    "spool_oldest_timestamp_seconds": (G, "sink"), "spool_dropped": (C, "sink"), "push": (C, "sink result"), "monitor_gaps": (C, "node"),
    "supervisor_heartbeat_timestamp_seconds": (G, ""),
}

NOT_YET = {
    "dnssec_validations": "this version forwards and does not validate",
}
# Announced by nodes that have such a thing; another test has one.
ELSEWHERE = {n: "test_report_sinks.py: a sink that keeps what it cannot deliver" for n in
             ("spool_records", "spool_oldest_timestamp_seconds", "spool_dropped")}
# No samples where the kernel or the neighbours do not tell; the family is announced all the same.
MAY_BE_EMPTY = {"pressure_stall_ratio", "zone_peer_digest_match", "conntrack_entries", "conntrack_limit", "clock_offset_seconds",
                "peer_views_disagree", "peer_phi", "peer_probe_success", "peer_clock_offset_seconds", "peer_last_heard_timestamp_seconds",
                "zone_propagation_seconds",
                "tls_certificate_not_after_timestamp_seconds"}

# Known values of labels, there before anything happened.
FROM_THE_START = {
    "health_transitions": ("to", "pass warn fail unknown"), "probe_runs": ("result", "pass fail timeout void"),
    "worker_restarts": ("reason", "died hung"), "process_restarts": ("reason", "died hung"), "queries": ("proto", "udp tcp tls"),
    "responses": ("source", "zone cache stale upstream local"), "queries_dropped": ("reason", "malformed response acl full send"),
    "upstream_queries": ("result", "ok timeout error_rcode mismatch network"), "sync_tsig_failures": ("error", "BADSIG BADKEY BADTIME BADTRUNC"),
}

FAST = {"local": "1s", "upstream": "2s", "zones": "2s", "peers": "1s", "push": "1s"}


def families(node, parser=strict):
    accept = "application/openmetrics-text" if parser is strict else "text/plain"
    r = node.get("/metrics", headers={"Accept": accept})
    found = {}
    for f in parser(r.text):
        assert f.name not in found, f.name + " stands there twice"
        found[f.name] = f
    return found


def more(node, **config):
    node.config = merged(node.config, config)
    node.write_config()


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """A source and its copy that are peers, report to one monitor, and have a catalog; and that monitor."""
    folder = tmp_path_factory.mktemp("indicators")
    (folder / "bl").write_text("127.0.0.2\n192.0.2.1\n")
    at = "127.0.0.1@%d" % free_port()
    zone = {"name": "bl.test.", "test": "rfc5782-ip4", "ns": ["ns.test."], "transfer": [{"key": "k.test."}],
            "soa": {"primary": "ns.test.", "contact": "box.test.", "refresh": "2s", "retry": "1s", "expire": "1d", "minimum": "5s"}}
    with contextlib.ExitStack() as stack:
        u = stack.enter_context(Upstream())
        both = {"resolver": {"workers": 2, "forward": [{"zone": ".", "to": [u.address]}]}, "rbl": {"keys": [key()]},
                "health": {"interval": FAST}}
        source, copy, monitor = (Node(folder / n, merged(both, {"node": {"name": n}})) for n in ("source", "copy", "monitor"))
        more(source, rbl={"zones": [dict(zone, data=[{"type": "ip4set", "files": [str(folder / "bl")]}])]})
        more(copy, rbl={"zones": [{"name": "bl.test.", "test": "rfc5782-ip4",
                                   "primaries": [{"address": "127.0.0.1@%d" % source.sync_port, "key": "k.test."}]}]})
        more(source, rbl={"catalogs": [{"name": "catalog.test.", "transfer": [{"key": "k.test."}]}]})
        for n, other in ((source, copy), (copy, source)):
            more(n, health={"report": {"datagram": [{"address": at, "key": "k.test."}]}, "peers": [{
                "name": other.config["node"]["name"], "resolver": other.dns, "health": "%s@%d" % (other.host, other.health_port),
                "key": "k.test."}]})
        more(monitor, health={"monitor": {"enabled": True, "listen": [{"datagram": at}], "nodes": [
            {"name": n.config["node"]["name"], "resolver": n.dns, "key": "k.test."} for n in (source, copy)]}})
        for n in (source, copy, monitor):
            stack.enter_context(n)
        until("the copy is there", lambda: copy.scope("zones")["status"] == "pass")
        source.candor("add", "bl.test.", "192.0.2.77")
        until("a commit is known", lambda: "candor_zone_size_change_ratio{" in source.get("/metrics").text)
        until("reports are heard", lambda: "candor_push_total" in source.get("/metrics").text)
        yield source, copy, monitor


def gaps(nodes):
    """What is missing and what is not as it is to be, in the metrics of all three together."""
    found, missing, wrong = {}, [], []
    for n in nodes:
        for name, f in families(n).items():
            assert name.startswith("candor_")
            if f.samples or name[7:] not in found:
                found[name[7:]] = f
    for name, (kind, labels) in INDICATORS.items():
        f = found.get(name)
        if f is None:
            missing += [name] if name not in NOT_YET and name not in ELSEWHERE else []
            continue
        if name in NOT_YET:
            wrong.append((name, "is there: " + NOT_YET[name]))
        if f.type != kind:
            wrong.append((name, f.type, kind))
        if not f.samples and name not in MAY_BE_EMPTY:
            wrong.append((name, "no sample"))
        for s in f.samples:
            if not set(labels.split()) <= set(s.labels):
                wrong.append((name, s.labels))
                break
    return missing, wrong


def test_each_indicator_is_there(nodes):
    """Some come with the first word of another node."""
    def complete():
        missing, wrong = gaps(nodes)
        assert not missing and not wrong, (missing, wrong)
        return True
    until("every indicator is there", complete, 15)


def test_promtool_and_the_strict_reader_find_nothing(nodes):
    for n in nodes:
        assert set(families(n)) >= {"candor_health_status"}
        text = n.get("/metrics").text
        list(plain(text))
        p = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
        assert (p.returncode, p.stdout, p.stderr) == (0, "", "")


def test_both_forms_say_the_same(nodes):
    def shape(parser):
        # the older form's reader takes _total for a part of the name
        return {(f.name.removesuffix("_total"), f.type, tuple(sorted((s.name, tuple(sorted(s.labels.items()))) for s in f.samples)))
                for f in families(nodes[0], parser).values() if f.name != "candor_zone_digest_info"}

    def same():  # between two looks something may come that was not there
        one, other = shape(strict), shape(plain)
        assert one == other
        return True
    until("both say the same", same, 15)


def test_the_status_pages_are_html(nodes):
    """Read by a parser that forgives nothing; every part that such a node has, and nothing from outside."""
    parts = {"Scopes", "Workers", "Capacity", "What changed"}
    more = ({"Zones", "Traffic of the last minute", "Upstreams", "Other nodes", "Peers", "Who sees whom", "Monitors that hear this node"},
            {"Zones", "Upstreams", "Zones from node to node", "Peers", "Who sees whom", "Monitors that hear this node"}, {"Monitor"})
    for n, wanted in zip(nodes, more):
        def complete():
            text = n.get("/").text
            titles = set(re.findall(r"<h2>([^<]+)</h2>", text))
            assert parts | wanted <= titles, parts | wanted - titles
            return text
        text = until("the page of %s is complete" % n.config["node"]["name"], complete, 15)
        html5lib.HTMLParser(strict=True).parse(text)
        asked = re.findall(r'(?:src|href)="([^"]+)"', text)
        assert {a.split("?")[0] for a in asked} <= {"/page.js", "/page.css", "#main", "/health", "/history", "/detail", "/metrics"} | {
            "/icon/%s.svg" % s for s in ("pass", "warn", "fail", "unknown")}, asked
        assert text.count("<script") == 1 and "http://" not in text and "url(" not in text
        left = float(re.search(r'<body[^>]* style="--old:([0-9.]+)s">', text).group(1))
        assert 0 < left <= 3 * 1.0, "it ages by itself, three intervals after it was judged"
        assert '<noscript><meta http-equiv="refresh" content="1"></noscript>' in text and 'id="late"' in text
    assert re.search(r'<th scope="row">source</th><td>itself</td><td><b class="pass">pass</b>', nodes[0].get("/").text)


def test_no_names_and_no_addresses_of_clients(nodes):
    text = nodes[0].get("/metrics").text
    for secret in ("example.com", "192.0.2.1", "2.0.0.127", "id.server", str(nodes[0].folder)):
        assert secret not in text


def test_known_values_are_there_from_the_start(tmp_path):
    """candor-health alone: no other process ever wrote on the board."""
    with Upstream() as u:
        c = {"resolver": {"workers": 2, "forward": [{"zone": ".", "to": [u.address]}]}, "health": {"interval": FAST}}
        n = Node(tmp_path / "node", c, program="health").start()
        try:
            found = until("the first page", lambda: len(f := families(n)) > 40 and f)
            for name, (label, values) in FROM_THE_START.items():
                seen = {s.labels[label]: s.value for s in found["candor_" + name].samples}
                assert set(seen) >= set(values.split()), name
            for name in ("queries", "responses", "upstream_queries", "worker_restarts", "queries_dropped"):
                assert {s.value for s in found["candor_" + name].samples} == {0}, name
            assert {s.labels["worker"] for s in found["candor_worker_restarts"].samples} == {"0", "1"}
            assert until("all is unknown or failed", lambda: all(s.value > 0 for s in families(n)["candor_health_status"].samples
                                                                 if s.labels["scope"] in ("worker", "process", "zones")))
        finally:
            n.stop()


def test_one_bad_zone_is_one_bad_sample(tmp_path):
    (tmp_path / "bl").write_text("127.0.0.2\n")
    data = {"type": "ip4set"}
    zones = [{"name": "good.test.", "data": [dict(data, files=[str(tmp_path / "bl")])]},
             {"name": "bad.test.", "data": [dict(data, files=[str(tmp_path / "no-such-file")])]}]
    c = {"rbl": {"zones": zones}, "health": {"interval": FAST, "canary": {"cached": "", "uncached-under": "", "nxdomain-under": ""}}}
    n = Node(tmp_path / "node", c).start(ready=False)
    try:
        until("the good one is there", lambda: b"good.test" in n.get("/metrics").content and
              [s for s in families(n)["candor_zone_entries"].samples if s.labels["zone"] == "good.test." and s.value == 1])
        state = {s.labels["zone"]: s.value for s in families(n)["candor_zone_state"].samples}
        assert state["good.test."] == 1 and state.get("bad.test.", 0) != 1
        for name, f in families(n).items():
            zones_of = {s.labels["zone"] for s in f.samples if "zone" in s.labels}
            assert not zones_of or "good.test." in zones_of, name
    finally:
        n.stop()
