// A whole node: its numbers as a table, and as a heat map where they are many.

const ROWS = 10, COLUMNS = 6, MAPPED_FROM = 60, LARGEST = 6;

/** One tab stop for many buttons; the arrow keys move between them. */
function roving(container, selector) {
  const all = () => [...container.querySelectorAll(selector)];
  all().forEach((each, i) => { each.tabIndex = i ? -1 : 0; });
  container.addEventListener("focusin", (event) => {
    const target = event.target.closest(selector);
    if (target) all().forEach((each) => { each.tabIndex = each === target ? 0 : -1; });
  });
  container.addEventListener("keydown", (event) => {
    const buttons = all();
    const here = buttons.indexOf(event.target.closest(selector));
    const to = here < 0 ? undefined : neighbour(buttons, here, event.key);
    if (!to) return;
    event.preventDefault();
    to.focus();
  });
}

/** The button that an arrow key leads to: the next one in the row, the nearest one above or below. */
function neighbour(buttons, here, key) {
  if (key === "Home") return buttons[0];
  if (key === "End") return buttons.at(-1);
  if (key === "ArrowRight") return buttons[here + 1];
  if (key === "ArrowLeft") return buttons[here - 1];
  if (key !== "ArrowUp" && key !== "ArrowDown") return undefined;
  const down = key === "ArrowDown";
  const from = buttons[here].getBoundingClientRect();
  const distance = (button) => {
    const to = button.getBoundingClientRect();
    const away = down ? to.top - from.bottom : from.top - to.bottom;
    return away < -1 ? Infinity : Math.abs(to.left - from.left) + 4 * Math.max(away, 0);
  };
  const others = buttons.filter((_, i) => i !== here);
  const nearest = others.reduce((a, b) => (distance(b) < distance(a) ? b : a), others[0]);
  return nearest && Number.isFinite(distance(nearest)) ? nearest : undefined;
}

/** A button that opens a number, with its value, and with its name where that says more. */
function numberButton(place, { named = true, significant = 9 } = {}) {
  const value = shown(place, significant);
  const name = written(symbolAt(place));
  return h("button", { type: "button", class: "value", "data-open": nameOf(place),
    "aria-label": `${name} = ${value}`, "aria-current": isOpen(place) ? "true" : null },
  named ? [h("span", { class: "of" }, name), " "] : null, h("span", { class: "digits" }, value));
}

/** The numbers of a node: those of the last two axes, for a choice of the others. */
function tensorView(position) {
  const node = nodes[position];
  const shape = node.shape.length > 1 ? node.shape : [1, ...node.shape, 1].slice(0, 2);
  if (node.shape.length === 1) shape.splice(0, 2, 1, node.shape[0]);
  const outer = shape.slice(0, -2);
  const [rows, columns] = shape.slice(-2);
  const view = { position, rows, columns, row: 0, column: 0, first: 0 };
  const box = h("div", { class: "tensor" });
  const choices = outer.map((size, axis) => choiceOf(axis, size, node.axes[axis]));
  const draw = () => {
    view.first = offsetOf(outer, choices.map((choice) => Number(choice.querySelector("input").value)))
      * rows * columns;
    box.replaceChildren(
      choices.length ? h("p", { class: "choices" }, choices) : "",
      sizeOf(node) >= MAPPED_FROM ? heatMap(view, (row, column) => {
        view.row = ROWS * Math.floor(row / ROWS);
        view.column = COLUMNS * Math.floor(column / COLUMNS);
      }) : "",
      windowTable(view), pager(view, draw));
  };
  choices.forEach((choice) => choice.addEventListener("change", draw));
  draw();
  return box;
}

/** Of many numbers, those to look at first. */
function largestOf(position) {
  const node = nodes[position];
  if (sizeOf(node) < MAPPED_FROM) return null;
  const values = arrayOf(position);
  const best = [];
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(Number(values[i]));
    if (best.length === LARGEST && !(size > best.at(-1).size)) continue;
    best.push({ size, at: i });
    best.sort((a, b) => b.size - a.size).splice(LARGEST);
  }
  return h("div", { class: "largest" }, h("span", {}, "The largest"),
    best.map(({ at: place }) => numberButton({ node: position, at: place }, { significant: 6 })));
}

function choiceOf(axis, size, name) {
  return h("label", {}, `${name || `axis ${axis}`} `,
    h("input", { type: "number", min: 0, max: size - 1, value: 0 }), ` of ${size}`);
}

