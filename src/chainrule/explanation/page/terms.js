// What a number is made of, as `chainrule.explanation.expansion` and `tidying` say it in Python.
//
// A part is {op, args}, where `op` is one of the op table, or
//   {number: place}   a number of the step       {literal: value}   one written in the formula
//   {sum: op, items}  many of a kind             {slot: …}, {symbol: …}   in rules with letters

function isKnown(place) {
  const node = nodes[place.node];
  return node.named || node.op === "input" || node.composite;
}

function isConstant(node) {
  return !node.inputs.length && node.op !== "input";
}

function canOpen(place) {
  const node = nodes[place.node];
  return Boolean(node.form || node.listed) && node.op !== "input";
}

/** What one op made the number of. */
function ownTerms(place) {
  const node = nodes[place.node];
  if (isConstant(node)) return { literal: valueOf(place) };
  if (!canOpen(place)) return { number: place };
  if (node.listed) return fromTree(node.listed[place.at]);
  const { op, fold, sizes } = node.form;
  const index = variablesAt(node, place.at);
  if (!fold) return joined(node, index, place);
  const count = sizes.reduce((a, b) => a * b, 1);
  const items = Array.from({ length: count }, (_, i) =>
    joined(node, [...index, ...indexOf(sizes, i)], null));
  return items.length === 1 ? items[0] : { sum: fold, items };
}

/** An op applied to its operands' elements; `at` is where the result is stored, if it is. */
function joined(node, variables, at) {
  const args = operandsAt(node, variables).map((place) => ({ number: place }));
  return node.form.op ? { op: node.form.op, args, to: node.form.to, at } : args[0];
}

/** A formula from the nested lists that it is written as. */
function fromTree(tree, axes = null) {
  const [op, ...rest] = tree;
  switch (op) {
    case "#": return { literal: typeof rest[0] === "string" ? Number(numeral(rest[0])) : rest[0] };
    case "!": return { number: { node: rest[0], at: rest[1] } };
    case "@": return { slot: rest[0], axes: rest[1] };
    case "$": return { symbol: rest[0] };
    case "&": return { sum: rest[0], items: rest[1].map((item) => fromTree(item)) };
    case "&&": return { sum: rest[0], items: [fromTree(rest[1])], over: rest[2] };
  }
  const last = rest.at(-1);
  const to = Array.isArray(last) ? undefined : rest.pop().to;
  return { op, args: rest.map((part) => fromTree(part)), to };
}

function numeral(text) {
  return { inf: "Infinity", "-inf": "-Infinity", nan: "NaN" }[text] ?? text;
}

/** The same formula with each leaf replaced by what `change` makes of it. */
function mapped(part, change) {
  if (part.args) return { ...part, args: part.args.map((each) => mapped(each, change)) };
  if (part.items) return { ...part, items: part.items.map((each) => mapped(each, change)) };
  return change(part);
}

function placesIn(part) {
  const found = new Map(occurrencesIn(part).map((place) => [`${place.node},${place.at}`, place]));
  return [...found.values()];
}

/** What a number is made of, in numbers that have names. */
function expand(place) {
  if (nodes[place.node].op === "input") return { number: place };
  return mapped(ownTerms(place), (leaf) => (leaf.number ? asShown(leaf.number) : leaf));
}

function asShown(place) {
  place = sourceOf(place);
  if (isConstant(nodes[place.node])) return { literal: valueOf(place) };
  if (isKnown(place) || !canOpen(place) || !isSmall(place)) return { number: place };
  return expand(place);
}

/** Follow moves of values without a name to what was moved. */
function sourceOf(place) {
  while (!isKnown(place)) {
    const terms = ownTerms(place);
    if (!terms.number || terms.number.node === place.node) break;
    place = terms.number;
  }
  return place;
}

