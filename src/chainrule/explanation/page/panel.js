// One number, opened: its rule, the same with numbers, its terms, the way back to the loss, proofs.

const MOST_TERMS = 8, FEW_PARTS = 6, CHAIN_PARTS = 10, CHAIN_LEVELS = 2;

function section(title, ...children) {
  return h("section", {}, h("h3", {}, title), ...children);
}

function equation(left, ...rows) {
  return h("div", { class: "equation" }, rows.filter(Boolean).map((row, i) => [
    h("div", { class: "left" }, i || !left ? "" : mathOf(left)),
    h("div", { class: "right" }, mathOf(m("mo", "=")), row),
  ]));
}

/** What is shown of a place: a whole node where it names no number. */
function explained(place) {
  return place.at === undefined ? nodeExplained(place.node) : numberExplained(place);
}

// --- a whole node ---

function nodeExplained(position) {
  const node = nodes[position];
  return [
    heading(symbolOfNode(position), null),
    facts(node, node.name, shapeText(node)),
    captionOf(node),
    ruleOf(position) && section("The rule of each number", ruleOf(position), definitionOf(node)),
    section(node.op === "input" ? "Given" : "Its numbers", tensorView(position), largestOf(position)),
    origin(node),
  ];
}

function shapeText(node) {
  return node.shape.length ? node.shape.map((n, i) => (node.axes[i] ? `${node.axes[i]} = ${n}` : n)).join(" × ") : "one number";
}

function ruleOf(position, index = []) {
  const { rule, shape } = nodes[position];
  if (!rule) return null;
  const letters = rule.letters;
  const at = index.length ? index : letters.slice(0, shape.length);
  const left = symbolMath(symbolOf(position, at));
  return equation(left, formula(fromTree(rule.tree), { letters, index }));
}

function definitionOf(node) {
  if (!node.definition) return null;
  const { left, right } = node.definition;
  const write = writer();
  return h("div", { class: "definition" }, h("span", {}, "where "),
    mathOf(write(fromTree(left)).markup, operator("="), write(fromTree(right)).markup));
}

// --- one number ---

function numberExplained(place) {
  const node = nodes[place.node];
  if (!holds(place)) return numberNotHere(place);
  const derivation = derivationOf(place);
  const related = [["gradient", "Its gradient"], ["next", "After the update"]]
    .filter(([key]) => node[key] !== undefined)
    .map(([key, title]) => [title, { node: node[key], at: place.at }]);
  return [
    heading(symbolAt(place), shown(place)),
    facts(node, nameOf(place), node.dtype),
    captionOf(node),
    derivation ?? closedWords(place),
    related.map(([title, other]) =>
      (derivation || !canOpen(other) ? shortly(title, other, place) : atOnce(title, other))),
    derivation && section("Checked", proofsOf(place)),
    origin(node),
    digitsOf(place),
  ];
}

/** A number that a page of a large step leaves out: what it is, its rule, and how to see it. */
function numberNotHere(place) {
  const node = nodes[place.node];
  return [
    heading(symbolAt(place), null), facts(node, nameOf(place), node.dtype), captionOf(node),
    h("p", {}, "This number is not in this page: the step has too many to hold them all."),
    notHere(nameOf(place)),
    ruleOf(place.node) && section("Its rule", ruleOf(place.node, indexOf(node.shape, place.at)), definitionOf(node)),
    origin(node),
  ];
}

/** Why a number does not open here. */
function closedWords(place) {
  const node = nodes[place.node];
  if (!canOpen(place) || isHeld(tidy(expand(place)))) return h("p", {}, givenWords(node));
  return [
    h("p", {}, "It does not open here: of what it is made of, this page holds a part only."),
    notHere(nameOf(place)),
    ruleOf(place.node) && section("Its rule", ruleOf(place.node, indexOf(node.shape, place.at)), definitionOf(node)),
  ];
}

