#!/usr/bin/python3
"""The faults of the catalogue, and who sees them: Candor, and what people watch resolvers with today.

  tests/faults/watchers_run.py [ROW ...]
    --write FILE    the page (docs/health-compared.md)
    --keep FILE     all that was seen, as JSON
    --stack         the classic stack alone; --candor: nodes of Candor alone
    -j N            so many rows at a time (default 3)

Wants root, CANDOR_BUILD (where the programs are) and CANDOR_TICKS (divides all intervals and limits; default 1).
"""
import argparse
import concurrent.futures
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
import engine  # noqa: E402
import watchers as today  # noqa: E402
import watchers_page  # noqa: E402
import watchers_rows  # noqa: E402
from watchers_stack import Stack, scaled  # noqa: E402

BEFORE_S, WATCH_S, ROW_BOUND_S = 20, 75, 300


def watch(fault, folder):
    """One fault in one stack, looked at."""
    out = {"row": fault.number, "id": fault.id, "did": fault.did, "false": fault.false, "why": "", "watchers": {}}
    s = Stack(folder, **fault.options)
    looking = []
    with s.stack:
        s.setup()
        if fault.before:
            fault.before(s)
        for kind in today.CLASSIC:
            looking.append(kind())
            looking[-1].start(s)
        if fault.number == 49:  # its programs are looked for here all the same
            out["why"] = "processes are looked for on the node"
        time.sleep(scaled(BEFORE_S))
        before = time.monotonic()
        fault.inject(s)
        if hasattr(s, "slow"):
            for pid in [os.getpid()] + [w.process.pid for w in looking if hasattr(w, "process")]:
                s.slow.add(pid)
        began = s.began or before
        while time.monotonic() < began + scaled(WATCH_S):
            time.sleep(0.1)
        for w in looking:
            out["watchers"][w.name] = engine.saw(w.stop(), began)
    return out


def child(args):
    fault = next(f for f in watchers_rows.ROWS if f.id == args.one)
    try:
        out = watch(fault, args.folder)
    except Exception as e:  # whatever a row meets is its result
        out = {"row": fault.number, "id": fault.id, "did": fault.did, "false": False, "watchers": {},
               "why": "%s: %s" % (type(e).__name__, str(e)[:300]), "trace": traceback.format_exc()}
    engine.write(args.keep, out)
    return 0


def one(fault, folder):
    place, into = os.path.join(folder, fault.id), os.path.join(folder, fault.id + ".json")
    os.makedirs(place)
    argv = [sys.executable, os.path.join(engine.ROOT, "tests", "run"), "--suite", sys.executable, os.path.abspath(__file__), "--one", fault.id,
            "--folder", place, "--keep", into]
    with open(os.path.join(folder, fault.id + ".log"), "w") as log, contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=ROW_BOUND_S)
    try:
        with open(into) as f:
            out = json.load(f)
    except (OSError, ValueError):
        with open(log.name) as f:
            out = {"row": fault.number, "id": fault.id, "did": fault.did, "false": False, "watchers": {}, "why": f.read()[-500:] or "no result"}
    print("stack   %-12s %s" % (fault.id, watchers_page.short(out)), flush=True)
    return out


def stack(rows, jobs):
    faults = [f for f in watchers_rows.ROWS if not rows or f.id in rows or str(f.number) in rows]
    folder = tempfile.mkdtemp(prefix="candor-compared-")
    os.chmod(folder, 0o755)  # rbldnsd will not run as root
    try:
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            return list(pool.map(lambda f: one(f, folder), faults))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def candor(rows, jobs):
    with tempfile.NamedTemporaryFile(suffix=".json") as f:
        subprocess.run([sys.executable, os.path.join(HERE, "run"), "-j", str(jobs), "--watch", os.path.join(HERE, "watchers.py"), "--json", f.name, *rows],
                       stdin=subprocess.DEVNULL)
        return json.load(open(f.name))["rows"]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("rows", nargs="*")
    p.add_argument("-j", dest="jobs", type=int, default=3)
    for option in ("--write", "--keep", "--one", "--folder", "--page-of"):
        p.add_argument(option)
    p.add_argument("--stack", action="store_true")
    p.add_argument("--candor", action="store_true")
    args = p.parse_args()
    if args.one:
        return child(args)
    start = time.monotonic()
    if args.page_of:
        with open(args.page_of) as f:
            seen = json.load(f)
    else:
        both = args.stack == args.candor
        seen = {"ticks": engine.TICKS, "stack": stack(args.rows, args.jobs) if args.stack or both else [],
                "candor": candor(args.rows, args.jobs) if args.candor or both else []}
        seen["took_s"] = round(time.monotonic() - start)
    if args.keep:
        engine.write(args.keep, seen)
    if args.write:
        watchers_page.write(args.write, seen)
    print(watchers_page.counts(seen))
    return 0


if __name__ == "__main__":
    sys.exit(main())