/** Whether a value is of few enough parts to be shown inside of another. */
function isSmall(place) {
  let [parts, visited] = [0, 0];
  const stack = [[place, true]];
  while (stack.length) {
    const [next, counts] = stack.pop();
    const here = sourceOf(next);
    visited += 1;
    if (isKnown(here) || !nodes[here.node].inputs.length || !canOpen(here)) {
      parts += Number(counts);
    } else {
      const terms = ownTerms(here);
      parts += Number(counts) * (terms.items ? terms.items.length : 1);
      if (parts <= step.limits.inlined) {
        // What is in the terms of a sum is no part, but it is written, and may be sums.
        for (const each of occurrencesIn(terms)) stack.push([each, counts && !terms.items]);
      }
    }
    if (parts > step.limits.inlined || visited > step.limits.written) return false;
  }
  return true;
}

/** The numbers of a formula, as often as they stand in it. */
function occurrencesIn(part) {
  const found = [];
  mapped(part, (leaf) => {
    if (leaf.number) found.push(leaf.number);
    return leaf;
  });
  return found;
}

/** Whether all that a formula reads is in the page. */
function isHeld(part) {
  if (part.number) return holds(part.number);
  return (!part.at || holds(part.at)) && (part.args ?? part.items ?? []).every(isHeld);
}

// --- for reading: constants gathered in front, factors of 1 left out ---

const isLiteral = (part) => part !== null && part.literal !== undefined;
const times = (a, b) => ({ op: "mul", args: [a, b] });

function tidy(part) {
  if (part.items) {
    const items = part.items.map(tidy).filter((item) =>
      part.over || part.sum !== "add" || !isLiteral(item) || item.literal !== 0);
    if (!items.length) return { literal: 0 };
    return items.length === 1 && !part.over ? items[0] : { ...part, items };
  }
  if (!part.args) return part;
  const args = part.args.map(tidy);
  const [a, b, c] = args;
  if (part.to && part.to.startsWith("f")) {
    if (a.op && step.ops[a.op]?.returns === "bool") {
      return { op: "select", args: [a, { literal: 1 }, { literal: 0 }], at: part.at };
    }
    return a;
  }
  if (part.op === "select" && isLiteral(c) && Number.isNaN(c.literal)) return b; // a guard
  if (part.op === "mul" || part.op === "div") {
    const [scale, rest] = constantOf(a);
    const [other, more] = constantOf(b);
    if (part.op === "mul") return scaled(scale * other, product(rest, more));
    if (more === null && other) return scaled(scale / other, rest);
  }
  if ((part.op === "add" || part.op === "sub") && isLiteral(a) && isLiteral(b)) {
    return { literal: part.op === "add" ? a.literal + b.literal : a.literal - b.literal };
  }
  return { ...part, args };
}

function constantOf(part) {
  if (isLiteral(part)) return [Number(part.literal), null];
  if (part.op === "mul" && isLiteral(part.args[0])) {
    return [Number(part.args[0].literal), part.args[1]];
  }
  return [1, part];
}

function product(a, b) {
  if (a === null || b === null) return a ?? b;
  return times(a, b);
}

function scaled(scale, rest) {
  if (rest === null) return { literal: scale };
  return scale === 1 ? rest : times({ literal: scale }, rest);
}

// --- a number as the sum of its terms ---

/** The terms of nested sums and differences, as they are written; a minus sign goes with its term. */
function summands(part, negative = false) {
  const isSum = (each) => Boolean(each.items) && each.sum === "add" && !each.over;
  if (isSum(part)) return part.items.flatMap((item) => summands(item, negative));
  if (part.op === "mul" && isLiteral(part.args[0]) && isSum(part.args[1])) {
    // The mean over a batch: 0.1·(a + b) is what each example adds.
    const scale = { literal: part.args[0].literal * (negative ? -1 : 1) };
    return part.args[1].items.map((item) => tidy(times(scale, item)));
  }
  if (part.op === "add") return part.args.flatMap((each) => summands(each, negative));
  if (part.op === "sub") {
    return [...summands(part.args[0], negative), ...summands(part.args[1], !negative)];
  }
  if (part.op === "neg") return summands(part.args[0], !negative);
  return [negative ? { op: "neg", args: [part] } : part];
}

/** The terms as the formula stands: a factor before a sum stays in front of it. */
function writtenTerms(part) {
  return part.op === "mul" ? [part] : summands(part);
}

