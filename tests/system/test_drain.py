"""When clients should come here, as HAProxy, BIRD, ExaBGP and keepalived are told it, each of them Debian's own and running."""
# time bound: 300 s
# mostly waits
import contextlib
import os
import re
import socket
import subprocess

from lib.ask import BUILD
from lib.netns import Namespace
from lib.node import Node, free_port, until
from lib.programs import running

CONF = os.path.join(os.path.dirname(__file__), "..", "..", "conf", "examples")
TICKS = {"local": "500ms", "upstream": "1500ms", "zones": "3s", "peers": "500ms", "push": "1500ms"}
ROUTE = "192.0.2.53/32"


def node(folder, drain=None, agent=None, prefix=()):
    health = {"interval": TICKS, "canary": {"cached": "", "uncached-under": "", "nxdomain-under": ""}, "heal": {"restart-hung": False},
              "drain": dict({"hold-down": "1s"}, **(drain or {}))}
    if agent:
        health["agent-check"] = ["127.0.0.1@%d" % agent]
    return Node(folder / "node", {"health": health}, prefix=prefix)


def ask_agent(port):
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        return s.makefile().read()


@contextlib.contextmanager
def hung(n):
    """The resolver and its workers stand still; `heal` is off, so they stay so."""
    stopped = [n.daemon("resolver")] + n.workers()
    for p in stopped:
        p.suspend()
    try:
        yield
    finally:
        for p in stopped:
            p.resume()


def test_agent_check_and_haproxy(tmp_path):
    agent = free_port()
    with node(tmp_path, agent=agent) as n:
        until("it is up", lambda: ask_agent(agent) == "up ready\n", 20)
        stats = str(tmp_path / "haproxy.sock")
        text = open(os.path.join(CONF, "haproxy.cfg"), encoding="utf8").read()
        text = text.replace("global\n", "global\n    stats socket %s mode 600\n" % stats)
        text = text.replace("127.0.0.1:5353", "127.0.0.1:%d" % free_port())
        text = re.sub(r"192\.0\.2\.10:53 check agent-check agent-port 5399 agent-inter 2s",
                      "127.0.0.1:%d agent-check agent-port %d agent-inter 200ms" % (n.dns_port, agent), text)
        text = re.sub(r"    server scan2 .*\n", "", text)
        (tmp_path / "haproxy.cfg").write_text(text)

        def status():
            s = socket.socket(socket.AF_UNIX)
            with s:
                s.connect(stats)
                s.sendall(b"show stat\n")
                rows = s.makefile().read().splitlines()
            head = rows[0].lstrip("# ").split(",")
            row = next(r for r in rows if r.startswith("candor,scan1,")).split(",")
            return row[head.index("status")]

        with running(["haproxy", "-db", "-f", str(tmp_path / "haproxy.cfg")], tmp_path / "haproxy.log"):
            until("haproxy has it up", lambda: os.path.exists(stats) and status() in ("UP", "no check"), 20)
            with hung(n):
                until("the agent drains", lambda: ask_agent(agent).startswith("drain #"), 10)
                until("haproxy drains it", lambda: "DRAIN" in status(), 10)
                assert n.candor("drain", check=False).returncode == 1
            until("haproxy has it up again", lambda: status() in ("UP", "no check"), 20)
            assert n.candor("drain", "status").stdout.startswith("serve")
            # Who would have to say it stands still: nobody vouches for the node, whatever was said last.
            n.supervisor().suspend()
            n.daemon("health").suspend()
            until("the command says so", lambda: n.candor("drain", check=False).returncode == 2, 10)
            n.daemon("health").resume()
            n.supervisor().resume()
            until("well again", lambda: ask_agent(agent) == "up ready\n", 20)


def test_routes_for_bird(tmp_path):
    with Namespace() as ns:
        script, sock, routes = tmp_path / "configure", tmp_path / "bird.ctl", tmp_path / "routes.conf"
        script.write_text("#!/bin/sh\nexec birdc -s %s configure\n" % sock)
        script.chmod(0o755)
        text = open(os.path.join(CONF, "bird.conf"), encoding="utf8").read().replace("/run/candor/routes.conf", str(routes))
        (tmp_path / "bird.conf").write_text(text)
        n = node(tmp_path, {"route-file": str(routes), "routes": [ROUTE, "2001:db8::53/128"], "command": str(script)}, prefix=ns.prefix)

        def shown():
            p = subprocess.run(ns.prefix + ["birdc", "-s", str(sock), "show", "route", "all"], capture_output=True, text=True)
            return ROUTE in p.stdout and "2001:db8::53/128" in p.stdout

        n.start(ready=False)
        try:
            until("the file is there", routes.exists, 20)
            ns.run("bird", "-p", "-c", str(tmp_path / "bird.conf"))
            with running(ns.prefix + ["bird", "-f", "-c", str(tmp_path / "bird.conf"), "-s", str(sock)], tmp_path / "bird.log"):
                n.wait_ready()
                until("BIRD has the routes", shown, 20)
                with hung(n):
                    until("BIRD has withdrawn them", lambda: not shown(), 20)
                until("they are back", shown, 20)
                n.supervisor().terminate()
                until("a node that ends takes them along", lambda: not shown(), 20)
        finally:
            n.__exit__(None, None, None)


