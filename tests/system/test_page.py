"""The status page in a real browser: every state by a real fault, live without moving anything, without script, on a phone, by
keyboard, light and dark, and nothing from anywhere else."""
# time bound: 300 s
# mostly waits
import contextlib
import os
import re
import subprocess
from urllib.parse import urlsplit

import psutil
import pytest

from lib.ask import BUILD
from lib.browser import Browser
from lib.certs import Authority
from lib.node import Node, free_port, until
from lib.played import Played
from lib.upstream import Upstream
from test_reports import KEYS

TICKS = {"local": "1s", "upstream": "1s", "zones": "1s", "peers": "1s", "push": "1s"}
PAST_S = 3.0  # three local intervals
WEIGHT = 150 << 10
PICTURES = os.environ.get("CANDOR_PICTURES")  # a folder: what the tests looked at is kept there


class Fleet:
    """Two nodes that are each other's peers, and a monitor of both."""

    def __init__(self, folder, upstream):
        at, https = ("127.0.0.1@%d" % free_port() for _ in range(2))
        authority = Authority(folder / "authority")
        certificate, secret = authority.issue("monitor.example", days=90)
        (folder / "bl").write_text("127.0.0.2\n192.0.2.1\n")
        self.list = folder / "bl"
        self.upstream = upstream

        def node(name, **health):
            return Node(folder / name, {
                "node": {"name": name}, "resolver": {"forward": [{"zone": ".", "to": [upstream.address]}]},
                "rbl": {"keys": KEYS, "zones": [{"name": "bl.test.", "test": "rfc5782-ip4", "data": [{"type": "ip4set", "files": [str(self.list)]}]}]},
                "health": {"interval": TICKS, "heal": {"restart-hung": False}, **health}})
        self.a, self.b = (node(n, report={
            "datagram": [{"address": at, "key": n + "."}],
            "https": [{"address": https, "tls-name": "monitor.example", "ca": authority.ca, "key": n + "."}]}) for n in "ab")
        self.m = node("m", monitor={"enabled": True, "listen": [{"datagram": at, "https": https}],
                                      "tls": {"certificate": certificate, "key": secret}, "nodes": [
            {"name": n.config["node"]["name"], "resolver": n.dns, "key": n.config["node"]["name"] + "."} for n in (self.a, self.b)]})
        for n, other in ((self.a, self.b), (self.b, self.a)):
            n.config["health"]["peers"] = [{"name": other.config["node"]["name"], "resolver": other.dns, "key": "a.",
                                            "health": "127.0.0.1@%d" % other.health_port}]
            n.write_config()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        f = Fleet(tmp_path_factory.mktemp("page"), stack.enter_context(Upstream()))
        for n in (f.m, f.a, f.b):
            n.start(ready=False)
            stack.callback(n.stop)
        for n in (f.m, f.a, f.b):
            n.wait_ready()
        yield f


@pytest.fixture(scope="module")
def chromium():
    with Browser() as b:
        b.call("/url", url="about:blank")
        yield b


@pytest.fixture
def browser(chromium):
    """As new: light, wide, with script, and nothing on its console or in its log yet."""
    chromium.script(True)
    chromium.dark(False)
    chromium.size(1280)
    chromium.open("about:blank")
    chromium.said()
    chromium.requested()
    return chromium


def picture(browser, name):
    if PICTURES:
        os.makedirs(PICTURES, exist_ok=True)
        browser.shot(os.path.join(PICTURES, name + ".png"))


def look(browser, node):
    browser.open("http://127.0.0.1:%d/" % node.health_port)


def banner(browser, state, *words, within_s=30):
    """Waits until the banner is of this state and says these words; what it says."""
    def there():
        assert browser.js("return document.getElementById('banner').className") == "banner " + state
        text = browser.text("#verdict")
        assert all(w in text for w in words), text
        return text
    return until("the banner is %s and says %s" % (state, words), there, within_s, 0.1)


def grey(browser):
    """Grey and crossed out, by script or by the animation that stands behind it."""
    return ("grayscale" in browser.style("main", "filter") and "line-through" in browser.style("main", "textDecorationLine")
            and browser.style("#late", "visibility") == "visible")


