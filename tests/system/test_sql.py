"""The tables in PostgreSQL: brought up to date from an old version, filled by a real node, asked through the views, kept small; and
a database that is away, refuses, or comes back while candor-health is killed costs nothing and loses nothing."""
# time bound: 120 s
# mostly waits
import json

import pytest

from lib.node import Node, free_port, until
from lib.postgres import Postgres
from test_reports import FAST, NO_CANARY, TICKS, says

# What the first version of the tables was made by.
FIRST = """
CREATE SCHEMA candor; CREATE TABLE candor.migration (number integer PRIMARY KEY, done timestamptz NOT NULL);
CREATE TABLE candor.report (node text NOT NULL, boot text NOT NULL, sequence bigint NOT NULL,
 made timestamptz NOT NULL, came timestamptz NOT NULL DEFAULT now(), status text NOT NULL, ready boolean NOT NULL,
 cause text NOT NULL, document jsonb NOT NULL, PRIMARY KEY (node, boot, sequence));
CREATE INDEX report_made ON candor.report (node, made DESC);
CREATE TABLE candor.event (node text NOT NULL, boot text NOT NULL, sequence bigint NOT NULL, scope text NOT NULL,
 was text NOT NULL, is_now text NOT NULL, made timestamptz NOT NULL, cause text NOT NULL,
 PRIMARY KEY (node, boot, sequence, scope));
CREATE VIEW candor.node AS SELECT DISTINCT ON (node) node, boot, sequence, made, came, status, ready, cause
 FROM candor.report ORDER BY node, made DESC;
CREATE VIEW candor.gaps AS SELECT node, boot, before + 1 AS first, sequence - 1 AS last FROM
 (SELECT node, boot, sequence, lag(sequence) OVER (PARTITION BY node, boot ORDER BY sequence) AS before
 FROM candor.report) AS r WHERE sequence > before + 1;
CREATE VIEW candor.silent AS SELECT node, now() - came AS silent_for, status AS last_status FROM candor.node
 WHERE now() - came > interval '45 seconds';
INSERT INTO candor.migration VALUES (1, now());
INSERT INTO candor.report VALUES ('old', 'b1', 7, now() - interval '2 minutes', now() - interval '2 minutes', 'pass', true, '', '{"version":"0.1.0"}'),
 ('old', 'b1', 9, now() - interval '1 minute', now() - interval '1 minute', 'fail', false, 'why', '{"version":"0.1.0"}');
INSERT INTO candor.event SELECT 'old', 'b1', 9, scope, 'pass', 'fail', now() - interval '1 minute', 'why' FROM unnest(ARRAY['zones', 'peers']) AS s (scope);
INSERT INTO candor.event SELECT 'old', 'b1', n, 'worker', 'pass', 'fail', now() - interval '2 minutes', 'why' FROM generate_series(2, 8) AS n"""


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    with Postgres(tmp_path_factory.mktemp("db"), room=160 << 20) as p:
        p.query(FIRST)
        yield p


