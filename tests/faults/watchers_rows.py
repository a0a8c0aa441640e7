"""The faults of the catalogue in a classic stack (watchers_stack.py). Each is a function of the stack; what it begins is
ended with the stack. Rows that such a stack cannot have say why."""
import os
import resource
import subprocess
import threading
import time

import dns.exception
import dns.message
import dns.query

from injections import Answerer, Cgroup, frozen_threads
from lib import disks
from lib.netns import inside
from lib.servers import Key
from watchers_stack import PORT, SERVICE, WORLD, scaled

ROWS = []

FAULTS = """event loop hung|one of N workers hung|stray old process in the SO_REUSEPORT group|SIGSTOP, debugger, cgroup freezer|busy loop at 100 % CPU
libuv thread pool starved|upstream black hole|upstream SERVFAIL or REFUSED|outage over, resolver still stuck|NXDOMAIN hijack, captive portal
a remote list refuses us|list-the-world|zone emptied or truncated|zone stale, source silent|zone past its SOA expire|serial goes backwards
committed but not served|same serial, other content|NOTIFY lost, queue stuck|TSIG clock skew|wrong or rotated key|LMDB map full
stale reader of a dead process|stopped live reader|reader slots used up|disk full, quota|read-only remount, EIO|file descriptors exhausted
UDP receive buffer drops|conntrack full|loopback fine, service address dead|firewall between nodes|TCP broken, UDP fine|fragments dropped
only v6 (or v4) broken|wall clock jump|wrong time at boot|trust anchor or signature expiry|memory pressure, swap|crash loop|forwarding loop
the reporter needs DNS|reporter hung, node fine|monitor dead|monitor partitioned|database down|certificate expired on the push path
configuration not replicated|a probe switched off or pointed elsewhere|a slow node accuses its peers"""
NAMES = dict(enumerate(FAULTS.replace("\n", "|").split("|"), 1))

NOT = {
    6: "unbound, rbldnsd and NSD have no pool of threads to starve",
    9: "when unbound asks a server again that was dead is its own affair; nothing to inject",
    22: "no LMDB", 23: "no LMDB", 24: "no LMDB", 25: "no LMDB",
    42: "nothing reports from the node: watchers pull, by address",
    43: "no reporter",
    44: "the watchers are the monitor: nobody watches them",
    46: "no database",
    47: "no push path",
    48: "no watcher compares configurations",
}


class Fault:
    def __init__(self, number, did, inject, variant, options):
        self.number, self.did, self.inject, self.variant = number, did, inject, variant
        self.options = dict(options)
        self.false = self.options.pop("false", False)    # the resolver is fine: who turns red accuses it falsely
        self.before = self.options.pop("before", None)   # done before the watchers look

    @property
    def id(self):
        return "%d%s" % (self.number, "-" + self.variant if self.variant else "")


def row(number, did, variant="", **options):
    def add(inject):
        ROWS.append(Fault(number, did, inject, variant, options))
        return inject
    return add


def stop(s, process):
    s.stack.callback(process.send_signal, 18)
    process.send_signal(19)


