// The pictures: the network with its neurons and weights, the graph of the step; pan, zoom, collapse.

const TITLES = { network: "Network", graph: "Computation", modules: "Computation, modules collapsed" };
const SHOWN = { value: "values", gradient: "gradients", next: "after the update" };
const ZOOM = 1.25, READABLE = 0.8;
const THINNEST = 0.7, THICKEST = 4.2;

let example = 0; // of the batch, in the network's neurons
let showing = "value";

function pictureOf(kind) {
  return document.querySelector(`.picture[data-kind="${kind}"]`);
}

/** Put a frame to move in, tools and a table around each picture. */
function picturesShown() {
  document.querySelectorAll(".picture").forEach((figure) => {
    const svg = figure.querySelector("svg");
    const kind = figure.dataset.kind;
    const table = tableOf(kind);
    const frame = h("div", { class: "frame", tabindex: "0", role: "group",
      "aria-label": `${TITLES[kind]}: arrow keys move it, plus and minus change its size` }, svg);
    const view = { svg, frame, width: svg.viewBox.baseVal.width, height: svg.viewBox.baseVal.height, scale: 1 };
    const tool = (label, words, action) => h("button", { type: "button", "aria-label": words, title: words, onclick: action }, label);
    figure.append(
      h("figcaption", {}, h("b", {}, kind === "network" ? TITLES.network : TITLES.graph), toolsOf(kind),
        h("span", { class: "tools" },
          tool("−", "Smaller", () => zoom(view, 1 / ZOOM)), tool("+", "Larger", () => zoom(view, ZOOM)),
          tool("fit", "Fit the width", () => fit(view)))),
      frame, h("details", {}, h("summary", {}, "As a table"), table));
    movable(view);
    figure.querySelectorAll(".cluster").forEach(foldable);
    fit(view);
    addEventListener("resize", () => { if (view.fitted) fit(view); });
  });
  const collapsed = pictureOf("modules");
  if (collapsed && pictureOf("graph")) collapsed.hidden = true;
  if (pictureOf("network")) {
    widerLines();
    relabel();
  }
}

function scaleTo(view, scale) {
  view.scale = Math.min(4, Math.max(0.05, scale));
  view.svg.style.width = `${view.width * view.scale}px`;
  view.svg.style.height = `${view.height * view.scale}px`;
}

function zoom(view, by, x = view.frame.clientWidth / 2, y = view.frame.clientHeight / 2) {
  const { frame } = view;
  const [left, top, before] = [frame.scrollLeft + x, frame.scrollTop + y, view.scale];
  scaleTo(view, view.scale * by);
  view.fitted = false;
  frame.scrollTo(left * view.scale / before - x, top * view.scale / before - y);
}

/** Fit the width, but stay readable: what is wider can be moved. */
function fit(view) {
  const room = view.frame.clientWidth || view.width;
  scaleTo(view, Math.min(1.15, Math.max(room / view.width, READABLE)));
  view.fitted = true;
  const boxes = [...view.svg.querySelectorAll(".box")];
  const start = boxes.find((box) => box.dataset.name === "x") ?? boxes[0];
  if (!start) return;
  const [inner, outer] = [start, view.frame].map((each) => each.getBoundingClientRect());
  view.frame.scrollLeft += (inner.left + inner.right - outer.left - outer.right) / 2;
}

/** Drag to move, Ctrl and wheel to zoom; touch and keys move it as they scroll. */
function movable(view) {
  const { frame } = view;
  let from = null;
  frame.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && event.button === 0) from = { x: event.clientX, y: event.clientY, moved: false };
  });
  frame.addEventListener("pointermove", (event) => {
    if (!from || !event.buttons) return;
    const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
    if (!from.moved && Math.hypot(dx, dy) < 5) return;
    frame.classList.add("moving");
    frame.scrollBy(-dx, -dy);
    Object.assign(from, { x: event.clientX, y: event.clientY, moved: true });
  });
  addEventListener("pointerup", () => { setTimeout(() => { from = null; }); frame.classList.remove("moving"); });
  frame.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    const box = frame.getBoundingClientRect();
    zoom(view, event.deltaY < 0 ? ZOOM : 1 / ZOOM, event.clientX - box.left, event.clientY - box.top);
  }, { passive: false });
  frame.addEventListener("keydown", (event) => {
    if (event.key === "+" || event.key === "=") zoom(view, ZOOM);
    else if (event.key === "-") zoom(view, 1 / ZOOM);
    else if (event.key === "0") fit(view);
  });
  frame.addEventListener("click", (event) => {
    const target = event.target.closest("[data-name]");
    if (!target || from?.moved || target.classList.contains("cluster")) return;
    const name = nameOfDrawn(target);
    if (name) open(name);
    else if (pictureOf("graph") && frame.closest("[data-kind=modules]")) showKind("graph", target.dataset.name);
  });
}

