"""What people watch a resolver with today, each as its manual says, looking at the same address under the same fault.

    tests/faults/run --watch tests/faults/watchers.py      Candor's rows, looked at by all of these
    tests/faults/watchers_run.py --stack                   the same faults in unbound, rbldnsd and nsd
    make health-compared                                   both, and the page docs/health-compared.md

Each asks at its usual interval divided by the ticks of the run (dnsdist counts in whole seconds: 1 s always). A look is
(time it was known, healthy, words); engine.saw() makes of them what the table shows.
"""
import concurrent.futures
import contextlib
import os
import re
import shutil
import socket
import subprocess
import threading
import time

import dns.exception
import dns.message
import dns.query
import psutil
import requests

from engine import TICKS, Watcher

NAME, ADDRESS = "example.com", "192.0.2.10"  # what the upstreams of all rows answer (lib/upstream.py)
LIST = "bl.test"
DNSDIST_PORT, BLACKBOX_PORT = 5399, 9115
PLUGINS = "/usr/lib/nagios/plugins"
START_S = 15


def whole(seconds):
    """Seconds for programs that know no fractions of them."""
    return max(1, round(seconds / TICKS))


def at(address):
    """host:port as programs want it."""
    host, port = address
    return "%s:%d" % ("[%s]" % host if ":" in host else host, port)


def end(process):
    if process is not None:
        process.kill()
        process.wait()


def asks(row, address):
    """What `row` answers of the names that could be watched: (name, its address, zone, list). A node that does not resolve
    is asked for what it serves; "": it has no address to ask for."""
    node = getattr(row, "node", None) if hasattr(row, "nodes") else None
    zones = [z["name"].rstrip(".") for z in node.config.get("rbl", {}).get("zones", [])] if node else []
    lists = [getattr(row, "watched_list", LIST)] + zones
    answered = [z for z in lists if answers(address, "2.0.0.127." + z, "A")]
    soa = [z for z in [getattr(row, "watched_zone", LIST)] + zones if answers(address, z, "SOA")]
    name = (NAME, ADDRESS) if answers(address, NAME, "A") else ("2.0.0.127." + answered[0], "127.0.0.2") if answered else ("", "")
    return (*name, (soa or [LIST])[0], (answered or [LIST])[0])


def answers(address, name, rdtype):
    with contextlib.suppress(OSError, dns.exception.DNSException):
        return bool(dns.query.udp(dns.message.make_query(name, rdtype), address[0], port=address[1], timeout=2).answer)
    return False


class Poller(Watcher):
    """look() again and again, in a thread of its own, which belongs to the namespace that start() was called in."""
    interval_s = 5.0
    outside = False   # stands on another machine than the resolver, and asks its service address

    def start(self, row):
        self.row = row
        self.address = (getattr(row, "service_address", None) if self.outside else None) or row.dns_address
        self.sights, self.over = [], threading.Event()
        self.folder = os.path.join(row.folder, "watch-" + re.sub(r"\W+", "-", self.name))
        os.makedirs(self.folder, exist_ok=True)
        if not hasattr(row, "asks"):
            with row.space(False) if hasattr(row, "space") else contextlib.nullcontext():
                row.asks = asks(row, row.dns_address)
        self.asked, self.expected, self.zone, self.list = row.asks
        with row.space(self.outside) if hasattr(row, "space") else contextlib.nullcontext():
            self.open()
            self.thread = threading.Thread(target=self.run, daemon=True)
            self.thread.start()

    def open(self):
        """What is started once."""

    def close(self):
        """And ended."""

    def look(self):
        """(healthy, words)"""
        raise NotImplementedError

    def run(self):
        due = time.monotonic()
        while not self.over.is_set():
            try:
                healthy, words = self.look()
            except (OSError, psutil.Error, subprocess.SubprocessError, requests.RequestException, AssertionError) as e:
                healthy, words = False, "%s: %s" % (type(e).__name__, e)
            if not self.over.is_set():
                self.sights.append((time.monotonic(), healthy, " ".join(words.split())[:200]))
            due = max(due + self.interval_s / TICKS, time.monotonic())
            self.over.wait(due - time.monotonic())

    def stop(self):
        self.over.set()
        self.close()
        self.thread.join(2)
        return list(self.sights)

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.folder, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def spawn(self, *argv):
        """A program that stays; its output is self.process.stdout."""
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def command(*argv, timeout):
    p = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
    return p.returncode, p.stdout.strip() or p.stderr.strip()


