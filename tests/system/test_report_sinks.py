"""Reports over HTTPS and into PostgreSQL, real ones: delivered, held up, refused, hung, with a certificate that ends; and no name
is looked up for any of it."""
# time bound: 300 s
import http.server
import json
import re
import ssl
import threading

import pytest

from lib.certs import Authority
from lib.netns import Capture, Namespace
from lib.node import Node, until
from lib.postgres import Postgres
from test_reports import FAST, NO_CANARY, TICKS, says

NAME = "monitor.example"


class Receiver:
    """An HTTPS server that keeps what is posted; `status` is what it answers."""

    def __init__(self, certificate, key):
        self.posted, self.status = [], 200
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.posted.append((self.path, self.headers["Host"], body))
                self.send_response(outer.status)
                self.send_header("Location", "https://elsewhere.example/")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass  # who breaks off a handshake has its reason

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.at = "127.0.0.1@%d" % self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def node(folder, report):
    return Node(folder / "node", {"node": {"name": "scan1"}, "health": {"interval": TICKS, "canary": NO_CANARY, "report": report}})


def sink(receiver, authority, **over):
    return dict({"address": receiver.at, "tls-name": NAME, "ca": authority.ca, "path": "/report"}, **over)


def test_https_delivers_and_its_certificate_is_known(tmp_path, authority):
    with Receiver(*authority.issue(NAME, days=90, file="long")) as r, node(tmp_path, {"https": [sink(r, authority)]}) as n:
        says(n, "reporting", "report:https", r.at, "pass", "acknowledged")
        says(n, "reporting", "report:certificate", r.at, "pass", "ends in 89 days")
        path, host, body = until("a report of a node that is ready", lambda: r.posted and r.posted[-1][2]["ready"] is True and r.posted[-1])
        assert path == "/report" and host.split(":")[0] == NAME and body["node"] == "scan1"
        numbers = [b["sequence"] for _, _, b in r.posted]
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
    with Receiver(*pair) as r, node(tmp_path, {"https": [sink(r, authority)]}) as n:
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
            assert db.query("SELECT number FROM candor.migration") == [["1"]]


def test_no_sink_looks_a_name_up(tmp_path, authority):
    """Row 42: port 53 is a black hole; both sinks try, neither asks for a name."""
    with Namespace() as ns:
        ns.nft(["udp dport 53 counter drop", "tcp dport 53 counter drop"])
        report = {"https": [{"address": "127.0.0.1@8443", "tls-name": NAME, "ca": authority.ca}],
                  "sql": {"address": "127.0.0.1@5432", "tls-name": "db.example", "ca": authority.ca}}
        n = Node(tmp_path / "node", {"health": {"interval": TICKS, "canary": NO_CANARY, "report": report}}, prefix=ns.prefix)
        with Capture(ns, "port 53") as capture, n:
            def page():
                return ns.run("curl", "-s", "-m", "5", "http://127.0.0.1:5380/health/reporting").stdout
            until("both tried", lambda: "port 8443" in page() and "connect" in json.dumps(json.loads(page())["checks"]["report:sql"]), 30)
        assert capture.text() == ""
