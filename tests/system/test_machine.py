"""Faults of processes and the machine on one node, each injected for real: sockets that squat, thread pools and threads that are
held, loops that are late, descriptors that run out, questions that are dropped, workers that die again and again, disks without
room for bytes or names, and what must not be accused: a service address elsewhere, an access list that keeps us out."""
# time bound: 300 s
import contextlib
import ctypes
import os
import resource
import signal
import socket
import subprocess
import threading
import time

import dns.flags
import dns.message
import dns.query
import pytest

from lib import disks
from lib.node import Node, free_port, until

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000
SEEN_S = 30  # the catalogue says 10 to 30 s at ticks of 5 s; here they are of 1 s


def config(folder, **over):
    (folder / "bl").write_text("127.0.0.2\n192.0.2.7\n")
    c = {"resolver": {"workers": 2},
         "rbl": {"zones": [{"name": "bl.test.", "test": "rfc5782-ip4", "data": [{"type": "ip4set", "files": [str(folder / "bl")]}]}]},
         "health": {"interval": {"local": "1s", "zones": "2s"}, "heal": {"restart-hung": False}}}
    c.update(over)
    return c


def checks(node, name, which=""):
    return [c for c in node.health()["checks"].get(name, []) if which in c.get("componentId", "")]


def seen(node, name, status, words="", which="", within_s=SEEN_S):
    def look():
        return [c for c in checks(node, name, which) if c["status"] == status and words in c.get("output", "")]
    try:
        return until("%s %s is %s: %s" % (name, which, status, words), look, within_s)[0]
    except AssertionError:
        print([(c["status"], c.get("output")) for c in checks(node, name, which)])
        raise


def metric(node, name, *labels):
    return sum(float(l.rsplit(" ", 1)[1]) for l in node.get("/metrics").text.splitlines()
               if l.startswith("candor_" + name) and all(x in l for x in labels))


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    folder = tmp_path_factory.mktemp("machine")
    with Node(folder / "node", config(folder)) as n:
        seen(n, "listen:holders", "pass", "all of them ours")
        yield n


