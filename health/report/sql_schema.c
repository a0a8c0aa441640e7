/* The tables (docs/formats/sql.md) and what fills them: functions of the schema, each one statement for the sink. */
#include <stdio.h>

#include "health/report/sql_impl.h"

enum { ASK_MS = 12000, MIGRATE_MS = 900000 };

/* 1: reports, and changes between two of them as events. */
static const char first[] =
    "CREATE TABLE candor.report (node text NOT NULL, boot text NOT NULL, sequence bigint NOT NULL,"
    " made timestamptz NOT NULL, came timestamptz NOT NULL DEFAULT now(), status text NOT NULL, ready boolean NOT NULL,"
    " cause text NOT NULL, document jsonb NOT NULL, PRIMARY KEY (node, boot, sequence));"
    "CREATE INDEX report_made ON candor.report (node, made DESC);"
    "CREATE TABLE candor.event (node text NOT NULL, boot text NOT NULL, sequence bigint NOT NULL, scope text NOT NULL,"
    " was text NOT NULL, is_now text NOT NULL, made timestamptz NOT NULL, cause text NOT NULL,"
    " PRIMARY KEY (node, boot, sequence, scope));"
    "CREATE VIEW candor.node AS SELECT DISTINCT ON (node) node, boot, sequence, made, came, status, ready, cause"
    " FROM candor.report ORDER BY node, made DESC;"
    "CREATE VIEW candor.gaps AS SELECT node, boot, before + 1 AS first, sequence - 1 AS last FROM"
    " (SELECT node, boot, sequence, lag(sequence) OVER (PARTITION BY node, boot ORDER BY sequence) AS before"
    " FROM candor.report) AS r WHERE sequence > before + 1;"
    "CREATE VIEW candor.silent AS SELECT node, now() - came AS silent_for, status AS last_status FROM candor.node"
    " WHERE now() - came > interval '45 seconds'";

/* 2: events of the ledger, with its numbers; nodes, zones, checks, peers. Those of before are renumbered below 0. */
static const char second_tables[] =
    "DROP VIEW candor.silent; DROP VIEW candor.node;"
    "CREATE TABLE candor.node (node text PRIMARY KEY, boot text, sequence bigint, made timestamptz, came timestamptz,"
    " status text, ready boolean, cause text, version text, push interval, keep interval, config_version bigint,"
    " events_lost bigint NOT NULL DEFAULT 0, detail_made timestamptz);"
    "INSERT INTO candor.node SELECT DISTINCT ON (node) node, boot, sequence, made, came, status, ready, cause,"
    " document ->> 'version' FROM candor.report ORDER BY node, made DESC;"
    "ALTER TABLE candor.event DROP CONSTRAINT event_pkey;"
    "UPDATE candor.event e SET sequence = o.number FROM (SELECT ctid AS at, row_number() OVER"
    " (PARTITION BY node, boot ORDER BY sequence, scope) - 1000000000000 AS number FROM candor.event) AS o"
    " WHERE e.ctid = o.at;"
    "ALTER TABLE candor.event ADD kind text NOT NULL DEFAULT 'scope', ADD what text NOT NULL DEFAULT '',"
    " ADD seen timestamptz, ADD came timestamptz NOT NULL DEFAULT now(), ADD PRIMARY KEY (node, boot, sequence);"
    "UPDATE candor.event SET seen = made, came = made;"
    "CREATE INDEX event_made ON candor.event (node, made DESC); CREATE INDEX event_came ON candor.event (node, came);"
    "CREATE INDEX report_came ON candor.report (node, came);"
    "CREATE TABLE candor.zone_state (node text, boot text, sequence bigint, zone text, since timestamptz NOT NULL,"
    " until timestamptz, state text, serial bigint, source_serial bigint, entries bigint, digest text,"
    " checked timestamptz, changed timestamptz, expires timestamptz, PRIMARY KEY (node, boot, sequence, zone));"
    "CREATE UNIQUE INDEX zone_state_now ON candor.zone_state (node, zone) WHERE until IS NULL;"
    "CREATE INDEX zone_state_until ON candor.zone_state (node, until);"
    "CREATE TABLE candor.peer_view (node text, boot text, sequence bigint, peer text, by text,"
    " since timestamptz NOT NULL, until timestamptz, state text, says text, ready boolean, disagrees boolean,"
    " sees jsonb, heard timestamptz, PRIMARY KEY (node, boot, sequence, peer, by));"
    "CREATE UNIQUE INDEX peer_view_now ON candor.peer_view (node, peer, by) WHERE until IS NULL;"
    "CREATE INDEX peer_view_peer ON candor.peer_view (peer) WHERE until IS NULL;"
    "CREATE INDEX peer_view_until ON candor.peer_view (node, until);"
    "CREATE TABLE candor.probe_result (node text, day date, scope text, check_name text, id text,"
    " looks bigint NOT NULL, passes bigint NOT NULL, warns bigint NOT NULL, fails bigint NOT NULL,"
    " unknowns bigint NOT NULL, transitions bigint NOT NULL, took_us_sum bigint NOT NULL, took_us_max bigint NOT NULL,"
    " took_looks bigint NOT NULL, state text, since timestamptz, came text, boot text, counted bigint,"
    " PRIMARY KEY (node, day, scope, check_name, id));";

