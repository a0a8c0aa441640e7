"""A monitor's health port with a fleet of any size in front of a real one: everything is passed on but /fleet, which is played.
What it plays is the document of docs/formats/fleet.md; it measures the page's own part, how a browser fares with a thousand nodes."""
import http.server
import json
import time
import urllib.request

from .served import QuietServer, Served

SCOPES = "process worker resolution zones replication upstream storage peers reporting".split()


def entry(i, state, now):
    bad = {"fail": "worker", "warn": "storage"}.get(state)
    self = {"status": state, "ready": state != "fail", "fresh": state != "unknown", "heardMs": now - 1000 * (i % 15) - (90000 if state == "unknown" else 0),
            "boot": "%016x" % i, "sequence": 17, "version": "0.1.0", "cause": "", "scopes": {s: state if s == bad else "pass" for s in SCOPES}}
    return {"node": "scan%d" % i, "state": state, "sinceMs": now - 60000 * (i % 90), "self": self, "seen": {"answers": state != "fail", "answeredMs": now},
            "peers": {"see": 3, "miss": 0, "of": 3}, "gaps": 0, "agree": "fail" if i % 100 == 7 else "pass",
            "words": "says %s: %s" % (state, "worker:answers (worker 0): no answer" if bad else "")}


def fleet(count, odd):
    """`odd`: {number: state} of those that do not pass."""
    now = int(time.time() * 1000)
    nodes = [entry(i, odd.get(i, "pass"), now) for i in range(count)]
    events = [{"node": "scan%d" % i, "sequence": 9, "boot": "0", "kind": "scope", "scope": "worker", "what": "", "from": "pass", "to": s,
               "wallMs": now - 1000 * i, "seenMs": now, "cause": "worker:answers (worker 0): no answer"} for i, s in odd.items()]
    sums = {s: sum(1 for n in nodes if n["state"] == s) for s in ("pass", "warn", "fail", "unknown")}
    return {"v": 1, "monitor": "m", "wallMs": now, "intervalMs": 15000, "cutOff": False, "lost": 0, "sums": sums, "nodes": nodes, "events": events[:100],
            "zones": [{"zone": "bl.example.", "state": "warn", "nodes": count, "serials": {"7": count - 1, "6": 1}, "behind": ["scan3"], "differ": [],
                       "words": "scan3 is behind"}]}


class Played(Served):
    def __init__(self, real_port, count, odd):
        outer = self
        self.odd, self.asked = odd, 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                d, code, kind = None, 200, "application/json"
                if self.path.startswith("/fleet"):
                    outer.asked += 1
                    whole = fleet(count, outer.odd)
                    d = whole if self.path == "/fleet" else {"v": 1, "monitor": "m", "wallMs": whole["wallMs"], "node": self.path[7:], "events": [], "is": next(
                        n for n in whole["nodes"] if n["node"] == self.path[7:])}
                    if self.path != "/fleet":  # a real one, under another's name
                        with urllib.request.urlopen("http://127.0.0.1:%d/detail" % real_port, timeout=5) as r:
                            d["detail"] = json.load(r)
                    body = json.dumps(d).encode()
                else:
                    with urllib.request.urlopen("http://127.0.0.1:%d%s" % (real_port, self.path), timeout=5) as r:
                        body, kind = r.read(), r.headers["Content-Type"]
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.serve(QuietServer(("127.0.0.1", 0), Handler))
        self.health_port = self.port
