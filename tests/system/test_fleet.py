"""The founding story at fleet size, at a fifth of the intervals: one node's resolver hangs, and its port 53 is a black hole. Both monitors,
the table of events, snmptrapd, the page and Alertmanager have it, the node's own word and what others got; and nobody looked a name up."""
# time bound: 200 s
# mostly waits
import os
import sys

os.environ.setdefault("CANDOR_TICKS", "5")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fleet"))
from stage import TICKS, Stage  # noqa: E402
from story import SLACK_S, WITHIN_S, run, table  # noqa: E402


def test_everybody_has_it_and_nothing_was_looked_up(tmp_path):
    with Stage(tmp_path) as stage:
        rows, lookups = run(stage, "scan3")
    print(table(rows))
    assert lookups == []
    late = [str(o) for o, seconds, _ in rows if seconds is None or seconds > WITHIN_S / TICKS + SLACK_S]
    assert late == []
