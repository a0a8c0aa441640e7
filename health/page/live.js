// The page renews itself: fetched again as it is, and put in place. The age ticks between; three intervals after the
// judgement, or when nothing can be fetched, all of it is grey and crossed out. Nothing stays green because nobody said
// otherwise: style does the same by itself should this script stand still.

const stamps = () => [...document.querySelectorAll("script[src]")].map((s) => s.getAttribute("src")).join();
const born = stamps();
const renewed = []; // called after each renewal
let taken = { age: NaN, left: 0, mono: 0, wall: 0 }; // what the page said of its age, and when that was
let lostSince = 0;
let timer = 0;

const number = (name) => parseFloat(document.body.dataset[name]);
const everyMs = () => 1000 * (number("every") || 5);
const patience = () => AbortSignal.timeout(2000 + everyMs() / 2); // for an answer

function take() {
    taken = { age: number("age"), left: number("left") || 0, mono: performance.now(), wall: Date.now() };
}

// By two clocks, the later one counts: the one stands still while a machine sleeps, the other can be set back.
const elapsed = () => Math.max(performance.now() - taken.mono, Date.now() - taken.wall);

function ageWords(ms) {
    const s = ms / 1000;
    if (s < 10)
        return s.toFixed(1) + " s";
    if (s < 120)
        return Math.floor(s) + " s";
    if (s < 7200)
        return Math.floor(s / 60) + " min";
    return s < 172800 ? Math.floor(s / 3600) + " h" : Math.floor(s / 86400) + " d";
}

function showState(state) {
    const icon = document.querySelector("link[rel=icon]");
    const href = "/icon/" + state + ".svg";
    if (icon.getAttribute("href") !== href)
        icon.setAttribute("href", href);
}

// Grey, and why. Said once: the words change only when the reason does.
function past(why) {
    const late = document.getElementById("late");
    const body = document.body.classList;
    if (!why) {
        body.remove("past");
        return;
    }
    if (late.textContent !== why)
        late.textContent = why;
    if (!body.contains("past")) {
        body.add("past");
        document.title = "unknown: " + document.querySelector("h1 span").textContent;
        showState("unknown");
    }
}

function tick() {
    const age = document.getElementById("age");
    const gone = elapsed();
    if (age && !Number.isNaN(taken.age))
        age.textContent = ageWords(taken.age + gone);
    if (lostSince)
        past("No answer from " + location.host + " for " + ageWords(Date.now() - lostSince).replace(/\.\d/, "") +
             ". What stands below is past, and says nothing about now.");
    else if (gone > taken.left && !document.body.classList.contains("stale")) // then the server says so itself
        past("This page is old: it was not renewed in time, and says nothing about now.");
    else
        past("");
}

// A new start for the animation that greys the page when this script does not.
function wind() {
    document.body.classList.toggle("wound");
}

function put(text) {
    const there = new DOMParser().parseFromString(text, "text/html");
    if (!there.getElementById("verdict"))
        throw new Error("that was no status page");
    if ([...there.querySelectorAll("script[src]")].map((s) => s.getAttribute("src")).join() !== born) {
        location.reload(); // the program was replaced
        return;
    }
    const wound = document.body.classList.contains("wound");
    document.title = there.title;
    showState(there.querySelector("link[rel=icon]").getAttribute("href").replace(/.*\/|\.svg/g, ""));
    const age = there.getElementById("age");
    if (age)
        age.textContent = ageWords(parseFloat(there.body.dataset.age));
    const late = there.getElementById("late");
    late.textContent = document.getElementById("late").textContent;
    morph(document.body, there.body);
    document.body.classList.toggle("wound", wound);
    take();
    wind();
}

async function renew() {
    clearTimeout(timer);
    try {
        const reply = await fetch("/", { cache: "no-store", signal: patience() });
        if (!reply.ok)
            throw new Error("HTTP " + reply.status);
        put(await reply.text());
        lostSince = 0;
    } catch (e) {
        lostSince = lostSince || Date.now();
    }
    tick();
    if (!lostSince)
        for (const then of renewed)
            await then();
    timer = setTimeout(renew, everyMs());
}

function live() {
    take();
    document.documentElement.classList.add("live");
    document.addEventListener("visibilitychange", () => document.hidden || renew());
    setInterval(tick, 1000);
    timer = setTimeout(renew, everyMs());
}
