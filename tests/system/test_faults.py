"""The fault catalogue at a fifth of its intervals and limits: tests/faults/run injects, several rows at a time, and each row is a
test here. Rows that want the whole machine (memory pressure, the kernel's conntrack limit) are `make faults` alone."""
# time bound: 600 s
import json
import os
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "faults"))
import engine  # noqa: E402

TICKS = os.environ.get("CANDOR_TICKS", "5")
AT_A_TIME = os.environ.get("CANDOR_FAULTS_AT_A_TIME", "6")
ROWS = [row.id() for row in engine.all_rows() if row.short and not row.cannot]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    into = str(tmp_path_factory.mktemp("faults") / "results.json")
    p = subprocess.run([os.path.join(ROOT, "tests", "faults", "run"), "--short", "-j", AT_A_TIME, "--json", into],
                       env=dict(os.environ, CANDOR_TICKS=TICKS), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    print(p.stdout, p.stderr)
    with open(into) as f:
        return {r["id"]: r for r in json.load(f)["rows"]}


@pytest.mark.parametrize("row", ROWS)
def test_fault(results, row):
    r = results[row]
    assert r["result"] in ("seen", "said"), "%s (%s): %s\n%s" % (r["result"], r["did"], r["why"], json.dumps(r, indent=1)[:6000])
