// What is open, how one got there, and the page around it.

const panel = document.getElementById("panel");
const trail = []; // names of what was opened, and which of them is open
let open_ = -1;

function isOpen(place) {
  return open_ >= 0 && trail[open_] === nameOf(place);
}

/** Open a number or a node by name, and remember the way. */
function open(name, { focus = true, sight = focus } = {}) {
  if (!find(name)) return;
  if (trail[open_] !== name) {
    trail.splice(open_ + 1, Infinity, name);
    open_ = trail.length - 1;
    history.pushState({ at: open_ }, "", `#${encodeURIComponent(name)}`);
  }
  show(focus, sight);
}

function show(focus, sight = focus) {
  const place = open_ < 0 ? null : find(trail[open_]);
  panel.replaceChildren(...[trailShown(), place ? explained(place) : welcome()].flat(Infinity).filter(Boolean));
  stepperFollows(place ? place.node : -1);
  document.querySelectorAll(".is-open, .is-path").forEach((each) => each.classList.remove("is-open", "is-path"));
  picturesFollow(place);
  reachable();
  const title = place ? titleOf(place) : "Nothing is open";
  document.getElementById("told").textContent = title;
  document.getElementById("up").disabled = open_ < 0;
  if (focus && place) {
    const heading_ = panel.querySelector("h2");
    heading_.focus({ preventScroll: true });
  }
  panel.scrollTop = 0;
  const { top } = panel.getBoundingClientRect();
  if (place && sight && (top < 0 || top > innerHeight / 2)) panel.scrollIntoView({ block: "start" });
}

/** What is wider than its place can be moved by keys, too. */
function reachable() {
  panel.querySelectorAll(".left, .right, .definition, .scroll").forEach((each) => {
    const scrolls = each.scrollWidth > each.clientWidth;
    for (const [name, value] of [["tabindex", "0"], ["role", "group"], ["aria-label", "A wide formula or table"]]) {
      if (scrolls) each.setAttribute(name, value);
      else each.removeAttribute(name);
    }
  });
}

addEventListener("resize", reachable);

function titleOf(place) {
  if (place.at === undefined) return `${written(symbolOfNode(place.node))}, ${nodes[place.node].what}`;
  return `${written(symbolAt(place))} = ${shown(place)}, ${nodes[place.node].what}`;
}

/** The way here: each number that was opened leads back to itself. */
function trailShown() {
  const from = Math.max(0, open_ - 4);
  const links = trail.slice(from, open_ + 1).map((name, i) => {
    const place = find(name);
    const text = place.at === undefined ? written(symbolOfNode(place.node)) : written(symbolAt(place));
    const isLast = from + i === open_;
    return h("li", {}, h("button", { type: "button", "aria-current": isLast ? "page" : null,
      onclick: () => history.go(from + i - open_) }, text));
  });
  return h("nav", { class: "trail", "aria-label": "The way here" },
    h("button", { type: "button", id: "up", title: "Back", "aria-label": "Back", onclick: () => history.back() }, "‹"),
    h("button", { type: "button", title: "Forward again", "aria-label": "Forward again",
      disabled: open_ >= trail.length - 1, onclick: () => history.forward() }, "›"),
    h("ol", {}, h("li", {}, h("button", { type: "button", onclick: () => history.go(-open_ - 1),
      "aria-current": open_ < 0 ? "page" : null }, "Start")), from ? h("li", {}, "…") : null, links));
}

addEventListener("popstate", (event) => {
  open_ = event.state?.at ?? -1;
  if (open_ >= trail.length) open_ = trail.length - 1;
  show(false);
});

// --- the first screen ---

function welcome() {
  const loss = step.loss;
  return [
    h("h2", { tabindex: "-1" }, "Any number here opens"),
    h("p", {}, "This is one training step as it was computed: a forward pass, a backward pass, an update. Press any number: it opens into the rule it was computed by and the numbers in it, and each of those opens in turn, down to the data."),
    leftOut(),
    loss === null ? null : section("The loss", h("p", {}, numberButton({ node: loss, at: 0 }))),
    section("Gradients", h("div", { class: "begin" }, beginnings().map((place) => numberButton(place)))),
  ];
}

