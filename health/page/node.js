// One of a monitor's nodes, when it is chosen.

let opened = ""; // the node that is shown

const when = (ms) => ms ? new Date(ms).toISOString().replace("T", " ").slice(0, 19) : "";
const ago = (ms, now) => ms ? ageWords(Math.max(0, now - ms)) + " ago" : "never";

// A table of script's; each column is [title, cell of an item], those of numbers begin with '#'.
function tableOf(items, columns) {
    const head = columns.map(([title]) => make("th", { scope: "col", class: title[0] === "#" ? "n" : false }, title.replace("#", "")));
    const rows = items.map((item) => make("tr", {}, ...columns.map(([title, cell], i) => {
        const value = cell(item);
        return make(i === 0 ? "th" : "td", { scope: i === 0 ? "row" : false, class: title[0] === "#" ? "n" : false },
                    value === undefined || value === null ? "" : value instanceof Node ? value : String(value));
    })));
    return make("div", { class: "scroll" }, make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows)));
}

// A section of script's, made once and brought up to date in place.
function sectionOf(id, title, after, ...children) {
    const there = make("section", { id, "data-mine": true, class: "of-fleet" }, make("h2", {}, title), ...children);
    const here = document.getElementById(id);
    if (here)
        morph(here, there);
    else
        document.getElementById(after).after(there);
}

const EVENT_COLUMNS = [
    ["When (UTC)", (e) => make("span", { class: "t" }, when(e.wallMs))],
    ["What", (e) => [e.scope, e.what].filter(Boolean).join(", ") + (e.kind === "doubt" ? " (a doubt)" : "") || e.kind], ["From", (e) => e.from && state(e.from)],
    ["To", (e) => e.to && state(e.to)], ["Cause", (e) => e.cause],
];

// Three views side by side: its own, the monitor's, the peers'.
function views(is, now) {
    const self = is.self, seen = is.seen || {}, peers = is.peers || { of: 0 };
    const item = (title, ...words) => make("div", {}, make("dt", {}, title), make("dd", {}, ...words));
    return make("dl", { class: "glance" },
        item("Is", state(is.state), make("small", {}, "since " + (when(is.sinceMs) || "not known"))),
        item("Says of itself", self ? state(self.fresh ? self.status : "unknown") : "never heard",
             self && make("small", {}, (self.fresh ? "" : "last it said " + self.status + ", ") + (self.ready ? "ready" : "not ready") + ", " + ago(self.heardMs, now))),
        item("Seen from here", seen.answers === undefined ? "not asked yet" : state(seen.answers ? "pass" : "fail"),
             make("small", {}, (seen.answers ? "answers" : "no answer") + ", last " + ago(seen.answeredMs, now) + (seen.health ? "; its page: " + seen.health : ""))),
        item("Seen by peers", peers.of ? peers.see + " of " + peers.of + " get answers" : "nobody looks",
             peers.miss ? make("small", {}, peers.miss + " say that it is gone") : undefined),
        item("Do they agree?", disagrees(is) ? make("b", { class: "differs" }, "disagrees") : is.agree === "pass" && is.state !== "unknown" ? "yes" : "too little is known",
             is.gaps ? make("small", {}, is.gaps + " reports never came") : undefined));
}

function detailParts(detail) {
    if (!detail)
        return [make("p", {}, "No details came from it: they come over HTTPS.")];
    const parts = [], bad = (detail.probes || []).filter((p) => p.state !== "pass");
    const add = (title, items, columns) => items && items.length && parts.push(make("h3", {}, title), tableOf(items, columns));
    add("What does not pass there", bad, [["Check", (p) => p.check + (p.id ? " (" + p.id + ")" : "")], ["State", (p) => state(p.state)],
        ["Came back", (p) => p.came], ["Since (UTC)", (p) => make("span", { class: "t" }, when(p.sinceMs))]]);
    add("Zones", detail.zones, [["Zone", (z) => z.zone], ["State", (z) => z.state], ["#Serial", (z) => z.serial],
        ["#Source's serial", (z) => z.sourceSerial], ["#Entries", (z) => z.entries], ["Last change (UTC)", (z) => when(z.changedMs)],
        ["Last check (UTC)", (z) => when(z.checkedMs)]]);
    add("Workers", detail.workers, [["Worker", (w) => w.worker], ["State", (w) => state(w.state)], ["#Heartbeat", (w) => ageWords(w.heartbeatMs || 0)],
        ["#Lag", (w) => (w.lagUs / 1000).toFixed(1) + " ms"], ["#Replaced", (w) => w.restarts]]);
    add("Peers", detail.peers, [["Peer", (p) => p.peer], ["Is", (p) => p.state], ["Says", (p) => p.says && state(p.says)],
        ["Reached by", (p) => Object.entries(p.sees || {}).filter(([, s]) => s === "good").map(([way]) => way).join(", ")],
        ["Disagreement", (p) => p.disagrees && make("b", { class: "differs" }, "disagrees")]]);
    add("Reports to", detail.monitors, [["To", (m) => m.kind + " " + (m.name || m.address)], ["Last (UTC)", (m) => when(m.ackedMs)],
        ["#Waiting", (m) => m.waiting], ["Trouble", (m) => m.trouble]]);
    const t = detail.traffic;
    if (t)
        parts.push(make("p", {}, t.perSecond + " questions a second" + (t.p50Us === undefined ? "" : ", half answered within " + t.p50Us / 1000 +
                                                                     " ms, 99 of 100 within " + t.p99Us / 1000 + " ms") + "."));
    return parts;
}

async function openNode(name, focus = true) {
    opened = name;
    const d = await json("/fleet/" + encodeURIComponent(name)).catch(() => null);
    if (opened !== name)
        return; // closed, or another one was opened meanwhile
    const close = make("button", { type: "button", class: "close" }, "close");
    sectionOf("node", "Node " + name, "fleet", close,
              ...(d ? [views(d.is, d.wallMs), d.is.words ? make("p", { class: "why" }, d.is.words) : "",
                       ...(d.events && d.events.length ? [make("h3", {}, "What changed there"), tableOf(d.events, EVENT_COLUMNS)] : []),
                       ...detailParts(d.detail)] : [make("p", {}, "Nothing is known of it now.")]));
    const section = document.getElementById("node"), title = section.querySelector("h2");
    section.querySelector(".close").onclick = closeNode;
    section.onkeydown = (event) => { if (event.key === "Escape") closeNode(); };
    if (focus) {
        title.tabIndex = -1;
        title.focus();
        scrollers();
    }
}

function closeNode() {
    opened = "";
    document.getElementById("node").remove();
    fleet.grid.focus();
}