/* A clock may say anything; a time that the type does not know must not stop a row. */
static const char second_reports[] =
    "CREATE FUNCTION candor.at(ms numeric) RETURNS timestamptz LANGUAGE sql IMMUTABLE STRICT AS $$"
    " SELECT to_timestamp(least(greatest(ms, 0), 253402300799000)::double precision / 1000) $$;"
    "CREATE FUNCTION candor.take_report(d jsonb, push_s double precision, keep_s double precision) RETURNS bigint"
    " LANGUAGE sql AS $$ WITH r AS (INSERT INTO candor.report"
    " (node, boot, sequence, made, status, ready, cause, document) VALUES (d ->> 'node', d ->> 'boot',"
    " (d ->> 'sequence')::bigint, candor.at((d ->> 'wallMs')::numeric), d ->> 'status', (d ->> 'ready')::boolean,"
    " d ->> 'cause', d) ON CONFLICT DO NOTHING RETURNING *), n AS (INSERT INTO candor.node AS o"
    " (node, boot, sequence, made, came, status, ready, cause, version, push, keep) SELECT node, boot, sequence, made,"
    " came, status, ready, cause, document ->> 'version', make_interval(secs => push_s), make_interval(secs => keep_s)"
    " FROM r ON CONFLICT (node) DO UPDATE SET boot = excluded.boot, sequence = excluded.sequence,"
    " made = excluded.made, came = excluded.came, status = excluded.status, ready = excluded.ready,"
    " cause = excluded.cause, version = excluded.version, push = excluded.push, keep = excluded.keep)"
    " SELECT count(*) FROM r $$;"
    "CREATE FUNCTION candor.take_events(name text, list jsonb, lost bigint) RETURNS bigint LANGUAGE sql AS $$"
    " WITH e AS (INSERT INTO candor.event (node, boot, sequence, kind, scope, what, was, is_now, made, seen, cause)"
    " SELECT name, boot, sequence, kind, scope, what, \"from\", \"to\", candor.at(\"wallMs\"), candor.at(\"seenMs\"),"
    " cause FROM jsonb_to_recordset(list) AS j (boot text, sequence bigint, kind text, scope text, what text,"
    " \"from\" text, \"to\" text, \"wallMs\" numeric, \"seenMs\" numeric, cause text)"
    " ON CONFLICT DO NOTHING RETURNING sequence), n AS (INSERT INTO candor.node AS o (node, events_lost)"
    " SELECT name, lost WHERE EXISTS (SELECT FROM e)"
    " ON CONFLICT (node) DO UPDATE SET events_lost = o.events_lost + excluded.events_lost) SELECT count(*) FROM e $$;";