class Process(Poller):
    """pidof, kill -0, a supervisor: a process of every name that there was is still there, and no zombie."""
    name = "process"

    def open(self):
        self.names = set(self.row.pids().values())

    def look(self):
        alive = set()
        for pid, name in self.row.pids().items():
            with contextlib.suppress(psutil.Error):
                if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                    alive.add(name)
        gone = self.names - alive
        return not gone, "gone: " + ", ".join(sorted(gone)) if gone else "all there"


class Connect(Poller):
    """check_tcp, HAProxy's and Kubernetes' TCP check: the DNS port accepts a connection."""
    name = "tcp connect"

    def look(self):
        with socket.create_connection(self.address, timeout=10 / TICKS):
            return True, "connected"


class Dig(Poller):
    """The usual HEALTHCHECK of a container: dig's exit code, which is 0 for any answer."""
    name = "dig"

    def look(self):
        code, words = command("dig", "+time=%d" % whole(2), "+tries=1", "@" + self.address[0], "-p", str(self.address[1]), self.asked or self.zone, timeout=20)
        return code == 0, "exit %d: %s" % (code, words[-120:] if code else "")


DNSDIST = """-- Debian's dnsdist.conf, and behind it where to listen and what stands behind it
setSecurityPollSuffix("")
setLocal("127.0.0.1:%d")
%s
"""


class Dnsdist(Poller):
    """dnsdist in front: a backend that answers a.root-servers.net A with anything is up (every second, one failure is enough)."""
    name, interval_s, outside = "dnsdist", TICKS, True

    def open(self):
        backends = getattr(self.row, "backends", None) or [self.address]
        self.state, self.words = {}, "not up yet"
        path = self.write("dnsdist.conf", DNSDIST % (DNSDIST_PORT, "\n".join(self.server(b) for b in backends)))
        self.spawn("dnsdist", "--supervised", "--disable-syslog", "-C", path)
        threading.Thread(target=self.read, daemon=True).start()
        until = time.monotonic() + START_S
        while len(self.state) < len(backends) and time.monotonic() < until:
            time.sleep(0.05)
        self.ready = len(self.state) == len(backends)

    def server(self, backend):
        """The default check, of a node that does not resolve: of a name that it serves."""
        if self.asked == NAME:
            return 'newServer("%s")' % at(backend)
        return 'newServer({address="%s", checkName="%s."%s})' % (at(backend), self.asked or self.zone, "" if self.asked else ', checkType="SOA"')

    def read(self):
        for line in self.process.stdout:
            m = re.search(r"Marking downstream (\S+).* as '(\w+)'", line)
            if m:
                self.state[m.group(1)] = m.group(2) == "up"
                if m.group(2) != "up":
                    self.sights.append((time.monotonic(), False, line.strip()))

    def look(self):
        down = [b for b, up in self.state.items() if not up]
        return self.ready and not down and self.process.poll() is None, "down: " + ", ".join(down) if down else "up" if self.ready else "never up"

    def close(self):
        end(self.process)


BLACKBOX = """modules:
  a: {prober: dns, dns: {query_name: %(name)s, query_type: A, transport_protocol: udp, preferred_ip_protocol: ip4}}
  soa: {prober: dns, dns: {query_name: %(list)s, query_type: SOA, transport_protocol: udp, preferred_ip_protocol: ip4}}
  a_right: {prober: dns, dns: {query_name: %(name)s, query_type: A, transport_protocol: udp, preferred_ip_protocol: ip4,
    validate_answer_rrs: {fail_if_not_matches_regexp: ['%(name)s\\.\\t.*\\tIN\\tA\\t%(address)s']}}}
  soa_right: {prober: dns, dns: {query_name: %(list)s, query_type: SOA, transport_protocol: udp, preferred_ip_protocol: ip4,
    validate_answer_rrs: {fail_if_not_matches_regexp: ['%(list)s\\.\\t.*\\tIN\\tSOA\\t.*']}}}
"""


