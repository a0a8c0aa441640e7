#!/usr/bin/python3
"""Differential fuzz of data files against Debian's rbldnsd.

  rbldnsd_diff.py [--seconds 60] [--seed N | --from-seed N] [--answer-file PROGRAM] [--keep]

Each round makes a zone of one to three datasets of all types, with all the syntax that rbldnsd knows and much that it
does not, now and then access lists, bounds of TTLs and gzip; gives it to rbldnsd and to answer_file (load, keep, view and
answer in one process), asks both the same questions from the same addresses and compares RCODE and answer section, TTLs
included. A difference is printed with the files, the question and both answers, and the exit code is 1; --seed with the
printed number runs that round alone.

Differences that are meant ("Where the protocol wins over rbldnsd"), and no others, pass:
  NXDOMAIN there, NOERROR without answers here, for names that have listed names beneath
  REFUSED there at the apex for SOA or NS that the files do not give
  RRs that rbldnsd dropped for want of room (it then leaves out AA)
  the TTL of the SOA of a negative answer: RFC 2308 wants the smaller of the SOA's TTL and its minimum
  files that rbldnsd gives up for one bad TTL or MX of a generic dataset: here the line is skipped
  SERVFAIL there, REFUSED here, for who is refused by the acl of an expired zone
  rbldnsd crashed (an acl whose default is an action, and an entry that takes the A or TXT of the default over)
"""
import argparse
import gzip
import ipaddress
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype

ZONE = "bl.test."
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TYPES = ["ip4set", "ip4trie", "ip6trie", "dnset", "ip4tset", "ip6tset", "generic"]
ACTIONS = [":ignore", ":refuse", ":empty", ":pass", "=refuse", ":i", ":EMPTY", ":pass x", ":refused", "=", "=pas", ":blackhole"]
CLIENTS = ["127.0.0.1", "127.0.0.2", "127.0.0.9", "127.1.2.3", "127.255.255.254", "::1"]