static const char second_zones[] =
    "CREATE FUNCTION candor.take_zones(name text, d jsonb, fully boolean) RETURNS void LANGUAGE sql AS $$"
    " UPDATE candor.zone_state z SET until = candor.at((d ->> 'wallMs')::numeric) WHERE node = name AND until IS NULL"
    " AND NOT EXISTS (SELECT FROM jsonb_to_recordset(d -> 'zones') AS j (zone text, state text, serial bigint,"
    " \"sourceSerial\" bigint, entries bigint, digest text) WHERE j.zone = z.zone AND"
    " (j.state, j.serial, j.\"sourceSerial\", j.entries, j.digest) IS NOT DISTINCT FROM"
    " (z.state, z.serial, z.source_serial, z.entries, z.digest));"
    " INSERT INTO candor.zone_state (node, boot, sequence, zone, since, state, serial, source_serial, entries, digest,"
    " checked, changed, expires) SELECT name, d ->> 'boot', (d ->> 'sequence')::bigint, zone,"
    " candor.at((d ->> 'wallMs')::numeric), state, serial, \"sourceSerial\", entries, digest,"
    " candor.at(\"checkedMs\"), candor.at(\"changedMs\"), candor.at(\"expiresMs\") FROM"
    " jsonb_to_recordset(d -> 'zones') AS j (zone text, state text, serial bigint, \"sourceSerial\" bigint,"
    " entries bigint, digest text, \"checkedMs\" numeric, \"changedMs\" numeric, \"expiresMs\" numeric)"
    " WHERE zone IS NOT NULL AND NOT EXISTS (SELECT FROM candor.zone_state z"
    " WHERE z.node = name AND z.zone = j.zone AND z.until IS NULL) ON CONFLICT DO NOTHING;"
    " UPDATE candor.zone_state z SET checked = candor.at(\"checkedMs\"), changed = candor.at(\"changedMs\"),"
    " expires = candor.at(\"expiresMs\") FROM jsonb_to_recordset(d -> 'zones') AS j (zone text, \"checkedMs\" numeric,"
    " \"changedMs\" numeric, \"expiresMs\" numeric) WHERE fully AND z.node = name AND z.zone = j.zone"
    " AND z.until IS NULL AND (z.checked, z.changed, z.expires) IS DISTINCT FROM"
    " (candor.at(\"checkedMs\"), candor.at(\"changedMs\"), candor.at(\"expiresMs\")) $$;";

/* What a monitor holds against a node are its checks of that node. */
static const char second_peers[] =
    "CREATE FUNCTION candor.peers_of(d jsonb) RETURNS TABLE (peer text, by text, state text, says text,"
    " ready boolean, disagrees boolean, sees jsonb, heard timestamptz) LANGUAGE sql IMMUTABLE AS $$"
    " SELECT peer, 'peer', state, says, ready, disagrees, sees, candor.at(\"heardMs\") FROM"
    " jsonb_to_recordset(d -> 'peers') AS j (peer text, state text, says text, ready boolean, disagrees boolean,"
    " sees jsonb, \"heardMs\" numeric) WHERE peer IS NOT NULL UNION ALL SELECT id, 'monitor',"
    " CASE WHEN bool_or(state = 'fail') THEN 'fail' WHEN bool_or(state = 'unknown') THEN 'unknown'"
    " WHEN bool_or(state = 'warn') THEN 'warn' ELSE 'pass' END, NULL, NULL,"
    " bool_or(\"check\" = 'node:agree' AND state = 'fail'), jsonb_object_agg(\"check\", state), NULL FROM"
    " jsonb_to_recordset(d -> 'probes') AS j (scope text, \"check\" text, id text, state text)"
    " WHERE scope = 'monitor' AND \"check\" LIKE 'node:%' AND id IS NOT NULL GROUP BY id $$;"
    "CREATE FUNCTION candor.take_peers(name text, d jsonb, fully boolean) RETURNS void LANGUAGE sql AS $$"
    " UPDATE candor.peer_view v SET until = candor.at((d ->> 'wallMs')::numeric) WHERE node = name AND until IS NULL"
    " AND NOT EXISTS (SELECT FROM candor.peers_of(d) AS j WHERE (j.peer, j.by) = (v.peer, v.by) AND"
    " (j.state, j.says, j.ready, j.disagrees, j.sees) IS NOT DISTINCT FROM"
    " (v.state, v.says, v.ready, v.disagrees, v.sees));"
    " INSERT INTO candor.peer_view (node, boot, sequence, peer, by, since, state, says, ready, disagrees, sees, heard)"
    " SELECT name, d ->> 'boot', (d ->> 'sequence')::bigint, j.peer, j.by, candor.at((d ->> 'wallMs')::numeric),"
    " j.state, j.says, j.ready, j.disagrees, j.sees, j.heard FROM candor.peers_of(d) AS j WHERE NOT EXISTS"
    " (SELECT FROM candor.peer_view v WHERE v.node = name AND v.peer = j.peer AND v.by = j.by AND v.until IS NULL)"
    " ON CONFLICT DO NOTHING;"
    " UPDATE candor.peer_view v SET heard = j.heard FROM candor.peers_of(d) AS j WHERE fully AND v.node = name"
    " AND v.peer = j.peer AND v.by = j.by AND v.until IS NULL AND v.heard IS DISTINCT FROM j.heard $$;";

