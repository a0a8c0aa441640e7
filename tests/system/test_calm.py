"""No false alarm on two nodes that are fine: all cores taken, a thousand pages a second, every zone replaced all the time, a
packet in a hundred lost, all at once (tests/faults/calm.py; `make calm` does minutes or hours, and more)."""
# time bound: 300 s
import os
import subprocess
import sys

from lib.ask import BUILD

CALM = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "faults", "calm.py")


def test_nobody_calls_a_node_ill_that_is_busy():
    p = subprocess.run([sys.executable, CALM, "--minutes", "0.4", "cpu", "requests", "reload", "loss"], capture_output=True, text=True,
                       env=dict(os.environ, CANDOR_BUILD=BUILD, CANDOR_TICKS="2"), timeout=110)
    print(p.stdout, p.stderr)
    assert p.returncode == 0, p.stdout[-6000:] + p.stderr[-3000:]
