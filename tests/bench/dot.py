#!/usr/bin/python3
"""DNS over TLS for clients beside unbound's: CPU time of a query on kept sessions, and of a session.

    tests/bench/dot.py [--reps N] [--seconds N] [--sessions N]

Queries: Debian's dnsperf over so many sessions, 1,000 names from the cache, 100 on their way at a time. Sessions: openssl s_time
opens one after the other, each with a handshake of its own (P-256, TLS 1.3), and asks nothing."""
import argparse
import contextlib
import os
import pathlib
import re
import shutil
import subprocess

import peers
from lib.certs import Authority
from lib.node import free_port, until
from lib.upstream import Upstream

NAME = "dot.example"


@contextlib.contextmanager
def unbound(folder, upstream, certificate, key):
    """As peers.unbound, over TLS."""
    port, plain, conf = free_port(), free_port(), os.path.join(str(folder), "dot.conf")
    host, _, uport = upstream.partition("@")
    with open(conf, "w") as f:
        f.write("""server:
 username: ""
 chroot: ""
 directory: "%s"
 pidfile: ""
 use-syslog: no
 interface: 127.0.0.1@%d
 interface: 127.0.0.1@%d
 tls-port: %d
 tls-service-pem: "%s"
 tls-service-key: "%s"
 do-not-query-localhost: no
 num-threads: 1
 incoming-num-tcp: 1000
 module-config: "iterator"
 msg-cache-size: 64m
 rrset-cache-size: 128m
 minimal-responses: yes
 do-daemonize: no
remote-control:
 control-enable: no
forward-zone:
 name: "."
 forward-addr: %s@%s
""" % (folder, port, plain, port, certificate, key, host, uport))
    p = subprocess.Popen([shutil.which("unbound") or "/usr/sbin/unbound", "-d", "-c", conf], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        s = peers.Server("unbound", "127.0.0.1@%d" % plain, [p.pid])
        until("unbound", lambda: peers.ask.ask(s.address, ["n0.example.com. A"], timeout_ms=500, sockets=1)[0].took_us >= 0, 30)
        s.tls_port = port
        yield s.pin()
    finally:
        p.terminate()
        p.wait()


def client(*argv):
    p = subprocess.run(["taskset", "-c", str(peers.CLIENT_CPU), *map(str, argv)], capture_output=True, text=True, check=False)
    return p.stdout + p.stderr


def queries(server, names, sessions, seconds):
    out = client("dnsperf", "-m", "dot", "-s", "127.0.0.1", "-p", server.tls_port, "-d", names, "-c", sessions, "-T", 1, "-q", 100, "-l", seconds)
    done, lost = (int(re.search(r"Queries %s:\s+(\d+)" % w, out).group(1)) for w in ("completed", "lost"))
    return done, lost, float(re.search(r"Queries per second:\s+([\d.]+)", out).group(1))


def handshakes(server, seconds):
    out = client("openssl", "s_time", "-connect", "127.0.0.1:%d" % server.tls_port, "-new", "-time", seconds)
    return int(re.search(r"(\d+) connections in [\d.]+ real seconds", out).group(1))


def measured(server, run):
    cpu = peers.Cpu(server.pids)
    u0, k0 = cpu.read()
    count, *more = run()
    u1, k1 = cpu.read()
    assert count > 0, server.name
    return ((u1 - u0) * 1e6 / count, (k1 - k0) * 1e6 / count, *more)


def say(title, rows, reps, what):
    print("\n### %s\n\n%s" % (title, what))
    base = [u + k for u, k, *_ in rows["unbound"]]
    print("| server | CPU us, user | system | all | against unbound |\n|---|---|---|---|---|")
    for name, runs in rows.items():
        total = [u + k for u, k, *_ in runs]
        print("| %s | %s | %s | %s | %s |" % (name, peers.spread([r[0] for r in runs]), peers.spread([r[1] for r in runs]), peers.spread(total),
                                             peers.spread([t / b for t, b in zip(total, base)])))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--reps", type=int, default=5)
    p.add_argument("--seconds", type=int, default=2)
    p.add_argument("--sessions", type=int, default=20)
    a = p.parse_args()
    print("%s; load on one CPU, the server on the other, medians (min-max) of %d runs of %d s" % (peers.machine(), a.reps, a.seconds))
    with peers.scratch() as d, contextlib.ExitStack() as stack:
        d = pathlib.Path(d)
        certificate, key = Authority(d / "certs").issue(NAME)
        hosts = ["n%d.example.com." % i for i in range(1000)]
        (d / "names").write_text("".join(h + " A\n" for h in hosts))
        up = stack.enter_context(Upstream({h + " A": ["192.0.2.1"] for h in hosts}, ttl=86400))
        theirs = stack.enter_context(unbound(d, up.address, certificate, key))
        port, plain = free_port(), free_port()
        config = {"resolver": {"workers": 1, "tls": {"certificate": certificate, "key": key}, "forward": [{"zone": ".", "to": [up.address]}],
                               "listen": [{"address": "127.0.0.1@%d" % plain}, {"address": "127.0.0.1@%d" % port, "tls": True}]}, "health": peers.QUIET}
        ours, node = stack.enter_context(peers.candor(d / "node", config))
        ours.address, ours.tls_port = "127.0.0.1@%d" % plain, port
        asked, opened = {"candor": [], "unbound": []}, {"candor": [], "unbound": []}
        for s in (ours, theirs):
            peers.ask.ask(s.address, [h + " A" for h in hosts], window=20)
        for _ in range(a.reps):
            for s in (ours, theirs):
                asked[s.name].append(measured(s, lambda s=s: queries(s, d / "names", a.sessions, a.seconds)))
                opened[s.name].append(measured(s, lambda s=s: (handshakes(s, a.seconds),)))
        say("A query over %d sessions" % a.sessions, asked, a.reps,
            "Queries a second (dnsperf is the bound): %s; lost: %s.\n" % tuple(
                ", ".join("%s %s" % (n, form(r)) for n, r in asked.items())
                for form in (lambda r: peers.spread([x[3] for x in r], "%.0f"), lambda r: sum(x[2] for x in r))))
        say("A session", opened, a.reps, "One after the other, from one client.\n")


if __name__ == "__main__":
    main()
