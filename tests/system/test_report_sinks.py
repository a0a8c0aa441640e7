"""Reports over HTTPS and into PostgreSQL, real ones: delivered, held up, refused, hung, with a certificate that ends; and no name
is looked up for any of it."""
# time bound: 300 s
# mostly waits
import contextlib
import re
import socket

import pytest

from lib.certs import Authority
from lib.netns import Capture, Namespace, inside
from lib.node import Node, until
from lib.postgres import Postgres
from lib.served import Web
from test_reports import FAST, KEYS, NO_CANARY, TICKS, says

NAME = "monitor.example"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def node(folder, report):
    return Node(folder / "node", {"node": {"name": "scan1"}, "health": {"interval": TICKS, "canary": NO_CANARY, "report": report}})


def sink(receiver, authority, **over):
    return dict({"address": receiver.at, "tls-name": NAME, "ca": authority.ca, "path": "/report"}, **over)


def test_https_delivers_and_its_certificate_is_known(tmp_path, authority):
    with Web(*authority.issue(NAME, days=90, file="long")) as r, node(tmp_path, {"https": [sink(r, authority)]}) as n:
        says(n, "reporting", "report:https", r.at, "pass", "acknowledged")
        says(n, "reporting", "report:certificate", r.at, "pass", "ends in 89 days")
        body = until("a report of a node that is ready", lambda: r.posted and r.posted[-1]["report"]["ready"] is True and r.posted[-1])["report"]
        path, host = r.heads[-1]
        assert path == "/report" and host.split(":")[0] == NAME and body["node"] == "scan1"
        numbers = [b["report"]["sequence"] for b in r.posted if "report" in b]
        assert numbers == sorted(numbers) and set(body["scopes"]) >= {"process", "worker", "storage"}
        r.status = 302  # nobody follows it, and it is no acknowledgement
        says(n, "reporting", "report:https", r.at, "fail", "HTTP 302", within_s=90 / FAST)


@pytest.mark.parametrize("kind, check, status, words", [
    ("near", "report:certificate", "warn", "ends in 9 days"),
    ("expired", "report:https", "fail", "expired"),
    ("foreign", "report:https", "fail", "certificate"),
    ("misnamed", "report:https", "fail", "")])
def test_certificate_of_the_push_path(tmp_path, authority, kind, check, status, words):
    """Row 47: known 21 days before; and what is wrong with one is said."""
    pair = {"near": lambda: authority.issue(NAME, days=10, file="near"),
            "expired": lambda: authority.issue(NAME, days=30, file="expired", since_days=40),
            "foreign": lambda: Authority(tmp_path / "other").issue(NAME, days=90),
            "misnamed": lambda: authority.issue("else.example", days=90)}[kind]()
    with Web(*pair) as r, node(tmp_path, {"https": [sink(r, authority)]}) as n:
        says(n, "reporting", check, r.at, status, words, within_s=90 / FAST)
        assert n.get("/readyz").status_code == 200
        if kind == "near":
            until("the report itself has come, too", lambda: r.posted)
        else:
            assert not r.posted


def test_database(tmp_path, authority):
    """Row 46: a database that hangs or is gone is known within 60 s, with what waits for it; nothing of it is lost."""
    certificate, key = authority.issue("db.example", days=90)
    with Postgres(tmp_path / "db", certificate, key) as db:
        at = "127.0.0.1@%d" % db.port
        sql = {"address": at, "tls-name": "db.example", "ca": authority.ca, "password-file": db.password_file}
        with node(tmp_path, {"sql": sql}) as n:
            says(n, "reporting", "report:sql", at, "pass", "acknowledged")
            until("rows come", lambda: int(db.query("SELECT count(*) FROM candor.report")[0][0]) >= 3)
            until("it says that it is ready", lambda: db.query("SELECT node, ready FROM candor.node") == [["scan1", "t"]])
            encrypted = db.query("SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'candor'")
            assert encrypted == [["t"]]

            db.freeze()
            says(n, "reporting", "report:sql", at, "fail", "wait", within_s=60 / FAST + 1)
            assert n.get("/readyz").status_code == 200
            db.thaw()
            says(n, "reporting", "report:sql", at, "pass", "acknowledged")

            db.stop()
            says(n, "reporting", "report:sql", at, "fail", "wait", within_s=60 / FAST + 1)
            db.start()
            says(n, "reporting", "report:sql", at, "pass", "acknowledged")
            until("all came", lambda: n.get("/metrics") and "wait" not in says(n, "reporting", "report:sql", at, "pass")["output"])
            assert db.query("SELECT * FROM candor.gaps") == []
            metrics = n.get("/metrics").text
            assert re.search(r'candor_push_total\{sink="sql",result="delivered"\} [1-9]', metrics) and "candor_spool_dropped_total" in metrics
            until("what happened is told", lambda: int(db.query(
                "SELECT count(*) FROM candor.event WHERE scope = 'reporting' AND is_now = 'fail'")[0][0]) >= 1)
        with node(tmp_path, {"sql": sql}) as n:  # the tables are there already
            says(n, "reporting", "report:sql", at, "pass", "acknowledged")
            assert db.query("SELECT number FROM candor.migration") == [["1"], ["2"]]