def suspended(processes):
    stack = contextlib.ExitStack()
    def resume(p):
        with contextlib.suppress(psutil.NoSuchProcess):  # somebody may have ended it meanwhile
            p.resume()
    for p in processes:
        p.suspend()
        stack.callback(resume, p)
    return stack


def test_pass_and_what_it_weighs(fleet, browser):
    look(browser, fleet.a)
    banner(browser, "pass", "This node is well: every check passes", within_s=60)
    until("title and icon", lambda: browser.js("return [document.title, document.querySelector('link[rel=icon]').getAttribute('href')]")
          == ["pass: a", "/icon/pass.svg"])
    until("all five answers", lambda: re.search(r"nowhere: (\d+) of \1 scopes pass.*1 of 1 peers are heard; 1 get right answers here"
                                                r".*1 of 1 monitors, last", browser.text(".glance")))
    until("the chart is drawn", lambda: browser.js("return document.querySelectorAll('.plot canvas').length") == 2)
    picture(browser, "pass")
    requests = [r for r in browser.requested() if r[0].startswith("http")]
    first, packed = {}, {}
    for url, size, on_the_way in requests:
        first[urlsplit(url).path] = max(size, first.get(urlsplit(url).path, 0))
        packed[urlsplit(url).path] = max(on_the_way, packed.get(urlsplit(url).path, 0))
    assert {urlsplit(u).netloc for u, _, _ in requests} == {"127.0.0.1:%d" % fleet.a.health_port}, requests
    assert set(first) <= {"/", "/page.css", "/page.js", "/icon/pass.svg", "/icon/unknown.svg", "/icon/warn.svg", "/icon/fail.svg"}
    print(first, packed)
    assert first["/page.js"] > 50000 and sum(first.values()) < WEIGHT, first
    assert 0 < sum(packed.values()) < WEIGHT / 3, packed
    assert browser.said() == []


def test_it_renews_itself_and_moves_nothing(fleet, browser):
    look(browser, fleet.a)
    banner(browser, "pass")
    browser.js("const d = document.querySelector('details'); d.open = true; d.querySelector('summary').focus(); scrollTo(0, 200);"
               "window.same = d; window.renewals = 0; new MutationObserver(() => window.renewals++).observe("
               "document.querySelector('footer'), {subtree: true, characterData: true, childList: true})")
    made = browser.text("footer")
    until("it was renewed three times", lambda: browser.js("return window.renewals") >= 3)
    assert browser.text("footer") != made
    assert browser.js("return [document.activeElement.tagName, window.same === document.querySelector('details'), window.same.open,"
                      " scrollY, document.querySelectorAll('.plots').length]") == ["SUMMARY", True, True, 200, 1]
    until("it is new", lambda: float(browser.text("#age").split()[0]) < PAST_S and not grey(browser))
    until("said politely", lambda: browser.js("return document.getElementById('verdict').getAttribute('role')") == "status")
    assert browser.said() == []


def test_fail_says_since_when_where_and_who_sees_it(fleet, browser):
    """One of two workers stands still, and who would replace it, too."""
    look(browser, fleet.a)
    banner(browser, "pass")
    with suspended([fleet.a.daemon("resolver"), fleet.a.workers()[0]]):
        banner(browser, "fail", "This node is failing: process, process:heartbeat (")
        until("said at once", lambda: browser.js("return document.getElementById('verdict').getAttribute('role')") == "alert")
        until("the answers below", lambda: re.search(r"Since.*ago.*Where.*worker fail.*Changed last\w+ to ", browser.text(".glance")))
        until("it stands among what changed", lambda: re.search(r"worker(pass|warn)fail", browser.text("#what-changed tbody")))
        until("the worker is named", lambda: re.search(r"worker:answers \(worker [01]\)fail", browser.text("#what-does-not-pass")))
        until("the title, too", lambda: browser.js("return document.title") == "fail: a")
        picture(browser, "fail")
        look(browser, fleet.m)  # the monitor has a node that says so
        first = "const r = document.querySelector('.nodes tbody tr'); return [r.querySelector('th').textContent, r.querySelector('b').className]"
        until("it stands first, and fails", lambda: browser.js(first) == ["a", "fail"])
        until("what changed there is told", lambda: re.search(r"aworker(pass|warn)fail", browser.text("#what-changed-in-the-fleet")))
        browser.js("document.querySelector('.nodes table').focus()")
        browser.press("home", "enter")
        until("opened: its own view, ours, its peer's, and what came back there", lambda: re.search(
            r"Node a.*Is.*fail.*Says of itself.*fail.*not ready.*Seen from here.*Seen by peers.*of 1.*What changed there.*worker"
            r".*What does not pass there.*worker:answers \(worker [01]\)fail", browser.text("#node")))
        picture(browser, "fleet-fail")
        browser.press("escape")
    look(browser, fleet.a)
    banner(browser, "pass", within_s=60)


