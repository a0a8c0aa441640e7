#!/usr/bin/python3
"""Torments clusters of four nodes and writes down what happened: tests/chaos/run.py [-n RUNS] [-j CLUSTERS] [-s SEED] FOLDER

Each run takes one to three faults at random, one after the other or two at the same time, while a publisher changes the
zone and readers ask every node; then everything is healed, and what the nodes end with is written down. check.py looks
for breaches in each history right after its run. A cluster is used for many runs and built anew after RUNS_OF_ONE.
Wants root. Exit code 0: no history was broken.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import check  # noqa: E402
import cluster as lab  # noqa: E402
import faults  # noqa: E402
from lib.netns import inside  # noqa: E402

import base64  # noqa: E402
import dns.exception  # noqa: E402
import dns.message  # noqa: E402
import dns.query  # noqa: E402
import dns.rcode  # noqa: E402
import dns.tsig  # noqa: E402
import dns.update  # noqa: E402

RUNS_OF_ONE = 40
CONVERGE_S = 60
CALM_S = 90  # a check that flapped is held for five of its intervals, a minute for the slowest
READ_PAUSE_S = 0.05
WRAP_SERIAL = 0xffffffff - 30


class History:
    """Events in the order of their time; several threads write."""

    def __init__(self):
        self.events, self.lock = [], threading.Lock()

    def add(self, **event):
        event.setdefault("t", time.monotonic())
        with self.lock:
            self.events.append(event)
        return event

    def write(self, path):
        with self.lock, open(path, "w") as f:
            for e in sorted(self.events, key=lambda e: e["t"]):
                f.write(json.dumps(e) + "\n")


def host_name(host):
    return "%d.0.0.10.%s" % (host + 1, lab.ZONE)


class Publisher(threading.Thread):
    """Sends version after version to p; each again and again until it is acknowledged."""

    def __init__(self, cluster, history, first):
        super().__init__(daemon=True)
        self.cluster, self.history, self.version = cluster, history, first
        self.acknowledged, self.key, self.over, self.serial = first - 1, "k1.", False, 0

    def run(self):
        with inside(self.cluster.switch):
            while not self.over:
                self.publish(self.version)
                self.version = self.acknowledged + 1
                time.sleep(random.uniform(0.01, 0.2))

    def publish(self, v):
        self.history.add(e="send", v=v)
        while not self.over:
            if self.send(v):
                self.acknowledged = v
                self.history.add(e="ack", v=v)
                return
            time.sleep(0.2)

    def send(self, v):
        key = dns.tsig.Key(self.key, base64.b64decode(lab.SECRETS[self.key]), "hmac-sha256")
        u = dns.update.Update(lab.ZONE, keyring=key)
        if self.serial:
            u.add("@", 5, "SOA", "%s hostmaster.%s %d 2 1 3600 5" % (lab.ZONE, lab.ZONE, self.serial))
        u.delete("v", "TXT")
        u.add("v", 5, "TXT", str(v))
        name = host_name(v % check.HOSTS)
        u.delete(name, "A")
        u.add(name, 5, "A", check.value_of(v))
        try:
            answer = dns.query.tcp(u, self.cluster.at("p"), port=5301, timeout=2)
        except (OSError, EOFError, dns.exception.DNSException):
            return False
        if answer.rcode() == dns.rcode.NOERROR:
            self.serial = 0
        return answer.rcode() == dns.rcode.NOERROR


def ask(address, name, kind, timeout=0.7):
    return dns.query.udp(dns.message.make_query(name, kind, use_edns=0), address, timeout=timeout)


def version_at(answer):
    """Of a TXT answer; -1: the zone is there and has no version, -2: two of them; None: it said something else."""
    if answer.rcode() == dns.rcode.NXDOMAIN or (answer.rcode() == dns.rcode.NOERROR and not answer.answer):
        return -1
    if answer.rcode() != dns.rcode.NOERROR:
        return None
    texts = [b"".join(r.strings).decode() for rrset in answer.answer for r in rrset]
    return int(texts[0]) if len(texts) == 1 else -2


def look(address, host):
    """One reading: fields of a "read" event, or None when nothing came."""
    t0 = time.monotonic()
    try:
        first = ask(address, "v." + lab.ZONE, "TXT")
        t1 = time.monotonic()
        v = version_at(first)
        if v is None:
            return {"t0": t0, "t1": t1, "rcode": dns.rcode.to_text(first.rcode())}
        a = ask(address, host_name(host), "A")
        if a.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            return {"t0": t0, "t1": time.monotonic(), "rcode": dns.rcode.to_text(a.rcode())}
        then = version_at(ask(address, "v." + lab.ZONE, "TXT"))
    except (OSError, dns.exception.DNSException, ValueError):
        return None
    values = [r.address for rrset in a.answer for r in rrset if rrset.rdtype == 1]
    return {"t0": t0, "t1": t1, "v": v, "then": then, "host": host, "value": values[0] if len(values) == 1 else
            ",".join(values) or None}


class Reader(threading.Thread):
    def __init__(self, cluster, history, name):
        super().__init__(daemon=True)
        self.cluster, self.history, self.name_of, self.over = cluster, history, name, False

    def run(self):
        rng = random.Random(self.name_of)
        with inside(self.cluster.switch):
            while not self.over:
                seen = look(self.cluster.at(self.name_of), rng.randrange(check.HOSTS))
                if seen is not None:
                    self.history.add(e="read", node=self.name_of, **seen)
                time.sleep(READ_PAUSE_S)


# --- what the health pages say ---

# What the configuration of these nodes leaves out, and their pages say all the time.
HARMLESS = ("switched off", "no test point configured", "this version does not ask")
# What is still true ten minutes after all was healed: that something was restarted.
REMEMBERED = ("process:restarts",)


def complaints(document):
    """[(key, text)] of everything that is not well."""
    found = []
    for key, checks in (document or {}).get("checks", {}).items():
        for one in checks:
            if one.get("status") not in (None, "pass"):
                found.append((key, "%s %s %s" % (key, one.get("componentId", ""), one.get("output", ""))))
    return [(key, text) for key, text in found if key not in REMEMBERED and not any(words in text for words in HARMLESS)]


class Watch(threading.Thread):
    """Looks at the pages of those who must name a fault, until they have or the time is up."""

    def __init__(self, c, history, fault, number):
        super().__init__(daemon=True)
        self.c, self.history, self.fault, self.number = c, history, fault, number
        self.open = set(fault.names)
        self.by = time.monotonic() + fault.within

    def run(self):
        with inside(self.c.switch):
            while self.open and time.monotonic() < self.by:
                for node in sorted(self.open):
                    for key, text in complaints(self.c[node].health()):
                        if any(word.lower() in text.lower() for word in self.fault.names[node]):
                            self.history.add(e="named", id=self.number, node=node, text=text[:300])
                            self.open.discard(node)
                            break
                time.sleep(0.2)


# --- one run ---

def state_of(c, name):
    """What the metrics and DNS say of the zone at one node: a "final" event without time, or None."""
    m = c[name]
    try:
        text = m.node.get("/metrics", timeout=2).text
    except OSError:
        return None
    digest = serial = None
    for line in text.splitlines():
        if line.startswith("candor_zone_digest_info{") and lab.ZONE in line:
            digest = line.split('digest="')[1].split('"')[0]
            serial = line.split('serial="')[1].split('"')[0]
    if digest is None:
        return None
    try:
        v = version_at(ask(m.address, "v." + lab.ZONE, "TXT"))
        hosts = {}
        for host in range(check.HOSTS):
            values = [r.address for rrset in ask(m.address, host_name(host), "A").answer for r in rrset if rrset.rdtype == 1]
            if values:
                hosts[str(host)] = ",".join(values)
    except (OSError, dns.exception.DNSException, ValueError):
        return None
    return {"node": name, "v": v, "serial": serial, "digest": digest, "hosts": hosts} if v is not None else None


def converge(c, history, version):
    """Waits until all nodes hold `version` in one state; what they hold then, or at the end of patience."""
    by = time.monotonic() + CONVERGE_S
    while True:
        finals = [state_of(c, n) for n in c.names]
        same = all(f is not None for f in finals) and len({(f["serial"], f["digest"], f["v"]) for f in finals}) == 1
        if (same and finals[0]["v"] == version) or time.monotonic() > by:
            break
        time.sleep(0.1)
    for f, n in zip(finals, c.names):
        history.add(e="final", **(f or {"node": n, "v": -1, "serial": None, "digest": None, "hosts": {}}))


def wait_calm(c):
    """All pages are green: the next fault's words are its own."""
    by = time.monotonic() + CALM_S
    while time.monotonic() < by:
        documents = [c[n].health() for n in c.names]
        if all(d is not None and d.get("status") in ("pass", "warn") and not complaints(d) for d in documents):
            return []
        time.sleep(0.2)
    return [(n, complaints(d)) for n, d in zip(c.names, documents) if d is None or complaints(d)]


