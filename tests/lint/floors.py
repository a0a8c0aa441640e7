#!/usr/bin/python3
"""The floor law over #include: tests/lint/floors says which rooms a room may include; this holds it.

Besides: a library stays in the rooms that are its door, a program's own files compose but nobody composes them, no file
includes itself by a detour, includes start at the repo root, and nothing calls what could look a name up.
"""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAMS = ("resolver", "rbl", "health")
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.M)

# Library header -> rooms (or files) that may include it.
DOORS = {
    r"lmdb\.h": {"resolver/store"},
    r"uv\.h": {"resolver/net"},
    # Text <-> wire of hints, anchors and generic data, one signature check: never on the way of a packet (design).
    r"ldns/.*": {"resolver/validate", "resolver/dns/hints.c", "resolver/serve/local_zones_make.c", "rbl/load", "health/command"},
    r"cyaml/.*": {"resolver/base"},
    r"microhttpd\.h": {"health/web", "health/monitor"},
    r"gnutls/.*": {"health/monitor"},
    r"sqlite3\.h": {"health/monitor"},
    r"net-snmp/.*": {"health/snmp"},
    r"curl/.*": {"health/report", "health/command"},
    r"fstrm.*|dnstap\.pb-c\.h|protobuf-c/.*": {"resolver/tap"},
    r"netdb\.h|resolv\.h|arpa/nameser.*": set(),
}
# Headers of a higher floor that are made for lower ones: (header, who).
SEAMS = {"resolver/serve/source.h": lambda f: f.startswith("rbl/")}
# What a program's own files (resolver/*.c, rbl/*.c, health/*.c) may use besides all rooms of their folder.
COMPOSES = {
    "resolver": lambda h: h == "rbl/answer.h",
    "rbl": lambda h: os.path.dirname(h) in ("resolver/base", "resolver/dns", "resolver/net", "resolver/store")
    or h == "resolver/serve/source.h",
    "health": lambda h: os.path.dirname(h) in ("resolver/base", "resolver/dns", "resolver/net"),
}
# Calls that look a name up, or that have no bound.
BANNED = re.compile(r"\b(uv_)?(getaddrinfo|getnameinfo|gethostby\w+|getservby\w+|res_n?(query|search|init)|ldns_resolver_\w+|"
                    r"ldns_axfr_\w+|ldns_pkt_tsig_verify\w*|uv_udp_(init|recv_start)\w*|strcpy|strcat|sprintf|vsprintf|gets|"
                    r"alloca|strtok|popen|tmpnam|mktemp|asctime|ctime|gmtime|localtime)\s*\(")


def read_floors():
    floors = {}
    with open(os.path.join(ROOT, "tests/lint/floors")) as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                room, _, below = line.partition(":")
                floors[room.strip()] = below.split()
    return floors


def sources():
    for program in PROGRAMS:
        for folder, _, files in os.walk(os.path.join(ROOT, program)):
            for name in sorted(files):
                if name.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(folder, name), ROOT)


def strip_comments(text):
    """Comments and texts out, lines kept."""
    blank = lambda m: re.sub(r"[^\n]", " ", m.group(0))
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S)


def may_include(floors, path, header):
    """None when file `path` may include `header`, else why not."""
    room, other = os.path.dirname(path), os.path.dirname(header)
    if room == other or header in SEAMS and SEAMS[header](path):
        return None
    if room in PROGRAMS:
        return None if other.startswith(room + "/") or COMPOSES[room](header) else "a program's own file does not compose that"
    if other in PROGRAMS:
        return "only programs know that header"
    return None if other in floors.get(room, []) else "floor law: %s stands on: %s" % (room, " ".join(floors.get(room, [])) or "nothing")


def circle(graph):
    """A cycle as a list, or None."""
    state, path = {}, []

    def visit(node):
        state[node] = 1
        path.append(node)
        for after in graph.get(node, ()):
            if state.get(after) == 1:
                return path[path.index(after):] + [after]
            if after not in state:
                found = visit(after)
                if found:
                    return found
        state[node] = 2
        path.pop()
        return None

    for node in sorted(graph):
        if node not in state:
            found = visit(node)
            if found:
                return found
    return None


def check_file(floors, path, problems):
    with open(os.path.join(ROOT, path), encoding="utf8") as f:
        text = f.read()
    room, own = os.path.dirname(path), []
    if room not in PROGRAMS and room not in floors:
        problems.append("%s: room %s is not in tests/lint/floors" % (path, room))
    for m in INCLUDE.finditer(text):
        line = text.count("\n", 0, m.start()) + 1
        header, system = m.group(1), m.group(2)
        if header:
            if not os.path.exists(os.path.join(ROOT, header)):
                problems.append("%s:%d: %s: includes start at the repo root, or the file is missing" % (path, line, header))
                continue
            own.append(header)
            why = may_include(floors, path, header)
            if why:
                problems.append("%s:%d: %s: %s" % (path, line, header, why))
        else:
            for door, rooms in DOORS.items():
                if re.fullmatch(door, system) and room not in rooms and path not in rooms:
                    problems.append("%s:%d: <%s> belongs to: %s" % (path, line, system, " ".join(sorted(rooms)) or "no room"))
    for m in BANNED.finditer(strip_comments(text)):
        problems.append("%s:%d: %s is banned" % (path, text.count("\n", 0, m.start()) + 1, m.group(0).rstrip("( ")))
    return own


def check():
    problems, graph, floors = [], {}, read_floors()
    for room, below in floors.items():
        problems += ["tests/lint/floors: %s: unknown room %s" % (room, r) for r in below if r not in floors]
    rooms = circle(floors)
    if rooms:
        problems.append("tests/lint/floors: circle: " + " -> ".join(rooms))
    for path in sources():
        graph[path] = check_file(floors, path, problems)
    files = circle(graph)
    if files:
        problems.append("circle of includes: " + " -> ".join(files))
    return problems, len(graph)


if __name__ == "__main__":
    found, files = check()
    print("\n".join(found) if found else "%d files keep the floor law" % files)
    sys.exit(1 if found else 0)