def test_warn(fleet, browser):
    """A list whose newest version is not accepted: the old one is served."""
    look(browser, fleet.b)
    banner(browser, "pass", within_s=60)
    good = fleet.list.read_text()
    try:
        fleet.list.write_text("this is no list\n" * 3)
        banner(browser, "warn", "with reservations", "bl.test.")
        picture(browser, "warn")
    finally:
        fleet.list.write_text(good)
    banner(browser, "pass", within_s=60)


def test_hung_page_goes_grey(fleet, browser):
    """SIGSTOP of candor-health: nobody answers any more, and what is on the screen must not look like now."""
    look(browser, fleet.a)
    banner(browser, "pass")
    until("it is new", lambda: not grey(browser))
    with suspended([fleet.a.daemon("health")]):
        until("grey and crossed out", lambda: grey(browser), PAST_S + 6, 0.1)
        until("it says why", lambda: re.search(r"No answer from \S+ for \d+ s\. What stands below is past", browser.text("#late")), 10)
        until("the title, too", lambda: browser.js("return document.title") == "unknown: a")
        before = browser.text("#age")
        until("the age goes on", lambda: browser.text("#age") != before)
        picture(browser, "stale")
    until("it comes back by itself", lambda: not grey(browser), 30, 0.1)
    banner(browser, "pass")
    until("title", lambda: browser.js("return document.title") == "pass: a")


