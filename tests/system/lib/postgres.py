"""A PostgreSQL server of the test's own: its folder, its port, TLS by a certificate of the test's, ended by its ids."""
import contextlib
import glob
import os
import shutil
import signal
import subprocess
import tempfile

import psutil

from .node import free_port, until

USER = "postgres"
PASSWORD = "between test and server"


def program(name):
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/" + name))
    assert found, "PostgreSQL is not installed"
    return found[-1]


class Postgres:
    """with Postgres(folder, certificate, key) as db: db.query("SELECT 1") -> [["1"]]"""

    def __init__(self, folder, certificate=None, key=None, prefix=(), address=None, allow=None, room=None):
        """`address`: listens there, too, for who comes from the network `allow`. `room`: octets of a file system of its own."""
        self.folder, self.prefix, self.port = str(folder), list(prefix), free_port()
        self.address, self.allow, self.room = address, allow, room
        self.own = self.data = None
        self.certificate, self.key = certificate, key
        os.makedirs(self.folder, exist_ok=True)
        self.password_file = os.path.join(self.folder, "password")
        with open(self.password_file, "w") as f:
            f.write(PASSWORD + "\n")
        os.chmod(self.password_file, 0o600)
        self.process = None

    def as_user(self, *argv, **kw):
        return self.prefix + ["setpriv", "--reuid", USER, "--regid", USER, "--clear-groups", "--", *argv]

    def __enter__(self):
        # The server refuses to be root, so every folder above must let its user through. Those of pytest do not: each run
        # of it, another one's too, takes away whatever mode theirs was given.
        self.own = tempfile.mkdtemp(prefix="candor-db-")
        if self.room:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%d" % self.room, "candor-db", self.own], check=True)
        self.data = os.path.join(self.own, "data")
        shutil.chown(self.own, USER, USER)
        readable = os.path.join(self.own, "initial")
        shutil.copy(self.password_file, readable)
        shutil.chown(readable, USER, USER)
        subprocess.run(self.as_user(program("initdb"), "-D", self.data, "-U", "candor", "--pwfile", readable, "-A", "scram-sha-256",
                                    "--no-sync"), check=True, capture_output=True, cwd="/")
        if self.certificate:
            for what, to in ((self.certificate, "server.crt"), (self.key, "server.key")):
                shutil.copy(what, os.path.join(self.data, to))
                shutil.chown(os.path.join(self.data, to), USER, USER)
                os.chmod(os.path.join(self.data, to), 0o600)
        if self.allow:
            with open(os.path.join(self.data, "pg_hba.conf"), "a") as f:
                f.write("host all all %s scram-sha-256\n" % self.allow)
        self.start()
        self.query("CREATE DATABASE candor", database="postgres")
        return self

    def start(self):
        options = ["-c", "listen_addresses=" + ",".join(filter(None, ("127.0.0.1", self.address))), "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "port=%d" % self.port]
        if self.certificate:
            options += ["-c", "ssl=on"]
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(self.as_user(program("postgres"), "-D", self.data, *options), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, cwd="/")
        until("the database answers", lambda: self.query("SELECT 1", database="postgres") == [["1"]], 30)

    def fill(self):
        """Of its `room` nothing is left."""
        with contextlib.suppress(OSError), open(os.path.join(self.own, "filler"), "wb", buffering=0) as f:
            while True:
                f.write(bytes(65536))

    def drain(self):
        """It may have ended for want of room: then it is started again."""
        os.unlink(os.path.join(self.own, "filler"))
        if self.process.poll() is not None:
            self.start()

    def each(self, what):
        """Server first, so that it forks nobody meanwhile, then its children; those that have gone are none."""
        head = psutil.Process(self.process.pid)
        for p in [head, *head.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                what(p)

    def freeze(self):
        self.each(psutil.Process.suspend)

    def thaw(self):
        self.each(psutil.Process.resume)

    def query(self, text, database="candor"):
        env = dict(os.environ, PGPASSWORD=PASSWORD, PGCONNECT_TIMEOUT="5")
        p = subprocess.run(self.prefix + [program("psql"), "-X", "-A", "-t", "-F", "\t", "-h", "127.0.0.1", "-p", str(self.port), "-U", "candor",
                                          "-d", database, "-c", text], capture_output=True, text=True, env=env)
        if p.returncode != 0:
            raise OSError(p.stderr)
        return [line.split("\t") for line in p.stdout.splitlines()]

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)  # fast shutdown
            self.process.wait(30)
            self.process = None

    def __exit__(self, *exc):
        if self.process is not None:
            self.thaw()
        self.stop()
        if self.own is not None and self.room:
            subprocess.run(["umount", self.own], check=True)
        if self.own is not None:
            shutil.rmtree(self.own, ignore_errors=True)
