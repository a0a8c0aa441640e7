"""candor rbldnsd: one command line given to Debian's rbldnsd and to Candor, and the same answers from both."""
# time bound: 600 s
import contextlib
import gzip
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import dns.flags
import dns.message
import dns.query
import dns.rdatatype
import psutil
import pytest
import requests

from lib.ask import BUILD, ask
from lib.node import free_port, until

CANDOR = os.path.join(BUILD, "candor")

FILES = {
    # Addresses in the ways that the lists of the world write them.
    "dialup": """$SOA 3000 ns1.bl.test. hostmaster.bl.test. 2026112201 1h 10m 5d 30s
$NS 1d ns1.bl.test. ns2.bl.test. -ns3.bl.test.
:127.0.0.10:Dynamic address $, see https://bl.test/dul?ip=$
10.1/16
10.2.0.0-10.2.3.255
10.3.16-31
!10.1.2.3
!10.1.77
10.9.9.9 :4:
10.9.9.10 only a text for $
127.0.0.2
""",
    "proxies": """$TTL 600
$1 Open proxy $
$2 https://bl.test/p?$
:2:$1, $2
192.0.2.5
192.0.2.6 :3
192.0.2.7 :5:=bare text about $$ and $
$= See $= or ask
192.0.2.8 about r123
192.0.2.5 :6:second
# 192.0.2.9
192.0.2.10 ; a comment
""",
    "single": ":127.0.0.5:one of many: $\n198.51.100.1\n198.51.100.77\n10.1.2.3\n",
    "routes": "$MAXRANGE4 /16\n:7:routed $\n0/0\n203.0/16\n203.0.113.0/24 :8:doc\n!203.0.113.128/25\n203.0.113.200 :9:inside $\n",
    "six": ":127.0.1.2:Six $\n2001:db8::/32\n!2001:db8:bad::/48\n2001:db8:bad:1::1 :9:$ again\n::1\n2001:21ab:def7:4242 :3: smells\n",
    "six64": ":2:net of $\n2001:db8:1:2\nabac:adab:ad00:42f\n!abac:adab:ad00:42f::2\n",
    "domains": "$TTL 120\n:127.0.1.5:$ phishes\nbad.example\n.worse.example :6:$ and all below\n*.sub.example\n!good.worse.example\n*.good.worse.example\n"
               "xn--bcher-kva.example :2:$\nbad.example :7:twice\nTEST\n",
    "web": "@ A 192.0.2.80\n@ MX 10 mx.bl.test\nwww 3000 A 192.0.2.80\nabout TXT \"a list\"\nwww TXT see about\n",
    "combi": """$SOA 300 ns1.bl.test. h.bl.test. 5 1h 10m 5d 1m
$NS 1d ns1.bl.test.
$DATASET ip4set:proxy proxies @
:2:Open proxy $
127.0.0.2
172.16.0.10
$DATASET ip4trie:relay relays @
:3:Open relay $
127.0.0.2
172.17.0.0/24
$DATASET dnset:hosts relays
:9:host $
.mail.example
$DATASET generic:common proxies relays @
www A 127.0.0.8
@ MX 10 mx.bl.test
""",
    "who": "127.0.0.1 :pass\n127.0.0.0/8 :refuse\n127.0.0.3 :empty\n127.0.0.4 :127.0.0.255:you ask too much, $\n",
}
SPECS = ["dul.bl.test:ip4set:dialup", "proxies.bl.test:ip4set:proxies", "all.bl.test:ip4set:dialup,proxies", "all.bl.test:ip4tset:single",
         "all.bl.test:generic:web", "routes.bl.test:ip4trie:routes", "six.bl.test:ip6trie:six", "six64.bl.test:ip6tset:six64",
         "Domains.bl.test.:dnset:domains", "combi.test:combined:combi", "all.bl.test:acl:who"]