def test_exabgp_announces_to_a_router(tmp_path):
    """Two programs between the verdict and the router: ExaBGP runs `candor drain watch`, BIRD is its neighbour."""
    with Namespace() as ns:
        sock = tmp_path / "bird.ctl"
        (tmp_path / "bird.conf").write_text("""
router id 127.0.0.1;
protocol device { }
protocol bgp exabgp { local 127.0.0.1 port 1790 as 64513; neighbor 127.0.0.2 as 64512; multihop; passive;
    ipv4 { import all; export none; }; }
""")
        n = node(tmp_path, {"routes": [ROUTE], "format": "exabgp"}, prefix=ns.prefix)
        text = open(os.path.join(CONF, "exabgp.conf"), encoding="utf8").read()
        text = text.replace("/usr/local/bin/candor drain watch -c /etc/candor/candor.yaml", "%s/candor drain watch -c %s" % (BUILD, n.path))
        text = text.replace("192.0.2.10", "127.0.0.2").replace("neighbor 192.0.2.1", "neighbor 127.0.0.1")
        (tmp_path / "exabgp.conf").write_text(text)
        env = dict(os.environ, exabgp_tcp_port="1790", exabgp_daemon_drop="false", exabgp_daemon_user="root", exabgp_api_cli="false",
                   exabgp_log_destination="stdout")

        def shown():
            p = subprocess.run(ns.prefix + ["birdc", "-s", str(sock), "show", "route"], capture_output=True, text=True)
            return ROUTE in p.stdout

        with n, running(ns.prefix + ["bird", "-f", "-c", str(tmp_path / "bird.conf"), "-s", str(sock)], tmp_path / "bird.log"), \
                running(ns.prefix + ["exabgp", str(tmp_path / "exabgp.conf")], tmp_path / "exabgp.log", env=env):
            try:
                until("announced", shown, 40)
                with hung(n):
                    until("withdrawn", lambda: not shown(), 20)
                until("announced again", shown, 20)
            except AssertionError:
                print((tmp_path / "exabgp.log").read_text()[-3000:])
                raise


def test_keepalived_moves_the_address(tmp_path):
    text = open(os.path.join(CONF, "keepalived.conf"), encoding="utf8").read()
    with Namespace() as ns:
        ns.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "other")
        for link in ("eth0", "other"):
            ns.run("ip", "link", "set", link, "up")
        ns.run("ip", "address", "add", "192.0.2.10/24", "dev", "eth0")
        n = node(tmp_path, prefix=ns.prefix)
        text = text.replace("/usr/local/bin/candor", BUILD + "/candor").replace("/etc/candor/candor.yaml", n.path)
        text = text.replace("interval 2", "interval 1")
        (tmp_path / "keepalived.conf").write_text(text)
        ns.run("keepalived", "--config-test=" + str(tmp_path / "keepalived.log"), "-f", str(tmp_path / "keepalived.conf"))

        def here():
            return ROUTE in ns.run("ip", "-o", "address", "show", "dev", "eth0").stdout

        with n, running(ns.prefix + ["keepalived", "-n", "-l", "-f", str(tmp_path / "keepalived.conf"), "-p", str(tmp_path / "pid"),
                                     "-r", str(tmp_path / "vrrp.pid")], tmp_path / "keepalived.log"):
            until("the address is here", here, 30)
            with hung(n):
                until("the address has gone", lambda: not here(), 20)
            until("it is back", here, 30)


def test_without_candor_health_the_routes_go(tmp_path):
    """One that died and comes back at once changes nothing for clients; one that stays away takes the routes along."""
    routes = tmp_path / "routes.conf"
    with node(tmp_path, {"route-file": str(routes), "routes": [ROUTE]}) as n:
        until("the route is there", lambda: ROUTE in routes.read_text(), 20)
        first = n.daemon("health").pid
        n.daemon("health").kill()
        until("another one", lambda: [p for p in n.children("candor-health") if p.pid != first], 20)
        n.wait_ready()
        until("it vouches", lambda: n.candor("drain", check=False).returncode == 0, 20)
        assert n.log().count("clients are sent elsewhere") == 0 and ROUTE in routes.read_text()

        def away():
            for p in n.children("candor-health"):
                p.kill()
            return "stays away for now" in n.log() and ROUTE not in routes.read_text()
        until("it stays away, and the route has gone", away, 40)
        until("it comes back", lambda: ROUTE in routes.read_text(), 60)


def test_nobody_vouches_for_a_node_that_is_not_there(tmp_path):
    n = node(tmp_path)
    p = n.candor("drain", check=False)
    assert p.returncode == 2 and "nobody vouches" in p.stdout
    assert n.candor("drain", "watch", check=False).returncode == 2  # nothing to announce
    assert n.candor("drain", "sideways", check=False).returncode == 3

