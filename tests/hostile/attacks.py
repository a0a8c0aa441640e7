"""What hostile servers do to a resolver, one function each: it sets the stage, asks, and says what that cost and gave.

Each has a top level domain and addresses of its own, so that all can follow one another on one stage. `victim` counts the
questions at servers that have nothing to do with the attacker. The bound that Candor must hold stands with each.
"""
import collections
import random
import time

import dns.message
import dns.rrset

from stage import Drip, Later, Question, answer, nodata, nxdomain, referral, reply, wire_of

Attack = collections.namedtuple("Attack", "name title run queries seconds")  # bounds: questions upstream, seconds to the answer
Result = collections.namedtuple("Result", "queries victim seconds rcode held note")

ATTACKS = []
VICTIM = "41.1.200.1"
FALSE_A = "41.66.66.66"
MAX_QUERIES = 100  # recursion.max-queries
TIMEOUT_S = 5      # recursion.timeout
SLACK_S = 1.5


def attack(title, queries=MAX_QUERIES, seconds=TIMEOUT_S + SLACK_S):
    def register(f):
        ATTACKS.append(Attack(f.__name__.replace("_", "-"), title, f, queries, seconds))
        return f
    return register


def place(stage):
    """An address that nobody plays yet."""
    return "41.1.1.%d" % (1 + sum(a.startswith("41.1.1.") for a in stage.actors))


def take(stage, zone, actor, **kw):
    """Gives `actor` a top level domain; its address."""
    at = place(stage)
    stage.on(at, actor)
    stage.delegate(zone, {"ns.%s" % zone: at}, **kw)
    return at


def victim(stage):
    if VICTIM not in stage.actors:
        stage.on(VICTIM, lambda q: answer(q, "192.0.2.80") if q.name in ("www.victim.", "ns.victim.") else nxdomain(q, "victim."))
        stage.delegate("victim.", {"ns.victim.": VICTIM})


def measure(stage, resolver, questions, held=None, window=200, note="", timeout_ms=12000, zones=("victim.", "nrhosts.")):
    """Asks and waits until it is quiet. `held` judges the answers; by default none may be false. What an earlier attack still
    makes the resolver ask does not count: top level domains that are neither asked here nor in `zones`."""
    since, began = len(stage.seen), time.monotonic()
    if isinstance(questions, str):
        questions = [questions]
    got = resolver.ask(questions, window=window, timeout_ms=timeout_ms)
    took = max(a.took_us for a in got) / 1e6 if all(a.took_us >= 0 for a in got) else time.monotonic() - began
    stage.quiet()
    ok = not any(FALSE_A in r for a in got for r in a.answers) if held is None else held(got)
    mine = {top(q.split()[0]) for q in questions} | set(zones)
    seen = [s for s in stage.seen[since:] if top(s.name) in mine or top(s.name) not in stage.cuts]
    return Result(len(seen), sum(s.address == VICTIM for s in seen), took, "/".join(sorted({a.rcode for a in got})), ok, note)


def top(name):
    return name.rstrip(".").rsplit(".", 1)[-1] + "."


def answered(address="192.0.2.80"):
    return lambda got: all(a.rcode == "NOERROR" and any(r.endswith(" " + address) for r in a.answers) for a in got)


def by_labels(zone, cases):
    """An actor: `cases` is called with the labels in front of the zone."""
    def actor(q):
        if not q.below(zone):
            return reply(q, rcode="REFUSED", aa=False)
        return cases(q, q.labels[:-len(zone.rstrip(".").split("."))])
    return actor


@attack("NXNSAttack: one referral to 60 server names below a victim", queries=30)
def nxns(stage, resolver):
    victim(stage)
    names = {"ns%d.fake%d.victim." % (i, i): None for i in range(60)}
    take(stage, "nxns.", by_labels("nxns.", lambda q, l: nodata(q) if not l else referral(q, "%s.nxns." % l[-1], names)))
    return measure(stage, resolver, "x.y.nxns. A")


