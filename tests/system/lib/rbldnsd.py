"""Debian's rbldnsd on files of ours."""
import contextlib
import os
import shutil
import subprocess
import tempfile

from . import ask
from .node import free_port, until


@contextlib.contextmanager
def rbldnsd(zones, ttl=2100, within_s=120):
    """`zones`: (zone, type, path). It gives its privileges up before it reads, so the files are copied to where it may. Yields (address, pid)."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="candor-rbldnsd-") as folder:
        os.chmod(folder, 0o755)
        specs = []
        for i, (zone, kind, path) in enumerate(zones):
            shutil.copyfile(path, os.path.join(folder, str(i)))
            specs.append("%s:%s:%d" % (zone.rstrip("."), kind, i))
        p = subprocess.Popen(["/usr/sbin/rbldnsd", "-n", "-u", "daemon", "-c", "0", "-b", "127.0.0.1/%d" % port, "-t", str(ttl), "-w", folder] +
                             specs, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        address = "127.0.0.1@%d" % port
        try:
            until("rbldnsd answers", lambda: p.poll() is not None or ask.ask(
                address, ["%s A" % zones[0][0]], timeout_ms=200, sockets=1)[0].took_us >= 0, within_s, 0.005)
            assert p.poll() is None, "rbldnsd does not start"
            yield address, p.pid
        finally:
            p.terminate()
            p.wait()