function givenWords(node) {
  if (node.op !== "input") {
    return node.inputs.length
      ? `The elements of ${node.op} differ in more than where they are, and these are too many to be listed here. In Python, trace["${node.name}", …] opens them.`
      : "A number of the formula itself: nothing computed it.";
  }
  return "Given: nothing computed it in this step.";
}

function heading(symbol, value) {
  const words = value === null ? written(symbol) : `${written(symbol)} = ${value}`;
  return h("h2", { tabindex: "-1", "aria-label": words }, mathOf(symbolMath(symbol)),
    value === null ? null : mathOf(operator("="), numberMath(value)));
}

function facts(node, name, more) {
  return h("p", { class: "facts" }, node.what[0].toUpperCase() + node.what.slice(1),
    h("span", { class: "mono" }, name), h("span", {}, more));
}

function captionOf(node) {
  if (node.caption === undefined) return null;
  const { name, equation: formula_, words } = step.captions[node.caption];
  return h("p", { class: "caption" }, h("b", {}, name), " ", h("span", { class: "math" }, formula_), h("span", { class: "words" }, words));
}

/** A given number with what the step made of it, opened with it: one click fewer. */
function atOnce(title, place) {
  return h("section", { class: "related" },
    h("h3", {}, title, " ", numberButton(place)), captionOf(nodes[place.node]),
    derivationOf(place, true) ?? (holds(place) ? closedWords(place) : notHere(nameOf(place))),
    opened(place) && h("details", {}, h("summary", {}, "Checked"), proofsOf(place)));
}

function shortly(title, place, from) {
  if (place.node === from.node) return h("p", { class: "result" }, "The update leaves it as it is.");
  return h("p", { class: "result" }, `${title}: `, numberButton(place));
}

function derivationOf(place, nested = false) {
  const found = opened(place);
  if (!found) return null;
  const node = nodes[place.node];
  const left = () => symbolMath(symbolAt(place));
  const leaves = placesIn(found.expression).length;
  const isLong = found.terms.length > FEW_PARTS || leaves > 2 * FEW_PARTS;
  const rows = isLong && node.rule
    ? [ruleOf(place.node, indexOf(node.shape, place.at))]
    : [equation(left(), formula(found.expression),
      leaves && formula(found.expression, { numbers: 9 }),
      found.terms.length > 1 && leaves > found.terms.length && formula(valuesOf(found.terms)),
      mathOf(numberMath(shown(place))))];
  const parts = [
    nested ? rows : section("How it was computed", rows, definitionOf(node)),
    found.terms.length > 1 ? termsOf(found, nested) : partsTable(found),
    chainOf(place, found),
  ];
  return h("div", { class: "derivation" }, parts);
}

/** The values of terms, as a sum. */
function valuesOf(terms) {
  const part = ({ value }, i) => (i && value < 0
    ? { op: "neg", args: [{ figure: -value }] } : { figure: value });
  return { sum: "add", items: terms.map(part) };
}

/** What each part of a number is, as a table: from here every one of them opens. */
function partsTable(found) {
  const places = placesIn(found.expression);
  if (!places.length) return null;
  return h("table", { class: "parts" }, h("caption", { class: "unseen" }, "What it is made of"),
    h("tbody", {}, places.map((place) => h("tr", {},
      h("td", {}, numberButton(place)), h("td", { class: "what" }, nodes[place.node].what)))));
}

/** The terms of a sum by size, what is left, and that all of it adds up. */
function termsOf(found, nested) {
  const { terms, sizes, stored, sum } = found;
  const examples = examplesOf(terms);
  const order = terms.map((term, i) => ({ ...term, example: examples?.[i] }))
    .sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  const body = h("tbody");
  const draw = (most) => {
    const rest = order.slice(most);
    body.replaceChildren(...order.slice(0, most).map((term) => termRow(term, sizes)),
      ...(rest.length ? [restRow(rest, sizes, () => draw(most * 4))] : []));
  };
  draw(MOST_TERMS);
  const rounding = stored - sum;
  const table = h("table", { class: "terms" },
    h("caption", {}, `${terms.length} terms by size${examples ? ", one for each example" : ""}`),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "term"), h("th", { scope: "col" }, "value"),
      h("th", { scope: "col" }, "share"))),
    body, h("tfoot", {}, h("tr", {}, h("th", { scope: "row" }, "sum"), h("td", {}, digits(sum)), h("td")),
      rounding ? h("tr", {}, h("th", { scope: "row" }, "rounding"), h("td", {}, digits(rounding, 3)), h("td")) : null));
  const box = h("div", { class: "scroll" }, table); // a term may be a long formula
  return nested ? box : section("What it is made of", box);
}