/** Of a large step, how much of it is here. */
function leftOut() {
  const [all, held] = nodes.reduce(([a, b], node, i) => (node.values === undefined && !node.some ? [a, b]
    : [a + sizeOf(node), b + (node.some ? someOf(node).places.length : sizeOf(node))]), [0, 0]);
  if (held === all) return null;
  return h("p", { class: "left-out" }, `This step has ${grouped(all)} numbers; this page holds ${grouped(held)} of them: small values whole, and of large ones the largest gradients with what they are made of, level by level, what the network below shows, and the largest of each. What is not here says so, and how to see it.`);
}

/** The gradients of weights that have names of their own, or the largest of each parameter. */
function beginnings() {
  const gradients = nodes.filter((node) => node.op === "input" && node.gradient !== undefined && node.next !== undefined);
  const named = gradients.flatMap((node) => Object.keys(node.own ?? {})
    .map((at_) => ({ node: node.gradient, at: Number(at_) })));
  if (named.length) return named.slice(0, 24);
  return gradients.map((node) => {
    const held = heldIn(node.gradient);
    const [at_] = held.reduce((best, each) => (Math.abs(Number(each[1])) > Math.abs(Number(best[1])) ? each : best), held[0]);
    return { node: node.gradient, at: at_ };
  });
}

// --- light and dark, keys, and the search ---

function remembered(key, value) {
  try {
    if (value !== undefined) localStorage.setItem(key, value);
    return localStorage.getItem(key);
  } catch {
    return null; // storage is refused here: the choice lasts until the page is closed
  }
}

function themed(theme) {
  const root = document.documentElement;
  if (theme) root.dataset.theme = theme;
  const dark = theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.getElementById("theme").setAttribute("aria-pressed", String(dark));
}

document.getElementById("theme").addEventListener("click", (event) => {
  const theme = event.currentTarget.getAttribute("aria-pressed") === "true" ? "light" : "dark";
  remembered("chainrule-theme", theme);
  themed(theme);
  show(false);
});

document.addEventListener("click", (event) => {
  const target = event.target.closest?.("[data-open]");
  if (target) open(target.getAttribute("data-open"));
});

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, .chips, .values, .frame")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "ArrowRight") move(1);
  else if (event.key === "ArrowLeft") move(-1);
  else if (event.key === "Escape" && open_ >= 0) history.back();
});

document.getElementById("search").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = document.getElementById("name");
  const place = find(field.value);
  field.setAttribute("aria-invalid", String(!place));
  document.getElementById("told").textContent = place ? "" : `Nothing here is called ${field.value}`;
  if (place) open(place.at === undefined ? nodes[place.node].name : nameOf(place));
});

document.getElementById("names").append(...[...ownNames.keys(), ...positions.keys()]
  .filter((name) => !name.startsWith("%")).slice(0, 400).map((value) => h("option", { value })));

function aboutShown() {
  const { computed_by, step: number, epoch, learning_rate, network, loss, optimizer, versions } = step.about;
  const list = (entries) => h("dl", {}, Object.entries(entries).filter(([, v]) => v !== null && v !== "")
    .flatMap(([key, value]) => [h("dt", {}, key), h("dd", {}, String(value))]));
  const batch = step.about.rows.length;
  document.getElementById("summary").textContent = [loss, optimizer, batch === 1 ? "1 example"
    : batch ? `${batch} examples` : "", `computed by ${computed_by}`].filter(Boolean).join(" · ");
  document.getElementById("about").append(
    h("pre", { tabindex: "0", "aria-label": "The network" }, network),
    list({ loss, optimizer, step: number, epoch, "learning rate": learning_rate, "computed by": computed_by, ...versions }));
  if (step.notice) {
    document.querySelector("main").before(h("p", { class: "notice", role: "alert" }, step.notice));
  }
}

stepperShown();
picturesShown();
aboutShown();
themed(remembered("chainrule-theme"));
if (location.hash.length > 1) {
  const name = decodeURIComponent(location.hash.slice(1));
  history.replaceState(null, "", location.pathname);
  open(name, { focus: false });
}
if (open_ < 0) show(false);