/* The node counts transitions since it started; here is what was added since the look before. */
static const char second_probes[] =
    "CREATE FUNCTION candor.take_probes(name text, d jsonb) RETURNS void LANGUAGE sql AS $$"
    " INSERT INTO candor.probe_result AS o (node, day, scope, check_name, id, looks, passes, warns, fails, unknowns,"
    " transitions, took_us_sum, took_us_max, took_looks, state, since, came, boot, counted)"
    " SELECT DISTINCT ON (scope, \"check\", id) name, day, scope, \"check\", coalesce(id, ''), 1,"
    " (state = 'pass')::int, (state = 'warn')::int, (state = 'fail')::int, (state = 'unknown')::int,"
    " CASE WHEN b.boot = d ->> 'boot' THEN greatest(j.transitions - b.counted, 0)"
    " WHEN b.boot IS NOT NULL THEN j.transitions ELSE 0 END, coalesce(\"tookUs\", 0), coalesce(\"tookUs\", 0),"
    " (\"tookUs\" IS NOT NULL)::int, state, candor.at(\"sinceMs\"), j.came, d ->> 'boot', coalesce(j.transitions, 0)"
    " FROM (SELECT (candor.at((d ->> 'wallMs')::numeric) AT TIME ZONE 'UTC')::date AS day) AS t, jsonb_to_recordset("
    " d -> 'probes') AS j (scope text, \"check\" text, id text, state text, \"sinceMs\" numeric, \"tookUs\" bigint,"
    " transitions bigint, came text) LEFT JOIN LATERAL (SELECT boot, counted FROM candor.probe_result p"
    " WHERE p.node = name AND p.scope = j.scope AND p.check_name = j.\"check\" AND p.id = coalesce(j.id, '')"
    " AND p.day IN (t.day, t.day - 1) ORDER BY p.day DESC LIMIT 1) AS b ON true"
    " WHERE j.scope IS NOT NULL AND j.\"check\" IS NOT NULL AND state IS NOT NULL"
    " ON CONFLICT (node, day, scope, check_name, id) DO UPDATE SET looks = o.looks + 1,"
    " passes = o.passes + excluded.passes, warns = o.warns + excluded.warns, fails = o.fails + excluded.fails,"
    " unknowns = o.unknowns + excluded.unknowns, transitions = o.transitions + excluded.transitions,"
    " took_us_sum = o.took_us_sum + excluded.took_us_sum, took_us_max = greatest(o.took_us_max, excluded.took_us_max),"
    " took_looks = o.took_looks + excluded.took_looks, state = excluded.state, since = excluded.since,"
    " came = excluded.came, boot = excluded.boot, counted = excluded.counted $$;"
    "CREATE FUNCTION candor.take_detail(name text, d jsonb, fully boolean) RETURNS void LANGUAGE sql AS $$"
    " INSERT INTO candor.node AS o (node, detail_made, config_version)"
    " VALUES (name, candor.at((d ->> 'wallMs')::numeric), (d ->> 'configVersion')::bigint) ON CONFLICT (node) DO"
    " UPDATE SET detail_made = excluded.detail_made, config_version = excluded.config_version;"
    " SELECT candor.take_zones(name, d, fully) WHERE d ? 'zones';"
    " SELECT candor.take_peers(name, d, fully) WHERE d ? 'peers' AND d ? 'probes';"
    " SELECT candor.take_probes(name, d) WHERE fully AND d ? 'probes' $$;";