V4 = ["10.1.0.0", "10.1.2.3", "10.1.77.1", "10.1.255.255", "10.2.0.0", "10.2.3.255", "10.2.4.0", "10.3.15.255", "10.3.16.0", "10.3.31.9", "10.9.9.9",
      "10.9.9.10", "127.0.0.1", "127.0.0.2", "192.0.2.5", "192.0.2.6", "192.0.2.7", "192.0.2.8", "192.0.2.9", "192.0.2.10", "198.51.100.1",
      "198.51.100.77", "198.51.100.78", "203.0.1.1", "203.0.113.1", "203.0.113.129", "203.0.113.200", "8.8.8.8", "172.16.0.10", "172.17.0.200"]
V6 = ["2001:db8::1", "2001:db8:bad::1", "2001:db8:bad:1::1", "::1", "2001:21ab:def7:4242::9", "2001:db8:1:2::3", "2001:db8:1:3::3",
      "abac:adab:ad00:42f::1", "abac:adab:ad00:42f::2", "2620::1"]
NAMES = ["bad.example", "www.bad.example", "worse.example", "a.b.worse.example", "good.worse.example", "x.good.worse.example", "sub.example",
         "a.sub.example", "xn--bcher-kva.example", "test", "mail.example", "www.mail.example", "nowhere.example", "www", "about"]


def questions():
    import ipaddress
    out = []
    for zone in ["dul.bl.test", "proxies.bl.test", "all.bl.test", "routes.bl.test", "combi.test", "proxies.combi.test", "relays.combi.test"]:
        out += ["%s.%s" % (".".join(reversed(a.split("."))), zone) for a in V4]
    for zone in ["six.bl.test", "six64.bl.test"]:
        out += ["%s.%s" % (".".join(reversed(ipaddress.ip_address(a).exploded.replace(":", ""))), zone) for a in V6]
    for zone in ["domains.bl.test", "all.bl.test", "relays.combi.test"]:
        out += ["%s.%s" % (n, zone) for n in NAMES]
    q = ["%s. %s" % (name, t) for name in out for t in ("A", "TXT")]
    q += ["%s. %s" % (z, t) for z in ("dul.bl.test", "combi.test") for t in ("SOA", "NS")]
    q += ["%s. %s" % (z, t) for z in ("all.bl.test", "combi.test", "www.all.bl.test", "relays.combi.test") for t in ("A", "MX", "TXT")]
    return q + ["www.example. A", "example. SOA", "bl.test. A"]


def answers(server, listed):
    out, left = {}, listed
    for _ in range(5):
        got = ask(server, left, window=20, timeout_ms=1500)
        out.update({a.question: (a.rcode, sorted(set(a.answers))) for a in got if a.took_us >= 0})
        left = [q for q in listed if q not in out]
        if not left:
            return out
    raise AssertionError("no answer from %s: %s" % (server, left[:5]))


def compare(theirs, ours):
    """Empty non-terminals, and a name of ours that has no such type, are NODATA: the one difference that is meant."""
    wrong = {q: (theirs[q], ours[q]) for q in theirs
             if theirs[q] != ours[q] and not (theirs[q] == ("NXDOMAIN", []) and ours[q] == ("NOERROR", []))}
    assert not wrong, "%d differ: %s" % (len(wrong), list(wrong.items())[:5])