class Blackbox(Poller):
    """blackbox_exporter's DNS probe of a name's A and of a zone's SOA, scraped every 15 s as in Prometheus's own example."""
    name, modules, interval_s, outside, port = "blackbox", ("a", "soa"), 15.0, True, BLACKBOX_PORT

    def open(self):
        path = self.write("blackbox.yml", BLACKBOX % {"name": self.asked, "list": self.zone, "address": self.expected.replace(".", "\\.")})
        self.process = None
        self.spawn("prometheus-blackbox-exporter", "--config.file=" + path, "--web.listen-address=127.0.0.1:%d" % self.port)
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.05)

    def probe(self, module):
        r = requests.get("http://127.0.0.1:%d/probe" % self.port, params={"target": at(self.address), "module": module}, timeout=30,
                         headers={"X-Prometheus-Scrape-Timeout-Seconds": "%g" % max(1, 10 / TICKS)})
        return "\nprobe_success 1" in r.text

    def look(self):
        """Prometheus asks for both at the same time."""
        modules = [m for m in self.modules if self.asked or m.startswith("soa")]
        with concurrent.futures.ThreadPoolExecutor(len(modules)) as pool:
            bad = [m for m, good in zip(modules, pool.map(self.probe, modules)) if not good]
        return not bad, "probe_success 0: " + ", ".join(bad) if bad else "probe_success 1"

    def close(self):
        end(self.process)


class BlackboxRight(Blackbox):
    """The same with validate_answer_rrs: the address, and that there is an SOA."""
    name, modules, port = "blackbox, validated", ("a_right", "soa_right"), BLACKBOX_PORT + 1


class CheckDns(Poller):
    """monitoring-plugins' check_dns of a name. It knows no ports: in a mount namespace of its own nslookup is told the port."""
    name, interval_s, outside = "check_dns", 15.0, True

    def open(self):
        shutil.copy("/usr/bin/nslookup", os.path.join(self.folder, "real"))
        self.arguments = ("-H", self.asked)
        self.nslookup = self.write("nslookup", "#!/bin/sh\nexec %s/real -port=%d \"$@\"\n" % (self.folder, self.address[1]), 0o755)

    def look(self):
        code, words = command("unshare", "-m", "sh", "-c", 'mount --bind "$0" /usr/bin/nslookup && exec "$@"', self.nslookup,
                              PLUGINS + "/check_dns", "-s", self.address[0], "-t", str(whole(10)), *self.arguments, timeout=30)
        return code == 0, words


class CheckList(CheckDns):
    """check_dns of a blocklist's test point, with the address that it must have."""
    name = "check_dns, test point"

    def open(self):
        super().open()
        self.arguments = ("-H", "2.0.0.127." + self.list, "-a", "127.0.0.2")


class Page(Poller):
    """Candor's /health: the code of the page."""
    name = "candor /health"

    def look(self):
        r = self.row.node.get("/health", timeout=10 / TICKS)
        return r.status_code == 200, "%d" % r.status_code


class Check(Poller):
    """candor check: its exit code, as Nagios reads it; worse than it was before the fault."""
    name = "candor check"

    def look(self):
        p = self.row.node.candor("check", check=False, timeout=20)
        words = (p.stdout.strip() or p.stderr.strip()).split("\n")[0]
        if not self.sights:
            self.before = p.returncode
        return p.returncode <= self.before and self.before < 2, "exit %d: %s" % (p.returncode, words)


CLASSIC = (Process, Connect, Dig, Dnsdist, Blackbox, BlackboxRight, CheckDns, CheckList)
OWN = (Page, Check)


def watchers(row):
    """All that looks at a node of Candor."""
    return [kind() for kind in CLASSIC + OWN]
