// What is only there with script: filters, and tables that scroll by keyboard where they are too wide.

const FILTERED = ["what-changed", "what-does-not-pass", "zones", "workers", "zones-from-node-to-node", "other-nodes", "what-changed-in-the-fleet",
                  "zones-of-the-fleet"];
const FEW = 8; // rows that need no filter
const filters = new Map(); // id of the section -> words

function applyFilter(section) {
    const words = (filters.get(section.id) || "").toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of section.querySelectorAll("tbody tr")) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((w) => text.includes(w));
    }
}

function addFilters() {
    for (const id of FILTERED) {
        const section = document.getElementById(id);
        if (!section)
            continue;
        if (!section.querySelector("input[data-mine]") && section.querySelectorAll("tbody tr").length > FEW) {
            const title = section.querySelector("h2");
            const input = make("input", { type: "search", "data-mine": true, placeholder: "filter",
                                          "aria-label": "Filter: " + title.textContent });
            input.addEventListener("input", () => {
                filters.set(id, input.value);
                applyFilter(section);
            });
            title.after(input);
        }
        applyFilter(section);
    }
}

function scrollers() {
    for (const box of document.querySelectorAll(".scroll")) {
        const wide = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight + 1;
        if (wide === box.hasAttribute("tabindex"))
            continue;
        const title = box.closest("section")?.querySelector("h2");
        for (const [name, value] of [["tabindex", "0"], ["role", "region"], ["aria-label", title ? title.textContent : "table"]])
            if (wide)
                box.setAttribute(name, value);
            else
                box.removeAttribute(name);
    }
}

renewed.push(drawAll, renewFleet, addFilters, scrollers);
live();
drawAll();
addFilters();
scrollers();
renewFleet().then(addFilters).then(scrollers);
addEventListener("resize", scrollers);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
new Image().src = "/icon/unknown.svg"; // there when nothing else can be had any more