@pytest.fixture
def tmp_path():
    """Where everybody may go in: rbldnsd and candor give root up before they read, and a checkout may lie in root's own folder."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="candor-dropin-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def lists(tmp_path):
    folder = tmp_path / "lists"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


@contextlib.contextmanager
def running(argv, folder, port, log, **env):
    with open(log, "ab") as f:
        p = subprocess.Popen(argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=f, stderr=f, env={**os.environ, **env})
    try:
        yield p
    finally:
        family = psutil.Process(p.pid).children(recursive=True) if p.poll() is None else []
        p.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            p.wait(15)
        for c in family:
            with contextlib.suppress(psutil.Error):
                c.kill()
        p.kill()
        p.wait()


def line(port, *more, specs=SPECS):
    return ["-n", "-q", "-c", "2", "-b", "127.0.0.1/%d" % port, "-t", "1000:60:2d", *more, *specs]


def ready(p, log):
    def look():
        text = open(log, errors="replace").read()
        assert p.poll() is None, text[-3000:]
        return "candor: ready" in text
    until("ready", look)


@contextlib.contextmanager
def candor(tmp_path, folder, args, name="candor", **env):
    log = tmp_path / (name + ".log")
    env.setdefault("STATE_DIRECTORY", str(tmp_path / "state"))
    os.makedirs(env["STATE_DIRECTORY"], exist_ok=True)
    start = log.stat().st_size if log.exists() else 0
    port = int(re.search(r"/(\d+)", " ".join(args)).group(1))
    with running([CANDOR, "rbldnsd", *args], folder, port, log, RUNTIME_DIRECTORY=str(tmp_path / "run"), **env) as p:
        p.log = lambda: open(log, errors="replace").read()[start:]
        def look():
            assert p.poll() is None, p.log()[-3000:]
            return "candor: ready" in p.log()
        until("ready", look)
        p.address = "127.0.0.1@%d" % port
        yield p


@contextlib.contextmanager
def debian(tmp_path, folder, args):
    port = int(re.search(r"/(\d+)", " ".join(args)).group(1))
    with running(["/usr/sbin/rbldnsd", *args], folder, port, tmp_path / "rbldnsd.log") as p:
        until("rbldnsd answers", lambda: p.poll() is not None or ask("127.0.0.1@%d" % port, ["dul.bl.test. SOA"], timeout_ms=200, sockets=1)[0].took_us >= 0)
        assert p.poll() is None, open(tmp_path / "rbldnsd.log").read()
        yield "127.0.0.1@%d" % port


def test_the_same_line_gives_the_same_answers(lists, tmp_path):
    with debian(tmp_path, lists, line(free_port())) as theirs, candor(tmp_path, lists, line(free_port())) as ours:
        there = answers(theirs, questions())
        assert sum(bool(a) for _, a in there.values()) > 100 and ("REFUSED", []) in there.values()
        compare(there, answers(ours.address, questions()))
        assert "-c: " in ours.log() and ours.log().count("candor rbldnsd: -c: ") == 1, "said once"
        # SIGHUP rereads; so does the watch, here and there.
        for name, text in FILES.items():
            (lists / name).write_text(text.replace("10.1/16", "10.1/17").replace("phishes", "phished").replace("192.0.2.6 :3", "192.0.2.6 :4").replace("2026112201", "2026112205"))
            os.utime(lists / name, (time.time() - 30, time.time() - 30))  # rbldnsd looks at whole seconds
        ours.send_signal(signal.SIGHUP)
        until("new data", lambda: ask(ours.address, ["1.200.1.10.dul.bl.test. A"])[0].rcode == "NXDOMAIN", 10)
        until("new data there", lambda: ask(theirs, ["1.200.1.10.dul.bl.test. A"])[0].rcode == "NXDOMAIN", 10)
        until("the same", lambda: compare(answers(theirs, questions()), answers(ours.address, questions())) is None, 10)
        ours.send_signal(signal.SIGUSR1)
        until("traffic in the log", lambda: re.search(r"msg=traffic queries=\d{3}", ours.log()), 10)
        ours.send_signal(signal.SIGUSR2)
        until("twice", lambda: ours.log().count("msg=traffic") == 2, 10)
        ours.send_signal(signal.SIGUSR1)
        until("counted anew", lambda: ours.log().count("msg=traffic") == 3, 10)
        assert int(re.findall(r"msg=traffic queries=(\d+)", ours.log())[2]) < int(re.findall(r"msg=traffic queries=(\d+)", ours.log())[1])
        ours.send_signal(signal.SIGTERM)
        assert ours.wait(15) == 0


def servers_beside(server, question):
    """The NS that stand in the authority section of the answer to a question."""
    name, rdtype = question.split()
    host, port = server.split("@")
    r = dns.message.make_query(name, rdtype, use_edns=0)
    r = dns.query.udp(r, host, port=int(port), timeout=5)
    assert not r.flags & dns.flags.TC
    return sorted(x.to_text() for rrset in r.authority if rrset.rdtype == dns.rdatatype.NS for x in rrset)


def test_servers_beside_answers(lists, tmp_path):
    """-A: answers name the zone's servers; -a, here the default too: they do not."""
    asked = ["2.0.0.127.dul.bl.test. A", "2.0.0.127.dul.bl.test. TXT", "2.0.0.127.combi.test. A", "dul.bl.test. SOA"]
    with debian(tmp_path, lists, line(free_port(), "-A")) as theirs, candor(tmp_path, lists, line(free_port(), "-A")) as ours:
        there = [servers_beside(theirs, q) for q in asked]
        assert any(there) and there == [servers_beside(ours.address, q) for q in asked]
        assert servers_beside(ours.address, "9.9.9.9.dul.bl.test. A") == []  # SOA is what belongs there
        assert servers_beside(ours.address, "dul.bl.test. NS") == []  # rbldnsd says them twice
    with candor(tmp_path, lists, line(free_port(), "-a")) as ours:
        assert not any(servers_beside(ours.address, q) for q in asked)


