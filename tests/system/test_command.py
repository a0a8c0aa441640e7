"""The operator's command against a node: what it says, and its exit codes."""
import json
import os
import re
import shutil
import signal
import subprocess

import pytest

from lib.ask import BUILD
from lib.lists import ROOT
from lib.node import Node, free_port, until

CANDOR = os.path.join(BUILD, "candor")
QUIET = {"canary": {"cached": "", "uncached-under": "", "nxdomain-under": ""}}


def candor(*args, **env):
    return subprocess.run([CANDOR, *args], capture_output=True, text=True, timeout=60, env={**os.environ, **env})


def config(folder):
    (folder / "ip4").write_text("127.0.0.2\n192.0.2.25 :127.0.0.10:$ sent spam\n192.0.2.0/24 :127.0.0.3:$ is a test net\n!192.0.2.53\n")
    (folder / "ip6").write_text("::ffff:7f00:2\n2001:db8::/32 :127.0.0.6:$ is documentation\n")
    (folder / "names").write_text(".test :127.0.0.2:$ is for tests\nbad.example :127.0.0.9:$ is bad\n")
    zone = lambda name, kind, file, **more: {"name": name, "data": [{"type": kind, "files": [str(folder / file)]}], **more}
    return {"health": QUIET, "rbl": {"zones": [
        zone("ip4.bl.", "ip4trie", "ip4", test="rfc5782-ip4"), zone("ip6.bl.", "ip6trie", "ip6", test="rfc5782-ip6"),
        zone("names.bl.", "dnset", "names", test="rfc5782-domain"),
        {"name": "pushed.bl.", "limits": {"shrink": "50%", "grow": "100%"}}]}}


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    folder = tmp_path_factory.mktemp("command")
    with Node(folder / "node", config(folder)) as n:
        n.lists = folder
        yield n


# --- without a node

def test_usage():
    assert candor().returncode == 3
    p = candor("frobnicate")
    assert p.returncode == 3 and "unknown command 'frobnicate'" in p.stderr and "publish" in p.stderr
    p = candor("help")
    assert p.returncode == 0 and "check-config" in p.stdout
    for name in ("run", "check-config", "status", "publish", "add", "del", "lookup", "why", "history", "diff", "export",
                 "compact", "verify"):
        p = candor(name, "--help")
        assert p.returncode == 0 and p.stdout.startswith("usage: candor " + name), p
        assert candor("help", name).stdout == p.stdout
        assert candor(name, "--no-such-option").returncode == 3
    assert candor("version").stdout.startswith("candor ")


@pytest.mark.parametrize("text, words", [
    ("node: { nmae: x }\n", ["candor.yaml:1", "nmae"]),
    ("resolver:\n  listen:\n    - address: localhost@53\n", ["candor.yaml:3", "address"]),
    ("resolver:\n  workers: many\n", ["candor.yaml:2", "workers"]),
    ("rbl:\n  zones:\n    - name: bl.example.\n      data: [{ type: ip5set, files: [x] }]\n", ["candor.yaml:4", "ip5set"]),
    ("node: [\n", ["candor.yaml"]),
])
def test_check_config_names_file_line_and_key(tmp_path, text, words):
    path = tmp_path / "candor.yaml"
    path.write_text(text)
    for command in ("check-config", "run"):
        p = candor(command, "-c", str(path))
        assert p.returncode == 2 and p.stdout == ""
        assert all(w in p.stderr for w in words), p.stderr


def test_check_config_of_a_file_that_is_not_there():
    p = candor("check-config", "-c", "/nowhere/candor.yaml")
    assert p.returncode == 2 and "/nowhere/candor.yaml" in p.stderr


def test_check_config_takes_what_the_project_ships():
    for name in ("demo.yaml", "candor.yaml", "install.yaml"):
        p = candor("check-config", "-c", os.path.join(ROOT, "conf", name))
        assert p.returncode == 0 and p.stdout.startswith("ok: "), p


def test_check_config_says_what_comes_later(tmp_path):
    path = tmp_path / "candor.yaml"
    path.write_text("resolver: { dnssec: { validate: true } }\n")
    p = candor("check-config", "-c", str(path))
    assert p.returncode == 0 and "later" in p.stdout and "dnssec.validate" in p.stdout


def test_an_empty_file_is_a_configuration(tmp_path):
    path = tmp_path / "empty.yaml"
    path.write_text("")
    assert candor("check-config", "-c", str(path)).returncode == 0