@attack("NRDelegationAttack: a referral to 1000 server names that never answer")
def nrdelegation(stage, resolver):
    silent = place(stage)
    stage.on(silent, lambda q: None)
    names = {"ns%d.nrhosts." % i: None for i in range(1000)}
    at = take(stage, "nrdel.", by_labels("nrdel.", lambda q, l: nodata(q) if not l else referral(q, "%s.nrdel." % l[-1], names)))
    stage.delegate("nrhosts.", {"ns.nrhosts.": at})
    own = stage.actors[at]
    stage.on(at, lambda q: answer(q, silent) if q.below("nrhosts.") else own(q))
    return measure(stage, resolver, "x.y.nrdel. A")


@attack("CAMP: a chain of CNAMEs to long names, each below zones of its own without glue")
def camp(stage, resolver):
    deep = "l1.l2.l3.l4.l5.l6.l7.l8.l9"

    def cases(q, l):
        if not l:
            return nodata(q)
        if l[-1].startswith("h"):  # a host of a server: an address after a long way
            return answer(q, campns) if len(l) > 9 else nodata(q)
        step = int(l[-1][1:] or 0) if l[-1][1:].isdigit() else 0
        if q.message.question[0].rdtype == 1 and len(l) >= 11:
            return reply(q, ["@ 60 CNAME x.%s.c%d.camp." % (deep, step + 1)])
        return nodata(q)
    own = by_labels("camp.", cases)
    campns = place(stage)
    stage.on(campns, own)

    def outer(q):
        l = q.labels[:-1]
        if q.below("camp.") and l and l[-1].startswith("c") and l[-1][1:].isdigit():
            return referral(q, "%s.camp." % l[-1], {"a.%s.h%s.camp." % (deep, l[-1][1:]): None, "b.%s.h%s.camp." % (deep, l[-1][1:]): None})
        return own(q)
    take(stage, "camp.", outer)
    return measure(stage, resolver, "x.%s.c1.camp. A" % deep)


@attack("TsuNAME: two zones whose servers are named in one another", queries=40)
def tsuname(stage, resolver):
    at = place(stage)

    def actor(q):
        for mine, other in (("a", "b"), ("b", "a")):
            zone = "%s.tsu." % mine
            if q.below(zone):
                return referral(q, zone, {"ns1.%s.tsu." % other: None, "ns2.%s.tsu." % other: None})
        return nodata(q, "tsu.")
    stage.on(at, actor)
    stage.delegate("tsu.", {"ns.tsu.": at})
    return measure(stage, resolver, "www.a.tsu. A")


@attack("TsuNAME, 100 clients one after the other: what each of them causes", queries=400, seconds=60)
def tsuname_again(stage, resolver):
    return measure(stage, resolver, ["www%d.a.tsu. A" % i for i in range(100)], window=1, note="100 questions")


@attack("a CNAME chain of 1000 names", queries=20)
def cname_long(stage, resolver):
    def cases(q, l):
        n = int(l[0][1:]) if l and l[0][1:].isdigit() else 0
        return reply(q, ["@ 60 CNAME n%d.longcn." % (n + 1)]) if 0 < n < 1000 else answer(q, "192.0.2.1") if n else nodata(q)
    take(stage, "longcn.", by_labels("longcn.", cases))
    return measure(stage, resolver, "n1.longcn. A")


@attack("CNAMEs in a circle, and one to itself", queries=24)
def cname_loop(stage, resolver):
    to = {"a": "b", "b": "c", "c": "a", "self": "self"}
    take(stage, "loopcn.", by_labels("loopcn.", lambda q, l: reply(q, ["@ 60 CNAME %s.loopcn." % to[l[0]]]) if l and l[0] in to else nodata(q)))
    return measure(stage, resolver, ["a.loopcn. A", "self.loopcn. A"])


@attack("a DNAME that makes each name longer", queries=30)
def dname_growth(stage, resolver):
    target = "a23456789012345678901234567890.d.growdn."

    def cases(q, l):
        if len(l) < 2 or l[-1] != "d":
            return nodata(q)
        name = q.name[:-len("d.growdn.")] + target
        synthesised = ["@ 60 CNAME " + name] if len(name) < 254 else []
        return reply(q, ["d.growdn. 60 DNAME " + target] + synthesised, rcode="NOERROR" if synthesised else "YXDOMAIN")
    take(stage, "growdn.", by_labels("growdn.", cases))
    return measure(stage, resolver, "x.d.growdn. A")