def test_work_folder_options_in_one_word_and_gzip(lists, tmp_path):
    with open(lists / "dialup", "rb") as f, gzip.open(lists / "dialup.gz", "wb") as to:
        shutil.copyfileobj(f, to)
    os.chmod(lists / "dialup.gz", 0o644)
    args = ["-nqa", "-b127.0.0.1/%d" % free_port(), "-w", str(lists), "dul.bl.test:ip4set:dialup.gz"]
    theirs_args = [a.replace(args[1].split("/")[1], str(free_port())) if a.startswith("-b") else a for a in args]
    asked = [q for q in questions() if "dul.bl.test" in q]
    with debian(tmp_path, "/", theirs_args) as theirs, candor(tmp_path, "/", args) as ours:
        compare(answers(theirs, asked), answers(ours.address, asked))
    # -r: the folder that is the root for the paths.
    args = ["-nq", "-b", "127.0.0.1/%d" % free_port(), "-r", str(tmp_path), "-w", "/lists", "dul.bl.test:ip4set:dialup,/lists/single"]
    with candor(tmp_path, "/", args, "root") as ours:
        assert ask(ours.address, ["1.100.51.198.dul.bl.test. A", "1.1.1.10.dul.bl.test. A"])[1].answers


def test_networks_that_are_written_as_addresses(lists, tmp_path):
    """-e; without it such lines are skipped, there and here."""
    (lists / "loose4").write_text("10.1.2.3/24\n10.4.5/16 :3:x\n!10.4.6.7/25\n11.5.6-7\n")
    (lists / "loose6").write_text("2001:db8::1/64\n2001:db9::5/32\n!2001:db9:1::1/48\n")
    specs = ["dul.bl.test:ip4set:loose4", "proxies.bl.test:ip4trie:loose4", "six.bl.test:ip6trie:loose6"]
    asked = ["%s.%s.bl.test. A" % (".".join(reversed(a.split("."))), z) for z in ("dul", "proxies") for a in
             ("10.1.2.9", "10.4.5.1", "10.4.200.1", "10.4.6.1", "10.4.6.200", "11.5.6.1", "11.5.8.1")]
    asked += ["%s.six.bl.test. A" % ".".join(reversed(a)) for a in ("20010db8" + "0" * 23 + "9", "20010db9" + "0" * 24, "20010db90001" + "0" * 20)]
    for more in ([], ["-e"]):
        with debian(tmp_path, lists, line(free_port(), *more, specs=specs)) as theirs, \
                candor(tmp_path, lists, line(free_port(), *more, specs=specs), "e" + "".join(more), STATE_DIRECTORY=str(tmp_path / ("s" + "".join(more)))) as ours:
            there = answers(theirs, asked)
            assert sum(bool(a) for _, a in there.values()) > (8 if more else 0)
            compare(there, answers(ours.address, asked))


