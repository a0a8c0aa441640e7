#!/usr/bin/python3
"""Which servers of other makes take zones from Candor and give zones to it: every cell is tried, the table is what happened.

  CANDOR_BUILD=build tests/system/interop.py [--kinds bind,knot,nsd,pdns] [--cells axfr,ixfr,...] [--write docs/interop.md]

Two nodes in namespaces of their own, one with Candor, one with the other. A cell works when both answer the same afterwards:
all RRs of an AXFR from each, and the same questions at each DNS port. Root is needed.

  axfr      a zone of 3,000 addresses, networks and wildcards, from nothing      notify   a change is there within 2 s
  ixfr      a change came as a difference: the log of either side says so        tlsXXX   the same over TLS (RFC 9103)
  sha384, sha512   a zone signed with these keys (the others use hmac-sha256)
  badkey    with another secret nothing is transferred
  catalog   a zone in the catalog appears, one taken out goes (RFC 9432)
"""
import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib.certs import Authority  # noqa: E402
from lib.lab import Lab  # noqa: E402
from lib.node import until  # noqa: E402
from lib.servers import Candor, Catalog, Key, Tls, Zone  # noqa: E402
from lib.makes import Bind, Knot, Nsd, Pdns  # noqa: E402

ZONE, NEW = "bl.test.", "225.0.0.225.bl.test."
CELLS = ["axfr", "ixfr", "notify", "sha384", "sha512", "badkey", "tls", "catalog"]
OTHERS = {"bind": Bind, "knot": Knot, "nsd": Nsd, "pdns": Pdns}
SOON_S = 2
SECRET = "b3RoZXIgc2VjcmV0LCBzYW1lIG5hbWUsIDMyIG9jdC4="


class Cannot(Exception):
    """The other make has no such thing."""


