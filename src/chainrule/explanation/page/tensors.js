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

/** What a page does not hold, and how to see it. */
function notHere(name, include = name) {
  return [h("p", {}, "To see it, in Python: ", h("code", {}, `trace[${JSON.stringify(name)}].show()`), "."),
    h("p", {}, "For a page that holds it: ", h("code", {}, `trace.to_html("step.html", include=[${JSON.stringify(include)}])`), ".")];
}

function grouped(count) {
  return count.toLocaleString("en-US");
}

/** Of a value that is not held whole: what is said of all its numbers, and those that are here. */
function someView(position) {
  const node = nodes[position];
  const { places, zeros, others, least, greatest, mean, map } = someOf(node);
  const told = [
    least !== undefined && `from ${digits(least, 6)} to ${digits(greatest, 6)}, ${digits(mean, 6)} on average`,
    zeros && `${grouped(zeros)} are 0`, others && `${grouped(others)} are no finite numbers`,
  ].filter(Boolean).join("; ");
  const across = node.shape.at(-1) ?? 1;
  const rows = [...new Set(Array.from(places, (at_) => Math.floor(at_ / across)))];
  const columns = [...new Set(Array.from(places, (at_) => at_ % across))].sort((a, b) => a - b);
  const view = { position, rows: rows.length, columns: columns.length, row: 0, column: 0, first: 0,
    rowsHere: rows, columnsHere: columns, across };
  const table = h("div", {});
  const draw = () => table.replaceChildren(windowTable(view), pager(view, draw));
  draw();
  return h("div", { class: "tensor" },
    told && h("p", {}, `All ${grouped(sizeOf(node))}: ${told}.`),
    map && patches(position, map),
    h("p", { class: "left-out" }, `This page holds ${grouped(places.length)} of its ${grouped(sizeOf(node))} numbers, which stand below; a dash is a number that is not here. `,
      "In Python each opens: ", h("code", {}, `trace[${JSON.stringify(nodes[position].name)}, ${node.shape.map(() => "…").join(", ")}].show()`),
      "; all of them are in the page that ", h("code", {}, `trace.to_html("step.html", include=[${JSON.stringify(node.name)}])`), " writes."),
    table);
}

/** A small picture of many numbers: of each patch the largest. */
function patches(position, { rows, columns, largest, cells }) {
  const values = new Int8Array(decoded(cells, "bool").buffer);
  const name = written(symbolOfNode(position));
  const canvas = h("canvas", { width: columns, height: rows, role: "img",
    "aria-label": `Heat map of ${name}, of each patch the largest number` });
  paint(canvas, rows, columns, (i) => values[i] / 127);
  canvas.style.height = `${Math.max(48, Math.min(240, 5 * rows))}px`;
  return h("figure", { class: "map is-still" }, canvas, h("figcaption", {}, legend(largest),
    h("span", {}, "Each patch has the colour of its largest number.")));
}

/** The numbers of a node: those of the last two axes, for a choice of the others. */
function tensorView(position) {
  const node = nodes[position];
  if (node.some) return someView(position);
  if (!isWhole(position)) return h("p", {}, "It has the numbers of ", nodeButton(node.inputs[node.form.operands[0][0]]), ", in other places.");
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
  const best = [];
  for (const [at_, value] of heldIn(position)) {
    const size = Math.abs(Number(value));
    if (best.length === LARGEST && !(size > best.at(-1).size)) continue;
    best.push({ size, at: at_ });
    best.sort((a, b) => b.size - a.size).splice(LARGEST);
  }
  if (!best.length || (nodes[position].some && !node.named)) return null;
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
  const some = (size, from, most, here) => Array.from({ length: Math.min(most, size - from) },
    (_, i) => (here ? here[from + i] : from + i));
  const across = some(columns, view.column, COLUMNS, view.columnsHere);
  const down = some(rows, view.row, ROWS, view.rowsHere);
  const cell = (row, column) => {
    const at = view.first + row * (view.across ?? columns) + column;
    const own = node.own?.[at];
    const place = { node: position, at };
    if (!holds(place)) return h("td", { class: "absent" }, "–");
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
  paint(canvas, rows, columns, (i) => (largest ? value(i) / largest : 0));
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
    legend(largest), told));
}

function legend(largest) {
  return h("span", { class: "legend" }, h("span", {}, digits(-largest, 3)), h("i"), h("span", {}, `+${digits(largest, 3)}`));
}

/** Colour each cell by what share of the largest it is. */
function paint(canvas, rows, columns, shareAt) {
  const style = getComputedStyle(document.documentElement);
  const colour = (variable) => style.getPropertyValue(variable).match(/[\da-f]{2}/gi).map((c) => parseInt(c, 16));
  const paper = colour("--map-zero"), above = colour("--map-above"), below = colour("--map-below");
  const image = new ImageData(columns, rows);
  for (let i = 0; i < rows * columns; i++) {
    const share = shareAt(i);
    const to = share > 0 ? above : below;
    const weight = Math.sqrt(Math.min(1, Math.abs(share))) || 0; // small ones are seen, too
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = paper[c] + weight * (to[c] - paper[c]);
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}