def ended(daemon):
    """Gone, or a zombie that whoever runs the tests has inherited and not buried yet."""
    try:
        return daemon.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_an_acl_for_all_zones(lists, tmp_path):
    (lists / "closed").write_text("127.0.0.0/8 :refuse\n")
    specs = ["dul.bl.test:ip4set:dialup", "six.bl.test:ip6trie:six", ":acl:closed"]
    q = ["2.0.0.127.dul.bl.test. A", "%s.six.bl.test. A" % ".".join(reversed("0" * 31 + "1")), "dul.bl.test. SOA"]
    port, log = free_port(), tmp_path / "log"
    env = {"STATE_DIRECTORY": str(tmp_path / "state"), "RUNTIME_DIRECTORY": str(tmp_path / "run")}
    (tmp_path / "state").mkdir()
    # Its own questions are refused, too: it is never ready, and answers as rbldnsd does.
    with debian(tmp_path, lists, line(free_port(), specs=specs)) as theirs:
        there = answers(theirs, q)
        assert there[q[0]][0] == "REFUSED"
        with running([CANDOR, "rbldnsd", *line(port, specs=specs)], lists, port, log, **env) as ours:
            until("the same", lambda: compare(there, answers("127.0.0.1@%d" % port, q)) is None, 20)
            ours.terminate()
            assert ours.wait(15) == 0
        background = [a for a in line(port, "-p", str(tmp_path / "pid"), specs=specs) if a not in ("-n", "-q")]
        p = subprocess.run([CANDOR, "rbldnsd", *background], cwd=lists, env={**os.environ, **env}, capture_output=True, text=True, timeout=60)
        daemon = psutil.Process(int((tmp_path / "pid").read_text()))
        try:
            assert p.returncode == 0, p
            compare(there, answers("127.0.0.1@%d" % port, q))
        finally:
            daemon.terminate()
            until("its end", lambda: ended(daemon), 15)


def test_the_printed_configuration_is_what_runs(lists, tmp_path):
    port = free_port()
    args = line(port, "--health", "127.0.0.1@%d" % free_port(), "--state", str(tmp_path / "other"), "--run", str(tmp_path / "otherrun"))
    p = subprocess.run([CANDOR, "rbldnsd", *args, "--print-config"], cwd=lists, capture_output=True, text=True)
    assert p.returncode == 0 and not (tmp_path / "other").exists(), p.stderr
    config = tmp_path / "candor.yaml"
    config.write_text(p.stdout)
    c = subprocess.run([CANDOR, "check-config", "-c", str(config)], capture_output=True, text=True)
    assert c.returncode == 0 and "later" not in c.stdout, c
    log = tmp_path / "run.log"
    with running([CANDOR, "run", "-c", str(config)], "/", port, log) as run:
        ready(run, log)
        printed = answers("127.0.0.1@%d" % port, questions())
        assert requests.get("http://" + args[args.index("--health") + 1].replace("@", ":") + "/livez", timeout=5).status_code == 200
    with candor(tmp_path, lists, line(free_port())) as ours:
        assert printed == answers(ours.address, questions())


