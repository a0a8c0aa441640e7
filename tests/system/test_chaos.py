"""Some runs of the fault script (tests/chaos/run.py), drawn anew each time; `make chaos` does a thousand."""
# time bound: 400 s
import os
import subprocess
import sys
import time

from lib.ask import BUILD

CHAOS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "chaos", "run.py")
RUNS = os.environ.get("CANDOR_CHAOS_RUNS", "4")


def test_nothing_is_lost_mixed_invented_or_unsaid(tmp_path):
    seed = os.environ.get("CANDOR_CHAOS_SEED", "%d" % time.time())
    p = subprocess.run([sys.executable, CHAOS, "-n", RUNS, "-s", seed, str(tmp_path / "runs")], capture_output=True, text=True,
                       env=dict(os.environ, CANDOR_BUILD=BUILD), timeout=390)
    print(p.stdout, p.stderr)
    assert p.returncode == 0, "seed %s\n%s%s" % (seed, p.stdout[-6000:], p.stderr[-3000:])