/** A module's frame, whose inside can be hidden. */
function foldable(cluster) {
  const label = cluster.querySelector(":scope > text");
  const turn = () => cluster.classList.toggle("is-closed");
  if (!label) return;
  label.classList.add("fold");
  const mark = made(SVG, "title", {}, ["Press to hide or show what is inside"]);
  label.append(mark);
  label.addEventListener("click", turn);
}

function toolsOf(kind) {
  if (kind === "network") return networkTools();
  if (!pictureOf("modules") || !pictureOf("graph")) return null;
  const to = kind === "graph" ? "modules" : "graph";
  return h("button", { type: "button", "aria-pressed": String(kind === "modules"), onclick: () => {
    showKind(to);
    pictureOf(to).querySelector("figcaption button").focus();
  } }, "Modules collapsed");
}

/** Show the graph with its modules open or collapsed, and in it the module that was pressed. */
function showKind(kind, module = null) {
  for (const each of ["graph", "modules"]) pictureOf(each).hidden = each !== kind;
  dispatchEvent(new Event("resize"));
  const figure = pictureOf(kind);
  const cluster = [...figure.querySelectorAll(".cluster")].find((each) => each.dataset.name === module);
  if (cluster) bringIntoSight(figure.querySelector(".frame"), cluster.querySelector("text"));
}

// --- the network ---

function networkTools() {
  const buttons = Object.entries(SHOWN).map(([key, words]) => h("button", {
    type: "button", "data-showing": key, "aria-pressed": String(key === showing),
    onclick: () => showingFollows({ op: "", part: { gradient: "backward", next: "update" }[key] }),
  }, words));
  const batch = Math.max(1, ...nodes.filter((node) => node.axes[0]).map((node) => node.shape[0]));
  const choice = batch < 2 ? null : h("label", {}, "example ",
    h("input", { type: "number", min: 0, max: batch - 1, value: 0, onchange: (event) => {
      example = Math.min(batch - 1, Math.max(0, Number(event.currentTarget.value) || 0));
      relabel();
    } }));
  return h("span", { class: "tools", role: "group", "aria-label": "What the network shows" }, buttons, choice);
}

/** The number that a neuron or a line of the picture stands for. */
function placeDrawn(element) {
  const position = positions.get(element.dataset.name);
  if (position === undefined) return null;
  if (element.dataset.index === undefined) return { node: position };
  const index = element.dataset.index.split(",").map(Number);
  const { shape } = nodes[position];
  if (index.length < shape.length) index.unshift(example);
  return { node: position, at: offsetOf(shape, index) };
}

function nameOfDrawn(element) {
  const place = placeDrawn(element);
  if (!place) return null;
  if (place.at === undefined) return placeOfNode(place.node);
  const shown_ = element.dataset.index === undefined ? place : asShowing(place);
  return nameOf(shown_ ?? place);
}

/** The same number, its gradient, or what it becomes, as the reader chose. */
function asShowing(place) {
  if (showing === "value") return place;
  const node = nodes[place.node];
  if (node[showing] !== undefined) return { node: node[showing], at: place.at };
  return null;
}

/** Show values in the forward pass, gradients in the backward pass, new weights in the update. */
function showingFollows(node) {
  const to = node.op === "input" ? "value" : { backward: "gradient", update: "next" }[node.part] ?? "value";
  if (to === showing || !pictureOf("network")) return;
  showing = to;
  document.querySelectorAll("[data-showing]").forEach((each) =>
    each.setAttribute("aria-pressed", String(each.dataset.showing === showing)));
  relabel();
}

