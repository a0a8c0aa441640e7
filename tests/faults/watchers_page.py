"""Who saw which fault, and when: a line for the terminal, and docs/health-compared.md."""
import time

import table
import watchers as today
import watchers_rows

CLASSIC = [w.name for w in today.CLASSIC]
OWN = [w.name for w in today.OWN]
SEEN = ("seen", "said", "late")


def cell(looks, false=False):
    if not looks or not looks["looks"]:
        return ""
    if looks["bad_before"]:
        return "red before"
    if looks["first_s"] is None:
        return "-"
    return "%s%.1f" % ("false " if false else "", looks["first_s"])


def saw(row, name):
    looks = row["watchers"].get(name)
    return bool(looks and looks["looks"] and not looks["bad_before"] and looks["first_s"] is not None and not row.get("false"))


def short(row):
    return row["why"] if not row["watchers"] else ", ".join("%s %s" % (n, cell(row["watchers"].get(n), row.get("false"))) for n in CLASSIC)


def total(rows, name):
    return len({r["row"] for r in rows if saw(r, name)})


def named(rows):
    """Rows of the catalogue whose every variant Candor's page named within the limit."""
    return len({r["row"] for r in rows} - {r["row"] for r in rows if r["result"] not in ("seen", "said")})


def counts(seen):
    out = []
    for what, names in (("stack", CLASSIC), ("candor", CLASSIC + OWN)):
        rows = seen.get(what) or []
        if rows:
            out.append("%s: %d rows of the catalogue; %s" % (what, len({r["row"] for r in rows}), ", ".join("%s %d" % (n, total(rows, n)) for n in names)))
    if seen.get("candor"):
        out.append("candor: the check that is meant names %d" % named(seen["candor"]))
    return "\n".join(out)


def line(*cells):
    return "| %s |\n" % " | ".join(str(c) for c in cells)


def stack_table(rows):
    out = [line("#", "fault", "what was done", *CLASSIC), line(*["---"] * (3 + len(CLASSIC)))]
    by_number = {}
    for r in rows:
        by_number.setdefault(r["row"], []).append(r)
    for number, fault in watchers_rows.NAMES.items():
        if number in watchers_rows.NOT:
            out.append(line(number, fault, "not here: " + watchers_rows.NOT[number], *[""] * len(CLASSIC)))
        for r in by_number.get(number, []):
            did = r["did"] + ("" if r["watchers"] else " (not measured: %s)" % table.cell(r["why"], 120))
            out.append(line(number, fault, did, *[cell(r["watchers"].get(n), r["false"]) for n in CLASSIC]))
    out.append(line("", "**sees, of the %d that there are**" % len(by_number), "", *["**%d**" % total(rows, n) for n in CLASSIC]))
    return "".join(out)


def said(r):
    if r["result"] == "not in this version":
        return r["result"]
    t = "%.1f of %.3g" % (r["seconds"], r["limit"]) if r.get("seconds") is not None else "-"
    words = "; ".join(dict.fromkeys(filter(None, (("%s %s" % (s["check"] or s["scope"], s["status"])).strip() or s["words"][:60] for s in r["said"]))))
    return "%s%s: %s" % (t, "" if r["result"] in SEEN else " (%s)" % r["result"], words) if words else t


def candor_table(rows):
    names = CLASSIC + OWN
    out = [line("#", "fault", "what was done", *names, "the check that is meant, s of its limit"), line(*["---"] * (4 + len(names)))]
    for r in rows:
        out.append(line(r["row"], table.cell(r["fault"]), table.cell(r["did"]) or table.cell(r["why"]), *[cell(r["watchers"].get(n)) for n in names], table.cell(said(r))))
    out.append(line("", "**sees, of the %d that there are**" % len({r["row"] for r in rows}), "", *["**%d**" % total(rows, n) for n in names],
                    "**%d** in time" % named(rows)))
    return "".join(out)


HEAD = """# Who sees which fault

The faults of the catalogue ([faults.md](faults.md)), injected once into a classic stack and once into a node of Candor, while all that
people watch resolvers with today looks on, side by side. `make health-compared` does it all and writes this page (root; TICKS=3: all
intervals and limits divided by three).

"""