def test_hung_prober_is_unknown(fleet, browser):
    """The thread that judges stands still, the one that answers does not: the page comes, and says that nothing is known."""
    look(browser, fleet.a)
    banner(browser, "pass")
    freezer = subprocess.Popen([os.path.join(BUILD, "tests/faults/freezer"), str(fleet.a.daemon("health").pid)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert freezer.stdout.readline() == b"frozen 1\n"
        banner(browser, "unknown", "Nothing is known: the last judgement is too old")
        until("all but that is crossed out", lambda: "line-through" in browser.style("main", "textDecorationLine")
              and "line-through" not in browser.style("#banner", "textDecorationLine"))
        until("the icon", lambda: browser.js("return document.querySelector('link[rel=icon]').getAttribute('href')") == "/icon/unknown.svg")
        assert not browser.js("return getComputedStyle(document.getElementById('banner')).color === 'rgb(23, 107, 49)'")
        picture(browser, "unknown")
    finally:
        freezer.stdin.close()
        freezer.wait(10)
    banner(browser, "pass", within_s=60)


def test_without_script(fleet, browser):
    """With script switched off it reloads itself, and says the same; what is not renewed greys by its style alone."""
    browser.script(False)
    look(browser, fleet.a)
    made = until("it is there", lambda: browser.text("footer"))
    until("it was loaded anew", lambda: browser.text("footer") != made, 15)
    assert "every check passes" in browser.text("#verdict") and "Who sees whom" in browser.text("main")
    assert browser.js("return document.querySelectorAll('.charts svg polyline').length") == 3
    assert browser.js("return document.querySelectorAll('[data-mine]').length") == 0
    assert browser.said() == []
    browser.script(True)
    browser.cdp("Network.enable")
    browser.cdp("Network.setBlockedURLs", urls=["*page.js*"])
    try:  # script is on, so that nothing reloads, and yet there is none
        look(browser, fleet.a)
        assert browser.js("return document.documentElement.className") == ""
        picture(browser, "no-script")
        until("grey by its style alone", lambda: grey(browser), PAST_S + 6, 0.1)
    finally:
        browser.cdp("Network.setBlockedURLs", urls=[])


def test_cut_off_monitor_accuses_nobody(fleet, browser):
    """All that the monitor watches is gone at once: it is the one that is cut off."""
    look(browser, fleet.m)
    until("both are well", lambda: re.search(r"2 nodes: .*2 pass", browser.text("#fleet .sums")), 60)
    picture(browser, "fleet")
    with suspended([p for n in (fleet.a, fleet.b) for p in [n.daemon("resolver"), *n.workers(), n.daemon("health")]]):
        until("it says so", lambda: "it is this monitor that is cut off" in browser.text("#fleet .sums"), 30)
        until("nothing is known of them", lambda: browser.js(
            "return [...document.querySelectorAll('.nodes tbody tr')].map(r => r.querySelector('b').className)") == ["unknown"] * 2, 30)
        until("and accuses nobody", lambda: "nothing is known" in browser.text("#fleet .sums") and "disagrees" not in browser.text(".nodes"))
        picture(browser, "cut-off")


def test_on_a_phone(fleet, browser):
    """360 px: nothing scrolls sideways but tables, inside of themselves."""
    browser.size(360, 740)
    for node in (fleet.a, fleet.m):
        look(browser, node)
        until("it is there", lambda: browser.text("#verdict"))
        browser.js("document.querySelector('details').open = true")
        assert browser.js("return [document.documentElement.scrollWidth, innerWidth]") == [360, 360]
        until("wide tables can be scrolled by keyboard", lambda: browser.js(
            "const s = [...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth && e.clientWidth);"
            "return s.length > 0 && s.every(e => e.tabIndex === 0 && e.getAttribute('role') === 'region' && e.getAttribute('aria-label'))"))
        browser.js("document.querySelector('details').open = false")
        picture(browser, "phone-" + node.config["node"]["name"])


# The least contrast of any text with what is behind it, and where.
CONTRAST = """
const luminance = (c) => { const [r, g, b] = c.map((v) => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b };
const parse = (c) => c.match(/[\\d.]+/g).map(Number);
const behind = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] === 1) return c.slice(0, 3) } return [255, 255, 255] };
let least = [99, ""];
for (const e of document.querySelectorAll("body *")) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.nodeValue.trim()) || !e.checkVisibility({checkVisibilityCSS: true}))
        continue;
    const a = luminance(parse(getComputedStyle(e).color).slice(0, 3)), b = luminance(behind(e));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < least[0]) least = [ratio, e.outerHTML.slice(0, 120)];
}
return least;
"""


def test_light_and_dark_have_contrast(fleet, browser):
    look(browser, fleet.m)
    until("the charts are there", lambda: browser.js("return document.querySelectorAll('.plot canvas').length") == 2)
    grounds = []
    for dark in (False, True):
        browser.dark(dark)
        grounds.append(until("the colours", lambda: browser.style("body", "backgroundColor") not in grounds and browser.style("body", "backgroundColor")))
        for state in ("pass", "warn", "fail", "unknown"):  # each banner, whatever the node is
            browser.js("document.getElementById('banner').className = 'banner ' + arguments[0]", state)
            ratio, where = browser.js(CONTRAST)
            assert ratio >= 4.5, (dark, state, ratio, where)
        picture(browser, "dark" if dark else "light")
    assert len(set(grounds)) == 2


def test_keyboard_walk_and_what_a_screen_reader_gets(fleet, browser):
    look(browser, fleet.a)
    until("it is there", lambda: browser.text("#verdict"))
    focused = "return document.activeElement.className || document.activeElement.tagName"
    browser.press("tab")
    assert browser.js(focused) == "skip" and browser.js("return document.activeElement.getBoundingClientRect().left") >= 0
    browser.press("enter")
    until("what was found has the focus", lambda: browser.js(focused) == "MAIN")
    for _ in range(60):
        browser.press("tab")
        if browser.js(focused) == "SUMMARY":
            break
    assert browser.js(focused) == "SUMMARY" and browser.style(":focus-visible", "outlineStyle") == "solid"
    browser.press("enter")
    assert browser.js("return document.querySelector('details').open")
    assert browser.js("return document.documentElement.lang") == "en"
    wrong = browser.js("""return [...document.querySelectorAll('table:not(.u-legend)')].filter((t) =>
        [...t.querySelectorAll('thead th')].some((h) => h.scope !== 'col') || [...t.querySelectorAll('tbody th')].some((h) => h.scope !== 'row')).length""")
    assert wrong == 0
    nodes = browser.cdp("Accessibility.getFullAXTree")["nodes"]
    roles = {n["role"]["value"] for n in nodes if "role" in n}
    assert {"heading", "table", "main", "banner", "status"} <= roles or {"heading", "table", "main", "alert"} <= roles, roles
    unnamed = [n for n in nodes if n.get("role", {}).get("value") in ("searchbox", "button", "link", "image", "region") and not n.get("ignored")
               and not n.get("name", {}).get("value")]
    assert unnamed == []


def test_what_changed_can_be_filtered(fleet, browser):
    look(browser, fleet.a)
    until("there is a field", lambda: browser.js("const i = document.querySelector('#what-changed input'); if (i) i.focus(); return i !== null"))
    scope = browser.text("#what-changed tbody tr td:nth-child(2)")
    browser.press(*("20 " + scope))
    rows = "return [...document.querySelectorAll('#what-changed tbody tr')].filter(r => !r.hidden).map(r => r.textContent)"
    until("only those", lambda: (r := browser.js(rows)) and all(scope in x for x in r))
    made = browser.text("footer")
    until("renewed", lambda: browser.text("footer") != made)
    assert all(scope in x for x in browser.js(rows)) and browser.js("return document.activeElement.value") == "20 " + scope


def test_a_thousand_nodes(fleet, browser):
    """Searched, sorted, walked through and opened; only rows within sight are in the document. The fleet is played, the browser is not."""
    odd = {3: "fail", 17: "fail", 400: "warn", 401: "unknown", 990: "fail"}
    names = "return [...document.querySelectorAll('.nodes tbody th')].map(t => t.textContent)"
    with Played(fleet.m.health_port, 1000, odd) as p:
        look(browser, p)
        until("all are counted", lambda: browser.text("#fleet-count") == "1000 of 1000 nodes")
        assert browser.js(names)[:6] == ["scan17", "scan3", "scan990", "scan401", "scan400", "scan0"]
        assert browser.js("return document.querySelectorAll('.nodes tr').length") < 80
        assert browser.style("#fleet > .scroll", "display") == "none"
        took = browser.js("const at = performance.now(), i = document.querySelector('#fleet input'); i.focus(); i.value = 'SCAN99';"
                          "i.dispatchEvent(new Event('input')); document.body.offsetHeight; return performance.now() - at")
        print("a search among 1000: %.1f ms" % took)
        assert browser.js(names) == ["scan990", "scan99"] + ["scan99%d" % i for i in range(1, 10)]
        browser.js("const i = document.querySelector('#fleet input'); i.value = ''; i.dispatchEvent(new Event('input'));"
                   "const s = document.querySelector('#fleet select'); s.value = 'differs'; s.dispatchEvent(new Event('change'))")
        assert browser.text("#fleet-count") == "10 of 1000 nodes" and "disagrees" in browser.text(".nodes tbody tr")
        browser.js("const s = document.querySelector('#fleet select'); s.value = 'all'; s.dispatchEvent(new Event('change'));"
                   "document.querySelector('.nodes [data-key=name] button').click(); document.querySelector('.nodes [data-key=name] button').click()")
        assert browser.js(names)[0] == "scan999" and browser.js("return document.querySelector('.nodes [data-key=name]').ariaSort") == "descending"
        browser.js("document.querySelector('.nodes table').focus()")
        browser.press("end", "up", "up")
        at = "return document.getElementById(document.querySelector('.nodes table').getAttribute('aria-activedescendant')).querySelector('th').textContent"
        assert browser.js(at) == "scan10" and browser.js("return document.querySelector('.nodes').scrollTop") > 30000
        asked = p.asked
        until("renewed, and nothing has moved", lambda: p.asked > asked + 1)
        assert browser.js(at) == "scan10" and browser.js("return document.querySelector('.nodes').scrollTop") > 30000
        browser.press("enter")
        until("it is opened", lambda: browser.text("#node h2") == "Node scan10" and browser.js("return document.activeElement.textContent") == "Node scan10")
        picture(browser, "thousand")
        assert "3 of 3 get answers" in browser.text("#node") and re.search(r"Zones.*bl\.test\..*Workers.*questions a second", browser.text("#node"))
        browser.press("escape")
        assert browser.js("return document.getElementById('node') === null && document.activeElement.getAttribute('role')") == "grid"
        browser.size(360, 740)
        assert browser.js("return [document.documentElement.scrollWidth, innerWidth]") == [360, 360]
        assert browser.said() == []
