"""A small internet: Candor gives the answers that unbound and kresd give, whatever servers are lame, silent or lying."""
import os
import sys

import pytest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "internet"))
import plan  # noqa: E402
import compare  # noqa: E402

NAMES = int(os.environ.get("CANDOR_INTERNET_NAMES", "500"))


def test_the_same_seed_makes_the_same_internet():
    a, b = (plan.Internet(plan.made_names(300), 3) for _ in range(2))
    assert a.questions == b.questions and [z.text() for z in a.zones.values()] == [z.text() for z in b.zones.values()]
    assert len({q.tags for q in a.questions}) > 20


@pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
def test_the_same_answers(tmp_path):
    runs, found = compare.play(str(tmp_path), plan.real_names(NAMES), together=True)
    compare.report(runs, found, sys.stdout)
    assert not compare.bad(found, "candor")
    assert len(found["same"]) > 0.9 * sum(map(len, found.values()))
    assert not any(a.rcode == "LOST" for a in runs[0].answers.values())