def test_config_from_the_environment(tmp_path):
    path = tmp_path / "other.yaml"
    path.write_text("node: { name: elsewhere }\n")
    assert "elsewhere" in candor("check-config", CANDOR_CONFIG=str(path)).stdout


def test_check_config_reads_local_names(tmp_path):
    """RRs of local-data are the resolver's to read: what is wrong with one is said here already."""
    path = tmp_path / "candor.yaml"
    path.write_text('resolver: {local-data: ["www.corp. 60 IN A 192.0.2.1", "www.corp. 60 IN A 192.0.2"]}\n')
    p = candor("check-config", "-c", str(path))
    assert p.returncode == 2 and p.stdout == "" and "local-data" in p.stderr and str(path) in p.stderr, p
    path.write_text('resolver: {local-data: ["www.corp. 60 IN A 192.0.2.1"]}\n')
    assert candor("check-config", "-c", str(path)).returncode == 0


def test_where_nothing_runs(tmp_path):
    n = Node(tmp_path / "node", config(tmp_path))
    p = n.candor("status", check=False)
    assert p.returncode == 3 and p.stdout.startswith("CANDOR UNKNOWN - nothing runs here")
    p = n.candor("status", "--json", check=False)
    assert p.returncode == 3 and json.loads(p.stdout)["status"] == "unknown"
    for args in (["publish", "ip4.bl."], ["add", "ip4.bl.", "192.0.2.1"], ["verify", "ip4.bl."], ["compact", "ip4.bl."],
                 ["why", "192.0.2.1", "ip4.bl."]):
        p = n.candor(*args, check=False)
        assert p.returncode == 2 and "does not run here" in p.stderr, p
    for args in (["history", "ip4.bl."], ["diff", "ip4.bl.", "1", "2"], ["export", "ip4.bl."]):
        p = n.candor(*args, check=False)
        assert p.returncode == 2 and p.stdout == "" and "nothing was ever committed" in p.stderr, p
    p = n.candor("lookup", "192.0.2.1", check=False)
    assert p.returncode == 2 and "no answer" in p.stdout, p


# --- with one

def test_status_of_a_node_that_is_well(node):
    p = until("no fail and no unknown", lambda: (lambda q: q.returncode < 2 and q)(node.candor("status", check=False)), 30)
    # Canaries are switched off: that is never green.
    assert p.returncode == 1 and p.stdout.startswith("CANDOR WARNING - "), p.stdout
    first = p.stdout.splitlines()[0]
    assert " | checks=" in first and "fail=0" in first
    for word in ("ip4.bl.", "names.bl.", "candor-resolver", "candor-sync", "running"):
        assert word in p.stdout, word
    doc = json.loads(node.candor("status", "--json", check=False).stdout)
    assert doc["status"] == "warn" and doc["checks"]


def test_status_needs_no_look_up_and_no_proxy(node):
    env = {"http_proxy": "http://192.0.2.1:1", "ALL_PROXY": "http://192.0.2.1:1", "PATH": os.environ["PATH"]}
    p = subprocess.run(node.command("status"), capture_output=True, text=True, timeout=30, env=env)
    assert p.stdout.startswith("CANDOR WARNING"), p.stdout


def test_lookup_of_an_address(node):
    p = node.candor("lookup", "192.0.2.25")
    line = [l for l in p.stdout.splitlines() if "ip4.bl." in l][0].split()
    assert line[1] == "listed" and "127.0.0.10" in line and "192.0.2.25 sent spam" in p.stdout
    assert "names.bl." not in p.stdout and "ip6.bl." not in p.stdout
    p = node.candor("lookup", "192.0.2.53", check=False)
    assert p.returncode in (1, 2) and "not listed" in p.stdout
    p = node.candor("lookup", "2001:db8::1")
    assert "127.0.0.6" in p.stdout and "2001:db8::1 is documentation" in p.stdout


def test_lookup_of_a_name(node):
    p = node.candor("lookup", "www.test", check=False)
    assert p.returncode == 0 and "names.bl." in p.stdout and "test is for tests" in p.stdout
    p = node.candor("lookup", "2.0.0.127.ip4.bl.")
    assert "127.0.0.2" in p.stdout and "from a zone of this node" in p.stdout
    p = node.candor("lookup", "1.0.0.127.ip4.bl.", check=False)
    assert p.returncode == 1 and "NXDOMAIN" in p.stdout
    p = node.candor("lookup", "a..b", check=False)
    assert p.returncode == 2