function termRow({ term, value, example }, sizes) {
  const start = placesIn(term).map((place) => nodes[place.node].rows ?? 0);
  const row = step.about.rows[Math.max(0, ...start) + example];
  const negative = term.op === "neg";
  const parts = factors(negative ? term.args[0] : term)
    .flatMap((factor, i) => [i ? " · " : negative ? "− " : null, factorOf(factor)]);
  return h("tr", {}, h("td", {}, h("div", { class: "product" }, parts),
    example === undefined || example === null ? null : h("span", { class: "example" }, `example ${example}${row === undefined || row === example ? "" : `, row ${row}`}`)),
  h("td", {}, digits(value)), shareCell(value, sizes));
}

function factorOf(factor) {
  if (factor.number) return numberButton(factor.number, { significant: 6 });
  if (factor.literal !== undefined) return factor.literal === -1 ? "−1" : literal(factor.literal);
  const places = placesIn(factor);
  if (places.length > FEW_PARTS) return formula(factor);
  return h("span", { class: "group" }, formula(factor), places.map((place) => numberButton(place, { significant: 6 })));
}

function restRow(rest, sizes, more) {
  const value = exactSum(rest.map((term) => term.value));
  return h("tr", { class: "rest" }, h("td", {}, h("button", { type: "button", onclick: more },
    rest.length === 1 ? "and the other one" : `and the other ${rest.length}`)), h("td", {}, digits(value)),
  shareCell(exactSum(rest.map((term) => Math.abs(term.value))), sizes));
}

function shareCell(value, sizes) {
  const share = sizes ? Math.abs(value) / sizes : 0;
  const bar = h("i", { class: value < 0 ? "negative" : "" });
  bar.style.width = `${100 * share}%`;
  return h("td", { class: "share" }, h("span", {}, Number.isFinite(share) ? `${(100 * share).toFixed(1)} %` : ""), h("span", { class: "bar", "aria-hidden": "true" }, bar));
}

// --- the chain rule, opened further ---

/** Whether a number is a gradient of a value on the way, which the chain rule opens further. */
function isBackward(place) {
  const node = nodes[place.node];
  return node.part === "backward" && canOpen(place) && node.name.startsWith("d_") && !node.name.includes("/");
}

/** The formula with gradients opened, level by level, as long as it can be read; then one more. */
function chainLevels(place, found) {
  const levels = [];
  let part = found.expression;
  let isReadable = nodes[place.node].part === "backward";
  while (isReadable && levels.length < CHAIN_LEVELS) {
    let changed = false;
    part = tidy(mapped(part, (leaf) => {
      if (!leaf.number || !isBackward(leaf.number)) return leaf;
      changed = true;
      return tidy(expand(leaf.number));
    }));
    if (!changed || !isHeld(part)) break;
    isReadable = placesIn(part).length <= CHAIN_PARTS;
    levels.push({ part, isReadable });
  }
  return levels;
}

function chainOf(place, found) {
  const levels = chainLevels(place, found);
  const rows = levels.filter(({ isReadable }) => isReadable)
    .flatMap(({ part }) => [formula(part), formula(part, { numbers: 6 })]);
  const paths = levels.map(({ part }) => pathsIn(part)).find(Boolean);
  if (!rows.length && !paths) return null;
  return h("section", { class: "chain" }, h("h3", {}, "The chain rule, opened further"),
    rows.length ? equation(symbolMath(symbolAt(place)), ...rows) : null, paths && pathsOf(paths, place));
}

