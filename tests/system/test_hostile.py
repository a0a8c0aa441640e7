"""What hostile servers can make Candor do: each attack of tests/hostile/attacks.py stays within its bounds."""
import concurrent.futures
import os
import sys

import pytest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "hostile"), os.path.join(TESTS, "internet")]
import attacks  # noqa: E402
import suffer  # noqa: E402

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
LANES = 4  # stages beside one another: most of the time is waiting
# Its server is to be slow by so much and no more: on a machine that is slow itself it tells nothing. make hostile has it.
HERE = [a for a in attacks.ATTACKS if a.name != "torture"]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """{name: (Attack, Result)}; what broke a lane is told by each attack that it did not come to."""
    folder, out = tmp_path_factory.mktemp("hostile"), {}

    def lane(number, names):
        try:
            for a, r in suffer.suffer("candor", str(folder / str(number)), names):
                out[a.name] = (a, r)
        except Exception as e:
            for n in names:
                out.setdefault(n, e)

    names = {a.name for a in HERE}
    with concurrent.futures.ThreadPoolExecutor(LANES) as pool:
        list(pool.map(lane, range(LANES), [[n for n in lane if n in names] for lane in suffer.lanes(LANES)]))
    # What broke beside the others is done once more alone, with what it goes on from: silence counts as queries, and a machine
    # that has no time is silent.
    broken = [n for n in out if isinstance(out[n], Exception) or suffer.bounds_broken(*out[n])]
    if broken:
        again = [n for n in names if any(n == b or n.split("-again")[0].split("-many")[0] == b.split("-again")[0].split("-many")[0] for b in broken)]
        lane("again", again)
    return out


@pytest.mark.parametrize("name", [a.name for a in HERE])
def test_attack(results, name):
    if isinstance(results[name], Exception):
        raise results[name]
    assert not suffer.bounds_broken(*results[name]), results[name]
