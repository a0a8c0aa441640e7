"""A planned internet, running: a namespace for each group of servers and each resolver, joined by the relay. Needs root.

    with World(folder, plan.Internet(names), resolvers=3) as w:
        w.path(delay_ms=5, loss=0.005)
        w.place(0) ...                 # the namespace of resolver 0, its folder and address
"""
import contextlib
import os
import subprocess
import sys
import threading

import dns.exception
import dns.message
import dns.query
import dns.rcode

import plan
from lib import ask
from lib.netns import Namespace, inside
from lib.node import until
from lib.programs import end

HERE = os.path.dirname(os.path.abspath(__file__))
DEVICE = "lab0"


class Place:
    """A namespace of the internet with its addresses and its folder."""

    def __init__(self, folder, number):
        self.number, self.folder = number, os.path.join(folder, "n%d" % number)
        self.ns = Namespace()
        self.address = plan.address4(number, 1)

    def relay_word(self):
        return "/run/netns/%s,%s,%s/24,%s/48" % (self.ns.name, DEVICE, plan.address4(self.number, 0), "2a41:0:%x::" % self.number)

    def up(self, addresses):
        lines = ["addr add %s/8 dev %s" % (self.address, DEVICE), "addr add %s/16 dev %s nodad" % (plan.address6(self.number, 1), DEVICE)]
        lines += ["addr add %s/32 dev %s" % (a, DEVICE) for a, _ in addresses if a and a != self.address]
        lines += ["addr add %s/128 dev %s nodad" % (a, DEVICE) for _, a in addresses if a and a != plan.address6(self.number, 1)]
        lines += ["link set %s up" % DEVICE, "link set %s txqueuelen 10000" % DEVICE]
        self.ns.run("ip", "-batch", "-", input="\n".join(lines) + "\n")


def listens(addresses):
    return sorted({a for pair in addresses for a in pair if a})


def knot(folder, addresses, zones):
    with open(os.path.join(folder, "conf"), "w") as f:
        f.write("""server:
    rundir: %s
    listen: [%s]
    udp-workers: 1
    tcp-workers: 1
    background-workers: 2
    udp-max-payload: 1232
log:
  - target: stderr
    any: error
database:
    storage: %s
template:
  - id: default
    storage: %s
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
    semantic-checks: off
zone:
""" % (folder, ", ".join(a + "@53" for a in listens(addresses)), folder, os.path.join(os.path.dirname(folder), "zones")))
        f.writelines('  - domain: "%s"\n    file: "%szone"\n' % (z.name, z.name) for z in zones)
    return ["knotd", "-c", os.path.join(folder, "conf")]


def nsd(folder, addresses, zones):
    with open(os.path.join(folder, "conf"), "w") as f:
        f.write("""server:
 server-count: 1
%s
 username: ""
 zonesdir: "%s"
 xfrdfile: "%s/xfrd"
 zonelistfile: "%s/zonelist"
 xfrdir: "%s"
 database: ""
 pidfile: "%s/pid"
 rrl-ratelimit: 0
 tcp-count: 300
remote-control:
 control-enable: no
""" % ("\n".join(" ip-address: " + a for a in listens(addresses)), os.path.join(os.path.dirname(folder), "zones"), *[folder] * 4))
        f.writelines('zone:\n name: "%s"\n zonefile: "%szone"\n' % (z.name, z.name) for z in zones)
    return ["nsd", "-d", "-c", os.path.join(folder, "conf")]


def named(folder, addresses, zones):
    four, six = (" ".join(a + ";" for a in listens(addresses) if (":" in a) == want) for want in (False, True))
    with open(os.path.join(folder, "conf"), "w") as f:
        f.write("""options { directory "%s"; listen-on { %s }; listen-on-v6 { %s }; recursion no; pid-file none; session-keyfile none; lock-file none;
 notify no; dnssec-validation no; allow-query { any; }; tcp-clients 500; minimal-responses no; zone-statistics none; };
controls { };
""" % (os.path.join(os.path.dirname(folder), "zones"), four, six or "none;"))
        f.writelines('zone "%s" { type primary; file "%szone"; };\n' % (z.name, z.name) for z in zones)
    return ["named", "-g", "-n", "1", "-U", "1", "-c", os.path.join(folder, "conf")]