def test_state_is_found_again(lists, tmp_path):
    """The second start answers from what is kept, before a file is read: the files are gone."""
    args = line(free_port(), specs=SPECS[:1])
    with candor(tmp_path, lists, args) as ours:
        assert ask(ours.address, ["2.0.0.127.dul.bl.test. A"])[0].answers
    config = tmp_path / "state" / "candor.yaml"
    assert "127.0.0.1@" in config.read_text() and (tmp_path / "state" / "state" / "zones" / "dul.bl.test.").is_dir()
    os.rename(lists / "dialup", lists / "away")
    log = tmp_path / "again.log"
    with running([CANDOR, "rbldnsd", *args], lists, 0, log, STATE_DIRECTORY=str(tmp_path / "state"), RUNTIME_DIRECTORY=str(tmp_path / "run")) as p:
        address = "127.0.0.1@" + args[args.index("-b") + 1].split("/")[1]
        until("answers", lambda: ask(address, ["2.0.0.127.dul.bl.test. A"], timeout_ms=300)[0].answers, 20)
        why = subprocess.run([CANDOR, "why", "127.0.0.2", "-c", str(config)], capture_output=True, text=True)
        assert why.returncode == 0 and "listed in dul.bl.test." in why.stdout, why
        p.terminate()
        assert p.wait(15) == 0


def test_in_the_background(lists, tmp_path):
    port, pid_file = free_port(), tmp_path / "pid"
    os.makedirs(tmp_path / "state")
    env = {**os.environ, "STATE_DIRECTORY": str(tmp_path / "state"), "RUNTIME_DIRECTORY": str(tmp_path / "run")}
    args = [CANDOR, "rbldnsd", "-p", "../pid", "-b", "127.0.0.1/%d" % port, SPECS[0]]
    p = subprocess.run(args, cwd=lists, env=env, capture_output=True, text=True, timeout=60)
    assert p.returncode == 0, p
    daemon = psutil.Process(int(pid_file.read_text()))
    try:
        # It returned when it was ready.
        assert ask("127.0.0.1@%d" % port, ["2.0.0.127.dul.bl.test. A"])[0].answers
        assert os.getsid(daemon.pid) == daemon.pid and daemon.cwd() == "/" and daemon.terminal() is None
        again = subprocess.run(args, cwd=lists, env=env, capture_output=True, text=True, timeout=60)
        assert again.returncode == 1 and "works in" in again.stderr and int(pid_file.read_text()) == daemon.pid, again
        daemon.send_signal(signal.SIGHUP)
        daemon.terminate()
        until("its end", lambda: ended(daemon), 15)
    finally:
        with contextlib.suppress(psutil.Error):
            daemon.kill()
    assert not pid_file.exists()


def test_two_at_once_have_health_ports_of_their_own(lists, tmp_path):
    with contextlib.ExitStack() as stack:
        nodes = []
        for i in range(2):
            args = line(free_port(), specs=SPECS[:1])
            env = {"STATE_DIRECTORY": str(tmp_path / ("s%d" % i)), "RUNTIME_DIRECTORY": str(tmp_path / ("r%d" % i))}
            os.mkdir(env["STATE_DIRECTORY"])
            nodes.append((stack.enter_context(running([CANDOR, "rbldnsd", *args], lists, 0, tmp_path / ("log%d" % i), **env)), tmp_path / ("log%d" % i)))
        for p, log in nodes:
            ready(p, log)
        ports = [re.search(r"127.0.0.1@(53\d\d)", (tmp_path / ("s%d" % i) / "candor.yaml").read_text().split("health:")[1]).group(1) for i in range(2)]
        assert ports[0] != ports[1]


