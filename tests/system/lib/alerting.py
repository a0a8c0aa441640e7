"""Whom a monitor tells, for a test: nodes that are played, servers that keep what they are sent, a real Alertmanager, an SMTP relay."""
import base64
import email
import email.policy
import json
import os
import selectors
import socket
import socketserver
import ssl
import struct
import subprocess
import threading
import time
import urllib.request

import dns.edns
import dns.flags
import dns.message
import dns.rrset
import dns.tsigkeyring

from .node import until
from .served import Served


KEY = {"name": "played.", "algorithm": "hmac-sha256", "secret": "cGxheWVkcGxheWVkcGxheQ=="}
REPORT_OPTION = 65314


def report(node, boot, sequence, state=0, cause=""):
    """docs/protocol.md: what a node says of itself; 0 is pass, 2 fail."""
    def text(t):
        return struct.pack("!B", len(t)) + t.encode()
    return struct.pack("!BB", 1, 1) + text(node) + text("0.1.0") + struct.pack("!QQQQI", boot, sequence, int(time.time() * 1000), sequence, 0) + \
        struct.pack("!BBBB", state == 0, state, 1, state) + text(cause)


class Nodes:
    """As many nodes as are wanted: their DNS ports say who they are, and they report. Those in `mute` do not answer, those in `silent`
    do not report either."""

    def __init__(self, count, every_s=0.7):
        self.every_s, self.selector = every_s, selectors.DefaultSelector()
        self.mute, self.silent, self.sockets, self.names = set(), set(), {}, {}
        for i in range(count):
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.bind(("127.0.0.1", 0))
            self.names["n%d" % i] = "127.0.0.1@%d" % s.getsockname()[1]
            self.sockets[s] = "n%d" % i
            self.selector.register(s, selectors.EVENT_READ)
        self.reporter = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.keys = dns.tsigkeyring.from_text({KEY["name"]: KEY["secret"]})
        self.ended, self.to = False, None
        self.threads = [threading.Thread(target=f, daemon=True) for f in (self.serve, self.tell)]

    def serve(self):
        while not self.ended:
            for s in [key.fileobj for key, _ in self.selector.select(0.1)]:
                question, client = s.recvfrom(4096)
                name = self.sockets[s]
                if name in self.mute:
                    continue
                asked = dns.message.from_wire(question)
                answer = dns.message.make_response(asked)
                answer.answer.append(dns.rrset.from_text(asked.question[0].name, 0, "CH", "TXT", '"%s"' % name))
                answer.use_edns(0, 0, 1232, options=[dns.edns.GenericOption(3, ("%s/%x/0" % (name, 1)).encode())])
                s.sendto(answer.to_wire(), client)

    def tell(self):
        """To `to`; by default twice in a push interval of a tenth."""
        sequence, boot = 0, int(time.time())
        while not self.ended:
            sequence += 1
            for name in self.names if self.to else ():
                m = dns.message.make_query("report.server.", "TXT", "CH", use_edns=0,
                                           options=[dns.edns.GenericOption(REPORT_OPTION, report(name, boot, sequence))])
                m.flags = 0
                m.use_tsig(self.keys, KEY["name"], algorithm="hmac-sha256")
                if name not in self.silent:
                    self.reporter.sendto(m.to_wire(), self.to)
            time.sleep(self.every_s)

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *exc):
        self.ended = True
        for t in self.threads:
            t.join()
        for s in [*self.sockets, self.reporter, self.selector]:
            s.close()


class Relay(Served):
    """An SMTP server (RFC 5321) with STARTTLS and AUTH PLAIN: `mails` has what it took, as (from, to, message); `helo` who came."""

    def __init__(self, certificate=None, key=None, password=None):
        self.mails, self.helo, self.raw = [], [], []
        outer = self
        context = None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)

        class Session(socketserver.StreamRequestHandler):
            def say(self, text):
                self.wfile.write(text.encode() + b"\r\n")

            def begin_tls(self):
                self.say("220 go ahead")
                self.connection = context.wrap_socket(self.connection, server_side=True)
                self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)

            def handle(self):
                secure, known = False, password is None
                sender, to = None, []
                self.say("220 relay.example ESMTP")
                while True:
                    line = self.rfile.readline(2000).decode().rstrip("\r\n")
                    word = line.split(" ")[0].upper()
                    if word == "EHLO":
                        outer.helo.append((line[5:], secure))
                        offers = ["relay.example"] + (["STARTTLS"] if context and not secure else []) + (["AUTH PLAIN"] if password and secure else [])
                        for i, offer in enumerate(offers):
                            self.say("250%s%s" % (" " if i == len(offers) - 1 else "-", offer))
                    elif word == "STARTTLS" and context and not secure:
                        self.begin_tls()
                        secure = True
                    elif word == "AUTH":
                        if line.count(" ") == 1:
                            self.say("334 ")
                            line = self.rfile.readline(2000).decode().strip()
                        known = base64.b64decode(line.split(" ")[-1]).decode() == password
                        self.say("235 welcome" if known else "535 no")
                    elif word == "MAIL":
                        sender, to = line[10:].split(">")[0].lstrip("<"), []
                        self.say("250 ok" if known and (secure or not context) else "530 not like this")
                    elif word == "RCPT":
                        to.append(line[8:].split(">")[0].lstrip("<"))
                        self.say("250 ok")
                    elif word == "DATA":
                        self.say("354 go ahead")
                        data = b""
                        while not data.endswith(b"\r\n.\r\n"):
                            data += self.rfile.readline()
                        outer.raw.append(data)
                        message = data[:-3].replace(b"\r\n..", b"\r\n.")
                        outer.mails.append((sender, to, email.message_from_bytes(message, policy=email.policy.default)))
                        self.say("250 taken")
                    elif word in ("", "QUIT"):
                        if word:
                            self.say("221 bye")
                        return
                    else:
                        self.say("500 what?")

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = allow_reuse_address = True

            def handle_error(self, request, client_address):
                pass

        self.serve(Server(("127.0.0.1", 0), Session))


class Alertmanager:
    """Debian's, on a port of its own, telling one webhook; no cluster."""

    def __init__(self, folder, hook, port, prefix=()):
        self.folder, self.prefix, self.port, self.process = str(folder), list(prefix), port, None
        self.at = "127.0.0.1@%d" % port
        os.makedirs(self.folder, exist_ok=True)
        with open(os.path.join(self.folder, "alertmanager.yml"), "w") as f:
            json.dump({"route": {"receiver": "hook", "group_by": ["alertname", "monitor"], "group_wait": "1s", "group_interval": "1s", "repeat_interval": "1h"},
                       "receivers": [{"name": "hook", "webhook_configs": [{"url": "http://127.0.0.1:%d/" % hook, "send_resolved": True}]}]}, f)

    def alerts(self):
        with urllib.request.urlopen("http://127.0.0.1:%d/api/v2/alerts" % self.port, timeout=5) as r:
            return json.load(r)

    def __enter__(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(
                self.prefix + ["prometheus-alertmanager", "--config.file=alertmanager.yml", "--storage.path=data", "--cluster.listen-address=",
                               "--web.listen-address=127.0.0.1:%d" % self.port], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until("Alertmanager answers", lambda: self.alerts() == [])
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.wait()
