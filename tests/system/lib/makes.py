"""Servers of other makes for a lab: BIND, Knot, NSD, PowerDNS. See servers.py."""
import contextlib
import os
import sqlite3

from .servers import Key, Server, Zone


class Bind(Server):
    name = "BIND"
    version = "9.18"

    def configure(self):
        k = self.key
        peers = lambda ps: " ".join("%s port %d key \"%s\"%s;" % (p[0], p[1], k.name, " tls tls-%s" % p[2] if len(p) > 2 else "") for p in ps)
        out = ['key "%s" { algorithm %s; secret "%s"; };' % (k.name, k.algorithm, k.secret),
               'key "rndc" { algorithm hmac-sha256; secret "%s"; };' % Key().secret,
               'controls { inet 127.0.0.1 port 953 allow { 127.0.0.1; } keys { "rndc"; }; };']
        listen = ""
        if self.tls:
            out.append('tls own { cert-file "%s"; key-file "%s"; };' % (self.tls.certificate, self.tls.key))
            listen = "listen-on port %d tls own { %s; };" % (self.tls.port, self.place.address)
        for name in {p[2] for z in self.zones for p in z.primaries if len(p) > 2}:
            out.append('tls tls-%s { ca-file "%s"; remote-hostname "%s"; };' % (name, self.options["ca"], name))
        cat = ""
        if self.catalog and self.catalog.primaries:
            cat = 'catalog-zones { zone "%s" default-primaries { %s } in-memory yes min-update-interval 0; };' % (
                self.catalog.name, peers(self.catalog.primaries))
        out.append("""options { directory "%s"; listen-on port 53 { 127.0.0.1; %s; }; listen-on-v6 port 53 { %s; }; %s recursion no;
 notify explicit; notify-delay 0; notify-rate 1000; startup-notify-rate 1000; serial-query-rate 1000; transfers-in 100;
 transfers-per-ns 100; transfers-out 100; tcp-clients 1000; min-refresh-time 1; min-retry-time 1; pid-file none; session-keyfile none; lock-file none;
 dnssec-validation no; allow-query { any; }; allow-transfer { key "%s"; }; minimal-responses yes; %s
 };""" % (self.state, self.place.address, self.place.address6, listen, k.name, cat))
        for z in self.all_zones():
            also = "also-notify { %s };" % peers(z.secondaries) if z.secondaries else ""
            if z.primaries:
                out.append('zone "%s" { type secondary; file "%s"; masterfile-format raw; primaries { %s }; allow-notify { key "%s"; }; %s };' % (
                    z.name, z.name + "db", peers(z.primaries), k.name, also))
            else:
                how = 'allow-update { key "%s"; };' % k.name if z.update else "ixfr-from-differences yes;"
                out.append('zone "%s" { type primary; file "%s"; %s %s };' % (z.name, z.file, how, also))
        self.write("named.conf", "\n".join(out) + "\n")
        self.write("rndc.conf", 'key "rndc" { algorithm hmac-sha256; secret "%s"; };\n'
                   'options { default-key "rndc"; default-server 127.0.0.1; };\n' % Key().secret)

    def all_zones(self):
        zones = list(self.zones)
        if self.catalog:
            c = self.catalog
            if c.members:
                self.write_catalog(1)
            zones.append(Zone(c.name, file=self.path("catalog"), primaries=c.primaries, secondaries=c.secondaries))
        return zones

    def write_catalog(self, serial):
        c = self.catalog
        lines = ["$ORIGIN %s" % c.name, "@ 0 SOA invalid. invalid. %d 5 5 86400 60" % serial, "@ 0 NS invalid.", 'version 0 TXT "2"']
        lines += ["m%s.zones 0 PTR %s" % (m.replace(".", "-").strip("-"), m) for m in c.members]
        self.write("catalog", "\n".join(lines) + "\n")

    def set_members(self, members):
        self.catalog.members = members
        self.catalog_serial = getattr(self, "catalog_serial", 1) + 1
        self.configure()
        self.write_catalog(self.catalog_serial)
        self.rndc("reconfig")
        self.rndc("reload", self.catalog.name)

    def argv(self):
        return ["named", "-g", "-c", self.path("named.conf"), "-n", "2", "-U", "1"]

    def rndc(self, *args, **kw):
        return self.place.ns.run("rndc", "-c", self.path("rndc.conf"), *args, **kw).stdout

    def reload(self, zone):
        self.rndc("reload", zone)

    def refresh(self, zone):
        self.rndc("refresh", zone)


