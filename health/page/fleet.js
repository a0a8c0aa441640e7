// All nodes of a monitor: searched, sorted, and drawn only as far as they are seen, so that a thousand are as quick as
// ten. The server's own table (the first of them, the worst first) stands there until this one has something to show.

const ROW_PX = 34, SPARE_ROWS = 8;
const RANK = { fail: 0, unknown: 1, warn: 2, pass: 3 };
const SCOPES = ["process", "worker", "resolution", "zones", "replication", "upstream", "storage", "peers", "reporting", "monitor"];
const COLUMNS = [["name", "Node"], ["state", "Is"], ["since", "Since"], ["says", "Says"], ["seen", "Seen from here"], ["sight", "Seen by peers"],
                 ["heardMs", "Heard ago"], ...SCOPES.map((s) => [s, s]), ["why", "Why"]];

const fleet = { nodes: [], shown: [], words: "", only: "all", sort: "state", down: false, at: "", box: null, now: 0 };

const state = (s) => make("b", { class: s in RANK ? s : "unknown" }, s in RANK ? s : "unknown");

function cellOf(node, key) {
    if (key === "name")
        return make("th", { scope: "row" }, node.name);
    if (key === "heardMs")
        return make("td", { class: "n" }, node.heardMs === null ? "never" : ageWords(node.heardMs));
    if (key === "since")
        return make("td", { class: "n", title: when(node.since) }, node.since ? ageWords(Math.max(0, fleet.now - node.since)).replace(/\.\d/, "") : "");
    if (key === "why")
        return make("td", { title: node.why }, node.why);
    if (key === "seen")
        return make("td", {}, state(node.seen), node.differs ? " " : "", node.differs ? make("b", { class: "differs" }, "disagrees") : "");
    if (key === "sight")
        return make("td", {}, node.sight === "" ? "nobody looks" : state(node.sight), " " + node.peersWords);
    const value = SCOPES.includes(key) ? node.scopes[key] : node[key];
    return make("td", {}, value === undefined ? "" : state(value));
}

// A monitor that is cut off says nothing of the nodes that it lost.
const disagrees = (entry) => entry.agree === "fail" && entry.state !== "unknown";

// One entry of /fleet (docs/formats/fleet.md) as a row. What a node said too long ago is not what it says.
function rowFrom(entry, index, now) {
    const self = entry.self || {}, seen = entry.seen || {}, peers = entry.peers || { see: 0, miss: 0, of: 0 };
    const node = {
        index, name: entry.node, state: entry.state, since: entry.sinceMs, why: entry.state === "pass" ? "" : entry.words || "",
        says: self.fresh ? self.status : "unknown",
        scopes: self.fresh ? self.scopes || {} : Object.fromEntries(Object.keys(self.scopes || {}).map((s) => [s, "unknown"])),
        heardMs: self.heardMs ? Math.max(0, now - self.heardMs) : null,
        seen: seen.answers === undefined ? "unknown" : seen.answers ? seen.health === "fail" ? "warn" : "pass" : "fail",
        sight: peers.of === 0 ? "" : peers.see + peers.miss === 0 ? "unknown" : peers.miss === 0 ? "pass" : peers.see === 0 ? "fail" : "warn",
        peersWords: peers.of === 0 ? "" : peers.see + " of " + peers.of, differs: disagrees(entry),
    };
    const bad = Object.entries(node.scopes).filter(([, s]) => s !== "pass").map(([name, s]) => name + ":" + s);
    node.text = [node.name, node.state, node.why, self.version, ...bad].join(" ").toLowerCase();
    return node;
}

function rank(node, key) {
    if (key === "name" || key === "why")
        return node[key].toLowerCase();
    if (key === "heardMs")
        return node.heardMs === null ? Infinity : node.heardMs;
    if (key === "since") // what changed last comes first
        return -(node.since || 0);
    const value = SCOPES.includes(key) ? node.scopes[key] : node[key];
    return value in RANK ? RANK[value] : 9;
}

function choose() {
    const words = fleet.words.toLowerCase().split(/\s+/).filter(Boolean);
    fleet.shown = fleet.nodes.filter((n) =>
        (fleet.only === "all" || (fleet.only === "bad" ? n.state !== "pass" : n.differs)) && words.every((w) => n.text.includes(w)));
    const by = fleet.sort, sign = fleet.down ? -1 : 1;
    const ranks = new Map(fleet.shown.map((n) => [n, rank(n, by)]));
    fleet.shown.sort((a, b) => {
        const x = ranks.get(a), y = ranks.get(b);
        return x < y ? -sign : x > y ? sign : a.name < b.name ? -1 : 1;
    });
}

function rowOf(node, index) {
    const row = make("tr", { id: "node-" + node.index, "aria-rowindex": index + 2, "aria-selected": String(node.name === fleet.at) },
                     ...COLUMNS.map(([key]) => cellOf(node, key)));
    row.addEventListener("click", () => { moveTo(index); openNode(node.name); });
    return row;
}