def test_why(node):
    p = node.candor("why", "192.0.2.25", "ip4.bl.")
    assert "is listed in ip4.bl." in p.stdout and "127.0.0.10" in p.stdout
    assert str(node.lists / "ip4") + ":2:" in p.stdout, p.stdout
    assert "since serial" in p.stdout
    p = node.candor("why", "192.0.2.53", "ip4.bl.", check=False)
    assert p.returncode == 1 and "not listed" in p.stdout and "excluded" in p.stdout
    p = node.candor("why", "203.0.113.1", "ip4.bl.", check=False)
    assert p.returncode == 1
    p = node.candor("why", "192.0.2.1", "nowhere.bl.", check=False)
    assert p.returncode == 2 and "nowhere.bl." in p.stderr
    p = node.candor("why", "a.test", "names.bl.")
    assert "names:1:" in p.stdout


def test_publish_of_a_zone_with_files_reads_them_now(node):
    with open(node.lists / "ip4", "a") as f:
        f.write("198.51.100.7 :127.0.0.4:$ is new\n")
    p = node.candor("publish", "ip4.bl.")
    assert "ip4.bl.: " in p.stdout and ("serial" in p.stdout or "nothing changed" in p.stdout)
    until("served", lambda: node.candor("lookup", "198.51.100.7", check=False).returncode == 0, 5)
    p = node.candor("publish", "ip4.bl.", "ip4trie:" + str(node.lists / "ip4"), check=False)
    assert p.returncode == 2 and "data:" in p.stderr


def test_publish_of_files(node, tmp_path):
    (tmp_path / "one").write_text("".join("192.0.2.%d\n" % i for i in range(200)))
    file = "ip4set:" + os.path.relpath(tmp_path / "one")
    p = node.candor("publish", "pushed.bl.", file, "--dry-run")
    assert "would add 200" in p.stdout
    assert node.candor("lookup", "192.0.2.3", check=False).stdout.count("127.0.0.2") == 0
    p = node.candor("publish", "pushed.bl.", file)
    assert "200 added, 0 removed, 200 entries now" in p.stdout, p.stdout
    until("served", lambda: "pushed.bl.  listed" in node.candor("lookup", "192.0.2.3", check=False).stdout, 5)
    p = node.candor("publish", "pushed.bl.", file)
    assert "nothing changed" in p.stdout

    (tmp_path / "one").write_text("192.0.2.1\n")
    p = node.candor("publish", "pushed.bl.", file, check=False)
    assert p.returncode == 2 and "refused" in p.stderr, p
    p = node.candor("publish", "pushed.bl.", file, "--force", "the list was cleaned")
    assert "0 added, 199 removed, 1 entries now" in p.stdout
    p = node.candor("history", "pushed.bl.")
    lines = p.stdout.splitlines()
    assert len(lines) == 3 and "the list was cleaned" in lines[1] and "publish" in lines[2], p.stdout


def test_publish_of_what_is_no_file(node, tmp_path):
    p = node.candor("publish", "pushed.bl.", "ip4set:" + str(tmp_path / "missing"), check=False)
    assert p.returncode == 2 and "missing" in p.stderr
    p = node.candor("publish", "pushed.bl.", "just-a-file", check=False)
    assert p.returncode == 2 and "TYPE:FILE" in p.stderr
    (tmp_path / "x").write_text("192.0.2.1\n")
    p = node.candor("publish", "pushed.bl.", "ip5set:" + str(tmp_path / "x"), check=False)
    assert p.returncode == 2 and "ip5set" in p.stderr


def test_bad_lines_are_named(node, tmp_path):
    (tmp_path / "x").write_text("192.0.2.1\nthis is no address\n")
    p = node.candor("publish", "pushed.bl.", "ip4set:" + str(tmp_path / "x"))
    assert "1 line could not be read" in p.stdout and "x:2:" in p.stdout, p.stdout


def test_history_of_a_zone_that_is_not_here(node):
    p = node.candor("history", "nowhere.bl.", check=False)
    assert p.returncode == 2 and "nowhere.bl." in p.stderr