class Knot(Server):
    name = "Knot"
    version = "3.2"
    lacks = ("tls",)

    def configure(self):
        k = self.key
        remotes, zones = {}, []

        def remote(p):
            return remotes.setdefault(tuple(p[:2]), "r%d" % len(remotes))

        all_zones = list(self.zones)
        c = self.catalog
        if c:
            all_zones.append(Zone(c.name, primaries=c.primaries, secondaries=c.secondaries))
        for z in all_zones:
            lines = ["  - domain: %s" % z.name]
            if c and z.name == c.name:
                lines += ["    catalog-role: generate"] if c.members else ["    catalog-role: interpret", "    catalog-template: [member]"]
            elif c and z.name in (c.members or ()):
                lines += ["    catalog-role: member", "    catalog-zone: %s" % c.name]
            if z.file:
                lines.append("    file: %s" % z.file)
            if z.primaries:
                lines.append("    master: [%s]" % ", ".join(remote(p) for p in z.primaries))
            if z.secondaries:
                lines.append("    notify: [%s]" % ", ".join(remote(p) for p in z.secondaries))
            zones.append("\n".join(lines))
        member = ""
        if c and c.primaries:
            member = "  - id: member\n    storage: %s\n    master: [%s]\n    acl: [all]\n    zonefile-sync: -1\n    journal-content: all\n" % (
                self.state, ", ".join(remote(p) for p in c.primaries))
        secondary = all(z.primaries for z in self.zones)
        text = """server:
    listen: [127.0.0.1@53, %s@53, %s@53]
    rundir: %s
    udp-workers: 1
    tcp-workers: 2
    background-workers: 4
    udp-max-payload: 1232
database:
    storage: %s
log:
  - target: stderr
    any: info
key:
  - id: %s
    algorithm: %s
    secret: %s
remote:
%s
acl:
  - id: all
    key: %s
    action: [transfer, notify, update]
template:
  - id: default
    storage: %s
    acl: [all]
    semantic-checks: off
    journal-max-usage: 2G
    zonefile-load: %s
    journal-content: %s
    zonefile-sync: -1
    refresh-min-interval: 2
    retry-min-interval: 1
%szone:
%s
"""
        body = "\n".join("  - id: %s\n    address: %s@%d\n    key: %s" % (i, a, p, k.name) for (a, p), i in remotes.items())
        load, content = self.options.get("load", "none" if secondary else "difference"), self.options.get("journal", "changes")
        if secondary:
            load = "whole"
        self.write("knot.conf", text % (self.place.address, self.place.address6, self.folder, self.state, k.name, k.algorithm, k.secret,
                                        body or "  []", k.name, self.state, load, content, member, "\n".join(zones)))
        if not remotes:
            p = self.path("knot.conf")
            t = open(p).read().replace("remote:\n  []\n", "")
            open(p, "w").write(t)

    def argv(self):
        return ["knotd", "-c", self.path("knot.conf")]

    def control(self, *args):
        return self.place.ns.run("knotc", "-c", self.path("knot.conf"), *args).stdout

    def reload(self, zone):
        self.control("zone-reload", zone)

    def refresh(self, zone):
        self.control("zone-refresh", zone)

    def set_members(self, members):
        gone = set(self.catalog.members) - set(members)
        self.zones = [z for z in self.zones if z.name not in gone]
        self.catalog.members = members
        self.configure()
        self.control("reload")


class Nsd(Server):
    name = "NSD"
    version = "4.6"
    lacks = ("update", "catalog", "ixfr-out-tls")

    def configure(self):
        k = self.key
        tls = " tls-cert-bundle: \"%s\"\n" % self.options["ca"] if self.options.get("ca") else ""
        if self.tls:
            tls += " tls-service-key: \"%s\"\n tls-service-pem: \"%s\"\n tls-port: %d\n ip-address: %s@%d\n" % (
                self.tls.key, self.tls.certificate, self.tls.port, self.place.address, self.tls.port)
        out = ["""server:
 server-count: 1
 ip-address: %s
 ip-address: %s
 ip-address: 127.0.0.1
%s username: ""
 zonesdir: "%s"
 xfrdfile: "%s/xfrd.state"
 zonelistfile: "%s/zone.list"
 xfrdir: "%s"
 database: ""
 pidfile: "%s/nsd.pid"
 verbosity: 2
 xfrd-reload-timeout: 0
 refuse-any: no
 tcp-count: 500
 rrl-ratelimit: 0
remote-control:
 control-enable: yes
 control-interface: "%s/control"
key:
 name: "%s"
 algorithm: %s
 secret: "%s"
""" % (self.place.address, self.place.address6, tls, self.state, self.state, self.state, self.state, self.state, self.folder, k.name,
       k.algorithm, k.secret)]
        for name in {p[2] for z in self.zones for p in z.primaries if len(p) > 2}:
            out.append('tls-auth:\n name: "tls-%s"\n auth-domain-name: "%s"\n' % (name, name))
        for z in self.zones:
            out.append('zone:\n name: "%s"\n zonefile: "%s"\n min-refresh-time: 1\n min-retry-time: 1\n store-ixfr: yes\n create-ixfr: yes\n' % (
                z.name, z.file or z.name + "zone"))
            for p in z.primaries:
                out.append(" request-xfr: %s@%d %s%s\n allow-notify: %s %s\n" % (
                    p[0], p[1], k.name, " tls-" + p[2] if len(p) > 2 else "", p[0], k.name))
            out.append(" provide-xfr: 0.0.0.0/0 %s\n" % k.name)
            for p in z.secondaries:
                out.append(" notify: %s@%d %s\n" % (p[0], p[1], k.name))
        self.write("nsd.conf", "".join(out))

    def argv(self):
        return ["nsd", "-d", "-c", self.path("nsd.conf")]

    def control(self, *args):
        return self.place.ns.run("nsd-control", "-c", self.path("nsd.conf"), *args).stdout

    def reload(self, zone):
        self.control("reload", zone)