// Only rows within sight are in the document; two empty ones stand for those above and below.
function drawRows() {
    const box = fleet.box, body = fleet.grid.tBodies[0], all = fleet.shown.length;
    const first = Math.max(0, Math.min(all, Math.floor(box.scrollTop / ROW_PX)) - SPARE_ROWS);
    const last = Math.min(all, first + Math.ceil(box.clientHeight / ROW_PX) + 2 * SPARE_ROWS);
    const gap = (rows) => {
        const row = make("tr", { "aria-hidden": "true", class: "gap" }, make("td", { colspan: COLUMNS.length }));
        row.style.height = rows * ROW_PX + "px";
        return row;
    };
    body.replaceChildren(...(first > 0 ? [gap(first)] : []), ...fleet.shown.slice(first, last).map((n, i) => rowOf(n, first + i)),
                         ...(last < all ? [gap(all - last)] : []));
    const at = fleet.shown.find((n) => n.name === fleet.at);
    if (at && document.getElementById("node-" + at.index))
        fleet.grid.setAttribute("aria-activedescendant", "node-" + at.index);
    else
        fleet.grid.removeAttribute("aria-activedescendant");
}

function drawFleet() {
    choose();
    fleet.grid.setAttribute("aria-rowcount", fleet.shown.length + 1);
    for (const th of fleet.grid.querySelectorAll("thead th"))
        th.setAttribute("aria-sort", th.dataset.key !== fleet.sort ? "none" : fleet.down ? "descending" : "ascending");
    const count = document.getElementById("fleet-count"), words = fleet.shown.length + " of " + fleet.nodes.length + " nodes";
    if (count.textContent !== words)
        count.textContent = words;
    drawRows();
}

function moveTo(index) {
    if (fleet.shown.length === 0)
        return;
    index = Math.max(0, Math.min(fleet.shown.length - 1, index));
    fleet.at = fleet.shown[index].name;
    const head = fleet.box.querySelector("thead").offsetHeight, top = index * ROW_PX;
    if (top < fleet.box.scrollTop)
        fleet.box.scrollTop = top;
    else if (top + ROW_PX + head > fleet.box.scrollTop + fleet.box.clientHeight)
        fleet.box.scrollTop = top + ROW_PX + head - fleet.box.clientHeight;
    drawRows();
}

function onKey(event) {
    const here = fleet.shown.findIndex((n) => n.name === fleet.at), page = Math.floor(fleet.box.clientHeight / ROW_PX) - 1;
    const to = { ArrowDown: here + 1, ArrowUp: here < 0 ? 0 : here - 1, PageDown: here + page, PageUp: here - page, Home: 0, End: 1e9 }[event.key];
    if (event.target !== fleet.grid)
        return; // a button of the head
    if (to !== undefined)
        moveTo(to);
    else if (event.key === "Enter" && here >= 0)
        openNode(fleet.at);
    else
        return;
    event.preventDefault();
}

function buildFleet(section) {
    const search = make("input", { type: "search", placeholder: "search", "aria-label": "Search nodes", "data-mine": true });
    search.addEventListener("input", () => { fleet.words = search.value; fleet.box.scrollTop = 0; drawFleet(); });
    const only = make("select", { "aria-label": "Which nodes", "data-mine": true }, make("option", { value: "all" }, "all"),
                      make("option", { value: "bad" }, "not passing"), make("option", { value: "differs" }, "views disagree"));
    only.addEventListener("change", () => { fleet.only = only.value; fleet.box.scrollTop = 0; drawFleet(); });
    const count = make("span", { id: "fleet-count", role: "status", "data-mine": true });
    const heads = COLUMNS.map(([key, title]) => {
        const button = make("button", { type: "button" }, title);
        button.addEventListener("click", () => {
            fleet.down = fleet.sort === key && !fleet.down;
            fleet.sort = key;
            drawFleet();
        });
        return make("th", { scope: "col", "data-key": key, class: key === "heardMs" || key === "since" ? "n" : false }, button);
    });
    fleet.grid = make("table", { role: "grid", tabindex: "0", "aria-label": "Nodes: arrows move, Enter opens" },
                      make("thead", {}, make("tr", {}, ...heads)), make("tbody"));
    fleet.box = make("div", { class: "nodes of-fleet", "data-mine": true }, fleet.grid);
    fleet.box.addEventListener("scroll", drawRows, { passive: true });
    fleet.grid.addEventListener("keydown", onKey);
    section.querySelector("h2").after(search, only, count);
    section.append(fleet.box);
}

async function json(path) {
    const reply = await fetch(path, { cache: "no-store", signal: patience() });
    return reply.ok ? reply.json() : null;
}

// Grey while nothing new is heard of the fleet, though the page itself comes.
function fleetPast(past) {
    for (const box of document.querySelectorAll(".of-fleet"))
        box.classList.toggle("past-box", past);
}

async function renewFleet() {
    const section = document.getElementById("fleet");
    if (!section)
        return;
    let d = null;
    try {
        d = await json("/fleet");
    } catch (e) { /* as if it had said that it does not know */ }
    if (!d || !d.nodes) {
        fleetPast(true);
        return;
    }
    if (!fleet.box || !fleet.box.isConnected)
        buildFleet(section);
    document.documentElement.classList.add("fleet");
    fleet.now = d.wallMs;
    fleet.nodes = d.nodes.map((n, i) => rowFrom(n, i, d.wallMs));
    drawFleet();
    fleetPast(false);
    if (opened)
        await openNode(opened, false);
}
