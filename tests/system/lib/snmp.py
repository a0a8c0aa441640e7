"""Debian's snmpd as a master agent, snmptrapd, and the programs that ask them; all with configurations and folders of their own."""
import os
import subprocess

from lib.node import free_port, until

SYSTEM = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MIBS, CONF = os.path.join(SYSTEM, "mibs"), os.path.join(SYSTEM, "..", "..", "conf")


class Daemon:
    program, options = None, ()

    def __init__(self, folder, prefix=(), host="127.0.0.1", port=None):
        self.folder, self.prefix, self.host, self.port = folder, list(prefix), host, port or free_port()
        self.at, self.process = "%s@%d" % (host, self.port), None
        os.makedirs(folder, exist_ok=True)
        self.log = os.path.join(folder, "log")
        with open(os.path.join(folder, "daemon.conf"), "w", encoding="ascii") as f:
            f.write(self.config())

    def start(self):
        with open(self.log, "a", encoding="utf8") as out:
            self.process = subprocess.Popen(
                [*self.prefix, self.program, "-f", "-C", "-c", os.path.join(self.folder, "daemon.conf"), "-Lo", *self.options,
                 "udp:%s:%d" % (self.host, self.port)], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                env={**os.environ, "SNMP_PERSISTENT_DIR": self.folder, "MIBS": "", "MIBDIRS": MIBS})
        return self

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.end()

    def text(self):
        with open(self.log, encoding="utf8", errors="replace") as f:
            return f.read()


class Agent(Daemon):
    program = "snmpd"

    def __init__(self, folder, prefix=(), host="127.0.0.1", port=None, tells=None):
        self.tells = "trap2sink %s public\n" % tells.at.replace("@", ":") if tells else ""
        super().__init__(folder, prefix, host, port)

    def config(self):
        self.socket = os.path.join(self.folder, "master")
        return ("rocommunity test\nmaster agentx\nagentXSocket unix:%s\nagentXPerms 0777 0777\nagentXTimeout 2\nagentXRetries 1\n"
                % self.socket) + self.tells

    def walk(self, what="CANDOR-MIB::candorObjects", program="snmpbulkwalk"):
        """{"candorZoneSerial.1": "7"}: names by the MIB, values without their types."""
        out = subprocess.run([*self.prefix, program, "-v2c", "-ctest", "-M", MIBS + ":" + CONF, "-m", "CANDOR-MIB", "-OQs", "-t", "2", "-r", "1",
                              "%s:%d" % (self.host, self.port), what], capture_output=True, text=True, timeout=60,
                             env={**os.environ, "SNMP_PERSISTENT_DIR": self.folder})
        rows = {}
        for line in out.stdout.splitlines():
            key, sep, value = line.partition(" = ")
            if sep and not value.startswith("No "):
                rows[key] = value.strip().strip('"')
        return rows

    def walk_if(self, fits):
        """All rows, when they are as wanted."""
        rows = self.walk()
        return rows if fits(rows) else None

    def waiting(self):
        until("the master agent listens", lambda: os.path.exists(self.socket) and "NET-SNMP" in self.text(), 20)
        return self


class Receiver(Daemon):
    program, options = "snmptrapd", ("-n", "-M", MIBS + ":" + CONF, "-m", "CANDOR-MIB", "-OQs")

    def config(self):
        return "authCommunity log,execute,net public\ndisableAuthorization yes\nformat2 %w %v\\n\n"
