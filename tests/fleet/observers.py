"""Who could have seen it: each looks at one place where a person, or a program of theirs, would look.

`sees(node, since)`: what stands there about a fault of that node, in words, or None: nothing yet. `since`: seconds of the wall
clock; what is older is not about this fault. `whose`: "own" is the node's own word, "others'" what somebody else got of it.
"""
import html
import re

import requests

from stage import ALERTS, MONITORS

OID = "1.3.6.1.4.1.8072.9999.9999."
EVENT_NUMBER, EVENT_NODE, EVENT_SCOPE, EVENT_TO, EVENT_TIME, EVENT_CAUSE = (OID + "1.%d.0" % i for i in (9, 10, 11, 13, 14, 15))


def said(text):
    return " ".join(str(text).split())[:200]


class Observer:
    whose = "own"

    def __init__(self, stage):
        self.stage = stage

    def sees(self, node, since):
        raise NotImplementedError

    def __str__(self):
        return "%s (%s)" % (self.name, self.whose)


class AtMonitor(Observer):
    """One of the monitors, asked from outside."""

    def __init__(self, stage, monitor):
        super().__init__(stage)
        self.monitor = monitor
        self.name = "%s %s" % (monitor, self.what)

    def get(self, path):
        return requests.get("http://%s:5380%s" % (self.stage.at(self.monitor), path), timeout=2)

    def entry(self, node):
        return next(n for n in self.get("/fleet").json()["nodes"] if n["node"] == node)


class FleetOwn(AtMonitor):
    what = "/fleet"

    def sees(self, node, since):
        own = self.entry(node)["self"]
        return own["status"] == "fail" and own["fresh"] and own["heardMs"] >= since * 1000 and said(own["cause"])


class FleetOthers(AtMonitor):
    what, whose = "/fleet", "others'"

    def sees(self, node, since):
        e = self.entry(node)
        return e["seen"].get("answers") is False and e["peers"]["miss"] > 0 and said("answers: no; %(miss)d of %(of)d peers miss it" % e["peers"])


class HealthCheck(AtMonitor):
    """`check` of the monitor's /health about the node."""
    what, check, words = "/health", "", ""

    def sees(self, node, since):
        for c in self.get("/health/monitor").json()["checks"].get(self.check, []):
            if c.get("componentId") == node and c["status"] == "fail" and self.words in c["output"]:
                return said("%s: %s" % (self.check, c["output"]))
        return None


class HealthOwn(HealthCheck):
    check, words = "node:report", "says fail"


class HealthOthers(HealthCheck):
    check, whose = "node:answers", "others'"


class Page(AtMonitor):
    """The page as somebody without script gets it: the row of the node."""
    what, words = "page", "fail"

    def sees(self, node, since):
        text = self.get("/").text
        for row in re.findall(r"<tr\b.*?</tr>", text, re.S):
            plain = said(html.unescape(re.sub(r"<[^>]*>", " ", row)))
            if plain.startswith(node + " ") and self.words in plain:
                return plain
        return None


class PageOthers(Page):
    whose, words = "others'", "fail no answer"


class Sql(Observer):
    name = "SQL event"

    def rows(self, where, since):
        return self.stage.db.query("SELECT node, kind, scope, what, cause FROM candor.event WHERE is_now = 'fail' AND made >= to_timestamp(%.3f)"
                                   " AND %s ORDER BY came LIMIT 1" % (since, where))

    def sees(self, node, since):
        rows = self.rows("node = '%s' AND kind = 'scope'" % node, since)
        return rows and said(" ".join(rows[0]))


class SqlOthers(Sql):
    whose = "others'"

    def sees(self, node, since):
        rows = self.rows("node <> '%s' AND (what || ' ' || cause) LIKE '%%%s%%'" % (node, node), since)
        return rows and said(" ".join(rows[0]))


class Snmp(Observer):
    """What snmptrapd wrote: one notification a line, variables by number."""
    name = "snmptrapd"

    def notifications(self):
        for line in self.stage.programs["snmptrapd"].log().splitlines():
            found = dict(re.findall(r"\.(1\.3\.6\.[0-9.]+) = \w+: (\"[^\"]*\"|\S+)", line))
            if EVENT_NODE in found:
                yield {k: v.strip('"') for k, v in found.items()}

    def fits(self, n, node):
        return n[EVENT_NODE] == node

    def sees(self, node, since):
        for n in self.notifications():
            if n.get(EVENT_TO) == "3" and int(n[EVENT_TIME]) >= int(since) and self.fits(n, node):
                return said("%s %s: %s" % (n[EVENT_NODE], n.get(EVENT_SCOPE), n.get(EVENT_CAUSE)))
        return None


class SnmpOthers(Snmp):
    whose = "others'"

    def fits(self, n, node):
        return n[EVENT_NODE] != node and node in n.get(EVENT_CAUSE, "")


class Alertmanager(Observer):
    """An alert about the node by a monitor; its description has all views."""

    def __init__(self, stage, monitor):
        super().__init__(stage)
        self.monitor, self.name = monitor, "Alertmanager by " + monitor

    def sees(self, node, since):
        for a in requests.get("http://%s:%d/api/v2/alerts" % (self.stage.at("am"), ALERTS), timeout=2).json():
            if a["labels"].get("node") == node and a["labels"].get("monitor") == self.monitor and a["status"]["state"] == "active":
                return a["annotations"]["description"]
        return None


class AlertmanagerOthers(Alertmanager):
    """The same alert says what the monitor got when it asked by itself."""
    whose = "others'"

    def sees(self, node, since):
        _, _, got = (super().sees(node, since) or "").partition("What monitor " + self.monitor)
        return said(got) if "no answer" in got else None


def all_of(stage):
    """Those that there are on this stage."""
    out = []
    for m in MONITORS:
        out += [k(stage, m) for k in (FleetOwn, FleetOthers, HealthOwn, HealthOthers, Page, PageOthers)]
    if "sql" in stage.sinks:
        out += [Sql(stage), SqlOthers(stage)]
    if "snmp" in stage.sinks:
        out += [Snmp(stage), SnmpOthers(stage)]
    if "alert" in stage.sinks:
        out += [k(stage, m) for k in (Alertmanager, AlertmanagerOthers) for m in MONITORS]
    return out
