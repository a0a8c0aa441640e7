// Makes what is shown like what was fetched, and touches nothing that is the same: focus, places scrolled to, and what
// was opened stay. Elements with data-mine are script's own; the server does not know them, and they stay where they are.

// Attributes that script or the reader sets.
const KEPT = new Set(["open", "hidden", "tabindex", "aria-selected"]);

function keyOf(node) {
    if (node.nodeType !== Node.ELEMENT_NODE)
        return node.nodeName;
    if (node.id || node.tagName !== "TR")
        return node.tagName + " " + node.id;
    const first = node.firstElementChild; // a row goes by its header, or by all that it says
    return "TR " + (first && first.tagName === "TH" ? first : node).textContent;
}

function morphAttributes(here, there) {
    for (const { name } of [...here.attributes])
        if (!there.hasAttribute(name) && !KEPT.has(name))
            here.removeAttribute(name);
    for (const { name, value } of there.attributes)
        if (here.getAttribute(name) !== value)
            here.setAttribute(name, value);
}

function morphChildren(here, there) {
    const wanted = [...there.childNodes];
    const left = new Map(); // how often a key is still to come
    for (const node of wanted)
        left.set(keyOf(node), (left.get(keyOf(node)) || 0) + 1);
    const skip = (node) => {
        while (node && node.dataset && "mine" in node.dataset)
            node = node.nextSibling;
        return node;
    };
    let at = skip(here.firstChild);
    for (const node of wanted) {
        const key = keyOf(node);
        while (at && keyOf(at) !== key && !left.get(keyOf(at))) {
            const gone = at;
            at = skip(at.nextSibling);
            gone.remove();
        }
        left.set(key, left.get(key) - 1);
        if (at && keyOf(at) === key) {
            morph(at, node);
            at = skip(at.nextSibling);
        } else {
            here.insertBefore(document.importNode(node, true), at);
        }
    }
    while (at) {
        const gone = at;
        at = skip(at.nextSibling);
        gone.remove();
    }
}

function morph(here, there) {
    if (here.isEqualNode(there))
        return;
    if (here.nodeType !== Node.ELEMENT_NODE) {
        if (here.nodeValue !== there.nodeValue)
            here.nodeValue = there.nodeValue;
        return;
    }
    if (!here.classList.contains("scroll"))
        morphAttributes(here, there);
    morphChildren(here, there);
}

// An element of script's own: make("p", {class: "x"}, "words", child...)
function make(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes))
        if (value !== false && value !== undefined)
            node.setAttribute(name, value === true ? "" : value);
    node.append(...children.filter((c) => c !== undefined && c !== null && c !== ""));
    return node;
}