@pytest.mark.parametrize("args, words", [
    (["-Z"], "invalid option -- 'Z'"),
    (["--no-such"], "--no-such"),
    (["-b"], "requires an argument"),
    (["-b", "127.0.0.1"], "no zone(s)"),
    (["a.bl:ip4set:dialup"], "no address to listen on"),
    (["-b", "localhost/53", "a.bl:ip4set:dialup"], "host names are not taken"),
    (["-b", "127.0.0.1/smtp", "a.bl:ip4set:dialup"], "port number"),
    (["-b", "127.0.0.1/0", "a.bl:ip4set:dialup"], "port number"),
    (["-b", "/53", "a.bl:ip4set:dialup"], "missing host part"),
    (["-4", "-b", "::1/53", "a.bl:ip4set:dialup"], "-4"),
    (["-6", "-b", "127.0.0.1/53", "a.bl:ip4set:dialup"], "-6"),
    (["-b", "127.0.0.1", "a.bl:ip5set:dialup"], "unknown dataset type `ip5set'"),
    (["-b", "127.0.0.1", "a.bl:ip4set"], "invalid zone data specification"),
    (["-b", "127.0.0.1", "a.bl:ip4set:"], "empty file name"),
    (["-b", "127.0.0.1", ":ip4set:dialup"], "missing domain name"),
    (["-b", "127.0.0.1", "a..bl:ip4set:dialup"], "invalid domain name"),
    (["-b", "127.0.0.1", "a.bl:acl:who"], "besides acl"),
    (["-b", "127.0.0.1", "a.bl:ip4set:nowhere"], "nowhere: No such file"),
    (["-b", "127.0.0.1", "-t", "5x", "a.bl:ip4set:dialup"], "invalid ttl (-t)"),
    (["-b", "127.0.0.1", "-t", "1:2:3:4", "a.bl:ip4set:dialup"], "invalid ttl (-t)"),
    (["-b", "127.0.0.1", "-t", "::2m", "a.bl:ip4set:dialup"], "inconsistent def:min:max ttl: 2100:0:120"),
    (["-b", "127.0.0.1", "-c", "x", "a.bl:ip4set:dialup"], "check interval"),
    (["-b", "127.0.0.1", "--health", "here", "a.bl:ip4set:dialup"], "ADDRESS@PORT"),
])
def test_what_rbldnsd_refuses_ends_with_its_code(lists, args, words):
    p = subprocess.run([CANDOR, "rbldnsd", "-n", *args], cwd=lists, capture_output=True, text=True, timeout=20)
    assert p.returncode == 1 and words in p.stderr and p.stdout == "", p


@pytest.mark.skipif(os.geteuid() != 0, reason="who becomes whom is root's to say")
def test_who_is_root_becomes_somebody(lists, tmp_path):
    p = subprocess.run([CANDOR, "rbldnsd", "-n", "-u", "root", "-b", "127.0.0.1/%d" % free_port(), SPECS[0]], cwd=lists, capture_output=True, text=True)
    assert p.returncode == 1 and "should not run as root" in p.stderr
    with candor(tmp_path, lists, line(free_port(), "-u", "daemon:daemon", specs=SPECS[:1])) as ours:
        workers = [c for c in psutil.Process(ours.pid).children(recursive=True)]
        assert workers and all(c.username() == "daemon" for c in workers), [(c.name(), c.username()) for c in workers]


def test_no_place_to_keep_zones_is_found_in_order(lists, tmp_path):
    def state(**env):
        clean = {k: v for k, v in os.environ.items() if k not in ("STATE_DIRECTORY", "RUNTIME_DIRECTORY", "XDG_STATE_HOME")}
        p = subprocess.run([CANDOR, "rbldnsd", "-n", "-b", "127.0.0.7/5377", "--print-config", SPECS[0]], cwd=lists, capture_output=True, text=True,
                           env={**clean, **env})
        assert p.returncode == 0, p
        return re.search(r"state: (\S+)", p.stdout).group(1).strip('"')
    assert state(STATE_DIRECTORY="%s:/elsewhere" % tmp_path) == "%s/state" % tmp_path
    if os.geteuid() == 0:
        assert state() == "/var/lib/candor-rbldnsd/127.0.0.7-5377/state"
    else:
        assert state(XDG_STATE_HOME=str(tmp_path)) == "%s/candor-rbldnsd/127.0.0.7-5377/state" % tmp_path