@attack("TCP that drips an octet each 300 ms, while others ask for something else", seconds=TIMEOUT_S + SLACK_S)
def slow_drip(stage, resolver):
    def cases(q, l):
        if not l:
            return nodata(q)
        if l[0].startswith("fine"):
            return answer(q, "192.0.2.80")
        if not q.tcp:
            cut = reply(q)
            cut.flags |= 0x0200
            return cut
        return Drip(answer(q, "192.0.2.1").to_wire(), 1, 0.3)
    take(stage, "drip.", by_labels("drip.", cases))
    slow = measure(stage, resolver, ["s%d.drip. A" % i for i in range(20)])
    fine = measure(stage, resolver, "fine.drip. A", held=answered())
    return slow._replace(held=fine.held and fine.seconds < 3, note="20 at once; another name then: %.2f s" % fine.seconds)


@attack("an answer of 4000 addresses (64 KB over TCP)", queries=10)
def huge_rrset(stage, resolver):
    records = ["@ 60 A 10.%d.%d.1" % (i // 250 + 1, i % 250) for i in range(4000)]
    take(stage, "hugeset.", by_labels("hugeset.", lambda q, l: reply(q, records) if l and q.type == "A" else nodata(q)))
    return measure(stage, resolver, "x.hugeset. A")


@attack("an answer with 2500 RRsets of other names in the additional section", queries=10)
def many_rrsets(stage, resolver):
    records = ["n%d.manysets. 60 A 10.0.0.1" % i for i in range(2500)]

    def cases(q, l):
        return reply(q, ["@ 60 A 192.0.2.80"], additional=records) if l and q.type == "A" else nodata(q)
    take(stage, "manysets.", by_labels("manysets.", cases))
    return measure(stage, resolver, "x.manysets. A", held=answered())


@attack("200 packets with guessed ids before each answer, 100 questions", queries=320)
def spoof_flood(stage, resolver):
    rng = random.Random(9)

    def cases(q, l):
        if not l or q.type != "A":
            return nodata(q)
        if q.tcp:
            return answer(q, "192.0.2.80")
        false = answer(q, FALSE_A)
        packets = []
        wire = bytearray(false.to_wire())
        for _ in range(200):
            guess = rng.randrange(65536)
            if guess != q.message.id:
                packets.append(bytes([guess >> 8, guess & 255]) + bytes(wire[2:]))
        return packets + [Later(0.02, answer(q, "192.0.2.80"))]
    take(stage, "spoof.", by_labels("spoof.", cases))
    return measure(stage, resolver, ["s%d.spoof. A" % i for i in range(100)], window=10, note="100 questions",
                   held=lambda got: not any(FALSE_A in r for a in got for r in a.answers) and sum(a.rcode == "NOERROR" for a in got) >= 95)


@attack("birthday: 300 clients with the same question at once", queries=8)
def birthday(stage, resolver):
    take(stage, "birth.", by_labels("birth.", lambda q, l: Later(0.2, answer(q, "192.0.2.80")) if l else nodata(q)))
    return measure(stage, resolver, ["same.birth. A"] * 300, window=300, held=answered(), note="300 questions")


@attack("ids and ports of 1000 questions: can the next be guessed", queries=1100)
def entropy(stage, resolver):
    at = take(stage, "entropy.", by_labels("entropy.", lambda q, l: answer(q, "192.0.2.80") if l else nodata(q)))
    since = len(stage.seen)
    r = measure(stage, resolver, ["e%d.entropy. A" % i for i in range(1000)], window=20, held=answered())
    mine = [s for s in stage.seen[since:] if s.address == at and not s.tcp and s.name.startswith("e")]
    ports, ids = len({s.port for s in mine}), len({s.id for s in mine})
    both = len({(s.port, s.id) for s in mine})
    near = sum(a.port == b.port for a, b in zip(mine, mine[1:]))
    return r._replace(held=r.held and ids > 0.97 * len(mine) * 0.99 and ports >= 200 and both == len(mine) and near < len(mine) / 10,
                      note="%d ports, %d ids; the same port twice running %d times" % (ports, ids, near))


@attack("records of other zones in the answer, authority and additional sections", queries=40)
def poison(stage, resolver):
    victim(stage)

    def cases(q, l):
        if not l:
            return nodata(q)
        false = ["www.victim. 86400 A " + FALSE_A]
        if l[0] == "answer":
            return reply(q, ["@ 60 A 192.0.2.1"] + false)
        if l[0] == "cname":
            return reply(q, ["@ 60 CNAME www.victim."] + false)
        if l[0] == "authority":
            return reply(q, ["@ 60 A 192.0.2.1"], ["victim. 86400 NS ns.evil.poison."], ["ns.evil.poison. 86400 A " + at[0]])
        if l[0] == "referral":
            return referral(q, "victim.", {"ns.evil.poison.": at[0]})
        if l[0] == "glue":
            return reply(q, authority=["glue.poison. 86400 NS ns.victim."], additional=["ns.victim. 86400 A " + at[0]] + false, aa=False)
        if l[0] == "dname":
            return reply(q, [". 86400 DNAME poison."] + ["@ 60 A 192.0.2.1"])
        return reply(q, ["@ 60 A 192.0.2.1"], additional=["ns.victim. 86400 A " + at[0]] + false)
    at = []
    at.append(take(stage, "poison.", lambda q: reply(q, ["@ 86400 A " + FALSE_A]) if q.below("victim.") else by_labels("poison.", cases)(q)))
    kinds = ["answer", "cname", "authority", "referral", "glue", "dname", "additional"]
    first = measure(stage, resolver, ["%s.poison. A" % k for k in kinds])
    second = measure(stage, resolver, ["www.victim. A"], held=answered())
    return first._replace(held=first.held and second.held, note="the victim afterwards: " + ("true" if second.held else "FALSE or lost"))


@attack("ghost domain: a revoked child keeps itself alive", queries=60, seconds=30)
def ghost(stage, resolver):
    def child(q):
        if q.name == "ns.ghost.":
            return reply(q, ["@ 4 A " + at] if q.type == "A" else [], ["ghost. 4 NS ns.ghost."])
        return reply(q, ["@ 1 A 192.0.2.6"] if q.name != "ghost." else ["@ 4 %s %s" % (q.type, "ns.ghost.")] if q.type == "NS" else [],
                     ["ghost. 4 NS ns.ghost."], ["ns.ghost. 4 A " + at])
    at = place(stage)
    stage.on(at, child)
    stage.delegate("ghost.", {"ns.ghost.": at}, ttl=4)
    since, began, alive_until, got = len(stage.seen), time.monotonic(), 0.0, None
    resolver.ask(["g.ghost. A"])
    stage.delegate("ghost.", None)
    for i in range(22):
        for question in ("g%d.ghost. A" % i, "ghost. NS"):
            got = resolver.ask([question])[0]
            if got.rcode == "NOERROR" and got.answers:
                alive_until = time.monotonic() - began
        time.sleep(0.5)
    return Result(stage.count(since=since), 0, alive_until, got.rcode, alive_until < 8, "delegated for 4 s, gone after %.1f s" % alive_until)


@attack("referrals without end: each label another zone on the same server", queries=80)
def endless_down(stage, resolver):
    at = place(stage)
    stage.on(at, lambda q: referral(q, q.name if q.type != "A" or len(q.labels) > 60 else ".".join(q.labels[-min(len(q.labels), depth(q)):]) + ".",
                                    {"ns.down.": at}))
    counter = {"n": 1}

    def depth(q):
        counter["n"] += 1
        return counter["n"]
    stage.delegate("down.", {"ns.down.": at})
    return measure(stage, resolver, ".".join("l%d" % i for i in range(50)) + ".down. A")


@attack("referrals that lead nowhere: to itself, upwards, aside", queries=60)
def endless_aside(stage, resolver):
    def cases(q, l):
        if not l:
            return nodata(q)
        if l[-1] == "self":
            return referral(q, "aside.", {"ns.aside.": at[0]})
        if l[-1] == "up":
            return referral(q, ".", {"a.root-servers.net.": at[0]})
        return referral(q, "else%d.aside." % random.randrange(1 << 30), {"ns.aside.": at[0]})
    at = []
    at.append(take(stage, "aside.", by_labels("aside.", cases)))
    return measure(stage, resolver, ["x.self.aside. A", "x.up.aside. A", "x.other.aside. A"], note="3 questions")


@attack("referrals without end, each to a fresh zone on a fresh name", queries=MAX_QUERIES)
def endless_fresh(stage, resolver):
    def actor(q):
        n = len(q.labels)
        if q.type == "A" and q.name.startswith("ns"):
            return referral(q, q.name, {"ns%d.%s" % (random.randrange(1 << 30), "fresh."): None})
        return referral(q, q.name if n > 1 else "fresh.", {"ns%d.fresh." % random.randrange(1 << 30): None})
    at = place(stage)
    stage.on(at, actor)
    stage.delegate("fresh.", {"ns.fresh.": at})
    return measure(stage, resolver, "x.y.fresh. A")


@attack("silence: two servers that never say anything", queries=40)
def silence(stage, resolver):
    at = [place(stage)]
    stage.on(at[0], lambda q: None)
    at.append(place(stage))
    stage.on(at[1], lambda q: None)
    stage.delegate("silence.", {"ns1.silence.": at[0], "ns2.silence.": at[1]})
    return measure(stage, resolver, "x.silence. A")


@attack("silence, 200 clients with 200 names: what each of them causes", queries=2400, seconds=20)
def silence_many(stage, resolver):
    return measure(stage, resolver, ["x%d.silence. A" % i for i in range(200)], window=200, note="200 questions")


@attack("a server that answers in lower case, whatever the case of the question", queries=8)
def lower_case(stage, resolver):
    def cases(q, l):
        r = answer(q, "192.0.2.80") if l else nodata(q)
        r.question = [dns.rrset.from_text(q.name, 0, "IN", q.type)]
        r.question[0].clear()
        for rrset in r.answer:
            rrset.name = r.question[0].name
        return r
    take(stage, "lower.", by_labels("lower.", cases))
    return measure(stage, resolver, ["a.lower. A", "b.lower. A"], held=answered(), note="2 questions")


@attack("FORMERR to EDNS, with and without the question; BADVERS; NOTIMP", queries=30)
def no_edns(stage, resolver):
    def cases(q, l):
        if q.message.edns < 0:
            return answer(q, "192.0.2.80") if l else nodata(q)
        if l and l[0] == "short":
            return q.wire[:2] + b"\x80\x01" + b"\0" * 8
        r = reply(q, rcode={"notimp": "NOTIMP"}.get(l[0] if l else "", "FORMERR"))
        r.use_edns(-1)
        return r
    for kind in ("form", "short", "notimp"):
        take(stage, "edns%s." % kind, by_labels("edns%s." % kind, cases))
    return measure(stage, resolver, ["form.ednsform. A", "short.ednsshort. A", "notimp.ednsnotimp. A"], held=answered(), note="3 questions")


@attack("EDNS is dropped without a word", queries=20)
def drops_edns(stage, resolver):
    take(stage, "ednsdrop.", by_labels("ednsdrop.", lambda q, l: None if q.message.edns >= 0 else answer(q, "192.0.2.80") if l else nodata(q)))
    return measure(stage, resolver, "x.ednsdrop. A")


@attack("SERVFAIL, REFUSED, garbage and empty answers from every server of a zone", queries=60)
def failing(stage, resolver):
    def cases(q, l):
        kind = l[-1] if l else "servfail"
        if kind == "garbage":
            return q.wire[:2] + b"\x84\x00" + bytes(random.randrange(256) for _ in range(60))
        if kind == "empty":
            return reply(q)
        return reply(q, rcode=kind.upper() if kind in ("servfail", "refused") else "FORMERR", aa=False)
    at = [take(stage, "failing.", by_labels("failing.", cases))]
    at.append(place(stage))
    stage.on(at[1], stage.actors[at[0]])
    stage.delegate("failing.", {"ns1.failing.": at[0], "ns2.failing.": at[1]})
    return measure(stage, resolver, ["x.servfail.failing. A", "x.refused.failing. A", "x.garbage.failing. A", "x.empty.failing. A"], note="4 questions")


@attack("the same question that fails, 50 clients one after the other", queries=30)
def failing_again(stage, resolver):
    return measure(stage, resolver, ["same.servfail.failing. A"] * 50, window=1, note="50 questions")


@attack("water torture: 200 random names below a zone whose server is slow", queries=500, seconds=20)
def torture(stage, resolver):
    rng = random.Random(4)
    take(stage, "torture.", by_labels("torture.", lambda q, l: Later(0.2, nxdomain(q)) if l else nodata(q)))
    return measure(stage, resolver, ["%x.torture. A" % rng.getrandbits(60) for _ in range(200)], window=200, note="200 questions")


def mutated(rng, wire):
    """A real answer, damaged. The id and mostly the question stay, so that it is looked at."""
    out = bytearray(wire)
    for _ in range(rng.choice([1, 1, 2, 4, 16])):
        what = rng.randrange(8)
        at = rng.randrange(2, len(out)) if len(out) > 14 else 2
        if what == 0:
            out[at] ^= 1 << rng.randrange(8)
        elif what == 1:
            out[at] = rng.choice([0, 0xc0, 0xff, 0x3f, 12, rng.randrange(256)])
        elif what == 2 and len(out) > 13:
            del out[rng.randrange(12, len(out)):]
        elif what == 3:
            out[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 40)))
        elif what == 4 and len(out) > 30:
            a = rng.randrange(12, len(out) - 8)
            out += out[a:a + rng.randrange(1, 200)]
        elif what == 5:
            out[rng.randrange(4, 12)] = rng.randrange(256)  # counts
        elif what == 6 and len(out) > 32:
            a = rng.randrange(12, len(out) - 2)
            out[a:a + 2] = bytes([0xc0 | rng.randrange(64), rng.randrange(256)])  # a compression pointer
        elif what == 7 and len(out) > 24:
            a = rng.randrange(12, len(out) - 4)
            out[a:a + rng.randrange(1, 8)] = b""
    return bytes(out[:4096])


