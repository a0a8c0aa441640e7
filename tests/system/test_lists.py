"""Four real lists, one node: every entry is listed, as many strangers are not, over UDP and TCP, and Debian's rbldnsd,
given the same files, says the same."""
# time bound: 900 s
import pytest

from lib import ask, fourzones
from lib.node import Node
from lib.rbldnsd import rbldnsd


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lists")
    zones = fourzones.zones()
    for z in zones:
        z.file(str(folder))
    config = {"rbl": {"zones": [fourzones.config_zone(z, str(folder)) for z in zones]}}
    rng = fourzones.seeded()
    listed, unlisted = {}, {}
    for z in zones:
        listed[z.name] = fourzones.members(z, rng)
        unlisted[z.name] = fourzones.strangers(z, len(listed[z.name]), rng)
    with Node(folder / "node", config) as node:
        yield node, zones, listed, unlisted, folder


def all_questions(zones, labels, qtype):
    return ["%s.%s %s" % (l, z.name, qtype) for z in zones for l in labels[z.name]]


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_every_entry_is_listed(world, tcp):
    node, zones, listed, _, _ = world
    a = ask.ask(node.dns, all_questions(zones, listed, "A"), tcp=tcp)
    wrong = [x for x in a if x.rcode != "NOERROR" or not x.answers or "A" not in x.flags]
    assert not wrong, (len(wrong), wrong[:5])


def test_values_are_those_of_the_entries(world):
    node, zones, listed, _, _ = world
    counts = dict(zones[0].entries[0])
    a = ask.ask(node.dns, ["%s.%s A" % (l, zones[0].name) for l in listed[zones[0].name]])
    for label, got in zip(listed[zones[0].name], a):
        addr = ".".join(reversed(label.split(".")))
        assert got.answers == ("A %d 127.0.0.%d" % (fourzones.TTL, counts[addr] + 1),)


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_strangers_are_not_listed(world, tcp):
    node, zones, _, unlisted, _ = world
    a = ask.ask(node.dns, all_questions(zones, unlisted, "A"), tcp=tcp)
    # An empty non-terminal exists; it is still not listed.
    wrong = [x for x in a if x.rcode not in ("NXDOMAIN", "NOERROR") or x.answers or x.serial == 0]
    assert not wrong, (len(wrong), wrong[:5])
    assert sum(x.rcode == "NXDOMAIN" for x in a) > 0.99 * len(a)


def test_answers_are_those_of_rbldnsd(world):
    node, zones, listed, unlisted, folder = world
    questions = all_questions(zones, listed, "A") + all_questions(zones, unlisted, "A")[::4]
    questions += all_questions(zones, listed, "TXT")[::6]
    files = [(z.name, z.kind, folder / (z.name + "." + z.kind)) for z in zones]
    with rbldnsd(files, fourzones.TTL) as (server, _):
        theirs = ask.ask(server, questions, window=64, timeout_ms=300)
        ours = ask.ask(node.dns, questions)
        lost = [i for i, t in enumerate(theirs) if t.rcode == "LOST"]  # its socket buffer is small
        for i, again in zip(lost, ask.ask(server, [questions[i] for i in lost], window=4) if lost else []):
            theirs[i] = again
    wrong = [(o, t) for o, t in zip(ours, theirs) if (o.rcode, o.answers) != (t.rcode, t.answers)]
    assert not wrong, (len(wrong), wrong[:5])