def test_a_stopped_health_process_is_told_from_a_node_that_is_not_there(tmp_path):
    c = config(tmp_path)
    c["health"]["heal"] = {"restart-hung": False}
    with Node(tmp_path / "node", c) as n:
        health = n.daemon("health")
        health.suspend()
        p = until("its heartbeat is old", lambda: (lambda q: "hangs" in q.stdout and q)(n.candor("status", check=False)), 20)
        assert p.returncode == 2 and p.stdout.startswith("CANDOR CRITICAL - candor-health hangs"), p.stdout
        health.resume()
        until("better", lambda: n.candor("status", check=False).returncode < 2, 20)
        n.daemon("sync").suspend()
        # What only reads needs nobody.
        p = n.candor("why", "192.0.2.25")
        assert "hangs" in p.stderr and "192.0.2.25 is listed in ip4.bl." in p.stdout and "127.0.0.10" in p.stdout, p
        assert "since serial" in p.stdout and "pushed.bl." not in p.stdout
        assert "files" in n.candor("history", "ip4.bl.").stdout
        assert "!192.0.2.53\n" in n.candor("export", "ip4.bl.", "--format", "plain").stdout
        n.daemon("sync").resume()


def test_the_demo_that_the_project_ships(tmp_path):
    shutil.copytree(os.path.join(ROOT, "conf"), tmp_path / "conf")
    path = tmp_path / "conf" / "demo.yaml"
    text = path.read_text()
    for port in (5300, 5301, 5380):
        assert "@%d" % port in text
        text = text.replace("@%d" % port, "@%d" % free_port())
    path.write_text(text)
    n = Node(tmp_path / "unused")
    n.path = str(path)
    with n:
        for what in ("127.0.0.2", "::ffff:7f00:2", "test"):
            assert "listed" in n.candor("lookup", what).stdout
        for what in ("127.0.0.1", "::ffff:7f00:1", "192.0.0.9", "2606:4700::1"):
            p = n.candor("lookup", what, check=False)
            assert p.returncode == 1 and "error" not in p.stdout, p
        out = n.candor("lookup", "192.0.2.25").stdout
        assert "RFC 5737" in out and "127.0.0.10" in out
        assert "RFC 3849" in n.candor("lookup", "2001:db8::1").stdout
        assert "RFC 6761" in n.candor("lookup", "smtp.example.com").stdout
        assert "demo/list:" in n.candor("why", "192.0.2.25", "list.demo.").stdout
        until("canaries are off in the demo, and it says so", lambda: n.candor("status", check=False).returncode == 1)
    assert (tmp_path / "build" / "demo" / "state").is_dir()


def test_run_starts_stops_and_starts_again(tmp_path):
    n = Node(tmp_path / "node", config(tmp_path))
    for _ in range(2):
        n.start()
        assert n.log().count("candor: ready") == 1
        assert "192.0.2.25 sent spam" in n.candor("lookup", "192.0.2.25").stdout
        family = n.supervisor().children(recursive=True)
        n.process.send_signal(signal.SIGTERM)
        assert n.process.wait(10) == 0
        assert not any(p.is_running() for p in family)
        n.process = None


def test_run_killed_and_started_again(tmp_path):
    n = Node(tmp_path / "node", config(tmp_path)).start()
    family = n.supervisor().children(recursive=True)
    n.process.kill()
    n.process.wait()
    until("all died with it", lambda: not any(p.is_running() and p.status() != "zombie" for p in family), 5)
    with n:
        assert "192.0.2.25 sent spam" in n.candor("lookup", "192.0.2.25").stdout


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_manual_pages(tmp_path):
    """What `candor help --man` writes is clean roff that has every command; the others are the project's files."""
    page = tmp_path / "candor.1"
    page.write_text(candor("help", "--man").stdout)
    pages = [page] + [os.path.join(ROOT, "docs/man", n) for n in os.listdir(os.path.join(ROOT, "docs/man"))]
    assert len(pages) == 5
    for path in pages:
        p = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", str(path)], capture_output=True, text=True)
        assert p.returncode == 0 and p.stderr == "", p.stderr
    shown = subprocess.run(["groff", "-man", "-Tascii", "-P-c", str(page)], capture_output=True, text=True).stdout
    for name in ("run", "rbldnsd", "publish", "add", "del", "export", "diff"):
        assert "candor " + name in re.sub(".\b", "", shown), name
    assert "--ttl-of-entry" in page.read_text().replace("\\-", "-")


# --- changes by hand, and what is read without asking anybody