def master(path, serial=1, extra=()):
    """A blocklist as RRs: addresses, wildcards of networks, texts; and what is no list: an MX, a long TXT, a CNAME."""
    lines = ["$TTL 2100", "@ SOA ns.invalid. hostmaster.invalid. %d 3600 600 86400 300" % serial, "@ NS ns.invalid.", "@ MX 10 mail.invalid.",
             "info TXT %s" % " ".join('"%s"' % ("x" * 200) for _ in range(2)), "alias CNAME info", "2.0.0.127 A 127.0.0.2"]
    for i in range(3000):
        name = "%d.%d.%d.10" % (i % 250, i // 250, i % 7)
        lines += [name + " A 127.0.0.%d" % (2 + i % 3), '%s TXT "listed as %d"' % (name, i % 3)]
    for i in range(40):
        lines += ["*.%d.30.20 A 127.0.0.4" % i]
    with open(path, "w") as f:
        f.write("\n".join(lines + list(extra)) + "\n")
    return path


def rbldnsd_list(path):
    with open(path, "w") as f:
        f.write("$SOA 3600 ns.invalid hostmaster.invalid 0 3600 600 86400 300\n$NS 3600 ns.invalid\n:127.0.0.2:listed, see $\n127.0.0.2\n")
        f.writelines("10.%d.%d.%d\n" % (i % 7, i // 250, i % 250) for i in range(3000))
        f.writelines("20.30.%d.0/24 :127.0.0.4:a network\n" % i for i in range(40))
        f.write("!20.30.7.7\n")
    return path


EXCLUDED = "7.7.30.20." + ZONE
QUESTIONS = [(ZONE, "SOA"), (ZONE, "NS"), ("2.0.0.127." + ZONE, "A"), ("0.0.0.10." + ZONE, "TXT"), ("9.3.30.20." + ZONE, "A"),
             (EXCLUDED, "A"), ("8.7.30.20." + ZONE, "A"), ("1.1.1.1." + ZONE, "A"), ("info." + ZONE, "TXT"), ("none." + ZONE, "A"), (NEW, "A")]


def same_answers(a, b):
    for name, rdtype in QUESTIONS:
        x, y = a.ask(name, rdtype, tcp=True), b.ask(name, rdtype, tcp=True)
        if name == EXCLUDED and not x.answer and not y.answer:
            continue  # an empty node with the one, no name at all with the other: not listed with both
        assert x.rcode() == y.rcode(), "%s %s: %s and %s" % (name, rdtype, x.rcode(), y.rcode())
        show = lambda m: sorted((str(r.name).lower(), r.rdtype, r.ttl, str(d)) for r in m.answer for d in r)
        assert show(x) == show(y), "%s %s: %s and %s" % (name, rdtype, show(x), show(y))


def same(a, b):
    x, y = a.axfr(ZONE), b.axfr(ZONE)
    assert x[1] == y[1], "serials %s and %s" % (x[1], y[1])
    less, more = ([" ".join(map(str, r)).replace("x" * 180, "..") for r in sorted(a)[:2]] for a in (x[0] - y[0], y[0] - x[0]))
    assert x[0] == y[0], "RRs differ, the primary has %s, the secondary %s" % (less, more)
    same_answers(a, b)
    return len(x[0])


class Pair:
    """A primary and a secondary, one of them Candor, in a lab of two; the zone is served by both."""

    def __init__(self, lab, candor_is_primary, kind, key=None, wrong_key=False, tls=None, zones=True):
        self.lab, self.out, self.kind = lab, candor_is_primary, kind
        first, second = (Candor, kind) if candor_is_primary else (kind, Candor)
        key, other = key or Key(), key or Key()
        if wrong_key:
            other = Key(secret=SECRET)
        zone = Zone(ZONE, secondaries=[(lab.nodes[1].address, second.port)], update=True)
        if candor_is_primary:
            zone.data = [{"type": "ip4trie", "files": [rbldnsd_list(lab.nodes[0].folder + "/list")]},
                         {"type": "generic", "files": [self.generic(lab.nodes[0].folder + "/more")]}]
        else:
            zone.file = master(lab.nodes[0].folder + "/zone")
        self.primary = lab.run(first, 0, zones=[zone], key=key, tls=tls[0] if tls else None)
        until("the primary serves", lambda: self.primary.serial(ZONE) is not None, 30)
        at = self.primary.at(tls[0]) if tls else self.primary.at()
        self.secondary = lab.run(second, 1, zones=[Zone(ZONE, primaries=[at])], key=other, ca=tls[0].ca if tls else None,
                                 start=False)
        self.secondary.start(**({"ready": False} if second is Candor else {}))

    @staticmethod
    def generic(path):
        with open(path, "w") as f:
            f.write("@ MX 10 mail.invalid.\ninfo TXT \"text of the list\"\n")
        return path

    def wait(self, within_s=20):
        until("the secondary serves what the primary has",
              lambda: self.secondary.serial(ZONE) is not None and self.secondary.serial(ZONE) == self.primary.serial(ZONE), within_s, 0.05)

    def change(self):
        """One address more, told by NOTIFY; seconds until the secondary has it."""
        p, began = self.primary, time.monotonic()
        if "update" in p.lacks:
            master(p.path("zone"), 2, [NEW.split(".bl")[0] + " A 127.0.0.9"])
            p.reload(ZONE)
        else:
            p.update(ZONE, add=[(NEW, 2100, "A", "127.0.0.9")])
        if isinstance(p, Pdns):
            p.control("notify", ZONE.rstrip("."))
        until("the change is at the secondary", lambda: self.secondary.has(NEW), 20, 0.02)
        return time.monotonic() - began


def cell_axfr(lab, out, kind):
    p = Pair(lab, out, kind)
    p.wait()
    return "%d RRs" % same(p.primary, p.secondary)


def cell_ixfr(lab, out, kind):
    if (kind is Pdns) and not out:
        raise Cannot("gives no IXFR (it answers with the whole zone)")
    p = Pair(lab, out, kind)
    p.wait()
    marks = [len(s.log()) for s in (p.primary, p.secondary)]
    p.change()
    p.wait()
    same(p.primary, p.secondary)
    text = "".join(s.log()[m:] for s, m in zip((p.primary, p.secondary), marks))
    if out:
        found = re.search(r"kind=IXFR", text)
    else:
        found = re.search(r"kind=(IXFR|difference)", text) if kind is not Knot else re.search(r"IXFR, outgoing.*finished|kind=IXFR", text)
    assert found, "the change came, but as a whole zone"
    return "as a difference"


def cell_notify(lab, out, kind):
    p = Pair(lab, out, kind)
    p.wait()
    time.sleep(1.5)
    took = p.change()
    p.wait()
    assert took < SOON_S, "only after %.1f s" % took
    return "served %.2f s after the change" % took


def cell_key(lab, out, kind, algorithm):
    p = Pair(lab, out, kind, key=Key(name="k-%s." % algorithm[5:], algorithm=algorithm))
    p.wait()
    same(p.primary, p.secondary)
    return "works"


def cell_badkey(lab, out, kind):
    p = Pair(lab, out, kind, wrong_key=True)
    time.sleep(3)
    assert p.secondary.serial(ZONE) is None, "transferred with another secret"
    return "refused"


def certificate(folder, names):
    """A CA, and for each name a certificate and its key."""
    made, out = Authority(folder), []
    for n in names:
        pem, key = made.issue(n)
        os.chmod(key, 0o644)
        out.append(Tls(pem, key, made.ca))
    return out


def cell_tls(lab, out, kind):
    if kind is Pdns:
        raise Cannot("has no TLS of its own")
    if kind is Knot:
        raise Cannot("3.2 has no TLS for transfers")
    p = Pair(lab, out, kind, tls=certificate(lab.folder, ["node0.test", "node1.test"]))
    p.wait()
    same(p.primary, p.secondary)
    return "works, with the certificate's name checked"


def cell_catalog(lab, out, kind):
    if kind is Nsd:
        raise Cannot("4.6 has no catalog zones")
    cat, first, second = "cat.test.", *((Candor, kind) if out else (kind, Candor))
    zones = ["one.test.", "two.test."]
    files = {z: master(lab.nodes[0].folder + "/" + z) for z in zones}
    to = [(lab.nodes[1].address, second.port)]
    data = [{"type": "ip4trie", "files": [rbldnsd_list(lab.nodes[0].folder + "/list")]}]
    made = [Zone(z, **({"data": data} if first is Candor else {"file": files[z]}), secondaries=to) for z in zones]
    if out and kind is Pdns:  # its members know no key: they come by address
        for z in made:
            z.options = {"transfer": [{"key": Key().name}, {"address": lab.nodes[1].address + "/32"}]}
    p = lab.run(first, 0, zones=made, catalog=Catalog(cat, members=zones, secondaries=to))
    until("the primary serves", lambda: all(p.serial(z) is not None for z in zones), 30)
    s = lab.run(second, 1, zones=[], catalog=Catalog(cat, primaries=[p.at()]))
    until("members appear", lambda: all(s.serial(z) == p.serial(z) is not None for z in zones), 30, 0.1)
    if first is Candor:
        p.stop()
        p.catalog.members = zones[:1]
        p.start()
    else:
        p.set_members(zones[:1])
        if kind is Pdns:
            p.control("notify", "cat.test")
    if second is Candor:
        left = re.compile(r"two\.test\.[^\n]*(left|grace)|(left|grace)[^\n]*two\.test\.")
        until("a member that left is retired", lambda: left.search(s.log()), 30, 0.2)
    else:
        until("a member that left goes", lambda: s.serial(zones[1]) is None, 30, 0.2)
    assert s.serial(zones[0]) is not None
    return "members come and go" + (", transferred unsigned" if out and kind is Pdns else "")


def run_cell(cell, out, kind, folder):
    f = {"axfr": cell_axfr, "ixfr": cell_ixfr, "notify": cell_notify, "badkey": cell_badkey, "tls": cell_tls, "catalog": cell_catalog}.get(cell)
    with Lab(folder, 2, wire="bridge") as lab:
        return f(lab, out, kind) if f else cell_key(lab, out, kind, "hmac-" + cell)


def attempt(cell, out, kind, verbose=False):
    """("works" or "cannot" or "fails", text)"""
    with tempfile.TemporaryDirectory(prefix="candor-interop-") as folder:
        os.chmod(folder, 0o755)
        try:
            return "works", run_cell(cell, out, kind, os.path.join(folder, "lab"))
        except Cannot as e:
            return "cannot", str(e)
        except Exception as e:  # whatever went wrong is the cell's content
            if verbose:
                traceback.print_exc()
            return "fails", " ".join(str(e).split("\n")[0].split())[:160]


def versions():
    first = lambda *a: (lambda p: (p.stdout + p.stderr).strip().splitlines()[0])(subprocess.run(a, capture_output=True, text=True))
    return {"bind": re.search(r"BIND (\S+)", first("named", "-v")).group(1), "knot": first("knotd", "--version").split()[-1],
            "nsd": first("nsd", "-v").split()[-1], "pdns": re.search(r"Server (\S+)", first("pdns_server", "--version")).group(1)}


HEADS = {"axfr": "AXFR", "ixfr": "IXFR", "notify": "NOTIFY", "sha384": "TSIG sha384", "sha512": "TSIG sha512", "badkey": "wrong secret", "tls": "XoT",
         "catalog": "catalog"}


def page(results, kinds, cells):
    v = versions()
    out = ["# With servers of other makes", "",
           "Written by `make interop`: each cell was tried in network namespaces, one node with Candor and one with the other. *Works* means that",
           "both gave the same RRs by AXFR and the same answers at their DNS ports afterwards. Everything is signed with TSIG (hmac-sha256 where the",
           "column names no other); *wrong secret* works when nothing is transferred. Times are of a shared machine of two CPUs.", "",
           "Debian 12's packages: BIND %(bind)s, Knot %(knot)s, NSD %(nsd)s, PowerDNS Authoritative %(pdns)s (SQLite)." % v]
    for is_out, title in ((True, "Candor is the primary"), (False, "Candor is the secondary")):
        out += ["", "## " + title, "", "| | " + " | ".join(HEADS[c] for c in cells) + " |", "|---" * (len(cells) + 1) + "|"]
        for k in kinds:
            row = [results[(k, is_out, c)] for c in cells]
            out.append("| %s | " % OTHERS[k].name + " | ".join({"works": "works: " + t.replace("works, ", "") if t != "works" else "works", "cannot": "-: " + t,
                                                             "fails": "**fails**: " + t}[w] for w, t in row) + " |")
    out += ["", "## To know", "",
            "BIND takes a signed transfer only when every message is signed (its answer to CVE-2026-19033); Candor signs every message.",
            "PowerDNS answers IXFR with the whole zone: Candor compares and commits the difference. What it consumes from a catalog has no key,",
            "so Candor must let it have those zones by address. Times under NOTIFY run from the change at the primary, so they have in them how",
            "long that one takes to load, commit or tell: Knot, NSD and PowerDNS about a second. An RR whose data is over 512 octets is passed",
            "over by Candor and counted. An exclusion leaves Candor as an empty node, so other makes say NOERROR without data where Candor says",
            "NXDOMAIN; and names with more labels than an address are below a wildcard for them, and not there for Candor.", ""]
    return "\n".join(out)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--kinds", default=",".join(OTHERS))
    p.add_argument("--cells", default=",".join(CELLS))
    p.add_argument("--sides", default="out,in")
    p.add_argument("--write")
    p.add_argument("-v", action="store_true")
    o = p.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends the lab, too
    results, kinds, cells = {}, o.kinds.split(","), o.cells.split(",")
    for k in kinds:
        for side in o.sides.split(","):
            for c in cells:
                began = time.monotonic()
                results[(k, side == "out", c)] = w, t = attempt(c, side == "out", OTHERS[k], o.v)
                print("%-6s %-3s %-8s %-7s %5.1f s  %s" % (k, side, c, w, time.monotonic() - began, t), flush=True)
    if o.write:
        with open(o.write, "w") as f:
            f.write(page(results, kinds, cells))
    failed = sum(w == "fails" for w, _ in results.values())
    print("%d cells, %d fail" % (len(results), failed))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
