# time bound: 900 s
"""Scenarios of others, played against candor-resolver: every one that unbound or kresd passes, but for deliberate choices."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "scenarios"))
import play  # noqa: E402

SCENARIOS = play.chosen() if play.here() else []
KNOWN = play.differences()


def test_every_difference_has_a_decision():
    decisions = os.path.join(play.ROOT, "docs", "decisions")
    seen = set()
    for d in KNOWN:
        assert d.qmin in ("on", "off", "*") and d.level in ("core", "full") and d.reason, d
        assert os.path.exists(os.path.join(decisions, d.decision)), d
        assert (d.scenario, d.qmin) not in seen, d
        seen.add((d.scenario, d.qmin))


def test_a_wrong_answer_is_seen():
    good = play.Played("a", "on", "pass", "pass", 1.0, "", "")
    full, core = good._replace(full="fail"), good._replace(full="fail", core="fail")
    line = play.Difference("a", "*", "full", "0001.md", "why")
    assert not play.judge([good], []) and play.judge([full], []) and play.judge([core], [])
    assert not play.judge([full], [line]) and play.judge([good], [line]) and play.judge([core], [line])


@pytest.fixture(scope="module")
def runs():
    return play.play_twice(SCENARIOS, KNOWN)


@pytest.mark.skipif(not SCENARIOS, reason="no scenarios beside the checkout (CANDOR_SHARED names their folder)")
@pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
@pytest.mark.parametrize("name", [s.name for s in SCENARIOS] or ["none"])
def test_scenario(runs, name):
    mine = [p for p in runs if p.name == name]
    assert mine, "it was not played"
    assert not play.judge(mine, KNOWN)


@pytest.mark.skipif(not SCENARIOS, reason="no scenarios beside the checkout")
def test_no_difference_is_of_a_scenario_that_is_not_played():
    assert not {d.scenario for d in KNOWN} - {s.name for s in SCENARIOS}