# Lines that chance would hardly make, with an address or name to ask for.
CLASSICS = {
    "ip6trie": [("1::2::5:x", "1::2"), ("::1:", "::1"), ("1:2:3:4:5:6:7:8:5:x", "1:2:3:4:5:6:7:8"), ("0000001::", "1::"), ("::12345", "::1234"),
                ("1:2:", "1:2::"), ("1::2:", "1::2"), (":: :5:x", "::"), ("::5:6:7", "::5:6:7"), ("1:2:3:4:5:6:7::8", "1:2:3:4:5:6:7:8"),
                ("1::2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("1", "1::"), ("1/16", "1::"), ("0/0", "5::"), ("!::/0", "7::"), ("1:2:3:4:5:6:7:8:", "1:2:3:4:5:6:7:8"),
                ("1:2:3:4:5:6:7:8::5:x", "1:2:3:4:5:6:7:8"), ("::ffff:1.2.3.4", "::ffff:102:304"), ("::ffff:102:304", "::ffff:102:304"), ("2002:102:304::/48 six", "2002:102:304::9")],
    "ip4set": [("1.2.3.4-5-6", "1.2.3.4"), ("0/0", "9.9.9.9"), ("0-255 all", "9.9.9.9"), ("0.0.0.0/1", "9.9.9.9"), ("1.2.3.4/24", "1.2.3.4"), ("1.2.3-1.2.3.9", "1.2.3.4"),
               ("1.2.3.4-3", "1.2.3.4"), ("1-2", "2.9.9.9"), ("1.2.3.4/032", "1.2.3.4"), ("1.2.3.4/ 32", "1.2.3.4"), ("1.2.3.4 - 1.2.3.9", "1.2.3.4"), ("1.2.3.4 :127.0.0.9", "1.2.3.4"),
               ("!!1.2.3.4", "1.2.3.4"), ("1.2.3.4::x", "1.2.3.4"), ("1.2.3.4:5::x", "1.2.3.4"), ("1.2.3.4 :5 # x", "1.2.3.4"), ("1.2.3.4;5", "1.2.3.4"), ("1.2.3.4,5", "1.2.3.4")],
    "ip4trie": [("0/0", "9.9.9.9"), ("!0/0", "9.9.9.9"), ("1.2.3.4-5", "1.2.3.4"), ("1", "1.0.0.0"), ("1/8", "1.2.3.4"), ("1.2.3/25", "1.2.3.4"), ("1.2.3.128/25", "1.2.3.128"), ("0.0.0.0/00", "9.9.9.9")],
    "ip4tset": [("1.2.3.4-5", "1.2.3.4"), ("1.2.3.4/32", "1.2.3.4"), ("!1.2.3.4", "1.2.3.4"), ("1.2.3", "1.2.3.0"), ("1.2.3.4:x", "1.2.3.4"), ("1.2.3.4 :999:x", "1.2.3.4"),
                ("1.2.3.4#", "1.2.3.4"), ("1.2.3.4,5", "1.2.3.4"), ("1.2.3.4.5", "1.2.3.4"), ("01.2.3.004", "1.2.3.4")],
    "ip6tset": [("1:2:3:4", "1:2:3:4::9"), ("!1:2:3:4::9", "1:2:3:4::9"), ("!1:2:3:4", "1:2:3:4::8"), ("1:2:3:5::", "1:2:3:5::"), ("1:2:3:5/64", "1:2:3:5::"), ("! 1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
                ("!1:2:3:4::7/128", "1:2:3:4::7"), ("1:2:3", "1:2:3::"), ("1:2:3:6:7", "1:2:3:6:7::"), ("0:0:0:0", "::1"), ("1:2:3:4:", "1:2:3:4::"), ("::1:2:3", "::1:2:3"), ("0:0:0:0", "::102:304")],
    "generic": [("@ A 127.0.0.8", "@"), ("@ MX 10 mx.test", "@"), ("@ TXT apex $", "@"), ("*.x A 1.2.3.4", "*.x"), ("!e A 1.2.3.4", "!e"), (":5:x A 1.2.3.4", ":5:x"), (". A 1.2.3.4", "a"), ("n IN 5 A 1.2.3.4", "n"),
                ("n 5 IN A 1.2.3.4", "n"), ("n A 1.2.3/24", "n"), ("n A 1.2.3.4 x", "n"), ("n A 1.2.3.", "n"), ("n TXT", "n"), ("n TXT \"\"", "n"), ("n TXT \"", "n"), ("n TXT \"a\" \"b\"", "n"), ("n MX 70000 a", "n"),
                ("n MX 10 .", "n"), ("n A", "n"), ("n SOA a", "n"), ("n 5 5 A 1", "n"), ("4.3.2.1 A 127.0.0.9", "4.3.2.1"), ("a.b.c.d TXT deep", "a.b.c.d"), ("n 4294967295 A 1.2.3.4", "n")],
    "dnset": [("(a)\\(b;\\064.test see ?$", "\\(a\\)\\(b\\;\\@.test"), ("!.x.test", "a.x.test"), ("*.*.test", "a.*.test"), ("*", "*"), ("*x.test", "*x.test"), ("..test", "test"), (".\\.test", "\\.test"), ("a:2:x.test", "a:2:x.test"),
              ("x.test:5:y", "x.test:5:y"), ("x.test #y", "x.test"), ("x.test#y", "x.test"), ("x.test\t:5", "X.TEST"), ("\\120.test", "x.test"), ("x.test.\t \ttext $", "x.test")],
}


class Maker:
    """Random data files. The few networks and words that it draws from make entries meet each other."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.top = [self.rng.randrange(256) for _ in range(2)] + [127, 0, 255]
        self.words = ["".join(self.rng.choice("abcxyz019-_") for _ in range(self.rng.randrange(1, 5))) for _ in range(6)] + ["com", "test"]
        self.addresses, self.addresses6, self.names, self.subs = set(), set(), set(), set()

    def pick(self, *choices):
        return self.rng.choice(choices)

    def chance(self, share):
        return self.rng.random() < share

    # --- addresses

    def octet(self):
        return self.pick(0, 1, 2, 127, 128, 254, 255, self.rng.randrange(256))

    def address(self):
        a = self.rng.choice(self.top) << 24 | self.pick(0, 1, 16) << 16 | self.octet() << 8 | self.octet()
        return a

    def note(self, first, last):
        for a in (first, last, first - 1, last + 1, (first + last) // 2):
            if 0 <= a < 1 << 32:
                self.addresses.add(a)

    def octets(self, address, count=4):
        parts = [str(address >> 24 - 8 * i & 255) for i in range(count)]
        if self.chance(0.05):
            i = self.rng.randrange(count)
            parts[i] = "0" * self.rng.randrange(1, 3) + parts[i]
        return ".".join(parts)

    def cidr(self, trie):
        bits = self.pick(0, 1, 7, 8, 9, 15, 16, 17, 20, 23, 24, 25, 28, 30, 31, 32, self.rng.randrange(33))
        if bits < 8 and not self.chance(0.2):
            bits = 24
        a = self.address()
        net = a >> 32 - bits << 32 - bits
        self.note(net, net | (1 << 32 - bits) - 1)
        shown = net if self.chance(0.93) else a
        count = next(n for n in (1, 2, 3, 4) if n == 4 or shown & (1 << 32 - 8 * n) - 1 == 0)
        return "%s/%d" % (self.octets(shown, self.rng.randrange(count, 5)), bits)

    def range4(self):
        a = self.address()
        b = min(a + self.pick(0, 1, 2, 5, 127, 255, 256, 1000, 65536, 70000, 1 << 20), (1 << 32) - 1)
        form = self.rng.randrange(4)
        if form == 0:
            self.note(a, b)
            return "%s-%s" % (self.octets(a), self.octets(b))
        if form == 1:
            last = self.octet()
            self.note(a, a & ~255 | last)
            return "%s-%d" % (self.octets(a), last)
        n = self.rng.randrange(1, 4)
        host = (1 << 32 - 8 * n) - 1
        self.note(a & ~host, b | host)
        if form == 2:
            return "%s-%s" % (self.octets(a, n), self.octets(b, n))
        return "%s-%d" % (self.octets(a, n), b >> 32 - 8 * n & 255)

    def single4(self):
        a = self.address()
        n = 4 if self.chance(0.75) else self.rng.randrange(1, 5)
        host = (1 << 32 - 8 * n) - 1
        self.note(a & ~host, a | host)
        return self.octets(a, n)

    def entry4(self, trie):
        form = self.rng.random()
        if form < 0.5:
            return self.single4()
        if form < 0.75 or (trie and form < 0.97):
            return self.cidr(trie)
        return self.range4()

    def address6(self):
        if self.chance(0.25):
            return int(ipaddress.IPv6Address("::ffff:0:0")) | self.address()
        if self.chance(0.25):
            return 0x2002 << 112 | self.address() << 80 | self.pick(0, 0, 1, self.rng.getrandbits(80))
        top = self.pick(0, 0x20010db8, 0x20010db9, 0xffffffff, 0x20010db800010000 >> 32)
        return top << 96 | self.pick(0, 1, self.rng.getrandbits(96), self.rng.getrandbits(16), self.rng.getrandbits(16) << 80)

    def words6(self, a):
        groups = ["%x" % (a >> 112 - 16 * i & 0xffff) for i in range(8)]
        form = self.rng.randrange(5)
        if form == 0:
            return ipaddress.IPv6Address(a).compressed
        if form == 1:
            return ipaddress.IPv6Address(a).exploded.upper()
        if form == 2:
            while len(groups) > 1 and groups[-1] == "0":
                groups.pop()
            return ":".join(groups)
        if form == 3:  # "::" where it stands for nothing, one zero or many
            i, j = sorted(self.rng.choices(range(9), k=2))
            if all(g == "0" for g in groups[i:j]) or self.chance(0.1):
                text = ":".join(groups[:i]) + "::" + ":".join(groups[j:])
                return text + self.pick(":", "::", "::5", "::5:x", ":5:x") if self.chance(0.05) else text
        return ":".join(groups)

    def entry6(self):
        a = self.address6()
        bits = self.pick(128, 128, 64, 48, 47, 32, 16, 0, 1, 127, self.rng.randrange(129))
        if bits < 16 and not self.chance(0.2):
            bits = 48
        if self.chance(0.3):
            bits = 128
        net = a >> 128 - bits << 128 - bits
        for x in (net, net | (1 << 128 - bits) - 1, net - 1, a):
            if 0 <= x < 1 << 128:
                self.addresses6.add(x)
        text = self.words6(net if self.chance(0.95) else a)
        if bits < 128 or self.chance(0.2):
            text += "/%d" % bits
        return text

    # --- names

    def name(self):
        parts = [self.rng.choice(self.words) for _ in range(self.rng.randrange(1, 4))]
        text = ".".join(parts)
        self.names.add(text)
        if self.chance(0.1):
            text = text.upper()
        if self.chance(0.05):
            text = text.replace(".", "..", 1)
        if self.chance(0.1):
            text += "."
        if self.chance(0.05):
            odd = self.pick("a\\.b", "\\065x", "\\9", "\\256", "a\\", "x\\@$;", "\"q", "(a)\\(b", "a#b", "a:b", "*", "a.*", "a" * 63, "a" * 64, "\\233", "\xe9".encode().decode("latin1"))
            text = odd + "." + text
            self.names.add(text)
        return text

    def entry_name(self):
        return self.pick("", "", "", ".", "*.", ".", "*.") + self.name()

    # --- values and lines

    def text(self):
        pieces = ["Listed", "see http://x.test/?", "$", "$$", "$1", "$2", "$9", "$=", "=", "#", ";", ":", " ", "\t", "text", "\"", "\\", "$a", "a" * self.rng.randrange(1, 90)]
        text = "".join(self.rng.choice(pieces) + self.pick("", " ", "") for _ in range(self.rng.randrange(1, 7)))
        if self.chance(0.05):
            text += "z" * self.rng.randrange(150, 300)
        return text

    def a(self):
        return self.pick("2", "3", "4", "127.0.0.5", "127.1.2.3", "10.1", "1.2.3", "127.0.0.2", "0", "256", "x", "", " 2", "0.0.0.0", "127.0.0.2.", "255")

    def value(self):
        form = self.rng.randrange(8)
        if form == 0:
            return ""
        if form == 1:
            return ":" + self.a()
        if form == 2:
            return ":" + self.a() + ":"
        if form == 3:
            return self.text()
        if form == 4:
            return self.pick("# note", "; note", "#", ";")
        if form == 5:
            return ":%s :%s" % (self.a(), self.text())
        return ":%s:%s" % (self.pick("2", "3", "127.0.0.4"), self.text())

    def rr(self):
        name = self.pick("@", self.name(), self.name(), self.name(), self.name(), reversed4(self.address()))
        self.names.add(name)
        ttl = self.pick("", "", "", "60 ", "1h\t", "0 ", "7 ", "100000 ")
        type_ = self.pick("A", "A", "a", "TXT", "txt", "MX", "Mx")
        data = {"a": lambda: self.pick("127.0.0.2", "127.0.0.3", "10.1.2.3", "5", "1.2", "1.2.3.4 x", "0", "1.2.3"),
                "txt": lambda: self.pick('"%s"', "%s") % self.text(), "mx": lambda: "%d %s" % (self.pick(0, 10, 10, 20, 65535), self.pick("mx.test", "MX.test", "a.b.c.", "mx.bl.test"))}
        return name + self.pick(" ", " ", "\t", "  ") + ttl + self.pick("", "", "IN ", "in\t") + type_ + " " + data[type_.lower()]()

    def entry6t(self):
        a = self.address6()
        self.addresses6 |= {a, a >> 64 << 64, a ^ 1}
        if self.chance(0.25):
            return "!" + self.words6(a)
        return ":".join("%x" % (a >> 112 - 16 * i & 0xffff) for i in range(self.pick(4, 4, 4, 4, 4, 4, 4, 3, 5, 8)))

    def acl_entry(self):
        if self.chance(0.4):
            return self.pick(self.entry6(), self.cidr(True), "::1", "::/64", "0:0:0:0/127", "::/0", "::1/128", "1/40")
        return self.pick("127/8", "127.0.0.0/30", "127.0.0.1", "127.0.0.2", "127.0.0.9/32", "127.1", "0/0", "127.0.0", "127.255.255.254", "126.0.0.0/7", "127.0.0.1-2", "!127.0.0.1")

    def acl_file(self):
        """A default that is an action leaves entries no A or TXT to take over: rbldnsd would crash."""
        actions = self.chance(0.6)
        lines = []
        for _ in range(self.pick(1, 2, 4, 8)):
            form = self.rng.random()
            if form < 0.15:
                lines.append(self.pick(*ACTIONS) if actions else ":%s:%s" % (self.pick("2", "8"), self.text()))
            elif form < 0.3:
                lines.append(self.pick("$TTL 60", "$TTL 1h", "$1 one", "$= base $= $", "$SOA 0 a b 1 1 1 1 1", "$NS 0 a", "# x", "$MAXRANGE4 300", ""))
            else:
                value = self.pick("", "# x", self.pick(*ACTIONS), self.pick(*ACTIONS), ":%s:%s" % (self.pick("2", "7", "127.0.0.9"), self.text()))
                if not actions and self.chance(0.3):
                    value = self.pick(":5", self.text())
                lines.append(self.acl_entry() + " " + value)
        return "\n".join(lines) + "\n"

    def combined(self):
        """Parts with names of their own, in one to two files."""
        lines = [self.directive() for _ in range(self.pick(0, 0, 2, 4))]
        lines += [self.soa()] if self.chance(0.5) else []
        for _ in range(self.pick(0, 1, 2, 3, 5)):
            kind = self.rng.choice(TYPES)
            subs = [self.sub() for _ in range(self.pick(1, 1, 2, 3))]
            if self.chance(0.03):
                kind = self.pick("combined", "nosuch", "acl", "IP4SET", "")
            if self.chance(0.03):
                subs = []
            lines.append(self.pick("$DATASET ", "$dataset\t", "#$DATASET ") + kind + self.pick("", "", ":", ":name", ":a:b") + " " + self.pick(" ", "  ", "\t").join(subs))
            if kind in TYPES:
                lines += [self.line(kind) for _ in range(self.pick(0, 2, 10, 40))]
            if self.chance(0.1):
                lines.append(self.pick(self.soa(), self.ns(), "$TTL 99"))
        return "\n".join(lines) + "\n"

    def sub(self):
        sub = self.pick("@", "@", "s1", "s2", "S3", "a.s1", "b.a.s1", "s2.", "2.1", self.rng.choice(self.words), "." if self.chance(0.1) else "s1", "*" if self.chance(0.1) else "s1", "x" * 64 if self.chance(0.05) else "s2")
        if len(sub) < 64 and sub not in ("@", "."):
            self.subs.add(sub.rstrip("."))
        return sub

    def entry(self, kind):
        if kind == "generic":
            return self.rr()
        if kind == "ip6tset":
            return self.entry6t()
        if kind == "ip4tset" and self.chance(0.8):
            a = self.address()
            self.note(a, a)
            return self.octets(a)
        if kind == "dnset":
            return self.entry_name()
        if kind == "ip6trie":
            return self.entry6()
        return self.entry4(kind == "ip4trie")

    def directive(self):
        mark = self.pick("$", "$", "#$", ";$", ":$")
        return mark + self.pick(
            "%d %s" % (self.rng.randrange(10), self.text()),
            "1 one$two",
            "2 two ",
            "= " + self.text() if self.chance(0.2) else "3 three",
            self.pick("TTL ", "ttl\t", "Ttl ") + self.pick("1h", "60", "0", "2m", "5x", "1w", "99999w", "7s", ""),
            "MAXRANGE4 " + self.pick("/24", "256", "/16", "/8", "1", "0", "/0", "/33", "x", "70000") if self.chance(0.3) else "0 zero",
            "unknown thing", "1", "=", "TTL", "")

    def line(self, kind):
        form = self.rng.random()
        if form < 0.05:
            return self.classic(kind)
        if form < 0.1:
            return self.directive()
        if form < 0.17:
            return self.value() if self.chance(0.3) else ":%s:%s" % (self.pick("2", "3", "127.0.0.9"), self.text())
        if form < 0.2:
            return self.pick("", "#", "; x", "   ", "\t#$", "# $TTL 5", "!", "! ", ".", "*.", "-", "::", ":", "::::", "$", "1.2.3.4\r", "1.2.3.4\0x", "\x00", "x y z", "/8", "1/", "1::/129")
        if kind == "generic":
            return self.rr()
        bang = self.pick("", "", "", "", "!", "! ", "!\t") if self.chance(0.6) else ""
        gap = self.pick(" ", "\t", "  ", " \t ") if self.chance(0.95) else ""
        tail = self.value() if self.chance(0.5) else ""
        return self.pick("", "", "", " ", "\t") + bang + self.entry(kind) + (gap + tail if tail else "") + self.pick("", "", "", " ")

    def classic(self, kind):
        line, asked = self.rng.choice(CLASSICS[kind])
        if kind in ("dnset", "generic"):
            self.names.add(asked)
        elif kind in ("ip6trie", "ip6tset"):
            self.addresses6.add(int(ipaddress.IPv6Address(asked)))
        else:
            self.addresses.add(int(ipaddress.IPv4Address(asked)))
        return line

    def mutated(self, line):
        """A line with one to three characters put in, taken out or doubled."""
        for _ in range(self.rng.randrange(1, 4)):
            i = self.rng.randrange(len(line) + 1)
            j = i + self.rng.randrange(3)
            line = line[:i] + self.pick("", "", line[i:j] * 2, self.rng.choice(" \t.:-/!#;$=\\*09afgx\r\x00\x01\x7f\xe9")) + line[j if self.chance(0.5) else i:]
        return line

    def file(self, kind):
        if kind == "combined":
            return self.combined()
        if kind == "acl":
            return self.acl_file()
        lines = [self.mutated(x) if self.chance(0.08) else x for x in (self.line(kind) for _ in range(self.pick(0, 1, 5, 20, 60, 200)))]
        if self.chance(0.4):
            lines.insert(self.rng.randrange(len(lines) + 1), self.soa())
        if self.chance(0.4):
            lines.insert(self.rng.randrange(len(lines) + 1), self.ns())
        if self.chance(0.03):
            lines.append("$TIMESTAMP " + self.pick("2020:01:01", "20210101", "2030-01-01", "2021:02:30", "0 2020:01:01", "2020-01-01 +1w", "2020-01-01:10:11:12 -", "- 2037:12:31:23:59:59"))
        return "\n".join(lines) + self.pick("\n", "\n", "\n\n", "")

    def soa(self):
        times = lambda: self.pick("1h", "600", "2m", "1d", "0", "30S", "1W")
        return self.pick("$SOA ", "#$soa\t") + " ".join([times(), self.pick("ns1.test", "NS.bl.test.", "a.b.bl.test"), self.pick("admin.test", "host\\.master.bl.test"), self.pick("5", "4294967295", "7", "x"), times(), times(), times(), times()]) + self.pick("", " ", " x" if self.chance(0.2) else "")

    def ns(self):
        return self.pick("$NS ", "$nameserver ") + " ".join([self.pick("0", "1h", "60", "x")] + [self.pick("ns1.test", "NS1.test", "ns2.bl.test", "-ns3.test", "n..s4.test.", "-") for _ in range(self.rng.randrange(0, 4))])


def reversed4(a):
    return ".".join(str(a >> 8 * i & 255) for i in range(4))


def reversed6(a):
    return ".".join("%x" % (a >> 4 * i & 15) for i in range(32))


def questions(m, count):
    """[(type, name)] about what is listed and what stands around it."""
    names = []
    for a in m.addresses:
        names.append(reversed4(a))
    for a in m.addresses6:
        names.append(reversed6(a))
        if a >> 112 == 0x2002:
            names.append(reversed4(a >> 80 & 0xffffffff))
    for a in m.addresses:
        if m.chance(0.3):
            names.append(reversed6(0xffff << 32 | a))
            names.append(reversed6(0x2002 << 112 | a << 80 | m.pick(0, 1, m.rng.getrandbits(80))))
    for n in m.names:
        names += [n, "x." + n, "y.x." + n, n.upper(), n.partition(".")[2] or n]
    names += ["*", "a", "a\\.b", "a." + m.rng.choice(m.words), "\\009", "001.2.0.127", "1.2.3", "256.1.1.1", "1.2.3.4.5", "-1.2.3.4", "0x1.2.3.4", "a.1.2.3", "1000.2.3.4", "2.0.0.127", "1.0.0.127"]
    names += [reversed4(m.rng.getrandbits(32)) for _ in range(20)] + [reversed4(m.address()) for _ in range(40)]
    names += [reversed6(m.address6()) for _ in range(20)]
    m.rng.shuffle(names)
    names = names[:count]
    if "@" in names:
        names.remove("@")
    if m.subs:  # what is in the parts, and what only looks as if it were
        subs = sorted(m.subs)
        names = [n + "." + m.rng.choice(subs) if m.chance(0.7) else n for n in names]
        names += subs + ["x." + s for s in subs] + ["2.0.0.127." + s for s in subs]
    for n in names[:count // 8]:  # parts of reversed addresses, names below listed ones, case
        names.append(n.partition(".")[2] or n)
        names.append("x." + n)
        names.append("".join(m.rng.choice((c.lower(), c.upper())) for c in n))
    out = [(t, ZONE) for t in ("SOA", "NS", "A", "TXT", "ANY", "MX", "TYPE99")]
    out += [(m.pick("A", "A", "TXT", "TXT", "TXT", "ANY", "MX", "AAAA", "NS", "SOA"), n + "." + ZONE) for n in names if n != "@"]
    return out


def free_port():
    """Of 127.0.0.1 and ::1."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as t:
            s.bind(("127.0.0.1", 0))
            try:
                t.bind(("::1", s.getsockname()[1]))
            except OSError:
                continue
            return s.getsockname()[1]


class Rbldnsd:
    def __init__(self, folder, datasets, shared, ttls, host_bits):
        self.port = free_port()
        specs = ["%s:%s:%s" % (ZONE.rstrip("."), kind, ",".join(files)) for kind, files in datasets] + [":acl:" + f for f in shared]
        specs = (["-t", ":".join(str(t or "") for t in ttls)] if ttls else []) + (["-e"] if host_bits else []) + specs
        self.log = open(os.path.join(folder, "rbldnsd.log"), "w+b")
        self.process = subprocess.Popen(["/usr/sbin/rbldnsd", "-n", "-a", "-u", "daemon", "-c", "0", "-w", folder, "-b", "127.0.0.1/%d" % self.port, "-b", "::1/%d" % self.port] + specs,
                                        stdout=self.log, stderr=self.log)
        self.sockets = {}
        self.up = self.wait()

    def socket_of(self, client):
        if client not in self.sockets:
            six = ":" in client
            s = self.sockets[client] = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
            s.bind((client, 0))
            s.connect(("::1" if six else "127.0.0.1", self.port))
        return self.sockets[client]

    def wait(self):
        """True when it answers; False when it has left (it does when a file cannot be loaded). Who an acl ignores hears nothing, but
        a zone that is none is refused, whoever asks; under an acl for all zones its log tells that it is ready."""
        probe = dns.message.make_query("no.such.zone", "SOA").to_wire()
        end = time.monotonic() + 20
        while time.monotonic() < end and self.process.poll() is None:
            try:
                s = self.socket_of("127.0.0.1")
                s.settimeout(0.02)
                s.send(probe)
                s.recv(4096)
                return True
            except (socket.timeout, ConnectionRefusedError):
                with open(self.log.name, "rb") as f:
                    if b") started (" in f.read():
                        return True
                time.sleep(0.002)
        if self.process.poll() is None:
            raise RuntimeError("rbldnsd neither answers nor leaves")
        return False

    def ask(self, kind, name, client, silent):
        """The answer; None when there is none (`silent`: none is expected)."""
        q = dns.message.make_query(name, kind, use_edns=0, payload=4096)
        s = self.socket_of(client)
        for _ in range(1 if silent else 5):
            s.settimeout(0.05 if silent else 1)
            s.send(q.to_wire())
            try:
                while True:
                    wire = s.recv(65535)
                    if wire[:2] == q.id.to_bytes(2, "big"):
                        return wire
            except socket.timeout:
                continue
            except ConnectionRefusedError:
                return None
        return None

    def crashed(self):
        return self.process.poll() is not None and self.process.returncode < 0

    def close(self):
        for s in self.sockets.values():
            s.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.log.close()


def ours(program, folder, datasets, shared, ttls, host_bits, asked):
    """(whether the zone was loaded, the answers)"""
    state = os.path.join(folder, "state")
    os.makedirs(state)
    config = os.path.join(folder, "candor.yaml")
    with open(config, "w") as f:
        f.write("node: { state: %s, run: %s }\nresolver: { refuse-any: false }\nrbl:\n  zones:\n" % (state, state))
        ttl = "".join("      %s: %ss\n" % (key, value) for key, value in zip(("ttl", "min-ttl", "max-ttl"), ttls or ()) if value)
        ttl += "      host-bits: true\n" if host_bits else ""
        for name in shared:
            f.write("    - name: .\n%s      data: [{ type: acl, files: [%s] }]\n" % (ttl, os.path.join(folder, name)))
        f.write("    - name: %s\n      test: none\n%s" % (ZONE, ttl))
        f.write("      data:\n")
        for kind, files in datasets:
            f.write("        - { type: %s, files: [%s] }\n" % (kind, ", ".join(os.path.join(folder, x) for x in files)))
    lines = "".join("%d %s %s\n" % (dns.rdatatype.from_text(kind), name, client) for kind, name, client in asked)
    run = subprocess.run([program, config], input=lines.encode("latin1"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    if run.returncode != 0:
        raise RuntimeError("answer_file left with %d: %s" % (run.returncode, run.stderr.decode(errors="replace")[-2000:]))
    out = run.stdout.decode().splitlines()
    zones = 1 + len(shared)
    return all(x.startswith("loaded ") for x in out[:zones]), "; ".join(out[:zones]), out[zones:]


def parsed(wire):
    return dns.message.from_wire(wire, ignore_trailing=True)


def shown(message, section):
    """{(type, rdata as bytes): TTL}, owner names being the question's."""
    out = {}
    for rrset in section:
        for rdata in rrset:
            key = (dns.rdatatype.to_text(rrset.rdtype), rdata.to_wire() if rrset.rdtype not in (dns.rdatatype.SOA, dns.rdatatype.NS, dns.rdatatype.MX) else rdata.to_text().lower().encode())
            if rrset.name != message.question[0].name and section is message.answer:
                key = ("OWNER " + rrset.name.to_text(),) + key
            out[key] = rrset.ttl
    return out


def beneath_possible(datasets, name):
    """Whether entries can stand beneath the name: part of a reversed address, or any name in front of a name list."""
    labels = dns.name.from_text(name).relativize(dns.name.from_text(ZONE)).labels
    kinds = {kind for kind, _ in datasets}
    part4 = len(labels) < 4 and all(x.isdigit() and int(x) < 256 for x in labels)
    part6 = len(labels) < 32 and all(len(x) == 1 and x.lower() in b"0123456789abcdef" for x in labels)
    return bool(kinds & {"dnset", "generic", "combined"} or (part4 and kinds & {"ip4set", "ip4tset", "ip4trie"}) or
                (part6 and kinds & {"ip4set", "ip4tset", "ip4trie", "ip6tset", "ip6trie"}))


def differs(datasets, kind, name, theirs, mine):
    """None, or what is different."""
    a, b = parsed(theirs), parsed(mine)
    want, have = shown(a, a.answer), shown(b, b.answer)
    dropped = not a.flags & dns.flags.AA
    if a.rcode() == dns.rcode.REFUSED and name == ZONE and b.rcode() == dns.rcode.NOERROR:
        return None
    if a.rcode() == dns.rcode.NXDOMAIN and b.rcode() == dns.rcode.NOERROR and not have:
        return None if beneath_possible(datasets, name) else "NOERROR for a name with nothing beneath"
    if a.rcode() == dns.rcode.SERVFAIL and b.rcode() == dns.rcode.REFUSED and any(k == "acl" for k, _ in datasets):
        return None
    if a.rcode() != b.rcode():
        return "rcode %s, %s" % (dns.rcode.to_text(a.rcode()), dns.rcode.to_text(b.rcode()))
    if want != have and not (dropped and a.rcode() == dns.rcode.NOERROR and all(have.get(k) == v for k, v in want.items())):
        if not (name == ZONE and kind in ("ANY", "NS", "SOA")):
            return "answers"
        if not all(have.get(k) == v for k, v in want.items()):
            return "apex"
    if have or b.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return None
    soa = shown(b, b.authority)
    if len(soa) != 1:
        return "a negative answer wants one SOA"
    theirs_soa = shown(a, a.authority)
    if theirs_soa and set(theirs_soa) != set(soa):
        return "SOA"
    return None


def plan(m):
    """The datasets as (type, number of files), whether there is an acl for all zones, TTLs as (default, least, most) or None, and -e."""
    datasets = [(m.rng.choice(TYPES + ["combined", "combined", "generic"]), m.pick(1, 1, 2)) for _ in range(m.pick(1, 1, 1, 2, 3))]
    if sum(kind == "combined" for kind, _ in datasets) and m.chance(0.5):
        datasets = [(kind, n) for kind, n in datasets if kind == "combined"][:1] + [(kind, n) for kind, n in datasets if kind != "combined"]
    if m.chance(0.2):
        datasets.insert(m.rng.randrange(len(datasets) + 1), ("acl", 1))
    ttls = m.pick((300, 100, 1000), (300, None, 3600), (60, 60, None), (5000, None, None)) if m.chance(0.2) else None
    return datasets, m.chance(0.08), ttls, m.chance(0.1)


def write(m, folder, name, text):
    data = text.encode("latin1")
    with open(os.path.join(folder, name), "wb") as f:
        f.write(gzip.compress(data) if m.chance(0.1) else data)
    return name


def gave_up(peer, datasets):
    """Whether rbldnsd left for a line of a generic dataset that is skipped here."""
    with open(peer.log.name, "rb") as f:
        said = f.read()
    generic = any(kind in ("generic", "combined") for kind, _ in datasets)
    return generic and b"not all datasets are loaded" in said and not any(x in said for x in (b"aborting loading", b"unknown dataset type", b"cannot be used inside", b"specify $DATASET"))


def compare(peer, datasets, question, mine):
    """What is different or None, and their answer."""
    kind, name, client = question
    theirs = peer.ask(kind, name, client, mine == "drop")
    if theirs is None or mine == "drop":
        return (None if (theirs is None) == (mine == "drop") else "an answer from one only"), theirs
    return ("no zone" if mine == "-" else differs(datasets, kind, name, theirs, bytes.fromhex(mine))), theirs


def run_round(seed, program, folder):
    """Number of questions compared, and the differences."""
    m = Maker(seed)
    made, has_shared, ttls, host_bits = plan(m)
    os.chmod(folder, 0o755)
    datasets = [(kind, [write(m, folder, "%s-%d-%d" % (kind, i, j), m.file(kind)) for j in range(files)]) for i, (kind, files) in enumerate(made)]
    shared = [write(m, folder, "shared", m.acl_file())] if has_shared else []
    clients = CLIENTS if shared or any(kind == "acl" for kind, _ in datasets) else CLIENTS[:1]
    asked = [(k, n, m.rng.choice(clients)) for k, n in questions(m, m.pick(50, 150)) if good_name(n)]
    peer = Rbldnsd(folder, datasets, shared, ttls, host_bits)
    try:
        loaded, said, answers = ours(program, folder, datasets, shared, ttls, host_bits, asked)
        if not peer.up or not loaded:
            fine = peer.up == loaded or (loaded and (peer.crashed() or gave_up(peer, datasets)))
            return int(fine), [] if fine else [(None, "loading: rbldnsd %s, candor %s" % (peer.up, said), None, None)]
        if len(answers) != len(asked):
            return 0, [(None, "%d answers to %d questions" % (len(answers), len(asked)), None, None)]
        found = []
        for question, mine in zip(asked, answers):
            what, theirs = compare(peer, datasets, question, mine)
            if what and not peer.crashed():
                found.append((question, what, theirs, None if mine in ("-", "drop") else bytes.fromhex(mine)))
        return len(asked), found
    finally:
        peer.close()


def good_name(text):
    try:
        dns.name.from_text(text)
        return " " not in text and text.isascii()
    except (dns.exception.DNSException, ValueError, struct.error):  # struct.error: dnspython on "\\256"
        return False


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--seconds", type=float, default=60)
    p.add_argument("--seed", type=int, help="this round alone")
    p.add_argument("--from-seed", type=int, help="rounds N, N+1, ... instead of random ones")
    p.add_argument("--answer-file", default=os.path.join(os.environ.get("CANDOR_BUILD", os.path.join(ROOT, "build")), "tests", "system", "answer_file"))
    p.add_argument("--keep", action="store_true", help="leave the files of a round that differs")
    p.add_argument("--most", type=int, default=1, help="stop after so many rounds that differ")
    o = p.parse_args()
    end, rounds, compared, bad = time.monotonic() + o.seconds, 0, 0, 0
    while time.monotonic() < end and bad < o.most:
        seed = o.seed if o.seed is not None else random.SystemRandom().getrandbits(48) if o.from_seed is None else o.from_seed + rounds
        folder = tempfile.mkdtemp(prefix="rbldnsd_diff.")
        try:
            n, found = run_round(seed, o.answer_file, folder)
        except Exception:
            print("seed %d" % seed, flush=True)
            if not o.keep:
                shutil.rmtree(folder)
            raise
        rounds, compared = rounds + 1, compared + n
        if found:
            bad += 1
            print("round with --seed %d differs%s" % (seed, ", files in " + folder if o.keep else ""))
            for question, what, theirs, mine in found[:5]:
                print("== %s: %s" % (question, what))
                for who, wire in (("rbldnsd", theirs), ("candor", mine)):
                    if wire is not None:
                        print("-- %s\n%s" % (who, parsed(wire)))
        if not (found and o.keep):
            shutil.rmtree(folder)
        if o.seed is not None:
            break
    print("%d rounds, %d questions compared, %d rounds differ" % (rounds, compared, bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
