"""A short form of tests/faults/freeze.py: two dozen things frozen, and no page may be green on old evidence."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "faults"))

import freeze  # noqa: E402


def test_nothing_is_green_on_old_evidence(tmp_path):
    results = freeze.run(str(tmp_path), freezes=18, nodes=6, healing=1, seed=None)
    print(results.table())
    assert not results.broken, "\n".join(results.broken)
    assert results.done == 18
    assert sum(r["held"] for r in results.rows.values()) > 0, "nothing was ever frozen for longer than evidence may be old"
