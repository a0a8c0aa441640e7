"""The table of faults: on the terminal while they run, and as a page."""
import collections
import os
import platform
import time

import engine

GOOD = ("seen", "said", "not in this version")


def counts(results):
    c = collections.Counter(r["result"] for r in results)
    return ", ".join("%d %s" % (n, what) for what, n in sorted(c.items(), key=lambda x: -x[1]))


def seconds(r):
    return "%.1f s" % r["seconds"] if r["seconds"] is not None else ""


def line(r):
    limit = "of %.1f" % r["limit"] if r["limit"] is not None else ""
    return "%-16s %-10s %7s %-9s %6.1f s  %s" % (r["id"], r["result"], seconds(r), limit, r.get("took_s", 0), indicator(r)[:110] or r["why"][:110])


def indicator(r):
    return "; ".join(" ".join(filter(None, [s["scope"], s["check"], s["id"] and "(%s)" % s["id"], s["words"] and "“%s”" % s["words"]]))
                     for s in r["said"])


def cell(text, most=230):
    text = " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;").replace("/tmp/", "…/")
    return text if len(text) <= most else text[:most - 1] + "…"


def verdicts(r):
    return ", ".join(dict.fromkeys(s["status"] for s in r["said"] if s["status"]))


def machine():
    with open("/proc/cpuinfo") as f:
        model = next((l.split(":", 1)[1].strip() for l in f if l.startswith("model name")), platform.machine())
    with open("/proc/meminfo") as f:
        total = int(f.readline().split()[1]) / 1048576
    return "%d × %s, %.0f GiB, Linux %s" % (os.cpu_count(), model, total, platform.release().split("-")[0])


HEAD = """# The fault catalogue, injected

Every row of the catalogue is a real fault in a real node, made by `make faults`, which writes this page. `tests/faults/run 24` runs one
row, `TICKS=5 make faults` all of them at a fifth of the intervals and of the limits; both want root and a machine with nothing else to
do. How a row goes: the node is green, and what is waited for is not said; the fault begins; the time is from there to the verdict on
`/health`, by the check and the words shown; meanwhile no other scope turns red, or the row fails; the fault ends, and all is green again.

"""


def write(path, results, took):
    out = [HEAD, "%s. %s, intervals %s (local %g s, upstream %g s, zones %g s). %d rows in %.0f minutes: %s.\n\n" % (
        time.strftime("%d %B %Y"), machine(), "as a node comes" if engine.TICKS == 1 else "divided by %g" % engine.TICKS,
        5 / engine.TICKS, 15 / engine.TICKS, 30 / engine.TICKS, len(results), took / 60, counts(results)),
        "| # | fault | what was done | indicator | verdict | seen after | limit | green again after | result |\n|---|---|---|---|---|---|---|---|---|\n"]
    for r in results:
        back = "%.1f s" % r["back_s"] if r.get("back_s") is not None else ""
        out.append("| %s |\n" % " | ".join([str(r["row"]), cell(r["fault"]), cell(r["did"]), cell(indicator(r)) or cell(r["why"]), verdicts(r),
                                           seconds(r), "%.3g s" % r["limit"] if r["limit"] is not None else "", back,
                                           r["result"] if r["result"] in GOOD else "**%s**: %s" % (r["result"], cell(r["why"], 400))]))
    with open(path, "w") as f:
        f.write("".join(out))