/** A product with one sum in it: each term of that is one path back to the loss. */
function pathsIn(part) {
  const parts = factors(part);
  const sums = parts.filter((factor) => summands(factor).length > 1);
  if (sums.length !== 1 || writtenTerms(part).length > 1) return null;
  const others = parts.filter((factor) => factor !== sums[0]);
  return { terms: summands(sums[0]), others };
}

function pathsOf({ terms, others }, place) {
  const unit = UNIT[nodes[place.node].dtype] ?? 0;
  const scale = others.reduce((product_, factor) => product_ * evaluated(factor, unit)[0], 1);
  const paths = terms.map((term) => ({
    term: others.reduce((a, b) => times(a, b), term), value: evaluated(term, unit)[0] * scale,
  })).filter(({ term }) => placesIn(term).some(isBackward));
  if (paths.length < 2) return null;
  const sizes = exactSum(paths.map(({ value }) => Math.abs(value)));
  paths.sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  const rest = paths.slice(MOST_TERMS);
  return h("table", { class: "terms" },
    h("caption", {}, `${paths.length} paths back to the loss`),
    h("thead", {}, h("tr", {}, ["path", "value", "share"].map((word) => h("th", { scope: "col" }, word)))),
    h("tbody", {}, paths.slice(0, MOST_TERMS).map((path) => termRow(path, sizes)),
      rest.length ? h("tr", { class: "rest" }, h("td", {}, `and the other ${rest.length}`),
        h("td", {}, digits(exactSum(rest.map((path) => path.value)))), shareCell(exactSum(rest.map((path) => Math.abs(path.value))), sizes)) : null),
    h("tfoot", {}, h("tr", {}, h("th", { scope: "row" }, "sum"), h("td", {}, digits(exactSum(paths.map(({ value }) => value)))), h("td"))));
}

// --- proofs, and where it comes from ---

const SIGNS = { true: ["✓", "holds"], false: ["✗", "does not hold"], null: ["–", "cannot be said"] };

function proofsOf(place) {
  const proofs = step.proofs[place.node]?.[place.at];
  const item = ({ kind, holds, statement }) => h("li", { class: `proof ${holds}` },
    h("span", { class: "sign", "aria-hidden": "true" }, SIGNS[holds][0]),
    h("div", {}, h("b", {}, kind), h("span", { class: "unseen" }, ` ${SIGNS[holds][1]}`), " ", h("span", {}, statement)));
  if (proofs) return h("ul", { class: "proofs" }, proofs.map(item));
  const found = opened(place);
  if (!found) return null;
  const { sum, stored, bound, terms } = found;
  const holds = Number.isNaN(stored) ? Number.isNaN(sum) : Math.abs(sum - stored) <= bound;
  const count = terms.length === 1 ? "Its formula" : `Its ${terms.length} terms`;
  return h("ul", { class: "proofs" },
    item({ kind: "added up here", holds: Number.isFinite(sum) ? holds : null,
      statement: `${count} in double precision: ${digits(sum)}, which is ${digits(Math.abs(sum - stored), 2)} from the stored number; rounding explains up to ${digits(bound, 2)}` }),
    h("li", { class: "proof" }, h("span", { class: "sign", "aria-hidden": "true" }, "›"),
      h("div", {}, "Bit for bit, and by a finite difference: ", h("code", {}, `trace[${JSON.stringify(nameOf(place))}].show()`), " in Python. This page has these for the largest numbers.")));
}

function origin(node) {
  if (!node.source) return null;
  const text = step.about.lines[node.source];
  return h("section", { class: "origin" }, h("h3", {}, "Your line"), h("p", { class: "mono" }, node.source),
    text ? h("pre", {}, h("code", {}, text)) : null);
}

function digitsOf(place) {
  return h("p", { class: "exact" }, "All digits ", h("span", { class: "mono" }, String(stored(place))));
}