static const char second_views[] =
    "CREATE VIEW candor.silent AS SELECT node, now() - came AS silent_for, status AS last_status FROM candor.node"
    " WHERE now() - came > 3 * coalesce(push, interval '15 seconds');"
    "CREATE VIEW candor.event_gaps AS SELECT node, before + 1 AS first, sequence - 1 AS last FROM"
    " (SELECT node, sequence, lag(sequence) OVER (PARTITION BY node ORDER BY sequence) AS before"
    " FROM candor.event WHERE sequence > 0) AS e WHERE sequence > before + 1;"
    "CREATE VIEW candor.zone_now AS SELECT * FROM candor.zone_state WHERE until IS NULL;"
    "CREATE VIEW candor.peer_now AS SELECT * FROM candor.peer_view WHERE until IS NULL;"
    "CREATE VIEW candor.disagreement AS SELECT node, status, silent_for, peers, peers_well, peers_gone, monitors,"
    " monitors_well, monitors_fail, CASE WHEN heard AND status IN ('pass', 'warn')"
    " THEN 2 * peers_gone > peers OR monitors_fail > 0 OR disagrees"
    " ELSE peers + monitors > 0 AND peers_well = peers AND monitors_well = monitors END AS disagree FROM"
    " (SELECT n.node, n.status, now() - n.came AS silent_for,"
    " coalesce(now() - n.came <= 3 * coalesce(n.push, interval '15 seconds'), false) AS heard,"
    " count(*) FILTER (WHERE v.by = 'peer') AS peers,"
    " count(*) FILTER (WHERE v.by = 'peer' AND v.state = 'well') AS peers_well,"
    " count(*) FILTER (WHERE v.by = 'peer' AND v.state = 'gone') AS peers_gone,"
    " count(*) FILTER (WHERE v.by = 'monitor') AS monitors,"
    " count(*) FILTER (WHERE v.by = 'monitor' AND v.state = 'pass') AS monitors_well,"
    " count(*) FILTER (WHERE v.by = 'monitor' AND v.state = 'fail') AS monitors_fail,"
    " coalesce(bool_or(v.disagrees), false) AS disagrees FROM candor.node n LEFT JOIN (SELECT w.* FROM"
    " candor.peer_view w JOIN candor.node o ON o.node = w.node WHERE w.until IS NULL"
    " AND now() - o.came <= 3 * coalesce(o.push, interval '15 seconds')) AS v ON v.peer = n.node GROUP BY n.node) AS s;"
    "CREATE VIEW candor.availability AS SELECT node, span,"
    " coalesce(sum(part) FILTER (WHERE ready), 0) / extract(epoch FROM span)::double precision AS ready_ratio,"
    " coalesce(sum(part) FILTER (WHERE status = 'pass'), 0) / extract(epoch FROM span)::double precision AS pass_ratio,"
    " coalesce(sum(part), 0) / extract(epoch FROM span)::double precision AS known_ratio FROM"
    " (SELECT n.node, s.span, r.ready, r.status, extract(epoch FROM least(r.until, now())"
    " - greatest(r.made, now() - s.span))::double precision AS part FROM candor.node n CROSS JOIN"
    " unnest(ARRAY[interval '1 hour', interval '1 day', interval '7 days', interval '30 days']) AS s (span)"
    " LEFT JOIN (SELECT p.node, p.made, p.ready, p.status, least(lead(p.made) OVER (PARTITION BY p.node"
    " ORDER BY p.made), p.made + 3 * coalesce(m.push, interval '15 seconds')) AS until FROM candor.report p"
    " JOIN candor.node m ON m.node = p.node WHERE p.made > now() - interval '31 days') AS r"
    " ON r.node = n.node AND r.until > now() - s.span AND r.made < now()) AS w GROUP BY node, span;";