HOW = """## The watchers

Each as its manual says, at its usual interval, divided by the ticks of the run:

| watcher | every | asks |
|---|---|---|
| process | 5 s | whether of every program that there was a process is alive and no zombie: `pidof`, `kill -0`, a supervisor |
| tcp connect | 5 s | whether the DNS port accepts a connection: `check_tcp`, HAProxy, Kubernetes |
| dig | 5 s | `dig +time=2 +tries=1 @ADDRESS example.com`; exit code 0 is healthy, as in the HEALTHCHECK of most containers |
| dnsdist | 1 s | Debian's dnsdist 1.7 with `newServer("ADDRESS")` and nothing else: `a.root-servers.net A`, any answer is good, one failure is enough |
| blackbox | 15 s | blackbox_exporter, prober dns over UDP: `example.com A`, and the SOA of a zone; NOERROR is good (the default) |
| blackbox, validated | 15 s | the same with `validate_answer_rrs`: the address that it must be, and that an SOA is there |
| check_dns | 15 s | `check_dns -H example.com -s ADDRESS`. Nagios comes by every 5 minutes as it is delivered, 15 s is generous |
| check_dns, test point | 15 s | `check_dns -H 2.0.0.127.LIST -a 127.0.0.2 -s ADDRESS` |
| candor /health | 5 s | the code of the page: 200, or 503 |
| candor check | 5 s | the exit code; worse than before the fault |

process, tcp connect and dig stand on the node and ask 127.0.0.1; the others stand on another machine and ask the service address, of
a node of Candor what the row has. A node that resolves nothing is asked for what it serves instead of example.com, by dnsdist too
(`checkName`). Numbers are seconds from the injection to the first complaint, whatever it is about; "-": none
within the time; "red before": of no use there: it
complains of a node that is well, because that serves nothing (to that address) that such a watcher could be pointed at, or because the
fault is there from the start; "false": it accuses a resolver that is fine. Configurations stand in
`tests/faults/watchers.py`, word for word.

"""

CLASSIC_HEAD = """## In a classic stack

Debian's unbound 1.17 (four threads, `so-reuseport`) asks rbldnsd for a blocklist, NSD for a zone of which it is a secondary, and a
forwarder for all else; dnsdist stands in front of the three. The watched name has a TTL of 300 s, list and zone 60 s, divided like the
rest. Each fault is watched for %g s. Faults that such a stack cannot have say why.

"""

CANDOR_HEAD = """## In a node of Candor

The rows of `tests/faults`, as many as there are variants; the last column is the check and the verdict that the row waits for (a `warn`
leaves /health at 200, and is meant to). Where Candor keeps the fault from its clients (a list that lists the world is not taken in, a
hung worker is replaced) the others are right to see nothing. [faults.md](faults.md) has Candor's own times at the intervals of a node as it
comes; here eight watchers and several rows at a time share the machine.
A result in brackets is not counted: "accused" means that another scope turned red as well, "late" that the limit passed, "not back" that
it took longer than allowed to be green again.

"""


def write(path, seen):
    ticks = seen["ticks"]
    out = [HEAD, "%s, %s, intervals %s. %.0f minutes.\n\n" % (time.strftime("%d %B %Y"), table.machine(),
           "as they come" if ticks == 1 else "divided by %g" % ticks, seen["took_s"] / 60), summary(seen), HOW,
           CLASSIC_HEAD % (75 / ticks), stack_table(seen["stack"]), "\n", CANDOR_HEAD, candor_table(seen["candor"]), "\n", BEFORE]
    with open(path, "w") as f:
        f.write("".join(out))


def summary(seen):
    out = [line("sees of the catalogue's rows", *CLASSIC, *OWN, "Candor, by the check that is meant"), line(*["---"] * (2 + len(CLASSIC + OWN)))]
    rows = seen["stack"]
    out.append(line("classic stack, %d rows" % len({r["row"] for r in rows}), *[total(rows, n) for n in CLASSIC], "", "", ""))
    rows = seen["candor"]
    out.append(line("node of Candor, %d rows" % len({r["row"] for r in rows}), *[total(rows, n) for n in CLASSIC + OWN], named(rows)))
    false = [r for r in seen["stack"] if r["false"]]
    wrong = ["%s: %s" % (r["did"], ", ".join(n for n in CLASSIC if cell(r["watchers"].get(n), True).startswith("false")) or "nobody") for r in false]
    return "".join(out) + "\nTurned red although the resolver was fine: %s.\n\n" % "; ".join(wrong)


BEFORE = """## Beside what was measured before

Thirty faults, 15 s each, one address asked by everybody, had shown: process list 2, TCP connect 3, dig 6, blackbox_exporter 6, dnsdist 7,
check_dns 7, check_dns on a test point 10; nobody saw a dead upstream, its SERVFAIL, a hijack, a list that lists the world, a stale zone, a
dead service address, TCP, IPv6 or large answers blocked. What is the same and what differs, and why:

- A dead upstream, SERVFAIL and REFUSED from it, a hijack, a forwarding loop: still nobody. The name that all of them ask is in the cache for
  longer than they look; after its TTL (300 s) dig and dnsdist would go on to call SERVFAIL healthy. The same for a list that lists the world,
  for zones that are stale, go backwards or differ, for lost NOTIFYs, wrong keys and clocks, full and read-only disks, IPv6, fragments.
- A dead service address and a full conntrack table are seen now: watchers that stand on another machine ask the service address there, and
  did not before. They pay for it when they are cut off themselves: then each of them calls a good resolver dead.
- blackbox_exporter asks a zone's SOA besides a name, and with that sees an authoritative server that stands still and a zone past its expiry.
  Without it, it sees what check_dns sees.
- A blocked TCP port is seen by the TCP connect alone, which sees next to nothing else; processes are missed by a process list only while a
  crash loop has one away.
- One hung thread of four, or a stranger in the port's group, is seen whenever a question happens to go there: after 5 to 16 s here, by some
  and not by others, without saying which worker it is.
- There are twenty faults more here, most of which no question to a DNS port can show.
"""