def strike(c, rng, history, number):
    """One fault, or two at the same time, named and healed."""
    kinds = rng.sample(faults.FAULTS, 2 if rng.random() < 0.25 else 1)
    struck = [k(c, rng) for k in kinds]
    if len(struck) == 2:  # what each of two must say can be hidden by the other: they only must do no harm
        for f in struck:
            f.names = {}
    watches = []
    for i, f in enumerate(struck):
        f.begin()
        history.add(e="fault", id=number + i, kind=type(f).__name__, on=f.on, names=sorted(f.names), within=f.within)
        watches.append(Watch(c, history, f, number + i))
        watches[-1].start()
    time.sleep(max(rng.uniform(*f.hold_s) for f in struck))
    for w in watches:
        w.join()
    for i, f in reversed(list(enumerate(struck))):
        f.end()
        history.add(e="over", id=number + i)
    return "+".join(type(f).__name__ for f in struck)


def one_run(c, rng, first, path):
    """Returns (breaches, the last version, what was done)."""
    history = History()
    readers = [Reader(c, history, n) for n in c.names]
    c.publisher = Publisher(c, history, first)
    if first == 1 and rng.random() < 0.5:
        c.publisher.serial = WRAP_SERIAL
    # What was acknowledged before this run was sent before it.
    for v in range(max(1, first - 400), first):
        history.add(e="send", v=v, t=0.0)
    for t in [c.publisher, *readers]:
        t.start()
    done = []
    try:
        for n in range(rng.randrange(1, 3)):
            done.append(strike(c, rng, history, n * 10))
    finally:
        c.publisher.over = True
        c.publisher.join()
    with inside(c.switch):
        c.publisher.over = False
        c.publisher.key = "k1."
        if c.publisher.acknowledged < c.publisher.version:  # one more in the end, whatever became of the last
            deadline = threading.Timer(CONVERGE_S, lambda: setattr(c.publisher, "over", True))
            deadline.start()
            c.publisher.publish(c.publisher.version)
            deadline.cancel()
        converge(c, history, c.publisher.acknowledged)
        for r in readers:
            r.over = True
        for r in readers:
            r.join()
        left = wait_calm(c)
    history.write(path)
    found = list(check.check(history.events))
    if left:
        found.append(("uncalm", "long after everything was healed: %s" % left))
    return found, c.publisher.acknowledged + 1, done