def fuzzed_actor(rng, zone, at, counts):
    """A server of `zone` that answers with referrals, answers, chains and denials, most of them damaged."""
    def truth(q):
        l = q.labels[:-1]
        if not l:
            return nodata(q)
        kind = l[-1][:1]
        if kind == "r" and len(l) > 1:
            return referral(q, "%s.%s" % (l[-1], zone), {"ns.%s.%s" % (l[-1], zone): at, "ns2.fuzz.": at})
        if kind == "c":
            return reply(q, ["@ 5 CNAME a%d.%s" % (rng.randrange(50), zone), "a1.%s 5 A 192.0.2.9" % zone])
        if kind == "d":
            return reply(q, ["%s.%s 5 DNAME a1.%s" % (l[-1], zone, zone), "@ 5 CNAME x.a1.%s" % zone])
        if kind == "n":
            return nxdomain(q, zone)
        if kind == "t":
            return reply(q, ['@ 5 TXT "%s"' % ("x" * 200), "@ 5 MX 10 m.%s" % zone, "@ 5 SOA a. b. 1 2 3 4 5", "@ 5 NS ns.%s" % zone])
        return reply(q, ["@ 5 A 192.0.2.9", "@ 5 AAAA 2001:db8::9"], ["%s 5 NS ns.%s" % (zone, zone)], ["ns.%s 5 A %s" % (zone, at)])

    def actor(q):
        r = truth(q)
        if q.message.edns >= 0:
            r.use_edns(0, 0, 1232)
        wire = wire_of(r, q)
        counts["answers"] += 1
        if q.name == zone or rng.randrange(4) == 0:
            return wire
        counts["damaged"] += 1
        return [mutated(rng, wire) for _ in range(rng.choice([1, 1, 1, 3]))]
    return actor


def fuzz_questions(rng, zone, count):
    """Names of every kind, most never asked before."""
    out = []
    for _ in range(count):
        labels = ["%s%d" % (rng.choice("arcdnt"), rng.randrange(1 << 20)) for _ in range(rng.choice([1, 1, 2, 3]))]
        out.append("%s.%s %s" % (".".join(labels), zone, rng.choice(["A", "A", "AAAA", "MX", "TXT", "NS", "SOA", "DS"])))
    return out