def test_add_and_del(node, tmp_path):
    p = node.candor("add", "ip4.bl.", "203.0.113.7", "203.0.113.64/26", ":127.0.0.4:$ was seen")
    assert "2 added, 0 removed" in p.stdout, p
    until("served", lambda: "203.0.113.7 was seen" in node.candor("lookup", "203.0.113.7", check=False).stdout, 5)
    p = node.candor("why", "203.0.113.65", "ip4.bl.")
    assert "203.0.113.64/26 (by hand): :127.0.0.4:$ was seen" in p.stdout and "from add" in p.stdout, p.stdout
    assert "nothing changed" in node.candor("add", "ip4.bl.", "203.0.113.7", ":127.0.0.4:$ was seen").stdout
    # What a file lists goes, and stays away when the file is read again.
    doc = json.loads(node.candor("del", "ip4.bl.", "192.0.2.25", "--json").stdout)
    assert doc["added"] + doc["removed"] == 1
    node.candor("publish", "ip4.bl.")
    p = node.candor("why", "192.0.2.25", "ip4.bl.", check=False)
    assert p.returncode == 1 and "not listed" in p.stdout, p.stdout
    node.candor("add", "ip4.bl.", "192.0.2.25", ":127.0.0.10:$ sent spam")
    assert node.candor("why", "192.0.2.25", "ip4.bl.").returncode == 0
    lines = "# by hand\n203.0.113.8 :5:$ too\n!203.0.113.66\n\n203.0.113.9 ; as it is\n"
    p = subprocess.run(node.command("add", "ip4.bl.", "-", "--ttl-of-entry", "1h"), input=lines, capture_output=True, text=True, timeout=60)
    assert p.returncode == 0 and "3 added" in p.stdout, p
    assert "until 20" in node.candor("why", "203.0.113.8", "ip4.bl.").stdout
    assert node.candor("why", "203.0.113.66", "ip4.bl.", check=False).returncode == 1
    p = node.candor("why", "203.0.113.9")
    assert "listed in ip4.bl." in p.stdout and "names.bl." not in p.stdout
    assert "no zone of this node" in node.candor("why", "198.51.100.200", check=False).stdout


def test_changes_that_can_not_be(node):
    for args, words in ((["add", "ip4.bl.", "192.0.2.300"], "192.0.2.300"), (["add", "nowhere.bl.", "192.0.2.1"], "nowhere.bl."),
                        (["add", "ip4.bl.", "192.0.2.9", ":999.1.1.1:"], "999")):
        p = node.candor(*args, check=False)
        assert p.returncode == 2 and words in p.stderr and p.stdout == "", p
    for args in (["add", "ip4.bl.", "192.0.2.9", "--ttl-of-entry", "soon"], ["add", "ip4.bl.", "192.0.2.9", "--ttl-of-entry", "0"],
                 ["del", "ip4.bl."]):
        assert node.candor(*args, check=False).returncode == 3
    # All of one request or nothing.
    p = node.candor("add", "ip4.bl.", "203.0.113.200", "not an address", check=False)
    assert p.returncode == 2
    assert node.candor("why", "203.0.113.200", "ip4.bl.", check=False).returncode == 1


def test_diff_history_compact_and_verify(node):
    serials = lambda: [json.loads(l)["serial"] for l in node.candor("history", "pushed.bl.", "--json").stdout.splitlines()]
    node.candor("add", "pushed.bl.", "192.0.2.77", ":4:first")
    first = serials()[0]
    node.candor("add", "pushed.bl.", "192.0.2.78", "2001:db8::/48")
    node.candor("del", "pushed.bl.", "192.0.2.77")
    last = serials()[0]
    assert last > first
    p = node.candor("diff", "pushed.bl.", str(first), str(last), check=False)
    assert p.returncode == 1
    assert sorted(p.stdout.splitlines()) == ["+192.0.2.78 :127.0.0.2:", "+2001:db8::/48 :127.0.0.2:", "-192.0.2.77 :127.0.0.4:first"], p.stdout
    assert node.candor("diff", "pushed.bl.", str(first), check=False).stdout == p.stdout
    objects = [json.loads(l) for l in node.candor("diff", "pushed.bl.", str(first), "--json", check=False).stdout.splitlines()]
    assert {(o["change"], o["entry"]) for o in objects} == {("added", "192.0.2.78"), ("added", "2001:db8::/48"), ("removed", "192.0.2.77")}
    assert node.candor("diff", "pushed.bl.", str(last), str(last)).stdout == ""
    p = node.candor("diff", "pushed.bl.", "12345", check=False)
    assert p.returncode == 2 and "12345" in p.stderr
    assert node.candor("diff", "pushed.bl.", "yesterday", check=False).returncode == 3
    before = node.candor("export", "pushed.bl.").stdout
    assert "written anew" in node.candor("compact", "pushed.bl.").stdout
    assert "as it should be" in node.candor("verify", "pushed.bl.").stdout
    assert json.loads(node.candor("verify", "pushed.bl.", "--json").stdout)["entries"] > 0
    assert node.candor("export", "pushed.bl.").stdout == before and serials()[0] == last
