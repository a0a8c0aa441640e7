"""The control socket of candor-sync."""
import json
import os
import socket


class Sync:
    def __init__(self, node, timeout_s=60):
        self.path = os.path.join(node.folder, node.config["node"]["run"], "sync.sock")
        self.timeout_s = timeout_s

    def ask(self, **request):
        """The answer as a dict. A socket error when candor-sync goes away meanwhile."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(self.timeout_s)
            s.connect(self.path)
            s.sendall(json.dumps(request).encode() + b"\n")
            line = b""
            while not line.endswith(b"\n"):
                more = s.recv(65536)
                if not more:
                    raise ConnectionError("no answer")
                line += more
            return json.loads(line)

    def publish(self, zone, files=(), force=None, dry_run=False, ok=True):
        r = self.ask(command="publish", zone=zone, files=[{"type": t, "path": p} for t, p in files], dry_run=dry_run, force=force)
        assert r["ok"] or not ok, r
        return r

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return False
