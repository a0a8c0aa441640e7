"""The four lists of real shape as rbldnsd files, and questions about them whose answers are known."""
import ipaddress
import os
import random

from . import lists

TTL = 2100


class Zone:
    def __init__(self, name, kind, write, entries, test):
        self.name, self.kind, self.write, self.entries, self.test = name, kind, write, entries, test

    def file(self, folder, version=0):
        path = os.path.join(folder, self.name + "." + self.kind)
        with open(path + ".new", "w") as f:
            self.write(f, self.entries[version])
        os.rename(path + ".new", path)
        return path


def write_ipsum(f, entries):
    f.write("127.0.0.2 :127.0.0.2:test point $\n")
    for addr, count in entries:
        f.write("%s :127.0.0.%d:$ is on %d lists\n" % (addr, count + 1, count))


def write_nets4(f, entries):
    f.write(":127.0.0.3:$ is in a data centre\n127.0.0.2\n")
    f.writelines(e + "\n" for e in entries)


def write_nets6(f, entries):
    f.write(":127.0.0.4:$ is in a data centre\n0:0:0:0:0:ffff:7f00:2\n")
    f.writelines(e + "\n" for e in entries)


def write_names(f, entries):
    f.write(":127.0.0.5:$ is a throw-away mail domain\ntest\n")
    f.writelines(e + "\n" for e in entries)


def zones():
    return [Zone("ipsum.test.", "ip4set", write_ipsum, [lists.ipsum()], "rfc5782-ip4"),
            Zone("dc4.test.", "ip4trie", write_nets4, lists.datacenter4(), "rfc5782-ip4"),
            Zone("dc6.test.", "ip6trie", write_nets6, lists.datacenter6(), "rfc5782-ip6"),
            Zone("disposable.test.", "dnset", write_names, lists.disposable(), "rfc5782-domain")]


def members(zone, rng, version=0):
    """(label, ...) names below the zone that are listed: every entry; of a network its first, its last and one between."""
    entries = zone.entries[version]
    if zone.kind == "ip4set":
        return [lists.reverse4(a) for a, _ in entries]
    if zone.kind == "dnset":
        return list(entries)
    out = []
    for e in entries:
        n = ipaddress.ip_network(e)
        first, last = int(n.network_address), int(n.broadcast_address)
        for number in {first, last, rng.randint(first, last)}:
            addr = ipaddress.ip_address(number) if n.version == 4 else ipaddress.IPv6Address(number)
            out.append((lists.reverse4 if n.version == 4 else lists.reverse6)(str(addr)))
    return out


def strangers(zone, count, rng, version=0):
    """As many names that are not listed."""
    entries = zone.entries[version]
    out = []
    if zone.kind == "dnset":
        have = set(entries) | {"test"}
        while len(out) < count:
            name = lists.fresh_domain(rng)
            if name not in have:
                out.append(name)
        return out
    if zone.kind == "ip4set":
        have = set(a for a, _ in entries) | {"127.0.0.2"}
        while len(out) < count:
            addr = str(ipaddress.IPv4Address(rng.randrange(1 << 32)))
            if addr not in have:
                out.append(lists.reverse4(addr))
        return out
    nets, v6 = lists.Nets(entries), zone.kind == "ip6trie"
    while len(out) < count:
        number = (0x2 << 124 | rng.getrandbits(124)) if v6 else rng.randrange(1 << 32)
        if number not in nets:
            addr = str(ipaddress.IPv6Address(number) if v6 else ipaddress.IPv4Address(number))
            out.append(lists.reverse6(addr) if v6 else lists.reverse4(addr))
    return out


def expected(zone, label, version=0):
    """(A, TXT) that a listed name of ipsum or of another list has."""
    if zone.kind == "ip4set":
        addr = lists.reverse4(label)
        count = dict(zone.entries[version])[addr]
        return "127.0.0.%d" % (count + 1), "%s is on %d lists" % (addr, count)
    return {"ip4trie": "127.0.0.3", "ip6trie": "127.0.0.4", "dnset": "127.0.0.5"}[zone.kind], None


def config_zone(zone, folder):
    return {"name": zone.name, "data": [{"type": zone.kind, "files": [os.path.join(folder, zone.name + "." + zone.kind)]}],
            "test": zone.test, "ttl": "%ds" % TTL}


def seeded(seed=20261122):
    return random.Random(seed)