def flood(s, rate, outstanding):
    """Questions of a name that is cached."""
    s.write("questions", "example.com A\n2.0.0.127.bl.test A\n")
    p = subprocess.Popen([*s.here.prefix, "dnsperf", "-s", "127.0.0.1", "-p", str(PORT), "-d", s.path("questions"), "-c", "4", "-T", "1", "-q", str(outstanding),
                          "-l", "600", *(["-Q", str(rate)] if rate else [])], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    s.stack.callback(s.end, p)


@row(1, "every thread of unbound is held (PTRACE_INTERRUPT)")
def hung(s):
    s.stack.enter_context(frozen_threads(s.unbound.pid, all_threads=True))


@row(2, "one thread of unbound's four is held")
def one_hung(s):
    held = frozen_threads(s.unbound.pid)
    s.stack.callback(held.let_go)
    tid = max(int(t) for t in os.listdir("/proc/%d/task" % s.unbound.pid))
    held.call(0x4206, tid)
    held.call(0x4207, tid)
    os.waitpid(tid, 0x40000000)
    held.held.append(tid)


@row(3, "another server, which answers SERVFAIL, is bound to the same addresses and port")
def stray(s):
    with inside(s.here):
        for host in ("127.0.0.1", SERVICE):
            s.stack.enter_context(Answerer(host, PORT))


@row(4, "SIGSTOP of unbound", "unbound")
def stopped(s):
    stop(s, s.unbound)


@row(4, "SIGSTOP of rbldnsd", "rbldnsd")
def list_stopped(s):
    stop(s, s.programs["rbldnsd"])


@row(4, "SIGSTOP of NSD and its children", "nsd")
def zone_stopped(s):
    s.stack.callback(s.nsd.resume)
    s.nsd.pause()


@row(5, "unbound gets 2 % of a CPU by its cgroup and 4,000 questions a second")
def busy(s):
    flood(s, 4000, 2000)
    group = s.stack.enter_context(Cgroup("cpu"))
    group.set("cpu.cfs_period_us", "100000")
    group.set("cpu.cfs_quota_us", "2000")
    group.add(s.unbound.pid)


@row(7, "everything that comes from the forwarder is dropped")
def black_hole(s):
    s.drop("ip saddr 10.77.0.3 udp sport 5353", "ip saddr 10.77.0.3 tcp sport 5353")


def servfail(s):
    s.upstream.mode = "servfail"


def refused(s):
    s.upstream.mode = "refused"


def hijack(s):
    s.upstream.mode = "hijack"


row(8, "the forwarder answers SERVFAIL", "servfail")(servfail)
row(8, "the forwarder answers REFUSED", "refused")(refused)
row(10, "the forwarder answers every name with its own address, NOERROR")(hijack)


def watch_remote(s):
    s.watched_list = "remote.test"


@row(11, "the remote list answers 127.255.255.254; its test point is what check_dns asks", before=watch_remote)
def list_refuses(s):
    s.write("remote", ":127.255.255.254:you may not ask\n0.0.0.0/1\n128.0.0.0/1\n")


@row(12, "0.0.0.0/1 and 128.0.0.0/1 come with the next version of the list")
def lists_the_world(s):
    s.write_list(["0.0.0.0/1", "128.0.0.0/1"])


@row(13, "the next version of the list is empty")
def emptied(s):
    s.write_list([])


@row(14, "SIGSTOP of the primary (refresh 5 s)", refresh_s=5)
def stale(s):
    s.stack.callback(s.primary.resume)
    s.primary.pause()


@row(15, "the primary is killed; 20 s later the zone is past its expire, and the clock starts", refresh_s=2, expire_s=20)
def expired(s):
    s.primary.kill9()
    end = time.monotonic() + scaled(30) + 5
    while time.monotonic() < end:
        try:
            if s.ask("local.test.", "SOA", ("10.77.0.1", 53)).rcode() != 0:
                break
        except (OSError, dns.exception.DNSException):
            pass
        time.sleep(0.1)
    s.began = time.monotonic()


@row(16, "the primary's serial goes from 100 to 50, with other contents", refresh_s=5)
def backwards(s):
    s.write_zone(50, "other A 192.0.2.2")
    s.primary.restart()


@row(17, "the next version of the zone has a line that NSD does not take: it goes on with the old one", refresh_s=5)
def not_served(s):
    s.write_zone(200, "broken A this-is-no-address")
    s.primary.control("reload", "local.test.")


@row(18, "the primary's contents change under the same serial", refresh_s=5)
def same_serial(s):
    s.change(100, "other A 192.0.2.2")


@row(19, "datagrams from the primary are dropped, then the zone changes there (refresh 1 h)")
def notify_lost(s):
    s.drop("ip saddr 10.77.0.3 udp dport 53")
    s.change(200)


@row(20, "the clock of the secondary is 400 s behind, then the zone changes", refresh_s=5)
def skew(s):
    s.nsd.set_clock(-400)
    s.change(200)


@row(21, "the primary gets another secret for the key, then the zone changes", refresh_s=5)
def key_rotated(s):
    s.write_zone(200)
    s.primary.restart(key=Key(secret="b3RoZXIgdGhpcnR5LXR3byBvY3RldHMgZm9yIGxhYnM="))


@row(26, "the file system of NSD's state is full, then the zone changes", refresh_s=5)
def disk_full(s):
    s.place.fill()
    s.change(200, "\n".join("h%d A 192.0.2.3" % i for i in range(2000)))


@row(27, "the ext4 under NSD's state is aborted, as when the disk fails, then the zone changes", refresh_s=5, ext4=True)
def read_only(s):
    disks.abort(s.place.state)
    s.change(200)


@row(28, "unbound may open no further descriptor")
def descriptors(s):
    n = len(os.listdir("/proc/%d/fd" % s.unbound.pid))
    resource.prlimit(s.unbound.pid, resource.RLIMIT_NOFILE, (n, n))


@row(29, "unbound stands still for half of each second while 6,000 questions a second come: its sockets overflow")
def drops(s):
    flood(s, 6000, 60000)
    over = threading.Event()

    def nap():
        while not over.wait(0.5):
            s.unbound.send_signal(19)
            over.wait(0.5)
            s.unbound.send_signal(18)
    thread = threading.Thread(target=nap, daemon=True)
    thread.start()
    s.stack.callback(thread.join, 5)
    s.stack.callback(over.set)


@row(30, "of new flows nine in ten are dropped, as by a full conntrack table; loopback is exempt")
def conntrack(s):
    s.drop('iifname != "lo" udp dport %d numgen random mod 10 != 0' % PORT, 'iifname != "lo" tcp dport %d numgen random mod 10 != 0' % PORT)


@row(31, "the service address is taken away from the node")
def service_dead(s):
    s.here.run("ip", "addr", "del", SERVICE + "/32", "dev", "lo")


@row(32, "everything between the secondary and its primary is dropped", refresh_s=5)
def firewall(s):
    s.drop("ip saddr 10.77.0.3 udp sport 53", "ip saddr 10.77.0.3 tcp sport 53", "ip saddr 10.77.0.3 udp dport 53")


@row(33, "TCP to the DNS port is dropped")
def tcp_broken(s):
    s.drop("tcp dport %d" % PORT)


@row(34, "fragments and datagrams above 1,280 octets are dropped on their way in and out")
def fragments(s):
    s.drop("ip frag-off & 0x1fff != 0", "meta length > 1280 meta l4proto udp")


@row(35, "UDP over IPv6 to the DNS port is dropped", "v6")
def v6_broken(s):
    s.drop("meta nfproto ipv6 udp dport %d" % PORT)


@row(35, "UDP over IPv4 to the DNS port is dropped", "v4")
def v4_broken(s):
    s.drop("meta nfproto ipv4 udp dport %d" % PORT)


@row(36, "unbound's wall clock jumps by an hour")
def clock_jump(s):
    s.set_clock(3600)


@row(37, "unbound, which validates, is started anew with a clock one year behind", signed=True)
def wrong_time(s):
    s.end(s.unbound)
    s.start_unbound(-365 * 86400)


@row(38, "the signatures of the watched name expire (its TTL is 20 s)", signed=True)
def expired_signature(s):
    s.sign(-86400)


@row(39, "unbound shares a memory cgroup of 48 MiB with stress-ng, which wants more")
def memory(s):
    group = s.stack.enter_context(Cgroup("memory"))
    group.set("memory.limit_in_bytes", str(48 << 20))
    group.add(s.unbound.pid)
    p = subprocess.Popen(["stress-ng", "--quiet", "--temp-path", s.folder, "--vm", "2", "--vm-bytes", "40M", "--vm-keep", "--readahead", "2",
                          "--readahead-bytes", "256M"], preexec_fn=lambda: group.add(os.getpid()), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    s.stack.callback(s.end, p)


@row(40, "unbound is killed and started again by its supervisor, half a second later, every 4 s")
def crash_loop(s):
    over = threading.Event()

    def loop():
        while not over.is_set():
            s.end(s.unbound)
            over.wait(scaled(0.5))
            s.start_unbound()
            over.wait(scaled(4))
    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    s.stack.callback(thread.join, 10)
    s.stack.callback(over.set)


@row(41, "the forwarder forwards everything back to unbound")
def forwarding_loop(s):
    def back(wire, proto):
        q = dns.message.from_wire(wire)
        try:
            with inside(s.world.ns):
                r = dns.query.udp(q, "10.77.0.1", port=PORT, timeout=2)
        except (OSError, dns.exception.DNSException):
            return None
        r.id = q.id
        return r.to_wire()
    s.upstream.answer = back


@row(45, "nothing passes between the watching machine and the node any more; the node is fine", false=True)
def partitioned(s):
    s.drop("ip saddr 10.77.0.1", "ip saddr %s" % SERVICE, ns=s.outside)


def elsewhere(s):
    s.upstream.names.update({"2.0.0.127.bl.test. A": ["127.0.0.2"], "local.test. SOA": ["ns.local.test. h.local.test. 1 60 60 60 60"]})
    s.dns_address = s.service_address = ("10.77.0.3", 5353)
    s.backends = [s.dns_address]


@row(49, "the watchers ask another resolver instead of this one, which then is stopped", before=elsewhere)
def pointed_elsewhere(s):
    stop(s, s.unbound)


@row(50, "the watchers get 2 % of a CPU; the node is fine", false=True)
def slow_watcher(s):
    group = s.stack.enter_context(Cgroup("cpu"))
    group.set("cpu.cfs_period_us", "100000")
    group.set("cpu.cfs_quota_us", "2000")
    s.slow = group


assert sorted(set(NOT) | {r.number for r in ROWS}) == list(range(1, 51)), "every row of the catalogue is here, once"
assert WORLD == 2