/** The factors of nested products, as they are written. */
function factors(part) {
  if (part.op === "mul") return part.args.flatMap(factors);
  if (part.op === "neg") return [{ literal: -1 }, ...factors(part.args[0])];
  return [part];
}

/** The same with sums that have no name of their own, and are terms, as their terms. */
function withSumsOpened(part) {
  const terms = summands(part).flatMap((term) => {
    const negative = term.op === "neg";
    const [scale, inner] = constantOf(negative ? term.args[0] : term);
    if (!inner?.number || isKnown(inner.number) || !canOpen(inner.number)) return [term];
    const opened_ = tidy(expand(inner.number));
    const inside = isHeld(opened_) ? summands(opened_, negative) : [];
    return inside.length > 1 ? inside.map((item) => tidy(times({ literal: scale }, item))) : [term];
  });
  return terms.length === 1 ? terms[0] : { sum: "add", items: terms };
}

/**
 * The value of a formula in double precision, and how far rounding, in the dtype of the step, may
 * have taken the stored one from it. Sums and products are computed; what an op like sigmoid gave
 * is the number that is stored.
 */
function evaluated(part, unit) {
  const rounded = (value, error) => [value, error + unit * Math.abs(value)];
  if (part.literal !== undefined) return rounded(Number(part.literal), 0);
  if (part.number) return converted(part.number, unit);
  if (part.items) {
    const parts = part.items.map((item) => evaluated(item, unit));
    if (part.sum === "max") return [Math.max(...parts.map(([v]) => v)), Math.max(...parts.map(([, error]) => error))];
    const sizes = exactSum(parts.map(([v]) => Math.abs(v)));
    const inherited = exactSum(parts.map(([, error]) => error));
    return [exactSum(parts.map(([v]) => v)), inherited + (parts.length + 1) * unit * sizes];
  }
  const parts = part.args.map((each) => evaluated(each, unit));
  const [[a, da], [b, db] = [0, 0]] = parts;
  switch (part.op) {
    case "add": return rounded(a + b, da + db);
    case "sub": return rounded(a - b, da + db);
    case "mul": return rounded(a * b, Math.abs(a) * db + Math.abs(b) * da);
    case "div": return rounded(a / b, (da + Math.abs(a / b) * db) / Math.abs(b));
    case "neg": return [-a, da];
    case "select": return a ? parts[1] : parts[2];
    case "cast": return [a, da + unit * Math.abs(a)];
  }
  return part.at ? [valueOf(part.at), unit * Math.abs(valueOf(part.at))] : [NaN, NaN];
}

/** A number as a formula reads it: one of another dtype, such as the learning rate, is rounded. */
function converted(place, unit) {
  const value = valueOf(place);
  return [value, nodes[place.node].dtype === "f64" && unit > UNIT.f64 ? unit * Math.abs(value) : 0];
}

/** A number opened: its terms with their values, and how well they add up to what is stored. */
function opened(place) {
  const node = nodes[place.node];
  const here = valueOf(place);
  if (node.op === "input" || isConstant(node) || !canOpen(place) || !holds(place)) return null;
  const unit = UNIT[node.dtype] ?? 0;
  const expression = tidy(expand(place));
  if (!isHeld(expression)) return null;
  const whole = withSumsOpened(expression);
  const terms = summands(whole).map((term) => ({ term, value: evaluated(term, unit)[0] }));
  const [sum, error] = evaluated(whole, unit);
  const sizes = exactSum(terms.map(({ value }) => Math.abs(value)));
  return { place, expression, whole, terms, sum, bound: 2 * error, sizes, stored: here };
}

/** The example of the batch that each term comes from, where they are one for each; else null. */
function examplesOf(terms) {
  if (terms.length < 2) return null;
  const found = terms.map(({ term }) => {
    const here = new Set();
    for (const place of placesIn(term)) {
      const node = nodes[place.node];
      const index = indexOf(node.shape, place.at);
      node.axes.forEach((name, axis) => name && here.add(index[axis]));
    }
    return here.size === 1 ? [...here][0] : null;
  });
  return found.includes(null) || new Set(found).size !== found.length ? null : found;
}
