"""Lists for the system tests: real ones with their real changes where the machine has them, else made ones of the same shape.

Real lists are read from the folder that CANDOR_LISTS names (default: ../shared/data beside the checkout) and never copied
into the project. A *series* is a folder with v00.txt.gz and vNN.diff.gz ("-entry", "+entry").
"""
import bisect
import gzip
import ipaddress
import os
import random

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
FOLDER = os.environ.get("CANDOR_LISTS", os.path.join(os.path.dirname(ROOT), "shared", "data"))


def real():
    """Whether the real lists are here."""
    return os.path.isdir(os.path.join(FOLDER, "ip4-ipsum-counts"))


def read_gz(path):
    with gzip.open(path, "rt", encoding="utf8", errors="replace") as f:
        return [l.rstrip("\n") for l in f]


def series(name, made=None):
    """All versions of a series, oldest first, each a sorted list of entries; `made()` gives them where the real ones are not."""
    folder = os.path.join(FOLDER, name)
    if not os.path.isdir(folder):
        return made()
    have = set(read_gz(os.path.join(folder, "v00.txt.gz")))
    have.discard("")
    out = [sorted(have)]
    n = 1
    while os.path.exists(os.path.join(folder, "v%02d.diff.gz" % n)):
        for line in read_gz(os.path.join(folder, "v%02d.diff.gz" % n)):
            if line.startswith("-"):
                have.discard(line[1:])
            elif line.startswith("+"):
                have.add(line[1:])
        out.append(sorted(have))
        n += 1
    return out


def churned(first, fresh, versions, share, seed):
    """Versions of a made list: `share` of the entries leaves and comes in each."""
    rng = random.Random(seed)
    have, out = list(first), [sorted(first)]
    for _ in range(versions - 1):
        rng.shuffle(have)
        n = max(1, int(len(have) * share))
        have = have[n:] + [fresh(rng) for _ in range(n)]
        have = list(dict.fromkeys(have))
        out.append(sorted(have))
    return out


def made_ip4(count=30000, seed=1):
    rng = random.Random(seed)
    return ["%d.%d.%d.%d" % (rng.randrange(1, 224), rng.randrange(256), rng.randrange(256), rng.randrange(256))
            for _ in range(count)]


def fresh_net4(rng):
    bits = rng.choice([16, 18, 20, 22, 22, 23, 24, 24, 24, 27, 30])
    return str(ipaddress.ip_network((rng.randrange(1 << 24, 224 << 24), bits), strict=False))


def fresh_net6(rng):
    bits = rng.choice([29, 32, 32, 36, 40, 44, 48, 48, 48, 56, 64])
    return str(ipaddress.ip_network(((0x2000 << 112) | rng.getrandbits(125 - 13), bits), strict=False))


def fresh_domain(rng):
    word = lambda n: "".join(rng.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(n))
    return "%s.%s" % (word(rng.randrange(4, 14)), rng.choice(["com", "net", "org", "co.uk", "info", "xyz"]))


def made(fresh, count, versions, seed):
    rng = random.Random(seed)
    return churned(list(dict.fromkeys(fresh(rng) for _ in range(count))), fresh, versions, 0.003, seed)


def ipsum():
    """[(address, count)]"""
    path = os.path.join(FOLDER, "ip4-ipsum-counts", "ipsum.txt.gz")
    if os.path.exists(path):
        out = []
        for line in read_gz(path):
            if line and not line.startswith("#"):
                addr, _, count = line.partition("\t")
                out.append((addr, int(count)))
        return out
    rng = random.Random(5)
    return [(a, min(10, 1 + int(rng.expovariate(1)))) for a in dict.fromkeys(made_ip4())]


def datacenter4():
    return series("cidr4-x4b-datacenter-day", lambda: made(fresh_net4, 8000, 8, 2))


def datacenter6():
    return series("cidr6-x4b-datacenter-day", lambda: made(fresh_net6, 4000, 1, 3))


def disposable():
    return series("dom-disposable-day", lambda: made(fresh_domain, 15000, 8, 4))


def attackers(kind="2h"):
    """IPv4 addresses, a new version each two hours or each day."""
    return series("ip4-data-shield-" + kind, lambda: churned(made_ip4(20000, 6), lambda r: made_ip4(1, r.random())[0], 8, 0.004, 6))


def reverse4(addr):
    return ".".join(reversed(addr.split(".")))


def reverse6(addr):
    return ".".join(reversed(ipaddress.IPv6Address(addr).exploded.replace(":", "")))


class Nets:
    """Which addresses a list of networks holds."""

    def __init__(self, nets):
        spans = sorted((int(n.network_address), int(n.broadcast_address)) for n in map(ipaddress.ip_network, nets))
        self.first, self.last = [], []
        for a, b in spans:
            if self.first and a <= self.last[-1]:
                self.last[-1] = max(self.last[-1], b)
            else:
                self.first.append(a)
                self.last.append(b)

    def __contains__(self, number):
        i = bisect.bisect_right(self.first, number) - 1
        return i >= 0 and number <= self.last[i]
