// Traffic as charts: five minutes that the server kept, and more for as long as the page is open.

const KEEP_S = 3600;
const pulse = new Map(); // second -> [rate, p50, p99]
const charts = [];

const CHARTS = [
    { title: "Questions a second", unit: "", rows: [{ of: 0, label: "questions/s", colour: "--one" }] },
    { title: "Time to answer", unit: " ms",
      rows: [{ of: 1, label: "half within", colour: "--one" }, { of: 2, label: "99 of 100 within", colour: "--two" }] },
];

function readPulse() {
    const at = document.getElementById("charts");
    if (!at)
        return false;
    const p = JSON.parse(at.dataset.pulse);
    p.at.forEach((s, i) => pulse.set(s, [p.rate[i], p.p50[i], p.p99[i]]));
    const oldest = p.at[p.at.length - 1] - KEEP_S;
    for (const s of pulse.keys())
        if (s < oldest)
            pulse.delete(s);
    return true;
}

function columns(chart) {
    const times = [...pulse.keys()].sort((a, b) => a - b);
    return [times, ...chart.rows.map((r) => times.map((s) => pulse.get(s)[r.of]))];
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const shown = (unit) => (u, v) => v === null || v === undefined ? "" : +v.toPrecision(3) + unit;
const clock = (s) => new Date(s * 1000).toISOString().slice(11, 19);

// Without a pointer the legend says what is now.
function newest(u) {
    if (u.cursor.idx === null || u.cursor.idx === undefined)
        u.setLegend({ idx: u.data[0].length - 1 }, false);
}

function draw(chart, into) {
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false },
                   font: "12px system-ui, sans-serif" };
    const plot = new uPlot({
        width: Math.max(into.clientWidth, 200), height: 150, padding: [8, 28, 0, 0], cursor: { y: false, points: { size: 6 } },
        scales: { x: { range: (u, from, to) => [Math.min(from, to - 300), to] }, // five minutes at least
                  y: { range: (u, low, high) => [0, high > 0 ? high * 1.15 : 1] } },
        hooks: { setCursor: [newest] },
        axes: [{ ...axis, space: 70, 
                 values: (u, at) => at.map((s) => clock(s).slice(0, u.scales.x.max - u.scales.x.min > 600 ? 5 : 8)) },
               { ...axis, size: 52, values: (u, at) => at.map((v) => +v.toPrecision(3) + chart.unit) }],
        series: [{ label: "UTC", value: (u, s) => s ? clock(s) : "" },
                 ...chart.rows.map((r) => ({ label: r.label, stroke: colour(r.colour), width: 1.5,
                                             fill: chart.rows.length === 1 ? colour(r.colour) + "22" : undefined,
                                             points: { show: false }, value: shown(chart.unit) }))],
    }, columns(chart), into);
    return plot;
}

function drawAll() {
    const at = document.getElementById("charts");
    if (!at || !readPulse())
        return;
    let mine = at.querySelector("[data-mine]");
    if (!mine) {
        mine = make("div", { "data-mine": true, class: "plots" });
        at.prepend(mine);
        charts.length = 0;
        for (const chart of CHARTS) {
            const into = make("div", { class: "plot", role: "img" });
            mine.append(make("figure", {}, make("figcaption", {}, chart.title), into));
            charts.push({ chart, into, plot: draw(chart, into) });
        }
        new ResizeObserver(() => charts.forEach(({ into, plot }) => {
            if (into.isConnected && into.clientWidth > 0 && into.clientWidth !== plot.width)
                plot.setSize({ width: into.clientWidth, height: 150 });
        })).observe(mine);
    }
    for (const { chart, into, plot } of charts) {
        const data = columns(chart);
        plot.setData(data);
        newest(plot);
        into.setAttribute("aria-label", chart.title + ": " + chart.rows.map((r, i) =>
            r.label + " now " + shown(chart.unit)(null, data[i + 1][data[i + 1].length - 1])).join(", "));
    }
}

// Colours are read when a chart is drawn.
function redraw() {
    document.querySelectorAll("#charts [data-mine]").forEach((n) => n.remove());
    charts.forEach(({ plot }) => plot.destroy());
    drawAll();
}