def clusters(number, runs, seed, folder, say):
    """A worker: runs on clusters of its own; returns how many were broken."""
    broken = done = 0
    while done < runs:
        rng = random.Random("%s/%d/%d" % (seed, number, done))
        place = os.path.join(folder, "c%d-%d" % (number, done))
        with lab.Cluster(place, number) as c:
            with inside(c.switch):
                left = wait_calm_at_start(c)
            assert not left, "the cluster never became calm: %s\n%s" % (left, c.logs())
            first = 1
            for _ in range(min(RUNS_OF_ONE, runs - done)):
                path = os.path.join(folder, "history-%d-%d" % (number, done))
                started = time.monotonic()
                found, first, what = one_run(c, rng, first, path)
                say("run %d.%d: %s: %s (%.0f s)" % (number, done, ", ".join(what), "ok" if not found else "BROKEN",
                                                   time.monotonic() - started))
                for kind, how in found:
                    say("    %s: %s" % (kind, how))
                if found:
                    with open(path + ".logs", "w") as f:
                        f.write(c.logs())
                else:
                    os.unlink(path)
                broken += bool(found)
                done += 1
                if any(kind == "uncalm" for kind, how in found):
                    break
    return broken


def wait_calm_at_start(c):
    """Before anything was published the secondaries have nothing: the first version comes first."""
    history = History()
    c.publisher = Publisher(c, history, 0)
    by = time.monotonic() + CONVERGE_S
    while time.monotonic() < by and not c.publisher.send(0):
        time.sleep(0.2)
    return wait_calm(c)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("-n", type=int, default=20, help="runs of each cluster")
    p.add_argument("-j", type=int, default=1, help="clusters at the same time")
    p.add_argument("-s", default=str(time.time()), help="seed")
    p.add_argument("folder")
    o = p.parse_args()
    os.makedirs(o.folder, exist_ok=True)
    lock, results = threading.Lock(), {}

    def say(text):
        with lock:
            print(text, flush=True)

    if o.j == 1:
        broken = clusters(int(os.environ.get("CHAOS_NUMBER", "0")), o.n, o.s, o.folder, say)
    else:  # processes: namespaces are entered by threads, and Python has one lock
        children = [subprocess.Popen([sys.executable, os.path.abspath(__file__), "-n", str(o.n), "-s", "%s/%d" % (o.s, k),
                                      os.path.join(o.folder, str(k))], env=dict(os.environ, CHAOS_NUMBER=str(k)))
                    for k in range(o.j)]
        for k, child in enumerate(children):
            results[k] = child.wait()
        broken = sum(r != 0 for r in results.values())
    say("seed %s: %d runs, %s" % (o.s, o.n * o.j, "none broken" if not broken else "%d broken" % broken))
    return 1 if broken else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception:
        traceback.print_exc()
        sys.exit(2)