@pytest.fixture(scope="module")
def node(db, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sql")
    (folder / "bl").write_text("127.0.0.2\n192.0.2.7\n")
    config = {"node": {"name": "scan1"},
              "rbl": {"zones": [{"name": "bl.test.", "data": [{"type": "ip4set", "files": [str(folder / "bl")]}]}]},
              "health": {"interval": TICKS, "canary": NO_CANARY, "heal": {"restart-hung": False},
                         "peers": [{"name": "scan2", "resolver": "127.0.0.1@%d" % free_port()}],
                         "report": {"sql": {"address": "127.0.0.1@%d" % db.port, "password-file": db.password_file, "keep": "2h"}}}}
    with Node(folder / "node", config) as n:
        n.at, n.list = config["health"]["report"]["sql"]["address"], folder / "bl"
        yield n


def one(db, text):
    return until(text, lambda: db.query(text))[0]


def history(node):
    """All that happened, oldest first, at a moment at which it was all on the disk."""
    h = until("all is written", lambda: (h := node.get("/history", params={"limit": 4000}).json())["events"] and h["waiting"] == 0 and h)
    return h["events"][::-1]


def all_came(db, node):
    """Every event of the node's own history is in the table: once, in its order, as it was."""
    def look():
        rows = db.query("SELECT sequence, boot, kind, scope, was, is_now FROM candor.event WHERE node = 'scan1' ORDER BY came, sequence")
        known = [[str(e["number"]), e["boot"], e["kind"], e.get("scope", ""), e.get("from", ""), e.get("to", "")] for e in history(node)]
        return rows and rows == known and rows
    rows = until("every event came", look, 30)
    assert db.query("SELECT * FROM candor.event_gaps") == []
    assert db.query("SELECT * FROM candor.gaps WHERE node = 'scan1'") == []
    return rows


def test_an_old_database_is_brought_up_to_date(db, node):
    says(node, "reporting", "report:sql", node.at, "pass", "acknowledged")
    assert db.query("SELECT number FROM candor.migration ORDER BY 1") == [["1"], ["2"]]
    rows = db.query("SELECT sequence, scope, kind, seen = made AND came = made FROM candor.event WHERE node = 'old' ORDER BY sequence")
    assert [r[1] for r in rows] == ["worker"] * 7 + ["peers", "zones"]
    assert all(int(r[0]) < 0 and r[2:] == ["scope", "t"] for r in rows)
    assert db.query("SELECT boot, sequence, status, ready, cause, version FROM candor.node WHERE node = 'old'") == [["b1", "9", "fail", "f", "why", "0.1.0"]]
    assert db.query("SELECT first, last FROM candor.gaps WHERE node = 'old'") == [["8", "8"]]
    assert ["old", "fail"] in db.query("SELECT node, last_status FROM candor.silent")
    assert db.query("SELECT * FROM candor.event_gaps") == []


def test_what_a_node_says_is_in_the_tables(db, node):
    row = one(db, "SELECT status, ready, version, push = interval '%f s', keep, events_lost, detail_made IS NOT NULL FROM candor.node"
                  " WHERE node = 'scan1' AND ready AND detail_made IS NOT NULL" % (15 / FAST))
    assert row[1] == "t" and row[2] and row[3:] == ["t", "02:00:00", "0", "t"]
    assert one(db, "SELECT entries, state FROM candor.zone_now WHERE node = 'scan1' AND zone = 'bl.test.' AND state = 'serving'") == ["2", "serving"]
    peer = one(db, "SELECT by, sees FROM candor.peer_now WHERE node = 'scan1' AND peer = 'scan2' AND state = 'gone'")
    assert peer[0] == "peer" and isinstance(json.loads(peer[1]), dict)
    assert int(one(db, "SELECT looks FROM candor.probe_result WHERE node = 'scan1' AND scope = 'worker' AND check_name = 'worker:answers'"
                       " AND id = 'worker 0' AND looks = passes + warns + fails + unknowns")[0]) >= 1
    assert json.loads(one(db, "SELECT document FROM candor.report WHERE node = 'scan1' ORDER BY made DESC LIMIT 1")[0])["node"] == "scan1"
    all_came(db, node)


def test_a_zone_that_changes_has_a_history(db, node):
    node.list.write_text("127.0.0.2\n192.0.2.7\n192.0.2.8\n")
    node.candor("publish", "bl.test.")
    one(db, "SELECT 1 FROM candor.zone_now WHERE zone = 'bl.test.' AND entries = 3")
    rows = db.query("SELECT until IS NULL, entries FROM candor.zone_state WHERE zone = 'bl.test.' AND entries IN (2, 3) ORDER BY since")
    assert rows[0] == ["f", "2"] and rows[-1] == ["t", "3"]
    assert db.query("SELECT count(*) FROM candor.zone_state WHERE until < since") == [["0"]]


def test_a_database_that_is_away_loses_nothing(db, node):
    """Stopped, and candor-health killed meanwhile; then one that answers and takes nothing in."""
    before = len(all_came(db, node))
    db.stop()
    worker = node.workers()[0]
    worker.suspend()
    says(node, "worker", "worker:answers", "worker 0", "fail")
    worker.resume()
    says(node, "worker", "worker:answers", "worker 0", "pass")
    says(node, "reporting", "report:sql", node.at, "fail", "wait", within_s=60 / FAST + 5)
    last = history(node)[-1]["boot"]
    node.daemon("health").kill()
    until("another candor-health", lambda: history(node)[-1]["boot"] != last)
    assert node.get("/readyz").status_code in (200, 503)
    db.start()
    says(node, "reporting", "report:sql", node.at, "pass", "acknowledged")
    rows = all_came(db, node)
    assert len(rows) > before and len({r[1] for r in rows}) >= 2
    assert "start" in [r[2] for r in rows if r[1] != last]

    db.query("ALTER SYSTEM SET default_transaction_read_only = on", database="postgres")
    db.query("SELECT pg_reload_conf()", database="postgres")
    says(node, "reporting", "report:sql", node.at, "fail", "read-only", within_s=60 / FAST + 5)
    db.query("ALTER SYSTEM RESET default_transaction_read_only", database="postgres")
    db.query("SELECT pg_reload_conf()", database="postgres")
    says(node, "reporting", "report:sql", node.at, "pass", "acknowledged")
    all_came(db, node)

    db.fill()
    says(node, "reporting", "report:sql", node.at, "fail", "wait", within_s=60 / FAST + 20)  # what is written already has room left
    assert node.get("/readyz").status_code == 200
    db.drain()
    says(node, "reporting", "report:sql", node.at, "pass", "acknowledged")
    all_came(db, node)


def test_old_rows_go(db, node):
    """By the keep of each node: its own rows at the next look of the sink, those of a node that is gone by whoever is still there."""
    db.query("UPDATE candor.node SET keep = '1 hour', push = '15 seconds', came = now() - interval '2 hours' WHERE node = 'old'")
    db.query("UPDATE candor.event SET came = now() - interval '90 minutes' WHERE node = 'old'")
    db.query("INSERT INTO candor.report SELECT 'scan1', 'gone', n, now() - interval '3 hours', now() - interval '3 hours', 'pass', true, '', '{}'"
             " FROM generate_series(1, 1200) AS n")
    kept = db.query("SELECT count(*) FROM candor.event WHERE node = 'scan1'")
    for left in (700, 200, 0):
        db.query("SELECT candor.clean('scan1', 500)")
        assert db.query("SELECT count(*) FROM candor.report WHERE boot = 'gone'") == [[str(left)]]
    assert db.query("SELECT count(*) FROM candor.event WHERE node = 'scan1'") >= kept
    assert db.query("SELECT (SELECT count(*) FROM candor.event WHERE node = 'old'), (SELECT count(*) FROM candor.report WHERE node = 'old'),"
                    " (SELECT count(*) FROM candor.node WHERE node = 'old')") == [["0", "2", "1"]]
    db.query("INSERT INTO candor.report SELECT 'scan1', 'gone', 1, now() - interval '3 hours', now() - interval '3 hours', 'pass', true, '', '{}'")
    node.daemon("health").kill()  # the first notice of a process is a look
    until("the sink deletes it", lambda: db.query("SELECT count(*) FROM candor.report WHERE boot = 'gone'") == [["0"]])


def test_views(db):
    """Nodes of rows alone: what each view makes of them."""
    db.query("""
INSERT INTO candor.node (node, boot, sequence, made, came, status, ready, cause, push)
 SELECT n, 'b', 9, now(), now() - CASE WHEN n = 'mute' THEN interval '46 seconds' ELSE interval '1 second' END, CASE WHEN n = 'sick' THEN 'fail' ELSE 'pass' END,
  true, '', '15 seconds' FROM unnest(ARRAY['liar', 'sick', 'mute', 'well', 'eye', 'mon']) AS n;
INSERT INTO candor.peer_view (node, boot, sequence, peer, by, since, until, state, disagrees) VALUES
 ('eye', 'b', 1, 'liar', 'peer', now(), NULL, 'gone', false), ('eye', 'b', 1, 'sick', 'peer', now(), NULL, 'well', false),
 ('eye', 'b', 1, 'well', 'peer', now(), NULL, 'well', false), ('eye', 'b', 1, 'mute', 'peer', now(), NULL, 'gone', false),
 ('eye', 'a', 1, 'well', 'peer', now(), now(), 'gone', true), ('mute', 'b', 1, 'well', 'peer', now(), NULL, 'gone', true),
 ('mon', 'b', 1, 'well', 'monitor', now(), NULL, 'pass', false), ('mon', 'b', 1, 'liar', 'monitor', now(), NULL, 'fail', false),
 ('mon', 'b', 1, 'sick', 'monitor', now(), NULL, 'pass', false);
INSERT INTO candor.report SELECT 'well', 'b', n, now() - n * interval '15 seconds', now(), 'pass', n <> 2, '', '{}' FROM generate_series(1, 4) AS n;
INSERT INTO candor.report VALUES ('well', 'a', 1, now() - interval '2 hours', now(), 'pass', true, '', '{}');
INSERT INTO candor.event SELECT 'well', 'b', n, 'worker', 'pass', 'fail', now(), '' FROM unnest(ARRAY[3, 4, 7]) AS n""")
    seen = {r[0]: r[1:] for r in db.query("SELECT node, peers, peers_well, peers_gone, monitors, monitors_well, monitors_fail, disagree FROM candor.disagreement")}
    assert seen["liar"] == ["1", "0", "1", "1", "0", "1", "t"]  # it says pass, and nobody else does
    assert seen["sick"] == ["1", "1", "0", "1", "1", "0", "t"]  # it says fail, and all see it well
    assert seen["mute"] == ["1", "0", "1", "0", "0", "0", "f"]  # silent and gone: no disagreement
    assert seen["well"] == ["1", "1", "0", "1", "1", "0", "f"]  # neither what was, nor the word of one that is silent itself, counts
    assert ["mute"] in db.query("SELECT node FROM candor.silent") and ["well"] not in db.query("SELECT node FROM candor.silent")
    assert db.query("SELECT first, last FROM candor.event_gaps WHERE node = 'well'") == [["5", "6"]]
    hour, day = ([float(x) for x in r] for r in db.query(
        "SELECT ready_ratio, pass_ratio, known_ratio FROM candor.availability WHERE node = 'well' ORDER BY span LIMIT 2"))
    assert 59 <= hour[2] * 3600 <= 75 and hour[1] == hour[2] and abs((hour[2] - hour[0]) * 3600 - 15) < 0.1
    assert abs(day[2] * 86400 - hour[2] * 3600 - 45) < 1  # the report of two hours ago holds for three intervals
