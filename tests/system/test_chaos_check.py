"""The checker of histories (tests/chaos/check.py): it passes what is right, and finds every kind of breach."""
import copy
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "chaos"))
import check  # noqa: E402


def good():
    """Forty versions, two nodes that follow, one fault that both name."""
    events, t = [], 0.0
    for v in range(1, 41):
        events.append({"t": t, "e": "send", "v": v})
        events.append({"t": t + 0.1, "e": "ack", "v": v})
        for node, behind in (("p", 0), ("a", 2)):
            seen = max(v - behind, 0)
            host = v % check.HOSTS
            events.append({"t": t + 0.3, "e": "read", "node": node, "t0": t + 0.2, "t1": t + 0.3, "v": seen, "then": seen,
                           "host": host, "value": check.content(seen).get(host)})
        t += 1
    events.append({"t": 5.0, "e": "fault", "id": 1, "kind": "partition", "on": ["p", "a"], "names": ["p", "a"], "within": 4})
    events += [{"t": 7.0, "e": "named", "id": 1, "node": n, "text": "cut off"} for n in ("p", "a")]
    events.append({"t": 9.0, "e": "over", "id": 1})
    events.append({"t": 9.5, "e": "read", "node": "a", "t0": 9.4, "t1": 9.5, "rcode": "SERVFAIL"})
    events += [{"t": t, "e": "final", "node": n, "v": 40, "serial": 41, "digest": "ab",
                "hosts": {str(h): x for h, x in check.content(40).items()}} for n in ("p", "a")]
    return events


def breaches(events):
    return {what for what, how in check.check(events)}


def pick(events, kind, **have):
    return next(e for e in events if e["e"] == kind and all(e.get(k) == v for k, v in have.items()))


def test_a_good_history_passes():
    assert breaches(good()) == set()


@pytest.mark.parametrize("what, spoil", [
    ("future", lambda e: pick(e, "read", node="p", v=7).update(t0=0.01, t1=0.02)),
    ("backwards", lambda e: pick(e, "read", node="a", v=30).update(v=20, then=21)),
    ("mixed", lambda e: pick(e, "read", node="a", v=30).update(value="127.0.0.99")),
    ("mixed", lambda e: pick(e, "read", node="a", v=30).update(value=None)),
    ("lost", lambda e: [f.update(v=39, hosts={str(h): x for h, x in check.content(39).items()}) for f in e if f["e"] == "final"]),
    ("diverged", lambda e: pick(e, "final", node="a").update(digest="cd")),
    ("diverged", lambda e: pick(e, "final", node="a").update(serial=42)),
    ("diverged", lambda e: pick(e, "final", node="p")["hosts"].pop("3")),
    ("silent", lambda e: e.remove(pick(e, "named", node="a"))),
    ("silent", lambda e: pick(e, "named", node="p").update(t=9.5)),
    ("empty", lambda e: [e.remove(f) for f in copy.copy(e) if f["e"] == "final"]),
    ("empty", lambda e: [e.remove(f) for f in copy.copy(e) if f["e"] == "read"]),
])
def test_every_breach_is_found(what, spoil):
    events = good()
    spoil(events)
    assert what in breaches(events)


def test_as_a_program(tmp_path, capsys):
    import json
    path = tmp_path / "history"
    path.write_text("".join(json.dumps(e) + "\n" for e in good()))
    assert check.main([str(path)]) == 0
    events = good()
    events.remove(pick(events, "named", node="a"))
    path.write_text("".join(json.dumps(e) + "\n" for e in events))
    assert check.main([str(path)]) == 1
    assert "a did not name the partition of p and a within 4 s (never)" in capsys.readouterr().out