class Pdns(Server):
    """PowerDNS Authoritative with SQLite."""
    name = "PowerDNS"
    version = "4.7"
    lacks = ("tls", "ixfr-out")

    def configure(self):
        db = os.path.join(self.state, "pdns.sqlite3")
        fresh = not os.path.exists(db)
        self.write("pdns.conf", """launch=gsqlite3
gsqlite3-database=%s
gsqlite3-pragma-synchronous=1
local-address=%s, 127.0.0.1
local-port=53
primary=yes
secondary=yes
dnsupdate=yes
allow-dnsupdate-from=0.0.0.0/0
allow-axfr-ips=
allow-unsigned-notify=no
only-notify=
xfr-cycle-interval=1
socket-dir=%s
guardian=no
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
domain-metadata-cache-ttl=0
zone-cache-refresh-interval=0
zone-metadata-cache-ttl=0
receiver-threads=1
distributor-threads=1
max-tcp-connections=200
security-poll-suffix=
version-string=anonymous
loglevel=5
disable-syslog=yes
write-pid=no
""" % (db, self.place.address, self.folder))
        if not fresh:
            return
        schema = open("/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql").read() if os.path.exists(
            "/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql") else open("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql").read()
        with contextlib.closing(sqlite3.connect(db)) as c:
            c.executescript(schema)
        self.util("import-tsig-key", self.key.name, self.key.algorithm, self.key.secret)
        for z in self.zones:
            self.add_zone(z)
        if self.catalog:
            self.add_catalog()

    def add_zone(self, z):
        name = z.name.rstrip(".")
        if z.primaries:
            self.util("create-secondary-zone", name, *["%s:%d" % tuple(p[:2]) for p in z.primaries])
            self.util("activate-tsig-key", name, self.key.name, "secondary")
            self.util("set-meta", name, "IXFR", "1")
        else:
            self.util("load-zone", name, z.file)
            self.util("set-kind", name, "primary")
        self.util("activate-tsig-key", name, self.key.name, "primary")
        self.util("set-meta", name, "TSIG-ALLOW-DNSUPDATE", self.key.name)
        self.util("set-meta", name, "SOA-EDIT-DNSUPDATE", "INCREASE")
        if z.secondaries:
            self.util("set-meta", name, "ALSO-NOTIFY", *["%s:%d" % tuple(p[:2]) for p in z.secondaries])

    def add_catalog(self):
        c = self.catalog
        name = c.name.rstrip(".")
        if c.members:
            self.util("create-zone", name, "ns.invalid")
            self.util("set-kind", name, "producer")
            self.util("activate-tsig-key", name, self.key.name, "primary")
            if c.secondaries:
                self.util("set-meta", name, "ALSO-NOTIFY", *["%s:%d" % tuple(p[:2]) for p in c.secondaries])
            for m in c.members:
                self.util("set-catalog", m.rstrip("."), name)
        else:
            self.util("create-secondary-zone", name, *["%s:%d" % tuple(p[:2]) for p in c.primaries])
            self.util("set-kind", name, "consumer")
            self.util("activate-tsig-key", name, self.key.name, "secondary")

    def set_members(self, members):
        for m in set(members) | set(self.catalog.members):
            self.util("set-catalog", m.rstrip("."), self.catalog.name.rstrip(".") if m in members else "")
        self.catalog.members = members

    def util(self, *args):
        return self.place.ns.run("pdnsutil", "--config-dir=" + self.folder, *args).stdout

    def argv(self):
        return ["pdns_server", "--config-dir=" + self.folder, "--daemon=no"]

    def control(self, *args):
        return self.place.ns.run("pdns_control", "--config-dir=" + self.folder, *args).stdout

    def stop(self):
        super().stop()