/** Write the chosen numbers into the network: their sign and size are the line's dash and width. */
function relabel() {
  restroke();
  pictureOf("network").querySelectorAll("g[data-index]").forEach((group) => {
    const place = placeDrawn(group);
    const other = place && asShowing(place);
    const text = [...group.querySelectorAll("text")].at(-1);
    if (!text || !place) return;
    const own = nodes[place.node].own?.[place.at];
    const isWeight = group.classList.contains("number");
    const value = other && holds(other) ? shortly_(valueOf(other), isWeight ? 3 : 4) : "–";
    text.textContent = isWeight && own ? `${own.name} ${value}` : value;
    const title = group.querySelector("title");
    if (title) title.textContent = `${written(symbolAt(other ?? place))} = ${other ? shown(other) : "none"}`;
    const rect = isWeight && group.querySelector("rect");
    if (rect) {
      const width = 6.8 * text.textContent.length + 6; // to the right of where it begins
      rect.setAttribute("width", width);
      text.setAttribute("x", Number(rect.getAttribute("x")) + width / 2);
    }
  });
}

/** A number in a picture: no longer than what there is room for. */
function shortly_(value, significant) {
  const text = digits(value || 0, significant);
  if (text.length <= significant + 3) return text;
  const [mantissa, power] = value.toExponential(1).split("e");
  return `${mantissa}e${Number(power)}`.replaceAll("-", "−");
}

function restroke() {
  const largest = new Map();
  const lines = [...pictureOf("network").querySelectorAll("line[data-name]:not(.hit)")].map((line) => {
    const place = asShowing(placeDrawn(line));
    const value = place ? valueOf(place) : NaN;
    const name = line.dataset.name;
    if (Number.isFinite(value)) largest.set(name, Math.max(largest.get(name) ?? 0, Math.abs(value)));
    return { line, value, name, place };
  });
  for (const { line, value, name, place } of lines) {
    const share = Math.abs(value) / (largest.get(name) || 1) || 0;
    const look = Number.isNaN(value) ? "faint" : value < 0 ? "negative" : "positive";
    line.setAttribute("class", `cr-edge-${look}`);
    line.setAttribute("stroke-width", (THINNEST + (THICKEST - THINNEST) * Math.min(1, share)).toFixed(2));
    if (look === "negative") line.setAttribute("stroke-dasharray", "5 3");
    else line.removeAttribute("stroke-dasharray");
    line.querySelector("title").textContent = place ? `${written(symbolAt(place))} = ${shown(place)}` : "no number";
  }
}

/** Lines are thin: what is pressed is wider. */
function widerLines() {
  pictureOf("network").querySelectorAll("line[data-name]").forEach((line) => {
    const hit = line.cloneNode(true);
    hit.setAttribute("class", "hit");
    line.before(hit);
  });
}

// --- what is open, in the pictures ---

/** Mark what stands for a node, or for one number of it, and bring it into sight. */
function picturesFollow(place) {
  if (!place) return;
  const node = nodes[place.node];
  showingFollows(node);
  const mark = (element) => { element.classList.add("is-open"); return element; };
  for (const kind of ["graph", "modules"]) {
    const figure = pictureOf(kind);
    if (!figure) continue;
    const all = [...figure.querySelectorAll(".box")];
    const itself = all.filter((box) => box.dataset.name === node.name);
    const around = all.filter((box) => isInside(node, box.dataset.name));
    const boxes = (itself.length ? itself : around).map(mark);
    if (boxes.length && !figure.hidden) bringIntoSight(figure.querySelector(".frame"), boxes[0]);
  }
  if (pictureOf("network")) networkFollows(place);
}

function networkFollows(place) {
  const svg = pictureOf("network").querySelector("svg");
  const drawn = [...svg.querySelectorAll("[data-index]:not(.hit)")];
  for (const element of drawnFor(place, drawn)) {
    element.classList.add("is-open");
    element.classList.toggle("is-one", place.at !== undefined);
  }
  const path = placesOnTheWay(place).flatMap((each) => drawnFor(each, drawn));
  for (const element of path) element.classList.add("is-path");
  const here = svg.querySelector(".is-one");
  if (here) bringIntoSight(svg.parentElement, here);
  svg.classList.toggle("has-path", path.some((element) => element.tagName === "line"));
}