MAKES = {"knot": knot, "nsd": nsd, "named": named}


def answers(address, zone):
    reply = dns.query.udp(dns.message.make_query(zone, "SOA"), address, timeout=1)
    return reply.rcode() == dns.rcode.NOERROR and reply.answer


class World:
    def __init__(self, folder, internet, resolvers=3, seed=1):
        self.folder, self.internet, self.seed = str(folder), internet, seed
        self.places = {n: Place(self.folder, n) for n in range(plan.RESOLVER_NODE + resolvers) if n != plan.SILENT_NODE}
        self.processes, self.relay, self.lock = [], None, threading.Lock()

    def place(self, resolver):
        return self.places[plan.RESOLVER_NODE + resolver]

    def __enter__(self):
        try:
            self.write_zones()
            for p in self.places.values():
                os.makedirs(p.folder, exist_ok=True)
                p.ns.__enter__()
            self.wire()
            self.serve()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def write_zones(self):
        folder = os.path.join(self.folder, "zones")
        os.makedirs(folder)
        for z in self.internet.zones.values():
            with open(os.path.join(folder, z.name + "zone"), "w") as f:
                f.write(z.text())

    def wire(self):
        argv = [os.path.join(ask.BUILD, "tests", "system", "relay"), str(self.seed)] + [p.relay_word() for p in self.places.values()]
        self.relay = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.relay.stdout.readline() == "ready\n", "the relay does not start"
        for n, p in self.places.items():
            p.up(self.internet.addresses.get(n, []))

    def spawn(self, place, argv):
        with open(os.path.join(place.folder, "log"), "ab") as log:
            p = subprocess.Popen(place.ns.prefix + argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=place.folder)
        self.processes.append(p)

    def serve(self):
        zones = {n: [z for z in self.internet.zones.values() if n in z.nodes] for n in plan.MAKES}
        for n, make in plan.MAKES.items():
            self.spawn(self.places[n], MAKES[make](self.places[n].folder, self.internet.addresses[n], zones[n]))
        liar = self.places[plan.LIAR_NODE]
        self.spawn(liar, [sys.executable, os.path.join(HERE, "liar.py"), plan.FALSE_A, plan.address4(plan.HOST_NODES[0], 3),
                          *listens(self.internet.addresses[plan.LIAR_NODE])])
        for n, held in zones.items():
            first = next(a for a in listens(self.internet.addresses[n]) if ":" not in a)
            for z in held[::max(1, len(held) // 40)]:
                with inside(self.places[n].ns):
                    until("%s on node %d" % (z.name, n), lambda: self.alive() and serves(first, z.name), 120)

    def alive(self):
        for p in self.processes:
            assert p.poll() is None, "a server of the internet ended: %s" % p.args
        return True

    def path(self, delay_ms=0, jitter_ms=0, loss=0):
        self.say("path", "*", "*", round(delay_ms * 1000), round(jitter_ms * 1000), round(loss * 1e6), 0)

    def sent(self, resolver):
        """Packets that a resolver sent into the internet so far."""
        index = list(self.places).index(plan.RESOLVER_NODE + resolver)
        return self.say("count", index, "*")[0]

    def say(self, *words):
        with self.lock:
            self.relay.stdin.write(" ".join(map(str, words)) + "\n")
            self.relay.stdin.flush()
            return tuple(map(int, self.relay.stdout.readline().split()))

    def __exit__(self, *exc):
        for p in reversed(self.processes):
            end(p)
        if self.relay is not None:
            self.relay.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.relay.wait(5)
            self.relay.kill()
            self.relay.wait()
        for p in self.places.values():
            p.ns.__exit__()
        return False


def serves(address, zone):
    try:
        return answers(address, zone)
    except dns.exception.DNSException as e:
        raise AssertionError(str(e)) from e
