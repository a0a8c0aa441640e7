"""A monitor is away for a while and things happen on the nodes meanwhile, a restart of a reporter too: when it is back, both monitors'
stores and the database have what the nodes' ledgers say, in order, once. tests/fleet/hour.py does so for an hour."""
# time bound: 120 s
# mostly waits
import os
import sys

os.environ.setdefault("CANDOR_TICKS", "5")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fleet"))
from hour import down  # noqa: E402
from ledger import settled  # noqa: E402
from stage import Stage  # noqa: E402
from story import calm  # noqa: E402


def test_every_event_arrives_in_order_once(tmp_path):
    with Stage(tmp_path, nodes=2, sinks=("https", "sql")) as stage:
        calm(stage)
        assert down(stage, "m1", 12, 5) > 0
        counts = settled(stage, 60)
        assert {w for w, _ in counts} == {"m1", "m2", "SQL"}
        assert all(n > 0 for n in counts.values())