/* Small batches, and rows that somebody else is deleting are his. */
static const char second_clean[] =
    "CREATE FUNCTION candor.clean_node(name text, old interval, most bigint) RETURNS bigint LANGUAGE sql AS $$"
    " DELETE FROM candor.report WHERE ctid IN (SELECT ctid FROM candor.report"
    " WHERE node = name AND came < now() - old LIMIT most FOR UPDATE SKIP LOCKED);"
    " DELETE FROM candor.event WHERE ctid IN (SELECT ctid FROM candor.event"
    " WHERE node = name AND came < now() - old LIMIT most FOR UPDATE SKIP LOCKED);"
    " DELETE FROM candor.zone_state WHERE ctid IN (SELECT ctid FROM candor.zone_state"
    " WHERE node = name AND until < now() - old LIMIT most FOR UPDATE SKIP LOCKED);"
    " DELETE FROM candor.peer_view WHERE ctid IN (SELECT ctid FROM candor.peer_view"
    " WHERE node = name AND until < now() - old LIMIT most FOR UPDATE SKIP LOCKED);"
    " DELETE FROM candor.probe_result WHERE ctid IN (SELECT ctid FROM candor.probe_result"
    " WHERE node = name AND day < now() - old - interval '1 day' LIMIT most FOR UPDATE SKIP LOCKED);"
    " SELECT 1::bigint $$;"
    "CREATE FUNCTION candor.clean(name text, most bigint) RETURNS bigint LANGUAGE sql AS $$"
    " SELECT sum(candor.clean_node(node, keep, most))::bigint FROM (SELECT node, keep FROM candor.node"
    " WHERE node = name UNION SELECT node, keep FROM (SELECT node, keep FROM candor.node WHERE came < now() - keep"
    " ORDER BY random() LIMIT 4) AS gone) AS n WHERE keep IS NOT NULL $$";

/* Numbered from 1, each done once and in order; never changed afterwards: a change is a new number. */
static const char *const migrations[][8] = {
    {first},
    {second_tables, second_reports, second_zones, second_peers, second_probes, second_views, second_clean},
};

static bool one(struct sql *q, long number, struct sink_news *news) {
    char note[96];
    bool well = true;
    for (size_t i = 0; well && i < ARRAY_SIZE(migrations[0]) && migrations[number][i] != NULL; i++)
        well = sql_ask(q, migrations[number][i], 0, NULL, MIGRATE_MS, NULL, news);
    (void)snprintf(note, sizeof note, "INSERT INTO candor.migration VALUES (%ld, now())", number + 1);
    return well && sql_ask(q, note, 0, NULL, ASK_MS, NULL, news);
}

/* Under a lock of the database's, so that nodes that start at once do not do it twice. */
bool sql_migrate(struct sql *q, struct sink_news *news) {
    static const char begin[] =
        "BEGIN; SELECT pg_advisory_xact_lock(5300538); SET LOCAL statement_timeout = '14min';"
        "CREATE SCHEMA IF NOT EXISTS candor;"
        "CREATE TABLE IF NOT EXISTS candor.migration (number integer PRIMARY KEY, done timestamptz NOT NULL);";
    int64_t done = 0;
    bool well = sql_ask(q, begin, 0, NULL, ASK_MS, NULL, news) &&
                sql_ask(q, "SELECT coalesce(max(number), 0) FROM candor.migration", 0, NULL, ASK_MS, &done, news);
    for (long i = done < 0 ? 0 : (long)done; well && i < (long)ARRAY_SIZE(migrations); i++)
        well = one(q, i, news);
    return well && sql_ask(q, "COMMIT", 0, NULL, ASK_MS, NULL, news);
}
