"""Damaged answers from upstream for a while: everybody gets an answer, an honest zone beside them all the time, nobody ends."""
import os
import sys

import pytest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "hostile"), os.path.join(TESTS, "internet")]
import suffer  # noqa: E402

SECONDS = float(os.environ.get("CANDOR_FUZZ_SECONDS", "5"))


@pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
@pytest.mark.parametrize("forward", [False, True], ids=["recursion", "forwarding"])
def test_damaged_answers(tmp_path, forward):
    seed = int.from_bytes(os.urandom(4), "big")
    print("seed %d" % seed)  # tests/hostile/suffer.py --fuzz SECONDS --seed N
    done = suffer.fuzz(str(tmp_path), SECONDS, seed, forward)
    assert done.damaged > 100 and done.restarts == 0 and done.answered == done.asked, done