/** What a gradient is made of, as far back to the loss as its formula is opened. */
function placesOnTheWay(place) {
  if (place.at === undefined || nodes[place.node].part !== "backward") return [];
  const found = opened(place);
  const last = found && chainLevels(place, found).at(-1);
  return last ? placesIn(last.part) : [];
}

/** What stands for a number in the network; a weighted sum is in the neuron that its activation is. */
function drawnFor(place, drawn) {
  const [, by] = /^d_.+\/d_(.+)$/.exec(nodes[place.node].name) ?? []; // a factor of the chain rule
  const primal = by ? positions.get(by) : nodes.findIndex((each, i) =>
    i === place.node || each.gradient === place.node || each.next === place.node);
  const readers = nodes.filter((each) => each.inputs.includes(primal) && each.part === "forward");
  const names = [nodes[primal].name, ...readers.map((each) => each.name)];
  const name = names.find((each) => drawn.some((element) => element.dataset.name === each));
  return drawn.filter((element) => element.dataset.name === name &&
    (place.at === undefined || placeDrawn(element).at === place.at));
}

/** Whether a node is in a module: computed there, or a parameter of it. */
function isInside(node, module) {
  const path = node.op === "input" ? node.name : node.scope;
  return path === module || path.startsWith(`${module}.`);
}

function bringIntoSight(frame, element) {
  const inner = element.getBoundingClientRect(), outer = frame.getBoundingClientRect();
  const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (inner.top >= outer.top && inner.bottom <= outer.bottom && inner.left >= outer.left && inner.right <= outer.right) return;
  frame.scrollBy({ behavior: isStill ? "instant" : "smooth", left: (inner.left + inner.right - outer.left - outer.right) / 2, top: (inner.top + inner.bottom - outer.top - outer.bottom) / 2 });
}

// --- the same as tables ---

const LISTED = 64;

function tableOf(kind) {
  return kind === "network" ? networkTable() : graphTable();
}

function listing(caption, heads, rows) {
  return h("div", { class: "scroll" }, h("table", { class: "listing" }, h("caption", { class: "unseen" }, caption),
    h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))), h("tbody", {}, rows)));
}

function nodeButton(position, text = written(symbolOfNode(position))) {
  return h("button", { type: "button", class: "value", "data-open": placeOfNode(position) }, text);
}

/** Parameters and units: each number with its gradient and what it becomes. */
function networkTable() {
  const names = [...new Set([...pictureOf("network").querySelectorAll("[data-index]")].map((each) => each.dataset.name))];
  const heads = ["what", "value", "gradient", "after the update"];
  const cell = (place) => h("td", {}, place ? numberButton(place, { named: false, significant: 6 }) : "");
  const rows = names.flatMap((name) => {
    const position = positions.get(name);
    const node = nodes[position];
    const related = (key, at) => (node[key] === undefined ? null : { node: node[key], at });
    if (sizeOf(node) > LISTED) {
      const whole = (key) => h("td", {}, node[key] === undefined ? "" : nodeButton(node[key]));
      return [h("tr", {}, h("th", { scope: "row" }, `${name}, ${shapeText(node)}`), h("td", {}, nodeButton(position)), whole("gradient"), whole("next"))];
    }
    return Array.from({ length: sizeOf(node) }, (_, at_) => h("tr", {},
      h("th", { scope: "row" }, written(symbolAt({ node: position, at: at_ }))),
      cell({ node: position, at: at_ }), cell(related("gradient", at_)), cell(related("next", at_))));
  });
  return listing("The network", heads, rows);
}

function graphTable() {
  const rows = nodes.map((node, position) => h("tr", {},
    h("th", { scope: "row" }, nodeButton(position)), h("td", {}, node.op),
    h("td", {}, node.inputs.map((i) => written(symbolOfNode(i))).join(", ")), h("td", {}, node.op === "input" ? "given" : node.part),
    h("td", {}, sizeOf(node) === 1 ? shown({ node: position, at: 0 }, 6) : shapeText(node))));
  return listing("The computation", ["value", "op", "made of", "part", "number or shape"], rows);
}