@contextlib.contextmanager
def held(pid, tids):
    """Threads of a process, held by ptrace; this process is the debugger."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
    stopped = []
    try:
        for tid in tids:
            assert libc.ptrace(PTRACE_SEIZE, tid, None, None) == 0, os.strerror(ctypes.get_errno())
            stopped.append(tid)
            libc.ptrace(PTRACE_INTERRUPT, tid, None, None)
            os.waitpid(tid, WALL)
        yield
    finally:
        for tid in stopped:
            libc.ptrace(PTRACE_DETACH, tid, None, None)


def squat(node):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind(("127.0.0.1", node.dns_port))
    return s


def test_a_silent_socket_in_the_group(node):
    with squat(node):
        c = seen(node, "listen:holders", "fail", "pid %d" % os.getpid())
        assert "1 of 5 sockets" in c["output"]
        seen(node, "listen:udp", "warn", "somebody else on this port")
    seen(node, "listen:holders", "pass")


def test_a_stranger_who_answers(node):
    with squat(node) as s:
        end = threading.Event()

        def refuse():
            s.settimeout(0.1)
            while not end.is_set():
                with contextlib.suppress(socket.timeout):
                    data, who = s.recvfrom(4096)
                    r = dns.message.make_response(dns.message.from_wire(data))
                    r.set_rcode(5)
                    s.sendto(r.to_wire(), who)
        t = threading.Thread(target=refuse)
        t.start()
        try:
            seen(node, "listen:udp", "fail", "something else answers there, with REFUSED")
        finally:
            end.set()
            t.join()
    seen(node, "listen:udp", "pass")


def test_a_starved_thread_pool(node):
    pid = node.daemon("sync").pid
    tids = [int(t) for t in os.listdir("/proc/%d/task" % pid) if int(t) != pid]
    with held(pid, tids):
        seen(node, "process:pool", "fail", "starved", "candor-sync")
        assert checks(node, "process:heartbeat", "candor-sync")[0]["status"] == "pass"  # the loop turns
        assert metric(node, "pool_lag_seconds", "candor-sync") > 1
    seen(node, "process:pool", "pass", which="candor-sync")


def test_a_debugger(node):
    pid = node.daemon("sync").pid
    with held(pid, [pid]):
        seen(node, "process:heartbeat", "fail", "traced by", "candor-sync")
    seen(node, "process:heartbeat", "pass", which="candor-sync")


def test_a_frozen_cgroup(node):
    root = "/sys/fs/cgroup/freezer"
    if not os.path.exists(root):
        pytest.skip("no freezer of version 1 here")
    path, pid = "%s/candor-machine-%d" % (root, os.getpid()), node.daemon("sync").pid

    def put(where, text):
        with open(where, "w") as f:
            f.write(text)
    os.mkdir(path)
    try:
        put(path + "/cgroup.procs", str(pid))
        put(path + "/freezer.state", "FROZEN")
        seen(node, "process:heartbeat", "fail", "frozen by its cgroup", "candor-sync")
    finally:
        put(path + "/freezer.state", "THAWED")
        put(root + "/cgroup.procs", str(pid))
        until("the group is empty", lambda: os.rmdir(path) is None)
    seen(node, "process:heartbeat", "pass", which="candor-sync")


def test_a_late_loop(node):
    """Some answers come, and late: the worker runs for a moment in each half a second."""
    victim, end = node.workers()[0], time.monotonic() + SEEN_S
    try:
        while not [c for c in checks(node, "worker:lag") if c["status"] == "fail"]:
            assert time.monotonic() < end, checks(node, "worker:lag")
            victim.suspend()
            time.sleep(0.5)
            victim.resume()
            time.sleep(0.03)
    finally:
        victim.resume()
    seen(node, "worker:lag", "pass", which="worker 0")


def test_descriptors_run_out(node):
    sync = node.daemon("sync")
    soft, hard = resource.prlimit(sync.pid, resource.RLIMIT_NOFILE)
    used = len(os.listdir("/proc/%d/fd" % sync.pid))
    resource.prlimit(sync.pid, resource.RLIMIT_NOFILE, (used, hard))
    try:
        seen(node, "process:fds", "fail", "%d of %d descriptors" % (used, used), "candor-sync")
        with contextlib.ExitStack() as stack:
            stack.enter_context(socket.create_connection(("127.0.0.1", node.sync_port)))
            until("counted", lambda: metric(node, "fd_errors_total", "candor-sync") > 0, SEEN_S)
            seen(node, "process:fds", "fail", "EMFILE", "candor-sync")
    finally:
        resource.prlimit(sync.pid, resource.RLIMIT_NOFILE, (soft, hard))
    seen(node, "process:fds", "pass", which="candor-sync")


def test_dropped_questions(node):
    """All workers stand still for less than a second while more comes than their sockets hold."""
    q, workers = dns.message.make_query("7.2.0.192.bl.test.", "A").to_wire(), node.workers()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("127.0.0.1", node.dns_port))
        until("dropped", lambda: burst(s, q, workers) or metric(node, "worker_socket_drops_total") > 0, SEEN_S)
    c = [c for c in until("told", lambda: [c for c in checks(node, "worker:drops") if c["status"] in ("warn", "fail")], SEEN_S)][0]
    assert "datagrams dropped by the kernel" in c["output"]


def burst(s, q, workers):
    for w in workers:
        w.suspend()
    try:
        for _ in range(30000):
            with contextlib.suppress(OSError):
                s.send(q)
    finally:
        for w in workers:
            w.resume()
    time.sleep(0.5)


def test_a_crash_loop(node):
    for i in range(4):
        victims = until("two workers", lambda: len(node.workers()) == 2 and node.workers())
        victims[0].send_signal(signal.SIGKILL)  # not always the same one
        until("replaced %d" % (i + 1), lambda: metric(node, "worker_restarts_total", 'reason="died"') == i + 1)
    seen(node, "process:restarts", "fail", "4 unexpected", "workers")


def test_disk_without_room(tmp_path):
    """Names run out, then bytes, then the file system is read-only: each in its own words."""
    state = tmp_path / "node" / "state"
    with disks.tmpfs(state, 16 << 20):
        subprocess.run(["mount", "-o", "remount,nr_inodes=200", str(state)], check=True)
        with Node(tmp_path / "node", config(tmp_path)) as n:
            seen(n, "canary:write", "pass")
            with contextlib.suppress(OSError):
                for i in range(300):
                    open(state / ("name%d" % i), "w").close()
            c = seen(n, "canary:write", "fail", "ENOSPC")
            assert "and 0 inodes are free" in c["output"]
            for i in range(300):
                with contextlib.suppress(OSError):
                    os.unlink(state / ("name%d" % i))
            seen(n, "canary:write", "pass")
            filler = disks.fill(state)
            seen(n, "canary:write", "fail", "; 0 bytes")
            seen(n, "disk:free", "warn", "0.0% of the bytes")
            os.unlink(filler)
            seen(n, "canary:write", "pass")
            assert n.get("/readyz").status_code == 200


def test_what_is_no_fault(tmp_path):
    """The zone's acl refuses us, and the service address is somebody else's now: both are told, and the node is ready."""
    (tmp_path / "acl").write_text("127.0.0.0/8 :refuse\n")
    c = config(tmp_path)
    c["rbl"]["zones"][0]["data"].append({"type": "acl", "files": [str(tmp_path / "acl")]})
    port = free_port()
    c["resolver"]["listen"] = [{"address": "0.0.0.0@%d" % port}]
    c["health"]["service-addresses"] = ["192.0.2.77@%d" % port]
    with Node(tmp_path / "node", c) as n:
        seen(n, "zone:serial", "warn", "refused by the zone's acl")
        seen(n, "listen:udp", "warn", "not on this node now", "192.0.2.77")
        until("ready", lambda: n.get("/readyz").status_code == 200)
        q = dns.message.make_query("bl.test.", "SOA")
        assert dns.query.udp(q, "127.0.0.1", port=port, timeout=5).rcode() == 5