function windowTable(view) {
  const { position, rows, columns } = view;
  const node = nodes[position];
  const across = Array.from({ length: Math.min(COLUMNS, columns - view.column) }, (_, i) => view.column + i);
  const down = Array.from({ length: Math.min(ROWS, rows - view.row) }, (_, i) => view.row + i);
  const cell = (row, column) => {
    const at = view.first + row * columns + column;
    const own = node.own?.[at];
    const place = { node: position, at };
    return h("td", {}, numberButton(place, { named: Boolean(own), significant: 6 }));
  };
  const showsRows = node.shape.length > 1;
  const table = h("table", { class: "values" },
    h("caption", { class: "unseen" }, `Values of ${written(symbolOfNode(position))}`),
    node.shape.length ? h("thead", {}, h("tr", {}, showsRows ? h("td") : null,
      across.map((column) => h("th", { scope: "col" }, String(column))))) : null,
    h("tbody", {}, down.map((row) => h("tr", {},
      showsRows ? h("th", { scope: "row" }, String(row)) : null,
      across.map((column) => cell(row, column))))));
  roving(table, "button");
  return h("div", { class: "scroll" }, table);
}

function pager(view, draw) {
  const { rows, columns } = view;
  if (rows <= ROWS && columns <= COLUMNS) return "";
  const move = (key, by, limit, size, label) => h("button", {
    type: "button", disabled: by < 0 ? view[key] === 0 : view[key] + size >= limit,
    onclick: () => { view[key] = Math.max(0, view[key] + by * size); draw(); },
  }, label);
  const part = (from, size, limit) => `${from}–${Math.min(from + size, limit) - 1} of ${limit}`;
  const pair = (key, size, limit, words) => (limit <= size ? null : h("span", { class: "pair" },
    move(key, -1, limit, size, `‹ ${words}`), ` ${part(view[key], size, limit)} `,
    move(key, 1, limit, size, `${words} ›`)));
  return h("p", { class: "pager" }, pair("row", ROWS, rows, "rows"), pair("column", COLUMNS, columns, "columns"));
}

/** The numbers as colours: blue above 0, vermillion below; the table beside it has them in words. */
function heatMap(view, show) {
  const { position, rows, columns, first } = view;
  const values = arrayOf(position);
  const value = (i) => Number(values[first + i]);
  let largest = 0;
  for (let i = 0; i < rows * columns; i++) {
    if (Number.isFinite(value(i))) largest = Math.max(largest, Math.abs(value(i)));
  }
  const name = written(symbolOfNode(position));
  const canvas = h("canvas", { width: columns, height: rows, role: "img",
    "aria-label": `Heat map of ${name}; the table below it holds the same numbers` });
  const style = getComputedStyle(document.documentElement);
  const colour = (variable) => style.getPropertyValue(variable).match(/[\da-f]{2}/gi).map((c) => parseInt(c, 16));
  const paper = colour("--map-zero"), above = colour("--map-above"), below = colour("--map-below");
  const image = new ImageData(columns, rows);
  for (let i = 0; i < rows * columns; i++) {
    const share = largest ? value(i) / largest : 0;
    const to = share > 0 ? above : below;
    const weight = Math.sqrt(Math.min(1, Math.abs(share))) || 0; // small ones are seen, too
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = paper[c] + weight * (to[c] - paper[c]);
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  canvas.style.height = `${Math.max(48, Math.min(240, 8 * rows))}px`;
  const told = h("output", {}, "Point at it, or press on it to open a number.");
  const under = (event) => {
    const box = canvas.getBoundingClientRect();
    const row = Math.min(rows - 1, Math.floor(((event.clientY - box.top) / box.height) * rows));
    const column = Math.min(columns - 1, Math.floor(((event.clientX - box.left) / box.width) * columns));
    return [Math.max(0, row), Math.max(0, column)];
  };
  const placeOf = ([row, column]) => ({ node: position, at: first + row * columns + column });
  canvas.addEventListener("pointermove", (event) => {
    const place = placeOf(under(event));
    told.textContent = `${written(symbolAt(place))} = ${shown(place)}`;
  });
  canvas.addEventListener("click", (event) => {
    show(...under(event));
    open(nameOf(placeOf(under(event))));
  });
  return h("figure", { class: "map" }, canvas, h("figcaption", {},
    h("span", { class: "legend" }, h("span", {}, digits(-largest, 3)), h("i"), h("span", {}, `+${digits(largest, 3)}`)), told));
}
