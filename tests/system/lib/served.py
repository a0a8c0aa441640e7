"""HTTP servers of a test's own, which run while a block does."""
import http.server
import json
import ssl
import threading


class Served:
    """A server of socketserver's that runs while the block does; `at` is where."""

    def serve(self, server):
        self.server, self.port = server, server.server_address[1]
        self.at = "127.0.0.1@%d" % self.port
        self.thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class QuietServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # who only knocks, or breaks off, has its reason


class Web(Served):
    """An HTTP server, over TLS when it has a certificate: `posted` has the bodies that it took, `heads` the paths and Host headers
    of all, `got` the paths that were asked for; `status` is what it answers."""

    def __init__(self, certificate=None, key=None):
        self.posted, self.heads, self.got, self.status = [], [], [], 200
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.heads.append((self.path, self.headers["Host"]))
                if outer.status == 200:
                    outer.posted.append(body)
                self.answer()

            def do_GET(self):
                outer.got.append(self.path)
                self.answer()

            def answer(self):
                self.send_response(outer.status)
                self.send_header("Location", "https://elsewhere.example/")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.serve(QuietServer(("127.0.0.1", 0), Handler))
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