def dropped(ns):
    """What was sent to port 53: a packet that is dropped on its way out is in no capture."""
    return sum(int(n) for n in re.findall(r"counter packets (\d+)", ns.run("nft", "list", "ruleset").stdout))


def test_no_sink_looks_a_name_up(tmp_path, authority):
    """Row 42: port 53 is a black hole; every sink arrives, none asks for a name."""
    with contextlib.ExitStack() as stack:
        ns = stack.enter_context(Namespace())
        ns.nft(["udp dport 53 counter drop", "tcp dport 53 counter drop"])
        with inside(ns):
            receiver = stack.enter_context(Web(*authority.issue(NAME, days=90, file="dark")))
            sockets = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2)]
            for s in sockets:
                s.bind(("127.0.0.1", 0))
                s.settimeout(30)
        monitor, log = ("127.0.0.1@%d" % s.getsockname()[1] for s in sockets)
        db = stack.enter_context(Postgres(tmp_path / "db", *authority.issue("db.example", days=90, file="db"), prefix=ns.prefix))
        told = tmp_path / "told"
        command = tmp_path / "command"
        command.write_text("#!/bin/sh\ncat >>%s\n" % told)
        command.chmod(0o755)
        report = {"https": [sink(receiver, authority)], "datagram": [{"address": monitor, "key": "a."}], "syslog": {"address": log}, "exec": str(command),
                  "sql": {"address": "127.0.0.1@%d" % db.port, "tls-name": "db.example", "ca": authority.ca, "password-file": db.password_file}}
        capture = stack.enter_context(Capture(ns, "port 53"))
        stack.enter_context(Node(tmp_path / "node", {"node": {"name": "scan1"}, "rbl": {"keys": KEYS},
                                                     "health": {"interval": TICKS, "canary": NO_CANARY, "report": report}}, prefix=ns.prefix))
        until("HTTPS", lambda: receiver.posted, 30)
        assert sockets[0].recv(65536) and b"candor@" in sockets[1].recv(65536)
        until("the database", lambda: db.query("SELECT node FROM candor.node WHERE sequence > 1") == [["scan1"]]
              and int(db.query("SELECT count(*) FROM candor.event")[0][0]) > 0, 30)
        until("the command", lambda: "scan1" in told.read_text(), 30)
        assert dropped(ns) == 0
        with inside(ns), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s, contextlib.suppress(PermissionError):
            s.sendto(b"x", ("127.0.0.1", 53))
        assert dropped(ns) == 1  # it would have been seen
    assert capture.text() == ""


WHERE = {"datagram": {"datagram": [{"address": "monitor.example@5390", "key": "a."}]},
         "https": {"https": [{"address": "monitor.example@8443", "tls-name": NAME}]},
         "sql": {"sql": {"address": "db.example@5432"}},
         "syslog": {"syslog": {"address": "log.example"}},
         "snmp": {"snmp": {"traps": ["trap.example@162"]}}}


@pytest.mark.parametrize("kind", WHERE)
def test_a_host_name_is_refused_with_the_reason(tmp_path, kind):
    n = Node(tmp_path / "node", {"rbl": {"keys": KEYS}, "health": {"report": WHERE[kind]}})
    for what in ("check-config", "run"):
        p = n.candor(what, check=False, timeout=30)
        assert p.returncode != 0 and "health.report." + kind in p.stderr and "no host name: it would have to be looked up in DNS" in p.stderr, p.stderr
